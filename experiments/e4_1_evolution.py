"""4.1: How does the spectrum evolve?

Question. Do the spectra of the recurrent matrices change steadily while a network trains, or in
phases?

Prediction. The plan: in phases.

Design. The networks of 1.1.  At snapshots about evenly spaced in the logarithm of the step:
exponent of the forced power law, participation ratio, stable rank and entropy rank of ``W_h`` (in
E5 of ``U_h V_h``), the mean over layers.  A phase ends where the speed per unit of log step
changes: a change point of a continuous broken line (`spectral_rank.experiments.change_points`).

Any bent curve is closer to a broken line than to a straight one, so a change point counts only if
broken lines are preferred by the BIC to all smooth curves with as many parameters, the residuals
taken as autocorrelated.  The gain over the straight line is reported beside it.  The participation
ratio decides; the other quantities are reported.  Of several change points of a run the main one,
where the slope changes most, is compared between seeds.

What cannot be seen.  Snapshots are taken at equal intervals, and a piece of a broken line needs
four of them: no change before the fourth snapshot (step 40 in the profile cpu, 2000 in gpu) or
after the fourth last of those that are analysed can be found.  A main change at the first or last
place where one may be found is only bounded, because it may be further out, and the interval over
seeds is open on that side.

What the optimizer does is not steady either: the learning rate rises over the first 5 % of the
steps and falls along a cosine afterwards.  A change point at the end of the warm-up would be the
schedule's; its place over the end of the warm-up is reported.

Settings changed before the run that is reported.  Snapshots every 20 steps in place of 40, after a
trial run of 300 steps in which ``W_h`` changed most within tens of steps; then every 10, after a
review, because a change before the fourth snapshot cannot be found.

Decision rule. As in ``RULE``.

Figure. The four quantities against the step, every seed, with the fitted lines of the participation
ratio and the interval of its main change point.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectral_rank.experiments.bounded import exponentiated, is_open, over_seeds
from spectral_rank.experiments.change_points import (
    FEWEST,
    ChangePoints,
    change_points,
    log_spaced,
)
from spectral_rank.experiments.exponents import (
    forced_exponent,
    interval_over_seeds,
    mean_or_none,
    significant,
)
from spectral_rank.experiments.plateau import (
    NETWORKS,
    TRAINED_NETWORKS,
    PlateauSettings,
    matrix_kind,
    matrix_label,
    plateau_cells,
    plateau_run,
    plateau_sizes,
    spectra_at,
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
from spectral_rank.figures.palette import BLUE, GREEN, GREY, ORANGE
from spectral_rank.models.recurrent.settings import Kind
from spectral_rank.training.run_record import RunRecord
from spectral_rank.training.run_settings import RunSettings
from spectral_rank.training.run_store import trained

ID = "4.1"
QUESTION = "How does the spectrum evolve?"
PREDICTION = "In phases."
RULE = (
    "A run has phases if a broken line with 1 to 3 change points explains the participation ratio "
    "of W_h against the log step better, by a BIC of at least 10, than every smooth curve (a "
    "polynomial with at most as many parameters). No phases means none after the fourth snapshot "
    "(step 40 in the profile cpu), the first place at which a change can be found. Confirmed if, "
    "for the dense Elman network and for E5, every seed has phases and the 95 % interval over "
    "seeds of the step of the main change point (open where it is at the first or last place at "
    "which it can be found) spans at most a factor 4; refuted if no seed of either has phases; "
    "undecided otherwise."
)
THEOREMS = ("participationRatio_le", "stableRank_le_participationRatio")

EVIDENCE = 10.0
WIDEST = 4.0
DECIDING = "participation_ratio"
QUANTITIES = {
    DECIDING: "participation ratio",
    "stable_rank": "stable rank",
    "entropy_rank": "entropy rank",
    "alpha": "exponent of the forced power law",
}
COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00")
"""Of the seeds, from the Okabe-Ito palette."""


class Settings(PlateauSettings):
    """Sizes of the runs.

    Attributes:
        points: snapshots that are analysed, at most, of all that were taken.
    """

    points: int = 60


def config(profile: Profile) -> Settings:
    """The runs that 1.1, 1.2, 2.1 and 4.1 share."""
    return Settings(**plateau_sizes(profile))


def cells(config: Settings) -> list[Cell]:
    """One cell for each network and seed."""
    return plateau_cells(config)


def run_of(config: Settings, cell: Cell) -> RunSettings:
    """The training run of a cell."""
    return plateau_run(config, cell)


def run_cell(config: Settings, cell: Cell) -> dict[str, Any]:
    """The trajectories after the start, and the values at the start."""
    run = run_of(config, cell)
    record = trained(run).record
    taken = sorted({probe.step for probe in record.probes.spectra if probe.step > 0})
    steps = [taken[position] for position in log_spaced(taken, config.points)]
    return cell | {
        "steps": steps,
        "warmup": max(1, round(run.training.warmup_share * run.training.steps)),
        "start": _quantities(record, 0),
        "path": [_quantities(record, step) for step in steps],
    }


def _quantities(record: RunRecord, step: int) -> dict[str, float | None]:
    """Means over the recurrent matrices of all layers at a step."""
    found = [probe for probe in spectra_at(record, step) if matrix_kind(probe.name) == "W_h"]
    means = {
        "participation_ratio": mean_or_none(probe.participation_ratio for probe in found),
        "stable_rank": mean_or_none(probe.stable_rank for probe in found),
        "entropy_rank": mean_or_none(probe.entropy_rank for probe in found),
        "alpha": mean_or_none(forced_exponent(probe.values, probe.shape) for probe in found),
    }
    return {name: None if mean is None else significant(mean) for name, mean in means.items()}


def trajectory(run: dict[str, Any], quantity: str) -> tuple[list[int], list[float]]:
    """The steps at which a quantity could be measured, and its values there."""
    measured = zip(run["steps"], run["path"], strict=True)
    known = [(step, at[quantity]) for step, at in measured if at[quantity] is not None]
    return [step for step, _ in known], [value for _, value in known]


def changes(run: dict[str, Any], quantity: str = DECIDING) -> ChangePoints:
    """The change points of a quantity."""
    steps, values = trajectory(run, quantity)
    return _cached(tuple(steps), tuple(values))


@lru_cache(maxsize=512)
def _cached(steps: tuple[int, ...], values: tuple[float, ...]) -> ChangePoints:
    """The analysis asks and the figure asks again."""
    return change_points(steps, values)


def analyse(config: Settings, measurements: list[dict[str, Any]]) -> Analysis:
    """Change points of all quantities, and the verdict of the rule."""
    numbers: dict[str, Interval] = {}
    found: dict[str, dict[str, list[ChangePoints]]] = {}
    for kind in TRAINED_NETWORKS:
        runs = [m for m in measurements if m["kind"] == kind]
        found[kind] = {quantity: _all_changes(runs, quantity) for quantity in QUANTITIES}
    for kind in TRAINED_NETWORKS:
        name = f"{QUANTITIES[DECIDING]} of {matrix_label(kind, 'W_h')}"
        gains = [change.gain for change in found[kind][DECIDING]]
        numbers[f"step of the main change, {name}"] = location(found[kind][DECIDING])
        numbers[f"BIC gained over smooth curves, {name}"] = mean_interval(gains)
    for kind in TRAINED_NETWORKS:
        runs = [m for m in measurements if m["kind"] == kind]
        numbers |= _course(kind, runs)
    for kind in TRAINED_NETWORKS:
        runs = [m for m in measurements if m["kind"] == kind]
        numbers |= _others(kind, runs, found[kind])
    deciding = {kind: found[kind][DECIDING] for kind in TRAINED_NETWORKS}
    return Analysis(numbers=numbers, verdict=decide(deciding), reason=_words(deciding))


def _all_changes(runs: list[dict[str, Any]], quantity: str) -> list[ChangePoints]:
    """Those of every seed; none where the quantity was measured at too few steps."""
    enough = [run for run in runs if len(trajectory(run, quantity)[0]) >= FEWEST]
    return [changes(run, quantity) for run in enough]


def location(found: list[ChangePoints]) -> Interval:
    """The geometric mean over seeds of the main change point, in steps; open where a bound is."""
    return exponentiated(over_seeds([change.log_main for change in found]))


def decide(found: dict[Kind, list[ChangePoints]]) -> Verdict:
    """The rule, from the change points of every seed of both networks."""
    phases = [change.gain >= EVIDENCE for seeds in found.values() for change in seeds]
    if not any(phases):
        return Verdict.REFUTED
    located = all(location(seeds).high <= WIDEST * location(seeds).low for seeds in found.values())
    return Verdict.CONFIRMED if all(phases) and located else Verdict.UNDECIDED


def _course(kind: Kind, runs: list[dict[str, Any]]) -> dict[str, Interval]:
    """Every quantity at the start and at the end."""
    numbers = {}
    for quantity, words in QUANTITIES.items():
        for when, values in (
            ("end", [run["path"][-1][quantity] for run in runs]),
            ("start", [run["start"][quantity] for run in runs]),
        ):
            interval = interval_over_seeds(values)
            if interval is not None:
                numbers[f"{words} of {matrix_label(kind, 'W_h')} at the {when}"] = interval
    return numbers


def _others(
    kind: Kind, runs: list[dict[str, Any]], found: dict[str, list[ChangePoints]]
) -> dict[str, Interval]:
    """What does not decide: the schedule's part, straight lines, and the other quantities."""
    numbers = {}
    matrix = matrix_label(kind, "W_h")
    warmup = math.log(runs[0]["warmup"])
    after = [change.log_main.mapped(lambda log: log - warmup) for change in found[DECIDING]]
    name = f"log of the main change's step over the end of the warm-up, {matrix}"
    numbers[name] = over_seeds(after)
    for quantity, words in QUANTITIES.items():
        seeds = found[quantity]
        if len(seeds) < 2:
            continue
        gains = [change.gain_over_line for change in seeds]
        numbers[f"BIC gained over a straight line, {words} of {matrix}"] = mean_interval(gains)
        if quantity != DECIDING:
            gains = [change.gain for change in seeds]
            numbers[f"BIC gained over smooth curves, {words} of {matrix}"] = mean_interval(gains)
            numbers[f"step of the main change, {words} of {matrix}"] = location(seeds)
    return numbers


