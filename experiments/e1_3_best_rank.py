"""1.3: Which epsilon predicts the best rank?

Question. The plan's formula turns a tolerance epsilon and the exponent alpha of a spectrum into a
rank ratio.  Does it predict the ratio beyond which a larger rank gains nothing, and at which
epsilon?

Prediction. ``r*/d = eps ** (1 / (2 alpha - 1))`` at the plan's ``eps = 0.05`` (`rank_formula`).

Design. Elman networks over bytes with ``W_h`` and ``W_x`` of one rank, at eight ratios of rank to
width, and the dense network; and the same with a dense ``W_x``, which is reported and does not
decide.  All train for the same steps on the same batches.  The best ratio is the knee of the final
validation loss (`spectral_rank.experiments.knee`), for each seed.  The exponent is that of the
power law forced through the singular values of the dense network's trained ``W_h``; the result
counts how often that law is the right one.

Two readings at the knee, which are different theorems.  Captured: epsilon is the share of the
energy of the dense ``W_h`` that the best approximation of that rank misses
(`eckart_young_matrix_rank`, `captureRank_le_iff_exists_approximation`); below ``alpha = 1/2`` the
law then predicts the ratio ``(1 - eps) ** (1 / (1 - 2 alpha))`` (`captureRank_ratio_tendsto`).
Adequacy: epsilon is the error that a full model of that width cannot avoid over the error of that
rank (`optimalRank_bounds`), ``rho ** (2 alpha - 1)``; it needs ``alpha > 1/2``.

A knee can be no closer to the truth than a hinge to the curve of the losses, which is smooth; the
share of variance that the hinge explains says how far it is to be trusted.

Decision rule. As in ``RULE``.  The demand of a factor 4 keeps an interval that contains everything
from confirming anything.

Figure. Loss against rank ratio with the hinge, the interval of the knee, and the prediction.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectral_rank.certify.request import InstanceRequest
from spectral_rank.experiments.bounded import are_disjoint, exponentiated, in_words, over_seeds
from spectral_rank.experiments.exponents import interval_over_seeds
from spectral_rank.experiments.knee import Knee
from spectral_rank.experiments.knee_figure import draw_sweep
from spectral_rank.experiments.rank_sweep import (
    ALL_RATIOS,
    Family,
    Measurement,
    SweepSettings,
    chosen,
    dense_exponents,
    dense_verdicts,
    edges_in_words,
    sweep_cells,
    sweep_knees,
    sweep_measurement,
    sweep_of,
    sweep_run,
)
from spectral_rank.experiments.record import (
    Analysis,
    Cell,
    ExperimentResult,
    Interval,
    Profile,
    Verdict,
    mean_interval,
)
from spectral_rank.experiments.recurrent import sizes
from spectral_rank.experiments.sweep_instances import dense_request
from spectral_rank.figures.palette import BLUE, GREY, ORANGE
from spectral_rank.formulas.capture import capture_ratio
from spectral_rank.formulas.rank import rank_ratio
from spectral_rank.training.run_settings import RunSettings
from spectral_rank.training.run_store import trained

ID = "1.3"
QUESTION = "Which epsilon predicts the best rank?"
PREDICTION = "The best ratio of rank to width is 0.05^(1/(2 alpha - 1))."
RULE = (
    "The knee of a seed is that of the hinge a + b max(0, log rho_k - log rho) of least squares "
    "through the final validation losses against the rank ratio rho, W_h and W_x of the same rank, "
    "the dense network included; a knee at the edge of the ratios is only bounded, and the "
    "interval is open on that side. Alpha is the exponent of the power law forced through the "
    "trained W_h of the dense network. The prediction's interval is the image of the 95 % interval "
    "of alpha over seeds. Refuted if that of alpha lies wholly at or below 1/2, where the formula "
    "does not apply, or if the 95 % interval of the knee and that of the prediction are disjoint. "
    "Confirmed if alpha's interval lies above 1/2 and the interval of the knee contains the "
    "prediction at the mean alpha and spans less than a factor 4. Undecided otherwise."
)
THEOREMS = (
    "rank_formula",
    "optimalRank_bounds",
    "captureRank_le_iff_exists_approximation",
    "captureRank_ratio_tendsto",
    "eckart_young_matrix_rank",
)

EPSILON = 0.05
WIDEST = 4.0
FAMILIES: dict[Family, str] = {"both": "W_h and W_x", "recurrent": "W_h alone"}
KNEE = "rank ratio at the knee, W_h and W_x"
ALPHA = "forced exponent of dense W_h"
PREDICTED = "ratio predicted at epsilon 0.05"


class Settings(SweepSettings):
    """Ratios and the common sizes."""


def config(profile: Profile) -> Settings:
    """The sizes that all recurrent experiments share."""
    return Settings(**sizes(profile), ratios=ALL_RATIOS[profile])


def cells(config: Settings) -> list[Cell]:
    """The dense network, and each ratio in both families; each with every seed."""
    return sweep_cells(config, ("both", "recurrent"))


def run_of(config: Settings, cell: Cell) -> RunSettings:
    """The training run of a cell."""
    return sweep_run(config, cell)


def run_cell(config: Settings, cell: Cell) -> dict[str, Any]:
    """The final loss; of the dense network the spectrum of ``W_h`` and its exponent, too."""
    return sweep_measurement(config, cell, trained(run_of(config, cell)).record)


def analyse(config: Settings, measurements: list[dict[str, Any]]) -> Analysis:
    """Knee, exponent and prediction; the two readings at the knee; the verdict of the rule."""
    knees = {family: sweep_knees(config, measurements, family) for family in FAMILIES}
    alphas = dense_exponents(config, measurements)
    alpha = interval_over_seeds(alphas)
    numbers = {KNEE: _ratio(knees["both"])}
    if alpha is not None:
        numbers[ALPHA] = alpha
        if alpha.high > 0.5:
            numbers[PREDICTED] = predicted(alpha)
    readings = _readings(config, measurements, knees["both"], alphas)
    numbers |= readings
    numbers["rank ratio at the knee, W_h alone"] = _ratio(knees["recurrent"])
    for family, name in FAMILIES.items():
        explained = [knee.r_squared for knee in knees[family]]
        numbers[f"share of variance that the hinge explains, {name}"] = mean_interval(explained)
    numbers |= _losses(config, measurements)
    verdict = decide(numbers[KNEE], alpha)
    reason = _words(numbers, readings, dense_verdicts(measurements))
    return Analysis(numbers=numbers, verdict=verdict, reason=reason + edges_in_words(knees["both"]))


def _ratio(knees: list[Knee]) -> Interval:
    return exponentiated(over_seeds([knee.bounded for knee in knees]))


def predicted(alpha: Interval) -> Interval:
    """The plan's ratio on an interval of exponents; 0, its limit, from 1/2 down."""
    ends = {
        name: rank_ratio(exponent, EPSILON) if exponent > 0.5 else 0.0
        for name, exponent in (("value", alpha.value), ("low", alpha.low), ("high", alpha.high))
    }
    return alpha.model_copy(update=ends)


