"""The interval of a positive quantity over seeds, on the scale where its errors are symmetric."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from spectral_rank.experiments.record import Interval, mean_interval
from spectral_rank.formulas.domain import positive

LARGEST_LOGARITHM = math.log(np.finfo(float).max)


def geometric_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """The geometric mean of independent repetitions with the Student interval of its logarithm.

    Exponents, ratios and learning rates err by factors; an interval of their logarithms cannot
    reach below 0, and that of a ratio is that of its inverse turned around.

    Args:
        values: at least two positive finite numbers, one per seed.
        level: confidence level.

    Returns:
        The interval; an end that does not fit in a float is infinite.

    Raises:
        DomainError: if there are fewer than two values, one is not positive or not finite, or the
            level is not in (0, 1).
    """
    for value in values:
        positive("values", value)
    logs = mean_interval(list(np.log(values)), level)
    ends = {name: _exp(getattr(logs, name)) for name in ("value", "low", "high")}
    return logs.model_copy(update=ends)


def _exp(logarithm: float) -> float:
    return math.exp(logarithm) if logarithm <= LARGEST_LOGARITHM else math.inf
