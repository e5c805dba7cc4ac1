import warnings
from pathlib import Path

import pytest
import torch
from tests.training.runs import tiny
from torch import Tensor

from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.recurrent.language_model import LanguageModel, build_model
from spectral_rank.models.recurrent.settings import Kind, ModelSettings
from spectral_rank.training.cuda_graph import SWITCH, Replayed
from spectral_rank.training.loop import train
from spectral_rank.training.passes import backward_pass

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def model_on(device: str, kind: Kind = "elman") -> LanguageModel:
    shape = ModelSettings(kind=kind, width=32, layers=2, recurrent_rank=8, input_rank=8, norm=True)
    return build_model(shape, 0).to(device)


def batch(seed: int, size: int, device: str) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (size, 33), generator=generator).to(device)


def test_on_a_cpu_the_pass_is_computed() -> None:
    computed = backward_pass(model_on("cpu"), tiny().training)
    replayed = Replayed(computed)
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
def test_a_replayed_pass_follows_the_batch_and_the_weights(kind: Kind, precision: str) -> None:
    model = model_on("cuda", kind)
    computed = backward_pass(model, tiny(precision=precision).training)
    replayed = Replayed(computed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed, size in ((0, 4), (1, 4), (2, 3), (3, 200), (4, 4)):
            tokens = batch(seed, size, "cuda")
            found = [result.clone() for result in replayed(tokens)]
            for one, other in zip(found, computed(tokens), strict=True):
                torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-4)
            with torch.no_grad():
                for parameter, gradient in zip(model.parameters(), found[1:], strict=True):
                    parameter.sub_(gradient)


@needs_gpu
def test_a_pass_that_waits_for_a_number_is_computed_and_said_to_be_slower() -> None:
    computed = backward_pass(model_on("cuda"), tiny().training)

    def waiting(tokens: Tensor) -> tuple[Tensor, ...]:
        assert int(tokens.max()) < 256
        return computed(tokens)

    replayed = Replayed(waiting)
    with pytest.warns(RuntimeWarning, match="cannot be recorded"):
        first = replayed(batch(0, 4, "cuda"))
    for one, other in zip(first, computed(batch(0, 4, "cuda")), strict=True):
        torch.testing.assert_close(one, other)


@needs_gpu
def test_a_recording_that_does_not_follow_the_batch_is_not_used() -> None:
    computed = backward_pass(model_on("cuda"), tiny().training)
    fixed = batch(9, 4, "cuda")
    calls = 0

    def forgetful(tokens: Tensor) -> tuple[Tensor, ...]:
        nonlocal calls
        calls += 1
        return computed(tokens if calls > 4 else fixed)

    replayed = Replayed(forgetful)
    with pytest.warns(RuntimeWarning, match="not give the same numbers"):
        replayed(batch(0, 4, "cuda"))