def decide(knee: Interval, alpha: Interval | None) -> Verdict:
    """The rule, from the interval of the rank ratio at the knee and that of the exponent.

    Without an exponent (the matrices are too small for a fit) there is nothing to decide.
    """
    if alpha is None:
        return Verdict.UNDECIDED
    if alpha.high <= 0.5 or are_disjoint(knee, predicted(alpha)):
        return Verdict.REFUTED
    informative = knee.high < WIDEST * knee.low
    contains = knee.low <= predicted(alpha).value <= knee.high
    if alpha.low > 0.5 and informative and contains:
        return Verdict.CONFIRMED
    return Verdict.UNDECIDED


def _readings(
    config: Settings,
    measurements: list[Measurement],
    knees: list[Knee],
    alphas: list[float | None],
) -> dict[str, Interval]:
    """Both epsilons at the knee, and the ratio that the law predicts from the captured one.

    A reading is given only where it applies to every seed.
    """
    found: dict[str, Interval] = {}
    dense = [chosen(measurements, family="dense", seed=seed)[0] for seed in config.seeds]
    missed = [
        knee.bounded.mapped(lambda log_ratio, run=run: missed_share(run["spectra"], log_ratio))  # type: ignore[misc]
        for knee, run in zip(knees, dense, strict=True)
    ]
    found["energy of dense W_h that the rank at the knee misses"] = over_seeds(missed)
    known = [alpha for alpha in alphas if alpha is not None]
    if len(known) < len(alphas):
        return found
    if all(alpha > 0.5 for alpha in known):
        logs = [
            knee.bounded.mapped(lambda log_ratio, a=alpha: (2 * a - 1) * log_ratio)  # type: ignore[misc]
            for knee, alpha in zip(knees, known, strict=True)
        ]
        found["epsilon of the adequacy reading at the knee"] = exponentiated(over_seeds(logs))
    if all(0 <= a < 0.5 and share.value > 0 for a, share in zip(known, missed, strict=True)):
        ratios = [
            float(capture_ratio(alpha, share.value))
            for alpha, share in zip(known, missed, strict=True)
        ]
        found["ratio that the law predicts to miss as much energy"] = mean_interval(ratios)
    return found


