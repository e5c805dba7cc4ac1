import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.experiments.change_points import change_points, log_spaced
from spectral_rank.formulas.domain import DomainError

STEPS = np.geomspace(20, 4000, 44)
LOG_STEPS = np.log(STEPS)


def disturbed(curve: np.ndarray, noise: float, persistence: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    error = np.zeros(len(curve))
    for k in range(len(curve)):
        fresh = rng.standard_normal()
        error[k] = (
            fresh if k == 0 else persistence * error[k - 1] + fresh * np.sqrt(1 - persistence**2)
        )
    return curve + noise * error


@given(place=st.floats(60, 1400), change=st.sampled_from([-2.0, 1.0, 3.0]), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=8)
def test_a_bend_is_found_where_it_is(place: float, change: float, seed: int) -> None:
    curve = 5 - LOG_STEPS + change * np.maximum(0, LOG_STEPS - np.log(place))
    found = change_points(STEPS, disturbed(curve, 0.02, 0.3, seed))
    assert found.gain >= 10
    assert found.gain_over_line >= found.gain
    assert found.main == pytest.approx(place, rel=0.3)
    assert found.main in found.locations
    assert found.log_main.is_known
    assert found.log_main.value == pytest.approx(np.log(found.main))
    assert found.slopes[0] == pytest.approx(-1, abs=0.3)
    np.testing.assert_allclose(found.fitted, curve, rtol=0, atol=0.1)


def test_two_bends_are_told_apart() -> None:
    bends = np.maximum(0, LOG_STEPS - np.log(150)) - 2 * np.maximum(0, LOG_STEPS - np.log(1000))
    found = change_points(STEPS, disturbed(bends, 0.01, 0.0, 0))
    assert found.gain >= 10
    assert found.main == pytest.approx(1000, rel=0.15)
    assert min(abs(np.log(location / 150)) for location in found.locations) < 0.15


@pytest.mark.parametrize("persistence", [0.0, 0.5])
def test_a_straight_line_has_no_change_point(persistence: float) -> None:
    gains = [
        change_points(STEPS, disturbed(2 * LOG_STEPS, 0.3, persistence, seed)).gain
        for seed in range(8)
    ]
    assert max(gains) < 10


@pytest.mark.parametrize(
    "curve",
    [LOG_STEPS**2, np.exp(-STEPS / 500), 1 / (1 + np.exp(-(LOG_STEPS - 6))), np.sin(LOG_STEPS / 2)],
    ids=["parabola", "decay", "sigmoid", "wave"],
)
def test_a_smooth_bend_is_no_change_point(curve: np.ndarray) -> None:
    found = change_points(STEPS, disturbed(curve, 1e-3 * np.ptp(curve), 0.0, 3))
    assert found.gain_over_line > 10  # a broken line follows it better than a straight one
    assert found.gain < 10


@given(unit=st.sampled_from([0.1, 7.0]), scale=st.sampled_from([-3.0, 100.0]))
@settings(deadline=None, max_examples=4)
def test_units_do_not_matter(unit: float, scale: float) -> None:
    curve = disturbed(np.maximum(0, LOG_STEPS - 6), 0.05, 0.0, 5)
    before = change_points(STEPS, curve)
    after = change_points(unit * STEPS, 4 + scale * curve)
    assert after.gain == pytest.approx(before.gain, abs=1e-4)
    np.testing.assert_allclose(after.locations, unit * np.array(before.locations), rtol=1e-6)
    np.testing.assert_allclose(after.slopes, scale * np.array(before.slopes), rtol=1e-5)


def test_a_constant_has_none_and_few_snapshots_are_enough_for_one() -> None:
    assert change_points(STEPS, np.ones(len(STEPS))).gain < 0
    few = np.geomspace(1, 100, 12)
    found = change_points(few, np.maximum(0, np.log(few / 10)))
    assert len(found.locations) == 1
    assert found.main == pytest.approx(10, rel=0.15)


@pytest.mark.parametrize("persistence", [0.0, 0.4])
def test_a_bend_too_near_an_end_is_only_bounded(persistence: float) -> None:
    first, last = STEPS[3], STEPS[-4]
    for early in (20.5, 22.0, 26.0):
        curve = 3 * np.minimum(0, LOG_STEPS - np.log(early)) + 0.1 * LOG_STEPS
        found = change_points(STEPS, disturbed(curve, 1e-3, persistence, 1), most=1)
        assert found.searched == pytest.approx((first, last))
        assert found.log_main.low == -np.inf
        assert np.log(early) <= found.log_main.high <= np.log(STEPS[5])
    for late in (3400.0, 3900.0):
        curve = 3 * np.maximum(0, LOG_STEPS - np.log(late))
        found = change_points(STEPS, disturbed(curve, 1e-3, persistence, 1), most=1)
        assert found.log_main.high == np.inf
        assert np.log(STEPS[-6]) <= found.log_main.low <= np.log(late)


def test_behind_another_change_the_first_place_comes_later() -> None:
    # Four snapshots before the first change, and four from there to the second, the main one.
    places = [(LOG_STEPS[k] + LOG_STEPS[k + 1]) / 2 for k in (3, 7)]
    bends = [np.maximum(0, LOG_STEPS - place) for place in places]
    found = change_points(STEPS, bends[0] - 5 * bends[1], most=2)
    assert found.locations == pytest.approx(np.exp(places).tolist(), rel=0.05)
    assert found.main == found.locations[1]
    assert (found.log_main.low, found.log_main.high) == (-np.inf, pytest.approx(LOG_STEPS[8]))


def test_uneven_snapshots_leave_enough_on_each_side() -> None:
    uneven = np.concatenate([[1.0, 1e3, 2e3], 3e3 + np.arange(10), [1e6]])
    location = change_points(uneven, np.arange(14.0)).main
    assert 4 <= np.count_nonzero(uneven <= location) <= len(uneven) - 4


@pytest.mark.parametrize(
    ("steps", "values", "argument"),
    [
        (range(1, 12), range(11), "steps"),
        (range(12), range(12), "steps"),
        ([2, *range(2, 13)], range(12), "steps"),
        ([*range(1, 12), np.inf], range(12), "steps"),
        (range(1, 13), range(13), "values"),
        (range(1, 13), [np.nan] * 12, "values"),
    ],
)
def test_trajectories_outside_the_domain_are_refused(steps, values, argument) -> None:
    with pytest.raises(DomainError, match=argument):
        change_points(list(steps), list(values))


@given(count=st.integers(2, 80), last=st.integers(2, 400))
@settings(deadline=None, max_examples=40)
def test_log_spaced_keeps_the_ends_and_the_order(count: int, last: int) -> None:
    steps = np.arange(1, last + 1) * 25
    chosen = log_spaced(steps, count)
    assert (chosen[0], chosen[-1]) == (0, last - 1)
    assert len(chosen) <= min(count, last)
    assert np.all(np.diff(chosen) > 0)


def test_log_spaced_thins_only_where_snapshots_are_dense() -> None:
    ratios = np.diff(np.log(np.arange(1, 161)[log_spaced(np.arange(1, 161), 48)]))
    assert ratios[-10:].max() < 0.25
    with pytest.raises(DomainError, match="steps"):
        log_spaced([0, 1], 5)
