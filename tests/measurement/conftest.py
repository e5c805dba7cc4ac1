"""Trained weights that ship inside packages."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest


def shipped(package: str, file: str) -> Path:
    """A file of an installed package, which is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        pytest.fail(f"{package} is not installed: `make setup` installs tests/weights.txt")
    return Path(spec.origin).parent / file


@pytest.fixture(scope="session")
def voice_detector() -> Path:
    """Silero's voice activity detector: convolutions and an LSTM cell, safetensors."""
    return shipped("silero_vad", "data/silero_vad_16k.safetensors")


@pytest.fixture(scope="session")
def voice_encoder() -> Path:
    """Resemblyzer's speaker encoder: a three-layer LSTM with its optimizer's state, torch."""
    return shipped("resemblyzer", "pretrained.pt")
