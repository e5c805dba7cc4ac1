import functools
import itertools
import random
from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.formulas.deep_linear.flow import (
    above,
    below,
    directional_derivative,
    has_matrix_gradient_at,
    layer_flow,
    layers_balanced,
    sandwich_clm,
)
from spectral_rank.formulas.deep_linear.metric import end_to_end
from spectral_rank.formulas.domain import DomainError
from spectral_rank.theorems.deep_linear.networks import balanced_network
from spectral_rank.theorems.rational_matrices import rational_array

W = np.array([[[1.0, 2.0], [0.0, 1.0]], [[0.0, -1.0], [3.0, 1.0]], [[2.0, 0.0], [1.0, 1.0]]])
G = np.array([[1.0, -1.0], [2.0, 0.0]])
KINDS = {
    "int": int,
    "Fraction": Fraction,
    "mpmath": mpmath.mpf,
    "ball": flint.arb,
    "sympy": sympy.Integer,
}
BAD_MATRICES = [
    np.ones((2, 3)),
    np.ones(2),
    np.array([[np.nan, 0], [0, 1]]),
    np.array([[np.inf, 0], [0, 1]]),
    np.array([["a", "b"], ["c", "d"]]),
    [[1.0, 0.0], [0.0, 1.0]],
    None,
]
BAD_LAYERS = [[], None, 2.0, "layers", [np.ones((2, 3))], [np.eye(2), np.eye(3)], [np.eye(2), 1.0]]
CHAIN_FUNCTIONS = {
    "above": lambda layers: above(layers, 0),
    "below": lambda layers: below(layers, 0),
    "layer_flow": lambda layers: layer_flow(layers, G),
    "layers_balanced": layers_balanced,
}


def converted(A, kind):
    return np.frompyfunc(lambda x: KINDS[kind](int(x)), 1, 1)(A)


def quartic(X):
    return np.sum(X**4) / 4 + np.sum(G * X)


def quartic_gradient(X):
    return X**3 + G


def test_products_above_and_below():
    assert above(W, 0).tolist() == (W[2] @ W[1]).tolist()
    assert above(W, 1).tolist() == W[2].tolist()
    assert below(W, 1).tolist() == W[0].tolist()
    assert below(W, 2).tolist() == (W[1] @ W[0]).tolist()
    assert below(W, 3).tolist() == end_to_end(W).tolist()
    for identity in (above(W, 2), above(W, 7), below(W, 0)):
        assert identity.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("k", range(3))
def test_a_layer_joins_the_layers_above_and_below(k):
    assert np.allclose(above(W, k) @ W[k] @ below(W, k), end_to_end(W), rtol=1e-14)


def test_layer_flow_is_its_definition():
    expected = [-(above(W, k).T @ G @ below(W, k).T) for k in range(3)]
    assert np.allclose(layer_flow(W, G), expected, rtol=1e-14)
    assert layer_flow([G], W[0]).tolist() == [(-W[0]).tolist()]


def test_layer_flow_is_what_autograd_finds():
    layers = [torch.tensor(layer, requires_grad=True) for layer in W]
    whole = functools.reduce(lambda lower, layer: layer @ lower, layers)
    slopes = torch.autograd.grad(torch.sin(whole).sum(), layers)
    assert np.allclose(layer_flow(W, np.cos(end_to_end(W))), [-g.numpy() for g in slopes])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_number(kind):
    layers, gradient = converted(W, kind), converted(G, kind)
    for found, expected in (
        (above(layers, 0), above(W, 0)),
        (below(layers, 2), below(W, 2)),
        (layer_flow(layers, gradient), layer_flow(W, G)),
        (sandwich_clm(layers[0], layers[1], gradient), sandwich_clm(W[0], W[1], G)),
    ):
        assert isinstance(found.flat[0], KINDS[kind])
        assert found.astype(float).tolist() == expected.tolist()


@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(2, 6))
@settings(deadline=None, max_examples=30)
def test_balanced_layers(seed, size, depth):
    layers = balanced_network(random.Random(seed), size, depth)["W"]
    assert layers_balanced(layers)
    gaps = [u.T @ u - w @ w.T for w, u in itertools.pairwise([layers[0] + 1, *layers[1:]])]
    assert layers_balanced([layers[0] + 1, *layers[1:]]) == (not np.any(gaps))


def test_balance_of_rounded_numbers():
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    layers = [0.1 * turn @ turn, 0.1 * turn]
    assert layers_balanced(layers, atol=1e-15)
    assert not layers_balanced([layers[0], 0.2 * turn], atol=1e-3)
    assert layers_balanced([W[0]])
    wide = np.array([[flint.arb(1, 0.5)]])
    assert not layers_balanced([wide, wide])
    assert layers_balanced([wide, wide], atol=4.0)
    exact = np.array([[flint.arb(2)]])
    assert layers_balanced([exact, -exact])


