"""From the singular values of a matrix to a verdict: which law, which exponent, how sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectral_rank.formulas.domain import DomainError, integer, require
from spectral_rank.spectra.compare import choose, is_told_apart, scores, vuong
from spectral_rank.spectra.intervals import Uncertainty, replicate
from spectral_rank.spectra.laws import LAWS, Indices
from spectral_rank.spectra.least_squares import (
    LARGEST_NOISE,
    PointFit,
    Sample,
    fit_at,
    fit_with_noise,
    misfit,
)
from spectral_rank.spectra.likelihood import maximum_likelihood
from spectral_rank.spectra.null_model import NullModel, compare_with_noise
from spectral_rank.spectra.order_statistics import log_errors
from spectral_rank.spectra.outliers import find_outliers
from spectral_rank.spectra.range import numerical_rank, range_without_drop
from spectral_rank.spectra.report import (
    Estimate,
    FitReport,
    LawFit,
    MaximumLikelihood,
    Verdict,
)

Floats = NDArray[np.float64]

SMALLEST_FIT = 16
"""With fewer values in the fit range no law is fitted."""

REPLICATES = 200
"""Simulated spectra behind the intervals; they determine a width to 5 %."""

NOISE_GAIN = 0.35
"""A law sets the common noise only if it needs less than this share of what those before it need.

