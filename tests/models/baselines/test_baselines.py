import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.baselines.dlinear import DLinear, moving_average
from spectral_rank.models.baselines.lstm import LSTM
from spectral_rank.models.baselines.nlinear import NLinear
from spectral_rank.models.baselines.patch_transformer import PatchTransformer
from spectral_rank.models.baselines.s4d import S4D, DiagonalStateSpace
from spectral_rank.models.baselines.seasonal_naive import SeasonalNaive

FORECASTERS = [
    SeasonalNaive(12, 5, 3),
    NLinear(12, 5),
    DLinear(12, 5),
    LSTM(12, 5, 4, 2),
    PatchTransformer(12, 5, 4, 4),
    S4D(12, 5, 3, 4),
]


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("model", FORECASTERS, ids=lambda model: type(model).__name__)
def test_windows_become_forecasts_and_other_shapes_are_refused(model: nn.Module) -> None:
    model = model.double()
    assert model(drawn(7, 12)).shape == (7, 5)
    for shape in [(7, 11), (12,), (7, 12, 1)]:
        with pytest.raises(DomainError, match=r"shape \(batch, 12\)"):
            model(drawn(*shape))


@pytest.mark.parametrize("model", FORECASTERS[1:], ids=lambda model: type(model).__name__)
def test_every_parameter_receives_a_gradient(model: nn.Module) -> None:
    model = model.double().train()
    model(drawn(7, 12)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name


@pytest.mark.parametrize(
    "model", [FORECASTERS[i] for i in (0, 1, 3, 4, 5)], ids=lambda model: type(model).__name__
)
def test_a_shifted_window_shifts_the_forecast(model: nn.Module) -> None:
    model = model.double().eval()
    window = drawn(4, 12)
    assert torch.allclose(model(window + 100), model(window) + 100, atol=1e-9)


@given(season=st.integers(1, 8), cycles=st.integers(1, 3), horizon=st.integers(1, 20))
@settings(deadline=None)
def test_the_seasonal_naive_forecast_continues_a_season(
    season: int, cycles: int, horizon: int
) -> None:
    lookback = season * cycles
    signal = torch.arange(lookback + horizon, dtype=torch.float64) % season
    forecast = SeasonalNaive(lookback, horizon, season)(signal[None, :lookback])
    assert torch.equal(forecast[0], signal[lookback:])


def test_a_season_beyond_the_window_is_refused() -> None:
    with pytest.raises(DomainError, match="season"):
        SeasonalNaive(4, 2, 5)


def test_nlinear_is_one_affine_layer_of_differences() -> None:
    model, window = NLinear(6, 2).double(), drawn(3, 6)
    weight, bias = model.linear.weight, model.linear.bias
    expected = (window - window[:, -1:]) @ weight.T + bias + window[:, -1:]
    assert torch.allclose(model(window), expected, atol=1e-12)


@given(lookback=st.integers(1, 40), reach=st.integers(0, 14), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=50)
def test_the_moving_average_repeats_the_ends(lookback: int, reach: int, seed: int) -> None:
    window = drawn(2, lookback, seed=seed)
    padded = np.pad(window.numpy(), ((0, 0), (reach, reach)), mode="edge")
    kernel = 2 * reach + 1
    expected = np.stack([padded[:, i : i + kernel].mean(1) for i in range(lookback)], 1)
    assert np.allclose(moving_average(window, kernel).numpy(), expected, atol=1e-12)


def test_dlinear_adds_the_forecasts_of_trend_and_remainder() -> None:
    model, window = DLinear(9, 2, 5).double(), drawn(3, 9)
    trend = moving_average(window, 5)
    expected = model.seasonal(window - trend) + model.trend(trend)
    assert torch.equal(model(window), expected)
    with pytest.raises(DomainError, match="kernel"):
        DLinear(9, 2, 4)


def test_the_forget_gates_of_the_lstm_start_open() -> None:
    recurrent = LSTM(4, 2, 3).recurrent
    total = recurrent.bias_ih_l0 + recurrent.bias_hh_l0
    assert torch.equal(total[3:6], torch.ones(3))


def test_patches_overlap_by_half_and_the_last_value_completes_them() -> None:
    model = PatchTransformer(12, 5, 4, 4)
    assert model.position.shape == (6, 4)
    with pytest.raises(DomainError, match="patch"):
        PatchTransformer(12, 5, 4, 3)
    with pytest.raises(DomainError, match="width"):
        PatchTransformer(12, 5, 5, 4)


def test_the_patch_transformer_follows_the_scale_of_its_window() -> None:
    model = PatchTransformer(12, 5, 4, 4).double().eval()
    window = drawn(3, 12)
    # The floor under the variance keeps the scaling from being exact.
    assert torch.allclose(model(1000 * window), 1000 * model(window), rtol=1e-3, atol=0.1)


@given(
    channels=st.integers(1, 4),
    states=st.integers(1, 6),
    length=st.integers(1, 40),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=40)
def test_the_convolution_of_s4d_is_its_recurrence(
    channels: int, states: int, length: int, seed: int
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        space = DiagonalStateSpace(channels, states).double()
    signal = drawn(2, channels, length, seed=seed)
    assert torch.allclose(space(signal), space.recur(signal), atol=1e-10)


def test_the_states_of_s4d_start_on_the_line_of_the_paper_and_fade() -> None:
    space = DiagonalStateSpace(2, 3)
    assert torch.allclose(torch.exp(space.log_decay), torch.full((2, 3), 0.5))
    assert torch.allclose(space.frequency[0], torch.pi * torch.arange(3.0))
    factor, _ = space.discretized()
    assert bool((factor.abs() < 1).all())


def test_the_zero_order_hold_is_exact_for_a_constant_input() -> None:
    space = DiagonalStateSpace(1, 1).double()
    A = torch.complex(-torch.exp(space.log_decay), space.frequency)[0, 0]
    C = torch.view_as_complex(space.readout)[0, 0]
    time = 50 * torch.exp(space.log_step)[0]
    state = (torch.exp(A * time) - 1) / A
    expected = 2 * (C * state).real + space.skip[0]
    output = space(torch.ones(1, 1, 50, dtype=torch.float64))[0, 0, -1]
    assert torch.allclose(output, expected, atol=1e-10)
