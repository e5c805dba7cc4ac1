import errno
import fcntl
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from spectral_rank import train_command
from spectral_rank.cli import app
from spectral_rank.measurement.command import MeasuredFile
from spectral_rank.spectra.checkpoint import open_checkpoint
from spectral_rank.spectra.factors import Product, select
from spectral_rank.training import checkpoints, run_store
from spectral_rank.training.progress import Progress
from spectral_rank.training.run_record import RunRecord
from spectral_rank.training.run_settings import ProbeSettings

QUICK = ["--width", "8", "--steps", "8", "--batch", "2", "--length", "8"]
ON_TEXT = [*QUICK, "--corpus", shutil.__file__, "--device", "cpu"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECTRAL_RANK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "500")  # so that no message is wrapped
    monkeypatch.chdir(tmp_path)


def train(*arguments: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["train", *arguments])
    assert found.exception is None or isinstance(found.exception, SystemExit)
    return found.exit_code, found.output


def test_it_trains_and_says_where_the_weights_are(tmp_path: Path) -> None:
    options = ["--kind", "e5", "--rank", "3", "--input-rank", "2", "--layers", "2"]
    deep = ["--residual", "--norm", "--tied", "--seed", "4", "--lr", "0.01"]
    code, output = train(*ON_TEXT, *options, *deep, "--out", "a folder/run")
    assert code == 0
    folder = tmp_path / "a folder" / "run"
    record = RunRecord.model_validate_json((folder / "record.json").read_text())
    model, training = record.settings.model, record.settings.training
    assert (model.kind, model.width, model.layers, model.recurrent_rank) == ("e5", 8, 2, 3)
    assert model.input_rank == 2
    assert model.residual
    assert model.norm
    assert model.tied
    assert (record.settings.seed, training.learning_rate, training.steps) == (4, 0.01, 8)
    assert record.probes.spectra
    assert f"{record.evaluations[-1].bits_per_byte:.4f} bits per byte" in output
    assert "weights: a folder/run/model.safetensors" in output
    assert "spectral-rank measure a folder/run/model.safetensors" in output
    with open_checkpoint(folder / "model.safetensors") as checkpoint:
        names = {entry.name: entry for entry in select(checkpoint)}
    assert isinstance(names["layers.0.W_h"], Product)
    assert "layers.0.W_h.U" not in names


def test_the_end_shows_every_matrix_and_probes_follow_their_defaults(tmp_path: Path) -> None:
    options = ["--kind", "e5", "--rank", "3", "--input-rank", "2", "--tied"]
    code, output = train(*ON_TEXT, *options)
    assert code == 0
    record = RunRecord.model_validate_json((tmp_path / "run" / "record.json").read_text())
    assert record.settings.probes == ProbeSettings()
    assert {entry.step for entry in record.probes.spectra} == {0, 8}
    assert {entry.step for entry in record.probes.gradients} == {0, 8}
    ratios = record.probes.gradients[-1].by_matrix
    ends = {entry.name: entry for entry in record.probes.spectra if entry.step == 8}
    assert list(ends) == ["layers.0.W_h", "layers.0.W_x", "layers.0.W_z", "W_o"]
    for name, entry in ends.items():
        [line] = [line for line in output.splitlines() if line.startswith(f"{name} ")]
        assert f" {len(entry.values)} " in line
        assert f"{entry.stable_rank:.2f}" in line
        assert f"{entry.condition_number:.3g}" in line
        key = "embedding.matrix" if name == "W_o" else f"{name}.U"
        assert f"{ratios[key]:.3g}" in line


def test_the_optimizer_follows_its_options(tmp_path: Path) -> None:
    options = ["--accumulate", "2", "--weight-decay", "0.1", "--no-probes"]
    for clip, expected in (("0", None), ("0.5", 0.5)):
        out = tmp_path / f"clip {clip}"
        assert train(*ON_TEXT, *options, "--clip", clip, "--out", str(out))[0] == 0
        record = RunRecord.model_validate_json((out / "record.json").read_text())
        training = record.settings.training
        assert (training.accumulate, training.weight_decay, training.clip) == (2, 0.1, expected)
        assert record.probes.spectra == ()


