"""A pass through a network, replayed on a GPU as one CUDA graph.

A recurrence launches a few small kernels for each step of its sequence, thousands in a pass, and a
GPU waits for the launches.  A graph records them once for every shape of a batch, and launches all
of them in one call.  It runs the same kernels on the same numbers.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from spectral_rank.formulas.domain import DomainError
from spectral_rank.training.passes import Pass

SWITCH = "SPECTRAL_RANK_CUDA_GRAPHS"
"""Environment variable: 0 launches every kernel by itself, 1 (the default) replays graphs."""

WARM_UP = 3
"""Passes before the recording, in which libraries allocate and choose their kernels."""

TOLERANCE = 0.01
"""Largest distance of a replayed result from the computed one, relative to its norm.  Rounding, in
bf16 through hundreds of steps, stays below; memory that is no longer what it was does not."""


class Replayed:
    """A pass that on a GPU is recorded at the first batch of each shape and replayed from then on.

    A recording is made on other numbers than it is first replayed on, and used only if it then
    gives what the pass itself gives.  If it does not, or cannot be made, a warning says so and the
    pass is computed kernel by kernel.  On a CPU it always is.

    Args:
        computed: the pass.

    Raises:
        DomainError: if the environment variable `SWITCH` is neither 0 nor 1.
    """

    def __init__(self, computed: Pass) -> None:
        self._computed = computed
        self._recordings: dict[torch.Size, _Recording | None] = {}
        self._is_wanted = graphs_wanted()

    def __call__(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """The results of the pass, which hold until the next call.

        Args:
            tokens: sequences of bytes, int64, ``(B, T + 1)``.
        """
        if tokens.device.type != "cuda" or not self._is_wanted:
            return self._computed(tokens)
        with torch.cuda.device(tokens.device):
            if tokens.shape not in self._recordings:
                self._recordings[tokens.shape] = _trusted(self._computed, tokens)
            recording = self._recordings[tokens.shape]
            return self._computed(tokens) if recording is None else recording.replay(tokens)


def graphs_wanted() -> bool:
    """What the environment variable `SWITCH` says.

    Raises:
        DomainError: if it is neither 0 nor 1.
    """
    chosen = os.environ.get(SWITCH, "1")
    if chosen not in {"0", "1"}:
        raise DomainError(SWITCH, chosen, "0 or 1")
    return chosen == "1"


@dataclass(frozen=True)
class _Recording:
    """A recorded pass, and where it reads and writes."""

    graph: torch.cuda.CUDAGraph
    tokens: Tensor
    results: tuple[Tensor, ...]

    def replay(self, tokens: Tensor) -> tuple[Tensor, ...]:
        self.tokens.copy_(tokens)
        self.graph.replay()
        return self.results


def _trusted(computed: Pass, tokens: Tensor) -> _Recording | None:
    """A recording that gives what the pass gives on these tokens; ``None`` if there is none."""
    try:
        recording = _recorded(computed, torch.zeros_like(tokens))
        found = [result.clone() for result in recording.replay(tokens)]
    except RuntimeError as error:
        problem = f"cannot be recorded ({error})"
    else:
        if all(_is_near(*pair) for pair in zip(found, computed(tokens), strict=True)):
            return recording
        problem = "does not give the same numbers"
    message = f"no CUDA graph for batches {tuple(tokens.shape)}, slower: the pass {problem}"
    warnings.warn(message, RuntimeWarning, stacklevel=3)
    return None


def _recorded(computed: Pass, tokens: Tensor) -> _Recording:
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            computed(tokens)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    # Other threads, such as that which watches a group of processes, may go on meanwhile.
    with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
        results = computed(tokens)
    return _Recording(graph, tokens, results)


def _is_near(found: Tensor, expected: Tensor) -> bool:
    return bool((found - expected).norm() <= TOLERANCE * expected.norm())
