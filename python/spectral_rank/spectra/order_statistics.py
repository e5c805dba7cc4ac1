"""What sorting does to a noisy law.

A decomposition returns singular values in decreasing order.  If each lies a factor
``1 + noise * xi`` off its law, neighbours change places wherever their spacing in the logarithm is
below the noise.  Sorting shifts the expected curve, bends it at both ends, and makes the residuals
smaller and correlated.  A fit that ignores this is biased (3 % at exponent 0.2 and 5 % noise) and
its textbook intervals are wrong by far.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]

CELLS_PER_NOISE = 6
"""Cells of the counting grid in one unit of noise."""

REACH = 5.0
"""Distance, in units of noise, beyond which a value is not displaced."""

LARGEST_GRID = 40_000
"""Grids above this size mean a noise so small that sorting changes nothing that matters."""

MIXING_SCALE = 1 / np.sqrt(np.pi)
"""Noise over spacing at which half of the variance is lost, from the limit of strong mixing.

There the count above a level has the variance ``spacing ** -1 * noise * integral of P (1 - P)``,
and the integral is ``1 / sqrt(pi)`` for the normal distribution.
"""

MIXING_SHARPNESS = 2.4
"""How sharply the two limits join; fitted to simulated perturbed lattices, within 8 %."""


def log_errors(noise: float, standard: Floats) -> Floats:
    """The logarithms of the factors ``1 + noise * xi``.

    Args:
        noise: standard deviation of the relative errors, >= 0.
        standard: standard normal numbers ``xi``, of any shape.

    Returns:
        An array of the shape of ``standard``.
    """
    # A factor near or below 0 belongs to noise so large that the law means nothing.
    errors: Floats = np.log(np.maximum(1 + noise * standard, np.exp(-REACH * noise)))
    return errors


def expected_order_statistics(log_values: Floats, noise: float) -> Floats:
    """The level below which ``i - 1/2`` of the noisy values are expected, for each ``i``.

    Args:
        log_values: logarithms of the law, nonincreasing, shape (count,).
        noise: standard deviation of the independent relative errors of the values, >= 0.

    Returns:
        Levels of shape (count,), nonincreasing.
    """
    count = len(log_values)
    low, high = log_values[-1] - REACH * noise, log_values[0] + REACH * noise
    cells = int((high - low) / noise * CELLS_PER_NOISE) + 2 if noise > 0 else LARGEST_GRID
    if cells >= LARGEST_GRID or count == 1:
        return log_values
    width = (high - low) / (cells - 1)
    position = (high - log_values) / width
    cell = np.minimum(position.astype(np.intp), cells - 2)
    share = position - cell
    mass = np.bincount(cell, 1 - share, cells) + np.bincount(cell + 1, share, cells)
    half = int(REACH * noise / width) + 1
    edges = (np.arange(half, -half - 2, -1) + 0.5) * width
    kernel = -np.diff(ndtr(np.expm1(edges) / noise))
    spread = np.convolve(mass, kernel / kernel.sum())[half : half + cells]
    above = np.cumsum(spread) - spread / 2
    levels = high - width * np.arange(cells)
    expected: Floats = np.interp(np.arange(count) + 0.5, above, levels)
    return expected


def variance_ratio(log_values: Floats, noise: float) -> Floats:
    """The variance of each sorted value over the variance of the noise.

    Args:
        log_values: logarithms of the law, nonincreasing, shape (count,).
        noise: standard deviation of the relative errors, >= 0.

    Returns:
        Ratios in (0, 1] of shape (count,): 1 where the spacing is wide, and of the order of
        spacing over noise where many values mix.
    """
    if len(log_values) < 2:
        return np.ones_like(log_values)
    spacing = np.maximum(-np.gradient(log_values), np.finfo(float).tiny)
    mixing = noise / spacing / MIXING_SCALE
    with np.errstate(over="ignore"):
        ratio: Floats = (1 + mixing**MIXING_SHARPNESS) ** (-1 / MIXING_SHARPNESS)
    return ratio
