"""Everything the command ``forecast`` finds out about one series, and the files it leaves."""

from __future__ import annotations

import csv
import functools
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel
from safetensors.torch import save_file
from torch import nn

from spectral_rank.atomic_file import write_atomically
from spectral_rank.data.csv_series import read_csv
from spectral_rank.data.rolling_origin import windows
from spectral_rank.data.series import FloatArray, GapPolicy, Series
from spectral_rank.figures.forecast_map import draw_map
from spectral_rank.formulas.domain import DomainError, integer
from spectral_rank.models.baselines.candidates import CANDIDATES, Task, candidate
from spectral_rank.models.deep_linear import DeepLinearTimeSeries
from spectral_rank.training.forecast_evaluation import Evaluation, Protocol, evaluate, folds_of
from spectral_rank.training.forecasting import TrainingOptions, fit
from spectral_rank.training.interpretation import Mode, modes, scale_shares

BASELINES = tuple(name for name in CANDIDATES if not name.startswith("deep linear"))
TEST_SHARE, FOLDS = 0.25, 2
MAP_FILE, FIGURE_FILE, FORECAST_FILE, REPORT_FILE = (
    "collapsed.safetensors",
    "interpretation.svg",
    "forecast.csv",
    "report.json",
)


class ForecasterRow(BaseModel):
    """The rolling-origin error of one forecaster.

    Attributes:
        name: its name.
        mae: mean absolute error, in the unit of the series.
        mase: the same, relative to the seasonal naive error before the test part.
        parameters: trained numbers.
        seconds: time of tuning and training.
    """

    name: str
    mae: float
    mase: float
    parameters: int
    seconds: float


class ForecastReport(BaseModel):
    """What the command found.

    Attributes:
        schema_version: version of this record's layout.
        source: the file.
        column: the column.
        count: number of values.
        step: the step in words.
        gaps: what was missing and how it was filled, in words.
        season: steps in one period.
        lookback: values each forecaster reads.
        horizon: values it forecasts.
        depth: number of layers of the deep linear network.
        origins: forecasts behind each error.
        rows: the errors, the deep linear network first.
        forecast: the next ``horizon`` values after the end of the data.
        modes: periods and time constants of the slowest oscillating modes of the collapsed map.
    """

    schema_version: int = 1
    source: str
    column: str
    count: int
    step: str
    gaps: str
    season: int
    lookback: int
    horizon: int
    depth: int
    origins: int
    rows: list[ForecasterRow]
    forecast: list[float]
    modes: list[tuple[float, float]]


