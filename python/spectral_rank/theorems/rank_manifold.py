"""Checks of ``lean/SpectralRank/RankManifold.lean``: the manifold of matrices of rank ``r``.

Ranks and kernels are those of rational matrices, by exact elimination.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from functools import partial

import flint
import numpy as np
import sympy
from hypothesis import strategies as st

from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.manifold import factor_differential, gauge_map, rank_dim
from spectral_rank.formulas.matrix import NumberArray
from spectral_rank.theorems.claim import Relation, eq, iff, implies, le, lt
from spectral_rank.theorems.rational_matrices import (
    random_matrix,
    random_size,
    rational_identity,
    rational_zeros,
    seeded,
)
from spectral_rank.theorems.strategies import ranks
from spectral_rank.theorems.theorem import (
    Certified,
    Mutant,
    Point,
    Property,
    Symbolic,
    Theorem,
    grid,
)

VANDEREYCKEN = (
    "Vandereycken, Low-rank matrix completion by Riemannian optimization, SIAM Journal on "
    "Optimization 23 (2013), section 2: the manifold of fixed-rank matrices and its tangent space"
)
HARRIS = "Harris, Algebraic Geometry: A First Course (1992), lecture 12: determinantal varieties"


def _elimination(matrix: NumberArray) -> tuple[list[list[flint.fmpq]], int]:
    """The rows of the reduced row echelon form of a rational matrix, and its rank."""
    rows, cols = matrix.shape
    entries = [flint.fmpq(int(x.numerator), int(x.denominator)) for x in matrix.flat]
    echelon, rank = flint.fmpq_mat(rows, cols, entries).rref()
    return echelon.table(), rank


def exact_rank(matrix: NumberArray) -> int:
    """The rank of a rational matrix."""
    return _elimination(matrix)[1]


def exact_kernel(matrix: NumberArray) -> NumberArray:
    """A basis of the kernel of a rational matrix, as columns."""
    rows, rank = _elimination(matrix)
    cols = matrix.shape[1]
    pivots = [next(j for j in range(cols) if rows[i][j] != 0) for i in range(rank)]
    free = [j for j in range(cols) if j not in pivots]
    kernel = rational_zeros(cols, len(free))
    for k, j in enumerate(free):
        kernel[j, k] = Fraction(1)
        for i, pivot in enumerate(pivots):
            kernel[pivot, k] = -Fraction(int(rows[i][j].p), int(rows[i][j].q))
    return kernel


def vandermonde(rows: int, cols: int, first: int) -> NumberArray:
    """Powers of distinct integers: full rank in every shape."""
    return np.array(
        [(first + i) ** j for i in range(rows) for j in range(cols)], dtype=object
    ).reshape(rows, cols)


def right_inverse(V: NumberArray) -> NumberArray:
    """The matrix ``V^T (V V^T)^-1``, for a rational ``V`` with independent rows."""
    r = V.shape[0]
    rows, _ = _elimination(np.hstack([V @ V.T, rational_identity(r)]))
    inverse = rational_zeros(r, r)
    for i, j in np.ndindex(r, r):
        inverse[i, j] = Fraction(int(rows[i][r + j].p), int(rows[i][r + j].q))
    product: NumberArray = V.T @ inverse
    return product


def _split(direction: NumberArray, U: NumberArray, V: NumberArray) -> tuple[NumberArray, ...]:
    """The directions of the two factors, from the list of all their entries."""
    return direction[: U.size].reshape(U.shape), direction[U.size :].reshape(V.shape)


def differential_matrix(U: NumberArray, V: NumberArray) -> NumberArray:
    """The matrix of the differential: its columns are the images of the unit directions."""
    units = rational_identity(U.size + V.size)
    images = [factor_differential(U, V, *_split(unit, U, V)).ravel() for unit in units]
    size = U.shape[0] * V.shape[1]
    return np.array(images, dtype=object).reshape(len(images), size).T


def factor_line_expansion(
    U: NumberArray, A: NumberArray, V: NumberArray, B: NumberArray, t: Number, *, power: int = 2
) -> Iterator[Relation]:
    first_order = U @ V + t * factor_differential(U, V, A, B)
    yield eq((U + t * A) @ (V + t * B), first_order + t**power * (A @ B))


def ker_factor_differential(
    U: NumberArray, V: NumberArray, G: NumberArray, *, sign: int = 1, skew: bool = False
) -> Iterator[Relation]:
    """Both inclusions, the second with the matrix ``G = -(B R)`` of the proof, ``V R = 1``."""
    left, right = gauge_map(U, V, G)
    yield eq(factor_differential(U, V, left, sign * right), 0, "gauge directions are in the kernel")
    R = right_inverse(V)
    for direction in exact_kernel(differential_matrix(U, V)).T:
        A, B = _split(direction, U, V)
        found = -(B @ R)
        left, right = gauge_map(U, V, found)
        yield eq(A, left, "the kernel is in the range: left factor")
        yield eq(B, right, "the kernel is in the range: right factor")
        if skew:
            yield eq(found, -found.T, "skew")


def _sizes(U: NumberArray, V: NumberArray) -> tuple[int, int, int]:
    return U.shape[0], V.shape[1], U.shape[1]


def finrank_tangent_space_add(
    U: NumberArray, V: NumberArray, *, gauge: int = 2, extra: int = 0
) -> Iterator[Relation]:
    m, n, r = _sizes(U, V)
    yield eq(exact_rank(differential_matrix(U, V)) + r * (r - extra) * gauge // 2, r * (m + n))


def finrank_tangent_space(
    U: NumberArray, V: NumberArray, *, gauge: int = 2, extra: int = 0
) -> Iterator[Relation]:
    m, n, r = _sizes(U, V)
    yield eq(exact_rank(differential_matrix(U, V)), r * (m + n) - r * (r - extra) * gauge // 2)


def finrank_tangent_space_eq_rank_dim(
    U: NumberArray, V: NumberArray, *, freed: int = 0, normal: int = 0
) -> Iterator[Relation]:
    m, n, r = _sizes(U, V)
    dimension = rank_dim(m, n, r) + freed * r**2 + normal * (m - r) * (n - r)
    yield eq(exact_rank(differential_matrix(U, V)), dimension)


def rank_dim_strict_mono(
    m: int, n: int, pair: tuple[int, int], *, gain: int = 0, reverse: bool = False
) -> Iterator[Relation]:
    smaller, larger = rank_dim(m, n, pair[0]), rank_dim(m, n, pair[1])
    yield lt(larger, smaller) if reverse else lt(smaller + gain, larger)


def rank_dim_full(m: int, n: int, *, missing: int = 0) -> Iterator[Relation]:
    yield eq(rank_dim(m, n, max(min(m, n) - missing, 0)), m * n)


def rank_dim_le_dense(m: int, n: int, r: int, *, strict: bool = False) -> Iterator[Relation]:
    dense = m * n
    yield lt(rank_dim(m, n, r), dense) if strict else le(rank_dim(m, n, r), dense)
    yield eq(dense - rank_dim(m, n, r), (m - r) * (n - r), "the codimension")


def _factor_params(m: int, n: int, r: int) -> int:
    """The number of entries of an ``m x r`` and an ``r x n`` matrix."""
    return m * r + r * n


def factor_params_lt_dense_iff(
    m: int, n: int, r: int, *, scale: int = 1, closed: bool = False
) -> Iterator[Relation]:
    break_even = scale * Fraction(m * n, m + n)
    below = le(r, break_even) if closed else lt(r, break_even)
    yield iff(lt(_factor_params(m, n, r), m * n), below)


def factor_params_lt_dense(
    m: int, n: int, r: int, *, scale: int = 1, closed: bool = False
) -> Iterator[Relation]:
    # Lean divides by zero to zero, so that the premise fails where both sizes are zero.
    break_even = scale * Fraction(m * n, m + n) if m + n else Fraction(0)
    below = le(r, break_even) if closed else lt(r, break_even)
    yield implies(below, lt(_factor_params(m, n, r), m * n))


def _full_column_rank(rng: random.Random, rows: int, cols: int) -> NumberArray:
    while True:
        matrix = random_matrix(rng, rows, cols)
        if exact_rank(matrix) == cols:
            return matrix


def _draw_factors(rng: random.Random, size: int) -> Point:
    """Factors of full rank of every small shape, square, empty and of rank 0 included."""
    m, n = random_size(rng, 0, size), random_size(rng, 0, size)
    r = rng.randint(0, min(m, n))
    return {"U": _full_column_rank(rng, m, r), "V": _full_column_rank(rng, n, r).T}


def _draw_gauge(rng: random.Random, size: int) -> Point:
    factors = _draw_factors(rng, size)
    r = factors["U"].shape[1]
    return {**factors, "G": random_matrix(rng, r, r)}


def _draw_line(rng: random.Random, size: int) -> Point:
    m, n, r = (random_size(rng, 0, size) for _ in range(3))
    return {
        "U": random_matrix(rng, m, r),
        "A": random_matrix(rng, m, r),
        "V": random_matrix(rng, r, n),
        "B": random_matrix(rng, r, n),
        "t": Fraction(rng.randint(-40, 40), 8),
    }


def _factors_of_shape(m: int, n: int, r: int) -> Point:
    return {"U": vandermonde(m, r, 1), "V": vandermonde(n, r, -1).T}


SMALL = range(5)
SHAPES = tuple((m, n, r) for m in SMALL for n in SMALL for r in range(min(m, n) + 1))
FACTORS = tuple(_factors_of_shape(*shape) for shape in (*SHAPES, (9, 7, 3), (6, 6, 6), (12, 5, 2)))
GAUGES = tuple(
    {**factors, "G": vandermonde(factors["U"].shape[1], factors["U"].shape[1], 2)}
    for factors in FACTORS
)


@st.composite
def _sizes_and_ranks(draw: st.DrawFn) -> Point:
    """Two ranks ``r < r' <= min m n``."""
    m, n = draw(ranks()), draw(ranks())
    larger = draw(ranks(1, min(m, n)))
    return {"m": m, "n": n, "pair": (draw(ranks(0, larger - 1)), larger)}


