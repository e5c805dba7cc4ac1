"""Condition numbers from the SVD, contraction as a matrix norm, the best step by search."""

from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from spectral_rank.formulas.conditioning import (
    condition_number,
    contraction,
    first_and_last,
    optimal_learning_rate,
)
from spectral_rank.formulas.domain import DomainError
from spectral_rank.formulas.envelope import in_envelope
from spectral_rank.formulas.power_law import singular_value
from spectral_rank.theorems.conditioning import envelopes, spectrum_between
from spectral_rank.theorems.strategies import generators, orthonormal, reals


@settings(deadline=None)
@given(st.integers(1, 8), st.floats(0, 2), generators())
def test_condition_number_is_numpys(n: int, alpha: float, rng: np.random.Generator) -> None:
    law = np.arange(1.0, n + 1) ** -alpha
    matrix = orthonormal(rng, n, n) * law @ orthonormal(rng, n, n).T
    assert condition_number(law, n) == pytest.approx(np.linalg.cond(matrix), rel=1e-9)
    assert condition_number(lambda i: singular_value(alpha, i), n) == pytest.approx(n**alpha)


@pytest.mark.parametrize(
    ("largest", "smallest", "expected"),
    [
        (3.0, 2.0, 1.5),
        (3, 2, 1.5),
        (np.float64(3), np.float64(2), 1.5),
        (Fraction(3), Fraction(2), Fraction(3, 2)),
        (mpmath.mpf(3), mpmath.mpf(2), 1.5),
        (flint.arb(3), flint.arb(2), 1.5),
        (sympy.Integer(3), sympy.Integer(2), sympy.Rational(3, 2)),
    ],
)
def test_condition_number_of_every_kind(largest, smallest, expected) -> None:
    assert condition_number([largest, 2.5, smallest], 3) == expected
    assert condition_number((largest,), 1) == 1


def test_condition_number_of_an_array_takes_the_index_from_one() -> None:
    s = np.array([8.0, 4.0, 1.0])
    assert [condition_number(s, r) for r in (1, 2, 3)] == [1, 2, 8]
    assert first_and_last(s, 2) == (8, 4)


def test_condition_number_of_the_symbolic_power_law() -> None:
    alpha = sympy.Symbol("alpha", nonnegative=True)
    assert condition_number(lambda i: singular_value(alpha, i), 5) == 5**alpha


def test_balls_of_equal_singular_values_are_not_refused() -> None:
    assert condition_number([flint.arb(1) / 3, flint.arb(1) / 3], 2).contains(1)


@given(
    envelopes(),
    st.integers(-2, 3).map(Fraction),
    st.lists(reals(0, 1), min_size=1, max_size=5).map(tuple),
)
def test_the_spectra_that_the_claims_draw_lie_in_their_envelope(constants, alpha, weights) -> None:
    s = spectrum_between(*constants, alpha, weights)
    assert in_envelope(*constants, alpha, [s(i) for i in range(1, 9)], 8)


@pytest.mark.parametrize(
    ("s", "r", "argument"),
    [
        (2.0, 1, "s"),
        ("12", 1, "s"),
        ({1: 2.0}, 1, "s"),
        (np.eye(2), 1, "s"),
        ([2.0, 1.0], 0, "r"),
        ([2.0, 1.0], 3, "r"),
        ([2.0, 1.0], 1.0, "r"),
        ([2.0, 1.0], True, "r"),
        ([], 1, "r"),
        (lambda i: 1 / i, 0, "r"),
        ([0.0, 0.0], 2, "s_1"),
        ([float("nan"), 1.0], 2, "s_1"),
        ([[1.0], [1.0]], 2, "s_1"),
        ([2.0, 0.0], 2, "s_r"),
        ([2.0, -1.0], 2, "s_r"),
        ([1.0, 2.0], 2, "s_r"),
        ([sympy.Integer(1), sympy.Integer(2)], 2, "s_r"),
        (lambda i: float(i), 3, "s_r"),
    ],
)
def test_condition_number_refuses(s, r, argument) -> None:
    with pytest.raises(DomainError, match=f"^{argument} = ") as caught:
        condition_number(s, r)
    assert caught.value.argument == argument


