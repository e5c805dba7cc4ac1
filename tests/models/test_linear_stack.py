import copy
import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.formulas.deep_linear.dynamics import deep_linear
from spectral_rank.formulas.deep_linear.flow import layers_balanced
from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.linear_stack import STARTS, LinearStack, orthonormal
from spectral_rank.training.balance import relative_drift

WIDTHS = st.lists(st.integers(1, 9), min_size=2, max_size=8)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def stack(widths, seed=0, **options):
    return LinearStack(widths, dtype=torch.float64, generator=seeded(seed), **options)


def detached(net):
    return [layer.detach() for layer in net.layers()]


@given(WIDTHS, st.booleans(), st.floats(0.2, 3), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_balanced_start_is_balanced_at_any_widths(widths, residual, gain, seed):
    net = stack(widths, seed, residual=residual, gain=gain)
    assert [tuple(layer.shape) for layer in net.layers()] == [
        (above, below) for below, above in itertools.pairwise(widths)
    ]
    assert relative_drift(net.layers()) < 1e-13
    values = torch.linalg.svdvals(net.collapse().detach())
    expected = torch.zeros_like(values)
    expected[: min(widths)] = gain
    torch.testing.assert_close(values, expected, rtol=1e-12, atol=1e-12)


def test_balanced_in_the_sense_of_lean():
    assert layers_balanced([layer.numpy() for layer in detached(stack([5] * 8))], atol=1e-14)
    uneven = [layer.numpy() for layer in detached(stack([5] * 8, start="gaussian"))]
    assert not layers_balanced(uneven, atol=1e-2)


def test_equal_ends_start_at_a_multiple_of_the_identity():
    for residual in (False, True):
        product = stack([6] * 1001, gain=0.7, residual=residual).collapse().detach()
        torch.testing.assert_close(product, 0.7 * torch.eye(6, dtype=torch.float64))


@given(WIDTHS, st.sampled_from(STARTS), st.booleans(), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_collapse_is_the_network(widths, start, residual, seed):
    net = stack(widths, seed, start=start, residual=residual)
    x = torch.randn(3, 2, widths[0], dtype=torch.float64, generator=seeded(seed))
    torch.testing.assert_close(net(x), x @ net.collapse().T, rtol=1e-10, atol=1e-12)
    layers = [layer.numpy() for layer in detached(net)]
    expected = torch.from_numpy(deep_linear(layers[::-1], x[0, 0].numpy()))
    torch.testing.assert_close(net(x)[0, 0].detach(), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 3, 7, 64, 1000])
def test_collapse_at_depth(depth, residual):
    net = stack([16] * (depth + 1), start="balanced", residual=residual)
    with torch.no_grad():
        for run in net.runs:
            run.add_(torch.randn(run.shape, dtype=torch.float64, generator=seeded(1)) / (4 * depth))
    x = torch.randn(5, 16, dtype=torch.float64, generator=seeded(2))
    layered = net(x)
    error = (layered - x @ net.collapse().T).norm() / layered.norm()
    assert float(error.detach()) < 1e-10


@given(st.integers(1, 5), st.integers(1, 5), st.lists(st.integers(5, 8), max_size=4))
@settings(max_examples=30, deadline=None)
def test_balanced_start_at_a_given_product(rows, cols, hidden):
    product = torch.randn(rows, cols, dtype=torch.float64, generator=seeded(3))
    net = stack([cols, *hidden, rows], product=product)
    torch.testing.assert_close(net.collapse().detach(), product, rtol=1e-10, atol=1e-10)
    assert relative_drift(net.layers()) < 1e-12


def test_gradient_of_a_residual_layer_is_that_of_the_matrix_over_the_depth():
    plain, residual = stack([4] * 4), stack([4] * 4, residual=True)
    residual.assign(detached(plain))
    x = torch.randn(7, 4, dtype=torch.float64, generator=seeded(4))
    for net in (plain, residual):
        net(x).pow(2).sum().backward()
    torch.testing.assert_close(residual.runs[0].grad * 3, plain.runs[0].grad)


def test_equal_layers_share_a_parameter():
    assert [tuple(run.shape) for run in stack([7, 3, 3, 3, 2]).runs] == [
        (1, 3, 7),
        (2, 3, 3),
        (1, 2, 3),
    ]


def test_seeds_and_copies():
    assert torch.equal(stack([5] * 4, 1).collapse(), stack([5] * 4, 1).collapse())
    net = stack([5, 4, 3], 1, start="gaussian")
    assert torch.equal(copy.deepcopy(net).collapse(), net.collapse())
    assert not torch.equal(stack([5, 4, 3], 2, start="gaussian").collapse(), net.collapse())


def test_orthonormal_columns():
    basis = orthonormal(9, 4, seeded(0))
    torch.testing.assert_close(basis.T @ basis, torch.eye(4, dtype=torch.float64))


@pytest.mark.parametrize(
    ("arguments", "options", "name"),
    [
        ([5], {}, "widths"),
        ([], {}, "widths"),
        (5, {}, "widths"),
        ("55", {}, "widths"),
        ([5, 0, 5], {}, "widths"),
        ([5, 2.0], {}, "widths"),
        ([5, 5], {"start": "zero"}, "start"),
        ([5, 5], {"gain": 0.0}, "gain"),
        ([5, 5], {"gain": float("nan")}, "gain"),
        ([5, 4], {"product": torch.eye(5)}, "product"),
        ([5, 5], {"product": torch.full((5, 5), torch.nan)}, "product"),
        ([5, 3, 5], {"product": torch.eye(5)}, "product"),
        ([5, 5], {"product": torch.eye(5), "start": "standard"}, "product"),
    ],
)
def test_refuses(arguments, options, name):
    with pytest.raises(DomainError) as error:
        LinearStack(arguments, **options)
    assert error.value.argument == name


def test_refuses_inputs_of_another_width():
    with pytest.raises(DomainError, match="last dimension is 5"):
        stack([5, 5])(torch.zeros(4, dtype=torch.float64))
    with pytest.raises(DomainError, match="layers"):
        stack([5, 5]).assign([torch.eye(4)])
