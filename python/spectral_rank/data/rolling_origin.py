"""Windows of a series, the splits of a rolling-origin evaluation, and the scale of its errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectral_rank.data.series import FloatArray, Series, SeriesError
from spectral_rank.formulas.domain import DomainError, integer, require


@dataclass(frozen=True)
class Fold:
    """A model is fitted once on what was known, then forecasts from each of the origins.

    Attributes:
        known: number of values that were known when the model was fitted.
        origins: forecasts start at these indices, at least ``known`` and increasing.
    """

    known: int
    origins: tuple[int, ...]


def windows(values: FloatArray, lookback: int, horizon: int) -> tuple[FloatArray, FloatArray]:
    """Every window of a series with what followed it.

    Args:
        values: shape ``(n,)`` with ``n >= lookback + horizon``.
        lookback: values in a window, at least 1.
        horizon: values that follow it, at least 1.

    Returns:
        Windows ``(n - lookback - horizon + 1, lookback)``, and targets with ``horizon`` columns.

    Raises:
        DomainError: if a size is not positive or the series is shorter than both together.
    """
    span = integer("lookback", lookback, at_least=1) + integer("horizon", horizon, at_least=1)
    if values.ndim != 1 or len(values) < span:
        raise DomainError("values", values.shape, f"of shape (n,) with n >= {span}")
    both = np.lib.stride_tricks.sliding_window_view(values, span)
    return both[:, :lookback], both[:, lookback:]


def rolling_folds(
    series: Series,
    lookback: int,
    horizon: int,
    *,
    test_share: float = 0.25,
    folds: int = 2,
    stride: int = 1,
) -> tuple[Fold, ...]:
    """The folds of a rolling-origin evaluation on the last part of a series.

    The origins advance by ``stride`` through the test part; every target lies in it. The model is
    fitted anew at the start of each fold, on all values before it.

    Args:
        series: the series.
        lookback: values a model looks at.
        horizon: values it forecasts.
        test_share: share of the values in the test part, in (0, 1).
        folds: number of fits, at least 1.
        stride: steps between origins, at least 1.

    Raises:
        SeriesError: if the series is too short: before the test part there must be at least two
            windows to learn from and one to validate on, after it at least one origin per fold.
        DomainError: if an argument is outside its range.
    """
    require("test_share", test_share, "a real number in (0, 1)", lambda x: 0 < x < 1)
    integer("lookback", lookback, at_least=1)
    integer("horizon", horizon, at_least=1)
    integer("folds", folds, at_least=1)
    integer("stride", stride, at_least=1)
    if lookback + horizon > len(series):
        raise SeriesError(
            series.source,
            series.column,
            f"a lookback of {lookback} and a horizon of {horizon} reach beyond the data, "
            f"{len(series)} values",
        )
    first = min(len(series) - round(test_share * len(series)), len(series) - horizon)
    origins = np.arange(first, len(series) - horizon + 1, stride)
    needed = lookback + 2 * horizon + 1
    if first < needed or len(origins) < folds:
        raise SeriesError(
            series.source,
            series.column,
            f"too short: {len(series)} values for a lookback of {lookback}, a horizon of "
            f"{horizon} and {folds} fold{'s' * (folds > 1)}; {needed} values are needed before the "
            f"test part, which starts at {first}, and {folds} origins in it, where there are "
            f"{max(len(origins), 0)}",
        )
    blocks = np.array_split(origins, folds)
    return tuple(Fold(int(block[0]), tuple(block.tolist())) for block in blocks)


def windows_before(values: FloatArray, origins: tuple[int, ...], lookback: int) -> FloatArray:
    """The last ``lookback`` values before each origin, shape ``(len(origins), lookback)``."""
    return np.stack([values[origin - lookback : origin] for origin in origins])


def targets_after(values: FloatArray, origins: tuple[int, ...], horizon: int) -> FloatArray:
    """The ``horizon`` values from each origin on, shape ``(len(origins), horizon)``."""
    return np.stack([values[origin : origin + horizon] for origin in origins])


def mase_scale(values: FloatArray, season: int) -> float:
    """Mean absolute error, in the unit of the values, of repeating the value one season ago.

    The mean absolute error of a forecast divided by it is the MASE.

    Args:
        values: the values known when the model was fitted, shape ``(n,)``.
        season: steps in one period, at least 1, less than ``n``.

    Raises:
        DomainError: if the season is no such number, or the values repeat without any change.

    Source:
        Hyndman and Koehler, Another look at measures of forecast accuracy (International Journal of
        Forecasting 2006).
    """
    integer("season", season, at_least=1, at_most=len(values) - 1)
    scale = float(np.mean(np.abs(values[season:] - values[:-season])))
    if scale == 0:
        raise DomainError("values", "periodic", f"not an exact repetition every {season} steps")
    return scale
