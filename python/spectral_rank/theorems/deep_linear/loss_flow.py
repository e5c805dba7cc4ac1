"""Checks of ``lean/SpectralRank/DeepLinear/LossFlow.lean``: the loss along the flow of the layers.

The exact checks use the loss ``|X - T|^2 / 2 + c sum X_ij^4 / 4``: five-point difference quotients
differentiate a polynomial of degree 4 exactly, so gradients are found without a formula for them.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial

import flint
import numpy as np

from spectral_rank.formulas.deep_linear.depth_operator import depth_operator
from spectral_rank.formulas.deep_linear.flow import (
    Layers,
    Loss,
    above,
    below,
    directional_derivative,
    has_matrix_gradient_at,
    layer_flow,
)
from spectral_rank.formulas.deep_linear.metric import end_to_end
from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.elementary import power
from spectral_rank.formulas.matrix import NumberArray
from spectral_rank.theorems.claim import Relation, eq, holds, iff, le, lt
from spectral_rank.theorems.deep_linear.networks import (
    ARORA,
    BAH,
    BALANCED,
    FLOW,
    SERIES_ORDER,
    as_series,
    balanced_network,
    by_autograd,
    exact_checks,
    float_balanced_network,
    float_network,
    integrated_flow,
    log_cosh_loss,
    product_velocity,
    random_layers,
    series_flow,
    stretched,
    taylor,
)
from spectral_rank.theorems.rational_matrices import (
    random_matrix,
    random_orthonormal,
    random_values,
    rational_zeros,
)
from spectral_rank.theorems.theorem import Certified, Mutant, Numerical, Point, Theorem

GRADIENT = r"E \text{ differentiable at } W = W_{N-1} \cdots W_0 \text{ with gradient } G"


def quartic_loss(T: NumberArray, c: Number) -> Loss:
    """The loss of the exact checks: convex for ``c >= 0``, with saddles for ``c < 0``."""
    return lambda X: np.sum((X - T) ** 2) / Fraction(2) + c * np.sum(X**4) / Fraction(4)


def quartic_gradient(X: NumberArray, T: NumberArray, c: Number) -> NumberArray:
    gradient: NumberArray = X - T + c * X**3
    return gradient


def loss_of_layer(loss: Loss, W: Layers, k: int) -> Loss:
    """The loss as a function of layer ``k``, the others fixed."""
    return lambda X: loss(end_to_end([*W[:k], X, *W[k + 1 :]]))


def layer_gradient(
    W: Layers,
    k: int,
    T: NumberArray,
    c: Number,
    *,
    transposed: bool = True,
    exchanged: bool = False,
) -> Iterator[Relation]:
    loss, whole = quartic_loss(T, c), end_to_end(W)
    G = quartic_gradient(whole, T, c)
    yield holds(has_matrix_gradient_at(loss, G, whole), f"{G} is the gradient at {whole}")
    upper, lower = above(W, k), below(W, k)
    if transposed:
        upper, lower = upper.T, lower.T
    slope = lower @ G @ upper if exchanged else upper @ G @ lower
    found = has_matrix_gradient_at(loss_of_layer(loss, W, k), slope, W[k])
    yield holds(found, f"{slope} is the gradient in layer {k} at {W[k]}")


def layer_gradient_by_autograd(W: Layers, T: NumberArray) -> Iterator[Relation]:
    velocities, G = by_autograd(W, T)
    for k, velocity in enumerate(velocities):
        yield eq(above(W, k).T @ G @ below(W, k).T, -velocity, f"gradient in layer {k}")


def layer_flow_by_autograd(W: Layers, T: NumberArray) -> Iterator[Relation]:
    velocities, G = by_autograd(W, T)
    yield eq(layer_flow(W, G), velocities)


def layer_flow_iff_gradient(
    W: Layers,
    k: int,
    T: NumberArray,
    c: Number,
    offset: NumberArray,
    *,
    sign: int = 1,
    watched: Sequence[int] | None = None,
) -> Iterator[Relation]:
    """Layers with the velocities of gradient flow, but for an offset in layer ``k``.

    A gradient is unique, so the one that the theorem asks for is minus the velocity.
    """
    loss = quartic_loss(T, c)
    flow = layer_flow(W, quartic_gradient(end_to_end(W), T, c))
    velocities = [v + offset if j == k else v for j, v in enumerate(flow)]
    gradients = all(
        has_matrix_gradient_at(loss_of_layer(loss, W, j), -sign * velocities[j], W[j])
        for j in (range(len(W)) if watched is None else watched)
    )
    yield iff(
        eq(np.stack(velocities), flow, "velocities of the flow"),
        holds(gradients, f"minus gradients in the layers: {velocities}"),
    )


def loss_has_deriv(
    W: Layers, T: NumberArray, c: Number, *, extra_depth: int = 0, stretch: int = 1
) -> Iterator[Relation]:
    W = stretched(W, stretch)
    G = quartic_gradient(end_to_end(W), T, c)
    yield eq(_slope_of_loss(W, T, c), -_form(W, G, extra_depth))


def loss_has_deriv_by_autograd(W: Layers, T: NumberArray) -> Iterator[Relation]:
    """Autograd gives the slope of the loss along its own flow: minus the squared gradients."""
    velocities, G = by_autograd(W, T)
    yield eq(-np.sum(velocities**2), -_form(W, G))


def loss_deriv_nonpos(
    W: Layers, G: NumberArray, *, gram: bool = True, strict: bool = False
) -> Iterator[Relation]:
    if gram:
        slope = -_form(W, G)
    else:
        P, Q = W[-1] + W[-1].T, W[0].T + W[0]
        slope = -np.sum(G * depth_operator(len(W), P, Q, G))
    yield lt(slope, 0) if strict else le(slope, 0)


def loss_has_deriv_layers(
    W: Layers, T: NumberArray, c: Number, *, left_out: int = 0, transposed: bool = True
) -> Iterator[Relation]:
    G = quartic_gradient(end_to_end(W), T, c)
    squares = _squared_gradients(W, G, transposed)
    yield eq(_slope_of_loss(W, T, c), -sum(squares[: len(W) - left_out], Fraction(0)))


def loss_has_deriv_layers_by_autograd(W: Layers, T: NumberArray) -> Iterator[Relation]:
    velocities, G = by_autograd(W, T)
    yield eq(-np.sum(velocities**2), -sum(_squared_gradients(W, G)))


def loss_antitone_on(
    W: Layers, C: NumberArray, times: tuple[Number, Number], *, sign: int = 1, strict: bool = False
) -> Iterator[Relation]:
    """The linear loss ``sum C_ij X_ij``, along its exact flow for one or two layers."""
    early, late = (np.sum(C * end_to_end(linear_loss_flow(W, C, sign * t))) for t in times)
    yield lt(late, early) if strict else le(late, early)


def linear_loss_flow(W: Layers, C: NumberArray, t: Number) -> list[NumberArray]:
    """One layer moves at the speed ``-C``; two layers are rotated by a hyperbolic rotation.

    For two layers ``R = [W_0, W_1^T]`` solves the linear equation ``R' = -R M`` with the symmetric
    matrix ``M = [[0, C^T], [C, 0]]``.
    """
    if len(W) == 1:
        return [W[0] - t * C]
    size = len(C)
    generator = flint.arb_mat(2 * size, 2 * size, list((-t * _boost_generator(C)).flat))
    rotation = np.array(generator.exp().entries(), dtype=object).reshape(2 * size, 2 * size)
    state = np.hstack([W[0], W[1].T]) @ rotation
    return [state[:, :size], state[:, size:].T]


def linear_loss_flow_has_these_series(W: Layers, C: NumberArray) -> Iterator[Relation]:
    """The Taylor coefficients ``R (-M)^j / j!`` of the rotation are those of the flow."""
    lower, upper = (taylor(layer) for layer in series_flow(W, as_series(C)))
    term = np.hstack([W[0], W[1].T])
    for j in range(SERIES_ORDER + 1):
        yield eq(np.hstack([lower[j], upper[j].T]), term, f"coefficient of t^{j}")
        term = term @ -_boost_generator(C) / Fraction(j + 1)


def loss_antitone_on_modes(
    bases: tuple[NumberArray, ...], start: NumberArray, c: NumberArray, times: tuple[Number, Number]
) -> Iterator[Relation]:
    """Three and more layers in singular bases that stay: each mode solves ``u' = -c u^(N-1)``."""
    N = len(bases) - 1
    C = (bases[-1] * c) @ bases[0].T

    def layers(modes: NumberArray) -> list[NumberArray]:
        return [(upper * modes) @ lower.T for lower, upper in itertools.pairwise(bases)]

    losses = []
    for t in times:
        powers = [power(u, 2 - N) + (N - 2) * slope * t for u, slope in zip(start, c, strict=True)]
        modes = np.array([power(x, Fraction(-1, N - 2)) for x in powers], dtype=object)
        speeds = -c * np.array([power(x, Fraction(1 - N, N - 2)) for x in powers], dtype=object)
        yield eq(layer_flow(layers(modes), C), np.stack(layers(speeds)), "velocities")
        losses.append(np.sum(C * end_to_end(layers(modes))))
    yield le(losses[1], losses[0], "loss")


