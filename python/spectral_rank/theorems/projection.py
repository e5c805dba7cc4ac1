"""Checks of ``lean/SpectralRank/Projection.lean``: Frobenius norm and orthogonal projections.

All matrices are rational and their columns exactly orthonormal, so equalities are equalities.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy

from spectral_rank.formulas.best_approximation import (
    column_sq,
    frobenius_sq,
    is_orth_projection,
)
from spectral_rank.formulas.matrix import NumberArray
from spectral_rank.theorems.claim import Relation, eq, holds, le, lt
from spectral_rank.theorems.rational_matrices import (
    ROTATION,
    TURN,
    random_matrix,
    random_orthonormal,
    random_projection,
    random_size,
    range_projection,
    rational_array,
    rational_identity,
    rational_matrices,
    rational_orthonormal,
    rational_zeros,
    seeded,
)
from spectral_rank.theorems.theorem import (
    Certified,
    Mutant,
    Property,
    Symbolic,
    Theorem,
    grid,
)

HORN_JOHNSON = "Horn and Johnson, Matrix Analysis (2nd ed., 2013), section 5.6: the Frobenius norm"
HALMOS = "Halmos, Finite-Dimensional Vector Spaces (1958): perpendicular projections"
RUDIN = "Rudin, Real and Complex Analysis (3rd ed., 1987), chapter 4: Bessel's inequality"
LEVERAGE = (
    "Hoaglin and Welsch, The hat matrix in regression and ANOVA, The American Statistician (1978)"
)
GRAM_SCHMIDT = "Horn and Johnson, Matrix Analysis (2nd ed., 2013), section 0.6: Gram-Schmidt"

SVD_ZERO = 1e-10
"""A singular value below this is 0: the others are at least 144^-3 / 12, because the entries drawn
have denominator 12, a nonzero minor of 12 X is at least 1, and its singular values at most 144."""

SVD_ATOL = 1e-6
"""What the smallest of these singular values leaves of 16 digits."""


def frobenius_sq_nonneg(A: NumberArray, *, strict: bool = False) -> Iterator[Relation]:
    yield (lt if strict else le)(0, frobenius_sq(A))


def frobenius_sq_transpose(A: NumberArray, *, gram: bool = False) -> Iterator[Relation]:
    yield eq(frobenius_sq(A.T @ A if gram else A.T), frobenius_sq(A))


def frobenius_sq_eq_sum_diag(A: NumberArray, *, everywhere: bool = False) -> Iterator[Relation]:
    gram = A.T @ A
    yield eq(frobenius_sq(A), np.sum(gram) if everywhere else np.trace(gram))


def frobenius_sq_orthonormal_mul(
    Q: NumberArray, A: NumberArray, *, rowwise: bool = False
) -> Iterator[Relation]:
    yield eq(frobenius_sq(Q @ A), frobenius_sq(A))
    if rowwise:
        for i in range(A.shape[0]):
            yield eq(column_sq((Q @ A).T, i), column_sq(A.T, i), f"row {i}")


def frobenius_sq_orthogonal(
    U: NumberArray, A: NumberArray, V: NumberArray, *, columnwise: bool = False
) -> Iterator[Relation]:
    product = U @ A @ V.T
    yield eq(frobenius_sq(product), frobenius_sq(A))
    if columnwise:
        for j in range(A.shape[1]):
            yield eq(column_sq(product, j), column_sq(A, j), f"column {j}")


def is_orth_projection_mul_transpose(
    Q: NumberArray, *, shift: int = 0, reflection: bool = False
) -> Iterator[Relation]:
    P = Q @ np.roll(Q, shift, axis=1).T
    if reflection:
        P = rational_identity(len(Q)) - 2 * P
    yield eq(P.T, P, "symmetric")
    yield eq(P @ P, P, "idempotent")
    yield holds(is_orth_projection(P), "an orthogonal projection")


def column_sq_projection_add(
    P: NumberArray, A: NumberArray, *, oblique: bool = False, scale: int = 1
) -> Iterator[Relation]:
    PA = scale * (_oblique(P) if oblique else P) @ A
    for j in range(A.shape[1]):
        yield eq(column_sq(PA, j) + column_sq(A - PA, j), column_sq(A, j), f"column {j}")


def column_sq_sub_projection_le(
    P: NumberArray,
    A: NumberArray,
    C: NumberArray,
    *,
    oblique: bool = False,
    anywhere: bool = False,
) -> Iterator[Relation]:
    """The matrices in the range of ``P`` are the products ``B = P C``."""
    P = _oblique(P) if oblique else P
    B = C if anywhere else P @ C
    for j in range(A.shape[1]):
        yield le(column_sq(A - P @ A, j), column_sq(A - B, j), f"column {j}")


def _oblique(P: NumberArray) -> NumberArray:
    """An idempotent matrix with the range of ``P`` that is not symmetric in general."""
    m = len(P)
    skewed: NumberArray = P + P @ np.ones((m, m), dtype=object) @ (rational_identity(m) - P)
    return skewed


def frobenius_sq_transpose_mul_le(
    Q: NumberArray, A: NumberArray, *, reverse: bool = False, average: bool = False
) -> Iterator[Relation]:
    yield from _contracts(frobenius_sq(Q.T @ A), frobenius_sq(A), Q.shape, reverse, average)


def frobenius_sq_mul_orthonormal_le(
    A: NumberArray, V: NumberArray, *, reverse: bool = False, average: bool = False
) -> Iterator[Relation]:
    yield from _contracts(frobenius_sq(A @ V), frobenius_sq(A), V.shape, reverse, average)


def _contracts(
    after: Any, before: Any, shape: tuple[int, ...], reverse: bool, average: bool
) -> Iterator[Relation]:
    """``after <= before``; as a mutant reversed, or with the share ``k / m`` of ``before``."""
    if average:
        after, before = shape[0] * after, shape[1] * before
    yield le(before, after) if reverse else le(after, before)


def sum_weight_le(
    P: NumberArray, U: NumberArray, *, reverse: bool = False, average: bool = False
) -> Iterator[Relation]:
    weights = sum(column_sq(P @ U, j) for j in range(U.shape[1]))
    yield from _contracts(weights, np.trace(P), U.shape, reverse, average)


def leverage_le_one(
    Q: NumberArray, *, strict: bool = False, average: bool = False
) -> Iterator[Relation]:
    m, k = Q.shape
    for i in range(m):
        leverage = column_sq(Q.T, i)
        yield (lt if strict else le)(leverage, Fraction(k, m) if average else 1, f"row {i}")


def sum_leverage(Q: NumberArray, *, rows: bool = False, root: bool = False) -> Iterator[Relation]:
    leverages = [np.sum(abs(row)) if root else np.sum(row * row) for row in Q]
    yield eq(sum(leverages), Q.shape[0] if rows else Q.shape[1])


def exists_projection_fixing(
    X: NumberArray, *, orthogonal: bool = True, missing: int = 0
) -> Iterator[Relation]:
    """The witness of the Lean proof; the vectors are the columns of ``X``."""
    P = range_projection(X) if orthogonal else _sum_of_directions(X)
    for i, x in enumerate(X.T):
        yield eq(P @ x, x, f"vector {i} is fixed")
    yield from _projection_of_dimension(P, X.shape[1] - missing)


def _sum_of_directions(X: NumberArray) -> NumberArray:
    """The projections onto the single columns, added as if these were orthogonal."""
    directions = (np.outer(x, x) / (x @ x) for x in X.T if any(x))
    total: NumberArray = sum(directions, start=rational_zeros(len(X), len(X)))
    return total


def exists_projection(
    X: NumberArray, *, normalized: bool = True, missing: int = 0
) -> Iterator[Relation]:
    P = range_projection(X) if normalized else X @ X.T
    yield eq(P @ X, X, "the columns are fixed")
    yield from _projection_of_dimension(P, X.shape[1] - missing)


def _projection_of_dimension(P: NumberArray, at_most: int) -> Iterator[Relation]:
    yield holds(is_orth_projection(P), "an orthogonal projection")
    yield le(np.trace(P), at_most, "its dimension")


def projection_of_svd(X: NumberArray) -> Iterator[Relation]:
    """The projection of the proof against the one that numpy's singular vectors make."""
    left, values, _ = np.linalg.svd(X.astype(float), full_matrices=False)
    basis = left[:, : np.sum(values > SVD_ZERO)]
    yield eq(range_projection(X).astype(float), basis @ basis.T, atol=SVD_ATOL)


