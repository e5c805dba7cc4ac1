"""The linear recurrent layer, dense or run in the bottleneck of its low rank."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from spectral_rank.models.recurrent.layer import RecurrentLayer
from spectral_rank.models.recurrent.linear_recurrence import linear_scan
from spectral_rank.models.recurrent.weight import Dense, LowRank, Weight, random_weight

START_RADIUS = 0.9
"""Largest spectral radius of ``W_h`` at the start: a state is forgotten over tens of steps."""


class LinearRNN(RecurrentLayer):
    """``h_t = W_h h_{t-1} + W_x x_t``.

    With ``W_h = U V`` the recurrence runs in the ``r`` coordinates ``z = V h``, which obey
    ``z_t = (V U) z_{t-1} + V W_x x_t`` (``bottleneck_recurrence``) and give every state as
    ``h_t = U z_{t-1} + W_x x_t`` (``stateAfter_from_bottleneck``).

    At the start ``W_h`` has entries of variance ``0.81 / d``, whose spectral radius is about 0.9;
    where the draw exceeds 0.9, ``W_h`` is scaled down to it.  ``W_x`` has entries of variance
    ``(1 - 0.81) / d``, so that states of independent inputs come to have the inputs' variance.

    Args:
        width: ``d`` >= 1.
        recurrent_rank: rank ``r`` of ``W_h``, from 1 to ``d``; ``None`` for a dense matrix.
        input_rank: rank of ``W_x``, likewise.
        generator: source of randomness, on the CPU.
        dtype: type of the parameters.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.bottleneck_recurrence``, ``SpectralRank.stateAfter_from_bottleneck``.
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
        memory = START_RADIUS * width**-0.5
        entry = (1 - START_RADIUS**2) ** 0.5 * width**-0.5
        self.W_h = random_weight(width, width, recurrent_rank, memory, generator, dtype)
        self.W_x = random_weight(width, width, input_rank, entry, generator, dtype)
        _limit_radius(self.W_h, START_RADIUS)

    def weights(self) -> dict[str, Weight]:
        """``W_h`` and ``W_x``."""
        return {"W_h": self.W_h, "W_x": self.W_x}

    def slopes(self, states: Tensor) -> Tensor:
        """Ones: there is no activation."""
        return torch.ones_like(states)

    def enter(self, x: Tensor) -> tuple[Tensor, ...]:
        """``W_x x``, and for a recurrence of low rank ``V W_x x`` as well.

        Both in the type of the parameters.
        """
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(next(self.parameters()).dtype)
            if not isinstance(self.W_h, LowRank):
                return (self.W_x(x),)
            V = self.W_h.aligned()[1]
            if not isinstance(self.W_x, LowRank):
                return self.W_x(x), functional.linear(x, V @ self.W_x.dense())
            # Both from the bottleneck of W_x, so that V meets no vector of the full width.
            R, L = self.W_x.aligned()
            narrow = functional.linear(x, L)
            return functional.linear(narrow, R), functional.linear(narrow, V @ R)

    def recur(self, entered: tuple[Tensor, ...], initial: Tensor) -> Tensor:
        """The states, in the type of the parameters."""
        with torch.autocast(initial.device.type, enabled=False):
            drive, first = entered[0], initial.to(entered[0].dtype)
            if not isinstance(self.W_h, LowRank):
                inputs = torch.cat([first.unsqueeze(0), drive])
                return linear_scan(inputs, self.W_h.dense(), chunk=None)[1:]
            U, V = self.W_h.aligned()
            inputs = torch.cat([functional.linear(first, V).unsqueeze(0), entered[1][:-1]])
            before = linear_scan(inputs, V @ U)
            # One call adds the drive within the product.
            states = torch.addmm(drive.flatten(0, 1), before.flatten(0, 1), U.t())
            return states.view(drive.shape)


@torch.no_grad()
def _limit_radius(weight: Weight, limit: float) -> None:
    """Scale a square weight down to a spectral radius, if its own is larger."""
    # The nonzero eigenvalues of U V are those of the small V U.
    core = weight.V @ weight.U if isinstance(weight, LowRank) else weight.dense()
    radius = float(torch.linalg.eigvals(core.to(torch.float64)).abs().max())
    if radius <= limit:
        return
    if isinstance(weight, LowRank):
        weight.U.mul_((limit / radius) ** 0.5)
        weight.V.mul_((limit / radius) ** 0.5)
    elif isinstance(weight, Dense):
        weight.matrix.mul_(limit / radius)
