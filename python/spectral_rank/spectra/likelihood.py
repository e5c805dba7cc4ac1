"""Maximum likelihood, for the laws whose values are a sample of a known distribution.

Ranked values that follow a power law are a Pareto sample, those of an exponential are spread evenly
in the logarithm, those of a log-normal law are normal in the logarithm, and those of noise are the
singular values of a Gaussian matrix.  These estimates take the values as independent draws: they
are an independent check of the least-squares fit, with errors that are too wide for a spectrum,
whose values are more evenly spaced than draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_ndtr

from spectral_rank.spectra.least_squares import Floats, Sample


@dataclass(frozen=True)
class Likeliest:
    """A maximum-likelihood estimate of one parameter.

    Attributes:
        parameter: its name.
        value: the estimate.
        standard_error: its asymptotic standard error for independent draws.
    """

    parameter: str
    value: float
    standard_error: float


def maximum_likelihood(law: str, sample: Sample) -> tuple[Likeliest, ...]:
    """The maximum-likelihood estimates of a law, empty where the law has none.

    Args:
        law: name of the law.
        sample: the values in the fit range, at least 3.
    """
    estimate = _ESTIMATES.get(law)
    return estimate(sample) if estimate is not None and sample.kept >= 3 else ()


def _hill(sample: Sample) -> tuple[Likeliest, ...]:
    """Hill's estimate from the largest three quarters of the values in the range.

    Sorting bends the smallest values, and the threshold is where a bend would do most harm.

    Source: Hill, Annals of Statistics 3 (1975) 1163; its reciprocal is the Pareto exponent.
    """
    above = int(0.75 * sample.kept)
    # Below index `first` the law has no values: the draws are Pareto between two bounds.
    first, last = sample.indices.first, sample.indices.first + above
    lost = 0.0 if first == 1 else (first - 1) / (last - first + 1) * np.log(last / (first - 1))
    mean = float(np.mean(sample.log_values[:above] - sample.log_values[above]))
    value = mean / (1 - lost)
    return (Likeliest("exponent", value, value / np.sqrt(above)),)


def _even_spacing(sample: Sample) -> tuple[Likeliest, ...]:
    span = float(sample.log_values[0] - sample.log_values[-1])
    rate = span / (sample.kept - 1)
    return (Likeliest("rate", rate, rate / np.sqrt((sample.kept - 1) * (sample.kept + 2) / 2)),)


def _censored_normal(sample: Sample) -> tuple[Likeliest, ...]:
    """Mean and deviation of normal logarithms of which only the largest were kept."""
    values, bound = sample.log_values, float(sample.log_values[-1])
    censored = len(sample.indices.index) - sample.kept
    mean, deviation = float(np.mean(values)), float(np.std(values))
    if deviation == 0:
        return ()
    if censored:

        def cost(theta: Floats) -> float:
            scaled = (values - theta[0]) * np.exp(-theta[1])
            below = (bound - theta[0]) * np.exp(-theta[1])
            hidden = censored * float(log_ndtr(below))
            return float(scaled @ scaled / 2 + sample.kept * theta[1] - hidden)

        best = minimize(cost, np.array([mean, np.log(deviation)]), method="BFGS")
        mean, deviation = float(best.x[0]), float(np.exp(best.x[1]))
    root = np.sqrt(sample.kept)
    return (
        Likeliest("scale", float(np.exp(mean)), float(np.exp(mean) * deviation / root)),
        Likeliest("deviation", deviation, deviation / float(np.sqrt(2) * root)),
    )


def _frobenius(sample: Sample) -> tuple[Likeliest, ...]:
    """The scale of noise, from the sum of squares of all entries of the matrix."""
    count = len(sample.indices.index)
    if sample.kept < count or sample.indices.first > 1:
        return ()
    scale = float(np.sqrt(np.mean(np.exp(2 * sample.log_values))))
    entries = count**2 / sample.indices.aspect
    return (Likeliest("scale", scale, scale / float(np.sqrt(2 * entries))),)


_ESTIMATES: dict[str, Callable[[Sample], tuple[Likeliest, ...]]] = {
    "power_law": _hill,
    "exponential": _even_spacing,
    "log_normal": _censored_normal,
    "marchenko_pastur": _frobenius,
}
