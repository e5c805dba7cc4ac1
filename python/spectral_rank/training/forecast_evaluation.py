"""The rolling-origin error of a forecaster on a series: tuned once, refitted at every fold."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import nn

from spectral_rank.data.rolling_origin import (
    Fold,
    mase_scale,
    rolling_folds,
    targets_after,
    windows_before,
)
from spectral_rank.data.series import FloatArray, Series, SeriesError
from spectral_rank.models.baselines.candidates import Task, candidate
from spectral_rank.models.baselines.forecaster import parameter_count
from spectral_rank.training.forecasting import Fitted, TrainingOptions, fit, tune


@dataclass(frozen=True)
class Evaluation:
    """What a forecaster did on a series.

    Attributes:
        name: name of the forecaster.
        mae: mean absolute error over origins and steps, in the unit of the series.
        mase: the same in units of the seasonal naive error before each fold.
        origins: number of forecasts.
        parameters: number of trained numbers.
        tuning_seconds: time of all trials.
        training_seconds: time of one fit with the chosen hyperparameters, mean over the folds.
        forecast_seconds: time per forecast.
        steps: optimizer steps of the last fit.
        learning_rate: the one chosen.
        weight_decay: the one chosen.
        fitted: the forecaster of the last fold.
    """

    name: str
    mae: float
    mase: float
    origins: int
    parameters: int
    tuning_seconds: float
    training_seconds: float
    forecast_seconds: float
    steps: int
    learning_rate: float
    weight_decay: float
    fitted: Fitted


@dataclass(frozen=True)
class Protocol:
    """The rolling-origin evaluation and what it allows every forecaster.

    Attributes:
        test_share: share of the values in the test part.
        folds: number of refits.
        stride: steps between origins.
        budget: largest number of parameters.
        options: how forecasters are trained.
    """

    test_share: float
    folds: int
    stride: int
    budget: int
    options: TrainingOptions


def folds_of(series: Series, task: Task, protocol: Protocol) -> tuple[Fold, ...]:
    """The folds of the evaluation.

    Raises:
        SeriesError: if the series is too short for them, or its known part repeats exactly.
    """
    folds = rolling_folds(
        series,
        task.lookback,
        task.horizon,
        test_share=protocol.test_share,
        folds=protocol.folds,
        stride=protocol.stride,
    )
    first = series.values[: folds[0].known]
    if np.all(first[task.season :] == first[: -task.season]):
        raise SeriesError(
            series.source, series.column, f"repeats every {task.season} steps without any change"
        )
    return folds


def evaluate(
    name: str,
    series: Series,
    task: Task,
    protocol: Protocol,
    seed: int,
    build: Callable[[], nn.Module] | None = None,
) -> Evaluation:
    """Tune a forecaster before the first fold, fit it at each fold, and measure its error.

    The hyperparameters are chosen on a validation tail before the first origin; the test part is
    seen only by the forecasts that are measured.

    Args:
        name: name of the forecaster; one of `CANDIDATES` unless ``build`` is given.
        series: the series.
        task: what is to be forecast.
        protocol: the evaluation.
        seed: seed of all randomness.
        build: makes another forecaster than the candidate of that name.

    Raises:
        SeriesError: as `folds_of`.
        DomainError: if there is no such forecaster or the budget is too small for it.
    """
    folds = folds_of(series, task, protocol)
    make = build or functools.partial(candidate, name, task, protocol.budget)
    start = time.perf_counter()
    sizes, options = (task.lookback, task.horizon), protocol.options
    fitted = tune(make, series.values[: folds[0].known], *sizes, seed, options)
    tuning = time.perf_counter() - start
    fits = [fitted]
    for fold in folds[1:]:
        known = series.values[: fold.known]
        fits.append(fit(make, known, *sizes, fitted.trial, seed, options))
    start = time.perf_counter()
    errors = [
        _absolute_errors(fit_of_fold, series.values, fold, task)
        for fit_of_fold, fold in zip(fits, folds, strict=True)
    ]
    forecasting = time.perf_counter() - start
    scales = [mase_scale(series.values[: fold.known], task.season) for fold in folds]
    scaled = [error / scale for error, scale in zip(errors, scales, strict=True)]
    origins = sum(len(fold.origins) for fold in folds)
    return Evaluation(
        name=name,
        mae=float(np.mean(np.concatenate(errors))),
        mase=float(np.mean(np.concatenate(scaled))),
        origins=origins,
        parameters=parameter_count(fitted.model),
        tuning_seconds=tuning,
        training_seconds=float(np.mean([one.seconds for one in fits])),
        forecast_seconds=forecasting / origins,
        steps=fits[-1].steps,
        learning_rate=fitted.trial.learning_rate,
        weight_decay=fitted.trial.weight_decay,
        fitted=fits[-1],
    )


def _absolute_errors(fitted: Fitted, values: FloatArray, fold: Fold, task: Task) -> FloatArray:
    forecasts = fitted.forecast(windows_before(values, fold.origins, task.lookback))
    return np.abs(forecasts - targets_after(values, fold.origins, task.horizon))
