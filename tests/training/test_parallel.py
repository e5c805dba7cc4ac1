import os
import resource
import shutil
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from tests.processes import fresh_processes
from tests.training.runs import kept, tiny, train_together, without_time

from spectral_rank.formulas.domain import DomainError
from spectral_rank.training import parallel
from spectral_rank.training.errors import TrainingError
from spectral_rank.training.loop import Trained, train
from spectral_rank.training.parallel import Group, is_first_process, joined, own_device
from spectral_rank.training.run_record import RunRecord
from spectral_rank.training.run_settings import RunSettings


@given(size=st.integers(1, 5), accumulate=st.integers(1, 4), more=st.integers(0, 20))
def test_every_sequence_is_computed_once(size: int, accumulate: int, more: int) -> None:
    tokens = torch.arange(size * accumulate + more)[:, None]
    parts = [
        part
        for rank in range(size)
        for part in Group(rank, size, torch.device("cpu")).parts(tokens, accumulate)
    ]
    assert torch.equal(torch.cat(parts), tokens)
    assert len(parts) == size * accumulate
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1 <= min(sizes)


def test_one_process_is_a_group_of_its_own() -> None:
    with joined("cpu") as group:
        assert group == Group(0, 1, torch.device("cpu"))
        assert group.is_first
        assert group.from_first("text") == "text"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def two_started(
    settings: RunSettings,
    folder: Path,
    ask: Callable[[RunSettings, Path], Trained] = train,
    other_folder: Path | None = None,
) -> list[BaseProcess]:
    port = free_port()
    folder.mkdir(exist_ok=True)
    workers = [
        fresh_processes().Process(target=train_together, args=(ask, settings, place, rank, 2, port))
        for rank, place in enumerate((folder, other_folder or folder))
    ]
    for worker in workers:
        worker.start()
    return list(workers)


def ends(workers: list[BaseProcess]) -> list[int | None]:
    """Exit codes; ``None`` for one that hangs, which is then killed."""
    for worker in workers:
        worker.join(120)
    codes = [worker.exitcode for worker in workers]
    for worker in workers:
        worker.kill()
    return codes


def in_two(
    settings: RunSettings,
    folder: Path,
    ask: Callable[[RunSettings, Path], Trained] = train,
    other_folder: Path | None = None,
) -> list[int | None]:
    return ends(two_started(settings, folder, ask, other_folder))


@pytest.mark.parametrize("optimizer", ["adamw", "schedulefree"])
def test_two_processes_are_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    """Up to rounding, with parts of unequal size; and both processes agree to the last bit."""
    pytest.importorskip("schedulefree" if optimizer == "schedulefree" else "torch")
    monkeypatch.setenv("SPECTRAL_RANK_CACHE", str(tmp_path / "cache"))
    settings = tiny(optimizer=optimizer, precision="float64", batch=7, accumulate=2, clip=0.1)
    alone = train(settings, tmp_path / "alone")
    assert in_two(settings, tmp_path / "two") == [0, 0]
    first, second = (load_file(tmp_path / "two" / f"{rank}.safetensors") for rank in range(2))
    for name, value in alone.model.state_dict().items():
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], value, rtol=1e-9, atol=1e-12)
    records = [
        RunRecord.model_validate_json((tmp_path / "two" / f"{rank}.json").read_text())
        for rank in range(2)
    ]
    assert records[0] == records[1]
    assert [one.processes for one in records[0].environments] == [2]
    losses = [look.loss for look in records[0].evaluations]
    assert losses == pytest.approx([look.loss for look in alone.record.evaluations], rel=1e-10)
    # What two processes have begun or ended, one can go on with.
    again = train(settings, tmp_path / "two")
    assert without_time(again.record) == without_time(records[0])


def test_more_parts_than_sequences_are_refused_in_every_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPECTRAL_RANK_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DomainError, match="1 processes of 8 parts each"):
        train(tiny(batch=7, accumulate=8), tmp_path)
    assert in_two(tiny(batch=7, accumulate=4), tmp_path / "two") == [1, 1]


