import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from spectral_rank.experiments.knee import fit_knee
from spectral_rank.experiments.recurrent import RATIOS
from spectral_rank.formulas.domain import DomainError

SWEEP = np.array([*RATIOS, 1.0])

seeds = st.integers(0, 10_000)


def hinge(ratios, knee, plateau=2.0, slope=0.3):
    return plateau + slope * np.maximum(0, np.log(knee / ratios))


def least_error(knee, ratios, losses):
    """The error of the best hinge at a given knee, by a general solver."""
    columns = np.column_stack([np.ones_like(ratios), np.maximum(0, np.log(knee / ratios))])
    found = np.linalg.lstsq(columns, losses, rcond=None)[0]
    if found[1] < 0:
        return float(np.sum((losses - losses.mean()) ** 2))
    return float(np.sum((losses - columns @ found) ** 2))


@given(knee=st.floats(0.101, 0.99), plateau=st.floats(-5, 5), slope=st.floats(0.01, 10), seed=seeds)
@settings(deadline=None, max_examples=60)
def test_an_exact_hinge_is_recovered_in_any_order(knee, plateau, slope, seed):
    order = np.random.default_rng(seed).permutation(len(SWEEP))
    found = fit_knee(SWEEP[order], hinge(SWEEP, knee, plateau, slope)[order])
    assert found.edge == "inside"
    assert math.exp(found.log_ratio) == pytest.approx(knee, rel=1e-5)
    assert found.plateau == pytest.approx(plateau, abs=1e-5)
    assert found.slope == pytest.approx(slope, rel=1e-5)
    assert found.r_squared == pytest.approx(1)
    np.testing.assert_allclose(found.loss_at(SWEEP), hinge(SWEEP, knee, plateau, slope), atol=1e-5)


@given(seed=seeds)
@settings(deadline=None, max_examples=60)
def test_no_other_knee_explains_more(seed):
    rng = np.random.default_rng(seed)
    losses = hinge(SWEEP, rng.uniform(0.05, 1)) + 0.2 * rng.standard_normal(len(SWEEP))
    found = fit_knee(SWEEP, losses)
    ours = float(np.sum((losses - found.loss_at(SWEEP)) ** 2))
    for left, right in pairwise(SWEEP):
        other = minimize_scalar(
            least_error, bounds=(left, right), args=(SWEEP, losses), method="bounded"
        )
        assert ours <= other.fun * (1 + 1e-9) + 1e-12


@given(seed=seeds, shift=st.floats(-10, 10), scale=st.floats(0.1, 10))
@settings(deadline=None, max_examples=30)
def test_units_of_the_loss_do_not_move_the_knee(seed, shift, scale):
    rng = np.random.default_rng(seed)
    losses = hinge(SWEEP, rng.uniform(0.1, 1)) + 0.05 * rng.standard_normal(len(SWEEP))
    found, moved = fit_knee(SWEEP, losses), fit_knee(SWEEP, shift + scale * losses)
    assert moved.log_ratio == pytest.approx(found.log_ratio, abs=1e-6)
    assert moved.edge == found.edge
    assert moved.r_squared == pytest.approx(found.r_squared, abs=1e-6)
    assert moved.preference == pytest.approx(found.preference, abs=1e-3)


def test_the_knee_of_noisy_sweeps_is_right_on_average():
    rng = np.random.default_rng(0)
    found = [
        fit_knee(SWEEP, hinge(SWEEP, 0.17) + 0.01 * rng.standard_normal(len(SWEEP))).log_ratio
        for _ in range(200)
    ]
    assert np.mean(found) == pytest.approx(np.log(0.17), abs=0.03)


@given(knee=st.floats(0.11, 0.9), slope=st.floats(0.01, 10))
@settings(deadline=None, max_examples=30)
def test_a_hinge_is_preferred_where_there_is_one(knee, slope):
    assert fit_knee(SWEEP, hinge(SWEEP, knee, 2.0, slope)).is_preferred


@given(power=st.floats(0.05, 5), fall=st.floats(0.01, 10))
@settings(deadline=None, max_examples=30)
def test_no_knee_is_preferred_on_a_smooth_power(power, fall):
    found = fit_knee(SWEEP, 2.0 + fall * SWEEP**-power)
    assert found.preference < 0
    assert not found.is_preferred


def test_with_noise_the_truth_is_preferred_in_most_sweeps():
    rng = np.random.default_rng(1)
    curves = {True: hinge(SWEEP, 0.2), False: 1.7 + 0.01 * SWEEP**-1.2}
    for is_hinge, curve in curves.items():
        noisy = [curve + 0.01 * rng.standard_normal(len(SWEEP)) for _ in range(200)]
        share = np.mean([fit_knee(SWEEP, losses).is_preferred for losses in noisy])
        assert share > 0.6 if is_hinge else share < 0.4


def test_a_knee_at_an_edge_is_not_preferred():
    assert not fit_knee(SWEEP, hinge(SWEEP, 3.0)).is_preferred
    assert not fit_knee(SWEEP, np.full(len(SWEEP), 2.0)).is_preferred


@pytest.mark.parametrize("losses", [np.full(len(SWEEP), 2.0), np.linspace(2.0, 3.0, len(SWEEP))])
def test_a_loss_that_no_rank_lowers_has_its_knee_at_most_at_the_least_ratio(losses):
    found = fit_knee(SWEEP, losses)
    assert (found.edge, found.slope, found.r_squared) == ("low", 0, 0)
    assert found.bounded.high == pytest.approx(np.log(0.05))
    assert found.bounded.low == -np.inf


def test_a_loss_that_falls_and_then_rises_further_says_nothing_of_a_knee():
    losses = np.linspace(2.0, 1.9, len(SWEEP))
    losses[-1] = 3.0
    found = fit_knee(SWEEP, losses)
    assert (found.edge, found.slope) == ("nowhere", 0)
    assert (found.bounded.low, found.bounded.high) == (-np.inf, np.inf)
    assert not found.is_preferred


@pytest.mark.parametrize("knee", [0.06, 0.0999])
def test_one_loss_above_the_plateau_bounds_the_knee_by_the_second_ratio(knee):
    found = fit_knee(SWEEP, hinge(SWEEP, knee))
    assert found.edge == "low"
    assert math.exp(found.bounded.high) == pytest.approx(0.10)


def test_a_loss_that_falls_over_the_whole_range_bounds_the_knee_from_below():
    found = fit_knee(SWEEP, hinge(SWEEP, 3.0))
    assert (found.edge, found.bounded.high) == ("high", np.inf)
    assert found.bounded.low == pytest.approx(0)


@pytest.mark.parametrize(
    ("argument", "ratios", "losses"),
    [
        ("ratios", [0.1, 0.2], [1, 2]),
        ("ratios", [0.1, 0.1, 0.2], [1, 2, 3]),
        ("ratios", [0.0, 0.1, 0.2], [1, 2, 3]),
        ("losses", [0.1, 0.2, 0.3], [1, 2]),
        ("losses", [0.1, 0.2, 0.3], [1, 2, np.nan]),
    ],
)
def test_sweeps_without_a_knee_to_find_are_refused(argument, ratios, losses):
    with pytest.raises(DomainError, match=argument):
        fit_knee(ratios, losses)
