"""The measures of cost: rounds, saved memory, medians."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.structured import Circulant, Monarch
from spectral_rank.models.structured.cost import (
    forward_call,
    interleaved_seconds,
    median_interval,
    saved_bytes,
    step_call,
)


def test_rounds_have_a_time_for_every_call() -> None:
    layer, x = Circulant(16), torch.ones(2, 16)
    calls = {"forward": forward_call(layer, x), "step": step_call(layer, x)}
    seconds = interleaved_seconds(calls, rounds=3, sample_seconds=1e-4)
    assert list(seconds) == ["forward", "step"]
    assert all(len(times) == 3 and min(times) > 0 for times in seconds.values())
    assert layer.column.grad is None


@pytest.mark.parametrize(("rounds", "sample"), [(0, 1e-3), (2, 0.0)])
def test_rounds_refuse_bad_settings(rounds: int, sample: float) -> None:
    with pytest.raises(DomainError):
        interleaved_seconds({}, rounds, sample)


def test_saved_bytes() -> None:
    x = torch.ones(4, 16)
    # A matrix product keeps its input and its weight, which exist anyway.
    assert saved_bytes(torch.nn.Linear(16, 16, bias=False), x) == 0
    assert saved_bytes(Circulant(16), x) == 0
    # Monarch keeps what lies between its factors: 4 x (4 x 4) numbers of 4 bytes.
    assert saved_bytes(Monarch(16), x) == 4 * 16 * 4
    assert saved_bytes(torch.nn.Sequential(Circulant(16), torch.nn.Tanh()), x) == 4 * 16 * 4


def test_median_interval_covers_the_median() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        _, low, high = median_interval(rng.exponential(size=25).tolist())
        hits += low <= np.log(2) <= high
    assert hits >= 0.93 * 400


def test_median_interval_of_few_values() -> None:
    assert median_interval([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)
    with pytest.raises(DomainError):
        median_interval([])
    with pytest.raises(DomainError):
        median_interval([1.0, float("nan")])
