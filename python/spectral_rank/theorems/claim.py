"""What a theorem claims about concrete numbers: relations, and how each is decided.

A claim is a generator of relations.  It is written once; the numbers it is called with decide what
its outcome is worth:

* ints and Fractions: exact, no rounding at all;
* balls (python-flint ``arb``): decided when the balls separate the two sides, otherwise undecided;
* mpmath numbers and floats: up to a relative tolerance that the relation states;
* sympy expressions: proved by simplification, refuted by a numeric counterexample.

Arrays are compared entry by entry; a float tolerance is relative to their largest entry.
"""

from __future__ import annotations

import enum
import functools
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import flint
import mpmath
import numpy as np

from spectral_rank.formulas.elementary import as_ball, as_mpmath, kind_of

FLOAT_RTOL = 1e-9
"""Default relative tolerance of a float relation: the sums and products in the claims lose at most
six of sixteen digits on the domains drawn."""

EQUAL_BITS = 64
"""Two balls that overlap and agree to this many bits are accepted as equal."""

EQUAL_BALL_ATOL = 2.0**-200
"""Absolute agreement accepted where both sides vanish."""


class Verdict(enum.Enum):
    """The outcome of deciding a relation."""

    HOLDS = "holds"
    REFUTED = "refuted"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Relation:
    """One relation of a claim: its verdict is computed on demand, its text shown on failure."""

    text: Callable[[], str]
    decide: Callable[[], Verdict]


Claim = Callable[..., Iterator[Relation]]


def eq(
    lhs: Any, rhs: Any, label: str = "", rtol: float = FLOAT_RTOL, atol: float = 0.0
) -> Relation:
    """``lhs = rhs``; the tolerances apply to floats and mpmath numbers only."""
    return _compare("=", lhs, rhs, label, rtol, atol)


def le(
    lhs: Any, rhs: Any, label: str = "", rtol: float = FLOAT_RTOL, atol: float = 0.0
) -> Relation:
    """``lhs <= rhs``; the tolerances apply to floats and mpmath numbers only."""
    return _compare("<=", lhs, rhs, label, rtol, atol)


def lt(
    lhs: Any, rhs: Any, label: str = "", rtol: float = FLOAT_RTOL, atol: float = 0.0
) -> Relation:
    """``lhs < rhs``; floats cannot tell it from ``<=`` and are compared up to the tolerances."""
    return _compare("<", lhs, rhs, label, rtol, atol)


def le_or_tie(
    lhs: Any, rhs: Any, tie: bool, label: str = "", rtol: float = FLOAT_RTOL, atol: float = 0.0
) -> Relation:
    """``lhs <= rhs``, where the claim knows whether both sides are the same number.

    Balls never decide an order between equal numbers, but they decide that these are equal.
    """
    return (eq if tie else le)(lhs, rhs, label, rtol, atol)


def holds(fact: bool, label: str) -> Relation:
    """A fact that the claim decided itself, from exact data."""
    return Relation(lambda: label, lambda: Verdict.HOLDS if fact else Verdict.REFUTED)


def iff(left: Relation, right: Relation, label: str = "") -> Relation:
    """Both relations hold or neither does; undecided while one of them is."""

    def decide() -> Verdict:
        verdicts = left.decide(), right.decide()
        if Verdict.UNDECIDED in verdicts:
            return Verdict.UNDECIDED
        return Verdict.HOLDS if verdicts[0] == verdicts[1] else Verdict.REFUTED

    return Relation(lambda: f"{label}: [{left.text()}] iff [{right.text()}]", decide)


def implies(premise: Relation, conclusion: Relation, label: str = "") -> Relation:
    """The conclusion holds wherever the premise does."""

    def decide() -> Verdict:
        given = premise.decide()
        if given is Verdict.REFUTED:
            return Verdict.HOLDS
        then = conclusion.decide()
        return then if given is Verdict.HOLDS or then is Verdict.HOLDS else Verdict.UNDECIDED

    return Relation(lambda: f"{label}: [{premise.text()}] implies [{conclusion.text()}]", decide)


