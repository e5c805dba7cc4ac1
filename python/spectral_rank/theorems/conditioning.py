"""Checks of ``lean/SpectralRank/Conditioning.lean``: condition number and learning rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial

import numpy as np
import sympy
from hypothesis import strategies as st

from spectral_rank.formulas.conditioning import (
    Spectrum,
    condition_number,
    contraction,
    first_and_last,
    optimal_learning_rate,
)
from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.elementary import kind_of, power
from spectral_rank.formulas.power_law import singular_value
from spectral_rank.theorems.claim import Relation, eq, le, lt
from spectral_rank.theorems.strategies import (
    FloatArray,
    exponents,
    generators,
    ordered_ranks,
    orthonormal,
    ranks,
    reals,
)
from spectral_rank.theorems.theorem import (
    Certified,
    Mutant,
    Property,
    Symbolic,
    Theorem,
    grid,
)

TREFETHEN = "Trefethen and Bau, Numerical Linear Algebra (1997), lecture 12: condition number"
NESTEROV = "Nesterov, Lectures on Convex Optimization (2018), section 2.1.5: the gradient method"
POLYAK = "Polyak, Introduction to Optimization (1987), section 1.4: the best constant step"

E5 = Fraction(27, 20)
EXPONENTS = (Fraction(0), Fraction(3, 10), Fraction(1, 2), Fraction(1), E5, Fraction(3))
SIZES = (1, 2, 10, 270, 1536, 10**6)


@st.composite
def envelopes(draw: st.DrawFn) -> tuple[Fraction, Fraction]:
    """Constants ``0 < c <= C`` of an envelope, equality included."""
    c = draw(reals(0, 3, open_low=True))
    return c, c + draw(reals(0, 5))


def power_law(alpha: Number) -> Callable[[int], Number]:
    """The power-law spectrum as a function of the index."""
    return partial(singular_value, alpha)


def first_over_last(s: Spectrum, r: int) -> Number:
    """``conditionNumber`` as Lean defines it, for spectra that increase too.

    The formula refuses those: their ratio is not the condition number of anything.
    """
    first, last = first_and_last(s, r)
    increases = kind_of(first, last) != "sympy" and last > first
    return first / last if increases else condition_number(s, r)


def spectrum_between(
    c: Number, C: Number, alpha: Number, weights: tuple[Number, ...]
) -> Callable[[int], Number]:
    """A spectrum inside the envelope: index ``i`` at the share ``weights[i - 1]`` of the way up.

    The last weight holds for all further indices.
    """

    def s(i: int) -> Number:
        return (c + weights[min(i, len(weights)) - 1] * (C - c)) * singular_value(alpha, i)

    return s


def condition_number_power_law(
    alpha: Number, r: int, *, factor: int = 1, shift: int = 0
) -> Iterator[Relation]:
    yield eq(first_over_last(power_law(alpha), r), power(r + shift, factor * alpha))


def condition_number_mono(
    alpha: Number, pair: tuple[int, int], *, sign: int = 1, strict: bool = False
) -> Iterator[Relation]:
    smaller, larger = (first_over_last(power_law(sign * alpha), r) for r in pair)
    yield (lt if strict else le)(smaller, larger)


def condition_number_bounds(
    alpha: Number,
    r: int,
    constants: tuple[Number, Number],
    weights: tuple[Number, Number],
    *,
    exchanged: bool = False,
    lower_factor: int = 1,
) -> Iterator[Relation]:
    """The hypothesis is about the indices 1 and ``r`` only, so two weights draw all of it."""
    c, C = constants
    kappa = first_over_last(spectrum_between(c, C, alpha, weights), r)
    value = power(r, alpha)
    if exchanged:
        c, C = C, c
    yield le((c / C if lower_factor else 1) * value, kappa, "lower bound")
    yield le(kappa, C / c * value, "upper bound")


def condition_number_of_a_matrix(
    alpha: float, pair: tuple[int, int], constants: tuple[float, float], rng: np.random.Generator
) -> Iterator[Relation]:
    """Exact power law and envelope, each measured by the SVD of a matrix built to have it."""
    (r, n), (c, C) = pair, constants
    law = np.arange(1.0, n + 1) ** -alpha
    # Sorting keeps a spectrum inside the envelope, because the envelope decreases.
    between = np.sort(rng.uniform(c, C, n) * law)[::-1]
    measured = [condition_number(_singular_values(s, rng), q) for s, q in ((law, r), (law, n))]
    yield eq(measured[0], r**alpha, "power law")
    yield le(measured[0], measured[1], "grows with the rank")
    kappa = condition_number(_singular_values(between, rng), r)
    yield le(c / C * r**alpha, kappa, "lower bound")
    yield le(kappa, C / c * r**alpha, "upper bound")


def _singular_values(s: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The singular values of a random rectangular matrix that was built with the spectrum ``s``."""
    n = len(s)
    left = orthonormal(rng, n + int(rng.integers(3)), n)
    right = orthonormal(rng, n + int(rng.integers(3)), n)
    return np.asarray(np.linalg.svd(left * s @ right.T, compute_uv=False), dtype=np.float64)


