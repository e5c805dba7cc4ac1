"""1.3: Which epsilon predicts the best rank?

Question. The plan's formula turns a tolerance epsilon and the exponent alpha of a spectrum into a
rank ratio.  Does it predict the ratio beyond which a larger rank gains nothing, and at which
epsilon?

Prediction. ``r*/d = eps ** (1 / (2 alpha - 1))`` at the plan's ``eps = 0.05`` (`rank_formula`).

Design. Elman networks over bytes with ``W_h`` and ``W_x`` factored at one rank, at ratios of rank
to width below 1 and at full rank; the same with a dense ``W_x``, which is reported and does not
decide; and the dense network.  All train for the same steps on the same batches.  The best ratio is
the knee of the final validation loss of the factored networks (`spectral_rank.experiments.knee`),
for each seed.  The exponent is that of the power law forced through the singular values of the
dense network's trained ``W_h``; the result counts how often that law is the right one.  What
factors cost by themselves, the loss at full rank over that of the dense network, is reported.

What changed after a first run (seeds 0 to 4, ``results/1.3-cpu-ad0e589a3591.json``).  The dense
network was then the point of ratio 1 of the hinge.  Its loss was 1.71, that of the factored
networks 1.79 to 1.81 from the ratio 1/4 on: it does not lie on their curve, and what the hinge
found was partly the step between the two.  So now the knee is that of the factored networks alone,
and it is compared with a smooth power of the rank, since a hinge can be put through any curve.  The
verdict comes from a new run with new seeds.

What the plan asks for otherwise.  It reads epsilon from the knee and asks whether the formula then
gives the knee's ratio; but an epsilon of the adequacy reading gives it by construction, at any
knee.  So the plan's own epsilon is put to the test, the captured one at the knee is put into the
formula and reported, and both readings are given.

Added after the run: what the loss rises by at full rank, which neither a hinge nor a power can
follow, and the knee without it.

Two readings at the knee, which are different theorems.  Captured: epsilon is the share of the
energy of the dense ``W_h`` that the best approximation of that rank misses
(`eckart_young_matrix_rank`); were the spectrum the power law, the least rank that misses no more
would follow (`captureRank_le_iff_exists_approximation`).  Adequacy: epsilon is the error that a
full model of that width cannot avoid over the error of that rank (`optimalRank_bounds`),
``rho ** (2 alpha - 1)``; it needs ``alpha > 1/2``.

Decision rule. As in ``RULE``.  The demand of a factor 4 keeps an interval that contains everything
from confirming anything.  Without a knee there is no best rank below the width, so the prediction
cannot be confirmed; it can be refuted.

Figure. Loss against rank ratio with the hinge and the smooth power, knees, and the prediction.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectral_rank.certify.request import InstanceRequest
from spectral_rank.experiments.bounded import (
    Bounded,
    are_disjoint,
    clipped,
    exponentiated,
    in_words,
    is_open,
    labelled,
    over_seeds,
)
from spectral_rank.experiments.exponents import interval_over_seeds
from spectral_rank.experiments.knee import Knee
from spectral_rank.experiments.knee_figure import draw_sweep, explain_sweep
from spectral_rank.experiments.rank_sweep import (
    ALL_RATIOS,
    FULL,
    Family,
    Measurement,
    SweepSettings,
    chosen,
    dense_exponents,
    dense_verdicts,
    factoring_cost,
    sweep_cells,
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
from spectral_rank.experiments.sweep_knees import (
    KNEE_RULE,
    explained_share,
    knee_label,
    knee_ratio,
    knees_in_words,
    most_are_preferred,
    preference,
    rise_at_full_rank,
    sweep_knees,
)
from spectral_rank.figures.palette import BLUE, GREY, ORANGE
from spectral_rank.formulas.capture import capture_rank
from spectral_rank.formulas.rank import rank_ratio
from spectral_rank.training.run_settings import RunSettings
from spectral_rank.training.run_store import trained

ID = "1.3"
QUESTION = "Which epsilon predicts the best rank?"
PREDICTION = "The best ratio of rank to width is 0.05^(1/(2 alpha - 1))."
RULE = (
    f"{KNEE_RULE} What decides are the networks with W_h and W_x of the same rank. Alpha is the "
    "exponent of the power law forced through the trained W_h of the dense network. The "
    "prediction's interval is the image of the 95 % interval of alpha over seeds. Refuted if "
    "that of alpha lies wholly at or below 1/2, where the formula does not apply, or if the 95 % "
    "interval of the knee and that of the prediction are disjoint. Confirmed if alpha's interval "
    "lies above 1/2, the interval of the knee contains the prediction at the mean alpha and "
    "spans less than a factor 4, and a knee is preferred in more than half of the sweeps. "
    "Undecided otherwise."
)
THEOREMS = (
    "rank_formula",
    "optimalRank_bounds",
    "captureRank_le_iff_exists_approximation",
    "eckart_young_matrix_rank",
)

EPSILON = 0.05
WIDEST = 4.0
FEWEST = 3
"""Ratios that a hinge needs."""
FAMILIES: dict[Family, str] = {"both": "W_h and W_x", "recurrent": "W_h alone"}
NO_BEST_RANK = (
    " So no best rank below the width was found: the loss falls like a smooth power of the rank, "
    "or its knee is only bounded."
)
KNEE = "rank ratio at the knee, W_h and W_x"
ALPHA = "forced exponent of dense W_h"
PREDICTED = "ratio predicted at epsilon 0.05"


class Settings(SweepSettings):
    """Ratios and the common sizes."""


def config(profile: Profile) -> Settings:
    """The sizes that all recurrent experiments share."""
    return Settings(**sizes(profile), ratios=ALL_RATIOS[profile])


def cells(config: Settings) -> list[Cell]:
    """The dense network, and each ratio and full rank in both families; each with every seed."""
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
    knee = knee_ratio(knees["both"])
    numbers = {knee_label(KNEE, knees["both"]): knee}
    if alpha is not None:
        numbers[ALPHA] = alpha
        if alpha.high > 0.5:
            numbers[PREDICTED] = predicted(alpha)
    costs = {
        f"cost of factors of full rank, {name}, nats per byte": factoring_cost(
            config, measurements, family
        )
        for family, name in FAMILIES.items()
    }
    bics = {
        f"BIC of a smooth power over that of the hinge, {name}": preference(knees[family])
        for family, name in FAMILIES.items()
    }
    readings = _readings(config, measurements, knees["both"], alphas)
    numbers |= bics
    beside = costs | _at_full_rank(config, measurements) | readings
    numbers |= beside
    other = knee_label("rank ratio at the knee, W_h alone", knees["recurrent"])
    numbers[other] = knee_ratio(knees["recurrent"])
    for family, name in FAMILIES.items():
        share = explained_share(knees[family])
        numbers[f"share of variance that the hinge explains, {name}"] = share
    numbers |= _losses(config, measurements)
    return Analysis(
        numbers=numbers,
        verdict=decide(knee, alpha, most_are_preferred(knees["both"])),
        reason=_words(knee, numbers, beside, dense_verdicts(measurements))
        + knees_in_words(knees["both"])
        + ("" if most_are_preferred(knees["both"]) else NO_BEST_RANK),
    )


def _at_full_rank(config: Settings, measurements: list[Measurement]) -> dict[str, Interval]:
    """What full rank loses to the ratio below it, and the knee without it; of what decides."""
    name = f"rise of the loss from ratio {config.ratios[-1]:g} to full rank, W_h and W_x"
    found = {name: rise_at_full_rank(config, measurements, "both")}
    if len(config.ratios) >= FEWEST:
        below = [m for m in measurements if m["ratio"] < FULL]
        knees = sweep_knees(config, below, "both")
        found[knee_label(f"{KNEE}, without full rank", knees)] = knee_ratio(knees)
        name = "share of variance that the hinge explains, W_h and W_x, without full rank"
        found[name] = explained_share(knees)
    return found


def predicted(alpha: Interval) -> Interval:
    """The plan's ratio on an interval of exponents; 0, its limit, from 1/2 down."""
    ends = {
        name: rank_ratio(exponent, EPSILON) if exponent > 0.5 else 0.0
        for name, exponent in (("value", alpha.value), ("low", alpha.low), ("high", alpha.high))
    }
    return alpha.model_copy(update=ends)


