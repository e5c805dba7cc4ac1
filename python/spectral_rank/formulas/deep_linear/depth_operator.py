"""The operator that depth puts in front of the gradient.

Lean file: ``lean/SpectralRank/DeepLinear/DepthOperator.lean``.
"""

from __future__ import annotations

from spectral_rank.formulas.domain import integer
from spectral_rank.formulas.matrix import NumberArray, fitting, matrix


def depth_operator(N: int, P: NumberArray, Q: NumberArray, Z: NumberArray) -> NumberArray:
    """The sum of ``P ** (N - 1 - k) @ Z @ Q ** k`` over ``k < N``.

    A balanced network of depth ``N`` moves its end-to-end matrix by minus this operator applied to
    the gradient.  The sum is evaluated from the inside out, with two matrix products per layer.

    Args:
        N: depth, an integer >= 0; the sum over no layer is zero.
        P: square matrix, ``n x n``.
        Q: square matrix, ``n x n``.
        Z: square matrix, ``n x n``.

    Returns:
        A matrix, ``n x n``; exact if all entries are ints or Fractions.

    Raises:
        DomainError: if an argument is outside its domain, or a float overflows.

    Source:
        ``SpectralRank.depthOperator``.
    """
    depth = integer("N", N)
    size = len(matrix("P", P))
    P, Q, Z = (matrix(name, X, size, size) for name, X in (("P", P), ("Q", Q), ("Z", Z)))
    total: NumberArray = fitting("N", N, lambda: _from_inside_out(depth, P, Q, Z))
    return total


def _from_inside_out(depth: int, P: NumberArray, Q: NumberArray, Z: NumberArray) -> NumberArray:
    """The sums ``S_0 = 0`` and ``S_(k + 1) = P S_k + Z Q^k``."""
    total, last = 0 * Z, Z
    for k in range(depth):
        last = last @ Q if k else Z
        total = P @ total + last
    return total
