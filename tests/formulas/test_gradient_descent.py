"""Gradient descent in the eigenbasis against the same iteration with a full matrix."""

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
from spectral_rank.formulas.gradient_descent import (
    gd_iterate,
    gd_step,
    power_law_curvature,
    quadratic_loss,
)
from spectral_rank.formulas.power_law import singular_value


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.floats(-0.5, 1.5), st.integers(0, 12))
def test_descent_on_a_full_quadratic(seed: int, n: int, eta: float, k: int) -> None:
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, n))
    H = A + A.T
    lam, Q = np.linalg.eigh(H)
    start = rng.standard_normal(n)
    x = start
    for _ in range(k):
        x = x - eta * (H @ x)
    reached = gd_iterate(eta, lam, Q.T @ start, k)
    scale = max(1.0, float(np.max(np.abs(x))))
    assert Q @ reached == pytest.approx(x, abs=1e-9 * scale)
    loss = x @ H @ x / 2
    assert quadratic_loss(lam, reached) == pytest.approx(loss, rel=1e-9, abs=1e-9 * scale**2)


def test_gradient_is_the_derivative_of_the_loss() -> None:
    lam, x = sympy.symbols("lam1:4", real=True), sympy.symbols("x1:4", real=True)
    eta = sympy.Symbol("eta", real=True)
    loss = quadratic_loss(lam, x)
    for after, before in zip(gd_step(eta, lam, x), x, strict=True):
        assert sympy.expand(after - (before - eta * sympy.diff(loss, before))) == 0


def test_known_values() -> None:
    assert quadratic_loss([1, 2], [3, 4]) == 20.5
    assert quadratic_loss([Fraction(1), 2], [3, 4]) == Fraction(41, 2)
    assert quadratic_loss([], []) == 0
    assert gd_step(0.5, [1.0, 2.0], [3.0, 4.0]) == pytest.approx([1.5, 0])
    assert list(gd_iterate(Fraction(1, 3), [1, 2], [1, 1], 3)) == [Fraction(8, 27), Fraction(1, 27)]
    assert gd_iterate(0.1, [], [], 5).shape == (0,)


def test_the_start_is_left_alone() -> None:
    start = np.array([1.0, 2.0])
    reached = gd_iterate(0.1, [1.0, 1.0], start, 0)
    reached[0] = 7
    assert start[0] == 1


def test_every_kind_of_number() -> None:
    lam, x = [1, 2], [3, 4]
    for half in (0.5, Fraction(1, 2), mpmath.mpf(0.5), sympy.Rational(1, 2), flint.arb(0.5)):
        reached = gd_iterate(half, lam, x, 2)
        assert [float(entry) for entry in reached] == [0.75, 0]
        assert float(quadratic_loss([half, half], x)) == 6.25
    assert gd_iterate(np.float32(0.5), np.array(lam), np.array(x), 2).dtype == float
    assert gd_step(flint.arb(0.5), [Fraction(1, 3)], [1.5])[0].contains(1.25)


@given(st.fractions(0, 4, max_denominator=20), st.integers(0, 30))
def test_curvatures_are_squared_singular_values(alpha: Fraction, r: int) -> None:
    curvatures = power_law_curvature(alpha, r)
    squares = [float(singular_value(alpha, i)) ** 2 for i in range(1, r + 1)]
    assert curvatures.astype(float) == pytest.approx(np.array(squares))


def test_curvatures_of_every_kind() -> None:
    assert list(power_law_curvature(Fraction(1, 2), 3)) == [1, Fraction(1, 2), Fraction(1, 3)]
    assert power_law_curvature(1, 3) == pytest.approx([1, 1 / 4, 1 / 9])
    assert power_law_curvature(flint.arb(1), 2)[1].contains(flint.fmpq(1, 4))
    assert power_law_curvature(mpmath.mpf(1), 2)[1] == mpmath.mpf(0.25)
    assert power_law_curvature(sympy.Symbol("a"), 2)[1] == 2 ** (-2 * sympy.Symbol("a"))
    assert power_law_curvature(-1.0, 2)[1] == 4


BAD_VECTORS = [1.0, "ab", [math.nan], [math.inf], [True], [[1.0]], [1.0, 2.0], []]


@pytest.mark.parametrize("bad", BAD_VECTORS, ids=repr)
def test_not_a_point(bad: Any) -> None:
    with pytest.raises(DomainError, match="x must be"):
        quadratic_loss([1.0], bad)
    with pytest.raises(DomainError, match="x must be"):
        gd_step(0.1, [1.0], bad)
    with pytest.raises(DomainError, match="x0 must be"):
        gd_iterate(0.1, [1.0], bad, 3)


@pytest.mark.parametrize("bad", BAD_VECTORS[:6], ids=repr)
def test_not_curvatures(bad: Any) -> None:
    with pytest.raises(DomainError, match="lam must be"):
        quadratic_loss(bad, [1.0])
    with pytest.raises(DomainError, match="lam must be"):
        gd_iterate(0.1, bad, [1.0], 3)


@pytest.mark.parametrize("bad", [math.nan, math.inf, "1", None, [1.0], 1j])
def test_not_a_real_number(bad: Any) -> None:
    with pytest.raises(DomainError, match="eta must be"):
        gd_step(bad, [1.0], [1.0])
    with pytest.raises(DomainError, match="alpha must be"):
        power_law_curvature(bad, 3)


@pytest.mark.parametrize("bad", [-1, 2.0, True, "3", None])
def test_not_a_count(bad: Any) -> None:
    with pytest.raises(DomainError, match="k must be"):
        gd_iterate(0.1, [1.0], [1.0], bad)
    with pytest.raises(DomainError, match="r must be"):
        power_law_curvature(1.0, bad)


def test_overflow_is_refused() -> None:
    with pytest.raises(DomainError, match="x0 must be"):
        gd_iterate(-10.0, [100.0, 0.0], [1.0, 1.0], 1000)
    with pytest.raises(DomainError, match="x must be"):
        quadratic_loss([1e200], [1e200])
    with pytest.raises(DomainError, match="alpha must be"):
        power_law_curvature(-200.0, 100)
    with pytest.raises(DomainError, match="lam must be"):
        gd_step(0.5, [10**400], [1.0])