def test_what_is_measured_afterwards_is_what_was_trained(tmp_path: Path) -> None:
    assert train(*ON_TEXT, "--rank", "3", "--width", "20")[0] == 0
    record = RunRecord.model_validate_json((tmp_path / "run" / "record.json").read_text())
    probed = {entry.name: entry for entry in record.probes.spectra if entry.step == 8}
    command = ["measure", "run/model.safetensors", "--jobs", "1", "--json", "measured.json"]
    found = CliRunner().invoke(app, [*command, "--only", "layers.0.W_h*"])
    assert found.exit_code == 0, found.output
    assert "product of layers.0.W_h.U and layers.0.W_h.V, rank 3" in found.output
    assert "(rank 3 of 20 by construction)" in found.output
    measured = MeasuredFile.model_validate_json((tmp_path / "measured.json").read_text())
    [measurement] = measured.measurements
    spectrum, inside = measurement.spectrum, probed["layers.0.W_h"]
    assert spectrum.name == "layers.0.W_h"
    assert spectrum.shape == inside.shape == (20, 20)
    assert spectrum.values[:3] == pytest.approx(inside.values, rel=1e-12)
    assert spectrum.values[3:] == (0.0,) * 17
    assert measurement.effective.stable_rank == pytest.approx(inside.stable_rank)
    assert measurement.effective.numerical_rank == 3
    assert measurement.effective.condition_number_at_rank == pytest.approx(inside.condition_number)


def test_progress_shows_loss_speed_and_time_left() -> None:
    _, output = train(*ON_TEXT, "--no-probes")
    line = r"step \d+: \d\.\d{4} bits per byte on validation text, \d+ bytes/s, \d+:\d\d left"
    assert re.search(line, output)


def test_the_same_command_goes_on_and_other_settings_are_one_error(tmp_path: Path) -> None:
    assert train(*ON_TEXT, "--no-probes")[0] == 0
    before = (tmp_path / "run" / "model.safetensors").read_bytes()
    code, output = train(*ON_TEXT, "--no-probes")
    assert code == 0
    assert "after 8 steps" in output
    code, output = train(*ON_TEXT, "--no-probes", "--rank", "2")
    assert code == 1
    assert "error: run/record.json: of another run: model.recurrent_rank is None, not 2" in output
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rank", "0"], "--rank: recurrent_rank = 0: recurrent_rank must be an integer >= 1"),
        (["--rank", "9"], "integer >= 1 and <= 8"),
        (["--input-rank", "9"], "--input-rank: input_rank = 9"),
        (["--kind", "e5"], "recurrent_rank must be given: an e5 is of low rank throughout"),
        (["--kind", "gru"], "--kind"),
        (["--width", "0"], "--width: 0: Input should be greater than or equal to 1"),
        (["--steps", "0"], "--steps: 0"),
        (["--batch", "0"], "--batch: 0"),
        (["--lr", "0"], "--lr: 0.0"),
        (["--lr", "nan"], "--lr: nan"),
        (["--seed", "-1"], "--seed: -1"),
        (["--seed", str(2**63)], f"--seed: {2**63}: Input should be less than"),
        (["--width", str(10**9)], "--width: width = 1000000000: width must be smaller: it takes"),
        (["--width", str(10**40)], "--width: width = "),
        (["--width", str(10**160)], "e+312 GiB or more"),
        (["--layers", str(10**13)], "--layers: layers = "),
        (["--batch", str(10**15)], "--batch: batch = "),
        (
            ["--batch", str(10**12), "--accumulate", str(10**12)],
            "--batch: batch = 1000000000000: batch must be smaller: it takes",
        ),
        (["--accumulate", "0"], "--accumulate: 0"),
        (["--accumulate", "3"], "--accumulate: accumulate = 3: accumulate must be at most"),
        (["--lr", "inf"], "--lr: inf: Input should be a finite number"),
        (["--lr", "1e300"], "--lr: learning_rate = 1e+300: learning_rate must be at most 1e+30"),
        (["--weight-decay", "-1"], "--weight-decay: -1.0"),
        (["--weight-decay", "nan"], "--weight-decay: nan"),
        (["--clip", "-1"], "--clip: -1.0"),
        (["--clip", "inf"], "--clip: inf"),
        (["--steps", str(10**30)], "--steps: steps = "),
        (["--length", "0"], "--length: 0"),
        (["--length", str(10**30)], "--length: length = "),
        (["--length", "1000000"], "--length: length = 1000000: length must be at most"),
        (["--corpus", "missing"], "there is none of this name"),
        (["--corpus", "n" * 300], "--corpus: corpus = "),
        (["--corpus", "."], "a file: this is none"),
        (["--precision", "bf16"], "--precision: precision = 'bf16'"),
        (["--device", "cuda:99"], "--device: device = 'cuda:99'"),
    ],
)
def test_bad_input_is_one_clear_error(tmp_path: Path, arguments: list[str], message: str) -> None:
    code, output = train(*ON_TEXT, *arguments)
    assert code == 2
    assert message in output
    assert not (tmp_path / "run").exists()


