import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.multi_scale import block_average
from spectral_rank.models.temporal_mixing import LinearAttention, LowRankMixing, ToeplitzMixing


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def filled(kernel, seed=0):
    with torch.no_grad():
        kernel.copy_(torch.randn(kernel.shape, dtype=kernel.dtype, generator=seeded(seed)))


@given(st.integers(1, 10), st.data())
@settings(max_examples=40, deadline=None)
def test_causal_filter_is_a_convolution(length, data):
    taps = data.draw(st.integers(1, length))
    layer = ToeplitzMixing(length, taps, dtype=torch.float64)
    filled(layer.kernel)
    x = torch.randn(length, dtype=torch.float64, generator=seeded(1))
    expected = np.convolve(x.numpy(), layer.kernel.detach().numpy())[:length]
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, atol=1e-12)


def test_filter_in_both_directions_is_a_toeplitz_matrix():
    layer = ToeplitzMixing(4, causal=False, dtype=torch.float64)
    filled(layer.kernel)
    kernel = layer.kernel.detach().numpy()
    expected = scipy.linalg.toeplitz(kernel[3:], kernel[3::-1])
    np.testing.assert_array_equal(layer.matrix().detach().numpy(), expected)


@pytest.mark.parametrize("causal", [True, False])
def test_filters_start_at_the_identity(causal):
    matrix = ToeplitzMixing(6, 3, causal=causal).matrix()
    assert torch.equal(matrix, torch.eye(6))
    matrix.sum().backward()


def test_low_rank_is_a_projection_at_the_start():
    layer = LowRankMixing(8, 3, dtype=torch.float64, generator=seeded(0))
    matrix = layer.matrix().detach()
    torch.testing.assert_close(matrix @ matrix, matrix)
    assert int(torch.linalg.matrix_rank(matrix)) == 3
    x = torch.randn(2, 8, dtype=torch.float64, generator=seeded(1))
    torch.testing.assert_close(layer(x).detach(), x @ matrix.T)
    torch.testing.assert_close(layer.down @ layer.down.T, layer.up.T @ layer.up)


def test_attention_by_its_definition():
    layer = LinearAttention(6, 2, 3, dtype=torch.float64, generator=seeded(0))
    x = torch.randn(6, dtype=torch.float64, generator=seeded(1))
    tokens = x.reshape(3, 2)
    expected = tokens.clone()
    for t in range(3):
        for s in range(t + 1):
            weight = (layer.query @ tokens[t]) @ (layer.key @ tokens[s]) / 3
            expected[t] += (weight * (layer.value @ tokens[s])).detach()
    torch.testing.assert_close(layer(x).detach(), expected.reshape(6))


def test_attention_is_causal_and_marked():
    layer = LinearAttention(6, 2, 3, generator=seeded(0))
    x = torch.randn(6, generator=seeded(1))
    later = x.clone()
    later[4:] += 1
    torch.testing.assert_close(layer(later)[:4], layer(x)[:4])
    assert ToeplitzMixing.linear_in_input
    assert not LinearAttention.linear_in_input
    with pytest.raises(DomainError, match="linear"):
        layer.matrix()


@given(st.integers(1, 20), st.data())
def test_block_averages(lookback, data):
    scale = data.draw(st.integers(1, lookback))
    average = block_average(lookback, scale)
    assert average.shape == (-(-lookback // scale), lookback)
    torch.testing.assert_close(average.sum(1), torch.ones(len(average), dtype=torch.float64))
    x = torch.arange(lookback, dtype=torch.float64)
    for block, value in enumerate(reversed(average @ x)):
        newest = lookback - block * scale
        assert float(value) == pytest.approx(float(x[max(0, newest - scale) : newest].mean()))


@pytest.mark.parametrize(
    ("layer", "arguments", "name"),
    [
        (ToeplitzMixing, (0,), "length"),
        (ToeplitzMixing, (4, 5), "taps"),
        (LowRankMixing, (4, 5), "rank"),
        (LowRankMixing, (4, 0), "rank"),
        (LinearAttention, (4, 3, 1), "patch"),
        (LinearAttention, (4, 2, 0), "features"),
        (block_average, (4, 5), "scale"),
        (block_average, (0, 1), "lookback"),
    ],
)
def test_refuses(layer, arguments, name):
    with pytest.raises(DomainError) as error:
        layer(*arguments)
    assert error.value.argument == name


@pytest.mark.parametrize(
    "layer", [ToeplitzMixing(4), LowRankMixing(4, 2), LinearAttention(4, 2, 1)]
)
def test_refuses_windows_of_another_length(layer):
    with pytest.raises(DomainError, match="last dimension is 4"):
        layer(torch.zeros(3))
