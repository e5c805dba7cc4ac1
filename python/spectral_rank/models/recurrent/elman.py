"""The Elman layer, dense or of low rank."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spectral_rank.models.recurrent.layer import RecurrentLayer
from spectral_rank.models.recurrent.tanh_recurrence import dense_tanh, low_rank_tanh
from spectral_rank.models.recurrent.weight import LowRank, Weight, random_weight


class Elman(RecurrentLayer):
    """``h_t = tanh(W_h h_{t-1} + W_x x_t + b)``.

    At the start ``b`` is zero, ``W_x`` preserves the variance (entries of variance ``1 / d``), and
    ``W_h`` has entries of variance ``1 / (3 d)``, those of torch's default, uniform in
    ``+-1 / sqrt(d)``: its spectral radius is about 0.58, so that states neither die nor saturate.

    Args:
        width: ``d`` >= 1.
        recurrent_rank: rank of ``W_h``, from 1 to ``d``; ``None`` for a dense matrix.
        input_rank: rank of ``W_x``, likewise.
        generator: source of randomness, on the CPU.
        dtype: type of the parameters.

    Raises:
        DomainError: if an argument is outside its domain.
    """

    def __init__(
        self,
        width: int,
        recurrent_rank: int | None = None,
        input_rank: int | None = None,
        *,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(width)
        deviation = (3 * width) ** -0.5
        self.W_h = random_weight(width, width, recurrent_rank, deviation, generator, dtype)
        self.W_x = random_weight(width, width, input_rank, width**-0.5, generator, dtype)
        self.b = nn.Parameter(torch.zeros(width, dtype=dtype))

    def weights(self) -> dict[str, Weight]:
        """``W_h`` and ``W_x``."""
        return {"W_h": self.W_h, "W_x": self.W_x}

    def enter(self, x: Tensor) -> tuple[Tensor, ...]:
        """The drive ``W_x x + b``, in the type of the computation."""
        return (with_bias(self.W_x, x, self.b),)

    def recur(self, entered: tuple[Tensor, ...], initial: Tensor) -> Tensor:
        """The states, in the type of the drive."""
        drive = entered[0]
        initial = initial.to(drive.dtype)
        if isinstance(self.W_h, LowRank):
            U, V = (factor.to(drive.dtype) for factor in self.W_h.aligned())
            return low_rank_tanh(drive, U, V, initial)
        return dense_tanh(drive, self.W_h.dense().to(drive.dtype), initial)


def with_bias(weight: Weight, x: Tensor, bias: Tensor) -> Tensor:
    """``x @ W.T + b``, the bias added within the last product."""
    if isinstance(weight, LowRank):
        U, V = weight.aligned()
        return nn.functional.linear(nn.functional.linear(x, V), U, bias)
    return nn.functional.linear(x, weight.dense(), bias)
