"""What a sweep over ranks gives for Lean: the dense network's spectrum, at the rank of the knee."""

from __future__ import annotations

from typing import Any

from spectral_rank.certify.request import InstanceRequest, MeasuredExponent, MeasuredSpectrum
from spectral_rank.experiments.rank_sweep import SweepSettings, chosen, dense_verdicts
from spectral_rank.experiments.record import ExperimentResult, Interval
from spectral_rank.experiments.recurrent import rank_of

ROUNDED = 1e-6
"""Error of the stored singular values over the largest: they are rounded to seven digits."""


def dense_request(
    config: SweepSettings,
    result: ExperimentResult,
    name: str,
    alpha: Interval | None,
    knee: Interval,
    **condition: Any,
) -> list[InstanceRequest]:
    """The exponent over seeds and the first seed's spectrum of the dense ``W_h``.

    An interval that reaches below 0 is cut there: a nonincreasing spectrum has no such exponent.

    Args:
        config: the settings of the result.
        result: the result, whose cells are those of `sweep_cells`.
        name: short name of the request.
        alpha: the forced exponent over seeds; ``None`` if it could not be measured.
        knee: rank over width at the knee.
        condition: what the cells of this sweep have in common.

    Returns:
        One request; none if the knee or the spectrum says nothing.
    """
    runs = chosen(result.measurements, family="dense", **condition)
    width = condition.get("width", config.width)
    rank = min(width, rank_of(knee.value, width))
    about = f"the trained dense W_h, width {width}, {config.steps} steps"
    exponent = None
    if alpha is not None and alpha.high > 0:
        exponent = MeasuredExponent(
            max(0.0, alpha.low),
            alpha.high,
            f"95 % interval over {alpha.count} seeds of the exponent of a power law forced through "
            f"the singular values of {about}; what explains them: "
            f"{dense_verdicts(result.measurements, **condition)}; the rank is at the knee of the "
            f"validation loss",
        )
    values, seed = runs[0]["spectra"][0], runs[0]["seed"]
    spectrum = None
    if values[0] > 0:
        method = f"the first layer of {about}, seed {seed}, at the knee of the validation loss"
        spectrum = MeasuredSpectrum(values, method, ROUNDED)
    if exponent is None and spectrum is None:
        return []
    return [InstanceRequest(name, rank, exponent, spectrum)]
