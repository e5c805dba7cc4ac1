"""The signal-to-noise ratio of a model's gradient at one step of training.

The gradient of a batch is ``g = mu + noise``.  With the mean ``m`` and the summed sample variance
``v`` of ``k`` independent gradients, ``E |m|^2 = |mu|^2 + tr(C) / k`` and ``E v = tr(C)`` for the
covariance ``C``; so ``(|m|^2 - v / k) / v`` estimates ``|mu|^2 / tr(C)``, with numerator and
denominator each free of bias.  A batch ``b`` times as large has a ``b`` times larger ratio.
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Iterator

import torch
import torch.distributed as dist
from torch import Tensor

from spectral_rank.data.text import Text
from spectral_rank.models.recurrent.language_model import LanguageModel
from spectral_rank.training.passes import Pass, backward_pass
from spectral_rank.training.run_record import GradientProbe
from spectral_rank.training.run_settings import RunSettings


def gradient_probes(
    settings: RunSettings,
    model: LanguageModel,
    text: Text,
    step: int,
    gradient: Pass | None = None,
) -> tuple[GradientProbe, ...]:
    """The signal-to-noise ratio of the gradient of one training batch, overall and by parameter.

    The batches have the shape of a training batch and come from the same part of the text, but from
    seeds of their own, so that they are independent of the batches trained on.  Gradients are taken
    before clipping.

    A ratio without noise (all batches give the same gradient) is 0 if that gradient is zero, else
    the largest float, as a record holds no infinity.

    Args:
        settings: of the run; the number of batches is `ProbeSettings.gradient_parts`.
        model: the network; its parameters and their ``grad`` stay as they are.
        text: the text of the run.
        step: optimizer steps done.
        gradient: how the gradient is computed; the model's `backward_pass` if nothing is given.

    Returns:
        One record; none if a gradient is not finite, as in a run that has diverged.

    Raises:
        DomainError: if the text is too short for a batch.

    Source:
        McCandlish, Kaplan and Amodei, An empirical model of large-batch training (2018), whose
        simple noise scale is the batch over this ratio.
    """
    gradient = gradient or backward_pass(model, settings.training)
    parameters = dict(model.named_parameters())
    moments = {name: _Moments() for name in parameters}
    for tokens in _batches(settings, text, step):
        found = _gradient(gradient, list(parameters.values()), tokens, settings)
        for moment, value in zip(moments.values(), found, strict=True):
            moment.add(value)
    signal = {name: moment.squared_mean() for name, moment in moments.items()}
    noise = {name: moment.summed_variance() for name, moment in moments.items()}
    if not all(math.isfinite(value) for value in (*signal.values(), *noise.values())):
        return ()
    parts = _parts(settings)
    return (
        GradientProbe(
            step=step,
            snr=_ratio(sum(signal.values()), sum(noise.values()), parts),
            norm=math.sqrt(sum(signal.values())),
            parts=parts,
            by_matrix={name: _ratio(signal[name], noise[name], parts) for name in parameters},
        ),
    )


class _Moments:
    """Mean and summed variance of gradients of one parameter, by Welford's update in float64.

    Sums of squares would lose the variance of a gradient that is nearly all signal.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: Tensor | float = 0.0
        self.scatter: Tensor | float = 0.0

    def add(self, gradient: Tensor) -> None:
        self.count += 1
        wide = gradient.double()
        change = wide - self.mean
        self.mean = self.mean + change / self.count
        self.scatter = self.scatter + (change * (wide - self.mean)).sum()

    def squared_mean(self) -> float:
        return float(torch.as_tensor(self.mean).square().sum())

    def summed_variance(self) -> float:
        return float(self.scatter) / (self.count - 1)


def _ratio(signal: float, noise: float, parts: int) -> float:
    if noise == 0:
        return 0.0 if signal == 0 else sys.float_info.max
    return min(signal / noise - 1 / parts, sys.float_info.max)


def _parts(settings: RunSettings) -> int:
    return 0 if settings.probes is None else settings.probes.gradient_parts


def _batches(settings: RunSettings, text: Text, step: int) -> Iterator[Tensor]:
    training = settings.training
    for part in range(_parts(settings)):
        name = f"gradient probe, run {settings.seed}, step {step}, part {part}"
        # 62 bits of a hash: no run has such a seed by chance.
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 2
        yield text.training_batch(
            step,
            training.batch,
            training.length,
            seed,
            settings.data.train_bytes,
            blocks_seed=settings.seed,
        )


def _gradient(
    gradient: Pass, parameters: list[Tensor], tokens: Tensor, settings: RunSettings
) -> list[Tensor]:
    """The gradient of the loss of a batch, computed in as many parts as in training.

    In a data-parallel run the one process that measures does the work of all of them, a part as
    large as theirs at a time.
    """
    processes = 1
    if dist.is_available() and dist.is_initialized():
        processes = dist.get_world_size()
    device = parameters[0].device
    pieces = min(len(tokens), settings.training.accumulate * processes)
    total = [torch.zeros_like(parameter) for parameter in parameters]
    for part in torch.tensor_split(tokens, pieces):
        _, *found = gradient(part.to(device))
        for accumulated, value in zip(total, found, strict=True):
            accumulated.add_(value, alpha=len(part) / len(tokens))
    return total