_ENTRIES = np.array(sympy.symbols("a:6", real=True), dtype=object).reshape(2, 3)


ORTHONORMAL = (
    rational_zeros(2, 0),
    rational_identity(2)[:, ::-1],
    ROTATION,
    TURN[:, :1],
    TURN[:, 1:],
    TURN,
)
"""Without columns, a permutation, a rotation; one, two and three columns in three dimensions."""

PROJECTIONS = tuple(Q @ Q.T + rational_zeros(len(Q), len(Q)) for Q in ORTHONORMAL)
"""The projections onto their ranges, 0 and the identity included."""

MATRICES = (
    rational_zeros(3, 0),
    rational_zeros(2, 2),
    rational_array([[1, "1/2", -2], [2, 1, -4]]),
    rational_array([[1, 2], ["-1/3", 5], [0, "7/4"]]),
    rational_array([[1, 2, 3], [0, 1, "1/2"], [-4, 0, 2]]),
)
"""Without columns, zero, of rank one, tall, and square of full rank."""


def _orthonormal_and_matrix(rng: random.Random, size: int, *, acting: str) -> dict[str, Any]:
    """Orthonormal columns ``Q`` and a matrix that ``Q`` or ``Q.T`` can act on from the left."""
    m = random_size(rng, 0, size)
    k = random_size(rng, 0, m)
    A = random_matrix(rng, k if acting == "Q" else m, random_size(rng, 0, size))
    return {"Q": random_orthonormal(rng, m, k), "A": A}


