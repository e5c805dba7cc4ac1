"""The derivative of a function at a point, for the kinds of number that have one."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import sympy

from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.elementary import kind_of


def derivative(function: Callable[[Number], Number], x: Number) -> Number:
    """The derivative of ``function`` at ``x``.

    Exact for a sympy expression; for an mpmath number a difference quotient at raised precision,
    accurate to the working precision.

    Raises:
        TypeError: if ``x`` is neither a sympy nor an mpmath number.
    """
    kind = kind_of(x)
    if kind == "sympy":
        variable = sympy.Dummy("x", positive=True)
        return sympy.diff(function(variable), variable).subs(variable, x)
    if kind == "mpmath":
        return mpmath.diff(function, x)
    raise TypeError(f"derivative at {x!r}: a sympy or mpmath number is needed")
