"""The tightest power-law envelope of a measured spectrum (``lean/SpectralRank/Envelope.lean``).

A measured spectrum is no exact power law, but it lies between two: ``c i ** -alpha <= s_i <=
C i ** -alpha``.  What Lean proves about such a spectrum depends on ``(C / c) ** 2``.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import flint
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, PositiveFloat

from spectral_rank.formulas.domain import DomainError, Number, nonnegative, require
from spectral_rank.formulas.elementary import as_ball, exact, power

Floats = NDArray[np.float64]

PRECISION_BITS = 128
"""Working precision of the balls; the constants are rounded outward to floats afterwards."""

SEARCH_STEPS = 200
"""Golden-section steps: each takes off 38 %, so that the exponent is found to the last digit."""


class Envelope(BaseModel):
    """The bounds ``lower * i ** -exponent <= s_i <= upper * i ** -exponent`` for ``i <= count``.

    Attributes:
        schema_version: version of this record's layout.
        exponent: the exponent, exactly.
        lower: the constant ``c``, rounded down from the tightest.
        upper: the constant ``C``, rounded up from the tightest.
        count: how many singular values lie inside.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: int = 1
    exponent: Fraction
    lower: PositiveFloat
    upper: PositiveFloat
    count: int

    @property
    def ratio(self) -> float:
        """``upper / lower``, at least 1: the factor between the two power laws."""
        return self.upper / self.lower

    @property
    def constants(self) -> tuple[Fraction, Fraction]:
        """``lower`` and ``upper`` as the rational numbers that the floats are."""
        return Fraction(self.lower), Fraction(self.upper)


def envelope(values: Sequence[float] | Floats, exponent: Number) -> Envelope:
    """The tightest envelope of the given exponent, certified with balls.

    Args:
        values: positive singular values, nonincreasing; index 1 is the first.
        exponent: exponent >= 0, a rational number; a float stands for the decimal it prints as.

    Returns:
        The envelope.  The inequalities hold exactly for the floats in ``values``.

    Raises:
        DomainError: if an argument is outside its domain, or a constant does not fit in a float.

    Source:
        ``SpectralRank.InEnvelope``.
    """
    spectrum = _checked(values)
    alpha = exact("exponent", nonnegative("exponent", exponent))
    # Only values within rounding of the extremes can be extreme; the others need no ball.
    heights = np.log(spectrum) + float(alpha) * np.log(np.arange(1, len(spectrum) + 1))
    slack = 1e-9 * (1 + float(np.max(np.abs(heights))))
    with flint.ctx.workprec(PRECISION_BITS):
        lowest, highest = (
            [
                as_ball(float(spectrum[k])) * power(as_ball(int(k) + 1), alpha)
                for k in np.flatnonzero(near)
            ]
            for near in (heights <= heights.min() + slack, heights >= heights.max() - slack)
        )
        lower = min(float(ball.lower()) for ball in lowest)
        upper = max(float(ball.upper()) for ball in highest)
    lower, upper = float(np.nextafter(lower, 0.0)), float(np.nextafter(upper, np.inf))
    if lower <= 0 or not np.isfinite(upper):
        raise DomainError("exponent", exponent, "such that the constants fit in floats")
    return Envelope(exponent=alpha, lower=lower, upper=upper, count=len(spectrum))


def tightest_envelope(values: Sequence[float] | Floats, max_denominator: int = 10_000) -> Envelope:
    """The envelope whose exponent makes ``upper / lower`` smallest.

    The logarithm of the ratio is a convex, piecewise linear function of the exponent (a maximum of
    lines minus a minimum of lines), so a golden-section search finds its minimum.

    Args:
        values: positive singular values, nonincreasing; index 1 is the first.
        max_denominator: largest denominator of the exponent, an integer >= 1.

    Returns:
        The envelope of the best exponent >= 0, rounded to that denominator.

    Raises:
        DomainError: if ``values`` is outside its domain.
    """
    spectrum = _checked(values)
    require("max_denominator", max_denominator, "an integer >= 1", lambda n: n >= 1)
    log_values, log_index = np.log(spectrum), np.log(np.arange(1, len(spectrum) + 1))

    def log_ratio(exponent: float) -> float:
        return float(np.ptp(log_values + exponent * log_index))

    # Beyond the steepest step between neighbours the heights only increase with the index.
    steepest = float(np.max(-np.diff(log_values) / np.diff(log_index), initial=0.0))
    low, high = 0.0, steepest
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(SEARCH_STEPS):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if log_ratio(left) <= log_ratio(right):
            high = right
        else:
            low = left
    best = Fraction((low + high) / 2).limit_denominator(int(max_denominator))
    return envelope(spectrum, best)


def _checked(values: Sequence[float] | Floats) -> Floats:
    spectrum = np.asarray(values)
    if spectrum.ndim != 1 or not len(spectrum):
        raise DomainError("values", values, "a nonempty sequence of singular values")
    require("values", spectrum, "finite real numbers > 0", lambda s: s > 0)
    if np.any(np.diff(spectrum) > 0):
        raise DomainError("values", values, "nonincreasing")
    return spectrum.astype(np.float64)
