"""Checks of ``lean/SpectralRank/GradientDescent.lean``: gradient descent on a quadratic.

The iteration is run step by step, in exact rationals wherever the theorem allows them.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import sympy
from hypothesis import strategies as st

from spectral_rank.formulas.conditioning import (
    condition_number,
    contraction,
    optimal_learning_rate,
)
from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.elementary import as_ball, log, maximum, power
from spectral_rank.formulas.gradient_descent import (
    gd_iterate,
    gd_step,
    power_law_curvature,
    quadratic_loss,
)
from spectral_rank.formulas.power_law import singular_value
from spectral_rank.theorems.claim import Relation, eq, holds, le
from spectral_rank.theorems.strategies import HALF, exponents, ordered_ranks, reals, tolerances
from spectral_rank.theorems.theorem import (
    Certified,
    Mutant,
    Point,
    Property,
    Symbolic,
    Theorem,
    grid,
)

NESTEROV = (
    "Nesterov, Introductory Lectures on Convex Optimization (2004), section 2.1.5: the gradient "
    "method on smooth strongly convex functions"
)
POLYAK = "Polyak, Introduction to Optimization (1987), section 1.4: the gradient method"

ITERATED = 64
"""Up to this many steps are taken one by one; beyond, `gdIterate_eq` gives their outcome."""

Vector = tuple[Number, ...]


def quadratic_loss_add(
    lam: Vector, x: Vector, h: Vector, *, remainder: int = 1, gradient: int = 1
) -> Iterator[Relation]:
    moved = quadratic_loss(lam, [a + b for a, b in zip(x, h, strict=True)])
    linear = sum(c**gradient * a * b for c, a, b in zip(lam, x, h, strict=True))
    yield eq(moved, quadratic_loss(lam, x) + linear + remainder * quadratic_loss(lam, h))


def gd_iterate_eq(
    eta: Number, lam: Vector, x0: Vector, k: int, *, sign: int = -1, shift: int = 0
) -> Iterator[Relation]:
    reached = gd_iterate(eta, lam, x0, k)
    for i, (c, start) in enumerate(zip(lam, x0, strict=True)):
        yield eq(reached[i], (1 + sign * eta * c) ** (k + shift) * start, f"coordinate {i}")
    yield eq(gd_step(eta, lam, reached), gd_iterate(eta, lam, x0, k + 1), "one more step")


def gd_iterate_error_le(
    m: Number,
    L: Number,
    eta: Number,
    lam: Vector,
    x0: Vector,
    k: int,
    *,
    exponent: int = 2,
    early: int = 0,
    of_the_loss: bool = False,
) -> Iterator[Relation]:
    size = partial(quadratic_loss, lam) if of_the_loss else _squared
    factor = _contraction(m, L, eta) ** (exponent * (k + early))
    yield le(size(gd_iterate(eta, lam, x0, k)), factor * size(x0))


quadratic_loss_gd_iterate_le = partial(gd_iterate_error_le, of_the_loss=True)


def gd_iterate_error_attained(
    m: Number,
    L: Number,
    eta: Number,
    lam: Vector,
    j: int,
    start: Number,
    k: int,
    *,
    exponent: int = 2,
    stray: int = 0,
) -> Iterator[Relation]:
    x0 = [start if i == j else stray for i in range(len(lam))]
    factor = _contraction(m, L, eta) ** (exponent * k)
    yield eq(_squared(gd_iterate(eta, lam, x0, k)), factor * _squared(x0))


def gd_iterate_error_sharp(
    m: Number, L: Number, eta: Number, lam: Vector, *, exponent: int = 2, milder: bool = False
) -> Iterator[Relation]:
    """The witness is the unit vector of the extreme curvature with the larger factor."""
    choose = min if milder else max
    extreme = choose((m, L), key=lambda curvature: abs(1 - eta * curvature))
    x0 = [int(i == lam.index(extreme)) for i in range(len(lam))]
    yield holds(any(x0), "the start is not zero")
    for k in range(6):
        factor = _contraction(m, L, eta) ** (exponent * k)
        yield eq(_squared(gd_iterate(eta, lam, x0, k)), factor * _squared(x0))


def contraction_optimal_eq(
    m: Number, excess: Number, *, numerator: int = 2, loss: int = 1
) -> Iterator[Relation]:
    L = m + excess
    kappa = L / m
    yield eq(contraction(m, L, numerator / (L + m)), (kappa - loss) / (kappa + 1))


def gd_iterate_optimal_le(
    m: Number, L: Number, lam: Vector, x0: Vector, k: int, *, exponent: int = 2, early: int = 0
) -> Iterator[Relation]:
    final = gd_iterate(2 / (L + m), lam, x0, k)
    yield le(_squared(final), _rate(L / m) ** (exponent * (k + early)) * _squared(x0))


def gd_steps_sufficient(
    kappa: Number, delta: Number, extra: int, *, share: Fraction = Fraction(1), shift: int = 1
) -> Iterator[Relation]:
    k = _steps(kappa, delta, share, shift) + extra
    yield le(_rate(kappa) ** k, delta)


def gd_iterate_steps_sufficient(
    m: Number,
    L: Number,
    lam: Vector,
    x0: Vector,
    delta: Number,
    extra: int,
    *,
    share: Fraction = Fraction(1),
    shift: int = 1,
) -> Iterator[Relation]:
    k = _steps(L / m, delta, share, shift) + extra
    yield le(_squared(_after(2 / (L + m), lam, x0, k)), delta**2 * _squared(x0))


def contraction_power_law_condition_number(
    alpha: Number, r: int, *, power_of_kappa: int = 2
) -> Iterator[Relation]:
    smallest, largest = singular_value(alpha, r) ** 2, singular_value(alpha, 1) ** 2
    kappa = condition_number(lambda i: singular_value(alpha, i), r)
    best = contraction(smallest, largest, optimal_learning_rate(alpha, r))
    yield eq(best, _rate(kappa**power_of_kappa))


def contraction_at_condition_number(kappa: Number) -> Iterator[Relation]:
    """The same with ``kappa`` for the condition number: the largest curvature is 1."""
    smallest = kappa**-2
    yield eq(contraction(smallest, 1, 2 / (1 + smallest)), _rate(kappa**2))


def gd_iterate_power_law_le(
    alpha: Number, x0: Vector, k: int, *, exponent: int = 2, early: int = 0
) -> Iterator[Relation]:
    r = len(x0)
    final = gd_iterate(optimal_learning_rate(alpha, r), power_law_curvature(alpha, r), x0, k)
    rate = _rate(power(r, exponent * alpha))
    yield le(_squared(final), rate ** (2 * (k + early)) * _squared(x0))


def gd_iterate_power_law_mono(
    alpha: Number, pair: tuple[int, int], k: int, *, exponent: int = 2, reverse: bool = False
) -> Iterator[Relation]:
    fewer, more = (_rate(power(r, e * alpha)) for r, e in zip(pair, (2, exponent), strict=True))
    if reverse:
        fewer, more = more, fewer
    yield le(fewer ** (2 * k), more ** (2 * k))


def gd_iterate_power_law_steps(
    alpha: Number,
    x0: Vector,
    delta: Number,
    extra: int,
    *,
    exponent: int = 2,
    share: Fraction = Fraction(1),
) -> Iterator[Relation]:
    r = len(x0)
    k = _steps(power(r, exponent * alpha), delta, share) + extra
    final = _after(optimal_learning_rate(alpha, r), power_law_curvature(alpha, r), x0, k)
    yield le(_squared(final), delta**2 * _squared(x0))


def _contraction(m: Number, L: Number, eta: Number) -> Number:
    """`contraction`, also for the curvatures ``m <= 0`` and ``L < m`` that these theorems allow."""
    if 0 < m <= L:
        return contraction(m, L, eta)
    return maximum(abs(1 - eta * m), abs(1 - eta * L))


def _rate(kappa: Number) -> Number:
    return (kappa - 1) / (kappa + 1)


def _squared(x: Any) -> Number:
    return sum((entry * entry for entry in x), 0)


def _steps(kappa: Number, delta: Number, share: Fraction = Fraction(1), shift: int = 1) -> int:
    """The least integer ``k >= 0`` that is certainly ``>= (kappa + 1) / 2 * log(1 / delta)``."""
    steps = -log(as_ball(delta)) * (as_ball(kappa) + shift) / 2 * as_ball(share)
    return max(0, int(steps.upper().ceil().unique_fmpz()))


def _after(eta: Number, lam: Any, x0: Any, k: int) -> Any:
    if k <= ITERATED:
        return gd_iterate(eta, lam, x0, k)
    return [(1 - eta * c) ** k * x for c, x in zip(lam, x0, strict=True)]


_coordinates = st.integers(-9, 9).map(Fraction)
_rates = st.sampled_from([Fraction(0), Fraction(1)]) | reals(-1, 3, denominator=40)
_shares = st.sampled_from([Fraction(0), Fraction(1)]) | reals(0, 1, denominator=12)
_steps_taken = st.integers(0, 8)


def _quadratics(low: int, *, positive: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    """``m <= L``, up to five curvatures in ``[m, L]`` with both ends often among them, a start."""
    shares = st.lists(_shares, max_size=1) | st.lists(_shares, min_size=2, max_size=5)

    @st.composite
    def drawn(draw: Any) -> dict[str, Any]:
        m = draw(reals(low, 2, open_low=positive, denominator=30))
        L = m + draw(reals(0, 3, denominator=20) | reals(0, 200))
        lam = tuple(m + share * (L - m) for share in draw(shares))
        return {"m": m, "L": L, "lam": lam, "x0": _start(draw, len(lam))}

    return drawn()


def _start(draw: Any, n: int) -> Vector:
    return tuple(draw(st.lists(_coordinates, min_size=n, max_size=n)))


def _with(
    base: st.SearchStrategy[dict[str, Any]], **more: st.SearchStrategy[Any]
) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda point, rest: {**point, **rest}, base, st.fixed_dictionaries(more))


@st.composite
def _attaining(draw: Any) -> dict[str, Any]:
    """A curvature whose factor is the contraction factor, an extreme one or its mirror image."""
    m, L = draw(reals(-3, 3, denominator=30)), draw(reals(-3, 3, denominator=30))
    eta = draw(_rates)
    attaining = max((m, L), key=lambda curvature: abs(1 - eta * curvature))
    if eta != 0 and draw(st.booleans()):
        attaining = 2 / eta - attaining
    lam = draw(st.lists(reals(-5, 5, denominator=30), min_size=1, max_size=5))
    j = draw(st.integers(0, len(lam) - 1))
    lam[j] = attaining
    return {
        "m": m,
        "L": L,
        "eta": eta,
        "lam": tuple(lam),
        "j": j,
        "start": draw(_coordinates),
        "k": draw(_steps_taken),
    }


@st.composite
def _with_both_extremes(draw: Any) -> dict[str, Any]:
    m, L = draw(reals(-3, 3, denominator=30)), draw(reals(-3, 3, denominator=30))
    others = draw(st.lists(reals(-5, 5, denominator=30), max_size=3))
    return {
        "m": m,
        "L": L,
        "eta": draw(_rates),
        "lam": tuple(draw(st.permutations([m, L, *others]))),
    }


def _points(*etas: Fraction, steps: tuple[int, ...], lows: tuple[Fraction, ...]) -> Any:
    """Points of the error bounds: curvatures from ``low`` to 2, both ends among them."""
    return tuple(
        {
            "m": low,
            "L": Fraction(2),
            "eta": eta,
            "lam": (low, (2 * low + 2) / 3, Fraction(2)),
            "x0": (Fraction(3), Fraction(-1, 2), Fraction(1)),
            "k": k,
        }
        for eta in etas
        for k in steps
        for low in lows
    )


def _without(points: tuple[Point, ...], *names: str) -> tuple[Point, ...]:
    return tuple({key: value for key, value in p.items() if key not in names} for p in points)


_STEPS = (0, 1, 2, 7, 40)
_ETAS = (Fraction(-1, 2), Fraction(0), Fraction(1, 10), Fraction(1), Fraction(3))
_GENERAL = _points(*_ETAS, steps=_STEPS, lows=(Fraction(-1), Fraction(0), Fraction(1, 20)))
_CONVEX = _points(*_ETAS, steps=_STEPS, lows=(Fraction(0), Fraction(1, 20), Fraction(2)))
_STRONGLY_CONVEX = _without(
    _points(Fraction(0), steps=_STEPS, lows=(Fraction(1, 20), Fraction(1), Fraction(2))), "eta"
)
_ATTAINING = tuple(
    {"m": Fraction(1, 4), "L": L, "eta": eta, "lam": lam, "j": j, "start": Fraction(-3), "k": k}
    for L, eta, lam, j in (
        (Fraction(2), Fraction(1, 3), (Fraction(9), Fraction(1, 4)), 1),
        (Fraction(2), Fraction(3), (Fraction(2), Fraction(-7), Fraction(0)), 0),
        (Fraction(2), Fraction(1), (Fraction(0), Fraction(2)), 0),
        (Fraction(1, 4), Fraction(-1), (Fraction(1, 4),), 0),
    )
    for k in _STEPS
)
_HALF_INTEGERS = (Fraction(0), HALF, Fraction(1), Fraction(3, 2))
_STARTS = (
    (Fraction(2),),
    (Fraction(1), Fraction(-1, 3)),
    (Fraction(1), Fraction(0), Fraction(0), Fraction(0), Fraction(5)),
    tuple(Fraction(1, i) for i in range(1, 9)),
)
_E5 = Fraction(27, 20)

_eta = sympy.Symbol("eta", real=True)
_m = sympy.Symbol("m", positive=True)
_t = sympy.Symbol("t", nonnegative=True)
_lam = sympy.symbols("lambda1:4", real=True)
_x = sympy.symbols("x1:4", real=True)
_h = sympy.symbols("h1:4", real=True)

_kappas = st.just(Fraction(1)) | reals(1, 10) | reals(1, 10**6)
_power_law_starts = st.lists(_coordinates, min_size=1, max_size=8).map(tuple)
_any_delta = tolerances() | reals(0, 4, open_low=True)

THEOREMS = (
    Theorem(
        name="quadraticLoss_add",
        statement=r"E(x + h) = E(x) + \sum_i \lambda_i x_i h_i + E(h), \qquad "
        r"E(x) = \tfrac12 \sum_i \lambda_i x_i^2",
        domain=r"\lambda, x, h \in \mathbb{R}^n",
        claim=quadratic_loss_add,
        checks=(
            Symbolic({"lam": _lam, "x": _x, "h": _h}),
            Property(
                st.lists(st.tuples(reals(-5, 5), reals(-9, 9), reals(-9, 9)), max_size=6).map(
                    lambda rows: {
                        name: tuple(row[i] for row in rows)
                        for i, name in enumerate(("lam", "x", "h"))
                    }
                ),
                "exact",
            ),
        ),
        mutants=(
            Mutant("no quadratic remainder", partial(quadratic_loss_add, remainder=0)),
            Mutant("gradient lam^2 x", partial(quadratic_loss_add, gradient=2)),
        ),
        references=(POLYAK,),
    ),
    Theorem(
        name="gdIterate_eq",
        statement=r"x^{(k)}_i = (1 - \eta \lambda_i)^k\, x^{(0)}_i, \qquad "
        r"x^{(k+1)}_i = x^{(k)}_i - \eta\, \lambda_i x^{(k)}_i",
        domain=r"\eta \in \mathbb{R},\ \lambda, x^{(0)} \in \mathbb{R}^n,\ k \ge 0",
        claim=gd_iterate_eq,
        checks=(
            Symbolic({"eta": _eta, "lam": _lam[:1], "x0": _x[:1], "k": 5}),
            Property(
                _with(_quadratics(-2), eta=_rates, k=_steps_taken).map(
                    lambda point: {key: point[key] for key in ("eta", "lam", "x0", "k")}
                ),
                "exact",
            ),
        ),
        mutants=(
            Mutant("gradient ascent", partial(gd_iterate_eq, sign=1)),
            Mutant("exponent k + 1", partial(gd_iterate_eq, shift=1)),
        ),
        references=(POLYAK,),
    ),
    Theorem(
        name="gdIterate_error_le",
        statement=r"\sum_i \bigl(x^{(k)}_i\bigr)^2 \le \rho^{2k} \sum_i \bigl(x^{(0)}_i\bigr)^2, "
        r"\qquad \rho = \max\bigl(|1 - \eta m|,\, |1 - \eta L|\bigr)",
        domain=r"m \le \lambda_i \le L,\ \eta \in \mathbb{R},\ k \ge 0",
        claim=gd_iterate_error_le,
        checks=(
            Certified(_GENERAL, "exact"),
            Property(_with(_quadratics(-2), eta=_rates, k=_steps_taken), "exact"),
        ),
        mutants=(
            Mutant("exponent k", partial(gd_iterate_error_le, exponent=1)),
            Mutant("one step ahead", partial(gd_iterate_error_le, early=1)),
        ),
        references=(POLYAK, NESTEROV),
    ),
    Theorem(
        name="quadraticLoss_gdIterate_le",
        statement=r"E\bigl(x^{(k)}\bigr) \le \rho^{2k}\, E\bigl(x^{(0)}\bigr)",
        domain=r"0 \le m \le \lambda_i \le L,\ \eta \in \mathbb{R},\ k \ge 0",
        claim=quadratic_loss_gd_iterate_le,
        checks=(
            Certified(_CONVEX, "exact"),
            Property(_with(_quadratics(0), eta=_rates, k=_steps_taken), "exact"),
        ),
        mutants=(
            Mutant("exponent k", partial(quadratic_loss_gd_iterate_le, exponent=1)),
            Mutant("one step ahead", partial(quadratic_loss_gd_iterate_le, early=1)),
        ),
        references=(POLYAK, NESTEROV),
    ),
    Theorem(
        name="gdIterate_error_attained",
        statement=r"|1 - \eta \lambda_j| = \rho,\ x^{(0)}_i = 0 \text{ for } i \ne j \implies "
        r"\sum_i \bigl(x^{(k)}_i\bigr)^2 = \rho^{2k} \sum_i \bigl(x^{(0)}_i\bigr)^2",
        domain=r"m, L, \eta \in \mathbb{R},\ \lambda, x^{(0)} \in \mathbb{R}^n,\ k \ge 0",
        claim=gd_iterate_error_attained,
        checks=(
            Certified(_ATTAINING, "exact"),
            Property(_attaining(), "exact"),
        ),
        mutants=(
            Mutant("exponent k", partial(gd_iterate_error_attained, exponent=1)),
            Mutant("a start on all directions", partial(gd_iterate_error_attained, stray=1)),
        ),
        references=(POLYAK,),
    ),
    Theorem(
        name="gdIterate_error_sharp",
        statement=r"m, L \in \{\lambda_i\} \implies \exists\, x^{(0)} \ne 0\ \forall k:\ "
        r"\sum_i \bigl(x^{(k)}_i\bigr)^2 = \rho^{2k} \sum_i \bigl(x^{(0)}_i\bigr)^2",
        domain=r"\eta \in \mathbb{R},\ \lambda \in \mathbb{R}^n",
        claim=gd_iterate_error_sharp,
        checks=(
            Certified(
                grid(
                    m=(Fraction(1, 10),),
                    L=(Fraction(2),),
                    eta=(*_ETAS, Fraction(20, 21)),
                    lam=(
                        (Fraction(1, 10), Fraction(2)),
                        (Fraction(5), Fraction(2), Fraction(-1), Fraction(1, 10)),
                    ),
                ),
                "exact",
            ),
            Property(_with_both_extremes(), "exact"),
        ),
        mutants=(
            Mutant("exponent k", partial(gd_iterate_error_sharp, exponent=1)),
            Mutant("start on the milder extreme", partial(gd_iterate_error_sharp, milder=True)),
        ),
        references=(POLYAK,),
    ),
    Theorem(
        name="contraction_optimal_eq",
        statement=r"\max\bigl(|1 - \eta m|,\, |1 - \eta L|\bigr) "
        r"= \frac{\kappa - 1}{\kappa + 1} \quad \text{at } \eta = \frac{2}{L + m}, "
        r"\qquad \kappa = \frac{L}{m}",
        domain=r"0 < m \le L",
        claim=contraction_optimal_eq,
        checks=(
            Symbolic({"m": _m, "excess": _t}),
            Property(
                {"m": reals(0, 5, open_low=True), "excess": reals(0, 5) | reals(0, 10**6)}, "exact"
            ),
        ),
        mutants=(
            Mutant("step 1/(L + m)", partial(contraction_optimal_eq, numerator=1)),
            Mutant("kappa/(kappa + 1)", partial(contraction_optimal_eq, loss=0)),
        ),
        references=(NESTEROV, POLYAK),
    ),
    Theorem(
        name="gdIterate_optimal_le",
        statement=r"\sum_i \bigl(x^{(k)}_i\bigr)^2 \le "
        r"\Bigl(\frac{\kappa - 1}{\kappa + 1}\Bigr)^{2k} \sum_i \bigl(x^{(0)}_i\bigr)^2 "
        r"\quad \text{at } \eta = \frac{2}{L + m}, \qquad \kappa = \frac{L}{m}",
        domain=r"0 < m \le \lambda_i \le L,\ m \le L,\ k \ge 0",
        claim=gd_iterate_optimal_le,
        checks=(
            Certified(_STRONGLY_CONVEX, "exact"),
            Property(_with(_quadratics(0, positive=True), k=_steps_taken), "exact"),
        ),
        mutants=(
            Mutant("exponent 3k for 2k", partial(gd_iterate_optimal_le, exponent=3)),
            Mutant("one step ahead", partial(gd_iterate_optimal_le, early=1)),
        ),
        references=(NESTEROV, POLYAK),
    ),
    Theorem(
        name="gd_steps_sufficient",
        statement=r"k \ge \frac{\kappa + 1}{2} \log\frac1\delta \implies "
        r"\Bigl(\frac{\kappa - 1}{\kappa + 1}\Bigr)^k \le \delta",
        domain=r"\kappa \ge 1,\ \delta > 0,\ k \in \mathbb{N}",
        claim=gd_steps_sufficient,
        checks=(
            Certified(
                grid(
                    kappa=(Fraction(1), Fraction(3, 2), Fraction(10), Fraction(10**6)),
                    delta=(Fraction(1, 10**9), Fraction(1, 3), Fraction(1), Fraction(5)),
                    extra=(0, 1),
                )
            ),
            Property({"kappa": _kappas, "delta": _any_delta, "extra": st.integers(0, 2)}),
        ),
        mutants=(
            Mutant("half the number of steps", partial(gd_steps_sufficient, share=HALF)),
            Mutant("(kappa - 1)/2 for (kappa + 1)/2", partial(gd_steps_sufficient, shift=-1)),
        ),
        references=(NESTEROV,),
    ),
    Theorem(
        name="gdIterate_steps_sufficient",
        statement=r"k \ge \frac{\kappa + 1}{2} \log\frac1\delta \implies "
        r"\sum_i \bigl(x^{(k)}_i\bigr)^2 \le \delta^2 \sum_i \bigl(x^{(0)}_i\bigr)^2 "
        r"\quad \text{at } \eta = \frac{2}{L + m}, \qquad \kappa = \frac{L}{m}",
        domain=r"0 < m \le \lambda_i \le L,\ m \le L,\ \delta > 0,\ k \in \mathbb{N}",
        claim=gd_iterate_steps_sufficient,
        checks=(
            Certified(
                tuple(
                    {**point, "delta": delta, "extra": extra}
                    for point in _without(_STRONGLY_CONVEX[:3], "k")
                    for delta in (Fraction(1, 1000), Fraction(1, 2), Fraction(1), Fraction(2))
                    for extra in (0, 2)
                ),
                "exact",
            ),
            Property(
                _with(_quadratics(0, positive=True), delta=_any_delta, extra=st.integers(0, 2))
            ),
        ),
        mutants=(
            Mutant("half the number of steps", partial(gd_iterate_steps_sufficient, share=HALF)),
            Mutant(
                "(kappa - 1)/2 for (kappa + 1)/2", partial(gd_iterate_steps_sufficient, shift=-1)
            ),
        ),
        references=(NESTEROV,),
    ),
    Theorem(
        name="contraction_powerLaw_conditionNumber",
        statement=r"\max\bigl(|1 - \eta_r \sigma_r^2|,\, |1 - \eta_r \sigma_1^2|\bigr) "
        r"= \frac{\kappa_r^2 - 1}{\kappa_r^2 + 1}, \qquad "
        r"\eta_r = \frac{2}{1 + r^{-2\alpha}},\quad \kappa_r = \frac{\sigma_1}{\sigma_r}",
        domain=r"\alpha \ge 0,\ r \ge 1",
        claim=contraction_power_law_condition_number,
        checks=(
            Symbolic({"kappa": 1 + _t}, contraction_at_condition_number),
            Certified(grid(alpha=(Fraction(0), HALF, _E5, Fraction(3)), r=(1, 2, 17, 10**6))),
            Property({"alpha": exponents(), "r": st.integers(1, 10**6)}),
        ),
        mutants=(
            Mutant(
                "kappa for its square",
                partial(contraction_power_law_condition_number, power_of_kappa=1),
            ),
            Mutant(
                "the fourth power of kappa",
                partial(contraction_power_law_condition_number, power_of_kappa=4),
            ),
        ),
        references=(NESTEROV,),
    ),
    Theorem(
        name="gdIterate_powerLaw_le",
        statement=r"\sum_{i \le r} \bigl(x^{(k)}_i\bigr)^2 \le "
        r"\Bigl(\frac{r^{2\alpha} - 1}{r^{2\alpha} + 1}\Bigr)^{2k} "
        r"\sum_{i \le r} \bigl(x^{(0)}_i\bigr)^2 \quad "
        r"\text{for } \lambda_i = \sigma_i^2,\ \eta = \eta_r",
        domain=r"\alpha \ge 0,\ r \ge 1,\ k \ge 0",
        claim=gd_iterate_power_law_le,
        checks=(
            Certified(grid(alpha=_HALF_INTEGERS, x0=_STARTS, k=(0, 1, 2, 9)), "exact"),
            Property({"alpha": exponents(), "x0": _power_law_starts, "k": _steps_taken}),
        ),
        mutants=(
            Mutant("r^alpha for r^(2 alpha)", partial(gd_iterate_power_law_le, exponent=1)),
            Mutant("one step ahead", partial(gd_iterate_power_law_le, early=1)),
        ),
        references=(NESTEROV,),
    ),
    Theorem(
        name="gdIterate_powerLaw_mono",
        statement=r"r \le r' \implies "
        r"\Bigl(\frac{r^{2\alpha} - 1}{r^{2\alpha} + 1}\Bigr)^{2k} "
        r"\le \Bigl(\frac{{r'}^{2\alpha} - 1}{{r'}^{2\alpha} + 1}\Bigr)^{2k}",
        domain=r"\alpha \ge 0,\ 1 \le r,\ k \ge 0",
        claim=gd_iterate_power_law_mono,
        checks=(
            Certified(
                grid(
                    alpha=_HALF_INTEGERS, pair=((1, 1), (1, 2), (3, 3), (5, 999)), k=(0, 1, 2, 20)
                ),
                "exact",
            ),
            Property({"alpha": exponents(), "pair": ordered_ranks(), "k": st.integers(0, 1000)}),
        ),
        mutants=(
            Mutant("r'^alpha on the right", partial(gd_iterate_power_law_mono, exponent=1)),
            Mutant(
                "more directions, a smaller bound", partial(gd_iterate_power_law_mono, reverse=True)
            ),
        ),
    ),
    Theorem(
        name="gdIterate_powerLaw_steps",
        statement=r"k \ge \frac{r^{2\alpha} + 1}{2} \log\frac1\delta \implies "
        r"\sum_{i \le r} \bigl(x^{(k)}_i\bigr)^2 \le "
        r"\delta^2 \sum_{i \le r} \bigl(x^{(0)}_i\bigr)^2 \quad "
        r"\text{for } \lambda_i = \sigma_i^2,\ \eta = \eta_r",
        domain=r"\alpha \ge 0,\ r \ge 1,\ \delta > 0,\ k \in \mathbb{N}",
        claim=gd_iterate_power_law_steps,
        checks=(
            Certified(
                grid(
                    alpha=_HALF_INTEGERS[:3],
                    x0=_STARTS[:3],
                    delta=(Fraction(1, 100), Fraction(1, 2), Fraction(1), Fraction(3)),
                    extra=(0, 1),
                ),
                "exact",
            ),
            Property(
                {
                    "alpha": exponents(),
                    "x0": _power_law_starts,
                    "delta": _any_delta,
                    "extra": st.integers(0, 2),
                }
            ),
        ),
        mutants=(
            Mutant("r^alpha for r^(2 alpha)", partial(gd_iterate_power_law_steps, exponent=1)),
            Mutant("half the number of steps", partial(gd_iterate_power_law_steps, share=HALF)),
        ),
        references=(NESTEROV,),
    ),
)
