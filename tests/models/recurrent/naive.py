"""The recurrences step by step, as their formulas read."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from spectral_rank.models.recurrent.e5 import E5
from spectral_rank.models.recurrent.elman import Elman
from spectral_rank.models.recurrent.layer import RecurrentLayer
from spectral_rank.models.recurrent.linear_rnn import LinearRNN
from spectral_rank.models.recurrent.settings import Kind

F64 = torch.float64


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def layer_of(
    kind: Kind,
    width: int,
    recurrent_rank: int | None,
    input_rank: int | None,
    seed: int = 0,
    dtype: torch.dtype = F64,
) -> RecurrentLayer:
    source = generator(seed)
    if kind == "e5":
        assert recurrent_rank is not None
        assert input_rank is not None
        layer: RecurrentLayer = E5(width, recurrent_rank, input_rank, generator=source, dtype=dtype)
    elif kind == "elman":
        layer = Elman(width, recurrent_rank, input_rank, generator=source, dtype=dtype)
    else:
        layer = LinearRNN(width, recurrent_rank, input_rank, generator=source, dtype=dtype)
    if isinstance(layer, Elman):
        torch.nn.init.normal_(layer.b, generator=source)
    return layer


def run(layer: RecurrentLayer, x: Tensor, initial: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Output and states ``(B, T, d)``, one step after the other, from the dense matrices."""
    W = {name: weight.dense() for name, weight in layer.weights().items()}
    h = x.new_zeros(len(x), layer.width) if initial is None else initial
    outputs, states = [], []
    for x_t in x.unbind(1):
        h = h @ W["W_h"].T + x_t @ W["W_x"].T
        if isinstance(layer, Elman):
            h = torch.tanh(h + layer.b)
        outputs.append(h * functional.silu(x_t @ W["W_z"].T) if isinstance(layer, E5) else h)
        states.append(h)
    return torch.stack(outputs, 1), torch.stack(states, 1)