@st.composite
def _rank_at_most(draw: st.DrawFn) -> Point:
    m, n = draw(ranks(0)), draw(ranks(0))
    return {"m": m, "n": n, "r": draw(ranks(0, min(m, n)))}


@st.composite
def _around_break_even(draw: st.DrawFn, least: int) -> Point:
    """Sizes and any rank: often at the break-even rank exactly, or one beside it."""
    a, b = draw(ranks(0, 1000)), draw(ranks(least, 1000))
    shapes = {"m": a, "n": b, "r": draw(ranks(0, max(a, b)))}
    scale = draw(st.integers(1, 20))
    tie = {"m": scale * a * (a + b), "n": scale * b * (a + b), "r": scale * a * b}
    beside = {**tie, "r": max(tie["r"] + draw(st.sampled_from([-1, 0, 1])), 0)}
    return draw(st.sampled_from([shapes, beside if a + b else shapes]))


def _entries(name: str, rows: int, cols: int) -> NumberArray:
    return np.array(sympy.symbols(f"{name}:{rows * cols}", real=True), dtype=object).reshape(
        rows, cols
    )


_tangent_checks = (
    Certified(FACTORS, arithmetic="exact"),
    Property(seeded(_draw_factors, 3), arithmetic="exact"),
)
_FULL_RANK = r"L U = I_r \text{ and } V R = I_r \text{ for some } L, R"
_TANGENT_SPACE = r"T = \{AV + UB : A \in \mathbb{R}^{m \times r},\ B \in \mathbb{R}^{r \times n}\}"

