"""The loss of a language model over bytes."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


def next_byte_loss(model: nn.Module, tokens: Tensor) -> Tensor:
    """The mean cross entropy of each byte given those before it in its sequence.

    Args:
        model: maps bytes ``(B, T)`` to logits ``(B, T, vocabulary)``.
        tokens: sequences of bytes, int64, shape ``(B, T + 1)``.

    Returns:
        Nats per byte, shape ``()``, in the type of the parameters or, under autocast, float32.
    """
    logits: Tensor = model(tokens[:, :-1])
    targets = tokens[:, 1:]
    return functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))
