"""Checks of ``lean/SpectralRank/ConditioningEnclosure.lean``: certified condition numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import sympy
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from spectral_rank.formulas.conditioning import condition_number
from spectral_rank.formulas.domain import Number
from spectral_rank.theorems.claim import Relation, le
from spectral_rank.theorems.conditioning import (
    E5,
    POLYAK,
    TREFETHEN,
    best_contraction,
    envelopes,
    first_over_last,
    power_law,
    spectrum_between,
)
from spectral_rank.theorems.enclosure import MOORE, NIVEN, certified_bound, tightest_numerator
from spectral_rank.theorems.strategies import ranks, reals
from spectral_rank.theorems.theorem import Certified, Mutant, Point, Property, Symbolic, Theorem


def power_law_condition_number(alpha: Number, r: int) -> Number:
    """The condition number of the power-law spectrum, for increasing ones too."""
    return first_over_last(power_law(alpha), r)


def envelope_of_cert(
    theorem: str,
    u: int,
    v: int,
    base: tuple[int],
    q: int,
    at: tuple[Number, int],
    constants: tuple[Number, Number],
    weights: tuple[Number, ...],
    *,
    upper: bool = False,
    exchanged: bool = False,
    constants_exchanged: bool = False,
) -> Iterator[Relation]:
    """The dimension does not enter: only the indices 1 and ``r`` do, and the envelope holds there.

    The certified bound on ``r ^ alpha`` is widened by the ratio of the envelope's constants.
    """
    p, inequality = tightest_numerator(theorem, u, v, base, q, exchanged=exchanged)
    yield inequality
    (alpha, r), (c, C) = at, constants
    kappa = first_over_last(spectrum_between(c, C, alpha, weights), r)
    bound = (C / c if upper != constants_exchanged else c / C) * p / q
    yield le(kappa, bound) if upper else le(bound, kappa)


def contraction_le_of_cert(
    u: int,
    v: int,
    base: tuple[int],
    q: int,
    at: tuple[Number, int],
    *,
    inward: int = 0,
    exchanged: bool = False,
) -> Iterator[Relation]:
    p, inequality = tightest_numerator("contraction_le_of_cert", u, v, base, q, exchanged=exchanged)
    yield inequality
    high = Fraction(p - inward, q)
    yield le(best_contraction(*at), (high**2 - 1) / (high**2 + 1))


def condition_number_e5(
    alpha: Number, *, low: int = 1915, high: int = 1917, full: int = 20000
) -> Iterator[Relation]:
    kappa = condition_number(power_law(alpha), 270)
    yield le(low, kappa, "lower bound at rank 270")
    yield le(kappa, high, "upper bound at rank 270")
    yield le(full, condition_number(power_law(alpha), 1536), "lower bound at full width")


def above(corner: Fraction, t: Fraction) -> Fraction:
    """``alpha >= a``."""
    return corner + 3 * t


def below(corner: Fraction, t: Fraction) -> Fraction:
    """``alpha <= a``, negative values included."""
    return corner - 3 * t


def between_zero_and(corner: Fraction, t: Fraction) -> Fraction:
    """``0 <= alpha <= a``."""
    return corner * (1 - t)


@st.composite
def rank_certificates(
    draw: st.DrawFn, place: Callable[[Fraction, Fraction], Fraction]
) -> dict[str, Any]:
    """A certificate for ``r ^ (u / v)`` and an exponent for which it is meant, ``u / v`` included.

    ``place`` takes ``u / v`` and how far the exponent is from there, between 0 and 1.
    """
    u, v, r = draw(st.integers(0, 60)), draw(st.integers(1, 40)), draw(ranks())
    q = draw(st.integers(1, 20) | st.integers(1, 10**5))
    alpha = place(Fraction(u, v), draw(st.just(Fraction(0)) | reals(0, 1)))
    return {"u": u, "v": v, "base": (r,), "q": q, "at": (alpha, r)}


@st.composite
def enveloped_certificates(
    draw: st.DrawFn, place: Callable[[Fraction, Fraction], Fraction]
) -> dict[str, Any]:
    """The same with a spectrum inside an envelope: where ``s_1`` and ``s_r`` lie in it."""
    weights = draw(st.tuples(reals(0, 1), reals(0, 1)))
    drawn = draw(rank_certificates(place))
    return drawn | {"constants": draw(envelopes()), "weights": weights}


def _points(u: int, v: int, r: int, q: int, *alphas: str) -> tuple[Point, ...]:
    common = {"u": u, "v": v, "base": (r,), "q": q}
    return tuple(common | {"at": (Fraction(alpha), r)} for alpha in alphas)


def _at_the_edges(lower: Fraction, upper: Fraction, *points: Point) -> tuple[Point, ...]:
    """The first value at one edge of the envelope and the others at the other, both ways."""
    return tuple(
        {**point, "constants": (lower, upper), "weights": weights}
        for point in points
        for weights in ((Fraction(0), Fraction(1)), (Fraction(1), Fraction(0)))
    )


BELOW = (*_points(67, 50, 270, 10, "1.34", "1.36"), *_points(1, 2, 1537, 10**5, "0.5", "7"))
"""Certificates for a lower bound, at their corner and further in."""

ABOVE = (*_points(34, 25, 270, 10, "1.36", "1.34"), *_points(1, 2, 1537, 10**5, "0.5", "-1"))
"""Certificates for an upper bound, at their corner and further in."""

ENVELOPE = (Fraction(9, 10), Fraction(11, 10))


def _certified_theorem(
    name: str,
    statement: str,
    domain: str,
    claim: Callable[..., Iterator[Relation]],
    points: tuple[Point, ...],
    given: SearchStrategy[dict[str, Any]],
    wrong: Mutant,
    references: tuple[str, ...] = (TREFETHEN, MOORE),
) -> Theorem:
    exchanged = Mutant("u and v exchanged in the certificate", partial(claim, exchanged=True))
    return Theorem(
        name=name,
        statement=statement,
        domain=domain,
        claim=claim,
        checks=(Certified(points), Property(given)),
        mutants=(exchanged, wrong),
        references=references,
    )


def _power_law_theorem(
    name: str, statement: str, domain: str, points: tuple[Point, ...], upper: bool
) -> Theorem:
    claim = partial(certified_bound, name, le, power_law_condition_number, upper=upper)
    given = rank_certificates(below if upper else above)
    wrong = Mutant("bound rounded inward", partial(claim, inward=1))
    return _certified_theorem(name, statement, domain, claim, points, given, wrong)


def _envelope_theorem(
    name: str, statement: str, domain: str, points: tuple[Point, ...], upper: bool
) -> Theorem:
    claim = partial(envelope_of_cert, name, upper=upper)
    given = enveloped_certificates(below if upper else above)
    wrong = Mutant("constants exchanged", partial(claim, constants_exchanged=True))
    return _certified_theorem(
        name, statement, domain, claim, _at_the_edges(*ENVELOPE, *points), given, wrong
    )


THEOREMS = (
    _power_law_theorem(
        "le_conditionNumber_of_cert",
        r"a \le \alpha,\ p^v \le r^u\, q^v \implies \frac{p}{q} \le \kappa(r), "
        r"\qquad \kappa(r) = \frac{\sigma_1}{\sigma_r}, \quad \sigma_i = i^{-\alpha}",
        r"a = \tfrac{u}{v},\ u \ge 0,\ v, r, q > 0",
        BELOW,
        upper=False,
    ),
    _power_law_theorem(
        "conditionNumber_le_of_cert",
        r"\alpha \le a,\ r^u\, q^v \le p^v \implies \kappa(r) \le \frac{p}{q}",
        r"a = \tfrac{u}{v},\ u \ge 0,\ v, r, q > 0",
        ABOVE,
        upper=True,
    ),
    _envelope_theorem(
        "InEnvelope.le_conditionNumber_of_cert",
        r"a \le \alpha,\ p^v \le r^u\, q^v \implies "
        r"\frac{c}{C} \cdot \frac{p}{q} \le \frac{s_1}{s_r}",
        r"c\, i^{-\alpha} \le s_i \le C\, i^{-\alpha} \ (1 \le i \le d),\ c > 0,\ r \le d,"
        r"\ a = \tfrac{u}{v},\ u \ge 0,\ v, r, q > 0",
        BELOW,
        upper=False,
    ),
    _envelope_theorem(
        "InEnvelope.conditionNumber_le_of_cert",
        r"\alpha \le a,\ r^u\, q^v \le p^v \implies "
        r"\frac{s_1}{s_r} \le \frac{C}{c} \cdot \frac{p}{q}",
        r"c\, i^{-\alpha} \le s_i \le C\, i^{-\alpha} \ (1 \le i \le d),\ c > 0,\ r \le d,"
        r"\ a = \tfrac{u}{v},\ u \ge 0,\ v, r, q > 0",
        ABOVE,
        upper=True,
    ),
    _certified_theorem(
        "contraction_le_of_cert",
        r"0 \le \alpha \le a,\ r^u\, q^v \le p^v \implies \rho\bigl(\eta^*(r)\bigr) \le "
        r"\frac{h^2 - 1}{h^2 + 1}, \qquad h = \frac{p}{q}",
        r"a = \tfrac{u}{v},\ u \ge 0,\ v, r, q > 0",
        contraction_le_of_cert,
        tuple(point for point in ABOVE if point["at"][0] >= 0),
        rank_certificates(between_zero_and),
        Mutant("bound rounded inward", partial(contraction_le_of_cert, inward=1)),
        (POLYAK, MOORE),
    ),
    Theorem(
        name="conditionNumber_e5",
        statement=r"1915 \le \kappa(270) \le 1917, \quad 20000 \le \kappa(1536) "
        r"\qquad \text{at } \alpha = 1.35",
        domain=r"\text{a single point}",
        claim=condition_number_e5,
        checks=(
            Symbolic({"alpha": sympy.Rational(27, 20)}),
            Certified(({"alpha": E5},)),
        ),
        mutants=(
            Mutant("at least 1917 at rank 270", partial(condition_number_e5, low=1917)),
            Mutant("at most 1915 at rank 270", partial(condition_number_e5, high=1915)),
            Mutant("at least 21000 at full width", partial(condition_number_e5, full=21000)),
        ),
        references=(TREFETHEN, NIVEN),
    ),
)
