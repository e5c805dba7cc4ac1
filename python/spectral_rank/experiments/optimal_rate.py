"""The best learning rate of a sweep, between the rates tried, and how it depends on the rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectral_rank.formulas.domain import DomainError, require

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Optimum:
    """The best learning rate of a sweep.

    Attributes:
        rate: the learning rate at the vertex of the parabola; the best rate tried if that is at an
            end of the sweep.
        loss: the least loss that was measured.
        is_bracketed: whether a lower and a higher rate were tried; else ``rate`` is but a bound.
    """

    rate: float
    loss: float
    is_bracketed: bool


def optimal_rate(rates: Sequence[float], losses: Sequence[float | None]) -> Optimum:
    """The vertex of the parabola, in the logarithm of the rate, through the best rate's neighbours.

    Args:
        rates: at least 3 positive learning rates, increasing.
        losses: the loss at each; ``None`` for a run that diverged, whose loss counts as infinite.

    Returns:
        The optimum; its rate lies within half a step of the best rate tried.

    Raises:
        DomainError: if an argument is outside its domain, or every run diverged.
    """
    log_rates = np.log(_checked_rates(rates))
    y = np.array([math.inf if loss is None else loss for loss in losses], dtype=float)
    if y.shape != log_rates.shape or np.any(np.isnan(y)):
        raise DomainError("losses", losses, f"{len(log_rates)} numbers or None, one for each rate")
    best = int(np.argmin(y))
    if not math.isfinite(y[best]):
        raise DomainError("losses", losses, "finite for one rate at least")
    is_bracketed = 0 < best < len(y) - 1
    log_rate = _vertex(log_rates, y, best) if is_bracketed else log_rates[best]
    return Optimum(float(math.exp(log_rate)), float(y[best]), is_bracketed)


def _checked_rates(rates: Sequence[float]) -> Floats:
    array = np.asarray(rates, dtype=float)
    require("rates", array, "positive finite numbers", lambda x: x > 0)
    if array.ndim != 1 or len(array) < 3 or np.any(np.diff(array) <= 0):
        raise DomainError("rates", rates, "at least 3 numbers, increasing")
    return array


def _vertex(x: Floats, y: Floats, best: int) -> float:
    """The slope of a parabola is linear, and known half way between its points.

    Written with slopes, the vertex has its limit where a neighbour diverged: half way from the best
    point to the other neighbour.
    """
    left, right = (x[best - 1] + x[best]) / 2, (x[best] + x[best + 1]) / 2
    fall = (y[best - 1] - y[best]) / (x[best] - x[best - 1])
    rise = (y[best + 1] - y[best]) / (x[best + 1] - x[best])
    if fall == rise:
        return float((left + right) / 2)
    # The share of the way from left to right, by the slope that is the smaller part of the larger.
    small, large = min(fall, rise), max(fall, rise)
    share = small / large / (1 + small / large)
    return float(left + (right - left) * (share if fall < rise else 1 - share))


def power_of_rank(ranks: Sequence[float], rates: Sequence[float]) -> tuple[float, float]:
    """The law ``rate = c * rank ** p`` by least squares of the logarithms.

    Args:
        ranks: at least 2 different positive ranks.
        rates: a positive learning rate for each.

    Returns:
        The exponent ``p`` and the rate ``c`` of rank one.

    Raises:
        DomainError: if an argument is outside its domain.
    """
    x, y = np.asarray(ranks, dtype=float), np.asarray(rates, dtype=float)
    require("ranks", x, "positive finite numbers", lambda values: values > 0)
    require("rates", y, "positive finite numbers", lambda values: values > 0)
    if x.ndim != 1 or len(np.unique(x)) < 2:
        raise DomainError("ranks", ranks, "at least 2 different numbers")
    if y.shape != x.shape:
        raise DomainError("rates", rates, f"{len(x)} numbers, one for each rank")
    exponent, log_c = np.polyfit(np.log(x), np.log(y), 1)
    return float(exponent), float(math.exp(log_c))
