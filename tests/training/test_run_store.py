import fcntl
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.processes import fresh_processes
from tests.training.runs import tiny, train_once, without_time

from spectral_rank.data.text import open_text
from spectral_rank.formulas.domain import DomainError
from spectral_rank.training.errors import CheckpointError, DivergedError
from spectral_rank.training.loop import Trained, train
from spectral_rank.training.run_settings import RunSettings
from spectral_rank.training.run_store import (
    BusyError,
    code_hash,
    run_key,
    trained,
    trained_in,
    without_words,
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPECTRAL_RANK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def folder_of(settings: RunSettings, cache: Path) -> Path:
    return cache / "runs" / run_key(settings, open_text(settings.data.corpus), "cpu")


def assert_same_weights(one: Trained, other: Trained) -> None:
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name])


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_second_time_a_run_is_read(cache: Path, tmp_path: Path, precision: str) -> None:
    settings = tiny(precision=precision)
    first = trained(settings, "cpu")
    folder = folder_of(settings, cache)
    assert sorted(path.name for path in folder.iterdir()) == [
        ".lock",
        "model.safetensors",
        "record.json",
    ]
    weights = (folder / "model.safetensors").stat()
    second = trained(settings, "cpu")
    assert second.record == first.record
    assert_same_weights(first, second)
    assert not second.model.training
    assert (folder / "model.safetensors").stat().st_mtime_ns == weights.st_mtime_ns
    assert_same_weights(first, train(settings, tmp_path / "elsewhere"))


def test_other_settings_texts_and_devices_are_other_runs(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    shutil.copy(shutil.__file__, corpus)
    settings = tiny(data={"corpus": str(corpus)})
    keys = {run_key(settings, open_text(corpus), "cpu")}
    keys.add(run_key(settings, open_text(corpus), "cuda"))
    keys.add(run_key(tiny(seed=1, data={"corpus": str(corpus)}), open_text(corpus), "cpu"))
    with corpus.open("a") as file:
        file.write("\n")
    keys.add(run_key(settings, open_text(corpus), "cpu"))
    assert len(keys) == 4
    assert len(code_hash()) == 64


def test_words_do_not_change_the_code_but_code_does() -> None:
    source = 'x = 1\ndef f(a):\n    """Words."""\n    return a + 1\n'
    words = '"""More."""\n# And more.\nx = 1\n\n\ndef f(a):\n    return (a + 1)\n'
    assert without_words(source) == without_words(words)
    assert without_words(source) != without_words(source.replace("+", "-"))


def test_processes_that_want_the_same_run_train_it_once(cache: Path) -> None:
    settings = tiny(steps=100)
    workers = [
        fresh_processes().Process(target=train_once, args=(settings, cache)) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    (folder,) = (cache / "runs").iterdir()
    assert json.loads((folder / "record.json").read_text())["step"] == 100


def test_a_run_cut_off_goes_on(tmp_path: Path) -> None:
    settings, folder = tiny(), tmp_path / "run"

    def stop_at_seven(progress: Any) -> None:
        if progress.step == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained_in(folder, settings, observer=stop_at_seven)
    (folder / ".checkpoint.abc.partial").write_text("what a killed process leaves")
    steps: list[int] = []
    found = trained_in(folder, settings, observer=lambda progress: steps.append(progress.step))
    assert min(steps) == 7  # the checkpoint of step 6, and the step after it
    whole = train(settings, tmp_path / "whole")
    assert without_time(found.record) == without_time(whole.record)
    assert_same_weights(found, whole)
    assert not list(folder.glob("*.partial"))
    assert not list(folder.glob(".*.partial"))


def test_a_folder_in_use_is_one_error(tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="another process trains here"):
            trained_in(tmp_path, tiny())


def test_a_folder_of_another_run_is_one_error(tmp_path: Path) -> None:
    trained_in(tmp_path, tiny())
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(CheckpointError, match=r"record\.json: of another run: seed is 0, not 1"):
        trained_in(tmp_path, tiny(seed=1))
    assert {path: path.read_bytes() for path in before} == before


def test_a_model_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.ones(3)}, path)
    with pytest.raises(CheckpointError, match=r"a model without its record\.json"):
        trained_in(tmp_path, tiny())
    assert torch.equal(load_file(path)["a"], torch.ones(3))


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("record.json", b"{", "not the record of a run"),
        ("record.json", b'{"step": 1}', "not the record of a run"),
        ("model.safetensors", b"damaged", "damaged or not readable"),
    ],
)
def test_a_damaged_result_is_one_error(
    tmp_path: Path, name: str, content: bytes, rule: str
) -> None:
    trained_in(tmp_path, tiny())
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=rule):
        trained_in(tmp_path, tiny())


def test_weights_of_another_model_are_one_error(tmp_path: Path) -> None:
    trained_in(tmp_path, tiny())
    save_file({"a": torch.ones(3)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="holds another model"):
        trained_in(tmp_path, tiny())


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="cannot be written"):
        trained_in(tmp_path / "file" / "run", tiny())


def test_errors_of_training_pass_through() -> None:
    with pytest.raises(DivergedError):
        trained(tiny(learning_rate=1e30), "cpu")
    with pytest.raises(DomainError, match="device"):
        trained(tiny(), "nowhere")
