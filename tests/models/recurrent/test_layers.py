"""Every recurrent layer against its formula, step by step."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.recurrent.naive import F64, generator, layer_of, run
from torch import Tensor

from spectral_rank.formulas.domain import DomainError
from spectral_rank.formulas.recurrence import state_after
from spectral_rank.models.recurrent.elman import Elman
from spectral_rank.models.recurrent.layer import RecurrentLayer
from spectral_rank.models.recurrent.linear_rnn import START_RADIUS, LinearRNN
from spectral_rank.models.recurrent.settings import Kind

KINDS: tuple[Kind, ...] = ("elman", "e5", "linear")
COMBINATIONS = [
    (kind, recurrent_rank, input_rank)
    for kind in KINDS
    for recurrent_rank, input_rank in itertools.product((None, 1, 3, 5), repeat=2)
    if kind != "e5" or (recurrent_rank and input_rank)
]


@st.composite
def cases(draw: st.DrawFn) -> tuple[RecurrentLayer, Tensor, Tensor]:
    """A layer of any kind and rank, a sequence of any length and a state before it."""
    kind = draw(st.sampled_from(KINDS))
    width = draw(st.integers(1, 12))
    rank = st.integers(1, width) if kind == "e5" else st.none() | st.integers(1, width)
    layer = layer_of(kind, width, draw(rank), draw(rank), seed=draw(st.integers(0, 2**31)))
    source = generator(draw(st.integers(0, 2**31)))
    batch, length = draw(st.integers(1, 3)), draw(st.integers(1, 50))
    x = torch.randn(batch, length, width, dtype=F64, generator=source)
    return layer, x, torch.randn(batch, width, dtype=F64, generator=source)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_a_layer_is_its_formula(case: tuple[RecurrentLayer, Tensor, Tensor]) -> None:
    layer, x, initial = case
    for start in (None, initial):
        output, states = run(layer, x, start)
        torch.testing.assert_close(layer(x, start), output, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(layer.run(x, start)[1], states, rtol=1e-10, atol=1e-10)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_gradients_are_those_of_the_formula(case: tuple[RecurrentLayer, Tensor, Tensor]) -> None:
    layer, x, initial = case
    leaves = [x.requires_grad_(), initial.requires_grad_(), *layer.parameters()]
    output = layer(x, initial)
    direction = torch.randn(output.shape, dtype=F64, generator=generator(0))
    found = torch.autograd.grad(output, leaves, direction)
    expected = torch.autograd.grad(run(layer, x, initial)[0], leaves, direction)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("kind", "recurrent_rank", "input_rank"), COMBINATIONS)
def test_gradients_are_those_of_finite_differences(
    kind: Kind, recurrent_rank: int | None, input_rank: int | None
) -> None:
    layer = layer_of(kind, 5, recurrent_rank, input_rank)
    x = torch.randn(2, 4, 5, dtype=F64, generator=generator(1), requires_grad=True)
    initial = torch.randn(2, 5, dtype=F64, generator=generator(2), requires_grad=True)
    names = [name for name, _ in layer.named_parameters()]

    def output(x: Tensor, initial: Tensor, *parameters: Tensor) -> Tensor:
        given = dict(zip(names, parameters, strict=True))
        result: Tensor = torch.func.functional_call(layer, given, (x, initial))
        return result

    assert torch.autograd.gradcheck(output, (x, initial, *layer.parameters()))


@pytest.mark.parametrize(("kind", "recurrent_rank", "input_rank"), COMBINATIONS)
@pytest.mark.parametrize("wanted", ["x", "initial", "parameters"])
def test_only_what_is_asked_for_gets_a_gradient(
    kind: Kind, recurrent_rank: int | None, input_rank: int | None, wanted: str
) -> None:
    layer = layer_of(kind, 5, recurrent_rank, input_rank).requires_grad_(wanted == "parameters")
    x = torch.randn(2, 4, 5, dtype=F64, generator=generator(1), requires_grad=wanted == "x")
    initial = torch.randn(
        2, 5, dtype=F64, generator=generator(2), requires_grad=wanted == "initial"
    )
    layer(x, initial).sum().backward()
    for leaf in (x, initial, *layer.parameters()):
        assert (leaf.grad is not None) == leaf.requires_grad


@pytest.mark.parametrize(("kind", "recurrent_rank", "input_rank"), COMBINATIONS)
def test_two_halves_are_the_whole(
    kind: Kind, recurrent_rank: int | None, input_rank: int | None
) -> None:
    layer = layer_of(kind, 5, recurrent_rank, input_rank)
    x = torch.randn(2, 41, 5, dtype=F64, generator=generator(1))
    whole = layer.run(x)[1]
    half = layer.run(x[:, :18])[1]
    rest = layer.run(x[:, 18:], half[:, -1])[1]
    torch.testing.assert_close(torch.cat([half, rest], 1), whole, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("kind", "recurrent_rank", "input_rank"), COMBINATIONS)
def test_without_a_gradient_and_in_any_layout_the_numbers_are_the_same(
    kind: Kind, recurrent_rank: int | None, input_rank: int | None
) -> None:
    layer = layer_of(kind, 5, recurrent_rank, input_rank)
    by_time = torch.randn(20, 3, 5, dtype=F64, generator=generator(1))
    expected = layer(by_time.transpose(0, 1))
    with torch.no_grad():
        found = layer(by_time.transpose(0, 1).contiguous())
    assert not found.requires_grad
    assert torch.equal(found, expected)


@pytest.mark.parametrize("rank", [None, 2])
def test_the_linear_layer_is_state_after(rank: int | None) -> None:
    layer = layer_of("linear", 4, rank, 3)
    x = torch.randn(1, 7, 4, dtype=F64, generator=generator(1))
    initial = torch.randn(1, 4, dtype=F64, generator=generator(2))
    W, B = (weight.dense().detach().numpy() for weight in layer.weights().values())
    expected = state_after(W, B, initial[0].numpy(), list(x[0].numpy()))
    found = layer.run(x, initial)[1][0, -1].detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_states_that_agree_in_the_bottleneck_have_the_same_future() -> None:
    # bottleneck_determines_future: what V does not see is forgotten after one step.
    layer = layer_of("linear", 6, 2, None)
    null = torch.linalg.svd(layer.weights()["W_h"].dense().detach()).Vh[2:]
    x = torch.randn(1, 20, 6, dtype=F64, generator=generator(1))
    initial = torch.randn(1, 6, dtype=F64, generator=generator(2))
    torch.testing.assert_close(
        layer(x, initial), layer(x, initial + 3 * null.sum(0)), rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("kind", KINDS)
def test_slope_and_matrix_are_the_jacobian_of_a_step(kind: Kind) -> None:
    layer = layer_of(kind, 4, 3, 4)
    x = torch.randn(1, 1, 4, dtype=F64, generator=generator(1))
    initial = torch.randn(1, 4, dtype=F64, generator=generator(2))

    def step(h: Tensor) -> Tensor:
        return layer.run(x, h[None])[1][0, 0]

    expected = torch.autograd.functional.jacobian(step, initial[0])
    slopes = layer.slopes(layer.run(x, initial)[1])[0, 0]
    found = slopes[:, None] * layer.weights()["W_h"].dense()
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_bf16_autocast_stays_near_float32(kind: Kind) -> None:
    layer = layer_of(kind, 16, 5, 5, dtype=torch.float32)
    x = torch.randn(2, 20, 16, generator=generator(1), requires_grad=True)
    leaves = [x, *layer.parameters()]
    exact = layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = layer(x)
    torch.testing.assert_close(rough.float(), exact, rtol=0, atol=0.1)
    exact_gradients = torch.autograd.grad(exact.square().mean(), leaves)
    rough_gradients = torch.autograd.grad(rough.float().square().mean(), leaves)
    for one, other in zip(rough_gradients, exact_gradients, strict=True):
        assert one.dtype == torch.float32
        assert (one - other).norm() <= 0.1 * other.norm()


@pytest.mark.parametrize("rank", [None, 1, 5, 40])
@pytest.mark.parametrize("seed", range(3))
def test_a_linear_layer_starts_stable(rank: int | None, seed: int) -> None:
    W_h = LinearRNN(40, rank, generator=generator(seed), dtype=F64).W_h.dense().detach()
    radius = float(torch.linalg.eigvals(W_h).abs().max())
    assert radius <= START_RADIUS + 1e-8


@pytest.mark.parametrize("rank", [None, 20])
def test_states_of_a_linear_layer_start_with_the_variance_of_the_inputs(rank: int | None) -> None:
    layer = LinearRNN(100, rank, rank, generator=generator(0), dtype=F64)
    x = torch.randn(20, 200, 100, dtype=F64, generator=generator(1))
    with torch.no_grad():
        late = layer(x)[:, 100:]
    # A draw of rank 20 has its own radius and norm: the order of magnitude is what must hold.
    assert 0.5 < float(late.var()) < 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(3, 4), (2, 0, 4), (0, 3, 4), (2, 3, 5), (2, 3, 4, 1)])
def test_a_sequence_of_another_shape_is_refused(kind: Kind, shape: tuple[int, ...]) -> None:
    layer = layer_of(kind, 4, 2, 2)
    with pytest.raises(DomainError, match=r"x = .* of shape \(batch >= 1, length >= 1, 4\)"):
        layer(torch.zeros(shape, dtype=F64))


def test_a_state_of_another_shape_is_refused() -> None:
    with pytest.raises(DomainError, match=r"initial = \(4,\): .* of shape \(2, 4\)"):
        layer_of("elman", 4, 2, 2)(torch.zeros(2, 3, 4, dtype=F64), torch.zeros(4, dtype=F64))


@pytest.mark.parametrize("rank", [0, 5, -1, 2.0, True])
def test_a_rank_outside_the_width_is_refused(rank: object) -> None:
    for kind in (Elman, LinearRNN):
        with pytest.raises(DomainError, match=r"rank = .* integer >= 1 and <= 4"):
            kind(4, rank, generator=generator(0))  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(cases(), st.integers(1, 9), st.integers(0, 99))
def test_rows_of_a_table_are_the_sequence_of_these_rows(
    case: tuple[RecurrentLayer, Tensor, Tensor], rows: int, seed: int
) -> None:
    layer, x, _ = case
    table = torch.randn(rows, layer.width, dtype=F64, generator=generator(seed)).requires_grad_()
    tokens = torch.randint(rows, x.shape[:2], generator=generator(seed))
    wanted = [table, *layer.parameters()]
    by_row, by_place = layer.run_rows(table, tokens), layer.run(table[tokens])
    for found, expected in zip(by_row, by_place, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    direction = torch.randn(x.shape, dtype=F64, generator=generator(seed + 1))
    gradients = [torch.autograd.grad(out[0], wanted, direction) for out in (by_row, by_place)]
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
