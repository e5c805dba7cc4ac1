"""What a run under way tells: how far it is, how fast, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from spectral_rank.training.checkpoints import Journal
from spectral_rank.training.run_record import LN_2, Evaluation, RunRecord


@dataclass(frozen=True)
class Progress:
    """What an observer is told after every step and every look.

    Attributes:
        step: optimizer steps done.
        steps: optimizer steps of the whole run.
        loss: training loss of the last step, nats per byte; ``None`` before this process's first.
        evaluation: the last look at the validation loss; ``None`` before the first.
        tokens_per_second: bytes predicted per second since this process began, looks included.
        seconds_left: until the end at this speed; ``None`` before this process's first step.
    """

    step: int
    steps: int
    loss: float | None
    evaluation: Evaluation | None
    tokens_per_second: float
    seconds_left: float | None

    @property
    def bits_per_byte(self) -> float | None:
        """The training loss of the last step in bits per byte."""
        return None if self.loss is None else self.loss / LN_2


Observer = Callable[[Progress], None]


class Reporter:
    """Tells the observer of a run, and keeps its time.

    Args:
        record: the run as it was when this process began.
        observer: whom to tell; ``None`` for nobody.
    """

    def __init__(self, record: RunRecord, observer: Observer | None) -> None:
        self._before = record
        self._start = time.perf_counter()
        self._observer = observer

    def tell(self, step: int, loss: float | None, record: RunRecord) -> None:
        """Tell the observer.

        Args:
            step: optimizer steps done.
            loss: training loss of the last step.
            record: the looks so far.
        """
        if self._observer is None:
            return
        training = record.settings.training
        done, elapsed = step - self._before.step, time.perf_counter() - self._start
        self._observer(
            Progress(
                step=step,
                steps=training.steps,
                loss=loss,
                evaluation=record.evaluations[-1] if record.evaluations else None,
                tokens_per_second=done * training.batch * training.length / elapsed,
                seconds_left=(training.steps - step) * elapsed / done if done else None,
            )
        )

    def stamped(self, journal: Journal, step: int) -> Journal:
        """The journal with the steps done and the time spent, earlier attempts included."""
        seconds = self._before.seconds + time.perf_counter() - self._start
        record = journal.record.model_copy(update={"step": step, "seconds": seconds})
        return journal.model_copy(update={"record": record})
