"""The power-law spectrum and its energy (``lean/SpectralRank/PowerLaw.lean``).

The energy of a band is a difference of two Hurwitz zeta values for every exponent other than 1/2,
and a difference of harmonic numbers at 1/2, so no sum is ever truncated.
"""

from __future__ import annotations

from fractions import Fraction

from spectral_rank.formulas.domain import (
    DomainError,
    Number,
    integer,
    noncritical_exponent,
    positive,
    require,
    steep_exponent,
)
from spectral_rank.formulas.elementary import (
    harmonic,
    hurwitz_zeta,
    kind_of,
    over_arrays,
    power,
    rounded,
)

SHORT_BAND = 64
"""Bands up to this length are summed term by term: tighter balls, and symbols sympy can handle."""


def singular_value(alpha: Number, i: Number) -> Number:
    """The ``i``-th singular value ``i ** -alpha`` of the power-law spectrum.

    Args:
        alpha: exponent, any real number.
        i: index, an integer >= 1 or an array of such integers.

    Returns:
        A positive number; at most 1 if ``alpha >= 0``.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.singularValue``.
    """
    require("alpha", alpha, "a finite real number")
    require("i", i, "an integer >= 1", lambda index: index >= 1)
    return power(i, -alpha)


@over_arrays
def band_energy(alpha: Number, m: int, n: int) -> Number:
    """The energy of the band ``m < i <= n``: the sum of ``i ** (-2 alpha)`` over it.

    Args:
        alpha: exponent, any real number.
        m: last index before the band, 0 <= m <= n.
        n: last index of the band.

    Returns:
        A number >= 0; an exact Fraction if ``alpha`` is a Fraction and ``2 alpha`` an integer, a
        correctly rounded float for any other float, int or Fraction.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.bandEnergy``.
    """
    require("alpha", alpha, "a finite real number")
    n = integer("n", n)
    m = integer("m", m, at_most=n)
    if isinstance(alpha, Fraction) and (2 * alpha).denominator == 1:
        return sum((power(i, -2 * alpha) for i in range(m + 1, n + 1)), Fraction(0))
    if kind_of(alpha) == "float":
        return rounded("alpha", lambda exponent: _band(exponent, m, n), alpha)
    energy = _band(alpha, m, n)
    if kind_of(alpha) == "ball" and not energy.is_finite():
        raise DomainError("alpha", alpha, "a ball that is the point 1/2 or excludes 1/2")
    return energy


def _band(alpha: Number, m: int, n: int) -> Number:
    if n - m <= SHORT_BAND:
        return sum((power(i, -2 * alpha) for i in range(m + 1, n + 1)), 0 * alpha)
    if 2 * alpha == 1:
        one = 2 * alpha
        return harmonic(n * one) - harmonic(m * one)
    return hurwitz_zeta(2 * alpha, m + 1) - hurwitz_zeta(2 * alpha, n + 1)


@over_arrays
def head_energy(alpha: Number, r: int) -> Number:
    """The energy of the first ``r`` singular values.

    Args:
        alpha: exponent, any real number.
        r: rank, an integer >= 0.

    Returns:
        A number >= 0, of the same kind as in `band_energy`.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.headEnergy``.
    """
    return band_energy(alpha, 0, integer("r", r))


@over_arrays
def tail_energy(alpha: Number, r: int) -> Number:
    """The energy of all singular values of index greater than ``r``: ``zeta(2 alpha, r + 1)``.

    Args:
        alpha: exponent > 1/2, where the series converges.
        r: rank, an integer >= 0.

    Returns:
        A positive number.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.tailEnergy``; NIST DLMF 25.11 (Hurwitz zeta function).
    """
    steep_exponent("alpha", alpha)
    return hurwitz_zeta(2 * alpha, integer("r", r) + 1)


def antideriv(alpha: Number, x: Number) -> Number:
    """The antiderivative ``x ** (1 - 2 alpha) / (1 - 2 alpha)`` of ``x ** (-2 alpha)``.

    Args:
        alpha: exponent other than 1/2.
        x: point > 0.

    Returns:
        A number of the sign of ``1 - 2 alpha``.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.antideriv``.
    """
    noncritical_exponent("alpha", alpha)
    positive("x", x)
    return power(x, 1 - 2 * alpha) / (1 - 2 * alpha)
