"""Finished runs, so that each network is trained once.

A folder of a run holds its checkpoint until it ends, and then ``model.safetensors`` (the weights
alone, a low-rank matrix as its factors) and ``record.json``.  Runs that experiments ask for lie in
the cache folder as ``runs/<key>``.  The key is a hash of all that decides the numbers: the
settings, the text, the code named in `COMPUTING` without its comments and docstrings, the layout of
the record, the versions of Python and the libraries, the processor or GPU and the number of
threads.  Code further away is not part of it: after a change there, remove the cache folder.
"""

from __future__ import annotations

import ast
import fcntl
import functools
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from pydantic import ValidationError

import spectral_rank
from spectral_rank.atomic_file import write_atomically
from spectral_rank.cache import cache_folder
from spectral_rank.data.text import Text
from spectral_rank.models.recurrent.language_model import build_model
from spectral_rank.provenance import device_in_words, versions
from spectral_rank.spectra.factors import DECLARATION
from spectral_rank.training.checkpoints import (
    ADVICE,
    CHECKPOINT_FILE,
    read_tensors,
    require_same_run,
    write_tensors,
)
from spectral_rank.training.errors import CheckpointError, DamagedError, TrainingError
from spectral_rank.training.loop import Trained, check_run, train
from spectral_rank.training.parallel import joined, own_device, process_count
from spectral_rank.training.progress import Observer
from spectral_rank.training.run_record import SCHEMA_VERSION, RunRecord
from spectral_rank.training.run_settings import RunSettings

MODEL_FILE = "model.safetensors"
RECORD_FILE = "record.json"

COMPUTING = (
    "data/text.py",
    "formulas/conditioning.py",
    "formulas/effective_rank.py",
    "models/recurrent/*.py",
    "spectra/effective_rank.py",
    "spectra/jacobian.py",
    "training/cuda_graph.py",
    "training/loop.py",
    "training/loss.py",
    "training/optimizer.py",
    "training/parallel.py",
    "training/passes.py",
    "training/probes.py",
    "training/*_probe.py",
)
"""The code that a run's numbers depend on, as globs in this package."""


class BusyError(TrainingError):
    """Another process trains in the same folder."""


def trained(settings: RunSettings, device: str | None = None) -> Trained:
    """The network of these settings: from the cache if it was trained here, else trained now.

    Killed, it goes on at the next call.  Processes that ask for the same run at the same time wait
    for the one that trains it.  What is damaged in the cache is removed and trained again.

    Args:
        settings: everything that decides the numbers.
        device: ``cpu``, ``cuda`` or ``cuda:N``; by default a GPU for ``bf16``, which needs one, and
            else the processor, whether or not there is a GPU.

    Raises:
        TrainingError: if it is called in one of several processes that ``torchrun`` started.
        DomainError, CheckpointError, DivergedError, MissingPackageError: as
            `spectral_rank.training.loop.train`.
    """
    if process_count() > 1:
        message = "an experiment trains each network in one process: start it without torchrun"
        raise TrainingError(message)
    if device is None:
        is_for_gpu = settings.training.precision == "bf16" and torch.cuda.is_available()
        device = "cuda" if is_for_gpu else "cpu"
    text = check_run(settings, device)
    folder = cache_folder() / "runs" / run_key(settings, text, device)
    with _locked(folder, wait=True):
        try:
            return _found_or_trained(folder, settings, text, device, None)
        except DamagedError:
            for name in (RECORD_FILE, MODEL_FILE, CHECKPOINT_FILE):
                (folder / name).unlink(missing_ok=True)
            return _found_or_trained(folder, settings, text, device, None)


def trained_in(
    folder: Path, settings: RunSettings, *, device: str = "cpu", observer: Observer | None = None
) -> Trained:
    """The network of these settings in a folder of the user's, trained there if it is not.

    Args:
        folder: the folder; made if missing.
        settings: everything that decides the numbers.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        observer: told of every step and look.

    Raises:
        BusyError: if another process trains there.
        CheckpointError: if the folder holds another run or another model, is damaged, cannot be
            written, or is not the same for all processes.
        DomainError, DivergedError, MissingPackageError, TrainingError: as
            `spectral_rank.training.loop.train`.
    """
    text = check_run(settings, device)
    with (
        joined(device) as group,
        _locked(folder, wait=False) if group.is_first else nullcontext(),
    ):
        return _found_or_trained(folder, settings, text, device, observer)


