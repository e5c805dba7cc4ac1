import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.formulas.deep_linear.dynamics import half_time, mode_strength
from spectral_rank.formulas.domain import DomainError
from spectral_rank.training.jumps import (
    RankJump,
    Transition,
    is_staircase,
    rank_jumps,
    rank_path,
    transitions,
)

TIMES = np.linspace(0, 20, 2001)


def logistic(targets, u0):
    return np.stack([mode_strength(s, u0, TIMES) for s in targets], axis=1)


@given(st.floats(0.8, 5), st.floats(1e-5, 1e-2))
@settings(max_examples=15, deadline=None)
def test_half_time_of_the_closed_form(s, u0):
    (found,) = transitions(TIMES, logistic([s], u0), [s])
    assert found is not None
    assert found.half == pytest.approx(half_time(s, u0), abs=1e-3)
    # A logistic curve takes log 81 / (2 s) from a tenth to nine tenths.
    assert found.end - found.start == pytest.approx(math.log(81) / (2 * s), abs=2e-3)


def test_a_staircase_of_modes():
    targets = [4.0, 2.0, 1.0]
    curves = logistic(targets, 1e-5)
    found = transitions(TIMES, curves, targets)
    assert is_staircase(found)
    assert sorted(found, key=lambda t: t.half) == found
    ranks = rank_path(curves, 0.1)
    jumps = rank_jumps(TIMES, ranks)
    assert [(jump.before, jump.after) for jump in jumps] == [(0, 1), (1, 2), (2, 3)]
    assert ranks[-1] == 3


def test_simultaneous_modes_are_no_staircase():
    found = transitions(TIMES, logistic([2.0, 2.0], 1e-3), [2.0, 2.0])
    assert not is_staircase(found)
    assert is_staircase(found[:1])


def test_modes_without_a_transition():
    curves = np.stack([np.full(5, 0.5), np.linspace(0, 0.8, 5), [0, 1, 1, 1, 1]], axis=1)
    late, slow, quick = transitions(np.arange(5), curves, np.ones(3))
    assert late is None
    assert slow is None
    assert quick == Transition(2, 0.1, 0.5, 0.9)


def test_a_mode_that_hesitates_is_dated_by_its_last_rise():
    (found,) = transitions(range(6), np.array([[0, 0.6, 0.2, 0.2, 1, 0.3]]).T, [1.0])
    assert found == Transition(0, pytest.approx(1 / 6), pytest.approx(3 + 3 / 8), 3.875)


def test_rank_jumps_up_and_down():
    assert rank_jumps([0, 1, 2, 5], [0, 2, 2, 1]) == [RankJump(1, 0, 2), RankJump(5, 2, 1)]
    assert rank_jumps([0, 1], [3, 3]) == []


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: rank_path([1.0], 0.1), "strengths"),
        (lambda: rank_path(np.zeros((0, 2)), 0.1), "strengths"),
        (lambda: rank_path([[math.nan]], 0.1), "strengths"),
        (lambda: rank_path([[1.0]], 0.0), "threshold"),
        (lambda: rank_jumps([0, 0], [1, 2]), "times"),
        (lambda: rank_jumps([0, 1, 2], [1, 2]), "times"),
        (lambda: transitions([0, 1], [[0.0], [1.0]], [0.0]), "targets"),
        (lambda: transitions([0, 1], [[0.0], [1.0]], [1.0, 1.0]), "targets"),
        (lambda: transitions([1, 0], [[0.0], [1.0]], [1.0]), "times"),
    ],
)
def test_refuses(call, name):
    with pytest.raises(DomainError) as error:
        call()
    assert error.value.argument == name
