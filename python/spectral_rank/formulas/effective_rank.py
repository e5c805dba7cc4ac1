"""Effective rank of a spectrum (``lean/SpectralRank/EffectiveRank.lean``)."""

from __future__ import annotations

from typing import Any

import numpy as np

from spectral_rank.formulas.domain import DomainError, Number, require
from spectral_rank.formulas.vector import Vector, in_one_arithmetic, result_must_fit, vector


def participation_ratio(s: Any) -> Number:
    """The participation ratio ``sum(s_i ** 2) ** 2 / sum(s_i ** 4)`` of the energies ``s_i ** 2``.

    The number of equally strong directions that would spread the energy as widely.

    Args:
        s: spectrum, a vector of real numbers of any sign and in any order.

    Returns:
        A number between 1 and the length of ``s``; 0 for the zero spectrum and the empty one.

    Raises:
        DomainError: if ``s`` is not such a vector, or balls cannot tell it from the zero spectrum.

    Source:
        ``SpectralRank.participationRatio``.
    """
    (s,) = in_one_arithmetic(s=vector("s", s))
    scaled = _near_one(s)
    fourth_powers = np.sum(scaled**4)
    if fourth_powers == 0:
        return fourth_powers
    with result_must_fit("s", s) as checked:
        return checked(np.sum(scaled**2) ** 2 / fourth_powers)


def _near_one(s: Vector) -> Vector:
    """Floats times the power of two that brings the largest below 1: fourth powers then fit."""
    if s.dtype == object or not np.any(s):
        return s
    _, exponent = np.frexp(np.max(np.abs(s)))
    with np.errstate(under="ignore"):
        scaled: Vector = np.ldexp(s, -exponent)
    return scaled


def stable_rank(s: Any, top: Number) -> Number:
    """The stable rank ``sum(s_i ** 2) / top ** 2`` of a spectrum whose largest value is ``top``.

    The total energy in units of the energy of one direction of strength ``top``.

    Args:
        s: spectrum, a vector of real numbers of any sign and in any order.
        top: the value to compare with, meant to be ``max(|s_i|)``; 0 for the zero spectrum only.

    Returns:
        A number >= 0; at most the length of ``s`` if no ``|s_i|`` is larger than ``top``, at least
        1 if ``top`` is nonzero and occurs among the ``|s_i|``.  It is 0 for the zero spectrum.

    Raises:
        DomainError: if an argument is outside its domain, or floats overflow.

    Source:
        ``SpectralRank.stableRank``.
    """
    s, top = in_one_arithmetic(
        s=vector("s", s),
        top=require("top", top, "a finite real number"),
    )
    is_zero_spectrum = all(entry == 0 for entry in s)
    if top == 0 and not is_zero_spectrum:
        raise DomainError("top", top, "nonzero, unless the spectrum is zero")
    if is_zero_spectrum:
        return np.sum(s)
    with result_must_fit("top", top) as checked:
        return checked(np.sum((s / top) ** 2))
