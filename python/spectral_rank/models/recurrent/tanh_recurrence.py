"""The recurrence ``h' = tanh(p + W h)``, with derivatives written by hand.

The drive ``p`` holds what does not depend on the states, so that it is computed for the whole
sequence at once.  Backward in time only the deltas, the derivatives with respect to ``p + W h``,
are computed step by step; every gradient of a matrix is one product of all deltas with all states.

All sequences are time-major, ``(T, B, d)``: each step reads and writes one contiguous block.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def dense_tanh(drive: Tensor, W: Tensor, initial: Tensor) -> Tensor:
    """The states of ``h_t = tanh(p_t + W h_{t-1})``.

    Args:
        drive: ``p``, shape ``(T, B, d)``, ``T >= 1``.
        W: shape ``(d, d)``.
        initial: the state before the first step, shape ``(B, d)``.
        All three of one floating-point type on one device.

    Returns:
        The states after each step, shape ``(T, B, d)``.
    """
    states: Tensor = _DenseTanh.apply(drive, W, initial)  # type: ignore[no-untyped-call]
    return states


def low_rank_tanh(drive: Tensor, U: Tensor, V: Tensor, initial: Tensor) -> Tensor:
    """The states of ``h_t = tanh(p_t + U V h_{t-1})``.

    Args:
        drive: ``p``, shape ``(T, B, d)``, ``T >= 1``.
        U: shape ``(d, r)``.
        V: shape ``(r, d)``.
        initial: the state before the first step, shape ``(B, d)``.
        All four of one floating-point type on one device.

    Returns:
        The states after each step, shape ``(T, B, d)``.
    """
    states: Tensor = _LowRankTanh.apply(drive, U, V, initial)  # type: ignore[no-untyped-call]
    return states


class _DenseTanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, drive: Tensor, W: Tensor, initial: Tensor) -> Tensor:
        states = _room_for_states(drive, initial)
        transposed = W.t()
        before, after = states[:-1].unbind(0), states[1:].unbind(0)
        for old, new, p in zip(before, after, drive.unbind(0), strict=True):
            torch.addmm(p, old, transposed, out=new)
            new.tanh_()
        ctx.save_for_backward(states, W)
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        states, W = ctx.saved_tensors
        deltas = torch.empty_like(states[1:])
        steps = (gradient.unbind(0), states[1:].unbind(0), deltas.unbind(0))
        later: Tensor | None = None
        for g, h, delta in reversed(list(zip(*steps, strict=True))):
            if later is not None:
                g = torch.addmm(g, later, W, out=delta)
            _times_slope(g, h, delta)
            later = delta
        d_W = d_initial = None
        if ctx.needs_input_grad[1]:
            d_W = _summed_outer(deltas, states[:-1])
        if ctx.needs_input_grad[2]:
            d_initial = deltas[0] @ W
        return deltas, d_W, d_initial


class _LowRankTanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, drive: Tensor, U: Tensor, V: Tensor, initial: Tensor) -> Tensor:
        states = _room_for_states(drive, initial)
        length, batch, _ = drive.shape
        bottleneck = drive.new_empty(length, batch, U.shape[1])
        U_t, V_t = U.t(), V.t()
        before, after = states[:-1].unbind(0), states[1:].unbind(0)
        steps = (before, after, bottleneck.unbind(0), drive.unbind(0))
        for old, new, z, p in zip(*steps, strict=True):
            torch.mm(old, V_t, out=z)
            torch.addmm(p, z, U_t, out=new)
            new.tanh_()
        ctx.save_for_backward(states, bottleneck, U, V)
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        states, bottleneck, U, V = ctx.saved_tensors
        deltas = torch.empty_like(states[1:])
        squeezed = torch.empty_like(bottleneck)
        steps = (gradient.unbind(0), states[1:].unbind(0), deltas.unbind(0), squeezed.unbind(0))
        later: Tensor | None = None
        for g, h, delta, s in reversed(list(zip(*steps, strict=True))):
            if later is not None:
                g = torch.addmm(g, later, V, out=delta)
            _times_slope(g, h, delta)
            later = torch.mm(delta, U, out=s)
        d_U = d_V = d_initial = None
        if ctx.needs_input_grad[1]:
            d_U = _summed_outer(deltas, bottleneck)
        if ctx.needs_input_grad[2]:
            d_V = _summed_outer(squeezed, states[:-1])
        if ctx.needs_input_grad[3]:
            d_initial = squeezed[0] @ V
        return deltas, d_U, d_V, d_initial


def _room_for_states(drive: Tensor, initial: Tensor) -> Tensor:
    """Room for the initial state and those after each step, the initial one filled in."""
    length, batch, width = drive.shape
    states = drive.new_empty(length + 1, batch, width)
    states[0] = initial
    return states


def _times_slope(gradient: Tensor, state: Tensor, out: Tensor) -> None:
    """Write ``gradient * (1 - state ** 2)``, by torch's fused kernel, to ``out``."""
    torch.ops.aten.tanh_backward.grad_input(gradient, state, grad_input=out)


def _summed_outer(left: Tensor, right: Tensor) -> Tensor:
    """The sum over time and batch of the outer products, ``(T, B, m), (T, B, n) -> (m, n)``."""
    return left.flatten(0, 1).t() @ right.flatten(0, 1)
