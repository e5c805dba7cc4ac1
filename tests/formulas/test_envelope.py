"""Envelopes and explained energy against matrices, closed forms and direct comparison."""

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

from spectral_rank.formulas.capture import captured
from spectral_rank.formulas.domain import DomainError
from spectral_rank.formulas.envelope import explained, in_envelope
from spectral_rank.formulas.power_law import singular_value

HARMONIC = [Fraction(1, i) for i in range(1, 6)]


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6))
def test_what_is_not_explained_is_the_error_of_a_truncation(
    seed: int, rows: int, cols: int
) -> None:
    A = np.random.default_rng(seed).standard_normal((rows, cols))
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    for r in range(len(s) + 1):
        error = np.linalg.norm(A - (U[:, :r] * s[:r]) @ Vt[:r]) ** 2 / np.linalg.norm(A) ** 2
        assert 1 - explained(s, r, len(s)) == pytest.approx(error, abs=1e-12)


@pytest.mark.parametrize("alpha", [-1.0, 0.0, 0.3, 0.5, 1.35, 3.0])
def test_the_exact_power_law_is_in_its_envelope_and_explains_what_is_captured(alpha: float) -> None:
    s = np.array([singular_value(alpha, i) for i in range(1, 21)])
    assert in_envelope(1.0, 1.0, alpha, s, 20)
    for r in (0, 1, 7, 20):
        assert explained(s, r, 20) == pytest.approx(captured(alpha, r, 20), rel=1e-13)


def test_known_values() -> None:
    assert explained([3, 4], 1, 2) == pytest.approx(9 / 25)
    assert explained([Fraction(3), 4, 100], 1, 2) == Fraction(9, 25)
    assert explained([-3.0, 4.0], 0, 2) == 0
    assert explained(np.array([0.0, 2.0]), 1, 2) == 0
    assert explained([5.0, 0.0], 1, 2) == explained([5.0], 1, 1) == 1


@given(arrays(float, st.integers(1, 9), elements=st.floats(-1e308, 1e308)), st.integers(0, 9))
def test_a_share_of_floats_neither_overflows_nor_leaves_the_unit_interval(s: Any, r: int) -> None:
    if not np.any(s):
        return
    shares = [explained(s, k, len(s)) for k in range(len(s) + 1)]
    assert (shares[0], shares[-1]) == (0, 1)
    assert 0 <= shares[min(r, len(s))] <= 1


def test_shares_of_every_kind_of_number() -> None:
    assert explained([flint.arb(3), Fraction(4)], 1, 2).contains(flint.fmpq(9, 25))
    with mpmath.workdps(40):
        assert mpmath.almosteq(explained([mpmath.mpf(3), 4], 1, 2), mpmath.mpf(9) / 25)
    a = sympy.Symbol("a", positive=True)
    assert explained([a, a, 2 * a], 2, 3) == sympy.Rational(1, 3)
    assert explained(np.array([100, 100], dtype=np.int8), 1, 2) == 0.5
    assert explained(np.array([1, 1], dtype=np.float32), 1, 2) == 0.5


def test_the_envelope_is_exact_for_an_integral_exponent() -> None:
    one, tiny = Fraction(1), Fraction(1, 10**40)
    assert in_envelope(one, one, one, HARMONIC, 5)
    assert not in_envelope(one + tiny, 2, one, HARMONIC, 5)
    assert not in_envelope(one, one - tiny, one, HARMONIC, 5)
    assert in_envelope(one, 1 + tiny, one, [*HARMONIC[:4], HARMONIC[4] + tiny / 5], 5)
    assert not in_envelope(one, 1 + tiny, one, [*HARMONIC[:4], HARMONIC[4] + tiny / 4], 5)


@settings(deadline=None)
@given(
    st.lists(st.floats(0.01, 100.0), min_size=1, max_size=8),
    st.floats(-2.0, 4.0),
)
def test_the_tightest_envelope_and_a_tighter_one(s: list[float], alpha: float) -> None:
    quotients = np.array(s) * np.arange(1.0, len(s) + 1) ** alpha
    c, C = float(quotients.min()), float(quotients.max())
    assert in_envelope(c * (1 - 1e-9), C * (1 + 1e-9), alpha, s, len(s))
    assert not in_envelope(c * (1 + 1e-9), C * (1 + 1e-9), alpha, s, len(s))
    assert not in_envelope(c * (1 - 1e-9), C * (1 - 1e-9), alpha, s, len(s))


