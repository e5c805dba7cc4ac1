"""Integer inequalities that certify real bounds, and the tightest bound that each one certifies.

A real power with a rational base and a rational exponent lies below or above ``p / q`` exactly if
one product of integer powers lies below or above another.  The ``_of_cert`` theorems of
``Enclosure.lean``, ``MeasuredApproximation.lean`` and ``ConditioningEnclosure.lean`` take such an
inequality as their hypothesis ``hcert``; ``certifies_...`` decides it, and ``tightest_...`` finds
the best ``p`` for a given denominator ``q``, by an integer root.  No step rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import flint

from spectral_rank.formulas.domain import integer


def certifies_lt_power(u: int, v: int, n: int, d: int, p: int, q: int) -> bool:
    """Whether ``p^u d^v < q^u n^v``, that is ``p / q < (n / d) ^ (v / u)``.

    Args:
        u: numerator of ``2 alpha - 1`` or of ``1 - 2 alpha``, at least 1.
        v: its denominator, at least 1.
        n: numerator of the base, 1 <= n <= d: of ``eps`` in a bound on the rank ratio, of
            ``1 - eps`` in a bound on the capture ratio.
        d: denominator of the base.
        p: numerator of the bound, at least 0.
        q: denominator of the bound, at least 1.

    Raises:
        DomainError: if an argument is not an integer in its range (the hypothesis ``hpos``).

    Source:
        ``hcert`` of ``SpectralRank.lt_rankRatio_of_cert``,
        ``SpectralRank.lt_captureRatio_of_cert``.
    """
    bound, base = _sides_of_power(u, v, n, d, p, q)
    return bool(bound < base)


def certifies_power_lt(u: int, v: int, n: int, d: int, p: int, q: int) -> bool:
    """Whether ``q^u n^v < p^u d^v``, that is ``(n / d) ^ (v / u) < p / q``.

    Args:
        u: as in `certifies_lt_power`.
        v: as in `certifies_lt_power`.
        n: as in `certifies_lt_power`.
        d: as in `certifies_lt_power`.
        p: as in `certifies_lt_power`.
        q: as in `certifies_lt_power`.

    Raises:
        DomainError: if an argument is not an integer in its range (the hypothesis ``hpos``).

    Source:
        ``hcert`` of ``SpectralRank.rankRatio_lt_of_cert``,
        ``SpectralRank.captureRatio_lt_of_cert``.
    """
    bound, base = _sides_of_power(u, v, n, d, p, q)
    return bool(base < bound)


def tightest_lt_power(u: int, v: int, n: int, d: int, q: int) -> int:
    """The largest ``p`` with ``p / q < (n / d) ^ (v / u)``.

    Args:
        u: as in `certifies_lt_power`.
        v: as in `certifies_lt_power`.
        n: as in `certifies_lt_power`.
        d: as in `certifies_lt_power`.
        q: denominator of the bound, at least 1.

    Returns:
        An integer in [0, q - 1]; 0 if every positive multiple of ``1 / q`` is too large.

    Raises:
        DomainError: if an argument is not an integer in its range.

    Source:
        Tightest ``p`` for `certifies_lt_power`.
    """
    _, base = _sides_of_power(u, v, n, d, 0, q)
    return int(((base - 1) // flint.fmpz(int(d)) ** int(v)).root(int(u)))


def tightest_power_lt(u: int, v: int, n: int, d: int, q: int) -> int:
    """The least ``p`` with ``(n / d) ^ (v / u) < p / q``.

    Args:
        u: as in `certifies_power_lt`.
        v: as in `certifies_power_lt`.
        n: as in `certifies_power_lt`.
        d: as in `certifies_power_lt`.
        q: denominator of the bound, at least 1.

    Returns:
        An integer in [1, q + 1].

    Raises:
        DomainError: if an argument is not an integer in its range.

    Source:
        Tightest ``p`` for `certifies_power_lt`.
    """
    _, base = _sides_of_power(u, v, n, d, 0, q)
    return int((base // flint.fmpz(int(d)) ** int(v)).root(int(u))) + 1


def certifies_tail_factor_le(u: int, v: int, r: int, p: int, q: int) -> bool:
    """Whether ``(v q)^v <= (p u)^v r^u``, that is ``r ^ (-u / v) / (u / v) <= p / q``.

    With ``2 alpha - 1 = u / v`` the left-hand side is the tail factor
    ``r ^ (1 - 2 alpha) / (2 alpha - 1)`` (`cont_tail`).

    Args:
        u: numerator of ``2 alpha - 1``, at least 1.
        v: its denominator, at least 1.
        r: rank, at least 1.
        p: numerator of the bound, at least 0.
        q: denominator of the bound, at least 1.

    Raises:
        DomainError: if an argument is not an integer in its range (the hypothesis ``hpos``).

    Source:
        ``hcert`` of ``SpectralRank.tailFactor_le_of_cert``, ``SpectralRank.captured_ge_of_cert``,
        ``SpectralRank.InEnvelope.explained_ge_of_cert``,
        ``SpectralRank.InEnvelope.exists_approximation_of_cert``.
    """
    u, v, r, q = _positive_integers(u=u, v=v, r=r, q=q)
    scaled_bound = flint.fmpz(integer("p", p)) * u
    return bool(flint.fmpz(v * q) ** v <= scaled_bound**v * flint.fmpz(r) ** u)


def tightest_tail_factor_le(u: int, v: int, r: int, q: int) -> int:
    """The least ``p`` with ``r ^ (-u / v) / (u / v) <= p / q``.

    Args:
        u: as in `certifies_tail_factor_le`.
        v: as in `certifies_tail_factor_le`.
        r: as in `certifies_tail_factor_le`.
        q: denominator of the bound, at least 1.

    Returns:
        An integer >= 1.

    Raises:
        DomainError: if an argument is not an integer in its range.

    Source:
        Tightest ``p`` for `certifies_tail_factor_le`.
    """
    u, v, r, q = _positive_integers(u=u, v=v, r=r, q=q)
    scaled_bound = _ceil_root(_ceil_quotient(flint.fmpz(v * q) ** v, flint.fmpz(r) ** u), v)
    return int(_ceil_quotient(scaled_bound, flint.fmpz(u)))


def certifies_le_rank_power(u: int, v: int, r: int, p: int, q: int) -> bool:
    """Whether ``p^v <= r^u q^v``, that is ``p / q <= r ^ (u / v)``.

    With ``alpha = u / v`` the right-hand side is the condition number at rank ``r``.

    Args:
        u: numerator of ``alpha``, at least 0.
        v: its denominator, at least 1.
        r: rank, at least 1.
        p: numerator of the bound, at least 0.
        q: denominator of the bound, at least 1.

    Raises:
        DomainError: if an argument is not an integer in its range (the hypothesis ``hpos``).

    Source:
        ``hcert`` of ``SpectralRank.le_conditionNumber_of_cert``,
        ``SpectralRank.InEnvelope.le_conditionNumber_of_cert``.
    """
    bound, rank_power = _sides_of_rank_power(u, v, r, p, q)
    return bool(bound <= rank_power)


def certifies_rank_power_le(u: int, v: int, r: int, p: int, q: int) -> bool:
    """Whether ``r^u q^v <= p^v``, that is ``r ^ (u / v) <= p / q``.

    Args:
        u: as in `certifies_le_rank_power`.
        v: as in `certifies_le_rank_power`.
        r: as in `certifies_le_rank_power`.
        p: as in `certifies_le_rank_power`.
        q: as in `certifies_le_rank_power`.

    Raises:
        DomainError: if an argument is not an integer in its range (the hypothesis ``hpos``).

    Source:
        ``hcert`` of ``SpectralRank.conditionNumber_le_of_cert``,
        ``SpectralRank.InEnvelope.conditionNumber_le_of_cert``,
        ``SpectralRank.contraction_le_of_cert``.
    """
    bound, rank_power = _sides_of_rank_power(u, v, r, p, q)
    return bool(rank_power <= bound)


def tightest_le_rank_power(u: int, v: int, r: int, q: int) -> int:
    """The largest ``p`` with ``p / q <= r ^ (u / v)``.

    Args:
        u: as in `certifies_le_rank_power`.
        v: as in `certifies_le_rank_power`.
        r: as in `certifies_le_rank_power`.
        q: denominator of the bound, at least 1.

    Returns:
        An integer >= q.

    Raises:
        DomainError: if an argument is not an integer in its range.

    Source:
        Tightest ``p`` for `certifies_le_rank_power`.
    """
    _, rank_power = _sides_of_rank_power(u, v, r, 0, q)
    return int(rank_power.root(int(v)))


def tightest_rank_power_le(u: int, v: int, r: int, q: int) -> int:
    """The least ``p`` with ``r ^ (u / v) <= p / q``.

    Args:
        u: as in `certifies_rank_power_le`.
        v: as in `certifies_rank_power_le`.
        r: as in `certifies_rank_power_le`.
        q: denominator of the bound, at least 1.

    Returns:
        An integer >= q.

    Raises:
        DomainError: if an argument is not an integer in its range.

    Source:
        Tightest ``p`` for `certifies_rank_power_le`.
    """
    _, rank_power = _sides_of_rank_power(u, v, r, 0, q)
    return int(_ceil_root(rank_power, int(v)))


@dataclass(frozen=True)
class IntegerCertificate:
    """The integer side of an ``_of_cert`` theorem.

    Attributes:
        certifies: decides ``hcert``; called as ``certifies(u, v, *base, p, q)``.
        tightest: the best ``p`` for a denominator; called as ``tightest(u, v, *base, q)``.
    """

    certifies: Callable[..., bool]
    tightest: Callable[..., int]


LT_POWER = IntegerCertificate(certifies_lt_power, tightest_lt_power)
POWER_LT = IntegerCertificate(certifies_power_lt, tightest_power_lt)
TAIL_FACTOR_LE = IntegerCertificate(certifies_tail_factor_le, tightest_tail_factor_le)
LE_RANK_POWER = IntegerCertificate(certifies_le_rank_power, tightest_le_rank_power)
RANK_POWER_LE = IntegerCertificate(certifies_rank_power_le, tightest_rank_power_le)

CERTIFICATES: Mapping[str, IntegerCertificate] = MappingProxyType(
    {
        "lt_rankRatio_of_cert": LT_POWER,
        "rankRatio_lt_of_cert": POWER_LT,
        "lt_captureRatio_of_cert": LT_POWER,
        "captureRatio_lt_of_cert": POWER_LT,
        "tailFactor_le_of_cert": TAIL_FACTOR_LE,
        "captured_ge_of_cert": TAIL_FACTOR_LE,
        "InEnvelope.explained_ge_of_cert": TAIL_FACTOR_LE,
        "InEnvelope.exists_approximation_of_cert": TAIL_FACTOR_LE,
        "le_conditionNumber_of_cert": LE_RANK_POWER,
        "InEnvelope.le_conditionNumber_of_cert": LE_RANK_POWER,
        "conditionNumber_le_of_cert": RANK_POWER_LE,
        "InEnvelope.conditionNumber_le_of_cert": RANK_POWER_LE,
        "contraction_le_of_cert": RANK_POWER_LE,
    }
)
"""The integer certificate that each ``_of_cert`` theorem of lean/ asks for, by its Lean name."""


def _positive_integers(**arguments: int) -> tuple[int, ...]:
    return tuple(integer(argument, value, at_least=1) for argument, value in arguments.items())


def _sides_of_power(
    u: int, v: int, n: int, d: int, p: int, q: int
) -> tuple[flint.fmpz, flint.fmpz]:
    """``p^u d^v`` and ``q^u n^v``."""
    u, v, d, q = _positive_integers(u=u, v=v, d=d, q=q)
    n, p = integer("n", n, at_least=1, at_most=d), integer("p", p)
    bound = flint.fmpz(p) ** u * flint.fmpz(d) ** v
    return bound, flint.fmpz(q) ** u * flint.fmpz(n) ** v


def _sides_of_rank_power(u: int, v: int, r: int, p: int, q: int) -> tuple[flint.fmpz, flint.fmpz]:
    """``p^v`` and ``r^u q^v``."""
    v, r, q = _positive_integers(v=v, r=r, q=q)
    u, p = integer("u", u), integer("p", p)
    return flint.fmpz(p) ** v, flint.fmpz(r) ** u * flint.fmpz(q) ** v


def _ceil_quotient(a: flint.fmpz, b: flint.fmpz) -> flint.fmpz:
    return -((-a) // b)


def _ceil_root(a: flint.fmpz, k: int) -> flint.fmpz:
    """The least integer whose ``k``-th power is at least ``a >= 1``."""
    return (a - 1).root(k) + 1
