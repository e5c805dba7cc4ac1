import itertools
import math
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from tests.processes import fresh_processes
from tests.training.runs import tiny, train_and_tell, without_time

from spectral_rank.data.text import open_text
from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.recurrent.language_model import build_model
from spectral_rank.training.errors import CheckpointError, DivergedError, MissingPackageError
from spectral_rank.training.loop import Trained, evaluate, train
from spectral_rank.training.passes import forward_pass
from spectral_rank.training.progress import Progress
from spectral_rank.training.run_settings import ProbeSettings, RunSettings

PROBES = ProbeSettings(spectra_every=4, gradients_every=6, gradient_parts=2)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECTRAL_RANK_CACHE", str(tmp_path / "cache"))


def assert_same(one: Trained, other: Trained) -> None:
    assert without_time(one.record) == without_time(other.record)
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name]), name


def kill_while_training(settings: RunSettings, folder: Path, pause: random.Random) -> bool:
    """Start or resume a run, let it take a number of steps and kill it within the next one."""
    context = fresh_processes()
    told, teller = context.Pipe()
    worker = context.Process(target=train_and_tell, args=(settings, folder, teller))
    worker.start()
    teller.close()
    for _ in range(pause.randint(1, 15)):
        told.recv()
        told.send(None)
    worker.join(timeout=0.005 * pause.random())
    was_alive = worker.is_alive()
    worker.kill()
    worker.join()
    return was_alive


@pytest.mark.parametrize("optimizer", ["adamw", "schedulefree"])
def test_a_run_killed_twenty_times_ends_with_the_same_numbers(
    tmp_path: Path, optimizer: str
) -> None:
    pytest.importorskip("schedulefree" if optimizer == "schedulefree" else "torch")
    settings = tiny(
        optimizer=optimizer,
        steps=400,
        checkpoint_every=4,
        evaluate_every=30,
        probes=ProbeSettings(spectra_every=100, gradients_every=170, jacobians_every=200),
    )
    # However fast the machine, twenty times at most sixteen steps are not all.
    pause = random.Random(1)
    kills = sum(kill_while_training(settings, tmp_path / "killed", pause) for _ in range(20))
    assert kills == 20
    assert_same(train(settings, tmp_path / "killed"), train(settings, tmp_path / "whole"))


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    settings = tiny(probes=PROBES)
    first = train(settings, tmp_path / "run")
    seen: list[Progress] = []
    again = train(settings, tmp_path / "run", observer=seen.append)
    assert_same(first, again)
    assert again.record == first.record
    assert seen == []
    assert first.record.is_finished


def test_the_numbers_depend_on_the_settings_alone(tmp_path: Path) -> None:
    settings = tiny()
    torch.manual_seed(1)
    first = train(settings, tmp_path / "first")
    torch.manual_seed(2)
    np.random.default_rng(3)
    state = torch.random.get_rng_state()
    assert_same(first, train(settings, tmp_path / "second"))
    assert torch.equal(torch.random.get_rng_state(), state)
    other = train(tiny(seed=1), tmp_path / "other")
    assert other.record.final_loss != first.record.final_loss


@pytest.mark.parametrize("optimizer", ["adamw", "schedulefree"])
def test_looking_does_not_change_the_training(tmp_path: Path, optimizer: str) -> None:
    pytest.importorskip("schedulefree" if optimizer == "schedulefree" else "torch")
    seldom = train(tiny(optimizer=optimizer), tmp_path / "seldom")
    often = train(tiny(optimizer=optimizer, probes=PROBES, evaluate_every=1), tmp_path / "often")
    for name, value in seldom.model.state_dict().items():
        assert torch.equal(value, often.model.state_dict()[name])
    assert {probe.step for probe in often.record.probes.spectra} == {0, 4, 8, 12}
    assert [probe.step for probe in often.record.probes.gradients] == [0, 6, 12]


def test_looks_are_taken_at_the_start_at_the_interval_and_at_the_end(tmp_path: Path) -> None:
    seen: list[Progress] = []
    settings = tiny()
    found = train(settings, tmp_path, observer=seen.append)
    looks = found.record.evaluations
    assert [look.step for look in looks] == [0, 5, 10, 12]
    losses = {progress.step: progress.loss for progress in seen}
    assert losses[0] is None
    assert sorted(losses) == list(range(13))
    assert looks[0].train_loss is None
    for before, look in itertools.pairwise(looks):
        mean = sum(losses[step] for step in range(before.step + 1, look.step + 1))
        assert look.train_loss == pytest.approx(mean / (look.step - before.step))
    loss = forward_pass(found.model, settings.training)
    assert found.record.final_loss == evaluate(loss, open_text(shutil.__file__), settings.training)
    assert looks[0].bits_per_byte == pytest.approx(looks[0].loss / math.log(2))
    last = seen[-1]
    assert last.seconds_left == 0
    assert last.evaluation == looks[-1]
    assert last.bits_per_byte == pytest.approx(losses[12] / math.log(2))


@pytest.mark.parametrize("kind", ["elman", "e5", "linear"])
def test_the_loss_falls_on_real_text(tmp_path: Path, kind: str) -> None:
    settings = tiny(
        model={"kind": kind, "width": 32, "recurrent_rank": 8, "input_rank": 16},
        steps=80,
        batch=8,
        length=16,
        learning_rate=0.01,
        evaluate_every=40,
    )
    losses = [look.bits_per_byte for look in train(settings, tmp_path).record.evaluations]
    assert losses[0] > 7.5
    assert losses[-1] < 5


