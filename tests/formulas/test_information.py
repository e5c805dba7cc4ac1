"""State sizes, description lengths and allocations against counting and optimisation."""

import itertools
import math
from fractions import Fraction
from typing import Any

import flint
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.formulas.domain import DomainError
from spectral_rank.formulas.information import (
    description_length,
    factored_params,
    power_allocation,
    state_bits,
    waterfill_bits,
)


@pytest.mark.parametrize("r", range(5))
@pytest.mark.parametrize("k", range(1, 6))
def test_state_bits_counts_the_states(r: int, k: int) -> None:
    states = len(list(itertools.product(range(k), repeat=r)))
    assert state_bits(r, k) == pytest.approx(math.log(states), abs=1e-15)


def test_state_bits_of_every_kind() -> None:
    assert state_bits(10**9, 2) == pytest.approx(1e9 * math.log(2))
    assert state_bits(2, 10**400) == pytest.approx(800 * math.log(10))
    assert state_bits(np.int64(3), np.uint8(255)) == pytest.approx(3 * math.log(255))
    assert state_bits(Fraction(3), Fraction(4)) == pytest.approx(3 * math.log(4))
    assert state_bits(3, flint.arb(8)).overlaps(9 * flint.arb.const_log2())
    assert mpmath.almosteq(state_bits(3, mpmath.mpf(8)), 9 * mpmath.log(2))
    k = sympy.Symbol("k", positive=True, integer=True)
    assert state_bits(3, k) == 3 * sympy.log(k)
    assert state_bits(sympy.Symbol("r"), 2) == sympy.Symbol("r") * sympy.log(2)


NOT_NATURAL = [-1, 1.0, 1.5, Fraction(1, 2), True, "1", None, math.nan, [1], np.array([1])]
NOT_NATURAL += [flint.arb(0.5), mpmath.mpf(0.5), sympy.Rational(1, 2), sympy.Integer(-1)]


@pytest.mark.parametrize("bad", NOT_NATURAL, ids=repr)
def test_not_a_natural_number(bad: Any) -> None:
    with pytest.raises(DomainError, match="r must be"):
        state_bits(bad, 2)
    with pytest.raises(DomainError, match="k must be"):
        state_bits(2, bad)
    with pytest.raises(DomainError, match="params must be"):
        description_length(bad, 2)
    for arguments, name in (((bad, 1, 1), "r"), ((1, bad, 1), "d1"), ((1, 1, bad), "d2")):
        with pytest.raises(DomainError, match=f"{name} must be"):
            factored_params(*arguments)


def test_a_coordinate_without_levels_is_refused() -> None:
    with pytest.raises(DomainError, match="k must be an integer >= 1"):
        state_bits(2, 0)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_factored_params_counts_the_entries(r: int, d1: int, d2: int) -> None:
    assert factored_params(r, d1, d2) == np.empty((d1, r)).size + np.empty((r, d2)).size


def test_description_length() -> None:
    assert description_length(3, 0.5) == 1.5
    assert description_length(3, Fraction(1, 3)) == 1
    assert description_length(0, -2.0) == 0
    assert description_length(3, flint.arb(2)) == 6
    assert description_length(3, sympy.Symbol("b")) == 3 * sympy.Symbol("b")
    assert factored_params(sympy.Symbol("r", integer=True), 2, 3) == 5 * sympy.Symbol(
        "r", integer=True
    )
    for bad in (math.nan, math.inf, "1", None, 1e308):
        with pytest.raises(DomainError, match="bits must be"):
            description_length(2, bad)


def test_power_allocation() -> None:
    assert power_allocation([1, 3], 8) == pytest.approx([2, 6])
    assert list(power_allocation([1, 3], Fraction(4))) == [1, 3]
    assert power_allocation([-1.0, 3.0], 4) == pytest.approx([-2, 6])
    assert power_allocation([flint.arb(1), 3], 4)[1].contains(3)
    assert list(power_allocation(sympy.symbols("a a"), 4)) == [2, 2]
    assert power_allocation([mpmath.mpf(1), 1], 4)[0] == 2
    assert power_allocation([1e308, 1e307], 1e-300) == pytest.approx([1e-300 / 1.1, 1e-301 / 1.1])


def test_power_allocation_refuses() -> None:
    for bad in ([], [0.0], [1, -1], [flint.arb(0, 1)], [math.nan], 3, [1e308, 1e308], [[1]]):
        with pytest.raises(DomainError, match="w must be"):
            power_allocation(bad, 1)
    for bad_budget in (math.nan, math.inf, "1", None, [1]):
        with pytest.raises(DomainError, match="P must be"):
            power_allocation([1, 2], bad_budget)


@settings(deadline=None)
@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=6), st.floats(-5, 20))
def test_waterfill_bits_equalise_the_distortion(sigma: list[float], B: float) -> None:
    bits = waterfill_bits(sigma, B)
    distortions = np.array(sigma) ** 2 * np.exp(-2 * bits)
    assert distortions == pytest.approx(np.full(len(sigma), distortions[0]))
    assert math.fsum(bits) == pytest.approx(B, abs=1e-9)


def test_no_other_rates_distort_less() -> None:
    from scipy.optimize import minimize

    sigma, B = np.array([3.0, 1.0, 0.5]), 4.0

    def distortion(first: Any) -> Any:
        rates = np.append(first, B - np.sum(first))
        return np.sum(sigma**2 * np.exp(-2 * rates))

    best = minimize(distortion, np.zeros(2), method="BFGS", options={"gtol": 1e-9})
    assert best.x == pytest.approx(waterfill_bits(sigma, B)[:2], abs=1e-5)


def test_waterfill_bits_of_every_kind() -> None:
    expected = [1 + math.log(2) / 2, 1 - math.log(2) / 2]
    for two in (2, -2.0, Fraction(2), mpmath.mpf(2), flint.arb(2), sympy.Integer(2)):
        assert [float(b) for b in waterfill_bits([two, 1], 2)] == pytest.approx(expected)
    assert waterfill_bits([1e-300, 1e300], 0) == pytest.approx(
        [-300 * math.log(10), 300 * math.log(10)]
    )
    assert waterfill_bits([], 3).shape == (0,)


def test_waterfill_bits_refuses() -> None:
    for bad in ([0.0], [1, 0], [flint.arb(0, 1)], [math.inf], ["1"], None, np.ones((2, 2))):
        with pytest.raises(DomainError, match="sigma must be"):
            waterfill_bits(bad, 1)
    for bad_budget in (math.nan, "1", None, [1]):
        with pytest.raises(DomainError, match="B must be"):
            waterfill_bits([1.0], bad_budget)
