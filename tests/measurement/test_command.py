"""`spectral-rank measure` and `instances`, on trained weights and on bad files."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.measurement.matrices import noisy_power_law
from typer.testing import CliRunner

from spectral_rank.certify import read_records
from spectral_rank.cli import app
from spectral_rank.measurement.command import MeasuredFile

LEAN = Path(__file__).parents[2] / "lean"


def invoke(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    # An error box breaks long paths into lines.
    return result.exit_code, re.sub(r"\s*│\n│\s*", "", result.output)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "model.safetensors"
    tensors = {
        'a/"b" ü.weight': noisy_power_law(0.9, 120).astype(np.float32),
        "lazy": noisy_power_law(0.3, 120).astype(np.float32),
        "fresh": rng.standard_normal((100, 140)).astype(np.float32),
        "bias": np.ones(7, np.float32),
    }
    save_file(tensors, path)
    return path


def test_a_trained_voice_detector(voice_detector: Path, tmp_path: Path) -> None:
    record = tmp_path / "r.json"
    code, output = invoke("measure", voice_detector, "--only", "lstm*", "--json", record)
    assert code == 0, output
    found = MeasuredFile.model_validate_json(record.read_text())
    assert [m.spectrum.shape for m in found.measurements] == [(512, 128), (512, 128)]
    for measurement in found.measurements:
        energy = np.sum(measurement.spectrum.array**2)
        assert energy == pytest.approx(measurement.spectrum.energy, rel=1e-9)
    # Trained recurrent weights of this model are structured, and are no power law.
    assert {m.fit.verdict for m in found.measurements}.isdisjoint({"power_law", "noise", "flat"})


def test_a_trained_voice_encoder(voice_encoder: Path) -> None:
    code, output = invoke("measure", voice_encoder, "--only", "model_state.linear.weight")
    assert code == 0, output
    assert "256 x 256" in output


def test_lean_instances_follow_the_records(model: Path, tmp_path: Path) -> None:
    lean, records = tmp_path / "lean", tmp_path / "records"
    shutil.copytree(LEAN, lean)
    folders = ("--lean-folder", lean, "--records", records)
    code, output = invoke("measure", model, "--lean", *folders)
    assert code == 0, output
    assert "fresh: no theorem: the verdict is noise" in output
    written = {p.name for p in (lean / "SpectralRank" / "Measured").iterdir()} - {"Template.lean"}
    assert len(written) == len(read_records(records)) == 2
    check = ("instances", "--check", "--lean", lean, "--records", records)
    assert invoke(*check)[0] == 0
    before = {p: p.read_bytes() for p in (lean / "SpectralRank" / "Measured").iterdir()}
    assert invoke("measure", model, "--lean", *folders)[0] == 0
    assert {p: p.read_bytes() for p in before} == before
    victim = lean / "SpectralRank" / "Measured" / sorted(written)[0]
    victim.write_text(victim.read_text().replace("< rankRatio", "<  rankRatio").replace("≤", "≤ "))
    code, output = invoke(*check)
    assert code == 1
    assert victim.name in output
    assert invoke(*check[:1], *check[2:])[0] == 0
    assert invoke(*check)[0] == 0


def test_figures_have_safe_names(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    code, output = invoke("measure", model, "--only", "a/*", "--plot", folder)
    assert code == 0, output
    (figure,) = folder.iterdir()
    assert figure.suffix == ".svg"
    assert "/" not in figure.stem
    assert '"' not in figure.stem


def test_many_matrices_in_processes_match_one_process(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    path = tmp_path / "many.npz"
    np.savez(path, **{f"layer_{k}": rng.standard_normal((24, 32)) for k in range(10)})
    records = [tmp_path / f"{jobs}.json" for jobs in (1, 2)]
    for jobs, record in enumerate(records, start=1):
        assert invoke("measure", path, "--jobs", jobs, "--json", record)[0] == 0
    one, two = (MeasuredFile.model_validate_json(r.read_text()).measurements for r in records)
    assert [m.digest() for m in one] == [m.digest() for m in two]
    assert [m.spectrum.name for m in one] == [f"layer_{k}" for k in range(10)]


def test_what_cannot_be_measured_is_said_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "mixed.npz"
    np.savez(path, bad=np.full((20, 20), np.nan), zero=np.zeros((20, 20)), good=np.eye(20))
    record = tmp_path / "r.json"
    code, output = invoke("measure", path, "--json", record)
    assert code == 1
    assert "bad: not measured" in output
    assert "zero: not measured" in output
    stored = json.loads(record.read_text())
    assert [m["spectrum"]["name"] for m in stored["measurements"]] == ["good"]
    assert [s["name"] for s in stored["skipped"]] == ["bad", "zero"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--eps", "1.5"), "1.5"),
        (("--eps", "nan"), "nan"),
        (("--seed", "-1"), "-1"),
        (("--jobs", "0"), "0"),
        (("--only", "nothing*"), "nothing*"),
        (("--json", "/nonexistent/r.json"), "/nonexistent/r.json"),
    ],
)
def test_bad_options_are_named(model: Path, arguments: tuple[str, str], message: str) -> None:
    code, output = invoke("measure", model, *arguments)
    assert code == 2
    assert message in output


def test_a_file_without_a_matrix_is_named(tmp_path: Path) -> None:
    for name, array in (("row", np.ones((1, 50))), ("empty", np.zeros((0, 5)))):
        path = tmp_path / f"{name}.npy"
        np.save(path, array)
        code, output = invoke("measure", path)
        assert code == 2
        assert f"{name}.npy holds no matrix" in output


def test_bad_files_are_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.safetensors"
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\x00" * 20)
    wrong = tmp_path / "weights.txt"
    wrong.write_text("no weights")
    for path in (missing, broken, wrong):
        code, output = invoke("measure", path)
        assert code == 2
        assert path.name in output