def _matrix_and_orthonormal(rng: random.Random, size: int) -> dict[str, Any]:
    point = _orthonormal_and_matrix(rng, size, acting="Q.T")
    return {"A": point["A"].T, "V": point["Q"]}


def _sandwich(rng: random.Random, size: int) -> dict[str, Any]:
    left = _orthonormal_and_matrix(rng, size, acting="Q")
    n = left["A"].shape[1]
    V = random_orthonormal(rng, rng.randint(n, max(n, size)), n)
    return {"U": left["Q"], "A": left["A"], "V": V}


def _projection_and_matrices(rng: random.Random, size: int) -> dict[str, Any]:
    m, n = random_size(rng, 0, size), random_size(rng, 0, size)
    P, A = random_projection(rng, m, rng.randint(0, m)), random_matrix(rng, m, n)
    return {"P": P, "A": A, "C": rng.choice((A, random_matrix(rng, m, n)))}


def _projection_and_matrix(rng: random.Random, size: int) -> dict[str, Any]:
    point = _projection_and_matrices(rng, size)
    return {"P": point["P"], "A": point["A"]}


def _projection_and_columns(rng: random.Random, size: int) -> dict[str, Any]:
    m = random_size(rng, 0, size)
    P = random_projection(rng, m, rng.randint(0, m))
    return {"P": P, "U": random_orthonormal(rng, m, random_size(rng, 0, m))}


