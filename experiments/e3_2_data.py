"""3.2: Does the amount of data matter?

Question. Does the ratio of rank to width beyond which a larger rank gains nothing depend on how
much text there is to learn from?

Prediction. The plan leaves it open.  Tested is that it does.  Theory points to a larger rank with
more data: the samples that suffice for a factored matrix grow linearly in its rank
(`occam_factored`), an upper bound that does not say what training finds.

Design. The sweep of 1.3 with ``W_h`` factored and ``W_x`` dense (3.1 says why), at several shares
of the text; the same steps and batch sizes, so a smaller share is seen more often.  A share is a
random sample of blocks of the training text, drawn by the run's seed, so that each seed has a text
of its own and the interval over seeds is about the choice of the text, too.  In the profile
``cpu``, 100 % is as many bytes as a run reads, so each is read about once.  The best ratio is the
knee of the final validation loss of the factored networks (`spectral_rank.experiments.knee`); its
logarithm is regressed on the logarithm of the share for each seed.

What changed before the first run, after those of 1.3 and 2.2: ``W_x`` was of low rank as well; the
dense network was the point of ratio 1 of each sweep, on whose curve it does not lie (see 1.3); and
a share was the beginning of the text, the same for all seeds.

Decision rule. As in ``RULE``.  The plan asks for the trend alone; that there are knees is asked
beside it.  With enough seeds every slope differs from 0; one within +-0.1 moves
the ratio by at most a quarter from 10 to 100 % of the data and counts as none, so that is asked
first.

Figure. The knee against the share with the fitted line, and the losses of each share.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectral_rank.experiments.bounded import (
    excludes_zero,
    exponentiated,
    in_words,
    is_open,
    labelled,
    lies_within,
    over_seeds,
    slope,
)
from spectral_rank.experiments.knee import Knee
from spectral_rank.experiments.knee_figure import (
    draw_ratios,
    error_bars,
    label_sweep,
    losses_by_ratio,
)
from spectral_rank.experiments.rank_sweep import (
    FEW_RATIOS,
    FULL,
    SweepSettings,
    chosen,
    factoring_cost,
    sweep_cells,
    sweep_measurement,
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
from spectral_rank.figures.palette import BLUE, GREEN, GREY, ORANGE
from spectral_rank.training.run_settings import RunSettings
from spectral_rank.training.run_store import trained

ID = "3.2"
QUESTION = "Does the amount of data matter?"
PREDICTION = "Open; tested is that the best ratio of rank to width depends on the amount of data."
RULE = (
    f"{KNEE_RULE} What decides are the networks with W_h alone factored. The slope of the log "
    "knee against the log share of the data is fitted for each seed. Undecided unless a knee is "
    "preferred in more than half of the sweeps. Then refuted if the slope's 95 % interval over "
    "seeds lies within +-0.1; otherwise confirmed if it excludes 0; undecided otherwise."
)
THEOREMS = ("occam_factored",)

NEGLIGIBLE = 0.1
SLOPE = "slope of the log knee against the log share of the data"
COLOURS = (BLUE, ORANGE, GREEN, GREY)
DEFAULT_TEXT = 10_000_000
"""Bytes that count as all data at the sizes of the plan: the default text has 11 million."""


class Settings(SweepSettings):
    """Ratios, shares and the common sizes.

    Attributes:
        shares: shares of the data, increasing, the last is 1.
        data_bytes: bytes of the training text that count as all data.
    """

    shares: tuple[float, ...]
    data_bytes: int


def config(profile: Profile) -> Settings:
    """All data are the bytes that a run reads, but on a GPU what the default text has."""
    common = sizes(profile)
    read = common["steps"] * common["batch"] * common["length"]
    data_bytes = min(read, DEFAULT_TEXT)
    shares = (0.25, 1.0) if profile == "smoke" else (0.10, 0.25, 0.50, 1.0)
    ratios = FEW_RATIOS[profile]
    return Settings(**common, ratios=ratios, shares=shares, data_bytes=data_bytes)


def cells(config: Settings) -> list[Cell]:
    """A sweep for each share."""
    return [
        cell
        for share in config.shares
        for cell in sweep_cells(
            config, ("recurrent",), share=share, train_bytes=round(share * config.data_bytes)
        )
    ]


def run_of(config: Settings, cell: Cell) -> RunSettings:
    """The training run of a cell."""
    return sweep_run(config, cell)


def run_cell(config: Settings, cell: Cell) -> dict[str, Any]:
    """The final loss; of a dense network the spectrum of ``W_h`` and its exponent, too."""
    return sweep_measurement(config, cell, trained(run_of(config, cell)).record)


def analyse(config: Settings, measurements: list[dict[str, Any]]) -> Analysis:
    """Knees of all shares, the slope, and the verdict of the rule."""
    knees = _knees(config, measurements)
    every = [knee for found in knees.values() for knee in found]
    logs = np.log(config.shares)
    slopes = [slope(logs, [k.bounded for k in each]) for each in zip(*knees.values(), strict=True)]
    found = over_seeds(slopes)
    numbers = {labelled(SLOPE, slopes): found}
    for share, each in knees.items():
        numbers[knee_label(f"rank ratio at the knee, {_named(share)}", each)] = knee_ratio(each)
    for share, each in knees.items():
        numbers[f"BIC of a smooth power over that of the hinge, {_named(share)}"] = preference(each)
    for share in config.shares:
        numbers |= _losses(config, measurements, share)
    for share, each in knees.items():
        explained = explained_share(each)
        numbers[f"share of variance that the hinge explains, {_named(share)}"] = explained
    has_knee = most_are_preferred(every)
    return Analysis(
        numbers=numbers,
        verdict=decide(found, has_knee),
        reason=f"{_words(found)}{knees_in_words(every)}{'' if has_knee else NO_KNEE}",
    )


def _knees(config: Settings, measurements: list[dict[str, Any]]) -> dict[float, list[Knee]]:
    """For each share the knees of all seeds."""
    return {
        share: sweep_knees(config, measurements, "recurrent", share=share)
        for share in config.shares
    }


def _named(share: float) -> str:
    return f"{share:.0%} of the data"


def _losses(
    config: Settings, measurements: list[dict[str, Any]], share: float
) -> dict[str, Interval]:
    """What factors cost by themselves, and the loss of every network of a share, over seeds."""
    cost = factoring_cost(config, measurements, "recurrent", share=share)
    found = {f"cost of factors of full rank, {_named(share)}, nats per byte": cost}
    dense = chosen(measurements, share=share, family="dense")
    found[f"loss, dense, {_named(share)}"] = mean_interval([m["loss"] for m in dense])
    for ratio in (*config.ratios, FULL):
        runs = chosen(measurements, share=share, family="recurrent", ratio=ratio)
        found[f"loss, ratio {ratio:g}, {_named(share)}"] = mean_interval([m["loss"] for m in runs])
    return found


def decide(slope: Interval, has_knee: bool) -> Verdict:
    """The rule, from the slope and whether a knee is preferred in more than half of the sweeps."""
    if not has_knee:
        return Verdict.UNDECIDED
    if lies_within(slope, NEGLIGIBLE):
        return Verdict.REFUTED
    return Verdict.CONFIRMED if excludes_zero(slope) else Verdict.UNDECIDED


def _words(slope: Interval) -> str:
    words = f"The slope is {in_words(slope)}"
    if is_open(slope):
        return f"{words}."
    tenfold = slope.model_copy(
        update={name: math.log(10) * getattr(slope, name) for name in ("value", "low", "high")}
    )
    factor = in_words(exponentiated(tenfold))
    return f"{words}: ten times the data moves the knee by a factor {factor}."


def draw(result: ExperimentResult, path: Path) -> None:
    """Knee at the left, losses at the right."""
    settings = Settings.model_validate(result.config)
    figure = Figure(figsize=(8.8, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    knees = _knees(settings, result.measurements)
    draw_ratios(left, list(knees), list(knees.values()), BLUE)
    left.set_xlabel("share of the data")
    _draw_losses(right, settings, result.measurements)
    for axes in (left, right):
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    verdict = result.analysis.verdict.value
    figure.suptitle(f"The best ratio of rank to width depends on the amount of data: {verdict}")
    figure.savefig(path, dpi=200)


def _draw_losses(axes: Axes, settings: Settings, measurements: list[dict[str, Any]]) -> None:
    for place, (share, colour) in enumerate(zip(settings.shares, COLOURS, strict=False)):
        ratios, found = losses_by_ratio(chosen(measurements, family="recurrent", share=share))
        # Side by side, so that no interval hides another.
        places = [ratio * 1.03 ** (place - 1.5) for ratio in ratios]
        error_bars(axes, places, found, color=colour, marker="o", label=_named(share))
    label_sweep(axes)
