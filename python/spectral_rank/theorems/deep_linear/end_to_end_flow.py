"""Checks of ``lean/SpectralRank/DeepLinear/EndToEndFlow.lean``: how the product of layers moves.

A claim about a derivative differentiates the product of the layers along ``layer_flow`` by dual
numbers.  A claim about later times takes the Taylor series of a flow, over the rationals.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from spectral_rank.formulas.deep_linear.balance import has_matrix_deriv_within_at
from spectral_rank.formulas.deep_linear.depth_operator import depth_operator
from spectral_rank.formulas.deep_linear.flow import (
    Layers,
    above,
    below,
    layer_flow,
    layers_balanced,
)
from spectral_rank.formulas.deep_linear.metric import depth_weight, end_to_end
from spectral_rank.formulas.elementary import power
from spectral_rank.formulas.matrix import NumberArray
from spectral_rank.theorems.claim import Claim, Relation, eq, holds
from spectral_rank.theorems.deep_linear.networks import (
    ARORA,
    BAH,
    BALANCED,
    DU,
    FLOW,
    SERIES_ORDER,
    as_series,
    balanced_network,
    by_autograd,
    derivative_of_series,
    exact_checks,
    float_balanced_network,
    float_network,
    integrated_flow,
    power_sum,
    product,
    product_velocity,
    random_layers,
    series_flow,
    stretched,
    taylor,
)
from spectral_rank.theorems.rational_matrices import random_matrix
from spectral_rank.theorems.theorem import Certified, Mutant, Numerical, Point, Theorem

matrix_power = np.linalg.matrix_power

DRIFT_ATOL = 1e-9
"""What a flow integrated to eleven digits per step may drift away from a conserved quantity."""


def end_to_end_has_deriv(
    W: Layers,
    G: NumberArray,
    *,
    velocities: Layers | None = None,
    left_out: int = 0,
    exchanged: bool = False,
) -> Iterator[Relation]:
    """The velocities are those of ``layer_flow`` unless autograd has found them."""
    velocity = product_velocity(W, layer_flow(W, G) if velocities is None else velocities)
    total = 0 * G
    for k in range(len(W) - left_out):
        upper, lower = above(W, k), below(W, k)
        if exchanged:
            upper, lower = upper.T, lower.T
        total = total + upper @ upper.T @ G @ lower.T @ lower
    yield eq(velocity, -total)


def layer_flow_balanced_forever(
    W: Layers, gradients: tuple[NumberArray, ...], *, rate: int = 1, stretch: int = 1
) -> Iterator[Relation]:
    W = stretched(W, stretch)
    curve = series_flow(W, as_series(*gradients), rate)
    for k, (lower, upper) in enumerate(itertools.pairwise(curve)):
        left, right = taylor(upper.T @ upper), taylor(lower @ lower.T)
        yield eq(left, right, f"Taylor coefficients of the Gram matrices of layers {k + 1} and {k}")


def series_starts_with_layer_flow(
    W: Layers, gradients: tuple[NumberArray, ...]
) -> Iterator[Relation]:
    """The series are what they are said to be: their first coefficients are those of the flow."""
    curve = series_flow(W, as_series(*gradients))
    for layer, start, velocity in zip(curve, W, layer_flow(W, gradients[0]), strict=True):
        yield eq(taylor(layer)[0], start, "start")
        yield eq(taylor(layer)[1], velocity, "velocity")


def integrated_flow_stays_balanced(W: Layers, T: NumberArray) -> Iterator[Relation]:
    for layers in integrated_flow(W, T, (0.5, 2.0, 8.0)):
        yield holds(layers_balanced(layers, atol=DRIFT_ATOL), f"balanced layers {layers}")


def above_gram(W: Layers, k: int, *, shift: int = 0, stretch: int = 1) -> Iterator[Relation]:
    W = stretched(W, stretch, len(W) - 1)
    upper, last = above(W, k), W[-1]
    exponent = max(len(W) - 1 - k, 0) + shift
    yield eq(upper @ upper.T, matrix_power(last @ last.T, exponent))


def below_gram(
    W: Layers, k: int, *, stretch: int = 1, exchanged: bool = False
) -> Iterator[Relation]:
    W = stretched(W, stretch)
    lower, first = below(W, k), W[0]
    gram = first @ first.T if exchanged else first.T @ first
    yield eq(lower.T @ lower, matrix_power(gram, k))


def end_to_end_gram(W: Layers, *, extra_depth: int = 0, stretch: int = 1) -> Iterator[Relation]:
    W = stretched(W, stretch)
    whole, last = end_to_end(W), W[-1]
    yield eq(matrix_power(last @ last.T, len(W) + extra_depth), whole @ whole.T)


def end_to_end_gram_right(
    W: Layers, *, exchanged: bool = False, stretch: int = 1
) -> Iterator[Relation]:
    W = stretched(W, stretch)
    whole, first = end_to_end(W), W[-1] if exchanged else W[0]
    yield eq(matrix_power(first.T @ first, len(W)), whole.T @ whole)


def end_to_end_flow(
    W: Layers,
    G: NumberArray,
    *,
    velocities: Layers | None = None,
    extra_depth: int = 0,
    stretch: int = 1,
) -> Iterator[Relation]:
    W = stretched(W, stretch)
    velocity = product_velocity(W, layer_flow(W, G) if velocities is None else velocities)
    yield eq(velocity, -depth_operator(len(W) + extra_depth, *_roots(W), G))


def end_to_end_flow_of_balanced_start(
    W: Layers,
    gradients: tuple[NumberArray, ...],
    *,
    extra_depth: int = 0,
    rate: int = 1,
    stretch: int = 1,
) -> Iterator[Relation]:
    """The witnesses ``A`` and ``B`` are the last and the first layer at each time."""
    W, G = stretched(W, stretch), as_series(*gradients)
    curve = series_flow(W, G, rate)
    whole, (P, Q), N = product(curve, len(G)), _roots(curve), len(W)
    yield eq(taylor(matrix_power(P, N)), taylor(whole @ whole.T), "left root")
    yield eq(taylor(matrix_power(Q, N)), taylor(whole.T @ whole), "right root")
    velocity = taylor(derivative_of_series(whole), SERIES_ORDER - 1)
    flow = taylor(-power_sum(N + extra_depth, P, Q, G), SERIES_ORDER - 1)
    yield eq(velocity, flow, "Taylor coefficients of the velocity")


def integrated_flow_of_balanced_start(W: Layers, T: NumberArray, t: float) -> Iterator[Relation]:
    """The difference quotients of an integrated flow, at a time after its balanced start."""
    layers = integrated_flow(W, T, (t,))[0]
    whole, (P, Q), N = end_to_end(layers), _roots(layers), len(W)
    yield eq(matrix_power(P, N), whole @ whole.T, "left root", atol=DRIFT_ATOL)
    yield eq(matrix_power(Q, N), whole.T @ whole, "right root", atol=DRIFT_ATOL)

    def curve(u: float) -> NumberArray:
        return end_to_end(integrated_flow(W, T, (u,))[0])

    flow = -depth_operator(N, P, Q, np.tanh(whole - T))
    yield holds(
        has_matrix_deriv_within_at(curve, flow, (t - 0.1, t + 0.1), t, 4), f"velocity {flow}"
    )


def end_to_end_flow_singular_basis(
    W: Layers,
    U: NumberArray,
    V: NumberArray,
    s: NumberArray,
    G: NumberArray,
    *,
    velocities: Layers | None = None,
    extra_depth: int = 0,
    stretch: int = 1,
    exponent: int = 2,
) -> Iterator[Relation]:
    """Stretching a layer stretches the singular values: the decomposition remains, not balance."""
    W, s, N = stretched(W, stretch), stretch * s, len(W)
    velocity = product_velocity(W, layer_flow(W, G) if velocities is None else velocities)
    roots = [power(abs(value) ** exponent, Fraction(1, N)) for value in s]
    weights = np.array([[depth_weight(N + extra_depth, a, b) for b in roots] for a in roots])
    yield eq(U.T @ velocity @ V, -weights * (U.T @ G @ V))


def _roots(W: Layers) -> tuple[NumberArray, NumberArray]:
    """The left Gram matrix of the last layer and the right Gram matrix of the first."""
    return W[-1] @ W[-1].T, W[0].T @ W[0]


def _autograd(claim: Callable[..., Iterator[Relation]]) -> Claim:
    """The claim at the velocities and the gradient that autograd finds for the log-cosh loss."""

    def at_target(W: Layers, T: NumberArray, **others: Any) -> Iterator[Relation]:
        velocities, gradient = by_autograd(W, T)
        yield from claim(W=W, G=gradient, velocities=velocities, **others)

    return at_target


def _unbalanced(rng: random.Random, size: int, depth: int) -> Point:
    return {"W": random_layers(rng, size, depth), "G": random_matrix(rng, size, size)}


def _balanced(rng: random.Random, size: int, depth: int) -> Point:
    return {"W": balanced_network(rng, size, depth)["W"], "G": random_matrix(rng, size, size)}


def _decomposed(rng: random.Random, size: int, depth: int) -> Point:
    return {**balanced_network(rng, size, depth), "G": random_matrix(rng, size, size)}


def _started(rng: random.Random, size: int, depth: int) -> Point:
    """A balanced start and a gradient that changes with the time."""
    gradients = tuple(random_matrix(rng, size, size) for _ in range(2))
    return {"W": balanced_network(rng, size, depth)["W"], "gradients": gradients}


def _layers(rng: random.Random, size: int, depth: int) -> Point:
    return {"W": balanced_network(rng, size, depth)["W"]}


def _above(rng: random.Random, size: int, depth: int) -> Point:
    return {**_layers(rng, size, depth), "k": rng.randint(0, depth + 1)}


def _below(rng: random.Random, size: int, depth: int) -> Point:
    return {**_layers(rng, size, depth), "k": rng.randint(0, depth)}


def _float_decomposed(size: int, depth: int) -> Point:
    point = float_balanced_network(0, size, depth)
    U, s, rows = np.linalg.svd(end_to_end(point["W"]))
    return {**point, "U": U, "V": rows.T, "s": s}


_FLOAT_DEPTHS = (1, 2, 3, 8)
_FLOAT_BALANCED = tuple(float_balanced_network(0, 4, depth) for depth in _FLOAT_DEPTHS)
_SERIES = exact_checks(_started, (2, 3, 4), largest=2)

THEOREMS = (
    Theorem(
        name="endToEnd_hasDeriv",
        statement=r"\dot W = -\sum_{k=0}^{N-1} A_k A_k^\top\, G\, B_k^\top B_k, \qquad "
        r"W = W_{N-1} \cdots W_0,\ A_k = W_{N-1} \cdots W_{k+1},\ B_k = W_{k-1} \cdots W_0",
        domain=FLOW,
        claim=end_to_end_has_deriv,
        checks=(
            *exact_checks(_unbalanced),
            Numerical(
                tuple(float_network(0, 4, depth) for depth in _FLOAT_DEPTHS),
                claim=_autograd(end_to_end_has_deriv),
            ),
        ),
        mutants=(
            Mutant("a sum without the last layer", partial(end_to_end_has_deriv, left_out=1)),
            Mutant("the other Gram matrices", partial(end_to_end_has_deriv, exchanged=True)),
        ),
        references=(ARORA,),
    ),
    Theorem(
        name="layerFlow_balanced_forever",
        statement=r"W_{k+1}^\top W_{k+1} = W_k W_k^\top \text{ for } k + 1 < N \text{ at time } s "
        r"\implies \text{ the same at time } t",
        domain=FLOW + r",\ \text{on a convex set of times } S,\ s, t \in S",
        claim=layer_flow_balanced_forever,
        checks=(
            *_SERIES,
            Certified(_SERIES[0].points, "exact", claim=series_starts_with_layer_flow),
            Numerical(_FLOAT_BALANCED[1:3], claim=integrated_flow_stays_balanced),
        ),
        mutants=(
            Mutant(
                "the first layer learns twice as fast", partial(layer_flow_balanced_forever, rate=2)
            ),
            Mutant("unbalanced layers at time s", partial(layer_flow_balanced_forever, stretch=2)),
        ),
        references=(ARORA, DU),
    ),
    Theorem(
        name="above_gram",
        statement=r"A_k A_k^\top = (W_{N-1} W_{N-1}^\top)^{N-1-k}, "
        r"\qquad A_k = W_{N-1} \cdots W_{k+1}",
        domain=BALANCED + r",\ k \ge 0 \text{, the exponent } 0 \text{ for } k \ge N - 1",
        claim=above_gram,
        checks=exact_checks(_above),
        mutants=(
            Mutant("exponent N - k", partial(above_gram, shift=1)),
            Mutant("unbalanced layers", partial(above_gram, stretch=2)),
        ),
        references=(ARORA,),
    ),
    Theorem(
        name="below_gram",
        statement=r"B_k^\top B_k = (W_0^\top W_0)^k, \qquad B_k = W_{k-1} \cdots W_0",
        domain=BALANCED + r",\ k \le N",
        claim=below_gram,
        checks=exact_checks(_below),
        mutants=(
            Mutant("left Gram matrix of the first layer", partial(below_gram, exchanged=True)),
            Mutant("unbalanced layers", partial(below_gram, stretch=2)),
        ),
        references=(ARORA,),
    ),
    Theorem(
        name="endToEnd_gram",
        statement=r"(W_{N-1} W_{N-1}^\top)^N = W W^\top, \qquad W = W_{N-1} \cdots W_0",
        domain=BALANCED,
        claim=end_to_end_gram,
        checks=exact_checks(_layers),
        mutants=(
            Mutant("power N + 1", partial(end_to_end_gram, extra_depth=1)),
            Mutant("unbalanced layers", partial(end_to_end_gram, stretch=2)),
        ),
        references=(ARORA,),
    ),
    Theorem(
        name="endToEnd_gram_right",
        statement=r"(W_0^\top W_0)^N = W^\top W, \qquad W = W_{N-1} \cdots W_0",
        domain=BALANCED,
        claim=end_to_end_gram_right,
        checks=exact_checks(_layers),
        mutants=(
            Mutant("the last layer for the first", partial(end_to_end_gram_right, exchanged=True)),
            Mutant("unbalanced layers", partial(end_to_end_gram_right, stretch=2)),
        ),
        references=(ARORA,),
    ),
    Theorem(
        name="endToEnd_flow",
        statement=r"\dot W = -\sum_{k=0}^{N-1} P^{N-1-k} G\, Q^k, \qquad "
        r"P = W_{N-1} W_{N-1}^\top,\ Q = W_0^\top W_0",
        domain=FLOW + r";\ " + BALANCED,
        claim=end_to_end_flow,
        checks=(
            *exact_checks(_balanced),
            Numerical(_FLOAT_BALANCED, claim=_autograd(end_to_end_flow)),
        ),
        mutants=(
            Mutant("the operator of depth N + 1", partial(end_to_end_flow, extra_depth=1)),
            Mutant("unbalanced layers", partial(end_to_end_flow, stretch=2)),
        ),
        references=(ARORA, BAH),
    ),
    Theorem(
        name="endToEnd_flow_of_balanced_start",
        statement=r"\exists\, A, B:\ (A A^\top)^N = W W^\top,\ (B^\top B)^N = W^\top W,\ "
        r"\dot W = -\sum_{k=0}^{N-1} (A A^\top)^{N-1-k} G\, (B^\top B)^k \text{ at time } t",
        domain=FLOW + r",\ \text{on a convex set of times } S,\ s, t \in S,\ "
        r"\text{layers balanced at time } s",
        claim=end_to_end_flow_of_balanced_start,
        checks=(
            *exact_checks(_started, (1, 2, 3, 4), largest=2),
            Numerical(
                ({**float_balanced_network(0, 2, 3), "t": 0.5},),
                claim=integrated_flow_of_balanced_start,
            ),
        ),
        mutants=(
            Mutant(
                "the operator of depth N + 1",
                partial(end_to_end_flow_of_balanced_start, extra_depth=1),
            ),
            Mutant(
                "the first layer learns twice as fast",
                partial(end_to_end_flow_of_balanced_start, rate=2),
            ),
            Mutant(
                "unbalanced layers at time s", partial(end_to_end_flow_of_balanced_start, stretch=2)
            ),
        ),
        references=(ARORA, BAH),
    ),
    Theorem(
        name="endToEnd_flow_singularBasis",
        statement=r"(U^\top \dot W\, V)_{ij} = "
        r"-\omega_N\big((\sigma_i^2)^{1/N}, (\sigma_j^2)^{1/N}\big)\, (U^\top G V)_{ij}, \qquad "
        r"\omega_N(x, y) = \sum_{k=0}^{N-1} x^{N-1-k} y^k",
        domain=FLOW + r";\ " + BALANCED + r";\ N \ge 1,\ U^\top U = V^\top V = I,\ "
        r"W = U \mathrm{diag}(\sigma) V^\top",
        claim=end_to_end_flow_singular_basis,
        checks=(
            *exact_checks(_decomposed, arithmetic="ball"),
            Numerical(
                tuple(_float_decomposed(4, depth) for depth in _FLOAT_DEPTHS),
                claim=_autograd(end_to_end_flow_singular_basis),
            ),
        ),
        mutants=(
            Mutant(
                "the weight of depth N + 1", partial(end_to_end_flow_singular_basis, extra_depth=1)
            ),
            Mutant("unbalanced layers", partial(end_to_end_flow_singular_basis, stretch=2)),
            Mutant(
                "roots of the singular values", partial(end_to_end_flow_singular_basis, exponent=1)
            ),
        ),
        references=(ARORA, BAH),
    ),
)
