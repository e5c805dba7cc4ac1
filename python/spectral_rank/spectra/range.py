"""The fit range: which singular values a law is asked to explain.

Values that are zero to rounding carry no information, and the smallest values of a nearly square
matrix fall off a hard edge that belongs to the shape and not to the law.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DROP = 0.25
"""The end of the range lies above the continued curve minus this, in the logarithm (22 %)."""

DROP_IN_NOISE = 8.0
"""It may also lie this many times the scatter of the curve below it."""

CLEAN_DROP = 0.05
"""Once the end is known to drop, it is removed until what is left of the drop is below this."""

CLEAN_DROP_IN_NOISE = 2.0
"""What is left may also be this many times the scatter."""

STEP = 0.97
"""Factor by which the range is shortened while its end drops."""

SMALLEST_SHARE = 0.5
"""At least this share of the values is kept."""

SMALLEST_RANGE = 16
"""Shorter spectra are not trimmed."""


def numerical_rank(values: Floats, shape: tuple[int, int]) -> int:
    """How many singular values exceed the rounding error of the decomposition.

    Args:
        values: singular values, nonincreasing and nonnegative.
        shape: rows and columns of the matrix.

    Returns:
        The number of values above ``max(shape) * 2 ** -52`` times the largest.
    """
    floor = max(shape) * float(np.finfo(float).eps) * float(values[0])
    return int(np.count_nonzero(values > floor))


def range_without_drop(log_values: Floats) -> int:
    """How many of the leading values to keep so that the range does not end in a drop.

    The curve ``c_0 + c_1 log i + c_2 i``, which contains the power law, the exponential and their
    product, is fitted to indices from a quarter to 85 % of the range and continued to its end.  If
    the mean of the last 2 % lies more than `DROP` (and `DROP_IN_NOISE` times the scatter) below it,
    there is a drop; the range is then shortened by 3 % at a time until what is left of the drop is
    below `CLEAN_DROP` (or `CLEAN_DROP_IN_NOISE` times the scatter).

    Args:
        log_values: logarithms of the singular values, nonincreasing, shape (count,).

    Returns:
        The length of the range, at least half of ``count``.
    """
    count = len(log_values)
    index = np.arange(1, count + 1, dtype=float)
    curve = np.column_stack([np.ones(count), np.log(index), index / count])
    kept = count
    allowed, allowed_in_noise = DROP, DROP_IN_NOISE
    while kept >= SMALLEST_RANGE and kept * STEP >= SMALLEST_SHARE * count:
        inner = slice(kept // 4, int(0.85 * kept))
        coefficients, *_ = np.linalg.lstsq(curve[inner], log_values[inner], rcond=None)
        scatter = np.std(log_values[inner] - curve[inner] @ coefficients)
        end = slice(kept - max(1, kept // 50), kept)
        drop = float(np.mean(curve[end] @ coefficients - log_values[end]))
        if drop <= max(allowed, allowed_in_noise * float(scatter)):
            break
        allowed, allowed_in_noise = CLEAN_DROP, CLEAN_DROP_IN_NOISE
        kept = int(STEP * kept)
    return kept
