"""Checks of ``lean/SpectralRank/RankFormula.lean``: the rank formula and the adequate ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import flint
import mpmath
import sympy
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.elementary import kind_of, log, power
from spectral_rank.formulas.power_law import band_energy, tail_energy
from spectral_rank.formulas.rank import (
    adequate,
    cont_tail,
    implied_alpha,
    least_adequate_rank,
    optimal_rank,
    rank_ratio,
    tail_within,
)
from spectral_rank.formulas.search import least_index
from spectral_rank.theorems.claim import Relation, eq, holds, iff, implies, le, lt
from spectral_rank.theorems.power_law import APOSTOL, DLMF_ZETA
from spectral_rank.theorems.strategies import (
    HALF,
    exponents,
    ranks,
    reals,
    steep_exponents,
    tolerances,
)
from spectral_rank.theorems.theorem import (
    Certified,
    Mutant,
    Numerical,
    Point,
    Property,
    Symbolic,
    Theorem,
    grid,
)

DLMF_POWERS = "NIST Digital Library of Mathematical Functions, 4.2(iv): powers"
ECKART_YOUNG = (
    "Eckart and Young, The approximation of one matrix by another of lower rank, "
    "Psychometrika 1 (1936): why the tail energy is the error of the best approximation"
)

STEEP = (Fraction(51, 100), Fraction(3, 5), Fraction(1), Fraction(27, 20), Fraction(3))
TOLERANCES = (Fraction(1, 1000), Fraction(1, 20), Fraction(1, 2), Fraction(99, 100))
LENGTHS = (Fraction(1, 10), Fraction(3), Fraction(1000))
DIMENSIONS = (1, 2, 10, 1536, 10**6)

ADEQUATE_EPS = (Fraction(1, 20), Fraction(99, 100), Fraction(1), Fraction(51, 50))
"""Tolerances of the grids for adequate ranks; 1 has its tie at ``r = d``, 51/50 needs more."""


# The continuous tail


def cont_tail_tendsto_zero(
    alpha: Number, delta: Number, stretch: Number, *, limit: int = 0, decay: int = 1
) -> Iterator[Relation]:
    """The witness of the limit: the cut-off from which on the tail is within ``delta`` of it."""
    cutoff = power((2 * alpha - 1) * delta, 1 / (decay - 2 * alpha))
    yield eq(cont_tail(alpha, cutoff) - limit, delta, "distance delta at the cut-off")
    beyond = cont_tail(alpha, stretch * cutoff)
    yield lt(limit, beyond)
    yield lt(beyond - limit, delta, "less beyond it")


def cont_tail_is_integral(alpha: Number, x: Number) -> Iterator[Relation]:
    """What the limit adds to `contTail_hasDerivAt`: the tail is the integral to infinity."""
    if kind_of(alpha, x) == "sympy":
        t = sympy.Dummy("t", positive=True)
        integral = sympy.integrate(power(t, -2 * alpha), (t, x, sympy.oo))
    else:
        integral = mpmath.quad(lambda t: power(t, -2 * alpha), [x, 10 * x, mpmath.inf])
    yield eq(cont_tail(alpha, x), integral)


def cont_tail_ratio(
    alpha: Number, x: Number, d: Number, *, inverted: bool = False, excess: int = 1
) -> Iterator[Relation]:
    cut_offs = d / x if inverted else x / d
    yield eq(cont_tail(alpha, d) / cont_tail(alpha, x), power(cut_offs, 2 * alpha - excess))


# The rank ratio


def rank_ratio_everywhere(alpha: Number, eps: Number) -> Number:
    """`rank_ratio`, and its formula at the exponents and tolerances that only Lean admits.

    Lean reads the exponent ``1 / (2 alpha - 1)`` at 1/2 as ``1 / 0 = 0``.
    """
    if kind_of(alpha, eps) == "sympy" or (2 * alpha > 1 and 0 < eps <= 1):
        return rank_ratio(alpha, eps)
    return power(eps, 0 if 2 * alpha == 1 else 1 / (2 * alpha - 1))


def _ratio_plus(alpha: Number, eps: Number) -> Number:
    return power(eps, 1 / (2 * alpha + 1))


def _ratio_decreasing_in_alpha(alpha: Number, eps: Number) -> Number:
    return power(eps, 2 * alpha - 1)


def _ratio_inverted(alpha: Number, eps: Number) -> Number:
    return power(eps, 1 / (1 - 2 * alpha))


Ratio = Callable[[Number, Number], Number]


def rank_ratio_rpow(
    alpha: Number, eps: Number, *, ratio: Ratio = rank_ratio_everywhere
) -> Iterator[Relation]:
    yield eq(power(ratio(alpha, eps), 2 * alpha - 1), eps)


def rank_formula(
    alpha: Number,
    eps: Number,
    x: Number,
    d: Number,
    *,
    ratio: Ratio = rank_ratio_everywhere,
    inverted: bool = False,
) -> Iterator[Relation]:
    """Each direction at a general solution: from the ratio to the tails, from tails to the ratio.

    Every ``eps`` of the domain is reached by the first, every pair ``x, d`` by the second.
    """
    rank = d / ratio(alpha, eps) if inverted else ratio(alpha, eps) * d
    yield eq(cont_tail(alpha, d) / cont_tail(alpha, rank), eps, "if")
    tails = cont_tail(alpha, d) / cont_tail(alpha, x)
    yield eq(d / x if inverted else x / d, ratio(alpha, tails), "only if")


def rank_ratio_pos(
    alpha: Number, eps: Number, *, floor: int = 0, ceiling: int = 0
) -> Iterator[Relation]:
    ratio = rank_ratio_everywhere(alpha, eps)
    yield lt(floor * eps + ceiling * ratio**2, ratio)


def rank_ratio_le_one(
    alpha: Number, eps: Number, *, scale: int = 1, ratio: Ratio = rank_ratio_everywhere
) -> Iterator[Relation]:
    yield le(scale * ratio(alpha, eps), 1)


def rank_ratio_lt_one(
    alpha: Number, eps: Number, *, scale: int = 1, ratio: Ratio = rank_ratio_everywhere
) -> Iterator[Relation]:
    yield lt(scale * ratio(alpha, eps), 1)


def rank_ratio_strict_mono_eps(
    alpha: Number,
    eps: Number,
    step: Number,
    *,
    ratio: Ratio = rank_ratio_everywhere,
    slope: int = 0,
) -> Iterator[Relation]:
    yield lt(ratio(alpha, eps) + slope * step, ratio(alpha, eps + step))


def rank_ratio_strict_mono_alpha(
    alpha: Number,
    eps: Number,
    step: Number,
    *,
    ratio: Ratio = rank_ratio_everywhere,
    slope: int = 0,
) -> Iterator[Relation]:
    yield lt(ratio(alpha, eps) + slope * step, ratio(alpha + step, eps))


def rank_ratio_le_iff(
    alpha: Number, eps: Number, y: Number, *, excess: int = 1, reverse: bool = False
) -> Iterator[Relation]:
    threshold = power(y, 2 * alpha - excess)
    right = le(threshold, eps) if reverse else le(eps, threshold)
    yield iff(le(rank_ratio_everywhere(alpha, eps), y), right)


# The implied exponent


def _implied(eps: Number, rho: Number) -> Number:
    """`implied_alpha`, and its formula at the ratios from 1 on that only Lean admits.

    Lean reads the quotient of the logarithms at 1 as ``x / 0 = 0``.
    """
    if kind_of(eps, rho) == "sympy" or rho < 1:
        return implied_alpha(eps, rho)
    return HALF if rho == 1 else (log(eps) / log(rho) + 1) / 2


def _implied_without_one(eps: Number, rho: Number) -> Number:
    return log(eps) / log(rho) / 2


def _implied_inverted(eps: Number, rho: Number) -> Number:
    return (log(rho) / log(eps) + 1) / 2


Implied = Callable[[Number, Number], Number]


def half_lt_implied_alpha(
    eps: Number, rho: Number, *, implied: Implied = _implied, bound: Fraction = HALF
) -> Iterator[Relation]:
    yield lt(bound, implied(eps, rho))


def rank_ratio_implied_alpha(
    eps: Number, rho: Number, *, implied: Implied = _implied
) -> Iterator[Relation]:
    yield eq(rank_ratio_everywhere(implied(eps, rho), eps), rho)


def implied_alpha_rank_ratio(
    alpha: Number, eps: Number, *, implied: Implied = _implied
) -> Iterator[Relation]:
    yield eq(implied(eps, rank_ratio_everywhere(alpha, eps)), alpha)


# The discrete tails


def tail_ratio_bounds(
    alpha: Number, r: int, d: int, *, shift: int = 1, excess: int = 1
) -> Iterator[Relation]:
    ratio = tail_energy(alpha, d) / tail_energy(alpha, r)
    cut_offs = (Fraction(r, d + shift), Fraction(r + shift, d))
    lower, upper = (power(cut_off, 2 * alpha - excess) for cut_off in cut_offs)
    yield le(lower, ratio, "lower bound")
    yield le(ratio, upper, "upper bound")


def tail_energy_scaling(
    alpha: Number, r: int, *, excess: int = 1, limit_excess: int = 1
) -> Iterator[Relation]:
    """The squeeze of the proof, its explicit rate ``1 / r``, and the extrapolated limit."""

    def scaled(rank: int) -> Number:
        return tail_energy(alpha, rank) * power(rank, 2 * alpha - excess)

    limit = 1 / (2 * alpha - limit_excess)
    yield le(power(Fraction(r, r + 1), 2 * alpha - 1) * limit, scaled(r), "lower bound")
    yield le(scaled(r), limit, "upper bound")
    yield le(limit - scaled(r), Fraction(1, r), "rate")
    extrapolated = 2 * scaled(2 * r) - scaled(r)
    yield le(abs(extrapolated - limit), alpha / (6 * r**2), "extrapolation")


# Adequate ranks.  Exponent and tolerance are exact rationals of python-flint: the search for a rank
# reads them exactly, the formulas as balls at the precision of the check.


def _is_adequate(alpha: Number, eps: Number, d: int, r: int) -> Relation:
    """`adequate`, and the same decision at the tolerances that only Lean admits."""
    decide = adequate if 0 < eps <= 1 else tail_within
    return holds(decide(alpha, eps, d, r), f"rank {r} is adequate for {d}")


def _adequacy(alpha: Number, eps: Number, d: int, r: int) -> Relation:
    """The definition of adequacy by a route of its own, exact at the tie ``r = d``.

    The part that the tails of ``r`` and ``d`` have in common is cancelled.
    """
    ball = flint.arb(alpha)
    if r <= d:
        missed = eps * band_energy(ball, r, d)
        return le(missed, (1 - eps) * tail_energy(ball, d), f"rank {r} is adequate for {d}")
    missed = (eps - 1) * tail_energy(ball, r)
    return le(missed, band_energy(ball, d, r), f"rank {r} is adequate for {d}")


def _optimal(alpha: Number, eps: Number, d: int) -> int:
    """`optimal_rank`, and the same search at the tolerances that only Lean admits.

    At a tolerance of at most 0 every rank is adequate.
    """
    if eps <= 0:
        return 0
    return optimal_rank(alpha, eps, d) if eps <= 1 else least_adequate_rank(alpha, eps, d)


def adequate_mono(
    alpha: Number, eps: Number, d: int, r: int, more: int, *, direction: int = 1, wider: int = 0
) -> Iterator[Relation]:
    larger = max(r + direction * more, 0)
    yield implies(_is_adequate(alpha, eps, d, r), _adequacy(alpha, eps, d + wider * more, larger))


def adequate_self(
    alpha: Number, eps: Number, d: int, *, fewer: int = 0, above: int = 0
) -> Iterator[Relation]:
    rank, tolerance = max(d - fewer, 0), eps + above
    yield _adequacy(alpha, tolerance, d, rank)
    yield _is_adequate(alpha, tolerance, d, rank)


def adequate_of_le(
    alpha: Number, eps: Number, d: int, r: int, *, widen: int = 1, slack: int = 0
) -> Iterator[Relation]:
    premise = le(rank_ratio_everywhere(alpha, eps) * (d + widen), r + slack)
    yield implies(premise, _is_adequate(alpha, eps, d, r))


def le_of_adequate(
    alpha: Number, eps: Number, d: int, r: int, *, widen: int = 0, slack: int = 1
) -> Iterator[Relation]:
    conclusion = le(rank_ratio_everywhere(alpha, eps) * (d + widen), r + slack)
    yield implies(_is_adequate(alpha, eps, d, r), conclusion)


# The optimal rank


def optimal_rank_adequate(
    alpha: Number, eps: Number, d: int, *, fewer: int = 0, looser: int = 1
) -> Iterator[Relation]:
    rank = max(_optimal(alpha, eps / looser, d) - fewer, 0)
    yield _adequacy(alpha, eps, d, rank)


def optimal_rank_le(
    alpha: Number, eps: Number, d: int, r: int, *, more: int = 0, wider: int = 0
) -> Iterator[Relation]:
    best = _optimal(alpha, eps, d + wider) + more
    yield implies(_adequacy(alpha, eps, d, r), holds(best <= r, f"{best} <= {r}"))


def adequate_iff_optimal_rank_le(
    alpha: Number, eps: Number, d: int, r: int, *, more: int = 0
) -> Iterator[Relation]:
    best = _optimal(alpha, eps, d) + more
    yield iff(_adequacy(alpha, eps, d, r), holds(best <= r, f"{best} <= {r}"))


def optimal_rank_le_dim(
    alpha: Number, eps: Number, d: int, *, fewer: int = 0, above: Number = 0
) -> Iterator[Relation]:
    """The search starts at rank 0 and does not know that rank ``d`` is adequate."""
    tolerance = eps + above * (2 * alpha - 1)
    best = least_index(lambda r: tail_within(alpha, tolerance, d, r), 0)
    yield le(best, d - fewer)
    yield eq(best, _optimal(alpha, tolerance, d), "the search with a guess finds the same")


def optimal_rank_bounds(
    alpha: Number, eps: Number, d: int, *, below: int = 1, above: int = 1
) -> Iterator[Relation]:
    ratio, best = rank_ratio_everywhere(alpha, eps), _optimal(alpha, eps, d)
    yield le(ratio * d - below, best, "lower bound")
    yield le(best, ratio * (d + 1) + above, "upper bound")


def optimal_rank_ratio_tendsto(
    alpha: Number, eps: Number, d: int, *, ratio: Ratio = rank_ratio_everywhere, rate: int = 1
) -> Iterator[Relation]:
    """The squeeze of the proof at ``d`` and ``10 d``, and the limit extrapolated from the two."""
    limit = ratio(alpha, eps)
    ranks_found = [_optimal(alpha, eps, width) for width in (d, 10 * d)]
    for width, found in zip((d, 10 * d), ranks_found, strict=True):
        share = flint.fmpq(found, width)
        yield le(limit - flint.fmpq(1, width**rate), share, "lower bound")
        yield le(share, limit + (limit + 1) / width**rate, "upper bound")
    extrapolated = flint.fmpq(ranks_found[1] - ranks_found[0], 9 * d)
    yield le(abs(limit - extrapolated), (limit + 2) / (9 * d) ** rate, "extrapolation")


# Where the claims are checked

ZERO = st.just(Fraction(0))


def _exact(value: Fraction | int) -> Any:
    return flint.fmpq(value.numerator, value.denominator) if isinstance(value, Fraction) else value


def _near(alpha: Fraction, eps: Fraction, d: int) -> int:
    """About ``eps ** (1 / (2 alpha - 1)) * d``: where adequacy changes."""
    return int(float(eps) ** (1 / float(2 * alpha - 1)) * d)


@st.composite
def _cases(
    draw: Any,
    *,
    low: int | None = None,
    up_to_one: bool = False,
    low_d: int = 0,
    low_r: int | None = None,
    more: bool = False,
) -> dict[str, Any]:
    """Exponent, tolerance, dimension; with ``low_r`` also a rank, often where adequacy changes.

    Tolerances are positive, or at least ``low`` if given; 1 is drawn often, for its tie at rank
    ``d``.  Above 1 (unless ``up_to_one``) they grow with ``2 alpha - 1``, so that the rank ratio
    stays below ``e ** 4`` whatever the exponent.
    """
    alpha = draw(steep_exponents())
    choices = tolerances() | st.just(Fraction(1))
    if not up_to_one:
        choices |= reals(0, 4).map(lambda u: 1 + u * (2 * alpha - 1))
    if low is not None:
        choices |= reals(low, 0) if low < 0 else ZERO
    eps, d = draw(choices), draw(ranks(low_d))
    case = {"alpha": _exact(alpha), "eps": _exact(eps), "d": d}
    if low_r is not None:
        near = max(_near(alpha, max(eps, Fraction(0)), d), low_r + 1)
        at_change = draw(st.booleans())
        case["r"] = draw(st.integers(near - 1, near + 1) if at_change else ranks(low_r, 2 * 10**6))
    if more:
        case["more"] = draw(ranks(0))
    return case


def _grid_cases(*eps: Fraction, dimensions: tuple[int, ...] = DIMENSIONS) -> tuple[Point, ...]:
    """The same on a grid."""
    points = grid(alpha=STEEP, eps=eps, d=dimensions)
    return tuple({name: _exact(value) for name, value in point.items()} for point in points)


def _grid_ranks(*offsets: int, more: tuple[int, ...] = ()) -> tuple[Point, ...]:
    """The same on a grid, with ranks at these distances from where adequacy changes."""
    points = grid(alpha=STEEP, eps=ADEQUATE_EPS, d=DIMENSIONS, offset=offsets, more=more or (0,))
    cases = []
    for point in points:
        case = {name: _exact(value) for name, value in point.items()}
        r = _near(point["alpha"], point["eps"], point["d"]) + case.pop("offset")
        if not more:
            del case["more"]
        if r >= 1:
            cases.append(case | {"r": r})
    return tuple(cases)


@st.composite
def _thresholds(draw: Any) -> dict[str, Fraction]:
    """Points of `rankRatio_le_iff`, often close to where the two sides meet."""
    alpha, eps = draw(steep_exponents()), draw(reals(0, 2) | tolerances())
    y = draw(reals(0, 3))
    if draw(st.booleans()):
        meeting = Fraction(min(float(eps) ** (1 / float(2 * alpha - 1)), 1e9))
        y = meeting * (1 + Fraction(draw(st.integers(-5, 5)), 10**6))
    return {"alpha": alpha, "eps": eps, "y": y}


def _lengths() -> SearchStrategy[Fraction]:
    return reals(0, 5, open_low=True) | ranks(1).map(Fraction)


def _wide_tolerances() -> SearchStrategy[Fraction]:
    """Tolerances greater than 0, above 1 included."""
    return tolerances() | reals(0, 5, open_low=True)


def _open_tolerances() -> SearchStrategy[Fraction]:
    return tolerances(open_high=True)


_t = sympy.Symbol("t", positive=True)
_alpha = sympy.Rational(1, 2) + _t
_eps, _x, _d = sympy.symbols("eps x d", positive=True)
_small_eps, _small_rho = (sympy.exp(-s) for s in sympy.symbols("p q", positive=True))

THEOREMS = (
    Theorem(
        name="contTail_tendsto_zero",
        statement=r"\lim_{x \to \infty} c_\alpha(x) = 0, "
        r"\qquad c_\alpha(x) = \frac{x^{1-2\alpha}}{2\alpha-1}",
        domain=r"\alpha > \tfrac12",
        claim=cont_tail_tendsto_zero,
        checks=(
            Symbolic({"alpha": _alpha, "x": _x}, claim=cont_tail_is_integral),
            Certified(
                grid(
                    alpha=STEEP,
                    delta=(Fraction(1, 10**6), Fraction(1, 2), Fraction(10)),
                    stretch=(Fraction(1001, 1000), Fraction(10**6)),
                )
            ),
            Property(
                {
                    "alpha": steep_exponents(),
                    "delta": _wide_tolerances(),
                    "stretch": reals(1, 100, open_low=True),
                }
            ),
            Numerical(
                grid(alpha=STEEP[2:], x=LENGTHS), arithmetic="mpmath", claim=cont_tail_is_integral
            ),
        ),
        mutants=(
            Mutant("limit 1", partial(cont_tail_tendsto_zero, limit=1)),
            Mutant("cut-off of the decay x^(-2 alpha)", partial(cont_tail_tendsto_zero, decay=0)),
        ),
        references=(APOSTOL,),
    ),
    Theorem(
        name="contTail_ratio",
        statement=r"\frac{c_\alpha(d)}{c_\alpha(x)} = \left(\frac{x}{d}\right)^{2\alpha-1}",
        domain=r"\alpha > \tfrac12,\ x > 0,\ d > 0",
        claim=cont_tail_ratio,
        checks=(
            Symbolic({"alpha": _alpha, "x": _x, "d": _d}),
            Property({"alpha": steep_exponents(), "x": _lengths(), "d": _lengths()}),
        ),
        mutants=(
            Mutant("d / x for x / d", partial(cont_tail_ratio, inverted=True)),
            Mutant("exponent 2 alpha", partial(cont_tail_ratio, excess=0)),
        ),
        references=(DLMF_POWERS,),
    ),
    Theorem(
        name="rankRatio_rpow",
        statement=r"\rho(\alpha, \varepsilon)^{2\alpha-1} = \varepsilon, "
        r"\qquad \rho(\alpha, \varepsilon) = \varepsilon^{1/(2\alpha-1)}",
        domain=r"\alpha > \tfrac12,\ \varepsilon \ge 0",
        claim=rank_ratio_rpow,
        checks=(
            Symbolic({"alpha": _alpha, "eps": _eps}),
            Property({"alpha": steep_exponents(), "eps": ZERO | _wide_tolerances()}),
        ),
        mutants=(
            Mutant("exponent 1/(2 alpha + 1)", partial(rank_ratio_rpow, ratio=_ratio_plus)),
            Mutant(
                "exponent 2 alpha - 1", partial(rank_ratio_rpow, ratio=_ratio_decreasing_in_alpha)
            ),
        ),
        references=(DLMF_POWERS,),
    ),
    Theorem(
        name="rank_formula",
        statement=r"\frac{c_\alpha(d)}{c_\alpha(x)} = \varepsilon "
        r"\iff \frac{x}{d} = \varepsilon^{1/(2\alpha-1)}",
        domain=r"\alpha > \tfrac12,\ \varepsilon > 0,\ x > 0,\ d > 0",
        claim=rank_formula,
        checks=(
            Symbolic({"alpha": _alpha, "eps": _eps, "x": _x, "d": _d}),
            Certified(grid(alpha=STEEP, eps=TOLERANCES, x=LENGTHS, d=LENGTHS[1:])),
            Property(
                {
                    "alpha": steep_exponents(),
                    "eps": _wide_tolerances(),
                    "x": _lengths(),
                    "d": _lengths(),
                }
            ),
        ),
        mutants=(
            Mutant("exponent 1/(2 alpha + 1)", partial(rank_formula, ratio=_ratio_plus)),
            Mutant("d / x for x / d", partial(rank_formula, inverted=True)),
        ),
        references=(APOSTOL, ECKART_YOUNG),
    ),
    Theorem(
        name="rankRatio_pos",
        statement=r"0 < \rho(\alpha, \varepsilon)",
        domain=r"\varepsilon > 0 \text{ (any real } \alpha\text{; Lean reads } 1/0 = 0)",
        claim=rank_ratio_pos,
        checks=(
            Certified(grid(alpha=(Fraction(0), HALF, *STEEP), eps=(*TOLERANCES, Fraction(7)))),
            Property({"alpha": exponents() | reals(-4, 4), "eps": _wide_tolerances()}),
        ),
        mutants=(
            Mutant("greater than eps", partial(rank_ratio_pos, floor=1)),
            Mutant("below 1 too, for every eps", partial(rank_ratio_pos, ceiling=1)),
        ),
        references=(DLMF_POWERS,),
    ),
    Theorem(
        name="rankRatio_le_one",
        statement=r"\rho(\alpha, \varepsilon) \le 1",
        domain=r"\alpha > \tfrac12,\ 0 \le \varepsilon \le 1",
        claim=rank_ratio_le_one,
        checks=(
            Certified(grid(alpha=STEEP, eps=(Fraction(0), *TOLERANCES, Fraction(1)))),
            Property({"alpha": steep_exponents(), "eps": ZERO | tolerances()}),
        ),
        mutants=(
            Mutant("at most 1/2", partial(rank_ratio_le_one, scale=2)),
            Mutant("exponent 1/(1 - 2 alpha)", partial(rank_ratio_le_one, ratio=_ratio_inverted)),
        ),
        references=(DLMF_POWERS,),
    ),
    Theorem(
        name="rankRatio_lt_one",
        statement=r"\rho(\alpha, \varepsilon) < 1",
        domain=r"\alpha > \tfrac12,\ 0 \le \varepsilon < 1",
        claim=rank_ratio_lt_one,
        checks=(
            Certified(grid(alpha=STEEP, eps=(Fraction(0), *TOLERANCES))),
            Property({"alpha": steep_exponents(), "eps": ZERO | _open_tolerances()}),
        ),
        mutants=(
            Mutant("less than 1/2", partial(rank_ratio_lt_one, scale=2)),
            Mutant("exponent 1/(1 - 2 alpha)", partial(rank_ratio_lt_one, ratio=_ratio_inverted)),
        ),
        references=(DLMF_POWERS,),
    ),
    Theorem(
        name="rankRatio_strictMono_eps",
        statement=r"\varepsilon < \varepsilon' \implies "
        r"\rho(\alpha, \varepsilon) < \rho(\alpha, \varepsilon')",
        domain=r"\alpha > \tfrac12,\ \varepsilon \ge 0",
        claim=rank_ratio_strict_mono_eps,
        checks=(
            Certified(grid(alpha=STEEP, eps=(Fraction(0), *TOLERANCES), step=LENGTHS[:2])),
            Property(
                {
                    "alpha": steep_exponents(),
                    "eps": ZERO | _wide_tolerances(),
                    "step": _wide_tolerances(),
                }
            ),
        ),
        mutants=(
            Mutant("growing at least as fast", partial(rank_ratio_strict_mono_eps, slope=1)),
            Mutant(
                "exponent 1/(1 - 2 alpha)",
                partial(rank_ratio_strict_mono_eps, ratio=_ratio_inverted),
            ),
        ),
        references=(DLMF_POWERS,),
    ),
    Theorem(
        name="rankRatio_strictMono_alpha",
        statement=r"\alpha < \alpha' \implies "
        r"\rho(\alpha, \varepsilon) < \rho(\alpha', \varepsilon)",
        domain=r"\alpha > \tfrac12,\ 0 < \varepsilon < 1",
        claim=rank_ratio_strict_mono_alpha,
        checks=(
            Certified(grid(alpha=STEEP, eps=TOLERANCES, step=LENGTHS[:2])),
            Property(
                {
                    "alpha": steep_exponents(),
                    "eps": _open_tolerances(),
                    "step": reals(0, 3, open_low=True),
                }
            ),
        ),
        mutants=(
            Mutant(
                "decreasing",
                partial(rank_ratio_strict_mono_alpha, ratio=_ratio_decreasing_in_alpha),
            ),
            Mutant("growing at least as fast", partial(rank_ratio_strict_mono_alpha, slope=1)),
        ),
        references=(DLMF_POWERS,),
    ),
    Theorem(
        name="rankRatio_le_iff",
        statement=r"\rho(\alpha, \varepsilon) \le y \iff \varepsilon \le y^{2\alpha-1}",
        domain=r"\alpha > \tfrac12,\ \varepsilon \ge 0,\ y \ge 0",
        claim=rank_ratio_le_iff,
        checks=(
            Certified(
                grid(
                    lambda alpha, eps, y: alpha != 1 or eps != y,
                    alpha=STEEP,
                    eps=(*TOLERANCES, Fraction(2)),
                    y=(Fraction(0), Fraction(1, 20), Fraction(1, 2), Fraction(3)),
                )
            ),
            Property(_thresholds()),
        ),
        mutants=(
            Mutant("exponent 2 alpha", partial(rank_ratio_le_iff, excess=0)),
            Mutant("y^(2 alpha - 1) <= eps", partial(rank_ratio_le_iff, reverse=True)),
        ),
        references=(DLMF_POWERS,),
    ),
    Theorem(
        name="half_lt_impliedAlpha",
        statement=r"\tfrac12 < \hat\alpha(\varepsilon, \rho), \qquad \hat\alpha(\varepsilon, \rho) "
        r"= \frac12 \left(\frac{\log \varepsilon}{\log \rho} + 1\right)",
        domain=r"0 < \varepsilon < 1,\ 0 < \rho < 1",
        claim=half_lt_implied_alpha,
        checks=(
            Certified(grid(eps=TOLERANCES, rho=TOLERANCES)),
            Property({"eps": _open_tolerances(), "rho": _open_tolerances()}),
        ),
        mutants=(
            Mutant("without the + 1", partial(half_lt_implied_alpha, implied=_implied_without_one)),
            Mutant("greater than 1", partial(half_lt_implied_alpha, bound=Fraction(1))),
        ),
        references=(DLMF_POWERS,),
    ),
    Theorem(
        name="rankRatio_impliedAlpha",
        statement=r"\rho(\hat\alpha(\varepsilon, \rho), \varepsilon) = \rho",
        domain=r"0 < \varepsilon < 1,\ \rho > 0 "
        r"\text{ (at } \rho = 1 \text{ Lean reads } 1/0 = 0)",
        claim=rank_ratio_implied_alpha,
        checks=(
            Symbolic({"eps": _small_eps, "rho": _small_rho}),
            Certified(grid(eps=TOLERANCES, rho=(*TOLERANCES, Fraction(1), Fraction(7)))),
            Property({"eps": _open_tolerances(), "rho": _wide_tolerances()}),
        ),
        mutants=(
            Mutant(
                "without the + 1", partial(rank_ratio_implied_alpha, implied=_implied_without_one)
            ),
            Mutant(
                "logarithms exchanged", partial(rank_ratio_implied_alpha, implied=_implied_inverted)
            ),
        ),
        references=(DLMF_POWERS,),
    ),
    Theorem(
        name="impliedAlpha_rankRatio",
        statement=r"\hat\alpha(\varepsilon, \rho(\alpha, \varepsilon)) = \alpha",
        domain=r"\alpha > \tfrac12,\ 0 < \varepsilon < 1",
        claim=implied_alpha_rank_ratio,
        checks=(
            Symbolic({"alpha": _alpha, "eps": _small_eps}),
            Certified(grid(alpha=STEEP, eps=TOLERANCES)),
            Property({"alpha": steep_exponents(), "eps": _open_tolerances()}),
        ),
        mutants=(
            Mutant(
                "without the + 1", partial(implied_alpha_rank_ratio, implied=_implied_without_one)
            ),
            Mutant(
                "logarithms exchanged", partial(implied_alpha_rank_ratio, implied=_implied_inverted)
            ),
        ),
        references=(DLMF_POWERS,),
    ),
    Theorem(
        name="tail_ratio_bounds",
        statement=r"\left(\frac{r}{d+1}\right)^{2\alpha-1} \le \frac{T(d)}{T(r)} "
        r"\le \left(\frac{r+1}{d}\right)^{2\alpha-1}, \qquad T(r) = \sum_{i > r} i^{-2\alpha}",
        domain=r"\alpha > \tfrac12,\ r \ge 1,\ d \ge 1",
        claim=tail_ratio_bounds,
        checks=(
            Certified(grid(alpha=STEEP, r=DIMENSIONS, d=DIMENSIONS)),
            Property({"alpha": steep_exponents(), "r": ranks(), "d": ranks()}),
        ),
        mutants=(
            Mutant("without the index shift", partial(tail_ratio_bounds, shift=0)),
            Mutant("exponent 2 alpha", partial(tail_ratio_bounds, excess=0)),
        ),
        references=(APOSTOL, DLMF_ZETA),
    ),
    Theorem(
        name="Adequate.mono",
        statement=r"\varepsilon\,T(r) \le T(d),\ r \le r' \implies \varepsilon\,T(r') \le T(d)",
        domain=r"\alpha > \tfrac12,\ \varepsilon \ge 0,\ d \ge 0,\ r \ge 0",
        claim=adequate_mono,
        checks=(
            Certified(_grid_ranks(0, 1, more=(0, 100))),
            Property(_cases(low=0, low_r=0, more=True)),
        ),
        mutants=(
            Mutant("a smaller rank", partial(adequate_mono, direction=-1)),
            Mutant("a larger dimension", partial(adequate_mono, direction=0, wider=1)),
        ),
    ),
    Theorem(
        name="adequate_self",
        statement=r"\varepsilon\,T(d) \le T(d)",
        domain=r"\alpha > \tfrac12,\ \varepsilon \le 1,\ d \ge 0",
        claim=adequate_self,
        checks=(
            Certified(_grid_cases(Fraction(-1), Fraction(0), *ADEQUATE_EPS[:3])),
            Property(_cases(low=-2, up_to_one=True)),
        ),
        mutants=(
            Mutant("rank d - 1", partial(adequate_self, fewer=1)),
            Mutant("tolerance 1 + eps", partial(adequate_self, above=1)),
        ),
    ),
    Theorem(
        name="adequate_of_le",
        statement=r"\rho(\alpha, \varepsilon)\,(d+1) \le r \implies \varepsilon\,T(r) \le T(d)",
        domain=r"\alpha > \tfrac12,\ \varepsilon \ge 0,\ r \ge 1,\ d \ge 0",
        claim=adequate_of_le,
        checks=(
            Certified(_grid_ranks(-1, 0, 1)),
            Property(_cases(low=0, low_r=1)),
        ),
        mutants=(
            Mutant("d for d + 1", partial(adequate_of_le, widen=0)),
            Mutant("r + 1 for r", partial(adequate_of_le, slack=1)),
        ),
        references=(APOSTOL, ECKART_YOUNG),
    ),
    Theorem(
        name="le_of_adequate",
        statement=r"\varepsilon\,T(r) \le T(d) \implies \rho(\alpha, \varepsilon)\,d \le r + 1",
        domain=r"\alpha > \tfrac12,\ \varepsilon \ge 0,\ r \ge 0,\ d \ge 1",
        claim=le_of_adequate,
        checks=(
            Certified(_grid_ranks(-1, 0, 1)),
            Property(_cases(low=0, low_d=1, low_r=0)),
        ),
        mutants=(
            Mutant("r for r + 1", partial(le_of_adequate, slack=0)),
            Mutant("d + 1 for d", partial(le_of_adequate, widen=1)),
        ),
        references=(APOSTOL, ECKART_YOUNG),
    ),
    Theorem(
        name="optimalRank_adequate",
        statement=r"\varepsilon\,T(r^\ast) \le T(d), "
        r"\qquad r^\ast = r^\ast(\alpha, \varepsilon, d) = \min \{r : \varepsilon\,T(r) \le T(d)\}",
        domain=r"\alpha > \tfrac12,\ \varepsilon > 0,\ d \ge 0",
        claim=optimal_rank_adequate,
        checks=(
            Certified(_grid_cases(*ADEQUATE_EPS)),
            Property(_cases()),
        ),
        mutants=(
            Mutant("one rank fewer", partial(optimal_rank_adequate, fewer=1)),
            Mutant("the rank of tolerance eps / 2", partial(optimal_rank_adequate, looser=2)),
        ),
        references=(ECKART_YOUNG,),
    ),
    Theorem(
        name="optimalRank_le",
        statement=r"\varepsilon\,T(r) \le T(d) \implies r^\ast(\alpha, \varepsilon, d) \le r",
        domain=r"\alpha > \tfrac12 \text{ (where } T \text{ is finite)},\ "
        r"\varepsilon \in \mathbb{R},\ r \ge 0,\ d \ge 0",
        claim=optimal_rank_le,
        checks=(
            Certified(_grid_ranks(-1, 0, 1)),
            Property(_cases(low=-2, low_r=0)),
        ),
        mutants=(
            Mutant("one rank more", partial(optimal_rank_le, more=1)),
            Mutant("the optimal rank of width d + 1", partial(optimal_rank_le, wider=1)),
        ),
    ),
    Theorem(
        name="adequate_iff_optimalRank_le",
        statement=r"\varepsilon\,T(r) \le T(d) \iff r^\ast(\alpha, \varepsilon, d) \le r",
        domain=r"\alpha > \tfrac12,\ \varepsilon > 0,\ r \ge 0,\ d \ge 0",
        claim=adequate_iff_optimal_rank_le,
        checks=(
            Certified(_grid_ranks(-1, 0, 1)),
            Property(_cases(low_r=0)),
        ),
        mutants=(
            Mutant("one rank more", partial(adequate_iff_optimal_rank_le, more=1)),
            Mutant("one rank fewer", partial(adequate_iff_optimal_rank_le, more=-1)),
        ),
    ),
    Theorem(
        name="optimalRank_le_dim",
        statement=r"r^\ast(\alpha, \varepsilon, d) \le d",
        domain=r"\alpha > \tfrac12,\ \varepsilon \le 1,\ d \ge 0",
        claim=optimal_rank_le_dim,
        checks=(
            Certified(_grid_cases(Fraction(-1), Fraction(0), *ADEQUATE_EPS[:3])),
            Property(_cases(low=-2, up_to_one=True)),
        ),
        mutants=(
            Mutant("at most d - 1", partial(optimal_rank_le_dim, fewer=1)),
            Mutant("tolerances above 1", partial(optimal_rank_le_dim, above=1)),
        ),
    ),
    Theorem(
        name="optimalRank_bounds",
        statement=r"\rho(\alpha, \varepsilon)\,d - 1 \le r^\ast(\alpha, \varepsilon, d) "
        r"\le \rho(\alpha, \varepsilon)\,(d+1) + 1",
        domain=r"\alpha > \tfrac12,\ \varepsilon > 0,\ d \ge 1",
        claim=optimal_rank_bounds,
        checks=(
            Certified(_grid_cases(*ADEQUATE_EPS, TOLERANCES[0], HALF)),
            Property(_cases(low_d=1)),
        ),
        mutants=(
            Mutant("lower bound one index higher", partial(optimal_rank_bounds, below=0)),
            Mutant("upper bound one index lower", partial(optimal_rank_bounds, above=0)),
        ),
        references=(APOSTOL, DLMF_ZETA),
    ),
    Theorem(
        name="optimalRank_ratio_tendsto",
        statement=r"\lim_{d \to \infty} \frac{r^\ast(\alpha, \varepsilon, d)}{d} "
        r"= \varepsilon^{1/(2\alpha-1)}",
        domain=r"\alpha > \tfrac12,\ \varepsilon > 0",
        claim=optimal_rank_ratio_tendsto,
        checks=(
            Certified(
                _grid_cases(*ADEQUATE_EPS, HALF, dimensions=tuple(10**k for k in range(1, 7)))
            ),
            Property(_cases(low_d=1)),
        ),
        mutants=(
            Mutant(
                "exponent 1/(2 alpha + 1)", partial(optimal_rank_ratio_tendsto, ratio=_ratio_plus)
            ),
            Mutant("rate 1/d^2", partial(optimal_rank_ratio_tendsto, rate=2)),
        ),
        references=(APOSTOL, ECKART_YOUNG),
    ),
    Theorem(
        name="tailEnergy_scaling",
        statement=r"\lim_{r \to \infty} T(r)\,r^{2\alpha-1} = \frac{1}{2\alpha-1}",
        domain=r"\alpha > \tfrac12",
        claim=tail_energy_scaling,
        checks=(
            Certified(grid(alpha=STEEP, r=tuple(10**k for k in range(7)))),
            Property({"alpha": steep_exponents(), "r": ranks()}),
        ),
        mutants=(
            Mutant("scaled with r^(2 alpha)", partial(tail_energy_scaling, excess=0)),
            Mutant("limit 1/(2 alpha)", partial(tail_energy_scaling, limit_excess=0)),
        ),
        references=(APOSTOL, DLMF_ZETA),
    ),
)
