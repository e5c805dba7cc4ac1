"""From a measurement to a certificate, one function per shape.

Every interval is rounded outward, every integer found exactly, and the result re-checked before it
is returned.  A measurement that the compiled instances do not cover is refused with a
``DomainError``: exponents outside [0, 3] or on the wrong side of 1/2, tolerances outside (0, 1],
ranks above 1600, and bounds that would say nothing (a rank ratio below 1/100000, a share of at
most 0).
"""

from __future__ import annotations

import re
from fractions import Fraction

from spectral_rank.certify.instance import (
    Bound,
    Certificate,
    Ends,
    Measured,
    Origin,
    Ratio,
    base_of,
    written,
)
from spectral_rank.certify.intervals import DENOMINATOR_LIMIT, Allowed, Real, outward
from spectral_rank.certify.shapes import (
    BOUND_LIMIT,
    CONSTANTS,
    RANK_LIMIT,
    SHAPES,
    TOLERANCE_LIMIT,
    Call,
    Kind,
)
from spectral_rank.formulas.certificate import CERTIFICATES, LT_POWER, TAIL_FACTOR_LE
from spectral_rank.formulas.domain import DomainError, integer

SIGNIFICANT = 1000
DENOMINATORS = tuple(10**k for k in range(1, 6))
"""A bound gets the first of these denominators that gives it a numerator of at least that."""

Interval = tuple[Real, Real]
"""A measured interval: lower and upper end, as floats (read exactly) or Fractions."""


def steep(
    origin: Origin,
    exponent: Interval,
    tolerance: Interval,
    rank: int,
    tag: str = "",
    denominator_limit: int = DENOMINATOR_LIMIT,
) -> Certificate:
    """The rank ratio on both sides, and the energy captured at a rank in every dimension.

    Args:
        origin: what was measured and how.
        exponent: measured interval of the exponent, in (1/2, 3].
        tolerance: interval of the tolerance, in (0, 1].  A literal such as 0.05 is the float
            nearest to it; pass ``Fraction(1, 20)`` for the decimal.
        rank: 1 to 1600.
        tag: letters, digits and underscores that tell this theorem from others of its kind.
        denominator_limit: largest denominator of the exponent, at most 10000.

    Returns:
        A certificate that has been checked exactly.

    Raises:
        DomainError: if the measurement is outside the range above.
        CertificateError: if a check fails, which would be a defect of this package.

    Source:
        ``sample_steep`` of ``Measured/Template.lean``.
    """
    return _certificate("steep", origin, tag, denominator_limit, exponent, tolerance, rank)


def slow(
    origin: Origin,
    exponent: Interval,
    tolerance: Interval,
    tag: str = "",
    denominator_limit: int = DENOMINATOR_LIMIT,
) -> Certificate:
    """The capture ratio on both sides.

    Args:
        origin: as in `steep`.
        exponent: measured interval of the exponent, in [0, 1/2).
        tolerance: interval of the missed share, in (0, 1).
        tag: as in `steep`.
        denominator_limit: as in `steep`.

    Raises:
        DomainError: as in `steep`.
        CertificateError: as in `steep`.

    Source:
        ``sample_slow`` of ``Measured/Template.lean``.
    """
    return _certificate("slow", origin, tag, denominator_limit, exponent, tolerance)


def envelope(
    origin: Origin,
    exponent: Interval,
    constants: Interval,
    rank: int,
    tag: str = "",
    denominator_limit: int = DENOMINATOR_LIMIT,
) -> Certificate:
    """The energy that the first values of a spectrum within an envelope explain.

    Args:
        origin: as in `steep`.
        exponent: measured interval of the exponent, in (1/2, 3]; the theorem needs its lower end.
        constants: envelope constants ``c <= C``, at least 1/10000 and at most a million.
        rank: 1 to 1600.
        tag: as in `steep`.
        denominator_limit: largest denominator of the exponent and the constants, at most 10000.

    Raises:
        DomainError: as in `steep`.
        CertificateError: as in `steep`.

    Source:
        ``sample_envelope`` of ``Measured/Template.lean``.
    """
    return _certificate(
        "envelope", origin, tag, denominator_limit, exponent, rank=rank, constants=constants
    )


def approximation(
    origin: Origin,
    exponent: Interval,
    constants: Interval,
    rank: int,
    tag: str = "",
    denominator_limit: int = DENOMINATOR_LIMIT,
) -> Certificate:
    """The relative squared error of the best approximation of a matrix of at most a rank.

    Arguments and errors as in `envelope`.

    Source:
        ``sample_approximation`` of ``Measured/Template.lean``.
    """
    return _certificate(
        "approximation", origin, tag, denominator_limit, exponent, rank=rank, constants=constants
    )


