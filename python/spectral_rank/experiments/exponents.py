"""The exponent of a measured spectrum, as the recurrent experiments store and average it.

A power law can be forced through any spectrum.  Its exponent is then a number without a law behind
it, so what is stored beside it says which law explains the values, and how much better.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_rank.experiments.record import Interval, mean_interval
from spectral_rank.formulas.domain import integer
from spectral_rank.spectra.fit import SMALLEST_FIT, fit_spectrum
from spectral_rank.spectra.laws import LAWS
from spectral_rank.spectra.report import FitReport

DIGITS = 7
"""Significant digits of stored numbers; trained weights are float32."""

REPLICATES = 50
"""Simulated spectra behind the interval of one exponent; verdicts rest on intervals over seeds."""

MARGIN = 10.0
"""By so much the BIC of a power law must be the lower for it to win."""

RICHER = frozenset(law.name for law in LAWS if "power_law" in law.contains)
"""Laws that contain the power law.  They explain what it explains, so it cannot win by the margin
against them: at best by the price of their parameters."""


def exponent_of(
    values: Sequence[float] | NDArray[np.float64], shape: tuple[int, int]
) -> dict[str, Any] | None:
    """Fit every law to a spectrum; the power law's exponent whatever the verdict.

    Args:
        values: singular values, nonincreasing and nonnegative; of a matrix of low rank, those that
            can differ from 0.
        shape: rows and columns of the matrix.

    Returns:
        ``None`` for fewer than 16 values.  Else JSON values: ``verdict`` and ``winner`` as in
        `FitReport`; ``alpha`` with ``low`` and ``high`` of its 95 % interval, and ``line``, the
        fitted power law: ``scale``, and the rank-order indices ``first`` to ``last`` it was fitted
        to, of which the first counts as ``first_index``; the ``knees`` of the winner; and for each
        law ``delta_bic`` and ``delta_aic`` (over the least), ``r_squared`` and ``held_out``.  For a
        spectrum that no law was fitted to, such as a flat one, the numbers are ``None`` and the
        rest is empty.

    Raises:
        DomainError: if an argument is outside the domain of `fit_spectrum`.
    """
    if len(values) < SMALLEST_FIT:
        return None
    report = fit_spectrum(values, shape, replicates=REPLICATES)
    exponent = report.exponent
    least_aic = min((fit.aic for fit in report.laws), default=0.0)
    return {
        "verdict": report.verdict,
        "winner": report.winner,
        "alpha": significant(exponent.value) if exponent else None,
        "low": significant(exponent.low) if exponent else None,
        "high": significant(exponent.high) if exponent else None,
        "line": _line(report),
        "knees": [significant(knee.value) for knee in report.knees],
        "delta_bic": {fit.law: significant(fit.delta_bic) for fit in report.laws},
        "delta_aic": {fit.law: significant(fit.aic - least_aic) for fit in report.laws},
        "r_squared": {fit.law: significant(fit.r_squared) for fit in report.laws},
        "held_out": {fit.law: significant(fit.held_out) for fit in report.laws},
    }


def _line(report: FitReport) -> dict[str, float] | None:
    if not report.laws:
        return None
    return {
        "scale": significant(report.law("power_law").parameter("scale").value),
        "first": report.first,
        "last": report.last,
        "first_index": report.first_index,
    }


def forced_exponent(
    values: Sequence[float] | NDArray[np.float64], shape: tuple[int, int]
) -> float | None:
    """The exponent of the power law forced through a spectrum.

    Args:
        values: as `exponent_of`.
        shape: rows and columns of the matrix.

    Returns:
        The exponent; ``None`` for fewer than 16 values, or where no law was fitted.

    Raises:
        DomainError: as `exponent_of`.
    """
    fit = exponent_of(values, shape)
    return None if fit is None else fit["alpha"]


def power_law_wins(fit: dict[str, Any]) -> bool:
    """Whether a power law explains a spectrum, and better than all else by a BIC of 10.

    The verdict must be a power law, so that the matrix is not noise and no richer law is preferred,
    and every law that does not contain the power law must have a BIC higher by `MARGIN`.

    Args:
        fit: what `exponent_of` returned.
    """
    deltas: dict[str, float] = fit["delta_bic"]
    return fit["verdict"] == "power_law" and all(
        delta - deltas["power_law"] >= MARGIN
        for law, delta in deltas.items()
        if law != "power_law" and law not in RICHER
    )


def interval_over_seeds(values: Iterable[float | None]) -> Interval | None:
    """The mean over seeds with its 95 % Student interval.

    Args:
        values: one number for each seed, ``None`` where it could not be measured.

    Returns:
        ``None`` unless there are two numbers.
    """
    known = [value for value in values if value is not None]
    return mean_interval(known) if len(known) > 1 else None


def mean_or_none(values: Iterable[float | None]) -> float | None:
    """The mean of the numbers among the values, such as over layers; ``None`` without any."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def significant(value: float, digits: int = DIGITS) -> float:
    """A number rounded to significant digits, as results store it.

    Args:
        value: a number of size at most 1e300.
        digits: how many, at least 1.

    Raises:
        DomainError: if there is no digit to keep.
    """
    return float(f"{value:.{integer('digits', digits, at_least=1)}g}")
