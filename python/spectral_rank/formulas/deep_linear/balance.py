"""Balance of adjacent layers under gradient flow (``lean/SpectralRank/DeepLinear/Balance.lean``).

A matrix is a two-dimensional array: of floats, or an object array of ints, Fractions, balls, mpmath
or sympy numbers; exact entries give exact results.  A layer is called ``X``, the layer above it
``Y``, so that their product is ``Y @ X``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction

from spectral_rank.formulas.domain import DomainError, Number, integer, require
from spectral_rank.formulas.matrix import NumberArray, fitting, matrix

DERIVATIVE_RTOL = 1e-6
"""How far an extrapolated difference quotient of a curve of floats may be from its derivative: it
loses up to ten of sixteen digits where the curve bends within the window of times."""

DIFFERENCE_QUOTIENTS = 8
"""Quotients extrapolated on each side, by default."""


def imbalance(X: NumberArray, Y: NumberArray) -> NumberArray:
    """The imbalance ``X @ X.T - Y.T @ Y`` of two adjacent layers; zero if they are balanced.

    Args:
        X: layer below, a ``k x m`` matrix.
        Y: layer above, an ``n x k`` matrix.

    Returns:
        A symmetric ``k x k`` matrix.

    Raises:
        DomainError: if an argument is outside its domain, the shapes do not fit, or a float
            overflows.

    Source:
        ``SpectralRank.imbalance``.
    """
    below = matrix("X", X)
    above = matrix("Y", Y, cols=below.shape[0])
    difference: NumberArray = fitting("X", X, lambda: below @ below.T - above.T @ above)
    return difference


def pair_flow(X: NumberArray, Y: NumberArray, M: NumberArray) -> tuple[NumberArray, NumberArray]:
    """The velocities ``-(Y.T @ M)`` of ``X`` and ``-(M @ X.T)`` of ``Y`` under gradient flow.

    The Lean structure says that two curves follow this right-hand side at all times of a set.

    Args:
        X: layer below, a ``k x m`` matrix.
        Y: layer above, an ``n x k`` matrix.
        M: residual, the ``n x m`` gradient of the loss with respect to the product ``Y @ X``.

    Returns:
        The derivatives of ``X`` and of ``Y``, of their shapes.

    Raises:
        DomainError: if an argument is outside its domain, the shapes do not fit, or a float
            overflows.

    Source:
        ``SpectralRank.PairFlow``.
    """
    below = matrix("X", X)
    above = matrix("Y", Y, cols=below.shape[0])
    residual = matrix("M", M, above.shape[0], below.shape[1])
    return (
        fitting("M", M, lambda: -(above.T @ residual)),
        fitting("M", M, lambda: -(residual @ below.T)),
    )


def has_matrix_deriv_within_at(
    X: Callable[[Number], NumberArray],
    derivative: NumberArray,
    S: tuple[Number, Number],
    t: Number,
    quotients: int = DIFFERENCE_QUOTIENTS,
) -> bool:
    """Whether the curve ``X`` has, entry by entry, this derivative at ``t`` within the interval S.

    Lean states a limit of difference quotients.  Here the quotients at shrinking steps, on each
    side of ``t`` where S has room, are extrapolated to the step zero.  At Fractions that decides
    the question for a polynomial curve of degree at most ``quotients``, without rounding.  For any
    other curve it is a test: the curve should be smooth on S, apart from ``t``, and vary little
    there; entries are compared up to `DERIVATIVE_RTOL`, relative to the largest entry of the
    derivative and of ``X(t)`` over the length of the first step.

    Args:
        X: curve, called with times in S; its values are matrices of one shape.
        derivative: matrix of that shape.
        S: the ends of the interval of times, ``low <= high``.
        t: time in S, at an end or inside.
        quotients: number of difference quotients on each side, an integer >= 1.

    Returns:
        The answer.  True for every matrix if S is the single point ``t``, as in Lean.

    Raises:
        DomainError: if an argument is outside its domain, or a value of the curve is not a matrix
            of the shape of ``derivative``.

    Source:
        ``SpectralRank.HasMatrixDerivWithinAt``.
    """
    slope = matrix("derivative", derivative)
    count = integer("quotients", quotients, at_least=1)
    if not isinstance(S, tuple) or len(S) != 2:
        raise DomainError("S", S, "a pair of times, low <= high")
    low, high = (_time("S", end) for end in S)
    require("S", low, "a pair of times, low <= high", lambda end: end <= high)
    time = _time("t", t)
    require("t", time, "a time in S", lambda s: (low <= s) & (s <= high))

    def curve(s: Number) -> NumberArray:
        value: NumberArray = matrix("X", X(s), *slope.shape)
        return value

    ends = (end for end in (low, high) if end != time)
    return all(_has_slope(curve, slope, time, end - time, count) for end in ends)


def _time(argument: str, value: Number) -> Number:
    """The time as a number whose half is exact: an int becomes a Fraction."""
    require(argument, value, "a finite real number")
    return Fraction(value) if isinstance(value, int) else value


def _has_slope(
    curve: Callable[[Number], NumberArray], slope: NumberArray, t: Number, room: Number, count: int
) -> bool:
    here = curve(t)
    steps = [room / 2 ** (j + 2) for j in range(count)]
    table = [(curve(t + step) - here) / step for step in steps]
    # Richardson: each round removes one power of the step, which halves from entry to entry.
    for order in range(1, count):
        table = [
            (2**order * finer - coarser) / (2**order - 1)
            for coarser, finer in itertools.pairwise(table)
        ]
    defects = list((table[0] - slope).flat)
    if all(isinstance(defect, int | Fraction) for defect in defects):
        return not any(defects)
    sizes = [abs(entry) for entry in slope.flat]
    sizes += [abs(entry / steps[0]) for entry in here.flat]
    return all(abs(defect) <= DERIVATIVE_RTOL * max(sizes) for defect in defects)
