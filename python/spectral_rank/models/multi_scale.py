"""A pyramid of averaged inputs: one window seen at several time scales."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from spectral_rank.formulas.domain import DomainError, integer


def check_scales(scales: Sequence[int], lookback: int) -> tuple[int, ...]:
    """Different block lengths between 1 and the length of the window.

    Raises:
        DomainError: if there is no scale, one occurs twice, or one is outside ``[1, lookback]``.
    """
    if isinstance(scales, str | bytes) or not isinstance(scales, Sequence) or not scales:
        raise DomainError("scales", scales, "a sequence of at least one block length")
    blocks = tuple(integer("scales", s, at_least=1, at_most=lookback) for s in scales)
    if len(set(blocks)) < len(blocks):
        raise DomainError("scales", scales, "block lengths that differ from each other")
    return blocks


def block_average(lookback: int, scale: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """The linear map that averages a window over blocks of ``scale`` consecutive values.

    Blocks are counted from the newest value; the oldest block averages what is left over.

    Args:
        lookback: length of the window.
        scale: length of a block, in ``[1, lookback]``.
        dtype: floating-point type of the result.

    Returns:
        A matrix of shape ``(ceil(lookback / scale), lookback)``, oldest block first; its rows add
        up to 1.

    Raises:
        DomainError: if an argument is outside its domain.
    """
    length = integer("lookback", lookback, at_least=1)
    block = integer("scale", scale, at_least=1, at_most=length)
    count = -(-length // block)
    age = torch.arange(length - 1, -1, -1)
    member = (count - 1 - age // block) == torch.arange(count).unsqueeze(1)
    return member.to(dtype) / member.sum(1, keepdim=True)
