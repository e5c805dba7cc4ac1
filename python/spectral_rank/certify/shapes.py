"""The six shapes of a generated theorem: what each one states and which certificates prove it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Literal

from spectral_rank.certify.intervals import Allowed

Kind = Literal[
    "steep", "slow", "envelope", "approximation", "conditioning", "envelope_conditioning"
]
End = Literal["low", "high"]

TOLERANCE_LIMIT = 12_500
BOUND_LIMIT = 100_000
RANK_LIMIT = 1_600
"""The largest denominators and ranks among the instances that Lean has compiled
(``shared/lean/README.md``); `spectral_rank.certify.intervals.DENOMINATOR_LIMIT` likewise."""

NUMERATOR_LIMIT = BOUND_LIMIT * RANK_LIMIT**3
"""Largest numerator of a bound: that of the largest condition number."""

CONSTANTS = Allowed(Fraction(0), Fraction(10**6), low_open=True)
"""Envelope constants; a spectrum divided by its largest value lies well within."""


@dataclass(frozen=True)
class Call:
    """One call of an ``_of_cert`` theorem in the proof.

    Attributes:
        theorem: its Lean name below ``SpectralRank``.
        end: the end of the exponent, and of the tolerance, at which the bound is attained.
        slope: ``u / v`` as a function of that end of the exponent.
        base: the other data: the tolerance, the share captured ``1 - tolerance``, or the rank.
    """

    theorem: str
    end: End
    slope: Callable[[Fraction], Fraction]
    base: Literal["tolerance", "share", "rank"]


@dataclass(frozen=True)
class Shape:
    """What the theorems of one kind are about.

    Attributes:
        exponent: allowed range of the exponent.
        tolerance: allowed range of the tolerance; ``None`` if the theorem has none.
        has_rank: whether a rank occurs.
        has_envelope: whether envelope constants occur.
        calls: the certificates, in the order of the proof.
    """

    exponent: Allowed
    tolerance: Allowed | None
    has_rank: bool
    has_envelope: bool
    calls: tuple[Call, ...]

    @property
    def states_high_exponent(self) -> bool:
        """Whether the upper end of the exponent is a hypothesis of the theorem."""
        return any(call.end == "high" for call in self.calls)


def _steep(alpha: Fraction) -> Fraction:
    return 2 * alpha - 1


def _slow(alpha: Fraction) -> Fraction:
    return 1 - 2 * alpha


def _itself(alpha: Fraction) -> Fraction:
    return alpha


_HALF, _ZERO, _ONE, _THREE = Fraction(1, 2), Fraction(0), Fraction(1), Fraction(3)
_STEEP = Allowed(_HALF, _THREE, low_open=True)
_ANY = Allowed(_ZERO, _THREE)

SHAPES: Mapping[Kind, Shape] = MappingProxyType(
    {
        "steep": Shape(
            exponent=_STEEP,
            tolerance=Allowed(_ZERO, _ONE, low_open=True),
            has_rank=True,
            has_envelope=False,
            calls=(
                Call("lt_rankRatio_of_cert", "low", _steep, "tolerance"),
                Call("rankRatio_lt_of_cert", "high", _steep, "tolerance"),
                Call("captured_ge_of_cert", "low", _steep, "rank"),
            ),
        ),
        "slow": Shape(
            exponent=Allowed(_ZERO, _HALF, high_open=True),
            tolerance=Allowed(_ZERO, _ONE, low_open=True, high_open=True),
            has_rank=False,
            has_envelope=False,
            calls=(
                Call("lt_captureRatio_of_cert", "high", _slow, "share"),
                Call("captureRatio_lt_of_cert", "low", _slow, "share"),
            ),
        ),
        "envelope": Shape(
            exponent=_STEEP,
            tolerance=None,
            has_rank=True,
            has_envelope=True,
            calls=(Call("InEnvelope.explained_ge_of_cert", "low", _steep, "rank"),),
        ),
        "approximation": Shape(
            exponent=_STEEP,
            tolerance=None,
            has_rank=True,
            has_envelope=True,
            calls=(Call("InEnvelope.exists_approximation_of_cert", "low", _steep, "rank"),),
        ),
        "conditioning": Shape(
            exponent=_ANY,
            tolerance=None,
            has_rank=True,
            has_envelope=False,
            calls=(
                Call("le_conditionNumber_of_cert", "low", _itself, "rank"),
                Call("conditionNumber_le_of_cert", "high", _itself, "rank"),
            ),
        ),
        "envelope_conditioning": Shape(
            exponent=_ANY,
            tolerance=None,
            has_rank=True,
            has_envelope=True,
            calls=(
                Call("InEnvelope.le_conditionNumber_of_cert", "low", _itself, "rank"),
                Call("InEnvelope.conditionNumber_le_of_cert", "high", _itself, "rank"),
            ),
        ),
    }
)
"""Each kind of theorem in ``lean/SpectralRank/Measured/Template.lean``, named as there."""