def run_key(settings: RunSettings, text: Text, device: str) -> str:
    """The name of a run in the cache, 32 hexadecimal digits.

    Args:
        settings: everything that decides the numbers, but for the content of the text.
        text: the text.
        device: where it is trained, by one process: ``cpu``, or ``cuda`` or ``cuda:N`` that is
            there.
    """
    parts = [
        settings.digest(),
        text.sha256,
        code_hash(),
        SCHEMA_VERSION,
        versions(),
        device_in_words(torch.get_num_threads(), device),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


@functools.cache
def code_hash() -> str:
    """A hash of the code named in `COMPUTING`, the same after a change of words or layout."""
    root = Path(spectral_rank.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for pattern in COMPUTING for path in root.glob(pattern)):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(without_words(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()


def without_words(source: str) -> str:
    """The syntax of a module without comments, docstrings and other statements that are a text.

    Args:
        source: text of a module, valid Python.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [entry for entry in body if not _is_text(entry)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _found_or_trained(
    folder: Path, settings: RunSettings, text: Text, device: str, observer: Observer | None
) -> Trained:
    """The run of a folder that the first process has locked, finished there or trained now."""
    with joined(device) as group:
        if group.is_first:
            _remove_leftovers(folder)
        finished = _finished(folder, settings, text, device)
        # Who finds a finished run would leave the others waiting for it.
        if len(set(group.gathered(str(finished is None)))) > 1:
            message = f"{folder}: a finished run is there for some of the processes only"
            raise CheckpointError(message)
        if finished is not None:
            if group.is_first:
                # A process killed at the very end has not come to remove it.
                (folder / CHECKPOINT_FILE).unlink(missing_ok=True)
            return finished
        found = train(settings, folder, device=device, observer=observer)
        if group.is_first:
            _store(folder, found)
        return found


def _finished(folder: Path, settings: RunSettings, text: Text, device: str) -> Trained | None:
    """The finished run of a folder; ``None`` if there is none or it has not ended."""
    path, weights = folder / RECORD_FILE, folder / MODEL_FILE
    if not path.exists():
        if weights.exists() and not (folder / CHECKPOINT_FILE).exists():
            raise DamagedError(f"{weights}: a model without its {RECORD_FILE}; {ADVICE}")
        return None
    try:
        record = RunRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        message = f"{path}: not the record of a run of this version of the program; {ADVICE}"
        raise DamagedError(message) from None
    require_same_run(path, record, settings, text.sha256)
    dtype = torch.float64 if settings.training.precision == "float64" else torch.float32
    model = build_model(settings.model, settings.seed, dtype)
    tensors = read_tensors(weights)
    expected = {name: value.shape for name, value in model.state_dict().items()}
    if {name: value.shape for name, value in tensors.items()} != expected:
        raise DamagedError(f"{weights}: holds another model than {path} says; {ADVICE}")
    model.load_state_dict(tensors)
    return Trained(model.to(own_device(device)).eval(), record)


def _store(folder: Path, found: Trained) -> None:
    """Keep the weights and the record, in this order: with the record the run has ended."""
    words = {"settings": found.record.settings.model_dump_json(), **DECLARATION}
    write_tensors(folder / MODEL_FILE, found.model.state_dict(), words)
    try:
        write_atomically(folder / RECORD_FILE, found.record.model_dump_json(indent=1) + "\n")
    except OSError as error:
        raise _unwritable(folder, error) from None
    (folder / CHECKPOINT_FILE).unlink(missing_ok=True)


def _remove_leftovers(folder: Path) -> None:
    """Remove what killed processes had begun to write."""
    for name in (CHECKPOINT_FILE, MODEL_FILE, RECORD_FILE):
        for path in folder.glob(f".{Path(name).stem}.*.partial"):
            path.unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path, *, wait: bool) -> Iterator[None]:
    """Keep other processes out of a folder; the lock ends with this process, killed or not."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / ".lock").open("w", encoding="utf-8")
    except OSError as error:
        raise _unwritable(folder, error) from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(f"{folder}: another process trains here") from None
        except OSError as error:  # a file system without locks
            raise _unwritable(folder, error) from None
        yield


def _unwritable(folder: Path, error: OSError) -> CheckpointError:
    return CheckpointError(f"{folder}: cannot be written: {error.strerror}")
