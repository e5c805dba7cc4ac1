"""3.2: Does the amount of data matter?

Question. Does the ratio of rank to width beyond which a larger rank gains nothing depend on how
much text there is to learn from?

Prediction. The plan leaves it open.  Tested is that it does.  Theory points to a larger rank with
more data: the samples that suffice for a factored matrix grow linearly in its rank
(`occam_factored`), an upper bound that does not say what training finds.

Design. The sweep of 1.3 with ``W_h`` and ``W_x`` of one rank, at several shares of the text, at
four ratios and dense; the same steps, batches and seeds, so a smaller share is seen more often.  In
the profile ``cpu``, 100 % is as many bytes as a run reads, so each is read about once.  The best
ratio is the knee of the final validation loss (`spectral_rank.experiments.knee`); its logarithm is
regressed on the logarithm of the share for each seed.

Decision rule. As in ``RULE``.  With enough seeds every slope differs from 0; one within +-0.1 moves
the ratio by at most a quarter from 10 to 100 % of the data and counts as none, so that is asked
first.

Figure. The knee against the share with the fitted line, and the losses of each share.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectral_rank.experiments.bounded import (
    excludes_zero,
    exponentiated,
    in_words,
    lies_within,
    over_seeds,
    slope,
)
from spectral_rank.experiments.knee_figure import draw_ratios, error_bars, label_sweep
from spectral_rank.experiments.rank_sweep import (
    FEW_RATIOS,
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
from spectral_rank.figures.palette import BLUE, GREEN, GREY, ORANGE
from spectral_rank.training.run_settings import RunSettings
from spectral_rank.training.run_store import trained

ID = "3.2"
QUESTION = "Does the amount of data matter?"
PREDICTION = "Open; tested is that the best ratio of rank to width depends on the amount of data."
RULE = (
    "The knee of a seed and a share of the data is that of the hinge a + b max(0, log rho_k - log "
    "rho) of least squares through the final validation losses against the rank ratio rho, the "
    "dense network included; a knee at the edge of the ratios is only bounded, and the interval is "
    "open on that side. The slope of the log knee against the log share is fitted for each seed. "
    "Refuted if its 95 % interval over seeds lies within +-0.1; otherwise confirmed if it excludes "
    "0; undecided otherwise."
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
            config, ("both",), share=share, train_bytes=round(share * config.data_bytes)
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
    knees = [sweep_knees(config, measurements, share=share) for share in config.shares]
    logs = np.log(config.shares)
    slopes = [slope(logs, [k.bounded for k in each]) for each in zip(*knees, strict=True)]
    numbers = {SLOPE: over_seeds(slopes)}
    for share, found in zip(config.shares, knees, strict=True):
        ratio = exponentiated(over_seeds([knee.bounded for knee in found]))
        numbers[f"rank ratio at the knee, {share:.0%} of the data"] = ratio
    for share, found in zip(config.shares, knees, strict=True):
        name = f"share of variance that the hinge explains, {share:.0%} of the data"
        numbers[name] = mean_interval([knee.r_squared for knee in found])
    for share in config.shares:
        dense = chosen(measurements, share=share, family="dense")
        name = f"loss, dense, {share:.0%} of the data"
        numbers[name] = mean_interval([m["loss"] for m in dense])
    change = 10 ** numbers[SLOPE].value
    return Analysis(
        numbers=numbers,
        verdict=decide(numbers[SLOPE]),
        reason=(
            f"The slope is {in_words(numbers[SLOPE])}: ten times the data moves the knee by a "
            f"factor {change:.3g}."
            f"{edges_in_words([knee for each in knees for knee in each])}"
        ),
    )


def decide(slope: Interval) -> Verdict:
    """The rule, from the interval of the slope."""
    if lies_within(slope, NEGLIGIBLE):
        return Verdict.REFUTED
    return Verdict.CONFIRMED if excludes_zero(slope) else Verdict.UNDECIDED


def draw(result: ExperimentResult, path: Path) -> None:
    """Knee at the left, losses at the right."""
    settings = Settings.model_validate(result.config)
    figure = Figure(figsize=(8.8, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    knees = [sweep_knees(settings, result.measurements, share=share) for share in settings.shares]
    draw_ratios(left, settings.shares, knees, BLUE, "knee")
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
        sweep = sweep_of(measurements, "both", share=share)
        ratios = sorted({m["trained_ratio"] for m in sweep})
        found = [mean_interval([m["loss"] for m in chosen(sweep, trained_ratio=r)]) for r in ratios]
        # Side by side, so that no interval hides another.
        places = [ratio * 1.03 ** (place - 1.5) for ratio in ratios]
        error_bars(axes, places, found, color=colour, marker="o", label=f"{share:.0%} of the data")
    label_sweep(axes)
