"""How balanced the layers of a network are, and the nearest thing that is."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spectral_rank.formulas.deep_linear.balance import imbalance
from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.linear_stack import balanced_chain


def imbalances(layers: Sequence[Tensor]) -> list[NDArray[np.float64]]:
    """The imbalance of each adjacent pair, which gradient flow conserves.

    Args:
        layers: ``N >= 1`` matrices that can be multiplied, first layer first.

    Returns:
        ``N - 1`` symmetric matrices ``W[k] @ W[k].T - W[k+1].T @ W[k+1]``, float64.

    Raises:
        DomainError: if ``layers`` is not a chain of finite matrices.
    """
    arrays = [layer.numpy() for layer in _chain(layers)]
    return [imbalance(below, above) for below, above in itertools.pairwise(arrays)]


def relative_drift(
    layers: Sequence[Tensor], reference: Sequence[NDArray[np.float64]] | None = None
) -> float:
    """How far the imbalance is from what it was, relative to the layers.

    Args:
        layers: as in `imbalances`.
        reference: the imbalances at the start; zero, those of balanced layers, by default.

    Returns:
        The largest ``||D_k - reference_k||_F / ||W[k] @ W[k].T||_F`` over the adjacent pairs, a
        number >= 0; 0 for a single layer.

    Raises:
        DomainError: if ``layers`` is not a chain of finite matrices, or one of them is 0, or the
            reference belongs to other layers.
    """
    found = imbalances(layers)
    start = [np.zeros_like(D) for D in found] if reference is None else list(reference)
    if [D.shape for D in start] != [D.shape for D in found]:
        raise DomainError("reference", len(start), f"{len(found)} imbalances of the same shapes")
    drift = 0.0
    for layer, now, then in zip(_chain(layers), found, start, strict=False):
        size = float(torch.linalg.norm(layer @ layer.T))
        if size == 0:
            raise DomainError("layers", "a zero layer", "without a layer that is zero")
        drift = max(drift, float(np.linalg.norm(now - then)) / size)
    return drift


def balanced_projection(layers: Sequence[Tensor]) -> list[Tensor]:
    """Balanced layers with the product and the shapes of the given ones.

    The singular values of the product are spread evenly over the layers.  The spaces between the
    layers keep their orientation: the basis of space ``k`` is the orthonormal matrix nearest to
    what the layers below make of the right singular vectors of the product.  Layers that are
    balanced already stay what they are, if the product has the rank of the smallest width.

    Args:
        layers: ``N >= 1`` matrices that can be multiplied, first layer first.

    Returns:
        ``N`` layers of the same shapes, float64.

    Raises:
        DomainError: if ``layers`` is not a chain of finite matrices.
    """
    chain = _chain(layers)
    rank = min(chain[0].shape[1], *(len(layer) for layer in chain))
    product = functools.reduce(lambda below, layer: layer @ below, chain)
    left, sigma, right = torch.linalg.svd(product, full_matrices=False)
    signal = right[:rank].T
    bases = [signal]
    for layer in chain[:-1]:
        signal = layer @ signal
        # The size of the signal does not matter to its polar factor, and must not underflow.
        signal = signal / signal.abs().max().clamp_min(torch.finfo(signal.dtype).tiny)
        U, _, V = torch.linalg.svd(signal, full_matrices=False)
        bases.append(U @ V)
    return balanced_chain([*bases, left[:, :rank]], sigma[:rank])


def _chain(layers: Sequence[Tensor]) -> list[Tensor]:
    """The layers in float64 on the CPU, checked to be finite matrices that can be multiplied."""
    rule = "finite matrices that can be multiplied, at least one, first layer first"
    if not isinstance(layers, Sequence) or not layers:
        raise DomainError("layers", layers, rule)
    chain = [torch.as_tensor(layer).detach().to("cpu", torch.float64) for layer in layers]
    shapes = [tuple(layer.shape) for layer in chain]
    fits = all(len(shape) == 2 and min(shape) > 0 for shape in shapes) and all(
        above[1] == below[0] for below, above in itertools.pairwise(shapes)
    )
    if not fits or not all(bool(torch.isfinite(layer).all()) for layer in chain):
        raise DomainError("layers", shapes, rule)
    return chain
