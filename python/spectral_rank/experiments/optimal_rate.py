"""The best learning rate of a sweep, between the rates that were tried."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectral_rank.experiments.bounded import Bounded, known
from spectral_rank.formulas.domain import DomainError, require

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Optimum:
    """The best learning rate of a sweep.

    Attributes:
        log_rate: natural logarithm of the best rate.  Where no lower or no higher rate was tried,
            the best rate tried with a bound: the vertex is beyond the middle between that rate and
            its only neighbour.
        loss: the least loss that was measured.
    """

    log_rate: Bounded
    loss: float

    @property
    def rate(self) -> float:
        """The best rate."""
        return math.exp(self.log_rate.value)


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
    return Optimum(_best_log_rate(log_rates, y, best), float(y[best]))


def _checked_rates(rates: Sequence[float]) -> Floats:
    array = np.asarray(rates, dtype=float)
    require("rates", array, "positive finite numbers", lambda x: x > 0)
    if array.ndim != 1 or len(array) < 3 or np.any(np.diff(array) <= 0):
        raise DomainError("rates", rates, "at least 3 numbers, increasing")
    return array


def _best_log_rate(x: Floats, y: Floats, best: int) -> Bounded:
    if best == 0:
        return Bounded(float(x[0]), -math.inf, float((x[0] + x[1]) / 2))
    if best == len(x) - 1:
        return Bounded(float(x[-1]), float((x[-2] + x[-1]) / 2), math.inf)
    return known(_vertex(x, y, best))


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