@pytest.mark.parametrize("has_finished", [False, True])
def test_processes_that_see_different_folders_are_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_finished: bool
) -> None:
    """As on two machines without a common disk: no process is left waiting."""
    monkeypatch.setenv("SPECTRAL_RANK_CACHE", str(tmp_path / "cache"))
    settings, here, there = tiny(), tmp_path / "here", tmp_path / "there"
    there.mkdir()
    kept(settings, here) if has_finished else train(settings, here)
    assert in_two(settings, here, kept, there) == [1, 1]
    for path in (here / "0.error", there / "1.error"):
        expected = "for some of the processes only" if has_finished else "not the same in all"
        assert path.read_text().startswith("CheckpointError")
        assert expected in path.read_text()


def test_a_checkpoint_damaged_for_one_process_is_an_error_in_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPECTRAL_RANK_CACHE", str(tmp_path / "cache"))
    here, there = tmp_path / "here", tmp_path / "there"
    train(tiny(), here)
    shutil.copytree(here, there)
    (there / "checkpoint.safetensors").write_bytes(b"damaged")
    assert in_two(tiny(), here, train, there) == [1, 1]
    assert "not the same in all" in (here / "0.error").read_text()
    assert "damaged or not readable" in (there / "1.error").read_text()


def test_two_processes_keep_what_they_have_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPECTRAL_RANK_CACHE", str(tmp_path / "cache"))
    for _ in range(2):
        assert in_two(tiny(), tmp_path / "two", kept) == [0, 0]
    assert (tmp_path / "two" / "record.json").exists()


def kept_on_a_full_disk(settings: RunSettings, folder: Path) -> Trained:
    """As `kept`, but the first process cannot write more than a few lines."""
    if os.environ["RANK"] == "0":
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
    return kept(settings, folder)


def test_an_error_of_the_first_process_is_one_error_in_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPECTRAL_RANK_CACHE", str(tmp_path / "cache"))
    assert in_two(tiny(), tmp_path / "two", kept_on_a_full_disk) == [1, 1]
    first, second = (tmp_path / "two" / f"{rank}.error" for rank in range(2))
    assert first.read_text().startswith("CheckpointError")
    assert "File too large" in first.read_text()
    assert second.read_text() == f"TrainingError: {parallel.ENDED}"


def test_a_process_that_is_killed_is_one_error_in_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPECTRAL_RANK_CACHE", str(tmp_path / "cache"))
    folder, endless = tmp_path / "two", tiny(steps=10**6, evaluate_every=10**6)
    first, second = workers = two_started(endless, folder)
    while not (folder / "checkpoint.safetensors").exists() and first.is_alive():
        time.sleep(0.05)
    second.kill()
    assert ends(workers) == [1, -9]
    assert (folder / "0.error").read_text() == f"TrainingError: {parallel.ENDED}"
    assert (folder / "checkpoint.safetensors").exists()


TORCHRUN = {
    "WORLD_SIZE": "2",
    "RANK": "1",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "1",
}


@pytest.mark.parametrize(
    "wrong",
    [{name: None} for name in TORCHRUN if name != "WORLD_SIZE"]
    + [{"WORLD_SIZE": "two"}, {"WORLD_SIZE": "0"}, {"RANK": "-1"}, {"LOCAL_RANK": ""}],
)
def test_half_an_environment_of_torchrun_is_one_error(
    monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str | None]
) -> None:
    for name, value in (TORCHRUN | wrong).items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    for call in (is_first_process, lambda: joined("cpu").__enter__()):
        with pytest.raises(TrainingError, match=f"{next(iter(wrong))} is .*torchrun"):
            call()


def test_processes_that_do_not_find_each_other_are_one_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parallel, "PATIENCE", timedelta(seconds=1))
    port = str(free_port())
    for name, value in (TORCHRUN | {"MASTER_PORT": port}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match=f"MASTER_ADDR=127.0.0.1, MASTER_PORT={port}"):
        joined("cpu").__enter__()


def test_a_process_of_torchrun_knows_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_first_process()
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    assert not is_first_process()
    assert own_device("cpu") == torch.device("cpu")


def test_gpus_that_are_not_there_are_refused_in_every_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (TORCHRUN | {"LOCAL_RANK": "99"}).items():
        monkeypatch.setenv(name, value)
    for device in ("cuda", "cuda:99"):
        with pytest.raises(DomainError, match="GPUs are"):
            own_device(device)
