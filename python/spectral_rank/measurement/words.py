"""A measurement in words, the verdict first."""

from __future__ import annotations

from spectral_rank.measurement.certificates import certified_ratio
from spectral_rank.measurement.measurement import Measurement
from spectral_rank.spectra.report import Estimate

LAW_NAMES = {
    "power_law": "power law",
    "exponential": "exponential",
    "stretched_exponential": "stretched exponential",
    "power_law_with_cutoff": "power law with exponential cutoff",
    "broken_power_law": "power law with one knee",
    "twice_broken_power_law": "power law with two knees",
    "log_normal": "log-normal tail",
    "marchenko_pastur": "Marchenko-Pastur noise",
}


def interval(estimate: Estimate, style: str = ".3f") -> str:
    """An estimate with its interval, such as ``0.731 [0.702, 0.760]``."""
    value, low, high = (format(x, style) for x in (estimate.value, estimate.low, estimate.high))
    return f"{value} [{low}, {high}]"


def verdict(measurement: Measurement) -> str:
    """What the spectrum says, in a sentence or two; what it is not comes first."""
    fit = measurement.fit
    values = f"singular values {fit.first} to {fit.last} of {measurement.spectrum.rank_bound}"
    if fit.verdict == "power_law" and fit.exponent is not None:
        sentence = (
            f"A power law, i^-alpha with alpha = {interval(fit.exponent)} "
            f"({100 * fit.level:.0f} % interval), explains {values} best."
        )
    elif fit.verdict in {"noise", "flat"}:
        sentence = f"No structure: {fit.reason} An exponent would be meaningless."
    elif fit.verdict == "undetermined":
        sentence = f"Undetermined: {fit.reason}"
    else:
        sentence = (
            f"Not a power law: {values} follow another law best, {LAW_NAMES[fit.verdict]} "
            f"(the BIC of the power law is {fit.law('power_law').delta_bic:.0f} higher)."
        )
    if fit.outliers:
        plural = "s" if len(fit.outliers) > 1 else ""
        sentence += f" {len(fit.outliers)} outlier{plural} above the law left out of the fit."
    if measurement.spectrum.factors is not None:
        sentence += (
            " Random factors were not compared with: their product's singular values fall "
            "about exponentially."
        )
    return sentence


def certified_sentence(measurement: Measurement) -> str | None:
    """The certified enclosure of the ratio that applies in the spectrum's regime."""
    bounds = certified_ratio(measurement)
    if bounds is None:
        return None
    name = "rank ratio" if measurement.ranks.regime == "steep" else "capture ratio"
    low, high = (f"{float(bound):.5f}" for bound in bounds)
    return (
        f"Certified: {low} < {name} < {high} at tolerance {measurement.ranks.eps:g}, for every "
        f"exponent in the interval (--lean writes the theorem)."
    )


def rank_sentence(measurement: Measurement) -> str:
    """The rank that each criterion asks for, and which criterion applies."""
    ranks, width = measurement.ranks, min(measurement.spectrum.shape)
    share = f"{100 * (1 - ranks.eps):g} %"
    sentence = f"Captures {share} of the energy: rank {ranks.captured} of {width}, measured"
    if (factors := measurement.spectrum.factors) is not None:
        sentence += f" (rank {factors.rank} of {width} by construction)"
    if (law := ranks.captured_by_law) is not None:
        sentence += f"; {law.value} [{law.low}, {law.high}] by the law"
    sentence += "."
    if (law := ranks.adequate_by_law) is not None:
        sentence += (
            f" Error at most {1 / ranks.eps:g} times the unavoidable: "
            f"rank {law.value} [{law.low}, {law.high}] by the law."
        )
    elif ranks.regime is not None:
        sentence += (
            " Adequacy does not apply: the exponent may be 1/2 or less, where the error that the "
            "full width cannot avoid is infinite."
        )
    return sentence
