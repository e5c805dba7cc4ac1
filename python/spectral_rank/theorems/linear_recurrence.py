"""Checks of ``lean/SpectralRank/LinearRecurrence.lean``: recurrences and their bottleneck.

Systems are drawn with rational entries, so that states, ranks and kernels are exact.  The symbolic
checks come last, because sympy is slow to refute a mutant.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import sympy

from spectral_rank.formulas.matrix import NumberArray
from spectral_rank.formulas.recurrence import memory_space, state_after
from spectral_rank.theorems.claim import Relation, eq, le
from spectral_rank.theorems.rank_manifold import exact_kernel, exact_rank, vandermonde
from spectral_rank.theorems.rational_matrices import (
    random_matrix,
    random_size,
    random_values,
    rational_identity,
    rational_zeros,
    seeded,
)
from spectral_rank.theorems.theorem import (
    Certified,
    Mutant,
    Numerical,
    Point,
    Property,
    Symbolic,
    Theorem,
)

KAILATH = "Kailath, Linear Systems (1980), chapter 2: state space, reachability"
KALMAN = (
    "Kalman, Mathematical description of linear dynamical systems, "
    "SIAM Journal on Control 1 (1963): reachable subspaces"
)

Inputs = list[NumberArray]


def state_after_append(
    W: NumberArray,
    B: NumberArray,
    h: NumberArray,
    xs: Inputs,
    ys: Inputs,
    *,
    exchanged: bool = False,
    restart: bool = False,
) -> Iterator[Relation]:
    first, second = (ys, xs) if exchanged else (xs, ys)
    between = h if restart else state_after(W, B, h, first)
    yield eq(state_after(W, B, h, xs + ys), state_after(W, B, between, second))


def state_after_eq_pow_add(
    W: NumberArray, B: NumberArray, h: NumberArray, xs: Inputs, *, delay: int = 0
) -> Iterator[Relation]:
    response = state_after(W, B, 0 * h, xs)
    remains = np.linalg.matrix_power(W, len(xs) + delay) @ h
    yield eq(state_after(W, B, h, xs), remains + response)
    convolution = sum(
        (np.linalg.matrix_power(W, k) @ (B @ x) for k, x in enumerate(reversed(xs))), 0 * h
    )
    yield eq(response, convolution, "the response, as a convolution")


def _in_range(W: NumberArray, v: NumberArray, label: str) -> Relation:
    """Whether the vector lies in the range of ``W``: it does not raise the rank."""
    return eq(exact_rank(np.column_stack([W, v])), exact_rank(W), label)


def memory_mem_range(
    W: NumberArray, B: NumberArray, h: NumberArray, xs: Inputs, *, whole_state: bool = False
) -> Iterator[Relation]:
    """The memory part ``W h`` is the next state under the input zero."""
    silence = [] if whole_state else [rational_zeros(B.shape[1])]
    yield _in_range(W, state_after(W, B, h, xs + silence), "the memory part")


def state_after_cons_mem(
    W: NumberArray, B: NumberArray, h: NumberArray, xs: Inputs, *, unread: bool = False
) -> Iterator[Relation]:
    read = [] if unread else xs
    left = state_after(W, B, h, read) - state_after(W, B, 0 * h, read)
    yield _in_range(W, left, "what is left of the initial state")


def state_after_concat_mem(
    W: NumberArray, B: NumberArray, h: NumberArray, xs: Inputs, *, last: int = 1
) -> Iterator[Relation]:
    past = state_after(W, B, h, xs) - last * (B @ xs[-1])
    yield _in_range(W, past, "what is left of the past")


def _probed_states(W: NumberArray, B: NumberArray, h: NumberArray) -> NumberArray:
    """States that span all reachable ones, as columns: inputs silent but for at most the first.

    By Cayley and Hamilton no more steps than dimensions are needed.
    """
    d, k = B.shape
    starts = [rational_zeros(k), *rational_identity(k)]
    silence = [rational_zeros(k)] * d
    probes = [[], *([x, *silence[1:length]] for x in starts for length in range(1, d + 1))]
    return np.column_stack([state_after(W, B, h, xs) for xs in probes])


def _memory_bound(
    W: NumberArray, B: NumberArray, h: NumberArray, xs: Inputs, bound: int, whole_state: bool
) -> Iterator[Relation]:
    """The rank of the stacked memory parts, which is the dimension of the span, and its bound."""
    states = _probed_states(W, B, h)
    if whole_state:
        yield le(exact_rank(states), bound, "the states")
    memory = memory_space(W, B, h)
    yield eq(exact_rank(W @ states), memory.shape[1], "the probes span the memory")
    yield _in_range(memory, W @ state_after(W, B, h, xs), "any other input adds nothing")
    yield le(memory.shape[1], bound)


def finrank_memory_le(
    W: NumberArray,
    B: NumberArray,
    h: NumberArray,
    xs: Inputs,
    *,
    slack: int = 0,
    whole_state: bool = False,
) -> Iterator[Relation]:
    yield from _memory_bound(W, B, h, xs, exact_rank(W) + slack, whole_state)


def finrank_memory_le_of_factor(
    U: NumberArray,
    V: NumberArray,
    B: NumberArray,
    h: NumberArray,
    xs: Inputs,
    *,
    slack: int = 0,
    whole_state: bool = False,
) -> Iterator[Relation]:
    yield from _memory_bound(U @ V, B, h, xs, U.shape[1] + slack, whole_state)


def bottleneck_determines_future(
    U: NumberArray,
    V: NumberArray,
    B: NumberArray,
    h: NumberArray,
    k: NumberArray,
    xs: Inputs,
    *,
    unread: bool = False,
    scale: int = 1,
) -> Iterator[Relation]:
    """Two states ``h`` and ``h + k`` that agree in the bottleneck: ``V k = 0``."""
    read = [] if unread else xs
    yield eq(state_after(U @ V, B, scale * h, read), state_after(U @ V, B, h + k, read))


def forgotten_of_mem_ker(
    W: NumberArray,
    B: NumberArray,
    h: NumberArray,
    k: NumberArray,
    xs: Inputs,
    *,
    unread: bool = False,
) -> Iterator[Relation]:
    read = [] if unread else xs
    yield eq(state_after(W, B, h + k, read), state_after(W, B, h, read))


def finrank_le_forgotten_add(
    U: NumberArray,
    V: NumberArray,
    B: NumberArray,
    h: NumberArray,
    xs: Inputs,
    *,
    slack: int = 0,
    inner: bool = False,
) -> Iterator[Relation]:
    d, r = U.shape
    kernel = exact_kernel(U @ V)
    yield le(d, (exact_kernel(V @ U) if inner else kernel).shape[1] + r + slack)
    for k in kernel.T:
        yield from forgotten_of_mem_ker(U @ V, B, h, k, xs)


def bottleneck_recurrence(
    U: NumberArray,
    V: NumberArray,
    B: NumberArray,
    h: NumberArray,
    xs: Inputs,
    *,
    start: int = 1,
    inputs: int = 1,
) -> Iterator[Relation]:
    z = state_after(V @ U, inputs * (V @ B), start * (V @ h), xs)
    yield eq(V @ state_after(U @ V, B, h, xs), z)


def state_after_from_bottleneck(
    U: NumberArray,
    V: NumberArray,
    B: NumberArray,
    h: NumberArray,
    xs: Inputs,
    *,
    last: int = 1,
    unread: int = 1,
) -> Iterator[Relation]:
    """The inputs ``xs`` are the block and the last input of the theorem."""
    z = state_after(V @ U, V @ B, V @ h, xs[: len(xs) - unread])
    yield eq(state_after(U @ V, B, h, xs), U @ z + last * (B @ xs[-1]))


def _inputs(rng: random.Random, k: int, least: int) -> Inputs:
    return [random_values(rng, k) for _ in range(rng.randint(least, 4))]


def _draw_system(rng: random.Random, size: int, least: int = 0) -> Point:
    """A system of every small shape and ``least`` or more inputs; no states, no inputs included."""
    d, k = random_size(rng, 0, size), random_size(rng, 0, 2)
    return {
        "W": random_matrix(rng, d, d),
        "B": random_matrix(rng, d, k),
        "h": random_values(rng, d),
        "xs": _inputs(rng, k, least),
    }


def _draw_blocks(rng: random.Random, size: int) -> Point:
    system = _draw_system(rng, size)
    return {**system, "ys": _inputs(rng, system["B"].shape[1], 0)}


def _draw_factored(rng: random.Random, size: int, least: int = 0) -> Point:
    """A system with ``W = U V``, its bottleneck narrower or wider than the state."""
    system = _draw_system(rng, size, least)
    d, r = system["h"].size, random_size(rng, 0, size)
    factors = {"U": random_matrix(rng, d, r), "V": random_matrix(rng, r, d)}
    return {**factors, **{name: system[name] for name in ("B", "h", "xs")}}


def _annihilator(rng: random.Random, rows: int, k: NumberArray) -> NumberArray:
    """A matrix that maps ``k`` to zero; every such matrix is one, up to scale."""
    M = random_matrix(rng, rows, k.size)
    return M @ ((k @ k) * rational_identity(k.size) - np.outer(k, k)) if any(k) else M


def _draw_forgotten(rng: random.Random, size: int) -> Point:
    system = _draw_system(rng, size, least=1)
    k = random_values(rng, system["h"].size)
    return {**system, "W": _annihilator(rng, k.size, k), "k": k}


def _draw_agreeing(rng: random.Random, size: int) -> Point:
    system = _draw_factored(rng, size, least=1)
    k = random_values(rng, system["h"].size)
    return {**system, "V": _annihilator(rng, system["V"].shape[0], k), "k": k}


def _delay_line(d: int) -> NumberArray:
    """The shift ``e_i -> e_(i + 1)``: it forgets what it read ``d`` steps ago."""
    return rational_identity(d + 1)[:d, 1:]


def _columns(d: int, k: int) -> NumberArray:
    return rational_identity(max(d, k))[:d, :k]


def _signal(k: int, length: int) -> Inputs:
    return list(vandermonde(length, k, 1))


def _canonical_systems(least: int) -> tuple[Point, ...]:
    """Delay lines, identities, zero maps and generic maps with one or two inputs."""
    return tuple(
        {"W": W, "B": _columns(d, k), "h": h, "xs": _signal(k, length)}
        for d in (1, 2, 4)
        for W in (
            _delay_line(d),
            rational_identity(d),
            rational_zeros(d, d),
            vandermonde(d, d, 1),
        )
        for k in (1, 2)
        for h in (rational_zeros(d), vandermonde(1, d, 2)[0])
        for length in (least, 3)
    )


def _canonical_factored(least: int) -> tuple[Point, ...]:
    return tuple(
        {
            "U": vandermonde(d, r, 1),
            "V": vandermonde(d, r, -2).T,
            "B": _columns(d, 1),
            "h": vandermonde(1, d, 3)[0],
            "xs": _signal(1, length),
        }
        for d in (1, 2, 4, 6)
        for r in range(d + 2)
        for length in (least, 3)
    )


def _with_kernel_vector(points: Sequence[Point], name: str) -> tuple[Point, ...]:
    """The points with a vector ``k`` that the matrix of this name maps to zero."""
    return tuple({**point, "k": exact_kernel(point[name]).sum(axis=1)} for point in points)


def _symbols(name: str, *shape: int) -> NumberArray:
    symbols = sympy.symbols(f"{name}:{np.prod(shape)}", real=True)
    return np.array(symbols, dtype=object).reshape(shape)


def _wide_system(length: int) -> Point:
    """Two hundred states behind a bottleneck of eight, as a model runs it."""
    rng, (d, r, k) = np.random.default_rng(0), (200, 8, 16)
    return {
        "U": rng.standard_normal((d, r)) / np.sqrt(d),
        "V": rng.standard_normal((r, d)) / np.sqrt(d),
        "B": rng.standard_normal((d, k)),
        "h": rng.standard_normal(d),
        "xs": list(rng.standard_normal((length, k))),
    }


_symbolic_system = {
    "W": _symbols("w", 2, 2),
    "B": _symbols("b", 2, 1),
    "h": _symbols("h", 2),
    "xs": [_symbols("x", 1), _symbols("y", 1)],
}
_symbolic_factored = {
    "U": _symbols("u", 2, 1),
    "V": _symbols("v", 1, 2),
    "B": _symbols("b", 2, 1),
    "h": _symbols("h", 2),
    "xs": [_symbols("x", 1), _symbols("y", 1)],
}


def _systems(least: int) -> tuple[Certified, Property]:
    return (
        Certified(_canonical_systems(least), arithmetic="exact"),
        Property(seeded(partial(_draw_system, least=least), 3), arithmetic="exact"),
    )


def _factored(least: int) -> tuple[Certified, Property]:
    return (
        Certified(_canonical_factored(least), arithmetic="exact"),
        Property(seeded(partial(_draw_factored, least=least), 3), arithmetic="exact"),
    )


THEOREMS = (
    Theorem(
        name="stateAfter_append",
        statement=r"s(h;\, x_1 \dots x_p\, y_1 \dots y_q) = s\big(s(h;\, x_1 \dots x_p);\,"
        r" y_1 \dots y_q\big)",
        domain=r"W : H \to H,\ B : X \to H \text{ linear},\ p, q \ge 0",
        claim=state_after_append,
        checks=(
            Property(seeded(_draw_blocks, 3), arithmetic="exact"),
            Symbolic({**_symbolic_system, "xs": [_symbols("x", 1)], "ys": [_symbols("y", 1)]}),
        ),
        mutants=(
            Mutant("blocks exchanged", partial(state_after_append, exchanged=True)),
            Mutant("second block from the start", partial(state_after_append, restart=True)),
        ),
    ),
    Theorem(
        name="stateAfter_eq_pow_add",
        statement=r"s(h;\, x_1 \dots x_n) = W^n h + s(0;\, x_1 \dots x_n)",
        domain=r"W : H \to H,\ B : X \to H \text{ linear},\ n \ge 0",
        claim=state_after_eq_pow_add,
        checks=(
            Property(seeded(_draw_system, 3), arithmetic="exact"),
            Symbolic(_symbolic_system),
        ),
        mutants=(Mutant("one step more", partial(state_after_eq_pow_add, delay=1)),),
        references=(KAILATH,),
    ),
    Theorem(
        name="memory_mem_range",
        statement=r"W\, s(h;\, x_1 \dots x_n) \in \mathrm{range} W",
        domain=r"n \ge 0",
        claim=memory_mem_range,
        checks=_systems(least=0),
        mutants=(Mutant("the state itself", partial(memory_mem_range, whole_state=True)),),
    ),
    Theorem(
        name="stateAfter_cons_mem",
        statement=r"s(h;\, x_1 \dots x_n) - s(0;\, x_1 \dots x_n) \in \mathrm{range} W",
        domain=r"n \ge 1",
        claim=state_after_cons_mem,
        checks=_systems(least=1),
        mutants=(Mutant("before any input", partial(state_after_cons_mem, unread=True)),),
    ),
    Theorem(
        name="stateAfter_concat_mem",
        statement=r"s(h;\, x_1 \dots x_n) - B x_n \in \mathrm{range} W",
        domain=r"n \ge 1",
        claim=state_after_concat_mem,
        checks=_systems(least=1),
        mutants=(Mutant("the last input kept", partial(state_after_concat_mem, last=0)),),
    ),
    Theorem(
        name="finrank_memory_le",
        statement=r"\dim \mathrm{span}\{W\, s(h;\, x_1 \dots x_n) : n \ge 0,\ x_i \in X\}"
        r" \le \mathrm{rank} W",
        domain=r"\dim H < \infty",
        claim=finrank_memory_le,
        checks=_systems(least=0),
        mutants=(
            Mutant("rank W - 1", partial(finrank_memory_le, slack=-1)),
            Mutant("span of the states", partial(finrank_memory_le, whole_state=True)),
        ),
        references=(KALMAN,),
    ),
    Theorem(
        name="finrank_memory_le_of_factor",
        statement=r"\dim \mathrm{span}\{UV\, s(h;\, x_1 \dots x_n) : n \ge 0,\ x_i \in X\}"
        r" \le r",
        domain=r"W = UV,\ V : H \to \mathbb{R}^r,\ U : \mathbb{R}^r \to H",
        claim=finrank_memory_le_of_factor,
        checks=_factored(least=0),
        mutants=(
            Mutant("r - 1", partial(finrank_memory_le_of_factor, slack=-1)),
            Mutant("span of the states", partial(finrank_memory_le_of_factor, whole_state=True)),
        ),
        references=(KALMAN,),
    ),
    Theorem(
        name="bottleneck_determines_future",
        statement=r"V h = V h' \implies s(h;\, x_1 \dots x_n) = s(h';\, x_1 \dots x_n)",
        domain=r"W = UV,\ n \ge 1",
        claim=bottleneck_determines_future,
        checks=(
            Certified(_with_kernel_vector(_canonical_factored(1), "V"), arithmetic="exact"),
            Property(seeded(_draw_agreeing, 3), arithmetic="exact"),
        ),
        mutants=(
            Mutant("before any input", partial(bottleneck_determines_future, unread=True)),
            Mutant("V h' = 2 V h", partial(bottleneck_determines_future, scale=2)),
        ),
    ),
    Theorem(
        name="forgotten_of_mem_ker",
        statement=r"W k = 0 \implies s(h + k;\, x_1 \dots x_n) = s(h;\, x_1 \dots x_n)",
        domain=r"n \ge 1",
        claim=forgotten_of_mem_ker,
        checks=(
            Certified(_with_kernel_vector(_canonical_systems(1), "W"), arithmetic="exact"),
            Property(seeded(_draw_forgotten, 3), arithmetic="exact"),
        ),
        mutants=(Mutant("before any input", partial(forgotten_of_mem_ker, unread=True)),),
    ),
    Theorem(
        name="finrank_le_forgotten_add",
        statement=r"\dim H \le \dim \ker(UV) + r",
        domain=r"\dim H < \infty,\ V : H \to \mathbb{R}^r,\ U : \mathbb{R}^r \to H",
        claim=finrank_le_forgotten_add,
        checks=_factored(least=1),
        mutants=(
            Mutant("r - 1", partial(finrank_le_forgotten_add, slack=-1)),
            Mutant("kernel of V U", partial(finrank_le_forgotten_add, inner=True)),
        ),
    ),
    Theorem(
        name="bottleneck_recurrence",
        statement=r"V\, s_{UV,\,B}(h;\, x_1 \dots x_n) = s_{VU,\,VB}(V h;\, x_1 \dots x_n)",
        domain=r"W = UV,\ n \ge 0",
        claim=bottleneck_recurrence,
        checks=(
            *_factored(least=0),
            Symbolic(_symbolic_factored),
            Numerical((_wide_system(100),)),
        ),
        mutants=(
            Mutant("started at 0", partial(bottleneck_recurrence, start=0)),
            Mutant("inputs read twice", partial(bottleneck_recurrence, inputs=2)),
        ),
    ),
    Theorem(
        name="stateAfter_from_bottleneck",
        statement=r"s_{UV,\,B}(h;\, x_1 \dots x_n) = U\, s_{VU,\,VB}(V h;\, x_1 \dots x_{n-1})"
        r" + B x_n",
        domain=r"W = UV,\ n \ge 1",
        claim=state_after_from_bottleneck,
        checks=(
            *_factored(least=1),
            Symbolic(_symbolic_factored),
            Numerical((_wide_system(100),)),
        ),
        mutants=(
            Mutant("without the last input", partial(state_after_from_bottleneck, last=0)),
            Mutant("z after the last input", partial(state_after_from_bottleneck, unread=0)),
        ),
    ),
)
