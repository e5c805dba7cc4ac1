import itertools
from functools import reduce

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.formulas.deep_linear.flow import layers_balanced
from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.linear_stack import LinearStack
from spectral_rank.training.balance import balanced_projection, imbalances, relative_drift


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def gaussian_chain(widths, seed=0):
    generator = seeded(seed)
    return [
        torch.randn(n, m, dtype=torch.float64, generator=generator)
        for m, n in itertools.pairwise(widths)
    ]


def product(layers):
    return reduce(lambda below, layer: layer @ below, layers)


@given(st.lists(st.integers(1, 7), min_size=2, max_size=7), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_projection_keeps_product_and_shapes_and_balances(widths, seed):
    layers = gaussian_chain(widths, seed)
    projected = balanced_projection(layers)
    assert [layer.shape for layer in projected] == [layer.shape for layer in layers]
    size = float(product(layers).norm())
    torch.testing.assert_close(product(projected), product(layers), rtol=0, atol=1e-12 * size)
    assert all(float(D.max()) < 1e-12 * (1 + size) for D in map(abs, imbalances(projected)))


def test_projection_is_balanced_in_the_sense_of_lean():
    projected = balanced_projection(gaussian_chain([4] * 6))
    assert layers_balanced([layer.numpy() for layer in projected], atol=1e-11)


@pytest.mark.parametrize("widths", [[5] * 9, [7, 5, 6, 3], [3, 6, 5]])
def test_balanced_layers_are_their_own_projection(widths):
    start = torch.randn(widths[-1], widths[0], dtype=torch.float64, generator=seeded(1))
    net = LinearStack(widths, product=start, dtype=torch.float64, generator=seeded(2))
    layers = [layer.detach() for layer in net.layers()]
    for once, layer in zip(balanced_projection(layers), layers, strict=True):
        torch.testing.assert_close(once, layer, rtol=1e-9, atol=1e-9)


def test_projection_of_a_product_with_a_kernel():
    layers = gaussian_chain([4, 4, 4])
    layers[0][:, 2:] = 0
    projected = balanced_projection(layers)
    torch.testing.assert_close(product(projected), product(layers))
    assert relative_drift(projected) < 1e-12
    assert all(float(layer.abs().max()) == 0 for layer in balanced_projection([0 * layers[0]] * 3))


def test_projection_of_a_thousand_layers():
    net = LinearStack([8] * 1001, start="gaussian", dtype=torch.float64, generator=seeded(3))
    projected = balanced_projection(net.layers())
    before, after = net.collapse().detach(), product(projected)
    assert float((after - before).norm() / before.norm()) < 1e-10
    assert relative_drift(projected) < 1e-12


def test_small_steps_conserve_the_imbalance_to_first_order_in_the_step():
    drifts = []
    for steps in (100, 200):
        net = LinearStack([4] * 5, start="gaussian", dtype=torch.float64, generator=seeded(4))
        reference = imbalances(net.layers())
        optimizer = torch.optim.SGD(net.parameters(), lr=0.2 / steps)
        for _ in range(steps):
            optimizer.zero_grad()
            (net.collapse() - torch.eye(4)).square().sum().mul(0.5).backward()
            optimizer.step()
        drifts.append(relative_drift(net.layers(), reference))
    assert drifts[0] < 0.1
    assert drifts[1] / drifts[0] == pytest.approx(0.5, rel=0.1)


def test_drift_of_unbalanced_layers():
    layers = [torch.eye(2, dtype=torch.float64), 2 * torch.eye(2, dtype=torch.float64)]
    assert relative_drift(layers) == pytest.approx(3)
    assert relative_drift(layers, imbalances(layers)) == 0
    assert relative_drift(layers[:1]) == 0


@pytest.mark.parametrize(
    "layers",
    [
        [],
        torch.eye(2),
        [torch.ones(2)],
        [torch.ones(2, 3), torch.ones(2, 3)],
        [torch.full((2, 2), torch.nan)],
    ],
)
@pytest.mark.parametrize("function", [imbalances, relative_drift, balanced_projection])
def test_refuses_what_is_not_a_chain(function, layers):
    with pytest.raises(DomainError, match="layers"):
        function(layers)


def test_drift_refuses():
    layers = gaussian_chain([3, 3, 3])
    with pytest.raises(DomainError, match="reference"):
        relative_drift(layers, [])
    with pytest.raises(DomainError, match="zero"):
        relative_drift([0 * layers[0], layers[1]])