def conditioning(
    origin: Origin,
    exponent: Interval,
    rank: int,
    tag: str = "",
    denominator_limit: int = DENOMINATOR_LIMIT,
) -> Certificate:
    """The condition number of the power law cut at a rank, on both sides.

    Args:
        origin: as in `steep`.
        exponent: measured interval of the exponent, in [0, 3].
        rank: 1 to 1600.
        tag: as in `steep`.
        denominator_limit: as in `steep`.

    Raises:
        DomainError: as in `steep`.
        CertificateError: as in `steep`.

    Source:
        ``sample_conditioning`` of ``Measured/Template.lean``.
    """
    return _certificate("conditioning", origin, tag, denominator_limit, exponent, rank=rank)


def envelope_conditioning(
    origin: Origin,
    exponent: Interval,
    constants: Interval,
    rank: int,
    tag: str = "",
    denominator_limit: int = DENOMINATOR_LIMIT,
) -> Certificate:
    """The condition number at a rank of a spectrum within an envelope, on both sides.

    Arguments and errors as in `envelope`, the exponent in [0, 3].

    Source:
        ``sample_envelope_conditioning`` of ``Measured/Template.lean``.
    """
    return _certificate(
        "envelope_conditioning",
        origin,
        tag,
        denominator_limit,
        exponent,
        rank=rank,
        constants=constants,
    )


def _certificate(
    kind: Kind,
    origin: Origin,
    tag: str,
    denominator_limit: int,
    exponent: Interval,
    tolerance: Interval | None = None,
    rank: int | None = None,
    constants: Interval | None = None,
) -> Certificate:
    shape = SHAPES[kind]
    limit = integer("denominator_limit", denominator_limit, 1, DENOMINATOR_LIMIT)
    if rank is not None:
        rank = integer("rank", rank, at_least=1, at_most=RANK_LIMIT)
    if re.fullmatch("[A-Za-z0-9_]*", tag) is None:
        raise DomainError("tag", tag, "letters, digits and underscores")
    ends = _ends("exponent", exponent, shape.exponent, limit)
    tolerances = envelope = None
    if shape.tolerance is not None:
        tolerances = _ends("tolerance", tolerance, shape.tolerance, TOLERANCE_LIMIT)
    if shape.has_envelope:
        envelope = _ends("constants", constants, CONSTANTS, limit)
    bounds = tuple(_bound(call, ends, tolerances, rank) for call in shape.calls)
    _refuse_what_says_nothing(bounds, tolerance, envelope)
    return Certificate(
        kind=kind,
        name=f"{origin.module}_{kind}" + (f"_{tag}" if tag else ""),
        exponent=ends,
        tolerance=tolerances,
        rank=rank,
        envelope=envelope,
        bounds=bounds,
        origin=origin,
        measured=Measured(
            exponent=_written("exponent", exponent),
            tolerance=tolerance and _written("tolerance", tolerance),
            envelope=constants and _written("constants", constants),
        ),
        inequalities=tuple(bound.inequality for bound in bounds),
    )


def _ends(argument: str, interval: Interval | None, allowed: Allowed, limit: int) -> Ends:
    if not isinstance(interval, tuple | list) or len(interval) != 2:
        raise DomainError(argument, interval, "a lower and an upper end")
    low, high = outward(argument, *interval, allowed, limit)
    return Ends(low=Ratio.of(low), high=Ratio.of(high))


def _written(argument: str, interval: Interval) -> tuple[str, str]:
    low, high = interval
    return written(argument, low), written(argument, high)


def _bound(call: Call, exponent: Ends, tolerance: Ends | None, rank: int | None) -> Bound:
    """The tightest bound with the smallest denominator that keeps three digits."""
    slope = call.slope(exponent.at(call.end).value)
    u, v = slope.numerator, slope.denominator
    base = base_of(call, tolerance, rank)
    tightest = CERTIFICATES[call.theorem].tightest
    finest = tightest(u, v, *base, BOUND_LIMIT)
    q = next((q for q in DENOMINATORS if finest * q >= SIGNIFICANT * BOUND_LIMIT), BOUND_LIMIT)
    return Bound(theorem=call.theorem, u=u, v=v, base=base, p=tightest(u, v, *base, q), q=q)


def _refuse_what_says_nothing(
    bounds: tuple[Bound, ...], tolerance: Interval | None, envelope: Ends | None
) -> None:
    """Refuse bounds that hold for every spectrum, and hence say nothing about this one."""
    spread = Fraction(1)
    if envelope is not None:
        spread = (envelope.at("high").value / envelope.at("low").value) ** 2
    for bound in bounds:
        certificate = CERTIFICATES[bound.theorem]
        if certificate is LT_POWER and bound.p == 0:
            rule = f"such that the ratio is above 1/{BOUND_LIMIT}, the finest compiled bound"
            raise DomainError("tolerance", tolerance, rule)
        if certificate is TAIL_FACTOR_LE and spread * bound.p >= bound.q:
            rule = "so large that it holds a positive share of the energy for every such spectrum"
            raise DomainError("rank", bound.base[0], rule)
