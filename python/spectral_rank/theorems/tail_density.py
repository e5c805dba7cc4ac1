"""Checks of ``lean/SpectralRank/TailDensity.lean``: the density of the continuous tail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial

import flint
import sympy
from hypothesis import strategies as st

from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.elementary import power
from spectral_rank.formulas.power_law import antideriv
from spectral_rank.formulas.rank import cont_tail
from spectral_rank.theorems.claim import Claim, Relation, eq
from spectral_rank.theorems.derivative import derivative
from spectral_rank.theorems.strategies import HALF, noncritical_exponents, reals
from spectral_rank.theorems.theorem import (
    Certified,
    Check,
    Mutant,
    Property,
    Symbolic,
    Theorem,
    grid,
)

APOSTOL = (
    "Apostol, Mathematical Analysis (1974), chapter 7: fundamental theorems of integral calculus"
)

BOTH_SIDES = (Fraction(-1, 2), Fraction(0), Fraction(49, 100), Fraction(27, 20), Fraction(3))


def antideriv_has_deriv_at(alpha: Number, x: Number, *, exponent: int = 0) -> Iterator[Relation]:
    slope = derivative(lambda y: antideriv(alpha, y), x)
    yield eq(slope, power(x, exponent - 2 * alpha))


def cont_tail_has_deriv_at(
    alpha: Number, x: Number, *, exponent: int = 0, sign: int = -1
) -> Iterator[Relation]:
    slope = derivative(lambda y: cont_tail(alpha, y), x)
    yield eq(slope, sign * power(x, exponent - 2 * alpha))


def is_integral_of_density(
    function: Callable[[Number, Number], Number],
    alpha: Number,
    x: Number,
    y: Number,
    *,
    sign: int,
) -> Iterator[Relation]:
    """The derivative in integrated form: increments against a rigorous quadrature of the density.

    Equality on every interval is equivalent to the statement, because the density is continuous.
    """

    def density(t: Number, analytic: bool) -> Number:
        return t.pow(flint.acb(-2 * alpha), analytic=analytic)

    integral = flint.acb.integral(density, flint.acb(x), flint.acb(y)).real
    yield eq(function(alpha, y) - function(alpha, x), sign * integral)


def _checks(integrated: Claim) -> tuple[Check, ...]:
    """Sympy's derivative, a rigorous integral, and difference quotients on the whole domain."""
    return (
        Symbolic(
            {"alpha": sympy.Symbol("alpha", real=True), "x": sympy.Symbol("x", positive=True)}
        ),
        Certified(
            grid(
                alpha=BOTH_SIDES,
                x=(Fraction(1, 10), Fraction(1), Fraction(7)),
                y=(Fraction(1, 5), Fraction(1000)),
            ),
            claim=integrated,
        ),
        Property(
            {
                "alpha": noncritical_exponents()
                | reals(-4, HALF, open_high=True)
                | st.integers(2, 1000).map(lambda k: HALF + Fraction(1, k)),
                "x": reals(0, 20, open_low=True),
            },
            arithmetic="mpmath",
        ),
    )


THEOREMS = (
    Theorem(
        name="antideriv_hasDerivAt",
        statement=r"F'(x) = x^{-2\alpha}, \qquad F(x) = \frac{x^{1-2\alpha}}{1-2\alpha}",
        domain=r"\alpha \ne \tfrac12,\ x > 0",
        claim=antideriv_has_deriv_at,
        checks=_checks(partial(is_integral_of_density, antideriv, sign=1)),
        mutants=(
            Mutant("density x^(1 - 2 alpha)", partial(antideriv_has_deriv_at, exponent=1)),
            Mutant("density x^(-1 - 2 alpha)", partial(antideriv_has_deriv_at, exponent=-1)),
        ),
        references=(APOSTOL,),
    ),
    Theorem(
        name="contTail_hasDerivAt",
        statement=r"c_\alpha'(x) = -x^{-2\alpha}, "
        r"\qquad c_\alpha(x) = \frac{x^{1-2\alpha}}{2\alpha-1}",
        domain=r"\alpha \ne \tfrac12,\ x > 0",
        claim=cont_tail_has_deriv_at,
        checks=_checks(partial(is_integral_of_density, cont_tail, sign=-1)),
        mutants=(
            Mutant("increasing", partial(cont_tail_has_deriv_at, sign=1)),
            Mutant("density x^(1 - 2 alpha)", partial(cont_tail_has_deriv_at, exponent=1)),
        ),
        references=(APOSTOL,),
    ),
)
