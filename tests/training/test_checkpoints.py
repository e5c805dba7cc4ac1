import math
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.training.runs import tiny
from torch import nn

from spectral_rank.models.recurrent.language_model import LanguageModel, build_model
from spectral_rank.training.checkpoints import LAYOUT, Journal, load, save
from spectral_rank.training.errors import CheckpointError, DamagedError
from spectral_rank.training.loss import next_byte_loss
from spectral_rank.training.optimizer import build_optimizer
from spectral_rank.training.run_record import Evaluation, JacobianProbe, Probes, RunRecord
from spectral_rank.training.run_settings import RunSettings

TOKENS = torch.arange(40).reshape(4, 10)


def begun(settings: RunSettings) -> tuple[LanguageModel, torch.optim.Optimizer]:
    model = build_model(settings.model, settings.seed)
    return model, build_optimizer(model, settings.training)


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    next_byte_loss(model, TOKENS).backward()
    optimizer.step()


def journal(settings: RunSettings, corpus_sha256: str = "abc") -> Journal:
    # Numbers whose decimal form is long, to see that they come back to the last bit.
    look = Evaluation(step=0, loss=2**0.5, train_loss=1 / 3, learning_rate=1e-300 / 7)
    infinite = JacobianProbe(step=0, layer=0, mean_log_values=(0.1, -math.inf), lyapunov=())
    record = RunRecord(
        probes=Probes(jacobians=(infinite,)),
        settings=settings,
        corpus_sha256=corpus_sha256,
        parameters=3,
        step=2,
        evaluations=(look,),
        seconds=0.1 + 0.2,
        probe_seconds=0.0,
    )
    return Journal(record=record, losses=0.1, steps=2)


def saved(folder: Path, settings: RunSettings) -> Path:
    model, optimizer = begun(settings)
    step(model, optimizer)
    save(folder / "run" / "checkpoint", model, optimizer, journal(settings))
    return folder / "run" / "checkpoint"


@pytest.mark.parametrize("name", ["adamw", "schedulefree"])
@pytest.mark.parametrize("kind", ["elman", "e5", "linear"])
@pytest.mark.parametrize("tied", [False, True])
def test_what_is_loaded_goes_on_to_the_last_bit(
    tmp_path: Path, name: str, kind: str, tied: bool
) -> None:
    pytest.importorskip("schedulefree" if name == "schedulefree" else "torch")
    settings = tiny(
        model={"kind": kind, "input_rank": 3, "tied": tied, "norm": True}, optimizer=name
    )
    model, optimizer = begun(settings)
    for _ in range(3):
        step(model, optimizer)
    path = tmp_path / "checkpoint"
    save(path, model, optimizer, journal(settings))
    other, other_optimizer = begun(settings)
    assert load(path, other, other_optimizer, settings, "abc") == journal(settings)
    for _ in range(3):
        step(model, optimizer)
        step(other, other_optimizer)
    for key, value in model.state_dict().items():
        assert torch.equal(value, other.state_dict()[key])


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (tiny(model={"width": 9}), "model.width is 8, not 9"),
        (tiny(model={"recurrent_rank": None}), "model.recurrent_rank is 2, not None"),
        (tiny(seed=5), "seed is 0, not 5"),
        (tiny(steps=13), "training.steps is 12, not 13"),
    ],
)
def test_the_checkpoint_of_another_run_is_one_error(
    tmp_path: Path, other: RunSettings, difference: str
) -> None:
    path = saved(tmp_path, tiny())
    with pytest.raises(CheckpointError, match=difference):
        load(path, *begun(other), other, "abc")


def test_a_checkpoint_on_another_text_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="the text has changed"):
        load(saved(tmp_path, tiny()), *begun(tiny()), tiny(), "abd")


def test_weights_that_do_not_fit_their_settings_are_one_error(tmp_path: Path) -> None:
    """A file that says it is of one model and holds another."""
    model, optimizer = begun(tiny(model={"width": 10}))
    save(tmp_path / "checkpoint", model, optimizer, journal(tiny()))
    with pytest.raises(CheckpointError, match="another network"):
        load(tmp_path / "checkpoint", *begun(tiny()), tiny(), "abc")


def test_every_truncation_is_one_error(tmp_path: Path) -> None:
    path = saved(tmp_path, tiny())
    whole = path.read_bytes()
    for size in [*range(0, 16), *range(16, len(whole), 997), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match="empty this one to begin again"):
            load(path, *begun(tiny()), tiny(), "abc")


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    """In a weight, in a number of the optimizer, and in a digit of the record."""
    path = saved(tmp_path, tiny())
    whole = path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    digit = whole.index(b"0.30000000000000004") + 5
    for position in [digit, *range(start, len(whole), 499)]:
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 16]) + whole[position + 1 :])
        with pytest.raises(CheckpointError, match="the checksum differs"):
            load(path, *begun(tiny()), tiny(), "abc")


def test_a_record_of_any_size_is_kept(tmp_path: Path) -> None:
    """A header of the format has room for 100 MB."""
    path, long = tmp_path / "checkpoint", "a" * 101_000_000
    save(path, *begun(tiny()), journal(tiny(), long))
    assert load(path, *begun(tiny()), tiny(), long) == journal(tiny(), long)
    with path.open("rb") as file:
        assert int.from_bytes(file.read(8), "little") < 10_000


@pytest.mark.parametrize("words", [{}, {"layout": "1"}, {"layout": LAYOUT}])
def test_another_file_of_tensors_is_one_error(tmp_path: Path, words: dict[str, str]) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "checkpoint", words)
    with pytest.raises(DamagedError, match="not a checkpoint of this version"):
        load(tmp_path / "checkpoint", *begun(tiny()), tiny(), "abc")


def test_a_checkpoint_that_is_gone_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="missing"):
        load(tmp_path / "checkpoint", *begun(tiny()), tiny(), "abc")


def test_a_full_disk_is_one_error_and_keeps_the_checkpoint_before(tmp_path: Path) -> None:
    """A limit on the size of files refuses the new checkpoint, as a full disk would."""
    path = saved(tmp_path, tiny())
    before = path.read_bytes()
    program = (
        "import sys; from pathlib import Path\n"
        "from tests.training.test_checkpoints import saved, tiny\n"
        "saved(Path(sys.argv[1]), tiny())\n"
    )
    limit = len(before) // 2
    found = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
        check=False,
    )
    last = found.stderr.strip().splitlines()[-1]
    assert "CheckpointError" in last
    assert "cannot be written" in last
    assert "File too large" in last
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["checkpoint"]
