"""From a measurement to the theorems that certify its numbers."""

from __future__ import annotations

from fractions import Fraction

from spectral_rank.certify import Certificate, Origin
from spectral_rank.certify.shapes import RANK_LIMIT
from spectral_rank.certify.supported import (
    Supported,
    about_exponent,
    about_spectrum,
    envelope_method,
)
from spectral_rank.formulas.elementary import exact
from spectral_rank.measurement.measurement import Measurement
from spectral_rank.spectra.report import Estimate


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
    found = _about_exponent(measurement, module, exponent, rank)
    found += _about_spectrum(measurement, module, rank)
    return list(found.certificates), list(found.refusals)


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


def _about_exponent(
    measurement: Measurement, module: str, exponent: Estimate, rank: int
) -> Supported:
    fit = measurement.fit
    eps = exact("eps", measurement.ranks.eps)
    method = (
        f"{100 * fit.level:.0f} % interval from {fit.replicates} simulated spectra, log-log fit of "
        f"singular values {fit.first} to {fit.last}"
    )
    origin = _origin(measurement, module, method)
    return about_exponent(origin, (exponent.low, exponent.high), (eps, eps), rank)


def _about_spectrum(measurement: Measurement, module: str, rank: int) -> Supported:
    spectrum = measurement.spectrum
    origin = _origin(measurement, module, envelope_method(len(spectrum.values)))
    error = Fraction(spectrum.error) / Fraction(spectrum.values[0])
    return about_spectrum(origin, spectrum.array, error, rank)
