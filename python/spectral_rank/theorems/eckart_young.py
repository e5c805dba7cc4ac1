"""Checks of ``lean/SpectralRank/EckartYoung.lean``: the best approximation of rank ``r``.

Exact checks run on rational matrices whose decomposition is exact.  Float checks start from numpy's
singular value decomposition and from the best that alternating least squares over ``X`` and ``Y``
finds, so they try to beat the bound as a numerical analyst would.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from spectral_rank.formulas.best_approximation import (
    frobenius_sq,
    spectral_matrix,
    truncate,
)
from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.matrix import NumberArray
from spectral_rank.theorems.claim import Claim, Relation, eq, le
from spectral_rank.theorems.rational_matrices import (
    ROTATION,
    TURN,
    Decomposition,
    random_decomposition,
    random_matrix,
    random_orthonormal,
    random_size,
    random_spectrum,
    random_values,
    rational_array,
    rational_identity,
    rational_zeros,
    seeded,
)
from spectral_rank.theorems.strategies import FloatArray, generators, matrices
from spectral_rank.theorems.theorem import (
    Certified,
    Mutant,
    Numerical,
    Point,
    Property,
    Theorem,
    grid,
)

ECKART_YOUNG = "Eckart and Young, The approximation of one matrix by another of lower rank (1936)"
STEWART = "Stewart, On the early history of the singular value decomposition, SIAM Review (1993)"
DANTZIG = "Dantzig, Discrete-variable extremum problems, Operations Research (1957): the knapsack"

SVD_ATOL = 1e-12
"""Float errors of a squared distance, relative to the energy of the matrix."""

DESCENT_STEPS = 4
"""Sweeps of alternating least squares; each solves for one factor exactly."""


def sum_mul_le_sum_range(
    a: NumberArray, p: NumberArray, r: int, *, missing: int = 0, wrong: str = ""
) -> Iterator[Relation]:
    a, p = _knapsack(a, p, wrong)
    yield le(np.sum(a[: p.size] * p), np.sum(a[: max(r - missing, 0)]))


def sum_ico_le_sum_mul(
    a: NumberArray, p: NumberArray, r: int, *, missing: int = 0, wrong: str = ""
) -> Iterator[Relation]:
    a, p = _knapsack(a, p, wrong)
    yield le(np.sum(a[max(r - missing, 0) : p.size]), np.sum(a[: p.size] * (1 - p)))


def _knapsack(a: NumberArray, p: NumberArray, wrong: str) -> tuple[NumberArray, NumberArray]:
    """Values and weights; as mutants increasing values, or all the weight on the first index."""
    if wrong == "heavy" and p.size:
        p = np.array([np.sum(p)] + [0] * (p.size - 1), dtype=object)
    return (a[::-1] if wrong == "increasing" else a), p


def linear_program(a: FloatArray, r: int, n: int) -> Iterator[Relation]:
    """The largest sum that weights can collect, and the least that they can leave."""
    from scipy.optimize import linprog

    best = linprog(-a[:n], A_ub=np.ones((1, n)), b_ub=[r], bounds=(0, 1))
    yield eq(-best.fun, np.sum(a[: min(r, n)]), "collected")
    yield eq(np.sum(a[:n]) + best.fun, np.sum(a[r:n]), "left", atol=1e-12)


def eckart_young_projection(
    svd: Decomposition, P: NumberArray, C: NumberArray, r: int, *, wrong: str = ""
) -> Iterator[Relation]:
    """The matrices in the range of ``P`` are the products ``B = P C``."""
    yield _bound(svd[1], _matrix(svd) - P @ C, r, wrong)


def eckart_young(
    svd: Decomposition, Q: NumberArray, C: NumberArray, *, wrong: str = ""
) -> Iterator[Relation]:
    yield _bound(svd[1], _matrix(svd) - Q @ C, Q.shape[1], wrong)


def eckart_young_diagonal(
    s: NumberArray, Q: NumberArray, C: NumberArray, *, wrong: str = ""
) -> Iterator[Relation]:
    yield _bound(s, np.diag(s) - Q @ C, Q.shape[1], wrong)


def eckart_young_rank(
    svd: Decomposition, X: NumberArray, Y: NumberArray, *, wrong: str = ""
) -> Iterator[Relation]:
    yield _bound(svd[1], _matrix(svd) - X @ Y, X.shape[1], wrong)


def _matrix(svd: Decomposition) -> NumberArray:
    U, s, V = svd
    return spectral_matrix(s, U, V)


def _bound(s: NumberArray, difference: NumberArray, r: int, wrong: str) -> Relation:
    """The tail is at most the error; as mutants one value more, or sorted the wrong way round."""
    tail = _tail(s[::-1] if wrong == "increasing" else s, r - 1 if wrong == "earlier" else r)
    return le(tail, frobenius_sq(difference), atol=_slack(s))


def _tail(s: NumberArray, r: int) -> Number:
    """The energy from index ``r`` on."""
    tail = s[max(r, 0) :]
    return np.sum(tail * tail)


def _slack(s: NumberArray) -> float:
    return SVD_ATOL * float(np.sum(s * s))


def frobenius_sq_eq_energy(
    svd: Decomposition, *, root: bool = False, first: int = 0
) -> Iterator[Relation]:
    energy = np.sum(abs(svd[1])) if root else _tail(svd[1], first)
    yield eq(frobenius_sq(_matrix(svd)), energy)


def energy_of_svd(A: FloatArray) -> Iterator[Relation]:
    yield eq(frobenius_sq(A), np.sum(np.linalg.svd(A, compute_uv=False) ** 2))


def eckart_young_attained(svd: Decomposition, r: int, *, shift: int = 0) -> Iterator[Relation]:
    U, s, V = svd
    error = frobenius_sq(_matrix(svd) - spectral_matrix(truncate(s, r), U, V))
    yield eq(error, _tail(s, r + shift), atol=_slack(s))


def exists_factor_truncate(
    s: NumberArray, r: int, *, missing: int = 0, shift: int = 0
) -> Iterator[Relation]:
    X, Y = _factors_of_truncation(s, max(r - missing, 0))
    yield eq(X @ np.roll(Y, shift, axis=1), np.diag(truncate(s, r)))


def _factors_of_truncation(s: NumberArray, r: int) -> tuple[NumberArray, NumberArray]:
    """The witness of the Lean proof: ``X i k = s i`` and ``Y k j = 1`` on the diagonals."""
    X, Y = rational_zeros(s.size, r), rational_zeros(r, s.size)
    for k in range(min(r, s.size)):
        X[k, k], Y[k, k] = s[k], 1
    return X, Y


def eckart_young_is_least(
    svd: Decomposition, X: NumberArray, Y: NumberArray, *, shift: int = 0
) -> Iterator[Relation]:
    U, s, V = svd
    A, tail = _matrix(svd), _tail(s, X.shape[1] + shift)
    left, right = _factors_of_truncation(s, X.shape[1])
    attained = frobenius_sq(A - (U @ left) @ (right @ V.T))
    yield eq(attained, tail, "attained", atol=_slack(s))
    yield le(tail, frobenius_sq(A - X @ Y), "least", atol=_slack(s))


def with_any_values(rng: random.Random, size: int) -> dict[str, Any]:
    """A decomposition whose values have any sign and order."""
    U, s, V = random_decomposition(rng, size)
    return {"svd": (U, random_values(rng, s.size), V)}


def _with_any_values_and_rank(rng: random.Random, size: int) -> dict[str, Any]:
    return {**with_any_values(rng, size), "r": rng.randint(0, size + 1)}


def _values_and_rank(rng: random.Random, size: int) -> dict[str, Any]:
    return {"s": random_values(rng, random_size(rng, 0, size)), "r": rng.randint(0, size + 1)}


def _knapsack_point(rng: random.Random, size: int) -> dict[str, Any]:
    """Nonincreasing values, and weights in [0, 1] of sum at most ``r``; extreme ones included."""
    n, r = random_size(rng, 0, size + 1), rng.randint(0, size + 2)
    p = rational_zeros(n)
    for j in rng.sample(range(n), rng.choice((n, rng.randint(0, n)))):
        p[j] = rng.choice((Fraction(1), Fraction(rng.randint(0, 12), 12)))
    total = np.sum(p)
    weights = p if total <= r else p * r / total
    return {"a": random_spectrum(rng, max(n, r)), "p": weights, "r": r}


def _columns_near(rng: random.Random, U: NumberArray) -> NumberArray:
    """Orthonormal columns: the first ``r`` of ``U``, any ``r`` of them, or random ones."""
    m, n = U.shape
    structure = rng.choice(("first", "any", "random"))
    if structure == "random":
        return random_orthonormal(rng, m, random_size(rng, 0, m))
    r = rng.randint(0, n)
    return U[:, :r] if structure == "first" else U[:, sorted(rng.sample(range(n), r))]


def _perturbed(rng: random.Random, best: NumberArray) -> NumberArray:
    """A matrix, exactly or up to a small or large perturbation."""
    size = rng.choice((Fraction(0), Fraction(0), Fraction(1, 1000), Fraction(1)))
    perturbed: NumberArray = best + size * random_matrix(rng, *best.shape)
    return perturbed


def _projection_point(rng: random.Random, size: int) -> dict[str, Any]:
    svd = random_decomposition(rng, size)
    Q = _columns_near(rng, svd[0])
    r = Q.shape[1] + rng.choice((0, 0, 1))
    return {"svd": svd, "P": Q @ Q.T, "C": _perturbed(rng, _matrix(svd)), "r": r}


def _columns_point(rng: random.Random, size: int) -> dict[str, Any]:
    svd = random_decomposition(rng, size)
    Q = _columns_near(rng, svd[0])
    return {"svd": svd, "Q": Q, "C": _perturbed(rng, Q.T @ _matrix(svd))}


def _diagonal_point(rng: random.Random, size: int) -> dict[str, Any]:
    n = random_size(rng, 0, size)
    s, Q = random_spectrum(rng, n), _columns_near(rng, rational_identity(n))
    return {"s": s, "Q": Q, "C": _perturbed(rng, Q.T @ np.diag(s))}


def _factor_point(rng: random.Random, size: int) -> dict[str, Any]:
    """Factors of inner dimension ``r``: of a truncation, close to one, or random; any ``r``."""
    svd, r = random_decomposition(rng, size), rng.randint(0, size + 1)
    best = _best_factors(svd, r)
    perturb = _perturbed if rng.random() < 0.7 else _unrelated
    return {"svd": svd, **{name: perturb(rng, factor) for name, factor in best.items()}}


def _unrelated(rng: random.Random, best: NumberArray) -> NumberArray:
    return random_matrix(rng, *best.shape)


def _descent_point(A: FloatArray, r: int, rng: np.random.Generator) -> dict[str, Any]:
    """The decomposition by numpy, and the factors that alternating least squares reaches."""
    X: NumberArray = rng.standard_normal((A.shape[0], r))
    Y: NumberArray = rng.standard_normal((r, A.shape[1]))
    for _ in range(DESCENT_STEPS if r else 0):
        Y = np.linalg.lstsq(X, A)[0]
        X = np.linalg.lstsq(Y.T, A.T)[0].T
    return {"svd": _svd(A), "X": X, "Y": Y}


def _qr_point(A: FloatArray, r: int, rng: np.random.Generator) -> dict[str, Any]:
    """The columns of the same factors made orthonormal, with the best ``C`` for them."""
    Q = np.linalg.qr(_descent_point(A, min(r, len(A)), rng)["X"])[0]
    return {"svd": _svd(A), "Q": Q, "C": Q.T @ A}


def _svd(A: FloatArray) -> Decomposition:
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    return U, s, Vt.T


def _best_projection(svd: Decomposition, r: int) -> dict[str, Any]:
    Q = svd[0][:, :r]
    return {"P": Q @ Q.T, "C": _matrix(svd), "r": r}


def _best_columns(svd: Decomposition, r: int) -> dict[str, Any]:
    Q = svd[0][:, :r]
    return {"Q": Q, "C": Q.T @ _matrix(svd)}


def _best_factors(svd: Decomposition, r: int) -> dict[str, Any]:
    U, s, V = svd
    left, right = _factors_of_truncation(s, r)
    return {"X": U @ left, "Y": right @ V.T}


def _exact_points(best: Callable[[Decomposition, int], dict[str, Any]]) -> tuple[Point, ...]:
    """Every decomposition with its best approximations of rank 0 to 3."""
    return tuple({"svd": svd, **best(svd, r)} for svd in DECOMPOSITIONS for r in range(4))


_RANKS = st.integers(0, 7)


SPECTRA = tuple(rational_array(s) for s in ([3, 1], ["5/2", "5/2"], [1, 0], [0, 0]))
"""Distinct, repeated, with a zero, and zero."""

DECOMPOSITIONS = tuple((U, s, TURN[:, 1:]) for U in (TURN[:, :2], ROTATION) for s in SPECTRA)
"""Of matrices with three or two rows and three columns."""

ANY_VALUES = (*DECOMPOSITIONS, (TURN, rational_array([1, -4, "1/2"]), TURN.T))
"""Also with values of any sign and order, for the theorems that need no spectrum."""

KNAPSACKS = grid(
    lambda a, p, r: np.sum(p) <= r and max(p.size, r) <= a.size,
    a=tuple(rational_array(a) for a in ([4, 2, 1, 1, 0], [1] * 5, [3, 0, 0, 0, 0])),
    p=tuple(
        rational_array(p)
        for p in ([0, 0, 0], [1, 0, 0, 0], ["1/2"] * 4, [1, 1, "2/3", 0], [0, 0, 1, 1, 1])
    ),
    r=(0, 1, 2, 3, 4, 5),
)

PROGRAMS = grid(
    a=(np.array([4.0, 2.0, 1.0, 1.0, 0.0]), np.arange(1.0, 9.0) ** -1.35), r=(0, 1, 3, 5), n=(1, 5)
)


DIAGONALS = tuple(
    {"s": s, "Q": Q, "C": Q.T @ np.diag(s)}
    for s in SPECTRA
    for Q in (rational_zeros(2, 0), rational_identity(2)[:, :1], ROTATION[:, :1], ROTATION)
)


_WEIGHTS = (
    r"a_0 \ge a_1 \ge \dots \ge 0,\ n, r \ge 0,\ 0 \le p_j \le 1\ (j < n),\ \sum_{j < n} p_j \le r"
)
_SPECTRUM = (
    r"s_0 \ge s_1 \ge \dots \ge 0,\ "
    r"U \in \mathbb{R}^{m \times n},\ V \in \mathbb{R}^{l \times n},\ "
    r"U^{\mathsf T} U = V^{\mathsf T} V = 1"
)
_ANY_VALUES = (
    r"s_j \in \mathbb{R},\ U \in \mathbb{R}^{m \times n},\ V \in \mathbb{R}^{l \times n},\ "
    r"U^{\mathsf T} U = V^{\mathsf T} V = 1"
)


def _wrong_knapsacks(claim: Claim) -> tuple[Mutant, ...]:
    return (
        Mutant("sum of weights r + 1", partial(claim, missing=1)),
        Mutant("weights up to r", partial(claim, wrong="heavy")),
        Mutant("values in increasing order", partial(claim, wrong="increasing")),
    )


def _wrong_bounds(claim: Claim) -> tuple[Mutant, ...]:
    return (
        Mutant("tail from r - 1", partial(claim, wrong="earlier")),
        Mutant("singular values in increasing order", partial(claim, wrong="increasing")),
    )


def _wrong_tails(claim: Claim) -> tuple[Mutant, ...]:
    return (
        Mutant("tail from r + 1", partial(claim, shift=1)),
        Mutant("tail from r - 1", partial(claim, shift=-1)),
    )


THEOREMS = (
    Theorem(
        name="sum_mul_le_sum_range",
        statement=r"\sum_{j < n} a_j p_j \le \sum_{j < r} a_j",
        domain=_WEIGHTS,
        claim=sum_mul_le_sum_range,
        checks=(
            Certified(KNAPSACKS, "exact"),
            Property(seeded(_knapsack_point), "exact"),
            Numerical(PROGRAMS, claim=linear_program),
        ),
        mutants=_wrong_knapsacks(sum_mul_le_sum_range),
        references=(DANTZIG,),
    ),
    Theorem(
        name="sum_Ico_le_sum_mul",
        statement=r"\sum_{r \le j < n} a_j \le \sum_{j < n} a_j (1 - p_j)",
        domain=_WEIGHTS,
        claim=sum_ico_le_sum_mul,
        checks=(
            Certified(KNAPSACKS, "exact"),
            Property(seeded(_knapsack_point), "exact"),
            Numerical(PROGRAMS, claim=linear_program),
        ),
        mutants=_wrong_knapsacks(sum_ico_le_sum_mul),
        references=(DANTZIG,),
    ),
    Theorem(
        name="eckart_young_projection",
        statement=r"P B = B,\ \sum_i P_{ii} \le r \implies \sum_{r \le j < n} s_j^2 \le "
        r"\lVert U \mathrm{diag}(s) V^{\mathsf T} - B \rVert_F^2",
        domain=_SPECTRUM + r",\ P^{\mathsf T} = P = P^2,\ B \in \mathbb{R}^{m \times l}",
        claim=eckart_young_projection,
        checks=(
            Certified(_exact_points(_best_projection), "exact"),
            Property(seeded(_projection_point), "exact"),
        ),
        mutants=_wrong_bounds(eckart_young_projection),
        references=(ECKART_YOUNG, STEWART),
    ),
    Theorem(
        name="eckart_young",
        statement=r"Q^{\mathsf T} Q = 1 \implies \sum_{r \le j < n} s_j^2 \le "
        r"\lVert U \mathrm{diag}(s) V^{\mathsf T} - Q C \rVert_F^2",
        domain=_SPECTRUM + r",\ Q \in \mathbb{R}^{m \times r},\ C \in \mathbb{R}^{r \times l}",
        claim=eckart_young,
        checks=(
            Certified(_exact_points(_best_columns), "exact"),
            Property(seeded(_columns_point), "exact"),
            Property(st.builds(_qr_point, matrices(), _RANKS, generators()), "float"),
        ),
        mutants=_wrong_bounds(eckart_young),
        references=(ECKART_YOUNG, STEWART),
    ),
    Theorem(
        name="eckart_young_diagonal",
        statement=r"Q^{\mathsf T} Q = 1 \implies \sum_{r \le j < n} s_j^2 \le "
        r"\lVert \mathrm{diag}(s) - Q C \rVert_F^2",
        domain=r"s_0 \ge s_1 \ge \dots \ge 0,\ Q \in \mathbb{R}^{n \times r},\ "
        r"C \in \mathbb{R}^{r \times n}",
        claim=eckart_young_diagonal,
        checks=(
            Certified(DIAGONALS, "exact"),
            Property(seeded(_diagonal_point), "exact"),
        ),
        mutants=_wrong_bounds(eckart_young_diagonal),
        references=(ECKART_YOUNG, STEWART),
    ),
    Theorem(
        name="eckart_young_rank",
        statement=r"\sum_{r \le j < n} s_j^2 \le "
        r"\lVert U \mathrm{diag}(s) V^{\mathsf T} - X Y \rVert_F^2",
        domain=_SPECTRUM + r",\ X \in \mathbb{R}^{m \times r},\ Y \in \mathbb{R}^{r \times l}",
        claim=eckart_young_rank,
        checks=(
            Certified(_exact_points(_best_factors), "exact"),
            Property(seeded(_factor_point), "exact"),
            Property(st.builds(_descent_point, matrices(), _RANKS, generators()), "float"),
        ),
        mutants=_wrong_bounds(eckart_young_rank),
        references=(ECKART_YOUNG, STEWART),
    ),
    Theorem(
        name="frobeniusSq_eq_energy",
        statement=r"\lVert U \mathrm{diag}(s) V^{\mathsf T} \rVert_F^2 = "
        r"\sum_{j < n} s_j^2",
        domain=_ANY_VALUES,
        claim=frobenius_sq_eq_energy,
        checks=(
            Certified(grid(svd=ANY_VALUES), "exact"),
            Property(seeded(with_any_values), "exact"),
            Property({"A": matrices()}, "float", claim=energy_of_svd),
        ),
        mutants=(
            Mutant("absolute values for squares", partial(frobenius_sq_eq_energy, root=True)),
            Mutant("sum from index 1", partial(frobenius_sq_eq_energy, first=1)),
        ),
        references=(STEWART,),
    ),
    Theorem(
        name="eckart_young_attained",
        statement=r"\lVert U \mathrm{diag}(s) V^{\mathsf T} - "
        r"U \mathrm{diag}(s_0, \dots, s_{r-1}, 0, \dots, 0)\, V^{\mathsf T} \rVert_F^2 = "
        r"\sum_{r \le j < n} s_j^2",
        domain=_ANY_VALUES + r",\ r \ge 0",
        claim=eckart_young_attained,
        checks=(
            Certified(grid(svd=ANY_VALUES, r=(0, 1, 2, 3, 4)), "exact"),
            Property(seeded(_with_any_values_and_rank), "exact"),
            Property({"svd": matrices().map(_svd), "r": _RANKS}, "float"),
        ),
        mutants=_wrong_tails(eckart_young_attained),
        references=(ECKART_YOUNG, STEWART),
    ),
    Theorem(
        name="exists_factor_truncate",
        statement=r"\exists X \in \mathbb{R}^{n \times r},\ Y \in \mathbb{R}^{r \times n}:\ "
        r"X Y = \mathrm{diag}(s_0, \dots, s_{r-1}, 0, \dots, 0)",
        domain=r"s_j \in \mathbb{R},\ n, r \ge 0",
        claim=exists_factor_truncate,
        checks=(
            Certified(grid(s=SPECTRA, r=(0, 1, 2, 3)), "exact"),
            Property(seeded(_values_and_rank), "exact"),
        ),
        mutants=(
            Mutant("inner dimension r - 1", partial(exists_factor_truncate, missing=1)),
            Mutant("columns of Y moved by one", partial(exists_factor_truncate, shift=1)),
        ),
    ),
    Theorem(
        name="eckart_young_isLeast",
        statement=r"\min_{X, Y} \lVert U \mathrm{diag}(s) V^{\mathsf T} - X Y \rVert_F^2 = "
        r"\sum_{r \le j < n} s_j^2",
        domain=_SPECTRUM + r",\ X \in \mathbb{R}^{m \times r},\ Y \in \mathbb{R}^{r \times l},\ "
        r"r \ge 0",
        claim=eckart_young_is_least,
        checks=(
            Certified(_exact_points(_best_factors), "exact"),
            Property(seeded(_factor_point), "exact"),
            Property(st.builds(_descent_point, matrices(), _RANKS, generators()), "float"),
        ),
        mutants=_wrong_tails(eckart_young_is_least),
        references=(ECKART_YOUNG, STEWART),
    ),
)
