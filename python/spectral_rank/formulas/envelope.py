"""Spectra inside a power-law envelope, and the energy they explain (``Envelope.lean``).

A spectrum ``s_1, ..., s_d`` is given as a Python sequence or array, which counts from 0: its entry
``i - 1`` is Lean's ``s i``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spectral_rank.formulas.domain import DomainError, Number, integer, require
from spectral_rank.formulas.power_law import singular_value
from spectral_rank.formulas.vector import in_one_arithmetic, result_must_fit, vector


def in_envelope(c: Number, C: Number, alpha: Number, s: Any, d: int) -> bool:
    """Whether ``c > 0`` and ``c i^-alpha <= s_i <= C i^-alpha`` for ``1 <= i <= d``.

    Fractions are compared without rounding if ``alpha`` is integral; otherwise, and for floats, the
    bounds are rounded to floats.

    Args:
        c: lower constant, any real number.
        C: upper constant, any real number.
        alpha: exponent, any real number.
        s: spectrum, a vector of at least ``d`` real numbers; entry ``i - 1`` is ``s_i``.
        d: number of values that must lie within the envelope, an integer >= 0.

    Returns:
        The answer.

    Raises:
        DomainError: if an argument is outside its domain, a float overflows, or balls or sympy
            expressions leave the answer open.

    Source:
        ``SpectralRank.InEnvelope``.
    """
    for name, value in (("c", c), ("C", C), ("alpha", alpha)):
        if isinstance(value, np.ndarray):
            raise DomainError(name, value, "a single finite real number")
        require(name, value, "a finite real number")
    values = vector("s", s)
    d = integer("d", d, at_most=len(values))
    c, C, alpha, values = in_one_arithmetic(c=c, C=C, alpha=alpha, s=values)
    if not _decided("c", c, c > 0, c <= 0):
        return False
    with result_must_fit("alpha", alpha) as checked:
        law = [checked(singular_value(alpha, i)) for i in range(1, d + 1)]
        bounds = [(checked(c * x), checked(C * x)) for x in law]
    return all(
        _decided("s", s, low <= value, value < low)
        and _decided("s", s, value <= high, high < value)
        for value, (low, high) in zip(values, bounds, strict=False)
    )


def _decided(argument: str, value: Any, yes: Any, no: Any) -> bool:
    """``yes``, unless neither it nor its negation ``no`` is certain."""
    if yes == True:  # noqa: E712  (sympy.true is not the object True)
        return True
    if no == True:  # noqa: E712
        return False
    raise DomainError(argument, value, "such that its comparison with the bound is decided")


def explained(s: Any, r: int, d: int) -> Number:
    """The share of the energy of the first ``d`` values that the first ``r`` hold.

    Args:
        s: spectrum, a vector of at least ``d`` real numbers of any sign and order, the first ``d``
            not all zero; entry ``i - 1`` is ``s_i``.
        r: rank, an integer in [0, d].
        d: dimension, an integer >= 1.

    Returns:
        A share in [0, 1]; exact if the entries are ints and Fractions, at least one a Fraction.

    Raises:
        DomainError: if an argument is outside its domain, or balls cannot tell the spectrum from
            zero.

    Source:
        ``SpectralRank.explained``.
    """
    values = vector("s", s)
    d = integer("d", d, at_least=1, at_most=len(values))
    r = integer("r", r, at_most=d)
    (values,) = in_one_arithmetic(s=values[:d])
    if values.dtype != object and np.any(values):
        # Squares of floats may overflow or vanish where the share does not: scale by a power of 2.
        _, exponent = np.frexp(np.max(np.abs(values)))
        with np.errstate(under="ignore"):
            values = np.ldexp(values, -exponent)
    with result_must_fit("s", s) as checked:
        energies = values * values
        held, total = np.sum(energies[:r]), np.sum(energies[:r]) + np.sum(energies[r:])
        if total == 0:
            raise DomainError("s", s, f"a spectrum whose first {d} values are not all zero")
        return checked(held / total)
