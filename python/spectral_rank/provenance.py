"""What a number was computed with: versions of the libraries, and the machine."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("numpy", "scipy", "torch", "spectral-rank")


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that compute."""
    return {"python": platform.python_version()} | {name: _version(name) for name in LIBRARIES}


def _version(name: str) -> str:
    """The version of a distribution; a checkout on the path is not one, and has no version."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def device_in_words(threads: int = 1, device: str | None = None) -> str:
    """The processor, its cores, the threads of each cell, and the GPU if it is computed on.

    Args:
        threads: threads of a cell.
        device: where is computed: ``cpu``, or ``cuda`` or ``cuda:N`` that is there; by default the
            current GPU if this process has used one, else the processor.
    """
    per_cell = f"{threads} thread{'s' if threads > 1 else ''} per cell"
    words = f"{_processor()}, {os.cpu_count()} cores, {per_cell}"
    # Who computes on a GPU has imported torch; nobody else should wait for its import.
    torch = sys.modules.get("torch")
    if torch is None:
        return words
    if device is None:
        device = "cuda" if torch.cuda.is_initialized() else "cpu"
    return words if device == "cpu" else f"{words}, {torch.cuda.get_device_name(device)}"


def _processor() -> str:
    """The model of the processor; ``platform`` does not know it on Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