Around a power law, a knee that mimics the bend at the end of sorted values needs 0.4 to 1 of the
noise of the power law itself; where there is a knee, a power law needs ten times the noise."""


LARGEST_LOGARITHM = 700.0
"""Logarithms beyond this do not fit in a float."""


@dataclass(frozen=True)
class _Prepared:
    """A spectrum, its comparison with noise, and what is left to fit."""

    spectrum: Floats
    shape: tuple[int, int]
    null_model: NullModel | None
    rank: int
    outliers: int
    kept: Floats

    @property
    def population(self) -> int:
        """How many values the law has, those outside the fit range included."""
        return (self.rank if self.null_model else min(self.shape)) - self.outliers


@dataclass(frozen=True)
class _Replication:
    """How the intervals are made."""

    seed: int
    level: float
    replicates: int


def fit_spectrum(
    values: Sequence[float] | Floats,
    shape: tuple[int, int],
    *,
    seed: int = 0,
    level: float = 0.95,
    replicates: int = REPLICATES,
) -> FitReport:
    """Fit every law to the singular values of a matrix and say which one explains them.

    The steps are those of the modules: ``null_model`` (noise and flat spectra), ``outliers``,
    ``range``, ``least_squares`` (each law, the effect of sorting removed), ``compare``,
    ``intervals``.  A matrix times a constant gives the same report up to its scale.

    Args:
        values: singular values, nonincreasing and nonnegative, all of them or the largest ones.
        shape: rows and columns of the matrix.
        seed: seed of the simulated spectra; the same seed gives the same report.
        level: level of the intervals, in (0, 1).
        replicates: how many spectra to simulate, at least 50.

    Returns:
        The report, which says in ``verdict`` whether there is a law at all.

    Raises:
        DomainError: if an argument is outside its domain.
    """
    spectrum = _checked(values, shape)
    replication = _Replication(
        integer("seed", seed),
        float(require("level", level, "in (0, 1)", lambda x: (x > 0) & (x < 1))),
        integer("replicates", replicates, at_least=50),
    )
    prepared = _prepare(spectrum, shape)
    is_flat = prepared.null_model is not None and prepared.null_model.is_flat
    enough = len(prepared.kept) >= SMALLEST_FIT and not is_flat
    return _report(prepared, _best_counting(prepared) if enough else [], replication)


def _prepare(spectrum: Floats, shape: tuple[int, int]) -> _Prepared:
    """Compare with noise, set outliers aside, and cut what the laws should not explain."""
    is_complete = len(spectrum) == min(shape)
    null_model = compare_with_noise(spectrum, shape) if is_complete else None
    rank = numerical_rank(spectrum, shape) if spectrum[0] > 0 else 0
    log_values = np.log(spectrum[:rank])
    if null_model is not None and null_model.is_noise:
        outliers = null_model.outliers
    else:
        outliers = find_outliers(log_values)
    kept = log_values[outliers:]
    if is_complete and len(kept):
        kept = kept[: range_without_drop(kept)]
    return _Prepared(spectrum, shape, null_model, rank, outliers, kept)


def _checked(values: Sequence[float] | Floats, shape: tuple[int, int]) -> Floats:
    spectrum = np.asarray(values)
    if spectrum.ndim != 1 or not len(spectrum):
        raise DomainError("values", values, "a nonempty sequence of singular values")
    require("values", spectrum, "finite real numbers >= 0", lambda s: s >= 0)
    if np.any(np.diff(spectrum) > 0):
        raise DomainError("values", values, "nonincreasing")
    if len(shape) != 2:
        raise DomainError("shape", shape, "the rows and columns of a matrix")
    for side in shape:
        integer("shape", side, at_least=1)
    if len(spectrum) > min(shape):
        raise DomainError("values", len(spectrum), f"at most {min(shape)} of a {shape} matrix")
    return spectrum.astype(np.float64)


def _best_counting(prepared: _Prepared) -> list[PointFit]:
    """All laws at the common noise, the indices counted in the way that explains more.

    Outliers were either added to a law, whose first value then has index 1, or they replace its
    first values.  The two ways compete as laws do.
    """
    aspect = min(prepared.shape) / max(prepared.shape)
    searched = [
        _searched(Sample(prepared.kept, Indices(first, first + prepared.population - 1, aspect)))
        for first in sorted({1, prepared.outliers + 1})
    ]
    if len(searched) > 1:
        shared = min(noise for _, noise in searched)
        everything = [fit for fits, _ in searched for fit in _at_noise(fits, shared)]
        best = choose(everything, [scores(fit, shared).bic for fit in everything])
        searched = [searched[best // len(LAWS)]]
    return _at_noise(*searched[0])


def _at_noise(fits: list[PointFit], noise: float) -> list[PointFit]:
    return [fit_at(fit.law, fit.sample, noise, fit.parameters) for fit in fits]


def _searched(sample: Sample) -> tuple[list[PointFit], float]:
    """Every law at a noise of its own, and the noise of the law that needs the least."""
    fits: list[PointFit] = []
    noise = LARGEST_NOISE / NOISE_GAIN
    for law in LAWS:
        fit = fit_with_noise(law, sample, NOISE_GAIN * noise)
        needed = fit.noise * max(1.0, misfit(fit))
        if needed <= NOISE_GAIN * noise:
            noise = needed
        fits.append(fit)
    return fits, min(noise, LARGEST_NOISE)


def _report(prepared: _Prepared, fits: list[PointFit], replication: _Replication) -> FitReport:
    """The record of a spectrum and its fits; no fits where there are too few values."""
    laws = _compared(fits, replication)
    best = choose(fits, [law.bic for law in laws]) if fits else None
    winner = laws[best] if best is not None else None
    told_apart = best is not None and is_told_apart(fits, [law.bic for law in laws], best)
    verdict, reason = _verdict(prepared.null_model, winner, told_apart, fits)
    exponent = laws[0].parameter("exponent") if laws else None
    return FitReport(
        shape=(int(prepared.shape[0]), int(prepared.shape[1])),
        verdict=verdict,
        reason=reason,
        winner=winner.law if winner else None,
        numerical_rank=prepared.rank,
        outliers=tuple(float(s) for s in prepared.spectrum[: prepared.outliers]),
        first=prepared.outliers + 1,
        last=prepared.outliers + len(prepared.kept),
        first_index=fits[0].sample.indices.first if fits else 1,
        noise=fits[0].noise if fits else None,
        level=replication.level,
        exponent=exponent,
        density_exponent=density_exponent(exponent) if exponent else None,
        knees=tuple(p for p in winner.parameters if p.name.startswith("knee")) if winner else (),
        null_model=prepared.null_model,
        laws=laws,
        seed=replication.seed,
        replicates=replication.replicates,
    )


def _compared(fits: list[PointFit], replication: _Replication) -> tuple[LawFit, ...]:
    """The records of all laws, each compared with the winner."""
    if not fits:
        return ()
    noise = fits[0].noise
    scored = [scores(fit, noise) for fit in fits]
    criteria = [score.bic for score in scored]
    best = fits[choose(fits, criteria)]
    count = len(best.log_law)
    standard = np.random.default_rng(replication.seed).standard_normal(
        (replication.replicates, count)
    )
    errors = log_errors(noise, standard)
    records = []
    for fit, score in zip(fits, scored, strict=True):
        statistic, p_value = vuong(best, fit)
        related = fit.law.contains | {fit.law.name}
        records.append(
            LawFit(
                law=fit.law.name,
                parameters=_estimates(fit, replicate(fit, errors), replication.level),
                r_squared=score.r_squared,
                residual=float(np.sqrt(np.mean(fit.residuals**2))),
                held_out=score.held_out,
                log_likelihood=score.log_likelihood,
                aic=score.aic,
                bic=score.bic,
                delta_bic=score.bic - min(criteria),
                vuong_statistic=statistic,
                vuong_p_value=p_value,
                nested=best.law.name in related or fit.law.name in best.law.contains,
                maximum_likelihood=tuple(
                    MaximumLikelihood(
                        name=likeliest.parameter,
                        value=likeliest.value,
                        standard_error=likeliest.standard_error,
                    )
                    for likeliest in maximum_likelihood(fit.law.name, fit.sample)
                ),
            )
        )
    return tuple(records)


def _estimates(fit: PointFit, uncertainty: Uncertainty, level: float) -> tuple[Estimate, ...]:
    widths = uncertainty.half_widths(level)
    estimates = []
    for name, value, width in zip(fit.law.parameters, fit.parameters, widths, strict=True):
        ends = np.array([value, value - width, value + width])
        if name in fit.law.logarithmic:
            ends = np.exp(np.clip(ends, -LARGEST_LOGARITHM, LARGEST_LOGARITHM))
        estimates.append(
            Estimate(name=name, value=float(ends[0]), low=float(ends[1]), high=float(ends[2]))
        )
    return tuple(estimates)


def density_exponent(exponent: Estimate) -> Estimate | None:
    """The exponent of the density of the eigenvalues ``s ** 2``, with its interval.

    If ``s_i = i ** -alpha``, then ``x ** (-1 / (2 alpha))`` eigenvalues exceed ``x``, whose density
    falls with the exponent ``1 + 1 / (2 alpha)``, which is what the heavy-tail literature reports.

    Args:
        exponent: the rank-order exponent.

    Returns:
        The converted estimate; None if the interval reaches 0, where the density exponent is
        unbounded.
    """
    if exponent.low <= 0:
        return None
    return Estimate(
        name="density_exponent",
        value=1 + 1 / (2 * exponent.value),
        low=1 + 1 / (2 * exponent.high),
        high=1 + 1 / (2 * exponent.low),
    )


def _verdict(
    null_model: NullModel | None, winner: LawFit | None, told_apart: bool, fits: list[PointFit]
) -> tuple[Verdict, str]:
    if null_model is not None and null_model.is_flat:
        return "flat", "All singular values agree, as those of an orthogonal matrix do."
    if null_model is not None and null_model.is_noise:
        return "noise", (
            f"The bulk follows the Marchenko-Pastur law of an unstructured matrix: it deviates by "
            f"{null_model.deviation:.3f} of the law's width, and {null_model.tolerance:.3f} "
            f"counts as noise."
        )
    if winner is None:
        return "undetermined", f"Fewer than {SMALLEST_FIT} singular values can be used."
    if winner.law == "marchenko_pastur":
        return "noise", "No law explains the spectrum better than that of an unstructured matrix."
    if fits[0].noise >= LARGEST_NOISE:
        return "undetermined", "No law explains the spectrum."
    if not told_apart:
        return "undetermined", f"Another law explains the spectrum as well as {winner.law} does."
    return winner.law, f"{winner.law} explains the fit range best."  # type: ignore[return-value]
