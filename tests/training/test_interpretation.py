import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spectral_rank.data.rolling_origin import windows
from spectral_rank.data.shipped_series import shipped
from spectral_rank.formulas.domain import DomainError
from spectral_rank.training.interpretation import (
    agrees_with_season,
    frequency_response,
    impulse_response,
    modes,
    oscillation_error,
    scale_lengths,
    scale_shares,
    seasonal_mode,
)


def seasonal_naive(lookback: int, horizon: int, season: int) -> np.ndarray:
    W = np.zeros((horizon, lookback))
    W[np.arange(horizon), lookback - season + np.arange(horizon) % season] = 1
    return W


def test_the_impulse_response_is_the_forecast_of_an_impulse() -> None:
    W = np.random.default_rng(0).standard_normal((3, 5))
    for age in range(5):
        window = np.zeros(5)
        window[4 - age] = 1
        assert np.array_equal(impulse_response(W)[:, age], W @ window)


@given(frequency=st.floats(0, 0.5), phase=st.floats(0, 6), seed=st.integers(0, 99))
@settings(deadline=None)
def test_the_frequency_response_is_the_forecast_of_an_oscillation(
    frequency: float, phase: float, seed: int
) -> None:
    W = np.random.default_rng(seed).standard_normal((4, 9))
    times = np.arange(-8, 1)
    window = np.cos(2 * np.pi * frequency * times + phase)
    response = frequency_response(W, np.array([frequency]))[:, 0]
    assert np.allclose(W @ window, (response * np.exp(1j * phase)).real, atol=1e-10)


@pytest.mark.parametrize("season", [2, 3, 4, 7, 12])
def test_the_seasonal_naive_map_continues_the_season_and_its_harmonics(season: int) -> None:
    W = seasonal_naive(2 * season, season + 1, season)
    harmonics = np.arange(season // 2 + 1) / season
    assert np.allclose(oscillation_error(W, harmonics), 0, atol=1e-12)
    assert oscillation_error(W, np.array([0.5 / season]))[0] > 1
    # Its recursion repeats the season forever: all modes on the unit circle, at the harmonics.
    found = modes(W)
    assert all(math.isinf(mode.time_constant) for mode in found)
    assert sorted(season / mode.period for mode in found) == pytest.approx(
        list(range(season // 2 + 1)), abs=1e-9
    )


@given(radius=st.floats(0.3, 0.99), period=st.floats(2.1, 9))
@example(radius=0.453125, period=9.0)
@settings(deadline=None)
def test_a_damped_oscillation_is_read_back(radius: float, period: float) -> None:
    W = np.zeros((1, 9))
    W[0, -2:] = -(radius**2), 2 * radius * math.cos(2 * math.pi / period)
    mode = seasonal_mode(W)
    assert mode.period == pytest.approx(period, rel=1e-6)
    assert mode.time_constant == pytest.approx(-1 / math.log(radius), rel=1e-6)


def test_a_map_without_oscillation_has_no_season() -> None:
    W = np.zeros((1, 4))
    W[0, -1] = 1
    with pytest.raises(DomainError, match="oscillating"):
        seasonal_mode(W)


def test_a_season_agrees_with_itself_and_its_harmonics_only() -> None:
    for period in (12.0, 12.5, 6.0, 4.0, 2.0):
        assert agrees_with_season(period, 12)
    for period in (24.0, 10.0, 8.0, 5.0, 1000.0):
        assert not agrees_with_season(period, 12)


@pytest.mark.parametrize(("lookback", "lengths"), [(1, (1,)), (4, (1, 2, 4)), (5, (1, 2, 4, 8))])
def test_scales_double_until_they_cover_the_window(lookback: int, lengths: tuple[int, ...]) -> None:
    assert scale_lengths(lookback) == lengths


@given(lookback=st.integers(2, 20), horizon=st.integers(1, 4), seed=st.integers(0, 99))
@settings(deadline=None)
def test_the_shares_of_the_scales_add_up(lookback: int, horizon: int, seed: int) -> None:
    W = np.random.default_rng(seed).standard_normal((horizon, lookback))
    known, _ = windows(shipped("nile").values, lookback, horizon)
    shares = scale_shares(W, known)
    assert len(shares) == len(scale_lengths(lookback))
    assert shares.sum() == pytest.approx(1)


def test_a_difference_of_neighbours_lives_on_the_finest_scale() -> None:
    W = np.array([[0.0, 0.0, 0.5, 0.5]])  # less the newest value: half a difference
    known, _ = windows(shipped("nile").values, 4, 1)
    assert scale_shares(W, known) == pytest.approx([1, 0, 0], abs=1e-12)


def test_the_naive_forecast_has_no_shares() -> None:
    known, _ = windows(shipped("nile").values, 4, 1)
    with pytest.raises(DomainError, match="forecasts differ"):
        scale_shares(np.array([[0.0, 0, 0, 1]]), known)
