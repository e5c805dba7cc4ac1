"""Elementary and special functions for every kind of number a formula accepts.

The formulas are written once with operators.  Where a function is needed (a logarithm, a Hurwitz
zeta value) the number itself decides which library evaluates it: numpy and scipy for floats and
arrays, mpmath for its own numbers, python-flint for balls, sympy for symbols.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Literal

import flint
import mpmath
import numpy as np

from spectral_rank.formulas.domain import DomainError, Number, require

Kind = Literal["float", "ball", "mpmath", "sympy"]

ROUNDING_ACCURACY_BITS = 60
"""Relative accuracy of a ball before it is rounded to a float: 7 bits more than the float has."""

ROUNDING_PRECISIONS = (128, 256, 512, 1024, 2048)
"""Working precisions, in bits, tried in turn until that accuracy is reached."""


def kind_of(*values: Number) -> Kind:
    """The library that evaluates a function of these numbers.

    A sympy argument makes the result symbolic, then a ball makes it a ball, then mpmath; everything
    else is a float or a float array.
    """
    libraries = {type(value).__module__.partition(".")[0] for value in values}
    if "sympy" in libraries:
        return "sympy"
    if "flint" in libraries:
        return "ball"
    if "mpmath" in libraries:
        return "mpmath"
    return "float"


def as_ball(value: Number) -> Any:
    """A ball that contains ``value``; exact up to rounding at the current precision."""
    if isinstance(value, flint.arb):
        return value
    if isinstance(value, Fraction):
        return flint.arb(flint.fmpq(value.numerator, value.denominator))
    if isinstance(value, np.integer):
        return flint.arb(int(value))
    return flint.arb(value)


def as_mpmath(value: Number) -> Any:
    """An mpmath number equal to ``value``, rounded to the working precision."""
    if isinstance(value, Fraction):
        return mpmath.mpf(value.numerator) / value.denominator
    if isinstance(value, np.integer):
        return mpmath.mpf(int(value))
    return mpmath.mpf(value)


def as_sympy(value: Number) -> Any:
    """A sympy expression equal to ``value``."""
    sympy = importlib.import_module("sympy")
    if isinstance(value, Fraction):
        return sympy.Rational(value.numerator, value.denominator)
    return sympy.sympify(value)


def exact(argument: str, value: Number) -> Fraction:
    """The rational number that a literal stands for: ``0.05`` is 1/20, not the nearest double.

    Searches that must be right at ties (``optimal_rank``, ``capture_rank``) read their arguments
    with it, so that ``0.05`` means in Python what it means in Lean.  An mpmath number is the binary
    fraction it holds.

    Args:
        argument: name of the argument, for the message.
        value: a finite int, float, Fraction, mpmath, sympy or python-flint rational.

    Raises:
        DomainError: if ``value`` is not a finite rational number.
    """
    require(argument, value, "a finite rational number")
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return Fraction(repr(value))
    if isinstance(value, mpmath.mpf):
        mantissa, exponent = value.man_exp
        return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    try:
        return Fraction(int(value.numerator), int(value.denominator))
    except (AttributeError, TypeError):
        raise DomainError(argument, value, "a finite rational number") from None


def over_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function of scalars take arrays: arguments broadcast, the result has their shape."""
    parameters = inspect.signature(function)

    @functools.wraps(function)
    def broadcast(*args: Any, **kwargs: Any) -> Any:
        bound = parameters.bind(*args, **kwargs).args if kwargs else args
        if not any(isinstance(argument, np.ndarray) for argument in bound):
            return function(*bound)
        arrays = np.broadcast_arrays(*bound)
        entries = [function(*entry) for entry in zip(*(a.flat for a in arrays), strict=True)]
        return np.array(entries).reshape(arrays[0].shape)

    return broadcast


def power(base: Number, exponent: Number) -> Number:
    """``base ** exponent`` for ``base >= 0``, as a real power (``0 ** 0 = 1``).

    A Fraction to an integer power, or an integer to a power given as an integral Fraction, stays a
    Fraction.

    Raises:
        DomainError: if the result does not fit in a float.
    """
    kind = kind_of(base, exponent)
    if kind == "ball":
        return as_ball(base) ** as_ball(exponent)
    if kind == "mpmath":
        return as_mpmath(base) ** as_mpmath(exponent)
    if kind == "sympy":
        return as_sympy(base) ** as_sympy(exponent)
    if _is_exact_power(base, exponent):
        return Fraction(base) ** int(exponent)
    with np.errstate(over="ignore", divide="ignore"):
        result = np.power(np.asarray(base, dtype=float), np.asarray(exponent, dtype=float))
    if not np.all(np.isfinite(result)):
        raise DomainError("exponent", exponent, f"such that {base!r} ** exponent fits in a float")
    return result if result.ndim else float(result)


