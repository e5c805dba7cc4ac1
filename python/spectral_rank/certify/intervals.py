"""Measured intervals as rational intervals that contain them.

Every end moves outward or stays, to the simplest rational within a stated slack: small denominators
keep the integers of a certificate small.  A float is the binary fraction it holds and all
arithmetic is exact, so no rounding ever goes inward.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from spectral_rank.formulas.domain import DomainError, integer, require

Real = float | Fraction
"""A measured number: an int, a float of Python or numpy, or a Fraction."""

DENOMINATOR_LIMIT = 10_000
"""Largest denominator of an exponent in the instances that Lean has compiled."""

SLACK = Fraction(1, 100)
"""Default outward step, as a share of the interval's width: what it costs is invisible beside the
interval, and the simplest rational in it has about a tenth of the digits."""


@dataclass(frozen=True)
class Allowed:
    """The range that a rational interval must stay in.

    Attributes:
        low: lower end.
        high: upper end.
        low_open: whether ``low`` itself is excluded.
        high_open: whether ``high`` itself is excluded.
    """

    low: Fraction
    high: Fraction
    low_open: bool = False
    high_open: bool = False

    def __str__(self) -> str:
        opening, closing = "(" if self.low_open else "[", ")" if self.high_open else "]"
        return f"{opening}{self.low}, {self.high}{closing}"

    def __contains__(self, x: Fraction) -> bool:
        above = x > self.low if self.low_open else x >= self.low
        return above and (x < self.high if self.high_open else x <= self.high)

    def least(self, limit: int) -> Fraction:
        """The least fraction in the range whose denominator is at most ``limit``."""
        if not self.low_open:
            return self.low
        # Fractions a/b and c/d differ by at least 1/(bd): this step passes none of them.
        step = Fraction(1, 2 * self.low.denominator * limit)
        return farey_neighbours(self.low + step, limit)[1]

    def greatest(self, limit: int) -> Fraction:
        """The greatest fraction in the range whose denominator is at most ``limit``."""
        if not self.high_open:
            return self.high
        step = Fraction(1, 2 * self.high.denominator * limit)
        return farey_neighbours(self.high - step, limit)[0]


def outward(
    argument: str,
    lo: Real,
    hi: Real,
    allowed: Allowed,
    denominator_limit: int = DENOMINATOR_LIMIT,
    slack: Fraction = SLACK,
) -> tuple[Fraction, Fraction]:
    """A rational interval that contains ``[lo, hi]``, with small denominators.

    Each end becomes the simplest rational within ``slack * min(hi - lo, |end|)`` outside it, or, if
    no rational that close has a denominator within the limit, the nearest one outside that has.

    Args:
        argument: name of the measured quantity, for the message.
        lo: lower end of the measured interval.
        hi: upper end, at least ``lo``.
        allowed: range of nonnegative numbers that the result must lie in.
        denominator_limit: largest denominator, an integer >= 1.
        slack: largest outward step as a share of the width, >= 0.

    Returns:
        ``(low, high)`` with ``low <= lo <= hi <= high``, both in ``allowed``.

    Raises:
        DomainError: if an end is NaN, infinite or no number, if ``lo > hi``, or if the allowed
            range holds no such interval (an exponent on the wrong side of 1/2, or so close to it
            that no fraction within the limit fits between).

    Source:
        Graham, Knuth and Patashnik, Concrete Mathematics (1994), section 4.5 (Stern-Brocot tree,
        Farey neighbours).
    """
    limit = integer("denominator_limit", denominator_limit, at_least=1)
    require("slack", slack, "a rational number >= 0", lambda x: x >= 0)
    low, high = exact_end(argument, lo), exact_end(argument, hi)
    if low > high:
        raise DomainError(argument, (lo, hi), "an interval with lower end <= upper end")
    least, greatest = allowed.least(limit), allowed.greatest(limit)
    if not (low in allowed and high in allowed and least <= low and high <= greatest):
        rule = f"an interval in {allowed} that fractions with denominators <= {limit} enclose there"
        raise DomainError(argument, (lo, hi), rule)
    step = slack * (high - low)
    furthest_low = min(farey_neighbours(low, limit)[0], low - min(step, slack * low))
    furthest_high = max(farey_neighbours(high, limit)[1], high + min(step, slack * high))
    return (
        simplest_between(max(least, furthest_low), low),
        simplest_between(high, min(greatest, furthest_high)),
    )


def exact_end(argument: str, value: Real) -> Fraction:
    """The rational number that a measured number is; a float is the binary fraction it holds.

    Raises:
        DomainError: if it is not a finite int, float or Fraction.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction):
        raise DomainError(argument, value, "a finite int, float or Fraction")
    return Fraction(require(argument, value, "a finite number"))


def simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """The rational in ``[low, high]`` with the smallest denominator, and then the smallest value.

    Args:
        low: lower end, >= 0.
        high: upper end, >= ``low``.
    """
    # The first node of the Stern-Brocot tree in the interval, runs in one direction skipped.
    whole = math.ceil(low)
    if whole <= high:
        return Fraction(whole)
    below = whole - 1
    return below + 1 / simplest_between(1 / (high - below), 1 / (low - below))


def farey_neighbours(x: Fraction, limit: int) -> tuple[Fraction, Fraction]:
    """The greatest fraction <= ``x`` and the least >= ``x`` with denominators <= ``limit``.

    Args:
        x: any nonnegative rational number; its own neighbours if its denominator is small enough.
        limit: largest denominator, >= 1.
    """
    if x.denominator <= limit:
        return x, x
    # Convergents p/q of the continued fraction, up to the last one within the limit; the
    # semiconvergent on its other side is its neighbour in the Farey sequence.
    p_before, q_before, p, q = 0, 1, 1, 0
    numerator, denominator = x.numerator, x.denominator
    while True:
        quotient = numerator // denominator
        q_next = q_before + quotient * q
        if q_next > limit:
            break
        p_before, q_before, p, q = p, q, p_before + quotient * p, q_next
        numerator, denominator = denominator, numerator - quotient * denominator
    steps = (limit - q_before) // q
    other = Fraction(p_before + steps * p, q_before + steps * q)
    last = Fraction(p, q)
    return min(last, other), max(last, other)