def test_only_the_first_values_must_lie_within() -> None:
    assert in_envelope(1.0, 2.0, 0.0, [1.5, 1.0, 7.0], 2)
    assert not in_envelope(1.0, 2.0, 0.0, [1.5, 1.0, 7.0], 3)
    assert in_envelope(1.0, -5.0, 0.0, [7.0], 0)


def test_the_lower_constant_must_be_positive() -> None:
    for c in (0, 0.0, -1, Fraction(-1, 2), flint.arb(-1), sympy.Integer(0)):
        assert not in_envelope(c, 2, 0, [1, 1], 2)


def test_envelopes_in_other_arithmetics() -> None:
    assert in_envelope(flint.arb(1), 2, Fraction(27, 20), [1.5, 0.7], 2)
    assert not in_envelope(flint.arb(1), 2, Fraction(27, 20), [1.5, 0.9], 2)
    assert in_envelope(1, mpmath.mpf(2), 1, [1.5, 0.7], 2)
    assert not in_envelope(1, mpmath.mpf(2), 1, [1.5, 0.4], 2)
    a = sympy.Symbol("a", positive=True)
    assert in_envelope(a, 3 * a, 1, [2 * a, a], 2)
    assert not in_envelope(a, 3 * a, 1, [4 * a, a], 2)


@pytest.mark.parametrize("s", [[flint.arb(1, 0.1)], [sympy.Symbol("x", positive=True)]], ids=repr)
def test_what_balls_or_symbols_leave_open_is_refused(s: Any) -> None:
    with pytest.raises(DomainError, match="s must be such that its comparison"):
        in_envelope(1, 2, 1, s, 1)


def test_an_open_sign_of_the_constant_is_refused() -> None:
    with pytest.raises(DomainError, match="c must be such that its comparison"):
        in_envelope(flint.arb(0, 1), 2, 1, [1], 1)


BAD_SPECTRA = [
    1.0,
    "12",
    ["1"],
    [[1.0]],
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
        explained(bad, 0, 1)
    with pytest.raises(DomainError, match=r"^s = "):
        in_envelope(1.0, 2.0, 1.0, bad, 1)


@pytest.mark.parametrize(
    "zero", [[0.0, 0.0, 1.0], [Fraction(0), 0], [flint.arb(0, 1), 0]], ids=repr
)
def test_a_spectrum_without_energy_is_refused(zero: Any) -> None:
    with pytest.raises(DomainError, match="s must be"):
        explained(zero, 1, 2)


@pytest.mark.parametrize("bad", [math.nan, math.inf, "1", None, True, 1j, [1.0], np.ones(1)])
def test_not_a_number(bad: Any) -> None:
    with pytest.raises(DomainError, match="c must be"):
        in_envelope(bad, 2.0, 1.0, [1.0], 1)
    with pytest.raises(DomainError, match="C must be"):
        in_envelope(1.0, bad, 1.0, [1.0], 1)
    with pytest.raises(DomainError, match="alpha must be"):
        in_envelope(1.0, 2.0, bad, [1.0], 1)


@pytest.mark.parametrize("bad", [-1, 3, 1.0, True, None])
def test_not_a_dimension(bad: Any) -> None:
    with pytest.raises(DomainError, match="d must be"):
        explained([1.0, 1.0], 0, bad)
    with pytest.raises(DomainError, match="d must be"):
        in_envelope(1.0, 2.0, 1.0, [1.0, 1.0], bad)


@pytest.mark.parametrize("bad", [-1, 2, 1.0, True, None])
def test_not_a_rank(bad: Any) -> None:
    with pytest.raises(DomainError, match="r must be"):
        explained([1.0, 1.0], bad, 1)


def test_a_dimension_of_zero_explains_nothing() -> None:
    with pytest.raises(DomainError, match="d must be an integer >= 1"):
        explained([1.0], 0, 0)


def test_a_bound_that_overflows_is_refused() -> None:
    with pytest.raises(DomainError, match="alpha must be"):
        in_envelope(1.0, 1e300, -10.0, [1.0] * 20, 20)
