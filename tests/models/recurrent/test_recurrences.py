"""The kernels: any chunk gives the same states, and no step is the boundary that fails."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.recurrent.naive import F64, generator
from torch import Tensor

from spectral_rank.models.recurrent.linear_recurrence import linear_scan
from spectral_rank.models.recurrent.tanh_recurrence import dense_tanh, low_rank_tanh


def loop(inputs: Tensor, A: Tensor) -> Tensor:
    states = [inputs[0]]
    for w in inputs[1:]:
        states.append(states[-1] @ A.T + w)
    return torch.stack(states)


def draw(*shape: int, seed: int, requires_grad: bool = True) -> Tensor:
    values = torch.randn(shape, dtype=F64, generator=generator(seed)) / shape[-1] ** 0.5
    return values.requires_grad_(requires_grad)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 3),
    st.integers(1, 9),
    st.none() | st.integers(1, 45),
    st.integers(0, 2**31),
)
def test_a_scan_is_its_loop(
    length: int, batch: int, rank: int, chunk: int | None, seed: int
) -> None:
    inputs, A = draw(length, batch, rank, seed=seed), draw(rank, rank, seed=seed + 1)
    direction = draw(length, batch, rank, seed=seed + 2, requires_grad=False)
    states, expected = linear_scan(inputs, A, chunk), loop(inputs, A)
    torch.testing.assert_close(states, expected, rtol=1e-10, atol=1e-10)
    found = torch.autograd.grad(states, [inputs, A], direction)
    wanted = torch.autograd.grad(
        expected, [inputs, A], direction, allow_unused=True, materialize_grads=True
    )
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("length", [1, 2, 5])
@pytest.mark.parametrize("chunk", [None, 1, 2, 3, 16])
def test_scan_gradcheck(length: int, chunk: int | None) -> None:
    inputs, A = draw(length, 2, 3, seed=0), draw(3, 3, seed=1)
    assert torch.autograd.gradcheck(lambda w, M: linear_scan(w, M, chunk), (inputs, A))


@pytest.mark.parametrize("length", [1, 2, 4])
def test_tanh_gradcheck(length: int) -> None:
    drive, initial = draw(length, 2, 3, seed=0), draw(2, 3, seed=1)
    assert torch.autograd.gradcheck(dense_tanh, (drive, draw(3, 3, seed=2), initial))
    U, V = draw(3, 2, seed=3), draw(2, 3, seed=4)
    assert torch.autograd.gradcheck(low_rank_tanh, (drive, U, V, initial))


def test_a_gradient_that_is_one_number_seen_everywhere_is_taken() -> None:
    # The sum hands back an expanded tensor, whose entries share one address.
    drive, W, initial = draw(3, 2, 4, seed=0), draw(4, 4, seed=1), draw(2, 4, seed=2)
    found = torch.autograd.grad(dense_tanh(drive, W, initial).sum(), W)[0]
    ones = torch.ones(3, 2, 4, dtype=F64)
    expected = torch.autograd.grad(dense_tanh(drive, W, initial), W, ones)[0]
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
