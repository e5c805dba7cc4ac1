"""The Jacobians against autograd, normal maps and extreme weights."""

import math
import sys

import numpy as np
import pytest
import torch
from tests.training.probed import MODELS, build, run, text

from spectral_rank.data.text import Text
from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.recurrent.language_model import LanguageModel
from spectral_rank.training.probes import measure
from spectral_rank.training.run_record import JacobianProbe
from spectral_rank.training.run_settings import RunSettings


def step_jacobian(weight: torch.Tensor, state: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    """Autograd's Jacobian of ``h -> tanh(W h + c)`` where it leads from ``state`` to ``new``."""
    constant = torch.atanh(new) - weight @ state

    def advance(h: torch.Tensor) -> torch.Tensor:
        return torch.tanh(weight @ h + constant)

    jacobian: torch.Tensor = torch.autograd.functional.jacobian(advance, state)
    return jacobian


@pytest.mark.parametrize("kind", ["elman", "elman of low rank", "e5"])
def test_jacobian_values_are_those_of_autograd(kind: str) -> None:
    # Eight sequences of four steps: the 32 states that a probe looks at are all there are.
    config = run({**MODELS[kind], "layers": 2})
    model, source = build(config), text()
    tokens = source.validation_batch(0, 8, 4)[:, :-1]
    records = measure(config, model, source, 0).jacobians
    with torch.no_grad():
        layers = model.layer_states(tokens)
        weights = [model.weight_matrices()[f"layers.{i}.W_h"].dense() for i in range(2)]
    assert [record.layer for record in records] == [0, 1]
    for record, states, weight in zip(records, layers, weights, strict=True):
        logs = []
        for sequence in states.states:
            before = torch.cat([torch.zeros(1, 6, dtype=torch.float64), sequence[:-1]])
            for old, new in zip(before, sequence, strict=True):
                jacobian = step_jacobian(weight, old, new)
                logs.append(torch.linalg.svdvals(jacobian)[: len(record.mean_log_values)].log())
        assert len(record.mean_log_values) == (config.model.recurrent_rank or 6)
        expected = torch.stack(logs).mean(dim=0).tolist()
        assert record.mean_log_values == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("kind", ["linear", "linear of low rank"])
def test_a_linear_recurrence_has_the_values_of_its_matrix(kind: str) -> None:
    config = run(MODELS[kind])
    measured = measure(config, build(config), text(), 0)
    spectrum = next(record for record in measured.spectra if record.name == "layers.0.W_h")
    expected = np.log(spectrum.values)
    assert measured.jacobians[0].mean_log_values == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kind", ["linear", "linear of low rank"])
def test_exponents_of_a_normal_map_are_the_logs_of_its_values(kind: str) -> None:
    width, values = 10, 0.9 * 0.7 ** np.arange(10.0)
    config = run({**MODELS[kind], "width": width})
    model = build(config)
    basis = torch.linalg.qr(
        torch.randn(width, width, generator=torch.Generator().manual_seed(0))
    ).Q.double()
    weight = model.weight_matrices()["layers.0.W_h"]
    rank = config.model.recurrent_rank
    signed = torch.from_numpy(values * (-1) ** np.arange(10.0))
    with torch.no_grad():
        if rank is None:
            weight.matrix.copy_(basis * signed @ basis.mT)
        else:
            weight.U.copy_(basis[:, :rank] * signed[:rank])
            weight.V.copy_(basis[:, :rank].mT)
    record = measure(config, model, text(), 0).jacobians[0]
    assert len(record.lyapunov) == (rank or 8)
    assert record.lyapunov == pytest.approx(np.log(values[: rank or 8]), abs=1e-4)


def test_the_bottleneck_has_the_exponents_of_the_whole() -> None:
    low = run({"kind": "elman", "width": 7, "recurrent_rank": 3})
    dense = run({"kind": "elman", "width": 7})
    thin, wide = build(low), build(dense)
    product = thin.weight_matrices()["layers.0.W_h"].dense().detach()
    shared = {k: v for k, v in thin.state_dict().items() if "W_h" not in k}
    wide.load_state_dict(shared, strict=False)
    with torch.no_grad():
        wide.weight_matrices()["layers.0.W_h"].matrix.copy_(product)
    one = measure(low, thin, text(), 0).jacobians[0]
    other = measure(dense, wide, text(), 0).jacobians[0]
    assert len(one.lyapunov) == len(other.lyapunov) == 3  # the rest are minus infinity
    assert one.lyapunov == pytest.approx(other.lyapunov, abs=0.02)
    assert one.mean_log_values == pytest.approx(other.mean_log_values[:3], abs=1e-9)
    assert max(other.mean_log_values[3:]) < math.log(1e-14)


def jacobian(config: RunSettings, model: LanguageModel, source: Text) -> JacobianProbe:
    return measure(config, model, source, 0).jacobians[0]


def test_zero_and_saturated_layers_have_finite_values() -> None:
    config = run(MODELS["elman"])
    model = build(config)
    weight = model.weight_matrices()["layers.0.W_h"].matrix
    with torch.no_grad():
        norm = float(torch.linalg.matrix_norm(weight))
        model.layers[0].b.fill_(100.0)
    saturated = jacobian(config, model, text())
    least = math.log(sys.float_info.epsilon * norm)
    assert saturated.mean_log_values == pytest.approx([least] * 6)
    assert saturated.lyapunov == ()
    with torch.no_grad():
        weight.zero_()
    zero = jacobian(config, model, text())
    assert zero.mean_log_values == pytest.approx([math.log(sys.float_info.min)] * 6)
    assert zero.lyapunov == ()


@pytest.mark.parametrize("kind", ["elman", "e5"])
def test_a_run_that_diverged_has_no_measurements_of_what_is_not_finite(kind: str) -> None:
    config = run(MODELS[kind])
    model = build(config)
    with torch.no_grad():
        next(model.weight_matrices()["layers.0.W_h"].parameters())[0, 0] = math.nan
    measured = measure(config, model, text(), 0)
    names = {record.name for record in measured.spectra}
    assert names == set(model.weight_matrices()) - {"layers.0.W_h"}
    assert measured.gradients == ()
    assert measured.jacobians == ()


@pytest.mark.parametrize("steps", [1, 2, 3, 19, 300])
def test_a_short_validation_text_shortens_the_product_only(steps: int) -> None:
    config = run(MODELS["elman"], {"length": 1})
    source = text(2 * (steps + 1))
    assert len(jacobian(config, build(config), source).lyapunov) == (0 if steps == 1 else 6)


def test_a_validation_text_shorter_than_a_sequence_is_refused() -> None:
    config = run(MODELS["elman"])
    with pytest.raises(DomainError, match="length"):
        measure(config, build(config), text(8), 0)