def test_an_empty_corpus_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    code, output = train(*ON_TEXT, "--corpus", "empty")
    assert code == 2
    assert "the file is empty" in output


def test_a_run_that_diverges_is_one_clear_error() -> None:
    code, output = train(*ON_TEXT, "--no-probes", "--lr", "1e30")
    assert code == 1
    assert "error: the loss or its gradient is not finite at step" in output


def test_a_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "spectral_rank", "train", *ON_TEXT, "--no-probes"],
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1
    assert "cannot be written" in found.stdout
    assert "File too large" in found.stdout
    assert "Traceback" not in found.stdout + found.stderr
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]


@pytest.mark.parametrize(
    ("environment", "option"),
    [
        ({"SPECTRAL_RANK_CUDA_GRAPHS": "2"}, "SPECTRAL_RANK_CUDA_GRAPHS"),
        ({"SPECTRAL_RANK_CACHE": f"{shutil.__file__}/cache"}, "cache folder"),
    ],
)
def test_an_error_of_the_environment_names_no_option(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], option: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, output = train(*ON_TEXT)
    assert code == 2
    assert f"Invalid value for {option}: {option} = " in output


LIMITED = """
import os, resource, sys
import torch._dynamo, spectral_rank.training.run_store
from spectral_rank.cli import app
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * os.sysconf("SC_PAGE_SIZE") + 200 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
app()
"""
"""The command in a process with room for 200 MiB."""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this is no Linux")
def test_too_little_memory_is_one_clear_error() -> None:
    large = ["--batch", "400", "--length", "1000", "--no-probes"]  # logits of 390 MiB
    found = subprocess.run(
        [sys.executable, "-c", LIMITED, "train", *ON_TEXT, *large],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1, found.stderr
    assert found.stdout.startswith("error: cpu has not enough memory: take a smaller --batch")
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("error", "is_of_memory"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("shapes cannot be multiplied"), False),
    ],
)
@pytest.mark.parametrize("rank", ["0", "1"])
def test_each_process_tells_of_its_own_memory(
    monkeypatch: pytest.MonkeyPatch, error: Exception, is_of_memory: bool, rank: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(run_store, "trained_in", fail)
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, rank)
    for name in ("WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "2")
    found = CliRunner().invoke(app, ["train", *ON_TEXT])
    assert found.output.startswith("error: cpu has not enough memory") == is_of_memory
    assert (found.exception is error) != is_of_memory


@pytest.mark.parametrize("last", [0, 4])
@pytest.mark.parametrize("rank", ["0", "1"])
def test_an_interrupted_run_promises_what_it_has_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: int, rank: str
) -> None:
    trained_in = run_store.trained_in

    def interrupt(progress: Progress) -> None:
        if progress.step == last:
            raise KeyboardInterrupt

    def begun(*arguments: Any, **named: Any) -> object:
        return trained_in(*arguments, **named | {"observer": interrupt})

    monkeypatch.setattr(run_store, "trained_in", begun)
    monkeypatch.setenv("LOCAL_RANK", rank)
    code, output = train(*ON_TEXT, "--no-probes")
    assert code == 130
    assert (tmp_path / "run" / train_command.CHECKPOINT_FILE).exists() == (last > 0)
    advice = "; the same command goes on from the last checkpoint" if last else ""
    assert output == (f"interrupted{advice}\n" if rank == "0" else "")


def test_the_name_of_a_checkpoint_is_the_one_it_has() -> None:
    assert train_command.CHECKPOINT_FILE == checkpoints.CHECKPOINT_FILE


def test_a_folder_without_locks_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", fail)
    code, output = train(*ON_TEXT)
    assert (code, output) == (1, "error: run: cannot be written: No locks available\n")


def test_torchrun_gives_the_same_network(tmp_path: Path) -> None:
    command = [*ON_TEXT, "--precision", "float64", "--out"]
    assert train(*command, "one")[0] == 0
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    found = subprocess.run(
        [*launch, "--nproc-per-node", "2", "-m", "spectral_rank", "train", *command, "two"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("after 8 steps") == 1
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    for name, value in one.items():
        assert (value - two[name]).abs().max() < 1e-10


def test_a_bad_option_is_told_once_by_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    for wrong in (["--width", "0"], ["--corpus", "missing"]):
        code, output = train(*ON_TEXT, *wrong)
        assert (code, output) == (2, "")
