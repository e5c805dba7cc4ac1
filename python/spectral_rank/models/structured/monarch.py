"""Monarch matrices: two block-diagonal factors with a permutation between them.

``A = P L P^T R``.  The input is cut into ``k`` pieces, ``R`` maps each to ``h`` numbers, ``L`` maps
the ``k`` numbers of equal index to ``m / h`` outputs; every output sees every input.  With
``k = h = sqrt(n)`` this costs ``2 n^1.5`` products against ``n^2``, in plain matrix products.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spectral_rank.formulas.domain import DomainError, integer
from spectral_rank.models.structured.layer import StructuredLinear, gaussian


class Monarch(StructuredLinear):
    """A Monarch ``m x n`` matrix of rank at most ``k h``.

    Entry ``A[s * h + j, i * q + p] = left[j, s, i] * right[i, j, p]`` with ``q = n / k``.

    Args:
        in_features: ``n``, an integer >= 1.
        out_features: ``m``, an integer >= 1; ``n`` if ``None``.
        in_blocks: ``k``, a divisor of ``n``; by default the least one with ``k^2 >= n``.
        out_blocks: ``h``, a divisor of ``m``; by default the least one with ``h^2 >= m``.  The
            defaults allow full rank; a prime width has only itself, and saves nothing.
        generator: source of the initial weights.
        dtype: floating dtype.
        device: device of the parameters.

    Attributes:
        right: the blocks of ``R``, shape ``(k, h, n / k)``, initial variance ``k / n``.
        left: the blocks of ``L``, shape ``(h, m / h, k)``, initial variance ``1 / k``; both factors
            keep the mean square of the entries.

    Raises:
        DomainError: if a size or the dtype is outside its domain, or blocks do not divide a width.

    Source:
        Dao et al., Monarch: Expressive Structured Matrices for Efficient and Accurate Training
        (ICML 2022), section 3.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int | None = None,
        in_blocks: int | None = None,
        out_blocks: int | None = None,
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(in_features, in_features if out_features is None else out_features)
        n, m = self.in_features, self.out_features
        k = balanced_divisor(n) if in_blocks is None else _divisor("in_blocks", in_blocks, n)
        h = balanced_divisor(m) if out_blocks is None else _divisor("out_blocks", out_blocks, m)
        self.right = gaussian((k, h, n // k), k / n, generator, dtype, device)
        self.left = gaussian((h, m // h, k), 1 / k, generator, dtype, device)

    def dense(self) -> Tensor:
        """The matrix from its entries, shape ``(m, n)``."""
        entries = torch.einsum("jsi,ijp->sjip", self.left, self.right)
        return entries.reshape(self.out_features, self.in_features)

    def _multiply(self, x: Tensor) -> Tensor:
        k, _, q = self.right.shape
        h, s, _ = self.left.shape
        rows = x.reshape(-1, k, q)
        # With the batch last, the products read their arguments in place.
        middle = torch.bmm(self.right, rows.permute(1, 2, 0))
        outputs = torch.bmm(self.left, middle.transpose(0, 1))
        # One transposition of a matrix, then one within each row: a permutation of three axes at
        # once makes a training step up to twice as slow.
        groups = outputs.flatten(0, 1).mT.contiguous().reshape(-1, h, s)
        return groups.mT.reshape(*x.shape[:-1], self.out_features)

    def _multiply_adjoint(self, y: Tensor) -> Tensor:
        h, s, _ = self.left.shape
        groups = y.reshape(-1, s, h).mT
        middle = torch.bmm(self.left.mT, groups.permute(1, 2, 0))
        inputs = torch.bmm(self.right.mT, middle.transpose(0, 1))
        return inputs.flatten(0, 1).mT.reshape(*y.shape[:-1], self.in_features)

    def _singular_values(self) -> Tensor:
        """Those of the core that is left when both factors lose their orthonormal parts.

        ``L = Q_L C_L`` and ``R = C_R Q_R`` block by block; the core ``C_L P^T C_R`` is again a
        Monarch matrix, smaller wherever a block of ``L`` is tall or a block of ``R`` is wide.
        """
        left = torch.linalg.qr(self.left.double(), mode="r").R
        right = torch.linalg.qr(self.right.double().mT, mode="r").R.mT
        core = torch.einsum("jsi,ijp->sjip", left, right)
        values: Tensor = torch.linalg.svdvals(core.flatten(2).flatten(0, 1))
        return values


def balanced_divisor(n: int) -> int:
    """The least divisor ``k`` of ``n`` with ``k^2 >= n``.

    Args:
        n: an integer >= 1.

    Raises:
        DomainError: if ``n`` is not an integer >= 1.
    """
    n = integer("n", n, at_least=1)
    return next(k for k in range(1, n + 1) if k * k >= n and n % k == 0)


def _divisor(argument: str, value: int, width: int) -> int:
    value = integer(argument, value, at_least=1)
    if width % value != 0:
        raise DomainError(argument, value, f"a divisor of the width {width}")
    return value
