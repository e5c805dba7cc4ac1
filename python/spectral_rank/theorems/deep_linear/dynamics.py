"""Checks of ``lean/SpectralRank/DeepLinear/Dynamics.lean``: one mode in time, and depth alone."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy
from hypothesis import strategies as st

from spectral_rank.formulas.deep_linear.dynamics import deep_linear, half_time, mode_strength
from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.elementary import exp, log, maximum
from spectral_rank.formulas.matrix import NumberArray
from spectral_rank.theorems.claim import Relation, eq, implies, le, lt
from spectral_rank.theorems.derivative import derivative
from spectral_rank.theorems.rational_matrices import (
    random_matrix,
    random_size,
    random_values,
    rational_array,
    rational_identity,
    seeded,
)
from spectral_rank.theorems.strategies import orthonormal, reals, tolerances
from spectral_rank.theorems.theorem import (
    Certified,
    Mutant,
    Numerical,
    Point,
    Property,
    Symbolic,
    Theorem,
    grid,
)

SAXE = (
    "Saxe, McClelland, Ganguli, Exact solutions to the nonlinear dynamics of learning in deep "
    "linear neural networks (ICLR 2014)"
)
GOODFELLOW = "Goodfellow, Bengio, Courville, Deep Learning (2016), section 6.1: learning XOR"


def mode_strength_has_deriv_at(
    s: Number, u0: Number, t: Number, step: Number, *, speed: int = 2
) -> Iterator[Relation]:
    """The distance from the tangent, at any step: ``|u''| = 2 u' |s - 2 u|`` is at most ``s^3``."""
    u = mode_strength(s, u0, t)
    tangent = u + step * speed * u * (s - u)
    remainder = abs(mode_strength(s, u0, t + step) - tangent)
    yield le(remainder, s**3 * step**2 / 2, "distance from the tangent")


def solves_logistic_equation(s: Number, u0: Number, t: Number) -> Iterator[Relation]:
    u = mode_strength(s, u0, t)
    yield eq(derivative(partial(mode_strength, s, u0), t), 2 * u * (s - u))


