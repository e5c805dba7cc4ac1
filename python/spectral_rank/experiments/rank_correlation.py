"""Whether one quantity rises or falls with another, by ranks, with an interval over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from spectral_rank.experiments.record import Interval, mean_interval
from spectral_rank.formulas.domain import DomainError, integer, require

SMALLEST_SAMPLE = 3
"""Of two points every order is perfect."""


def spearman(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Spearman's rank correlation; ties share their ranks.

    Args:
        x: at least 3 numbers; infinite ones count as the largest or least.
        y: as many numbers.

    Returns:
        A number in [-1, 1]; ``None`` if all of ``x`` or all of ``y`` are equal.

    Raises:
        DomainError: if an argument is outside its domain.
    """
    first = _ranks("x", x)
    return _correlation(first, _ranks("y", y, len(first)))


def partial_spearman(
    x: Sequence[float], y: Sequence[float], given: Sequence[float]
) -> float | None:
    """The rank correlation of ``x`` and ``y`` that is left when ``given`` is held fixed.

    Args:
        x: at least 3 numbers; infinite ones count as the largest or least.
        y: as many numbers.
        given: as many numbers.

    Returns:
        A number in [-1, 1]; ``None`` if ``x``, ``y`` or ``given`` does not vary, or the ranks of
        ``x`` or ``y`` are those of ``given`` (or their reverse), so that nothing is left.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        The formula of Kendall, Partial rank correlation (Biometrika 1942), on Spearman's
        correlations.
    """
    first = _ranks("x", x)
    second, third = _ranks("y", y, len(first)), _ranks("given", given, len(first))
    xy, xz, yz = (_correlation(a, b) for a, b in ((first, second), (first, third), (second, third)))
    if xy is None or xz is None or yz is None:
        return None
    left = (1 - xz**2) * (1 - yz**2)
    return _clipped((xy - xz * yz) / math.sqrt(left)) if left > 1e-12 else None


def fisher_interval(correlations: Sequence[float], points: int, level: float = 0.95) -> Interval:
    """The mean of correlations over seeds, with its Student interval on Fisher's z scale.

    A perfect correlation is infinite on that scale.  It counts as half way to the next one that the
    number of points allows, ``1 - 6 / (n (n ** 2 - 1))``.

    Args:
        correlations: at least two numbers in [-1, 1], one per seed.
        points: number ``n`` of points behind each of them, at least 3.
        level: confidence level.

    Returns:
        An interval within (-1, 1).

    Raises:
        DomainError: if an argument is outside its domain.
    """
    n = integer("points", points, at_least=SMALLEST_SAMPLE)
    values = np.asarray(correlations, dtype=float)
    require("correlations", values, "numbers in [-1, 1]", lambda r: np.abs(r) <= 1)
    largest = 1 - 6 / (n * (n**2 - 1))
    scaled = mean_interval(np.arctanh(np.clip(values, -largest, largest)), level)
    ends = {name: math.tanh(getattr(scaled, name)) for name in ("value", "low", "high")}
    return scaled.model_copy(update=ends)


def _ranks(
    argument: str, values: Sequence[float], length: int | None = None
) -> NDArray[np.float64]:
    """Ranks from 1, less their mean."""
    array = np.asarray(values, dtype=float)
    if array.ndim != 1 or len(array) < SMALLEST_SAMPLE or np.any(np.isnan(array)):
        raise DomainError(argument, values, f"at least {SMALLEST_SAMPLE} numbers, none of them NaN")
    if length is not None and len(array) != length:
        raise DomainError(argument, values, f"{length} numbers, as many as x")
    ranks: NDArray[np.float64] = rankdata(array)
    return ranks - (len(ranks) + 1) / 2


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float | None:
    """The correlation of centred ranks."""
    norm = math.sqrt(float(x @ x) * float(y @ y))
    return _clipped(float(x @ y) / norm) if norm > 0 else None


def _clipped(correlation: float) -> float:
    """Rounding must not push a perfect correlation beyond 1."""
    return min(1.0, max(-1.0, correlation))
