"""Information carried by a low-rank state (``lean/SpectralRank/Information.lean``).

Logarithms are natural, so every quantity is in nats; divide by ``log(2)`` for bits.
"""

from __future__ import annotations

import numbers
from typing import Any

import mpmath
import numpy as np

from spectral_rank.formulas.domain import DomainError, Number, require
from spectral_rank.formulas.elementary import as_ball, kind_of, log
from spectral_rank.formulas.vector import Vector, in_one_arithmetic, result_must_fit, vector


def state_bits(r: Number, k: Number) -> Number:
    """The information in a state of ``r`` coordinates with ``k`` levels each, in nats.

    The logarithm of the number of states, ``k ** r``; evaluated as ``r * log(k)``.

    Args:
        r: number of coordinates, an integer >= 0.
        k: levels of a coordinate, an integer >= 1.  (Lean's convention ``log 0 = 0`` gives a value
            at ``k = 0`` too; a coordinate without a level is refused here.)

    Returns:
        A number >= 0.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.stateBits``.
    """
    r, k = _natural("r", r), _natural("k", k, at_least=1)
    if kind_of(r, k) != "float":
        r, k = in_one_arithmetic(r=r, k=k)
    r, nats_each = in_one_arithmetic(r=r, k=log(k))
    return r * nats_each


def description_length(params: Number, bits: Number) -> Number:
    """The cost of ``params`` parameters of ``bits`` each, in the unit of ``bits``.

    Args:
        params: number of parameters, an integer >= 0.
        bits: cost of one parameter, any real number.

    Returns:
        ``params * bits``.

    Raises:
        DomainError: if an argument is outside its domain, or floats overflow.

    Source:
        ``SpectralRank.descriptionLength``.
    """
    _natural("params", params)
    require("bits", bits, "a finite real number")
    params, bits = in_one_arithmetic(params=params, bits=bits)
    with result_must_fit("bits", bits) as checked:
        return checked(params * bits)


def factored_params(r: Number, d1: Number, d2: Number) -> Number:
    """The number of parameters of a factored ``d1 x d2`` matrix of rank ``r``.

    Args:
        r: inner width, an integer >= 0 (larger than ``d1`` or ``d2`` is allowed).
        d1: rows, an integer >= 0.
        d2: columns, an integer >= 0.

    Returns:
        The integer ``r * (d1 + d2)``.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.factoredParams``.
    """
    r, d1, d2 = _natural("r", r), _natural("d1", d1), _natural("d2", d2)
    return r * (d1 + d2)


def power_allocation(w: Any, P: Number) -> Vector:
    """The shares of a budget ``P`` that are proportional to the weights ``w``.

    Args:
        w: weights, a vector of real numbers with a nonzero sum.  (In Lean the weights are a
            function and a finite set ``t`` picks those that share; ``w`` lists the values on
            ``t``.)
        P: budget, any real number.

    Returns:
        The vector ``P * w_i / sum(w)``.

    Raises:
        DomainError: if an argument is outside its domain, or floats overflow.

    Source:
        ``SpectralRank.powerAllocation``.
    """
    w, P = in_one_arithmetic(w=vector("w", w), P=require("P", P, "a finite real number"))
    with result_must_fit("w", w) as checked:
        total = checked(np.sum(w))
        # A ball that contains 0 is neither == 0 nor != 0: the second must be certain.
        if not (total != 0):
            raise DomainError("w", w, "a vector with a nonzero sum")
        shares: Vector = checked(P * (w / total))
    return shares


def waterfill_bits(sigma: Any, B: Number) -> Vector:
    """The rates that equalise the distortion of all coordinates, in nats.

    Each coordinate gets the mean budget and half its log-energy above the mean.  A rate may be
    negative; a code would spend nothing there (reverse water-filling cuts such coordinates off).

    Args:
        sigma: scales, a vector of nonzero real numbers.
        B: total budget, any real number.

    Returns:
        The vector ``B / n + (log(sigma_i ** 2) - mean of log(sigma_j ** 2)) / 2``.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.waterfillBits``.
    """
    sigma = vector("sigma", sigma, entries="nonzero finite real numbers", holds=lambda x: x != 0)
    sigma, B = in_one_arithmetic(sigma=sigma, B=require("B", B, "a finite real number"))
    n = len(sigma)
    if n == 0:
        return np.empty(0)
    logs = vector("sigma", [log(abs(entry)) for entry in sigma])
    logs, B = in_one_arithmetic(sigma=logs, B=B)
    bits: Vector = B / n + (logs - np.sum(logs) / n)
    return bits


def _natural(argument: str, value: Number, at_least: int = 0) -> Number:
    """Return ``value`` if it is an integer >= ``at_least``, in any arithmetic but floats."""
    rule = f"an integer >= {at_least}"
    require(argument, value, rule, lambda x: x >= at_least)
    if not _is_integral(value):
        raise DomainError(argument, value, rule)
    return int(value) if isinstance(value, numbers.Integral) else value


def _is_integral(value: Number) -> bool:
    if isinstance(value, numbers.Rational):
        return value.denominator == 1
    kind = kind_of(value)
    if kind == "ball":
        return bool(as_ball(value).is_integer())
    if kind == "mpmath":
        return bool(mpmath.isint(value))
    # A symbol without assumptions answers None: only a decided "no" is refused.
    return kind == "sympy" and value.is_integer is not False
