"""Participation ratio and stable rank against traces and norms of matrices."""

import math
from fractions import Fraction
from typing import Any

import flint
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spectral_rank.formulas.domain import DomainError
from spectral_rank.formulas.effective_rank import participation_ratio, stable_rank


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6))
def test_ranks_of_a_matrix(seed: int, rows: int, cols: int) -> None:
    A = np.random.default_rng(seed).standard_normal((rows, cols))
    s = np.linalg.svd(A, compute_uv=False)
    gram = A.T @ A
    assert participation_ratio(s) == pytest.approx(np.trace(gram) ** 2 / np.trace(gram @ gram))
    assert stable_rank(s, s[0]) == pytest.approx((np.linalg.norm(A) / np.linalg.norm(A, 2)) ** 2)


def test_known_values() -> None:
    assert participation_ratio([3, 4]) == pytest.approx(625 / 337)
    assert participation_ratio([Fraction(3), 4]) == Fraction(625, 337)
    assert stable_rank([3, 4], 4) == pytest.approx(25 / 16)
    assert stable_rank((Fraction(3), Fraction(4)), 4) == Fraction(25, 16)
    harmonic_sums = (math.pi**2 / 6) ** 2 / (math.pi**4 / 90)  # 5/2
    assert participation_ratio(1 / np.arange(1, 10**6)) == pytest.approx(harmonic_sums, rel=1e-5)


@given(arrays(float, st.integers(1, 9), elements=st.floats(-1e308, 1e308)))
def test_no_overflow_and_no_nan(s: Any) -> None:
    # Where only one entry is not negligible the ratio is 1 up to rounding.
    assert participation_ratio(s) == 0 or 1 - 1e-12 <= participation_ratio(s) <= len(s) + 1e-9
    top = np.max(np.abs(s))
    assert 0 <= stable_rank(s, top) <= len(s) + 1e-9


def test_zero_and_empty_spectra() -> None:
    for zero in ([], [0, 0], np.zeros(3), [Fraction(0)], [flint.arb(0)], [mpmath.mpf(0)]):
        assert participation_ratio(zero) == 0
        assert stable_rank(zero, 0) == 0
        assert stable_rank(zero, 2) == 0


def test_every_kind_of_number() -> None:
    assert participation_ratio([flint.arb(3), Fraction(4), 0]).contains(flint.fmpq(625, 337))
    assert stable_rank([flint.arb(3), 4], 4).contains(flint.fmpq(25, 16))
    with mpmath.workdps(40):
        assert mpmath.almosteq(participation_ratio([mpmath.mpf(3), 4]), mpmath.mpf(625) / 337)
    a = sympy.Symbol("a", positive=True)
    assert sympy.simplify(participation_ratio([a, a, 2 * a])) == 2
    assert stable_rank([a, a], a) == 2
    assert participation_ratio(np.array([1, 1, 1], dtype=np.int8)) == 3
    assert participation_ratio(np.array([1, 1], dtype=np.float32)) == 2
    assert participation_ratio([2**600, 2**600]) == 2


BAD_SPECTRA = [
    1.0,
    "12",
    ["1"],
    [[1.0]],
    [[1.0], 2.0],
    np.ones((2, 2)),
    [math.nan],
    [math.inf],
    [True],
    [1j],
    [None],
    [10**400, 1.5],
]


@pytest.mark.parametrize("bad", BAD_SPECTRA, ids=repr)
def test_not_a_spectrum(bad: Any) -> None:
    with pytest.raises(DomainError, match=r"^s = "):
        participation_ratio(bad)
    with pytest.raises(DomainError, match=r"^s = "):
        stable_rank(bad, 1.0)


def test_balls_that_may_all_be_zero() -> None:
    with pytest.raises(DomainError, match="s must be"):
        participation_ratio([flint.arb(0, 1), flint.arb(0, 1)])


@pytest.mark.parametrize("bad", [0, 0.0, math.nan, math.inf, "1", None, [1.0], 1e-300])
def test_not_a_top(bad: Any) -> None:
    with pytest.raises(DomainError, match="top must be"):
        stable_rank([1.0, 2.0], bad)
