"""Envelope constants, checked in exact integers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_rank.formulas.domain import DomainError
from spectral_rank.spectra.envelope import Envelope, envelope, tightest_envelope

spectra = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=12).map(
    lambda values: sorted(values, reverse=True)
)
exponents = st.fractions(0, 3, max_denominator=12)


@given(spectra, exponents)
def test_every_value_lies_inside_exactly(values: list[float], exponent: Fraction) -> None:
    found = envelope(values, exponent)
    lower, upper = found.constants
    p, q = exponent.numerator, exponent.denominator
    for i, value in enumerate(values, start=1):
        # c i^(-p/q) <= s is c^q <= s^q i^p, a comparison of rational numbers.
        height = Fraction(value) ** q * i**p
        assert lower**q <= height <= upper**q


@given(spectra, exponents)
def test_the_constants_are_the_tightest(values: list[float], exponent: Fraction) -> None:
    found = envelope(values, exponent)
    heights = [v * i ** float(exponent) for i, v in enumerate(values, start=1)]
    assert found.lower == pytest.approx(min(heights), rel=1e-12)
    assert found.upper == pytest.approx(max(heights), rel=1e-12)
    assert found.count == len(values)


@given(spectra, st.floats(0, 5))
def test_no_exponent_has_a_smaller_ratio(values: list[float], exponent: float) -> None:
    best = tightest_envelope(values, max_denominator=10**9)
    assert best.ratio <= envelope(values, exponent).ratio * (1 + 1e-6)


def test_an_exact_power_law_has_its_own_envelope() -> None:
    found = tightest_envelope(3.0 * np.arange(1, 500.0) ** -1.35)
    assert found.exponent == Fraction(27, 20)
    assert found.lower == pytest.approx(3)
    assert found.ratio == pytest.approx(1, abs=1e-10)


def test_a_record_survives_json() -> None:
    found = envelope([3.0, 1.5, 1.1], Fraction(2, 3))
    assert Envelope.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("values", "exponent", "argument"),
    [
        ([], 1, "values"),
        ([1.0, 0.0], 1, "values"),
        ([1.0, 2.0], 1, "values"),
        ([1.0, float("nan")], 1, "values"),
        ([[1.0]], 1, "values"),
        ([1.0], -1, "exponent"),
        ([1.0], float("inf"), "exponent"),
        ([1e308, 1e308], 10, "exponent"),
    ],
)
def test_bad_input_is_refused(values: list[float], exponent: float, argument: str) -> None:
    with pytest.raises(DomainError, match=argument):
        envelope(values, exponent)
