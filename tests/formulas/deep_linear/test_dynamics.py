"""Learning curves of one mode, and the output of deep linear networks."""

from __future__ import annotations

from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.special import expit, logit

from spectral_rank.formulas.deep_linear.dynamics import deep_linear, half_time, mode_strength
from spectral_rank.formulas.domain import DomainError


def test_curve_solves_its_equation() -> None:
    s, u0, times = 1.5, 0.02, np.linspace(0, 4, 9)
    solution = solve_ivp(
        lambda _, u: 2 * u * (s - u), (0, 4), [u0], "DOP853", times, rtol=1e-11, atol=1e-14
    )
    np.testing.assert_allclose(mode_strength(s, u0, times), solution.y[0], rtol=1e-8)


@settings(deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(1e-6, 1 - 1e-6), st.floats(-20, 20))
def test_curve_is_a_scaled_sigmoid(s: float, share: float, theta: float) -> None:
    expected = s * expit(2 * theta + logit(share))
    assert mode_strength(s, s * share, theta / s) == pytest.approx(expected, rel=1e-8)


@settings(deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(1e-6, 1 - 1e-6))
def test_half_time_is_when_half_is_reached(s: float, share: float) -> None:
    assert half_time(s, s * share) == pytest.approx(-logit(share) / (2 * s), rel=1e-8, abs=1e-9 / s)
    assert mode_strength(s, s * share, half_time(s, s * share)) == pytest.approx(s / 2, rel=1e-9)


def test_known_values() -> None:
    assert mode_strength(2, 1, 0) == 1
    assert half_time(2, 1) == 0
    assert half_time(1, Fraction(9, 10)) < 0
    assert mode_strength(3.0, 1e-9, 1e6) == 3
    assert mode_strength(1, 4, 0) == pytest.approx(4)
    assert mode_strength(-1.0, 2.0, 0) == pytest.approx(2)


def test_every_kind_of_number() -> None:
    expected = 2 / (1 + 3 * np.exp(-4 * 0.25))
    third, quarter = Fraction(2), Fraction(1, 4)
    values = (
        mode_strength(third, Fraction(1, 2), quarter),
        mode_strength(flint.arb(2), Fraction(1, 2), quarter),
        mode_strength(mpmath.mpf(2), Fraction(1, 2), quarter),
        mode_strength(sympy.Integer(2), Fraction(1, 2), quarter),
        mode_strength(np.float64(2), 0.5, 0.25),
    )
    assert [float(value) for value in values] == pytest.approx([expected] * 5, rel=1e-15)
    half_times = [half_time(number(5), 1) for number in (int, flint.arb, mpmath.mpf, sympy.Integer)]
    assert [float(t) for t in half_times] == pytest.approx([np.log(4) / 10] * 4, rel=1e-15)


def test_arrays_broadcast() -> None:
    s, t = np.array([1.0, 2.0])[:, None], np.array([0.0, 0.5, 1.0])
    curves = mode_strength(s, 0.1, t)
    assert curves.shape == (2, 3)
    assert curves[1, 2] == mode_strength(2.0, 0.1, 1.0)
    np.testing.assert_array_equal(
        half_time(s, 0.1)[:, 0], [half_time(1.0, 0.1), half_time(2.0, 0.1)]
    )


def test_no_cancellation_near_the_target() -> None:
    u0 = 1.999
    assert half_time(np.nextafter(u0, 2), u0) == pytest.approx(np.log(2**-52 / u0) / (2 * u0))


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("argument", "arguments"),
    [
        ("s", (0, 1, 1)),
        ("s", (NAN, 1, 1)),
        ("s", ("1", 1, 1)),
        ("s", (flint.arb(0, 1), 1, 1)),
        ("u0", (1, 0, 1)),
        ("u0", (1, INF, 1)),
        ("u0", (1, 1j, 1)),
        ("u0", (1, np.array([1.0, 0.0]), 1)),
        ("t", (1, 1, NAN)),
        ("t", (1, 1, None)),
        ("t", (1, 1, True)),
        ("t", (1.0, 0.5, -1e6)),
        ("t", (1e300, 1e-300, 1.0)),
        ("t", (1, -1, sympy.log(2) / 2)),
    ],
)
def test_mode_strength_outside_its_domain(argument: str, arguments: tuple) -> None:
    with pytest.raises(DomainError, match=f"^{argument} = "):
        mode_strength(*arguments)


@pytest.mark.parametrize(
    ("argument", "arguments"),
    [
        ("s", (1, 1)),
        ("s", (1, 2)),
        ("s", (NAN, 1)),
        ("s", ("2", 1)),
        ("s", (np.array([2.0, 0.5]), 1)),
        ("s / u0 - 1", (1e300, 1e-300)),
        ("u0", (1, 0)),
        ("u0", (1, -1)),
        ("u0", (1, NAN)),
        ("u0", (1, None)),
    ],
)
def test_half_time_outside_its_domain(argument: str, arguments: tuple) -> None:
    with pytest.raises(DomainError, match=f"^{argument} = "):
        half_time(*arguments)


def test_deep_linear_is_the_product() -> None:
    rng = np.random.default_rng(0)
    layers = [rng.standard_normal(shape) for shape in ((2, 5), (5, 3), (3, 4))]
    x = rng.standard_normal(4)
    expected = np.linalg.multi_dot(layers) @ x
    np.testing.assert_allclose(deep_linear(layers, x), expected, rtol=1e-12)


def test_padding_with_zeros_adds_zeros_to_the_output() -> None:
    rng = np.random.default_rng(1)
    layers = [rng.integers(-3, 4, size=shape) for shape in ((2, 5), (5, 3), (3, 4))]
    padded = [np.pad(W, [(0, 5 - size) for size in W.shape]) for W in layers]
    x = rng.integers(-3, 4, size=4)
    output = deep_linear(layers, x)
    assert deep_linear(padded, np.pad(x, (0, 1))).tolist() == [*output, 0, 0, 0]


def test_deep_linear_is_exact_on_integers() -> None:
    fibonacci = np.array([[1, 1], [1, 0]])
    assert deep_linear([fibonacci] * 1000, np.array([1, 0]))[1] == sympy.fibonacci(1000)
    assert deep_linear([], np.array([1, 2])).tolist() == [1, 2]


@pytest.mark.parametrize("number", [Fraction, flint.arb, mpmath.mpf, sympy.Integer, float])
def test_deep_linear_on_every_kind_of_number(number: type) -> None:
    convert = np.frompyfunc(number, 1, 1)
    layer = convert(np.array([[1, 2], [3, 4]], dtype=object))
    output = deep_linear([layer, layer], convert(np.array([1, 1], dtype=object)))
    assert (output == np.array([17, 37], dtype=object)).all()


@pytest.mark.parametrize(
    ("argument", "layers", "x"),
    [
        ("layers", [np.ones((2, 3)), np.ones((2, 2))], np.ones(2)),
        ("layers", [np.ones(2)], np.ones(2)),
        ("layers", [np.array([[NAN]])], np.ones(1)),
        ("layers", np.ones((1, 1, 1)), np.ones(1)),
        ("x", [], np.array([INF])),
        ("x", [], [1.0]),
        ("x", [], np.ones((1, 1))),
        ("x", [np.array([[1e200]])] * 2, np.ones(1)),
    ],
)
def test_deep_linear_outside_its_domain(argument: str, layers: list, x: object) -> None:
    with pytest.raises(DomainError, match=f"^{argument} = "):
        deep_linear(layers, x)
