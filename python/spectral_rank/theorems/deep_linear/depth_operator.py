"""Checks of ``lean/SpectralRank/DeepLinear/DepthOperator.lean``: depth acts on the gradient."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial

import mpmath
import numpy as np
import sympy

from spectral_rank.formulas.deep_linear.depth_operator import depth_operator
from spectral_rank.formulas.deep_linear.metric import depth_weight
from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.matrix import NumberArray
from spectral_rank.theorems.claim import Relation, eq, iff, implies, le, lt
from spectral_rank.theorems.deep_linear.networks import ARORA, BAH, exact_checks, power_sum
from spectral_rank.theorems.rational_matrices import (
    random_matrix,
    random_orthonormal,
    random_values,
)
from spectral_rank.theorems.strategies import orthonormal
from spectral_rank.theorems.theorem import Mutant, Numerical, Point, Symbolic, Theorem

HORN_JOHNSON = "Horn and Johnson, Matrix Analysis (2nd ed., 2013), Theorem 7.2.6: roots of matrices"
HIGHAM = "Higham, Functions of Matrices (2008), chapter 3: for Q = P the derivative of the power"

Operator = Callable[[int, NumberArray, NumberArray, NumberArray], NumberArray]

DEPTHS = tuple(range(9))

ROOT_ATOL = 1e-9
"""Accuracy of an eigenvalue solver with 50 digits after a fifth root: an eigenvalue 0 comes out as
1e-50."""


def inner(Y: NumberArray, Z: NumberArray) -> Number:
    """The entrywise inner product."""
    return np.sum(Y * Z)


def depth_operator_one(
    P: NumberArray, Q: NumberArray, Z: NumberArray, *, operator: Operator = depth_operator
) -> Iterator[Relation]:
    yield eq(operator(1, P, Q, Z), Z)


def depth_operator_two(
    P: NumberArray, Q: NumberArray, Z: NumberArray, *, operator: Operator = depth_operator
) -> Iterator[Relation]:
    yield eq(operator(2, P, Q, Z), P @ Z + Z @ Q)


def depth_operator_apply_singular_basis(
    N: int,
    U: NumberArray,
    V: NumberArray,
    a: NumberArray,
    b: NumberArray,
    Z: NumberArray,
    *,
    operator: Operator = depth_operator,
    extra_depth: int = 0,
) -> Iterator[Relation]:
    P, Q = (U * a) @ U.T, (V * b) @ V.T
    weights = np.array([[depth_weight(N + extra_depth, x, y) for y in b] for x in a])
    yield eq(U.T @ operator(N, P, Q, Z) @ V, weights * (U.T @ Z @ V))


def depth_operator_self_adjoint(
    N: int,
    P: NumberArray,
    Q: NumberArray,
    Y: NumberArray,
    Z: NumberArray,
    *,
    tilt_left: int = 0,
    tilt_right: int = 0,
) -> Iterator[Relation]:
    """The tilts add a matrix that is not symmetric, for the mutants."""
    upper = np.triu(np.ones_like(P), 1)
    P, Q = P + tilt_left * upper, Q + tilt_right * upper
    yield eq(inner(Y, depth_operator(N, P, Q, Z)), inner(Z, depth_operator(N, P, Q, Y)))


def depth_operator_nonneg(
    N: int,
    A: NumberArray,
    B: NumberArray,
    Z: NumberArray,
    *,
    gram: bool = True,
    strict: bool = False,
) -> Iterator[Relation]:
    P, Q = _symmetric(A, B, gram)
    form = inner(Z, depth_operator(N, P, Q, Z))
    yield lt(0, form) if strict else le(0, form)


def depth_operator_eq_zero_iff(
    N: int,
    A: NumberArray,
    B: NumberArray,
    Z: NumberArray,
    *,
    gram: bool = True,
    form_operator: Operator = depth_operator,
) -> Iterator[Relation]:
    P, Q = _symmetric(A, B, gram)
    vanishes = eq(depth_operator(N, P, Q, Z), 0 * Z, "operator")
    yield iff(vanishes, eq(inner(Z, form_operator(N, P, Q, Z)), 0, "quadratic form"))


def depth_operator_sub(
    N: int, P: NumberArray, Q: NumberArray, *, operator: Operator = depth_operator
) -> Iterator[Relation]:
    power = np.linalg.matrix_power
    yield eq(operator(N, P, Q, P - Q), power(P, N) - power(Q, N))


def gram_pow_injective(
    N: int, A: NumberArray, B: NumberArray, *, gram: bool = True, exponent: int | None = None
) -> Iterator[Relation]:
    P, Q = _symmetric(A, B, gram)
    m = N if exponent is None else exponent
    left, right = np.linalg.matrix_power(P, m), np.linalg.matrix_power(Q, m)
    yield implies(eq(left, right, "powers"), eq(P, Q, "Gram matrices"))


def gram_root_by_eigenvalues(N: int, A: NumberArray) -> Iterator[Relation]:
    """The root of ``(A A^T)^N`` that an eigenvalue solver finds is ``A A^T``: there is no other."""
    power = mpmath.matrix(np.linalg.matrix_power(A @ A.T, N).tolist())
    values, vectors = mpmath.eigsy(power)
    bases = np.array(vectors.tolist(), dtype=object)
    roots = np.array([mpmath.root(max(value, 0), N) for value in values], dtype=object)
    yield eq((bases * roots) @ bases.T, A @ A.T, atol=ROOT_ATOL)


def _symmetric(A: NumberArray, B: NumberArray, gram: bool) -> tuple[NumberArray, NumberArray]:
    """The Gram matrices of the theorems, or symmetric matrices of any sign for their mutants."""
    return (A @ A.T, B.T @ B) if gram else (A + A.T, B.T + B)


def _triple(rng: random.Random, size: int, depth: int) -> Point:
    return {name: random_matrix(rng, size, size) for name in "PQZ"}


def _pair(rng: random.Random, size: int, depth: int) -> Point:
    return {"N": depth, **{name: random_matrix(rng, size, size) for name in "PQ"}}


def _diagonalized(rng: random.Random, size: int, depth: int) -> Point:
    return {
        "N": depth,
        "U": random_orthonormal(rng, size, size),
        "V": random_orthonormal(rng, size, size),
        "a": random_values(rng, size),
        "b": random_values(rng, size),
        "Z": random_matrix(rng, size, size),
    }


def _float_diagonalized(size: int, N: int) -> Point:
    rng = np.random.default_rng((size, N))
    U, V, Z = orthonormal(rng, size, size), orthonormal(rng, size, size), rng.random((size, size))
    return {"N": N, "U": U, "V": V, "a": rng.random(size), "b": rng.random(size), "Z": Z}


def _symmetric_pair(rng: random.Random, size: int, depth: int) -> Point:
    P, Q, Y, Z = (random_matrix(rng, size, size) for _ in range(4))
    return {"N": depth, "P": P + P.T, "Q": Q + Q.T, "Y": Y, "Z": Z}


def _factors(rng: random.Random, size: int, depth: int) -> Point:
    """Factors of Gram matrices, and half of the time a ``Z`` that both of them annihilate."""
    U, L, V, R = (random_orthonormal(rng, size, size) for _ in range(4))
    a, b = random_values(rng, size), random_values(rng, size)
    Z = random_matrix(rng, size, size)
    if rng.random() < 0.5:
        a[:1] = b[:1] = 0
        Z = U @ (Z * np.outer(a == 0, b == 0)) @ V.T
    return {"N": depth, "A": (U * a) @ L.T, "B": (R * b) @ V.T, "Z": Z}


def _root_candidates(rng: random.Random, size: int, depth: int) -> Point:
    """Gram matrices that are equal, or have the same eigenvalues, or are unrelated."""
    U, R = random_orthonormal(rng, size, size), random_orthonormal(rng, size, size)
    a = random_values(rng, size)
    A = (U * a) @ R.T
    candidates = (
        R @ A.T,
        -A.T,
        R @ (U * np.roll(a, 1)).T,
        (R @ A).T,
        random_matrix(rng, size, size),
    )
    return {"N": depth, "A": A, "B": rng.choice(candidates)}


def _symbols(name: str) -> NumberArray:
    return np.array(sympy.symbols(f"{name}:2:2", real=True), dtype=object).reshape(2, 2)


_P, _Q, _Z = (_symbols(name) for name in "pqz")
_SHIFTED = partial(power_sum, shift=1)
_WITHOUT_LAST = partial(power_sum, left_out=1)
_RNG = random.Random(0)

THEOREMS = (
    Theorem(
        name="depthOperator_one",
        statement=r"\mathcal{A}_1(Z) = Z, \qquad "
        r"\mathcal{A}_N(Z) = \sum_{k=0}^{N-1} P^{N-1-k} Z\, Q^k",
        domain=r"P, Q, Z \in \mathbb{R}^{n \times n}",
        claim=depth_operator_one,
        checks=(
            *exact_checks(_triple, (1,), trials=6),
            Symbolic({"P": _P, "Q": _Q, "Z": _Z}),
        ),
        mutants=(
            Mutant("powers N - k for N - 1 - k", partial(depth_operator_one, operator=_SHIFTED)),
            Mutant(
                "a sum without the last layer",
                partial(depth_operator_one, operator=_WITHOUT_LAST),
            ),
        ),
        references=(ARORA,),
    ),
    Theorem(
        name="depthOperator_two",
        statement=r"\mathcal{A}_2(Z) = P Z + Z Q",
        domain=r"P, Q, Z \in \mathbb{R}^{n \times n}",
        claim=depth_operator_two,
        checks=(
            *exact_checks(_triple, (2,), trials=6),
            Symbolic({"P": _P, "Q": _Q, "Z": _Z}),
        ),
        mutants=(
            Mutant("powers N - k for N - 1 - k", partial(depth_operator_two, operator=_SHIFTED)),
            Mutant(
                "a sum without the last layer",
                partial(depth_operator_two, operator=_WITHOUT_LAST),
            ),
        ),
        references=(ARORA,),
    ),
    Theorem(
        name="depthOperator_apply_singularBasis",
        statement=r"(U^\top \mathcal{A}_N(Z)\, V)_{ij} = \omega_N(a_i, b_j)\, (U^\top Z V)_{ij}, "
        r"\qquad \omega_N(x, y) = \sum_{k=0}^{N-1} x^{N-1-k} y^k",
        domain=r"U^\top U = V^\top V = I,\ P = U \mathrm{diag}(a) U^\top,\ "
        r"Q = V \mathrm{diag}(b) V^\top",
        claim=depth_operator_apply_singular_basis,
        checks=(
            *exact_checks(_diagonalized, DEPTHS),
            Numerical(tuple(_float_diagonalized(size, N) for size in (5, 50) for N in (2, 3, 20))),
        ),
        mutants=(
            Mutant(
                "powers N - k for N - 1 - k",
                partial(depth_operator_apply_singular_basis, operator=_SHIFTED),
            ),
            Mutant(
                "a sum without the last layer",
                partial(depth_operator_apply_singular_basis, operator=_WITHOUT_LAST),
            ),
            Mutant(
                "the weight of depth N + 1",
                partial(depth_operator_apply_singular_basis, extra_depth=1),
            ),
        ),
        references=(ARORA, BAH),
    ),
    Theorem(
        name="depthOperator_self_adjoint",
        statement=r"\langle Y, \mathcal{A}_N(Z) \rangle = \langle Z, \mathcal{A}_N(Y) \rangle, "
        r"\qquad \langle Y, Z \rangle = \sum_{i,j} Y_{ij} Z_{ij}",
        domain=r"P^\top = P,\ Q^\top = Q",
        claim=depth_operator_self_adjoint,
        checks=exact_checks(_symmetric_pair, DEPTHS),
        mutants=(
            Mutant("P not symmetric", partial(depth_operator_self_adjoint, tilt_left=1)),
            Mutant("Q not symmetric", partial(depth_operator_self_adjoint, tilt_right=1)),
        ),
        references=(BAH,),
    ),
    Theorem(
        name="depthOperator_nonneg",
        statement=r"0 \le \langle Z, \mathcal{A}_N(Z) \rangle",
        domain=r"P = A A^\top,\ Q = B^\top B",
        claim=depth_operator_nonneg,
        checks=exact_checks(_factors, DEPTHS),
        mutants=(
            Mutant(
                "symmetric matrices for Gram matrices", partial(depth_operator_nonneg, gram=False)
            ),
            Mutant("strictly positive", partial(depth_operator_nonneg, strict=True)),
        ),
        references=(BAH,),
    ),
    Theorem(
        name="depthOperator_eq_zero_iff",
        statement=r"\mathcal{A}_N(Z) = 0 \iff \langle Z, \mathcal{A}_N(Z) \rangle = 0",
        domain=r"P = A A^\top,\ Q = B^\top B",
        claim=depth_operator_eq_zero_iff,
        checks=exact_checks(_factors, DEPTHS),
        mutants=(
            Mutant(
                "symmetric matrices for Gram matrices",
                partial(depth_operator_eq_zero_iff, gram=False),
            ),
            Mutant(
                "the form without the last layer",
                partial(depth_operator_eq_zero_iff, form_operator=_WITHOUT_LAST),
            ),
        ),
        references=(BAH,),
    ),
    Theorem(
        name="depthOperator_sub",
        statement=r"\mathcal{A}_N(P - Q) = P^N - Q^N",
        domain=r"P, Q \in \mathbb{R}^{n \times n},\ N \ge 0",
        claim=depth_operator_sub,
        checks=(
            *exact_checks(_pair, DEPTHS),
            Symbolic({"N": 3, "P": _P, "Q": _Q}),
        ),
        mutants=(
            Mutant("powers N - k for N - 1 - k", partial(depth_operator_sub, operator=_SHIFTED)),
            Mutant(
                "a sum without the last layer",
                partial(depth_operator_sub, operator=_WITHOUT_LAST),
            ),
        ),
        references=(HIGHAM,),
    ),
    Theorem(
        name="gram_pow_injective",
        statement=r"(A A^\top)^N = (B^\top B)^N \implies A A^\top = B^\top B",
        domain=r"A, B \in \mathbb{R}^{n \times n},\ N \ge 1",
        claim=gram_pow_injective,
        checks=(
            *exact_checks(_root_candidates),
            Numerical(
                tuple({"N": N, "A": random_matrix(_RNG, 4, 4)} for N in (1, 2, 3, 5)),
                "mpmath",
                claim=gram_root_by_eigenvalues,
            ),
        ),
        mutants=(
            Mutant("symmetric matrices for Gram matrices", partial(gram_pow_injective, gram=False)),
            Mutant("N = 0", partial(gram_pow_injective, exponent=0)),
        ),
        references=(HORN_JOHNSON,),
    ),
)
