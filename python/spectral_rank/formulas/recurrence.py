"""Linear recurrences and their memory (``lean/SpectralRank/LinearRecurrence.lean``).

A linear map is a matrix, a state or an input a one-dimensional array, with entries as in
`spectral_rank.formulas.manifold`.  Lean allows spaces of infinite dimension; here they are finite.
"""

from __future__ import annotations

import functools
import numbers
from collections.abc import Sequence

import flint
import numpy as np

from spectral_rank.formulas.domain import DomainError
from spectral_rank.formulas.matrix import NumberArray, column, fitting, matrix

RANK_RTOL = 1e-10
"""A direction of floats shorter than this counts as zero, the entries of ``W`` and of each column
being scaled to at most 1: the sums that lead to it lose at most six of sixteen digits."""


def state_after(
    W: NumberArray, B: NumberArray, h: NumberArray, xs: Sequence[NumberArray] | NumberArray
) -> NumberArray:
    """The state reached from ``h`` after the inputs ``xs``, with the update ``h -> W h + B x``.

    Args:
        W: recurrent matrix, shape ``(d, d)``.
        B: input matrix, shape ``(d, k)``.
        h: initial state, shape ``(d,)``.
        xs: the inputs in the order of reading: a sequence, possibly empty, of arrays of shape
            ``(k,)``, or an array of shape ``(T, k)``.

    Returns:
        The state, shape ``(d,)``.

    Raises:
        DomainError: if an argument has not its shape, or a float overflows.

    Source:
        ``SpectralRank.stateAfter``.
    """
    W, B, h = _system(W, B, h)
    if not isinstance(xs, Sequence | np.ndarray):
        raise DomainError("xs", xs, "a sequence of inputs")

    def next_state(state: NumberArray, x: NumberArray) -> NumberArray:
        x = column("xs", x, B.shape[1])
        successor: NumberArray = fitting("xs", xs, lambda: W @ state + B @ x)
        return successor

    return functools.reduce(next_state, xs, h)


def memory_space(W: NumberArray, B: NumberArray, h: NumberArray) -> NumberArray:
    """A basis of the span of all memory parts ``W h'``, for the states ``h'`` reachable from ``h``.

    The reachable states span the smallest subspace that contains ``h`` and the columns of ``B`` and
    that ``W`` maps into itself; the memory space is its image under ``W``.  It is found by adding
    images under ``W`` until the dimension no longer grows.

    Args:
        W: recurrent matrix, shape ``(d, d)``.
        B: input matrix, shape ``(d, k)``.
        h: initial state, shape ``(d,)``.
        All three of ints and Fractions, or of floats.

    Returns:
        A matrix of shape ``(d, dimension)``: with exact columns if all entries are ints or
        Fractions; with orthonormal float columns otherwise, the dimension then decided up to
        `RANK_RTOL`.

    Raises:
        DomainError: if an argument has not its shape or is neither rational nor a float.

    Source:
        ``SpectralRank.memorySpace``.
    """
    W, B, h = _system(W, B, h)
    for name, array in (("W", W), ("B", B), ("h", h)):
        if not all(isinstance(entry, numbers.Rational | float) for entry in array.flat):
            raise DomainError(name, array, "an array of ints, Fractions or floats")
    columns = np.column_stack([h, B])
    if any(isinstance(entry, float) for array in (W, columns) for entry in array.flat):
        W, columns = _unit_scale(W, axis=None), _unit_scale(columns, axis=0)
    basis = _column_basis(columns)
    while True:
        larger = _column_basis(np.hstack([basis, W @ basis]))
        if larger.shape[1] == basis.shape[1]:
            return _column_basis(W @ basis)
        basis = larger


def _system(
    W: NumberArray, B: NumberArray, h: NumberArray
) -> tuple[NumberArray, NumberArray, NumberArray]:
    W = matrix("W", W)
    d = W.shape[0]
    return matrix("W", W, d, d), matrix("B", B, rows=d), column("h", h, d)


def _unit_scale(array: NumberArray, axis: int | None) -> NumberArray:
    """The floats divided by the largest of them along an axis, which changes no span."""
    floats = array.astype(np.float64)
    largest = np.max(np.abs(floats), axis=axis, initial=0.0)
    return np.asarray(floats / np.where(largest > 0, largest, 1.0))


def _column_basis(columns: NumberArray) -> NumberArray:
    """A basis of the column space: pivot columns of exact ones, orthonormal columns of floats."""
    rows, cols = columns.shape
    if columns.dtype.kind == "f":
        left, values, _ = np.linalg.svd(columns, full_matrices=False)
        return left[:, values > RANK_RTOL]
    entries = [flint.fmpq(int(x.numerator), int(x.denominator)) for x in columns.flat]
    echelon, rank = flint.fmpq_mat(rows, cols, entries).rref()
    table = echelon.table()
    pivots = [next(j for j in range(cols) if table[i][j] != 0) for i in range(rank)]
    return columns[:, pivots]
