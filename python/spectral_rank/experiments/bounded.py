"""Numbers that a measurement gives exactly, or only a bound of, and their intervals over seeds.

The knee of a sweep may lie beyond the ranks that were trained.  Such a knee is a bound, not a
value; what is computed from it is a bound, too, and an interval over seeds is open on that side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from spectral_rank.experiments.record import Interval, mean_interval
from spectral_rank.formulas.domain import DomainError, require

ROUNDING = 1e-9
"""Spread of bounds, such as logarithms or shares, that counts as none."""


@dataclass(frozen=True)
class Bounded:
    """A number that lies in ``[low, high]``, with the value that stands for it in a mean.

    Attributes:
        value: finite, in ``[low, high]``.
        low: lower bound; minus infinity if there is none.
        high: upper bound; infinity if there is none.

    Raises:
        DomainError: if the value is not finite or not within the bounds.
    """

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        rule = f"finite and between the bounds {self.low} and {self.high}"
        require("value", float(self.value), rule, lambda x: self.low <= x <= self.high)

    @property
    def is_known(self) -> bool:
        """Whether the number is its own bounds."""
        return self.low == self.high

    def mapped(self, function: Callable[[float], float]) -> Bounded:
        """The image under a monotone function, rising or falling, that also takes the infinities.

        A value at which the function is not finite is refused as a ``DomainError``.
        """
        low, high = sorted((function(self.low), function(self.high)))
        return Bounded(function(self.value), low, high)


def known(value: float) -> Bounded:
    """A number that is its own bounds."""
    return Bounded(value, value, value)


def combination(weights: ArrayLike, numbers: Sequence[Bounded]) -> Bounded:
    """The sum of numbers times real weights, with the bounds that follow.

    Args:
        weights: one finite real number for each of the numbers.
        numbers: at least one.

    Raises:
        DomainError: if there are not as many weights as numbers.
    """
    factors = np.asarray(weights, dtype=float).ravel()
    if not len(numbers) or len(factors) != len(numbers):
        raise DomainError("weights", weights, f"{len(numbers)} numbers, and at least one")
    terms = [
        number.mapped(lambda x, w=factor: w * x)  # type: ignore[misc]
        for factor, number in zip(factors, numbers, strict=True)
        if factor != 0  # 0 times an infinite bound is 0
    ]
    return Bounded(
        *(sum(getattr(term, part) for term in terms) for part in ("value", "low", "high"))
    )


def slope(x: ArrayLike, y: Sequence[Bounded]) -> Bounded:
    """The slope of the straight line of least squares, with the bounds that follow.

    Args:
        x: at least two different numbers.
        y: the number at each of them.

    Raises:
        DomainError: if all ``x`` agree, or there are not as many as ``y``.
    """
    places = np.asarray(x, dtype=float).ravel()
    centred = places - places.mean()
    squares = float(centred @ centred)
    if squares == 0:
        raise DomainError("x", x, "at least two different numbers")
    return combination(centred / squares, y)


def over_seeds(numbers: Sequence[Bounded], level: float = 0.95) -> Interval:
    """The mean with its Student interval; open where a bound is.

    Bounds that all agree, as those of knees at the same edge do, have no spread, so that nothing
    says how far the bound of another seed would be: that end has no confidence level, and is open.

    Args:
        numbers: at least two, one per seed.
        level: confidence level.

    Returns:
        From the lower end of the interval of the lower bounds to the upper end of that of the
        upper bounds.
    """
    are_known = all(number.is_known for number in numbers)
    low = _mean_of_ends([number.low for number in numbers], level, are_known)
    high = _mean_of_ends([number.high for number in numbers], level, are_known)
    ends = {"low": low.low if low else -math.inf, "high": high.high if high else math.inf}
    return mean_interval([number.value for number in numbers], level).model_copy(update=ends)


def _mean_of_ends(ends: list[float], level: float, are_known: bool) -> Interval | None:
    """The interval of the mean of bounds on one side; ``None`` where it has no level."""
    if not all(map(math.isfinite, ends)) or not (are_known or np.ptp(ends) > ROUNDING):
        return None
    return mean_interval(ends, level)


def labelled(name: str, numbers: Sequence[Bounded]) -> str:
    """The name under which an interval over seeds is reported; it says how many are bounds."""
    bounds = sum(not number.is_known for number in numbers)
    return f"{name} (only bounded in {bounds} of {len(numbers)} seeds)" if bounds else name


def exponentiated(interval: Interval) -> Interval:
    """The interval of a number from that of its natural logarithm; open ends become 0, infinity."""
    ends = {name: math.exp(getattr(interval, name)) for name in ("value", "low", "high")}
    return interval.model_copy(update=ends)


def clipped(interval: Interval, low: float, high: float) -> Interval:
    """The interval of a number that cannot lie outside ``[low, high]``, as its mean does not."""
    ends = {name: min(max(getattr(interval, name), low), high) for name in ("value", "low", "high")}
    return interval.model_copy(update=ends)


def is_open(interval: Interval, least: float = -math.inf) -> bool:
    """Whether an interval has an open end, so that its value is only a bound.

    Args:
        interval: the interval.
        least: where it is open below, such as 0 for an exponential.
    """
    return interval.low <= least or interval.high == math.inf


def in_words(interval: Interval, least: float = -math.inf) -> str:
    """An interval to three significant digits, such as ``0.17 [0.15, 0.19]``.

    Args:
        interval: the interval; if it is open, only its other end is named: ``at least 0.15``.
        least: as in `is_open`.
    """
    if not is_open(interval, least):
        return f"{interval.value:.3g} [{interval.low:.3g}, {interval.high:.3g}]"
    if interval.low > least:
        return f"at least {interval.low:.3g}"
    return f"at most {interval.high:.3g}" if interval.high < math.inf else "not bounded"


def are_disjoint(one: Interval, other: Interval) -> bool:
    """Whether two intervals have no point in common."""
    return one.high < other.low or other.high < one.low


def lies_within(interval: Interval, margin: float) -> bool:
    """Whether an interval lies within ``[-margin, margin]``."""
    return -margin <= interval.low and interval.high <= margin


def excludes_zero(interval: Interval) -> bool:
    """Whether 0 lies outside an interval."""
    return interval.low > 0 or interval.high < 0
