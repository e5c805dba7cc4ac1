"""Makes the figure of a stored result, the same file at every time and place."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import matplotlib as mpl

from spectral_rank.atomic_file import write_atomically
from spectral_rank.experiments.errors import ProtocolError, StorageError
from spectral_rank.experiments.record import ExperimentResult
from spectral_rank.experiments.registry import Experiment

DATE = re.compile(r"\s*<dc:date>[^<]*</dc:date>")
"""What matplotlib writes of the time, whether or not an experiment asked it not to."""


def remake(experiment: Experiment, result: ExperimentResult, folder: Path) -> Path:
    """Draw the figure of a result.

    Args:
        experiment: the experiment that draws.
        result: its stored result.
        folder: where the figure goes, as ``<id>.svg``.

    Returns:
        The file.

    Raises:
        ProtocolError: if ``draw`` raises an exception or writes no SVG.
        StorageError: if the figure cannot be written.
    """
    with tempfile.TemporaryDirectory() as scratch:
        drawn = Path(scratch) / f"{result.id}.svg"
        try:
            with mpl.rc_context({"svg.hashsalt": "spectral-rank"}):
                experiment.draw(result, drawn)
        except Exception as error:
            raise ProtocolError(
                f"{experiment.path}: draw failed: {type(error).__name__}: {error}"
            ) from error
        text = drawn.read_text(encoding="utf-8") if drawn.is_file() else ""
    if "<svg" not in text:
        raise ProtocolError(f"{experiment.path}: draw must write an SVG to the path it is given")
    path = folder / f"{result.id}.svg"
    try:
        write_atomically(path, DATE.sub("", text))
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from None
    return path
