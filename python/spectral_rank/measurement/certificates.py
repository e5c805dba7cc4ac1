"""From a measurement to the theorems that certify its numbers."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from spectral_rank.certify import (
    Certificate,
    Origin,
    approximation,
    conditioning,
    envelope,
    envelope_conditioning,
    slow,
    steep,
)
from spectral_rank.certify.shapes import RANK_LIMIT
from spectral_rank.formulas.domain import DomainError
from spectral_rank.formulas.elementary import exact
from spectral_rank.measurement.measurement import Measurement
from spectral_rank.spectra.envelope import tightest_envelope
from spectral_rank.spectra.report import Estimate

ROUNDING = Fraction(1, 10**12)
"""Relative widening of the envelope constants: covers the division by the largest value."""


def certify(measurement: Measurement, module: str) -> tuple[list[Certificate], list[str]]:
    """The certificates that a measured power law supports, and why others were refused.

    Two kinds of theorem come out.  Those about the exponent hold for every power law whose exponent
    lies in the fitted interval.  Those about an envelope hold for this matrix itself: all its
    singular values, divided by the largest, lie between the two constants.

    Args:
        measurement: what was measured.
        module: Lean identifier of the matrix, the beginning of every name.

    Returns:
        Certificates, each checked exactly, and one sentence for each that was refused.  A matrix
        whose spectrum is no power law gets none.
    """
    exponent = measurement.exponent
    if exponent is None:
        return [], [f"the verdict is {measurement.fit.verdict}, not a power law"]
    rank = _rank(measurement)
    builders = _exponent_builders(measurement, module, exponent, rank)
    builders += _envelope_builders(measurement, module, rank)
    certificates, refusals = [], []
    for build in builders:
        try:
            certificates.append(build())
        except DomainError as error:
            refusals.append(str(error))
    return certificates, refusals


def certified_ratio(measurement: Measurement) -> tuple[Fraction, Fraction] | None:
    """Certified bounds on the limiting ratio of rank to width, for every exponent in the interval.

    The rank ratio of a steep spectrum, the capture ratio of a slow one, at the measurement's
    tolerance; None where neither applies or no certificate says anything.
    """
    found, _ = certify(measurement, "measured")
    for certificate in found:
        if certificate.kind in {"steep", "slow"}:
            low, high = certificate.bounds[:2]
            return Fraction(low.p, low.q), Fraction(high.p, high.q)
    return None


def _rank(measurement: Measurement) -> int:
    """The rank the theorems speak of: the adequate one where adequacy applies."""
    ranks = measurement.ranks
    rank = ranks.adequate_by_law.value if ranks.adequate_by_law else ranks.captured
    return min(max(rank, 1), RANK_LIMIT)


def _origin(measurement: Measurement, module: str, method: str) -> Origin:
    return Origin(
        module=module,
        source=f"{measurement.source}: {measurement.spectrum.name}",
        record_sha256=measurement.digest(),
        method=method,
    )


Builder = Callable[[], Certificate]


def _exponent_builders(
    measurement: Measurement, module: str, exponent: Estimate, rank: int
) -> list[Builder]:
    fit = measurement.fit
    interval = (exponent.low, exponent.high)
    eps = exact("eps", measurement.ranks.eps)
    origin = _origin(
        measurement,
        module,
        f"{100 * fit.level:.0f} % interval from {fit.replicates} simulated spectra, log-log fit of "
        f"singular values {fit.first} to {fit.last}",
    )
    builders: list[Builder] = [lambda: conditioning(origin, interval, rank)]
    if measurement.ranks.regime == "steep":
        builders.insert(0, lambda: steep(origin, interval, (eps, eps), rank))
    if measurement.ranks.regime == "slow":
        builders.insert(0, lambda: slow(origin, interval, (eps, eps)))
    return builders


def _envelope_builders(measurement: Measurement, module: str, rank: int) -> list[Builder]:
    spectrum = measurement.spectrum
    values = spectrum.array / spectrum.values[0]
    error = Fraction(spectrum.error) / Fraction(spectrum.values[0])
    if Fraction(values[-1]) <= 2 * error:
        return []
    found = tightest_envelope(values)
    slack = error / Fraction(values[-1]) + ROUNDING
    low, high = found.constants
    constants = (low * (1 - slack), high * (1 + slack))
    point = (found.exponent, found.exponent)
    origin = _origin(
        measurement,
        module,
        f"tightest envelope of all {len(values)} singular values divided by the largest",
    )
    builders: list[Builder] = [lambda: envelope_conditioning(origin, point, constants, rank)]
    if 2 * found.exponent > 1:
        builders.insert(0, lambda: approximation(origin, point, constants, rank))
        builders.insert(0, lambda: envelope(origin, point, constants, rank))
    return builders
