"""Checks of ``lean/SpectralRank/VarianceCapture.lean``: the share of the energy a rank captures.

A rank proportional to the dimension is the ceiling of a product, so the proportion is passed as a
pair of integers ``(p, q)``: a ball around an integer does not tell what its ceiling is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import partial
from typing import Any

import sympy
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from spectral_rank.formulas.capture import captured
from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.elementary import hurwitz_zeta, power
from spectral_rank.formulas.power_law import antideriv, band_energy, head_energy, tail_energy
from spectral_rank.theorems.claim import Relation, eq, le, lt
from spectral_rank.theorems.power_law import APOSTOL
from spectral_rank.theorems.strategies import (
    exponents,
    ordered_ranks,
    ranks,
    reals,
    slow_exponents,
    steep_exponents,
)
from spectral_rank.theorems.theorem import (
    Certified,
    Mutant,
    Property,
    Symbolic,
    Theorem,
    grid,
)

APOSTOL_SUMS = (
    "Apostol, Introduction to Analytic Number Theory (1976), theorem 3.2: partial sums of n^(-s)"
)
JOLLIFFE = (
    "Jolliffe, Principal Component Analysis (2002), section 6.1.1: the share of the total variation"
)

Share = tuple[int, int]
"""A positive proportion ``p / q`` of the dimension, as ``(p, q)``."""

RANK_SEQUENCES: Mapping[str, Callable[[int], int]] = {
    "number of binary digits of d": int.bit_length,
    "square root of d, rounded down": math.isqrt,
    "d less its square root": lambda d: d - math.isqrt(d - 1),
    "d": lambda d: d,
}
"""Ranks that grow without bound with the dimension and never exceed it."""


def share_of(proportion: Share, d: int) -> int:
    """The rank ``ceil(p / q * d)``."""
    p, q = proportion
    return -(-p * d // q)


def shares(high: int = 1) -> SearchStrategy[Share]:
    """Proportions ``0 < p / q <= high``, small ones and the upper end included."""
    return st.tuples(st.integers(1, 1000 * high), st.just(1000)) | st.tuples(
        st.just(1), st.integers(1, 1000)
    )


def share_below(alpha: Number, r: int, d: int) -> Number:
    """`captured` as Lean defines it, for every rank: above the dimension it exceeds 1."""
    return captured(alpha, r, d) if r <= d else head_energy(alpha, r) / head_energy(alpha, d)


@st.composite
def _pairs_to_dimension(draw: Any) -> tuple[int, int]:
    """Pairs ``0 <= r <= d``, ``d >= 1``, both ends included."""
    d = draw(ranks())
    return draw(ranks(0, d)), d


def captured_self(alpha: Number, pair: tuple[int, int], *, missing: int = 0) -> Iterator[Relation]:
    m, d = pair
    both = band_energy(alpha, 0, m) + band_energy(alpha, m, d)
    yield eq(captured(alpha, d - missing, d), 1)
    yield eq(both / head_energy(alpha, d), 1, "the two bands that make up the first d")


def captured_mono(
    alpha: Number, pair: tuple[int, int], d: int, *, reverse: bool = False
) -> Iterator[Relation]:
    smaller, larger = share_below(alpha, pair[0], d), share_below(alpha, pair[1], d)
    yield le(larger, smaller) if reverse else le(smaller, larger)


def captured_le_one(alpha: Number, pair: tuple[int, int], *, beyond: int = 0) -> Iterator[Relation]:
    r, d = pair
    yield le(share_below(alpha, r + beyond, d), 1)


def one_sub_captured(
    alpha: Number, pair: tuple[int, int], *, overlap: int = 0
) -> Iterator[Relation]:
    r, d = pair
    band = band_energy(alpha, max(r - overlap, 0), d)
    yield eq(1 - captured(alpha, r, d), band / head_energy(alpha, d))


def missed_bound(alpha: Number, r: Number, *, shift: int = 0, scale: int = 1) -> Number:
    """The bound ``r ^ (1 - 2 alpha) / (2 alpha - 1)`` on the missed share of a steep spectrum."""
    return power(r + shift, 1 - 2 * alpha) / (2 * alpha - scale)


def one_sub_captured_le(
    alpha: Number, pair: tuple[int, int], *, shift: int = 0, scale: int = 1
) -> Iterator[Relation]:
    r, d = pair
    yield le(1 - captured(alpha, r, d), missed_bound(alpha, r, shift=shift, scale=scale))


def captured_dimension_free(
    alpha: Number, r: int, *, shift: int = 0, scale: int = 1
) -> Iterator[Relation]:
    """The bound is below the infimum over the dimension, and the captured shares are above it."""
    bound = 1 - missed_bound(alpha, r, shift=shift, scale=scale)
    infimum = 1 - tail_energy(alpha, r) / tail_energy(alpha, 0)
    yield le(bound, infimum, "infimum over the dimension")
    for d in (r, r + 1, 1000 * r):
        yield le(bound, captured(alpha, r, d), f"d = {d}")
        yield lt(infimum, captured(alpha, r, d), f"d = {d} is above the infimum")


def _missed_between(
    alpha: Number, missed: Number, r: int, d: int, bound: Number
) -> Iterator[Relation]:
    """The two-sided rate: the missed share is positive below full rank, and at most the bound."""
    if r < d:
        band = antideriv(alpha, d + 1) - antideriv(alpha, r + 1)
        yield le(band / hurwitz_zeta(2 * alpha, 1), missed, "lower rate")
    yield le(missed, bound, "upper rate")


def captured_tendsto_one_of_tendsto(
    alpha: Number, ranks_of: str, d: int, *, cap: int | None = None, factor: int = 1
) -> Iterator[Relation]:
    r = RANK_SEQUENCES[ranks_of](d)
    kept = r if cap is None else min(r, cap)
    bound = power(r, 1 - factor * 2 * alpha) / (2 * alpha - 1)
    yield from _missed_between(alpha, 1 - captured(alpha, kept, d), kept, d, bound)


def captured_tendsto_one(
    alpha: Number, rho: Share, d: int, *, naive_limit: bool = False, exponent: int = 1
) -> Iterator[Relation]:
    ratio = Fraction(*rho)
    r = share_of(rho, d)
    limit = 1 - power(ratio, 2 * alpha - 1) if naive_limit else 1
    bound = power(ratio * d, exponent - 2 * alpha) / (2 * alpha - 1)
    yield from _missed_between(alpha, limit - captured(alpha, r, d), r, d, bound)


def naive_dimension(rho: Share) -> int:
    """A dimension from which the naive formula is wrong: the first one above ``1 / rho ^ 2``."""
    p, q = rho
    return q**2 // p**2 + 1


def captured_not_naive(
    alpha: Number, rho: Share, beyond: int, *, at_once: bool = False, above: bool = False
) -> Iterator[Relation]:
    d = beyond + (1 if at_once else naive_dimension(rho))
    naive = 1 - power(Fraction(*rho), 2 * alpha - 1)
    share = captured(alpha, share_of(rho, d), d)
    yield lt(share, naive, f"d = {d}") if above else lt(naive, share, f"d = {d}")


def naive_from_exactly(alpha: Number, rho: Share, first: int) -> Iterator[Relation]:
    """The least dimension from which the naive formula is wrong at every dimension."""
    naive = 1 - power(Fraction(*rho), 2 * alpha - 1)
    if first > 1:
        yield lt(captured(alpha, share_of(rho, first - 1), first - 1), naive, "not yet")
    for d in range(first, naive_dimension(rho) + 1):
        yield lt(naive, captured(alpha, share_of(rho, d), d), f"d = {d}")


def head_energy_slow_bounds(
    alpha: Number, r: int, *, shift: int = 1, excess: int = 0
) -> Iterator[Relation]:
    beta = 1 - 2 * alpha
    yield le((power(r + shift, beta) - 1) / beta, head_energy(alpha, r), "lower")
    yield le(head_energy(alpha, r), (power(r, beta) - excess) / beta, "upper")


def head_energy_slow_tendsto(
    alpha: Number, r: int, *, slope: int = 2, scale: int = 1
) -> Iterator[Relation]:
    """The slow rate of the quotient, and the fast one of its extrapolation from r and 2 r."""
    beta = 1 - 2 * alpha
    limit = scale / (1 - slope * alpha)
    quotient = head_energy(alpha, r) / power(r, beta)
    yield le(quotient, limit, "from below")
    yield le(limit - quotient, power(r, -beta) / beta, "rate")
    extrapolated = band_energy(alpha, r, 2 * r) / (power(2 * r, beta) - power(r, beta))
    yield le(extrapolated, limit, "extrapolated, from below")
    yield le(limit - extrapolated, 1 / (r * (power(2, beta) - 1)), "extrapolated, rate")


def captured_slow_limit(alpha: Number, rho: Share, r: int, d: int, limit: Number) -> Relation:
    """How far rank ``r`` near ``rho * d`` may be from the limit, for ``d >= 2``."""
    beta, ratio = 1 - 2 * alpha, Fraction(*rho)
    vanishing = power(d, -beta)
    off = power(abs(Fraction(r, d) - ratio), beta) + power(max(ratio, 1), beta) * vanishing
    return le(abs(share_below(alpha, r, d) - limit), off / (1 - vanishing), f"r = {r}, d = {d}")


def captured_slow_tendsto_of_ratio(
    alpha: Number, rho: Share, steps: int, d: int, *, slope: int = 2, constant: bool = False
) -> Iterator[Relation]:
    r = max(share_of(rho, d) + steps * math.isqrt(d), 1)
    limit = 1 + 0 * alpha if constant else power(Fraction(*rho), 1 - slope * alpha)
    yield captured_slow_limit(alpha, rho, r, d, limit)


def captured_slow_tendsto(
    alpha: Number, rho: Share, d: int, *, slope: int = 2, constant: bool = False
) -> Iterator[Relation]:
    yield from captured_slow_tendsto_of_ratio(alpha, rho, 0, d, slope=slope, constant=constant)


E5 = Fraction(27, 20)
STEEP = (Fraction(51, 100), Fraction(3, 5), Fraction(1), E5, Fraction(3))
SLOW = (Fraction(1, 100), Fraction(1, 10), Fraction(1, 4), Fraction(2, 5), Fraction(49, 100))
ANY = (Fraction(-1, 3), Fraction(1, 10), Fraction(1, 2), Fraction(51, 100), E5)
RATIONAL_SUMS = (Fraction(-1, 2), Fraction(0), Fraction(1, 2), Fraction(1))
"""Exponents at which the energies are rational, so that ties are decided exactly."""

SMALL_PAIRS = ((0, 1), (1, 1), (1, 2), (3, 7), (7, 7), (29, 30), (30, 30))
PAIRS = ((0, 1), (1, 2), (3, 7), (270, 1536), (1535, 1536), (10**3, 10**6))
RHOS = ((1716, 10000), (1, 2), (1, 100))
HUGE = (10, 10**3, 10**6, 10**30, 10**300)
"""Dimensions; the largest ones are where slow limits become visible (alpha close to 1/2)."""

NAIVE_FROM = (
    ((1716, 10000), ((51, 1), (75, 6), (100, 12), (135, 18), (200, 18), (300, 18))),
    ((1, 4), ((51, 1), (75, 1), (100, 5), (135, 5), (200, 9), (300, 9))),
    ((1, 10), ((51, 1), (75, 21), (100, 41), (135, 51), (200, 61), (300, 61))),
    ((1, 2), ((51, 1), (75, 1), (100, 1), (135, 1), (200, 1), (300, 1))),
)
"""For each proportion: (100 alpha, least dimension from which the naive formula is wrong)."""

_alpha = sympy.Symbol("alpha", real=True)
_steep = {"alpha": steep_exponents()}
_slow = {"alpha": slow_exponents()}
_dimensions = ranks(2) | st.integers(1, 30).map(lambda k: 10**k)

THEOREMS = (
    Theorem(
        name="captured_self",
        statement=r"c(d, d) = 1, \qquad c(r, d) = \frac{H(r)}{H(d)}",
        domain=r"d \ge 1",
        claim=captured_self,
        checks=(
            Certified(grid(alpha=ANY, pair=PAIRS)),
            Certified(grid(alpha=RATIONAL_SUMS, pair=SMALL_PAIRS), arithmetic="exact"),
            Property({"alpha": reals(-2, 4) | exponents(), "pair": _pairs_to_dimension()}),
        ),
        mutants=(Mutant("rank d - 1", partial(captured_self, missing=1)),),
    ),
    Theorem(
        name="captured_mono",
        statement=r"r \le r' \implies c(r, d) \le c(r', d)",
        domain=r"r' \ge 0,\ d \ge 1 \quad (r' > d \text{ allowed})",
        claim=captured_mono,
        checks=(
            Certified(grid(alpha=ANY, pair=PAIRS, d=(1, 5, 1536))),
            Certified(
                grid(alpha=RATIONAL_SUMS, pair=SMALL_PAIRS, d=(1, 7, 30)), arithmetic="exact"
            ),
            Property(
                {
                    "alpha": reals(-2, 4) | exponents(),
                    "pair": ordered_ranks(low=0),
                    "d": ranks(),
                }
            ),
        ),
        mutants=(Mutant("decreasing", partial(captured_mono, reverse=True)),),
    ),
    Theorem(
        name="captured_le_one",
        statement=r"c(r, d) \le 1",
        domain=r"0 \le r \le d,\ d \ge 1",
        claim=captured_le_one,
        checks=(
            Certified(grid(alpha=ANY, pair=PAIRS)),
            Certified(grid(alpha=RATIONAL_SUMS, pair=SMALL_PAIRS), arithmetic="exact"),
            Property({"alpha": reals(-2, 4) | exponents(), "pair": _pairs_to_dimension()}),
        ),
        mutants=(Mutant("ranks up to d + 1", partial(captured_le_one, beyond=1)),),
    ),
    Theorem(
        name="one_sub_captured",
        statement=r"1 - c(r, d) = \frac{1}{H(d)} \sum_{r < i \le d} \sigma_i^2",
        domain=r"0 \le r \le d,\ d \ge 1",
        claim=one_sub_captured,
        checks=(
            Symbolic({"alpha": _alpha, "pair": (1, 3)}),
            Certified(grid(alpha=ANY, pair=PAIRS)),
            Certified(grid(alpha=RATIONAL_SUMS, pair=SMALL_PAIRS), arithmetic="exact"),
            Property({"alpha": reals(-2, 4) | exponents(), "pair": _pairs_to_dimension()}),
        ),
        mutants=(Mutant("the band counts the index r too", partial(one_sub_captured, overlap=1)),),
    ),
    Theorem(
        name="one_sub_captured_le",
        statement=r"1 - c(r, d) \le \frac{r^{1-2\alpha}}{2\alpha-1}",
        domain=r"\alpha > \tfrac12,\ 1 \le r \le d",
        claim=one_sub_captured_le,
        checks=(
            Certified(grid(alpha=STEEP, pair=((1, 1), *PAIRS[1:]))),
            Property({**_steep, "pair": ordered_ranks()}),
        ),
        mutants=(
            Mutant("r + 1 for r", partial(one_sub_captured_le, shift=1)),
            Mutant("factor 1/(2 alpha)", partial(one_sub_captured_le, scale=0)),
        ),
        references=(APOSTOL,),
    ),
    Theorem(
        name="captured_dimension_free",
        statement=r"\forall d \ge r: \quad 1 - \frac{r^{1-2\alpha}}{2\alpha-1} \le c(r, d)",
        domain=r"\alpha > \tfrac12,\ r \ge 1",
        claim=captured_dimension_free,
        checks=(
            Certified(grid(alpha=STEEP, r=(1, 2, 10, 1536, 10**6))),
            Property({**_steep, "r": ranks()}),
        ),
        mutants=(
            Mutant("r + 1 for r", partial(captured_dimension_free, shift=1)),
            Mutant("factor 1/(2 alpha)", partial(captured_dimension_free, scale=0)),
        ),
        references=(APOSTOL, JOLLIFFE),
    ),
    Theorem(
        name="captured_tendsto_one_of_tendsto",
        statement=r"r_d \to \infty,\ r_d \le d \implies \lim_{d \to \infty} c(r_d, d) = 1",
        domain=r"\alpha > \tfrac12",
        claim=captured_tendsto_one_of_tendsto,
        checks=(
            Certified(grid(alpha=STEEP[:4], ranks_of=RANK_SEQUENCES, d=HUGE[:4])),
            Property({**_steep, "ranks_of": st.sampled_from([*RANK_SEQUENCES]), "d": _dimensions}),
        ),
        mutants=(
            Mutant("bounded ranks", partial(captured_tendsto_one_of_tendsto, cap=2)),
            Mutant("exponent 1 - 4 alpha", partial(captured_tendsto_one_of_tendsto, factor=2)),
        ),
        references=(APOSTOL,),
    ),
    Theorem(
        name="captured_tendsto_one",
        statement=r"\lim_{d \to \infty} c(\lceil \rho d \rceil, d) = 1",
        domain=r"\alpha > \tfrac12,\ 0 < \rho \le 1",
        claim=captured_tendsto_one,
        checks=(
            Certified(
                (
                    *grid(alpha=STEEP[:4], rho=RHOS, d=HUGE[:4]),
                    *grid(alpha=STEEP[:1], rho=RHOS, d=HUGE[4:]),
                )
            ),
            Property({**_steep, "rho": shares(), "d": _dimensions}),
        ),
        mutants=(
            Mutant(
                "limit 1 - rho^(2 alpha - 1), the naive formula",
                partial(captured_tendsto_one, naive_limit=True),
            ),
            Mutant("exponent -2 alpha", partial(captured_tendsto_one, exponent=0)),
        ),
        references=(APOSTOL,),
    ),
    Theorem(
        name="captured_not_naive",
        statement=r"\exists d_0\ \forall d \ge d_0: \quad "
        r"1 - \rho^{2\alpha-1} < c(\lceil \rho d \rceil, d)",
        domain=r"\alpha > \tfrac12,\ 0 < \rho \le 1",
        claim=captured_not_naive,
        checks=(
            Certified(grid(alpha=STEEP, rho=(*RHOS, (1, 1)), beyond=(0, 1, 10, 10**6))),
            Certified(
                tuple(
                    {"alpha": Fraction(percent, 100), "rho": rho, "first": first}
                    for rho, column in NAIVE_FROM
                    for percent, first in column
                ),
                claim=naive_from_exactly,
            ),
            Property({**_steep, "rho": shares(), "beyond": ranks(0)}),
        ),
        mutants=(
            Mutant("from d = 1 on", partial(captured_not_naive, at_once=True)),
            Mutant("the naive share is above", partial(captured_not_naive, above=True)),
        ),
    ),
    Theorem(
        name="headEnergy_slow_bounds",
        statement=r"\frac{(r+1)^{1-2\alpha} - 1}{1-2\alpha} \le H(r) "
        r"\le \frac{r^{1-2\alpha}}{1-2\alpha}",
        domain=r"0 \le \alpha < \tfrac12,\ r \ge 0",
        claim=head_energy_slow_bounds,
        checks=(
            Certified(grid(alpha=SLOW, r=(1, 2, 10, 1536, 10**6))),
            Certified(grid(alpha=(Fraction(0),), r=(0, 1, 2, 100)), arithmetic="exact"),
            Property({**_slow, "r": ranks(0)}),
        ),
        mutants=(
            Mutant("r + 2 in the lower bound", partial(head_energy_slow_bounds, shift=2)),
            Mutant(
                "upper bound (r^(1 - 2 alpha) - 1)/(1 - 2 alpha)",
                partial(head_energy_slow_bounds, excess=1),
            ),
        ),
        references=(APOSTOL, APOSTOL_SUMS),
    ),
    Theorem(
        name="headEnergy_slow_tendsto",
        statement=r"\lim_{r \to \infty} \frac{H(r)}{r^{1-2\alpha}} = \frac{1}{1-2\alpha}",
        domain=r"0 \le \alpha < \tfrac12",
        claim=head_energy_slow_tendsto,
        checks=(
            Certified(grid(alpha=SLOW, r=(1, *HUGE))),
            Certified(grid(alpha=(Fraction(0),), r=(1, 2, 50)), arithmetic="exact"),
            Property({**_slow, "r": ranks()}),
        ),
        mutants=(
            Mutant("limit 1/(1 - alpha)", partial(head_energy_slow_tendsto, slope=1)),
            Mutant("limit 2/(1 - 2 alpha)", partial(head_energy_slow_tendsto, scale=2)),
        ),
        references=(APOSTOL_SUMS,),
    ),
    Theorem(
        name="captured_slow_tendsto_of_ratio",
        statement=r"r_d \to \infty,\ \frac{r_d}{d} \to \rho "
        r"\implies \lim_{d \to \infty} c(r_d, d) = \rho^{1-2\alpha}",
        domain=r"0 \le \alpha < \tfrac12,\ \rho > 0 \quad (r_d > d \text{ allowed})",
        claim=captured_slow_tendsto_of_ratio,
        checks=(
            Certified(grid(alpha=SLOW, rho=(*RHOS, (3, 2)), steps=(-1, 0, 1), d=HUGE)),
            Property({**_slow, "rho": shares(3), "steps": st.integers(-1, 1), "d": _dimensions}),
        ),
        mutants=(
            Mutant("limit rho^(1 - alpha)", partial(captured_slow_tendsto_of_ratio, slope=1)),
            Mutant("limit 1", partial(captured_slow_tendsto_of_ratio, constant=True)),
        ),
        references=(APOSTOL_SUMS,),
    ),
    Theorem(
        name="captured_slow_tendsto",
        statement=r"\lim_{d \to \infty} c(\lceil \rho d \rceil, d) = \rho^{1-2\alpha}",
        domain=r"0 \le \alpha < \tfrac12,\ \rho > 0",
        claim=captured_slow_tendsto,
        checks=(
            Certified(grid(alpha=SLOW, rho=(*RHOS, (3, 2)), d=HUGE)),
            Property({**_slow, "rho": shares(3), "d": _dimensions}),
        ),
        mutants=(
            Mutant("limit rho^(1 - alpha)", partial(captured_slow_tendsto, slope=1)),
            Mutant("limit 1, as for steep spectra", partial(captured_slow_tendsto, constant=True)),
        ),
        references=(APOSTOL_SUMS,),
    ),
)