def _compare(sign: str, lhs: Any, rhs: Any, label: str, rtol: float, atol: float) -> Relation:
    def text() -> str:
        return f"{label + ': ' if label else ''}{_shown(lhs)} {sign} {_shown(rhs)}"

    return Relation(text, lambda: _decide(sign, lhs, rhs, rtol, atol))


def _shown(value: Any) -> str:
    return np.array2string(value, threshold=16) if isinstance(value, np.ndarray) else str(value)


def _decide(sign: str, lhs: Any, rhs: Any, rtol: float, atol: float) -> Verdict:
    if _is_object_array(lhs) or _is_object_array(rhs):
        left, right = np.broadcast_arrays(np.asarray(lhs, object), np.asarray(rhs, object))
        pairs = zip(left.flat, right.flat, strict=True)
        return _all(_decide(sign, a, b, rtol, atol) for a, b in pairs)
    if _is_exact(lhs) and _is_exact(rhs):
        compare = {"=": operator.eq, "<=": operator.le, "<": operator.lt}[sign]
        return Verdict.HOLDS if compare(lhs, rhs) else Verdict.REFUTED
    kind = kind_of(lhs, rhs)
    if kind == "sympy":
        from spectral_rank.theorems.symbolic import decide_symbolically

        return decide_symbolically(sign, lhs, rhs)
    if kind == "ball":
        return _decide_balls(sign, as_ball(lhs), as_ball(rhs))
    if kind == "mpmath":
        lhs, rhs = as_mpmath(lhs), as_mpmath(rhs)
        rtol = min(rtol, float(mpmath.mpf(10) ** (-mpmath.mp.dps // 2)))
    return _decide_floats(sign, lhs, rhs, rtol, atol)


def _is_object_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == object


def _is_exact(value: Any) -> bool:
    return isinstance(value, int | Fraction | flint.fmpz | flint.fmpq | np.integer)


def _all(verdicts: Iterator[Verdict]) -> Verdict:
    """REFUTED as soon as one is; otherwise UNDECIDED if one is."""

    def worst(a: Verdict, b: Verdict) -> Verdict:
        return next(v for v in (Verdict.REFUTED, Verdict.UNDECIDED, Verdict.HOLDS) if v in (a, b))

    return functools.reduce(worst, verdicts, Verdict.HOLDS)


def _decide_balls(sign: str, lhs: flint.arb, rhs: flint.arb) -> Verdict:
    difference = lhs - rhs
    if not difference.is_finite():
        return Verdict.UNDECIDED
    if sign == "=":
        if not difference.contains(0):
            return Verdict.REFUTED
        size = abs(lhs).upper() + abs(rhs).upper()
        bound = size * flint.arb(2) ** -EQUAL_BITS + EQUAL_BALL_ATOL
        return Verdict.HOLDS if abs(difference).upper() <= bound else Verdict.UNDECIDED
    if difference < 0 or (sign == "<=" and difference <= 0):
        return Verdict.HOLDS
    if difference > 0 or (sign == "<" and difference >= 0):
        return Verdict.REFUTED
    return Verdict.UNDECIDED


def _decide_floats(sign: str, lhs: Any, rhs: Any, rtol: float, atol: float) -> Verdict:
    difference = np.asarray(lhs - rhs)
    # A NaN or an infinity is never what a theorem speaks about: refute it, whatever the sign.
    if not all(_is_finite(x) for x in difference.flat):
        return Verdict.REFUTED
    largest = max(_largest(lhs), _largest(rhs))
    excess = abs(difference) if sign == "=" else difference
    return Verdict.HOLDS if np.all(excess <= rtol * largest + atol) else Verdict.REFUTED


def _is_finite(value: Any) -> bool:
    return bool(mpmath.isfinite(value))


def _largest(value: Any) -> Any:
    array = np.asarray(value)
    return np.max(np.abs(array)) if array.size else 0.0
