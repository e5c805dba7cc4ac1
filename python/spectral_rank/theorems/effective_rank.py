"""Checks of ``lean/SpectralRank/EffectiveRank.lean``: participation ratio and stable rank."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy
from hypothesis import strategies as st

from spectral_rank.formulas.domain import Number
from spectral_rank.formulas.effective_rank import participation_ratio, stable_rank
from spectral_rank.theorems.claim import Relation, eq, le, lt
from spectral_rank.theorems.strategies import FloatArray, matrices, reals
from spectral_rank.theorems.theorem import (
    Certified,
    Mutant,
    Property,
    Symbolic,
    Theorem,
    grid,
)

RUDELSON_VERSHYNIN = (
    "Rudelson and Vershynin, Sampling from large matrices: an approach through geometric "
    "functional analysis, Journal of the ACM 54 (2007)"
)
HARDY_LITTLEWOOD_POLYA = (
    "Hardy, Littlewood and Polya, Inequalities (1952), section 2.4: the Cauchy-Schwarz inequality"
)

Spectrum = tuple[Number, ...]


def one_le_participation_ratio(s: Spectrum, *, strict: bool = False) -> Iterator[Relation]:
    ratio = participation_ratio(s)
    yield lt(1, ratio) if strict else le(1, ratio)


def participation_ratio_le(s: Spectrum, *, missing: int = 0) -> Iterator[Relation]:
    yield le(participation_ratio(s), len(s) - missing)


def participation_ratio_const(c: Number, n: int, *, scale: int = 1) -> Iterator[Relation]:
    yield eq(participation_ratio([scale * c] * n), n)


def participation_ratio_smul(
    c: Number, s: Spectrum, *, scale: int = 1, power: int = 0
) -> Iterator[Relation]:
    scaled = participation_ratio([scale * c * entry for entry in s])
    yield eq(scaled, c**power * participation_ratio(s))


def stable_rank_le(
    s: Spectrum, top: Number, *, missing: int = 0, shrink: int = 1
) -> Iterator[Relation]:
    yield le(stable_rank(s, top / shrink), len(s) - missing)


def one_le_stable_rank(
    s: Spectrum, i: int, *, scale: int = 1, strict: bool = False
) -> Iterator[Relation]:
    rank = stable_rank(s, scale * abs(s[i]))
    yield lt(1, rank) if strict else le(1, rank)


def stable_rank_const(c: Number, n: int, *, scale: int = 1, added: int = 0) -> Iterator[Relation]:
    yield eq(stable_rank([c] * (n + added), scale * c), n)


def stable_rank_le_participation_ratio(
    s: Spectrum, top: Number, *, reverse: bool = False, shrink: int = 1
) -> Iterator[Relation]:
    lower, upper = stable_rank(s, top / shrink), participation_ratio(s)
    yield le(upper, lower) if reverse else le(lower, upper)


def matrix_stable_rank_le_participation_ratio(A: FloatArray) -> Iterator[Relation]:
    """The same for the singular values of a matrix, both ranks also from norms and traces."""
    s = np.linalg.svd(A, compute_uv=False)
    stable, participation = stable_rank(s, s[0]), participation_ratio(s)
    yield le(stable, participation)
    if s[0] > 0:
        gram = A.T @ A
        squared_norms = np.linalg.norm(A) ** 2 / np.linalg.norm(A, 2) ** 2
        yield eq(stable, squared_norms, "Frobenius norm over spectral norm")
        traces = np.trace(gram) ** 2 / np.trace(gram @ gram)
        yield eq(participation, traces, "traces of the Gram matrix")


def _spectra(min_size: int = 0, nonzero: bool = False) -> st.SearchStrategy[Spectrum]:
    """Rational spectra of any sign and order, with repeated values and zeros."""
    entry = st.sampled_from([Fraction(0), Fraction(1), Fraction(-1)]) | reals(-9, 9)
    spectra = st.lists(entry, min_size=max(min_size, int(nonzero)), max_size=8).map(tuple)
    return spectra.filter(any) if nonzero else spectra


@st.composite
def _with_top(draw: Any) -> dict[str, Any]:
    """A spectrum and a value that none of its entries exceeds, equality and zero included."""
    s = draw(_spectra())
    if not s:
        return {"s": s, "top": draw(reals(-5, 5))}
    return {"s": s, "top": max(map(abs, s)) + draw(st.just(Fraction(0)) | reals(0, 5))}


@st.composite
def _with_attained_top(draw: Any) -> dict[str, Any]:
    s = draw(_spectra(nonzero=True))
    return {"s": s, "i": draw(st.sampled_from([i for i, entry in enumerate(s) if entry != 0]))}


_FLAT = (Fraction(3, 7),) * 5
_DECAYING = tuple(Fraction(1, i) for i in range(1, 9))
_SIGNED = (Fraction(-4), Fraction(0), Fraction(1, 2), Fraction(4), Fraction(0), Fraction(-1, 1000))
_SINGLE = (Fraction(0), Fraction(-2, 3), Fraction(0))
_NONZERO = (_FLAT, _DECAYING, _SIGNED, _SINGLE, (Fraction(5),))
_ANY = ((), (Fraction(0),) * 4, *_NONZERO)
_WITH_TOP = tuple(
    {"s": s, "top": max(map(abs, s), default=Fraction(0)) + slack}
    for s in _ANY
    for slack in (Fraction(0), Fraction(1, 10))
)

_nonzero_reals = reals(-9, 9).filter(bool)
_c = sympy.Symbol("c", real=True, nonzero=True)
_s = sympy.symbols("s1:4", real=True)

THEOREMS = (
    Theorem(
        name="one_le_participationRatio",
        statement=r"1 \le \mathrm{PR}(s), \qquad "
        r"\mathrm{PR}(s) = \frac{\bigl(\sum_i s_i^2\bigr)^2}{\sum_i s_i^4}",
        domain=r"s \in \mathbb{R}^n,\ s \ne 0",
        claim=one_le_participation_ratio,
        checks=(
            Certified(grid(s=_NONZERO), "exact"),
            Property({"s": _spectra(nonzero=True)}, "exact"),
        ),
        mutants=(
            Mutant(
                "strictly, also for one direction", partial(one_le_participation_ratio, strict=True)
            ),
        ),
    ),
    Theorem(
        name="participationRatio_le",
        statement=r"\mathrm{PR}(s) \le n",
        domain=r"s \in \mathbb{R}^n",
        claim=participation_ratio_le,
        checks=(
            Certified(grid(s=_ANY), "exact"),
            Property({"s": _spectra()}, "exact"),
        ),
        mutants=(Mutant("n - 1 for n", partial(participation_ratio_le, missing=1)),),
        references=(HARDY_LITTLEWOOD_POLYA,),
    ),
    Theorem(
        name="participationRatio_const",
        statement=r"\mathrm{PR}(c, \dots, c) = n",
        domain=r"c \ne 0,\ n \ge 0",
        claim=participation_ratio_const,
        checks=(
            Symbolic({"c": _c, "n": 6}),
            Property({"c": _nonzero_reals, "n": st.integers(0, 40)}, "exact"),
        ),
        mutants=(Mutant("the constant 0", partial(participation_ratio_const, scale=0)),),
    ),
    Theorem(
        name="participationRatio_smul",
        statement=r"\mathrm{PR}(c\,s) = \mathrm{PR}(s)",
        domain=r"c \ne 0,\ s \in \mathbb{R}^n",
        claim=participation_ratio_smul,
        checks=(
            Symbolic({"c": _c, "s": _s}),
            Property({"c": _nonzero_reals, "s": _spectra()}, "exact"),
        ),
        mutants=(
            Mutant("homogeneous of degree 1", partial(participation_ratio_smul, power=1)),
            Mutant("c = 0 on the left", partial(participation_ratio_smul, scale=0)),
        ),
    ),
    Theorem(
        name="stableRank_le",
        statement=r"|s_i| \le t \text{ for all } i \implies \mathrm{SR}(s, t) \le n, \qquad "
        r"\mathrm{SR}(s, t) = \frac{\sum_i s_i^2}{t^2}",
        domain=r"s \in \mathbb{R}^n,\ t \in \mathbb{R}",
        claim=stable_rank_le,
        checks=(
            Certified(_WITH_TOP, "exact"),
            Property(_with_top(), "exact"),
        ),
        mutants=(
            Mutant("n - 1 for n", partial(stable_rank_le, missing=1)),
            Mutant("relative to t / 2, which entries exceed", partial(stable_rank_le, shrink=2)),
        ),
        references=(RUDELSON_VERSHYNIN,),
    ),
    Theorem(
        name="one_le_stableRank",
        statement=r"|s_i| = t \implies 1 \le \mathrm{SR}(s, t)",
        domain=r"s \in \mathbb{R}^n,\ t \ne 0,\ 1 \le i \le n",
        claim=one_le_stable_rank,
        checks=(
            Certified(
                tuple(
                    {"s": s, "i": i} for s in _NONZERO for i, entry in enumerate(s) if entry != 0
                ),
                "exact",
            ),
            Property(_with_attained_top(), "exact"),
        ),
        mutants=(
            Mutant("t = 2 |s_i|", partial(one_le_stable_rank, scale=2)),
            Mutant("strictly, also for one direction", partial(one_le_stable_rank, strict=True)),
        ),
        references=(RUDELSON_VERSHYNIN,),
    ),
    Theorem(
        name="stableRank_const",
        statement=r"\mathrm{SR}\bigl((c, \dots, c),\, c\bigr) = n",
        domain=r"c \ne 0,\ n \ge 0",
        claim=stable_rank_const,
        checks=(
            Symbolic({"c": _c, "n": 6}),
            Certified(grid(c=(Fraction(-3, 7), Fraction(10**9)), n=(0, 1, 2, 100)), "exact"),
            Property({"c": _nonzero_reals, "n": st.integers(0, 40)}, "exact"),
        ),
        mutants=(
            Mutant("relative to 2 c", partial(stable_rank_const, scale=2)),
            Mutant("one entry more", partial(stable_rank_const, added=1)),
        ),
    ),
    Theorem(
        name="stableRank_le_participationRatio",
        statement=r"|s_i| \le t \text{ for all } i \implies \mathrm{SR}(s, t) \le \mathrm{PR}(s)",
        domain=r"s \in \mathbb{R}^n,\ t \in \mathbb{R}",
        claim=stable_rank_le_participation_ratio,
        checks=(
            Certified(_WITH_TOP, "exact"),
            Property(_with_top(), "exact"),
            Property({"A": matrices()}, claim=matrix_stable_rank_le_participation_ratio),
        ),
        mutants=(
            Mutant(
                "participation ratio below stable rank",
                partial(stable_rank_le_participation_ratio, reverse=True),
            ),
            Mutant(
                "relative to t / 2, which entries exceed",
                partial(stable_rank_le_participation_ratio, shrink=2),
            ),
        ),
        references=(RUDELSON_VERSHYNIN,),
    ),
)