def _is_exact_power(base: Number, exponent: Number) -> bool:
    """Whether the power of a rational is rational: an integer exponent given exactly."""
    return (
        isinstance(base, Fraction | int)
        and isinstance(exponent, Fraction | int)
        and (isinstance(base, Fraction) or isinstance(exponent, Fraction))
        and Fraction(exponent).denominator == 1
        and not (base == 0 and exponent < 0)
    )


def exp(x: Number) -> Number:
    """The exponential function."""
    return _elementary("exp", x)


def log(x: Number) -> Number:
    """The natural logarithm of ``x > 0``."""
    return _elementary("log", x)


def sqrt(x: Number) -> Number:
    """The square root of ``x >= 0``."""
    return _elementary("sqrt", x)


def _elementary(name: str, x: Number) -> Number:
    if isinstance(x, np.ndarray) and x.dtype == object:
        return np.frompyfunc(functools.partial(_elementary, name), 1, 1)(x)
    kind = kind_of(x)
    if kind == "ball":
        return getattr(as_ball(x), name)()
    if kind == "float":
        return getattr(np if isinstance(x, np.ndarray) else math, name)(x)
    return getattr(importlib.import_module(kind), name)(x)


def maximum(x: Number, y: Number) -> Number:
    """The larger of two numbers."""
    kind = kind_of(x, y)
    if kind == "ball":
        return as_ball(x).max(as_ball(y))
    if kind == "sympy":
        return importlib.import_module(kind).Max(x, y)
    if isinstance(x, np.ndarray) or isinstance(y, np.ndarray):
        return np.maximum(x, y)
    return max(x, y)


def hurwitz_zeta(s: Number, a: Number) -> Number:
    """The Hurwitz zeta function: the sum of ``(a + i) ** -s`` over ``i >= 0``, continued to s < 1.

    Args:
        s: order, any real number other than 1.
        a: shift, greater than 0.
    """
    kind = kind_of(s, a)
    if kind == "ball":
        return as_ball(s).zeta(as_ball(a))
    if kind == "mpmath":
        return importlib.import_module(kind).zeta(as_mpmath(s), as_mpmath(a))
    if kind == "sympy":
        return importlib.import_module(kind).zeta(as_sympy(s), as_sympy(a))
    return rounded("s", hurwitz_zeta, s, a)


def harmonic(n: Number) -> Number:
    """The harmonic number ``1 + 1/2 + ... + 1/n`` (digamma at ``n + 1`` plus Euler's constant)."""
    kind = kind_of(n)
    if kind == "ball":
        return (as_ball(n) + 1).digamma() + flint.arb.const_euler()
    if kind != "float":
        return importlib.import_module(kind).harmonic(n)
    return rounded("n", harmonic, n)


def rounded(argument: str, function: Callable[..., Any], *values: Number) -> Number:
    """Evaluate a function in ball arithmetic and round the result to float, entry by entry.

    The precision doubles until the ball determines the result to a relative error of 2^-60, so no
    cancellation inside ``function`` reaches the float.

    Raises:
        DomainError: naming ``argument``, if the ball never becomes that small (a pole, or an exact
            zero in disguise) or the value does not fit in a float.
    """
    return over_arrays(functools.partial(_rounded_scalar, argument, function))(*values)


def _rounded_scalar(argument: str, function: Callable[..., Any], *values: Number) -> float:
    for precision in ROUNDING_PRECISIONS:
        with flint.ctx.workprec(precision):
            ball = function(*(as_ball(value) for value in values))
            if ball.is_zero() or ball.rel_accuracy_bits() >= ROUNDING_ACCURACY_BITS:
                result = float(ball)
                if math.isfinite(result):
                    return result
                break
    raise DomainError(argument, values[0], "such that the value is a float known to 18 digits")
