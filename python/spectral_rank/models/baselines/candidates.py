"""The forecasters that compete, each at the largest size that fits a budget of parameters."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from spectral_rank.formulas.domain import DomainError, integer
from spectral_rank.models.baselines.dlinear import DLinear
from spectral_rank.models.baselines.forecaster import parameter_count
from spectral_rank.models.baselines.lstm import LSTM
from spectral_rank.models.baselines.nlinear import NLinear
from spectral_rank.models.baselines.patch_transformer import PatchTransformer
from spectral_rank.models.baselines.s4d import S4D
from spectral_rank.models.baselines.seasonal_naive import SeasonalNaive
from spectral_rank.models.deep_linear import DeepLinearTimeSeries

SHALLOW, DEEP = 8, 32
"""Depths of the two deep linear networks; the deeper one has residual layers ``I + A / N``."""

LARGEST_WIDTH = 256
"""Widths are sought up to here; a budget that would allow more is not used up."""


@dataclass(frozen=True)
class Task:
    """What is to be forecast from what.

    Attributes:
        lookback: values a model reads.
        horizon: values it forecasts.
        season: steps in one period, 1 for none.
    """

    lookback: int
    horizon: int
    season: int


Build = Callable[[Task, int], nn.Module]
"""A model for a task at a width; models whose size the task decides ignore the width."""


def _seasonal_naive(task: Task, width: int) -> nn.Module:
    return SeasonalNaive(task.lookback, task.horizon, task.season)


def _nlinear(task: Task, width: int) -> nn.Module:
    return NLinear(task.lookback, task.horizon)


def _dlinear(task: Task, width: int) -> nn.Module:
    return DLinear(task.lookback, task.horizon)


def _lstm(task: Task, width: int) -> nn.Module:
    return LSTM(task.lookback, task.horizon, width)


def _patch_transformer(task: Task, width: int) -> nn.Module:
    # The paper cuts a window of 336 or 512 values into patches of 16; short windows get the same
    # number of tokens at least in order of magnitude.
    patch = min(16, max(2, 2 * (task.lookback // 12)), task.lookback)
    return PatchTransformer(task.lookback, task.horizon, 2 * width, patch)


def _s4d(task: Task, width: int) -> nn.Module:
    return S4D(task.lookback, task.horizon, width)


def _deep_linear(task: Task, width: int) -> nn.Module:
    return DeepLinearTimeSeries(
        task.lookback, task.horizon, SHALLOW, width, anchored=True, dtype=torch.float64
    )


def _deep_linear_residual(task: Task, width: int) -> nn.Module:
    return DeepLinearTimeSeries(
        task.lookback,
        task.horizon,
        DEEP,
        width,
        anchored=True,
        residual=True,
        dtype=torch.float64,
    )


CANDIDATES: dict[str, Build] = {
    "seasonal naive": _seasonal_naive,
    "NLinear": _nlinear,
    "DLinear": _dlinear,
    "LSTM": _lstm,
    "patch Transformer": _patch_transformer,
    "S4D": _s4d,
    f"deep linear {SHALLOW}": _deep_linear,
    f"deep linear {DEEP}": _deep_linear_residual,
}
"""The forecasters by their names in tables."""

LINEAR = f"deep linear {SHALLOW}"
"""The forecaster the experiments are about."""


def candidate(name: str, task: Task, budget: int) -> nn.Module:
    """A forecaster in float64 at the largest width whose parameters fit the budget.

    The size of the naive forecast, NLinear and DLinear follows from the task alone.

    Args:
        name: one of `CANDIDATES`.
        task: what is to be forecast.
        budget: largest number of parameters, at least 1.

    Raises:
        DomainError: if there is no such forecaster, or not even width 1 fits the budget.
    """
    if name not in CANDIDATES:
        raise DomainError("name", name, f"one of {', '.join(CANDIDATES)}")
    integer("budget", budget, at_least=1)
    build = CANDIDATES[name]

    def size(width: int) -> int:
        return parameter_count(build(task, width))

    if size(1) > budget:
        rule = f"at least {size(1)} for {name} with window {task.lookback}, horizon {task.horizon}"
        raise DomainError("budget", budget, rule)
    fits = bisect.bisect_right(range(1, LARGEST_WIDTH + 1), budget, key=size)
    return build(task, fits).double()
