"""Checks of ``lean/SpectralRank/CaptureRank.lean``: the rank that captures a share of the energy.

Exponent and missed share stay exact in every claim, because the least rank is found exactly, ties
included; energies become balls of a fixed high precision where they are not rational.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import flint
from hypothesis import strategies as st

from spectral_rank.formulas.capture import capture_rank, capture_ratio, captures, rank_capturing
from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.elementary import as_ball, power
from spectral_rank.formulas.power_law import head_energy, tail_energy
from spectral_rank.formulas.search import least_index, sign
from spectral_rank.theorems.claim import Relation, Verdict, eq, iff, implies, le, lt
from spectral_rank.theorems.power_law import APOSTOL
from spectral_rank.theorems.strategies import (
    HALF,
    exponents,
    ranks,
    reals,
    slow_exponents,
    steep_exponents,
    tolerances,
)
from spectral_rank.theorems.theorem import Certified, Mutant, Property, Theorem, grid
from spectral_rank.theorems.variance_capture import (
    APOSTOL_SUMS,
    E5,
    JOLLIFFE,
    RATIONAL_SUMS,
    missed_bound,
)

PRECISION = 256
"""Bits of the balls in these claims: two energies that agree to 70 digits are taken for equal."""

SHORT = 64
"""Dimensions up to this are also scanned rank by rank, and rational energies added exactly."""


def missed_at_most(alpha: Fraction, eps: Fraction, r: int, d: int) -> Relation:
    """``1 - eps <= captured``, multiplied by the energy of the dimension."""
    head, target = _energies(alpha, eps, r, d)
    return le(target, head, f"rank {r} of {d} captures {1 - eps}")


def _energies(alpha: Fraction, eps: Fraction, r: int, d: int) -> tuple[Number, Number]:
    """The energy of rank ``r``, and the share ``1 - eps`` of the energy of dimension ``d``."""
    with flint.ctx.workprec(PRECISION):
        if _has_rational_energies(alpha) and max(r, d) <= SHORT:
            return head_energy(alpha, r), (1 - eps) * head_energy(alpha, d)
        exponent = as_ball(alpha)
        return head_energy(exponent, r), as_ball(1 - eps) * head_energy(exponent, d)


def scanned_rank(alpha: Fraction, eps: Fraction, d: int) -> int:
    """The least rank that misses at most ``eps >= 0``, by adding one term at a time."""
    with flint.ctx.workprec(PRECISION):
        rational = _has_rational_energies(alpha)
        exponent, share = (alpha, 1 - eps) if rational else (as_ball(alpha), as_ball(1 - eps))
        terms = (power(i, -2 * exponent) for i in range(1, d + 1))
        heads = list(itertools.accumulate(terms, initial=0 * exponent))
        target = share * heads[d]
        return next(r for r, head in enumerate(heads) if not head < target)


def _has_rational_energies(alpha: Fraction) -> bool:
    return (2 * alpha).denominator == 1


def _least_rank(alpha: Fraction, eps: Fraction, d: int) -> int:
    """`capture_rank` for every missed share, also a negative one that some rank above d attains."""
    if eps >= 0:
        return rank_capturing(alpha, 1 - eps, d)
    return least_index(lambda r: captures(alpha, 1 - eps, r, d), 2 * d)


def capture_rank_le(
    alpha: Fraction, eps: Fraction, pair: tuple[int, int], *, below: int = 0, loose: int = 1
) -> Iterator[Relation]:
    r, d = pair
    premise = missed_at_most(alpha, loose * eps, r, d)
    if eps < 0 and premise.decide() is Verdict.REFUTED:
        return  # perhaps no rank at all captures more than the whole
    yield implies(premise, le(_least_rank(alpha, eps, d), r - below))


def capture_rank_le_dim(
    alpha: Fraction, eps: Fraction, d: int, *, below: int = 0
) -> Iterator[Relation]:
    rank = rank_capturing(alpha, 1 - eps, d)
    yield le(rank, d - below)
    if d <= SHORT:
        yield eq(rank, scanned_rank(alpha, eps, d), "scan of all ranks")


def capture_rank_captured(
    alpha: Fraction, eps: Fraction, d: int, *, below: int = 0
) -> Iterator[Relation]:
    rank = rank_capturing(alpha, 1 - eps, d)
    yield missed_at_most(alpha, eps, max(rank - below, 0), d)


def lt_capture_rank(
    alpha: Fraction, eps: Fraction, pair: tuple[int, int], *, weak: bool = False, tight: int = 1
) -> Iterator[Relation]:
    r, d = pair
    head, target = _energies(alpha, eps / tight, r, d)
    premise = le(head, target) if weak else lt(head, target)
    yield implies(premise, lt(r, rank_capturing(alpha, 1 - eps, d)))


def capture_rank_le_iff(
    alpha: Fraction, eps: Fraction, pair: tuple[int, int], *, below: int = 0, loose: int = 1
) -> Iterator[Relation]:
    r, d = pair
    rank = rank_capturing(alpha, 1 - eps, d)
    for s in {max(rank - 1, 0), rank, r}:
        yield iff(le(rank, s - below), missed_at_most(alpha, loose * eps, s, d))


def capture_rank_ratio_tendsto(
    alpha: Fraction, eps: Fraction, d: int, *, slope: int = 2, kept: bool = True
) -> Iterator[Relation]:
    """The two-sided rate of the ratio, and that of its extrapolation from d and 2 d."""
    rank, rank_at_double = capture_rank(alpha, eps, d), capture_rank(alpha, eps, 2 * d)
    with flint.ctx.workprec(PRECISION):
        a, share = as_ball(alpha), as_ball(1 - eps if kept else eps)
        limit = capture_ratio(a, 1 - share) if slope == 2 else power(share, 1 / (1 - slope * a))
        beta = 1 - 2 * a
        vanishing, ratio = power(d, -beta), as_ball(Fraction(rank, d))
        lower = limit * power(1 - vanishing, 1 / beta)
        upper = limit * power(1 + vanishing / as_ball(1 - eps), 1 / beta)
        width = power(2 * d, beta) - power(d, beta)
        extrapolated = (power(rank_at_double, beta) - power(rank, beta)) / width
        distance = abs(extrapolated - power(limit, beta))
        rate = 2 * beta * power(rank, -2 * a) / width
    yield le(lower, ratio, "lower rate")
    yield lt(ratio, upper, "upper rate")
    yield le(distance, rate, "extrapolated")


def capture_rank_steep_le(
    alpha: Fraction, eps: Fraction, r: int, beyond: int, *, below: int = 0, scale: int = 1
) -> Iterator[Relation]:
    with flint.ctx.workprec(PRECISION):
        exponent = alpha if _has_rational_energies(alpha) else as_ball(alpha)
        bound, missed = missed_bound(exponent, r, scale=scale), as_ball(eps)
    premise = le(bound, eps if isinstance(bound, Fraction) else missed)
    yield implies(premise, le(rank_capturing(alpha, 1 - eps, r + beyond), r - below))


def dimension_free_rank(alpha: Fraction, eps: Fraction) -> int:
    """A rank ``R >= 1`` with ``R ^ (1 - 2 alpha) / (2 alpha - 1) <= eps``, as in the proof."""
    with flint.ctx.workprec(PRECISION):
        decay = 2 * as_ball(alpha) - 1
        least = power(decay * as_ball(eps), -1 / decay)
        return max(1, int(least.upper().ceil().unique_fmpz()))


def limiting_rank(alpha: Fraction, eps: Fraction, guess: int) -> int:
    """The least rank that misses at most ``eps`` of the energy of the infinite spectrum."""

    def slack(r: int) -> Number:
        exponent = as_ball(alpha)
        return as_ball(eps) * tail_energy(exponent, 0) - tail_energy(exponent, r)

    return 0 if eps >= 1 else least_index(lambda r: sign(lambda: slack(r)) >= 0, guess)


def capture_rank_bounded(
    alpha: Fraction, eps: Fraction, d: int, *, mirrored: bool = False, bound: int | None = None
) -> Iterator[Relation]:
    bound = bound or dimension_free_rank(alpha, eps)
    rank = rank_capturing(1 - alpha if mirrored else alpha, 1 - eps, d)
    yield le(rank, bound)
    if bound <= 10**6:
        least = limiting_rank(alpha, eps, bound)
        yield le(least, bound, "least bound that serves every dimension")
        yield le(rank, least)


def capture_rank_ratio_tendsto_zero(
    alpha: Fraction, eps: Fraction, d: int, *, naive: bool = False, bound: int | None = None
) -> Iterator[Relation]:
    rate = Fraction(bound or dimension_free_rank(alpha, eps), d)
    ratio: Number = Fraction(rank_capturing(alpha, 1 - eps, d), d)
    yield le(0, ratio)
    if naive:
        with flint.ctx.workprec(PRECISION):
            ratio = as_ball(ratio) - power(as_ball(eps), 1 / (2 * as_ball(alpha) - 1))
    yield le(abs(ratio), rate)


@st.composite
def _tied(draw: Any, beyond: bool = False) -> dict[str, Any]:
    """Missed shares that a rank attains exactly, and a rank next to that one."""
    alpha, d = draw(st.sampled_from(RATIONAL_SUMS)), draw(st.integers(1, 24))
    exact = draw(st.integers(0, 2 * d if beyond else d))
    eps = 1 - head_energy(alpha, exact) / head_energy(alpha, d)
    return {"alpha": alpha, "eps": eps, "pair": (max(exact + draw(st.integers(-1, 1)), 0), d)}


@st.composite
def _problems(draw: Any, beyond: bool = False) -> dict[str, Any]:
    """Exponent, missed share, and a pair (rank, dimension); the rank may exceed the dimension."""
    if draw(st.booleans()):
        return dict(draw(_tied(beyond)))
    missed = tolerances() | st.just(Fraction(0)) | reals(1, 3)
    d = draw(st.integers(1, SHORT) | ranks(1, 10**4))
    return {
        "alpha": draw(reals(-2, 3) | exponents()),
        "eps": draw(missed | reals(-2, 0, open_high=True) if beyond else missed),
        "pair": (draw(ranks(0, 2 * d)), d),
    }


def _without_rank(problem: dict[str, Any]) -> dict[str, Any]:
    return {"alpha": problem["alpha"], "eps": problem["eps"], "d": problem["pair"][1]}


@st.composite
def _enough(draw: Any) -> dict[str, Any]:
    """Ranks with a missed share that their dimension-free bound attains or stays below."""
    alpha, r = draw(steep_exponents()), draw(ranks(1, 10**4))
    bound = r ** float(1 - 2 * alpha) / float(2 * alpha - 1)
    least = Fraction(math.ceil(bound * (1 + 1e-9) * 10**12), 10**12)
    eps = least + draw(st.just(Fraction(0)) | reals(0, 1))
    return {"alpha": alpha, "eps": eps, "r": r, "beyond": draw(ranks(0))}


ALPHAS = (Fraction(-1, 3), Fraction(1, 10), Fraction(1, 2), Fraction(51, 100), E5)
STEEP = (Fraction(3, 5), Fraction(3, 4), Fraction(1), E5, Fraction(3))
SLOW = (Fraction(0), Fraction(1, 10), Fraction(1, 4), Fraction(2, 5), Fraction(49, 100))
MISSED = (Fraction(1, 1000), Fraction(1, 20), Fraction(1, 2), Fraction(3, 2))
DIMENSIONS = (1, 48, 1536, 10**6)
PAIRS = ((0, 1), (1, 2), (7, 48), (60, 48), (1000, 1536), (10**5, 10**6))
TIES = tuple(
    {
        "alpha": alpha,
        "eps": 1 - head_energy(alpha, exact) / head_energy(alpha, d),
        "pair": (max(exact + step, 0), d),
    }
    for alpha in RATIONAL_SUMS
    for exact, d in ((1, 1), (2, 3), (19, 20), (20, 20))
    for step in (-1, 0, 1)
)
"""Missed shares attained exactly, at ranks one below, at and one above that rank."""
BEYOND = (
    {"alpha": Fraction(0), "eps": Fraction(-1, 2), "pair": (15, 10)},
    {"alpha": HALF, "eps": Fraction(-1, 3), "pair": (4, 2)},
    {"alpha": E5, "eps": Fraction(-1, 30), "pair": (9, 3)},
)
"""Shares above 1, which ranks above the dimension capture."""

TIGHT_BOUNDS = tuple(
    {"alpha": Fraction(1), "eps": Fraction(1, factor * r), "r": r, "beyond": beyond}
    for r in (1, 2, 1000)
    for factor in (1, 2)
    for beyond in (0, 10**6)
)
"""At alpha = 1 the bound is 1 / r: missed shares that it attains exactly, and half of them."""

_steep = {"alpha": steep_exponents(), "eps": tolerances() | reals(1, 3), "d": ranks()}

THEOREMS = (
    Theorem(
        name="captureRank_le",
        statement=r"1 - \varepsilon \le c(r, d) \implies R_\varepsilon(d) \le r, \qquad "
        r"R_\varepsilon(d) = \min\{r : 1 - \varepsilon \le c(r, d)\}",
        domain=r"\varepsilon \in \mathbb{R},\ r \ge 0,\ d \ge 1 \quad (r > d \text{ allowed})",
        claim=capture_rank_le,
        checks=(
            Certified(grid(alpha=ALPHAS, eps=MISSED[1:3], pair=PAIRS), arithmetic="exact"),
            Certified((*TIES, *BEYOND), arithmetic="exact"),
            Property(_problems(beyond=True), arithmetic="exact"),
        ),
        mutants=(
            Mutant("rank at most r - 1", partial(capture_rank_le, below=1)),
            Mutant("premise with 2 eps", partial(capture_rank_le, loose=2)),
        ),
        references=(JOLLIFFE,),
    ),
    Theorem(
        name="captureRank_le_dim",
        statement=r"R_\varepsilon(d) \le d",
        domain=r"\varepsilon \ge 0,\ d \ge 1",
        claim=capture_rank_le_dim,
        checks=(
            Certified(
                grid(alpha=ALPHAS, eps=(Fraction(0), *MISSED), d=DIMENSIONS), arithmetic="exact"
            ),
            Property(_problems().map(_without_rank), arithmetic="exact"),
        ),
        mutants=(Mutant("rank at most d - 1", partial(capture_rank_le_dim, below=1)),),
    ),
    Theorem(
        name="captureRank_captured",
        statement=r"1 - \varepsilon \le c(R_\varepsilon(d), d)",
        domain=r"\varepsilon \ge 0,\ d \ge 1",
        claim=capture_rank_captured,
        checks=(
            Certified(grid(alpha=ALPHAS, eps=MISSED, d=DIMENSIONS), arithmetic="exact"),
            Certified(tuple(map(_without_rank, TIES)), arithmetic="exact"),
            Property(_problems().map(_without_rank), arithmetic="exact"),
        ),
        mutants=(Mutant("one direction fewer", partial(capture_rank_captured, below=1)),),
    ),
    Theorem(
        name="lt_captureRank",
        statement=r"c(r, d) < 1 - \varepsilon \implies r < R_\varepsilon(d)",
        domain=r"\varepsilon \ge 0,\ r \ge 0,\ d \ge 1",
        claim=lt_capture_rank,
        checks=(
            Certified(grid(alpha=ALPHAS, eps=MISSED[1:3], pair=PAIRS), arithmetic="exact"),
            Certified(TIES, arithmetic="exact"),
            Property(_problems(), arithmetic="exact"),
        ),
        mutants=(
            Mutant("premise with <=", partial(lt_capture_rank, weak=True)),
            Mutant("premise with eps / 2", partial(lt_capture_rank, tight=2)),
        ),
    ),
    Theorem(
        name="captureRank_le_iff",
        statement=r"R_\varepsilon(d) \le r \iff 1 - \varepsilon \le c(r, d)",
        domain=r"\varepsilon \ge 0,\ r \ge 0,\ d \ge 1",
        claim=capture_rank_le_iff,
        checks=(
            Certified(grid(alpha=ALPHAS, eps=MISSED[1:3], pair=PAIRS), arithmetic="exact"),
            Certified(TIES, arithmetic="exact"),
            Property(_problems(), arithmetic="exact"),
        ),
        mutants=(
            Mutant("rank below r", partial(capture_rank_le_iff, below=1)),
            Mutant("2 eps for eps", partial(capture_rank_le_iff, loose=2)),
        ),
    ),
    Theorem(
        name="captureRank_ratio_tendsto",
        statement=r"\lim_{d \to \infty} \frac{R_\varepsilon(d)}{d} "
        r"= (1 - \varepsilon)^{1/(1-2\alpha)}",
        domain=r"0 \le \alpha < \tfrac12,\ 0 < \varepsilon < 1",
        claim=capture_rank_ratio_tendsto,
        checks=(
            Certified(
                (
                    *grid(alpha=SLOW, eps=MISSED[:3], d=(10, 10**3, 10**6)),
                    *grid(alpha=SLOW[2:], eps=MISSED[1:2], d=(10**20,)),
                ),
                arithmetic="exact",
            ),
            Property(
                {
                    "alpha": slow_exponents(),
                    "eps": tolerances(open_high=True),
                    "d": ranks(2),
                },
                arithmetic="exact",
            ),
        ),
        mutants=(
            Mutant("exponent 1/(1 - alpha)", partial(capture_rank_ratio_tendsto, slope=1)),
            Mutant("eps for 1 - eps", partial(capture_rank_ratio_tendsto, kept=False)),
        ),
        references=(APOSTOL_SUMS,),
    ),
    Theorem(
        name="captureRank_steep_le",
        statement=r"\frac{r^{1-2\alpha}}{2\alpha-1} \le \varepsilon "
        r"\implies \forall d \ge r: \; R_\varepsilon(d) \le r",
        domain=r"\alpha > \tfrac12,\ r \ge 1",
        claim=capture_rank_steep_le,
        checks=(
            Certified(
                (
                    *grid(alpha=STEEP, eps=MISSED, r=(1, 6, 48), beyond=(0, 10**4)),
                    *TIGHT_BOUNDS,
                ),
                arithmetic="exact",
            ),
            Property(_enough(), arithmetic="exact"),
        ),
        mutants=(
            Mutant("rank at most r - 1", partial(capture_rank_steep_le, below=1)),
            Mutant("factor 1/(2 alpha)", partial(capture_rank_steep_le, scale=0)),
        ),
        references=(APOSTOL,),
    ),
    Theorem(
        name="captureRank_bounded",
        statement=r"\exists R\ \forall d \ge 1: \quad R_\varepsilon(d) \le R",
        domain=r"\alpha > \tfrac12,\ \varepsilon > 0",
        claim=capture_rank_bounded,
        checks=(
            Certified(grid(alpha=STEEP, eps=MISSED, d=DIMENSIONS), arithmetic="exact"),
            Property(_steep, arithmetic="exact"),
        ),
        mutants=(
            Mutant("exponents 1 - alpha", partial(capture_rank_bounded, mirrored=True)),
            Mutant("R = 1", partial(capture_rank_bounded, bound=1)),
        ),
        references=(APOSTOL,),
    ),
    Theorem(
        name="captureRank_ratio_tendsto_zero",
        statement=r"\lim_{d \to \infty} \frac{R_\varepsilon(d)}{d} = 0",
        domain=r"\alpha > \tfrac12,\ \varepsilon > 0",
        claim=capture_rank_ratio_tendsto_zero,
        checks=(
            Certified(
                (
                    *grid(alpha=STEEP, eps=MISSED, d=DIMENSIONS),
                    {"alpha": Fraction(51, 100), "eps": HALF, "d": 10**103},
                ),
                arithmetic="exact",
            ),
            Property(_steep, arithmetic="exact"),
        ),
        mutants=(
            Mutant(
                "limit eps^(1/(2 alpha - 1)), the rank formula",
                partial(capture_rank_ratio_tendsto_zero, naive=True),
            ),
            Mutant("rate 1/d", partial(capture_rank_ratio_tendsto_zero, bound=1)),
        ),
        references=(APOSTOL,),
    ),
)
