"""Runs that are small enough for a test: a few steps on the source of one module."""

import os
import shutil
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from spectral_rank.models.recurrent.settings import ModelSettings
from spectral_rank.training.loop import Trained, train
from spectral_rank.training.progress import Progress
from spectral_rank.training.run_record import RunRecord
from spectral_rank.training.run_settings import (
    DataSettings,
    ProbeSettings,
    RunSettings,
    TrainingSettings,
)
from spectral_rank.training.run_store import trained, trained_in

MODEL = {"kind": "elman", "width": 8, "recurrent_rank": 2}
TRAINING = {
    "steps": 12,
    "batch": 4,
    "length": 8,
    "evaluate_every": 5,
    "evaluation_batches": 2,
    "checkpoint_every": 3,
}


def tiny(
    *,
    model: dict[str, Any] | None = None,
    probes: ProbeSettings | None = None,
    seed: int = 0,
    data: dict[str, Any] | None = None,
    **training: Any,
) -> RunSettings:
    """A tiny run with some settings changed."""
    return RunSettings(
        model=ModelSettings(**(MODEL | (model or {}))),
        training=TrainingSettings(**(TRAINING | training)),
        data=DataSettings(**({"corpus": shutil.__file__} | (data or {}))),
        probes=probes,
        seed=seed,
    )


def without_time(record: RunRecord) -> RunRecord:
    """The record without what may differ between two runs of the same numbers."""
    update = {"seconds": 0.0, "probe_seconds": 0.0, "environments": ()}
    return record.model_copy(update=update)


def train_and_tell(settings: RunSettings, folder: Path, told: Connection) -> None:
    """Train in a process of its own, which goes on after a step only when it is let."""
    torch.set_num_threads(1)

    def tell(progress: Progress) -> None:
        told.send(progress.step)
        told.recv()

    train(settings, folder, observer=tell)


def train_together(
    ask: Callable[[RunSettings, Path], Trained],
    settings: RunSettings,
    folder: Path,
    rank: int,
    size: int,
    port: int,
) -> None:
    """Train as one of several processes, as ``torchrun`` would start them; keep what came out."""
    torch.set_num_threads(1)
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    try:
        found = ask(settings, folder)
    except Exception as error:
        (folder / f"{rank}.error").write_text(f"{type(error).__name__}: {error}")
        raise
    save_file(found.model.state_dict(), folder / f"{rank}.safetensors")
    (folder / f"{rank}.json").write_text(found.record.model_dump_json())


def kept(settings: RunSettings, folder: Path) -> Trained:
    """Train in a folder of the user's, or read what is finished there."""
    return trained_in(folder, settings)


def train_once(settings: RunSettings, cache: Path) -> None:
    """Ask the store for a run, in a process of its own."""
    torch.set_num_threads(1)
    os.environ["SPECTRAL_RANK_CACHE"] = str(cache)
    trained(settings)
