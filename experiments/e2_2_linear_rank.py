"""2.2: Do linear and nonlinear recurrences want different ranks?

Question. A tanh recurrence can store in its rank-``r`` bottleneck what a linear one cannot.  Does
the loss of the two stop falling at different ratios of rank to width?

Prediction. Yes: different best ratios.  Theory bounds what either remembers by ``r`` numbers
(`bottleneck_determines_future`, `finrank_memory_le_of_factor` for the linear one) and does not say
how many are worth having.

Design. The sweep of 1.3 with ``W_h`` and ``W_x`` of one rank, for ``h' = tanh(W_h h + W_x x + b)``
and for ``h' = W_h h + W_x x``; the same steps, batches, seeds and learning rate.  The best ratio is
the knee of the final validation loss for each seed (`spectral_rank.experiments.knee`), and the two
kinds are paired by seed.  A learning rate that suits one kind better than the other would move its
losses, and may move its knee; the rate is not tuned here, so the answer is for this rate.

Decision rule. As in ``RULE``.  Disjoint intervals are the plan's rule; a ratio within a quarter of
1 counts as no difference.

Figure. Loss against rank ratio of both kinds with hinges and intervals of the knees.
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
    lies_within,
    over_seeds,
)
from spectral_rank.experiments.knee_figure import draw_sweep
from spectral_rank.experiments.rank_sweep import (
    ALL_RATIOS,
    SweepSettings,
    chosen,
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
from spectral_rank.figures.palette import BLUE, ORANGE
from spectral_rank.training.run_settings import RunSettings
from spectral_rank.training.run_store import trained

ID = "2.2"
QUESTION = "Do linear and nonlinear recurrences want different ranks?"
PREDICTION = "Yes: the loss stops falling at different ratios of rank to width."
RULE = (
    "The knee of a seed is that of the hinge a + b max(0, log rho_k - log rho) of least squares "
    "through the final validation losses against the rank ratio rho, the dense network included; a "
    "knee at the edge of the ratios is only bounded, and the interval is open on that side. "
    "Confirmed if the 95 % intervals over seeds of the log knees of the two kinds are disjoint; "
    "refuted if that of the log ratio of the two knees of a seed lies within +-log(1.25); "
    "undecided otherwise."
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
    return [cell for kind in KINDS for cell in sweep_cells(config, ("both",), kind=kind)]


def run_of(config: Settings, cell: Cell) -> RunSettings:
    """The training run of a cell."""
    return sweep_run(config, cell)


def run_cell(config: Settings, cell: Cell) -> dict[str, Any]:
    """The final loss; of a dense network the spectrum of ``W_h`` and its exponent, too."""
    return sweep_measurement(config, cell, trained(run_of(config, cell)).record)


def analyse(config: Settings, measurements: list[dict[str, Any]]) -> Analysis:
    """The knees of both kinds, their ratio, and the verdict of the rule."""
    knees = {kind: sweep_knees(config, measurements, kind=kind) for kind in KINDS}
    logs = {kind: over_seeds([knee.bounded for knee in knees[kind]]) for kind in KINDS}
    paired = over_seeds(
        [
            combination([1, -1], [linear.bounded, tanh.bounded])
            for linear, tanh in zip(knees["linear"], knees["elman"], strict=True)
        ]
    )
    numbers = {"knee of the linear over the tanh recurrence": exponentiated(paired)}
    for kind, name in KINDS.items():
        numbers[f"rank ratio at the knee, {name}"] = exponentiated(logs[kind])
    for kind, name in KINDS.items():
        explained = [knee.r_squared for knee in knees[kind]]
        numbers[f"share of variance that the hinge explains, {name}"] = mean_interval(explained)
    for kind, name in KINDS.items():
        dense = chosen(measurements, kind=kind, family="dense")
        numbers[f"loss, {name}, dense"] = mean_interval([m["loss"] for m in dense])
        for ratio in config.ratios:
            runs = chosen(measurements, kind=kind, family="both", ratio=ratio)
            numbers[f"loss, {name}, ratio {ratio:g}"] = mean_interval([m["loss"] for m in runs])
    return Analysis(
        numbers=numbers,
        verdict=decide(logs["elman"], logs["linear"], paired),
        reason=_words(numbers)
        + "".join(edges_in_words(knees[kind], name) for kind, name in KINDS.items()),
    )


def decide(tanh: Interval, linear: Interval, paired: Interval) -> Verdict:
    """The rule, from the log knees of both kinds and the log of their ratio."""
    if are_disjoint(tanh, linear):
        return Verdict.CONFIRMED
    return Verdict.REFUTED if lies_within(paired, SAME) else Verdict.UNDECIDED


def _words(numbers: dict[str, Interval]) -> str:
    tanh, linear = (numbers[f"rank ratio at the knee, {name}"] for name in KINDS.values())
    ratio = numbers["knee of the linear over the tanh recurrence"]
    return (
        f"The knee lies at the rank ratio {in_words(tanh)} for tanh and {in_words(linear)} for the "
        f"linear recurrence; linear over tanh: {in_words(ratio)}."
    )


def draw(result: ExperimentResult, path: Path) -> None:
    """Both kinds in one panel."""
    settings = Settings.model_validate(result.config)
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for kind, name in KINDS.items():
        sweep = sweep_of(result.measurements, "both", kind=kind)
        knees = sweep_knees(settings, result.measurements, kind=kind)
        draw_sweep(axes, sweep, knees, COLOURS[kind], f"{name} recurrence")
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    verdict = result.analysis.verdict.value
    axes.set_title(f"Linear and tanh recurrences want different ranks: {verdict}", fontsize=10)
    figure.savefig(path, dpi=200)
