"""The E5 layer: an Elman layer of low rank whose output is gated by its input."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from spectral_rank.models.recurrent.elman import Elman
from spectral_rank.models.recurrent.weight import Weight, random_weight


class E5(Elman):
    """``h_t = tanh(U_h V_h h_{t-1} + U_x V_x x_t + b)``, and out ``h_t * silu(U_z V_z x_t)``.

    The gate looks at the input only: states do not depend on it.  ``W_z`` starts as ``W_x`` does.

    Args:
        width: ``d`` >= 1.
        recurrent_rank: rank of ``W_h``, from 1 to ``d``.
        input_rank: rank of ``W_x`` and of ``W_z``, from 1 to ``d``.
        generator: source of randomness, on the CPU.
        dtype: type of the parameters.

    Raises:
        DomainError: if an argument is outside its domain.
    """

    def __init__(
        self,
        width: int,
        recurrent_rank: int,
        input_rank: int,
        *,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(width, recurrent_rank, input_rank, generator=generator, dtype=dtype)
        self.W_z = random_weight(width, width, input_rank, width**-0.5, generator, dtype)

    def weights(self) -> dict[str, Weight]:
        """``W_h``, ``W_x`` and ``W_z``."""
        return {**super().weights(), "W_z": self.W_z}

    def enter(self, x: Tensor) -> tuple[Tensor, ...]:
        """The drive, and the gate ``silu(W_z x)``."""
        return (*super().enter(x), functional.silu(self.W_z(x)))

    def emit(self, entered: tuple[Tensor, ...], states: Tensor) -> Tensor:
        """``h * silu(W_z x)``."""
        return states * entered[1]
