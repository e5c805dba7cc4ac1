"""Checks of ``lean/SpectralRank/Envelope.lean``: spectra inside a power-law envelope.

A spectrum is drawn first, and an envelope put around it afterwards: the tightest one where the
exponent is integral and everything rational, a slightly looser rational one otherwise.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

from spectral_rank.formulas.capture import captured
from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.elementary import power
from spectral_rank.formulas.envelope import explained, in_envelope
from spectral_rank.formulas.matrix import NumberArray
from spectral_rank.formulas.rank import cont_tail
from spectral_rank.theorems.claim import Claim, Relation, holds, le, le_or_tie
from spectral_rank.theorems.power_law import APOSTOL
from spectral_rank.theorems.rational_matrices import rational_array, seeded
from spectral_rank.theorems.strategies import HALF
from spectral_rank.theorems.theorem import Certified, Mutant, Point, Property, Theorem

LONGEST = 12
"""Longest spectrum drawn; longer ones are among the certified points."""

SLACK = Fraction(1, 10**9)
"""How much an envelope around a spectrum of irrational quotients is widened, on either side."""


def one_sub_explained_le(
    alpha: Number,
    s: NumberArray,
    constants: tuple[Number, Number],
    r: int,
    *,
    exponent: int = 2,
    shift: int = 0,
) -> Iterator[Relation]:
    d, (c, C) = len(s), constants
    yield inside_envelope(alpha, s, constants)
    missed = 1 - captured(alpha, min(r + shift, d), d)
    yield le_or_tie(1 - explained(s, r, d), (C / c) ** exponent * missed, tie=r == d)


def le_one_sub_explained(
    alpha: Number,
    s: NumberArray,
    constants: tuple[Number, Number],
    r: int,
    *,
    exponent: int = 2,
    shift: int = 0,
) -> Iterator[Relation]:
    d, (c, C) = len(s), constants
    yield inside_envelope(alpha, s, constants)
    missed = 1 - captured(alpha, max(r - shift, 0), d)
    yield le_or_tie((c / C) ** exponent * missed, 1 - explained(s, r, d), tie=r == d)


def explained_ge(
    alpha: Number,
    s: NumberArray,
    constants: tuple[Number, Number],
    r: int,
    *,
    exponent: int = 2,
    shift: int = 0,
) -> Iterator[Relation]:
    c, C = constants
    yield inside_envelope(alpha, s, constants)
    bound = (C / c) ** exponent * cont_tail(alpha, r + shift)
    yield le(1 - bound, explained(s, r, len(s)))


def inside_envelope(alpha: Number, s: NumberArray, constants: tuple[Number, Number]) -> Relation:
    """The hypothesis of the theorems about envelopes."""
    return holds(in_envelope(*constants, alpha, s, len(s)), "inside the envelope")


def spectrum_near_law(rng: random.Random, alpha: Fraction, d: int) -> NumberArray:
    """Positive values of any order: a power law times weights, mostly extreme ones.

    The weights may be constant (the exact law), jump at one index (the worst case of the bounds),
    or be random; for an integral exponent the values are the exact products.
    """
    spread, step = rng.choice((0, 1, 3, 10)), rng.randint(0, d)
    structure = rng.choice(("up", "down", "random"))
    values = []
    for i in range(1, d + 1):
        jump = Fraction(int((i <= step) == (structure == "down")))
        weight = Fraction(rng.randint(0, 12), 12) if structure == "random" else jump
        law = power(i, -alpha)
        rational = law if isinstance(law, Fraction) else Fraction(round(10**6 * law) + 1, 10**6)
        values.append((1 + spread * weight) * rational)
    return rational_array(values)


def envelope_around(alpha: Fraction, s: NumberArray, slack: Fraction) -> tuple[Fraction, Fraction]:
    """The constants ``c`` and ``C`` of an envelope, wider by the factor ``1 + slack`` each way."""
    quotients = [Fraction(s_i * power(i, alpha)) for i, s_i in enumerate(s, start=1)]
    return min(quotients) / (1 + slack), max(quotients) * (1 + slack)


def envelope_point(
    rng: random.Random, alpha: Fraction, s: NumberArray, slack: Fraction, least_rank: int = 0
) -> dict[str, Any]:
    """A spectrum with an envelope around it, sometimes a wide one, and a rank."""
    constants = envelope_around(alpha, s, rng.choice((slack, slack, Fraction(1))))
    return {"alpha": alpha, "s": s, "constants": constants, "r": rng.randint(least_rank, len(s))}


def integral_exponent(rng: random.Random) -> Fraction:
    """An integral exponent, negative ones included: everything stays rational."""
    return Fraction(rng.randint(-1, 3))


def any_exponent(rng: random.Random) -> Fraction:
    """An exponent in [-1, 4], with 0 and the critical 1/2 more often than the others."""
    return rng.choice((Fraction(0), HALF, *(Fraction(rng.randint(-100, 400), 100),) * 6))


def _exact_point(rng: random.Random, size: int) -> dict[str, Any]:
    alpha = integral_exponent(rng)
    s = spectrum_near_law(rng, alpha, rng.randint(1, size))
    return envelope_point(rng, alpha, s, Fraction(0))


def _ball_point(rng: random.Random, size: int) -> dict[str, Any]:
    alpha = any_exponent(rng)
    s = spectrum_near_law(rng, alpha, rng.randint(1, size))
    return envelope_point(rng, alpha, s, SLACK)


def _steep_point(rng: random.Random, size: int) -> dict[str, Any]:
    """An exponent above 1/2, close to it included, and a rank of at least 1."""
    near, far = HALF + Fraction(1, rng.randint(2, 1000)), HALF + Fraction(rng.randint(1, 350), 100)
    alpha = rng.choice((near, far, far))
    s = spectrum_near_law(rng, alpha, rng.randint(1, size))
    return envelope_point(rng, alpha, s, SLACK, least_rank=1)


def _step(alpha: int, head: int, tail: int, r: int, d: int) -> Point:
    """``head i^-alpha`` up to the index ``r`` and ``tail i^-alpha`` after it."""
    values = [Fraction(head if i <= r else tail, i**alpha) for i in range(1, d + 1)]
    constants = Fraction(min(head, tail)), Fraction(max(head, tail))
    return {
        "alpha": Fraction(alpha),
        "s": rational_array(values),
        "constants": constants,
        "r": r,
    }


STEPS = tuple(
    _step(alpha, head, tail, r, d)
    for head, tail in ((1, 3), (3, 1), (2, 2))
    for alpha, r, d in ((1, 2, 7), (1, 20, 60), (2, 1, 3), (2, 20, 60), (3, 1, 9), (1, 1, 1))
)
"""The worst cases of both bounds, and the exact law."""

_ENVELOPE = r"c > 0,\ c i^{-\alpha} \le s_i \le C i^{-\alpha} \ (1 \le i \le d)"


def _theorem(
    name: str, statement: str, domain: str, claim: Claim, checks: tuple[Property, ...], shift: str
) -> Theorem:
    return Theorem(
        name=f"InEnvelope.{name}",
        statement=statement,
        domain=f"{_ENVELOPE},{domain}",
        claim=claim,
        checks=(Certified(STEPS, "exact"), *checks),
        mutants=(
            Mutant("the ratio of the constants for its square", partial(claim, exponent=1)),
            Mutant(shift, partial(claim, shift=1)),
        ),
        references=(APOSTOL,),
    )


ANY_SPECTRUM = (
    Property(seeded(_exact_point, LONGEST), "exact"),
    Property(seeded(_ball_point, LONGEST)),
)

THEOREMS = (
    _theorem(
        "one_sub_explained_le",
        r"1 - \mathrm{explained}(s, r, d) \le \Bigl(\frac{C}{c}\Bigr)^2 "
        r"\bigl(1 - \mathrm{captured}_\alpha(r, d)\bigr)",
        r"\ d \ge 1,\ 0 \le r \le d",
        one_sub_explained_le,
        ANY_SPECTRUM,
        "what the power law misses at rank r + 1",
    ),
    _theorem(
        "le_one_sub_explained",
        r"\Bigl(\frac{c}{C}\Bigr)^2 \bigl(1 - \mathrm{captured}_\alpha(r, d)\bigr) \le "
        r"1 - \mathrm{explained}(s, r, d)",
        r"\ d \ge 1,\ 0 \le r \le d",
        le_one_sub_explained,
        ANY_SPECTRUM,
        "what the power law misses at rank r - 1",
    ),
    _theorem(
        "explained_ge",
        r"1 - \Bigl(\frac{C}{c}\Bigr)^2 \frac{r^{1-2\alpha}}{2\alpha-1} \le "
        r"\mathrm{explained}(s, r, d)",
        r"\ \alpha > \tfrac12,\ 1 \le r \le d",
        explained_ge,
        (Property(seeded(_steep_point, LONGEST)),),
        "tail factor at r + 1",
    ),
)