THEOREMS = (
    Theorem(
        name="frobeniusSq_nonneg",
        statement=r"0 \le \lVert A \rVert_F^2, "
        r"\qquad \lVert A \rVert_F^2 = \sum_{i,j} A_{ij}^2",
        domain=r"A \in \mathbb{R}^{m \times k}",
        claim=frobenius_sq_nonneg,
        checks=(Symbolic({"A": _ENTRIES}), Property({"A": rational_matrices()}, "exact")),
        mutants=(Mutant("positive", partial(frobenius_sq_nonneg, strict=True)),),
        references=(HORN_JOHNSON,),
    ),
    Theorem(
        name="frobeniusSq_transpose",
        statement=r"\lVert A^{\mathsf T} \rVert_F^2 = \lVert A \rVert_F^2",
        domain=r"A \in \mathbb{R}^{m \times k}",
        claim=frobenius_sq_transpose,
        checks=(Symbolic({"A": _ENTRIES}), Property({"A": rational_matrices()}, "exact")),
        mutants=(
            Mutant("the Gram matrix for the transpose", partial(frobenius_sq_transpose, gram=True)),
        ),
        references=(HORN_JOHNSON,),
    ),
    Theorem(
        name="frobeniusSq_eq_sum_diag",
        statement=r"\lVert A \rVert_F^2 = \sum_j (A^{\mathsf T} A)_{jj}",
        domain=r"A \in \mathbb{R}^{m \times k}",
        claim=frobenius_sq_eq_sum_diag,
        checks=(Symbolic({"A": _ENTRIES}), Property({"A": rational_matrices()}, "exact")),
        mutants=(
            Mutant(
                "all entries of the Gram matrix", partial(frobenius_sq_eq_sum_diag, everywhere=True)
            ),
        ),
        references=(HORN_JOHNSON,),
    ),
    Theorem(
        name="frobeniusSq_orthonormal_mul",
        statement=r"Q^{\mathsf T} Q = 1 \implies \lVert Q A \rVert_F^2 = \lVert A \rVert_F^2",
        domain=r"Q \in \mathbb{R}^{m \times k},\ A \in \mathbb{R}^{k \times l}",
        claim=frobenius_sq_orthonormal_mul,
        checks=(
            Certified(grid(lambda Q, A: Q.shape[1] == len(A), Q=ORTHONORMAL, A=MATRICES), "exact"),
            Property(seeded(partial(_orthonormal_and_matrix, acting="Q")), "exact"),
        ),
        mutants=(
            Mutant(
                "every row keeps its length too",
                partial(frobenius_sq_orthonormal_mul, rowwise=True),
            ),
        ),
        references=(HORN_JOHNSON,),
    ),
    Theorem(
        name="frobeniusSq_orthogonal",
        statement=r"U^{\mathsf T} U = 1,\ V^{\mathsf T} V = 1 \implies "
        r"\lVert U A V^{\mathsf T} \rVert_F^2 = \lVert A \rVert_F^2",
        domain=r"U \in \mathbb{R}^{m \times k},\ V \in \mathbb{R}^{l \times n},\ "
        r"A \in \mathbb{R}^{k \times n}",
        claim=frobenius_sq_orthogonal,
        checks=(
            Certified(
                grid(
                    lambda U, A, V: (U.shape[1], V.shape[1]) == A.shape,
                    U=ORTHONORMAL,
                    A=MATRICES,
                    V=ORTHONORMAL,
                ),
                "exact",
            ),
            Property(seeded(_sandwich), "exact"),
        ),
        mutants=(
            Mutant(
                "every column keeps its length too",
                partial(frobenius_sq_orthogonal, columnwise=True),
            ),
        ),
        references=(HORN_JOHNSON,),
    ),
    Theorem(
        name="isOrthProjection_mul_transpose",
        statement=r"Q^{\mathsf T} Q = 1,\ P = Q Q^{\mathsf T} \implies "
        r"P^{\mathsf T} = P,\ P^2 = P",
        domain=r"Q \in \mathbb{R}^{m \times k}",
        claim=is_orth_projection_mul_transpose,
        checks=(
            Certified(grid(Q=ORTHONORMAL), "exact"),
            Property({"Q": rational_orthonormal()}, "exact"),
        ),
        mutants=(
            Mutant(
                "the reflection 1 - 2 Q Q^T",
                partial(is_orth_projection_mul_transpose, reflection=True),
            ),
            Mutant(
                "Q times its transpose with the columns in another order",
                partial(is_orth_projection_mul_transpose, shift=1),
            ),
        ),
        references=(HALMOS,),
    ),
    Theorem(
        name="columnSq_projection_add",
        statement=r"\lVert (PA)_j \rVert^2 + \lVert (A - PA)_j \rVert^2 = \lVert A_j \rVert^2",
        domain=r"P^{\mathsf T} = P = P^2,\ A \in \mathbb{R}^{m \times k},\ j \le k",
        claim=column_sq_projection_add,
        checks=(
            Certified(grid(lambda P, A: len(P) == len(A), P=PROJECTIONS, A=MATRICES[1:]), "exact"),
            Property(seeded(_projection_and_matrix), "exact"),
        ),
        mutants=(
            Mutant("P idempotent only", partial(column_sq_projection_add, oblique=True)),
            Mutant("2 P, symmetric only", partial(column_sq_projection_add, scale=2)),
        ),
        references=(HALMOS,),
    ),
    Theorem(
        name="columnSq_sub_projection_le",
        statement=r"P B = B \implies \lVert (A - PA)_j \rVert^2 \le \lVert (A - B)_j \rVert^2",
        domain=r"P^{\mathsf T} = P = P^2,\ A, B \in \mathbb{R}^{m \times k},\ j \le k",
        claim=column_sq_sub_projection_le,
        checks=(
            Certified(
                grid(
                    lambda P, A, C: len(P) == len(A) and A.shape == C.shape,
                    P=PROJECTIONS,
                    A=MATRICES[1:],
                    C=(*MATRICES[1:], MATRICES[2] - 1, MATRICES[4].T),
                ),
                "exact",
            ),
            Property(seeded(_projection_and_matrices), "exact"),
        ),
        mutants=(
            Mutant("P idempotent only", partial(column_sq_sub_projection_le, oblique=True)),
            Mutant("B outside the range", partial(column_sq_sub_projection_le, anywhere=True)),
        ),
        references=(HALMOS,),
    ),
    Theorem(
        name="frobeniusSq_transpose_mul_le",
        statement=r"Q^{\mathsf T} Q = 1 \implies "
        r"\lVert Q^{\mathsf T} A \rVert_F^2 \le \lVert A \rVert_F^2",
        domain=r"Q \in \mathbb{R}^{m \times k},\ A \in \mathbb{R}^{m \times l}",
        claim=frobenius_sq_transpose_mul_le,
        checks=(
            Certified(grid(lambda Q, A: len(Q) == len(A), Q=ORTHONORMAL, A=MATRICES), "exact"),
            Property(seeded(partial(_orthonormal_and_matrix, acting="Q.T")), "exact"),
        ),
        mutants=(
            Mutant("at least", partial(frobenius_sq_transpose_mul_le, reverse=True)),
            Mutant("with the factor k/m", partial(frobenius_sq_transpose_mul_le, average=True)),
        ),
        references=(RUDIN,),
    ),
    Theorem(
        name="frobeniusSq_mul_orthonormal_le",
        statement=r"V^{\mathsf T} V = 1 \implies "
        r"\lVert A V \rVert_F^2 \le \lVert A \rVert_F^2",
        domain=r"A \in \mathbb{R}^{m \times l},\ V \in \mathbb{R}^{l \times k}",
        claim=frobenius_sq_mul_orthonormal_le,
        checks=(
            Certified(grid(lambda A, V: A.shape[1] == len(V), A=MATRICES, V=ORTHONORMAL), "exact"),
            Property(seeded(_matrix_and_orthonormal), "exact"),
        ),
        mutants=(
            Mutant("at least", partial(frobenius_sq_mul_orthonormal_le, reverse=True)),
            Mutant("with the factor k/l", partial(frobenius_sq_mul_orthonormal_le, average=True)),
        ),
        references=(RUDIN,),
    ),
    Theorem(
        name="sum_weight_le",
        statement=r"U^{\mathsf T} U = 1 \implies "
        r"\sum_j \lVert (PU)_j \rVert^2 \le \sum_i P_{ii}",
        domain=r"P^{\mathsf T} = P = P^2,\ U \in \mathbb{R}^{m \times k}",
        claim=sum_weight_le,
        checks=(
            Certified(grid(lambda P, U: len(P) == len(U), P=PROJECTIONS, U=ORTHONORMAL), "exact"),
            Property(seeded(_projection_and_columns), "exact"),
        ),
        mutants=(
            Mutant("at least", partial(sum_weight_le, reverse=True)),
            Mutant("with the factor k/m", partial(sum_weight_le, average=True)),
        ),
        references=(RUDIN,),
    ),
    Theorem(
        name="leverage_le_one",
        statement=r"Q^{\mathsf T} Q = 1 \implies \sum_j Q_{ij}^2 \le 1",
        domain=r"Q \in \mathbb{R}^{m \times k},\ i \le m",
        claim=leverage_le_one,
        checks=(
            Certified(grid(Q=ORTHONORMAL), "exact"),
            Property({"Q": rational_orthonormal()}, "exact"),
        ),
        mutants=(
            Mutant("below 1", partial(leverage_le_one, strict=True)),
            Mutant("at most the average k/m", partial(leverage_le_one, average=True)),
        ),
        references=(LEVERAGE,),
    ),
    Theorem(
        name="sum_leverage",
        statement=r"Q^{\mathsf T} Q = 1 \implies \sum_i \sum_j Q_{ij}^2 = k",
        domain=r"Q \in \mathbb{R}^{m \times k}",
        claim=sum_leverage,
        checks=(
            Certified(grid(Q=ORTHONORMAL), "exact"),
            Property({"Q": rational_orthonormal()}, "exact"),
        ),
        mutants=(
            Mutant("the number of rows", partial(sum_leverage, rows=True)),
            Mutant("absolute values for squares", partial(sum_leverage, root=True)),
        ),
        references=(LEVERAGE,),
    ),
    Theorem(
        name="exists_projection_fixing",
        statement=r"\exists P:\ P^{\mathsf T} = P = P^2,\ P x_i = x_i\ (i \le r),\ "
        r"\sum_i P_{ii} \le r",
        domain=r"x_1, \dots, x_r \in \mathbb{R}^m,\ r \ge 0",
        claim=exists_projection_fixing,
        checks=(
            Certified(grid(X=(*MATRICES, *ORTHONORMAL)), "exact"),
            Property({"X": rational_matrices()}, "exact"),
        ),
        mutants=(
            Mutant(
                "vectors not made orthogonal first",
                partial(exists_projection_fixing, orthogonal=False),
            ),
            Mutant("dimension at most r - 1", partial(exists_projection_fixing, missing=1)),
        ),
        references=(GRAM_SCHMIDT,),
    ),
    Theorem(
        name="exists_projection",
        statement=r"\exists P:\ P^{\mathsf T} = P = P^2,\ P X = X,\ \sum_i P_{ii} \le r",
        domain=r"X \in \mathbb{R}^{m \times r}",
        claim=exists_projection,
        checks=(
            Certified(grid(X=(*MATRICES, *ORTHONORMAL)), "exact"),
            Property({"X": rational_matrices()}, "exact"),
            Property({"X": rational_matrices()}, "exact", claim=projection_of_svd),
        ),
        mutants=(
            Mutant("X times its transpose for P", partial(exists_projection, normalized=False)),
            Mutant("dimension at most r - 1", partial(exists_projection, missing=1)),
        ),
        references=(GRAM_SCHMIDT,),
    ),
)
