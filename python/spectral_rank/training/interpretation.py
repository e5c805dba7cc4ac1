"""What a linear forecaster does, read off its one matrix.

The matrix ``W`` has shape ``(horizon, lookback)``; its row ``h`` forecasts ``h + 1`` steps ahead,
its last column weighs the newest value.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spectral_rank.data.series import FloatArray
from spectral_rank.formulas.domain import DomainError, integer
from spectral_rank.models.multi_scale import block_average

HARMONIC_TOLERANCE = 0.1
"""A mode agrees with a season if the season holds a whole number of its periods up to this: by
chance, a period whose frequency is uniform agrees in one case of five."""

ZERO_MODE = 1e-9
"""Eigenvalues smaller than this are rounding: the mode is gone after one step."""

PERIOD_ROUNDING = 1e-6
"""Relative error of a period that is computed from an eigenvalue: one of the whole lookback is to
count as within it."""


@dataclass(frozen=True)
class Mode:
    """A mode of the recursion that repeats the one-step forecast.

    Attributes:
        eigenvalue: factor of the mode per step; of a conjugate pair the one above the real axis.
        period: steps of one oscillation, at least 2; infinite if it does not oscillate.
        time_constant: steps until the mode has shrunk to ``1/e``; infinite if it never does.
    """

    eigenvalue: complex
    period: float
    time_constant: float


def impulse_response(W: FloatArray) -> FloatArray:
    """The weight of the value ``k`` steps before the newest, in column ``k``, shape as ``W``."""
    return np.asarray(W[:, ::-1])


def frequency_response(W: FloatArray, frequencies: FloatArray) -> npt.NDArray[np.complex128]:
    """The forecast of an oscillation ``exp(2 pi i f t)`` whose newest value stands at ``t = 0``.

    Args:
        W: shape ``(horizon, lookback)``.
        frequencies: ``f`` in cycles per step, shape ``(count,)``.

    Returns:
        Shape ``(horizon, count)``.
    """
    lags = np.arange(W.shape[1])
    return np.asarray(impulse_response(W) @ np.exp(-2j * np.pi * np.outer(lags, frequencies)))


def oscillation_error(W: FloatArray, frequencies: FloatArray) -> FloatArray:
    """How far an oscillation of each frequency is from being continued, relative to its amplitude.

    0 means that the forecast continues it, 1 that the forecast is as wrong as forecasting zero.

    Args:
        W: shape ``(horizon, lookback)``.
        frequencies: cycles per step, shape ``(count,)``.

    Returns:
        Root mean square over the horizon, shape ``(count,)``.
    """
    ahead = np.arange(1, len(W) + 1)
    continued = np.exp(2j * np.pi * np.outer(ahead, frequencies))
    errors = np.abs(frequency_response(W, frequencies) - continued)
    return np.asarray(np.sqrt(np.mean(errors**2, axis=0)))


def modes(W: FloatArray) -> list[Mode]:
    """The modes of the recursion that feeds the one-step forecast back, the slowest to fade first.

    Args:
        W: shape ``(horizon, lookback)``; only the first row enters.
    """
    lookback = W.shape[1]
    shift = np.eye(lookback, k=1)
    shift[-1] = W[0]
    values = np.linalg.eigvals(shift)
    kept = [complex(z) for z in values if z.imag >= 0 and abs(z) > ZERO_MODE]
    return [_mode(z) for z in sorted(kept, key=abs, reverse=True)]


def _mode(z: complex) -> Mode:
    angle = abs(math.atan2(z.imag, z.real))
    period = 2 * math.pi / angle if angle > ZERO_MODE else math.inf
    fade = -math.log(abs(z))
    return Mode(z, period, 1 / fade if fade > ZERO_MODE else math.inf)


def seasonal_mode(W: FloatArray) -> Mode:
    """The slowest fading mode that oscillates within the window: the season the map has learned.

    Raises:
        DomainError: if no mode oscillates with a period of at most the lookback.
    """
    longest = W.shape[1] * (1 + PERIOD_ROUNDING)
    found = [mode for mode in modes(W) if mode.period <= longest]
    if not found:
        raise DomainError("W", W.shape, "a map with an oscillating mode")
    return found[0]


def agrees_with_season(period: float, season: int) -> bool:
    """Whether a period is the season or one of its harmonics, up to `HARMONIC_TOLERANCE`.

    Args:
        period: steps of one oscillation.
        season: steps of the known season, at least 2.
    """
    count = integer("season", season, at_least=2) / period
    return round(count) >= 1 and abs(count - round(count)) <= HARMONIC_TOLERANCE


def scale_lengths(lookback: int) -> tuple[int, ...]:
    """The dyadic block lengths 1, 2, 4, ... up to the first that covers the window."""
    return tuple(2**level for level in range((lookback - 1).bit_length() + 1))


def scale_shares(W: FloatArray, known: FloatArray) -> FloatArray:
    """The share of each time scale in how forecasts differ from the newest value.

    The window is split into orthogonal parts: what block averages of length ``s`` hold and those of
    length ``2 s`` do not, and last the mean of the window.  The share of a part is the covariance
    of its contribution with the whole, over windows and steps, relative to the variance of the
    whole.  It may be negative, where a part works against the rest.

    Args:
        W: shape ``(horizon, lookback)``.
        known: windows, shape ``(count, lookback)``, at least two different ones.

    Returns:
        One share per length in `scale_lengths`, shape ``(scales,)``; they sum to 1.

    Raises:
        DomainError: if the forecasts never differ from the newest value.
    """
    lookback = W.shape[1]
    change = W.copy()
    change[:, -1] -= 1
    smoothers = [_block_projection(lookback, length) for length in scale_lengths(lookback)]
    details = [fine - coarse for fine, coarse in itertools.pairwise(smoothers)]
    centered = known - known.mean(axis=0)
    whole = centered @ change.T
    variance = float(np.sum(whole**2))
    if variance == 0:
        raise DomainError("known", known.shape, "windows whose forecasts differ from another")
    parts = [centered @ (change @ detail).T for detail in [*details, smoothers[-1]]]
    return np.array([float(np.sum(part * whole)) / variance for part in parts])


def _block_projection(lookback: int, length: int) -> FloatArray:
    """The orthogonal projection of a window onto what is constant on each block."""
    average = block_average(lookback, min(length, lookback)).numpy()
    return np.asarray((average > 0).T @ average)
