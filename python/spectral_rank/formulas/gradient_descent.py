"""Gradient descent on a quadratic (``lean/SpectralRank/GradientDescent.lean``).

The quadratic is written in its eigenbasis, where its curvatures ``lam`` are a vector and every
coordinate of the iteration moves on its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spectral_rank.formulas.domain import DomainError, Number, integer, require
from spectral_rank.formulas.elementary import power
from spectral_rank.formulas.vector import Vector, in_one_arithmetic, result_must_fit, vector


def quadratic_loss(lam: Any, x: Any) -> Number:
    """The quadratic ``1/2 * sum(lam_i * x_i ** 2)`` with curvatures ``lam``, in its eigenbasis.

    Args:
        lam: curvatures, a vector of real numbers of any sign.
        x: point, a vector of the same length.

    Returns:
        A number; >= 0 if no curvature is negative.

    Raises:
        DomainError: if an argument is outside its domain, or floats overflow.

    Source:
        ``SpectralRank.quadraticLoss``.
    """
    lam = vector("lam", lam)
    lam, x = in_one_arithmetic(lam=lam, x=vector("x", x, length=len(lam)))
    with result_must_fit("x", x) as checked:
        return checked(np.sum(lam * x**2) / 2)


def gd_step(eta: Number, lam: Any, x: Any) -> Vector:
    """One step of gradient descent on the quadratic with curvatures ``lam``.

    Args:
        eta: learning rate, any real number.
        lam: curvatures, a vector of real numbers of any sign.
        x: point, a vector of the same length.

    Returns:
        The next point ``x - eta * (lam * x)``, of the same shape.

    Raises:
        DomainError: if an argument is outside its domain, or floats overflow.

    Source:
        ``SpectralRank.gdStep``.
    """
    return _iterate("x", eta, lam, x, 1)


def gd_iterate(eta: Number, lam: Any, x0: Any, k: int) -> Vector:
    """The point that ``k`` steps of gradient descent reach from ``x0``, step by step.

    Args:
        eta: learning rate, any real number.
        lam: curvatures, a vector of real numbers of any sign.
        x0: starting point, a vector of the same length.
        k: number of steps, an integer >= 0.

    Returns:
        A new vector of the shape of ``x0``.

    Raises:
        DomainError: if an argument is outside its domain, or floats overflow.

    Source:
        ``SpectralRank.gdIterate``.
    """
    return _iterate("x0", eta, lam, x0, integer("k", k))


def _iterate(argument: str, eta: Number, lam: Any, start: Any, k: int) -> Vector:
    """``k`` steps from ``start``, which is called ``argument`` in an error message."""
    require("eta", eta, "a finite real number")
    lam = vector("lam", lam)
    x = vector(argument, start, length=len(lam))
    eta, lam, x = in_one_arithmetic(eta=eta, lam=lam, **{argument: x})
    with result_must_fit(argument, start) as checked:
        for _ in range(k):
            x = x - eta * (lam * x)
        reached: Vector = checked(x.copy())
    return reached


def power_law_curvature(alpha: Number, r: int) -> Vector:
    """The curvatures of the first ``r`` directions of the power-law spectrum.

    Args:
        alpha: exponent, any real number.
        r: number of directions, an integer >= 0.

    Returns:
        The vector ``sigma_1 ** 2, ..., sigma_r ** 2``, ``sigma_i = i ** -alpha``; exact Fractions
        if ``alpha`` is a Fraction and ``2 alpha`` an integer.

    Raises:
        DomainError: if an argument is outside its domain, or floats overflow.

    Source:
        ``SpectralRank.powerLawCurvature``.
    """
    require("alpha", alpha, "a finite real number")
    r = integer("r", r)
    curvatures = np.empty(r, object)
    try:
        curvatures[:] = [power(i, -2 * alpha) for i in range(1, r + 1)]
    except DomainError:
        raise DomainError("alpha", alpha, f"such that {r} ** (-2 alpha) fits in a float") from None
    converted: Vector = in_one_arithmetic(alpha=curvatures)[0]
    return converted
