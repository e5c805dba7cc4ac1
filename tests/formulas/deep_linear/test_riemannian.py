import math
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.stats import ortho_group

from spectral_rank.formulas.deep_linear.depth_operator import depth_operator
from spectral_rank.formulas.deep_linear.flow import layer_flow
from spectral_rank.formulas.deep_linear.metric import depth_weight, end_to_end
from spectral_rank.formulas.deep_linear.riemannian import (
    euclidean_gradient,
    gram_roots,
    metric_weights,
    riemannian_gradient,
    riemannian_inner,
)
from spectral_rank.formulas.domain import DomainError


def random(*shape, seed):
    return np.random.default_rng(seed).standard_normal(shape)


def balanced_layers(N, sigma, seed):
    bases = ortho_group.rvs(len(sigma), size=N + 1, random_state=seed)
    return [(bases[k + 1] * np.array(sigma) ** (1 / N)) @ bases[k].T for k in range(N)]


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_the_operator_of_lean_at_the_gram_roots(N, n, seed):
    W, G = random(n, n, seed=seed), random(n, n, seed=seed + 1)
    P, Q = gram_roots(N, W)
    np.testing.assert_allclose(np.linalg.matrix_power(P, N), W @ W.T, atol=1e-9 * np.sum(W**2))
    expected = depth_operator(N, P, Q, G)
    found = riemannian_gradient(N, W, G)
    np.testing.assert_allclose(found, expected, atol=1e-9 * np.abs(expected).max())


@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 4), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_rectangular_matrices_by_the_sum(N, n, m, seed):
    W, G = random(n, m, seed=seed), random(n, m, seed=seed + 1)
    P, Q = gram_roots(N, W)
    powers = np.linalg.matrix_power
    expected = sum(powers(P, N - 1 - k) @ G @ powers(Q, k) for k in range(N))
    np.testing.assert_allclose(riemannian_gradient(N, W, G), expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("N", [1, 2, 3, 16])
def test_the_velocity_of_balanced_layers(N):
    layers, G = balanced_layers(N, [2.0, 1.0, 1.0, 0.1], seed=N), random(4, 4, seed=0)
    W, step = end_to_end(layers), 1e-6
    velocities = layer_flow(layers, G)
    ends = [
        reduce(lambda a, b: b @ a, [X + h * V for X, V in zip(layers, velocities, strict=True)])
        for h in (step, -step)
    ]
    quotient = (ends[0] - ends[1]) / (2 * step)
    expected = -riemannian_gradient(N, W, G)
    np.testing.assert_allclose(quotient, expected, atol=1e-7 * np.abs(expected).max())


@given(st.sampled_from([1, 2, 3, 10, 1000, math.inf]), st.integers(1, 5), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_the_metric_is_the_inverse_and_an_inner_product(N, n, seed):
    W = ortho_group.rvs(n, random_state=seed) if n > 1 else np.ones((1, 1))
    W = W * np.linspace(0.5, 2, n)
    X, Y, G = (random(n, n, seed=seed + k) for k in range(3))
    np.testing.assert_allclose(
        euclidean_gradient(N, W, riemannian_gradient(N, W, G)), G, rtol=1e-9, atol=1e-9
    )
    assert riemannian_inner(N, W, X, X) > 0
    assert riemannian_inner(N, W, X, Y) == pytest.approx(
        riemannian_inner(N, W, Y, X), rel=1e-9, abs=1e-9
    )
    # The defining property of a gradient: its inner product with X is the directional derivative.
    gradient = riemannian_gradient(N, W, G)
    assert riemannian_inner(N, W, gradient, X) == pytest.approx(np.sum(G * X), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("N", [1, 2, 3, 16])
def test_flow_of_the_layers_is_riemannian_gradient_flow(N):
    layers, target = np.array(balanced_layers(N, [1.5, 1.0, 0.4], seed=3)), random(3, 3, seed=9)
    shape, W = layers.shape, end_to_end(list(layers))

    def of_layers(_, state):
        chain = list(state.reshape(shape))
        return layer_flow(chain, end_to_end(chain) - target).ravel() / N

    def of_the_product(_, state):
        X = state.reshape(3, 3)
        return -riemannian_gradient(N, X, X - target).ravel() / N

    options = {"method": "DOP853", "rtol": 1e-11, "atol": 1e-12}
    end = solve_ivp(of_layers, (0, 1), layers.ravel(), **options).y[:, -1].reshape(shape)
    expected = solve_ivp(of_the_product, (0, 1), W.ravel(), **options).y[:, -1].reshape(3, 3)
    np.testing.assert_allclose(end_to_end(list(end)), expected, atol=1e-9)


def test_infinite_depth_is_the_limit_per_layer_at_rate_one_over_the_depth():
    W, G = random(4, 4, seed=1), random(4, 4, seed=2)
    limit = riemannian_gradient(math.inf, W, G)
    errors = [
        np.linalg.norm(riemannian_gradient(N, W, G) / N - limit) / np.linalg.norm(limit)
        for N in (100, 1000, 10000)
    ]
    assert errors[1] / errors[0] == pytest.approx(0.1, rel=0.05)
    assert errors[2] / errors[1] == pytest.approx(0.1, rel=0.05)


def test_weights_of_singular_matrices():
    W = np.diag([4.0, 1.0, 0.0])[:, :2]
    expected = [[depth_weight(2, a, b) for b in (4.0, 1.0)] for a in (4.0, 1.0, 0.0)]
    np.testing.assert_allclose(metric_weights(2, W), expected)
    np.testing.assert_allclose(metric_weights(1, W), np.ones((3, 2)))
    limit = metric_weights(math.inf, W)
    np.testing.assert_allclose(np.diag(limit), [16, 1])
    np.testing.assert_array_equal(limit[2], [0, 0])
    np.testing.assert_array_equal(metric_weights(math.inf, np.zeros((2, 2))), np.zeros((2, 2)))


@pytest.mark.parametrize("N", [2, 5, math.inf])
def test_no_metric_where_a_weight_is_zero(N):
    with pytest.raises(DomainError, match="W must be"):
        euclidean_gradient(N, np.diag([1.0, 0.0, 0.0]), np.eye(3))
    np.testing.assert_allclose(euclidean_gradient(1, np.zeros((3, 3)), np.eye(3)), np.eye(3))


@pytest.mark.parametrize(
    ("N", "W", "G", "name"),
    [
        (0, np.eye(2), np.eye(2), "N"),
        (1.5, np.eye(2), np.eye(2), "N"),
        (math.nan, np.eye(2), np.eye(2), "N"),
        (-math.inf, np.eye(2), np.eye(2), "N"),
        (2, np.eye(2), np.eye(3), "G"),
        (2, [[1.0]], np.eye(1), "W"),
        (2, np.array([[1]]), np.eye(1), "W"),
        (2, np.array([[np.nan]]), np.eye(1), "W"),
        (2, np.array([[1e300]]), np.array([[1e300]]), "G"),
    ],
)
def test_refuses(N, W, G, name):
    with pytest.raises(DomainError) as error:
        riemannian_gradient(N, W, G)
    assert error.value.argument == name