def integrated_loss_falls(W: Layers, T: NumberArray) -> Iterator[Relation]:
    """The log-cosh loss along an integrated flow, from Gaussian layers."""
    flow = integrated_flow(W, T, [0.1 * k for k in range(1, 31)])
    losses = [log_cosh_loss(end_to_end(layers), T) for layers in [W, *flow]]
    yield le(np.array(losses[1:]), np.array(losses[:-1]))


def _slope_of_loss(W: Layers, T: NumberArray, c: Number) -> Number:
    """The derivative of the loss in the direction in which the flow moves the end-to-end matrix."""
    whole = end_to_end(W)
    velocity = product_velocity(W, layer_flow(W, quartic_gradient(whole, T, c)))
    return directional_derivative(quartic_loss(T, c), whole, velocity)


def _form(W: Layers, G: NumberArray, extra_depth: int = 0) -> Number:
    """The quadratic form of the depth operator at the gradient."""
    P, Q = W[-1] @ W[-1].T, W[0].T @ W[0]
    return np.sum(G * depth_operator(len(W) + extra_depth, P, Q, G))


def _squared_gradients(W: Layers, G: NumberArray, transposed: bool = True) -> list[Number]:
    products = [(above(W, k), below(W, k)) for k in range(len(W))]
    if transposed:
        products = [(upper.T, lower.T) for upper, lower in products]
    return [np.sum((upper @ G @ lower) ** 2) for upper, lower in products]


