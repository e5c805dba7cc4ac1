"""One training loop for all forecasters, and one way to tune them."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from spectral_rank.data.rolling_origin import windows
from spectral_rank.data.series import FloatArray
from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.baselines.s4d import DiagonalStateSpace

SLOW_LEARNING_RATE = 1e-3
"""Bound on the learning rate of a state space's poles, as in the code of S4D."""


class TrainingOptions(BaseModel):
    """How every forecaster is trained.

    Attributes:
        max_steps: largest number of optimizer steps.
        batch: windows per step.
        check_every: steps between looks at the validation error.
        patience: looks without improvement after which training stops.
        validation_share: share of the known values whose windows are held out for those looks.
    """

    model_config = ConfigDict(frozen=True)

    max_steps: int = Field(default=400, ge=1)
    batch: int = Field(default=32, ge=1)
    check_every: int = Field(default=20, ge=1)
    patience: int = Field(default=6, ge=1)
    validation_share: float = Field(default=0.2, gt=0, lt=1)


@dataclass(frozen=True)
class Trial:
    """One point of the grid that every forecaster is tuned on.

    Attributes:
        learning_rate: of AdamW.
        weight_decay: of AdamW.
    """

    learning_rate: float
    weight_decay: float


GRID = tuple(Trial(rate, decay) for rate in (1e-2, 1e-3) for decay in (0.0, 0.1))
"""The tuning budget: the same four trials for every forecaster."""


@dataclass(frozen=True)
class Fitted:
    """A trained forecaster.

    Attributes:
        model: the network at its best validation error, in evaluation mode.
        mean: mean of the values it was trained on.
        spread: their standard deviation; the network sees values less the mean, over the spread.
        trial: the hyperparameters.
        validation_error: its mean squared error on the held-out windows, in units of the spread.
        steps: optimizer steps done.
        seconds: time of training.
    """

    model: nn.Module
    mean: float
    spread: float
    trial: Trial
    validation_error: float
    steps: int
    seconds: float

    def forecast(self, known: FloatArray) -> FloatArray:
        """Forecasts ``(batch, horizon)`` from windows ``(batch, lookback)``, unit of the series."""
        with torch.no_grad():
            scaled: Tensor = self.model(torch.from_numpy((known - self.mean) / self.spread))
        return np.asarray(scaled.numpy() * self.spread + self.mean)


def fit(
    build: Callable[[], nn.Module],
    values: FloatArray,
    lookback: int,
    horizon: int,
    trial: Trial,
    seed: int,
    options: TrainingOptions,
) -> Fitted:
    """Train a forecaster with AdamW on all windows before a validation tail, stopping early.

    The same seed gives the same network on a CPU; the global random state is left as it was.

    Args:
        build: makes the network, float64.
        values: all values that are known, shape ``(n,)``, ``n >= lookback + 2 horizon + 1``.
        lookback: values it reads.
        horizon: values it forecasts.
        trial: hyperparameters.
        seed: seed of the initial weights, the batches and the dropout.
        options: how it is trained.

    Raises:
        DomainError: if there are too few values, or those before the tail are constant.
    """
    start = time.perf_counter()
    cut = _validation_start(len(values), lookback, horizon, options.validation_share)
    mean, spread = float(np.mean(values[:cut])), float(np.std(values[:cut]))
    if spread == 0:
        raise DomainError("values", values[0], "not constant before the validation part")
    scaled = (values - mean) / spread
    learn = _tensors(scaled[:cut], lookback, horizon)
    validate = _tensors(scaled[cut - lookback :], lookback, horizon)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build()
        error, steps = _descend(model, learn, validate, trial, options)
    return Fitted(model, mean, spread, trial, error, steps, time.perf_counter() - start)


def tune(
    build: Callable[[], nn.Module],
    values: FloatArray,
    lookback: int,
    horizon: int,
    seed: int,
    options: TrainingOptions,
    grid: tuple[Trial, ...] = GRID,
) -> Fitted:
    """The trained forecaster of the trial with the least validation error; arguments as `fit`."""
    fits = (fit(build, values, lookback, horizon, trial, seed, options) for trial in grid)
    return min(fits, key=lambda fitted: fitted.validation_error)


def _validation_start(count: int, lookback: int, horizon: int, share: float) -> int:
    """Index of the first value held out: at least two windows stay to learn from."""
    if count < lookback + 2 * horizon + 1:
        raise DomainError("values", count, f"at least {lookback + 2 * horizon + 1} numbers")
    held_out = min(round(share * count), count - lookback - horizon - 1)
    return count - max(held_out, horizon)


def _tensors(values: FloatArray, lookback: int, horizon: int) -> tuple[Tensor, Tensor]:
    inputs, targets = windows(values, lookback, horizon)
    return torch.from_numpy(inputs.copy()), torch.from_numpy(targets.copy())


def _descend(
    model: nn.Module,
    learn: tuple[Tensor, Tensor],
    validate: tuple[Tensor, Tensor],
    trial: Trial,
    options: TrainingOptions,
) -> tuple[float, int]:
    """Train in place, leave the network at its best, return its validation error and the steps."""
    best = _error(model, validate)
    if next(model.parameters(), None) is None:
        model.eval()
        return best, 0
    optimizer = torch.optim.AdamW(_groups(model, trial))
    state, waited = copy.deepcopy(model.state_dict()), 0
    for step, batch in zip(
        range(1, options.max_steps + 1), _batches(len(learn[0]), options.batch), strict=False
    ):
        optimizer.zero_grad()
        functional.mse_loss(model(learn[0][batch]), learn[1][batch]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % options.check_every and step < options.max_steps:
            continue
        error = _error(model, validate)
        # A network that diverged has NaN for an error, which is not less.
        waited = 0 if error < best else waited + 1
        if error < best:
            best, state = error, copy.deepcopy(model.state_dict())
        if waited == options.patience:
            break
    model.load_state_dict(state)
    model.eval()
    return best, step


def _groups(model: nn.Module, trial: Trial) -> list[dict[str, object]]:
    """The parameters with their rates: the poles of a state space learn slowly, without decay."""
    spaces = [module for module in model.modules() if isinstance(module, DiagonalStateSpace)]
    slow = [parameter for space in spaces for parameter in space.slow_parameters()]
    known = {id(parameter) for parameter in slow}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in known]
    groups: list[dict[str, object]] = [
        {"params": rest, "lr": trial.learning_rate, "weight_decay": trial.weight_decay}
    ]
    if slow:
        rate = min(SLOW_LEARNING_RATE, trial.learning_rate)
        groups.append({"params": slow, "lr": rate, "weight_decay": 0.0})
    return groups


def _batches(count: int, size: int) -> Iterator[Tensor]:
    """Indices of batches without end, every window once per round."""
    while True:
        yield from torch.split(torch.randperm(count), size)


def _error(model: nn.Module, data: tuple[Tensor, Tensor]) -> float:
    model.eval()
    with torch.no_grad():
        error = float(functional.mse_loss(model(data[0]), data[1]))
    model.train()
    return error
