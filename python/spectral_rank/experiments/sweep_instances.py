"""What a sweep over ranks gives for Lean: the dense network's spectrum, at the rank of the knee."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from spectral_rank.certify.request import InstanceRequest, MeasuredExponent, MeasuredSpectrum
from spectral_rank.certify.shapes import RANK_LIMIT
from spectral_rank.experiments.knee import Knee
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
    knees: Sequence[Knee],
    **condition: Any,
) -> list[InstanceRequest]:
    """The exponent over seeds and the first seed's spectrum of the dense ``W_h``.

    An interval that reaches below 0 is cut there: a nonincreasing spectrum has no such exponent.

    Args:
        config: the settings of the result.
        result: the result, whose cells are those of `sweep_cells`.
        name: short name of the request.
        alpha: the interval of the mean forced exponent over seeds; ``None`` if it could not be
            measured.
        knees: one for each seed; the rank is at the geometric mean of their ratios, of those that
            the losses say something of, or at the largest rank of certificates if that is smaller.
        condition: what the cells of this sweep have in common.

    Returns:
        One request; none if the spectrum or the losses say nothing.
    """
    knees = [knee for knee in knees if knee.edge != "nowhere"]
    if not knees:
        return []
    width = condition.get("width", config.width)
    at_knee = rank_of(math.exp(float(np.mean([knee.log_ratio for knee in knees]))), width)
    rank = min(at_knee, RANK_LIMIT)
    about = f"the trained dense W_h, width {width}, {config.steps} steps"
    place = _place(knees)
    if rank < at_knee:
        place = f"the largest that certificates are made for, below {at_knee}, which is {place}"
    exponent = None
    if alpha is not None and alpha.high > 0:
        cut = f", which reached down to {alpha.low:.3g} and is cut at 0" if alpha.low < 0 else ""
        exponent = MeasuredExponent(
            max(0.0, alpha.low),
            alpha.high,
            f"95 % interval{cut} of the mean over {alpha.count} seeds of the exponent of a power "
            f"law forced through the singular values of {about}; what explains them: "
            f"{dense_verdicts(result.measurements, **condition)}; the rank is {place}",
        )
    run = chosen(result.measurements, family="dense", **condition)[0]
    values = run["spectra"][0]
    spectrum = None
    if values[0] > 0:
        method = f"the first layer of {about}, seed {run['seed']}; the rank is {place}"
        spectrum = MeasuredSpectrum(values, method, ROUNDED)
    if exponent is None and spectrum is None:
        return []
    return [InstanceRequest(name, rank, exponent, spectrum)]


def _place(knees: Sequence[Knee]) -> str:
    """What the rank at the mean of knees is."""
    edges = {knee.edge for knee in knees} - {"inside"}
    knee = f"that of the mean knee of the validation loss over {len(knees)} seeds"
    if not edges:
        return knee
    bounds = sum(knee.edge != "inside" for knee in knees)
    side = {"low": "at least", "high": "at most"}[edges.pop()] if len(edges) == 1 else "near"
    # A knee that is at most a bound makes the mean of the bounds at least the mean of the knees.
    return f"{side} {knee}, which is only bounded in {bounds} of them"