def _boost_generator(C: NumberArray) -> NumberArray:
    return np.block([[0 * C, C.T], [C, 0 * C]])


def _loss(rng: random.Random, size: int) -> Point:
    return {"T": random_matrix(rng, size, size), "c": Fraction(rng.randint(-4, 8), 4)}


def _any_network(rng: random.Random, size: int, depth: int) -> Point:
    return {"W": random_layers(rng, size, depth), **_loss(rng, size)}


def _balanced_network(rng: random.Random, size: int, depth: int) -> Point:
    return {"W": balanced_network(rng, size, depth)["W"], **_loss(rng, size)}


def _chosen_layer(rng: random.Random, size: int, depth: int) -> Point:
    return {**_any_network(rng, size, depth), "k": rng.randrange(depth)}


def _velocities(rng: random.Random, size: int, depth: int) -> Point:
    """In half of the cases the velocities of the flow, else wrong in one entry of one layer."""
    offset = rational_zeros(size, size)
    offset.flat[:1] = rng.choice((Fraction(0), Fraction(1, 1000)))
    return {**_chosen_layer(rng, size, depth), "offset": offset}


def _gradient(rng: random.Random, size: int, depth: int) -> Point:
    return {"W": random_layers(rng, size, depth), "G": random_matrix(rng, size, size)}


def _linear(rng: random.Random, size: int, depth: int) -> Point:
    first, second = sorted(rng.sample(range(-8, 9), 2))
    return {
        "W": random_layers(rng, size, depth),
        "C": random_matrix(rng, size, size),
        "times": (Fraction(first, 4), Fraction(second, 4)),
    }


def _linear_pair(rng: random.Random, size: int, depth: int) -> Point:
    return {"W": random_layers(rng, size, depth), "C": random_matrix(rng, size, size)}


def _modes(rng: random.Random, size: int, depth: int) -> Point:
    return {
        "bases": tuple(random_orthonormal(rng, size, size) for _ in range(depth + 1)),
        "start": 1 + abs(random_values(rng, size)),
        "c": abs(random_values(rng, size)),
        "times": (Fraction(rng.randint(0, 3), 4), Fraction(1)),
    }


_SHALLOW = (1, 2, 3, 4)
_FLOAT_DEPTHS = (1, 2, 3, 8)
_FLOAT_BALANCED = tuple(float_balanced_network(1, 4, depth) for depth in _FLOAT_DEPTHS)
_FLOAT_NETWORKS = tuple(float_network(1, 4, depth) for depth in _FLOAT_DEPTHS)

