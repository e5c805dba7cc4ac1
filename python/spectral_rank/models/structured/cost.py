"""What a layer costs: time per call, and memory for the derivative.

Ratios of times are taken within rounds: each round calls every layer in turn, so that a machine
that slows down slows all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from spectral_rank.formulas.domain import DomainError, integer, positive


def forward_call(layer: nn.Module, x: Tensor) -> Callable[[], None]:
    """A call that applies the layer to ``x`` without recording a derivative."""

    def call() -> None:
        with torch.no_grad():
            layer(x)

    return call


def step_call(layer: nn.Module, x: Tensor) -> Callable[[], None]:
    """A call that applies the layer and differentiates in ``x`` and in all parameters."""
    source = x.detach().clone().requires_grad_()
    with torch.no_grad():
        direction = torch.ones_like(layer(source))
    inputs = [source, *layer.parameters()]

    def call() -> None:
        torch.autograd.grad(layer(source), inputs, direction)

    return call


def interleaved_seconds(
    calls: Mapping[str, Callable[[], None]],
    rounds: int,
    sample_seconds: float,
    device: str = "cpu",
) -> dict[str, list[float]]:
    """The time of one call of each kind, measured in rounds.

    Args:
        calls: what is timed, by name; each is called twice before the clock starts.
        rounds: number of rounds, an integer >= 1.
        sample_seconds: a call shorter than this is repeated within a round until it fills it,
            seconds > 0.
        device: ``cpu``, or a device whose queue is emptied before the clock is read.

    Returns:
        For each name ``rounds`` times in seconds; times of equal index belong to one round.

    Raises:
        DomainError: if ``rounds`` or ``sample_seconds`` is outside its domain.
    """
    rounds = integer("rounds", rounds, at_least=1)
    positive("sample_seconds", sample_seconds)
    counts = {}
    for name, call in calls.items():
        call()
        counts[name] = max(1, int(sample_seconds / max(_seconds(call, 1, device), 1e-7)))
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            seconds[name].append(_seconds(call, counts[name], device))
    return seconds


def _seconds(call: Callable[[], None], count: int, device: str) -> float:
    _finish(device)
    start = time.perf_counter()
    for _ in range(count):
        call()
    _finish(device)
    return (time.perf_counter() - start) / count


def _finish(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def saved_bytes(layer: nn.Module, x: Tensor) -> int:
    """The memory that the forward call keeps for the derivative, beside parameters and input.

    Args:
        layer: the layer.
        x: its input, shape ``(..., n)``.

    Returns:
        Bytes; storage that several saved tensors share counts once.
    """
    source = x.detach().clone().requires_grad_()
    known = {tensor.untyped_storage().data_ptr() for tensor in (source, *layer.parameters())}
    saved: dict[int, int] = {}
    # The tensors themselves are kept, so that no address is used twice.
    kept: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            saved[storage.data_ptr()] = storage.nbytes()
            kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        kept.append(layer(source))
    return sum(saved.values())


def median_interval(values: list[float], level: float = 0.95) -> tuple[float, float, float]:
    """The median with its distribution-free interval.

    Args:
        values: independent observations, finite, at least one.
        level: confidence level in (0, 1).

    Returns:
        Median, lower end, upper end.  The ends are order statistics; with too few values for the
        level they are the least and the largest.

    Raises:
        DomainError: if ``values`` is empty or holds NaN or infinity.
    """
    array = np.sort(np.asarray(values, dtype=float))
    if array.size == 0 or not np.all(np.isfinite(array)):
        raise DomainError("values", values, "at least one finite number")
    interval = stats.quantile_test(array, q=0.0, p=0.5).confidence_interval(level)
    low = float(interval.low) if np.isfinite(interval.low) else float(array[0])
    high = float(interval.high) if np.isfinite(interval.high) else float(array[-1])
    return float(np.median(array)), low, high
