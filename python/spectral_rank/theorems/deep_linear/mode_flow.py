"""Checks of ``lean/SpectralRank/DeepLinear/ModeFlow.lean``: one mode of a network in time.

A hypothesis on a derivative at one time is met by polynomial curves with that derivative and with
any second derivative, which the claims draw as ``bend``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy
from hypothesis import strategies as st

from spectral_rank.formulas.deep_linear.balance import has_matrix_deriv_within_at
from spectral_rank.formulas.deep_linear.metric import depth_weight
from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.elementary import kind_of, power
from spectral_rank.theorems.claim import Claim, Relation, eq, holds
from spectral_rank.theorems.deep_linear.dynamics import SAXE
from spectral_rank.theorems.deep_linear.networks import ARORA
from spectral_rank.theorems.derivative import derivative
from spectral_rank.theorems.strategies import reals
from spectral_rank.theorems.theorem import (
    Certified,
    Mutant,
    Numerical,
    Property,
    Symbolic,
    Theorem,
    grid,
)

SERIES_ORDER = 6
"""Order up to which the Taylor series of a conserved quantity is computed."""

ROUNDING_ATOL = 1e-20
"""What a 50-digit difference quotient may leave where the derivative vanishes."""

Curve = Callable[[Number], Number]


def moves_by(curve: Curve, velocity: Number, degree: int, label: str = "") -> Relation:
    """The polynomial ``curve`` of at most this degree has the derivative ``velocity`` at 0."""
    kind = kind_of(velocity)
    if kind in ("sympy", "mpmath"):
        return eq(derivative(curve, 0 * velocity), velocity, label, atol=ROUNDING_ATOL)

    def matrix(h: Number) -> Any:
        return np.array([[curve(h)]], dtype=object)

    slope = np.array([[velocity]], dtype=object)
    times = (Fraction(-1), Fraction(1))
    is_slope = has_matrix_deriv_within_at(matrix, slope, times, Fraction(0), max(degree, 1))
    return holds(is_slope, f"{label}: the derivative is {velocity}")


def at_small_depths(claim: Claim, first: int = 0, **values: Number) -> Iterator[Relation]:
    for N in range(first, 6):
        yield from claim(N=N, **values)


def mode_flow_has_deriv_at(
    N: int, w: Number, g: Number, bend: Number, *, squared: bool = True, layers: int = 0
) -> Iterator[Relation]:
    slope = w ** max(N - 1, 0) * g
    mode = w**2 if squared else w
    velocity = depth_weight(N + layers, mode, mode) * g
    yield moves_by(lambda h: (w + h * slope + h**2 * bend) ** N, velocity, 2 * N)


def mode_flow_depth_one(
    w: Number, g: Number, bend: Number, *, depth: int = 1, weight: int = 1
) -> Iterator[Relation]:
    yield moves_by(lambda h: (w + h * g + h**2 * bend) ** depth, weight * g, 2 * depth)


def mode_flow_depth_two(
    w: Number, g: Number, bend: Number, *, factor: int = 2, exponent: int = 2
) -> Iterator[Relation]:
    velocity = factor * w**exponent * g
    yield moves_by(lambda h: (w + h * (w * g) + h**2 * bend) ** 2, velocity, 4)


def mode_flow_rpow(
    N: int, w: Number, g: Number, bend: Number, *, share: int = 2, factor: bool = True
) -> Iterator[Relation]:
    slope = w ** (N - 1) * g
    velocity = (N if factor else 1) * power(w**N, 2 - Fraction(share, N)) * g
    yield moves_by(lambda h: (w + h * slope + h**2 * bend) ** N, velocity, 2 * N)


def _others(values: tuple[Number, ...], i: int) -> Number:
    return math.prod(values[:i] + values[i + 1 :])


def mode_flow_of_layers(
    w: tuple[Number, ...],
    g: Number,
    bends: tuple[Number, ...],
    *,
    degree: int = 2,
    leave_out: bool = True,
) -> Iterator[Relation]:
    N = len(w)

    def layer(i: int, h: Number) -> Number:
        return w[i] + h * (_others(w, i) * g) + h**2 * bends[i]

    def end_to_end(h: Number) -> Number:
        return math.prod(layer(i, h) for i in range(N))

    for i, j in itertools.combinations(range(N), 2):
        gap = partial(lambda i, j, h: layer(i, h) ** degree - layer(j, h) ** degree, i, j)
        yield moves_by(gap, 0 * g, 2 * degree, f"layers {i} and {j}")
    squares = tuple(value**2 for value in w)
    terms = (_others(squares, i) if leave_out else math.prod(squares) for i in range(N))
    yield moves_by(end_to_end, sum(terms, 0 * g) * g, 2 * N, "end-to-end strength")


def mode_flow_by_autograd(seed: int, N: int) -> Iterator[Relation]:
    """The loss ``log cosh(u - 1)`` of the end-to-end strength ``u``."""
    import torch

    w = np.random.default_rng(seed).uniform(-1.5, 1.5, N)
    layers = torch.tensor(w, requires_grad=True)
    loss = torch.log(torch.cosh(layers.prod() - 1))
    slopes = -torch.autograd.grad(loss, layers)[0]
    g = -math.tanh(math.prod(w) - 1)
    yield eq(slopes.numpy(), np.array([_others(tuple(w), i) * g for i in range(N)]), "layers")
    velocity = torch.func.jvp(torch.prod, (layers.detach(),), (slopes,))[1]
    weight = sum(_others(tuple(w**2), i) for i in range(N))
    yield eq(float(velocity), float(weight * g), "end-to-end strength")


def mode_flow_conserved(
    w: tuple[Number, ...], G: tuple[Number, ...], *, sign: int = -1, all_layers: bool = False
) -> Iterator[Relation]:
    """Taylor coefficients along the flow whose ``G`` has the Taylor coefficients ``G``."""
    layers = [[value] for value in w]

    def product(factors: list[list[Number]], order: int) -> Number:
        series = np.array([Fraction(1)], dtype=object)
        for factor in factors:
            series = np.convolve(series, np.array(factor, dtype=object))
        return series[order] if order < len(series) else Fraction(0)

    for k in range(SERIES_ORDER):
        slopes = []
        for i in range(len(w)):
            factors = layers if all_layers else layers[:i] + layers[i + 1 :]
            slopes.append(product([*factors, list(G)], k))
        for layer, slope in zip(layers, slopes, strict=True):
            layer.append(slope / (k + 1))
        squares = [product([layer, layer], k + 1) for layer in layers]
        for i, j in itertools.combinations(range(len(w)), 2):
            yield eq(squares[i] + sign * squares[j], Fraction(0), f"coefficient of t^{k + 1}")


def mode_flow_integrated(seed: int, N: int, s: float, t: float) -> Iterator[Relation]:
    """The gradient flow of ``(u - 1)^2 / 2``, integrated from 0 to ``s`` and to ``t``."""
    from scipy.integrate import solve_ivp

    def velocity(_time: float, w: Any) -> Any:
        return np.array([_others(tuple(w), i) for i in range(N)]) * (1 - math.prod(w))

    start = np.random.default_rng(seed).uniform(-1.5, 1.5, N)
    found = solve_ivp(
        velocity, (0, t), start, method="DOP853", rtol=1e-11, atol=1e-12, t_eval=(s, t)
    )
    before, after = found.y.T
    yield eq(np.subtract.outer(before**2, before**2), np.subtract.outer(after**2, after**2))


def mode_flow_weight_of_eq(
    N: int, v: Number, *, squared: bool = True, first: int = 1
) -> Iterator[Relation]:
    squares = tuple((first * v if i == 0 else v) ** 2 for i in range(N))
    weight = sum((_others(squares, i) for i in range(N)), 0 * v)
    mode = v**2 if squared else v
    yield eq(weight, depth_weight(N, mode, mode))


def gradient_norm_by_autograd(N: int, v: float) -> Iterator[Relation]:
    """The weight is the squared norm of the gradient of the end-to-end strength."""
    import torch

    layers = torch.full((N,), v, dtype=torch.float64, requires_grad=True)
    gradient = torch.autograd.grad(layers.prod(), layers)[0]
    yield eq(float(gradient @ gradient), depth_weight(N, v**2, v**2))


_w, _g, _bend = sympy.symbols("w g c", real=True)
_three, _bends = sympy.symbols("w:3", real=True), sympy.symbols("c:3", real=True)
_strength = sympy.Symbol("w", positive=True)

VALUES = st.sampled_from([Fraction(0), Fraction(1)]) | reals(-2, 2, denominator=60)
LISTED = (Fraction(-3, 2), Fraction(0), Fraction(1), Fraction(7, 5))
CURVE = {"w": VALUES, "g": VALUES, "bend": VALUES}
CURVES = grid(w=LISTED, g=LISTED[:3], bend=LISTED[2:])


def _tuples(low: int, high: int) -> st.SearchStrategy[tuple[Fraction, ...]]:
    return st.lists(VALUES, min_size=low, max_size=high).map(tuple)


LAYERS = st.integers(0, 4).flatmap(
    lambda N: st.fixed_dictionaries({"w": _tuples(N, N), "g": VALUES, "bends": _tuples(N, N)})
)

THEOREMS = (
    Theorem(
        name="modeFlow_hasDerivAt",
        statement=r"\dot w = w^{N-1} g \implies \tfrac{d}{dt} w^N = \omega_N(w^2, w^2)\, g",
        domain=r"N \in \mathbb{N},\ w, g \in \mathbb{R}",
        claim=mode_flow_has_deriv_at,
        checks=(
            Symbolic(
                {"w": _w, "g": _g, "bend": _bend},
                claim=partial(at_small_depths, mode_flow_has_deriv_at),
            ),
            Property({"N": st.integers(0, 6), **CURVE}, "exact"),
        ),
        mutants=(
            Mutant("weight of w for w^2", partial(mode_flow_has_deriv_at, squared=False)),
            Mutant("weight of depth N + 1", partial(mode_flow_has_deriv_at, layers=1)),
        ),
        references=(SAXE, ARORA),
    ),
    Theorem(
        name="modeFlow_depth_one",
        statement=r"\dot w = g \implies \tfrac{d}{dt} w^1 = g",
        domain=r"w, g \in \mathbb{R}",
        claim=mode_flow_depth_one,
        checks=(
            Symbolic({"w": _w, "g": _g, "bend": _bend}),
            Certified(CURVES, "exact"),
            Property(CURVE, "exact"),
        ),
        mutants=(
            Mutant("two layers", partial(mode_flow_depth_one, depth=2)),
            Mutant("weight 2", partial(mode_flow_depth_one, weight=2)),
        ),
        references=(SAXE,),
    ),
    Theorem(
        name="modeFlow_depth_two",
        statement=r"\dot w = w\, g \implies \tfrac{d}{dt} w^2 = 2\, w^2 g",
        domain=r"w, g \in \mathbb{R}",
        claim=mode_flow_depth_two,
        checks=(
            Symbolic({"w": _w, "g": _g, "bend": _bend}),
            Certified(CURVES, "exact"),
            Property(CURVE, "exact"),
        ),
        mutants=(
            Mutant("without the factor 2", partial(mode_flow_depth_two, factor=1)),
            Mutant("w for w^2", partial(mode_flow_depth_two, exponent=1)),
        ),
        references=(SAXE,),
    ),
    Theorem(
        name="modeFlow_rpow",
        statement=r"\dot w = w^{N-1} g \implies \tfrac{d}{dt} u = N\, u^{2 - 2/N} g, "
        r"\qquad u = w^N",
        domain=r"N \ge 1,\ w > 0,\ g \in \mathbb{R}",
        claim=mode_flow_rpow,
        checks=(
            Symbolic(
                {"w": _strength, "g": _g, "bend": _bend},
                claim=partial(at_small_depths, mode_flow_rpow, 1),
            ),
            Property({**CURVE, "N": st.integers(1, 12), "w": reals(0, 3, open_low=True)}, "mpmath"),
        ),
        mutants=(
            Mutant("exponent 2 - 1/N", partial(mode_flow_rpow, share=1)),
            Mutant("without the factor N", partial(mode_flow_rpow, factor=False)),
        ),
        references=(SAXE, ARORA),
    ),
    Theorem(
        name="modeFlow_of_layers",
        statement=r"\dot w_i = g \prod_{j \ne i} w_j \implies \tfrac{d}{dt}(w_i^2 - w_j^2) = 0, "
        r"\quad \tfrac{d}{dt} \prod_i w_i = g \sum_i \prod_{j \ne i} w_j^2",
        domain=r"N \in \mathbb{N},\ w_i, g \in \mathbb{R}",
        claim=mode_flow_of_layers,
        checks=(
            Symbolic({"w": _three, "g": _g, "bends": _bends}),
            Property(LAYERS, "exact"),
            Numerical(grid(seed=range(2), N=(1, 2, 3, 6)), claim=mode_flow_by_autograd),
        ),
        mutants=(
            Mutant("differences of cubed layers", partial(mode_flow_of_layers, degree=3)),
            Mutant("products of all squared layers", partial(mode_flow_of_layers, leave_out=False)),
        ),
        references=(SAXE,),
    ),
    Theorem(
        name="modeFlow_conserved",
        statement=r"w_i(s)^2 - w_j(s)^2 = w_i(t)^2 - w_j(t)^2",
        domain=r"\dot w_i = G \prod_{j \ne i} w_j \text{ at all times},\ s, t \in \mathbb{R}",
        claim=mode_flow_conserved,
        checks=(
            Certified(
                grid(
                    w=(LISTED[:2], LISTED, (LISTED[0], *LISTED[2:]), (Fraction(1, 2),) * 4),
                    G=(LISTED, (Fraction(1),)),
                ),
                "exact",
            ),
            Property({"w": _tuples(2, 4), "G": _tuples(1, 3)}, "exact"),
            Numerical(
                grid(seed=range(2), N=(2, 3, 5), s=(0.5,), t=(3.0,)), claim=mode_flow_integrated
            ),
        ),
        mutants=(
            Mutant("sums of the squared layers", partial(mode_flow_conserved, sign=1)),
            Mutant(
                "each layer moved by the product of all layers",
                partial(mode_flow_conserved, all_layers=True),
            ),
        ),
        references=(SAXE,),
    ),
    Theorem(
        name="modeFlow_weight_of_eq",
        statement=r"w_1 = \dots = w_N = v \implies "
        r"\sum_i \prod_{j \ne i} w_j^2 = \omega_N(v^2, v^2)",
        domain=r"N \in \mathbb{N},\ v \in \mathbb{R}",
        claim=mode_flow_weight_of_eq,
        checks=(
            Symbolic({"v": _w}, claim=partial(at_small_depths, mode_flow_weight_of_eq)),
            Property({"N": st.integers(0, 30), "v": VALUES}, "exact"),
            Numerical(grid(N=(1, 2, 8, 64), v=(-1.25, 0.0, 0.9)), claim=gradient_norm_by_autograd),
        ),
        mutants=(
            Mutant("weight of v for v^2", partial(mode_flow_weight_of_eq, squared=False)),
            Mutant("one layer twice as strong", partial(mode_flow_weight_of_eq, first=2)),
        ),
        references=(ARORA,),
    ),
)