def contraction_lower_bound(
    m: Number, gap: Number, eta: Number, *, strict: bool = False, over: int = 1
) -> Iterator[Relation]:
    L = m + gap
    bound = (L - m) / (L + over * m)
    # The best step is put beside the drawn one: there the bound is attained.
    for step in (eta, 2 / (L + m)):
        yield (lt if strict else le)(bound, contraction(m, L, step))


def lower_bound_as_weighted_mean(m: Number, L: Number, eta: Number) -> Iterator[Relation]:
    """The signed factors ``1 - eta m`` and ``eta L - 1`` have a mean that is free of ``eta``."""
    mean = (L * (1 - eta * m) + m * (eta * L - 1)) / (L + m)
    yield eq(mean, (L - m) / (L + m))


def contraction_optimal(
    m: Number, gap: Number, *, numerator: int = 2, over: int = 1
) -> Iterator[Relation]:
    L = m + gap
    yield eq(contraction(m, L, numerator / (L + over * m)), (L - m) / (L + m))


def optimal_learning_rate_bounds(
    alpha: Number, r: int, *, upper: Number = 2, strict: bool = False
) -> Iterator[Relation]:
    eta = optimal_learning_rate(alpha, r)
    yield (lt if strict else le)(1, eta, "lower bound")
    yield lt(eta, upper, "upper bound")


def best_contraction(alpha: Number, r: int) -> Number:
    """The contraction of the power-law spectrum kept to rank ``r``, at the best learning rate."""
    smallest, largest = singular_value(alpha, r) ** 2, singular_value(alpha, 1) ** 2
    return contraction(smallest, largest, optimal_learning_rate(alpha, r))


def contraction_power_law(
    alpha: Number, r: int, *, factor: int = 2, shift: int = 0
) -> Iterator[Relation]:
    z = power(r + shift, factor * alpha)
    yield eq(best_contraction(alpha, r), (z - 1) / (z + 1))


def one_step_of_gradient_descent(
    alpha: float, r: int, rng: np.random.Generator
) -> Iterator[Relation]:
    """A step on a quadratic with these curvatures, in a basis of its own, from three starts."""
    basis = orthonormal(rng, r, r)
    curvature = basis * np.arange(1.0, r + 1) ** (-2 * alpha) @ basis.T
    eta = optimal_learning_rate(alpha, r)
    z = float(r) ** (2 * alpha)
    for start, relation, label in (
        (basis[:, 0], eq, "along the largest curvature"),
        (basis[:, -1], eq, "along the smallest curvature"),
        (rng.standard_normal(r), le, "along any direction"),
    ):
        shrunk = np.linalg.norm(start - eta * (curvature @ start)) / np.linalg.norm(start)
        yield relation(shrunk, (z - 1) / (z + 1), label, atol=1e-12)


def contraction_mono(
    alpha: Number, pair: tuple[int, int], *, reverse: bool = False, strict: bool = False
) -> Iterator[Relation]:
    smaller, larger = (best_contraction(alpha, r) for r in pair)
    if reverse:
        smaller, larger = larger, smaller
    yield (lt if strict else le)(smaller, larger)


