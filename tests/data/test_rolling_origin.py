import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_rank.data.rolling_origin import (
    mase_scale,
    rolling_folds,
    targets_after,
    windows,
    windows_before,
)
from spectral_rank.data.series import Series, SeriesError, clean_series
from spectral_rank.formulas.domain import DomainError


def counting(length: int) -> Series:
    return clean_series("file.csv", "x", np.arange(length))


def test_windows_are_followed_by_their_targets() -> None:
    inputs, targets = windows(np.arange(6.0), 3, 2)
    assert inputs.tolist() == [[0, 1, 2], [1, 2, 3]]
    assert targets.tolist() == [[3, 4], [4, 5]]


@given(
    length=st.integers(20, 200),
    lookback=st.integers(1, 20),
    horizon=st.integers(1, 10),
    folds=st.integers(1, 3),
    stride=st.integers(1, 4),
    share=st.floats(0.05, 0.6),
)
def test_forecasts_see_only_the_past_and_targets_exist(
    length: int, lookback: int, horizon: int, folds: int, stride: int, share: float
) -> None:
    series = counting(length)
    try:
        found = rolling_folds(
            series, lookback, horizon, test_share=share, folds=folds, stride=stride
        )
    except SeriesError:
        return
    assert len(found) == folds
    origins = [origin for fold in found for origin in fold.origins]
    assert np.all(np.diff(origins) == stride)
    for fold in found:
        # The value at an index is the index itself.
        assert windows_before(series.values, fold.origins, lookback).max(axis=1).tolist() == [
            origin - 1 for origin in fold.origins
        ]
        assert fold.known == fold.origins[0] >= lookback + 2 * horizon + 1
        assert targets_after(series.values, fold.origins, horizon).shape[1] == horizon


def test_a_series_too_short_or_a_horizon_beyond_it_is_refused() -> None:
    with pytest.raises(SeriesError, match="reach beyond the data, 20 values"):
        rolling_folds(counting(20), 5, 30)
    with pytest.raises(SeriesError, match="too short: 20 values for a lookback of 10"):
        rolling_folds(counting(20), 10, 5)
    with pytest.raises(SeriesError, match="9 folds"):
        rolling_folds(counting(40), 2, 2, folds=9, stride=5)


@pytest.mark.parametrize(
    "wrong", [{"lookback": 0}, {"horizon": 0}, {"folds": 0}, {"stride": 0}, {"test_share": 1.0}]
)
def test_sizes_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(DomainError, match=next(iter(wrong))):
        rolling_folds(counting(100), **({"lookback": 5, "horizon": 2} | wrong))


def test_the_scale_is_the_seasonal_naive_error() -> None:
    values = np.array([1.0, 5, 2, 7, 4])
    assert mase_scale(values, 1) == (4 + 3 + 5 + 3) / 4
    assert mase_scale(values, 2) == (1 + 2 + 2) / 3


def test_a_series_that_repeats_has_no_scale() -> None:
    with pytest.raises(DomainError, match="exact repetition every 2 steps"):
        mase_scale(np.array([1.0, 2, 1, 2]), 2)
    with pytest.raises(DomainError, match="season"):
        mase_scale(np.array([1.0, 2, 1, 2]), 4)
