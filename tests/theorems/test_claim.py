"""How relations are decided, for every kind of number."""

from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import sympy

from spectral_rank.theorems.claim import (
    Relation,
    Verdict,
    eq,
    holds,
    iff,
    implies,
    le,
    le_or_tie,
    lt,
)

THIRD = Fraction(1, 3)


def ball(value: Fraction) -> flint.arb:
    return flint.arb(flint.fmpq(value.numerator, value.denominator))


@pytest.mark.parametrize(
    ("relation", "verdict"),
    [
        (eq(THIRD, Fraction(2, 6)), Verdict.HOLDS),
        (eq(THIRD, THIRD + Fraction(1, 10**40)), Verdict.REFUTED),
        (lt(1, 1), Verdict.REFUTED),
        (le(1, 1), Verdict.HOLDS),
        (le(ball(THIRD), ball(Fraction(1, 2))), Verdict.HOLDS),
        (lt(ball(Fraction(1, 2)), ball(THIRD)), Verdict.REFUTED),
        (le(ball(THIRD), ball(THIRD)), Verdict.UNDECIDED),
        (lt(ball(THIRD), ball(THIRD)), Verdict.UNDECIDED),
        (le(flint.arb(2), flint.arb(2)), Verdict.HOLDS),
        (lt(flint.arb(2), flint.arb(2)), Verdict.REFUTED),
        (le(flint.arb("nan"), flint.arb(2)), Verdict.UNDECIDED),
        (eq(1.0, 1.0 + 1e-12), Verdict.HOLDS),
        (eq(1.0, 1.0 + 1e-6), Verdict.REFUTED),
        (le(1.0 + 1e-12, 1.0), Verdict.HOLDS),
        (le(1.0 + 1e-6, 1.0), Verdict.REFUTED),
        (eq(float("nan"), float("nan")), Verdict.REFUTED),
        (le(1.0, float("inf")), Verdict.REFUTED),
        (eq(np.eye(2), np.eye(2)), Verdict.HOLDS),
        (eq(np.eye(2), np.array([[1, 0], [1e-3, 1]])), Verdict.REFUTED),
        (eq(np.array([THIRD, 1], object), np.array([THIRD, 1], object)), Verdict.HOLDS),
        (eq(np.array([THIRD, 1], object), np.array([THIRD, 2], object)), Verdict.REFUTED),
        (le(np.array([ball(THIRD), 0], object), 1), Verdict.HOLDS),
        (holds(True, "true"), Verdict.HOLDS),
        (holds(False, "false"), Verdict.REFUTED),
    ],
)
def test_verdict(relation: Relation, verdict: Verdict) -> None:
    assert relation.decide() is verdict
    assert isinstance(relation.text(), str)


def test_equal_balls_agree_to_many_digits() -> None:
    with flint.ctx.workprec(200):
        assert eq(ball(THIRD) * 3, 1).decide() is Verdict.HOLDS
        wide = flint.arb(1, 1e-3)
        assert eq(wide, 1).decide() is Verdict.UNDECIDED
        assert eq(flint.arb(1) + flint.arb(2) ** -150, 1).decide() is Verdict.REFUTED


def test_a_known_tie_is_decided_as_an_equality() -> None:
    with flint.ctx.workprec(200):
        assert le_or_tie(ball(THIRD), ball(THIRD), tie=True).decide() is Verdict.HOLDS
        assert le_or_tie(ball(THIRD), ball(THIRD), tie=False).decide() is Verdict.UNDECIDED
        assert le_or_tie(ball(THIRD), 1, tie=True).decide() is Verdict.REFUTED
        assert le_or_tie(ball(THIRD), 1, tie=False).decide() is Verdict.HOLDS


def test_mpmath_uses_its_own_precision() -> None:
    with mpmath.workdps(50):
        assert eq(mpmath.mpf(1), mpmath.mpf(1) + mpmath.mpf(10) ** -20).decide() is Verdict.REFUTED
        assert eq(mpmath.mpf(1), mpmath.mpf(1) + mpmath.mpf(10) ** -30).decide() is Verdict.HOLDS


T = sympy.Symbol("t", positive=True)


@pytest.mark.parametrize(
    ("relation", "verdict"),
    [
        (eq((T + 1) ** 2, T**2 + 2 * T + 1), Verdict.HOLDS),
        (eq((2 * T) ** T, 2**T * T**T), Verdict.HOLDS),
        (eq(T**2, T), Verdict.REFUTED),
        (le(0, (T - 1) ** 2), Verdict.HOLDS),
        (lt(0, T), Verdict.HOLDS),
        (le(T, 1), Verdict.REFUTED),
        (le(sympy.sin(T), 2), Verdict.UNDECIDED),
    ],
)
def test_symbolic_verdict(relation: Relation, verdict: Verdict) -> None:
    assert relation.decide() is verdict


YES, NO, OPEN = le(0, 1), le(1, 0), le(ball(THIRD), ball(THIRD))


@pytest.mark.parametrize(
    ("left", "right", "both", "then"),
    [
        (YES, YES, Verdict.HOLDS, Verdict.HOLDS),
        (YES, NO, Verdict.REFUTED, Verdict.REFUTED),
        (NO, YES, Verdict.REFUTED, Verdict.HOLDS),
        (NO, NO, Verdict.HOLDS, Verdict.HOLDS),
        (YES, OPEN, Verdict.UNDECIDED, Verdict.UNDECIDED),
        (OPEN, NO, Verdict.UNDECIDED, Verdict.UNDECIDED),
        (OPEN, YES, Verdict.UNDECIDED, Verdict.HOLDS),
        (NO, OPEN, Verdict.UNDECIDED, Verdict.HOLDS),
    ],
)
def test_connectives(left: Relation, right: Relation, both: Verdict, then: Verdict) -> None:
    assert iff(left, right).decide() is both
    assert implies(left, right).decide() is then
