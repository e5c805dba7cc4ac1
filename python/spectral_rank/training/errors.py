"""What can go wrong with a training run: each error is one clear message and keeps what is done."""

from __future__ import annotations

from pathlib import Path


class TrainingError(Exception):
    """Base of the errors that a command reports in one message, without a traceback."""


class CheckpointError(TrainingError):
    """A checkpoint cannot be written, is damaged, or belongs to another run."""


class DamagedError(CheckpointError):
    """What a folder holds cannot be read back: damaged, incomplete or of another program."""


class MissingPackageError(TrainingError):
    """An optional package is asked for and not installed."""


class DivergedError(TrainingError):
    """The loss or its gradient is no longer finite.

    Attributes:
        step: the optimizer step that could not be done, counted from 1.
        learning_rate: at this step.
        checkpoint: the last checkpoint before, which is kept; ``None`` if there is none.
    """

    def __init__(self, step: int, learning_rate: float) -> None:
        super().__init__(step, learning_rate)
        self.step = step
        self.learning_rate = learning_rate
        self.checkpoint: Path | None = None

    def __str__(self) -> str:
        kept = "" if self.checkpoint is None else f"; {self.checkpoint} is kept"
        return (
            f"the loss or its gradient is not finite at step {self.step}, learning rate "
            f"{self.learning_rate:.3g}: train with a lower one{kept}"
        )