@pytest.mark.parametrize("accumulate", [2, 3, 5])
def test_accumulated_parts_are_one_batch(tmp_path: Path, accumulate: int) -> None:
    """Parts of unequal size as well: 5 sequences in 2 or 3 parts."""
    whole, parts = (
        train(tiny(precision="float64", batch=5, accumulate=count, clip=0.1), tmp_path / str(count))
        for count in (1, accumulate)
    )
    for name, value in whole.model.state_dict().items():
        assert value.dtype == torch.float64
        torch.testing.assert_close(value, parts.model.state_dict()[name], rtol=1e-9, atol=1e-12)
    assert parts.record.final_loss == pytest.approx(whole.record.final_loss, rel=1e-11)


def test_only_the_bytes_asked_for_are_trained_on(tmp_path: Path) -> None:
    # Blocks of one letter each: a network that sees one block alone learns one letter.
    corpus, block = tmp_path / "letters", 8 * 9
    corpus.write_bytes(b"".join(bytes([letter]) * block for letter in range(97, 117)))
    losses = []
    for used in (block, None):
        settings = tiny(
            steps=60, learning_rate=0.05, data={"corpus": str(corpus), "train_bytes": used}
        )
        losses.append(train(settings, tmp_path / str(used)).record.evaluations[-1].train_loss)
    assert losses[0] is not None
    assert losses[1] is not None
    assert losses[0] < losses[1] / 2


def test_a_run_that_diverges_is_one_error_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    settings = tiny(learning_rate=1e30, warmup_share=0.9, steps=50, checkpoint_every=1, clip=None)
    with pytest.raises(DivergedError, match=r"not finite at step \d+, learning rate \d") as caught:
        train(settings, tmp_path)
    assert 1 < caught.value.step <= 50
    assert caught.value.checkpoint == tmp_path / "checkpoint.safetensors"
    assert str(caught.value).endswith("checkpoint.safetensors is kept")
    with safe_open(tmp_path / "checkpoint.safetensors", framework="pt") as file:
        names = [name for name in file.keys() if name.startswith("model.")]  # noqa: SIM118
        assert all(torch.isfinite(file.get_tensor(name)).all() for name in names)


def test_a_run_that_diverges_at_once_does_not_speak_of_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"train with a lower one$") as caught:
        train(tiny(learning_rate=1e30, checkpoint_every=100), tmp_path)
    assert caught.value.checkpoint is None


def test_every_change_of_what_computes_is_recorded(tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.step in stops:
            raise KeyboardInterrupt

    before = torch.get_num_threads()
    try:
        for threads, stops in ((1, {5}), (1, {8}), (2, set[int]())):
            torch.set_num_threads(threads)
            if stops:
                with pytest.raises(KeyboardInterrupt):
                    train(tiny(), tmp_path, observer=stop)
            else:
                record = train(tiny(), tmp_path, observer=stop).record
    finally:
        torch.set_num_threads(before)
    assert [(one.step, one.threads) for one in record.environments] == [(0, 1), (6, 2)]
    assert all(one.processes == 1 for one in record.environments)
    assert all("torch" in one.versions and "cores" in one.device for one in record.environments)


@given(batch=st.integers(1, 9), accumulate=st.integers(1, 3), processes=st.integers(1, 3))
def test_a_look_is_the_same_in_parts_of_any_size(
    batch: int, accumulate: int, processes: int
) -> None:
    settings = tiny(batch=batch, accumulate=accumulate)
    model = build_model(settings.model, 0, torch.float64)
    text = open_text(shutil.__file__)
    sizes: list[int] = []
    model.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    loss = forward_pass(model, settings.training)
    whole = evaluate(loss, text, tiny(batch=batch).training)
    assert set(sizes) == {batch}
    if batch < accumulate * processes:
        return
    sizes.clear()
    parts = evaluate(loss, text, settings.training, processes=processes)
    assert parts == pytest.approx(whole, rel=1e-12)
    assert max(sizes) == -(-batch // (accumulate * processes))


def test_a_checkpoint_of_other_settings_is_one_error(tmp_path: Path) -> None:
    train(tiny(), tmp_path)
    with pytest.raises(CheckpointError, match=r"training\.learning_rate is 0\.003, not 0\.1"):
        train(tiny(learning_rate=0.1), tmp_path)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"precision": "bf16"}, "bf16 needs a GPU"),
        ({"batch": 2, "accumulate": 3}, "batch must be at least 3"),
        ({"length": 100_000}, "length must be at most"),
        ({"data": {"train_bytes": 71}}, "train_bytes must be at least 72"),
        (
            {"data": {"train_bytes": 10**9}},
            "train_bytes must be at least 72, one block of 8 sequences",
        ),
        ({"data": {"corpus": "/no/such/file"}}, "there is none of this name"),
    ],
)
def test_what_cannot_be_trained_is_one_error_before_any_work(
    tmp_path: Path, changes: dict[str, Any], rule: str
) -> None:
    seen: list[Progress] = []
    with pytest.raises(DomainError, match=rule):
        train(tiny(**changes), tmp_path / "run", observer=seen.append)
    assert seen == []
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("device", ["cuda:99", "cpu:0", "cpu:3", "nowhere", "meta"])
def test_a_device_that_is_not_there_is_one_error(tmp_path: Path, device: str) -> None:
    with pytest.raises(DomainError, match="device"):
        train(tiny(), tmp_path, device=device)


def test_an_optimizer_that_is_not_installed_is_told_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "schedulefree", None)
    with pytest.raises(MissingPackageError, match="pip install"):
        train(tiny(optimizer="schedulefree"), tmp_path)
