"""Linear layers with structured matrices: fewer parameters, cheaper products, known spectra.

Each layer is a linear map without bias on the last axis, with ``forward``, ``adjoint``, ``dense``,
``parameter_count`` and ``spectrum``.
"""

from __future__ import annotations

import torch

from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.structured.circulant import Circulant
from spectral_rank.models.structured.diagonal_plus_low_rank import DiagonalPlusLowRank
from spectral_rank.models.structured.householder import Householder
from spectral_rank.models.structured.layer import StructuredLinear
from spectral_rank.models.structured.low_rank import LowRank
from spectral_rank.models.structured.monarch import Monarch, balanced_divisor
from spectral_rank.models.structured.toeplitz import Toeplitz

__all__ = [
    "Circulant",
    "DiagonalPlusLowRank",
    "Householder",
    "LowRank",
    "Monarch",
    "StructuredLinear",
    "Toeplitz",
    "at_equal_budget",
]


def at_equal_budget(
    features: int,
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> dict[str, StructuredLinear]:
    """One square layer of each structure, with the parameters of the Monarch layer where it can.

    With ``k`` the least divisor of the width ``n`` whose square reaches ``n``, the Monarch layer,
    rank ``k`` and ``2 k`` reflections have ``2 n k`` parameters each, diagonal plus rank ``k`` has
    ``n`` more.  Circulant and Toeplitz layers have the ``n`` and ``2 n - 1`` of their structure.

    Args:
        features: ``n``, an integer with a divisor between ``sqrt(n)`` and ``n / 2``.
        generator: source of the initial weights.
        dtype: floating dtype.
        device: device of the parameters.

    Raises:
        DomainError: if a size or the dtype is outside its domain.
    """
    k = balanced_divisor(features)
    if 2 * k > features:
        raise DomainError("features", features, "a width with a divisor from its root to its half")
    return {
        "circulant": Circulant(features, generator=generator, dtype=dtype, device=device),
        "toeplitz": Toeplitz(features, generator=generator, dtype=dtype, device=device),
        "monarch": Monarch(features, generator=generator, dtype=dtype, device=device),
        "low rank": LowRank(features, features, k, generator=generator, dtype=dtype, device=device),
        "householder": Householder(
            features, 2 * k, generator=generator, dtype=dtype, device=device
        ),
        "diagonal plus low rank": DiagonalPlusLowRank(
            features, k, generator=generator, dtype=dtype, device=device
        ),
    }
