"""The metric of a balanced deep linear network (``lean/SpectralRank/DeepLinear/Metric.lean``)."""

from __future__ import annotations

import functools
import numbers
from collections.abc import Sequence
from typing import Any

import mpmath
import numpy as np

from spectral_rank.formulas.domain import DomainError, Number, integer, positive, require
from spectral_rank.formulas.elementary import (
    as_ball,
    as_mpmath,
    as_sympy,
    kind_of,
    log,
    rounded,
    sqrt,
)
from spectral_rank.formulas.matrix import NumberArray, fitting, matrix


def depth_weight(N: int, a: Number, b: Number) -> Number:
    """The weight ``sum of a ** (N - 1 - k) * b ** k over k < N`` of depth N on a pair of modes.

    It is the divided difference ``(a ** N - b ** N) / (a - b)``, but no power is subtracted from
    another: floats go through ``expm1`` and ``log1p`` and lose no digits where ``a`` is close to
    ``b``, whatever the depth; all other numbers go through a recursion that doubles the depth.

    Args:
        N: depth, an integer >= 0.
        a: real number of any sign, or an array; ``a ** N`` is the square of a singular value of the
            end-to-end matrix.
        b: as ``a``; the arrays broadcast.

    Returns:
        A number; > 0 if ``N >= 1``, ``a > 0`` and ``b >= 0``.  Exact for ints and Fractions.

    Raises:
        DomainError: if an argument is outside its domain, or a float overflows.

    Source:
        ``SpectralRank.depthWeight``.
    """
    depth = integer("N", N)
    require("a", a, "a finite real number")
    require("b", b, "a finite real number")
    kind = kind_of(a, b)
    if kind == "sympy":
        x, y = as_sympy(a), as_sympy(b)
        return sum((x ** (depth - 1 - k) * y**k for k in range(depth)), 0 * x)
    if kind == "float" and not (_is_exact(a) and _is_exact(b)):
        return _weight_of_floats(depth, a, b)
    convert = {"ball": as_ball, "mpmath": as_mpmath}.get(kind)
    x, y = (v if convert is None or isinstance(v, np.ndarray) else convert(v) for v in (a, b))
    return _weight_by_doubling(depth, x, y)


def _is_exact(value: Number) -> bool:
    """Whether the operators of Python compute with it without rounding, or in a library's kind."""
    if isinstance(value, np.ndarray):
        return bool(value.dtype == object)
    return isinstance(value, numbers.Rational) and not isinstance(value, np.generic)


def _weight_by_doubling(N: int, a: Number, b: Number) -> Number:
    """The weight from ``w(2 m) = w(m) (a^m + b^m)`` and ``w(m + 1) = a w(m) + b^m``."""
    weight = 0 * (a * b)
    power_a = power_b = weight + 1
    for bit in f"{N:b}":
        weight = weight * (power_a + power_b)
        power_a, power_b = power_a * power_a, power_b * power_b
        if bit == "1":
            weight = a * weight + power_b
            power_a, power_b = power_a * a, power_b * b
    return weight


def _weight_of_floats(N: int, a: Number, b: Number) -> Number:
    """``large ** (N - 1) * (1 - ratio ** N) / (1 - ratio)``, the ratio at most 1 in size."""
    x, y = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    large, small = np.where(abs(x) >= abs(y), x, y), np.where(abs(x) >= abs(y), y, x)
    size = np.where(large == 0, 1.0, abs(large))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
        gap = (size - abs(small)) / size
        log_ratio = np.log1p(-gap)
        same_sign = np.sign(small) * np.sign(large) >= 0
        shrinks = same_sign if N % 2 else np.ones_like(same_sign)
        power_gap = np.where(shrinks, -np.expm1(N * log_ratio), 1 + np.exp(N * log_ratio))
        quotient = power_gap / np.where(same_sign, gap, 2 - gap)
        quotient = np.where(same_sign & (gap == 0), N, quotient)
        sign = np.where((large < 0) & (N % 2 == 0), -1.0, 1.0)
        weight = sign * abs(large) ** float(N - 1) * quotient if N else np.zeros_like(x)
    if not np.all(np.isfinite(weight)):
        raise DomainError("a", a, "such that its powers fit in a float")
        weight = weight + 0.0  # an even depth at b = -a gives -0.0
    return weight if weight.ndim else float(weight)


def end_to_end(W: Sequence[NumberArray] | NumberArray, N: int | None = None) -> NumberArray:
    """The product ``W[N - 1] @ ... @ W[1] @ W[0]`` of the first ``N`` layers.

    Args:
        W: layers from the first to the last, at least one: square matrices of one size, as a
            sequence or as an array of three dimensions.
        N: number of layers, an integer >= 0; all of them by default.

    Returns:
        A square matrix, the identity if ``N = 0``.

    Raises:
        DomainError: if an argument is outside its domain, or a float overflows.

    Source:
        ``SpectralRank.endToEnd``.
    """
    if not isinstance(W, Sequence | np.ndarray) or len(W) == 0:
        raise DomainError("W", W, "a sequence of at least one square matrix")
    size = matrix("W", W[0]).shape[0]
    layers = [matrix("W", layer, size, size) for layer in W]
    depth = len(layers) if N is None else integer("N", N, at_most=len(layers))
    if depth == 0:
        return np.eye(size, dtype=layers[0].dtype)

    def product() -> NumberArray:
        return functools.reduce(lambda below, layer: layer @ below, layers[:depth])

    whole: NumberArray = fitting("W", W, product)
    return whole


def logarithmic_mean(x: Number, y: Number) -> Number:
    """The logarithmic mean ``(x - y) / (log x - log y)``, which is ``x`` if ``x = y``.

    It is the weight per layer in the limit of infinite depth (`depthWeight_tendsto_logMean`), has
    no Lean name of its own, and lies between the geometric and the arithmetic mean.

    Args:
        x: number > 0.
        y: number > 0.

    Returns:
        A number between ``x`` and ``y``; a correctly rounded float for floats, ints, Fractions.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        Carlson, The logarithmic mean, American Mathematical Monthly 79 (1972), 615-618.
    """
    positive("x", x)
    positive("y", y)
    kind = kind_of(x, y)
    if kind == "float":
        return rounded("x", logarithmic_mean, x, y)
    if kind == "ball":
        return _mean_of_balls(as_ball(x), as_ball(y))
    convert = {"mpmath": as_mpmath, "sympy": as_sympy}[kind]
    larger, smaller = convert(x), convert(y)
    if larger == smaller:
        return larger
    if kind == "sympy":
        return (larger - smaller) / (log(larger) - log(smaller))
    with mpmath.extradps(mpmath.mp.dps):
        mean = (larger - smaller) / (mpmath.log(larger) - mpmath.log(smaller))
    return +mean


def _mean_of_balls(x: Any, y: Any) -> Any:
    if not x.overlaps(y):
        return (x - y) / (x.log() - y.log())
    # The quotient says nothing about balls that overlap; the neighbouring means enclose it.
    return sqrt(x * y).union((x + y) / 2)
