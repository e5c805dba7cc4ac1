"""2.3: How do W_x and W_h interact?

Question. Low rank costs something in ``W_h`` and something in ``W_x``.  Does low rank in both cost
the sum of the two, less, or more?

Prediction. The plan states none.  Tested is that the costs add up.

Design. Four networks at each ratio of rank to width below 1: dense, only ``W_h`` of low rank, only
``W_x``, and both at the same rank; the same steps, batches and seeds.  The cost of a matrix is the
rise of the final validation loss over the dense network; the interaction is the loss of both minus
the loss of low-rank ``W_h``, minus the loss of low-rank ``W_x`` minus dense, which is the
interaction of a two by two factorial design.  Each is averaged over the ratios for each seed, so
that seeds are the independent units.

A matrix of low rank is a product of two factors, and factors cost something at full rank already
(see 1.3).  So the same three networks are trained at full rank, too: their costs and interaction
are those of factors alone.  What the interaction at low rank exceeds them by is reported, and does
not decide.  These networks were added after the first runs of 1.3 and 2.2; the rule is as it was.

Decision rule. As in ``RULE``.  With enough seeds every interaction differs from 0; one below a
tenth of the larger cost counts as additive, so that is asked first.

Figure. The costs of each matrix, of both, and their sum, against the rank ratio.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from spectral_rank.experiments.bounded import excludes_zero, in_words, lies_within
from spectral_rank.experiments.knee_figure import error_bars
from spectral_rank.experiments.rank_sweep import (
    FEW_RATIOS,
    FULL,
    Measurement,
    SweepSettings,
    chosen,
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
from spectral_rank.figures.palette import BLUE, GREEN, GREY, ORANGE
from spectral_rank.training.run_settings import RunSettings
from spectral_rank.training.run_store import trained

ID = "2.3"
QUESTION = "How do W_x and W_h interact?"
PREDICTION = "None stated; tested is that the costs of low rank in W_h and in W_x add up."
RULE = (
    "The cost of a matrix is the final validation loss with this matrix of low rank minus that "
    "of the dense network; the interaction is [L(both) - L(W_h)] - [L(W_x) - L(dense)]; each "
    "averaged over the rank ratios below 1 for a seed. Confirmed if the 95 % interval over seeds "
    "of the interaction lies within +-10 % of the larger mean cost (additive to that precision); "
    "otherwise refuted if it excludes 0; undecided otherwise."
)
THEOREMS: tuple[str, ...] = ()

MARGIN = 0.10
INTERACTION = "interaction, mean over ratios, nats per byte"
BEYOND = "interaction beyond that at full rank, mean over ratios, nats per byte"
COSTS = {
    "recurrent": "cost of low rank in W_h, mean over ratios, nats per byte",
    "input": "cost of low rank in W_x, mean over ratios, nats per byte",
}


class Settings(SweepSettings):
    """Ratios and the common sizes."""


def config(profile: Profile) -> Settings:
    """The sizes that all recurrent experiments share, at fewer ratios; on a GPU at all."""
    return Settings(**sizes(profile), ratios=FEW_RATIOS[profile])


def cells(config: Settings) -> list[Cell]:
    """The dense network, and each ratio and full rank with either or both matrices factored."""
    return sweep_cells(config, ("recurrent", "input", "both"))


def run_of(config: Settings, cell: Cell) -> RunSettings:
    """The training run of a cell."""
    return sweep_run(config, cell)


def run_cell(config: Settings, cell: Cell) -> dict[str, Any]:
    """The final loss; of the dense network the spectrum of ``W_h`` and its exponent, too."""
    return sweep_measurement(config, cell, trained(run_of(config, cell)).record)


def analyse(config: Settings, measurements: list[dict[str, Any]]) -> Analysis:
    """Costs and interaction, on average and at each ratio, and the verdict of the rule."""
    numbers = {INTERACTION: _averaged(config, measurements, interaction)}
    for family, name in COSTS.items():
        numbers[name] = _averaged(config, measurements, partial(cost, family=family))
    numbers["cost of low rank in both, mean over ratios, nats per byte"] = _averaged(
        config, measurements, partial(cost, family="both")
    )
    numbers[BEYOND] = _beyond_factors(config, measurements)
    for ratio in (*config.ratios, FULL):
        each = [interaction(_losses(measurements, seed, ratio)) for seed in config.seeds]
        numbers[at_ratio(ratio)] = mean_interval(each)
    for family in ("recurrent", "input", "both"):
        for ratio in (*config.ratios, FULL):
            each = [cost(_losses(measurements, seed, ratio), family) for seed in config.seeds]
            name = {"recurrent": "W_h", "input": "W_x", "both": "both"}[family]
            numbers[f"cost, {name}, ratio {ratio:g}, nats per byte"] = mean_interval(each)
    larger = max(abs(numbers[name].value) for name in COSTS.values())
    return Analysis(
        numbers=numbers,
        verdict=decide(numbers[INTERACTION], larger),
        reason=_words(config, numbers, larger),
    )


def _losses(measurements: list[Measurement], seed: int, ratio: float) -> dict[str, float]:
    """The losses of the four networks of a seed and a ratio, by family."""
    found = {m["family"]: m["loss"] for m in chosen(measurements, seed=seed, ratio=ratio)}
    return found | {m["family"]: m["loss"] for m in chosen(measurements, seed=seed, family="dense")}


def cost(losses: dict[str, float], family: str) -> float:
    """How much the loss rises over the dense network."""
    return losses[family] - losses["dense"]


def interaction(losses: dict[str, float]) -> float:
    """What low rank in both costs beyond the sum of the two costs."""
    return losses["both"] - losses["recurrent"] - losses["input"] + losses["dense"]


def _averaged(
    config: Settings,
    measurements: list[Measurement],
    quantity: Callable[[dict[str, float]], float],
) -> Interval:
    """The interval over seeds of the mean over ratios."""
    return mean_interval(
        [
            float(np.mean([quantity(_losses(measurements, seed, r)) for r in config.ratios]))
            for seed in config.seeds
        ]
    )


def _beyond_factors(config: Settings, measurements: list[Measurement]) -> Interval:
    """The interaction, mean over ratios, minus that of factors of full rank."""
    return mean_interval(
        [
            float(np.mean([interaction(_losses(measurements, seed, r)) for r in config.ratios]))
            - interaction(_losses(measurements, seed, FULL))
            for seed in config.seeds
        ]
    )


def decide(interaction: Interval, larger_cost: float) -> Verdict:
    """The rule, from the mean interaction and the absolute value of the larger mean cost."""
    if lies_within(interaction, MARGIN * larger_cost):
        return Verdict.CONFIRMED
    return Verdict.REFUTED if excludes_zero(interaction) else Verdict.UNDECIDED


def _words(config: Settings, numbers: dict[str, Interval], larger: float) -> str:
    found, first, last = numbers[INTERACTION], config.ratios[0], config.ratios[-1]
    recurrent, inputs = (numbers[name] for name in COSTS.values())
    meaning = "more" if found.value > 0 else "less"
    share = f", {abs(found.value) / larger:.0%} of the larger cost" if larger > 0 else ""
    return (
        f"Low rank costs {in_words(recurrent)} nats per byte in W_h and {in_words(inputs)} in W_x; "
        f"in both it costs {abs(found.value):.3g} {meaning} than the sum "
        f"(interaction {in_words(found)}{share}). It is {in_words(numbers[at_ratio(first)])} at "
        f"ratio {first:g} and {in_words(numbers[at_ratio(last)])} at {last:g}; beyond that of "
        f"factors at full rank it is {in_words(numbers[BEYOND])} on average."
    )


def at_ratio(ratio: float) -> str:
    """Name of the interaction at a ratio among the numbers."""
    return f"interaction, ratio {ratio:g}, nats per byte"


def draw(result: ExperimentResult, path: Path) -> None:
    """Cost against the ratio; where the sum and both agree, the costs add up."""
    settings = Settings.model_validate(result.config)
    shown = (*settings.ratios, FULL)
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    curves: tuple[tuple[str, str, Callable[[dict[str, float]], float]], ...] = (
        ("W_h of low rank", BLUE, partial(cost, family="recurrent")),
        ("W_x of low rank", ORANGE, partial(cost, family="input")),
        ("both of low rank", GREEN, partial(cost, family="both")),
        ("sum of W_h and W_x", GREY, lambda found: cost(found, "recurrent") + cost(found, "input")),
    )
    for place, (label, colour, quantity) in enumerate(curves):
        found = [
            mean_interval(
                [quantity(_losses(result.measurements, seed, ratio)) for seed in settings.seeds]
            )
            for ratio in shown
        ]
        # Side by side, so that no interval hides another.
        ratios = [ratio * 1.02 ** (place - 1.5) for ratio in shown]
        style = ":" if colour == GREY else "-"
        error_bars(axes, ratios, found, color=colour, marker="o", label=label, linestyle=style)
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set(xscale="log", xlabel="rank over width")
    axes.set_ylabel("rise of the validation loss over dense, nats per byte")
    axes.set_xticks(shown, labels=[f"{ratio:g}" for ratio in shown])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    verdict = result.analysis.verdict.value
    axes.set_title(f"The costs of low rank in W_h and W_x add up: {verdict}", fontsize=10)
    figure.savefig(path, dpi=200)
