"""The signal-to-noise ratio against the gradients of all sequences that can be drawn."""

import math
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from tests.training.probed import MODELS, build, run, text

from spectral_rank.data.text import Text
from spectral_rank.models.recurrent.language_model import LanguageModel
from spectral_rank.training.loss import next_byte_loss
from spectral_rank.training.probes import measure
from spectral_rank.training.run_record import GradientProbe
from spectral_rank.training.run_settings import RunSettings

Array = npt.NDArray[np.float64]


def gradients_only(model: dict[str, Any], **arguments: Any) -> RunSettings:
    """Settings under which only gradients are due at odd steps."""
    base = run(model, **arguments)
    assert base.probes is not None
    every = {"spectra_every": 2, "gradients_every": 1, "jacobians_every": 2}
    return base.model_copy(update={"probes": base.probes.model_copy(update=every)})


SHORT = {"batch": 1, "length": 2}
TINY = {"kind": "elman", "width": 2}
FEW = text(size=120, symbols=3)
"""Few symbols: gradients have a mean that stands out.  Short, so that all can be enumerated."""


def enumerated(config: RunSettings, model: LanguageModel, source: Text) -> dict[str, Array]:
    """The gradients of all sequences of the used text, one row each, by parameter."""
    parameters = dict(model.named_parameters())
    used = torch.from_numpy(source.train.astype(np.int64))
    rows: dict[str, list[Array]] = {name: [] for name in parameters}
    for tokens in used.unfold(0, config.training.length + 1, 1):
        loss = next_byte_loss(model, tokens[None])
        for name, gradient in zip(
            parameters, torch.autograd.grad(loss, list(parameters.values())), strict=True
        ):
            rows[name].append(gradient.numpy().ravel())
    return {name: np.stack(gradients) for name, gradients in rows.items()}


def moments(gradients: Array) -> tuple[float, float]:
    """Squared norm of the mean and trace of the covariance of a uniformly drawn row."""
    mean = gradients.mean(axis=0)
    return float(mean @ mean), float(np.sum((gradients - mean) ** 2) / len(gradients))


def probes(
    config: RunSettings, model: LanguageModel, count: int, source: Text = FEW
) -> list[GradientProbe]:
    return [measure(config, model, source, 2 * k + 1).gradients[0] for k in range(count)]


def signal_and_noise(records: list[GradientProbe]) -> tuple[Array, Array]:
    """What each record estimates without bias: squared norm of the mean, trace of the covariance.

    ``snr = (norm^2 - noise / parts) / noise``, solved for the noise.
    """
    noise = np.array([r.norm**2 / (r.snr + 1 / r.parts) for r in records])
    return np.array([r.snr for r in records]) * noise, noise


def assert_mean(samples: Array, expected: float, bias: float) -> None:
    """That the mean is the expected one, by a test that would see the given bias."""
    error = samples.std(ddof=1) / math.sqrt(len(samples))
    assert abs(samples.mean() - expected) < 4 * error  # false alarm: 1 in 16000
    assert abs(bias) > 8 * error  # overlooked with the same probability


@pytest.mark.parametrize("parts", [2, 3])
def test_signal_and_noise_have_no_bias(parts: int) -> None:
    config = gradients_only(TINY, training=SHORT, parts=parts)
    model = build(config)
    rows = np.concatenate(list(enumerated(config, model, FEW).values()), axis=1)
    signal, noise = signal_and_noise(probes(config, model, 400))
    true_signal, true_noise = moments(rows)
    # The plain squared norm of the mean has the first bias, the plain variance the second.
    assert_mean(signal, true_signal, bias=true_noise / parts)
    assert_mean(noise, true_noise, bias=true_noise / parts)


