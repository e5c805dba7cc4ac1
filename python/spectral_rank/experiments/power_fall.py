"""A loss that falls with the rank like a smooth power: the rival of a knee.

The model is ``loss = a + b rho ** -p`` with ``b >= 0`` and ``p > 0``, which has as many parameters
as a hinge.  Unlike the law of `spectral_rank.experiments.scaling_law` its limit ``a`` may be any
number, so that a loss that is straight in the logarithm of the ratio is its limit, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from spectral_rank.formulas.domain import DomainError, require

Floats = NDArray[np.float64]

EXPONENTS = (1e-3, 10.0)
"""Range of ``p``: at the lower end the law is a straight line in ``log rho``, at the upper end only
the least ratio costs anything."""

GRID = 101
"""Exponents tried before the best is refined; neighbours differ by a tenth."""


@dataclass(frozen=True)
class PowerFall:
    """The power of least squares.

    Attributes:
        exponent: ``p``, within `EXPONENTS`.
        reference: geometric mean of the ratios, where ``loss = plateau + fall``.
        plateau: the limit ``a``.
        fall: loss above the limit at the reference, >= 0.
        error: sum of the squared residuals.
    """

    exponent: float
    reference: float
    plateau: float
    fall: float
    error: float

    def loss_at(self, ratios: ArrayLike) -> Floats:
        """The loss of the law at rank ratios > 0, of the same shape."""
        relative = np.asarray(ratios, dtype=float) / self.reference
        return np.asarray(self.plateau + self.fall * relative**-self.exponent)


def fit_power_fall(ratios: ArrayLike, losses: ArrayLike) -> PowerFall:
    """Fit the law by least squares.

    Args:
        ratios: rank over width, > 0, at least three different ones; repetitions are allowed.
        losses: the loss at each of them, finite.

    Raises:
        DomainError: if an argument is outside its domain.
    """
    x, y = log_ratios_and_losses(ratios, losses)
    reference = float(np.exp(x.mean()))
    centred = x - x.mean()
    grid = np.log(np.geomspace(*EXPONENTS, GRID))
    errors = [_at(log_exponent, centred, y)[2] for log_exponent in grid]
    best = int(np.argmin(errors))
    refined = minimize_scalar(
        lambda log_exponent: _at(log_exponent, centred, y)[2],
        bounds=(grid[max(0, best - 1)], grid[min(GRID - 1, best + 1)]),
        method="bounded",
        options={"xatol": 1e-9},
    )
    log_exponent = float(refined.x) if refined.fun < errors[best] else float(grid[best])
    plateau, fall, error = _at(log_exponent, centred, y)
    return PowerFall(float(np.exp(log_exponent)), reference, plateau, fall, error)


def log_ratios_and_losses(ratios: ArrayLike, losses: ArrayLike) -> tuple[Floats, Floats]:
    """The points of a sweep, checked: logarithms of the ratios, and the losses.

    Args:
        ratios: as in `fit_power_fall`.
        losses: as in `fit_power_fall`.

    Raises:
        DomainError: if an argument is outside its domain.
    """
    rho, y = np.asarray(ratios, dtype=float), np.asarray(losses, dtype=float)
    require("ratios", rho, "real numbers > 0", lambda x: x > 0)
    require("losses", y, "finite real numbers")
    if rho.ndim != 1 or len(np.unique(rho)) < 3:
        raise DomainError("ratios", ratios, "a sequence with at least three different numbers")
    if y.shape != rho.shape:
        raise DomainError("losses", losses, f"one number for each of the {len(rho)} ratios")
    return np.log(rho), y


def _at(log_exponent: float, centred: Floats, losses: Floats) -> tuple[float, float, float]:
    """Plateau, fall >= 0 and sum of squared residuals at a given exponent."""
    # expm1, as at small exponents the power hardly differs from 1.
    column = np.expm1(-np.exp(log_exponent) * centred)
    about_mean = column - column.mean()
    fall = max(0.0, float(about_mean @ losses / (about_mean @ about_mean)))
    constant = float(losses.mean() - fall * column.mean())
    error = float(np.sum((losses - constant - fall * column) ** 2))
    return constant - fall, fall, error
