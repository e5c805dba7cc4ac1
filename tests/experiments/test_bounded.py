import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.experiments.bounded import (
    Bounded,
    are_disjoint,
    clipped,
    combination,
    excludes_zero,
    exponentiated,
    in_words,
    known,
    labelled,
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


def test_bounds_that_all_agree_have_no_level():
    at_most = Bounded(1.0, -math.inf, 1.0)
    for numbers in ([at_most] * 3, [at_most, at_most, known(1.0)]):
        found = over_seeds(numbers)
        assert (found.low, found.high) == (-math.inf, math.inf)
    # Two exact numbers that agree are no bounds.
    assert over_seeds([known(1.0)] * 3).high == 1.0
    # A share that is at least 0.2 has the bound 1, which says nothing.
    found = over_seeds([Bounded(0.2, 0.2, 1.0), Bounded(0.3, 0.3, 1.0)])
    assert found.high == math.inf
    assert clipped(found, 0, 1).high == 1


def test_a_bound_is_never_shown_as_a_value():
    three = [known(x) for x in (1.0, 2.0, 3.0)]
    above = over_seeds([*three, Bounded(2.0, 2.0, math.inf)])
    below = over_seeds([*three, Bounded(2.0, -math.inf, 2.0)])
    assert in_words(over_seeds(three)).startswith("2 [")
    assert in_words(above) == f"at least {above.low:.3g}"
    assert in_words(below) == f"at most {below.high:.3g}"
    assert in_words(exponentiated(below), 0) == f"at most {math.exp(below.high):.3g}"
    assert in_words(over_seeds([Bounded(0, -math.inf, math.inf)] * 2)) == "not bounded"


def test_names_say_how_many_are_bounds():
    assert labelled("a", [known(1.0), known(2.0)]) == "a"
    bound = Bounded(1.0, 1.0, math.inf)
    assert labelled("a", [known(1.0), bound]) == "a (only bounded in 1 of 2 seeds)"


@given(bounded(), bounded(), widths, widths)
@settings(deadline=None)
def test_a_clipped_interval_lies_in_the_range(one, other, low, width):
    found = clipped(over_seeds([one, other]), low, low + width)
    assert low <= found.low <= found.value <= found.high <= low + width


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