def test_ratio_of_each_parameter_with_many_parts() -> None:
    parts = 600
    config = gradients_only(TINY, training=SHORT, parts=parts)
    model = build(config)
    record = probes(config, model, 1)[0]
    rows = enumerated(config, model, FEW)
    assert set(record.by_matrix) == set(rows)
    for name, gradients in rows.items():
        signal, noise = moments(gradients)
        deviations = gradients - gradients.mean(axis=0)
        covariance = deviations.T @ deviations / len(deviations)
        along = gradients.mean(axis=0) @ covariance @ gradients.mean(axis=0)
        # Standard errors of the squared norm of the mean and of the variance, at the first orders.
        of_signal = math.sqrt(4 * along / parts + 2 * np.sum(covariance**2) / parts**2)
        of_noise = np.sum(deviations**2, axis=1).std() / math.sqrt(parts)
        error = (of_signal + signal / noise * of_noise) / noise
        assert abs(record.by_matrix[name] - signal / noise) < 4 * error


def relative_error(samples: Array) -> float:
    return float(samples.std(ddof=1) / math.sqrt(len(samples)) / samples.mean())


def test_ratio_grows_like_the_batch() -> None:
    ratios, errors = [], []
    for batch in (1, 4):
        config = gradients_only(TINY, training={**SHORT, "batch": batch}, parts=4)
        signal, noise = signal_and_noise(probes(config, build(config), 200))
        ratios.append(signal.mean() / noise.mean())
        errors += [relative_error(signal), relative_error(noise)]
    error = math.hypot(*errors)
    assert abs(math.log(ratios[1] / ratios[0] / 4)) < 4 * error
    assert 4 * error < math.log(4) / 4


def test_accumulated_parts_do_not_show() -> None:
    whole = gradients_only(MODELS["e5"], training={"batch": 6})
    cut = gradients_only(MODELS["e5"], training={"batch": 6, "accumulate": 4})
    one, other = (probes(config, build(config), 1)[0] for config in (whole, cut))
    assert one.snr == pytest.approx(other.snr, rel=1e-9)
    assert one.by_matrix == pytest.approx(other.by_matrix, rel=1e-9)


def test_batches_change_with_step_and_seed_and_are_not_the_training_batches() -> None:
    config = gradients_only(TINY, parts=2)
    model, source = build(config), FEW
    first = probes(config, model, 4)
    other = probes(config.model_copy(update={"seed": 1}), model, 4)
    assert len({record.snr for record in (*first, *other)}) == 8
    for record in first:
        pair = []
        for step in (record.step, record.step + 1):
            tokens = source.training_batch(step, 2, 4, config.seed)
            loss = next_byte_loss(model, tokens)
            pair.append(torch.autograd.grad(loss, list(model.parameters())))
        trained = math.sqrt(
            sum(float(((a + b) / 2).square().sum()) for a, b in zip(*pair, strict=True))
        )
        assert record.norm != pytest.approx(trained, rel=1e-6)


def test_a_part_of_the_text_has_the_gradients_of_that_part() -> None:
    # One block of one symbol, another symbol for each block: the run's block tells its gradient.
    train = np.arange(10).repeat(40).astype(np.uint8)
    source = Text("blocks", "0" * 64, train, train)
    config = gradients_only(TINY, parts=3, train_bytes=40)
    model = build(config)
    symbol = int(source.training_batch(0, 1, 4, config.seed, 40)[0, 0])
    loss = next_byte_loss(model, torch.full((1, 5), symbol))
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    norm = math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients))
    for record in probes(config, model, 3, source):
        assert record.norm == pytest.approx(norm, rel=1e-9)


def test_a_gradient_without_noise_has_the_largest_ratio_and_a_zero_gradient_none() -> None:
    # A single sequence to draw: every batch is the same.
    source = text(size=10, symbols=3)
    config = gradients_only(TINY, parts=3)
    model = build(config)
    with torch.no_grad():
        model.weight_matrices()["W_o"].matrix.zero_()
    record = probes(config, model, 1, source)[0]
    assert record.snr == sys.float_info.max
    readout = {name for name, ratio in record.by_matrix.items() if ratio == sys.float_info.max}
    # Behind a readout that is zero no other parameter has a gradient.
    rows = enumerated(config, model, source)
    assert readout == {name for name, gradients in rows.items() if np.any(gradients)}
    assert {record.by_matrix[name] for name in rows if name not in readout} == {0.0}
