"""Data parallelism with ``torchrun``: each process computes its part of every batch.

The gradients of the parts are summed in one call after the backward pass, which works with any
custom gradient and costs one message per step.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from spectral_rank.formulas.domain import DomainError
from spectral_rank.training.errors import TrainingError

PATIENCE = timedelta(hours=2)
"""How long a process waits for the others: the first alone takes the looks, which can be long."""

ENDED = "another process of this run has ended; what was done up to the last checkpoint is kept"
"""What a process says that waits for one that failed or was killed."""


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

        Raises:
            TrainingError: if another process has ended.
        """
        if self.size == 1:
            return loss
        gradients = [entry.grad for entry in model.parameters() if entry.grad is not None]
        flat = torch.cat([entry.reshape(-1) for entry in gradients] + [loss.detach().reshape(1)])
        with _one_error(ENDED):
            dist.all_reduce(flat)
        sizes = [entry.numel() for entry in gradients]
        *summed, total = torch.split(flat, [*sizes, 1])
        for entry, value in zip(gradients, summed, strict=True):
            entry.copy_(value.view_as(entry))
        return total.squeeze()

    def from_first(self, text: str) -> str:
        """The text of the first process, in all.

        Raises:
            TrainingError: if another process has ended.
        """
        if self.size == 1:
            return text
        box = [text]
        with _one_error(ENDED):
            dist.broadcast_object_list(box, src=0, device=self.device)
        return box[0]

    def gathered(self, text: str) -> list[str]:
        """The texts of all processes, in their order.

        Raises:
            TrainingError: if another process has ended.
        """
        if self.size == 1:
            return [text]
        texts = [""] * self.size
        with _one_error(ENDED):
            dist.all_gather_object(texts, text)
        return texts


def process_count() -> int:
    """Number of processes that train together: those that ``torchrun`` started, else 1.

    Raises:
        TrainingError: if the environment names several and lacks what ``torchrun`` sets.
    """
    count = _number("WORLD_SIZE", at_least=1) if "WORLD_SIZE" in os.environ else 1
    if count > 1:
        _number("RANK", at_least=0)
        _number("LOCAL_RANK", at_least=0)
        for name in ("MASTER_ADDR", "MASTER_PORT"):
            if name not in os.environ:
                raise _not_torchrun(name)
    return count


def is_first_process() -> bool:
    """Whether this process is the only one, or the first of those that ``torchrun`` started.

    Raises:
        TrainingError: as `process_count`.
    """
    return process_count() == 1 or _number("RANK", at_least=0) == 0


@contextmanager
def joined(device: str) -> Iterator[Group]:
    """The group of this process: of those that ``torchrun`` started, else of itself alone.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``; with several processes ``cuda`` is one GPU each.

    Raises:
        DomainError: as `own_device`.
        TrainingError: as `process_count`, or if the processes do not find each other.
    """
    place = own_device(device)
    size = process_count()
    if size == 1:
        yield Group(0, 1, place)
        return
    if place.type == "cuda":
        torch.cuda.set_device(place)
    is_mine = not dist.is_initialized()
    if is_mine:
        backend = "nccl" if place.type == "cuda" else "gloo"
        with _one_error(_not_found()):
            dist.init_process_group(backend, timeout=PATIENCE)
    try:
        yield Group(dist.get_rank(), size, place)
    finally:
        if is_mine:
            dist.destroy_process_group()


def own_device(name: str) -> torch.device:
    """Where this process computes if a run is on a device.

    Args:
        name: ``cpu``, ``cuda`` or ``cuda:N``; with several processes ``cuda`` is one GPU each.

    Raises:
        DomainError: if it is unknown or not there, or one GPU is named for several processes.
        TrainingError: as `process_count`.
    """
    device = require_device(name)
    if device.type == "cpu" or process_count() == 1:
        return device
    if device.index is not None:
        raise DomainError("device", name, "cuda: each of several processes takes a GPU of its own")
    return require_device(f"cuda:{os.environ['LOCAL_RANK']}")


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
    if device.type not in {"cpu", "cuda"} or (device.type == "cpu" and device.index is not None):
        raise DomainError("device", name, "cpu, cuda or cuda:N")
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise DomainError("device", name, f"one that is there: {count} GPUs are")
    return device


@contextmanager
def _one_error(message: str) -> Iterator[None]:
    """Give what torch says of the other processes, in the body, as one error with this message."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError) as error:
        raise TrainingError(message) from error


def _not_found() -> str:
    place = ", ".join(f"{name}={os.environ[name]}" for name in ("MASTER_ADDR", "MASTER_PORT"))
    return (
        f"the processes could not find each other at {place}: the first one listens there, on a "
        f"port that must be free"
    )


def _number(name: str, at_least: int) -> int:
    """An integer of the environment that ``torchrun`` sets."""
    text = os.environ.get(name, "")
    if not text.isdecimal() or int(text) < at_least:
        raise _not_torchrun(name)
    return int(text)


def _not_torchrun(name: str) -> TrainingError:
    given = f"is {os.environ[name]!r}" if name in os.environ else "is not set"
    size = os.environ.get("WORLD_SIZE")
    return TrainingError(
        f"the environment says WORLD_SIZE={size}, but {name} {given}: start several processes with "
        f"torchrun, and a single one without WORLD_SIZE"
    )
