"""Checks of ``lean/SpectralRank/SingularValues.lean``: existence, uniqueness and rank.

The decomposition is computed from the matrix alone, as in the Lean proof: eigenvalues of the Gram
matrix are the rational roots of its characteristic polynomial, and an eigenspace is what the range
of ``H - lambda`` leaves over, so it is exact up to the square roots, which are balls.  Matrices are
drawn with rational singular values for this; matrices of floats go through numpy.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import flint
import numpy as np
from hypothesis import strategies as st

from spectral_rank.formulas.best_approximation import frobenius_sq, spectral_matrix
from spectral_rank.formulas.elementary import as_ball, sqrt
from spectral_rank.formulas.matrix import NumberArray
from spectral_rank.theorems.best_approximation import changed, factors_near
from spectral_rank.theorems.claim import Relation, eq, iff, le, lt
from spectral_rank.theorems.eckart_young import DECOMPOSITIONS, ECKART_YOUNG, STEWART
from spectral_rank.theorems.rank_manifold import exact_rank
from spectral_rank.theorems.rational_matrices import (
    TURN,
    Decomposition,
    random_decomposition,
    random_matrix,
    random_orthonormal,
    random_values,
    range_projection,
    rational_array,
    rational_identity,
    rational_zeros,
    seeded,
)
from spectral_rank.theorems.strategies import FloatArray, generators, matrices
from spectral_rank.theorems.theorem import Certified, Property, Theorem, grid

HORN_SPECTRAL = "Horn and Johnson, Matrix Analysis (2013), theorem 2.5.6: the spectral theorem"
HORN_RANK = "Horn and Johnson, Matrix Analysis (2013), section 0.4.6: rank factorization"

PRECISION = 256
"""Bits of the square roots that make exact eigenvectors into unit vectors."""

FLOAT_ATOL = 1e-11
"""Float errors of a decomposition by LAPACK, in units of the largest singular value or energy."""

Eigenbasis = tuple[NumberArray, NumberArray]
"""Eigenvectors as columns, and eigenvalues in decreasing order."""


def _flint_matrix(A: NumberArray) -> flint.fmpq_mat:
    entries = [flint.fmpq(x.numerator, x.denominator) for x in map(Fraction, A.flat)]
    rows, cols = A.shape
    return flint.fmpq_mat(rows, cols, entries)


def orthogonal_eigenbasis(H: NumberArray) -> Eigenbasis:
    """Orthogonal rational eigenvectors of a symmetric matrix with rational eigenvalues.

    The orthogonal complement of the range of ``H - lambda`` is the eigenspace of ``lambda``.
    """
    n = H.shape[0]
    one = rational_identity(n)
    columns: list[NumberArray] = []
    values: list[Fraction] = []
    for root, multiplicity in sorted(_flint_matrix(H).charpoly().roots(), reverse=True):
        eigenvalue = Fraction(int(root.p), int(root.q))
        left = one - range_projection(H - eigenvalue * one)
        values += [eigenvalue] * multiplicity
        for x in left.T:
            w = x - sum(c * (c @ x) / (c @ c) for c in columns)
            if any(w):
                columns.append(w)
    return _columns(columns, n), rational_array(values)


def _columns(columns: list[NumberArray], rows: int) -> NumberArray:
    return np.array(columns, dtype=object).reshape(len(columns), rows).T


def unit_eigenbasis(H: NumberArray) -> Eigenbasis:
    """Orthonormal eigenvectors: balls for a rational matrix, from LAPACK for floats."""
    if H.dtype != object:
        values, vectors = np.linalg.eigh(H)
        return vectors[:, ::-1], values[::-1]
    W, values = orthogonal_eigenbasis(H)
    lengths = np.array([sqrt(as_ball(w @ w)) for w in W.T], dtype=object)
    return _like(lengths, W) / lengths, values


def decomposition(A: NumberArray) -> Decomposition:
    """``U, s, V`` with positive ``s``: as in the Lean proof, or from LAPACK for floats."""
    if A.dtype != object:
        U, s, Vt = np.linalg.svd(A, full_matrices=False)
        k = int(np.linalg.matrix_rank(A))
        return U[:, :k], s[:k], Vt[:k].T
    W, values = unit_eigenbasis(A.T @ A + rational_zeros(A.shape[1], A.shape[1]))
    k = sum(value > 0 for value in values)
    s = np.array([sqrt(as_ball(value)) for value in values[:k]], dtype=object)
    V = W[:, :k]
    return _like(s, A) @ V / s, s, V


def _like(model: NumberArray, values: NumberArray) -> NumberArray:
    """The values as balls, unless the model consists of floats."""
    balls: NumberArray = np.frompyfunc(as_ball, 1, 1)(values)
    return balls if model.dtype == object else values


def _orthonormal(name: str, Q: NumberArray) -> Relation:
    return eq(Q.T @ Q, np.eye(Q.shape[1], dtype=int), f"{name} orthonormal", atol=FLOAT_ATOL)


def _decreasing(values: NumberArray) -> Relation:
    return le(values[1:], values[:-1], "sorted", atol=FLOAT_ATOL * _scale(values))


def _scale(values: NumberArray) -> float:
    return max((abs(float(value)) for value in values.flat), default=0.0)


def exists_sorted_eigenbasis(
    H: NumberArray, *, reverse: bool = False, skew: int = 0
) -> Iterator[Relation]:
    with flint.ctx.workprec(PRECISION):
        W, d = unit_eigenbasis(H)
        if reverse:
            d = d[::-1]
        image = W.T @ _like(W, H + skew * np.triu(np.ones(H.shape, dtype=int), 1)) @ W
        relations = (
            le(d[1:], d[:-1], "sorted"),
            _orthonormal("columns", W),
            _orthonormal("rows", W.T),
            # The eigenvalues as balls of this precision: relations are decided at a lower one.
            eq(image, _like(W, np.diag(d)), "diagonal", atol=FLOAT_ATOL * _scale(H)),
        )
    yield from relations


def exists_singular_value_decomposition(
    A: NumberArray, *, dropped: int = 0, reverse: bool = False
) -> Iterator[Relation]:
    with flint.ctx.workprec(PRECISION):
        U, s, V = decomposition(A)
        k = max(len(s) - dropped, 0)
        U, s, V = U[:, :k], (s[::-1] if reverse else s)[:k], V[:, :k]
        relations = (
            _decreasing(s),
            lt(0, s, "positive"),
            _orthonormal("U", U),
            _orthonormal("V", V),
            eq(spectral_matrix(s, U, V), _like(s, A), "product", atol=FLOAT_ATOL * _scale(A)),
        )
    yield from relations


def eckart_young_matrix(
    A: NumberArray, X: NumberArray, Y: NumberArray, *, missing: int = 0, reverse: bool = False
) -> Iterator[Relation]:
    """A truncation is ``A`` times a projection; rational singular values leave nothing to round."""
    r = X.shape[1]
    energies, truncation = energies_and_truncation(A, max(r - missing, 0))
    B = X @ Y + 0 * A
    yield from _least_error(A, B, energies[::-1] if reverse else energies, truncation, r)


def eckart_young_matrix_rank(
    A: NumberArray, B: NumberArray, extra: int, *, missing: int = 0, reverse: bool = False
) -> Iterator[Relation]:
    """``B`` has rank at most ``r``: the rank of ``B``, or a larger number."""
    r = exact_rank(B) + extra
    energies, truncation = energies_and_truncation(A, max(r - missing, 0))
    positive = sum(energy > 0 for energy in energies)
    yield eq(positive, exact_rank(A), "number of positive values")
    yield le(exact_rank(truncation), r, "rank of the truncation")
    yield from _least_error(A, B, energies[::-1] if reverse else energies, truncation, r)


def _least_error(
    A: NumberArray, B: NumberArray, energies: NumberArray, truncation: NumberArray, r: int
) -> Iterator[Relation]:
    tail, slack = np.sum(energies[r:]), FLOAT_ATOL * float(np.sum(energies))
    yield _decreasing(energies)
    yield le(0, energies, "nonnegative")
    yield eq(frobenius_sq(A), np.sum(energies), "energy")
    yield eq(frobenius_sq(A - truncation), tail, "attained", atol=slack)
    yield le(tail, frobenius_sq(A - B), "least", atol=slack)


def energies_and_truncation(A: NumberArray, r: int) -> tuple[NumberArray, NumberArray]:
    """The squared singular values, and ``A`` on the span of the first ``r`` right vectors."""
    if A.dtype != object:
        U, s, Vt = np.linalg.svd(A, full_matrices=False)
        return s**2, (U[:, :r] * s[:r]) @ Vt[:r]
    W, energies = orthogonal_eigenbasis(A.T @ A + rational_zeros(A.shape[1], A.shape[1]))
    return energies, A @ range_projection(W[:, :r])


def singular_value_decomposition_unique(
    svd: Decomposition, *, wrong: str = ""
) -> Iterator[Relation]:
    """The values drawn, against those that are found in the product; as mutants no spectrum."""
    U, s, V = svd
    if wrong == "order":
        U, s, V = U[:, ::-1], s[::-1], V[:, ::-1]
    if wrong == "sign":
        U, s = -U, -s
    A = spectral_matrix(s, U, V)
    with flint.ctx.workprec(PRECISION):
        left, values, right = decomposition(A)
        product, target = spectral_matrix(values, left, right), _like(values, A)
        length = max(len(s), len(values))
        found, drawn = _padded(values, length), _padded(_like(values, s), length)
    yield eq(product, target, "same matrix", atol=FLOAT_ATOL * _scale(A))
    yield eq(found, drawn, "same values", atol=FLOAT_ATOL * _scale(A))


def _padded(values: NumberArray, length: int) -> NumberArray:
    """The values, continued by zeros."""
    return np.concatenate([values, np.zeros(length - len(values), dtype=int)])


def rank_eq_of_singular_value_decomposition(
    svd: Decomposition, *, wrong: str = ""
) -> Iterator[Relation]:
    U, s, V = svd
    if wrong == "zero value":
        s = np.concatenate([s[:-1], 0 * s[-1:]])
    if wrong == "equal columns":
        U = U[:, [0] * len(s)]
    A = spectral_matrix(s, U, V)
    rank = exact_rank(A) if A.dtype == object else int(np.linalg.matrix_rank(A))
    yield eq(rank, len(s))


def rank_le_iff_exists_factor(
    B: NumberArray, X: NumberArray, Y: NumberArray, *, strict: int = 0, missing: int = 0
) -> Iterator[Relation]:
    """For every ``r``: the witness is a rank factorization, cut to the inner dimension ``r``."""
    rank = exact_rank(B)
    for r in range(max(B.shape) + 2):
        left, right = rank_factors(B, max(r - missing, 0))
        yield iff(le(rank, r - strict), eq(left @ right + 0 * B, B), f"factors of width {r}")
    yield le(exact_rank(X @ Y + 0 * B), X.shape[1] - strict, "rank of a product")


def rank_factors(B: NumberArray, r: int) -> tuple[NumberArray, NumberArray]:
    """The pivot columns of ``B`` and the nonzero rows of its echelon form; at most ``r`` each."""
    echelon, rank = _flint_matrix(B).rref()
    table = [[Fraction(int(x.p), int(x.q)) for x in row] for row in echelon.tolist()[:rank]]
    rows = rational_array(table).reshape(rank, B.shape[1])
    pivots = [int(np.flatnonzero(row)[0]) for row in rows]
    return B[:, pivots[:r]], rows[:r]


def _symmetric(rng: random.Random, size: int) -> NumberArray:
    """A symmetric matrix with rational eigenvalues of any sign, ties and zeros included."""
    n = rng.randint(0, size)
    Q = random_orthonormal(rng, n, n)
    return spectral_matrix(random_values(rng, n), Q, Q) + rational_zeros(n, n)


def _matrix(rng: random.Random, size: int) -> NumberArray:
    """A matrix with rational singular values, of every shape and rank."""
    U, s, V = random_decomposition(rng, size)
    return spectral_matrix(s, U, V) + rational_zeros(len(U), len(V))


def _factored(rng: random.Random, size: int) -> dict[str, Any]:
    """A matrix with two factors: of a truncation, close to them, or unrelated."""
    A, r = _matrix(rng, size), rng.randint(0, size + 1)
    W, _ = orthogonal_eigenbasis(A.T @ A + rational_zeros(A.shape[1], A.shape[1]))
    best = W[:, :r]
    Y = (best / np.array([w @ w for w in best.T], dtype=object)).T
    X, Y = factors_near(rng, (A @ best, Y), r)
    return {"A": A, "X": X, "Y": Y}


def _with_rank(rng: random.Random, size: int) -> dict[str, Any]:
    point = _factored(rng, size)
    A = point["A"]
    return {"A": A, "B": point["X"] @ point["Y"] + 0 * A, "extra": rng.choice((0, 0, 1, 2))}


def _any_signs(rng: random.Random, size: int) -> dict[str, Any]:
    """A decomposition with nonzero values of any sign and order."""
    U, s, V = random_decomposition(rng, size)
    values = random_values(rng, len(s))
    values[values == 0] = Fraction(-2)
    return {"svd": (U, values, V)}


def _any_factors(rng: random.Random, size: int) -> dict[str, Any]:
    m, n, r = rng.randint(0, size), rng.randint(0, size), rng.randint(0, size + 1)
    return {
        "B": random_matrix(rng, m, n),
        "X": random_matrix(rng, m, r),
        "Y": random_matrix(rng, r, n),
    }


def _float_factors(A: FloatArray, r: int, rng: np.random.Generator) -> dict[str, Any]:
    """The best ``Y`` for an ``X`` close to the best one."""
    U, s, _ = np.linalg.svd(A, full_matrices=False)
    X = (U * s)[:, :r] + 1e-3 * rng.standard_normal((len(A), min(r, len(s))))
    return {"A": A, "X": X, "Y": np.linalg.lstsq(X, A)[0]}


def _symmetric_part(A: FloatArray) -> FloatArray:
    return (A + A.T) / 2


_RANKS = st.integers(0, 7)

MATRICES = tuple(spectral_matrix(s, U, V) for U, s, V in DECOMPOSITIONS)
"""Distinct, repeated, vanishing singular values; square and rectangular."""

FACTORED = tuple(
    {"A": A, "X": A[:, :r], "Y": rational_identity(3)[:r]} for A in MATRICES for r in range(4)
)

SYMMETRIC = tuple(
    spectral_matrix(rational_array(s), TURN, TURN) for s in ([2, -1, 1], [3, 3, -3], [0, 0, 0])
)


_LEAST = (
    ("strict inequality at r: the inner dimension is below r", {"missing": 1}),
    ("singular values in increasing order", {"reverse": True}),
)

THEOREMS = (
    Theorem(
        name="exists_sorted_eigenbasis",
        statement=r"\exists W, d:\ d_0 \ge d_1 \ge \dots \ge d_{l-1},\ "
        r"W^{\mathsf T} W = W W^{\mathsf T} = 1,\ W^{\mathsf T} H W = \mathrm{diag}(d)",
        domain=r"H \in \mathbb{R}^{l \times l},\ H^{\mathsf T} = H",
        claim=exists_sorted_eigenbasis,
        checks=(
            Certified(grid(H=SYMMETRIC), "exact"),
            Property({"H": seeded(_symmetric)}, "exact"),
            Property(
                {
                    "H": st.integers(1, 6)
                    .flatmap(lambda n: matrices(rows=n, cols=n))
                    .map(_symmetric_part)
                },
                "float",
            ),
        ),
        mutants=changed(
            exists_sorted_eigenbasis,
            ("eigenvalues in increasing order", {"reverse": True}),
            ("H not symmetric", {"skew": 1}),
        ),
        references=(HORN_SPECTRAL,),
    ),
    Theorem(
        name="exists_singularValueDecomposition",
        statement=r"\exists k, s, U, V:\ s_0 \ge s_1 \ge \dots \ge 0,\ (s_j > 0 \iff j < k),\ "
        r"U^{\mathsf T} U = V^{\mathsf T} V = 1,\ A = U \mathrm{diag}(s) V^{\mathsf T}",
        domain=r"A \in \mathbb{R}^{m \times l}",
        claim=exists_singular_value_decomposition,
        checks=(
            Certified(grid(A=MATRICES), "exact"),
            Property({"A": seeded(_matrix)}, "exact"),
            Property({"A": matrices()}, "float"),
        ),
        mutants=changed(
            exists_singular_value_decomposition,
            ("one positive singular value fewer", {"dropped": 1}),
            ("singular values in increasing order", {"reverse": True}),
        ),
        references=(STEWART,),
    ),
    Theorem(
        name="eckart_young_matrix",
        statement=r"\exists k, s:\ s_0 \ge s_1 \ge \dots \ge 0,\ (s_j > 0 \iff j < k),\ "
        r"\lVert A \rVert_F^2 = \sum_{j < k} s_j^2,\ "
        r"\forall r:\ \min_{X, Y} \lVert A - X Y \rVert_F^2 = \sum_{r \le j < k} s_j^2",
        domain=r"A \in \mathbb{R}^{m \times l},\ "
        r"X \in \mathbb{R}^{m \times r},\ Y \in \mathbb{R}^{r \times l}",
        claim=eckart_young_matrix,
        checks=(
            Certified(FACTORED, "exact"),
            Property(seeded(_factored), "exact"),
            Property(st.builds(_float_factors, matrices(), _RANKS, generators()), "float"),
        ),
        mutants=changed(eckart_young_matrix, *_LEAST),
        references=(ECKART_YOUNG, STEWART),
    ),
    Theorem(
        name="singularValueDecomposition_unique",
        statement=r"U \mathrm{diag}(s) V^{\mathsf T} = U' \mathrm{diag}(s') V'^{\mathsf T} "
        r"\implies s = s'",
        domain=r"s_0 \ge s_1 \ge \dots \ge 0,\ s'_0 \ge s'_1 \ge \dots \ge 0,\ "
        r"s_j = 0 \ (j \ge k),\ s'_j = 0 \ (j \ge k'),\ "
        r"U, V, U', V' \text{ have orthonormal columns}",
        claim=singular_value_decomposition_unique,
        checks=(
            Certified(grid(svd=DECOMPOSITIONS), "exact"),
            Property({"svd": seeded(random_decomposition)}, "exact"),
            Property({"svd": seeded(random_decomposition)}, "float"),
        ),
        mutants=changed(
            singular_value_decomposition_unique,
            ("s without the order", {"wrong": "order"}),
            ("s without the sign", {"wrong": "sign"}),
        ),
        references=(STEWART,),
    ),
    Theorem(
        name="rank_eq_of_singularValueDecomposition",
        statement=r"\mathrm{rank}\bigl(U \mathrm{diag}(s_0, \dots, s_{k-1}) "
        r"V^{\mathsf T}\bigr) = k",
        domain=r"s_j \ne 0 \ (j < k),\ U \in \mathbb{R}^{m \times k},\ "
        r"V \in \mathbb{R}^{l \times k},\ U^{\mathsf T} U = V^{\mathsf T} V = 1",
        claim=rank_eq_of_singular_value_decomposition,
        checks=(
            Certified(grid(svd=DECOMPOSITIONS[:2] + DECOMPOSITIONS[4:6]), "exact"),
            Property(seeded(_any_signs), "exact"),
            Property(seeded(_any_signs), "float"),
        ),
        mutants=changed(
            rank_eq_of_singular_value_decomposition,
            ("a zero among the values", {"wrong": "zero value"}),
            ("U with equal columns", {"wrong": "equal columns"}),
        ),
        references=(STEWART,),
    ),
    Theorem(
        name="rank_le_iff_exists_factor",
        statement=r"\mathrm{rank}\, B \le r \iff "
        r"\exists X \in \mathbb{R}^{m \times r},\ Y \in \mathbb{R}^{r \times l}:\ B = X Y",
        domain=r"B \in \mathbb{R}^{m \times l},\ r \ge 0",
        claim=rank_le_iff_exists_factor,
        checks=(
            Certified(tuple({"B": p["A"], "X": p["X"], "Y": p["Y"]} for p in FACTORED), "exact"),
            Property(seeded(_any_factors), "exact"),
        ),
        mutants=changed(
            rank_le_iff_exists_factor,
            ("strict inequality at r", {"strict": 1}),
            ("inner dimension r - 1", {"missing": 1}),
        ),
        references=(HORN_RANK,),
    ),
    Theorem(
        name="eckart_young_matrix_rank",
        statement=r"\exists s:\ s_0 \ge s_1 \ge \dots \ge 0,\ (s_j > 0 \iff j < k),\ "
        r"\lVert A \rVert_F^2 = \sum_{j < k} s_j^2,\ "
        r"\forall r:\ \min_{\mathrm{rank} B \le r} \lVert A - B \rVert_F^2 = "
        r"\sum_{r \le j < k} s_j^2",
        domain=r"A, B \in \mathbb{R}^{m \times l},\ k = \mathrm{rank} A",
        claim=eckart_young_matrix_rank,
        checks=(
            Certified(
                tuple({"A": p["A"], "B": p["X"] @ p["Y"], "extra": 0} for p in FACTORED), "exact"
            ),
            Property(seeded(_with_rank), "exact"),
        ),
        mutants=changed(eckart_young_matrix_rank, *_LEAST),
        references=(ECKART_YOUNG, STEWART),
    ),
)
