"""The same function on every kind of number."""

import math
from collections.abc import Callable
from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from spectral_rank.formulas import elementary as el
from spectral_rank.formulas.domain import DomainError


@pytest.mark.parametrize("name", ["exp", "log", "sqrt"])
def test_elementary_functions_agree_across_libraries(name: str) -> None:
    function: Callable[..., object] = getattr(el, name)
    expected = getattr(math, name)(1.75)
    assert function(1.75) == pytest.approx(expected, rel=1e-15)
    assert function(np.array([1.75, 1.75])) == pytest.approx(expected, rel=1e-15)
    assert float(function(mpmath.mpf(1.75))) == pytest.approx(expected, rel=1e-15)
    assert float(function(flint.arb(1.75))) == pytest.approx(expected, rel=1e-15)
    assert float(function(sympy.Rational(7, 4))) == pytest.approx(expected, rel=1e-15)


@given(st.floats(0.01, 100), st.floats(-5, 5))
def test_power_agrees_across_libraries(base: float, exponent: float) -> None:
    expected = base**exponent
    for kind in (mpmath.mpf, flint.arb, sympy.Float, np.float64):
        assert float(el.power(kind(base), kind(exponent))) == pytest.approx(expected, rel=1e-12)
    assert el.power(np.array([base]), exponent)[0] == pytest.approx(expected, rel=1e-12)


def test_power_of_fractions_is_exact_where_it_is_rational() -> None:
    assert el.power(Fraction(2, 3), -2) == Fraction(9, 4)
    assert el.power(3, Fraction(-2)) == Fraction(1, 9)
    assert el.power(4, Fraction(1, 2)) == 2.0
    assert isinstance(el.power(3, -2), float)


@pytest.mark.parametrize(
    ("base", "exponent"),
    [(10, 400), (np.array([1.0, 10.0]), 400), (1e-300, np.array([-3.0])), (0, -1)],
)
def test_power_that_does_not_fit_is_refused(base: object, exponent: object) -> None:
    with pytest.raises(DomainError, match="exponent"):
        el.power(base, exponent)


def test_object_arrays_are_evaluated_entry_by_entry() -> None:
    entries = np.array([Fraction(1, 4), flint.arb(9), mpmath.mpf(16)], dtype=object)
    assert [float(x) for x in el.sqrt(entries)] == [0.5, 3.0, 4.0]


@pytest.mark.parametrize(("s", "a"), [(2, 1), (2.7, 271), (0.6, 10.5), (-1.5, 3), (1.0001, 7)])
def test_hurwitz_zeta_against_mpmath(s: float, a: float) -> None:
    expected = float(mpmath.zeta(s, a))
    assert el.hurwitz_zeta(s, a) == pytest.approx(expected, rel=1e-14)
    assert float(el.hurwitz_zeta(flint.arb(s), a)) == pytest.approx(expected, rel=1e-14)
    assert float(el.hurwitz_zeta(mpmath.mpf(s), a)) == pytest.approx(expected, rel=1e-14)
    assert el.hurwitz_zeta(np.array([s]), a)[0] == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("n", [1, 2, 10, 1000])
def test_harmonic_against_the_sum(n: int) -> None:
    expected = float(sum(Fraction(1, i) for i in range(1, n + 1)))
    assert el.harmonic(n) == pytest.approx(expected, rel=1e-15)
    assert float(el.harmonic(flint.arb(n))) == pytest.approx(expected, rel=1e-15)
    assert float(el.harmonic(sympy.Integer(n))) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.05, Fraction(1, 20)),
        (1.35, Fraction(27, 20)),
        (1e-300, Fraction(1, 10**300)),
        (np.float64(0.1), Fraction(1, 10)),
        (3, Fraction(3)),
        (Fraction(2, 7), Fraction(2, 7)),
        (mpmath.mpf(0.5), Fraction(1, 2)),
        (sympy.Rational(2, 7), Fraction(2, 7)),
        (flint.fmpq(2, 7), Fraction(2, 7)),
    ],
)
def test_exact_reads_the_literal(value: object, expected: Fraction) -> None:
    assert el.exact("x", value) == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1/2", None, True, sympy.pi, 1j])
def test_exact_refuses_what_is_not_rational(value: object) -> None:
    with pytest.raises(DomainError, match="x must be a finite rational number"):
        el.exact("x", value)


def test_rounded_survives_cancellation() -> None:
    tiny = el.rounded("x", lambda x: (1 + x).log() - x, 1e-30)
    assert tiny == pytest.approx(-0.5e-60, rel=1e-15)


def test_rounded_refuses_a_pole() -> None:
    with pytest.raises(DomainError, match="known to 18 digits"):
        el.rounded("x", lambda x: 1 / (x - 1), 1.0)


def test_arrays_broadcast_and_keep_their_shape() -> None:
    @el.over_arrays
    def add(x: float, y: float) -> float:
        return x + y

    assert add(1, 2) == 3
    assert add(np.array([[1.0], [2.0]]), y=np.array([10.0, 20.0])).tolist() == [[11, 21], [12, 22]]
    assert add(np.zeros((0, 2)), 1).shape == (0, 2)
