"""Hypothesis strategies for the domains that theorems share.

Real numbers are drawn as Fractions, so that a claim can be evaluated without a rounding error in
its inputs; the check turns them into balls or floats.  Boundaries that belong to a domain are drawn
with positive probability.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

FloatArray = npt.NDArray[np.float64]

HALF = Fraction(1, 2)


def reals(
    low: int | Fraction,
    high: int | Fraction,
    *,
    open_low: bool = False,
    open_high: bool = False,
    denominator: int = 1000,
) -> SearchStrategy[Fraction]:
    """Rationals in an interval, its ends included unless they are open."""
    low, high = Fraction(low), Fraction(high)
    first, last = int(open_low), denominator - int(open_high)
    return st.integers(first, last).map(lambda k: low + (high - low) * Fraction(k, denominator))


def exponents(high: int = 4) -> SearchStrategy[Fraction]:
    """Exponents ``0 <= alpha <= high``, the critical 1/2 included."""
    return st.sampled_from([Fraction(0), HALF, Fraction(1)]) | reals(0, high)


def noncritical_exponents(high: int = 4) -> SearchStrategy[Fraction]:
    """Exponents ``alpha >= 0`` other than 1/2."""
    return exponents(high).filter(lambda alpha: alpha != HALF)


def steep_exponents(high: int = 4) -> SearchStrategy[Fraction]:
    """Exponents ``1/2 < alpha <= high``, close to 1/2 included."""
    near = st.integers(2, 1000).map(lambda k: HALF + Fraction(1, k))
    return near | reals(HALF, high, open_low=True)


def slow_exponents() -> SearchStrategy[Fraction]:
    """Exponents ``0 <= alpha < 1/2``, 0 and close to 1/2 included."""
    near = st.integers(2, 1000).map(lambda k: HALF - Fraction(1, k))
    return near | reals(0, HALF, open_high=True)


def tolerances(*, open_high: bool = False) -> SearchStrategy[Fraction]:
    """Tolerances ``0 < eps <= 1`` (``eps < 1`` if open), small ones included."""
    small = st.integers(2, 10**6).map(lambda k: Fraction(1, k))
    return small | reals(0, 1, open_low=True, open_high=open_high)


def ranks(low: int = 1, high: int = 10**6) -> SearchStrategy[int]:
    """Integers of every size in ``[low, high]``, both ends included."""
    return st.integers(low, min(high, low + 8)) | st.integers(low, high)


@st.composite
def ordered_ranks(draw: Any, low: int = 1, high: int = 10**6) -> tuple[int, int]:
    """Pairs ``low <= r <= d <= high``, equality included."""
    d = draw(ranks(low, high))
    return draw(ranks(low, d)), d


@st.composite
def generators(draw: Any) -> np.random.Generator:
    """A numpy generator with a drawn seed: one draw for a whole matrix."""
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1)))


@st.composite
def spectra(draw: Any, min_size: int = 1, max_size: int = 8) -> FloatArray:
    """Nonincreasing nonnegative float spectra with repeated values and zeros."""
    size = draw(st.integers(min_size, max_size))
    values = draw(
        st.lists(
            st.sampled_from([0.0, 1.0, 2.0]) | st.floats(1e-3, 1e3), min_size=size, max_size=size
        )
    )
    return np.sort(np.array(values))[::-1].copy()


@st.composite
def matrices(
    draw: Any,
    max_rows: int = 6,
    max_cols: int = 6,
    rows: int | None = None,
    cols: int | None = None,
) -> FloatArray:
    """Float matrices of every small shape: full rank, rank deficient, repeated values, zero."""
    m = rows if rows is not None else draw(st.integers(1, max_rows))
    n = cols if cols is not None else draw(st.integers(1, max_cols))
    rng = draw(generators())
    structure = draw(st.sampled_from(["gaussian", "integers", "low rank", "repeated", "zero"]))
    entries: FloatArray = rng.standard_normal((m, n))
    if structure == "integers":
        entries = np.rint(2 * entries)
    elif structure == "low rank":
        r = draw(st.integers(0, min(m, n)))
        entries = rng.standard_normal((m, r)) @ rng.standard_normal((r, n))
    elif structure == "repeated":
        entries = orthonormal(rng, max(m, n), max(m, n))[:m, :n]
    elif structure == "zero":
        entries = np.zeros((m, n))
    return entries


def orthonormal(rng: np.random.Generator, rows: int, cols: int) -> FloatArray:
    """A ``rows x cols`` float matrix with orthonormal columns, ``cols <= rows``."""
    q: FloatArray = np.linalg.qr(rng.standard_normal((rows, cols)))[0]
    return q
