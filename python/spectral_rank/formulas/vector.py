"""Vectors of numbers: one reading of a spectrum, a point or a list of curvatures.

A vector of floats is a float64 array.  Fractions, mpmath and sympy numbers and balls stay what they
are, as the entries of an object array, and every operator works on them entry by entry.
"""

from __future__ import annotations

import contextlib
import math
import numbers
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from spectral_rank.formulas.domain import DomainError, Number, require
from spectral_rank.formulas.elementary import as_ball, as_mpmath, as_sympy, kind_of

Vector = npt.NDArray[Any]
"""A one-dimensional array: float64, or object with the numbers of one library."""


def vector(
    argument: str,
    value: Any,
    *,
    entries: str = "finite real numbers",
    holds: Callable[[Any], Any] | None = None,
    length: int | None = None,
) -> Vector:
    """Return ``value`` as a one-dimensional array if every entry is a finite real number.

    Args:
        argument: name of the argument, for the message.
        value: a list, a tuple or a one-dimensional array.
        entries: what the entries must be, in words.
        holds: the rule for one entry (or for a float array) as a predicate.
        length: the length it must have.

    Raises:
        DomainError: if ``value`` is not such a vector.
    """
    rule = f"a vector of {'' if length is None else f'{length} '}{entries}"
    if not isinstance(value, list | tuple | np.ndarray):
        raise DomainError(argument, value, rule)
    try:
        array = np.asarray(value, None if isinstance(value, np.ndarray) else object)
    except ValueError:
        raise DomainError(argument, value, rule) from None
    if array.ndim != 1 or (length is not None and len(array) != length):
        raise DomainError(argument, value, rule)
    for entry in array if array.dtype == object else (array,):
        require(argument, entry, rule, holds)
    return array


def in_one_arithmetic(**values: Number) -> tuple[Number, ...]:
    """The same numbers and vectors, by argument name, in the arithmetic that can hold them all.

    One sympy, flint or mpmath number takes all others with it, as in `kind_of`.  Otherwise ints and
    Fractions with at least one Fraction stay exact, and everything else becomes float64.

    Raises:
        DomainError: if an integer or a Fraction is too large for a float it has to become.
    """
    samples = [sample for value in values.values() for sample in _samples(value)]
    kind = kind_of(*samples)
    if kind == "float":
        is_exact = any(isinstance(x, Fraction) for x in samples) and all(
            isinstance(x, numbers.Rational) for x in samples
        )
        convert: Callable[[Any], Any] = Fraction if is_exact else float
    else:
        convert = {"ball": as_ball, "mpmath": as_mpmath, "sympy": as_sympy}[kind]
    return tuple(_converted(argument, value, convert) for argument, value in values.items())


def _samples(value: Number) -> tuple[Number, ...]:
    """Numbers that show which arithmetic a value needs."""
    if not isinstance(value, np.ndarray):
        return (value,)
    return tuple(value) if value.dtype == object else (0.0,)


def _converted(argument: str, value: Number, convert: Callable[[Any], Any]) -> Number:
    try:
        if not isinstance(value, np.ndarray):
            return convert(value)
        if convert is float:
            return np.array(value, float)
        array = np.empty(value.shape, object)
        array[:] = [convert(entry) for entry in value.tolist()]
        return array
    except OverflowError:
        raise DomainError(argument, value, "small enough for a float") from None


@contextlib.contextmanager
def result_must_fit(argument: str, value: Any) -> Iterator[Callable[[Number], Number]]:
    """A scope in which floats may overflow, and a function that refuses a result that did.

    Raises:
        DomainError: if an entry of the result is not finite; it names ``argument``.
    """

    def checked(result: Number) -> Number:
        if not _all_finite(result):
            raise DomainError(argument, value, "such that the result fits in a float")
        return result

    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        yield checked


def _all_finite(result: Number) -> bool:
    if isinstance(result, np.ndarray) and result.dtype.kind == "f":
        return bool(np.all(np.isfinite(result)))
    return all(
        entry.is_finite() if kind_of(entry) == "ball" else not _is_infinite_float(entry)
        for entry in np.asarray(result, object).flat
    )


def _is_infinite_float(entry: Number) -> bool:
    return isinstance(entry, float) and not math.isfinite(entry)
