"""Intervals for the parameters of a fitted law, by a parametric bootstrap.

Residuals of sorted values are small and correlated, so the textbook covariance is wrong.  Instead
the law is disturbed by noise of the measured size, sorted as a decomposition would sort it, and
fitted again.  The refit is linearized, which makes all replicates one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from spectral_rank.spectra.laws import log_values
from spectral_rank.spectra.least_squares import (
    TINY,
    PointFit,
    jacobian,
    misfit,
    noise_derivative,
    noise_power,
    predicted_squares,
    sorting_shift,
)

Floats = NDArray[np.float64]

RELATIVE_STEP = 1e-3
"""Step of the numerical derivatives, in units of a parameter's plausible change."""

NOISE_CHANGES = np.linspace(-1.2, 1.2, 97)
"""Changes of the logarithm of the noise among which a replicate's own noise is found."""

FEWEST_FREEDOMS = 3.0
"""Degrees of freedom below which the noise is not known to within a factor two."""


@dataclass(frozen=True)
class Uncertainty:
    """What the replicates say.

    Attributes:
        deviations: standard deviation of every parameter, shape (parameters,).
        freedom: degrees of freedom with which the noise is known.
    """

    deviations: Floats
    freedom: float

    def half_widths(self, level: float) -> Floats:
        """Half the width of the intervals of the given level, shape (parameters,)."""
        return self.deviations * float(stdtrit(self.freedom, (1 + level) / 2))


def replicate(fit: PointFit, errors: Floats) -> Uncertainty:
    """The spread of a fit over simulated spectra.

    Args:
        fit: a fitted law with its noise.
        errors: independent draws of `log_errors` at that noise, shape (replicates, count).
    """
    kept = fit.sample.kept
    simulated = fit.log_law + errors
    simulated.sort(axis=1)
    changes = simulated[:, ::-1][:, :kept]
    changes = changes - changes.mean(axis=0)
    instrument = jacobian(fit.law, fit.sample.indices, fit.parameters)[:kept]
    response = instrument + _sorting_derivative(fit, instrument)
    size = np.sqrt(np.einsum("ij,ij->j", instrument, instrument))
    size[size == 0] = 1
    scaled = instrument / size
    solver = np.linalg.pinv(scaled.T @ (response / size), rcond=1e-11) @ scaled.T / size[:, None]
    parameters = changes @ solver.T
    left = changes - parameters @ response.T
    by_noise = noise_derivative(fit)
    direction = by_noise - response @ (solver @ by_noise)
    log_noise = _refitted_noise(fit, left, direction)
    parameters = parameters - log_noise[:, np.newaxis] * (solver @ by_noise)
    # The estimate of the noise has a small bias.  A law that does not explain its residuals is
    # uncertain by them, not by the noise alone.
    inflation = max(1.0, misfit(fit)) * float(np.exp(-log_noise.mean()))
    return Uncertainty(
        np.std(parameters, axis=0, ddof=1) * inflation,
        max(FEWEST_FREEDOMS, 1 / (2 * float(np.var(log_noise)))),
    )


def _refitted_noise(fit: PointFit, residuals: Floats, direction: Floats) -> Floats:
    """Logarithm of the noise each replicate would be given, over that of the fit.

    Args:
        fit: the fitted law.
        residuals: residuals of the replicates, shape (replicates, kept).
        direction: what one unit of the logarithm of the noise takes off them, shape (kept,).
    """
    change = NOISE_CHANGES
    squares = np.einsum("ij,ij->i", residuals, residuals)[:, np.newaxis]
    power = noise_power(fit)
    along, length = (residuals @ direction)[:, np.newaxis], direction @ direction
    sizes = squares - 2 * along * change + length * change**2
    sizes = sizes + 2 * (along - length * change) / power
    expected = np.log(predicted_squares(fit)) + power * change
    excess = np.log(np.maximum(sizes, TINY)) - expected
    # The search stops at the first noise that explains the residuals, or at the best before it
    # explains them less well.
    explained = excess <= 0
    rising = np.diff(excess, axis=1, append=np.inf) > 0
    return np.asarray(change[np.argmax(explained | rising, axis=1)])


def _sorting_derivative(fit: PointFit, instrument: Floats) -> Floats:
    """Derivative by the parameters of what sorting adds, shape (kept, parameters)."""
    kept = fit.sample.kept
    here = sorting_shift(fit.log_law, fit.noise)[:kept]
    columns = []
    for k, column in enumerate(instrument.T):
        largest = float(np.max(np.abs(column)))
        if largest == 0:
            columns.append(np.zeros(kept))
            continue
        step = RELATIVE_STEP / largest
        moved = fit.parameters.copy()
        moved[k] += step
        log_law = log_values(fit.law, fit.sample.indices, moved)
        columns.append((sorting_shift(log_law, fit.noise)[:kept] - here) / step)
    return np.column_stack(columns)
