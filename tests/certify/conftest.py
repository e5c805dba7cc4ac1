"""Certificates of all six shapes, and a copy of the Lean folder to write them to."""

import shutil
from fractions import Fraction
from pathlib import Path

import pytest

from spectral_rank.certify import (
    CertificateSet,
    Origin,
    approximation,
    conditioning,
    envelope,
    envelope_conditioning,
    slow,
    steep,
)

LEAN = Path(__file__).parents[2] / "lean"
FIVE_PERCENT = (Fraction(1, 20), Fraction(1, 20))


@pytest.fixture
def make_set():
    def make(module="encoder_weight", source=None, alpha=(1.3401, 1.3612), method="bootstrap"):
        origin = Origin(
            module=module,
            source=source or f"model.npz: {module}",
            record_sha256="5f" * 32,
            method=method,
        )
        constants = (0.8731, 1.1277)
        return CertificateSet(
            certificates=(
                steep(origin, alpha, FIVE_PERCENT, 270),
                slow(origin, (0.2981, 0.3127), FIVE_PERCENT),
                envelope(origin, alpha, constants, 64),
                approximation(origin, alpha, constants, 64, tag="rank_64"),
                conditioning(origin, alpha, 270),
                envelope_conditioning(origin, alpha, constants, 64),
            )
        )

    return make


@pytest.fixture
def lean_folder(tmp_path):
    measured = tmp_path / "lean" / "SpectralRank" / "Measured"
    measured.mkdir(parents=True)
    shutil.copy(LEAN / "SpectralRank" / "Measured" / "Template.lean", measured)
    return tmp_path / "lean"
