"""D.6: what did a deep linear network learn?

Question: what did the network learn?

Prediction: it can be read end to end: the collapsed map oscillates with the known season of its
series.

Design: five real series with a known season.  A deep linear network of depth 8 is tuned and trained
on each, on several seeds, and collapsed.  From its matrix are read the impulse response, the
frequency response, the modes of the one-step recursion with their time constants, and the share of
each time scale in the forecast.  Every network is read in the same way before training, as a
control.

Decision rule: a map agrees with its series if the season holds a whole number of periods, up to
0.1, of its slowest fading mode that oscillates within the window (the season or a harmonic of it;
by chance one case in five).  Confirmed if on at least 80 % of the series most seeds agree; refuted
if on at most 40 %; undecided otherwise.

Figure: the slowest modes before and after training against the season of their series; and of the
trained maps the impulse response, the frequency response and the share of each time scale.
"""

from __future__ import annotations

import functools
import math
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from spectral_rank.data.rolling_origin import windows
from spectral_rank.data.shipped_series import shipped
from spectral_rank.experiments.record import (
    Analysis,
    Cell,
    Config,
    ExperimentResult,
    Interval,
    Profile,
    Verdict,
    finite_or_none,
    mean_interval,
)
from spectral_rank.figures.palette import BLUE, GREEN, GREY, ORANGE
from spectral_rank.models.baselines.candidates import LINEAR, Task, candidate
from spectral_rank.models.deep_linear import DeepLinearTimeSeries
from spectral_rank.training.forecasting import TrainingOptions, tune
from spectral_rank.training.interpretation import (
    agrees_with_season,
    impulse_response,
    modes,
    oscillation_error,
    scale_lengths,
    scale_shares,
    seasonal_mode,
)

ID = "D.6"
QUESTION = "What did the network learn?"
PREDICTION = "Readable end to end: the collapsed map oscillates with the series' known season."
RULE = (
    "A map agrees if the season holds a whole number, up to 0.1, of periods of its slowest fading "
    "mode that oscillates within the window (by chance 1 in 5). Confirmed if on at least 80 % of "
    "the series most seeds agree; refuted if on at most 40 %; else undecided."
)
THEOREMS = ("deep_linear_is_linear",)

TASKS = {
    "sunspots": (44, 11),
    "co2": (104, 26),
    "elnino": (36, 12),
    "electrical": (36, 12),
    "german_inflation": (16, 4),
}
"""Lookback and horizon for each series with a known season, in its steps."""

CONFIRMING, REFUTING = 0.8, 0.4
"""Shares of the series on which most seeds agree, for the verdict."""

STATES = ("untrained", "trained")
SHOWN_MODES = 8
CYCLES = tuple(round(0.05 * k, 2) for k in range(41))
"""Frequencies of the response, in cycles per season: up to the Nyquist frequency of quarters."""
PALETTE = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00")


class Settings(Config):
    """The sizes of the experiment.

    Attributes:
        series: names of the series.
        budget: largest number of parameters.
        options: how the network is trained.
    """

    series: tuple[str, ...]
    budget: int
    options: TrainingOptions


def config(profile: Profile) -> Settings:
    """The settings of a profile."""
    smoke = profile == "smoke"
    return Settings(
        profile=profile,
        seeds=tuple(range(2 if smoke else 30 if profile == "gpu" else 10)),
        series=("electrical", "german_inflation") if smoke else tuple(TASKS),
        budget=8_000,
        options=TrainingOptions(max_steps=60 if smoke else 400),
    )


def cells(config: Settings) -> list[Cell]:
    """One cell per series and seed."""
    return [{"series": series, "seed": seed} for series in config.series for seed in config.seeds]


def run_cell(config: Settings, cell: Cell) -> dict[str, Any]:
    """Read one network before and after training."""
    start = time.perf_counter()
    name, seed = cell["series"], cell["seed"]
    series = shipped(name, "interpolate")
    lookback, horizon = TASKS[name]
    task = Task(lookback, horizon, series.season)
    build = functools.partial(candidate, LINEAR, task, config.budget)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        untrained = build()
    fitted = tune(build, series.values, lookback, horizon, seed, config.options)
    known, _ = windows(series.values, lookback, horizon)
    return {
        **cell,
        "season": series.season,
        "step": series.step,
        "untrained": _reading(collapsed(untrained), known, series.season),
        "trained": _reading(collapsed(fitted.model), known, series.season),
        "validation_error": fitted.validation_error,
        "seconds": time.perf_counter() - start,
    }