@pytest.mark.parametrize("kind", ["Fraction", "mpmath"])
def test_gradients_of_polynomials(kind):
    one = KINDS[kind](1)
    X, gradient = converted(W[0], kind), converted(quartic_gradient(W[0]), kind)

    def loss(Y):
        return np.sum(Y**4) * one / 4 + np.sum(converted(G, kind) * Y)

    with mpmath.workdps(40):
        assert has_matrix_gradient_at(loss, gradient, X)
        gradient[1, 0] += one / 10**9
        assert not has_matrix_gradient_at(loss, gradient, X)


def test_gradients_in_floats_and_symbols():
    assert has_matrix_gradient_at(quartic, quartic_gradient(W[1]), W[1])
    assert not has_matrix_gradient_at(quartic, quartic_gradient(W[1]) + 1e-5, W[1])
    smooth = np.sum(np.log(np.cosh(W[1] - G)))
    assert np.isfinite(smooth)
    assert has_matrix_gradient_at(lambda X: np.sum(np.log(np.cosh(X - G))), np.tanh(W[1] - G), W[1])
    X = np.array(sympy.symbols("x:2:2", real=True), dtype=object).reshape(2, 2)
    determinant = lambda Y: Y[0, 0] * Y[1, 1] - Y[0, 1] * Y[1, 0]  # noqa: E731
    cofactors = np.array([[X[1, 1], -X[1, 0]], [-X[0, 1], X[0, 0]]], dtype=object)
    assert has_matrix_gradient_at(determinant, cofactors, X)
    assert not has_matrix_gradient_at(determinant, cofactors.T, X)


def test_directional_derivative_is_exact_for_polynomials():
    X, H = rational_array([["1/3", "-2"]]), rational_array([["5/7", "1/2"]])
    slope = directional_derivative(lambda Y: np.sum(Y**4), X, H)
    assert slope == np.sum(4 * X**3 * H)
    assert isinstance(slope, Fraction)
    assert directional_derivative(lambda Y: np.sum(Y**4), X, 0 * H) == 0


def test_exact_entries_need_a_polynomial_of_degree_four():
    with pytest.raises(DomainError, match="degree at most 4"):
        directional_derivative(lambda Y: Y[0, 0] ** 5, rational_array([[2]]), rational_array([[1]]))


def test_loss_must_be_finite_and_a_number():
    for loss in (lambda X: np.nan, lambda X: X, lambda X: 1j, lambda X: None):
        with pytest.raises(DomainError, match="loss = "):
            has_matrix_gradient_at(loss, G, G)


def test_balls_have_no_difference_quotient():
    with pytest.raises(DomainError, match="X = "):
        directional_derivative(np.sum, converted(G, "ball"), G)


@pytest.mark.parametrize("function", CHAIN_FUNCTIONS)
@pytest.mark.parametrize("bad", BAD_LAYERS, ids=str)
def test_bad_layers(function, bad):
    with pytest.raises(DomainError, match="W = "):
        CHAIN_FUNCTIONS[function](bad)


@pytest.mark.parametrize("k", [-1, 1.0, True, None, "0"])
def test_bad_layer_index(k):
    for product in (above, below):
        with pytest.raises(DomainError, match="k = "):
            product(W, k)


def test_no_layer_below_the_end():
    with pytest.raises(DomainError, match="k = 4"):
        below(W, 4)


@pytest.mark.parametrize("bad", [*BAD_MATRICES, np.eye(3)], ids=str)
def test_bad_matrices(bad):
    with pytest.raises(DomainError, match="G = "):
        layer_flow(W, bad)
    with pytest.raises(DomainError, match="G = "):
        has_matrix_gradient_at(quartic, bad, G)
    with pytest.raises(DomainError, match="H = "):
        directional_derivative(quartic, G, bad)
    for place, name in enumerate("ABX"):
        arguments = [G, G, G]
        arguments[place] = bad
        if place or not isinstance(bad, np.ndarray) or bad.shape != (3, 3):
            with pytest.raises(DomainError, match=f"{name} = "):
                sandwich_clm(*arguments)


@pytest.mark.parametrize("bad", BAD_MATRICES[1:], ids=str)
def test_bad_point(bad):
    with pytest.raises(DomainError, match="X = "):
        has_matrix_gradient_at(quartic, G, bad)


@pytest.mark.parametrize("atol", [-1.0, np.nan, np.inf, "1", None])
def test_bad_tolerance(atol):
    with pytest.raises(DomainError, match="atol = "):
        layers_balanced(W, atol=atol)


def test_balance_of_symbols_is_refused():
    with pytest.raises(DomainError, match="W = "):
        layers_balanced([np.array([[sympy.Symbol("w")]])])


def test_overflow_is_refused():
    huge = [np.full((2, 2), 1e200)] * 2
    with pytest.raises(DomainError, match="W = "):
        below(huge, 2)
    with pytest.raises(DomainError, match="W = "):
        layer_flow(huge, 1e200 * G)
    with pytest.raises(DomainError, match="X = "):
        sandwich_clm(huge[0], huge[1], G)
