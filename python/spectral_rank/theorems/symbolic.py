"""Deciding a relation between sympy expressions: proof by simplification, refutation by numbers.

The domain of a theorem is built into the expressions: an exponent above 1/2 is ``1/2 + t`` with a
positive symbol ``t``.  Every assignment of its symbols that respects their assumptions is then a
point of the domain, and one that breaks the relation refutes it.
"""

from __future__ import annotations

import random
from typing import Any

import sympy

from spectral_rank.theorems.claim import Verdict

SAMPLES = 12
"""Numeric points tried before an unproved relation is called undecided."""

SAMPLE_DIGITS = 40
"""Digits of the numeric evaluation; a difference below half of them counts as zero."""


def decide_symbolically(sign: str, lhs: Any, rhs: Any) -> Verdict:
    """Prove or refute ``lhs sign rhs``; undecided if neither succeeds."""
    difference = sympy.sympify(rhs) - sympy.sympify(lhs)
    if _is_proved(sign, difference):
        return Verdict.HOLDS
    return _search_counterexample(sign, difference)


def _is_proved(sign: str, difference: sympy.Expr) -> bool:
    for rewrite in (lambda e: e, sympy.simplify, _through_exponentials, sympy.factor):
        rewritten = rewrite(difference)
        if sign == "=" and rewritten == 0:
            return True
        if sign == "<=" and rewritten.is_nonnegative:
            return True
        if sign == "<" and rewritten.is_positive:
            return True
    return False


def _through_exponentials(expression: sympy.Expr) -> sympy.Expr:
    """Powers as exponentials of logarithms, expanded: real powers of products come apart."""
    logarithms = sympy.expand_log(expression.rewrite(sympy.exp), force=True)
    return sympy.simplify(sympy.powsimp(sympy.expand(logarithms), force=True))


def _search_counterexample(sign: str, difference: sympy.Expr) -> Verdict:
    generator = random.Random(0)
    symbols = sorted(difference.free_symbols, key=str)
    for _ in range(SAMPLES):
        point = {symbol: _sample(symbol, generator) for symbol in symbols}
        value = difference.subs(point).evalf(SAMPLE_DIGITS)
        if not value.is_real or not value.is_finite:
            continue
        zero = sympy.Float(10) ** (-SAMPLE_DIGITS // 2)
        if (sign == "=" and abs(value) > zero) or value < -zero:
            return Verdict.REFUTED
    return Verdict.UNDECIDED


def _sample(symbol: sympy.Symbol, generator: random.Random) -> sympy.Expr:
    if symbol.is_integer:
        return sympy.Integer(generator.randint(1 if symbol.is_positive else 0, 6))
    value = sympy.Rational(generator.randint(1, 400), 100)
    signed = symbol.is_nonnegative or generator.random() < 0.5
    return value if signed else -value