@settings(deadline=None)
@given(st.floats(0.01, 1), st.floats(0, 3), st.floats(-2, 3), generators())
def test_contraction_is_the_norm_of_the_step(
    m: float, gap: float, eta: float, rng: np.random.Generator
) -> None:
    curvatures = np.array([m, m + gap / 3, m + gap])
    basis = orthonormal(rng, 3, 3)
    step = np.eye(3) - eta * (basis * curvatures @ basis.T)
    assert contraction(m, m + gap, eta) == pytest.approx(np.linalg.norm(step, 2), abs=1e-12)


@pytest.mark.parametrize(
    "number", [float, Fraction, mpmath.mpf, flint.arb, sympy.Integer, np.float64, int]
)
def test_contraction_of_every_kind(number) -> None:
    assert contraction(number(1), number(4), number(1)) == 3
    assert contraction(number(1), number(4), number(-1)) == 5
    assert contraction(number(2), number(2), number(0)) == 1


def test_contraction_over_arrays() -> None:
    eta = np.array([0.0, 0.4, 1.0])
    assert contraction(1.0, 4.0, eta) == pytest.approx([1, 0.6, 3])
    exact = contraction(Fraction(1), Fraction(4), Fraction(2, 5))
    assert exact == Fraction(3, 5)
    assert isinstance(exact, Fraction)


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ((0, 1, 1), "m"),
        ((-1.0, 1, 1), "m"),
        (("1", 1, 1), "m"),
        ((float("nan"), 1, 1), "m"),
        ((np.array([1.0, 0.0]), 1, 1), "m"),
        ((1, Fraction(1, 2), 1), "L"),
        ((1, float("inf"), 1), "L"),
        ((1, None, 1), "L"),
        ((1, 2, float("nan")), "eta"),
        ((1, 2, 1j), "eta"),
    ],
)
def test_contraction_refuses(arguments, argument) -> None:
    with pytest.raises(DomainError, match=f"^{argument} = ") as caught:
        contraction(*arguments)
    assert caught.value.argument == argument


@pytest.mark.parametrize(("alpha", "r"), [(0.3, 7), (0.5, 2), (1.35, 270), (2, 3)])
def test_the_best_learning_rate_is_scipys(alpha: float, r: int) -> None:
    m = float(r) ** (-2 * alpha)
    found = minimize_scalar(
        lambda eta: contraction(m, 1.0, eta), bounds=(0, 2), options={"xatol": 1e-12}
    )
    assert optimal_learning_rate(alpha, r) == pytest.approx(found.x, rel=1e-6)


def test_learning_rates_of_every_kind() -> None:
    assert optimal_learning_rate(0, 5) == 1
    assert optimal_learning_rate(1.35, 1) == 1
    assert optimal_learning_rate(Fraction(1), 3) == Fraction(9, 5)
    assert optimal_learning_rate(mpmath.mpf(1), 3) == pytest.approx(1.8)
    assert optimal_learning_rate(flint.arb(1), 3).overlaps(flint.arb(9) / 5)
    assert optimal_learning_rate(np.array([0.0, 1.0]), 3) == pytest.approx([1, 1.8])
    assert optimal_learning_rate(1.0, np.array([1, 3])) == pytest.approx([1, 1.8])
    alpha = sympy.Symbol("alpha", nonnegative=True)
    assert sympy.simplify(optimal_learning_rate(alpha, 3) - 2 / (1 + 9**-alpha)) == 0


@pytest.mark.parametrize(
    ("alpha", "r", "argument"),
    [
        (-0.1, 2, "alpha"),
        (float("nan"), 2, "alpha"),
        (None, 2, "alpha"),
        (np.array([1.0, -1.0]), 2, "alpha"),
        (1, 0, "r"),
        (1, 2.0, "r"),
        (1, np.array([0, 1]), "r"),
    ],
)
def test_optimal_learning_rate_refuses(alpha, r, argument) -> None:
    with pytest.raises(DomainError, match=f"^{argument} = ") as caught:
        optimal_learning_rate(alpha, r)
    assert caught.value.argument == argument