def two_layer_network(s: NumberArray, u0: NumberArray, t: float, seed: int) -> Iterator[Relation]:
    """Gradient flow of a balanced two-layer network with the singular vectors of its target.

    The loss is half the squared Frobenius distance of the product ``Y X`` from the target.
    """
    from scipy.integrate import solve_ivp

    n, rng = s.size, np.random.default_rng(seed)
    left, hidden, right = (orthonormal(rng, n, n) for _ in range(3))
    target = left @ np.diag(s) @ right.T
    X, Y = hidden @ np.diag(np.sqrt(u0)) @ right.T, left @ np.diag(np.sqrt(u0)) @ hidden.T

    def flow(_: float, layers: NumberArray) -> NumberArray:
        x, y = layers.reshape(2, n, n)
        gap = target - y @ x
        return np.array([y.T @ gap, gap @ x.T]).ravel()

    start = np.array([X, Y]).ravel()
    end = solve_ivp(flow, (0, t), start, method="DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
    x, y = end.reshape(2, n, n)
    learnt = left @ np.diag(mode_strength(s, u0, t)) @ right.T
    yield eq(y @ x, learnt, "every mode follows its own curve", rtol=1e-8)


def mode_strength_zero(
    s: Number, u0: Number, *, time: int = 0, share: int = 1
) -> Iterator[Relation]:
    yield eq(mode_strength(s, u0, time), share * u0)


def mode_strength_tendsto(
    s: Number, u0: Number, eps: Number, later: Number, *, rate: int = 2, limit: int = 1
) -> Iterator[Relation]:
    """From the time ``log(3 |s/u0 - 1| / eps) / (2 s)`` on; the rate, from both sides."""
    gap = abs(s / u0 - 1)
    t = (log(maximum(3 * gap / eps, 1)) / rate + later) / s
    distance = abs(mode_strength(s, u0, t) - limit * s)
    yield le(distance, eps * s, "within eps from that time on")
    decay = s * gap * exp(-2 * s * t)
    yield le(decay / 2, distance, "no faster")
    yield le(distance, 2 * decay, "no slower")


def mode_strength_half_time(
    s: Number, u0: Number, *, delay: int = 1, share: int = 2
) -> Iterator[Relation]:
    yield eq(mode_strength(s, u0, delay * half_time(s, u0)), s / share)


def _ordered(smaller: Number, larger: Number, reverse: bool) -> Relation:
    return lt(larger, smaller) if reverse else lt(smaller, larger)


def mode_strength_lt_of_lt(
    u0: Number, s1: Number, s2: Number, t: Number, *, reverse: bool = False, sign: int = 1
) -> Iterator[Relation]:
    weaker, stronger = (mode_strength(s, u0, sign * t) for s in (s1, s2))
    yield _ordered(weaker, stronger, reverse)


def half_time_lt_of(
    u0: Number, s1: Number, s2: Number, *, relax: int = 1, reverse: bool = False
) -> Iterator[Relation]:
    turned = le(s1 / (s1 - u0), relax * log(s1 / u0 - 1), "beyond the turning point")
    yield implies(turned, _ordered(half_time(s2, u0), half_time(s1, u0), reverse))


def half_time_lt(
    u0: Number, excess: Number, gap: Number, *, factor: int = 5, reverse: bool = False
) -> Iterator[Relation]:
    """The targets are ``s1 = 5 u0 + excess`` and ``s2 = s1 + gap``."""
    s1 = factor * u0 + excess
    yield _ordered(half_time(s1 + gap, u0), half_time(s1, u0), reverse)


def half_time_not_antitone(
    u0: Number, s1: Number, s2: Number, *, reverse: bool = False
) -> Iterator[Relation]:
    yield lt(0, u0)
    yield lt(u0, s1)
    yield lt(s1, s2)
    yield _ordered(half_time(s1, u0), half_time(s2, u0), reverse)


def deep_linear_is_linear(
    layers: list[NumberArray], x: NumberArray, *, order: int = 1, skipped: int = 0
) -> Iterator[Relation]:
    factors = layers[skipped:][::order]
    product = functools.reduce(np.matmul, factors, rational_identity(x.size))
    yield eq(deep_linear(layers, x), product @ x)


def deep_linear_not_abs(
    layers: list[NumberArray],
    phi: NumberArray,
    psi: NumberArray,
    *,
    distance: int = 1,
    rectified: bool = False,
) -> Iterator[Relation]:
    """The network is odd, so at 1 or at -1 it is off by 1 or more."""

    def network(x: int) -> Number:
        output = deep_linear(layers, phi * x)
        return psi @ (abs(output) if rectified else output)

    yield from _is_far_from_abs(network(1), network(-1), distance)


def _is_far_from_abs(at_1: Number, at_minus_1: Number, distance: int = 1) -> Iterator[Relation]:
    yield eq(at_minus_1, -at_1, "odd")
    yield le(distance, max(abs(at_1 - 1), abs(at_minus_1 - 1)), "distance from |x|")


def _torch_stack(width: int, depth: int, seed: int) -> tuple[Any, list[NumberArray]]:
    """A stack of linear layers and its weights, last layer first.

    Orthogonal weights, so that the output of a thousand layers neither vanishes nor explodes.
    """
    import torch

    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(seed)
    layers = [torch.nn.Linear(width, width, bias=False, dtype=torch.float64) for _ in range(depth)]
    for layer in layers:
        torch.nn.init.orthogonal_(layer.weight, generator=generator)
    weights = [layer.weight.detach().numpy() for layer in reversed(layers)]
    return torch.nn.Sequential(*layers), weights


def torch_stack_is_linear(width: int, depth: int, seed: int) -> Iterator[Relation]:
    import torch

    stack, layers = _torch_stack(width, depth, seed)
    x = np.random.default_rng(seed).standard_normal(width)
    output = stack(torch.from_numpy(x)).detach().numpy()
    yield eq(output, deep_linear(layers, x), "torch, and layer by layer")
    yield eq(output, functools.reduce(np.matmul, layers) @ x, "torch, and one matrix")


def torch_stack_not_abs(width: int, depth: int, seed: int) -> Iterator[Relation]:
    import torch

    stack, _ = _torch_stack(width, depth, seed)
    phi, psi = torch.from_numpy(np.random.default_rng(seed).standard_normal((2, width)))
    at_1, at_minus_1 = (float((psi @ stack(x * phi)).detach()) for x in (1, -1))
    yield from _is_far_from_abs(at_1, at_minus_1)


def _positive(high: int) -> st.SearchStrategy[Fraction]:
    """Numbers in ``(0, high]``, very small ones included."""
    small = st.integers(1, 10**6).map(lambda k: Fraction(1, k))
    return small | reals(0, high, open_low=True)


_near_1 = st.integers(2, 10**6).map(lambda k: 1 - Fraction(1, k))
_proper_shares = _positive(1).filter(lambda share: share < 1) | _near_1
_shares = st.just(Fraction(1)) | _proper_shares
_signs = st.sampled_from([1, -1])
_steps = st.builds(lambda k, sign: Fraction(sign, 10**k), st.integers(0, 30), _signs)

_proper_starts = st.builds(
    lambda s, share: {"s": s, "u0": s * share}, _positive(20), _proper_shares
)
"""Starts ``0 < u0 < s``."""

_moments = st.builds(
    lambda s, share, t, step: {"s": s, "u0": s * share, "t": t / s, "step": step / s},
    _positive(20),
    _shares,
    reals(-30, 30),
    _steps,
)
"""Starts ``0 < u0 <= s``; times and steps on the scale ``1 / s`` of the curve."""

_approaches = st.builds(
    lambda s, x, sign, eps, later: {"s": s, "u0": sign * s * x, "eps": eps, "later": later},
    _positive(20),
    _positive(10),
    _signs,
    tolerances(),
    reals(0, 20),
)
"""Any start other than 0: negative ones and those beyond the target too."""

_two_targets = st.builds(
    lambda u0, share, gap, t: {"u0": u0, "s1": u0 / share, "s2": u0 / share + gap, "t": t},
    _positive(5),
    _shares,
    _positive(10),
    _positive(10),
)
"""Targets ``u0 <= s1 < s2`` and a positive time."""


def _targets_in_units(low: Fraction, high: Fraction) -> st.SearchStrategy[Point]:
    """Targets ``low u0 < s1 < s2 <= high u0``."""

    def point(u0: Fraction, first: Fraction, rest: Fraction) -> Point:
        return {"u0": u0, "s1": first * u0, "s2": (first + rest * (high - first)) * u0}

    inside = reals(low, high, open_low=True, open_high=True)
    return st.builds(point, _positive(5), inside, reals(0, 1, open_low=True))


TURNING_POINT = Fraction(459, 100)
"""A little below the root of ``x / (x - 1) = log(x - 1)``: the half time of a target ``x u0`` grows
with ``x`` up to it."""


def _draw_network(rng: random.Random, size: int) -> Point:
    """Up to eight square layers of every small width and rank, and an input."""
    n = random_size(rng, 0, size)
    layers = [random_matrix(rng, n, n) for _ in range(random_size(rng, 0, 8))]
    return {"layers": layers, "x": random_values(rng, n)}


def _draw_scalar_network(rng: random.Random, size: int) -> Point:
    network = _draw_network(rng, size)
    return {
        "layers": network["layers"],
        "phi": network["x"],
        "psi": random_values(rng, network["x"].size),
    }


_FIBONACCI, _TURN, _SHEAR = (
    rational_array(rows) for rows in ([[1, 1], [1, 0]], [[0, -1], [1, 0]], [[1, 2], [0, 1]])
)
_EXACT_STACKS = tuple(
    [[_FIBONACCI, _TURN, _SHEAR][i % 3] for i in range(depth)] for depth in (0, 1, 2, 3, 50, 1000)
)
_E1, _E2 = rational_identity(2)
_TORCH = grid(width=(8,), depth=(1, 10, 1000), seed=(0,))

_nonzero = reals(-20, 20).filter(bool)
_u0 = sympy.Symbol("u_0", positive=True)
_above = _u0 + sympy.Symbol("a", positive=True)
_TARGETS = (Fraction(1, 10), Fraction(1), Fraction(7))
_STARTS = (Fraction(1, 10**6), Fraction(1, 20), Fraction(1, 11))
_TIMES = (Fraction(-3), Fraction(0), Fraction(1, 2), Fraction(20))

THEOREMS = (
    Theorem(
        name="modeStrength_hasDerivAt",
        statement=r"\frac{d}{dt} u(t) = 2\,u(t)\,\big(s - u(t)\big), "
        r"\qquad u(t) = \frac{s}{1 + (s/u_0 - 1)\,e^{-2st}}",
        domain=r"0 < u_0 \le s,\ t \in \mathbb{R}",
        claim=mode_strength_has_deriv_at,
        checks=(
            Symbolic(
                {
                    "s": _u0 + sympy.Symbol("a", nonnegative=True),
                    "u0": _u0,
                    "t": sympy.Symbol("t", real=True),
                },
                claim=solves_logistic_equation,
            ),
            Certified(
                grid(
                    s=_TARGETS,
                    u0=_STARTS,
                    t=_TIMES,
                    step=tuple(Fraction(sign, 10**k) for sign in (1, -1) for k in (0, 2, 10, 30)),
                )
            ),
            Property(_moments),
            Numerical(
                (
                    {"s": np.array([3.0, 2.0, 0.5]), "u0": np.full(3, 0.01), "t": 2.0, "seed": 0},
                    {"s": np.array([4.0, 1.0]), "u0": np.array([0.1, 1.0]), "t": 1.0, "seed": 1},
                ),
                claim=two_layer_network,
            ),
        ),
        mutants=(
            Mutant("speed u (s - u)", partial(mode_strength_has_deriv_at, speed=1)),
            Mutant("speed 3 u (s - u)", partial(mode_strength_has_deriv_at, speed=3)),
        ),
        references=(SAXE,),
    ),
    Theorem(
        name="modeStrength_zero",
        statement=r"u(0) = u_0",
        domain=r"s \ne 0\ (u_0 \ne 0 \text{ in Python})",
        claim=mode_strength_zero,
        checks=(
            Property({"s": _nonzero, "u0": _nonzero}),
            Symbolic(
                {
                    "s": sympy.Symbol("s", real=True, nonzero=True),
                    "u0": sympy.Symbol("u_0", real=True, nonzero=True),
                }
            ),
        ),
        mutants=(
            Mutant("at time 1", partial(mode_strength_zero, time=1)),
            Mutant("twice the start", partial(mode_strength_zero, share=2)),
        ),
    ),
    Theorem(
        name="modeStrength_tendsto",
        statement=r"\lim_{t \to \infty} u(t) = s",
        domain=r"s > 0,\ u_0 \in \mathbb{R}\ (u_0 \ne 0 \text{ in Python})",
        claim=mode_strength_tendsto,
        checks=(
            Certified(
                grid(
                    s=_TARGETS,
                    u0=(*_STARTS, Fraction(20), Fraction(-1, 3)),
                    eps=(Fraction(1), Fraction(1, 100), Fraction(1, 10**30)),
                    later=(Fraction(0), Fraction(1), Fraction(100)),
                )
            ),
            Property(_approaches),
        ),
        mutants=(
            Mutant("twice the rate", partial(mode_strength_tendsto, rate=4)),
            Mutant("limit 2 s", partial(mode_strength_tendsto, limit=2)),
        ),
        references=(SAXE,),
    ),
    Theorem(
        name="modeStrength_halfTime",
        statement=r"u(t_{1/2}) = \frac{s}{2}, \qquad t_{1/2} = \frac{\log(s/u_0 - 1)}{2s}",
        domain=r"0 < u_0 < s",
        claim=mode_strength_half_time,
        checks=(
            Property(_proper_starts),
            Symbolic({"s": _above, "u0": _u0}),
        ),
        mutants=(
            Mutant("at twice the half time", partial(mode_strength_half_time, delay=2)),
            Mutant("a third of the target", partial(mode_strength_half_time, share=3)),
        ),
        references=(SAXE,),
    ),
    Theorem(
        name="modeStrength_lt_of_lt",
        statement=r"s_1 < s_2 \implies u_{s_1}(t) < u_{s_2}(t)",
        domain=r"0 < u_0 \le s_1,\ t > 0",
        claim=mode_strength_lt_of_lt,
        checks=(
            Certified(
                grid(
                    u0=_STARTS,
                    s1=_TARGETS,
                    s2=(Fraction(701, 100), Fraction(50)),
                    t=(Fraction(1, 10**6), Fraction(1), Fraction(30)),
                )
            ),
            Property(_two_targets),
        ),
        mutants=(
            Mutant("weak modes first", partial(mode_strength_lt_of_lt, reverse=True)),
            Mutant("at negative times too", partial(mode_strength_lt_of_lt, sign=-1)),
        ),
        references=(SAXE,),
    ),
    Theorem(
        name="halfTime_lt_of",
        statement=r"s_1 < s_2,\quad \frac{s_1}{s_1 - u_0} \le \log\Big(\frac{s_1}{u_0} - 1\Big) "
        r"\implies t_{1/2}(s_2) < t_{1/2}(s_1)",
        domain=r"0 < u_0 < s_1",
        claim=half_time_lt_of,
        checks=(
            Certified(
                grid(
                    lambda u0, s1, s2: s1 < s2,
                    u0=(Fraction(1),),
                    s1=(Fraction(2), Fraction(4), Fraction(46, 10), Fraction(100)),
                    s2=(Fraction(41, 10), Fraction(47, 10), Fraction(101), Fraction(10**6)),
                )
            ),
            Property(
                _targets_in_units(TURNING_POINT, Fraction(5))
                | _targets_in_units(Fraction(1), Fraction(40))
            ),
        ),
        mutants=(
            Mutant("weak modes first", partial(half_time_lt_of, reverse=True)),
            Mutant("half the turning point", partial(half_time_lt_of, relax=2)),
        ),
    ),
    Theorem(
        name="halfTime_lt",
        statement=r"s_1 < s_2 \implies t_{1/2}(s_2) < t_{1/2}(s_1)",
        domain=r"0 < 5 u_0 \le s_1",
        claim=half_time_lt,
        checks=(
            Certified(
                grid(
                    u0=_STARTS,
                    excess=(Fraction(0), Fraction(1), Fraction(10**6)),
                    gap=(Fraction(1, 10**6), Fraction(1), Fraction(10**6)),
                )
            ),
            Property(
                {
                    "u0": _positive(5),
                    "excess": st.just(Fraction(0)) | _positive(50),
                    "gap": _positive(50),
                }
            ),
        ),
        mutants=(
            Mutant("weak modes first", partial(half_time_lt, reverse=True)),
            Mutant("4 u_0 <= s_1", partial(half_time_lt, factor=4)),
        ),
    ),
    Theorem(
        name="halfTime_not_antitone",
        statement=r"\exists\, u_0, s_1, s_2:\quad 0 < u_0 < s_1 < s_2,\quad "
        r"t_{1/2}(s_1) < t_{1/2}(s_2)",
        domain=r"\text{witness } u_0 = 1,\ s_1 = 2,\ s_2 = 3",
        claim=half_time_not_antitone,
        checks=(
            Symbolic({"u0": sympy.Integer(1), "s1": sympy.Integer(2), "s2": sympy.Integer(3)}),
            Certified(({"u0": Fraction(1), "s1": Fraction(2), "s2": Fraction(3)},)),
            Property(_targets_in_units(Fraction(1), TURNING_POINT)),
        ),
        mutants=(
            Mutant("the stronger mode is earlier", partial(half_time_not_antitone, reverse=True)),
        ),
    ),
    Theorem(
        name="deep_linear_is_linear",
        statement=r"L_1\big(L_2(\cdots L_N\, x)\big) = (L_1 L_2 \cdots L_N)\, x",
        domain=r"L_i : E \to E \text{ linear},\ N \ge 0",
        claim=deep_linear_is_linear,
        checks=(
            Certified(grid(layers=_EXACT_STACKS, x=(_E1, _E2)), arithmetic="exact"),
            Property(seeded(_draw_network, 3), arithmetic="exact"),
            Numerical(_TORCH, claim=torch_stack_is_linear),
        ),
        mutants=(
            Mutant("factors in reverse order", partial(deep_linear_is_linear, order=-1)),
            Mutant("without the last layer", partial(deep_linear_is_linear, skipped=1)),
        ),
        references=(GOODFELLOW,),
    ),
    Theorem(
        name="deep_linear_not_abs",
        statement=r"\neg\ \forall x \in \mathbb{R}:\ "
        r"\psi\big(L_1(L_2(\cdots L_N\, \varphi(x)))\big) = |x|",
        domain=r"L_i : E \to E,\ \varphi : \mathbb{R} \to E,\ \psi : E \to \mathbb{R}"
        r" \text{ linear},\ N \ge 0",
        claim=deep_linear_not_abs,
        checks=(
            Certified(grid(layers=_EXACT_STACKS, phi=(_E1,), psi=(_E1, _E2)), arithmetic="exact"),
            Property(seeded(_draw_scalar_network, 3), arithmetic="exact"),
            Numerical(_TORCH, claim=torch_stack_not_abs),
        ),
        mutants=(
            Mutant("absolute values of the output", partial(deep_linear_not_abs, rectified=True)),
            Mutant("off by two", partial(deep_linear_not_abs, distance=2)),
        ),
        references=(GOODFELLOW,),
    ),
)
