"""Checks of ``lean/SpectralRank/DeepLinear/Metric.lean``: the metric of a balanced network.

`depth_weight` doubles the depth or goes through ``expm1``; the claims compare it with the sum of
its definition, with closed forms, with products of matrices and with its limit.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy
from hypothesis import strategies as st

from spectral_rank.formulas.deep_linear.metric import (
    depth_weight,
    end_to_end,
    logarithmic_mean,
)
from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.elementary import log, power
from spectral_rank.formulas.matrix import NumberArray
from spectral_rank.theorems.claim import Claim, Relation, eq, le, lt
from spectral_rank.theorems.deep_linear.networks import (
    ARORA,
    balanced_network,
    float_balanced_network,
    power_sum,
    stretched,
)
from spectral_rank.theorems.rational_matrices import (
    random_matrix,
    random_orthonormal,
    random_size,
    random_spectrum,
    seeded,
)
from spectral_rank.theorems.strategies import ranks, reals
from spectral_rank.theorems.theorem import (
    Certified,
    Mutant,
    Numerical,
    Point,
    Property,
    Symbolic,
    Theorem,
    grid,
)

CARLSON = "Carlson, The logarithmic mean, American Mathematical Monthly 79 (1972), 615-618"
MENON = "Menon, Yu, An entropy formula for the Deep Linear Network, arXiv:2509.09088"

SYMBOLIC_DEPTHS = range(7)
DEEP = (1, 2, 7, 64, 1000, 10**6)


def definition(N: int, a: Number, b: Number, *, extra: int = 0) -> Number:
    """The sum that defines the weight, term by term; ``extra`` raises each power of ``a``."""
    return sum((a ** (N - 1 - k + extra) * b**k for k in range(N)), 0 * a)


def at_small_depths(claim: Claim, **modes: Number) -> Iterator[Relation]:
    for N in SYMBOLIC_DEPTHS:
        yield from claim(N=N, **modes)


def depth_weight_comm(N: int, a: Number, b: Number, *, extra: int = 0) -> Iterator[Relation]:
    yield eq(definition(N, a, b, extra=extra), depth_weight(N, b, a))


def depth_weight_mul_sub(
    N: int, a: Number, b: Number, *, exponent: int = 0, sign: int = -1
) -> Iterator[Relation]:
    difference = a ** (N + exponent) - b ** (N + exponent)
    yield eq(depth_weight(N, a, b) * (a + sign * b), difference)


def one_more_layer(a: Number, b: Number, p: Number, q: Number) -> Iterator[Relation]:
    """The induction over the depth, with ``p`` for ``a^N`` and ``q`` for ``b^N``."""
    weight = (p - q) / (a - b)
    yield eq((a * weight + q) * (a - b), a * p - b * q)


def depth_weight_self(N: int, a: Number, *, exponent: int = -1) -> Iterator[Relation]:
    yield eq(depth_weight(N, a, a), N * a ** max(N + exponent, 0))


def depth_weight_pos(
    N: int, a: Number, b: Number, *, fewer: int = 0, sign_b: int = 1, scale_a: int = 1
) -> Iterator[Relation]:
    weight = depth_weight(N - fewer, scale_a * a, sign_b * b)
    yield lt(0, weight)
    yield le((scale_a * a) ** (N - 1), weight, "at least its first term")


def metric_of_matrices(
    N: int, U: NumberArray, V: NumberArray, a: NumberArray, b: NumberArray, C: NumberArray
) -> Iterator[Relation]:
    """In the bases ``U`` and ``V`` the metric multiplies entries by weights, so it is positive."""
    Z = U @ C @ V.T
    image = power_sum(N, (U * a) @ U.T, (V * b) @ V.T, Z)
    yield eq(image, U @ (C * depth_weight(N, a[:, None], b[None, :])) @ V.T)
    if np.any(Z):
        yield lt(0, np.sum(Z * image), "its quadratic form")


def depth_weight_one(a: Number, b: Number, *, N: int = 1) -> Iterator[Relation]:
    yield eq(depth_weight(N, a, b), 1)


def depth_weight_two(a: Number, b: Number, *, N: int = 2) -> Iterator[Relation]:
    yield eq(depth_weight(N, a, b), a + b)


def balanced_gram(
    layers: Sequence[NumberArray], *, missing: int = 0, stretch: int = 1, first: bool = False
) -> Iterator[Relation]:
    layers = stretched(layers, stretch)
    product, last = end_to_end(layers), layers[0 if first else -1]
    yield eq(product @ product.T, np.linalg.matrix_power(last @ last.T, len(layers) - missing))


def balanced_gram_right(
    layers: Sequence[NumberArray], *, missing: int = 0, stretch: int = 1, left: bool = False
) -> Iterator[Relation]:
    layers = stretched(layers, stretch, len(layers) - 1)
    product, first = end_to_end(layers), layers[0]
    gram = first @ first.T if left else first.T @ first
    yield eq(product.T @ product, np.linalg.matrix_power(gram, len(layers) - missing))


def balanced_singular_values(seed: int, depth: int) -> Iterator[Relation]:
    """The singular values of a balanced product are powers of those of each layer."""
    layers = float_balanced_network(seed, 4, depth)["W"]
    found = np.linalg.svd(end_to_end(layers), compute_uv=False)
    for k, layer in enumerate(layers):
        yield eq(np.linalg.svd(layer, compute_uv=False) ** depth, found, f"layer {k}")


def depth_weight_tends_to_log_mean(
    N: int, x: Number, y: Number, *, mean: Any = logarithmic_mean
) -> Iterator[Relation]:
    """Two-sided bounds of order 1/N, and a limit extrapolated from N and 2 N of order 1/N^2."""

    def per_layer(depth: int) -> Number:
        roots = (power(value, Fraction(1, depth)) for value in (x, y))
        return depth_weight(depth, *roots) / depth

    limit, smaller, larger = mean(x, y), *((x, y) if x < y else (y, x))
    yield le(limit * power(larger, Fraction(-1, N)), per_layer(N), "lower bound")
    yield le(per_layer(N), limit * power(smaller, Fraction(-1, N)), "upper bound")
    size = max(abs(log(x)), abs(log(y)))
    if 10 * size < N:
        extrapolated = 2 * per_layer(2 * N) - per_layer(N)
        yield le(abs(extrapolated - limit), 4 * limit * (size / N) ** 2, "extrapolated limit")


def depth_weight_tends_to_self(N: int, x: Number, *, exponent: int = 1) -> Iterator[Relation]:
    root = power(x, Fraction(1, N))
    per_layer, limit = depth_weight(N, root, root) / N, x**exponent
    rate = abs(log(x)) / N * max(1 + 0 * x, 1 / root)
    yield le(abs(per_layer - limit), x * rate)


def _balanced_layers(rng: random.Random, size: int) -> Sequence[NumberArray]:
    layers: Sequence[NumberArray] = balanced_network(
        rng, random_size(rng, 0, size), rng.randint(1, 8)
    )["W"]
    return layers


def _metric(rng: random.Random, size: int) -> Point:
    d = random_size(rng, 0, size)
    return {
        "N": rng.randint(1, 5),
        "U": random_orthonormal(rng, d, d),
        "V": random_orthonormal(rng, d, d),
        "a": random_spectrum(rng, d) + Fraction(1, rng.randint(1, 9)),
        "b": random_spectrum(rng, d),
        "C": random_matrix(rng, d, d),
    }


def _listed_layers() -> tuple[Point, ...]:
    return grid(layers=[_balanced_layers(random.Random(seed), 3) for seed in range(12)])


def _arithmetic_mean(x: Number, y: Number) -> Number:
    return (x + y) / 2


def _geometric_mean(x: Number, y: Number) -> Number:
    return power(x * y, Fraction(1, 2))


_a, _b, _p, _q = sympy.symbols("a b p q", real=True)
_positive = sympy.Symbol("a", positive=True)
_nonnegative = sympy.Symbol("b", nonnegative=True)

MODES = st.sampled_from([Fraction(0), Fraction(1), Fraction(-1)]) | reals(-4, 4)
EXACT_DEPTHS = st.integers(0, 24)
LIMIT_DEPTHS = ranks(1, 60) | st.integers(1, 12).map(lambda k: 10**k)
EIGENVALUES = reals(0, 8, open_low=True) | st.integers(-9, 9).map(lambda k: Fraction(10) ** k)
LISTED = (Fraction(-3, 2), Fraction(0), Fraction(999, 1000), Fraction(1), Fraction(1001, 1000))

PAIRS = Property({"N": EXACT_DEPTHS, "a": MODES, "b": MODES}, "exact")
DEEP_PAIRS = Certified(grid(N=(0, *DEEP), a=LISTED[2:], b=LISTED))
SQUARE_DOMAIN = r"N \in \mathbb{N},\ a, b \in \mathbb{R}"
BALANCED = r"W_{k+1}^\top W_{k+1} = W_k W_k^\top \text{ for } 0 \le k < N"

THEOREMS = (
    Theorem(
        name="depthWeight_comm",
        statement=r"\omega_N(a, b) = \omega_N(b, a), "
        r"\qquad \omega_N(a, b) = \sum_{k=0}^{N-1} a^{N-1-k}\, b^k",
        domain=SQUARE_DOMAIN,
        claim=depth_weight_comm,
        checks=(
            Symbolic({"a": _a, "b": _b}, claim=partial(at_small_depths, depth_weight_comm)),
            Certified(grid(N=(0, 1, 2, 64, 300), a=LISTED, b=LISTED)),
            PAIRS,
        ),
        mutants=(Mutant("a^(N - k) for a^(N - 1 - k)", partial(depth_weight_comm, extra=1)),),
    ),
    Theorem(
        name="depthWeight_mul_sub",
        statement=r"\omega_N(a, b)\,(a - b) = a^N - b^N",
        domain=SQUARE_DOMAIN,
        claim=depth_weight_mul_sub,
        checks=(
            Symbolic({"a": _a, "b": _b}, claim=partial(at_small_depths, depth_weight_mul_sub)),
            Symbolic({"a": _a, "b": _b, "p": _p, "q": _q}, claim=one_more_layer),
            DEEP_PAIRS,
            PAIRS,
        ),
        mutants=(
            Mutant("exponent N + 1", partial(depth_weight_mul_sub, exponent=1)),
            Mutant("factor a + b", partial(depth_weight_mul_sub, sign=1)),
        ),
    ),
    Theorem(
        name="depthWeight_self",
        statement=r"\omega_N(a, a) = N\, a^{N-1}",
        domain=r"N \in \mathbb{N},\ a \in \mathbb{R}",
        claim=depth_weight_self,
        checks=(
            Symbolic({"a": _a}, claim=partial(at_small_depths, depth_weight_self)),
            Certified(grid(N=(0, *DEEP), a=LISTED)),
            Property({"N": EXACT_DEPTHS, "a": MODES}, "exact"),
        ),
        mutants=(Mutant("exponent N", partial(depth_weight_self, exponent=0)),),
    ),
    Theorem(
        name="depthWeight_pos",
        statement=r"0 < \omega_N(a, b)",
        domain=r"N \ge 1,\ a > 0,\ b \ge 0",
        claim=depth_weight_pos,
        checks=(
            Symbolic({"N": 5, "a": _positive, "b": _nonnegative}),
            Certified(grid(N=DEEP, a=LISTED[2:], b=LISTED[2:])),
            Property(
                {"N": st.integers(1, 24), "a": reals(0, 4, open_low=True), "b": reals(0, 4)},
                "exact",
            ),
            Property(seeded(_metric, 3), "exact", claim=metric_of_matrices),
        ),
        mutants=(
            Mutant("no layer", partial(depth_weight_pos, fewer=1)),
            Mutant("a = 0", partial(depth_weight_pos, scale_a=0)),
            Mutant("b of any sign", partial(depth_weight_pos, sign_b=-1)),
        ),
        references=(ARORA, MENON),
    ),
    Theorem(
        name="depthWeight_one",
        statement=r"\omega_1(a, b) = 1",
        domain=r"a, b \in \mathbb{R}",
        claim=depth_weight_one,
        checks=(
            Symbolic({"a": _a, "b": _b}),
            Property({"a": MODES, "b": MODES}, "exact"),
        ),
        mutants=(
            Mutant("two layers", partial(depth_weight_one, N=2)),
            Mutant("no layer", partial(depth_weight_one, N=0)),
        ),
    ),
    Theorem(
        name="depthWeight_two",
        statement=r"\omega_2(a, b) = a + b",
        domain=r"a, b \in \mathbb{R}",
        claim=depth_weight_two,
        checks=(
            Symbolic({"a": _a, "b": _b}),
            Property({"a": MODES, "b": MODES}, "exact"),
        ),
        mutants=(
            Mutant("three layers", partial(depth_weight_two, N=3)),
            Mutant("one layer", partial(depth_weight_two, N=1)),
        ),
    ),
    Theorem(
        name="balanced_gram",
        statement=r"P P^\top = (W_N W_N^\top)^{N+1}, \qquad P = W_N \cdots W_1 W_0",
        domain=BALANCED,
        claim=balanced_gram,
        checks=(
            Certified(_listed_layers(), "exact"),
            Property({"layers": seeded(_balanced_layers, 3)}, "exact"),
            Numerical(grid(seed=range(2), depth=range(1, 9)), claim=balanced_singular_values),
        ),
        mutants=(
            Mutant("exponent N", partial(balanced_gram, missing=1)),
            Mutant("Gram matrix of the first layer", partial(balanced_gram, first=True)),
            Mutant("the first layer is not balanced", partial(balanced_gram, stretch=2)),
        ),
        references=(ARORA,),
    ),
    Theorem(
        name="balanced_gram_right",
        statement=r"P^\top P = (W_0^\top W_0)^{N+1}, \qquad P = W_N \cdots W_1 W_0",
        domain=BALANCED,
        claim=balanced_gram_right,
        checks=(
            Certified(_listed_layers(), "exact"),
            Property({"layers": seeded(_balanced_layers, 3)}, "exact"),
        ),
        mutants=(
            Mutant("exponent N", partial(balanced_gram_right, missing=1)),
            Mutant("left Gram matrix", partial(balanced_gram_right, left=True)),
            Mutant("the last layer is not balanced", partial(balanced_gram_right, stretch=2)),
        ),
        references=(ARORA,),
    ),
    Theorem(
        name="depthWeight_tendsto_logMean",
        statement=r"\lim_{N \to \infty} \frac{\omega_N(x^{1/N}, y^{1/N})}{N} "
        r"= \frac{x - y}{\log x - \log y}",
        domain=r"x > 0,\ y > 0,\ x \ne y",
        claim=depth_weight_tends_to_log_mean,
        checks=(
            Certified(
                grid(
                    N=(1, 10, 10**3, 10**6, 10**9),
                    x=(Fraction(1, 1000), Fraction(1), Fraction(9)),
                    y=(Fraction(1, 10), Fraction(1001, 1000), Fraction(10**6)),
                )
            ),
            Property(
                st.fixed_dictionaries(
                    {"N": LIMIT_DEPTHS, "x": EIGENVALUES, "y": EIGENVALUES}
                ).filter(lambda point: point["x"] != point["y"])
            ),
        ),
        mutants=(
            Mutant(
                "the arithmetic mean",
                partial(depth_weight_tends_to_log_mean, mean=_arithmetic_mean),
            ),
            Mutant(
                "the geometric mean", partial(depth_weight_tends_to_log_mean, mean=_geometric_mean)
            ),
        ),
        references=(CARLSON, MENON),
    ),
    Theorem(
        name="depthWeight_tendsto_self",
        statement=r"\lim_{N \to \infty} \frac{\omega_N(x^{1/N}, x^{1/N})}{N} = x",
        domain=r"x > 0",
        claim=depth_weight_tends_to_self,
        checks=(
            Certified(
                grid(
                    N=(1, 10, 10**3, 10**6, 10**9),
                    x=(Fraction(1, 10**6), Fraction(1, 2), Fraction(1001, 1000), Fraction(10**6)),
                )
            ),
            Property({"N": LIMIT_DEPTHS, "x": EIGENVALUES}),
        ),
        mutants=(
            Mutant("1, the limit of the roots", partial(depth_weight_tends_to_self, exponent=0)),
            Mutant("x^2", partial(depth_weight_tends_to_self, exponent=2)),
        ),
        references=(CARLSON,),
    ),
)
