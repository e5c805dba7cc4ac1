import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.experiments.bounded import (
    Bounded,
    are_disjoint,
    combination,
    excludes_zero,
    exponentiated,
    known,
    lies_within,
    over_seeds,
    slope,
)
from spectral_rank.experiments.record import Interval, mean_interval
from spectral_rank.formulas.domain import DomainError

numbers = st.floats(-50, 50)
widths = st.floats(0, 10)


@st.composite
def bounded(draw):
    low, below, above = draw(numbers), draw(widths), draw(widths)
    return Bounded(low + below, low, low + below + above)


@given(terms=st.lists(st.tuples(bounded(), numbers, st.floats(0, 1)), min_size=1, max_size=6))
@settings(deadline=None)
def test_a_combination_lies_within_the_bounds_it_is_given(terms):
    found = combination([weight for _, weight, _ in terms], [number for number, _, _ in terms])
    points = [n.low + share * (n.high - n.low) for n, _, share in terms]
    point = sum(weight * x for x, (_, weight, _) in zip(points, terms, strict=True))
    assert found.low - 1e-6 <= point <= found.high + 1e-6
    assert found.value == pytest.approx(sum(w * n.value for n, w, _ in terms), abs=1e-6)


@given(x=st.lists(numbers, min_size=3, max_size=8, unique=True), rise=numbers, start=numbers)
@settings(deadline=None)
def test_the_slope_of_known_numbers_is_that_of_least_squares(x, rise, start):
    if np.ptp(x) < 1e-3:
        return
    found = slope(x, [known(start + rise * place) for place in x])
    assert found.value == pytest.approx(rise, abs=1e-5)
    assert found.low == found.high == found.value


def test_an_open_bound_opens_the_side_that_it_moves():
    low, high = Bounded(1.0, -math.inf, 1.0), Bounded(1.0, 1.0, math.inf)
    assert slope([0, 1], [low, known(3.0)]) == Bounded(2.0, 2.0, math.inf)
    assert slope([0, 1], [known(3.0), low]) == Bounded(-2.0, -math.inf, -2.0)
    both = combination([1, -1], [low, high])
    assert (both.low, both.high, both.is_known) == (-math.inf, 0.0, False)
    # The middle of three places has no weight in a slope, so its bound does not matter.
    assert slope([0, 1, 2], [known(0.0), low, known(2.0)]).is_known


def test_a_falling_function_swaps_the_bounds():
    found = Bounded(0.0, -math.inf, 1.0).mapped(lambda x: math.exp(-x))
    assert found == Bounded(1.0, math.exp(-1), math.inf)


def test_known_numbers_have_the_interval_of_their_mean():
    values = [1.0, 2.0, 4.0]
    assert over_seeds([known(value) for value in values]) == mean_interval(values)


def test_an_interval_over_seeds_is_open_where_a_bound_is():
    found = over_seeds([Bounded(1.0, -math.inf, 1.0), known(2.0), known(3.0)])
    closed = over_seeds([known(1.0), known(2.0), known(3.0)])
    assert (found.low, found.high, found.count) == (-math.inf, closed.high, 3)
    assert exponentiated(found).low == 0


def test_relations_of_intervals():
    one = Interval(value=1, low=0.5, high=2, count=3)
    touching = Interval(value=3, low=2, high=4, count=3)
    assert not are_disjoint(one, touching)
    assert are_disjoint(one, touching.model_copy(update={"low": 2.1}))
    assert excludes_zero(one)
    assert not excludes_zero(one.model_copy(update={"low": 0.0}))
    assert lies_within(one, 2)
    assert not lies_within(one, 1.9)


@pytest.mark.parametrize("bad", [(2.0, 0.0, 1.0), (math.inf, 0.0, math.inf), (math.nan, 0, 1)])
def test_a_value_outside_its_bounds_is_refused(bad):
    with pytest.raises(DomainError, match="value"):
        Bounded(*bad)


def test_sums_and_slopes_of_nothing_are_refused():
    with pytest.raises(DomainError, match="weights"):
        combination([], [])
    with pytest.raises(DomainError, match="x"):
        slope([1, 1], [known(0.0), known(1.0)])
