"""The rank formula against quadrature, mpmath and brute force; exact ranks at and near ties."""

from fractions import Fraction
from typing import Any

import flint
import mpmath
import numpy as np
import pytest
import scipy.integrate
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.formulas.domain import DomainError
from spectral_rank.formulas.rank import (
    adequate,
    cont_tail,
    implied_alpha,
    least_adequate_rank,
    optimal_rank,
    rank_ratio,
    tail_within,
)

E5_ALPHA, E5_EPS = Fraction(27, 20), Fraction(1, 20)
STEEP = st.integers(501, 4000).map(lambda k: Fraction(k, 1000))
TOLERANCE = st.integers(1, 1000).map(lambda k: Fraction(k, 1000))
NAN, INF = float("nan"), float("inf")


def tail(alpha: Fraction, r: int) -> mpmath.mpf:
    """The tail energy, by mpmath's zeta instead of Arb's."""
    return mpmath.zeta(mpmath.mpf(2 * alpha.numerator) / alpha.denominator, r + 1)


def first_adequate(alpha: Fraction, eps: Fraction, d: int, last: int) -> int:
    """The least adequate rank by trying all of them."""
    with mpmath.workdps(60):
        unavoidable = eps.denominator * tail(alpha, d)
        return next(r for r in range(last + 1) if eps.numerator * tail(alpha, r) <= unavoidable)


# The continuous tail


@pytest.mark.parametrize("alpha", [0.75, 1.0, 1.35, 3.0])
@pytest.mark.parametrize("x", [0.5, 1.0, 40.0])
def test_cont_tail_is_the_integral_of_the_density(alpha: Any, x: float) -> None:
    integral, error = scipy.integrate.quad(lambda t: t ** (-2 * alpha), x, np.inf)
    assert cont_tail(alpha, x) == pytest.approx(integral, abs=10 * error)


def test_cont_tail_below_one_half_is_negative() -> None:
    assert cont_tail(Fraction(1, 4), 4) == -4.0


def test_cont_tail_takes_every_kind_of_number() -> None:
    assert cont_tail(Fraction(3), Fraction(2)) == Fraction(1, 160)
    assert np.allclose(cont_tail(3.0, np.array([1.0, 2.0])), [1 / 5, 1 / 160])
    assert mpmath.almosteq(cont_tail(mpmath.mpf(3), 2), mpmath.mpf(1) / 160)
    assert abs(cont_tail(flint.arb(3), 2) - flint.arb(1) / 160) < 1e-15
    x = sympy.Symbol("x", positive=True)
    assert sympy.simplify(cont_tail(sympy.Integer(3), x) - 1 / (5 * x**5)) == 0


@pytest.mark.parametrize(
    ("argument", "alpha", "x"),
    [
        ("alpha", 0.5, 1.0),
        ("alpha", np.array([1.0, 0.5]), 1.0),
        ("alpha", NAN, 1.0),
        ("alpha", "1", 1.0),
        ("x", 1.0, 0.0),
        ("x", 1.0, -2),
        ("x", 1.0, INF),
        ("x", 1.0, np.array([1.0, -1.0])),
        ("x", 1.0, None),
        ("exponent", 3.0, 1e-300),
    ],
)
def test_cont_tail_refuses(argument: str, alpha: Any, x: Any) -> None:
    with pytest.raises(DomainError, match=argument) as caught:
        cont_tail(alpha, x)
    assert caught.value.argument == argument


# The rank ratio and the implied exponent


@pytest.mark.parametrize(
    ("alpha", "eps", "ratio"),
    [(1.0, 0.05, 0.05), (0.75, 0.05, 0.0025), (1.5, 0.25, 0.5), (2.0, 0.125, 0.5), (0.6, 1, 1.0)],
)
def test_rank_ratio_at_simple_exponents(alpha: Any, eps: Any, ratio: float) -> None:
    assert rank_ratio(alpha, eps) == pytest.approx(ratio, rel=1e-12)


def test_rank_ratio_of_e5() -> None:
    with mpmath.workdps(30):
        reference = mpmath.exp(-mpmath.log(20) * 10 / 17)
    assert rank_ratio(1.35, 0.05) == pytest.approx(float(reference), rel=1e-14)


