"""Matrices and the vectors they multiply: arguments of a formula, and results that must fit.

A matrix is a two-dimensional array: of floats, or an object array of ints, Fractions, balls, mpmath
or sympy numbers, the entries of all arguments of one kind (ints go with every kind).  Exact entries
give exact results.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from spectral_rank.formulas.domain import DomainError, require
from spectral_rank.formulas.vector import result_must_fit

NumberArray = npt.NDArray[Any]
"""An array of floats, or an object array of numbers of another kind."""


def matrix(argument: str, value: Any, rows: int | None = None, cols: int | None = None) -> Any:
    """Return a matrix of finite real numbers of a given shape.

    Integers become Python integers: those of numpy would overflow without a word.

    Args:
        argument: name of the argument, for the message.
        value: the array.
        rows: required number of rows; ``None`` for any.
        cols: required number of columns; ``None`` for any.

    Raises:
        DomainError: if ``value`` is not such a matrix.
    """
    shape = " x ".join("any" if size is None else str(size) for size in (rows, cols))
    return _array(argument, value, (rows, cols), f"a matrix ({shape}) of finite real numbers")


def column(argument: str, value: Any, size: int | None = None) -> Any:
    """Return a vector that a matrix can multiply, of finite real numbers; as `matrix`."""
    length = "" if size is None else f" of length {size}"
    return _array(argument, value, (size,), f"a one-dimensional array{length} of real numbers")


def _array(argument: str, value: Any, shape: tuple[int | None, ...], rule: str) -> NumberArray:
    if not isinstance(value, np.ndarray) or value.ndim != len(shape):
        raise DomainError(argument, value, rule)
    if any(size not in (None, actual) for size, actual in zip(shape, value.shape, strict=True)):
        raise DomainError(argument, value, rule)
    require(argument, value, rule)
    if value.dtype.kind == "f":
        return value.astype(np.result_type(value, np.float64))
    return np.frompyfunc(_python_integer, 1, 1)(value)  # type: ignore[no-any-return]


def _python_integer(entry: Any) -> Any:
    return int(entry) if isinstance(entry, np.integer) else entry


def fitting(argument: str, value: Any, compute: Callable[[], Any]) -> Any:
    """What ``compute`` returns, unless a float in it overflows.

    Raises:
        DomainError: if an entry is infinite or not a number, with the argument to blame.
    """
    with result_must_fit(argument, value) as checked:
        return checked(compute())
