"""Energies of the power-law spectrum against direct sums and known constants."""

import math
from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from spectral_rank.formulas.domain import DomainError
from spectral_rank.formulas.power_law import (
    antideriv,
    band_energy,
    head_energy,
    singular_value,
    tail_energy,
)


def test_singular_values() -> None:
    assert singular_value(2, 3) == pytest.approx(1 / 9)
    assert singular_value(Fraction(2), 3) == Fraction(1, 9)
    assert singular_value(0.5, np.array([1, 4, 9])) == pytest.approx([1, 1 / 2, 1 / 3])
    i = sympy.Symbol("i", positive=True)
    assert singular_value(1, i) == 1 / i


@given(st.floats(-1, 4), st.integers(0, 300), st.integers(0, 300))
def test_band_energy_is_the_sum(alpha: float, m: int, length: int) -> None:
    direct = math.fsum(i ** (-2 * alpha) for i in range(m + 1, m + length + 1))
    assert band_energy(alpha, m, m + length) == pytest.approx(direct, rel=1e-13, abs=1e-300)


@pytest.mark.parametrize("alpha", [0, 0.3, 0.4999, 0.5, 0.5001, 1, 1.35])
def test_long_bands_keep_their_digits(alpha: float) -> None:
    m, n = 10**9, 10**9 + 1000
    direct = math.fsum(i ** (-2 * alpha) for i in range(m + 1, n + 1))
    assert band_energy(alpha, m, n) == pytest.approx(direct, rel=1e-13)


def test_known_constants() -> None:
    assert tail_energy(1, 0) == pytest.approx(math.pi**2 / 6, rel=1e-15)
    assert tail_energy(2, 0) == pytest.approx(math.pi**4 / 90, rel=1e-15)
    assert head_energy(0.5, 10) == pytest.approx(7381 / 2520, rel=1e-15)
    assert head_energy(Fraction(1, 2), 10) == Fraction(7381, 2520)
    assert head_energy(0, 10**12) == 1e12
    assert head_energy(1.35, 0) == 0


@given(st.floats(0.51, 4), st.integers(0, 10**9))
def test_tail_and_head_make_the_whole(alpha: float, r: int) -> None:
    whole = float(mpmath.zeta(2 * alpha))
    assert head_energy(alpha, r) + tail_energy(alpha, r) == pytest.approx(whole, rel=1e-13)


def test_every_kind_of_number() -> None:
    expected = tail_energy(1.25, 7)
    assert float(tail_energy(mpmath.mpf(1.25), 7)) == pytest.approx(expected)
    assert float(tail_energy(flint.arb(1.25), 7)) == pytest.approx(expected)
    assert float(tail_energy(sympy.Rational(5, 4), 7)) == pytest.approx(expected)
    assert tail_energy(np.array([1.25, 2]), np.array([[7], [8]])).shape == (2, 2)
    for size in (3, 100):
        band = band_energy(1.25, 2, size)
        assert float(band_energy(mpmath.mpf(1.25), 2, size)) == pytest.approx(band)
        assert float(band_energy(flint.arb(1.25), 2, size)) == pytest.approx(band)
        assert float(band_energy(sympy.Rational(5, 4), 2, size)) == pytest.approx(band)


def test_antiderivative_on_both_sides_of_one_half() -> None:
    assert antideriv(0, 3.0) == 3.0
    assert antideriv(1, 4.0) == -0.25
    x = sympy.Symbol("x", positive=True)
    assert sympy.simplify(sympy.diff(antideriv(2, x), x) - x**-4) == 0


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: singular_value(float("nan"), 1), "alpha"),
        (lambda: singular_value(1, 0), "i"),
        (lambda: singular_value(1, np.array([1, 0])), "i"),
        (lambda: band_energy("1", 0, 1), "alpha"),
        (lambda: band_energy(1, 2, 1), "m"),
        (lambda: band_energy(1, -1, 1), "m"),
        (lambda: band_energy(1, 0, 1.5), "n"),
        (lambda: head_energy(1, True), "r"),
        (lambda: tail_energy(0.5, 1), "alpha"),
        (lambda: tail_energy(float("inf"), 1), "alpha"),
        (lambda: tail_energy(1, -1), "r"),
        (lambda: antideriv(0.5, 1.0), "alpha"),
        (lambda: antideriv(1, 0), "x"),
        (lambda: band_energy(flint.arb(0.5, 1e-3), 0, 1000), "alpha"),
    ],
)
def test_bad_input_is_named(call: object, argument: str) -> None:
    with pytest.raises(DomainError, match=rf"^{argument} = "):
        call()  # type: ignore[operator]
