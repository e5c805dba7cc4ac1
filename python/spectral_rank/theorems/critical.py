"""Checks of ``lean/SpectralRank/Critical.lean``: the critical exponent 1/2.

The energies are harmonic numbers: exact fractions for small ranks, digamma values for any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial

import flint
from hypothesis import strategies as st

from spectral_rank.formulas.capture import rank_capturing
from spectral_rank.formulas.elementary import as_ball, exp, log, power
from spectral_rank.formulas.power_law import head_energy
from spectral_rank.theorems.capture_rank import PRECISION
from spectral_rank.theorems.claim import Relation, eq, le
from spectral_rank.theorems.power_law import APOSTOL
from spectral_rank.theorems.strategies import HALF, ranks, reals, tolerances
from spectral_rank.theorems.theorem import Certified, Mutant, Property, Theorem, grid
from spectral_rank.theorems.variance_capture import (
    APOSTOL_SUMS,
    RHOS,
    Share,
    share_below,
    share_of,
    shares,
)

EXACT = 100
"""Ranks up to which the harmonic number is also added as a fraction."""


def head_energy_critical_bounds(r: int, *, shift: int = 1, constant: int = 1) -> Iterator[Relation]:
    energy = head_energy(as_ball(HALF), r)
    yield le(log(as_ball(r + shift)), energy, "lower")
    yield le(energy, constant + log(as_ball(r)), "upper")
    if r <= EXACT:
        yield eq(energy, head_energy(HALF, r), "digamma and sum")


def captured_critical_lower(rho: Share, d: int, *, constant: int = 1) -> Iterator[Relation]:
    missed = (constant - log(as_ball(Fraction(*rho)))) / (1 + log(as_ball(d)))
    yield le(1 - missed, share_below(as_ball(HALF), share_of(rho, d), d))


def captured_critical_tendsto(
    rho: Share, d: int, *, to_rho: bool = False, fast: bool = False
) -> Iterator[Relation]:
    """The two-sided rate, of order 1 / log d, and the constant of the leading order."""
    r, ratio = share_of(rho, d), as_ball(Fraction(*rho))
    missed = (ratio if to_rho else 1) - share_below(as_ball(HALF), r, d)
    yield le(missed, (1 - log(ratio)) / (d if fast else 1 + log(as_ball(d))), "upper rate")
    if r < d:
        band = log(as_ball(Fraction(d + 1, r + 1)))
        yield le(band / (1 + log(as_ball(d))), missed, "lower rate")
        constant = missed * head_energy(as_ball(HALF), d)
        yield le(abs(constant + log(ratio)), 2 / (ratio * d), "missed share times energy")


def capture_rank_critical_ratio_tendsto_zero(
    eps: Fraction, d: int, *, naive: bool = False, fast: bool = False
) -> Iterator[Relation]:
    """The two-sided rate: for eps < 1 the ratio is of the exact order d^(-eps)."""
    rank = rank_capturing(HALF, 1 - eps, d)
    with flint.ctx.workprec(PRECISION):
        missed = as_ball(eps)
        ratio, limit = as_ball(Fraction(rank, d)), 1 - missed if naive else as_ball(0)
        decay = power(d, -1 if fast else -missed)
        upper = exp(1 - missed) * decay + as_ball(Fraction(1, d))
        distance = abs(ratio - limit)
        lower = exp(as_ball(-1)) * decay
    yield le(distance, upper, "upper rate")
    if eps < 1:
        yield le(lower, distance, "lower rate")


HUGE = (1, 2, 10, 1536, 10**6, 10**30, 10**300)
MISSED = (Fraction(1, 20), HALF, Fraction(9, 10), Fraction(1), Fraction(3, 2))
_dimensions = ranks() | st.integers(1, 100).map(lambda k: 10**k)

THEOREMS = (
    Theorem(
        name="headEnergy_critical_bounds",
        statement=r"\log(r+1) \le H(r) \le 1 + \log r",
        domain=r"\alpha = \tfrac12,\ r \ge 1",
        claim=head_energy_critical_bounds,
        checks=(
            Certified(grid(r=(*range(1, 21), EXACT, 1536, 10**6, 10**30, 10**300))),
            Property({"r": _dimensions}),
        ),
        mutants=(
            Mutant("log(r + 2) as the lower bound", partial(head_energy_critical_bounds, shift=2)),
            Mutant("log r as the upper bound", partial(head_energy_critical_bounds, constant=0)),
        ),
        references=(APOSTOL, APOSTOL_SUMS),
    ),
    Theorem(
        name="captured_critical_lower",
        statement=r"1 - \frac{1 - \log \rho}{1 + \log d} \le c(\lceil \rho d \rceil, d)",
        domain=r"\alpha = \tfrac12,\ \rho > 0,\ d \ge 1 \quad (\rho > 1 \text{ allowed})",
        claim=captured_critical_lower,
        checks=(
            Certified(grid(rho=(*RHOS, (1, 1), (3, 1)), d=HUGE)),
            Property({"rho": shares(3), "d": _dimensions}),
        ),
        mutants=(
            Mutant("-log rho for 1 - log rho", partial(captured_critical_lower, constant=0)),
            Mutant("-1 - log rho for 1 - log rho", partial(captured_critical_lower, constant=-1)),
        ),
        references=(APOSTOL_SUMS,),
    ),
    Theorem(
        name="captured_critical_tendsto",
        statement=r"\lim_{d \to \infty} c(\lceil \rho d \rceil, d) = 1",
        domain=r"\alpha = \tfrac12,\ 0 < \rho \le 1",
        claim=captured_critical_tendsto,
        checks=(
            Certified(grid(rho=(*RHOS, (1, 1)), d=HUGE[:6])),
            Property({"rho": shares(), "d": _dimensions}),
        ),
        mutants=(
            Mutant("limit rho", partial(captured_critical_tendsto, to_rho=True)),
            Mutant("rate 1/d", partial(captured_critical_tendsto, fast=True)),
        ),
        references=(APOSTOL_SUMS,),
    ),
    Theorem(
        name="captureRank_critical_ratio_tendsto_zero",
        statement=r"\lim_{d \to \infty} \frac{R_\varepsilon(d)}{d} = 0",
        domain=r"\alpha = \tfrac12,\ \varepsilon > 0",
        claim=capture_rank_critical_ratio_tendsto_zero,
        checks=(
            Certified(grid(eps=MISSED, d=HUGE[:6]), arithmetic="exact"),
            Property({"eps": tolerances() | reals(1, 3), "d": ranks()}, arithmetic="exact"),
        ),
        mutants=(
            Mutant("limit 1 - eps", partial(capture_rank_critical_ratio_tendsto_zero, naive=True)),
            Mutant(
                "rate 1/d, as for steep spectra",
                partial(capture_rank_critical_ratio_tendsto_zero, fast=True),
            ),
        ),
        references=(APOSTOL_SUMS,),
    ),
)
