"""The entropy of a deep linear network: the log volume of its balanced factorizations.

No Lean theorem stands behind this file.  The formula is the entropy formula of Menon and Yu, An
entropy formula for the Deep Linear Network (arXiv:2509.09088).  ``theory/DeepLinear/Entropy.md``
derives it, and the tests compare it with the Gram determinant of the tangent vectors of the orbit.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import flint
import mpmath
import numpy as np
import sympy

from spectral_rank.formulas.deep_linear.metric import depth_weight
from spectral_rank.formulas.domain import Number, integer
from spectral_rank.formulas.elementary import Kind, kind_of, log, power
from spectral_rank.formulas.vector import in_one_arithmetic, vector


def log_orthogonal_volume(d: int, kind: Kind = "float") -> Number:
    """The logarithm of the volume ``c_d`` of the orthogonal group ``O(d)``, both components.

    The metric is the one that ``O(d)`` inherits from the Frobenius norm.  The group is a tower of
    spheres, since ``O(d) / O(d - 1)`` is the unit sphere of ``R ** d``; a rotation by a small angle
    in a plane has ``sqrt(2)`` times that angle as its Frobenius length, and there are
    ``d (d - 1) / 2`` coordinate planes.

    Args:
        d: width, an integer >= 0.
        kind: kind of number of the result: ``"float"``, ``"mpmath"``, ``"sympy"`` or ``"ball"``.

    Returns:
        ``d (d - 1) / 4 log 2 + sum over 1 <= k <= d of log(2 pi ** (k / 2) / Gamma(k / 2))``.

    Raises:
        DomainError: if ``d`` is outside its domain.

    Source:
        The area ``2 pi ** (k / 2) / Gamma(k / 2)`` of the unit sphere of ``R ** k``.  No Lean name.
    """
    d = integer("d", d)
    libraries: dict[Kind, tuple[Number, Number, Any]] = {
        "float": (1.0, math.pi, math.lgamma),
        "ball": (flint.arb(1), flint.arb.pi(), flint.arb.lgamma),
        "mpmath": (mpmath.mpf(1), +mpmath.pi, mpmath.loggamma),
        "sympy": (sympy.Integer(1), sympy.pi, sympy.loggamma),
    }
    one, pi, log_gamma = libraries[kind]
    volume = (d * (d - 1) // 2) * log(2 * one) / 2
    for k in range(1, d + 1):
        volume = volume + log(2 * one) + k * log(pi) / 2 - log_gamma(k * one / 2)
    return volume


def entropy(N: int, sigma: Any) -> Number:
    """The entropy ``(N - 1) log c_d + 1/2 sum over i < j of log depth_weight(N, a_i, a_j)``.

    Here ``a_i = sigma_i ** (2 / N)``, and ``c_d`` is the volume of ``O(d)``.  It is the logarithm
    of the volume of all balanced factorizations into ``N`` layers of an invertible end-to-end
    matrix with the singular values ``sigma``: an orbit of ``O(d) ** (N - 1)``, with the metric of
    the Frobenius norm of all layers together.

    Args:
        N: depth, an integer >= 1.
        sigma: the singular values, a vector of ``d`` numbers > 0 in any order, equal ones included.

    Returns:
        A real number; 0 for a single layer.  A float for floats, ints and Fractions.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        Menon and Yu, arXiv:2509.09088.  No Lean theorem.
    """
    depth = integer("N", N, at_least=1)
    values = vector("sigma", sigma, entries="finite real numbers > 0", holds=lambda s: s > 0)
    kind = kind_of(*values)
    if kind == "float":
        values = np.sort(values.astype(np.float64))[::-1]
        first, second = np.triu_indices(len(values), 1)
        pairs: Any = float(np.sum(_log_weight(depth, values[first], values[second])))
    else:
        (values,) = in_one_arithmetic(sigma=values)
        pairs = sum(_log_weight(depth, s, r) for s, r in itertools.combinations(values, 2))
    return (depth - 1) * log_orthogonal_volume(len(values), kind) + pairs / 2


def _log_weight(N: int, s: Number, r: Number) -> Number:
    """``log depth_weight(N, s ** (2 / N), r ** (2 / N))``, its larger mode ``s`` scaled to 1."""
    ratio = power(r / s, Fraction(2, N))
    return 2 * (N - 1) * log(s) / N + log(depth_weight(N, 1, ratio))