def forecast_csv(
    path: Path,
    output: Path,
    *,
    horizon: int,
    column: str | None = None,
    time: str | None = None,
    season: int | None = None,
    lookback: int | None = None,
    policy: GapPolicy = "refuse",
    depth: int = 8,
    budget: int = 8_000,
    seed: int = 0,
    options: TrainingOptions | None = None,
    baselines: tuple[str, ...] = BASELINES,
    progress: Callable[[str, int, int], None] = lambda name, done, total: None,
) -> ForecastReport:
    """Train a deep linear network on a column, compare it with the baselines, explain it.

    Args:
        path: a CSV file with a header.
        output: folder for the collapsed map (safetensors: ``weight`` of shape ``(horizon,
            lookback)`` and ``offset`` of shape ``(horizon,)``, in the unit of the series), the
            figure, the forecast and the report; made if missing.
        horizon: values to forecast, at least 1.
        column: name of the column; ``None`` takes the only numeric one.
        time: as in `read_csv`.
        season: steps in one period; ``None`` takes the usual one of the step.
        lookback: values a forecaster reads; ``None`` takes three seasons, or twice the horizon, or
            12, whichever is most, but no more than the data allow.
        policy: what happens to missing values.
        depth: number of linear layers, at least 1.
        budget: largest number of parameters of a baseline; the network is as wide as its smaller
            side, which costs nothing once collapsed.
        seed: seed of all randomness.
        options: how every forecaster is trained.
        baselines: names of the forecasters to compare with.
        progress: is told the forecaster that starts, how many are done, and how many there are.

    Returns:
        The report.

    Raises:
        SeriesError: if the file or the column cannot be used, or is too short for the horizon.
        DomainError: if a number is out of range.
        OSError: if the folder cannot be written.
    """
    integer("horizon", horizon, at_least=1)
    integer("depth", depth, at_least=1)
    if season is not None:
        integer("season", season, at_least=1)
    for name in baselines:
        if name not in CANDIDATES:
            raise DomainError("baselines", name, f"among {', '.join(CANDIDATES)}")
    series = read_csv(path, column, time=time, season=season, policy=policy)
    chosen = _lookback(series, horizon) if lookback is None else lookback
    task = Task(chosen, horizon, series.season)
    protocol = Protocol(
        TEST_SHARE, FOLDS, max(1, horizon // 4), budget, options or TrainingOptions()
    )
    # One season must be in the window, and a direction in it for the figure's modes.
    integer("lookback", task.lookback, at_least=max(2, task.season))
    folds_of(series, task, protocol)
    for name in baselines:
        candidate(name, task, budget)
    output.mkdir(parents=True, exist_ok=True)

    build = functools.partial(_network, task, depth)
    names = (f"deep linear {depth}", *baselines)
    found = []
    for done, name in enumerate(names):
        progress(name, done, len(names) + 1)
        own = build if done == 0 else None
        found.append(evaluate(name, series, task, protocol, seed, own))
    progress("all data", len(names), len(names) + 1)
    W, offset = _final_map(build, series, task, found[0], seed, protocol.options)
    report = _report(series, task, depth, found, W, offset)
    _write(output, series, task, W, offset, report)
    return report


def _network(task: Task, depth: int) -> nn.Module:
    return DeepLinearTimeSeries(
        task.lookback, task.horizon, depth, anchored=True, residual=True, dtype=torch.float64
    )


def _lookback(series: Series, horizon: int) -> int:
    """The default: long enough for the season, short enough to leave windows to learn from."""
    wanted = max(3 * series.season, 2 * horizon, 12)
    known = len(series) - round(TEST_SHARE * len(series))
    allowed = (known - 2 * horizon - 1) // 2
    return max(min(wanted, allowed), series.season, 2)


def _final_map(
    build: Callable[[], nn.Module],
    series: Series,
    task: Task,
    evaluation: Evaluation,
    seed: int,
    options: TrainingOptions,
) -> tuple[FloatArray, FloatArray]:
    """The map of the network trained on all data, and its offset, in the unit of the series."""
    fitted = fit(
        build,
        series.values,
        task.lookback,
        task.horizon,
        evaluation.fitted.trial,
        seed,
        options,
    )
    model = fitted.model
    assert isinstance(model, DeepLinearTimeSeries)
    W = np.asarray(model.collapse().detach().numpy())
    # The network sees values less their mean; rows that add up to 1 leave no offset.
    return W, fitted.mean * (1 - W.sum(axis=1))


def _report(
    series: Series,
    task: Task,
    depth: int,
    found: list[Evaluation],
    W: FloatArray,
    offset: FloatArray,
) -> ForecastReport:
    latest = series.values[-task.lookback :]
    return ForecastReport(
        source=series.source,
        column=series.column,
        count=len(series),
        step=series.step,
        gaps=series.gaps_in_words(),
        season=task.season,
        lookback=task.lookback,
        horizon=task.horizon,
        depth=depth,
        origins=found[0].origins,
        rows=[
            ForecasterRow(
                name=one.name,
                mae=one.mae,
                mase=one.mase,
                parameters=one.parameters,
                seconds=one.tuning_seconds,
            )
            for one in found
        ],
        forecast=(W @ latest + offset).tolist(),
        modes=[(mode.period, mode.time_constant) for mode in _slowest(W)],
    )


def _slowest(W: FloatArray, count: int = 3) -> list[Mode]:
    return [mode for mode in modes(W) if mode.period <= W.shape[1]][:count]


def _write(
    output: Path,
    series: Series,
    task: Task,
    W: FloatArray,
    offset: FloatArray,
    report: ForecastReport,
) -> None:
    tensors = {"weight": torch.from_numpy(W.copy()), "offset": torch.from_numpy(offset.copy())}
    about = {"column": series.column, "step": series.step, "season": task.season}
    # One entry: the format keeps several in no fixed order, and equal runs would differ.
    save_file(tensors, output / MAP_FILE, {"series": json.dumps(about)})
    known, _ = windows(series.values, task.lookback, task.horizon)
    draw_map(output / FIGURE_FILE, W, scale_shares(W, known), task.season, series.step)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["steps ahead", series.column])
    writer.writerows(enumerate(report.forecast, start=1))
    write_atomically(output / FORECAST_FILE, table.getvalue())
    write_atomically(output / REPORT_FILE, report.model_dump_json(indent=1) + "\n")
