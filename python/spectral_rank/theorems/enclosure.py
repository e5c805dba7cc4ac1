"""Checks of ``lean/SpectralRank/Enclosure.lean``: integer certificates for the rank formulas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import sympy
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from spectral_rank.formulas.capture import capture_ratio, captured
from spectral_rank.formulas.certificate import CERTIFICATES
from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.elementary import as_ball, power
from spectral_rank.formulas.envelope import explained
from spectral_rank.formulas.rank import cont_tail, rank_ratio
from spectral_rank.theorems.claim import Relation, holds, implies, le, lt
from spectral_rank.theorems.conditioning import E5, envelopes, spectrum_between
from spectral_rank.theorems.power_law import APOSTOL
from spectral_rank.theorems.rank_formula import rank_ratio_everywhere
from spectral_rank.theorems.strategies import (
    HALF,
    ordered_ranks,
    ranks,
    reals,
    steep_exponents,
    tolerances,
)
from spectral_rank.theorems.theorem import (
    Certified,
    Mutant,
    Point,
    Property,
    Symbolic,
    Theorem,
    grid,
)

NIVEN = "Niven, Numbers: Rational and Irrational (1961), chapter 4: roots and rational powers"
MOORE = "Moore, Kearfott and Cloud, Introduction to Interval Analysis (2009), chapter 5"

Relate = Callable[..., Relation]


def capture_ratio_everywhere(alpha: Number, eps: Number) -> Number:
    """``captureRatio`` as Lean defines it for all real numbers, where 1 / 0 is 0.

    The formula refuses tolerances outside (0, 1] and exponents outside [0, 1/2).
    """
    slope = 1 - 2 * alpha
    if alpha >= 0 and slope > 0 and 0 < eps <= 1:
        return capture_ratio(alpha, eps)
    return power(1 - eps, 0 * slope if slope == 0 else 1 / slope)


def rank_ratio_at(u: int, v: int, base: Fraction) -> Number:
    """The rank ratio at ``2 alpha - 1 = u / v`` and the tolerance ``base``."""
    alpha = ((Fraction(u, v) if v else 0) + 1) * HALF
    return rank_ratio_everywhere(*_rational_or_balls(u, v, alpha, base))


def capture_ratio_at(u: int, v: int, base: Fraction) -> Number:
    """The capture ratio at ``1 - 2 alpha = u / v`` and the captured share ``base``."""
    alpha = (1 - (Fraction(u, v) if v else 0)) * HALF
    return capture_ratio_everywhere(*_rational_or_balls(u, v, alpha, 1 - base))


def _rational_or_balls(u: int, v: int, *numbers: Fraction) -> tuple[Number, ...]:
    """Fractions where the power ``v / u`` is an integer, so that ties are decided; else balls."""
    return numbers if v % u == 0 else tuple(as_ball(number) for number in numbers)


def point_certificate(
    ratio: Callable[[int, int, Fraction], Number],
    u: int,
    v: int,
    base: tuple[int, int],
    q: int,
    offset: int,
    *,
    upper: bool = False,
    nonstrict: bool = False,
    exchanged: bool = False,
) -> Iterator[Relation]:
    """The bound ``p / q`` nearest to the ratio, moved by ``offset``: on both sides of it."""
    n, d = base
    p = max(0, round(q * (n / d) ** (v / u)) + offset)
    value, bound = ratio(u, v, Fraction(n, d)), Fraction(p, q)
    if exchanged:
        u, v = v, u
    sides = (q**u * n**v, p**u * d**v) if upper else (p**u * d**v, q**u * n**v)
    premise = sides[0] <= sides[1] if nonstrict else sides[0] < sides[1]
    yield implies(
        holds(premise, "integer inequality"), lt(value, bound) if upper else lt(bound, value)
    )


def tail_factor_le(
    u: int, v: int, r: int, q: int, offset: int, *, exchanged: bool = False, scaled: bool = True
) -> Iterator[Relation]:
    alpha = (Fraction(u, v) + 1) * HALF
    value = cont_tail(alpha if v == 1 else as_ball(alpha), r)
    p = max(0, round(q * v / u * r ** (-u / v)) + offset)
    if exchanged:
        u, v = v, u
    left, right = (v * q, p * u) if scaled else (q, p)
    premise = holds(left**v <= right**v * r**u, "integer inequality")
    yield implies(premise, le(value, Fraction(p, q)))


def enclosure_interval(
    ratio: Callable[[Number, Number], Number],
    alphas: tuple[Number, Number, Number],
    tolerances: tuple[Number, Number, Number],
    *,
    decreasing: bool = False,
    other_alpha: bool = False,
    other_eps: bool = False,
) -> Iterator[Relation]:
    """A box and a point in it, given by sorted exponents and sorted tolerances."""
    corners = [(alphas[0], tolerances[0]), (alphas[2], tolerances[2])]
    if decreasing:
        corners.reverse()
    (a_low, e_low), (a_high, e_high) = corners
    if other_alpha:
        a_low, a_high = a_high, a_low
    if other_eps:
        e_low, e_high = e_high, e_low
    value = ratio(alphas[1], tolerances[1])
    yield le(ratio(a_low, e_low), value, "lower corner")
    yield le(value, ratio(a_high, e_high), "upper corner")


def capture_ratio_strict_anti_alpha(
    alphas: tuple[Number, Number], eps: Number, *, reverse: bool = False, scale: int = 1
) -> Iterator[Relation]:
    steep, slow = (capture_ratio_everywhere(alpha, scale * eps) for alpha in reversed(alphas))
    yield lt(slow, steep) if reverse else lt(steep, slow)


def tail_factor_antitone(
    alphas: tuple[Number, Number], r: int, *, reverse: bool = False, unit: Number = 1
) -> Iterator[Relation]:
    larger, smaller = (cont_tail(alpha, unit * r) for alpha in alphas)
    yield le(larger, smaller) if reverse else le(smaller, larger)


def tightest_numerator(
    theorem: str, u: int, v: int, base: tuple[int, ...], q: int, *, exchanged: bool = False
) -> tuple[int, Relation]:
    """The tightest bound ``p / q`` for the theorem: ``p``, and the integer inequality for it."""
    certificate = CERTIFICATES[theorem]
    if exchanged and u > 0:
        u, v = v, u
    p = certificate.tightest(u, v, *base, q)
    return p, holds(certificate.certifies(u, v, *base, p, q), "integer inequality")


def certified_bound(
    theorem: str,
    relate: Relate,
    value: Callable[..., Number],
    u: int,
    v: int,
    base: tuple[int, ...],
    q: int,
    at: tuple[Number, ...],
    *,
    upper: bool = False,
    inward: int = 0,
    exchanged: bool = False,
) -> Iterator[Relation]:
    """The tightest certified bound of denominator ``q``, and the value at a point of the box."""
    p, inequality = tightest_numerator(theorem, u, v, base, q, exchanged=exchanged)
    yield inequality
    bound = Fraction(p - inward if upper else p + inward, q)
    yield relate(value(*at), bound) if upper else relate(bound, value(*at))


def tail_factor_le_of_cert(at: tuple[Number, int], **arguments: Any) -> Iterator[Relation]:
    yield lt(HALF, at[0], "the exponent is steep")
    yield from certified_bound(
        "tailFactor_le_of_cert", le, cont_tail, at=at, upper=True, **arguments
    )


def missed_share(alpha: Number, r: int, d: int) -> Number:
    """The share of the energy that rank ``r`` misses in dimension ``d``."""
    return 1 - captured(alpha, r, d)


def explained_ge_of_cert(
    u: int,
    v: int,
    base: tuple[int],
    q: int,
    at: tuple[Number, int, int],
    constants: tuple[Number, Number],
    weights: tuple[Number, ...],
    *,
    inward: int = 0,
    exponent: int = 2,
) -> Iterator[Relation]:
    p, inequality = tightest_numerator("InEnvelope.explained_ge_of_cert", u, v, base, q)
    yield inequality
    (alpha, r, d), (c, C) = at, constants
    spectrum = spectrum_between(c, C, alpha, weights)
    low = 1 - (C / c) ** exponent * (p - inward) / q
    yield le(low, explained([spectrum(i) for i in range(1, d + 1)], r, d))


def rank_ratio_e5(
    alpha: Number, eps: Number, *, low: int = 1716, high: int = 1717
) -> Iterator[Relation]:
    value = rank_ratio(alpha, eps)
    yield lt(Fraction(low, 10**4), value, "lower bound")
    yield lt(value, Fraction(high, 10**4), "upper bound")


def captured_e5(
    alpha: Number, r: int, d: int, *, missed: int = 50, fewer: int = 0
) -> Iterator[Relation]:
    """At the point of the theorem, or anywhere else where its certificate holds."""
    yield le(1 - Fraction(missed, 10**6), captured(alpha, r - fewer, d))


def certificates(*, least: int = 1, largest_base: int = 1) -> dict[str, SearchStrategy[Any]]:
    """Integers of a certificate: exponent ``v / u``, base ``n / d``, denominator ``q`` of a bound.

    Args:
        least: the least ``v`` and ``n``; 0 includes what Lean makes of a division by zero.
        largest_base: the largest ``n / d``.
    """
    return {
        "u": st.integers(1, 40),
        "v": st.integers(least, 40),
        "base": st.integers(1, 1000).flatmap(
            lambda d: st.tuples(st.integers(least, largest_base * d), st.just(d))
        ),
        "q": st.integers(1, 10**5),
    }


SHARES = st.just(Fraction(0)) | reals(0, 1)
PROPER_SHARES = st.just(Fraction(0)) | reals(0, 1, open_high=True)


def boxes(
    place: Callable[[Fraction, Fraction, Fraction, Fraction], tuple[Fraction, Fraction]],
) -> SearchStrategy[dict[str, Any]]:
    """A certificate and a point ``at`` of the box for which it is meant, corner included.

    Args:
        place: the point from ``u / v``, ``n / d`` and how far it is from the corner that the
            certificate is about, in exponent (0 <= t < 1) and in tolerance (0 <= t <= 1).
    """

    def with_point(drawn: tuple[dict[str, Any], Fraction, Fraction]) -> dict[str, Any]:
        integers, t, s = drawn
        at = place(Fraction(integers["u"], integers["v"]), Fraction(*integers["base"]), t, s)
        return integers | {"at": at}

    drawn = st.tuples(st.fixed_dictionaries(certificates()), PROPER_SHARES, SHARES)
    return drawn.map(with_point)


def above_rank_corner(
    slope: Fraction, base: Fraction, t: Fraction, s: Fraction
) -> tuple[Fraction, Fraction]:
    """``alpha >= a`` and ``eps >= e``, above 1 included."""
    return (slope + 1) / 2 + 3 * t, base + 2 * s


def below_rank_corner(
    slope: Fraction, base: Fraction, t: Fraction, s: Fraction
) -> tuple[Fraction, Fraction]:
    """``1/2 < alpha <= a`` and ``0 <= eps <= e``."""
    return (slope * (1 - t) + 1) / 2, base * (1 - s)


def below_capture_corner(
    slope: Fraction, base: Fraction, t: Fraction, s: Fraction
) -> tuple[Fraction, Fraction]:
    """``alpha <= a`` and ``eps <= e``, negative values included."""
    return (1 - slope) / 2 - 3 * t, 1 - base - 2 * s


def above_capture_corner(
    slope: Fraction, base: Fraction, t: Fraction, s: Fraction
) -> tuple[Fraction, Fraction]:
    """``a <= alpha < 1/2`` and ``e <= eps <= 1``."""
    return (1 - slope * (1 - t)) / 2, 1 - base * (1 - s)


@st.composite
def tail_certificates(draw: st.DrawFn, largest: int = 10**6) -> dict[str, Any]:
    """A certificate for the tail factor, an exponent above its corner, and ranks ``r <= d``."""
    u, v = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    alpha = (Fraction(u, v) + 1) / 2 + 3 * draw(PROPER_SHARES)
    r, d = draw(ordered_ranks(high=largest))
    q = draw(st.integers(1, 20) | st.integers(1, 10**5))
    return {"u": u, "v": v, "base": (r,), "q": q, "at": (alpha, r, d)}


def without_dimension(drawn: dict[str, Any]) -> dict[str, Any]:
    """The same for statements that say nothing about a dimension."""
    return drawn | {"at": drawn["at"][:2]}


@st.composite
def enveloped_certificates(draw: st.DrawFn) -> dict[str, Any]:
    """A certificate for the tail factor with a spectrum inside an envelope."""
    weights = draw(st.lists(reals(0, 1), min_size=1, max_size=4).map(tuple))
    drawn = draw(tail_certificates(largest=12))
    return drawn | {"constants": draw(envelopes()), "weights": weights}


def ascending(values: SearchStrategy[Fraction], count: int) -> SearchStrategy[Any]:
    """Sorted tuples of drawn values, equal ones included."""
    return st.lists(values, min_size=count, max_size=count).map(lambda drawn: tuple(sorted(drawn)))


AT_A_POINT = Certified(
    grid(
        lambda u, v, **rest: v != 2000 or u == 1999,
        u=(1, 2, 17, 1999),
        v=(0, 1, 10, 2000),
        base=((0, 1), (1, 20), (1, 4), (49, 1000), (1, 1), (3, 2)),
        q=(1, 10**5),
        offset=(-1, 0, 1),
    )
)
EVERY_POINT = Property(certificates(least=0, largest_base=2) | {"offset": st.integers(-2, 2)})

SLOW = st.just(Fraction(-3)) | reals(-1, HALF, open_high=True)
BOX_OF_THREE = {"alphas": ascending(steep_exponents(), 3), "tolerances": ascending(tolerances(), 3)}


def _numbers(*texts: str) -> tuple[Fraction, ...]:
    return tuple(Fraction(text) for text in texts)


def _certificate(
    u: int, v: int, base: tuple[int, ...], q: int, *points: tuple[Any, ...]
) -> tuple[Point, ...]:
    return tuple({"u": u, "v": v, "base": base, "q": q, "at": at} for at in points)


def _point_theorem(
    name: str, statement: str, domain: str, ratio: Callable[..., Number], upper: bool
) -> Theorem:
    claim = partial(point_certificate, ratio, upper=upper)
    return Theorem(
        name=name,
        statement=statement,
        domain=domain,
        claim=claim,
        checks=(AT_A_POINT, EVERY_POINT),
        mutants=(
            Mutant("equality suffices in the certificate", partial(claim, nonstrict=True)),
            Mutant("u and v exchanged in the certificate", partial(claim, exchanged=True)),
        ),
        references=(NIVEN,),
    )


def _bound_theorem(
    name: str,
    statement: str,
    domain: str,
    claim: Callable[..., Iterator[Relation]],
    checks: tuple[Certified, Property],
    references: tuple[str, ...] = (NIVEN, MOORE),
) -> Theorem:
    return Theorem(
        name=name,
        statement=statement,
        domain=domain,
        claim=claim,
        checks=checks,
        mutants=(
            Mutant("bound rounded inward", partial(claim, inward=1)),
            Mutant("u and v exchanged in the certificate", partial(claim, exchanged=True)),
        ),
        references=references,
    )


THEOREMS = (
    _point_theorem(
        "lt_rankRatio",
        r"p^u\, d^v < q^u\, n^v \implies \frac{p}{q} < \rho\Bigl(\tfrac12\bigl(\tfrac{u}{v} + 1"
        r"\bigr), \tfrac{n}{d}\Bigr), \qquad \rho(\alpha, \varepsilon) = "
        r"\varepsilon^{1/(2\alpha - 1)}",
        r"u, v, p, q, n, d \in \mathbb{N},\ u, q, d > 0",
        rank_ratio_at,
        upper=False,
    ),
    _point_theorem(
        "rankRatio_lt",
        r"q^u\, n^v < p^u\, d^v \implies \rho\Bigl(\tfrac12\bigl(\tfrac{u}{v} + 1\bigr), "
        r"\tfrac{n}{d}\Bigr) < \frac{p}{q}",
        r"u, v, p, q, n, d \in \mathbb{N},\ u, q, d > 0",
        rank_ratio_at,
        upper=True,
    ),
    _point_theorem(
        "lt_captureRatio",
        r"p^u\, d^v < q^u\, n^v \implies \frac{p}{q} < \gamma\Bigl(\tfrac12\bigl(1 - "
        r"\tfrac{u}{v}\bigr), 1 - \tfrac{n}{d}\Bigr), \qquad \gamma(\alpha, \varepsilon) = "
        r"(1 - \varepsilon)^{1/(1 - 2\alpha)}",
        r"u, v, p, q, n, d \in \mathbb{N},\ u, q, d > 0",
        capture_ratio_at,
        upper=False,
    ),
    _point_theorem(
        "captureRatio_lt",
        r"q^u\, n^v < p^u\, d^v \implies \gamma\Bigl(\tfrac12\bigl(1 - \tfrac{u}{v}\bigr), "
        r"1 - \tfrac{n}{d}\Bigr) < \frac{p}{q}",
        r"u, v, p, q, n, d \in \mathbb{N},\ u, q, d > 0",
        capture_ratio_at,
        upper=True,
    ),
    Theorem(
        name="tailFactor_le",
        statement=r"(v q)^v \le (p u)^v\, r^u \implies \frac{r^{1 - 2\alpha}}{2\alpha - 1} \le "
        r"\frac{p}{q} \quad \text{at } \alpha = \tfrac12\bigl(\tfrac{u}{v} + 1\bigr)",
        domain=r"u, v, p, q, r \in \mathbb{N},\ u, v, q, r > 0",
        claim=tail_factor_le,
        checks=(
            Certified(
                grid(u=(1, 2, 42), v=(1, 25), r=(2, 64, 270), q=(1, 10**4), offset=(-1, 0, 1))
            ),
            Property(
                {
                    "u": st.integers(1, 40),
                    "v": st.integers(1, 40),
                    "r": ranks(),
                    "q": st.integers(1, 10**5),
                    "offset": st.integers(-2, 2),
                }
            ),
        ),
        mutants=(
            Mutant("without the factor u / v", partial(tail_factor_le, scaled=False)),
            Mutant("u and v exchanged in the certificate", partial(tail_factor_le, exchanged=True)),
        ),
        references=(NIVEN,),
    ),
    Theorem(
        name="rankRatio_enclosure_interval",
        statement=r"a_1 \le \alpha \le a_2,\ e_1 \le \varepsilon \le e_2 \implies "
        r"\rho(a_1, e_1) \le \rho(\alpha, \varepsilon) \le \rho(a_2, e_2)",
        domain=r"\tfrac12 < a_1,\ 0 < e_1,\ e_2 \le 1",
        claim=partial(enclosure_interval, rank_ratio),
        checks=(
            Certified(
                grid(
                    alphas=(_numbers("0.51", "0.6", "1"), _numbers("1.34", "1.35", "1.36")),
                    tolerances=(_numbers("0.049", "0.05", "0.051"), _numbers("0.001", "0.5", "1")),
                )
            ),
            Property(BOX_OF_THREE),
        ),
        mutants=(
            Mutant(
                "exponents of the corners exchanged",
                partial(enclosure_interval, rank_ratio, other_alpha=True),
            ),
            Mutant(
                "tolerances of the corners exchanged",
                partial(enclosure_interval, rank_ratio, other_eps=True),
            ),
        ),
        references=(MOORE,),
    ),
    Theorem(
        name="captureRatio_strictAnti_alpha",
        statement=r"\alpha < \alpha' \implies \gamma(\alpha', \varepsilon) < "
        r"\gamma(\alpha, \varepsilon)",
        domain=r"\alpha' < \tfrac12,\ 0 < \varepsilon < 1",
        claim=capture_ratio_strict_anti_alpha,
        checks=(
            Certified(
                grid(
                    alphas=(_numbers("-2", "0"), _numbers("0", "0.3"), _numbers("0.48", "0.49")),
                    eps=_numbers("0.001", "0.05", "0.999"),
                )
            ),
            Property(
                {
                    "alphas": ascending(SLOW, 2).filter(lambda pair: pair[0] < pair[1]),
                    "eps": tolerances(open_high=True),
                }
            ),
        ),
        mutants=(
            Mutant("increasing", partial(capture_ratio_strict_anti_alpha, reverse=True)),
            Mutant("at tolerance 0", partial(capture_ratio_strict_anti_alpha, scale=0)),
        ),
    ),
    Theorem(
        name="captureRatio_enclosure_interval",
        statement=r"a_1 \le \alpha \le a_2,\ e_1 \le \varepsilon \le e_2 \implies "
        r"\gamma(a_2, e_2) \le \gamma(\alpha, \varepsilon) \le \gamma(a_1, e_1)",
        domain=r"a_2 < \tfrac12,\ 0 \le e_1,\ e_2 < 1",
        claim=partial(enclosure_interval, capture_ratio_everywhere, decreasing=True),
        checks=(
            Certified(
                grid(
                    alphas=(_numbers("-1", "0.1", "0.49"), _numbers("0.3", "0.31", "0.32")),
                    tolerances=(_numbers("0.049", "0.05", "0.051"), _numbers("0", "0.5", "0.9")),
                )
            ),
            Property(
                {
                    "alphas": ascending(SLOW, 3),
                    "tolerances": ascending(reals(0, 1, open_high=True), 3),
                }
            ),
        ),
        mutants=(
            Mutant(
                "exponents of the corners exchanged",
                partial(
                    enclosure_interval,
                    capture_ratio_everywhere,
                    decreasing=True,
                    other_alpha=True,
                ),
            ),
            Mutant(
                "corners of the rank ratio", partial(enclosure_interval, capture_ratio_everywhere)
            ),
        ),
        references=(MOORE,),
    ),
    Theorem(
        name="tailFactor_antitone",
        statement=r"a \le \alpha \implies \frac{r^{1 - 2\alpha}}{2\alpha - 1} \le "
        r"\frac{r^{1 - 2a}}{2a - 1}",
        domain=r"\tfrac12 < a,\ r \ge 1",
        claim=tail_factor_antitone,
        checks=(
            Certified(
                grid(
                    alphas=(_numbers("0.51", "0.52"), _numbers("1", "1.35"), _numbers("3", "4")),
                    r=(1, 2, 270, 10**6),
                )
            ),
            Property({"alphas": ascending(steep_exponents(), 2), "r": ranks()}),
        ),
        mutants=(
            Mutant("increasing", partial(tail_factor_antitone, reverse=True)),
            Mutant("r / 100 for r", partial(tail_factor_antitone, unit=Fraction(1, 100))),
        ),
    ),
    _bound_theorem(
        "lt_rankRatio_of_cert",
        r"a \le \alpha,\ e \le \varepsilon,\ p^u\, d^v < q^u\, n^v \implies "
        r"\frac{p}{q} < \rho(\alpha, \varepsilon)",
        r"a = \tfrac12\bigl(\tfrac{u}{v} + 1\bigr),\ e = \tfrac{n}{d},\ "
        r"u, v, n, q > 0,\ n \le d",
        partial(certified_bound, "lt_rankRatio_of_cert", lt, rank_ratio_everywhere),
        (
            Certified(
                _certificate(
                    42, 25, (49, 1000), 10**4, _numbers("1.34", "0.049"), _numbers("1.36", "0.051")
                )
                + _certificate(1681, 1000, (5, 100), 10**5, _numbers("1.3405", "0.05"))
                + _certificate(1, 5, (1, 2), 10**4, _numbers("0.6", "0.5"), _numbers("9", "3"))
            ),
            Property(boxes(above_rank_corner)),
        ),
    ),
    _bound_theorem(
        "rankRatio_lt_of_cert",
        r"b \le \alpha \le a,\ f \le \varepsilon \le e,\ q^u\, n^v < p^u\, d^v \implies "
        r"\rho(\alpha, \varepsilon) < \frac{p}{q}",
        r"a = \tfrac12\bigl(\tfrac{u}{v} + 1\bigr),\ e = \tfrac{n}{d},\ "
        r"u, v, n, q > 0,\ n \le d,\ b > \tfrac12,\ f \ge 0",
        partial(certified_bound, "rankRatio_lt_of_cert", lt, rank_ratio_everywhere, upper=True),
        (
            Certified(
                _certificate(
                    43, 25, (51, 1000), 10**4, _numbers("1.36", "0.051"), _numbers("1.34", "0.049")
                )
                + _certificate(1719, 1000, (5, 100), 10**5, _numbers("1.3595", "0.05"))
                + _certificate(1, 5, (1, 2), 10**4, _numbers("0.6", "0.5"), _numbers("0.51", "0"))
            ),
            Property(boxes(below_rank_corner)),
        ),
    ),
    _bound_theorem(
        "tailFactor_le_of_cert",
        r"a \le \alpha,\ (v q)^v \le (p u)^v\, r^u \implies \tfrac12 < \alpha \ \text{ and } "
        r"\frac{r^{1 - 2\alpha}}{2\alpha - 1} \le \frac{p}{q}",
        r"a = \tfrac12\bigl(\tfrac{u}{v} + 1\bigr),\ u, v, r, q > 0",
        tail_factor_le_of_cert,
        (
            Certified(
                _certificate(42, 25, (270,), 20000, (Fraction("1.34"), 270), (Fraction(2), 270))
                + _certificate(1, 5, (10,), 100, (Fraction("0.6"), 10), (Fraction("0.7"), 10))
            ),
            Property(tail_certificates().map(without_dimension)),
        ),
    ),
    _bound_theorem(
        "captured_ge_of_cert",
        r"a \le \alpha,\ (v q)^v \le (p u)^v\, r^u \implies 1 - \frac{p}{q} \le "
        r"\mathrm{captured}(\alpha, r, d) \quad \text{for all } d \ge r",
        r"a = \tfrac12\bigl(\tfrac{u}{v} + 1\bigr),\ u, v, r, q > 0",
        partial(certified_bound, "captured_ge_of_cert", le, missed_share, upper=True),
        (
            Certified(
                _certificate(
                    42, 25, (270,), 20000, *((Fraction("1.34"), 270, d) for d in (1536, 10**6, 270))
                )
                + _certificate(1, 5, (10,), 100, (Fraction("0.6"), 10, 10**6))
            ),
            Property(tail_certificates()),
        ),
        (APOSTOL,),
    ),
    _bound_theorem(
        "lt_captureRatio_of_cert",
        r"\alpha \le a,\ \varepsilon \le e,\ p^u\, d^v < q^u\, n^v \implies "
        r"\frac{p}{q} < \gamma(\alpha, \varepsilon)",
        r"a = \tfrac12\bigl(1 - \tfrac{u}{v}\bigr),\ e = 1 - \tfrac{n}{d},\ "
        r"u, v, n, q > 0,\ n \le d",
        partial(certified_bound, "lt_captureRatio_of_cert", lt, capture_ratio_everywhere),
        (
            Certified(
                _certificate(
                    9, 25, (949, 1000), 10**4, _numbers("0.32", "0.051"), _numbers("0.3", "0.049")
                )
                + _certificate(1, 50, (95, 100), 10**5, _numbers("0.49", "0.05"))
                + _certificate(3, 1, (1, 2), 10**4, _numbers("-1", "0.5"), _numbers("-2", "-1"))
            ),
            Property(boxes(below_capture_corner)),
        ),
    ),
    _bound_theorem(
        "captureRatio_lt_of_cert",
        r"a \le \alpha \le b,\ e \le \varepsilon \le f,\ q^u\, n^v < p^u\, d^v \implies "
        r"\gamma(\alpha, \varepsilon) < \frac{p}{q}",
        r"a = \tfrac12\bigl(1 - \tfrac{u}{v}\bigr),\ e = 1 - \tfrac{n}{d},\ "
        r"u, v, n, q > 0,\ n \le d,\ b < \tfrac12,\ f \le 1",
        partial(
            certified_bound, "captureRatio_lt_of_cert", lt, capture_ratio_everywhere, upper=True
        ),
        (
            Certified(
                _certificate(
                    2, 5, (951, 1000), 10**4, _numbers("0.3", "0.049"), _numbers("0.32", "0.051")
                )
                + _certificate(1, 50, (95, 100), 10**5, _numbers("0.49", "0.05"))
                + _certificate(3, 1, (1, 2), 10**4, _numbers("-1", "0.5"), _numbers("0.4", "1"))
            ),
            Property(boxes(above_capture_corner)),
        ),
    ),
    Theorem(
        name="InEnvelope.explained_ge_of_cert",
        statement=r"a \le \alpha,\ (v q)^v \le (p u)^v\, r^u \implies 1 - \Bigl(\frac{C}{c}"
        r"\Bigr)^2 \frac{p}{q} \le \mathrm{explained}(s, r, d)",
        domain=r"c\, i^{-\alpha} \le s_i \le C\, i^{-\alpha} \ (1 \le i \le d),\ c > 0,\ r \le d,"
        r"\ a = \tfrac12\bigl(\tfrac{u}{v} + 1\bigr),\ u, v, r, q > 0",
        claim=explained_ge_of_cert,
        checks=(
            Certified(
                (
                    # The envelope's worst case: at its lower edge up to r, at its upper edge after.
                    {
                        **{"u": 1, "v": 1, "base": (20,), "q": 10**4},
                        "at": (Fraction(1), 20, 200),
                        "constants": _numbers("1", "6"),
                        "weights": (*(Fraction(0),) * 20, Fraction(1)),
                    },
                    {
                        **{"u": 42, "v": 25, "base": (64,), "q": 10**4},
                        "at": (Fraction("1.34"), 64, 96),
                        "constants": _numbers("0.9", "1.1"),
                        "weights": _numbers("0", "1", "0.5"),
                    },
                )
            ),
            Property(enveloped_certificates()),
        ),
        mutants=(
            Mutant("bound rounded inward", partial(explained_ge_of_cert, inward=1)),
            Mutant("C / c for (C / c)^2", partial(explained_ge_of_cert, exponent=1)),
        ),
        references=(APOSTOL,),
    ),
    Theorem(
        name="rankRatio_e5",
        statement=r"0.1716 < \rho(1.35,\, 0.05) < 0.1717",
        domain=r"\text{a single point}",
        claim=rank_ratio_e5,
        checks=(
            Symbolic({"alpha": sympy.Rational(27, 20), "eps": sympy.Rational(1, 20)}),
            Certified(({"alpha": E5, "eps": Fraction(1, 20)},)),
        ),
        mutants=(
            Mutant("lower bound 0.1717", partial(rank_ratio_e5, low=1717)),
            Mutant("upper bound 0.1716", partial(rank_ratio_e5, high=1716)),
        ),
        references=(NIVEN,),
    ),
    Theorem(
        name="captured_e5",
        statement=r"0.99995 \le \mathrm{captured}(1.35,\, 270,\, 1536)",
        domain=r"\text{a single point}",
        claim=captured_e5,
        checks=(
            Certified(({"alpha": E5, "r": 270, "d": 1536},)),
            Property(
                {
                    "alpha": st.just(E5) | reals(E5, 3),
                    "r": st.just(270) | st.integers(270, 1000),
                    "d": st.just(1536) | ranks(1000),
                }
            ),
        ),
        mutants=(
            Mutant("0.99997 for 0.99995", partial(captured_e5, missed=30)),
            Mutant("rank 200 for 270", partial(captured_e5, fewer=70)),
        ),
        references=(APOSTOL,),
    ),
)
