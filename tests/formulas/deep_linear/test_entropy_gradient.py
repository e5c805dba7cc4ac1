import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.formulas.deep_linear.entropy import entropy
from spectral_rank.formulas.deep_linear.entropy_gradient import (
    entropy_gradient,
    entropy_matrix_gradient,
)
from spectral_rank.formulas.domain import DomainError


@pytest.mark.parametrize("N", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    "sigma", [[2.0, 0.5], [1.0, 1.0, 3.0], [1.0, 1.0 + 1e-9, 1e-3], [1e4, 1.0, 0.99, 1e-4]]
)
def test_against_differentiation_in_fifty_digits(N, sigma):
    gradient = entropy_gradient(N, sigma)
    with mpmath.workdps(50):
        for i, found in enumerate(gradient):

            def along(x, i=i):
                return entropy(N, [x if k == i else mpmath.mpf(s) for k, s in enumerate(sigma)])

            step = mpmath.mpf(sigma[i]) * mpmath.mpf(10) ** -15
            expected = (along(sigma[i] + step) - along(sigma[i] - step)) / (2 * step)
            assert found == pytest.approx(float(expected), rel=1e-11, abs=1e-12)


@pytest.mark.parametrize("N", [2, 5])
def test_matrix_gradient_against_difference_quotients(N):
    W = np.random.default_rng(0).standard_normal((4, 4))
    gradient = entropy_matrix_gradient(N, W)

    def value(X):
        return entropy(N, np.linalg.svd(X, compute_uv=False))

    for place in np.ndindex(4, 4):
        unit = np.zeros((4, 4))
        unit[place] = 1e-5
        quotient = (value(W + unit) - value(W - unit)) / 2e-5
        assert gradient[place] == pytest.approx(quotient, rel=1e-6, abs=1e-6)


@given(
    st.integers(1, 10**6),
    st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=8),
)
@settings(max_examples=100, deadline=None)
def test_homogeneity_and_order(N, sigma):
    gradient = entropy_gradient(N, sigma)
    d = len(sigma)
    expected = (N - 1) / N * d * (d - 1) / 2
    assert float(gradient @ sigma) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert np.all(gradient >= -1e-12 / np.min(sigma))


def test_two_layers_by_hand():
    # At depth 2 the weight of a pair is the sum of its strengths.
    np.testing.assert_allclose(entropy_gradient(2, [3, 1]), [0.5 / 4, 0.5 / 4])
    np.testing.assert_allclose(entropy_gradient(2, [Fraction(1, 2)]), [0.0])


@pytest.mark.parametrize(
    ("N", "sigma", "name"),
    [
        (0, [1.0], "N"),
        (2, [0.0, 1.0], "sigma"),
        (2, [mpmath.mpf(1)], "sigma"),
        (2, [math.inf], "sigma"),
        (10**6, [1e-320, 1.0], "sigma"),
        (2, 1.0, "sigma"),
    ],
)
def test_refuses(N, sigma, name):
    with pytest.raises(DomainError) as error:
        entropy_gradient(N, sigma)
    assert error.value.argument == name


@pytest.mark.parametrize("W", [np.zeros((2, 2)), np.ones((2, 3)), np.array([[1]]), [[1.0]]])
def test_matrix_gradient_refuses(W):
    with pytest.raises(DomainError, match="W must be"):
        entropy_matrix_gradient(2, W)
