"""One pass through a language model: forward for the loss, and backward for its gradient.

A pass is a function of a batch alone: it reads the parameters where they lie, waits for no number
of its own, and writes nowhere.  So it can be recorded once on a GPU and replayed
(`spectral_rank.training.cuda_graph`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from spectral_rank.training.loss import next_byte_loss
from spectral_rank.training.run_settings import TrainingSettings

Pass = Callable[[Tensor], tuple[Tensor, ...]]
"""From sequences of bytes, int64, ``(B, T + 1)``, to the mean loss, ``()``, and what follows it."""


def forward_pass(model: nn.Module, training: TrainingSettings) -> Pass:
    """The loss alone, without a gradient.

    Args:
        model: maps bytes ``(B, T)`` to logits ``(B, T, vocabulary)``.
        training: the precision.
    """

    def computed(tokens: Tensor) -> tuple[Tensor, ...]:
        with torch.no_grad(), _autocast(training, tokens.device):
            return (next_byte_loss(model, tokens),)

    return computed


def backward_pass(model: nn.Module, training: TrainingSettings) -> Pass:
    """The loss and its gradient, in the order of the parameters and in their shapes.

    Args:
        model: as in `forward_pass`.
        training: the precision.
    """
    parameters = list(model.parameters())

    def computed(tokens: Tensor) -> tuple[Tensor, ...]:
        with _autocast(training, tokens.device):
            loss = next_byte_loss(model, tokens)
        return loss.detach(), *torch.autograd.grad(loss, parameters, materialize_grads=True)

    return computed


def _autocast(training: TrainingSettings, device: torch.device) -> AbstractContextManager[object]:
    if training.precision != "bf16":
        return nullcontext()
    # Without the cache of cast weights, which a recorded pass would read when they have changed.
    return torch.autocast(device.type, dtype=torch.bfloat16, cache_enabled=False)
