"""4.3: What learning rate suits a rank?

Question. How does the best learning rate of a recurrent network depend on the rank of its matrices?

Prediction. Weakly: it lies between 1 and 2 times that of rank one (`optimalLearningRate_bounds`).
That theorem is about gradient descent with a constant rate on a quadratic, whose curvatures are the
squares of a power law with the largest held at 1.  Here a network is trained by AdamW with warm-up,
cosine and clipping, and nothing holds its largest curvature fixed; so what is tested is whether the
theorem's answer carries over, not the theorem.

Design. Elman networks over bytes: rank one, three ratios of rank to width, and products ``U V`` of
full rank; with ``W_h`` and ``W_x`` of that rank (this decides) and with ``W_h`` alone.  Each is
trained at rates that double from one to the next, from the same seeds for the same steps.  The best
rate of a seed is the vertex of the parabola, in the logarithm of the rate, through the least final
validation loss and its neighbours (`spectral_rank.experiments.optimal_rate`).  At an end of the
rates it is only bounded, and all that follows from it is open on that side.  A run that diverges
has an infinite loss.

The range of the rates was chosen after trial runs of seed 100, which is not used here, so that the
optimum is inside: there the best of the rates tried was 0.032 at rank one and 0.016 for the dense
network.  The rule was written before them.

1.3 trains all ranks at one rate.  What a larger rank gains at the best rate of each is reported
here, the least loss of a rank minus that of full rank.  It was added after the run and does not
decide.

The dense network learns the entries of its matrices and the others learn products ``U V``, in which
a step of the optimizer is another one.  Its best rate would mix rank and parametrisation, so it is
reported and does not decide.

Decision rule. As in ``RULE``.  A rate that does not depend on the rank at all has the ratio 1, the
lower end of the prediction, and an interval around it is undecided.

Figure. Loss against learning rate for each rank, and the best rate against the rank with the
predicted band and, where its exponent is not only bounded, the fitted power.  A best rate that is
only bounded has an arrow towards where it may lie.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectral_rank.experiments.bounded import (
    Bounded,
    combination,
    exponentiated,
    in_words,
    is_open,
    over_seeds,
    slope,
)
from spectral_rank.experiments.exponents import significant
from spectral_rank.experiments.optimal_rate import Optimum, optimal_rate
from spectral_rank.experiments.rank_sweep import INPUT, RECURRENT, Family
from spectral_rank.experiments.record import (
    Analysis,
    Cell,
    ExperimentResult,
    Interval,
    Profile,
    Verdict,
    mean_interval,
)
from spectral_rank.experiments.recurrent import RecurrentSettings, rank_of, run_settings, sizes
from spectral_rank.figures.palette import BLUE, GREEN, GREY, ORANGE
from spectral_rank.training.errors import DivergedError
from spectral_rank.training.run_settings import RunSettings
from spectral_rank.training.run_store import trained

ID = "4.3"
QUESTION = "What learning rate suits a rank?"
PREDICTION = "Weak dependence: between 1 and 2 times the best rate of rank one."
RULE = (
    "The best rate of a rank and a seed is the vertex of the parabola, in the logarithm of the "
    "rate, through the best rate tried and its neighbours; at an end of the rates it is only "
    "bounded. Its ratio to that of rank one of the same seed, W_h and W_x of one rank, has a 95 % "
    "interval over seeds (of its logarithm; open where it is only bounded). Confirmed if that of "
    "every rank above one, full rank included, lies within [1, 2]; refuted if that of one rank "
    "lies wholly outside (the intervals are not corrected for their number: one of four 95 % "
    "intervals refutes); undecided otherwise."
)
THEOREMS = ("optimalLearningRate_bounds",)

RATES: dict[Profile, tuple[float, ...]] = {
    "smoke": (2e-3, 8e-3, 3.2e-2),
    "cpu": tuple(4e-3 * 2.0**k for k in range(6)),
    "gpu": tuple(2.5e-4 * 2.0**k for k in range(9)),
}
"""Learning rates of a profile; on a GPU, where nothing was tried, over a wider range."""
BAND = (1.0, 2.0)
ARROW = 1.6
"""Factor in the rate over which an arrow reaches in the figure."""
FAMILIES: dict[Family, str] = {"both": "W_h and W_x", "recurrent": "W_h alone"}
COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", GREY)
"""Of the ranks, from the Okabe-Ito palette."""

Measurements = list[dict[str, Any]]


class Settings(RecurrentSettings):
    """Sizes of the experiment.

    Attributes:
        ratios: ratios of rank to width between rank one and full rank, increasing.
        rates: learning rates, increasing.
    """

    ratios: tuple[float, ...]
    rates: tuple[float, ...]

    def ranks(self) -> list[int]:
        """The ranks of the products, from 1 to the width."""
        return sorted({1, *(rank_of(ratio, self.width) for ratio in self.ratios), self.width})


def config(profile: Profile) -> Settings:
    """Half the steps of the other experiments (cpu), or a quarter (gpu)."""
    common = sizes(profile)
    if profile == "smoke":
        return Settings(**common, ratios=(), rates=RATES[profile])
    common["steps"] //= 2 if profile == "cpu" else 4
    common["seeds"] = common["seeds"][:3]
    return Settings(**common, ratios=(0.05, 0.17, 0.30), rates=RATES[profile])


def cells(config: Settings) -> list[Cell]:
    """Each rank in both families, and the dense network; each rate and seed."""
    networks = [{"family": "dense", "rank": config.width}]
    networks += [{"family": family, "rank": rank} for rank in config.ranks() for family in FAMILIES]
    return [
        network | {"rate": rate, "seed": seed}
        for network in networks
        for rate in config.rates
        for seed in config.seeds
    ]


def run_of(config: Settings, cell: Cell) -> RunSettings:
    """The training run of a cell; spectra and gradients only at the start and the end."""
    family, rank = cell["family"], cell["rank"]
    return run_settings(
        config,
        cell["seed"],
        recurrent_rank=rank if family in RECURRENT else None,
        input_rank=rank if family in INPUT else None,
        learning_rate=cell["rate"],
        snapshots=1,
    )


def run_cell(config: Settings, cell: Cell) -> dict[str, Any]:
    """The final validation loss; ``None`` if the run diverged, which is an answer here."""
    try:
        return cell | {"loss": significant(trained(run_of(config, cell)).record.final_loss)}
    except DivergedError:
        return cell | {"loss": None}


def analyse(config: Settings, measurements: Measurements) -> Analysis:
    """Ratios, exponents, best rates, what rates and ranks cost, and the verdict of the rule."""
    best = {family: optima(config, sweep_of(measurements, family)) for family in FAMILIES}
    ratios = {family: ratios_to_rank_one(found) for family, found in best.items()}
    numbers: dict[str, Interval] = {}
    for family, words in FAMILIES.items():
        for rank, ratio in ratios[family].items():
            numbers[f"best rate over that of rank one, {words}, {_named(config, rank)}"] = ratio
        laws = [power_of_rank(best[family], seed) for seed in range(len(config.seeds))]
        numbers[f"exponent p of the best rate c r^p, {words}"] = over_seeds([p for p, _ in laws])
        numbers |= _cost(config, sweep_of(measurements, family), words)
        numbers[f"c of the best rate c r^p, {words}"] = exponentiated(
            over_seeds([c for _, c in laws])
        )
    for family, words in FAMILIES.items():
        for rank, found in best[family].items():
            name = f"best rate, {words}, {_named(config, rank)}"
            numbers[name] = _over_seeds([optimum.log_rate for optimum in found])
    dense = [
        optimal_rate(
            config.rates, _losses(config, sweep_of(measurements, "dense"), config.width, s)
        )
        for s in config.seeds
    ]
    numbers["best rate, dense"] = _over_seeds([optimum.log_rate for optimum in dense])
    for family, words in FAMILIES.items():
        for rank, excess in excesses(best[family]).items():
            numbers[_excess_label(words, _named(config, rank))] = excess
    reason = _words(config, ratios["both"], numbers)
    return Analysis(numbers=numbers, verdict=decide(ratios["both"]), reason=reason)


def sweep_of(measurements: Measurements, family: Family) -> Measurements:
    """The networks of a family."""
    return [m for m in measurements if m["family"] == family]


def optima(config: Settings, sweep: Measurements) -> dict[int, list[Optimum]]:
    """The best rate for each rank, in the order of the seeds."""
    return {
        rank: [optimal_rate(config.rates, _losses(config, sweep, rank, s)) for s in config.seeds]
        for rank in config.ranks()
    }


def _losses(config: Settings, sweep: Measurements, rank: int, seed: int) -> list[float | None]:
    found = {m["rate"]: m["loss"] for m in sweep if (m["rank"], m["seed"]) == (rank, seed)}
    return [found[rate] for rate in config.rates]


def ratios_to_rank_one(best: dict[int, list[Optimum]]) -> dict[int, Interval]:
    """For each rank above one, the ratio of best rates, paired by seed."""
    return {
        rank: _over_seeds(
            [
                combination([1, -1], [optimum.log_rate, one.log_rate])
                for optimum, one in zip(found, best[1], strict=True)
            ]
        )
        for rank, found in best.items()
        if rank > 1
    }


def _over_seeds(logarithms: list[Bounded]) -> Interval:
    return exponentiated(over_seeds(logarithms))


def power_of_rank(best: dict[int, list[Optimum]], seed: int) -> tuple[Bounded, Bounded]:
    """Exponent ``p`` and ``log c`` of the law ``c r^p`` by least squares of the logarithms.

    Args:
        best: best rates for each rank.
        seed: place of the seed.
    """
    x = np.log(list(best))
    log_rates = [found[seed].log_rate for found in best.values()]
    centred = x - x.mean()
    at_rank_one = 1 / len(x) - x.mean() * centred / (centred @ centred)
    return slope(x, log_rates), combination(at_rank_one, log_rates)


def _cost(config: Settings, sweep: Measurements, words: str) -> dict[str, Interval]:
    """What the best rate common to all ranks costs where it costs most; nothing if it diverges."""
    costs = [common_rate_cost(config, sweep, seed) for seed in config.seeds]
    name = f"largest cost of one rate for all ranks, {words}, nats per byte"
    return {name: mean_interval(costs)} if np.all(np.isfinite(costs)) else {}


def common_rate_cost(config: Settings, sweep: Measurements, seed: int) -> float:
    """The largest loss over the least of a rank, at the rate of least mean loss over the ranks."""
    table = np.array([_losses(config, sweep, rank, seed) for rank in config.ranks()], dtype=float)
    table[np.isnan(table)] = math.inf
    common = int(np.argmin(table.mean(axis=0)))
    return float(np.max(table[:, common] - table.min(axis=1)))


def excesses(best: dict[int, list[Optimum]]) -> dict[int, Interval]:
    """For each rank below the largest, its least loss minus that of the largest, paired by seed."""
    *below, full = best
    return {
        rank: mean_interval(
            [own.loss - other.loss for own, other in zip(best[rank], best[full], strict=True)]
        )
        for rank in below
    }


def _excess_label(words: str, rank: str) -> str:
    return f"least loss over that of full rank, {words}, {rank}, nats per byte"


def decide(ratios: dict[int, Interval]) -> Verdict:
    """The rule, from the interval of the ratio at each rank above one."""
    low, high = BAND
    if any(ratio.high < low or ratio.low > high for ratio in ratios.values()):
        return Verdict.REFUTED
    if all(low <= ratio.low and ratio.high <= high for ratio in ratios.values()):
        return Verdict.CONFIRMED
    return Verdict.UNDECIDED


def _words(config: Settings, ratios: dict[int, Interval], numbers: dict[str, Interval]) -> str:
    listed = ", ".join(
        f"{in_words(ratio, 0.0)} ({_named(config, rank)})" for rank, ratio in ratios.items()
    )
    p = numbers[f"exponent p of the best rate c r^p, {FAMILIES['both']}"]
    words = f"Best rate over that of rank one: {listed}. It goes like r^p, p: {in_words(p)}"
    cost = numbers.get(f"largest cost of one rate for all ranks, {FAMILIES['both']}, nats per byte")
    if cost is not None:
        words += (
            f"; one rate for all ranks costs {in_words(cost)} nats per byte where it costs most"
        )
    above = ", ".join(
        f"{in_words(numbers[_excess_label(FAMILIES['both'], _named(config, rank))])}"
        f" ({_named(config, rank)})"
        for rank in config.ranks()[:-1]
    )
    return f"{words}; at its best rate a rank's loss is over that of full rank by {above}."


def _named(config: Settings, rank: int) -> str:
    return "full rank" if rank == config.width else f"rank {rank}"


def draw(result: ExperimentResult, path: Path) -> None:
    """Losses against the rate for both families, and the best rates against the rank."""
    settings = Settings.model_validate(result.config)
    figure = Figure(figsize=(11.5, 4.0), layout="constrained")
    *panels, right = figure.subplots(1, 3)
    for axes, (family, words) in zip(panels, FAMILIES.items(), strict=True):
        _draw_losses(axes, settings, sweep_of(result.measurements, family))
        axes.set_title(f"{words} of low rank")
    panels[0].legend(frameon=False, fontsize=8)
    _draw_best(right, settings, result)
    for axes in (*panels, right):
        axes.spines[["top", "right"]].set_visible(False)
    verdict = result.analysis.verdict.value
    figure.suptitle(f"The best learning rate is 1 to 2 times that of rank one: {verdict}")
    figure.savefig(path, dpi=200)


def _draw_losses(axes: Axes, settings: Settings, sweep: Measurements) -> None:
    """The mean over seeds at each rate; the best rates of the seeds as ticks on the curve."""
    for (rank, best), colour in zip(optima(settings, sweep).items(), COLOURS, strict=False):
        table = np.array([_losses(settings, sweep, rank, s) for s in settings.seeds], dtype=float)
        label = _named(settings, rank)
        mean = table.mean(axis=0)  # a rate at which a seed diverged is not drawn
        axes.plot(settings.rates, mean, "o-", color=colour, markersize=3.5, lw=1.2, label=label)
        rates, losses = [o.rate for o in best], [o.loss for o in best]
        axes.plot(rates, losses, "|", color=colour, markersize=12, markeredgewidth=1.5)
    axes.set(xscale="log", xlabel="learning rate", ylabel="validation loss, nats per byte")
    axes.set_xticks(settings.rates, labels=[f"{rate:g}" for rate in settings.rates])
    axes.minorticks_off()


def _draw_best(axes: Axes, settings: Settings, result: ExperimentResult) -> None:
    """Best rates with intervals, the fitted powers, and the predicted band of the first family."""
    numbers, ranks = result.analysis.numbers, np.array(settings.ranks())
    for place, ((family, words), colour) in enumerate(
        zip(FAMILIES.items(), (BLUE, ORANGE), strict=True)
    ):
        found = [numbers[f"best rate, {words}, {_named(settings, rank)}"] for rank in ranks]
        p = numbers[f"exponent p of the best rate c r^p, {words}"]
        c = numbers[f"c of the best rate c r^p, {words}"]
        if family == "both" and not is_open(found[0], 0.0):
            low, high = (end * found[0].value for end in BAND)
            axes.axhspan(low, high, color=GREY, alpha=0.15, linewidth=0, label="predicted, both")
        axes.plot([], [], "o", color=colour, markersize=4, label=f"{words}, p: {in_words(p)}")
        best = optima(settings, sweep_of(result.measurements, family))
        for rank, rate in zip(ranks, found, strict=True):
            # Side by side, so that no interval hides another.
            _draw_rate(axes, rank * 1.05**place, rate, best[rank], colour)
        if not is_open(p):
            axes.plot(ranks, c.value * ranks**p.value, color=colour, linewidth=1.2)
    axes.set(xscale="log", yscale="log", xlabel="rank", ylabel="best learning rate")
    axes.set_ylim(settings.rates[0] / 2, settings.rates[-1] * 2)
    axes.set_xticks(settings.ranks(), labels=[str(rank) for rank in settings.ranks()])
    axes.set_yticks(settings.rates, labels=[f"{rate:g}" for rate in settings.rates])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=8)


def _draw_rate(axes: Axes, rank: float, rate: Interval, best: list[Optimum], colour: str) -> None:
    """A best rate with its interval; an end at which a seed has no bound is an arrow.

    Bounds that agree in all seeds leave the interval open; the bound itself is drawn then.
    """
    bounds = [optimum.log_rate for optimum in best]
    low = rate.low or math.exp(min(bound.low for bound in bounds))
    beyond = math.exp(max(bound.high for bound in bounds))
    high = beyond if rate.high == math.inf else rate.high
    bottom, down = (low, "_") if low > 0 else (rate.value / ARROW, "v")
    top, up = (high, "_") if math.isfinite(high) else (rate.value * ARROW, "^")
    axes.plot([rank, rank], [bottom, top], color=colour, linewidth=1.2)
    for end, mark in ((bottom, down), (rate.value, "o"), (top, up)):
        axes.plot(rank, end, mark, color=colour, markersize=4)
