import math
import warnings
from pathlib import Path

import pytest
import torch
from tests.training.runs import tiny, without_time
from torch import Tensor

from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.recurrent.language_model import LanguageModel, build_model
from spectral_rank.models.recurrent.settings import Kind, ModelSettings
from spectral_rank.training.cuda_graph import SWITCH, Recorder, Recording, record, trusted
from spectral_rank.training.loop import train
from spectral_rank.training.passes import Pass, backward_pass
from spectral_rank.training.run_settings import Precision, ProbeSettings

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def model_on(device: str, kind: Kind = "elman") -> LanguageModel:
    shape = ModelSettings(kind=kind, width=32, layers=2, recurrent_rank=8, input_rank=8, norm=True)
    return build_model(shape, 0).to(device)


def batch(seed: int, size: int, device: str) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (size, 33), generator=generator).to(device)


class Repeated:
    """What a CUDA graph does, without a GPU: results are written where the first ones lie."""

    def __init__(self, computed: Pass, tokens: Tensor) -> None:
        self.computed, self.tokens, self.results = computed, tokens, computed(tokens)

    def replay(self, tokens: Tensor) -> tuple[Tensor, ...]:
        self.tokens.copy_(tokens)
        for place, value in zip(self.results, self.computed(self.tokens), strict=True):
            place.copy_(value)
        return self.results


class Stale(Repeated):
    """A recording that does not follow the batch."""

    def replay(self, tokens: Tensor) -> tuple[Tensor, ...]:
        return self.results


class Noisy(Repeated):
    """A recording that rounds otherwise."""

    def replay(self, tokens: Tensor) -> tuple[Tensor, ...]:
        return tuple(result * 1.001 for result in super().replay(tokens))


def failing(computed: Pass, tokens: Tensor) -> Recording:
    try:
        raise RuntimeError("the reason")
    finally:
        raise RuntimeError("an error before")


@pytest.mark.parametrize("recorded", [Repeated, Noisy])
def test_a_recording_that_gives_the_same_numbers_is_trusted(recorded: type[Repeated]) -> None:
    computed = backward_pass(model_on("cpu"), tiny().training)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recording = trusted(recorded, computed, batch(0, 4, "cpu"))
    assert recording is not None
    loss, *_ = recording.replay(tokens := batch(1, 4, "cpu"))
    torch.testing.assert_close(loss, computed(tokens)[0], rtol=2e-3, atol=0)


@pytest.mark.parametrize(
    ("recorded", "problem"),
    [(Stale, "does not give the same numbers"), (failing, r"cannot be recorded \(the reason\)")],
)
def test_a_recording_that_does_not_is_said_to_be_none(recorded: type, problem: str) -> None:
    computed = backward_pass(model_on("cpu"), tiny().training)
    with pytest.warns(RuntimeWarning, match=rf"batches \(4, 33\) {problem}"):
        assert trusted(recorded, computed, batch(0, 4, "cpu")) is None


def test_a_run_that_diverges_is_no_fault_of_its_recording() -> None:
    model = model_on("cpu")
    with torch.no_grad():
        next(model.parameters()).fill_(math.nan)
    computed = backward_pass(model, tiny().training)
    assert trusted(Repeated, computed, batch(0, 4, "cpu")) is not None


def test_on_a_cpu_the_pass_is_computed() -> None:
    computed = backward_pass(model_on("cpu"), tiny().training)
    replayed = Recorder().replayed(computed)
    for seed, size in ((0, 4), (1, 4), (2, 3)):
        tokens = batch(seed, size, "cpu")
        assert all(map(torch.equal, replayed(tokens), computed(tokens)))


@pytest.mark.parametrize("value", ["", "2", "yes"])
def test_a_switch_that_says_nothing_is_one_error_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(SWITCH, value)
    with pytest.raises(DomainError, match=rf"{SWITCH} must be 0 or 1"):
        train(tiny(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("kind", ["elman", "e5", "linear"])
def test_a_replayed_pass_follows_the_batch_and_the_weights(
    kind: Kind, precision: Precision
) -> None:
    model = model_on("cuda", kind)
    computed = backward_pass(model, tiny(precision=precision).training)
    recorder = Recorder()
    replayed = recorder.replayed(computed)
    for seed, size in ((0, 4), (1, 4), (2, 3), (3, 200), (4, 4)):
        tokens = batch(seed, size, "cuda")
        found = [result.clone() for result in replayed(tokens)]
        assert recorder.is_on
        for one, other in zip(found, computed(tokens), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-4)
        with torch.no_grad():
            for parameter, gradient in zip(model.parameters(), found[1:], strict=True):
                parameter.sub_(gradient, alpha=0.1)


@needs_gpu
@pytest.mark.parametrize("optimizer", ["adamw", "schedulefree"])
def test_a_run_is_the_same_with_graphs_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    """Parts of unequal size, so that there are recordings of two shapes."""
    pytest.importorskip("schedulefree" if optimizer == "schedulefree" else "torch")
    settings = tiny(optimizer=optimizer, batch=7, accumulate=2, probes=ProbeSettings())
    runs = []
    for switch in ("0", "1"):
        monkeypatch.setenv(SWITCH, switch)
        runs.append(without_time(train(settings, tmp_path / switch, device="cuda").record))
    for one, other in zip(*(run.evaluations for run in runs), strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-4)


@needs_gpu
def test_a_pass_that_waits_for_a_number_is_computed_and_said_to_be_slower() -> None:
    computed = backward_pass(model_on("cuda"), tiny().training)

    def waiting(tokens: Tensor) -> tuple[Tensor, ...]:
        assert int(tokens.max()) < 256
        return computed(tokens)

    before, recorder = torch.cuda.current_stream(), Recorder()
    with pytest.warns(RuntimeWarning, match="cannot be recorded"):
        found = recorder.replayed(waiting)(batch(0, 4, "cuda"))
    assert not recorder.is_on
    assert torch.cuda.current_stream() == before
    for one, other in zip(found, computed(batch(0, 4, "cuda")), strict=True):
        torch.testing.assert_close(one, other)


@needs_gpu
def test_memory_is_given_back() -> None:
    computed, tokens = backward_pass(model_on("cuda"), tiny().training), batch(0, 4, "cuda")
    recording = trusted(record, computed, tokens)
    assert recording is not None
    held = torch.cuda.memory_reserved()
    del recording
    torch.cuda.empty_cache()
    assert torch.cuda.memory_reserved() < held