def collapsed(model: torch.nn.Module) -> np.ndarray:
    """The matrix ``(horizon, lookback)`` of a deep linear network."""
    assert isinstance(model, DeepLinearTimeSeries)
    return model.collapse().detach().numpy()


def _reading(W: np.ndarray, known: np.ndarray, season: int) -> dict[str, Any]:
    """What a map shows, as JSON values."""
    dominant = seasonal_mode(W)
    oscillating = [mode for mode in modes(W) if mode.period <= W.shape[1]][:SHOWN_MODES]
    return {
        "period": dominant.period,
        "time_constant": finite_or_none(dominant.time_constant),
        "agrees": agrees_with_season(dominant.period, season),
        "modes": [[m.period, finite_or_none(m.time_constant)] for m in oscillating],
        "season_error": float(oscillation_error(W, np.array([1 / season]))[0]),
        "oscillation_error": oscillation_error(W, np.array(CYCLES) / season).tolist(),
        "impulse_response": impulse_response(W)[0].tolist(),
        "scales": list(scale_lengths(W.shape[1])),
        "shares": scale_shares(W, known).tolist(),
    }


def analyse(config: Settings, measurements: list[dict[str, Any]]) -> Analysis:
    """Share of agreeing maps, trained and not, and the verdict of the rule."""
    numbers: dict[str, Interval] = {}
    agreement = {
        state: np.array([m[state]["agrees"] for m in measurements]).reshape(
            len(config.series), len(config.seeds)
        )
        for state in STATES
    }
    for state, agrees in agreement.items():
        numbers[f"agreeing maps, {state}"] = _share(agrees)
    for index, name in enumerate(config.series):
        block = measurements[index * len(config.seeds) : (index + 1) * len(config.seeds)]
        numbers[f"agreeing maps, {name}"] = _share(agreement["trained"][index])
        numbers[f"error at the season, {name}"] = mean_interval(
            [m["trained"]["season_error"] for m in block]
        )
    readable = agreement["trained"].mean(axis=1) > 0.5
    share = readable.mean()
    verdict = Verdict.UNDECIDED
    if share >= CONFIRMING or share <= REFUTING:
        verdict = Verdict.CONFIRMED if share >= CONFIRMING else Verdict.REFUTED
    trained, untrained = (agreement[state].mean() for state in reversed(STATES))
    reason = (
        f"On {readable.sum()} of {len(readable)} series most seeds agree with the known season; "
        f"{100 * trained:.0f} % of the trained maps agree, {100 * untrained:.0f} % of the "
        "untrained."
    )
    return Analysis(numbers=numbers, verdict=verdict, reason=reason)


def _share(agrees: np.ndarray) -> Interval:
    """The share of agreeing maps with its Wilson interval."""
    interval = stats.binomtest(int(agrees.sum()), agrees.size).proportion_ci(method="wilson")
    share = float(agrees.mean())
    return Interval(
        value=share,
        # At a share of 0 or 1 the end of the interval is the share, up to rounding.
        low=min(float(interval.low), share),
        high=max(float(interval.high), share),
        count=int(agrees.size),
    )


def draw(result: ExperimentResult, path: Path) -> None:
    """The season in the modes, and what else the trained maps show."""
    config = Settings.model_validate(result.config)
    with mpl.rc_context({"svg.hashsalt": "spectral-rank", "font.size": 10}):
        figure = Figure(figsize=(10.4, 7.4), layout="constrained")
        grid = figure.subplots(2, 2)
        _draw_periods(grid[0, 0], config, result)
        _draw_impulse_responses(grid[0, 1], config, result)
        _draw_frequency_responses(grid[1, 0], config, result)
        _draw_shares(grid[1, 1], config, result)
        for axes in grid.flat:
            axes.spines[["top", "right"]].set_visible(False)
        figure.suptitle(f"D.6, {result.analysis.verdict}: does the collapsed map show the season?")
        figure.savefig(path, dpi=200, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw_periods(axes: Axes, config: Settings, result: ExperimentResult) -> None:
    for count in range(1, 5):
        axes.axvline(count, color=GREY, linewidth=0.8, linestyle=":")
    for state, colour, marker, shift in zip(
        STATES, (GREY, BLUE), ("x", "o"), (0.15, -0.15), strict=True
    ):
        for m in result.measurements:
            place = config.series.index(m["series"]) + shift
            cycles = m["season"] / m[state]["period"]
            axes.plot(cycles, place, marker, color=colour, markersize=5, alpha=0.7)
        axes.plot([], [], marker, color=colour, label=state)
    labels = [f"{n} ({_season(result, n)})" for n in config.series]
    axes.set_yticks(range(len(config.series)), labels)
    axes.set(
        xlabel="periods of the slowest oscillating mode in one season",
        title="Whole numbers (dotted): the season or a harmonic",
        xscale="log",
        ylim=(len(config.series) - 0.5, -0.5),
    )
    axes.set_xticks([0.5, 1, 2, 3, 4, 6], ["0.5", "1", "2", "3", "4", "6"])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=8)


