"""Checks of ``lean/SpectralRank/PowerLaw.lean``: the power-law spectrum and its energy."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial

import sympy
from hypothesis import strategies as st

from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.elementary import hurwitz_zeta, power
from spectral_rank.formulas.power_law import (
    antideriv,
    band_energy,
    head_energy,
    singular_value,
    tail_energy,
)
from spectral_rank.theorems.claim import Relation, eq, le, le_or_tie, lt
from spectral_rank.theorems.strategies import (
    exponents,
    noncritical_exponents,
    ordered_ranks,
    ranks,
    reals,
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

APOSTOL = "Apostol, Mathematical Analysis (1974), section 8.12: the integral test with its bounds"
DLMF_ZETA = "NIST Digital Library of Mathematical Functions, 25.11: the Hurwitz zeta function"

E5 = Fraction(27, 20)
BOTH_SIDES = (Fraction(0), Fraction(1, 10), Fraction(49, 100), Fraction(51, 100), Fraction(1), E5)
STEEP = (Fraction(51, 100), Fraction(3, 5), Fraction(1), E5, Fraction(3))
SIZES = (1, 2, 10, 1536, 10**6)

RATIONAL_POWERS = tuple(Fraction(k, 2) for k in (0, 2, 3, 4, 7))
"""Noncritical exponents at which the antiderivative of a rational number is rational."""


def singular_value_antitone(
    alpha: Number, pair: tuple[int, int], *, reverse: bool = False
) -> Iterator[Relation]:
    smaller, larger = singular_value(alpha, pair[1]), singular_value(alpha, pair[0])
    yield le(larger, smaller) if reverse else le(smaller, larger)


def singular_value_sq(alpha: Number, i: Number, *, factor: int = 2) -> Iterator[Relation]:
    yield eq(singular_value(alpha, i) ** 2, power(i, -factor * alpha))


def antideriv_sub_le(
    alpha: Number, x: Number, y: Number, *, slope_at_y: bool = False, factor: int = 2
) -> Iterator[Relation]:
    slope = power(y if slope_at_y else x, -factor * alpha)
    yield le(antideriv(alpha, y) - antideriv(alpha, x), slope * (y - x))


def antideriv_step(
    alpha: Number, a: Number, *, swapped: bool = False, length: int = 1
) -> Iterator[Relation]:
    step = antideriv(alpha, a + length) - antideriv(alpha, a)
    right, left = power(a + 1, -2 * alpha), power(a, -2 * alpha)
    if swapped:
        left, right = right, left
    yield le(right, step, "value at the right end")
    yield le(step, left, "value at the left end")


def band_energy_le(
    alpha: Number, pair: tuple[int, int], *, shift: int = 0, overlap: int = 0
) -> Iterator[Relation]:
    m, n = pair
    increment = antideriv(alpha, n + shift) - antideriv(alpha, m + shift)
    yield le(band_energy(alpha, m - overlap, n), increment)


def le_band_energy(
    alpha: Number, pair: tuple[int, int], *, upper_shift: int = 1, first: int = 0
) -> Iterator[Relation]:
    m, n = pair
    increment = antideriv(alpha, n + upper_shift) - antideriv(alpha, m + 1)
    yield le(increment, band_energy(alpha, min(m + first, n), n))


def summable_sq(alpha: Number, n: int, *, remainder_exponent: int = 1) -> Iterator[Relation]:
    """The witness of summability: the limit of the partial sums, and the rate of the remainder."""
    partial_sum, total = head_energy(alpha, n), hurwitz_zeta(2 * alpha, 1)
    rate = power(n, remainder_exponent - 2 * alpha) / (2 * alpha - 1)
    yield lt(partial_sum, total, "partial sums stay below the limit")
    yield le(total - partial_sum, rate, "and come as close as the rate says")


def tail_energy_pos(alpha: Number, r: int, *, sign: int = 1) -> Iterator[Relation]:
    yield lt(0, sign * tail_energy(alpha, r))
    yield lt(singular_value(alpha, r + 1) ** 2, tail_energy(alpha, r), "more than its first term")


def tail_energy_split(
    alpha: Number, pair: tuple[int, int], *, overlap: int = 0
) -> Iterator[Relation]:
    r, d = pair
    band = band_energy(alpha, max(r - overlap, 0), d)
    yield eq(tail_energy(alpha, r), band + tail_energy(alpha, d))


def tail_energy_antitone(
    alpha: Number, pair: tuple[int, int], *, reverse: bool = False
) -> Iterator[Relation]:
    r, d = pair
    if reverse:
        r, d = d, r
    yield le_or_tie(tail_energy(alpha, d), tail_energy(alpha, r), tie=r == d)


def tail_energy_le(alpha: Number, r: int, *, shift: int = 0, scale: int = 1) -> Iterator[Relation]:
    bound = power(r + shift, 1 - 2 * alpha) / (2 * alpha - scale)
    yield le(tail_energy(alpha, r), bound)


def le_tail_energy(alpha: Number, r: int, *, shift: int = 1, scale: int = 1) -> Iterator[Relation]:
    bound = power(r + shift, 1 - 2 * alpha) / (2 * alpha - scale)
    yield le(bound, tail_energy(alpha, r))


def _pairs(*sizes: int, low: int = 0) -> tuple[tuple[int, int], ...]:
    return tuple((m, n) for m in (low, *sizes) for n in sizes if m <= n)


_TWO_POINTS = {"x": reals(0, 20, open_low=True), "y": reals(0, 20, open_low=True)}
_alpha = sympy.Symbol("alpha", real=True)
_i = sympy.Symbol("i", positive=True, integer=True)

THEOREMS = (
    Theorem(
        name="singularValue_antitone",
        statement=r"1 \le i \le j \implies \sigma_j \le \sigma_i, \qquad \sigma_i = i^{-\alpha}",
        domain=r"\alpha \ge 0",
        claim=singular_value_antitone,
        checks=(
            Certified(grid(alpha=BOTH_SIDES[1:], pair=((1, 2), (3, 7), (10, 10**6)))),
            Property({"alpha": exponents(), "pair": ordered_ranks()}),
        ),
        mutants=(Mutant("increasing", partial(singular_value_antitone, reverse=True)),),
    ),
    Theorem(
        name="singularValue_sq",
        statement=r"\sigma_i^2 = i^{-2\alpha}",
        domain=r"i \ge 1",
        claim=singular_value_sq,
        checks=(
            Symbolic({"alpha": _alpha, "i": _i}),
            Property({"alpha": reals(-4, 4), "i": ranks()}),
        ),
        mutants=(Mutant("exponent alpha for 2 alpha", partial(singular_value_sq, factor=1)),),
    ),
    Theorem(
        name="antideriv_sub_le",
        statement=r"F(y) - F(x) \le x^{-2\alpha}\,(y - x), "
        r"\qquad F(x) = \frac{x^{1-2\alpha}}{1-2\alpha}",
        domain=r"\alpha \ge 0,\ \alpha \ne \tfrac12,\ x > 0,\ y > 0",
        claim=antideriv_sub_le,
        checks=(
            Certified(
                grid(
                    alpha=BOTH_SIDES[1:],
                    x=(Fraction(1, 10), Fraction(1), Fraction(7)),
                    y=(Fraction(1, 5), Fraction(3), Fraction(1000)),
                )
            ),
            Property(
                st.fixed_dictionaries(
                    {"alpha": noncritical_exponents().filter(bool), **_TWO_POINTS}
                ).filter(lambda point: point["x"] != point["y"])
            ),
            # Also where both sides are equal, which balls do not decide: exponent 0, equal points.
            Property({"alpha": st.sampled_from(RATIONAL_POWERS), **_TWO_POINTS}, "exact"),
        ),
        mutants=(
            Mutant("slope at y for the slope at x", partial(antideriv_sub_le, slope_at_y=True)),
            Mutant("slope x^(-alpha)", partial(antideriv_sub_le, factor=1)),
        ),
        references=(APOSTOL,),
    ),
    Theorem(
        name="antideriv_step",
        statement=r"(a+1)^{-2\alpha} \le F(a+1) - F(a) \le a^{-2\alpha}",
        domain=r"\alpha \ge 0,\ \alpha \ne \tfrac12,\ a > 0",
        claim=antideriv_step,
        checks=(
            Certified(
                grid(alpha=BOTH_SIDES[1:], a=(Fraction(1, 100), Fraction(1), Fraction(10**6)))
            ),
            Property({"alpha": noncritical_exponents(), "a": reals(0, 50, open_low=True)}),
        ),
        mutants=(
            Mutant("bounds exchanged", partial(antideriv_step, swapped=True)),
            Mutant("a step of length 2", partial(antideriv_step, length=2)),
        ),
        references=(APOSTOL,),
    ),
    Theorem(
        name="bandEnergy_le",
        statement=r"\sum_{m < i \le n} \sigma_i^2 \le F(n) - F(m)",
        domain=r"\alpha \ge 0,\ \alpha \ne \tfrac12,\ 1 \le m \le n",
        claim=band_energy_le,
        checks=(
            Certified(
                grid(
                    lambda alpha, pair: pair[0] < pair[1],
                    alpha=BOTH_SIDES[1:],
                    pair=_pairs(*SIZES, low=1),
                )
            ),
            Property({"alpha": noncritical_exponents(), "pair": ordered_ranks()}),
        ),
        mutants=(
            Mutant("F(n + 1) - F(m + 1) as the upper bound", partial(band_energy_le, shift=1)),
            Mutant("band m <= i <= n", partial(band_energy_le, overlap=1)),
        ),
        references=(APOSTOL,),
    ),
    Theorem(
        name="le_bandEnergy",
        statement=r"F(n+1) - F(m+1) \le \sum_{m < i \le n} \sigma_i^2",
        domain=r"\alpha \ge 0,\ \alpha \ne \tfrac12,\ 0 \le m \le n",
        claim=le_band_energy,
        checks=(
            Certified(
                grid(
                    lambda alpha, pair: pair[0] < pair[1], alpha=BOTH_SIDES[1:], pair=_pairs(*SIZES)
                )
            ),
            Property({"alpha": noncritical_exponents(), "pair": ordered_ranks(low=0)}),
        ),
        mutants=(
            Mutant("F(n + 2) for F(n + 1)", partial(le_band_energy, upper_shift=2)),
            Mutant("band m + 1 < i <= n", partial(le_band_energy, first=1)),
        ),
        references=(APOSTOL,),
    ),
    Theorem(
        name="summable_sq",
        statement=r"\sum_{i \ge 1} \sigma_i^2 < \infty",
        domain=r"\alpha > \tfrac12",
        claim=summable_sq,
        checks=(
            Certified(grid(alpha=STEEP, n=(1, 10, 10**3, 10**6))),
            Property({"alpha": steep_exponents(), "n": ranks()}),
        ),
        mutants=(Mutant("remainder n^(-2 alpha)", partial(summable_sq, remainder_exponent=0)),),
        references=(DLMF_ZETA,),
    ),
    Theorem(
        name="tailEnergy_pos",
        statement=r"0 < T(r), \qquad T(r) = \sum_{i > r} \sigma_i^2",
        domain=r"\alpha > \tfrac12,\ r \ge 0",
        claim=tail_energy_pos,
        checks=(
            Certified(grid(alpha=STEEP, r=(0, *SIZES))),
            Property({"alpha": steep_exponents(), "r": ranks(0)}),
        ),
        mutants=(Mutant("negative", partial(tail_energy_pos, sign=-1)),),
        references=(DLMF_ZETA,),
    ),
    Theorem(
        name="tailEnergy_split",
        statement=r"T(r) = \sum_{r < i \le d} \sigma_i^2 + T(d)",
        domain=r"\alpha > \tfrac12,\ r \le d",
        claim=tail_energy_split,
        checks=(
            Certified(grid(alpha=STEEP, pair=_pairs(*SIZES))),
            Property({"alpha": steep_exponents(), "pair": ordered_ranks(low=0)}),
        ),
        mutants=(Mutant("the band counts the index r too", partial(tail_energy_split, overlap=1)),),
        references=(DLMF_ZETA,),
    ),
    Theorem(
        name="tailEnergy_antitone",
        statement=r"r \le d \implies T(d) \le T(r)",
        domain=r"\alpha > \tfrac12",
        claim=tail_energy_antitone,
        checks=(
            Certified(
                grid(lambda alpha, pair: pair[0] < pair[1], alpha=STEEP, pair=_pairs(*SIZES))
            ),
            Property({"alpha": steep_exponents(), "pair": ordered_ranks(low=0)}),
        ),
        mutants=(Mutant("increasing", partial(tail_energy_antitone, reverse=True)),),
    ),
    Theorem(
        name="tailEnergy_le",
        statement=r"T(r) \le \frac{r^{1-2\alpha}}{2\alpha-1}",
        domain=r"\alpha > \tfrac12,\ r \ge 1",
        claim=tail_energy_le,
        checks=(
            Certified(grid(alpha=STEEP, r=SIZES)),
            Property({"alpha": steep_exponents(), "r": ranks()}),
        ),
        mutants=(
            Mutant("r + 1 for r", partial(tail_energy_le, shift=1)),
            Mutant("factor 1/(2 alpha)", partial(tail_energy_le, scale=0)),
        ),
        references=(APOSTOL, DLMF_ZETA),
    ),
    Theorem(
        name="le_tailEnergy",
        statement=r"\frac{(r+1)^{1-2\alpha}}{2\alpha-1} \le T(r)",
        domain=r"\alpha > \tfrac12,\ r \ge 0",
        claim=le_tail_energy,
        checks=(
            Certified(grid(alpha=STEEP, r=(0, *SIZES))),
            Property({"alpha": steep_exponents(), "r": ranks(0)}),
        ),
        mutants=(
            Mutant("factor 1/(2 alpha - 2)", partial(le_tail_energy, scale=2)),
            Mutant("r for r + 1", partial(le_tail_energy, shift=0)),
        ),
        references=(APOSTOL, DLMF_ZETA),
    ),
)
