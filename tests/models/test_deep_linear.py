import copy
import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.deep_linear import DeepLinearTimeSeries
from spectral_rank.models.temporal_mixing import LinearAttention, LowRankMixing, ToeplitzMixing


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def network(lookback=12, horizon=4, depth=3, seed=0, **options):
    return DeepLinearTimeSeries(
        lookback, horizon, depth, dtype=torch.float64, generator=seeded(seed), **options
    )


def windows(*shape, seed=5):
    return torch.randn(*shape, dtype=torch.float64, generator=seeded(seed))


def perturbed(net, seed=1):
    with torch.no_grad():
        for parameter in net.parameters():
            noise = torch.randn(parameter.shape, dtype=torch.float64, generator=seeded(seed))
            parameter.add_(noise * 0.1 / net.depth)
    return net


def mixing(length):
    return [
        ToeplitzMixing(length, 5, dtype=torch.float64),
        LowRankMixing(length, max(1, length - 2), dtype=torch.float64, generator=seeded(9)),
        ToeplitzMixing(length, causal=False, dtype=torch.float64),
    ]


@given(
    lookback=st.integers(5, 14),
    horizon=st.integers(1, 6),
    depth=st.integers(1, 6),
    width=st.none() | st.integers(1, 9),
    channels=st.integers(1, 3),
    scales=st.lists(st.integers(1, 5), min_size=1, max_size=3, unique=True),
    mixed=st.booleans(),
    residual=st.booleans(),
    anchored=st.booleans(),
    start=st.sampled_from(["balanced", "standard", "gaussian"]),
)
@settings(max_examples=80, deadline=None)
def test_collapsed_layered_and_contributions_agree(lookback, horizon, channels, mixed, **options):
    layers = mixing(lookback) if mixed else []
    net = perturbed(network(lookback, horizon, channels=channels, mixing=layers, **options))
    shape = (channels, lookback) if channels > 1 else (lookback,)
    x = windows(2, 3, *shape)
    layered = net(x).detach()
    assert layered.shape == (2, 3, *shape[:-1], horizon)
    with torch.no_grad():
        torch.testing.assert_close(net(x), layered, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(net.contributions(x).sum(0), layered, rtol=1e-10, atol=1e-12)
    flat = x.reshape(6, -1) @ net.collapse().detach().T
    torch.testing.assert_close(flat, layered.reshape(6, -1), rtol=1e-10, atol=1e-12)
    each = net.collapse_scales().detach() @ x.reshape(6, -1).T
    parts = net.contributions(x).detach().reshape(len(net.scales), 6, -1)
    torch.testing.assert_close(each.transpose(1, 2), parts, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("residual", [False, True])
def test_collapse_at_depth_1000(residual):
    net = perturbed(network(32, 16, 1000, residual=residual, scales=(1, 2), anchored=True))
    x = windows(6, 32)
    layered = net(x).detach()
    with torch.no_grad():
        assert float((net(x) - layered).norm() / layered.norm()) < 1e-10


def test_channels_are_independent_or_mixed():
    x = windows(3, 2, 12)
    apart, mixed = network(), network(channels=2)
    torch.testing.assert_close(apart(x)[:, 0], apart(x[:, 0]))
    changed = x.clone()
    changed[:, 1] += 1
    torch.testing.assert_close(apart(changed)[:, 0], apart(x)[:, 0])
    assert not torch.allclose(mixed(changed)[:, 0], mixed(x)[:, 0])


def test_anchored_forecasts_move_with_the_level():
    net, x = network(anchored=True), windows(12)
    torch.testing.assert_close(net(x + 100), net(x) + 100)
    with torch.no_grad():
        torch.testing.assert_close(net(x + 100), net(x) + 100)


def test_the_collapsed_map_follows_every_change():
    net, x = network(), windows(12)

    def collapsed_and_layered():
        with torch.no_grad():
            collapsed = net(x)
        return collapsed, net(x).detach()

    torch.testing.assert_close(*collapsed_and_layered())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    net(x).sum().backward()
    optimizer.step()
    torch.testing.assert_close(*collapsed_and_layered())
    for assign in (False, True):
        net.load_state_dict(network(seed=3 + assign).state_dict(), assign=assign)
        torch.testing.assert_close(*collapsed_and_layered())
    net.float()
    x = x.float()
    torch.testing.assert_close(*collapsed_and_layered())


def test_state_survives_saving_and_copying():
    net, x = network(scales=(1, 3), residual=True), windows(12)
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    other = network(seed=8, scales=(1, 3), residual=True)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(x), net(x))
    assert torch.equal(copy.deepcopy(net)(x), net(x))


def test_attention_is_not_linear_and_does_not_collapse():
    attention = LinearAttention(12, 3, 2, dtype=torch.float64, generator=seeded(2))
    net, x = network(mixing=[attention]), windows(12)
    assert not net.linear_in_input
    assert not torch.allclose(net(2 * x), 2 * net(x))
    with torch.no_grad():
        without_gradients = net(x)
    assert torch.equal(without_gradients, net(x).detach())
    with pytest.raises(DomainError, match="LinearAttention"):
        net.collapse()


def test_the_network_learns_a_linear_map():
    target = windows(4, 12, seed=7) / 4
    x = windows(64, 12)
    net = network(depth=20, residual=True)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.2)
    losses = []
    for _ in range(200):
        loss = (net(x) - x @ target.T).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 100


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"depth": 0}, "depth"),
        ({"depth": 1.0}, "depth"),
        ({"lookback": 0}, "lookback"),
        ({"horizon": -1}, "horizon"),
        ({"width": 0}, "width"),
        ({"width": 0, "depth": 1}, "width"),
        ({"channels": 0}, "channels"),
        ({"scales": ()}, "scales"),
        ({"scales": (1, 1)}, "scales"),
        ({"scales": (13,)}, "scales"),
        ({"scales": 2}, "scales"),
        ({"gain": -1.0}, "gain"),
        ({"start": "xavier"}, "start"),
        ({"mixing": [ToeplitzMixing(11)]}, "mixing"),
        ({"mixing": [torch.nn.Linear(12, 12)]}, "mixing"),
    ],
)
def test_refuses(options, name):
    with pytest.raises(DomainError) as error:
        network(**options)
    assert error.value.argument == name


@pytest.mark.parametrize("shape", [(), (11,), (3, 2, 11)])
def test_refuses_windows_of_another_length(shape):
    with pytest.raises(DomainError, match="last dimension is 12"):
        network()(torch.zeros(shape, dtype=torch.float64))


@pytest.mark.parametrize("shape", [(12,), (3, 12)])
def test_refuses_windows_of_other_channels(shape):
    with pytest.raises(DomainError, match="2, 12"):
        network(channels=2)(torch.zeros(shape, dtype=torch.float64))
