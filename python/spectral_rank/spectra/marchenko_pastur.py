"""The Marchenko-Pastur law: the singular values of a matrix without structure.

For an ``m x n`` matrix of independent entries of variance ``v``, ``d = min(m, n)`` and
``D = max(m, n)``, the singular values divided by ``sqrt(v D)`` fill the interval
``[1 - sqrt(g), 1 + sqrt(g)]`` with ``g = d / D``.  With the angle ``t`` defined by
``x ** 2 = 1 + g + 2 sqrt(g) cos t`` the law has a closed distribution function, and its inverse is
smooth up to the hard edge of a square matrix.

Source: Marchenko and Pastur, Mathematics of the USSR-Sbornik 1 (1967) 457.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from spectral_rank.formulas.domain import integer, require

Floats = NDArray[np.float64]

NEWTON_STEPS = 40
"""Steps that invert the distribution function from the table to full precision."""

SMALLEST_ASPECT = 1e-6
"""Below this ratio of the sides the closed form loses its digits; the law is then a half circle."""


def upper_edge(aspect: float) -> float:
    """The largest singular value of the law, in units of ``sqrt(variance * max(m, n))``.

    Args:
        aspect: ratio of the shorter side to the longer, in (0, 1].

    Raises:
        DomainError: if the ratio is outside (0, 1].
    """
    return float(1 + np.sqrt(_aspect(aspect)))


def mass_above(aspect: float, angle: Floats) -> Floats:
    """The share of singular values above ``sqrt(1 + g + 2 sqrt(g) cos(angle))``.

    Args:
        aspect: ratio ``g`` of the shorter side to the longer, in (0, 1].
        angle: angles in [0, pi].

    Returns:
        Shares in [0, 1], increasing in the angle, of the shape of ``angle``.

    Raises:
        DomainError: if an argument is outside its domain.
    """
    aspect = max(_aspect(aspect), SMALLEST_ASPECT)
    require("angle", angle, "in [0, pi]", lambda t: (t >= 0) & (t <= np.pi))
    root = np.sqrt(aspect)
    with np.errstate(over="ignore"):
        gap = np.arctan((1 - root) / (1 + root) * np.tan(angle / 2))
    share: Floats = ((1 + aspect) * angle / 2 - root * np.sin(angle) - (1 - aspect) * gap) / (
        np.pi * aspect
    )
    return share


def quantiles(aspect: float, share: Floats) -> Floats:
    """The singular value that the given share of singular values exceeds.

    Args:
        aspect: ratio of the shorter side to the longer, in (0, 1].
        share: shares in (0, 1).

    Returns:
        Singular values in units of ``sqrt(variance * max(m, n))``, of the shape of ``share``.

    Raises:
        DomainError: if an argument is outside its domain.
    """
    aspect = max(_aspect(aspect), SMALLEST_ASPECT)
    require("share", share, "in (0, 1)", lambda u: (u > 0) & (u < 1))
    # A table in the cube of a parameter resolves the soft edge, where the mass grows like t ** 3.
    table = np.pi * np.linspace(0.0, 1.0, 513)
    angle = np.interp(np.cbrt(share), np.cbrt(np.clip(mass_above(aspect, table), 0, 1)), table)
    for _ in range(NEWTON_STEPS):
        slope = _angular_density(aspect, angle)
        step = (mass_above(aspect, angle) - share) / np.maximum(slope, 1e-300)
        angle = np.clip(angle - step, angle / 2, (angle + np.pi) / 2)
    values: Floats = np.sqrt(1 + aspect + 2 * np.sqrt(aspect) * np.cos(angle))
    return values


def _angular_density(aspect: float, angle: Floats) -> Floats:
    """The derivative of `mass_above` with respect to the angle."""
    if aspect == 1:
        return (1 - np.cos(angle)) / np.pi
    below = 1 + aspect + 2 * np.sqrt(aspect) * np.cos(angle)
    density: Floats = 2 * np.sin(angle) ** 2 / (np.pi * below)
    return density


@functools.lru_cache(maxsize=64)
def expected_singular_values(aspect: float, count: int) -> Floats:
    """The law's values at the shares ``(i - 1/2) / count``, from the largest down.

    Args:
        aspect: ratio of the shorter side to the longer, in (0, 1].
        count: number of singular values, an integer >= 1.

    Returns:
        An array of shape (count,), nonincreasing, in units of ``sqrt(variance * max(m, n))``.
        It is shared between calls and read-only.

    Raises:
        DomainError: if an argument is outside its domain.
    """
    count = integer("count", count, at_least=1)
    values = quantiles(aspect, (np.arange(count) + 0.5) / count)
    values.flags.writeable = False
    return values


def _aspect(aspect: float) -> float:
    return float(require("aspect", aspect, "a ratio in (0, 1]", lambda g: (g > 0) & (g <= 1)))
