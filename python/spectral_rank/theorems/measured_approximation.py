"""Checks of ``lean/SpectralRank/MeasuredApproximation.lean``: matrices with a measured spectrum.

The error of an approximation is computed from the matrices, entry by entry; what it is compared
with comes from the spectrum, its envelope, or a certificate between integers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from spectral_rank.formulas.best_approximation import frobenius_sq, spectral_matrix
from spectral_rank.formulas.capture import captured
from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.elementary import as_ball
from spectral_rank.formulas.envelope import explained
from spectral_rank.formulas.matrix import NumberArray
from spectral_rank.theorems.best_approximation import (
    VECTORS,
    Factors,
    best_factors,
    changed,
    factors_near,
)
from spectral_rank.theorems.claim import Relation, eq, holds, le, le_or_tie
from spectral_rank.theorems.eckart_young import ECKART_YOUNG
from spectral_rank.theorems.enclosure import tightest_numerator
from spectral_rank.theorems.envelope import (
    SLACK,
    any_exponent,
    envelope_around,
    envelope_point,
    inside_envelope,
    integral_exponent,
    spectrum_near_law,
)
from spectral_rank.theorems.power_law import APOSTOL
from spectral_rank.theorems.rational_matrices import (
    Decomposition,
    random_decomposition,
    random_orthonormal,
    rational_array,
    rational_identity,
    seeded,
)
from spectral_rank.theorems.strategies import FloatArray, generators, matrices, orthonormal, reals
from spectral_rank.theorems.theorem import Certified, Point, Property, Theorem

FLOAT_ATOL = 1e-12
"""Float errors of a share of the energy."""

Constants = tuple[Number, Number]


def relative_error_explained(
    svd: Decomposition, r: int, factors: Factors, *, shift: int = 0, root: bool = False
) -> Iterator[Relation]:
    U, s, V = svd
    A = spectral_matrix(s, U, V)
    energy = frobenius_sq(A)
    missed = 1 - explained(s, min(r + shift, len(s)), len(s))
    best, other = (frobenius_sq(A - X @ Y) / energy for X, Y in (best_factors(svd, r), factors))
    yield eq(best * best if root else best, missed, "attained", atol=FLOAT_ATOL)
    yield le(missed, other, "least", atol=FLOAT_ATOL)


def exists_approximation(
    svd: Decomposition,
    alpha: Number,
    constants: Constants,
    r: int,
    *,
    exponent: int = 2,
    fewer: int = 0,
) -> Iterator[Relation]:
    """The witness is the truncation of the matrix."""
    (U, s, V), (c, C) = svd, constants
    A = spectral_matrix(s, U, V)
    X, Y = best_factors(svd, max(r - fewer, 0))
    missed = 1 - captured(alpha, r, len(s))
    yield inside_envelope(alpha, s, constants)
    bound = (C / c) ** exponent * missed * frobenius_sq(A)
    yield le_or_tie(frobenius_sq(A - X @ Y), bound, r == len(s), atol=FLOAT_ATOL * _scale(s))


def error_ge_of_rank(
    svd: Decomposition,
    alpha: Number,
    constants: Constants,
    r: int,
    factors: Factors,
    *,
    exponent: int = 2,
    shift: int = 0,
) -> Iterator[Relation]:
    (U, s, V), (c, C), (X, Y) = svd, constants, factors
    A = spectral_matrix(s, U, V)
    missed = 1 - captured(alpha, max(r - shift, 0), len(s))
    yield inside_envelope(alpha, s, constants)
    bound = (c / C) ** exponent * missed * frobenius_sq(A)
    yield le(bound, frobenius_sq(A - X @ Y), atol=FLOAT_ATOL * _scale(s))


def exists_approximation_of_cert(
    svd: Decomposition,
    alpha: Number,
    constants: Constants,
    r: int,
    certificate: tuple[int, int, int],
    *,
    exponent: int = 2,
    exchanged: bool = False,
) -> Iterator[Relation]:
    """The tightest certified bound ``p / q`` for an exponent ``a <= alpha``."""
    (U, s, V), (c, C), (u, v, q) = svd, constants, certificate
    theorem = "InEnvelope.exists_approximation_of_cert"
    p, inequality = tightest_numerator(theorem, u, v, (r,), q, exchanged=exchanged)
    yield inequality
    corner = as_ball((Fraction(u, v) + 1) / 2)
    yield holds(not corner > as_ball(alpha), "a <= alpha")
    yield inside_envelope(alpha, s, constants)
    A = spectral_matrix(s, U, V)
    X, Y = best_factors(svd, r)
    bound = (C / c) ** exponent * p / q * frobenius_sq(A)
    yield le(frobenius_sq(A - X @ Y), bound)


def _scale(s: NumberArray) -> float:
    return float(np.sum(s * s))


def _measured(rng: random.Random, size: int, alpha: Fraction, slack: Fraction) -> dict[str, Any]:
    """A matrix whose sorted singular values lie in an envelope, and a rank."""
    s = np.sort(spectrum_near_law(rng, alpha, rng.randint(1, size)))[::-1]
    U, V = (random_orthonormal(rng, rng.randint(len(s), size), len(s)) for _ in range(2))
    point = envelope_point(rng, alpha, s, slack)
    return {"svd": (U, point.pop("s"), V), **point}


def _exact(rng: random.Random, size: int) -> dict[str, Any]:
    """An integral exponent, and the tightest envelope."""
    return _measured(rng, size, integral_exponent(rng), Fraction(0))


def _balls(rng: random.Random, size: int) -> dict[str, Any]:
    return _measured(rng, size, any_exponent(rng), SLACK)


def _with_factors(rng: random.Random, point: dict[str, Any]) -> dict[str, Any]:
    best = best_factors(point["svd"], point["r"])
    return {**point, "factors": factors_near(rng, best, point["r"])}


def _exact_with_factors(rng: random.Random, size: int) -> dict[str, Any]:
    return _with_factors(rng, _exact(rng, size))


def _balls_with_factors(rng: random.Random, size: int) -> dict[str, Any]:
    return _with_factors(rng, _balls(rng, size))


def _nonzero(rng: random.Random, size: int) -> dict[str, Any]:
    """Any spectrum that is not zero, vanishing values included."""
    U, s, V = random_decomposition(rng, size)
    if not np.any(s):
        return _nonzero(rng, size)
    return _with_factors(rng, {"svd": (U, s, V), "r": rng.randint(0, len(s))})


def _certified(rng: random.Random, size: int) -> dict[str, Any]:
    """A certificate at an exponent up to that of the envelope, close to 1/2 included."""
    u, v = rng.randint(1, 40), rng.randint(1, 20)
    alpha = (Fraction(u, v) + 1) / 2 + rng.choice((Fraction(0), Fraction(rng.randint(0, 100), 50)))
    point = _measured(rng, size, alpha, SLACK)
    point["r"] = rng.randint(1, len(point["svd"][1]))
    return {**point, "certificate": (u, v, rng.choice((1, 7, 1000, 10**6)))}


def _float_svd(A: FloatArray, share: Fraction, rng: np.random.Generator) -> dict[str, Any]:
    """What numpy finds in a random matrix, with the best ``Y`` for a random ``X``."""
    A = A + 1.0 * np.eye(*A.shape) if not np.any(A) else A
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    r = round(share * len(s))
    X = rng.standard_normal((len(A), r))
    factors = X, (np.linalg.lstsq(X, A)[0] if r else X.T @ A)
    return {"svd": (U, s, Vt.T), "r": r, "factors": factors}


def _float_measured(n: int, alpha: float, rng: np.random.Generator) -> dict[str, Any]:
    """A matrix built inside an envelope; its singular values are those that numpy finds in it."""
    values = np.arange(1.0, n + 1) ** -alpha * rng.uniform(1, 3, n)
    A = orthonormal(rng, n + 3, n) * values @ orthonormal(rng, n + 1, n).T
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    U, s, Vt = U[:, :n], s[:n], Vt[:n]
    quotients = s * np.arange(1.0, n + 1) ** alpha
    constants = float(quotients.min()) * (1 - 1e-12), float(quotients.max()) * (1 + 1e-12)
    return {"svd": (U, s, Vt.T), "alpha": alpha, "constants": constants, "r": int(rng.integers(n))}


def _float_with_factors(n: int, alpha: float, rng: np.random.Generator) -> dict[str, Any]:
    point = _float_measured(n, alpha, rng)
    U, s, V = point["svd"]
    X = rng.standard_normal((len(U), point["r"]))
    A = spectral_matrix(s, U, V)
    return {**point, "factors": (X, np.linalg.lstsq(X, A)[0] if point["r"] else X.T @ A)}


_SPECTRA = tuple(
    rational_array(s) for s in ([3, "1/2", "1/3"], [1, "3/2", "1"], [1, "1/2", "1/3"], [10, 1, 1])
)


def _chosen(alpha: int, s: NumberArray, r: int) -> Point:
    s = np.sort(s)[::-1]
    constants = envelope_around(Fraction(alpha), s, Fraction(0))
    return {
        "svd": (VECTORS[1][0], s, VECTORS[1][1]),
        "alpha": Fraction(alpha),
        "constants": constants,
        "r": r,
    }


MEASURED = tuple(
    _chosen(alpha, s, r) for alpha in (0, 1, 2, 3) for s in _SPECTRA for r in (0, 1, 2, 3)
)
APPROXIMATED = tuple({**p, "factors": best_factors(p["svd"], p["r"])} for p in MEASURED)
_FLAT_START = rational_array([1, *(Fraction(8, i**3) for i in range(2, 9))])
"""At the lower edge of its envelope first and at the upper one after: the worst case."""

CERTIFIED = (
    {
        "svd": (rational_identity(8), _FLAT_START, rational_identity(8)),
        "alpha": Fraction(3),
        "constants": (Fraction(1), Fraction(8)),
        "r": 3,
        "certificate": (5, 1, 10**6),
    },
    *(
        {**p, "certificate": (u, v, 1000)}
        for p in MEASURED
        for u, v in ((1, 1), (3, 1), (1, 10), (5, 2))
        if p["r"] >= 1 and Fraction(u, v) + 1 <= 2 * p["alpha"]
    ),
)
RELATIVE = tuple({name: p[name] for name in ("svd", "r", "factors")} for p in APPROXIMATED)

_FLOATS = (st.integers(1, 6), st.floats(-1.0, 3.0), generators())

_MATRIX = (
    r"A = U \mathrm{diag}(s_1, \dots, s_n) V^{\mathsf T},\ s_1 \ge s_2 \ge \dots \ge 0,\ "
    r"U \in \mathbb{R}^{m \times n},\ V \in \mathbb{R}^{l \times n},\ "
    r"U^{\mathsf T} U = V^{\mathsf T} V = 1,\ "
    r"X \in \mathbb{R}^{m \times r},\ Y \in \mathbb{R}^{r \times l}"
)
_ENVELOPE = r",\ c > 0,\ c i^{-\alpha} \le s_i \le C i^{-\alpha} \ (1 \le i \le n)"


_RATIO = ("the ratio of the constants for its square", {"exponent": 1})

THEOREMS = (
    Theorem(
        name="relative_error_explained",
        statement=r"\min_{X, Y} \frac{\lVert A - X Y \rVert_F^2}{\lVert A \rVert_F^2} = "
        r"1 - \mathrm{explained}(s, r, n)",
        domain=_MATRIX + r",\ A \ne 0,\ r \le n",
        claim=relative_error_explained,
        checks=(
            Certified(RELATIVE, "exact"),
            Property(seeded(_nonzero, max_size=3), "exact"),
            Property(st.builds(_float_svd, matrices(), reals(0, 1), generators()), "float"),
        ),
        mutants=changed(
            relative_error_explained,
            ("what rank r + 1 explains", {"shift": 1}),
            ("the square of the relative error", {"root": True}),
        ),
        references=(ECKART_YOUNG,),
    ),
    Theorem(
        name="InEnvelope.exists_approximation",
        statement=r"\exists X, Y:\ \lVert A - X Y \rVert_F^2 \le \Bigl(\frac{C}{c}\Bigr)^2 "
        r"\bigl(1 - \mathrm{captured}_\alpha(r, n)\bigr) \lVert A \rVert_F^2",
        domain=_MATRIX + _ENVELOPE + r",\ n \ge 1,\ r \le n",
        claim=exists_approximation,
        checks=(
            Certified(MEASURED, "exact"),
            Property(seeded(_exact), "exact"),
            Property(seeded(_balls, max_size=3)),
            Property(st.builds(_float_measured, *_FLOATS), "float"),
        ),
        mutants=changed(
            exists_approximation, _RATIO, ("an approximation of rank r - 1", {"fewer": 1})
        ),
        references=(ECKART_YOUNG, APOSTOL),
    ),
    Theorem(
        name="InEnvelope.exists_approximation_of_cert",
        statement=r"a \le \alpha,\ (v q)^v \le (p u)^v\, r^u \implies \exists X, Y:\ "
        r"\lVert A - X Y \rVert_F^2 \le \Bigl(\frac{C}{c}\Bigr)^2 \frac{p}{q} "
        r"\lVert A \rVert_F^2",
        domain=_MATRIX
        + _ENVELOPE
        + r",\ a = \tfrac12\bigl(\tfrac{u}{v} + 1\bigr),\ u, v, r, q > 0,\ p \ge 0,\ r \le n",
        claim=exists_approximation_of_cert,
        checks=(Certified(CERTIFIED, "exact"), Property(seeded(_certified))),
        mutants=changed(
            exists_approximation_of_cert,
            ("u and v exchanged in the certificate", {"exchanged": True}),
            _RATIO,
        ),
        references=(ECKART_YOUNG, APOSTOL),
    ),
    Theorem(
        name="InEnvelope.error_ge_of_rank",
        statement=r"\Bigl(\frac{c}{C}\Bigr)^2 \bigl(1 - \mathrm{captured}_\alpha(r, n)\bigr) "
        r"\lVert A \rVert_F^2 \le \lVert A - X Y \rVert_F^2",
        domain=_MATRIX + _ENVELOPE + r",\ n \ge 1,\ r \le n",
        claim=error_ge_of_rank,
        checks=(
            Certified(APPROXIMATED, "exact"),
            Property(seeded(_exact_with_factors, max_size=3), "exact"),
            Property(seeded(_balls_with_factors, max_size=3)),
            Property(st.builds(_float_with_factors, *_FLOATS), "float"),
        ),
        mutants=changed(
            error_ge_of_rank, _RATIO, ("what the power law misses at rank r - 1", {"shift": 1})
        ),
        references=(ECKART_YOUNG, APOSTOL),
    ),
)
