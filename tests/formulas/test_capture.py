"""Captured energy and capture ranks against direct sums, closed forms and exhaustive search."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import flint
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.formulas.capture import (
    capture_rank,
    capture_ratio,
    captured,
    captures,
    rank_capturing,
)
from spectral_rank.formulas.domain import DomainError

E5 = Fraction(27, 20)


def energies(alpha: float, d: int) -> np.ndarray:
    return np.cumsum(np.arange(1, d + 1) ** (-2.0 * alpha))


@pytest.mark.parametrize("alpha", [-1.5, 0.0, 0.3, 0.5, 0.51, 1.0, 1.35, 4.0])
@pytest.mark.parametrize("d", [1, 2, 64, 65, 1536])
def test_captured_is_the_quotient_of_sums(alpha: float, d: int) -> None:
    sums = energies(alpha, d)
    for r in {1, (d + 1) // 2, d}:
        assert captured(alpha, r, d) == pytest.approx(sums[r - 1] / sums[-1], rel=1e-12)


def test_captured_by_no_rank_and_by_full_rank() -> None:
    assert captured(E5, 0, 7) == 0
    assert captured(1.35, 0, 7) == 0
    assert captured(1.35, 10**6, 10**6) == 1
    assert captured(Fraction(1, 2), 5, 5) == 1


def test_captured_of_a_flat_spectrum_is_the_proportion() -> None:
    assert captured(Fraction(0), 3, 12) == Fraction(1, 4)
    assert captured(0, 300, 1200) == pytest.approx(0.25, rel=1e-15)


def test_captured_approaches_the_zeta_quotient() -> None:
    tail = mpmath.zeta(mpmath.mpf("2.7"), 271) / mpmath.zeta(mpmath.mpf("2.7"))
    assert captured(1.35, 270, 10**30) == pytest.approx(float(1 - tail), rel=1e-14)


def test_captured_where_the_energies_exceed_the_floats() -> None:
    # 100^400 does not fit in a float; the share of the first 99 is (99/100)^400 and little more.
    rest = sum(Fraction(i, 100) ** 400 for i in range(1, 100))
    assert captured(-200.0, 99, 100) == pytest.approx(float(rest / (1 + rest)), rel=1e-14)


def test_captured_for_every_kind_of_number() -> None:
    expected = Fraction(5, 4) / Fraction(49, 36)
    assert captured(Fraction(1), 2, 3) == expected
    assert captured(1.0, 2, 3) == float(expected)
    assert captured(1, 2, 3) == float(expected)
    assert captured(np.float64(1), np.int64(2), 3) == float(expected)
    assert captured(mpmath.mpf(1), 2, 3) == pytest.approx(float(expected), rel=1e-15)
    assert captured(flint.arb(1), 2, 3).contains(flint.fmpq(45, 49))
    assert captured(sympy.Integer(1), 2, 3) == sympy.Rational(45, 49)
    alpha = sympy.Symbol("alpha", real=True)
    assert captured(alpha, 2, 3).subs(alpha, 1) == sympy.Rational(45, 49)
    shares = captured(1.0, np.array([[1, 2], [2, 3]]), 3)
    np.testing.assert_allclose(shares, [[36 / 49, 45 / 49], [45 / 49, 1]], rtol=1e-15)


@settings(deadline=None)
@given(st.integers(-300, 400).map(lambda k: k / 100), st.integers(1, 10**6), st.data())
def test_captured_is_a_share_that_grows_with_the_rank(
    alpha: float, d: int, data: st.DataObject
) -> None:
    r = data.draw(st.integers(0, d))
    assert 0 <= captured(alpha, r, d) <= captured(alpha, min(r + 1, d), d) <= 1


@pytest.mark.parametrize(
    ("alpha", "eps", "ratio"),
    [(0, 0.05, 0.95), (0.25, 0.05, 0.9025), (0.4, 0.5, 0.5**5), (0.3, 1, 0)],
)
def test_capture_ratio_closed_forms(alpha: float, eps: float, ratio: float) -> None:
    assert capture_ratio(alpha, eps) == pytest.approx(ratio, rel=1e-12)


def test_capture_ratio_for_every_kind_of_number() -> None:
    assert capture_ratio(Fraction(1, 4), Fraction(1, 3)) == Fraction(4, 9)
    assert capture_ratio(sympy.Rational(1, 4), sympy.Rational(1, 3)) == sympy.Rational(4, 9)
    assert capture_ratio(flint.arb(0.25), flint.arb(0.5)).contains(0.25)
    assert capture_ratio(mpmath.mpf(0.25), mpmath.mpf(0.5)) == 0.25
    alphas, missed = np.array([0.0, 0.25]), np.array([[0.5], [1.0]])
    np.testing.assert_allclose(capture_ratio(alphas, missed), [[0.5, 0.25], [0, 0]])
    alpha, eps = sympy.symbols("alpha epsilon", positive=True)
    logarithm = sympy.expand_log(sympy.log(capture_ratio(alpha, eps)), force=True)
    assert sympy.simplify(logarithm * (1 - 2 * alpha) - sympy.log(1 - eps)) == 0


def test_capture_ratio_is_the_limit_of_the_rank_over_the_dimension() -> None:
    assert capture_rank(0.1, 0.05, 10**9) / 10**9 == pytest.approx(
        capture_ratio(0.1, 0.05), rel=1e-6
    )


@pytest.mark.parametrize("alpha", [-0.5, 0.0, 0.25, 0.5, 0.75, 1.35, 3.0])
@pytest.mark.parametrize("eps", [0.001, 0.05, 0.3, 0.97])
@pytest.mark.parametrize("d", [1, 2, 63, 400])
def test_capture_rank_is_the_first_sufficient_one(alpha: float, eps: float, d: int) -> None:
    sums = energies(alpha, d)
    margin = 1e-12 * sums[-1]
    rank = capture_rank(alpha, eps, d)
    assert sums[rank - 1] >= (1 - eps) * sums[-1] - margin
    assert rank == 1 or sums[rank - 2] <= (1 - eps) * sums[-1] + margin


@pytest.mark.parametrize("alpha", [Fraction(-1), Fraction(0), Fraction(1, 2), Fraction(1)])
@pytest.mark.parametrize("d", [1, 2, 30])
def test_capture_rank_at_exact_ties(alpha: Fraction, d: int) -> None:
    for r in range(d):
        missed = 1 - captured(alpha, r, d)
        assert capture_rank(alpha, missed, d) == r
        assert capture_rank(alpha, missed - Fraction(1, 10**40), d) == r + 1


def test_capture_rank_reads_a_float_as_the_decimal_it_prints() -> None:
    # In binary 0.05 and 1 - 0.95 differ; the tie at rank 95 must not depend on it.
    assert capture_rank(0, 0.05, 100) == 95
    assert capture_rank(0.0, Fraction(1, 20), 100) == 95


def test_capture_rank_of_the_project_example() -> None:
    assert [capture_rank(1.35, 0.05, d) for d in (1, 10, 64, 1536, 10**9)] == [1, 3, 4, 4, 4]
    assert capture_rank(1.35, 1, 1536) == 0


def test_capture_rank_for_every_kind_of_number() -> None:
    kinds: tuple[Callable[[str], Any], ...] = (Fraction, float, np.float64, sympy.Rational)
    assert {capture_rank(kind("0.25"), kind("0.125"), 50) for kind in kinds} == {40}
    assert capture_rank(mpmath.mpf(0.25), mpmath.mpf(0.125), 50) == 40
    assert capture_rank(flint.fmpq(1, 4), flint.fmpq(1, 8), np.int64(50)) == 40
    ranks = capture_rank(np.array([0.0, 1.35]), 0.05, np.array([[100], [1536]]))
    np.testing.assert_array_equal(ranks, [[95, 4], [1460, 4]])


def test_shares_that_the_rank_of_the_formula_does_not_allow() -> None:
    assert rank_capturing(E5, Fraction(1), 40) == 40
    assert rank_capturing(E5, Fraction(-1), 40) == 0
    with pytest.raises(DomainError, match="share"):
        rank_capturing(E5, Fraction(11, 10), 40)
    assert captures(Fraction(0), Fraction(3, 2), 15, 10)
    assert not captures(Fraction(0), Fraction(3, 2), 14, 10)
    assert not captures(E5, Fraction(2), 10**6, 3)
    assert captures(E5, Fraction(1), 4, 3)
    assert not captures(E5, Fraction(11, 10), 3, 3)


NOT_REAL = [float("nan"), float("inf"), "0.3", None, True, 1j, [0.3], mpmath.nan, sympy.oo]


@pytest.mark.parametrize("alpha", NOT_REAL)
def test_exponents_that_are_no_real_numbers(alpha: object) -> None:
    for call in (
        lambda: captured(alpha, 1, 3),
        lambda: capture_ratio(alpha, 0.5),
        lambda: capture_rank(alpha, 0.5, 3),
    ):
        with pytest.raises(DomainError, match="alpha"):
            call()


@pytest.mark.parametrize("eps", [*NOT_REAL, 0, 0.0, -0.1, 1.0001, Fraction(3, 2), flint.arb(0)])
def test_missed_shares_outside_the_domain(eps: object) -> None:
    with pytest.raises(DomainError, match="eps"):
        capture_ratio(0.1, eps)
    with pytest.raises(DomainError, match="eps"):
        capture_rank(0.1, eps, 3)


@pytest.mark.parametrize("alpha", [-0.01, 0.5, Fraction(1, 2), 1.35, np.array([0.1, 0.5])])
def test_capture_ratio_needs_a_slow_exponent(alpha: object) -> None:
    with pytest.raises(DomainError, match="alpha"):
        capture_ratio(alpha, 0.5)


@pytest.mark.parametrize(("r", "d", "name"), [(-1, 3, "r"), (4, 3, "r"), (1.0, 3, "r"),
                                              (True, 3, "r"), (0, 0, "d"), (1, 3.0, "d"),
                                              (1, None, "d")])  # fmt: skip
def test_captured_needs_a_rank_within_the_dimension(r: Any, d: Any, name: str) -> None:
    with pytest.raises(DomainError, match=rf"^{name} ="):
        captured(1.0, r, d)


@pytest.mark.parametrize("d", [0, -3, 10.0, "10", None])
def test_capture_rank_needs_a_dimension(d: Any) -> None:
    with pytest.raises(DomainError, match=r"^d ="):
        capture_rank(1.35, 0.05, d)


@pytest.mark.parametrize("value", [sympy.sqrt(2) / 2, sympy.Symbol("x"), flint.arb(1) / 3])
def test_capture_rank_needs_rational_arguments(value: object) -> None:
    with pytest.raises(DomainError, match="alpha"):
        capture_rank(value, 0.05, 10)
    with pytest.raises(DomainError, match="eps"):
        capture_rank(1, value, 10)
