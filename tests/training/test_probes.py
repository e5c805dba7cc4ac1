"""When probes measure, what they leave as it was, and the spectra against direct computation."""

import copy
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.training.probed import MODELS, build, run, text

from spectral_rank.formulas.domain import DomainError
from spectral_rank.training.loop import train
from spectral_rank.training.probes import is_due, measure
from spectral_rank.training.run_record import Probes
from spectral_rank.training.run_settings import (
    DataSettings,
    ProbeSettings,
)


@settings(deadline=None)
@given(
    intervals=st.tuples(*[st.integers(0, 7)] * 3),
    steps=st.integers(1, 40),
    data=st.data(),
)
def test_due_at_both_ends_and_at_each_interval(
    intervals: tuple[int, int, int], steps: int, data: st.DataObject
) -> None:
    step = data.draw(st.integers(0, steps))
    names = ("spectra_every", "gradients_every", "jacobians_every")
    probes = ProbeSettings(**dict(zip(names, intervals, strict=True)))
    multiples = {k * every for every in intervals if every for k in range(steps + 1)}
    assert is_due(probes, step, steps) == (step in {0, steps} | multiples)
    assert not is_due(None, step, steps)


@pytest.mark.parametrize(("step", "steps"), [(-1, 5), (6, 5), (0, 0), (1.0, 5)])
def test_a_step_out_of_range_is_refused(step: Any, steps: int) -> None:
    for probes in (None, ProbeSettings()):
        with pytest.raises(DomainError):
            is_due(probes, step, steps)


def test_each_kind_is_measured_at_its_own_interval() -> None:
    config = run({"kind": "elman", "width": 2}, {"steps": 7, "batch": 1, "length": 2})
    every = ProbeSettings(spectra_every=2, gradients_every=3, jacobians_every=0, gradient_parts=2)
    config = config.model_copy(update={"probes": every})
    model, source = build(config), text()
    seen = {"spectra": [], "gradients": [], "jacobians": []}  # type: dict[str, list[int]]
    for step in range(8):
        measured = measure(config, model, source, step)
        assert is_due(every, step, 7) == (measured != Probes())
        for kind, steps in seen.items():
            steps += sorted({record.step for record in getattr(measured, kind)})
    assert seen == {"spectra": [0, 2, 4, 6, 7], "gradients": [0, 3, 6, 7], "jacobians": [0, 7]}
    with pytest.raises(DomainError):
        measure(config, model, source, 8)


def test_without_probes_nothing_is_measured() -> None:
    config = run(MODELS["elman"]).model_copy(update={"probes": None})
    assert measure(config, build(config), text(), 0) == Probes()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", MODELS)
def test_the_run_is_left_as_it_was(kind: str, training: bool) -> None:
    config = run({**MODELS[kind], "layers": 2})
    model = build(config, torch.float32).train(training)
    for index, parameter in enumerate(model.parameters()):
        parameter.grad = torch.full_like(parameter, float(index)) if index % 2 else None
    random.seed(1)

    def state() -> tuple[Any, ...]:
        tensors = [*model.state_dict().values(), *(p.grad for p in model.parameters())]
        return (
            [None if entries is None else entries.clone() for entries in tensors],
            torch.get_rng_state(),
            np.random.get_state()[1].copy(),  # noqa: NPY002
            random.getstate(),
            [module.training for module in model.modules()],
            [parameter.requires_grad for parameter in model.parameters()],
            torch.is_grad_enabled(),
        )

    before = state()
    measured = measure(config, model, text(), 3)
    for left, right in zip(before, state(), strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=0)
    assert measure(config, model, text(), 3) == measured
    assert Probes.model_validate_json(measured.model_dump_json()) == measured


def test_a_run_with_probes_ends_with_the_same_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPECTRAL_RANK_CACHE", str(tmp_path / "cache"))
    corpus = tmp_path / "corpus"
    corpus.write_bytes(text().train.tobytes())
    data = {"data": DataSettings(corpus=str(corpus))}
    probed = run(MODELS["e5"], {"steps": 4, "batch": 2, "length": 4}).model_copy(update=data)
    plain = probed.model_copy(update={"probes": None})
    one, other = (train(config, tmp_path / config.digest()) for config in (probed, plain))
    for left, right in zip(one.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(left, right)
    for records in one.record.probes.spectra, one.record.probes.gradients:
        assert {record.step for record in records} == {0, 1, 2, 3, 4}
    assert other.record.probes == Probes()


@pytest.mark.parametrize("kind", MODELS)
def test_spectra_are_those_of_the_products(kind: str) -> None:
    config = run({**MODELS[kind], "layers": 2})
    model = build(config, torch.float32)
    records = measure(config, model, text(), 0).spectra
    weights = model.weight_matrices()
    assert [record.name for record in records] == list(weights)
    for record in records:
        weight = copy.deepcopy(weights[record.name]).double()
        with torch.no_grad():
            product = weight.dense().numpy()
        values = np.linalg.svd(product, compute_uv=False)
        count = min(product.shape) if weight.rank is None else weight.rank
        assert record.shape == product.shape
        assert record.values == pytest.approx(values[:count], rel=1e-9, abs=1e-12)
        energies = values**2 / np.sum(values**2)
        assert record.stable_rank == pytest.approx(1 / energies[0])
        assert record.participation_ratio == pytest.approx(1 / np.sum(energies**2))
        entropy = -np.sum(energies[:count] * np.log(energies[:count]))
        assert record.entropy_rank == pytest.approx(np.exp(entropy))
        assert record.condition_number == pytest.approx(values[0] / values[count - 1], rel=1e-6)


def test_a_zero_matrix_has_no_condition_number() -> None:
    config = run(MODELS["elman"])
    model = build(config)
    with torch.no_grad():
        model.weight_matrices()["layers.0.W_h"].matrix.zero_()
    record = next(r for r in measure(config, model, text(), 0).spectra if r.name.endswith("W_h"))
    assert record.values == (0.0,) * 6
    assert record.condition_number is None
    assert record.stable_rank == record.participation_ratio == record.entropy_rank == 0
