"""Training a balanced network as Riemannian gradient flow of its end-to-end matrix.

``lean/SpectralRank/DeepLinear/EndToEndFlow.lean`` proves that the end-to-end matrix ``W`` of ``N``
balanced layers moves by minus ``depthOperator`` applied to the gradient, with the ``N``-th roots of
``W @ W.T`` and ``W.T @ W``, and that this operator is diagonal in the singular bases of ``W``
(`endToEnd_flow_singularBasis`).  Here it is applied in these bases, which costs the same at every
depth; the inverse operator is the metric.  Matrices are arrays of floats and need not be square.

The depth ``math.inf`` stands for the limit of the operator divided by the depth
(`depthWeight_tendsto_logMean`), whose weights are the logarithmic means of the squared singular
values.  The limit is a statement for positive singular values; it is continued by 0.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from spectral_rank.formulas.deep_linear.metric import depth_weight, logarithmic_mean
from spectral_rank.formulas.domain import DomainError, integer
from spectral_rank.formulas.matrix import NumberArray, fitting, matrix

Floats = NDArray[np.float64]


def gram_roots(N: int, W: NumberArray) -> tuple[Floats, Floats]:
    """The ``N``-th roots of ``W @ W.T`` and of ``W.T @ W``: what `depth_operator` is called with.

    Args:
        N: depth, an integer >= 1.
        W: end-to-end matrix, ``n x m``, of floats.

    Returns:
        Two positive semidefinite matrices, ``n x n`` and ``m x m``.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.endToEnd_gram``, ``endToEnd_gram_right``; unique by ``gram_pow_injective``.
    """
    depth = integer("N", N, at_least=1)
    left, sigma, right = _singular_bases(W)
    rows, cols = (_padded(sigma, len(basis)) ** (2 / depth) for basis in (left, right))
    return (left * rows) @ left.T, (right * cols) @ right.T


def metric_weights(N: float, W: NumberArray) -> Floats:
    """The weight of each pair of singular directions of ``W`` at depth ``N``.

    Args:
        N: depth, an integer >= 1, or ``math.inf`` for the limit of the weights per layer.
        W: end-to-end matrix, ``n x m``, of floats.

    Returns:
        An array ``n x m``, each entry >= 0: ``depth_weight(N, a_i, a_j)`` with
        ``a_i = sigma_i ** (2 / N)``, or the logarithmic mean of ``sigma_i ** 2, sigma_j ** 2``.
        Directions beyond the smaller side of ``W`` have the singular value 0.

    Raises:
        DomainError: if an argument is outside its domain, or a float overflows.

    Source:
        ``SpectralRank.endToEnd_flow_singularBasis``, ``depthWeight_tendsto_logMean``.
    """
    left, sigma, right = _singular_bases(W)
    return _weights(N, _padded(sigma, len(left)), _padded(sigma, len(right)))


def riemannian_gradient(N: float, W: NumberArray, G: NumberArray) -> Floats:
    """The gradient ``A_(N,W)(G)`` of a loss in the metric of depth ``N``.

    Gradient flow of ``N`` balanced layers moves their product by minus this.

    Args:
        N: depth, an integer >= 1, or ``math.inf`` for the limit of ``A_(N,W)(G) / N``.
        W: end-to-end matrix, ``n x m``, of floats.
        G: gradient of the loss with respect to the entries of ``W``, ``n x m``.

    Returns:
        A matrix, ``n x m``.

    Raises:
        DomainError: if an argument is outside its domain, or a float overflows.

    Source:
        ``SpectralRank.endToEnd_flow``, ``depthOperator_apply_singularBasis``.
    """
    left, sigma, right = _singular_bases(W)
    gradient = matrix("G", G, len(left), len(right)).astype(np.float64)
    weights = _weights(N, _padded(sigma, len(left)), _padded(sigma, len(right)))
    moved: Floats = fitting(
        "G", G, lambda: left @ (weights * (left.T @ gradient @ right)) @ right.T
    )
    return moved


def euclidean_gradient(N: float, W: NumberArray, V: NumberArray) -> Floats:
    """The inverse of `riemannian_gradient`: the matrix ``G`` with ``A_(N,W)(G) = V``.

    Args:
        N: depth, an integer >= 1, or ``math.inf``.
        W: end-to-end matrix, ``n x m``, of floats, such that no weight is 0: any matrix at depth 1,
            one of full rank ``min(n, m)`` above; one that is square and invertible at infinity.
        V: velocity, ``n x m``.

    Returns:
        A matrix, ``n x m``.

    Raises:
        DomainError: if an argument is outside its domain, or a float overflows.

    Source:
        ``SpectralRank.depthOperator_eq_zero_iff`` says where the operator has a kernel.
    """
    left, sigma, right = _singular_bases(W)
    velocity = matrix("V", V, len(left), len(right)).astype(np.float64)
    weights = _weights(N, _padded(sigma, len(left)), _padded(sigma, len(right)))
    if np.any(weights == 0):
        raise DomainError("W", W, f"a matrix whose metric weights at depth {N} are all positive")
    pulled: Floats = fitting(
        "V", V, lambda: left @ ((left.T @ velocity @ right) / weights) @ right.T
    )
    return pulled


def riemannian_inner(N: float, W: NumberArray, X: NumberArray, Y: NumberArray) -> float:
    """The metric ``<X, A_(N,W)^-1 (Y)>`` at ``W`` on two velocities.

    Args:
        N: depth, an integer >= 1, or ``math.inf``.
        W: end-to-end matrix as in `euclidean_gradient`.
        X: velocity, ``n x m``.
        Y: velocity, ``n x m``.

    Returns:
        A number, > 0 if ``X`` and ``Y`` are the same matrix other than 0.

    Raises:
        DomainError: if an argument is outside its domain, or a float overflows.
    """
    dual = euclidean_gradient(N, W, Y)
    velocity = matrix("X", X, *dual.shape)
    return float(fitting("X", X, lambda: np.sum(velocity * dual)))


def _weights(N: float, rows: Floats, cols: Floats) -> Floats:
    """The weights between the singular values of the left and of the right basis."""
    if math.isinf(N) and N > 0:
        positive = (rows[:, None] > 0) & (cols > 0)
        squares = np.broadcast_arrays(rows[:, None] ** 2, cols**2)
        weights = np.zeros(positive.shape)
        if positive.any():
            weights[positive] = logarithmic_mean(*(square[positive] for square in squares))
        return weights
    depth = integer("N", N, at_least=1)
    modes_of_rows, modes_of_cols = rows ** (2 / depth), cols ** (2 / depth)
    return np.asarray(depth_weight(depth, modes_of_rows[:, None], modes_of_cols))


def _singular_bases(W: NumberArray) -> tuple[Floats, Floats, Floats]:
    """Complete left basis, singular values, complete right basis (its columns the vectors)."""
    whole = matrix("W", W)
    if whole.dtype.kind != "f":
        raise DomainError("W", W, "a matrix of floats")
    left, sigma, right = np.linalg.svd(whole.astype(np.float64))
    return left, sigma, right.T


def _padded(sigma: Floats, size: int) -> Floats:
    """The singular values followed by zeros, as many as the basis has vectors."""
    return np.pad(sigma, (0, size - len(sigma)))
