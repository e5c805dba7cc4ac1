"""Diagonal plus low rank: every coordinate on its own, and a few directions in common.

``A = D + U V^T`` costs ``n (2 r + 1)`` products against ``n^2``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spectral_rank.formulas.domain import integer
from spectral_rank.models.structured.layer import StructuredLinear, gaussian


class DiagonalPlusLowRank(StructuredLinear):
    """An ``n x n`` matrix, the sum of a diagonal one and one of rank at most ``r``.

    The singular values have no closed form; `spectrum` decomposes the dense matrix, ``O(n^3)``.

    Args:
        features: ``n``, an integer >= 1.
        rank: ``r``, 1 <= r <= n.
        generator: source of the initial weights.
        dtype: floating dtype.
        device: device of the parameters.

    Attributes:
        diagonal: the diagonal of ``D``, shape ``(n,)``, initially ``sqrt(1/2)``.
        left: ``U``, shape ``(n, r)``, initial variance ``1 / (2 r)``.
        right: ``V``, shape ``(n, r)``, initial variance ``1 / n``.  Both summands carry half of the
            mean square of the entries.

    Raises:
        DomainError: if a size, the rank or the dtype is outside its domain.
    """

    def __init__(
        self,
        features: int,
        rank: int,
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(features, features)
        n = self.in_features
        r = integer("rank", rank, at_least=1, at_most=n)
        self.left = gaussian((n, r), 1 / (2 * r), generator, dtype, device)
        self.right = gaussian((n, r), 1 / n, generator, dtype, device)
        self.diagonal = nn.Parameter(torch.full_like(self.left[:, 0], 0.5**0.5))

    def dense(self) -> Tensor:
        """The matrix ``D + U V^T``, shape ``(n, n)``."""
        return torch.diag(self.diagonal) + self.left @ self.right.mT

    def _multiply(self, x: Tensor) -> Tensor:
        return self.diagonal * x + (x @ self.right) @ self.left.mT

    def _multiply_adjoint(self, y: Tensor) -> Tensor:
        return self.diagonal * y + (y @ self.left) @ self.right.mT
