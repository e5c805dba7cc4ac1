"""Captured energy and the rank it takes (``VarianceCapture.lean``, ``CaptureRank.lean``)."""

from __future__ import annotations

from fractions import Fraction

from spectral_rank.formulas.domain import (
    Number,
    integer,
    require,
    slow_exponent,
    tolerance,
)
from spectral_rank.formulas.elementary import (
    as_ball,
    exact,
    kind_of,
    over_arrays,
    power,
    rounded,
)
from spectral_rank.formulas.power_law import head_energy
from spectral_rank.formulas.search import UndecidedSignError, least_index, sign

RATIONAL_SUM = 10**5
"""Largest dimension up to which a tie between rational sums is settled by adding fractions."""


@over_arrays
def captured(alpha: Number, r: int, d: int) -> Number:
    """The share of the energy of the first ``d`` singular values that the first ``r`` carry.

    Args:
        alpha: exponent, any real number.
        r: rank, an integer in [0, d].
        d: dimension, an integer >= 1.

    Returns:
        A share in [0, 1], of the same kind as in `band_energy`.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.captured``.
    """
    d = integer("d", d, at_least=1)
    r = integer("r", r, at_most=d)

    def share(exponent: Number) -> Number:
        return head_energy(exponent, r) / head_energy(exponent, d)

    if kind_of(alpha) == "float" and not _has_rational_energy(alpha):
        require("alpha", alpha, "a finite real number")
        # Both energies may exceed the floats where their quotient does not.
        return rounded("alpha", share, alpha)
    return share(alpha)


def capture_ratio(alpha: Number, eps: Number) -> Number:
    """The limiting share of the dimension that captures the share ``1 - eps`` of the energy.

    Args:
        alpha: exponent, 0 <= alpha < 1/2.  From 1/2 on the limit is 0, and above 1/2 a fixed
            number of directions captures any share below 1 at every dimension.
        eps: missed share of the energy, 0 < eps <= 1.

    Returns:
        ``(1 - eps) ** (1 / (1 - 2 alpha))``, a ratio in [0, 1).

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.captureRatio``, ``SpectralRank.captureRank_ratio_tendsto``.
    """
    slow_exponent("alpha", alpha)
    tolerance("eps", eps)
    return power(1 - eps, 1 / (1 - 2 * alpha))


@over_arrays
def capture_rank(alpha: Number, eps: Number, d: int) -> int:
    """The least rank that captures the share ``1 - eps`` of the energy in dimension ``d``.

    Found exactly, ties included; a float stands for the decimal it prints as (`exact`).

    Args:
        alpha: exponent, any rational number.
        eps: missed share of the energy, 0 < eps <= 1, a rational number.
        d: dimension, an integer >= 1.

    Returns:
        An integer in [0, d].

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.captureRank``.
    """
    tolerance("eps", eps)
    return rank_capturing(exact("alpha", alpha), 1 - exact("eps", eps), integer("d", d, at_least=1))


def rank_capturing(alpha: Fraction, share: Fraction, d: int) -> int:
    """The least rank that captures the given share of the energy in dimension ``d``.

    Args:
        alpha: exponent, any rational number.
        share: at most 1; a share of at most 0 is captured by rank 0.
        d: dimension, an integer >= 1.

    Raises:
        DomainError: if the share is above 1, which no rank up to ``d`` captures.
    """
    require("share", share, "a rational number <= 1", lambda x: x <= 1)
    return least_index(lambda r: captures(alpha, share, r, d), d // 2, d)


def captures(alpha: Fraction, share: Fraction, r: int, d: int) -> bool:
    """Whether rank ``r`` captures the given share of the energy in dimension ``d``, exactly.

    Args:
        alpha: exponent, any rational number.
        share: any rational number; above 1 it takes a rank beyond the dimension.
        r: rank, an integer >= 0.
        d: dimension, an integer >= 1.
    """
    if r == d or share <= 0:
        return share <= 1
    if r > d and share <= 1:
        return True

    def surplus() -> Number:
        exponent = as_ball(alpha)
        return head_energy(exponent, r) - as_ball(share) * head_energy(exponent, d)

    if alpha == 0:
        return r >= share * d
    try:
        return sign(surplus) >= 0
    except UndecidedSignError:
        # Sums of irrational powers cannot tie below the full rank in practice; rational ones can.
        if not _has_rational_energy(alpha) or max(r, d) > RATIONAL_SUM:
            raise
        return bool(head_energy(alpha, r) >= share * head_energy(alpha, d))


def _has_rational_energy(alpha: Number) -> bool:
    """Whether the exponent is a Fraction at which every energy is a sum of rational numbers."""
    return isinstance(alpha, Fraction) and (2 * alpha).denominator == 1
