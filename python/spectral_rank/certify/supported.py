"""Which theorems a measurement supports: those about its exponent, those about its spectrum."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from spectral_rank.certify.builders import (
    Interval,
    approximation,
    conditioning,
    envelope,
    envelope_conditioning,
    slow,
    steep,
)
from spectral_rank.certify.instance import Certificate, Origin
from spectral_rank.certify.shapes import Kind
from spectral_rank.formulas.domain import DomainError
from spectral_rank.spectra.envelope import tightest_envelope

ROUNDING = Fraction(1, 10**12)
"""Relative widening of the envelope constants: covers the division by the largest value."""

Builder = Callable[[], Certificate]


@dataclass(frozen=True)
class Supported:
    """What came of the theorems that were tried.

    Attributes:
        certificates: those that hold, each checked exactly.
        refusals: one sentence for each that the measurement does not support.
    """

    certificates: tuple[Certificate, ...] = ()
    refusals: tuple[str, ...] = ()

    def __add__(self, other: Supported) -> Supported:
        return Supported(
            self.certificates + other.certificates,
            self.refusals + other.refusals,
        )


def about_exponent(origin: Origin, exponent: Interval, tolerance: Interval, rank: int) -> Supported:
    """Theorems about every power law whose exponent lies in an interval.

    ``steep`` if the interval lies above 1/2, ``slow`` if below; ``conditioning`` on either side and
    across.

    Args:
        origin: what was measured and how.
        exponent: measured interval of the exponent.
        tolerance: interval of the tolerance, in (0, 1).
        rank: 1 to 1600.
    """
    low, high = exponent
    builders: dict[Kind, Builder] = {}
    if low > Fraction(1, 2):
        builders["steep"] = lambda: steep(origin, exponent, tolerance, rank)
    if high < Fraction(1, 2):
        builders["slow"] = lambda: slow(origin, exponent, tolerance)
    builders["conditioning"] = lambda: conditioning(origin, exponent, rank)
    return _tried(builders)


def envelope_method(count: int) -> str:
    """How `about_spectrum` gets an exponent and constants, in words for an `Origin`."""
    return f"tightest envelope of all {count} singular values divided by the largest"


def about_spectrum(
    origin: Origin, values: Sequence[float] | NDArray[np.float64], error: Fraction, rank: int
) -> Supported:
    """Theorems about one matrix itself: its values, divided by the largest, lie in an envelope.

    ``envelope`` and ``approximation`` if the envelope's exponent is above 1/2;
    ``envelope_conditioning`` always.

    Args:
        origin: what was measured and how.
        values: all singular values, nonincreasing, the first positive.
        error: bound on the error of each value, as a share of the largest.
        rank: 1 to 1600, at most the number of values: beyond it the theorems say nothing.

    Raises:
        DomainError: if the values are not nonincreasing and finite.
    """
    scaled = np.asarray(values, dtype=np.float64) / values[0]
    if rank > len(scaled):
        rule = f"at most the number of singular values, {len(scaled)}"
        return Supported(refusals=(f"envelope: {DomainError('rank', rank, rule)}",))
    last = Fraction(scaled[-1])
    if last <= 2 * error:
        return Supported(refusals=("envelope: the smallest singular value may be 0",))
    found = tightest_envelope(scaled)
    slack = error / last + ROUNDING
    low, high = found.constants
    constants = (low * (1 - slack), high * (1 + slack))
    point = (found.exponent, found.exponent)
    builders: dict[Kind, Builder] = {}
    if 2 * found.exponent > 1:
        builders["envelope"] = lambda: envelope(origin, point, constants, rank)
        builders["approximation"] = lambda: approximation(origin, point, constants, rank)
    builders["envelope_conditioning"] = lambda: envelope_conditioning(
        origin, point, constants, rank
    )
    return _tried(builders)


def _tried(builders: Mapping[Kind, Builder]) -> Supported:
    certificates, refusals = [], []
    for kind, build in builders.items():
        try:
            certificates.append(build())
        except DomainError as error:
            refusals.append(f"{kind}: {error}")
    return Supported(tuple(certificates), tuple(refusals))