def _words(found: dict[Kind, list[ChangePoints]]) -> str:
    parts = []
    for kind, seeds in found.items():
        phases = sum(change.gain >= EVIDENCE for change in seeds)
        gains = ", ".join(f"{change.gain:.0f}" for change in seeds)
        over_line = ", ".join(f"{change.gain_over_line:.0f}" for change in seeds)
        parts.append(
            f"{matrix_label(kind, 'W_h')}: {phases} of {len(seeds)} seeds have phases (BIC that "
            f"broken lines gain over smooth curves: {gains}, over a straight line: {over_line}); "
            f"the main change of the participation ratio is {_place_in_words(seeds)}"
        )
    first, last = next(iter(found.values()))[0].searched
    if not any(change.gain >= EVIDENCE for seeds in found.values() for change in seeds):
        parts.append(f"No phases are seen after step {first:.0f}; earlier ones cannot be")
    else:
        parts.append(f"Changes before step {first:.0f} or after step {last:.0f} cannot be seen")
    return f"{'. '.join(parts)}."


def _place_in_words(seeds: list[ChangePoints]) -> str:
    where = location(seeds)
    words = f"at step {where.value:.0f} [{where.low:.0f}, {where.high:.0f}]"
    if is_open(where, 0.0):
        # A bound outside the places where a change can be found says nothing.
        first, last = seeds[0].searched
        words = f"at step {where.low:.0f} or later" if where.low > first else "not located"
        words = f"at step {where.high:.0f} or earlier" if where.high < last else words
    bounds = sum(not change.log_main.is_known for change in seeds)
    return f"{words} (only bounded in {bounds} of {len(seeds)} seeds)" if bounds else words


