"""Data parallelism with ``torchrun``: each process computes its part of every batch.

The gradients of the parts are summed in one call after the backward pass, which works with any
custom gradient and costs one message per step.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from spectral_rank.formulas.domain import DomainError


@dataclass(frozen=True)
class Group:
    """The processes that train one network together.

    Attributes:
        rank: index of this process; the process 0 looks at the loss and writes.
        size: number of processes.
        device: where this process computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process looks at the loss and writes."""
        return self.rank == 0

    def parts(self, tokens: Tensor, accumulate: int) -> list[Tensor]:
        """The parts of a batch that this process computes, one after the other.

        Args:
            tokens: the batch of all processes, ``(B, T + 1)``, ``B >= size * accumulate``.
            accumulate: number of parts, their sizes differing by 1 at most.

        Returns:
            Sequences on this process's device.
        """
        chunks = torch.tensor_split(tokens, self.size * accumulate)
        mine = chunks[self.rank * accumulate : (self.rank + 1) * accumulate]
        return [chunk.to(self.device, non_blocking=True) for chunk in mine]

    def sum_gradients(self, model: nn.Module, loss: Tensor) -> Tensor:
        """Replace every gradient, and give back the loss, by its sum over the processes.

        Args:
            model: the network; each parameter has a gradient.
            loss: this process's share, shape ``()``.
        """
        if self.size == 1:
            return loss
        gradients = [entry.grad for entry in model.parameters() if entry.grad is not None]
        flat = torch.cat([entry.reshape(-1) for entry in gradients] + [loss.detach().reshape(1)])
        dist.all_reduce(flat)
        sizes = [entry.numel() for entry in gradients]
        *summed, total = torch.split(flat, [*sizes, 1])
        for entry, value in zip(gradients, summed, strict=True):
            entry.copy_(value.view_as(entry))
        return total.squeeze()

    def from_first(self, text: str) -> str:
        """The text of the first process, in all."""
        if self.size == 1:
            return text
        box = [text]
        dist.broadcast_object_list(box, src=0, device=self.device)
        return box[0]


def is_first_process() -> bool:
    """Whether this process is the only one, or the first of those that ``torchrun`` started."""
    return _process_count() == 1 or int(os.environ["RANK"]) == 0


@contextmanager
def joined(device: str) -> Iterator[Group]:
    """The group of this process: of those that ``torchrun`` started, else of itself alone.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``; with several processes ``cuda`` is one GPU each.

    Raises:
        DomainError: if the device is unknown or not there.
    """
    place = require_device(device)
    size = _process_count()
    if size == 1:
        yield Group(0, 1, place)
        return
    if place.type == "cuda":
        place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(place)
    is_mine = not dist.is_initialized()
    if is_mine:
        dist.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield Group(dist.get_rank(), size, place)
    finally:
        if is_mine:
            dist.destroy_process_group()


def require_device(name: str) -> torch.device:
    """The device of this name.

    Args:
        name: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        DomainError: if it is unknown or not there.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DomainError("device", name, "cpu, cuda or cuda:N") from None
    if device.type not in {"cpu", "cuda"}:
        raise DomainError("device", name, "cpu, cuda or cuda:N")
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise DomainError("device", name, f"one that is there: {count} GPUs are")
    return device


def _process_count() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))
