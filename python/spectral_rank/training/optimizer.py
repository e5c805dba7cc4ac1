"""AdamW with warm-up and cosine, or the schedule-free AdamW."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from spectral_rank.training.errors import MissingPackageError
from spectral_rank.training.run_settings import TrainingSettings


def build_optimizer(model: nn.Module, training: TrainingSettings) -> torch.optim.Optimizer:
    """The optimizer of a run, with weight decay on matrices only.

    ``schedulefree`` (Defazio and others, "The Road Less Scheduled", 2024) trains at one point and
    evaluates at an average of the points before; it needs no cosine and does its own warm-up.

    Args:
        model: the network.
        training: the settings.

    Raises:
        MissingPackageError: if schedulefree is asked for and not installed.
    """
    parameters = list(model.parameters())
    groups = [
        {
            "params": [entry for entry in parameters if entry.ndim >= 2],
            "weight_decay": training.weight_decay,
        },
        {"params": [entry for entry in parameters if entry.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if training.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=training.learning_rate, betas=training.betas)
    optimizer: torch.optim.Optimizer = _schedulefree().AdamWScheduleFree(
        groups,
        lr=training.learning_rate,
        betas=training.betas,
        warmup_steps=warmup_steps(training),
    )
    optimizer.train()  # type: ignore[attr-defined]
    return optimizer


def require_optimizer(training: TrainingSettings) -> None:
    """Refuse an optimizer that is not installed, before any work.

    Raises:
        MissingPackageError: if schedulefree is asked for and not installed.
    """
    if training.optimizer == "schedulefree":
        _schedulefree()


def warmup_steps(training: TrainingSettings) -> int:
    """Number of steps before the learning rate is at its top."""
    return round(training.warmup_share * training.steps)


def learning_rate_at(step: int, training: TrainingSettings) -> float:
    """The learning rate of a step.

    It rises linearly over the warm-up, is at its top at the step after it, and with ``adamw`` falls
    along half a cosine to ``final_share`` of the top at the last step.

    Args:
        step: optimizer steps done before, 0 to ``steps - 1``.
        training: the settings.

    Returns:
        A number in ``(0, learning_rate]``, or 0 at the last step if ``final_share`` is 0.
    """
    top, warm = training.learning_rate, warmup_steps(training)
    if training.optimizer == "schedulefree":
        # The package's own count: the first step is already done with a part of the rate.
        return top * min(1.0, (step + 1) / warm) if warm else top
    if step < warm:
        return top * (step + 1) / (warm + 1)
    progress = (step - warm) / max(1, training.steps - 1 - warm)
    share = training.final_share
    return top * (share + (1 - share) * (1 + math.cos(math.pi * progress)) / 2)


def set_learning_rate(
    optimizer: torch.optim.Optimizer, step: int, training: TrainingSettings
) -> float:
    """Prepare the optimizer for a step and return its learning rate, as `learning_rate_at`."""
    rate = learning_rate_at(step, training)
    if training.optimizer == "adamw":
        for group in optimizer.param_groups:
            group["lr"] = rate
    return rate


@contextmanager
def weights_to_evaluate(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Give the network the weights it is to be evaluated with, in the body.

    They differ from those it is trained with only for ``schedulefree``.  Its way back is inexact,
    so the weights are kept: looking never changes the training.
    """
    if not hasattr(optimizer, "eval"):
        yield
        return
    weights = [entry for group in optimizer.param_groups for entry in group["params"]]
    kept = [entry.detach().clone() for entry in weights]
    optimizer.eval()
    try:
        yield
    finally:
        optimizer.train()  # type: ignore[attr-defined]
        with torch.no_grad():
            for entry, before in zip(weights, kept, strict=True):
                entry.copy_(before)


def keep_evaluated_weights(optimizer: torch.optim.Optimizer) -> None:
    """Leave the network with the weights it is to be used with, at the end of training."""
    if hasattr(optimizer, "eval"):
        optimizer.eval()


def _schedulefree() -> Any:
    try:
        return importlib.import_module("schedulefree")
    except ImportError:
        message = "the optimizer schedulefree is not installed: pip install 'spectral-rank[train]'"
        raise MissingPackageError(message) from None