def draw(result: ExperimentResult, path: Path) -> None:
    """A column for each network, a row for each quantity."""
    figure = Figure(figsize=(9.0, 9.2), layout="constrained")
    grid = figure.subplots(len(QUANTITIES), len(TRAINED_NETWORKS), sharex=True)
    for column, kind in zip(grid.T, TRAINED_NETWORKS, strict=True):
        runs = [m for m in result.measurements if m["kind"] == kind]
        for axes, quantity in zip(column, QUANTITIES, strict=True):
            _draw_quantity(axes, runs, quantity)
        _draw_changes(column[0], runs)
        column[0].set_title(NETWORKS[kind])
        column[0].legend(frameon=False, fontsize=8)
        column[-1].set_xlabel("optimizer step")
    for axes, words in zip(grid[:, 0], QUANTITIES.values(), strict=True):
        axes.set_ylabel(words.replace("exponent of the ", "exponent of the\n"))
    verdict = result.analysis.verdict.value
    figure.suptitle(f"The spectra of $W_h$ and $U_h V_h$ change in phases: {verdict}")
    figure.savefig(path, dpi=200)


def _draw_quantity(axes: Axes, runs: list[dict[str, Any]], quantity: str) -> None:
    """One line for each seed, and the end of the warm-up."""
    for run, colour in zip(runs, COLOURS, strict=False):
        steps, values = trajectory(run, quantity)
        axes.plot(steps, values, ".", color=colour, markersize=3.5, label=f"seed {run['seed']}")
        axes.plot(steps, values, color=colour, linewidth=0.6, alpha=0.6)
    axes.axvline(runs[0]["warmup"], color=GREY, linestyle=":", label="end of the warm-up")
    axes.set(xscale="log")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_changes(axes: Axes, runs: list[dict[str, Any]]) -> None:
    """The broken lines of the deciding quantity, and where their main changes are."""
    for run in runs:
        fitted = changes(run).fitted
        label = "broken line" if run is runs[0] else None
        axes.plot(trajectory(run, DECIDING)[0], fitted, color="black", linewidth=0.9, label=label)
    where = location([changes(run) for run in runs])
    if not is_open(where, 0.0):
        ends = (max(where.low, runs[0]["steps"][0]), min(where.high, runs[0]["steps"][-1]))
        axes.axvspan(*ends, color=GREY, alpha=0.2, label="main change, 95 %")
