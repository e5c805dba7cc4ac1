"""Frobenius norm, projections and matrices with a given spectrum.

Defined in ``lean/SpectralRank/Projection.lean``, ``EckartYoung.lean`` and
``BestApproximation.lean``.

A matrix is a two-dimensional array: of floats, or an object array of ints, Fractions, balls, mpmath
or sympy numbers.  Exact entries give exact results (Fractions); entries of different kinds are
brought to one kind first.  Indices of rows, columns and spectra count from 0, as in Lean's ``Fin``.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from spectral_rank.formulas.domain import DomainError, Number, integer, require
from spectral_rank.formulas.elementary import as_ball, as_mpmath, as_sympy, kind_of
from spectral_rank.formulas.matrix import NumberArray, column, fitting, matrix
from spectral_rank.formulas.power_law import singular_value

PROJECTION_ATOL = 1e-9
"""How far the entries of an inexact matrix may be from those of an orthogonal projection; these are
at most 1 in absolute value, and a float product of a thousand terms is good to 13 digits."""


def frobenius_sq(A: NumberArray) -> Number:
    """The squared Frobenius norm: the sum of the squared entries.

    Args:
        A: matrix of any shape, empty ones included.

    Returns:
        A number >= 0.

    Raises:
        DomainError: if ``A`` is not a matrix of finite real numbers, or a float overflows.

    Source:
        ``SpectralRank.frobeniusSq``.
    """
    (entries,) = _of_one_kind(A=matrix("A", A))
    return fitting("A", A, lambda: np.sum(entries * entries))


def column_sq(A: NumberArray, j: int) -> Number:
    """The squared length of the column ``j``.

    Args:
        A: matrix with ``n`` columns.
        j: index of the column, 0 <= j < n.

    Returns:
        A number >= 0.

    Raises:
        DomainError: if an argument is outside its domain, or a float overflows.

    Source:
        ``SpectralRank.columnSq``.
    """
    matrix("A", A)
    (column,) = _of_one_kind(A=A[:, integer("j", j, at_most=A.shape[1] - 1)])
    return fitting("A", A, lambda: np.sum(column * column))


def is_orth_projection(P: NumberArray) -> bool:
    """Whether ``P`` is an orthogonal projection: symmetric and idempotent.

    Exact entries are decided exactly.  Floats, mpmath numbers and balls are accepted if every entry
    of ``P.T - P`` and ``P @ P - P`` is at most `PROJECTION_ATOL` in absolute value.

    Args:
        P: square matrix, not of sympy expressions, for which the question may be undecidable.

    Returns:
        The answer.

    Raises:
        DomainError: if ``P`` is outside its domain.

    Source:
        ``SpectralRank.IsOrthProjection``.
    """
    (entries,) = _of_one_kind(P=matrix("P", P))
    if P.shape[0] != P.shape[1] or kind_of(*entries.flat) == "sympy":
        raise DomainError("P", P, "a square matrix of numbers other than sympy expressions")
    with np.errstate(over="ignore", invalid="ignore"):
        defects = (entries.T - entries, entries @ entries - entries)
    return all(_vanishes(defect) for matrix in defects for defect in matrix.flat)


def _vanishes(defect: Number) -> bool:
    return bool(defect == 0 if isinstance(defect, Fraction) else abs(defect) <= PROJECTION_ATOL)


def truncate(s: NumberArray, r: int) -> NumberArray:
    """The spectrum ``s`` cut off after its first ``r`` values; the others become 0.

    Args:
        s: values ``s_0, ..., s_{n-1}`` of any sign and order, an array of shape ``(n,)``.
        r: number of values kept, an integer >= 0; all of them if ``r >= n``.

    Returns:
        An array of shape ``(n,)``; its entry ``j`` is Lean's ``truncate s r j``.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.truncate``.
    """
    cut: NumberArray = column("s", s).copy()
    cut[integer("r", r) :] = 0
    return cut


def spectral_matrix(s: NumberArray, U: NumberArray, V: NumberArray) -> NumberArray:
    """The matrix ``U diag(s) V^T`` with singular vectors ``U``, ``V`` and singular values ``s``.

    The values are its singular values only if ``U`` and ``V`` have orthonormal columns and ``s`` is
    nonnegative; the formula needs neither, as in Lean.

    Args:
        s: the ``n`` values, an array of shape ``(n,)``; its entry ``j`` is Lean's ``s (j + 1)``.
        U: array of shape ``(m, n)``.
        V: array of shape ``(l, n)``.

    Returns:
        An array of shape ``(m, l)``.

    Raises:
        DomainError: if an argument is outside its domain, the shapes do not fit, or a float
            overflows.

    Source:
        ``SpectralRank.spectralMatrix``.
    """
    column("s", s)
    for name, vectors in (("U", U), ("V", V)):
        if matrix(name, vectors).shape[1] != s.size:
            raise DomainError(name, vectors, f"a matrix with {s.size} columns, one for each value")
    values, left, right = _of_one_kind(s=s, U=U, V=V)
    product: NumberArray = fitting("s", s, lambda: (left * values) @ right.T)
    return product


def power_law_matrix(alpha: Number, U: NumberArray, V: NumberArray) -> NumberArray:
    """The matrix with singular values ``i ** -alpha``, ``1 <= i <= n``, and vectors ``U``, ``V``.

    Args:
        alpha: exponent, any real number.
        U: array of shape ``(m, n)``.
        V: array of shape ``(l, n)``.

    Returns:
        An array of shape ``(m, l)``; exact if ``U`` and ``V`` are and ``alpha`` is an integral
        Fraction.

    Raises:
        DomainError: if an argument is outside its domain or the shapes do not fit.

    Source:
        ``SpectralRank.powerLawMatrix``.
    """
    if isinstance(alpha, np.ndarray):
        raise DomainError("alpha", alpha, "a single finite real number")
    require("alpha", alpha, "a finite real number")
    n = matrix("U", U).shape[1]
    values = np.array([singular_value(alpha, i) for i in range(1, n + 1)], dtype=object)
    return spectral_matrix(values, U, V)


def _of_one_kind(**arrays: NumberArray) -> tuple[NumberArray, ...]:
    """The arrays, given by argument name, with all entries of one kind that can be multiplied.

    Integers become Fractions: the integers of numpy would overflow without a word.
    """
    if all(array.dtype.kind == "f" for array in arrays.values()):
        return tuple(array.astype(np.result_type(array, np.float64)) for array in arrays.values())
    entries = [entry for array in arrays.values() for entry in array.flat]
    kind = kind_of(*entries)
    if kind == "float" and any(isinstance(entry, float | np.floating) for entry in entries):
        return tuple(_as_floats(name, array) for name, array in arrays.items())
    convert = {"float": _as_fraction, "ball": as_ball, "mpmath": as_mpmath, "sympy": as_sympy}[kind]
    return tuple(np.frompyfunc(convert, 1, 1)(array) for array in arrays.values())


def _as_floats(argument: str, array: NumberArray) -> NumberArray:
    try:
        return array.astype(np.float64)
    except OverflowError:
        raise DomainError(argument, array, "such that its entries fit in a float") from None


def _as_fraction(value: Number) -> Fraction:
    return Fraction(int(value.numerator), int(value.denominator))