def test_rank_ratio_takes_every_kind_of_number() -> None:
    assert rank_ratio(Fraction(3, 4), Fraction(1, 20)) == Fraction(1, 400)
    ratios = rank_ratio(np.array([[0.75], [1.0]]), np.array([0.05, 1.0]))
    assert np.allclose(ratios, [[0.0025, 1.0], [0.05, 1.0]])
    with mpmath.workdps(50):
        third = rank_ratio(mpmath.mpf(2), mpmath.mpf(1) / 27)
        assert mpmath.almosteq(third, mpmath.mpf(1) / 3)
    assert rank_ratio(flint.arb(2), flint.fmpq(1, 27)).overlaps(flint.arb(1) / 3)
    t, eps = sympy.symbols("t eps", positive=True)
    assert rank_ratio(sympy.Rational(1, 2) + t, eps) == eps ** (1 / (2 * t))


@pytest.mark.parametrize(
    ("argument", "alpha", "eps"),
    [
        ("alpha", 0.5, 0.05),
        ("alpha", Fraction(1, 2), 0.05),
        ("alpha", -1, 0.05),
        ("alpha", NAN, 0.05),
        ("alpha", INF, 0.05),
        ("alpha", True, 0.05),
        ("alpha", 1j, 0.05),
        ("alpha", np.array([1.0, 0.5]), 0.05),
        ("alpha", flint.arb(0.5, 0.1), 0.05),
        ("alpha", sympy.Rational(1, 3), 0.05),
        ("eps", 1.35, 0),
        ("eps", 1.35, 1.0001),
        ("eps", 1.35, -0.05),
        ("eps", 1.35, NAN),
        ("eps", 1.35, "0.05"),
        ("eps", 1.35, np.array([0.05, 0.0])),
        ("eps", 1.35, np.array(["0.05"])),
        ("eps", 1.35, mpmath.mpf(2)),
    ],
)
def test_rank_ratio_refuses(argument: str, alpha: Any, eps: Any) -> None:
    with pytest.raises(DomainError, match=argument) as caught:
        rank_ratio(alpha, eps)
    assert caught.value.argument == argument


@settings(deadline=None)
@given(STEEP, st.integers(1, 999).map(lambda k: Fraction(k, 1000)))
def test_implied_alpha_inverts_the_rank_ratio(alpha: Any, eps: Any) -> None:
    with mpmath.workdps(200):
        exponent = mpmath.mpf(alpha.numerator) / alpha.denominator
        tolerance = mpmath.mpf(eps.numerator) / eps.denominator
        found = implied_alpha(tolerance, rank_ratio(exponent, tolerance))
        assert mpmath.almosteq(found, exponent, rel_eps=mpmath.mpf(10) ** -150)


def test_implied_alpha_takes_every_kind_of_number() -> None:
    assert implied_alpha(0.25, 0.5) == pytest.approx(1.5, rel=1e-14)
    assert implied_alpha(Fraction(1, 4), Fraction(1, 2)) == pytest.approx(1.5, rel=1e-14)
    assert np.allclose(implied_alpha(np.array([0.5, 0.25]), 0.5), [1.0, 1.5])
    assert implied_alpha(flint.arb(0.25), flint.arb(0.5)).overlaps(flint.arb(1.5))
    p, q = sympy.symbols("p q", positive=True)
    assert sympy.simplify(implied_alpha(sympy.exp(-p), sympy.exp(-q)) - (p / q + 1) / 2) == 0


@pytest.mark.parametrize("outside", [0, 1, -0.1, 1.5, NAN, INF, "0.5", None, np.array([0.5, 1.0])])
def test_implied_alpha_refuses(outside: Any) -> None:
    with pytest.raises(DomainError, match="eps"):
        implied_alpha(outside, 0.5)
    with pytest.raises(DomainError, match="rho"):
        implied_alpha(0.5, outside)


# Adequate ranks


@settings(deadline=None, max_examples=60)
@given(STEEP, TOLERANCE, st.integers(0, 30))
def test_optimal_rank_is_the_first_adequate_rank(alpha: Any, eps: Any, d: int) -> None:
    best = first_adequate(alpha, eps, d, d)
    assert optimal_rank(alpha, eps, d) == best
    verdicts = adequate(alpha, eps, d, np.arange(d + 3))
    assert verdicts.tolist() == [r >= best for r in range(d + 3)]


