"""2.2: Do linear and nonlinear recurrences want different ranks?

Question. Does the loss of a tanh recurrence and that of a linear one stop falling at different
ratios of rank to width?

Prediction. Yes: different best ratios.  Theory does not say so.  What a linear recurrence carries
on passes through the ``r`` numbers of its bottleneck (`bottleneck_determines_future`), and its
memory has at most ``r`` dimensions (`finrank_memory_le_of_factor`).  For the first the same
argument holds for tanh, but is not formalised.  How many numbers are worth having is another
matter.

Design. The sweep of 1.3 with ``W_h`` factored and ``W_x`` dense, for ``h' = tanh(W_h h + W_x x +
b)`` and for ``h' = W_h h + W_x x``; the same steps, batches, seeds and learning rate.  The best
ratio is the knee of the final validation loss of the factored networks for each seed
(`spectral_rank.experiments.knee`), and the two kinds are paired by seed.  A learning rate that
suits one kind better than the other would move its losses, and may move its knee; the rate is not
tuned here, so the answer is for this rate.

What changed after a first run (seeds 0 to 4, ``results/2.2-cpu-ad0e589a3591.json``, undecided).
The dense network was then the point of ratio 1, and does not lie on the curve of the factored ones
(see 1.3); ``W_x`` was of the same low rank, which costs nothing from an absolute rank on (see 3.1);
and disjoint intervals were asked for before a negligible difference.  The verdict comes from a new
run with new seeds.

Decision rule. As in ``RULE``.  A ratio of the knees within a quarter of 1 counts as no difference,
so that is asked first; disjoint intervals are the plan's rule.

Figure. Loss against rank ratio of both kinds with hinges, smooth powers, and knees.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from spectral_rank.experiments.bounded import (
    are_disjoint,
    combination,
    exponentiated,
    in_words,
    labelled,
    lies_within,
    over_seeds,
)
from spectral_rank.experiments.knee_figure import draw_sweep, explain_sweep
from spectral_rank.experiments.rank_sweep import (
    ALL_RATIOS,
    FULL,
    SweepSettings,
    chosen,
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
from spectral_rank.experiments.sweep_knees import (
    KNEE_RULE,
    NO_KNEE,
    explained_share,
    knee_label,
    knee_ratio,
    knees_in_words,
    most_are_preferred,
    preference,
    sweep_knees,
)
from spectral_rank.figures.palette import BLUE, ORANGE
from spectral_rank.training.run_settings import RunSettings
from spectral_rank.training.run_store import trained

ID = "2.2"
QUESTION = "Do linear and nonlinear recurrences want different ranks?"
PREDICTION = "Yes: the loss stops falling at different ratios of rank to width."
RULE = (
    f"{KNEE_RULE} What decides are the networks with W_h alone factored. Undecided unless a knee "
    "is preferred in more than half of the sweeps of each kind. Then refuted if the 95 % "
    "interval over seeds of the log ratio of the two knees of a seed lies within +-log(1.25); "
    "otherwise confirmed if the 95 % intervals over seeds of the log knees of the two kinds are "
    "disjoint; undecided otherwise."
)
THEOREMS = ("bottleneck_determines_future", "finrank_memory_le_of_factor")

SAME = math.log(1.25)
KINDS = {"elman": "tanh", "linear": "linear"}
COLOURS = dict(zip(KINDS, (BLUE, ORANGE), strict=True))


class Settings(SweepSettings):
    """Ratios and the common sizes."""


def config(profile: Profile) -> Settings:
    """The sizes that all recurrent experiments share."""
    return Settings(**sizes(profile), ratios=ALL_RATIOS[profile])


def cells(config: Settings) -> list[Cell]:
    """A sweep for each kind."""
    return [cell for kind in KINDS for cell in sweep_cells(config, ("recurrent",), kind=kind)]


def run_of(config: Settings, cell: Cell) -> RunSettings:
    """The training run of a cell."""
    return sweep_run(config, cell)


def run_cell(config: Settings, cell: Cell) -> dict[str, Any]:
    """The final loss; of a dense network the spectrum of ``W_h`` and its exponent, too."""
    return sweep_measurement(config, cell, trained(run_of(config, cell)).record)


def analyse(config: Settings, measurements: list[dict[str, Any]]) -> Analysis:
    """The knees of both kinds, their ratio, and the verdict of the rule."""
    knees = {
        name: sweep_knees(config, measurements, "recurrent", kind=kind)
        for kind, name in KINDS.items()
    }
    logs = {name: over_seeds([knee.bounded for knee in found]) for name, found in knees.items()}
    differences = [
        combination([1, -1], [linear.bounded, tanh.bounded])
        for linear, tanh in zip(knees["linear"], knees["tanh"], strict=True)
    ]
    paired = over_seeds(differences)
    numbers = {labelled("knee of the linear over the tanh recurrence", differences): paired}
    numbers = {name: exponentiated(interval) for name, interval in numbers.items()}
    for name, found in knees.items():
        numbers[knee_label(f"rank ratio at the knee, {name}", found)] = knee_ratio(found)
    for name, found in knees.items():
        numbers[f"BIC of a smooth power over that of the hinge, {name}"] = preference(found)
    numbers |= _losses(config, measurements)
    for name, found in knees.items():
        share = explained_share(found)
        numbers[f"share of variance that the hinge explains, {name}"] = share
    have_knees = all(map(most_are_preferred, knees.values()))
    return Analysis(
        numbers=numbers,
        verdict=decide(logs["tanh"], logs["linear"], paired, have_knees),
        reason=_words(knee_ratio(knees["tanh"]), knee_ratio(knees["linear"]), exponentiated(paired))
        + "".join(knees_in_words(found, name) for name, found in knees.items())
        + ("" if have_knees else NO_KNEE),
    )


def _losses(config: Settings, measurements: list[dict[str, Any]]) -> dict[str, Interval]:
    """What factors cost by themselves, and the loss of every network, over seeds."""
    found = {
        f"cost of factors of full rank, {name}, nats per byte": factoring_cost(
            config, measurements, "recurrent", kind=kind
        )
        for kind, name in KINDS.items()
    }
    for kind, name in KINDS.items():
        dense = chosen(measurements, kind=kind, family="dense")
        found[f"loss, {name}, dense"] = mean_interval([m["loss"] for m in dense])
        for ratio in (*config.ratios, FULL):
            runs = chosen(measurements, kind=kind, family="recurrent", ratio=ratio)
            found[f"loss, {name}, ratio {ratio:g}"] = mean_interval([m["loss"] for m in runs])
    return found


def decide(tanh: Interval, linear: Interval, paired: Interval, have_knees: bool) -> Verdict:
    """The rule.

    Args:
        tanh: the log knee of the tanh recurrence.
        linear: that of the linear one.
        paired: the log of their ratio.
        have_knees: whether a knee is preferred in more than half of the sweeps of each kind.
    """
    if not have_knees:
        return Verdict.UNDECIDED
    if lies_within(paired, SAME):
        return Verdict.REFUTED
    return Verdict.CONFIRMED if are_disjoint(tanh, linear) else Verdict.UNDECIDED


def _words(tanh: Interval, linear: Interval, ratio: Interval) -> str:
    return (
        f"The rank ratio at the knee is {in_words(tanh, 0)} for tanh and {in_words(linear, 0)} for "
        f"the linear recurrence; linear over tanh: {in_words(ratio, 0)}."
    )


def draw(result: ExperimentResult, path: Path) -> None:
    """Both kinds in one panel."""
    settings = Settings.model_validate(result.config)
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for kind, name in KINDS.items():
        sweep = sweep_of(result.measurements, "recurrent", kind=kind)
        knees = sweep_knees(settings, result.measurements, "recurrent", kind=kind)
        draw_sweep(axes, sweep, knees, COLOURS[kind], (f"{name}, W_h factored", f"{name}, dense"))
    explain_sweep(axes)
    axes.spines[["top", "right"]].set_visible(False)
    verdict = result.analysis.verdict.value
    axes.set_title(f"Linear and tanh recurrences want different ranks: {verdict}", fontsize=10)
    figure.savefig(path, dpi=200)
