"""Checks of ``lean/SpectralRank/BestApproximation.lean``: what a given spectrum allows at rank r.

The error of an approximation is always computed from the matrices, entry by entry; the energies on
the other side come from the spectrum.  An integral exponent keeps a power-law matrix rational;
balls take every other exponent.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import flint
import numpy as np
from hypothesis import strategies as st

from spectral_rank.formulas.best_approximation import (
    frobenius_sq,
    power_law_matrix,
    spectral_matrix,
)
from spectral_rank.formulas.capture import capture_rank, captured, rank_capturing
from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.elementary import as_ball
from spectral_rank.formulas.matrix import NumberArray
from spectral_rank.formulas.power_law import band_energy, head_energy, singular_value
from spectral_rank.theorems.claim import Claim, Relation, eq, iff, implies, le, le_or_tie
from spectral_rank.theorems.eckart_young import (
    DECOMPOSITIONS,
    ECKART_YOUNG,
    STEWART,
    energy_of_svd,
    with_any_values,
)
from spectral_rank.theorems.rational_matrices import (
    ROTATION,
    TURN,
    Decomposition,
    random_decomposition,
    random_matrix,
    random_orthonormal,
    random_size,
    rational_array,
    rational_zeros,
    seeded,
)
from spectral_rank.theorems.strategies import HALF, FloatArray, generators, matrices, orthonormal
from spectral_rank.theorems.theorem import (
    Certified,
    Mutant,
    Numerical,
    Point,
    Property,
    Theorem,
    grid,
)

FLOAT_ATOL = 1e-12
"""Float errors of a squared distance, in units of the energy of the matrix."""

PRECISION = 256
"""Bits of the balls where exponent and tolerance must stay exact."""

Vectors = tuple[NumberArray, NumberArray]
"""``U`` and ``V``, with the same number of orthonormal columns."""

Factors = tuple[NumberArray, NumberArray]
"""``X`` and ``Y``, of a common inner dimension."""


def frobenius_sq_spectral_matrix(
    svd: Decomposition, *, root: bool = False, first: int = 0
) -> Iterator[Relation]:
    U, s, V = svd
    values = s[first:]
    energy = np.sum(abs(values) if root else values * values)
    yield eq(frobenius_sq(spectral_matrix(s, U, V)), energy)


def is_least_spectral_matrix(
    svd: Decomposition, factors: Factors, *, shift: int = 0, reverse: bool = False
) -> Iterator[Relation]:
    U, s, V = svd
    r = factors[0].shape[1]
    ordered = s[::-1] if reverse else s
    tail = ordered[max(r + shift, 0) :]
    energy, slack = np.sum(tail * tail), FLOAT_ATOL * float(np.sum(s * s))
    yield from _least(spectral_matrix(s, U, V), best_factors(svd, r), factors, energy, slack)


def best_factors(svd: Decomposition, r: int) -> Factors:
    """The truncation to ``min(r, n)`` values as a product."""
    U, s, V = svd
    return U[:, :r] * s[:r], V[:, :r].T


def _least(
    A: NumberArray, best: Factors, other: Factors, least: Number, slack: float = 0.0
) -> Iterator[Relation]:
    """The least squared error is the error of the best factors, and at most that of others."""
    yield eq(_error(A, best), least, "attained", atol=slack)
    yield le_or_tie(least, _error(A, other), _is_zero(other), "least", atol=slack)


def _is_zero(factors: Factors) -> bool:
    """Whether their product is zero for want of an inner dimension: the error is all of ``A``."""
    return bool(factors[0].shape[1] == 0)


def _error(A: NumberArray, factors: Factors) -> Number:
    X, Y = factors
    return frobenius_sq(A - X @ Y)


def best_approximation_power_law(
    alpha: Number, vectors: Vectors, factors: Factors, *, shift: int = 0
) -> Iterator[Relation]:
    n, r = vectors[0].shape[1], factors[0].shape[1]
    energy = band_energy(alpha, min(max(r + shift, 0), n), n)
    best = best_factors(_power_law(alpha, vectors), r)
    yield from _least(power_law_matrix(alpha, *vectors), best, factors, energy)


def _power_law(alpha: Number, vectors: Vectors) -> Decomposition:
    U, V = vectors
    law = [singular_value(alpha, i) for i in range(1, U.shape[1] + 1)]
    return U, np.array(law, dtype=object), V


def eckart_young_power_law(
    alpha: Number, vectors: Vectors, factors: Factors, *, shift: int = 0, sign: int = 1
) -> Iterator[Relation]:
    n, r = vectors[0].shape[1], factors[0].shape[1]
    energy = band_energy(sign * alpha, min(max(r + shift, 0), n), n)
    error = _error(power_law_matrix(alpha, *vectors), factors)
    yield le_or_tie(energy, error, _is_zero(factors))


def frobenius_sq_power_law(
    alpha: Number, vectors: Vectors, *, missing: int = 0, factor: int = 1
) -> Iterator[Relation]:
    n = vectors[0].shape[1]
    energy = head_energy(factor * alpha, max(n - missing, 0))
    yield eq(frobenius_sq(power_law_matrix(alpha, *vectors)), energy)


def relative_error_power_law(
    alpha: Number, vectors: Vectors, factors: Factors, *, shift: int = 0, root: bool = False
) -> Iterator[Relation]:
    n, r = vectors[0].shape[1], factors[0].shape[1]
    A = power_law_matrix(alpha, *vectors)
    energy = frobenius_sq(A)
    best = _error(A, best_factors(_power_law(alpha, vectors), r)) / energy
    missed = 1 - captured(alpha, min(r + shift, n), n)
    yield eq(best * best if root else best, missed, "attained")
    yield le_or_tie(missed, _error(A, factors) / energy, _is_zero(factors), "least")


def capture_rank_le_iff_exists_approximation(
    alpha: Fraction,
    eps: Fraction,
    vectors: Vectors,
    factors: Factors,
    *,
    below: int = 0,
    exponent: int = 1,
) -> Iterator[Relation]:
    """At every rank ``r``: the truncation is the witness, other factors must not do better."""
    n, width = vectors[0].shape[1], factors[0].shape[1]
    rank = rank_capturing(alpha, 1 - eps, n)
    with flint.ctx.workprec(PRECISION):
        number, share, (U, V, X, Y) = alpha, eps, (*vectors, *factors)
        if alpha.denominator > 1:
            number, share = as_ball(alpha), as_ball(eps)
            U, V, X, Y = (np.frompyfunc(as_ball, 1, 1)(matrix) for matrix in (U, V, X, Y))
        A, law = power_law_matrix(number, U, V), _power_law(number, (U, V))
        allowed = share**exponent * frobenius_sq(A)
        errors = [_error(A, best_factors(law, r)) for r in range(n + 2)]
        found = _error(A, (X, Y))
    for r, error in enumerate(errors):
        yield iff(le(rank, r - below), le(error, allowed), f"rank {r}")
    yield implies(le(found, allowed), le(rank, width - below), "no other factors do better")


def truncations_by_svd(alpha: float, n: int, eps: float, seed: int) -> Iterator[Relation]:
    """All truncations that numpy finds for a larger matrix, and the least rank that suffices."""
    rng = np.random.default_rng(seed)
    A = power_law_matrix(alpha, orthonormal(rng, n + 5, n), orthonormal(rng, n + 2, n))
    A = A.astype(float)
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    energy = head_energy(alpha, n)
    errors = [frobenius_sq(A - (U[:, :r] * s[:r]) @ Vt[:r]) for r in range(n + 1)]
    bands = np.array([band_energy(alpha, r, n) for r in range(n + 1)])
    yield eq(np.array(errors), bands, "errors", atol=FLOAT_ATOL * energy)
    enough = next(r for r, error in enumerate(errors) if error <= eps * energy)
    yield eq(capture_rank(alpha, eps, n), enough, "least rank")


def _vectors(rng: random.Random, size: int, least: int = 0) -> Vectors:
    """Vectors of every shape with ``least <= n <= m, l``."""
    n = random_size(rng, least, size)
    U, V = (random_orthonormal(rng, rng.randint(n, max(n, size)), n) for _ in range(2))
    return U + rational_zeros(*U.shape), V + rational_zeros(*V.shape)


def factors_near(rng: random.Random, best: Factors, r: int) -> Factors:
    """Factors of inner dimension ``r``: the best ones, padded, close to these, or unrelated."""
    X, Y = best
    if rng.random() < 0.3:
        return random_matrix(rng, X.shape[0], r), random_matrix(rng, r, Y.shape[1])
    size = rng.choice((Fraction(0), Fraction(0), Fraction(1, 1000), Fraction(1)))
    padding = r - X.shape[1]
    X = np.concatenate([X, rational_zeros(X.shape[0], padding)], axis=1)
    Y = np.concatenate([Y, rational_zeros(padding, Y.shape[1])], axis=0)
    return X + size * random_matrix(rng, *X.shape), Y + size * random_matrix(rng, *Y.shape)


def _spectral_point(rng: random.Random, size: int) -> dict[str, Any]:
    svd = random_decomposition(rng, size)
    r = rng.randint(0, size + 1)
    return {"svd": svd, "factors": factors_near(rng, best_factors(svd, r), r)}


def _nearly_power_law(alpha: Fraction, vectors: Vectors) -> Decomposition:
    """The power law rounded to rationals, exact where it is rational."""
    U, s, V = _power_law(alpha, vectors)
    return U, rational_array([Fraction(x).limit_denominator(10**6) for x in s]), V


def _law_point(
    rng: random.Random, size: int, alpha: Fraction, least: int = 0, extra: int = 1
) -> dict[str, Any]:
    """Vectors, and factors of an inner dimension up to ``n + extra``."""
    vectors = _vectors(rng, size, least)
    r = rng.randint(0, vectors[0].shape[1] + extra)
    factors = factors_near(rng, best_factors(_nearly_power_law(alpha, vectors), r), r)
    return {"alpha": alpha, "vectors": vectors, "factors": factors}


def integral_law(rng: random.Random, size: int) -> dict[str, Any]:
    """A rational power-law matrix."""
    return _law_point(rng, size, Fraction(rng.randint(0, 3)))


def any_law(rng: random.Random, size: int) -> dict[str, Any]:
    """An exponent ``0 <= alpha <= 4``, the critical 1/2 included."""
    return _law_point(rng, size, _exponent(rng))


def _exponent(rng: random.Random) -> Fraction:
    return rng.choice((HALF, *(Fraction(rng.randint(0, 400), 100),) * 4))


def _any_share(rng: random.Random, size: int) -> dict[str, Any]:
    """``r <= n`` and ``n >= 1``, where the relative error is defined."""
    return _law_point(rng, size, _exponent(rng), least=1, extra=0)


def _law_of_any_sign(rng: random.Random, size: int) -> dict[str, Any]:
    """The norm of a power-law matrix needs no sign of the exponent."""
    return {"alpha": Fraction(rng.randint(-200, 400), 100), "vectors": _vectors(rng, size)}


def _with_tolerance(rng: random.Random, size: int) -> dict[str, Any]:
    """``eps >= 0``: any, one that is reached with equality, or more than the whole energy."""
    alpha = rng.choice((Fraction(rng.randint(0, 3)), _exponent(rng)))
    point = _law_point(rng, size, alpha, least=1)
    n = point["vectors"][0].shape[1]
    law = alpha if alpha.denominator == 1 else Fraction(rng.randint(0, 2))
    reached = 1 - captured(law, rng.randint(0, n), n)
    point["eps"] = rng.choice((reached, Fraction(rng.randint(0, 100), 100), Fraction(3, 2)))
    return point


def _float_point(A: FloatArray, r: int, rng: np.random.Generator) -> dict[str, Any]:
    """The decomposition by numpy, and the best ``Y`` for a random ``X``."""
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    X = rng.standard_normal((len(A), r))
    return {"svd": (U, s, Vt.T), "factors": (X, np.linalg.lstsq(X, A)[0] if r else X.T @ A)}


VECTORS: tuple[Vectors, ...] = ((TURN[:, :2], ROTATION), (TURN, TURN.T), (TURN[:, :1],) * 2)
"""Of rank two, three and one."""

EXPONENTS = tuple(Fraction(a) for a in ("0", "3/10", "1/2", "1", "27/20", "3"))


def _law_points(
    most: int = 4, least: int = 0, exponents: tuple[Fraction, ...] = EXPONENTS
) -> tuple[Point, ...]:
    """Power-law matrices with the truncation of a nearby law at every rank up to ``n``."""
    return tuple(
        {
            "alpha": alpha,
            "vectors": vectors,
            "factors": best_factors(_nearly_power_law(alpha + HALF, vectors), r),
        }
        for alpha in exponents
        for vectors in VECTORS
        for r in range(least, min(most, vectors[0].shape[1]) + 1)
    )


_ORTHONORMAL = (
    r"U \in \mathbb{R}^{m \times n},\ V \in \mathbb{R}^{l \times n},\ "
    r"U^{\mathsf T} U = V^{\mathsf T} V = 1"
)
_FACTORS = r"X \in \mathbb{R}^{m \times r},\ Y \in \mathbb{R}^{r \times l}"
_LAW = (
    r"A = U \mathrm{diag}(1, 2^{-\alpha}, \dots, n^{-\alpha}) V^{\mathsf T},\ \alpha \ge 0,\ "
    + _ORTHONORMAL
)


def changed(claim: Claim, *changes: tuple[str, dict[str, Any]]) -> tuple[Mutant, ...]:
    """A mutant for each change, given in words and as keyword arguments of the claim."""
    return tuple(Mutant(change, partial(claim, **wrong)) for change, wrong in changes)


_RATIONAL = tuple(alpha for alpha in EXPONENTS if alpha.denominator == 1)
_RATIONAL_LAWS = Certified(_law_points(exponents=_RATIONAL), "exact")
_SIZES = tuple(
    {"alpha": alpha, "n": n, "eps": eps, "seed": n}
    for alpha, n, eps in ((0.3, 20, 0.07), (0.5, 40, 0.2), (1.35, 40, 0.05), (2.0, 15, 1e-3))
)
BY_SVD = Numerical(_SIZES, claim=truncations_by_svd)

THEOREMS = (
    Theorem(
        name="frobeniusSq_spectralMatrix",
        statement=r"\lVert U \mathrm{diag}(s_1, \dots, s_n) V^{\mathsf T} \rVert_F^2 = "
        r"\sum_{i = 1}^n s_i^2",
        domain=r"s_i \in \mathbb{R},\ " + _ORTHONORMAL,
        claim=frobenius_sq_spectral_matrix,
        checks=(
            Certified(grid(svd=DECOMPOSITIONS), "exact"),
            Property(seeded(with_any_values), "exact"),
            Property({"A": matrices()}, "float", claim=energy_of_svd),
        ),
        mutants=changed(
            frobenius_sq_spectral_matrix,
            ("absolute values for squares", {"root": True}),
            ("sum from index 2", {"first": 1}),
        ),
        references=(STEWART,),
    ),
    Theorem(
        name="isLeast_spectralMatrix",
        statement=r"\min_{X, Y} \lVert U \mathrm{diag}(s_1, \dots, s_n) V^{\mathsf T} - X Y "
        r"\rVert_F^2 = \sum_{r < i \le n} s_i^2",
        domain=r"s_1 \ge s_2 \ge \dots \ge 0,\ " + _ORTHONORMAL + r",\ " + _FACTORS,
        claim=is_least_spectral_matrix,
        checks=(
            Certified(
                tuple(
                    {"svd": svd, "factors": best_factors(svd, r)}
                    for svd in DECOMPOSITIONS
                    for r in range(4)
                ),
                "exact",
            ),
            Property(seeded(_spectral_point), "exact"),
            Property(st.builds(_float_point, matrices(), st.integers(0, 7), generators()), "float"),
        ),
        mutants=changed(
            is_least_spectral_matrix,
            ("tail from r + 2", {"shift": 1}),
            ("singular values in increasing order", {"reverse": True}),
        ),
        references=(ECKART_YOUNG, STEWART),
    ),
    Theorem(
        name="bestApproximation_powerLaw",
        statement=r"\min_{X, Y} \lVert A - X Y \rVert_F^2 = \sum_{r < i \le n} \sigma_i^2, "
        r"\qquad \sigma_i = i^{-\alpha}",
        domain=_LAW + r",\ " + _FACTORS,
        claim=best_approximation_power_law,
        checks=(
            _RATIONAL_LAWS,
            Property(seeded(integral_law), "exact"),
            Property(seeded(any_law, max_size=3)),
            BY_SVD,
        ),
        mutants=changed(
            best_approximation_power_law,
            ("band from r + 2", {"shift": 1}),
            ("band from r", {"shift": -1}),
        ),
        references=(ECKART_YOUNG,),
    ),
    Theorem(
        name="eckart_young_powerLaw",
        statement=r"\sum_{r < i \le n} \sigma_i^2 \le \lVert A - X Y \rVert_F^2",
        domain=_LAW + r",\ " + _FACTORS,
        claim=eckart_young_power_law,
        checks=(_RATIONAL_LAWS, Property(seeded(any_law))),
        mutants=changed(
            eckart_young_power_law,
            ("band from r", {"shift": -1}),
            ("exponent -alpha", {"sign": -1}),
        ),
        references=(ECKART_YOUNG,),
    ),
    Theorem(
        name="frobeniusSq_powerLaw",
        statement=r"\lVert A \rVert_F^2 = \sum_{i \le n} \sigma_i^2",
        domain=_LAW.replace(r"\alpha \ge 0", r"\alpha \in \mathbb{R}"),
        claim=frobenius_sq_power_law,
        checks=(
            Certified(grid(alpha=(Fraction(-1), *EXPONENTS), vectors=VECTORS)),
            Property(seeded(_law_of_any_sign)),
        ),
        mutants=changed(
            frobenius_sq_power_law,
            ("the first n - 1 values", {"missing": 1}),
            ("exponent 2 alpha", {"factor": 2}),
        ),
        references=(STEWART,),
    ),
    Theorem(
        name="relative_error_powerLaw",
        statement=r"\min_{X, Y} \frac{\lVert A - X Y \rVert_F^2}{\lVert A \rVert_F^2} = "
        r"1 - \mathrm{captured}_\alpha(r, n)",
        domain=_LAW + r",\ " + _FACTORS + r",\ r \le n,\ n \ge 1",
        claim=relative_error_power_law,
        checks=(
            _RATIONAL_LAWS,
            Property(seeded(_any_share)),
        ),
        mutants=changed(
            relative_error_power_law,
            ("what rank r + 1 captures", {"shift": 1}),
            ("the square of the relative error", {"root": True}),
        ),
        references=(ECKART_YOUNG,),
    ),
    Theorem(
        name="captureRank_le_iff_exists_approximation",
        statement=r"\mathrm{captureRank}(\alpha, \varepsilon, n) \le r \iff \exists X, Y:\ "
        r"\lVert A - X Y \rVert_F^2 \le \varepsilon \lVert A \rVert_F^2",
        domain=_LAW + r",\ " + _FACTORS + r",\ \varepsilon \ge 0,\ n \ge 1",
        claim=capture_rank_le_iff_exists_approximation,
        checks=(
            Certified(
                tuple(
                    {**point, "eps": Fraction(eps)}
                    for point in _law_points(least=1)
                    for eps in ("0", "1", "1/20", "1/5", "1/3", "2")
                    # Balls cannot decide a tie: no error, all of it, or rational energies at 1/2.
                    if point["alpha"] in _RATIONAL or (len(eps) > 1 and point["alpha"] != HALF)
                ),
                "exact",
            ),
            Property(seeded(_with_tolerance), "exact"),
            BY_SVD,
        ),
        mutants=changed(
            capture_rank_le_iff_exists_approximation,
            ("captureRank <= r - 1", {"below": 1}),
            ("the norm for its square", {"exponent": 2}),
        ),
        references=(ECKART_YOUNG,),
    ),
)
