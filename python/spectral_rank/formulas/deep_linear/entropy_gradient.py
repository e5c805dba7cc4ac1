"""The gradient of the entropy of a deep linear network (``entropy.py`` beside this file).

No Lean theorem stands behind this file, as none stands behind the entropy.  With
``u_ij = (2 / N) log(sigma_i / sigma_j)`` the derivative of ``log depth_weight(N, a_i, a_j)`` with
respect to ``log a_i`` is ``N h(N u_ij) - h(u_ij)``, where ``h(x) = 1 / (1 - exp(-x)) - 1 / x`` is
smooth; the poles of the two divided differences at equal singular values cancel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_rank.formulas.domain import DomainError, integer
from spectral_rank.formulas.elementary import kind_of
from spectral_rank.formulas.matrix import NumberArray, matrix
from spectral_rank.formulas.vector import vector

Floats = NDArray[np.float64]

SERIES_RADIUS = 0.1
"""Below it ``h`` is its Taylor series, whose first term left out is under 1e-16."""


def entropy_gradient(N: int, sigma: Any) -> Floats:
    """The partial derivatives of ``entropy(N, sigma)`` with respect to the singular values.

    Args:
        N: depth, an integer >= 1.
        sigma: the singular values, a vector of ``d`` floats, ints or Fractions > 0 in any order,
            equal ones included.

    Returns:
        An array of ``d`` floats, in the order of ``sigma``.  Multiplied by ``sigma`` they add up to
        ``(N - 1) / N * d (d - 1) / 2``, since the entropy is homogeneous.

    Raises:
        DomainError: if an argument is outside its domain, or a derivative overflows.

    Source:
        The formula of Menon and Yu, arXiv:2509.09088, differentiated.  No Lean theorem.
    """
    depth = integer("N", N, at_least=1)
    values = vector("sigma", sigma, entries="finite real numbers > 0", holds=lambda s: s > 0)
    if kind_of(*values) != "float":
        raise DomainError("sigma", sigma, "floats, ints or Fractions")
    values = values.astype(np.float64)
    logs = np.log(values)
    gap = 2 / depth * (logs[:, None] - logs)
    slopes = depth * _smooth_part(depth * gap) - _smooth_part(gap)
    np.fill_diagonal(slopes, 0.0)
    with np.errstate(over="ignore"):
        gradient: Floats = slopes.sum(axis=1) / depth / values
    if not np.all(np.isfinite(gradient)):
        raise DomainError("sigma", sigma, "such that the derivatives fit in a float")
    return gradient


def entropy_matrix_gradient(N: int, W: NumberArray) -> Floats:
    """The gradient of the entropy with respect to the entries of the end-to-end matrix.

    Args:
        N: depth, an integer >= 1.
        W: invertible matrix, ``d x d``, of floats.

    Returns:
        ``U @ diag(entropy_gradient(N, sigma)) @ V.T`` for ``W = U @ diag(sigma) @ V.T``.

    Raises:
        DomainError: if an argument is outside its domain.
    """
    whole = matrix("W", W)
    if whole.dtype.kind != "f" or whole.shape[0] != whole.shape[1]:
        raise DomainError("W", W, "a square matrix of floats")
    left, sigma, right = np.linalg.svd(whole.astype(np.float64))
    if np.any(sigma == 0):
        raise DomainError("W", W, "invertible")
    gradient: Floats = (left * entropy_gradient(N, sigma)) @ right
    return gradient


def _smooth_part(x: Floats) -> Floats:
    """``h(x) = 1 / (1 - exp(-x)) - 1 / x``, increasing from 0 to 1, with ``h(0) = 1/2``."""
    small = abs(x) < SERIES_RADIUS
    series = 0.5 + x / 12 - x**3 / 720 + x**5 / 30240 - x**7 / 1209600
    far = np.where(small, 1.0, x)
    with np.errstate(over="ignore"):
        quotient = -1 / np.expm1(-far) - 1 / far
    return np.where(small, series, quotient)