def decide(knee: Interval, alpha: Interval | None, has_knee: bool) -> Verdict:
    """The rule.

    Args:
        knee: the rank ratio at the knee.
        alpha: the exponent; without one (the matrices are too small) there is nothing to decide.
        has_knee: whether a knee is preferred in more than half of the sweeps.
    """
    if alpha is None:
        return Verdict.UNDECIDED
    if alpha.high <= 0.5 or are_disjoint(knee, predicted(alpha)):
        return Verdict.REFUTED
    informative = knee.high < WIDEST * knee.low
    contains = knee.low <= predicted(alpha).value <= knee.high
    if alpha.low > 0.5 and informative and contains and has_knee:
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
    dense = [chosen(measurements, family="dense", seed=seed)[0] for seed in config.seeds]
    missed = [
        knee.bounded.mapped(lambda log_ratio, run=run: missed_share(run["spectra"], log_ratio))  # type: ignore[misc]
        for knee, run in zip(knees, dense, strict=True)
    ]
    found = _share("energy of dense W_h that the rank at the knee misses", missed)
    known = [alpha for alpha in alphas if alpha is not None]
    if len(known) < len(alphas):
        return found
    if all(alpha > 0.5 for alpha in known):
        logs = [
            knee.bounded.mapped(lambda log_ratio, a=alpha: (2 * a - 1) * log_ratio)  # type: ignore[misc]
            for knee, alpha in zip(knees, known, strict=True)
        ]
        name = labelled("epsilon of the adequacy reading at the knee", logs)
        found[name] = clipped(exponentiated(over_seeds(logs)), 0, 1)
        gives = [
            share.mapped(lambda eps, a=alpha: rank_ratio(a, eps) if eps > 0 else 0.0)  # type: ignore[misc]
            for share, alpha in zip(missed, known, strict=True)
        ]
        found |= _share("ratio that the formula gives at that energy as epsilon", gives)
    if all(alpha >= 0 for alpha in known):
        ratios = [
            share.mapped(lambda eps, a=alpha: law_ratio(a, eps, config.width))  # type: ignore[misc]
            for share, alpha in zip(missed, known, strict=True)
        ]
        found |= _share("ratio at which the power law misses as much energy", ratios)
    return found


