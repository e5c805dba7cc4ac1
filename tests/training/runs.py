"""Runs that are small enough for a test: a few steps on the source of one module."""

import os
import shutil
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from spectral_rank.models.recurrent.settings import ModelSettings
from spectral_rank.training.loop import train
from spectral_rank.training.run_record import RunRecord
from spectral_rank.training.run_settings import (
    DataSettings,
    ProbeSettings,
    RunSettings,
    TrainingSettings,
)
from spectral_rank.training.run_store import trained

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
    return record.model_copy(update={"seconds": 0.0, "probe_seconds": 0.0})


def train_and_tell(settings: RunSettings, folder: Path, told: Connection) -> None:
    """Train in a process of its own, telling of every step."""
    torch.set_num_threads(1)
    train(settings, folder, observer=lambda progress: told.send(progress.step))


def train_together(settings: RunSettings, folder: Path, rank: int, size: int, port: int) -> None:
    """Train as one of several processes, as ``torchrun`` would start them; keep what came out."""
    torch.set_num_threads(1)
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    found = train(settings, folder)
    save_file(found.model.state_dict(), folder / f"{rank}.safetensors")
    (folder / f"{rank}.json").write_text(found.record.model_dump_json())


def train_once(settings: RunSettings, cache: Path) -> None:
    """Ask the store for a run, in a process of its own."""
    torch.set_num_threads(1)
    os.environ["SPECTRAL_RANK_CACHE"] = str(cache)
    trained(settings)
