"""Checks of ``lean/SpectralRank/DeepLinear/Balance.lean``: balance of adjacent layers.

A flow is an object with the layers ``X`` and ``Y`` at its start and a method ``at`` that gives them
at another time.  `BoostFlow` solves the pair flow exactly, at rational times over the rationals;
`GradientFlow` is the gradient flow of a quadratic loss, solved by an integrator in floats.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from spectral_rank.formulas.deep_linear.balance import (
    has_matrix_deriv_within_at,
    imbalance,
    pair_flow,
)
from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.matrix import NumberArray
from spectral_rank.theorems.claim import Relation, eq, holds
from spectral_rank.theorems.deep_linear.networks import ARORA, DU
from spectral_rank.theorems.rational_matrices import (
    random_matrix,
    random_orthonormal,
    random_size,
    rational_zeros,
    seeded,
)
from spectral_rank.theorems.strategies import reals
from spectral_rank.theorems.theorem import (
    Certified,
    Check,
    Mutant,
    Numerical,
    Point,
    Property,
    Theorem,
    grid,
)

FLOW_ON_CONVEX_SET = (
    r"\dot X = -Y^\top M,\ \dot Y = -M X^\top \text{ on a convex set of times } S,\ s, t \in S"
)

LOSS_DEGREE = 4
"""Largest degree of the polynomial losses and curves: so many quotients differentiate exactly."""

SERIES_ORDER = 6
"""Order up to which the Taylor series of a conserved quantity is computed."""


@dataclass(frozen=True)
class BoostFlow:
    """An exact pair flow: hyperbolic rotations of ``X V`` against ``Y^T U``, one for each column.

    Its residual is ``M(t) = U diag(2 c / (1 - c^2 t^2)) V^T``, the speed of a rotation whose half
    angle has the hyperbolic tangent ``c t``.  So the angle between two times has a rational
    hyperbolic tangent of its half, and with it a rational hyperbolic cosine and sine.

    Attributes:
        X: layer below at the start.
        Y: layer above at the start.
        U: orthonormal columns, as many rows as ``Y``.
        V: orthonormal columns, as many rows as ``X`` has columns, as many columns as ``U``.
        c: a number in (-1, 1) for each column.
        s: time of the start, in [-1, 1].
    """

    X: NumberArray
    Y: NumberArray
    U: NumberArray
    V: NumberArray
    c: NumberArray
    s: Fraction

    def residual(self, t: Number) -> NumberArray:
        """The residual ``M`` at a time in [-1, 1]."""
        speeds = 2 * self.c / (1 - self.c**2 * t**2)
        residual: NumberArray = (self.U * speeds) @ self.V.T
        return residual

    def at(self, t: Number) -> tuple[NumberArray, NumberArray]:
        """The layers at a time in [-1, 1]."""
        half = (self.c * t - self.c * self.s) / (1 - self.c**2 * t * self.s)
        cosh, sinh = (1 + half**2) / (1 - half**2), 2 * half / (1 - half**2)
        below, above = self.X @ self.V, self.Y.T @ self.U
        X = self.X + (below * (cosh - 1) - above * sinh) @ self.V.T
        Y = self.Y + self.U @ (above * (cosh - 1) - below * sinh).T
        return X, Y


@dataclass(frozen=True)
class GradientFlow:
    """The gradient flow of ``1/2 |Y X - T|^2`` in floats, started at time 0.

    Attributes:
        X: layer below at the start.
        Y: layer above at the start.
        T: target.
    """

    X: NumberArray
    Y: NumberArray
    T: NumberArray

    def at(self, t: float) -> tuple[NumberArray, NumberArray]:
        """The layers at a time, by an explicit Runge-Kutta method of order 8."""
        from scipy.integrate import solve_ivp

        def split(state: NumberArray) -> tuple[NumberArray, NumberArray]:
            below, above = np.split(state, [self.X.size])
            return below.reshape(self.X.shape), above.reshape(self.Y.shape)

        def velocity(_time: float, state: NumberArray) -> NumberArray:
            X, Y = split(state)
            return np.concatenate([v.ravel() for v in pair_flow(X, Y, Y @ X - self.T)])

        start = np.concatenate([self.X.ravel(), self.Y.ravel()])
        end = solve_ivp(velocity, (0, t), start, method="DOP853", rtol=1e-11, atol=1e-12).y[:, -1]
        return split(end)


def pair_flow_of_gradient(
    X: NumberArray,
    Y: NumberArray,
    A: NumberArray,
    B: NumberArray,
    T: NumberArray,
    E: NumberArray,
    F: NumberArray,
    degree: int,
    *,
    sign: int = 1,
    quadratic: bool = False,
) -> Iterator[Relation]:
    """The loss ``|A Y X B - T|^degree / degree`` falls along ``E`` and ``F`` as the flow says."""

    def falls(X_at: Any, Y_at: Any, slope: Number, label: str) -> Relation:
        def loss(h: Number) -> NumberArray:
            residual = A @ Y_at(h) @ X_at(h) @ B - T
            return np.array([[Fraction(np.sum(residual**degree), degree)]], dtype=object)

        derivative = np.array([[-sign * slope]], dtype=object)
        ends = Fraction(0), Fraction(1)
        return holds(
            has_matrix_deriv_within_at(loss, derivative, ends, ends[0], LOSS_DEGREE), label
        )

    G = (A @ Y @ X @ B - T) ** (1 if quadratic else degree - 1)
    below, above = pair_flow(X, Y, A.T @ G @ B.T)
    yield falls(lambda h: X + h * E, lambda h: Y, np.sum(below * E), "slope in the layer below")
    yield falls(lambda h: X, lambda h: Y + h * F, np.sum(above * F), "slope in the layer above")


def pair_flow_by_autograd(seed: int) -> Iterator[Relation]:
    """The loss ``sum log cosh(A Y X B - T)``, whose gradient is the hyperbolic tangent."""
    import torch

    rng = np.random.default_rng(seed)
    A, Y, X, B = (rng.standard_normal(shape) for shape in ((5, 4), (4, 3), (3, 2), (2, 6)))
    T = rng.standard_normal((5, 6))
    a, y, x, b = (torch.tensor(layer, requires_grad=True) for layer in (A, Y, X, B))
    loss = torch.log(torch.cosh(a @ y @ x @ b - torch.tensor(T))).sum()
    by_autograd = torch.autograd.grad(loss, (x, y))
    below, above = pair_flow(X, Y, A.T @ np.tanh(A @ Y @ X @ B - T) @ B.T)
    yield eq(-by_autograd[0].numpy(), below, "layer below")
    yield eq(-by_autograd[1].numpy(), above, "layer above")


def imbalance_conserved(
    flow: Any, t: Number, *, sign: int = -1, restart: int = 1
) -> Iterator[Relation]:
    """``restart`` scales the layers on the way, which only a gap in the set of times allows."""

    def quantity(X: NumberArray, Y: NumberArray) -> NumberArray:
        return imbalance(X, Y) if sign == -1 else X @ X.T + Y.T @ Y

    X, Y = flow.at(t)
    yield eq(quantity(restart * X, restart * Y), quantity(flow.X, flow.Y))


def imbalance_series(X: NumberArray, Y: NumberArray, T: NumberArray) -> Iterator[Relation]:
    """The Taylor coefficients of the imbalance along the gradient flow of ``1/2 |Y X - T|^2``."""
    below, above, residual = [X], [Y], [Y @ X - T]
    for k in range(SERIES_ORDER):
        slopes = [pair_flow(below[i], above[i], residual[k - i]) for i in range(k + 1)]
        below.append(np.sum([slope[0] for slope in slopes], axis=0) / Fraction(k + 1))
        above.append(np.sum([slope[1] for slope in slopes], axis=0) / Fraction(k + 1))
        pairs = [(i, k + 1 - i) for i in range(k + 2)]
        residual.append(np.sum([above[i] @ below[j] for i, j in pairs], axis=0))
        terms = [below[i] @ below[j].T - above[i].T @ above[j] for i, j in pairs]
        yield eq(np.sum(terms, axis=0), 0 * (X @ X.T), f"coefficient of t^{k + 1}")


def balanced_forever(
    flow: Any, t: Number, *, stretch: int = 1, frozen: bool = False
) -> Iterator[Relation]:
    X, Y = dataclasses.replace(flow, X=stretch * flow.X).at(t)
    yield eq(X @ X.T, flow.Y.T @ flow.Y if frozen else Y.T @ Y)


def has_deriv_at_product(
    X: NumberArray,
    Y: NumberArray,
    M: NumberArray,
    bends: tuple[NumberArray, NumberArray],
    S: tuple[Fraction, Fraction],
    t: Fraction,
    *,
    sign: int = 1,
    both: bool = True,
) -> Iterator[Relation]:
    """Two curves with the velocities of the pair flow at ``t`` and any second derivatives there."""
    below, above = pair_flow(X, Y, M)

    def product(u: Fraction) -> NumberArray:
        h = u - t
        curve: NumberArray = (Y + h * above + h**2 * bends[1]) @ (X + h * below + h**2 * bends[0])
        return curve

    velocity = -(M @ X.T @ X + sign * Y @ Y.T @ M) if both else -(M @ X.T @ X)
    yield holds(
        has_matrix_deriv_within_at(product, velocity, S, t, LOSS_DEGREE),
        f"{velocity} is the velocity of the product at {t} within {S}",
    )


def product_velocity_by_autograd(seed: int) -> Iterator[Relation]:
    import torch

    rng = np.random.default_rng(seed)
    X, Y, M = (rng.standard_normal(shape) for shape in ((3, 4), (5, 3), (5, 4)))
    layers = torch.tensor(X), torch.tensor(Y)
    below, above = (torch.tensor(velocity) for velocity in pair_flow(X, Y, M))
    slope = torch.func.jvp(lambda x, y: y @ x, layers, (below, above))[1]
    yield eq(slope.numpy(), -(M @ X.T @ X + Y @ Y.T @ M))


def frobenius_gap_conserved(
    flow: Any, t: Number, *, sign: int = -1, power: int = 2
) -> Iterator[Relation]:
    def gap(X: NumberArray, Y: NumberArray) -> Number:
        return np.sum(X**power) + sign * np.sum(Y**power)

    yield eq(gap(*flow.at(t)), gap(flow.X, flow.Y))


def _sizes(rng: random.Random, count: int, largest: int) -> list[int]:
    """Sizes from 1 on, now and then one that is 0."""
    sizes = [rng.randint(1, largest) for _ in range(count)]
    if rng.random() < 0.125:
        sizes[rng.randrange(count)] = 0
    return sizes


def _boost(rng: random.Random, size: int, balanced: bool = False) -> BoostFlow:
    k, m, n = _sizes(rng, 3, size)
    columns = random_size(rng, 0, min(m, n))
    X, Y = random_matrix(rng, k, m), random_matrix(rng, n, k)
    if balanced:
        K = random_matrix(rng, k, columns)
        X = K @ random_orthonormal(rng, m, columns).T + rational_zeros(k, m)
        Y = random_orthonormal(rng, n, columns) @ K.T + rational_zeros(n, k)
    c = rational_zeros(columns)
    c[:] = [Fraction(rng.randint(-7, 7), 8) for _ in range(columns)]
    U, V = random_orthonormal(rng, n, columns), random_orthonormal(rng, m, columns)
    return BoostFlow(X, Y, U, V, c, Fraction(rng.randint(-8, 8), 8))


def _start(rng: random.Random, size: int) -> Point:
    k, m, n = _sizes(rng, 3, size)
    shapes = {"X": (k, m), "Y": (n, k), "T": (n, m)}
    return {name: random_matrix(rng, *shape) for name, shape in shapes.items()}


def _chain(rng: random.Random, size: int) -> Point:
    o, n, k, m, q = _sizes(rng, 5, size)
    shapes = {"A": (o, n), "Y": (n, k), "X": (k, m), "B": (m, q), "T": (o, q), "E": (k, m)}
    matrices = {name: random_matrix(rng, *shape) for name, shape in shapes.items()}
    return {**matrices, "F": random_matrix(rng, n, k), "degree": rng.choice((2, 4))}


def _moving_pair(rng: random.Random, size: int) -> Point:
    k, m, n = _sizes(rng, 3, size)
    t = Fraction(rng.randint(-8, 8), 4)
    room = [Fraction(rng.choice((0, 0, 1, 3)), 2) for _ in range(2)]
    return {
        "X": random_matrix(rng, k, m),
        "Y": random_matrix(rng, n, k),
        "M": random_matrix(rng, n, m),
        "bends": (random_matrix(rng, k, m), random_matrix(rng, n, k)),
        "S": (t - room[0], t + room[1]),
        "t": t,
    }


def _trained(seed: int, balanced: bool = False) -> GradientFlow:
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal((3, 4)), rng.standard_normal((5, 3))
    if balanced:
        basis, values, rows = np.linalg.svd(X, full_matrices=False)
        columns = np.linalg.qr(rng.standard_normal((5, 3)))[0]
        X, Y = (basis * values) @ rows, (columns * values) @ basis.T
    return GradientFlow(X, Y, rng.standard_normal((5, 4)))


def _listed(build: Any, count: int) -> list[Any]:
    return [build(random.Random(seed), 3) for seed in range(count)]


def _checks_of_flows(balanced: bool = False) -> tuple[Check, ...]:
    """Exact flows at listed and at drawn times, and integrated gradient flows."""
    boosts, times = partial(_boost, balanced=balanced), (-1, 0, Fraction(1, 3), 1)
    trained = [_trained(seed, balanced) for seed in range(2)]
    return (
        Certified(grid(flow=_listed(boosts, 8), t=times), "exact"),
        Property({"flow": seeded(boosts, 3), "t": reals(-1, 1)}, "exact"),
        Numerical(grid(flow=trained, t=(0.5, 2.0))),
    )


THEOREMS = (
    Theorem(
        name="pairFlow_of_gradient",
        statement=r"\dot X = -(AY)^\top G B^\top,\ \dot Y = -A^\top G (XB)^\top \implies "
        r"\dot X = -Y^\top M,\ \dot Y = -M X^\top, \qquad M = A^\top G B^\top",
        domain=r"\text{matrix curves } A, Y, X, B, G \text{ of matching shapes, on a set of times}",
        claim=pair_flow_of_gradient,
        checks=(
            Certified(tuple(_listed(_chain, 12)), "exact"),
            Property(seeded(_chain, 3), "exact"),
            Numerical(grid(seed=range(3)), claim=pair_flow_by_autograd),
        ),
        mutants=(
            Mutant("gradient ascent", partial(pair_flow_of_gradient, sign=-1)),
            Mutant(
                "the residual of the quadratic loss for every loss",
                partial(pair_flow_of_gradient, quadratic=True),
            ),
        ),
        references=(ARORA,),
    ),
    Theorem(
        name="imbalance_conserved",
        statement=r"X_s X_s^\top - Y_s^\top Y_s = X_t X_t^\top - Y_t^\top Y_t",
        domain=FLOW_ON_CONVEX_SET,
        claim=imbalance_conserved,
        checks=(
            *_checks_of_flows(),
            Certified(tuple(_listed(_start, 6)), "exact", claim=imbalance_series),
        ),
        mutants=(
            Mutant("sum of the Gram matrices", partial(imbalance_conserved, sign=1)),
            Mutant(
                "a set of times with a gap, where the layers restart",
                partial(imbalance_conserved, restart=2),
            ),
        ),
        references=(ARORA, DU),
    ),
    Theorem(
        name="balanced_forever",
        statement=r"X_s X_s^\top = Y_s^\top Y_s \implies X_t X_t^\top = Y_t^\top Y_t",
        domain=FLOW_ON_CONVEX_SET,
        claim=balanced_forever,
        checks=_checks_of_flows(balanced=True),
        mutants=(
            Mutant("the layers are not balanced at time s", partial(balanced_forever, stretch=2)),
            Mutant("the Gram matrices keep their values", partial(balanced_forever, frozen=True)),
        ),
        references=(ARORA, DU),
    ),
    Theorem(
        name="hasDerivAt_product",
        statement=r"\tfrac{d}{dt}(YX) = -(M X^\top X + Y Y^\top M)",
        domain=r"\dot X = -Y^\top M,\ \dot Y = -M X^\top \text{ at the time } t",
        claim=has_deriv_at_product,
        checks=(
            Certified(tuple(_listed(_moving_pair, 12)), "exact"),
            Property(seeded(_moving_pair, 3), "exact"),
            Numerical(grid(seed=range(3)), claim=product_velocity_by_autograd),
        ),
        mutants=(
            Mutant("difference of the two terms", partial(has_deriv_at_product, sign=-1)),
            Mutant("only the layer above moves", partial(has_deriv_at_product, both=False)),
        ),
        references=(ARORA,),
    ),
    Theorem(
        name="frobenius_gap_conserved",
        statement=r"\lVert X_s \rVert_F^2 - \lVert Y_s \rVert_F^2 "
        r"= \lVert X_t \rVert_F^2 - \lVert Y_t \rVert_F^2",
        domain=FLOW_ON_CONVEX_SET,
        claim=frobenius_gap_conserved,
        checks=_checks_of_flows(),
        mutants=(
            Mutant("sum of the squared norms", partial(frobenius_gap_conserved, sign=1)),
            Mutant("entries for squared entries", partial(frobenius_gap_conserved, power=1)),
        ),
        references=(DU,),
    ),
)