def missed_share(spectra: list[list[float]], log_ratio: float) -> float:
    """The share of the energy beyond a ratio of the width, the mean over matrices.

    Args:
        spectra: all singular values of each matrix, nonincreasing, not all 0.
        log_ratio: natural logarithm of the ratio, infinities included; the share is linear between
            two ranks.
    """
    ratio = math.exp(log_ratio)
    shares = []
    for values in spectra:
        energies = np.cumsum(np.square([0.0, *values]))
        captured = np.interp(ratio * len(values), np.arange(len(energies)), energies)
        shares.append(1 - float(captured / energies[-1]))
    return float(np.mean(shares))


def _losses(config: Settings, measurements: list[Measurement]) -> dict[str, Interval]:
    """The loss of every network over seeds."""
    found = {
        "loss, dense": mean_interval([m["loss"] for m in chosen(measurements, family="dense")])
    }
    for family, name in FAMILIES.items():
        for ratio in config.ratios:
            runs = chosen(measurements, family=family, ratio=ratio)
            found[f"loss, {name}, ratio {ratio:g}"] = mean_interval([m["loss"] for m in runs])
    return found


def _words(numbers: dict[str, Interval], readings: dict[str, Interval], verdicts: str) -> str:
    knee = numbers[KNEE]
    parts = [f"The knee lies at the rank ratio {in_words(knee)}"]
    if ALPHA not in numbers:
        return f"{parts[0]}; W_h has too few singular values for an exponent."
    parts.append(f"alpha is {in_words(numbers[ALPHA])} (what explains dense W_h: {verdicts})")
    if PREDICTED in numbers:
        parts.append(f"the formula predicts {in_words(numbers[PREDICTED])}")
    else:
        parts.append("the formula does not apply at or below 1/2")
    parts += [f"{name}: {in_words(interval)}" for name, interval in readings.items()]
    return "; ".join(parts) + "."


def instances(result: ExperimentResult) -> list[InstanceRequest]:
    """The dense ``W_h`` at the rank of the knee."""
    numbers = result.analysis.numbers
    settings = Settings.model_validate(result.config)
    return dense_request(settings, result, "W_h", numbers.get(ALPHA), numbers[KNEE])


def draw(result: ExperimentResult, path: Path) -> None:
    """One panel for each family."""
    settings = Settings.model_validate(result.config)
    numbers = result.analysis.numbers
    figure = Figure(figsize=(8.8, 4.0), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (family, name), colour in zip(panels, FAMILIES.items(), (BLUE, ORANGE), strict=True):
        sweep = sweep_of(result.measurements, family)
        knees = sweep_knees(settings, result.measurements, family)
        draw_sweep(axes, sweep, knees, colour, f"{name} of low rank")
        _draw_prediction(axes, numbers.get(PREDICTED))
        axes.legend(frameon=False, fontsize=8, loc="lower left")
        axes.spines[["top", "right"]].set_visible(False)
    panels[1].set_ylabel("")
    verdict = result.analysis.verdict.value
    figure.suptitle(f"The knee of the loss is where the formula puts it: {verdict}")
    figure.savefig(path, dpi=200)


def _draw_prediction(axes: Axes, predicted: Interval | None) -> None:
    """A line and its interval, as far as they lie in the figure; the legend has the number."""
    if predicted is None:
        axes.plot([], [], linestyle="none", label="no prediction: exponent at most 1/2")
        return
    left, right = axes.get_xlim()
    label = f"predicted: {predicted.value:.2g}"
    if predicted.value >= left:
        axes.axvline(predicted.value, color=GREY, linestyle=":", label=label)
    else:
        axes.plot([], [], linestyle="none", label=f"{label}, far left")
    if predicted.high > left:
        axes.axvspan(
            max(left, predicted.low), min(right, predicted.high), color=GREY, alpha=0.12, lw=0
        )