THEOREMS = (
    Theorem(
        name="layer_gradient",
        statement=r"\nabla_{W_k} E(W) = A_k^\top G\, B_k^\top, \qquad "
        r"A_k = W_{N-1} \cdots W_{k+1},\ B_k = W_{k-1} \cdots W_0",
        domain=GRADIENT + r",\ k < N",
        claim=layer_gradient,
        checks=(
            *exact_checks(_chosen_layer, _SHALLOW, largest=2, trials=2),
            Numerical(_FLOAT_NETWORKS, claim=layer_gradient_by_autograd),
        ),
        mutants=(
            Mutant("without the transposes", partial(layer_gradient, transposed=False)),
            Mutant("the layers above and below exchanged", partial(layer_gradient, exchanged=True)),
        ),
        references=(ARORA,),
    ),
    Theorem(
        name="layerFlow_iff_gradient",
        statement=r"\big(\dot W_k = -A_k^\top G\, B_k^\top \text{ for all } k < N\big) \iff "
        r"\big(\dot W_k = -\nabla_{W_k} E(W) \text{ for all } k < N\big)",
        domain=GRADIENT + r" \text{ at all times}",
        claim=layer_flow_iff_gradient,
        checks=(
            *exact_checks(_velocities, _SHALLOW, largest=2, trials=2),
            Numerical(_FLOAT_NETWORKS, claim=layer_flow_by_autograd),
        ),
        mutants=(
            Mutant("gradient ascent", partial(layer_flow_iff_gradient, sign=-1)),
            Mutant("the first layer only", partial(layer_flow_iff_gradient, watched=(0,))),
        ),
        references=(ARORA,),
    ),
    Theorem(
        name="loss_hasDeriv",
        statement=r"\tfrac{d}{dt} E(W) = "
        r"-\Big\langle G, \sum_{k=0}^{N-1} P^{N-1-k} G\, Q^k \Big\rangle, \qquad "
        r"P = W_{N-1} W_{N-1}^\top,\ Q = W_0^\top W_0",
        domain=GRADIENT + r";\ " + FLOW + r";\ " + BALANCED,
        claim=loss_has_deriv,
        checks=(
            *exact_checks(_balanced_network),
            Numerical(_FLOAT_BALANCED, claim=loss_has_deriv_by_autograd),
        ),
        mutants=(
            Mutant("the operator of depth N + 1", partial(loss_has_deriv, extra_depth=1)),
            Mutant("unbalanced layers", partial(loss_has_deriv, stretch=2)),
        ),
        references=(BAH,),
    ),
    Theorem(
        name="loss_deriv_nonpos",
        statement=r"-\Big\langle G, \sum_{k=0}^{N-1} P^{N-1-k} G\, Q^k \Big\rangle \le 0, \qquad "
        r"P = W_{N-1} W_{N-1}^\top,\ Q = W_0^\top W_0",
        domain=r"W_0, W_{N-1}, G \in \mathbb{R}^{n \times n}",
        claim=loss_deriv_nonpos,
        checks=exact_checks(_gradient),
        mutants=(
            Mutant("symmetric parts for Gram matrices", partial(loss_deriv_nonpos, gram=False)),
            Mutant("strictly negative", partial(loss_deriv_nonpos, strict=True)),
        ),
        references=(BAH,),
    ),
    Theorem(
        name="loss_hasDeriv_layers",
        statement=r"\tfrac{d}{dt} E(W) = "
        r"-\sum_{k=0}^{N-1} \lVert A_k^\top G\, B_k^\top \rVert_F^2",
        domain=GRADIENT + r";\ " + FLOW,
        claim=loss_has_deriv_layers,
        checks=(
            *exact_checks(_any_network),
            Numerical(_FLOAT_NETWORKS, claim=loss_has_deriv_layers_by_autograd),
        ),
        mutants=(
            Mutant("a sum without the last layer", partial(loss_has_deriv_layers, left_out=1)),
            Mutant("without the transposes", partial(loss_has_deriv_layers, transposed=False)),
        ),
        references=(ARORA, BAH),
    ),
    Theorem(
        name="loss_antitoneOn",
        statement=r"s \le t \implies E(W(t)) \le E(W(s))",
        domain=GRADIENT
        + r" \text{ and } "
        + FLOW
        + r",\ \text{at all times of a convex set } S;\ s, t \in S",
        claim=loss_antitone_on,
        checks=(
            *exact_checks(_linear, (1, 2), trials=3, arithmetic="ball"),
            Certified(
                exact_checks(_linear_pair, (2,), trials=2)[0].points,
                "exact",
                claim=linear_loss_flow_has_these_series,
            ),
            Certified(
                exact_checks(_modes, (3, 4, 6))[0].points, "ball", claim=loss_antitone_on_modes
            ),
            Numerical(_FLOAT_NETWORKS[1:3], claim=integrated_loss_falls),
        ),
        mutants=(
            Mutant("gradient ascent", partial(loss_antitone_on, sign=-1)),
            Mutant("strictly decreasing", partial(loss_antitone_on, strict=True)),
        ),
        references=(BAH,),
    ),
)
