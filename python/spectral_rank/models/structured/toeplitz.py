"""Toeplitz matrices: constant along every diagonal, as a convolution over time is.

``A[i, j] = t[i - j + n - 1]``.  A Toeplitz matrix is the upper left corner of a circulant one of
size at least ``m + n - 1``, so it is applied in ``O((m + n) log (m + n))``.
"""

from __future__ import annotations

import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn.functional import pad

from spectral_rank.models.structured.circulant import circular_product
from spectral_rank.models.structured.layer import StructuredLinear, gaussian


class Toeplitz(StructuredLinear):
    """A Toeplitz ``m x n`` matrix.

    The singular values have no closed form; `spectrum` decomposes the dense matrix, ``O(n^3)``.

    Args:
        in_features: ``n``, an integer >= 1.
        out_features: ``m``, an integer >= 1; ``n`` if ``None``.
        generator: source of the initial weights.
        dtype: float64, float32, or a half format, which is transformed in float32.
        device: device of the parameters.

    Attributes:
        diagonals: the constants ``t`` of the diagonals from the upper right corner to the lower
            left one, shape ``(m + n - 1,)``; initial variance ``1 / n``, so that the entries of
            ``A x`` have the mean square of those of ``x``.

    Raises:
        DomainError: if a size or the dtype is outside its domain.

    Source:
        Golub and Van Loan, Matrix Computations, section 4.8.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int | None = None,
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(in_features, in_features if out_features is None else out_features)
        count = self.in_features + self.out_features - 1
        self.diagonals = gaussian((count,), 1 / self.in_features, generator, dtype, device)

    def dense(self) -> Tensor:
        """The matrix, entry by entry, shape ``(m, n)``."""
        device = self.diagonals.device
        rows = torch.arange(self.out_features, device=device)
        columns = torch.arange(self.in_features, device=device)
        return self.diagonals[rows[:, None] - columns[None, :] + self.in_features - 1]

    def _multiply(self, x: Tensor) -> Tensor:
        return _toeplitz_product(self.diagonals, x, self.out_features)

    def _multiply_adjoint(self, y: Tensor) -> Tensor:
        return _toeplitz_product(self.diagonals.flip(0), y, self.in_features)


def _toeplitz_product(diagonals: Tensor, x: Tensor, size: int) -> Tensor:
    """The first ``size`` entries of a circular product, of a length that transforms fast."""
    n = x.shape[-1]
    length = next_fast_len(size + n - 1, real=True)
    gap = diagonals.new_zeros(length - (size + n - 1))
    column = torch.cat([diagonals[n - 1 :], gap, diagonals[: n - 1]])
    return circular_product(column, pad(x, (0, length - n)))[..., :size]