def contraction_mono_in_closed_form(z: Number, step: Number) -> Iterator[Relation]:
    """``contraction_powerLaw`` at ``z = r^(2 alpha)`` and at a larger value."""
    yield le((z - 1) / (z + 1), (z + step - 1) / (z + step + 1))


_real = sympy.Symbol("alpha", real=True)
_m, _l = sympy.Symbol("m", positive=True), sympy.Symbol("l", nonnegative=True)
_eta = sympy.Symbol("eta", real=True)
_t = sympy.Symbol("t", nonnegative=True)

EVERY_POWER = {"alpha": sympy.log(1 + _t) / (2 * sympy.log(2)), "r": 2}
"""Rank 2 with the exponent at which ``r^(2 alpha) = 1 + t``: every value that it can take, and the
statements depend on nothing else."""

CURVATURES = (Fraction(1, 10**6), Fraction(1, 3), Fraction(2))
GAPS = (Fraction(0), Fraction(1, 7), Fraction(1000))

ON_MATRICES = Property(
    {
        "alpha": exponents(),
        "pair": ordered_ranks(high=6),
        "constants": envelopes(),
        "rng": generators(),
    },
    arithmetic="float",
    claim=condition_number_of_a_matrix,
)

THEOREMS = (
    Theorem(
        name="conditionNumber_powerLaw",
        statement=r"\kappa(r) = r^{\alpha}, \qquad \kappa(r) = \frac{\sigma_1}{\sigma_r}, "
        r"\quad \sigma_i = i^{-\alpha}",
        domain=r"\alpha \in \mathbb{R},\ r \ge 1",
        claim=condition_number_power_law,
        checks=(
            Symbolic({"alpha": _real, "r": 7}),
            Property({"alpha": reals(-4, 4), "r": ranks()}),
            ON_MATRICES,
        ),
        mutants=(
            Mutant("exponent 2 alpha", partial(condition_number_power_law, factor=2)),
            Mutant("r + 1 for r", partial(condition_number_power_law, shift=1)),
        ),
        references=(TREFETHEN,),
    ),
    Theorem(
        name="conditionNumber_mono",
        statement=r"r \le r' \implies \kappa(r) \le \kappa(r')",
        domain=r"\alpha \ge 0,\ r \ge 1",
        claim=condition_number_mono,
        checks=(
            Certified(grid(alpha=EXPONENTS[1:], pair=((1, 2), (2, 3), (270, 1536), (1536, 10**6)))),
            Property({"alpha": exponents(), "pair": ordered_ranks()}),
            ON_MATRICES,
        ),
        mutants=(
            Mutant("exponent -alpha", partial(condition_number_mono, sign=-1)),
            Mutant("strictly larger", partial(condition_number_mono, strict=True)),
        ),
        references=(TREFETHEN,),
    ),
    Theorem(
        name="conditionNumber_bounds",
        statement=r"c\, i^{-\alpha} \le s_i \le C\, i^{-\alpha} \ \text{ for } i \in \{1, r\} "
        r"\implies \frac{c}{C}\, r^{\alpha} \le \frac{s_1}{s_r} \le \frac{C}{c}\, r^{\alpha}",
        domain=r"0 < c \le C,\ \alpha \in \mathbb{R},\ r \ge 1",
        claim=condition_number_bounds,
        checks=(
            Certified(
                grid(
                    alpha=(Fraction(-1), Fraction(0), Fraction(2)),
                    r=(1, 2, 270),
                    constants=((Fraction(9, 10), Fraction(11, 10)), (Fraction(1), Fraction(1))),
                    weights=((Fraction(0), Fraction(1)), (Fraction(1), Fraction(0))),
                ),
                arithmetic="exact",
            ),
            Property(
                {
                    "alpha": reals(-4, 4),
                    "r": ranks(),
                    "constants": envelopes(),
                    "weights": st.tuples(reals(0, 1), reals(0, 1)),
                }
            ),
            ON_MATRICES,
        ),
        mutants=(
            Mutant("constants exchanged", partial(condition_number_bounds, exchanged=True)),
            Mutant("lower bound without c / C", partial(condition_number_bounds, lower_factor=0)),
        ),
        references=(TREFETHEN,),
    ),
    Theorem(
        name="contraction_lower_bound",
        statement=r"\frac{L - m}{L + m} \le \rho(\eta), "
        r"\qquad \rho(\eta) = \max\bigl(|1 - \eta m|,\ |1 - \eta L|\bigr)",
        domain=r"0 < m \le L,\ \eta \in \mathbb{R}",
        claim=contraction_lower_bound,
        checks=(
            Symbolic({"m": _m, "L": _m + _l, "eta": _eta}, claim=lower_bound_as_weighted_mean),
            Certified(
                grid(m=CURVATURES, gap=GAPS, eta=tuple(Fraction(k, 8) for k in range(-8, 33))),
                arithmetic="exact",
            ),
            Property(
                {
                    "m": reals(0, 10, open_low=True),
                    "gap": reals(0, 100),
                    "eta": reals(-2, 5),
                },
                arithmetic="exact",
            ),
        ),
        mutants=(
            Mutant("bound (L - m) / L", partial(contraction_lower_bound, over=0)),
            Mutant("strict inequality", partial(contraction_lower_bound, strict=True)),
        ),
        references=(POLYAK, NESTEROV),
    ),
    Theorem(
        name="contraction_optimal",
        statement=r"\rho\Bigl(\frac{2}{L + m}\Bigr) = \frac{L - m}{L + m}",
        domain=r"0 < m \le L",
        claim=contraction_optimal,
        checks=(
            Property({"m": reals(0, 10, open_low=True), "gap": reals(0, 100)}, arithmetic="exact"),
            Symbolic({"m": _m, "gap": _l}),
        ),
        mutants=(
            Mutant("step 1 / (L + m)", partial(contraction_optimal, numerator=1)),
            Mutant("step 2 / L", partial(contraction_optimal, over=0)),
        ),
        references=(POLYAK, NESTEROV),
    ),
    Theorem(
        name="optimalLearningRate_bounds",
        statement=r"1 \le \eta^*(r) < 2, \qquad \eta^*(r) = \frac{2}{1 + r^{-2\alpha}}",
        domain=r"\alpha \ge 0,\ r \ge 1",
        claim=optimal_learning_rate_bounds,
        checks=(
            Symbolic(EVERY_POWER),
            Certified(grid(alpha=EXPONENTS, r=SIZES)),
            Property({"alpha": exponents(), "r": ranks()}),
        ),
        mutants=(
            Mutant("at most 3/2", partial(optimal_learning_rate_bounds, upper=Fraction(3, 2))),
            Mutant("larger than 1", partial(optimal_learning_rate_bounds, strict=True)),
        ),
        references=(POLYAK,),
    ),
    Theorem(
        name="contraction_powerLaw",
        statement=r"\rho\bigl(\eta^*(r)\bigr) = \frac{r^{2\alpha} - 1}{r^{2\alpha} + 1} "
        r"\quad \text{for } m = \sigma_r^2,\ L = \sigma_1^2",
        domain=r"\alpha \ge 0,\ r \ge 1",
        claim=contraction_power_law,
        checks=(
            Property({"alpha": exponents(), "r": ranks()}),
            Symbolic(EVERY_POWER),
            Property(
                {"alpha": exponents(), "r": st.integers(1, 6), "rng": generators()},
                arithmetic="float",
                claim=one_step_of_gradient_descent,
            ),
        ),
        mutants=(
            Mutant("r^alpha for r^(2 alpha)", partial(contraction_power_law, factor=1)),
            Mutant("r + 1 for r", partial(contraction_power_law, shift=1)),
        ),
        references=(POLYAK,),
    ),
    Theorem(
        name="contraction_mono",
        statement=r"r \le r' \implies \rho\bigl(\eta^*(r)\bigr) \le \rho\bigl(\eta^*(r')\bigr)",
        domain=r"\alpha \ge 0,\ r \ge 1",
        claim=contraction_mono,
        checks=(
            Symbolic({"z": 1 + _t, "step": _l}, claim=contraction_mono_in_closed_form),
            Property({"alpha": exponents(), "pair": ordered_ranks()}),
        ),
        mutants=(
            Mutant("decreasing", partial(contraction_mono, reverse=True)),
            Mutant("strictly larger", partial(contraction_mono, strict=True)),
        ),
        references=(POLYAK,),
    ),
)
