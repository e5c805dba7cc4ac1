"""Condition number, contraction and learning rate (``lean/SpectralRank/Conditioning.lean``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spectral_rank.formulas.domain import (
    DomainError,
    Number,
    integer,
    nonnegative,
    positive,
    require,
)
from spectral_rank.formulas.elementary import kind_of, maximum, over_arrays, power

Spectrum = Sequence[Number] | np.ndarray[Any, Any] | Callable[[int], Number]
"""Singular values ``s_1 >= s_2 >= ...``: a sequence (entry 0 is ``s_1``) or a function of the
index, which counts from 1."""


def condition_number(s: Spectrum, r: int) -> Number:
    """The condition number ``s_1 / s_r`` of the first ``r`` singular values.

    Args:
        s: positive nonincreasing singular values, as a sequence or as a function of the index.
        r: rank, an integer >= 1, at most the length of a sequence.

    Returns:
        A number >= 1.

    Raises:
        DomainError: if ``s`` is neither a sequence nor a function, the rank is out of range, or a
            singular value it needs is not positive or larger than the first.

    Source:
        ``SpectralRank.conditionNumber``.
    """
    largest, smallest = first_and_last(s, r)
    positive("s_1", largest)
    positive("s_r", smallest)
    require("s_r", smallest, f"at most s_1 = {largest!r}", lambda x: _not_above(x, largest))
    return largest / smallest


def first_and_last(s: Spectrum, r: int) -> tuple[Number, Number]:
    """The entries ``s_1`` and ``s_r`` of a spectrum.

    Args:
        s: numbers, as a sequence or as a function of the index, which counts from 1.
        r: rank, an integer >= 1, at most the length of a sequence.

    Raises:
        DomainError: if ``s`` is neither, or the rank is out of range.
    """
    if callable(s):
        return s(1), s(integer("r", r, at_least=1))
    is_array = isinstance(s, np.ndarray) and s.ndim == 1
    if not is_array and (not isinstance(s, Sequence) or isinstance(s, str)):
        raise DomainError("s", s, "a sequence of numbers or a function of the index")
    last = integer("r", r, at_least=1, at_most=len(s)) - 1
    return s[0], s[last]


def _not_above(x: Number, bound: Number) -> Number:
    # Two balls of equal numbers overlap: only a ball that is certainly above the bound is refused.
    return x <= bound if kind_of(x, bound) == "sympy" else not x > bound


def contraction(m: Number, L: Number, eta: Number) -> Number:
    """The factor by which one step of gradient descent contracts the error on a quadratic.

    Args:
        m: smallest curvature > 0.
        L: largest curvature >= m.
        eta: learning rate, any real number.

    Returns:
        ``max(|1 - eta m|, |1 - eta L|)``, a number >= 0.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.contraction``.
    """
    positive("m", m)
    require("L", L, f"a finite real number >= m = {m!r}", lambda x: x >= m)
    require("eta", eta, "a finite real number")
    return maximum(abs(1 - eta * m), abs(1 - eta * L))


@over_arrays
def optimal_learning_rate(alpha: Number, r: int) -> Number:
    """The best learning rate on the first ``r`` directions of a power-law spectrum.

    The curvatures are ``sigma_i ** 2``: the largest is 1, the smallest ``r ** (-2 alpha)``.

    Args:
        alpha: exponent >= 0.
        r: rank, an integer >= 1.

    Returns:
        ``2 / (1 + r ** (-2 alpha))``, a number in [1, 2).

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.optimalLearningRate``.
    """
    nonnegative("alpha", alpha)
    return 2 / (1 + power(integer("r", r, at_least=1), -2 * alpha))
