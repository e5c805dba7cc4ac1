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

import spectral_rank
from spectral_rank.data.text import open_text
from spectral_rank.formulas.domain import DomainError
from spectral_rank.training.errors import (
    CheckpointError,
    DamagedError,
    DivergedError,
    TrainingError,
)
from spectral_rank.training.loop import Trained, train
from spectral_rank.training.run_settings import RunSettings
from spectral_rank.training.run_store import (
    COMPUTING,
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


def test_the_number_of_threads_is_part_of_the_key() -> None:
    before, text = torch.get_num_threads(), open_text(shutil.__file__)
    keys = set()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            keys.add(run_key(tiny(), text, "cpu"))
    finally:
        torch.set_num_threads(before)
    assert len(keys) == 2


def test_every_file_that_computes_is_there() -> None:
    root = Path(spectral_rank.__file__).parent
    assert all(list(root.glob(pattern)) for pattern in COMPUTING)


def test_other_settings_texts_and_devices_are_other_runs(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    shutil.copy(shutil.__file__, corpus)
    settings = tiny(data={"corpus": str(corpus)})
    keys = {run_key(settings, open_text(corpus), "cpu")}
    keys.add(run_key(tiny(seed=1, data={"corpus": str(corpus)}), open_text(corpus), "cpu"))
    with corpus.open("a") as file:
        file.write("\n")
    keys.add(run_key(settings, open_text(corpus), "cpu"))
    assert len(keys) == 3
    if torch.cuda.is_available():
        keys.add(run_key(settings, open_text(corpus), "cuda"))
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
        ("record.json", None, r"a model without its record\.json"),
        ("model.safetensors", b"damaged", "damaged or not readable"),
        ("model.safetensors", None, r"model\.safetensors: missing"),
    ],
)
def test_a_damaged_result_is_an_error_in_a_users_folder_and_trained_again_in_the_cache(
    cache: Path, tmp_path: Path, name: str, content: bytes | None, rule: str
) -> None:
    def damage(path: Path) -> None:
        path.unlink() if content is None else path.write_bytes(content)

    first, own = trained_in(tmp_path / "run", tiny()), trained(tiny())
    damage(tmp_path / "run" / name)
    with pytest.raises(DamagedError, match=f"{rule}.*choose another folder"):
        trained_in(tmp_path / "run", tiny())
    damage(folder_of(tiny(), cache) / name)
    assert_same_weights(trained(tiny()), first)
    assert trained(tiny()).record.seconds != own.record.seconds


def test_a_damaged_checkpoint_in_the_cache_is_trained_again(cache: Path) -> None:
    folder = folder_of(tiny(), cache)
    folder.mkdir(parents=True)
    (folder / "checkpoint.safetensors").write_bytes(b"damaged")
    assert trained(tiny()).record.is_finished


def test_a_checkpoint_left_at_the_very_end_is_removed(tmp_path: Path) -> None:
    train(tiny(), tmp_path)
    checkpoint = tmp_path / "checkpoint.safetensors"
    left = checkpoint.read_bytes()
    trained_in(tmp_path, tiny())
    assert not checkpoint.exists()
    checkpoint.write_bytes(left)
    assert trained_in(tmp_path, tiny()).record.is_finished
    assert not checkpoint.exists()


def test_experiments_are_not_for_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "2")
    with pytest.raises(TrainingError, match="without torchrun"):
        trained(tiny())


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
