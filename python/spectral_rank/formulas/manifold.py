"""The manifold of matrices of rank ``r`` (``lean/SpectralRank/RankManifold.lean``).

Matrices are read as in ``formulas/matrix.py``; exact entries give exact results.
"""

from __future__ import annotations

from spectral_rank.formulas.domain import integer
from spectral_rank.formulas.matrix import NumberArray, fitting, matrix


def factor_differential(
    U: NumberArray, V: NumberArray, A: NumberArray, B: NumberArray
) -> NumberArray:
    """The differential of the product ``U V`` in the direction ``(A, B)``: ``A V + U B``.

    Its range over all directions is the tangent space of the matrices of rank ``r`` at ``U V``, if
    both factors have full rank.

    Args:
        U: left factor, shape ``(m, r)``; ``m``, ``n`` and ``r`` may be 0.
        V: right factor, shape ``(r, n)``.
        A: direction of the left factor, shape ``(m, r)``.
        B: direction of the right factor, shape ``(r, n)``.

    Returns:
        A matrix of shape ``(m, n)``.

    Raises:
        DomainError: if an argument is not a matrix of its shape, or a float overflows.

    Source:
        ``SpectralRank.factorDifferential``.
    """
    U, V = _factors(U, V)
    A, B = matrix("A", A, *U.shape), matrix("B", B, *V.shape)
    image: NumberArray = fitting("A", A, lambda: A @ V + U @ B)
    return image


def gauge_map(U: NumberArray, V: NumberArray, G: NumberArray) -> tuple[NumberArray, NumberArray]:
    """The gauge direction ``(U G, -G V)``, which moves the factors but not their product.

    It is the derivative at ``t = 0`` of the factors ``U exp(t G)`` and ``exp(-t G) V``.

    Args:
        U: left factor, shape ``(m, r)``.
        V: right factor, shape ``(r, n)``.
        G: any matrix of shape ``(r, r)``.

    Returns:
        The direction of the left and of the right factor, of shapes ``(m, r)`` and ``(r, n)``.

    Raises:
        DomainError: if an argument is not a matrix of its shape, or a float overflows.

    Source:
        ``SpectralRank.gaugeMap``.
    """
    U, V = _factors(U, V)
    G = matrix("G", G, U.shape[1], U.shape[1])
    return fitting("G", G, lambda: U @ G), fitting("G", G, lambda: -(G @ V))


def _factors(U: NumberArray, V: NumberArray) -> tuple[NumberArray, NumberArray]:
    U = matrix("U", U)
    return U, matrix("V", V, rows=U.shape[1])


def rank_dim(m: int, n: int, r: int) -> int:
    """The dimension ``r (m + n - r)`` of the manifold of ``m x n`` matrices of rank ``r``.

    Args:
        m: number of rows, an integer >= 0.
        n: number of columns, an integer >= 0.
        r: rank, 0 <= r <= min(m, n): no matrix has a larger one.

    Returns:
        An integer between 0 and ``m n``.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.rankDim`` (which Lean also evaluates, without a meaning, above min(m, n)).
    """
    m, n = integer("m", m), integer("n", n)
    r = integer("r", r, at_most=min(m, n))
    return r * (m + n - r)
