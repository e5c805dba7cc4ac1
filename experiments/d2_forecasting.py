"""D.2: do deep linear networks forecast real series as well as nonlinear ones?

Question: do deep linear networks forecast as well as LSTM and Transformer?

Prediction: yes, as well as an LSTM and a patch Transformer on real series.  They can do nothing
that a single matrix cannot (`deep_linear_is_linear`); whether that costs anything here is open.

Design: ten real series that ship with statsmodels.  Rolling origin over the last quarter of each,
refitted at the start of each of two folds.  Eight forecasters, each at the largest size that fits
one budget of parameters, each tuned on the same four trials (learning rate by weight decay) on a
validation tail before the first origin, each trained by the same loop, on three seeds.  The naive
forecast, NLinear and DLinear have the size that the task gives them, which is smaller.  LSTM, S4D
and both deep linear networks subtract the last value of the window and add it again, as NLinear
does; the papers of LSTM and S4D do not.  The gaps of the CO2 series are filled by interpolation,
which is reported.  The four macroeconomic series come from one country and are not independent.

Decision rule: for each series the MASE is averaged over the seeds.  The prediction is confirmed if
the 95 % intervals of the geometric mean, over the series, of MASE(deep linear 8) / MASE(other) lie
below 1.05 for both the LSTM and the patch Transformer; refuted if one of them lies above 1, or if
Nemenyi's critical difference ranks deep linear 8 behind one of the two; undecided otherwise.

Figure: mean rank of each forecaster with the critical difference, over its rank on each series.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from spectral_rank.data.shipped_series import shipped
from spectral_rank.experiments.rank_test import RankTest, rank_test
from spectral_rank.experiments.record import (
    Analysis,
    Cell,
    Config,
    ExperimentResult,
    Interval,
    Profile,
    Verdict,
    mean_interval,
)
from spectral_rank.figures.palette import BLUE, GREY, ORANGE
from spectral_rank.models.baselines.candidates import CANDIDATES, LINEAR, Task
from spectral_rank.training.forecast_evaluation import Protocol, evaluate
from spectral_rank.training.forecasting import TrainingOptions

ID = "D.2"
QUESTION = "Do deep linear networks forecast as well as LSTM and Transformer?"
PREDICTION = "As well as an LSTM and a patch Transformer on real series."
RULE = (
    "Confirmed if the 95 % intervals of the geometric mean over series of MASE(deep linear 8) / "
    "MASE(other) lie below 1.05 for both LSTM and patch Transformer; refuted if one lies above 1, "
    "or if Nemenyi's critical difference ranks deep linear 8 behind one of the two; else undecided."
)
THEOREMS = ("deep_linear_is_linear", "deep_linear_not_abs")

RIVALS = ("LSTM", "patch Transformer")
MARGIN = 1.05

TASKS = {
    "sunspots": (44, 11, 1),
    "co2": (104, 26, 13),
    "elnino": (36, 12, 3),
    "nile": (12, 4, 1),
    "electrical": (36, 12, 1),
    "german_inflation": (16, 4, 1),
    "gdp": (16, 4, 1),
    "unemployment": (16, 4, 1),
    "interest": (16, 4, 1),
    "inflation": (16, 4, 1),
}
"""Lookback, horizon and stride of the origins for each series, in its steps."""


class Settings(Config):
    """The sizes of the comparison.

    Attributes:
        series: names of the series.
        models: names of the forecasters.
        budget: largest number of parameters of each.
        folds: refits in the test part.
        test_share: share of the values in the test part.
        options: how each is trained.
    """

    series: tuple[str, ...]
    models: tuple[str, ...]
    budget: int
    folds: int
    test_share: float
    options: TrainingOptions


def config(profile: Profile) -> Settings:
    """The settings of a profile."""
    if profile == "smoke":
        options = TrainingOptions(max_steps=20, check_every=10)
        series, seeds, folds = ("nile", "german_inflation", "inflation"), (0,), 1
    else:
        full = profile == "gpu"
        options = TrainingOptions(max_steps=2000 if full else 400)
        series, seeds, folds = tuple(TASKS), tuple(range(10 if full else 3)), 4 if full else 2
    return Settings(
        profile=profile,
        seeds=seeds,
        series=series,
        models=tuple(CANDIDATES),
        budget=40_000 if profile == "gpu" else 8_000,
        folds=folds,
        test_share=0.25,
        options=options,
    )


def cells(config: Settings) -> list[Cell]:
    """One cell per series, forecaster and seed."""
    return [
        {"series": series, "model": model, "seed": seed}
        for series in config.series
        for model in config.models
        for seed in config.seeds
    ]


def run_cell(config: Settings, cell: Cell) -> dict[str, Any]:
    """Evaluate one forecaster on one series with one seed."""
    start = time.perf_counter()
    name, model = cell["series"], cell["model"]
    series = shipped(name, "interpolate")
    lookback, horizon, stride = TASKS[name]
    found = evaluate(
        model,
        series,
        Task(lookback, horizon, series.season),
        Protocol(config.test_share, config.folds, stride, config.budget, config.options),
        cell["seed"],
    )
    return {
        **cell,
        "mae": found.mae,
        "mase": found.mase,
        "origins": found.origins,
        "parameters": found.parameters,
        "learning_rate": found.learning_rate,
        "weight_decay": found.weight_decay,
        "steps": found.steps,
        "tuning_seconds": found.tuning_seconds,
        "training_seconds": found.training_seconds,
        "forecast_seconds": found.forecast_seconds,
        "gaps": series.gaps_in_words(),
        "seconds": time.perf_counter() - start,
    }


def seed_means(
    config: Settings, measurements: list[dict[str, Any]], quantity: str = "mase"
) -> np.ndarray:
    """A quantity averaged over the seeds, shape ``(series, models)``."""
    values = np.array([m[quantity] for m in measurements])
    shape = (len(config.series), len(config.models), len(config.seeds))
    return values.reshape(shape).mean(axis=2)


def analyse(config: Settings, measurements: list[dict[str, Any]]) -> Analysis:
    """Mean ranks, ratios to the rivals, and the verdict of the rule."""
    table = seed_means(config, measurements)
    test = rank_test(table)
    ranks = np.apply_along_axis(stats.rankdata, 1, table)
    own = config.models.index(LINEAR)
    numbers = {
        f"mean rank, {name}": mean_interval(ranks[:, column])
        for column, name in enumerate(config.models)
    }
    for column, name in enumerate(config.models):
        if column != own:
            numbers[f"MASE {LINEAR} / {name}"] = _mean_ratio(table[:, own] / table[:, column])
    seconds = seed_means(config, measurements, "training_seconds")
    for rival in RIVALS:
        ratios = seconds[:, own] / seconds[:, config.models.index(rival)]
        numbers[f"training time {LINEAR} / {rival}"] = _mean_ratio(ratios)
    deciding = {name: numbers[name] for name in (f"MASE {LINEAR} / {rival}" for rival in RIVALS)}
    return Analysis(
        numbers=deciding | numbers,
        verdict=_verdict(config, test, numbers),
        reason=_in_words(config, table, test, numbers),
    )


def _mean_ratio(ratios: np.ndarray) -> Interval:
    """The geometric mean over the series, with its interval."""
    logs = mean_interval(np.log(ratios))
    low, value, high = (math.exp(x) for x in (logs.low, logs.value, logs.high))
    return logs.model_copy(update={"low": low, "value": value, "high": high})


def _verdict(config: Settings, test: RankTest, numbers: dict[str, Interval]) -> Verdict:
    own = test.mean_ranks[config.models.index(LINEAR)]
    ratios = [numbers[f"MASE {LINEAR} / {rival}"] for rival in RIVALS]
    leads = [own - test.mean_ranks[config.models.index(rival)] for rival in RIVALS]
    if any(r.low > 1 for r in ratios) or max(leads) > test.critical_difference:
        return Verdict.REFUTED
    if all(r.high < MARGIN for r in ratios):
        return Verdict.CONFIRMED
    return Verdict.UNDECIDED


def _in_words(
    config: Settings, table: np.ndarray, test: RankTest, numbers: dict[str, Interval]
) -> str:
    ratios = ", ".join(
        f"{rival} {r.value:.2f} [{r.low:.2f}, {r.high:.2f}]"
        for rival in RIVALS
        for r in (numbers[f"MASE {LINEAR} / {rival}"],)
    )
    own = config.models.index(LINEAR)
    best = table.argmin(axis=1)
    losses = [
        f"{name} to {config.models[winner]} by {100 * (row[own] / row[winner] - 1):.0f} %"
        for name, row, winner in zip(config.series, table, best, strict=True)
        if winner != own
    ]
    return (
        f"MASE of {LINEAR} relative to: {ratios}; Friedman p = {test.p_value:.2g}, critical "
        f"difference of mean ranks {test.critical_difference:.2f} on {test.blocks} series. "
        f"{LINEAR} is not the best on {len(losses)} of {len(config.series)} series: it loses "
        f"{'; '.join(losses) or 'nowhere'}."
    )


def draw(result: ExperimentResult, path: Path) -> None:
    """Mean ranks with the critical difference, over the rank on each series."""
    config = Settings.model_validate(result.config)
    table = seed_means(config, result.measurements)
    test, ranks = rank_test(table), np.apply_along_axis(stats.rankdata, 1, table)
    order = np.argsort(test.mean_ranks)
    with mpl.rc_context({"svg.hashsalt": "spectral-rank", "font.size": 10}):
        figure = Figure(figsize=(7.6, 4.2), layout="constrained")
        axes = figure.add_subplot()
        for place, column in enumerate(order):
            spread = np.linspace(-0.18, 0.18, len(ranks))
            axes.plot(ranks[:, column], place + spread, "o", color=GREY, markersize=3)
            colour = BLUE if config.models[column].startswith("deep linear") else ORANGE
            axes.plot(test.mean_ranks[column], place, "D", color=colour, markersize=8)
        _draw_critical_difference(axes, test)
        axes.set_yticks(range(len(order)), [config.models[column] for column in order])
        axes.set(
            xlabel=f"rank by MASE on {len(ranks)} real series (1 is best)",
            ylim=(len(order) - 0.4, -1.1),
            title=f"D.2, {result.analysis.verdict}: mean ranks (diamonds) and ranks on each series",
        )
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, dpi=200, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw_critical_difference(axes: Axes, test: RankTest) -> None:
    best = min(test.mean_ranks)
    end = best + test.critical_difference
    axes.plot([best, end], [-0.6, -0.6], "|-", color="black", linewidth=1.5)
    axes.annotate("critical difference from the best (Nemenyi, 5 %)", (best, -0.7), fontsize=8)
    axes.axvline(end, color="black", linewidth=0.6, linestyle=":")
