"""Networks for the checks of deep linear networks: exact balanced layers, flows and their loss.

The matrices are rational, so that the checks decide equalities without a rounding error.  Balanced
layers are ``W_k = Q_(k+1) D Q_k.T`` with orthogonal ``Q_k`` and one diagonal ``D``: the singular
value decomposition brings every balanced chain of square layers into this form.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Literal

import flint
import numpy as np

from spectral_rank.formulas.deep_linear.flow import Layers, layer_flow
from spectral_rank.formulas.deep_linear.metric import end_to_end
from spectral_rank.formulas.matrix import NumberArray
from spectral_rank.theorems.rational_matrices import (
    random_matrix,
    random_orthonormal,
    random_size,
    random_values,
    rational_zeros,
    seeded,
)
from spectral_rank.theorems.strategies import orthonormal
from spectral_rank.theorems.theorem import Certified, Point, Property

ARORA = (
    "Arora, Cohen and Hazan, On the Optimization of Deep Networks: Implicit Acceleration by "
    "Overparameterization (ICML 2018), Theorem 1"
)
BAH = (
    "Bah, Rauhut, Terstiege and Westdickenberg, Learning deep linear neural networks: Riemannian "
    "gradient flows and convergence to global minimizers (Information and Inference, 2022)"
)
DU = (
    "Du, Hu and Lee, Algorithmic Regularization in Learning Deep Homogeneous Models: Layers are "
    "Automatically Balanced (NeurIPS 2018)"
)

FLOW = r"\dot W_k = -A_k^\top G B_k^\top \text{ for all } k < N"
BALANCED = r"W_{k+1}^\top W_{k+1} = W_k W_k^\top \text{ for } k + 1 < N"
"""Hypotheses that the statements share, in the notation of the theory pages."""

Build = Callable[[random.Random, int, int], Point]
"""The arguments of a claim for matrices of a size and a network of a depth."""

SERIES_ORDER = 4
"""Order of the exact Taylor series of a flow: the second derivative of every layer enters it."""

LARGEST = 3
"""Largest size of the matrices: noncommuting symmetric matrices and mixed ranks already occur."""

DEPTHS = tuple(range(1, 9))


def exact_checks(
    build: Build,
    depths: Sequence[int] = DEPTHS,
    *,
    largest: int = LARGEST,
    trials: int = 1,
    arithmetic: Literal["exact", "ball"] = "exact",
) -> tuple[Certified, Property]:
    """The exact checks of a claim: at points of every size and depth, and by a random search.

    Size 0 is among them: the Lean theorems hold for every finite index type, also the empty one.
    """
    shapes = itertools.product(range(trials), range(largest + 1), depths)
    points = tuple(build(random.Random(f"{shape}"), *shape[1:]) for shape in shapes)

    def drawn(rng: random.Random, size: int) -> Point:
        return build(rng, random_size(rng, 0, size), rng.choice(depths))

    return Certified(points, arithmetic), Property(seeded(drawn, largest), arithmetic)


def random_layers(rng: random.Random, size: int, depth: int) -> tuple[NumberArray, ...]:
    """Layers without any relation to each other."""
    return tuple(random_matrix(rng, size, size) for _ in range(depth))


def balanced_network(rng: random.Random, size: int, depth: int) -> dict[str, Any]:
    """Balanced layers ``W`` and the end-to-end decomposition ``U diag(s) V.T``.

    The entries of ``s`` have any sign and order, ties and zeros.
    """
    bases = [random_orthonormal(rng, size, size) for _ in range(depth + 1)]
    values = random_values(rng, size)
    W = tuple(
        (upper * values) @ lower.T + rational_zeros(size, size)
        for lower, upper in itertools.pairwise(bases)
    )
    return {"W": W, "U": bases[-1], "V": bases[0], "s": values**depth}


def float_balanced_network(seed: int, size: int, depth: int) -> dict[str, Any]:
    """Balanced layers with singular values between 1/2 and 1, and a target for the loss."""
    rng = np.random.default_rng((seed, size, depth))
    bases = [orthonormal(rng, size, size) for _ in range(depth + 1)]
    values = rng.uniform(0.5, 1, size)
    W = tuple((upper * values) @ lower.T for lower, upper in itertools.pairwise(bases))
    return {"W": W, "T": rng.standard_normal((size, size))}


def float_network(seed: int, size: int, depth: int) -> dict[str, Any]:
    """Gaussian layers, not balanced, and a target for the loss."""
    rng = np.random.default_rng((seed, size, depth))
    W = tuple(rng.standard_normal((depth, size, size)) / size**0.5)
    return {"W": W, "T": rng.standard_normal((size, size))}


def stretched(W: Layers, factor: int, k: int = 0) -> list[NumberArray]:
    """The layers, layer ``k`` multiplied by a factor: no longer balanced, for mutants."""
    return [factor * layer if j == k else layer for j, layer in enumerate(W)]


def power_sum(
    N: int, P: NumberArray, Q: NumberArray, Z: NumberArray, *, shift: int = 0, left_out: int = 0
) -> NumberArray:
    """The operator of depth N as Lean defines it, over any ring; the keywords make mutants."""
    power = np.linalg.matrix_power
    terms = (power(P, N - 1 - k + shift) @ Z @ power(Q, k) for k in range(N - left_out))
    total: NumberArray = sum(terms, 0 * Z)
    return total


def product(W: Sequence[NumberArray], size: int) -> NumberArray:
    """The product of the layers over any ring, the identity for none."""
    identity: NumberArray = np.eye(size, dtype=object)
    return functools.reduce(lambda lower, layer: layer @ lower, W, identity)


def product_velocity(W: Layers, velocities: Layers) -> NumberArray:
    """The derivative at ``h = 0`` of the product of the layers ``W_k + h V_k``, by dual numbers."""
    value, derivative = W[0], velocities[0]
    for layer, velocity in zip(W[1:], velocities[1:], strict=True):
        value, derivative = layer @ value, velocity @ value + layer @ derivative
    return derivative


def series_flow(W: Layers, gradient: NumberArray, rate: int = 1) -> list[NumberArray]:
    """The layers along the flow that starts at ``W``, as matrices of power series in the time.

    Picard iteration over the rationals: each round makes one more Taylor coefficient exact.

    Args:
        W: layers at time 0, matrices of Fractions.
        gradient: the curve ``G``, a matrix of power series; it need not come from a loss.
        rate: factor on the velocity of the first layer, 1 for gradient flow.
    """
    size = len(gradient)
    start = [as_series(layer) for layer in W]
    curve = start
    for _ in range(SERIES_ORDER):
        velocities = [
            product(curve[k + 1 :], size).T @ gradient @ product(curve[:k], size).T
            for k in range(len(W))
        ]
        velocities[0] = rate * velocities[0]
        curve = [layer - _integral(v) for layer, v in zip(start, velocities, strict=True)]
    return curve


def as_series(*coefficients: NumberArray) -> NumberArray:
    """The matrix of power series with these matrices of Fractions as Taylor coefficients."""
    series = np.empty(coefficients[0].shape, dtype=object)
    for place in np.ndindex(*series.shape):
        entries: list[Any] = [matrix[place] for matrix in coefficients]
        numbers = [flint.fmpq(entry.numerator, entry.denominator) for entry in entries]
        series[place] = flint.fmpq_series(numbers, prec=SERIES_ORDER + 1)
    return series


def taylor(series: NumberArray, order: int = SERIES_ORDER) -> NumberArray:
    """The Taylor coefficients up to an order, as Fractions: an axis before those of the matrix."""
    coefficients = rational_zeros(order + 1, *series.shape)
    for place, entry in np.ndenumerate(series):
        for k, c in enumerate(entry.coeffs()[: order + 1]):
            coefficients[(k, *place)] = Fraction(int(c.p), int(c.q))
    return coefficients


_integral = np.frompyfunc(lambda series: series.integral(), 1, 1)
derivative_of_series = np.frompyfunc(lambda series: series.derivative(), 1, 1)


def log_cosh_loss(X: NumberArray, T: NumberArray) -> float:
    """The loss ``sum log cosh(X - T)`` of the numerical checks: convex, and no polynomial."""
    return float(np.sum(np.log(np.cosh(X - T))))


def by_autograd(W: Layers, T: NumberArray) -> tuple[NumberArray, NumberArray]:
    """Minus the gradients of the log-cosh loss in the layers, and its gradient in their product."""
    import torch

    layers = [torch.tensor(layer, requires_grad=True) for layer in W]
    whole = functools.reduce(lambda lower, layer: layer @ lower, layers)
    loss = torch.log(torch.cosh(whole - torch.tensor(T))).sum()
    *slopes, gradient = (g.numpy() for g in torch.autograd.grad(loss, [*layers, whole]))
    return -np.stack(slopes), gradient


def integrated_flow(W: Layers, T: NumberArray, times: Sequence[float]) -> list[NumberArray]:
    """The layers at increasing times of the gradient flow of the log-cosh loss from time 0.

    An explicit Runge-Kutta method of order 8, each step accurate to eleven digits.
    """
    from scipy.integrate import solve_ivp

    start = np.stack(list(W))

    def velocity(_time: float, state: NumberArray) -> NumberArray:
        layers = state.reshape(start.shape)
        return layer_flow(layers, np.tanh(end_to_end(layers) - T)).ravel()

    solution = solve_ivp(
        velocity, (0, times[-1]), start.ravel(), "DOP853", times, rtol=1e-11, atol=1e-12
    )
    return [state.reshape(start.shape) for state in solution.y.T]