def _season(result: ExperimentResult, name: str) -> str:
    first = next(m for m in result.measurements if m["series"] == name)
    return f"{first['season']} {first['step']}s"


def _draw_impulse_responses(axes: Axes, config: Settings, result: ExperimentResult) -> None:
    """Mean impulse response over the seeds with its interval, ages in seasons."""
    for index, name in enumerate(config.series):
        season = next(m["season"] for m in result.measurements if m["series"] == name)
        mean, half = _mean_and_half(result, name, "impulse_response")
        scale = np.abs(mean).max()
        mean, half = mean / scale, half / scale
        # A value s - 1 steps old stands one season before the forecast value.
        ages = (np.arange(len(mean)) + 1) / season
        axes.fill_between(ages, mean - half - 2 * index, mean + half - 2 * index, color=ORANGE)
        axes.plot(ages, mean - 2 * index, color=BLUE, linewidth=1)
        axes.axhline(-2 * index, color=GREY, linewidth=0.4)
    for count in range(1, math.ceil(axes.get_xlim()[1])):
        axes.axvline(count, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_yticks([-2 * i for i in range(len(config.series))], config.series)
    axes.set(
        xlabel="age before the forecast value (seasons)",
        title="Weights of past values, one step ahead",
    )


def _mean_and_half(
    result: ExperimentResult, name: str, quantity: str
) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the seeds of a quantity of the trained maps, and half its 95 % interval."""
    block = [m["trained"][quantity] for m in result.measurements if m["series"] == name]
    half = stats.sem(block, axis=0) * stats.t.ppf(0.975, len(block) - 1)
    return np.mean(block, axis=0), half


def _draw_frequency_responses(axes: Axes, config: Settings, result: ExperimentResult) -> None:
    """How well oscillations are continued, with the interval over the seeds."""
    for name, colour in zip(config.series, PALETTE, strict=False):
        mean, half = _mean_and_half(result, name, "oscillation_error")
        axes.fill_between(CYCLES, mean - half, mean + half, color=colour, alpha=0.25)
        axes.plot(CYCLES, mean, color=colour, label=name)
    axes.axhline(1, color=GREY, linewidth=0.8)
    for count in (1, 2):
        axes.axvline(count, color=GREY, linewidth=0.8, linestyle=":")
    axes.set(
        xlabel="frequency (cycles per season)",
        ylabel="error, relative to the amplitude",
        ylim=(0, None),
        title="Oscillations: 0 continued, 1 no better than 0",
    )
    axes.legend(frameon=False, fontsize=8)


def _draw_shares(axes: Axes, config: Settings, result: ExperimentResult) -> None:
    """The share of each time scale in the forecast change, with the interval over the seeds."""
    for name, colour in zip(config.series, PALETTE, strict=False):
        first = next(m for m in result.measurements if m["series"] == name)
        scales = np.array(first["trained"]["scales"]) / first["season"]
        mean, half = _mean_and_half(result, name, "shares")
        axes.errorbar(scales, mean, half, color=colour, marker="o", markersize=4, label=name)
    axes.axhline(0, color=GREY, linewidth=0.5)
    axes.axvline(1, color=GREY, linewidth=0.8, linestyle=":")
    axes.set(
        xscale="log",
        xlabel="time scale in the window (seasons)",
        ylabel="share of the forecast change",
        title="Contribution per scale",
    )
