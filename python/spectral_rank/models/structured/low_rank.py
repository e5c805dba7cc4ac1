"""Matrices of low rank: a thin factor times a wide one.

``A = U V^T`` costs ``r (m + n)`` products against ``m n``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spectral_rank.formulas.domain import integer
from spectral_rank.models.structured.layer import StructuredLinear, gaussian


class LowRank(StructuredLinear):
    """An ``m x n`` matrix of rank at most ``r``.

    Args:
        in_features: ``n``, an integer >= 1.
        out_features: ``m``, an integer >= 1.
        rank: ``r``, 1 <= r <= min(m, n).
        generator: source of the initial weights.
        dtype: floating dtype.
        device: device of the parameters.

    Attributes:
        left: ``U``, shape ``(m, r)``, initial variance ``1 / r``.
        right: ``V``, shape ``(n, r)``, initial variance ``1 / n``; both factors keep the mean
            square of the entries.

    Raises:
        DomainError: if a size, the rank or the dtype is outside its domain.

    Source:
        ``SpectralRank.eckart_young_isLeast`` says how near such a matrix can be to a given one.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        rank: int,
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(in_features, out_features)
        n, m = self.in_features, self.out_features
        r = integer("rank", rank, at_least=1, at_most=min(m, n))
        self.left = gaussian((m, r), 1 / r, generator, dtype, device)
        self.right = gaussian((n, r), 1 / n, generator, dtype, device)

    def dense(self) -> Tensor:
        """The matrix ``U V^T``, shape ``(m, n)``."""
        return self.left @ self.right.mT

    def _multiply(self, x: Tensor) -> Tensor:
        return (x @ self.right) @ self.left.mT

    def _multiply_adjoint(self, y: Tensor) -> Tensor:
        return (y @ self.left) @ self.right.mT

    def _singular_values(self) -> Tensor:
        """Those of the ``r x r`` core: the factors' orthonormal parts change none."""
        left = torch.linalg.qr(self.left.double(), mode="r").R
        right = torch.linalg.qr(self.right.double(), mode="r").R
        values: Tensor = torch.linalg.svdvals(left @ right.mT)
        return values
