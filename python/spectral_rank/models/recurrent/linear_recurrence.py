"""The recurrence ``s_t = A s_{t-1} + w_t`` by a chunked scan, with its derivative by hand.

The sequence is cut into chunks.  The steps within a chunk start from zero and run for all chunks
at once; then the states at the ends of the chunks are carried from chunk to chunk by ``A ** chunk``
and added, times the powers of ``A``, to the states within.  A sequence of ``T`` steps thus takes
``chunk + T / chunk`` products in a row, not ``T``.  One chunk for all is the plain loop, with
no powers of ``A`` at all.

The derivative is the same recurrence backward in time with ``A.T``.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

CHUNK = 16
"""Steps of a chunk where nothing else is given."""


def linear_scan(inputs: Tensor, A: Tensor, chunk: int | None = CHUNK) -> Tensor:
    """The states of ``s_t = A s_{t-1} + w_t`` from ``s_0 = 0``.

    An initial state is a first input: the states of ``[s, w_1, ..., w_T]`` are those that start
    at ``s``, with ``s`` itself in front.

    Args:
        inputs: ``w``, shape ``(T, B, r)``, ``T >= 1``.
        A: shape ``(r, r)``, of the type and on the device of ``inputs``.
        chunk: steps of a chunk, >= 1; ``None`` for the plain loop.

    Returns:
        The states after each step, shape ``(T, B, r)``.
    """
    steps = len(inputs) if chunk is None else min(chunk, len(inputs))
    states: Tensor = _LinearScan.apply(inputs, A, steps)  # type: ignore[no-untyped-call]
    return states


class _LinearScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, A: Tensor, chunk: int) -> Tensor:
        states = _scan(inputs, A.t(), chunk)
        ctx.save_for_backward(states, A)
        ctx.chunk = chunk
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        states, A = ctx.saved_tensors
        d_inputs = _scan(gradient.flip(0), A, ctx.chunk).flip(0)
        d_A = None
        if ctx.needs_input_grad[1]:
            d_A = d_inputs[1:].flatten(0, 1).t() @ states[:-1].flatten(0, 1)
        return d_inputs, d_A, None


def _scan(inputs: Tensor, right: Tensor, chunk: int) -> Tensor:
    """The states of ``s_t = s_{t-1} @ right + w_t`` from zero, time-major."""
    length = len(inputs)
    # Zeros in front leave the state at zero, and make the length a multiple of the chunk.
    padding = -length % chunk
    padded = functional.pad(inputs, (0, 0, 0, 0, padding, 0)) if padding else inputs
    by_chunk = padded.view(-1, chunk, *inputs.shape[1:]).transpose(0, 1)
    # Now (chunk, chunks, B, r): one step of all chunks is a contiguous block.
    states = torch.empty(by_chunk.shape, dtype=inputs.dtype, device=inputs.device)
    states.copy_(by_chunk)
    rows = states.flatten(1, 2).unbind(0)
    for old, new in itertools.pairwise(rows):
        new.addmm_(old, right)
    if states.shape[1] > 1:
        _carry(states, right)
    return states.transpose(0, 1).flatten(0, 1)[padding:]


def _carry(states: Tensor, right: Tensor) -> None:
    """Add to the states of each chunk what the chunks before it left."""
    powers = _powers(right, len(states))
    ends = states[-1].unbind(0)
    for old, new in itertools.pairwise(ends):
        new.addmm_(old, powers[-1])
    within = states[:-1, 1:].flatten(1, 2)
    carried = states[-1, :-1].flatten(0, 1)
    for state, power in zip(within, powers, strict=False):
        state.addmm_(carried, power)


def _powers(matrix: Tensor, count: int) -> Tensor:
    """``matrix ** 1, ..., matrix ** count``, shape ``(count, r, r)``, by doubling."""
    powers = matrix.unsqueeze(0)
    while len(powers) < count:
        powers = torch.cat([powers, powers @ powers[-1]])
    return powers[:count]
