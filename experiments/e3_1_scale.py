"""3.1: Is the best ratio scale free?

Question. Does the ratio of rank to width beyond which a larger rank gains nothing depend on the
width?

Prediction. No: ``r*/d`` is constant in ``d``.

Design. The sweep of 1.3 with ``W_h`` factored and ``W_x`` dense, at several widths, each at the
same ratios, with the same steps, batches and seeds; the learning rate falls with the square root of
the width.  The best ratio is the knee of the final validation loss of the factored networks
(`spectral_rank.experiments.knee`).  Its logarithm is regressed on the logarithm of the width for
each seed.  Beside it stands the exponent of the power law forced through the dense ``W_h`` of each
width.

Why ``W_x`` stays dense.  In the first layer it acts on embedded bytes, which span at most as many
directions as the text has different bytes (about 100 make up all but 1 in 10,000 of the default
text), whatever the width.  Low rank in ``W_x`` costs nothing from that absolute rank on, so in a
wide network it costs less at the same ratio, and a knee of both matrices would move with the width
by construction.

Wider networks have more parameters and train for the same number of steps, so they end further from
their plateau; the answer is for a fixed amount of data.

What theory adds.  Where the best rank is one that captures a given share of the energy of a
power-law spectrum, the ratio tends to a positive constant for ``alpha < 1/2``
(`captureRank_ratio_tendsto`), and to 0 above (`captureRank_ratio_tendsto_zero`).  Under the
adequacy reading it tends to a positive constant for every ``alpha > 1/2``
(`optimalRank_ratio_tendsto`).

What changed before the first run, after those of 1.3 and 2.2: ``W_x`` was of low rank as well, and
the dense network was the point of ratio 1 of each sweep, on whose curve it does not lie (see 1.3).
Three seeds instead of five, for the time it takes.

What changed after the run.  At width 512 factors of full rank do not train at this rate: the loss
falls from ratio 0.05 to 0.17 and is far higher at ratio 1, so that no hinge explains anything.  The
knee was then taken to be at most the least ratio, which the losses do not say, and the slope to be
at most -0.76: refuted.  Such a sweep now says nothing of its knee, and the verdict of the same
measurements is weaker.  The slope over the other widths is reported.

Decision rule. As in ``RULE``.  The plan asks only whether the slope's interval contains 0; that
there are knees, and that the interval is not too wide, is asked beside it.

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
    Bounded,
    excludes_zero,
    in_words,
    labelled,
    over_seeds,
    slope,
)
from spectral_rank.experiments.exponents import interval_over_seeds
from spectral_rank.experiments.knee import Knee
from spectral_rank.experiments.knee_figure import draw_ratios, error_bars
from spectral_rank.experiments.rank_sweep import (
    FEW_RATIOS,
    FULL,
    SweepSettings,
    chosen,
    dense_exponents,
    dense_verdicts,
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
from spectral_rank.experiments.sweep_instances import dense_request
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
from spectral_rank.figures.palette import BLUE, GREY, ORANGE
from spectral_rank.training.run_settings import RunSettings
from spectral_rank.training.run_store import trained

ID = "3.1"
QUESTION = "Is the best ratio scale free?"
PREDICTION = "Yes: the best ratio of rank to width does not depend on the width."
RULE = (
    f"{KNEE_RULE} What decides are the networks with W_h alone factored. The slope of the log "
    "knee against the log width is fitted for each seed. Undecided unless a knee is preferred in "
    "more than half of the sweeps. Then confirmed if the slope's 95 % interval over seeds "
    "contains 0 and lies within +-0.25 of its mean; refuted if it excludes 0; undecided "
    "otherwise."
)
THEOREMS = (
    "captureRank_ratio_tendsto",
    "captureRank_ratio_tendsto_zero",
    "optimalRank_ratio_tendsto",
)

PRECISION = 0.25
SLOPE = "slope of the log knee against the log width"
SLOPE_ELSEWHERE = f"{SLOPE}, without widths whose sweeps are no hinge"


class Settings(SweepSettings):
    """Ratios, widths and the common sizes.

    Attributes:
        widths: widths that are compared, increasing.
    """

    widths: tuple[int, ...]


def config(profile: Profile) -> Settings:
    """Widths of the plan, at fewer ratios than in 1.3; on a GPU at all.  Three seeds."""
    widths = {"smoke": (20, 24), "cpu": (64, 128, 256, 512), "gpu": (256, 512, 1024, 2048)}
    common = sizes(profile)
    # Four sweeps, one of them of wide networks, take as long as all others together.
    common["seeds"] = common["seeds"][:3]
    return Settings(**common, ratios=FEW_RATIOS[profile], widths=widths[profile])


def cells(config: Settings) -> list[Cell]:
    """A sweep for each width; the widest first, since it takes longest."""
    return [
        cell
        for width in reversed(config.widths)
        for cell in sweep_cells(config, ("recurrent",), width=width)
    ]


def run_of(config: Settings, cell: Cell) -> RunSettings:
    """The training run of a cell."""
    return sweep_run(config, cell)


def run_cell(config: Settings, cell: Cell) -> dict[str, Any]:
    """The final loss; of a dense network the spectrum of ``W_h`` and its exponent, too."""
    return sweep_measurement(config, cell, trained(run_of(config, cell)).record)


def analyse(config: Settings, measurements: list[dict[str, Any]]) -> Analysis:
    """Knees and exponents of all widths, the slope, and the verdict of the rule."""
    knees = _knees(config, measurements)
    every = [knee for found in knees.values() for knee in found]
    slopes = _slopes(knees)
    found = over_seeds(slopes)
    numbers = {labelled(SLOPE, slopes): found}
    located = {w: each for w, each in knees.items() if all(k.edge != "nowhere" for k in each)}
    elsewhere = _slopes(located) if 2 <= len(located) < len(knees) else []
    if elsewhere:
        numbers[labelled(SLOPE_ELSEWHERE, elsewhere)] = over_seeds(elsewhere)
    numbers |= {knee_label(knee_at(width), each): knee_ratio(each) for width, each in knees.items()}
    for width, each in knees.items():
        numbers[f"BIC of a smooth power over that of the hinge, width {width}"] = preference(each)
    alphas = {}
    for width in config.widths:
        alpha = interval_over_seeds(dense_exponents(config, measurements, width=width))
        if alpha is not None:
            alphas[width] = numbers[alpha_at(width)] = alpha
    for width in config.widths:
        numbers |= _losses(config, measurements, width)
    for width, each in knees.items():
        share = explained_share(each)
        numbers[f"share of variance that the hinge explains, width {width}"] = share
    has_knee = most_are_preferred(every)
    return Analysis(
        numbers=numbers,
        verdict=decide(found, has_knee),
        reason=f"The slope is {in_words(found)}{_elsewhere(elsewhere, list(located))}; "
        f"{_theory(alphas)} What explains dense W_h: {dense_verdicts(measurements)}."
        f"{knees_in_words(every)}{'' if has_knee else NO_KNEE}",
    )


def _slopes(knees: dict[int, list[Knee]]) -> list[Bounded]:
    """The slope for each seed, from the knees of all seeds at each width."""
    logs = [math.log(width) for width in knees]
    return [slope(logs, [k.bounded for k in each]) for each in zip(*knees.values(), strict=True)]


def _elsewhere(slopes: list[Bounded], located: list[int]) -> str:
    """The slope over the widths that have knees, in words."""
    if not slopes:
        return ""
    return f" (over widths {located[0]} to {located[-1]}: {in_words(over_seeds(slopes))})"


def _knees(config: Settings, measurements: list[dict[str, Any]]) -> dict[int, list[Knee]]:
    """For each width the knees of all seeds."""
    return {
        width: sweep_knees(config, measurements, "recurrent", width=width)
        for width in config.widths
    }


def _losses(
    config: Settings, measurements: list[dict[str, Any]], width: int
) -> dict[str, Interval]:
    """What factors cost by themselves, and the loss of every network of a width, over seeds."""
    cost = factoring_cost(config, measurements, "recurrent", width=width)
    found = {f"cost of factors of full rank, width {width}, nats per byte": cost}
    dense = chosen(measurements, width=width, family="dense")
    found[f"loss, dense, width {width}"] = mean_interval([m["loss"] for m in dense])
    for ratio in (*config.ratios, FULL):
        runs = chosen(measurements, width=width, family="recurrent", ratio=ratio)
        found[f"loss, ratio {ratio:g}, width {width}"] = mean_interval([m["loss"] for m in runs])
    return found


def knee_at(width: int) -> str:
    """Name of the knee among the numbers."""
    return f"rank ratio at the knee, width {width}"


def alpha_at(width: int) -> str:
    """Name of the exponent among the numbers."""
    return f"forced exponent of dense W_h, width {width}"


def decide(slope: Interval, has_knee: bool) -> Verdict:
    """The rule, from the slope and whether a knee is preferred in more than half of the sweeps."""
    if not has_knee:
        return Verdict.UNDECIDED
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
        meaning = (
            "below 1/2, where the ratio that captures a given share of the energy tends to a "
            "positive constant"
        )
    elif all(alpha.low > 0.5 for alpha in alphas.values()):
        meaning = "above 1/2, where the ratio that captures a given share of the energy tends to 0"
    else:
        meaning = "not on one side of 1/2 with confidence, so theory takes no side"
    return f"alpha of W_h is {shown}: {meaning}."


def instances(result: ExperimentResult) -> list[InstanceRequest]:
    """The dense ``W_h`` of each width at the rank of its knee."""
    settings = Settings.model_validate(result.config)
    numbers = result.analysis.numbers
    return [
        request
        for width, knees in _knees(settings, result.measurements).items()
        for request in dense_request(
            settings,
            result,
            f"W_h width {width}",
            numbers.get(alpha_at(width)),
            knees,
            width=width,
        )
    ]


def draw(result: ExperimentResult, path: Path) -> None:
    """Knee at the left, exponent at the right."""
    settings = Settings.model_validate(result.config)
    figure = Figure(figsize=(8.8, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    knees = _knees(settings, result.measurements)
    draw_ratios(left, list(knees), list(knees.values()), BLUE)
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
    axes.axhline(0.5, color=GREY, linestyle="--", label="1/2: above, the capture ratio tends to 0")
    axes.set(xscale="log", ylabel="forced exponent of dense W_h")
    axes.set_xticks(settings.widths, labels=[f"{width}" for width in settings.widths])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=8)