THEOREMS = (
    Theorem(
        name="factor_line_expansion",
        statement=r"(U + tA)(V + tB) = UV + t\,(AV + UB) + t^2 AB",
        domain=r"U, A \in \mathbb{R}^{m \times r},\ V, B \in \mathbb{R}^{r \times n},"
        r"\ t \in \mathbb{R}",
        claim=factor_line_expansion,
        checks=(
            Property(seeded(_draw_line, 3), arithmetic="exact"),
            Symbolic(
                {
                    "U": _entries("u", 1, 2),
                    "A": _entries("a", 1, 2),
                    "V": _entries("v", 2, 1),
                    "B": _entries("b", 2, 1),
                    "t": sympy.Symbol("t", real=True),
                }
            ),
        ),
        mutants=(
            Mutant("remainder of first order", partial(factor_line_expansion, power=1)),
            Mutant("remainder of third order", partial(factor_line_expansion, power=3)),
        ),
    ),
    Theorem(
        name="ker_factorDifferential",
        statement=r"\ker\big((A, B) \mapsto AV + UB\big) "
        r"= \{(UG, -GV) : G \in \mathbb{R}^{r \times r}\}",
        domain=_FULL_RANK,
        claim=ker_factor_differential,
        checks=(
            Certified(GAUGES, arithmetic="exact"),
            Property(seeded(_draw_gauge, 3), arithmetic="exact"),
        ),
        mutants=(
            Mutant("directions (U G, G V)", partial(ker_factor_differential, sign=-1)),
            Mutant("skew G only", partial(ker_factor_differential, skew=True)),
        ),
        references=(VANDEREYCKEN,),
    ),
    Theorem(
        name="finrank_tangentSpace_add",
        statement=r"\dim T + r^2 = r\,(m + n), \qquad " + _TANGENT_SPACE,
        domain=_FULL_RANK,
        claim=finrank_tangent_space_add,
        checks=_tangent_checks,
        mutants=(
            Mutant("without gauge directions", partial(finrank_tangent_space_add, gauge=0)),
            Mutant(
                "gauge directions of orthogonal changes of basis only",
                partial(finrank_tangent_space_add, gauge=1, extra=1),
            ),
        ),
        references=(VANDEREYCKEN,),
    ),
    Theorem(
        name="finrank_tangentSpace",
        statement=r"\dim T = r\,(m + n) - r^2, \qquad " + _TANGENT_SPACE,
        domain=_FULL_RANK,
        claim=finrank_tangent_space,
        checks=_tangent_checks,
        mutants=(
            Mutant("without gauge directions", partial(finrank_tangent_space, gauge=0)),
            Mutant(
                "gauge directions of orthogonal changes of basis only",
                partial(finrank_tangent_space, gauge=1, extra=1),
            ),
        ),
        references=(VANDEREYCKEN,),
    ),
    Theorem(
        name="finrank_tangentSpace_eq_rankDim",
        statement=r"\dim T = r\,(m + n - r), \qquad " + _TANGENT_SPACE,
        domain=_FULL_RANK,
        claim=finrank_tangent_space_eq_rank_dim,
        checks=_tangent_checks,
        mutants=(
            Mutant("r (m + n)", partial(finrank_tangent_space_eq_rank_dim, freed=1)),
            Mutant(
                "normal directions counted too",
                partial(finrank_tangent_space_eq_rank_dim, normal=1),
            ),
        ),
        references=(VANDEREYCKEN, HARRIS),
    ),
    Theorem(
        name="rankDim_strictMono",
        statement=r"r < r' \implies r\,(m + n - r) < r'\,(m + n - r')",
        domain=r"r' \le \min(m, n)",
        claim=rank_dim_strict_mono,
        checks=(
            Certified(
                tuple(
                    {"m": m, "n": n, "pair": (r, larger)}
                    for m, n, larger in SHAPES
                    for r in range(larger)
                ),
                arithmetic="exact",
            ),
            Property(_sizes_and_ranks(), arithmetic="exact"),
        ),
        mutants=(
            Mutant("decreasing", partial(rank_dim_strict_mono, reverse=True)),
            Mutant("by two or more", partial(rank_dim_strict_mono, gain=1)),
        ),
    ),
    Theorem(
        name="rankDim_full",
        statement=r"r = \min(m, n) \implies r\,(m + n - r) = mn",
        domain=r"m, n \ge 0",
        claim=rank_dim_full,
        checks=(
            Certified(grid(m=range(9), n=range(9)), arithmetic="exact"),
            Property({"m": ranks(0), "n": ranks(0)}, arithmetic="exact"),
        ),
        mutants=(
            Mutant("one below full rank", partial(rank_dim_full, missing=1)),
            Mutant("two below full rank", partial(rank_dim_full, missing=2)),
        ),
    ),
    Theorem(
        name="rankDim_le_dense",
        statement=r"r\,(m + n - r) \le mn",
        domain=r"r \le \min(m, n)",
        claim=rank_dim_le_dense,
        checks=(
            Certified(
                grid(lambda m, n, r: r <= min(m, n), m=range(7), n=range(7), r=range(7)),
                arithmetic="exact",
            ),
            Property(_rank_at_most(), arithmetic="exact"),
        ),
        mutants=(Mutant("strictly", partial(rank_dim_le_dense, strict=True)),),
        references=(HARRIS,),
    ),
    Theorem(
        name="factor_params_lt_dense_iff",
        statement=r"r\,(m + n) < mn \iff r < \frac{mn}{m + n}",
        domain=r"m + n > 0",
        claim=factor_params_lt_dense_iff,
        checks=(
            Certified(
                grid(lambda m, n, r: m + n > 0, m=range(7), n=range(7), r=range(8)),
                arithmetic="exact",
            ),
            Property(_around_break_even(least=1), arithmetic="exact"),
        ),
        mutants=(
            Mutant("at break-even too", partial(factor_params_lt_dense_iff, closed=True)),
            Mutant("2 m n / (m + n)", partial(factor_params_lt_dense_iff, scale=2)),
        ),
    ),
    Theorem(
        name="factor_params_lt_dense",
        statement=r"r < \frac{mn}{m + n} \implies r\,(m + n) < mn",
        domain=r"m, n, r \ge 0 \ (\tfrac{0}{0} = 0 \text{ in Lean})",
        claim=factor_params_lt_dense,
        checks=(
            Certified(grid(m=range(7), n=range(7), r=range(8)), arithmetic="exact"),
            Property(_around_break_even(least=0), arithmetic="exact"),
        ),
        mutants=(
            Mutant("at break-even too", partial(factor_params_lt_dense, closed=True)),
            Mutant("2 m n / (m + n)", partial(factor_params_lt_dense, scale=2)),
        ),
    ),
)
