"""What every recurrent layer does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.recurrent.weight import Weight


class LayerStates(NamedTuple):
    """The states of a layer over a sequence.

    Attributes:
        states: after each step, before any gate, shape ``(B, T, d)``.
        slopes: derivative of the activation at each step, shape ``(B, T, d)``: the Jacobian of the
            step is ``diag(slope) @ W_h``.
    """

    states: Tensor
    slopes: Tensor


class RecurrentLayer(nn.Module, ABC):
    """A layer from sequences ``(B, T, d)`` to sequences ``(B, T, d)``.

    Sequences are worked on time-major.  A tensor of shape ``(B, T, d)`` that is the transpose of a
    contiguous ``(T, B, d)`` is used without a copy, and that is how outputs are laid out.

    Under autocast the input products and the tanh recurrence are in the type of autocast; a linear
    recurrence keeps the type of its parameters, because it has no slope below 1 that would forget
    the rounding.

    Args:
        width: ``d``.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    @abstractmethod
    def weights(self) -> dict[str, Weight]:
        """The matrices by name: ``W_h`` first, then ``W_x`` and what else there is."""

    @abstractmethod
    def enter(self, x: Tensor) -> tuple[Tensor, ...]:
        """What depends on the inputs alone, each by itself: ``(..., d)`` to ``(..., n)`` each."""

    @abstractmethod
    def recur(self, entered: tuple[Tensor, ...], initial: Tensor) -> Tensor:
        """The states after each step from what `enter` made of the inputs, all time-major.

        Args:
            entered: shape ``(T, B, n)`` each.
            initial: the state before the first step, shape ``(B, d)``.

        Returns:
            Shape ``(T, B, d)``.
        """

    def emit(self, entered: tuple[Tensor, ...], states: Tensor) -> Tensor:
        """The output from what `enter` made of the inputs and the states: by default the states."""
        return states

    def slopes(self, states: Tensor) -> Tensor:
        """Derivative of the activation where it took these values: by default that of tanh."""
        return 1 - states**2

    def run(self, x: Tensor, initial: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Output and states.

        Args:
            x: shape ``(B, T, d)``, ``B`` and ``T`` >= 1.
            initial: the state before the first step, shape ``(B, d)``; zero by default.

        Returns:
            The output and the states after each step, ``(B, T, d)`` each.

        Raises:
            DomainError: if ``x`` or ``initial`` has not its shape.
        """
        initial = self._checked_initial(x, initial)
        return self._from_entered(self.enter(x.transpose(0, 1).contiguous()), initial)

    def run_rows(self, table: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Output and states of the sequences of the table's rows ``table[tokens]``.

        The same as `run` on them, but what depends on the input alone is computed once for each
        row: a text has far fewer different bytes than places.

        Args:
            table: shape ``(rows, d)``.
            tokens: int64, shape ``(B, T)``, each in ``[0, rows)``.

        Returns:
            As `run`, from the zero state.
        """
        by_time = tokens.t()
        entered = tuple(functional.embedding(by_time, part) for part in self.enter(table))
        return self._from_entered(entered, table.new_zeros(len(tokens), self.width))

    def _from_entered(self, entered: tuple[Tensor, ...], initial: Tensor) -> tuple[Tensor, Tensor]:
        states = self.recur(entered, initial)
        return self.emit(entered, states).transpose(0, 1), states.transpose(0, 1)

    def forward(self, x: Tensor, initial: Tensor | None = None) -> Tensor:
        """The output of `run`."""
        return self.run(x, initial)[0]

    def _checked_initial(self, x: Tensor, initial: Tensor | None) -> Tensor:
        if x.ndim != 3 or x.shape[2] != self.width or 0 in x.shape:
            rule = f"of shape (batch >= 1, length >= 1, {self.width})"
            raise DomainError("x", tuple(x.shape), rule)
        shape = (x.shape[0], self.width)
        if initial is None:
            return x.new_zeros(shape)
        if tuple(initial.shape) != shape:
            raise DomainError("initial", tuple(initial.shape), f"of shape {shape}")
        return initial
