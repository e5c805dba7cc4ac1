"""The rank formula and the adequate ranks (``lean/SpectralRank/RankFormula.lean``)."""

from __future__ import annotations

from fractions import Fraction

from spectral_rank.formulas.domain import (
    Number,
    integer,
    noncritical_exponent,
    positive,
    require,
    steep_exponent,
    tolerance,
)
from spectral_rank.formulas.elementary import as_ball, exact, log, over_arrays, power
from spectral_rank.formulas.power_law import tail_energy
from spectral_rank.formulas.search import least_index, sign


def cont_tail(alpha: Number, x: Number) -> Number:
    """The continuous tail ``x ** (1 - 2 alpha) / (2 alpha - 1)``.

    For ``alpha > 1/2``: the integral of the density ``t ** (-2 alpha)`` from ``x`` to infinity.

    Args:
        alpha: exponent other than 1/2.
        x: cut-off > 0.

    Returns:
        A number of the sign of ``2 alpha - 1``.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.contTail``.
    """
    noncritical_exponent("alpha", alpha)
    positive("x", x)
    return power(x, 1 - 2 * alpha) / (2 * alpha - 1)


def rank_ratio(alpha: Number, eps: Number) -> Number:
    """The rank ratio ``eps ** (1 / (2 alpha - 1))``.

    The fraction of the width ``d`` at which the truncation error of a power-law spectrum is
    ``1 / eps`` times the error that a full model of width ``d`` cannot avoid.  It says nothing
    about the share of variance captured (see `capture_ratio`).

    Args:
        alpha: exponent > 1/2.
        eps: tolerance, 0 < eps <= 1.

    Returns:
        A ratio in (0, 1]; as a float 0 where it is below the smallest float.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.rankRatio``, ``SpectralRank.rank_formula``.
    """
    steep_exponent("alpha", alpha)
    tolerance("eps", eps)
    return power(eps, 1 / (2 * alpha - 1))


def implied_alpha(eps: Number, rho: Number) -> Number:
    """The exponent at which the rank ratio at tolerance ``eps`` is ``rho``.

    Args:
        eps: tolerance, 0 < eps < 1.
        rho: rank ratio, 0 < rho < 1.

    Returns:
        An exponent > 1/2; as a float 1/2 where it is closer to 1/2 than floats resolve.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.impliedAlpha``.
    """
    for argument, value in (("eps", eps), ("rho", rho)):
        require(argument, value, "a real number in (0, 1)", lambda x: (x > 0) & (x < 1))
    return (log(eps) / log(rho) + 1) / 2


@over_arrays
def adequate(alpha: Number, eps: Number, d: int, r: int) -> bool:
    """Whether rank ``r`` is adequate: its tail energy is at most ``1 / eps`` times that of ``d``.

    Decided exactly; a float stands for the decimal it prints as (`exact`).

    Args:
        alpha: exponent > 1/2, a rational number.
        eps: tolerance, 0 < eps <= 1, a rational number.
        d: width, an integer >= 0.
        r: rank, an integer >= 0.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.Adequate``.
    """
    alpha, eps = _steep_pair(alpha, eps)
    return tail_within(alpha, eps, integer("d", d), integer("r", r))


@over_arrays
def optimal_rank(alpha: Number, eps: Number, d: int) -> int:
    """The least adequate rank for width ``d`` at tolerance ``eps``, exactly.

    Args:
        alpha: exponent > 1/2, a rational number.
        eps: tolerance, 0 < eps <= 1, a rational number.
        d: width, an integer >= 0.

    Returns:
        An integer in [0, d].

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.optimalRank``.
    """
    alpha, eps = _steep_pair(alpha, eps)
    return least_adequate_rank(alpha, eps, integer("d", d))


def least_adequate_rank(alpha: Fraction, eps: Fraction, d: int) -> int:
    """The least rank with ``eps * tail_energy(r) <= tail_energy(d)`` for any ``eps > 0``.

    Above tolerance 1, where `optimal_rank` is not defined, it is larger than ``d``.
    """
    ratio = as_ball(eps) ** (1 / (2 * as_ball(alpha) - 1))
    guess = int((ratio * (d + 1)).upper().floor().unique_fmpz())
    top = d if eps <= 1 else None
    return least_index(lambda r: tail_within(alpha, eps, d, r), guess, top)


def tail_within(alpha: Fraction, eps: Fraction, d: int, r: int) -> bool:
    """Whether ``eps * tail_energy(r) <= tail_energy(d)``, decided exactly, for any ``eps > 0``."""
    if r == d:
        return eps <= 1

    def slack() -> Number:
        exponent = as_ball(alpha)
        return tail_energy(exponent, d) - as_ball(eps) * tail_energy(exponent, r)

    return sign(slack) >= 0


def _steep_pair(alpha: Number, eps: Number) -> tuple[Fraction, Fraction]:
    """Exponent and tolerance as exact rationals, checked against their domains."""
    steep_exponent("alpha", alpha)
    tolerance("eps", eps)
    return exact("alpha", alpha), exact("eps", eps)