@pytest.mark.parametrize(
    ("alpha", "eps", "d"),
    [
        (Fraction(27, 20), Fraction(51, 50), 30),
        (Fraction(1), Fraction(2), 12),
        (Fraction(501, 1000), Fraction(1001, 1000), 10),
    ],
)
def test_least_adequate_rank_above_tolerance_one_exceeds_the_dimension(
    alpha: Any, eps: Any, d: int
) -> None:
    best = least_adequate_rank(alpha, eps, d)
    assert best == first_adequate(alpha, eps, d, 3 * d) > d
    assert tail_within(alpha, eps, d, best)
    assert not tail_within(alpha, eps, d, best - 1)


@pytest.mark.parametrize("d", [0, 1, 2, 1536, 10**9])
@pytest.mark.parametrize("alpha", [0.501, 1, 1.35, 30])
def test_tolerance_one_is_a_tie_at_the_full_rank(alpha: Any, d: int) -> None:
    assert optimal_rank(alpha, 1, d) == d
    assert adequate(alpha, 1.0, d, d)
    assert d == 0 or not adequate(alpha, 1.0, d, d - 1)


@pytest.mark.parametrize("r", [1, 7, 99])
@pytest.mark.parametrize("alpha", [Fraction(3, 5), Fraction(1), E5_ALPHA])
def test_optimal_rank_is_right_on_both_sides_of_a_tie(alpha: Any, r: int) -> None:
    d, scale = 100, 10**80
    with mpmath.workdps(120):
        at_tie = int(mpmath.floor(scale * tail(alpha, d) / tail(alpha, r)))
    assert optimal_rank(alpha, Fraction(at_tie, scale), d) == r
    assert optimal_rank(alpha, Fraction(at_tie + 1, scale), d) == r + 1


def test_optimal_rank_close_to_tolerance_one() -> None:
    almost = 1 - Fraction(1, 10**300)
    assert optimal_rank(1, almost, 50) == 50


@pytest.mark.parametrize(("d", "best"), [(100, 17), (1536, 264), (10**6, 171668)])
def test_optimal_rank_of_e5(d: int, best: int) -> None:
    assert optimal_rank(1.35, 0.05, d) == best


def test_optimal_rank_of_a_billion_directions() -> None:
    assert optimal_rank(1.35, 0.05, 10**9) == 171667561
    with mpmath.workdps(40):
        unavoidable = tail(E5_ALPHA, 10**9)
        assert tail(E5_ALPHA, 171667561) <= 20 * unavoidable < tail(E5_ALPHA, 171667560)


@pytest.mark.parametrize(
    ("alpha", "eps"),
    [
        (1.35, 0.05),
        (np.float64(1.35), np.float32(0.05)),
        (sympy.Rational(27, 20), sympy.Rational(1, 20)),
        (flint.fmpq(27, 20), flint.fmpq(1, 20)),
        (mpmath.mpf("1.35"), mpmath.mpf("0.05")),
    ],
)
def test_a_number_means_the_same_in_every_library(alpha: Any, eps: Any) -> None:
    assert optimal_rank(alpha, eps, 1536) == optimal_rank(E5_ALPHA, E5_EPS, 1536)
    assert adequate(alpha, eps, 1536, 264)
    assert not adequate(alpha, eps, 1536, 263)


def test_ranks_broadcast_over_arrays() -> None:
    ranks = optimal_rank(np.array([1.0, 1.35]), 0.05, d=np.array([[10], [100]]))
    assert ranks.tolist() == [[0, 2], [5, 17]]
    assert adequate(1.35, 0.05, 100, np.array([16, 17])).tolist() == [False, True]


@pytest.mark.parametrize(
    ("argument", "changed"),
    [
        ("alpha", 0.5),
        ("alpha", NAN),
        ("alpha", sympy.sqrt(2)),
        ("alpha", sympy.Symbol("alpha")),
        ("alpha", flint.arb(1.35)),
        ("alpha", np.array([1.0, 0.4])),
        ("eps", 0),
        ("eps", 1.5),
        ("eps", INF),
        ("eps", sympy.pi / 4),
        ("d", -1),
        ("d", 10.0),
        ("d", True),
        ("d", "10"),
        ("d", np.array([10, -1])),
        ("r", -1),
        ("r", 2.5),
        ("r", None),
    ],
)
def test_adequate_and_optimal_rank_refuse(argument: str, changed: Any) -> None:
    arguments = {"alpha": 1.35, "eps": 0.05, "d": 100, "r": 17} | {argument: changed}
    with pytest.raises(DomainError, match=argument) as caught:
        adequate(**arguments)
    assert caught.value.argument == argument
    if argument != "r":
        del arguments["r"]
        with pytest.raises(DomainError, match=argument):
            optimal_rank(**arguments)
