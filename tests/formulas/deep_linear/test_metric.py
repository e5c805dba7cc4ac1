import math
from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import scipy.integrate
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.formulas.deep_linear.metric import depth_weight, end_to_end, logarithmic_mean
from spectral_rank.formulas.domain import DomainError


def direct_sum(N, a, b):
    return sum(a ** (N - 1 - k) * b**k for k in range(N))


@settings(deadline=None)
@given(st.integers(0, 30), st.fractions(-3, 3, max_denominator=20), st.fractions(-3, 3))
def test_weight_is_exact_for_fractions(N, a, b):
    weight = depth_weight(N, a, b)
    assert isinstance(weight, Fraction)
    assert weight == direct_sum(N, a, b)


def nearby_modes():
    """Pairs of floats from equal to far apart, of both signs, close to 1 for large depths."""
    exponents = st.floats(-17, 0)
    return st.builds(
        lambda N, base, gap, sign, other: (
            N,
            sign * (1 + 10**base / N),
            sign * other * (1 + 10**base / N) * (1 - 10**gap),
        ),
        st.integers(1, 8) | st.integers(1, 10**6),
        exponents,
        exponents,
        st.sampled_from([-1, 1]),
        st.sampled_from([1, 1, -1]),
    )


@settings(deadline=None, max_examples=300)
@given(nearby_modes())
def test_floats_keep_their_digits_at_any_depth(point):
    N, a, b = point
    found = depth_weight(N, a, b)
    with flint.ctx.workprec(4096):
        exact = depth_weight(N, flint.arb(a), flint.arb(b))
        assert exact.rel_accuracy_bits() > 100 or a == -b
        assert abs(flint.arb(found) - exact) <= 2e-15 * abs(exact) + flint.arb(2) ** -2000


@pytest.mark.parametrize("N", [1, 2, 3, 10**4, 10**9])
def test_special_modes(N):
    assert depth_weight(N, 1.0, 1.0) == N
    assert depth_weight(N, 1.0, 0.0) == 1.0
    assert depth_weight(N, 0.0, 0.0) == (N == 1)
    assert depth_weight(N, 1.0, -1.0) == N % 2
    assert depth_weight(N, -1.0, -1.0) == N * (-1.0) ** (N - 1)


def test_no_layer():
    assert depth_weight(0, 2.0, 3.0) == 0
    assert depth_weight(0, Fraction(2), Fraction(3)) == 0
    assert depth_weight(0, np.ones(3), 1.0).tolist() == [0, 0, 0]


def test_every_kind_of_number():
    assert depth_weight(4, 2, 3) == direct_sum(4, 2, 3) == 65
    assert depth_weight(4, 2, 3.0) == 65
    assert depth_weight(4, np.int64(2), np.float64(3)) == 65
    assert depth_weight(4, mpmath.mpf(2), Fraction(3)) == 65
    assert depth_weight(4, flint.arb(2), Fraction(3)) == 65
    x, y = sympy.symbols("x y")
    assert depth_weight(4, x, y) == x**3 + x**2 * y + x * y**2 + y**3


def test_arrays_broadcast():
    a = np.array([0.5, 1.0, 2.0])
    weights = depth_weight(7, a[:, None], a[None, :])
    expected = [[direct_sum(7, x, y) for y in a] for x in a]
    np.testing.assert_allclose(weights, expected, rtol=1e-14)
    objects = np.array([Fraction(1, 2), Fraction(2)], dtype=object)
    assert depth_weight(3, objects, Fraction(1)).tolist() == [Fraction(7, 4), Fraction(7)]
    assert depth_weight(3, np.array([1, 2]), 1).tolist() == [3.0, 7.0]


@pytest.mark.parametrize(
    ("N", "a", "b", "name"),
    [
        (-1, 1.0, 1.0, "N"),
        (2.0, 1.0, 1.0, "N"),
        (True, 1.0, 1.0, "N"),
        (2, math.nan, 1.0, "a"),
        (2, "1", 1.0, "a"),
        (2, 1j, 1.0, "a"),
        (2, 1.0, math.inf, "b"),
        (2, 1.0, np.array([1.0, math.nan]), "b"),
        (2, 1.0, None, "b"),
        (400, 10.0, 1.0, "a"),
    ],
)
def test_weight_refuses(N, a, b, name):
    with pytest.raises(DomainError) as error:
        depth_weight(N, a, b)
    assert error.value.argument == name


