"""Learned matrices of a recurrent network: dense, or of low rank as a product of two factors."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from spectral_rank.formulas.domain import integer, positive

ALIGNMENT = 8
"""Products are fast where the rank is a multiple of this; with rank 87 they take half as long
again as with 88 (MKL, float32)."""


class Weight(nn.Module, ABC):
    """A learned matrix ``W`` of shape ``(rows, cols)``; calling it computes ``x @ W.T``."""

    shape: tuple[int, int]

    @property
    @abstractmethod
    def rank(self) -> int | None:
        """Width of the bottleneck, or ``None`` for a dense matrix."""

    @abstractmethod
    def dense(self) -> Tensor:
        """The matrix itself, shape ``(rows, cols)``, differentiable in the parameters."""

    @abstractmethod
    def singular_values(self) -> Tensor:
        """Singular values in decreasing order, float64, without a gradient.

        Returns:
            All ``min(rows, cols)`` values of a dense matrix; the ``rank`` values that can differ
            from zero of a matrix of low rank.
        """

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """``x @ W.T``, from ``(..., cols)`` to ``(..., rows)``."""


class Dense(Weight):
    """A matrix whose entries are learned.

    Args:
        matrix: its start, shape ``(rows, cols)``.
    """

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.shape = (matrix.shape[0], matrix.shape[1])
        self.matrix = nn.Parameter(matrix)

    @property
    def rank(self) -> None:
        """``None``: no bottleneck."""
        return None

    def dense(self) -> Tensor:
        """The parameter."""
        return self.matrix

    def singular_values(self) -> Tensor:
        """All singular values, shape ``(min(rows, cols),)``."""
        values: Tensor = torch.linalg.svdvals(self.matrix.detach().to(torch.float64))
        return values

    def forward(self, x: Tensor) -> Tensor:
        """One product."""
        return functional.linear(x, self.matrix)


class LowRank(Weight):
    """The product ``U V`` of two learned factors.

    Args:
        U: start of the left factor, shape ``(rows, rank)``.
        V: start of the right factor, shape ``(rank, cols)``.
    """

    def __init__(self, U: Tensor, V: Tensor) -> None:
        super().__init__()
        self.shape = (U.shape[0], V.shape[1])
        self.U = nn.Parameter(U)
        self.V = nn.Parameter(V)

    @property
    def rank(self) -> int:
        """Columns of ``U``."""
        return self.U.shape[1]

    def dense(self) -> Tensor:
        """The product ``U V``."""
        return self.U @ self.V

    def singular_values(self) -> Tensor:
        """The singular values of ``R_U R_V.T``, the ``rank x rank`` core of the QR factors."""
        with torch.no_grad():
            left = torch.linalg.qr(self.U.to(torch.float64), mode="r").R
            right = torch.linalg.qr(self.V.to(torch.float64).T, mode="r").R
            values: Tensor = torch.linalg.svdvals(left @ right.T)
        return values

    def aligned(self) -> tuple[Tensor, Tensor]:
        """The factors, with zeros up to the next rank that is fast; their product is the same."""
        missing = -self.rank % ALIGNMENT
        if not missing:
            return self.U, self.V
        return functional.pad(self.U, (0, missing)), functional.pad(self.V, (0, 0, 0, missing))

    def forward(self, x: Tensor) -> Tensor:
        """Two products, through the bottleneck."""
        U, V = self.aligned()
        return functional.linear(functional.linear(x, V), U)


def random_weight(
    rows: int,
    cols: int,
    rank: int | None,
    deviation: float,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> Weight:
    """A weight with independent uniform entries, or factors of such entries.

    The entries of ``U V`` have the standard deviation of those of the dense matrix, so that both
    act on a vector of independent entries alike.  The eigenvalues then have one scale too: for
    ``rows = cols = d`` the spectral radius of either is about ``deviation * sqrt(d)``.  The fewer
    singular values of a matrix of low rank are larger, about ``deviation * d / sqrt(rank)``.  The
    factors are of equal size: ``U`` and ``V`` have one standard deviation.

    Args:
        rows: rows, >= 1.
        cols: columns, >= 1.
        rank: width of the bottleneck, from 1 to ``min(rows, cols)``; ``None`` for a dense matrix.
        deviation: standard deviation of the entries of the matrix, > 0.
        generator: source of randomness, on the CPU.
        dtype: type of the parameters; numbers are drawn in float64, whatever the type.

    Raises:
        DomainError: if an argument is outside its domain.
    """
    rows, cols = integer("rows", rows, at_least=1), integer("cols", cols, at_least=1)
    positive("deviation", deviation)
    if rank is None:
        return Dense(_uniform(rows, cols, deviation, generator).to(dtype))
    rank = integer("rank", rank, at_least=1, at_most=min(rows, cols))
    factor = deviation**0.5 / rank**0.25
    U = _uniform(rows, rank, factor, generator)
    V = _uniform(rank, cols, factor, generator)
    return LowRank(U.to(dtype), V.to(dtype))


def _uniform(rows: int, cols: int, deviation: float, generator: torch.Generator) -> Tensor:
    bound = 3**0.5 * deviation
    matrix = torch.empty(rows, cols, dtype=torch.float64)
    return matrix.uniform_(-bound, bound, generator=generator)
