"""3.1: Is the best ratio scale free?

Question. Does the ratio of rank to width beyond which a larger rank gains nothing depend on the
width?

Prediction. No: ``r*/d`` is constant in ``d``.

Design. The sweep of 1.3 with ``W_h`` and ``W_x`` of one rank, at several widths, each at the same
ratios, with the same steps, batches and seeds; the learning rate falls with the square root of the
width.  The best ratio is the knee of the final validation loss (`spectral_rank.experiments.knee`).
Its logarithm is regressed on the logarithm of the width for each seed.  Beside it stands the
exponent of the power law forced through the dense ``W_h`` of each width.

Wider networks have more parameters and train for the same number of steps, so they end further from
their plateau; the answer is for a fixed amount of data.

What theory adds.  Where the best rank is one that captures a given share of the energy of a
power-law spectrum, the ratio has a positive limit only for ``alpha < 1/2``
(`captureRank_ratio_tendsto`), and goes to 0 above (`captureRank_ratio_tendsto_zero`).  Under the
adequacy reading it is constant for every ``alpha > 1/2`` (`optimalRank_ratio_tendsto`).

Decision rule. As in ``RULE``.

Figure. The knee against the width with the fitted line, and the exponent of ``W_h`` beside it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectral_rank.certify.request import InstanceRequest
from spectral_rank.experiments.bounded import (
    excludes_zero,
    exponentiated,
    in_words,
    over_seeds,
    slope,
)
from spectral_rank.experiments.exponents import interval_over_seeds
from spectral_rank.experiments.knee_figure import draw_ratios, error_bars
from spectral_rank.experiments.rank_sweep import (
    FEW_RATIOS,
    SweepSettings,
    chosen,
    dense_exponents,
    dense_verdicts,
    edges_in_words,
    sweep_cells,
    sweep_knees,
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
from spectral_rank.experiments.sweep_instances import dense_request
from spectral_rank.figures.palette import BLUE, GREY, ORANGE
from spectral_rank.training.run_settings import RunSettings
from spectral_rank.training.run_store import trained

ID = "3.1"
QUESTION = "Is the best ratio scale free?"
PREDICTION = "Yes: the best ratio of rank to width does not depend on the width."
RULE = (
    "The knee of a seed and a width is that of the hinge a + b max(0, log rho_k - log rho) of "
    "least squares through the final validation losses against the rank ratio rho, the dense "
    "network included; a knee at the edge of the ratios is only bounded, and the interval is open "
    "on that side. The slope of the log knee against the log width is fitted for each seed. "
    "Confirmed if its 95 % interval over seeds contains 0 and lies within +-0.25 of its mean; "
    "refuted if it excludes 0; undecided otherwise."
)
THEOREMS = (
    "captureRank_ratio_tendsto",
    "captureRank_ratio_tendsto_zero",
    "optimalRank_ratio_tendsto",
)

PRECISION = 0.25
SLOPE = "slope of the log knee against the log width"


class Settings(SweepSettings):
    """Ratios, widths and the common sizes.

    Attributes:
        widths: widths that are compared, increasing.
    """

    widths: tuple[int, ...]


def config(profile: Profile) -> Settings:
    """Widths of the plan, at four ratios; on a GPU at all."""
    widths = {"smoke": (20, 24), "cpu": (64, 128, 256, 512), "gpu": (256, 512, 1024, 2048)}
    return Settings(**sizes(profile), ratios=FEW_RATIOS[profile], widths=widths[profile])


def cells(config: Settings) -> list[Cell]:
    """A sweep for each width; the widest first, since it takes longest."""
    return [
        cell
        for width in reversed(config.widths)
        for cell in sweep_cells(config, ("both",), width=width)
    ]


def run_of(config: Settings, cell: Cell) -> RunSettings:
    """The training run of a cell."""
    return sweep_run(config, cell)


def run_cell(config: Settings, cell: Cell) -> dict[str, Any]:
    """The final loss; of a dense network the spectrum of ``W_h`` and its exponent, too."""
    return sweep_measurement(config, cell, trained(run_of(config, cell)).record)


def analyse(config: Settings, measurements: list[dict[str, Any]]) -> Analysis:
    """Knees and exponents of all widths, the slope, and the verdict of the rule."""
    knees = [sweep_knees(config, measurements, width=width) for width in config.widths]
    logs = [math.log(width) for width in config.widths]
    slopes = [slope(logs, [k.bounded for k in each]) for each in zip(*knees, strict=True)]
    numbers = {SLOPE: over_seeds(slopes)}
    for width, found in zip(config.widths, knees, strict=True):
        ratio = exponentiated(over_seeds([knee.bounded for knee in found]))
        numbers[knee_at(width)] = ratio
    alphas = {}
    for width in config.widths:
        alpha = interval_over_seeds(dense_exponents(config, measurements, width=width))
        if alpha is not None:
            alphas[width] = numbers[alpha_at(width)] = alpha
    for width, found in zip(config.widths, knees, strict=True):
        name = f"share of variance that the hinge explains, width {width}"
        numbers[name] = mean_interval([knee.r_squared for knee in found])
    for width in config.widths:
        dense = chosen(measurements, width=width, family="dense")
        numbers[f"loss, dense, width {width}"] = mean_interval([m["loss"] for m in dense])
    return Analysis(
        numbers=numbers,
        verdict=decide(numbers[SLOPE]),
        reason=(
            f"The slope is {in_words(numbers[SLOPE])}; "
            f"{_theory(alphas)} What explains dense W_h: {dense_verdicts(measurements)}."
            f"{edges_in_words([knee for found in knees for knee in found])}"
        ),
    )


def knee_at(width: int) -> str:
    """Name of the knee among the numbers."""
    return f"rank ratio at the knee, width {width}"


def alpha_at(width: int) -> str:
    """Name of the exponent among the numbers."""
    return f"forced exponent of dense W_h, width {width}"


def decide(slope: Interval) -> Verdict:
    """The rule, from the interval of the slope."""
    if excludes_zero(slope):
        return Verdict.REFUTED
    if slope.high - slope.value <= PRECISION and slope.value - slope.low <= PRECISION:
        return Verdict.CONFIRMED
    return Verdict.UNDECIDED


def _theory(alphas: dict[int, Interval]) -> str:
    """What the theorems say at the measured exponents."""
    if not alphas:
        return "W_h has too few singular values for an exponent."
    shown = ", ".join(f"{in_words(alpha)} at width {width}" for width, alpha in alphas.items())
    if all(alpha.high < 0.5 for alpha in alphas.values()):
        meaning = "below 1/2, where a constant ratio captures a given share of the energy"
    elif all(alpha.low > 0.5 for alpha in alphas.values()):
        meaning = "above 1/2, where the ratio that captures a given share of the energy goes to 0"
    else:
        meaning = "not on one side of 1/2 with confidence, so theory takes no side"
    return f"alpha of W_h is {shown}: {meaning}."


def instances(result: ExperimentResult) -> list[InstanceRequest]:
    """The dense ``W_h`` of each width at the rank of its knee."""
    settings = Settings.model_validate(result.config)
    numbers = result.analysis.numbers
    return [
        request
        for width in settings.widths
        for request in dense_request(
            settings,
            result,
            f"W_h width {width}",
            numbers.get(alpha_at(width)),
            numbers[knee_at(width)],
            width=width,
        )
    ]


def draw(result: ExperimentResult, path: Path) -> None:
    """Knee at the left, exponent at the right."""
    settings = Settings.model_validate(result.config)
    figure = Figure(figsize=(8.8, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    knees = [sweep_knees(settings, result.measurements, width=width) for width in settings.widths]
    draw_ratios(left, settings.widths, knees, BLUE, "knee")
    left.legend(frameon=False, fontsize=8)
    _draw_exponents(right, settings, result.analysis.numbers)
    for axes in (left, right):
        axes.set_xlabel("width")
        axes.spines[["top", "right"]].set_visible(False)
    verdict = result.analysis.verdict.value
    figure.suptitle(f"The best ratio of rank to width does not depend on the width: {verdict}")
    figure.savefig(path, dpi=200)


def _draw_exponents(axes: Axes, settings: Settings, numbers: dict[str, Interval]) -> None:
    known = [width for width in settings.widths if alpha_at(width) in numbers]
    found = {width: numbers[alpha_at(width)] for width in known}
    error_bars(axes, list(found), list(found.values()), color=ORANGE, marker="o")
    axes.axhline(0.5, color=GREY, linestyle="--", label="1/2: above, the capture ratio goes to 0")
    axes.set(xscale="log", ylabel="forced exponent of dense W_h")
    axes.set_xticks(settings.widths, labels=[f"{width}" for width in settings.widths])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=8)
