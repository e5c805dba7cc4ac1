import socket
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from tests.processes import fresh_processes
from tests.training.runs import tiny, train_together, without_time

from spectral_rank.formulas.domain import DomainError
from spectral_rank.training.loop import train
from spectral_rank.training.parallel import Group, joined
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


def in_two(settings: RunSettings, folder: Path) -> list[int | None]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir(exist_ok=True)
    workers = [
        fresh_processes().Process(target=train_together, args=(settings, folder, rank, 2, port))
        for rank in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [worker.exitcode for worker in workers]


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
