"""A few singular values above the law: found before the fit, and kept out of it.

One planted direction of large strength moves the exponent of a naive fit by tens of per cent.  The
rule needs no law: the head of the spectrum is continued from the values that follow it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_OUTLIERS = 4
"""More values above the law than this are a steep start of the spectrum, not outliers."""

MOST_TRIED = 8
"""Up to so many values are tried, to see whether the start is merely steep."""

WINDOW = 64
"""Number of the largest singular values that the rule looks at."""

SMALLEST_WINDOW = 16
"""With fewer values nothing is called an outlier."""

EXCESS = float(np.log(2.0))
"""An outlier is at least twice as large as the continued head predicts."""

EXCESS_IN_NOISE = 6.0
"""It is also this many times the scatter of the window above the prediction."""

PENALTY = 2.0
"""Gain in the criterion that one outlier must bring, in units of the logarithm of the window."""


@dataclass(frozen=True)
class Head:
    """How a spectrum starts.

    Attributes:
        outliers: how many of the largest values lie above the law.
        score: the criterion that chose them, for comparison only.
    """

    outliers: int
    score: float


def find_outliers(log_values: Floats) -> int:
    """How many of the largest singular values lie above the law of those that follow.

    For each number ``k`` up to `MOST_TRIED` the values after the first ``k`` are fitted by
    ``c_0 + c_1 log i + c_2 i``, with ``i`` counted either from the first value of the spectrum
    (outliers that stand where values of the law stood) or from the first value after the outliers
    (outliers added to the law).  A choice is admissible if every outlier exceeds the continued
    curve by `EXCESS` and by `EXCESS_IN_NOISE` times the scatter.  The admissible choice with the
    least ``window * log(scatter ** 2) + PENALTY * k * log(window)`` wins; no outlier at all is
    always admissible.  More than `MOST_OUTLIERS` count as none.

    Args:
        log_values: logarithms of the positive singular values, nonincreasing, shape (count,).

    Returns:
        An integer in [0, `MOST_OUTLIERS`].
    """
    window = log_values[: min(WINDOW, len(log_values))]
    if len(window) < SMALLEST_WINDOW:
        return 0
    candidates = [
        head
        for outliers in range(MOST_TRIED + 1)
        for first in sorted({1, outliers + 1})
        if (head := _head(window, outliers, first)) is not None
    ]
    outliers = min(candidates, key=lambda head: head.score).outliers
    return outliers if outliers <= MOST_OUTLIERS else 0


def _head(window: Floats, outliers: int, first: int) -> Head | None:
    """The choice of that many outliers, the law starting at index ``first``; None if refused."""
    rest = window[outliers:]
    coefficients, *_ = np.linalg.lstsq(_curve(first, len(rest)), rest, rcond=None)
    residuals = rest - _curve(first, len(rest)) @ coefficients
    scatter = max(float(np.sqrt(residuals @ residuals / (len(rest) - 3))), np.finfo(float).eps)
    # Added outliers precede index 1: they are compared with the largest value of the law.
    predicted = (_curve(1, first - 1) if first > 1 else _curve(1, 1)) @ coefficients
    excess = window[:outliers] - predicted
    if outliers and float(np.min(excess)) < max(EXCESS, EXCESS_IN_NOISE * scatter):
        return None
    size = len(window)
    return Head(outliers, 2 * size * np.log(scatter) + PENALTY * outliers * np.log(size))


def _curve(first: int, count: int) -> Floats:
    index = np.arange(first, first + count, dtype=float)
    return np.column_stack([np.ones(count), np.log(index), index])
