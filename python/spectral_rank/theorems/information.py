"""Checks of ``lean/SpectralRank/Information.lean``: size of a state, Occam bound, allocation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy
from hypothesis import strategies as st

from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.elementary import as_ball, as_sympy, exp, log, power
from spectral_rank.formulas.information import (
    description_length,
    factored_params,
    power_allocation,
    state_bits,
    waterfill_bits,
)
from spectral_rank.theorems.claim import Relation, eq, le, lt
from spectral_rank.theorems.strategies import FloatArray, ordered_ranks, ranks, reals, tolerances
from spectral_rank.theorems.theorem import (
    Certified,
    Mutant,
    Numerical,
    Property,
    Symbolic,
    Theorem,
    grid,
)

COVER_THOMAS_ENTROPY = (
    "Cover and Thomas, Elements of Information Theory (2006), chapter 2: entropy and Gibbs' "
    "inequality (information inequality)"
)
COVER_THOMAS_RATE = (
    "Cover and Thomas, Elements of Information Theory (2006), section 10.3: rate distortion of "
    "parallel Gaussian sources and reverse water-filling"
)
GERSHO_GRAY = (
    "Gersho and Gray, Vector Quantization and Signal Compression (1992), chapter 8: bit allocation"
)
BLUMER = "Blumer, Ehrenfeucht, Haussler and Warmuth, Occam's razor, Inf. Process. Lett. 24 (1987)"
UNDERSTANDING_ML = (
    "Shalev-Shwartz and Ben-David, Understanding Machine Learning (2014), section 2.3: finite "
    "hypothesis classes"
)

ENUMERATED = 1000
"""Up to this many states are listed one by one."""


def state_bits_eq(r: Number, k: Number, *, more: int = 0) -> Iterator[Relation]:
    count = _number_of_states(r, k + more)
    yield eq(state_bits(r, _as_ball(k)), log(_as_ball(count)))


def state_bits_two_pow(r: Number, b: Number, *, base: int = 2) -> Iterator[Relation]:
    two = as_ball(2) if isinstance(r, int) else as_sympy(2)
    yield eq(state_bits(r, _as_ball(base**b)), r * b * log(two))


def state_bits_mono(r: Number, more: Number, k: Number, *, sign: int = 1) -> Iterator[Relation]:
    fewer, many = state_bits(r, _as_ball(k)), state_bits(r + more, _as_ball(k))
    yield le(sign * fewer, sign * many)


def description_length_mono(
    pair: tuple[int, int], d1: int, d2: int, bits: Number, *, sign: int = 1
) -> Iterator[Relation]:
    r, larger = pair
    yield eq(factored_params(r, d1, d2), _entries_of_factors(r, d1, d2), "entries of the factors")
    cost = description_length(factored_params(r, d1, d2), sign * bits)
    yield le(cost, description_length(factored_params(larger, d1, d2), sign * bits))


def description_length_lt_dense(
    r: int, d1: int, d2: int, bits: Number, *, shift: int = 0, scale: int = 1
) -> Iterator[Relation]:
    factored = description_length(_entries_of_factors(r + shift, d1, d2), scale * bits)
    yield lt(factored, description_length(d1 * d2, scale * bits))


def occam_bound(
    K: Number,
    delta: Number,
    gap: Number,
    slack: Number,
    *,
    confidence: int = 1,
    classes: int = 1,
) -> Iterator[Relation]:
    least = (classes * log(K) + confidence * log(1 / delta)) / gap
    yield le(K * exp(-((least + slack) * gap)), delta)
    yield eq(K * exp(-(least * gap)), delta, "with equality at the least sample size")


def occam_survivors(K: int, delta: Fraction, gap: Fraction) -> Iterator[Relation]:
    """The bound at work, in exact arithmetic.

    A hypothesis that errs with probability ``gap`` survives ``n`` samples with ``(1 - gap) ** n``,
    which is at most ``exp(-n gap)``.
    """
    least = (log(as_ball(K)) - log(as_ball(delta))) / as_ball(gap)
    n = max(0, int(least.upper().ceil().unique_fmpz()))
    yield le(K * (1 - gap) ** n, delta)


def occam_factored(
    r: int,
    d1: int,
    d2: int,
    bits: Number,
    delta: Number,
    gap: Number,
    slack: Number,
    *,
    confidence: int = 1,
    width: int = 1,
) -> Iterator[Relation]:
    cost = _entries_of_factors(r, d1, d2) * bits
    shorter = _entries_of_factors(r, d1, width * d2) * bits
    n = (shorter + confidence * log(1 / delta)) / gap + slack
    length = description_length(factored_params(r, d1, d2), bits)
    yield eq(length, cost, "description length, parameter by parameter")
    yield le(exp(length) * exp(-(n * gap)), delta)


def power_allocation_budget(
    w: tuple[Number, ...], P: Number, *, unspent: int = 0
) -> Iterator[Relation]:
    shares = power_allocation(w, P)
    yield eq(sum(shares[unspent:]), P)
    for i in range(1, len(w)):
        yield eq(shares[i] * w[0], shares[0] * w[i], "proportional to the weights")


def log_energy_le(
    w: tuple[Number, ...],
    p: tuple[Number, ...],
    slack: Number,
    *,
    exponent: int = 1,
) -> Iterator[Relation]:
    P = sum(p) + slack
    is_weighted = any(weight != 0 for weight in w)
    best = power_allocation([weight**exponent for weight in w], P) if is_weighted else p
    yield le(_log_energy(w, p), _log_energy(w, best))


def _log_energy(w: Any, p: Any) -> Number:
    """``sum(w_i log p_i)``; a weight of 0 contributes 0 whatever the share (in Lean log 0 = 0)."""
    return sum((weight * log(share) for weight, share in zip(w, p, strict=True) if weight != 0), 0)


def allocation_optimum(w: FloatArray, P: float) -> Iterator[Relation]:
    """Sequential quadratic programming from equal shares ends at the proportional allocation."""
    from scipy.optimize import minimize

    found = minimize(
        lambda p: -(w @ np.log(p)),
        np.full(len(w), P / len(w)),
        jac=lambda p: -w / p,
        bounds=[(1e-9, None)] * len(w),
        constraints={"type": "eq", "fun": lambda p: np.sum(p) - P, "jac": np.ones_like},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    yield eq(found.x, power_allocation(w, P), rtol=1e-5)


def distortion_lower_bound(
    sigma: tuple[Number, ...], b: tuple[Number, ...], *, rate: int = 2, mean: str = "geometric"
) -> Iterator[Relation]:
    bound = _least_distortion(sigma, sum(b), rate, mean)
    yield le(bound, _distortion(sigma, b))


def waterfill_bits_budget(
    sigma: tuple[Number, ...], B: Number, *, each: bool = False, uncentred: bool = False
) -> Iterator[Relation]:
    bits = waterfill_bits(sigma, B)
    if uncentred:
        bits = bits + sum(log(abs(s)) for s in sigma) / len(sigma)
    yield eq(sum(bits), B * len(sigma) if each else B)
    for i in range(1, len(sigma)):
        ratio = abs(sigma[i] / sigma[0])
        yield eq(bits[i] - bits[0], log(ratio), "nats above the first coordinate")


def waterfill_bits_distortion(
    sigma: tuple[Number, ...], B: Number, *, rate: int = 2, mean: str = "geometric"
) -> Iterator[Relation]:
    attained = _distortion(sigma, waterfill_bits(sigma, B))
    yield eq(attained, _least_distortion(sigma, B, rate, mean))


def _distortion(sigma: tuple[Number, ...], b: Any) -> Number:
    """``sum(sigma_i ** 2 * exp(-2 b_i))``."""
    return sum((s**2 * exp(-2 * bits) for s, bits in zip(sigma, b, strict=True)), 0)


def _least_distortion(
    sigma: tuple[Number, ...], B: Number, rate: int = 2, mean: str = "geometric"
) -> Number:
    """``n`` times the geometric mean of the ``sigma_i ** 2`` times ``exp(-2 B / n)``."""
    n = len(sigma)
    if n == 0:
        return 0
    energies = [s**2 for s in sigma]
    if mean == "arithmetic":
        return sum(energies) * exp(-rate * B / n)
    product = energies[0]
    for energy in energies[1:]:
        product = product * energy
    return n * power(product, Fraction(1, n)) * exp(-rate * B / n)


def _number_of_states(r: Number, k: Number) -> Number:
    """``k ** r``, by listing all states where they are few."""
    if isinstance(r, int) and isinstance(k, int) and r * (k.bit_length() - 1) < 10:
        return sum(1 for _ in itertools.product(range(k), repeat=r))
    return _as_ball(k) ** r


def _entries_of_factors(r: int, d1: int, d2: int) -> int:
    """Entries of a ``d1 x r`` and an ``r x d2`` matrix; broadcasting allocates neither."""
    return int(np.broadcast_to(0, (d1, r)).size + np.broadcast_to(0, (r, d2)).size)


def _as_ball(value: Number) -> Number:
    return as_ball(value) if isinstance(value, int) else value


@st.composite
def _below_break_even(draw: Any) -> dict[str, Any]:
    """Shapes and a rank with ``r (d1 + d2) < d1 d2``, the largest such rank included."""
    d1, d2 = draw(ranks(high=10**4)), draw(ranks(high=10**4))
    largest = (d1 * d2 - 1) // (d1 + d2)
    r = draw(st.just(largest) | st.integers(0, largest))
    return {"r": r, "d1": d1, "d2": d2, "bits": draw(reals(0, 64, open_low=True))}


@st.composite
def _weights_and_shares(draw: Any) -> dict[str, Any]:
    """Weights with zeros, positive shares near to and far from the weights, and a slack."""
    n = draw(st.integers(0, 6))
    w = tuple(draw(st.just(Fraction(0)) | reals(0, 10)) for _ in range(n))
    perturbation = draw(st.sampled_from([Fraction(1, 10), Fraction(5)]))
    p = tuple(
        weight + perturbation * draw(reals(0, 1, open_low=True, denominator=97)) for weight in w
    )
    slack = draw(reals(0, 5, open_low=not p) | st.just(Fraction(int(not p))))
    return {"w": w, "p": p, "slack": slack}


_scale = reals(-5, 5, denominator=1001).filter(bool)
_scales = st.lists(_scale, max_size=6).map(tuple)


@st.composite
def _scales_and_bits(draw: Any) -> dict[str, Any]:
    sigma = draw(_scales)
    return {"sigma": sigma, "b": tuple(draw(reals(-3, 6)) for _ in sigma)}


_gaps = reals(0, 2, open_low=True)
_deltas = tolerances() | reals(0, 5, open_low=True)

_CONFIDENCES = (Fraction(1, 20), Fraction(1, 10**6), Fraction(3))
_GAPS = (Fraction(1, 1000), Fraction(1, 10), Fraction(1))
_SCALES = (
    (Fraction(1), Fraction(1, 2), Fraction(1, 3)),
    (Fraction(-7), Fraction(1, 1000)),
    (Fraction(2), Fraction(2), Fraction(-2), Fraction(3)),
)
_BUDGETS = (Fraction(-1), Fraction(0), Fraction(5, 2), Fraction(40))

_r, _t, _b = sympy.symbols("r t b", nonnegative=True, integer=True)
_k = sympy.Symbol("k", positive=True, integer=True)
_w = sympy.symbols("w1:5", positive=True)
_sigma = sympy.symbols("sigma1:4", positive=True)
_P = sympy.Symbol("P", real=True)

THEOREMS = (
    Theorem(
        name="stateBits_eq",
        statement=r"\log \#\{1, \dots, k\}^r = r \log k",
        domain=r"r \ge 0,\ k \ge 1",
        claim=state_bits_eq,
        checks=(
            Symbolic({"r": _r, "k": _k}),
            Certified(grid(r=(0, 1, 2, 3, 1000), k=(1, 2, 3, 7, 2**16))),
            Property({"r": ranks(0, 10**4), "k": ranks()}),
        ),
        mutants=(Mutant("k + 1 levels", partial(state_bits_eq, more=1)),),
        references=(COVER_THOMAS_ENTROPY,),
    ),
    Theorem(
        name="stateBits_two_pow",
        statement=r"\log \#\{1, \dots, 2^b\}^r = r\, b \log 2",
        domain=r"r \ge 0,\ b \ge 0",
        claim=state_bits_two_pow,
        checks=(
            Symbolic({"r": _r, "b": _b}),
            Property({"r": ranks(0), "b": ranks(0, 1000)}),
        ),
        mutants=(Mutant("3^b levels", partial(state_bits_two_pow, base=3)),),
        references=(COVER_THOMAS_ENTROPY,),
    ),
    Theorem(
        name="stateBits_mono",
        statement=r"r \le r' \implies \log \#\{1, \dots, k\}^r \le \log \#\{1, \dots, k\}^{r'}",
        domain=r"r, r' \ge 0,\ k \ge 1",
        claim=state_bits_mono,
        checks=(
            Symbolic({"r": _r, "more": _t, "k": 1 + _b}),
            Property({"r": ranks(0), "more": ranks(0), "k": ranks()}),
        ),
        mutants=(Mutant("decreasing in r", partial(state_bits_mono, sign=-1)),),
    ),
    Theorem(
        name="descriptionLength_mono",
        statement=r"r \le r' \implies r\,(d_1 + d_2)\, b \le r'\,(d_1 + d_2)\, b",
        domain=r"r, r', d_1, d_2 \in \mathbb{N},\ b \ge 0",
        claim=description_length_mono,
        checks=(
            Certified(
                grid(
                    pair=((0, 0), (0, 3), (2, 2), (2, 7)),
                    d1=(0, 1, 9),
                    d2=(0, 4),
                    bits=(Fraction(0), Fraction(1, 3), Fraction(16)),
                ),
                "exact",
            ),
            Property(
                {
                    "pair": ordered_ranks(low=0, high=1000),
                    "d1": ranks(0),
                    "d2": ranks(0),
                    "bits": reals(0, 64),
                },
                "exact",
            ),
        ),
        mutants=(Mutant("negative bits", partial(description_length_mono, sign=-1)),),
    ),
    Theorem(
        name="descriptionLength_lt_dense",
        statement=r"r\,(d_1 + d_2) < d_1 d_2 \implies r\,(d_1 + d_2)\, b < d_1 d_2\, b",
        domain=r"r, d_1, d_2 \in \mathbb{N},\ b > 0",
        claim=description_length_lt_dense,
        checks=(
            Certified(
                grid(
                    lambda r, d1, d2, bits: r * (d1 + d2) < d1 * d2,
                    r=range(5),
                    d1=range(1, 9),
                    d2=range(1, 9),
                    bits=(Fraction(1, 7), Fraction(32)),
                ),
                "exact",
            ),
            Property(_below_break_even(), "exact"),
        ),
        mutants=(
            Mutant("rank r + 1", partial(description_length_lt_dense, shift=1)),
            Mutant("bits = 0", partial(description_length_lt_dense, scale=0)),
        ),
    ),
    Theorem(
        name="occam_bound",
        statement=r"\frac{\log K + \log(1/\delta)}{g} \le n \implies K e^{-n g} \le \delta",
        domain=r"K > 0,\ \delta > 0,\ g > 0,\ n \in \mathbb{R}",
        claim=occam_bound,
        checks=(
            Certified(
                grid(
                    K=(Fraction(1, 10), Fraction(1), Fraction(10**12)),
                    delta=_CONFIDENCES,
                    gap=_GAPS,
                    slack=(Fraction(1, 1000), Fraction(10)),
                )
            ),
            Property(
                {
                    "K": reals(0, 10, open_low=True) | ranks().map(Fraction),
                    "delta": _deltas,
                    "gap": _gaps,
                    "slack": reals(0, 10),
                }
            ),
            Property(
                {"K": ranks(), "delta": tolerances(), "gap": reals(Fraction(1, 50), 1)},
                "exact",
                occam_survivors,
            ),
        ),
        mutants=(
            Mutant("sample size without log(1/delta)", partial(occam_bound, confidence=0)),
            Mutant("sample size without log K", partial(occam_bound, classes=0)),
        ),
        references=(BLUMER, UNDERSTANDING_ML),
    ),
    Theorem(
        name="occam_factored",
        statement=r"\frac{r\,(d_1 + d_2)\, b + \log(1/\delta)}{g} \le n "
        r"\implies e^{r (d_1 + d_2) b}\, e^{-n g} \le \delta",
        domain=r"r, d_1, d_2 \in \mathbb{N},\ b \in \mathbb{R},\ \delta > 0,\ g > 0,"
        r"\ n \in \mathbb{R}",
        claim=occam_factored,
        checks=(
            Certified(
                grid(
                    r=(0, 1, 8),
                    d1=(5,),
                    d2=(0, 64),
                    bits=(Fraction(-1), Fraction(0), Fraction(11)),
                    delta=_CONFIDENCES,
                    gap=_GAPS,
                    slack=(Fraction(1, 1000),),
                )
            ),
            Property(
                {
                    "r": ranks(0, 100),
                    "d1": ranks(0, 1000),
                    "d2": ranks(0, 1000),
                    "bits": reals(-4, 32),
                    "delta": _deltas,
                    "gap": _gaps,
                    "slack": reals(0, 10),
                }
            ),
        ),
        mutants=(
            Mutant("sample size without log(1/delta)", partial(occam_factored, confidence=0)),
            Mutant("sample size without the columns d_2", partial(occam_factored, width=0)),
        ),
        references=(BLUMER, UNDERSTANDING_ML),
    ),
    Theorem(
        name="power_allocation_budget",
        statement=r"\sum_{i \in t} p^*_i = P, \qquad p^*_i = \frac{P\, w_i}{\sum_{j \in t} w_j}",
        domain=r"\sum_{j \in t} w_j \ne 0,\ P \in \mathbb{R}",
        claim=power_allocation_budget,
        checks=(
            Symbolic({"w": _w, "P": _P}),
            Property(
                {
                    "w": st.lists(reals(-5, 5), min_size=1, max_size=8)
                    .map(tuple)
                    .filter(lambda w: sum(w) != 0),
                    "P": reals(-10, 10),
                },
                "exact",
            ),
        ),
        mutants=(
            Mutant("the first share is not spent", partial(power_allocation_budget, unspent=1)),
        ),
        references=(COVER_THOMAS_ENTROPY,),
    ),
    Theorem(
        name="log_energy_le",
        statement=r"\sum_{i \in t} p_i \le P \implies "
        r"\sum_{i \in t} w_i \log p_i \le \sum_{i \in t} w_i \log p^*_i",
        domain=r"P > 0,\ w_i \ge 0,\ p_i > 0 \text{ for } i \in t",
        claim=log_energy_le,
        checks=(
            Certified(
                grid(
                    w=(
                        (Fraction(3), Fraction(2), Fraction(1)),
                        (Fraction(1), Fraction(0), Fraction(9)),
                    ),
                    p=(
                        (Fraction(301, 100), Fraction(2), Fraction(1)),
                        (Fraction(1), Fraction(1, 10**6), Fraction(10)),
                        (Fraction(5), Fraction(5), Fraction(5)),
                    ),
                    slack=(Fraction(0), Fraction(1)),
                )
            ),
            Property(_weights_and_shares()),
            Numerical(
                grid(w=(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.2, 5.0])), P=(1.0, 7.0)),
                claim=allocation_optimum,
            ),
        ),
        mutants=(
            Mutant("shares proportional to w^2", partial(log_energy_le, exponent=2)),
            Mutant("equal shares", partial(log_energy_le, exponent=0)),
        ),
        references=(COVER_THOMAS_ENTROPY,),
    ),
    Theorem(
        name="distortion_lower_bound",
        statement=r"\sum_i b_i = B \implies n \Bigl(\prod_i \sigma_i^2\Bigr)^{1/n} e^{-2B/n} "
        r"\le \sum_i \sigma_i^2 e^{-2 b_i}",
        domain=r"\sigma \in \mathbb{R}^n,\ \sigma_i \ne 0,\ b \in \mathbb{R}^n",
        claim=distortion_lower_bound,
        checks=(
            Certified(
                tuple(
                    {"sigma": sigma, "b": b[: len(sigma)]}
                    for sigma in _SCALES
                    for b in (
                        (Fraction(1),) * 4,
                        (Fraction(5, 2), Fraction(1, 2), Fraction(-1), Fraction(0)),
                        (Fraction(30), Fraction(0), Fraction(1), Fraction(2)),
                    )
                )
            ),
            Property(_scales_and_bits()),
        ),
        mutants=(
            Mutant("exp(-B/n) for exp(-2B/n)", partial(distortion_lower_bound, rate=1)),
            Mutant(
                "arithmetic mean of the energies",
                partial(distortion_lower_bound, mean="arithmetic"),
            ),
        ),
        references=(COVER_THOMAS_RATE, GERSHO_GRAY),
    ),
    Theorem(
        name="waterfillBits_budget",
        statement=r"\sum_i b^*_i = B, \qquad b^*_i = \frac{B}{n} "
        r"+ \frac12 \Bigl(\log \sigma_i^2 - \frac1n \sum_j \log \sigma_j^2\Bigr)",
        domain=r"n \ge 1,\ \sigma \in \mathbb{R}^n,\ \sigma_i \ne 0,\ B \in \mathbb{R}",
        claim=waterfill_bits_budget,
        checks=(
            Symbolic({"sigma": _sigma, "B": _P}),
            Property({"sigma": _scales.filter(bool), "B": reals(-5, 20)}),
        ),
        mutants=(
            Mutant("budget B for each coordinate", partial(waterfill_bits_budget, each=True)),
            Mutant(
                "the mean log-energy not subtracted", partial(waterfill_bits_budget, uncentred=True)
            ),
        ),
        references=(GERSHO_GRAY,),
    ),
    Theorem(
        name="waterfillBits_distortion",
        statement=r"\sum_i \sigma_i^2 e^{-2 b^*_i} "
        r"= n \Bigl(\prod_i \sigma_i^2\Bigr)^{1/n} e^{-2B/n}",
        domain=r"\sigma \in \mathbb{R}^n,\ \sigma_i \ne 0,\ B \in \mathbb{R}",
        claim=waterfill_bits_distortion,
        checks=(
            Symbolic({"sigma": _sigma, "B": _P}),
            Certified(grid(sigma=_SCALES, B=_BUDGETS)),
            Property({"sigma": _scales, "B": reals(-5, 20)}),
        ),
        mutants=(
            Mutant("exp(-B/n) for exp(-2B/n)", partial(waterfill_bits_distortion, rate=1)),
            Mutant(
                "arithmetic mean of the energies",
                partial(waterfill_bits_distortion, mean="arithmetic"),
            ),
        ),
        references=(COVER_THOMAS_RATE, GERSHO_GRAY),
    ),
)
