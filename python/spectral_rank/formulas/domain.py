"""The one error for input outside the domain of a formula, and the domains that recur.

Every public formula checks its arguments before it computes.  An argument that is a sympy
expression is refused only where sympy can decide that the rule fails; an array must satisfy the
rule in every entry; a ball (python-flint ``arb``) must satisfy it with certainty.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any

import numpy as np

Number = Any
"""A real number: int, float, Fraction, numpy scalar or array, mpmath, python-flint or sympy."""


class DomainError(ValueError):
    """An argument outside the domain of a formula.

    Attributes:
        argument: name of the argument.
        value: the value that was passed.
        rule: the rule it breaks, in words.
    """

    def __init__(self, argument: str, value: object, rule: str) -> None:
        super().__init__(f"{argument} = {value!r}: {argument} must be {rule}")
        self.argument = argument
        self.value = value
        self.rule = rule

    def __reduce__(self) -> tuple[type[DomainError], tuple[str, object, str]]:
        return type(self), (self.argument, self.value, self.rule)


def require(
    argument: str, value: Number, rule: str, holds: Callable[[Any], Any] | None = None
) -> Number:
    """Return ``value`` if it is a finite real number that satisfies ``holds``.

    Args:
        argument: name of the argument, for the message.
        value: a number or an array of numbers.
        rule: the rule in words, as it completes "must be ...".
        holds: the rule as a predicate; ``None`` asks only for a finite real number.

    Raises:
        DomainError: if ``value`` is not a real number, not finite, or breaks the rule.
    """
    if not _is_finite_real(value) or not (holds is None or _certainly(holds(value))):
        raise DomainError(argument, value, rule)
    return value


def _is_finite_real(value: object) -> bool:
    if isinstance(value, bool | np.bool_ | str | bytes | complex):
        return False
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return all(_is_finite_real(entry) for entry in value.flat)
        return value.dtype.kind in "iuf" and bool(np.all(np.isfinite(value)))
    if isinstance(value, numbers.Rational):
        return True
    if isinstance(value, float | np.floating):
        return bool(np.isfinite(value))
    return _is_finite_in_its_library(value)


def _is_finite_in_its_library(value: object) -> bool:
    """Whether an mpmath, python-flint or sympy number is real and finite."""
    library = type(value).__module__.partition(".")[0]
    name = type(value).__name__
    if library == "flint":
        return name in {"fmpz", "fmpq"} or (name == "arb" and bool(value.is_finite()))  # type: ignore[attr-defined]
    if library == "mpmath":
        import mpmath

        return name in {"mpf", "constant"} and bool(mpmath.isfinite(value))
    if library == "sympy":
        # A symbol without assumptions answers None: only a decided "no" is refused.
        return (
            str(value) != "nan"
            and getattr(value, "is_extended_real", False) is not False
            and getattr(value, "is_finite", False) is not False
        )
    return False


def _certainly(verdict: object) -> bool:
    if isinstance(verdict, np.ndarray):
        return bool(np.all(verdict))
    if type(verdict).__module__.startswith("sympy"):
        return verdict != False  # noqa: E712  (sympy.false is not the object False)
    return bool(verdict)


def nonnegative(argument: str, value: Number) -> Number:
    """Return ``value`` if it is at least 0; raise ``DomainError`` otherwise."""
    return require(argument, value, "a finite real number >= 0", lambda x: x >= 0)


def positive(argument: str, value: Number) -> Number:
    """Return ``value`` if it is greater than 0; raise ``DomainError`` otherwise."""
    return require(argument, value, "a finite real number > 0", lambda x: x > 0)


def steep_exponent(argument: str, value: Number) -> Number:
    """Return an exponent above 1/2, where the energy is summable; else ``DomainError``."""
    return require(argument, value, "a finite real number > 1/2", lambda x: 2 * x > 1)


def slow_exponent(argument: str, value: Number) -> Number:
    """Return an exponent in [0, 1/2), where the energy diverges like a power."""
    return require(argument, value, "a real number in [0, 1/2)", lambda x: (x >= 0) & (2 * x < 1))


def noncritical_exponent(argument: str, value: Number) -> Number:
    """Return an exponent different from 1/2; raise ``DomainError`` otherwise."""
    return require(argument, value, "a finite real number other than 1/2", lambda x: 2 * x != 1)


def tolerance(argument: str, value: Number) -> Number:
    """Return a tolerance in (0, 1]; raise ``DomainError`` otherwise."""
    return require(argument, value, "a real number in (0, 1]", lambda x: (x > 0) & (x <= 1))


def integer(argument: str, value: Any, at_least: int = 0, at_most: int | None = None) -> int:
    """Return ``value`` as a Python int if it is an integer in the given range.

    Raises:
        DomainError: if ``value`` is not an integer (a float with an integer value is not), or lies
            outside ``[at_least, at_most]``.
    """
    rule = f"an integer >= {at_least}" + (f" and <= {at_most}" if at_most is not None else "")
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise DomainError(argument, value, rule)
    if value < at_least or (at_most is not None and value > at_most):
        raise DomainError(argument, value, rule)
    return int(value)
