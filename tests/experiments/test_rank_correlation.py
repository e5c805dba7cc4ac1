import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from spectral_rank.experiments.rank_correlation import (
    fisher_interval,
    partial_spearman,
    spearman,
)
from spectral_rank.formulas.domain import DomainError

SAMPLES = st.lists(
    st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=3, max_size=20
).filter(lambda pairs: all(len(set(column)) > 1 for column in zip(*pairs, strict=True)))


@given(pairs=SAMPLES)
def test_it_is_the_correlation_of_scipy_and_ignores_scales(pairs: list[tuple[int, int]]) -> None:
    x, y = np.array(pairs, dtype=float).T
    found = spearman(x, y)
    assert found == pytest.approx(stats.spearmanr(x, y).statistic)
    assert spearman(y, x) == pytest.approx(found)
    assert spearman(np.exp(x), y**3) == pytest.approx(found)
    assert spearman(-x, y) == pytest.approx(-found)


def test_the_extremes() -> None:
    assert spearman([1, 2, 3, math.inf], [10, 20, 30, 40]) == 1
    assert spearman([1, 2, 3, 4], [4, 3, 2, -math.inf]) == -1
    assert spearman([1, 2, 3, 4], [5, 5, 5, 5]) is None


def test_the_partial_correlation_is_that_of_the_residuals() -> None:
    rng = np.random.default_rng(0)
    given_ = rng.standard_normal(60)
    x, y = given_ + rng.standard_normal(60), given_ + rng.standard_normal(60)
    rx, ry, rz = (stats.rankdata(v) - 30.5 for v in (x, y, given_))
    left = [r - rz * (r @ rz) / (rz @ rz) for r in (rx, ry)]
    expected = np.corrcoef(*left)[0, 1]
    assert partial_spearman(x, y, given_) == pytest.approx(expected)
    assert spearman(x, y) > partial_spearman(x, y, given_) + 0.1


def test_nothing_is_left_of_a_quantity_that_is_the_given_one() -> None:
    x = [1.0, 2.0, 3.0, 4.0, 5.0]
    y = [2.0, 1.0, 3.0, 5.0, 4.0]
    assert partial_spearman(x, y, [-v for v in x]) is None
    assert partial_spearman(x, y, [1.0] * 5) is None
    assert partial_spearman(x, y, [3.0, 1.0, 2.0, 5.0, 4.0]) is not None


@given(correlations=st.lists(st.floats(-1, 1), min_size=2, max_size=6), points=st.integers(3, 40))
def test_intervals_stay_between_minus_one_and_one(correlations: list[float], points: int) -> None:
    found = fisher_interval(correlations, points)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert abs(found.value) < 1
    turned = fisher_interval([-r for r in correlations], points)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


def test_the_mean_is_on_the_z_scale() -> None:
    found = fisher_interval([0.2, 0.9], points=30)
    assert found.value == pytest.approx(math.tanh((math.atanh(0.2) + math.atanh(0.9)) / 2))
    assert found.count == 2


def test_a_perfect_correlation_counts_as_half_way_to_the_next() -> None:
    exchanged = spearman([1, 2, 3, 4, 5], [1, 2, 3, 5, 4])
    assert fisher_interval([1.0, 1.0], points=5).value == pytest.approx((1 + exchanged) / 2)


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    z = 0.8 + 0.3 * rng.standard_normal((1500, 3))
    intervals = [fisher_interval(list(np.tanh(row)), 1000) for row in z]
    hits = sum(interval.low <= math.tanh(0.8) <= interval.high for interval in intervals)
    assert 0.93 < hits / len(intervals) < 0.97


@pytest.mark.parametrize(
    ("argument", "x", "y"),
    [
        ("x", [1, 2], [1, 2]),
        ("x", [1, 2, 3, math.nan], [1, 2, 3, 4]),
        ("y", [1, 2, 3, 4], [1, 2, 3, 4, 5]),
    ],
)
def test_bad_input_is_named(argument: str, x: list[float], y: list[float]) -> None:
    with pytest.raises(DomainError) as caught:
        spearman(x, y)
    assert caught.value.argument == argument


def test_correlations_beyond_one_are_refused() -> None:
    with pytest.raises(DomainError, match="correlations"):
        fisher_interval([0.5, 1.1], 10)
    with pytest.raises(DomainError, match="points"):
        fisher_interval([0.5, 0.6], 2)