def test_product_of_layers():
    rng = np.random.default_rng(0)
    W = rng.standard_normal((4, 3, 3))
    np.testing.assert_allclose(end_to_end(W), W[3] @ W[2] @ W[1] @ W[0])
    np.testing.assert_allclose(end_to_end(list(W), 2), W[1] @ W[0])
    assert end_to_end(W, 0).tolist() == np.eye(3).tolist()


@pytest.mark.parametrize("number", [Fraction, int, sympy.Integer, flint.arb, mpmath.mpf])
def test_product_of_exact_layers(number):
    layers = [
        np.array([[number(1), number(2)], [number(0), number(1)]], dtype=object) for _ in range(5)
    ]
    product = end_to_end(layers)
    assert isinstance(product[0, 1], number)
    assert product.tolist() == [[1, 10], [0, 1]]


@pytest.mark.parametrize(
    ("W", "N", "name"),
    [
        ([], None, "W"),
        (7, None, "W"),
        ([np.ones((2, 3))], None, "W"),
        ([np.eye(2), np.eye(3)], None, "W"),
        ([np.full((2, 2), np.nan)], None, "W"),
        ([np.full((1, 1), 1e200)] * 2, None, "W"),
        ([np.eye(2)], 2, "N"),
        ([np.eye(2)], -1, "N"),
    ],
)
def test_product_refuses(W, N, name):
    with pytest.raises(DomainError) as error:
        end_to_end(W, N)
    assert error.value.argument == name


@settings(deadline=None, max_examples=30)
@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_logarithmic_mean_is_an_integral(x, y):
    integral = scipy.integrate.quad(lambda s: x**s * y ** (1 - s), 0, 1)[0]
    assert logarithmic_mean(x, y) == pytest.approx(integral, rel=1e-9)


def test_logarithmic_mean_close_to_the_diagonal():
    x, gap = 2.0, 2.0**-50
    assert logarithmic_mean(x, x) == x
    assert logarithmic_mean(1, Fraction(1)) == 1.0
    assert x < logarithmic_mean(x, x + gap) < x + gap
    with mpmath.workdps(30):
        near = mpmath.mpf(2) + mpmath.mpf(10) ** -20
        assert abs(logarithmic_mean(mpmath.mpf(2), near) - (2 + near) / 2) < 1e-29
    ball = flint.arb(2, 2**-30)
    assert logarithmic_mean(ball, ball).contains(2)
    assert logarithmic_mean(ball, ball).rad() < 2**-28


def test_logarithmic_mean_of_every_kind():
    expected = (3 - 1) / math.log(3)
    assert logarithmic_mean(mpmath.mpf(3), 1) == pytest.approx(expected)
    assert float(logarithmic_mean(flint.arb(3), 1)) == pytest.approx(expected)
    assert logarithmic_mean(sympy.Integer(3), 1) == 2 / sympy.log(3)
    assert logarithmic_mean(sympy.Integer(3), 3) == 3
    np.testing.assert_allclose(logarithmic_mean(np.array([3.0, 1.0]), 1.0), [expected, 1.0])


@pytest.mark.parametrize(("x", "y", "name"), [(0, 1, "x"), (1.0, -1.0, "y"), (1, math.nan, "y")])
def test_logarithmic_mean_refuses(x, y, name):
    with pytest.raises(DomainError) as error:
        logarithmic_mean(x, y)
    assert error.value.argument == name


def test_weight_per_layer_tends_to_the_logarithmic_mean():
    N, x, y = 10**8, 0.3, 5.0
    per_layer = depth_weight(N, x ** (1 / N), y ** (1 / N)) / N
    assert per_layer == pytest.approx(logarithmic_mean(x, y), rel=1e-7)
