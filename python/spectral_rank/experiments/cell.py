"""One cell, measured where a worker stands: load the file, run, and answer in JSON values."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from spectral_rank.experiments.errors import ProtocolError
from spectral_rank.experiments.record import Cell
from spectral_rank.experiments.registry import Experiment, load
from spectral_rank.experiments.store import CellRecord
from spectral_rank.provenance import device_in_words, versions

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Task:
    """A cell to measure, in values that any process can read.

    Attributes:
        index: its place among the cells of the run.
        path: file of the experiment.
        code_hash: hash of the measuring code that the run began with.
        config: the configuration in JSON values.
        cell: the condition and seed.
        threads: threads it may use.
    """

    index: int
    path: Path
    code_hash: str
    config: dict[str, Any]
    cell: Cell
    threads: int


@dataclass(frozen=True)
class Failure:
    """A cell that raised an exception.

    Attributes:
        index: its place among the cells of the run.
        cell: the condition and seed.
        error: type and message of the exception.
        trace: the traceback as text.
    """

    index: int
    cell: Cell
    error: str
    trace: str


@dataclass(frozen=True)
class Success:
    """A cell that was measured.

    Attributes:
        index: its place among the cells of the run.
        record: what was measured, and by what.
    """

    index: int
    record: CellRecord


Outcome = Success | Failure


def measure(task: Task) -> Outcome:
    """Measure a cell; an exception is an answer, too, so that other cells go on."""
    try:
        return Success(task.index, _record(task))
    except Exception as error:
        words = f"{type(error).__name__}: {error}"
        return Failure(task.index, task.cell, words, traceback.format_exc())


def _record(task: Task) -> CellRecord:
    experiment = _loaded(task.path)
    if experiment.code_hash != task.code_hash:
        raise ProtocolError(f"{task.path}: the file was changed while it ran")
    # The environment sets the threads of libraries that a worker is yet to import; torch may have
    # been imported by whoever measures without a worker.
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(task.threads)
    config = experiment.settings.model_validate(task.config)
    start = time.perf_counter()
    measurement = experiment.run_cell(config, task.cell)
    seconds = time.perf_counter() - start
    return CellRecord(
        cell=task.cell,
        code_hash=task.code_hash,
        versions=versions(),
        device=device_in_words(task.threads),
        seconds=seconds,
        measurement=json_values("run_cell", measurement),
    )


@lru_cache(maxsize=8)
def _loaded(path: Path) -> Experiment:
    return load(path)


def json_values(function: str, value: Any) -> dict[str, Any]:
    """The value as it reads from a JSON file, so that a resumed run sees what the first one saw.

    Args:
        function: name of the function that returned it, for the message.
        value: a dictionary of JSON values: no NaN, no infinity, no arrays.

    Raises:
        ProtocolError: if it is not.
    """
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"{function} must return JSON values: {error}: {value!r}") from None
    if not isinstance(value, dict):
        raise ProtocolError(f"{function} must return a dictionary, not {value!r}")
    again: dict[str, Any] = json.loads(text)
    return again


@contextmanager
def thread_environment(threads: int) -> Iterator[None]:
    """Processes started meanwhile give their linear algebra this many threads."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
