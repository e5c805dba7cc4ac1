"""A pass through a network, replayed on a GPU as one CUDA graph.

A recurrence launches a few small kernels for each step of its sequence, thousands in a pass, and a
GPU waits for the launches.  A graph records them once for every shape of a batch, and launches all
of them in one call.  It runs the same kernels on the same numbers.  No GPU was at hand when this
was written: what it gains is not measured, and so every recording is checked before it is used.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from spectral_rank.formulas.domain import DomainError
from spectral_rank.training.passes import Pass

SWITCH = "SPECTRAL_RANK_CUDA_GRAPHS"
"""Environment variable: 0 launches every kernel by itself, 1 (the default) replays graphs."""

WARM_UP = 3
"""Passes before the recording, in which libraries allocate and choose their kernels."""

TOLERANCE = 0.01
"""Largest distance of a replayed result from the computed one, relative to its norm.  The kernels
are the same, so there should be next to none; one that reads memory which is no longer what it was
is off by about the norm itself."""


class Recording(Protocol):
    """A recorded pass."""

    def replay(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """The results of the pass on a batch of the recorded shape, until the next replay."""


class Recorder:
    """Records the passes of a run on a GPU, and replays them.

    A recording is made on other numbers than it is first replayed on, and used only if it then
    gives what the pass itself gives.  After one that does not, or cannot be made, a warning says so
    and all passes are computed kernel by kernel, as they always are on a CPU.

    Attributes:
        is_on: whether passes are replayed on a GPU.

    Raises:
        DomainError: as `graphs_wanted`.
    """

    def __init__(self) -> None:
        self.is_on = graphs_wanted()

    def replayed(self, computed: Pass) -> Pass:
        """The pass, on a GPU recorded at the first batch of each shape and replayed from then on.

        Its results hold until its next call.
        """
        recordings: dict[torch.Size, Recording] = {}

        def called(tokens: Tensor) -> tuple[Tensor, ...]:
            if tokens.device.type != "cuda" or not self.is_on:
                return computed(tokens)
            with torch.cuda.device(tokens.device):
                if tokens.shape not in recordings:
                    recording = trusted(record, computed, tokens)
                    torch.cuda.empty_cache()
                    if recording is None:
                        self.is_on = False
                        recordings.clear()
                        return computed(tokens)
                    recordings[tokens.shape] = recording
                return recordings[tokens.shape].replay(tokens)

        return called


def graphs_wanted() -> bool:
    """What the environment variable `SWITCH` says.

    Raises:
        DomainError: if it is neither 0 nor 1.
    """
    chosen = os.environ.get(SWITCH, "1")
    if chosen not in {"0", "1"}:
        raise DomainError(SWITCH, chosen, "0 or 1")
    return chosen == "1"


def trusted(
    recorded: Callable[[Pass, Tensor], Recording], computed: Pass, tokens: Tensor
) -> Recording | None:
    """A recording that gives what the pass gives on these tokens; ``None`` if there is none.

    Args:
        recorded: makes a recording of a pass on a batch.
        computed: the pass.
        tokens: sequences of bytes, int64, ``(B, T + 1)``.
    """
    try:
        recording = recorded(computed, torch.zeros_like(tokens))
        found = [result.clone() for result in recording.replay(tokens)]
        if all(_is_near(*pair) for pair in zip(found, computed(tokens), strict=True)):
            return recording
        problem = "does not give the same numbers"
    except RuntimeError as error:
        # A capture that fails ends in a second error, which only says that there was a first.
        problem = f"cannot be recorded ({error.__context__ or error})"
    message = f"no CUDA graphs, slower: the pass on batches {tuple(tokens.shape)} {problem}"
    warnings.warn(message, RuntimeWarning, stacklevel=2)
    return None


def record(computed: Pass, tokens: Tensor) -> Recording:
    """A CUDA graph of the pass.

    Args:
        computed: the pass.
        tokens: a batch on the current GPU; the recording keeps it.

    Raises:
        RuntimeError: if the pass waits for the GPU, or the memory is too small.
    """
    before = torch.cuda.current_stream()
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(before)
    # A capture that fails leaves its stream the current one.
    with torch.cuda.stream(before):
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                computed(tokens)
        before.wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # Other threads, such as that which watches a group of processes, may go on meanwhile.
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            results = computed(tokens)
    return _Graph(graph, tokens, results)


@dataclass(frozen=True)
class _Graph:
    """A graph, and where it reads and writes."""

    graph: torch.cuda.CUDAGraph
    tokens: Tensor
    results: tuple[Tensor, ...]

    def replay(self, tokens: Tensor) -> tuple[Tensor, ...]:
        self.tokens.copy_(tokens)
        self.graph.replay()
        return self.results


def _is_near(found: Tensor, expected: Tensor) -> bool:
    """Whether two results agree, up to rounding; those of a run that diverges do if both did."""
    norm = expected.norm()
    if not norm.isfinite():
        return not bool(found.norm().isfinite())
    return bool((found - expected).norm() <= TOLERANCE * norm)
