"""Which law explains a spectrum: likelihoods, information criteria, Vuong's test, held-out errors.

All laws are compared at one noise level, that of the law which needs the least.  Residuals of
sorted values are too small and too alike to judge by themselves; at a known noise the sum of
squares of two nested fits differs by ``noise ** 2`` times a chi-square variable as it would for
independent residuals, because sorting leaves slow contrasts unchanged.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from spectral_rank.spectra.least_squares import PointFit, jacobian

Floats = NDArray[np.float64]

BLOCKS = 16
"""Blocks of equal length in the logarithm of the index, for held-out errors and Vuong's test."""

STRONG_EVIDENCE = 6.0
"""Difference of BIC from which a law with more parameters is preferred to one with fewer
(Kass and Raftery, Journal of the American Statistical Association 90 (1995) 773)."""

BARE_MENTION = 2.0
"""Difference of BIC below which two laws are not told apart, by the same source."""


@dataclass(frozen=True)
class Scores:
    """How well one law explains the values in the fit range.

    Attributes:
        r_squared: share of the variance of the log values that the fit explains, at most 1.
        log_likelihood: Gaussian log-likelihood of the residuals at the common noise.
        aic: Akaike's criterion, ``2 p - 2 log_likelihood``.
        bic: the Bayesian criterion, ``p log(kept) - 2 log_likelihood``.
        held_out: root mean square error on blocks that the fit has not seen.
    """

    r_squared: float
    log_likelihood: float
    aic: float
    bic: float
    held_out: float


def scores(fit: PointFit, noise: float) -> Scores:
    """Score a fit.

    Args:
        fit: a law fitted at the common noise.
        noise: the common noise, > 0.
    """
    kept, parameters = fit.sample.kept, len(fit.parameters)
    squares = float(fit.residuals @ fit.residuals)
    spread = fit.sample.log_values - fit.sample.log_values.mean()
    total = float(spread @ spread)
    log_likelihood = -kept * np.log(noise * np.sqrt(2 * np.pi)) - squares / (2 * noise**2)
    return Scores(
        r_squared=1 - squares / total if total > 0 else float(squares == 0),
        log_likelihood=float(log_likelihood),
        aic=float(2 * parameters - 2 * log_likelihood),
        bic=float(parameters * np.log(kept) - 2 * log_likelihood),
        held_out=held_out_error(fit),
    )


def blocks(kept: int, first: int) -> list[slice]:
    """Blocks of the fit range of about equal length in the logarithm of the index."""
    edges = np.geomspace(first, first + kept, BLOCKS + 1) - first
    bounds = np.unique(np.round(edges).astype(int))
    return [slice(int(low), int(high)) for low, high in itertools.pairwise(bounds)]


def held_out_error(fit: PointFit) -> float:
    """Root mean square residual when each block is predicted from the others.

    The refits are linearized, so a block costs the solution of one small system.
    """
    kept = fit.sample.kept
    derivative = jacobian(fit.law, fit.sample.indices, fit.parameters)[:kept]
    scale = np.sqrt(np.einsum("ij,ij->j", derivative, derivative))
    derivative = derivative / np.where(scale > 0, scale, 1)
    gram = derivative.T @ derivative
    squares = 0.0
    for block in blocks(kept, fit.sample.indices.first):
        inside, residuals = derivative[block], fit.residuals[block]
        without = np.linalg.pinv(gram - inside.T @ inside, rcond=1e-10, hermitian=True)
        predicted = residuals + inside @ (without @ (inside.T @ residuals))
        squares += float(predicted @ predicted)
    return float(np.sqrt(squares / kept))


def vuong(best: PointFit, other: PointFit) -> tuple[float, float]:
    """Vuong's test of two laws on the same values.

    The differences of the pointwise log-likelihoods are summed in blocks, because neighbours are
    correlated, and the sum is studentized by the blocks.

    Args:
        best: a fit; large positive statistics speak for it.
        other: another fit of the same sample at the same noise.

    Returns:
        The statistic and the two-sided p-value; ``(0, 1)`` if the fits agree everywhere.

    Source:
        Vuong, Econometrica 57 (1989) 307; Clauset, Shalizi and Newman, SIAM Review 51 (2009) 661.
    """
    gain = (other.residuals**2 - best.residuals**2) / 2
    sums = np.array([gain[block].sum() for block in blocks(len(gain), best.sample.indices.first)])
    spread = float(np.sqrt(len(sums)) * np.std(sums, ddof=1)) if len(sums) > 1 else 0.0
    if spread == 0:
        return 0.0, 1.0
    statistic = float(sums.sum()) / spread
    return statistic, float(2 * ndtr(-abs(statistic)))


def choose(fits: Sequence[PointFit], criteria: Sequence[float]) -> int:
    """The position of the law that explains the spectrum best.

    Among the laws whose BIC is within `STRONG_EVIDENCE` of the least, those with the fewest
    parameters, and of these the one with the least BIC.

    Args:
        fits: the fitted laws.
        criteria: the BIC of each.
    """
    least = min(criteria)
    return min(
        (k for k in range(len(fits)) if criteria[k] <= least + STRONG_EVIDENCE),
        key=lambda k: (len(fits[k].parameters), criteria[k]),
    )


def is_told_apart(fits: Sequence[PointFit], criteria: Sequence[float], best: int) -> bool:
    """Whether no law that is as simple as the best and unrelated to it explains as much."""
    return all(
        k == best
        or len(fits[k].parameters) > len(fits[best].parameters)
        or criteria[k] - criteria[best] >= BARE_MENTION
        for k in range(len(fits))
    )