def _share(name: str, numbers: list[Bounded]) -> dict[str, Interval]:
    """A share over seeds, which lies in [0, 1]."""
    return {labelled(name, numbers): clipped(over_seeds(numbers), 0, 1)}


def law_ratio(alpha: float, missed: float, width: int) -> float:
    """The least rank over the width at which a power law misses at most a share of its energy.

    Args:
        alpha: exponent, >= 0.
        missed: the share, in [0, 1].
        width: number of singular values, >= 1.
    """
    return capture_rank(alpha, missed, width) / width if missed > 0 else 1.0


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
        for ratio in (*config.ratios, FULL):
            runs = chosen(measurements, family=family, ratio=ratio)
            found[f"loss, {name}, ratio {ratio:g}"] = mean_interval([m["loss"] for m in runs])
    return found


def _words(
    knee: Interval, numbers: dict[str, Interval], beside: dict[str, Interval], verdicts: str
) -> str:
    parts = [f"The rank ratio at the knee is {in_words(knee, 0)}"]
    if ALPHA not in numbers:
        return f"{parts[0]}; W_h has too few singular values for an exponent."
    parts.append(f"alpha is {in_words(numbers[ALPHA])} (what explains dense W_h: {verdicts})")
    if PREDICTED in numbers:
        parts.append(f"the formula predicts {in_words(numbers[PREDICTED], 0)}")
    else:
        parts.append("the formula does not apply at or below 1/2")
    parts += [f"{name}: {in_words(interval)}" for name, interval in beside.items()]
    return "; ".join(parts) + "."


def instances(result: ExperimentResult) -> list[InstanceRequest]:
    """The dense ``W_h`` at the rank of the knee."""
    settings = Settings.model_validate(result.config)
    knees = sweep_knees(settings, result.measurements, "both")
    alpha = result.analysis.numbers.get(ALPHA)
    return dense_request(settings, result, "W_h", alpha, knees)


def draw(result: ExperimentResult, path: Path) -> None:
    """One panel for each family."""
    settings = Settings.model_validate(result.config)
    numbers = result.analysis.numbers
    figure = Figure(figsize=(8.8, 4.0), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (family, name), colour in zip(panels, FAMILIES.items(), (BLUE, ORANGE), strict=True):
        sweep = sweep_of(result.measurements, family)
        knees = sweep_knees(settings, result.measurements, family)
        draw_sweep(axes, sweep, knees, colour, (f"{name} factored", "dense"))
        _draw_prediction(axes, numbers.get(PREDICTED))
        explain_sweep(axes)
        axes.spines[["top", "right"]].set_visible(False)
    panels[1].set_ylabel("")
    verdict = result.analysis.verdict.value
    figure.suptitle(f"The knee of the loss is where the formula puts it: {verdict}")
    figure.savefig(path, dpi=200)


def _draw_prediction(axes: Axes, predicted: Interval | None) -> None:
    """A line and its interval, as far as they lie in the figure; the legend has the number.

    There is no line where the interval of alpha reaches to 1/2 and the prediction is a bound.
    """
    if predicted is None:
        axes.plot([], [], linestyle="none", label="no prediction: exponent at most 1/2")
        return
    left, right = axes.get_xlim()
    label = f"predicted: {in_words(predicted, 0)}"
    if is_open(predicted, 0):
        axes.plot([], [], linestyle="none", label=label)
    elif predicted.value >= left:
        axes.axvline(predicted.value, color=GREY, linestyle="-.", label=label)
    else:
        axes.plot([], [], linestyle="none", label=f"{label}, far left")
    if predicted.high > left:
        axes.axvspan(
            max(left, predicted.low), min(right, predicted.high), color=GREY, alpha=0.12, lw=0
        )
