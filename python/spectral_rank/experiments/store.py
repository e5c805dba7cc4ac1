"""Where results lie: one JSON file per finished run, and the cells of unfinished ones.

A finished run is ``RESULTS/<id>-<profile>-<hash>.json``.  An unfinished one is the folder
``RESULTS/.partial/<id>-<hash>`` with one file per finished cell.  Each file appears whole or not at
all.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ValidationError

from spectral_rank.atomic_file import write_atomically
from spectral_rank.experiments.errors import AlreadyRunningError, StorageError
from spectral_rank.experiments.record import (
    Cell,
    Config,
    ExperimentResult,
)
from spectral_rank.provenance import versions

NAME = re.compile(r"[0-9A-Z]\.[0-9]+-[a-z]+-[0-9a-f]{12}\.json")
"""Files of finished runs; a folder of results may hold other records."""


class CellRecord(BaseModel):
    """A finished cell.

    Attributes:
        cell: the condition and seed.
        code_hash: hash of the code that measured.
        versions: versions of Python and the libraries that measured.
        device: processor or accelerator that measured.
        seconds: wall time of the measurement.
        measurement: what was measured.
    """

    cell: Cell
    code_hash: str
    versions: dict[str, str]
    device: str
    seconds: float
    measurement: dict[str, Any]

    def answers(self, cell: Cell, code_hash: str) -> bool:
        """Whether this is what measuring the cell here, with this code, would give."""
        return (self.cell, self.code_hash, self.versions) == (cell, code_hash, versions())


@dataclass(frozen=True)
class PartialRun:
    """The finished cells of a run that has not ended.

    Attributes:
        folder: where they lie.
    """

    folder: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from running the same; the lock ends with this process.

        Raises:
            AlreadyRunningError: if another process holds the lock.
            StorageError: if the folder cannot be written.
        """
        with _reported(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self.folder.parent / ".gitignore", "*\n")
            handle = self._lock()
        with handle:
            yield

    def _lock(self) -> IO[str]:
        path = self.folder / "lock"
        while True:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = path.open("w", encoding="utf-8")
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                handle.close()
                message = f"{self.folder.name}: another process is running this configuration"
                raise AlreadyRunningError(message) from None
            # A run that ended between the two lines above has removed the file we have locked.
            if path.exists() and os.path.samestat(os.fstat(handle.fileno()), path.stat()):
                return handle
            handle.close()

    def begin_again(self) -> None:
        """Forget the cells, unless they are those of a forced run that was cut off."""
        marker = self.folder / "forced"
        if not marker.exists():
            with _reported(self.folder):
                for path in self.folder.glob("*.json"):
                    path.unlink()
                write_atomically(marker, "")

    def read(self, index: int) -> CellRecord | None:
        """The finished cell of this index; ``None`` if it is missing or not readable."""
        try:
            return CellRecord.model_validate_json(self._path(index).read_bytes())
        except (OSError, ValidationError):
            return None

    def write(self, index: int, record: CellRecord) -> None:
        """Store a finished cell.

        Raises:
            StorageError: if it cannot be written.
        """
        with _reported(self._path(index)):
            write_atomically(self._path(index), record.model_dump_json() + "\n")

    def count(self) -> int:
        """How many cells are stored."""
        return len(list(self.folder.glob("*.json")))

    def remove(self) -> None:
        """Remove the folder; what cannot be removed only takes space."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, index: int) -> Path:
        return self.folder / f"{index}.json"


@dataclass(frozen=True)
class Store:
    """A folder of results.

    Attributes:
        folder: the folder; it need not exist.
    """

    folder: Path

    def path(self, number: str, config: Config) -> Path:
        """The file of the finished run of an experiment."""
        return self.folder / f"{number}-{config.profile}-{config.digest()}.json"

    def partial(self, number: str, config: Config) -> PartialRun:
        """The unfinished run of an experiment."""
        return PartialRun(self.folder / ".partial" / f"{number}-{config.digest()}")

    def finished(self, number: str, config: Config) -> ExperimentResult | None:
        """The stored result of an experiment, or ``None``.

        Raises:
            StorageError: if there is a file but it is not a result.
        """
        path = self.path(number, config)
        return read_result(path) if path.exists() else None

    def write(self, result: ExperimentResult, config: Config) -> Path:
        """Store a finished run.

        Returns:
            Its file.

        Raises:
            StorageError: if it cannot be written.
        """
        path = self.path(result.id, config)
        with _reported(path):
            write_atomically(path, result.model_dump_json(indent=1) + "\n")
        return path

    def results(self) -> dict[Path, ExperimentResult]:
        """All finished runs, by file; other files of the folder are not read.

        Raises:
            StorageError: naming a file that is not a result.
        """
        paths = sorted(self.folder.glob("*.json"))
        return {path: read_result(path) for path in paths if NAME.fullmatch(path.name)}


def read_result(path: Path) -> ExperimentResult:
    """Read a finished run.

    Raises:
        StorageError: if the file cannot be read, or is not a result of this version's layout.
    """
    try:
        return ExperimentResult.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise StorageError(
            f"{path}: not a result of an experiment: {where} {first['msg']}"
        ) from None


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Turn an operating system's refusal to write into the one error of this package."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(
            f"{path}: cannot be written: {reason}; what was stored before is kept"
        ) from None
