"""Outward rounding: exact, never inward, and the simplest there is."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.certify.intervals import (
    Allowed,
    exact_end,
    farey_neighbours,
    outward,
    simplest_between,
)
from spectral_rank.certify.shapes import SHAPES
from spectral_rank.formulas.domain import DomainError

STEEP, SLOW = SHAPES["steep"].exponent, SHAPES["slow"].exponent
ANY = Allowed(Fraction(0), Fraction(3))
RATIONALS = st.fractions(0, 3, max_denominator=500)


@given(RATIONALS, st.integers(1, 40))
def test_farey_neighbours_are_those_of_a_search(x, limit) -> None:
    fractions = {Fraction(n, d) for d in range(1, limit + 1) for n in range(4 * d + 1)}
    below, above = farey_neighbours(x, limit)
    assert below == max(f for f in fractions if f <= x)
    assert above == min(f for f in fractions if f >= x)


@given(RATIONALS, RATIONALS)
def test_the_simplest_rational_is_that_of_a_search(x, y) -> None:
    low, high = min(x, y), max(x, y)
    denominator = next(d for d in range(1, 501) if math.ceil(low * d) <= high * d)
    simplest = Fraction(math.ceil(low * denominator), denominator)
    assert simplest_between(low, high) == simplest


@settings(max_examples=1000)
@given(st.floats(0, 3), st.floats(0, 3), st.integers(1, 10**5), st.sampled_from([0, 0.01, 1]))
def test_the_result_contains_the_measurement_and_is_close(x, y, limit, share) -> None:
    lo, hi = min(x, y), max(x, y)
    low, high = outward("x", lo, hi, ANY, limit, Fraction(share))
    assert low <= Fraction(lo) <= Fraction(hi) <= high
    assert max(low.denominator, high.denominator) <= limit
    step = max(Fraction(1, limit), Fraction(share) * (Fraction(hi) - Fraction(lo)))
    assert Fraction(lo) - low <= step
    assert high - Fraction(hi) <= step
    assert low in ANY
    assert high in ANY


@given(st.floats(1e-12, 1e-3), st.integers(10, 10**4))
def test_no_end_crosses_one_half(distance, limit) -> None:
    """Either the open end is kept out, or there is no fraction between and that is said."""
    for ends, allowed in (
        ((0.5 + distance, 0.7), STEEP),
        ((0.3, 0.5 - distance), SLOW),
    ):
        try:
            low, high = outward("alpha", *ends, allowed, limit)
        except DomainError:
            assert distance < 1 / (2 * (limit - 1)) + 1e-9
        else:
            assert low > Fraction(1, 2) or high < Fraction(1, 2)


def test_what_a_reader_of_the_theorem_sees() -> None:
    assert outward("x", 1.3401, 1.3599, ANY) == (Fraction(67, 50), Fraction(34, 25))
    twentieth = Fraction(1, 20)
    assert outward("x", twentieth, twentieth, ANY) == (twentieth, twentieth)
    # The float 0.05 is a little more than 1/20, and the upper end may not go below it.
    low, high = outward("x", 0.05, 0.05, ANY)
    assert low == twentieth < Fraction(0.05) < high


def test_floats_are_read_exactly() -> None:
    assert exact_end("x", 0.1) == Fraction(0.1) != Fraction(1, 10)
    assert exact_end("x", np.float32(0.1)) == Fraction(float(np.float32(0.1)))
    assert exact_end("x", np.int64(2)) == 2


@pytest.mark.parametrize(
    ("ends", "rule"),
    [
        ((math.nan, 1.4), "finite"),
        ((1.4, math.inf), "finite"),
        ((-math.inf, 1.4), "finite"),
        ((1.4, 1.3), "lower end <= upper end"),
        (("1.3", 1.4), "finite int, float or Fraction"),
        ((True, 1.4), "finite int, float or Fraction"),
        ((np.array([1.3]), 1.4), "finite int, float or Fraction"),
        ((1.3 + 0j, 1.4), "finite int, float or Fraction"),
        ((0.3, 0.4), r"interval in \(1/2, 3\]"),
        ((0.4, 0.6), r"interval in \(1/2, 3\]"),
        ((0.5, 0.6), r"interval in \(1/2, 3\]"),
        ((0.5 + 1e-9, 0.6), "denominators <= 10000 enclose"),
        ((2.9, 3.0001), r"interval in \(1/2, 3\]"),
    ],
)
def test_bad_intervals_are_refused_by_name(ends, rule) -> None:
    with pytest.raises(DomainError, match=rf"^alpha = .*{rule}"):
        outward("alpha", *ends, STEEP)


@pytest.mark.parametrize("ends", [(0.4, 0.5), (-0.1, 0.2), (0.6, 0.7), (0.2, 0.5 - 1e-9)])
def test_bad_slow_exponents_are_refused(ends) -> None:
    with pytest.raises(DomainError, match=r"interval in \[0, 1/2\)"):
        outward("alpha", *ends, SLOW)


@pytest.mark.parametrize("limit", [0, -1, 2.5, None])
def test_bad_limits_are_refused(limit) -> None:
    with pytest.raises(DomainError, match="denominator_limit"):
        outward("alpha", 1.3, 1.4, STEEP, limit)
