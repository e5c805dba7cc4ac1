"""How the loss falls with size: ``loss = floor + c * size ** -exponent``.

For a given exponent the law is linear in floor and ``c``, so least squares leaves a search over one
number.  Sizes are taken relative to their geometric mean, which keeps the two columns of the linear
problem of one magnitude.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar, nnls

from spectral_rank.formulas.domain import DomainError, positive, require

Floats = NDArray[np.float64]

EXPONENTS = (1e-3, 10.0)
"""Range of the exponent.  Below, the law is a logarithm; above, all sizes but the least are alike:
either way the data name no exponent."""

GRID = 201
"""Exponents tried before the best is refined; neighbours differ by 5 %."""

PARAMETERS = 3


@dataclass(frozen=True)
class ScalingLaw:
    """A fitted law.

    Attributes:
        exponent: the exponent, > 0.
        floor: loss of an infinite size, >= 0.
        fall: loss above the floor at the size ``reference``, >= 0.
        reference: geometric mean of the sizes.
        r_squared: share of the variance of the losses that the law explains; 0 if they are equal.
        is_determined: whether the data name an exponent: the loss falls, and the best exponent is
            not at an end of `EXPONENTS`.
    """

    exponent: float
    floor: float
    fall: float
    reference: float
    r_squared: float
    is_determined: bool

    def predict(self, sizes: Sequence[float] | Floats) -> Floats:
        """The losses of the law at these sizes, > 0, of the same shape."""
        relative = np.asarray(sizes, dtype=float) / self.reference
        predicted: Floats = self.floor + self.fall * relative**-self.exponent
        return predicted


def fit_scaling_law(sizes: Sequence[float], losses: Sequence[float]) -> ScalingLaw:
    """Fit the law by least squares with ``floor >= 0`` and ``c >= 0``.

    Args:
        sizes: at least 4 different positive numbers, such as numbers of parameters.
        losses: losses >= 0 at these sizes, of the same length.

    Returns:
        The law; where losses do not fall with size, it is a constant and not determined.

    Raises:
        DomainError: if an argument is outside its domain.
    """
    x, y = _checked(sizes, losses)
    relative = x / np.exp(np.mean(np.log(x)))
    grid = np.log(np.geomspace(EXPONENTS[0], EXPONENTS[1], GRID))
    errors = [_fit_at(log_exponent, relative, y)[1] for log_exponent in grid]
    best = int(np.argmin(errors))
    around = grid[max(0, best - 1)], grid[min(GRID - 1, best + 1)]
    refined = minimize_scalar(
        lambda log_exponent: _fit_at(log_exponent, relative, y)[1],
        bounds=around,
        method="bounded",
        options={"xatol": 1e-9},
    )
    law = _law(float(refined.x) if refined.fun < errors[best] else float(grid[best]), x, y)
    return replace(law, is_determined=law.is_determined and 0 < best < GRID - 1)


def law_of_exponent(exponent: float, sizes: Sequence[float], losses: Sequence[float]) -> ScalingLaw:
    """The best law of a given exponent, to be compared with the best of all.

    Args:
        exponent: the exponent, > 0.
        sizes: as `fit_scaling_law`.
        losses: as `fit_scaling_law`.

    Returns:
        The law; ``is_determined`` says whether the loss falls.

    Raises:
        DomainError: if an argument is outside its domain.
    """
    x, y = _checked(sizes, losses)
    return _law(math.log(positive("exponent", exponent)), x, y)


def _law(log_exponent: float, x: Floats, y: Floats) -> ScalingLaw:
    reference = float(np.exp(np.mean(np.log(x))))
    (floor, fall), error = _fit_at(log_exponent, x / reference, y)
    spread = float(np.linalg.norm(y - y.mean()))
    falls = fall > 0 and spread > 1e-12 * float(y.max())
    return ScalingLaw(
        exponent=math.exp(log_exponent),
        floor=float(floor),
        fall=float(fall),
        reference=reference,
        r_squared=1 - (error / spread) ** 2 if falls else 0.0,
        is_determined=falls,
    )


def _fit_at(log_exponent: float, relative: Floats, losses: Floats) -> tuple[Floats, float]:
    """Floor and fall at an exponent, and the norm of the residuals."""
    design = np.column_stack([np.ones_like(relative), relative ** -np.exp(log_exponent)])
    # At large exponents the second column spans many decades: solve with columns of norm 1.
    scale = np.linalg.norm(design, axis=0)
    solution, error = nnls(design / scale, losses)
    return solution / scale, float(error)


def _checked(sizes: Sequence[float], losses: Sequence[float]) -> tuple[Floats, Floats]:
    x, y = np.asarray(sizes, dtype=float), np.asarray(losses, dtype=float)
    require("sizes", x, "positive finite numbers", lambda values: values > 0)
    require("losses", y, "finite numbers >= 0", lambda values: values >= 0)
    if x.ndim != 1 or len(np.unique(x)) <= PARAMETERS:
        raise DomainError("sizes", sizes, f"at least {PARAMETERS + 1} different numbers")
    if y.shape != x.shape:
        raise DomainError("losses", losses, f"{len(x)} numbers, one for each size")
    return x, y
