import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.training.runs import tiny
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from spectral_rank.models.recurrent.language_model import build_model
from spectral_rank.models.recurrent.settings import ModelSettings
from spectral_rank.training.loss import next_byte_loss
from spectral_rank.training.passes import backward_pass, forward_pass
from spectral_rank.training.run_settings import Precision, TrainingSettings

SHAPES = [
    ModelSettings(
        kind=kind,
        width=8,
        layers=2,
        recurrent_rank=rank,
        input_rank=rank,
        residual=residual,
        norm=norm,
        tied=tied,
    )
    for kind, rank in (("elman", None), ("elman", 3), ("e5", 3), ("linear", None), ("linear", 3))
    for residual, norm, tied in itertools.product((False, True), repeat=3)
]


def training_in(precision: Precision) -> TrainingSettings:
    return tiny(precision=precision).training


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_backward_pass_is_the_gradient_of_the_loss(shape: ModelSettings) -> None:
    model = build_model(shape, 0, torch.float64)
    tokens = torch.randint(256, (4, 9), generator=torch.Generator().manual_seed(0))
    loss, *gradient = backward_pass(model, training_in("float64"))(tokens)
    assert all(parameter.grad is None for parameter in model.parameters())
    expected = next_byte_loss(model, tokens)
    expected.backward()
    assert torch.equal(loss, expected)
    assert not loss.requires_grad
    for parameter, found in zip(model.parameters(), gradient, strict=True):
        assert torch.equal(parameter.grad, found)
    # The optimizer scales each in place.
    assert len({found.untyped_storage().data_ptr() for found in gradient}) == len(gradient)
    (alone,) = forward_pass(model, training_in("float64"))(tokens)
    assert torch.equal(alone, loss)
    assert not alone.requires_grad


class Waits(TorchDispatchMode):
    """Collects the operations whose result, or its shape, a program can only know by waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape} & set(func.tags):
            self.found.append(func.name())
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_pass_waits_for_no_number(shape: ModelSettings, precision: Precision) -> None:
    """What waits cannot be recorded as a graph.  A CPU alone reads two: the least byte and the
    largest, which it refuses outside the vocabulary."""
    model = build_model(shape, 0)
    tokens = torch.zeros(4, 9, dtype=torch.int64)
    for computed in (forward_pass, backward_pass):
        with Waits() as waits:
            computed(model, training_in(precision))(tokens)
        assert waits.found == ["aten::_local_scalar_dense"] * 2


@pytest.mark.parametrize("wait", [float, torch.nonzero])
def test_a_pass_that_waits_is_seen(wait: Callable[[Tensor], object]) -> None:
    """The mutants of the test above."""
    model = build_model(SHAPES[0], 0)
    model.register_forward_hook(lambda *given: print(wait(given[2].detach().mean())))
    with Waits() as waits:
        backward_pass(model, training_in("float32"))(torch.zeros(4, 9, dtype=torch.int64))
    assert len(waits.found) == 3
