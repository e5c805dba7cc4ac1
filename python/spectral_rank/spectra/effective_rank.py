"""Effective ranks of a measured spectrum: how many directions matter, by five definitions."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveFloat
from scipy.special import entr

from spectral_rank.formulas.conditioning import condition_number
from spectral_rank.formulas.domain import DomainError, nonnegative
from spectral_rank.formulas.effective_rank import participation_ratio, stable_rank
from spectral_rank.formulas.vector import vector
from spectral_rank.spectra.spectrum import NonNegativeFinite, Spectrum


class EffectiveRanks(BaseModel):
    """Effective ranks of one matrix.

    For a nonzero matrix, ``1 <= stable_rank <= participation_ratio <= entropy_rank <= min(m, n)``.
    All are 0 for the zero matrix, which has no condition number.

    Attributes:
        schema_version: version of this record's layout.
        name: name of the matrix.
        sha256: hash of its entries, as in the `Spectrum`.
        stable_rank: total energy in units of the largest energy.
        participation_ratio: number of equally strong directions that would spread the energy as
            widely, by the second moment of the energies.
        entropy_rank: the same by their entropy (`entropy_rank`).
        numerical_rank: number of singular values above the tolerance.
        tolerance: that tolerance, an absolute number.
        condition_number: largest over smallest singular value; None if the smallest is not above
            the tolerance, the matrix then being singular as far as its entries tell.
        condition_number_at_rank: largest over last singular value above the tolerance.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = 1
    name: str
    sha256: str
    stable_rank: NonNegativeFinite
    participation_ratio: NonNegativeFinite
    entropy_rank: NonNegativeFinite
    numerical_rank: NonNegativeInt
    tolerance: NonNegativeFinite
    condition_number: PositiveFloat | None
    condition_number_at_rank: PositiveFloat | None


def effective_ranks(spectrum: Spectrum, rtol: float | None = None) -> EffectiveRanks:
    """The effective ranks of a matrix from all its singular values.

    Args:
        spectrum: a complete spectrum (`singular_values`).
        rtol: relative tolerance of the numerical rank, >= 0: a singular value counts if it is above
            ``rtol * s_1`` and above the error of the spectrum.  By default it counts if it is above
            that error and above half the epsilon of the stored type times the Frobenius norm:
            rounding a matrix to that type moves no singular value further, and makes a
            rank-deficient matrix full rank.

    Raises:
        DomainError: if the spectrum holds only the largest values, or ``rtol`` is negative.

    Source:
        ``SpectralRank.stableRank``, ``SpectralRank.participationRatio``,
        ``SpectralRank.conditionNumber``; `entropy_rank`.
    """
    if not spectrum.is_complete:
        held = f"{len(spectrum.values)} of {min(spectrum.shape)} values"
        raise DomainError("spectrum", held, "complete: every energy enters an effective rank")
    values = spectrum.array
    if rtol is None:
        cutoff = _epsilon(spectrum.dtype) / 2 * math.sqrt(spectrum.energy)
    else:
        cutoff = nonnegative("rtol", rtol) * spectrum.values[0]
    tolerance = max(cutoff, spectrum.error)
    rank = int(np.count_nonzero(values > tolerance))
    at_rank = float(condition_number(values, rank)) if rank > 0 else None
    return EffectiveRanks(
        name=spectrum.name,
        sha256=spectrum.sha256,
        stable_rank=float(stable_rank(values, spectrum.values[0])),
        participation_ratio=float(participation_ratio(values)),
        entropy_rank=entropy_rank(values),
        numerical_rank=rank,
        tolerance=tolerance,
        condition_number=at_rank if rank == len(values) else None,
        condition_number_at_rank=at_rank,
    )


def entropy_rank(s: Any) -> float:
    """The exponential of the entropy of the energies ``s_i ** 2``, normalized to sum 1.

    Args:
        s: spectrum, a vector of real numbers of any sign and in any order.

    Returns:
        A number between 1 and the length of ``s``; 0 for the zero spectrum and the empty one.

    Raises:
        DomainError: if ``s`` is not such a vector.

    Source:
        Roy and Vetterli, The effective rank (EUSIPCO 2007), with energies in place of singular
        values, so that it is comparable with the stable rank and the participation ratio.
    """
    values = np.abs(np.asarray(vector("s", s), float))
    largest = np.max(values, initial=0.0)
    if largest == 0:
        return 0.0
    with np.errstate(under="ignore"):
        energies = (values / largest) ** 2
    # Rounding could leave the closed range by an ulp.
    return float(np.clip(np.exp(np.sum(entr(energies / np.sum(energies)))), 1.0, len(values)))


def _epsilon(dtype: str) -> float:
    """Machine epsilon of a floating or complex type by its name, that of float64 for others."""
    stored = getattr(torch, dtype, None)
    if isinstance(stored, torch.dtype) and (stored.is_floating_point or stored.is_complex):
        return float(torch.finfo(stored).eps)
    return float(np.finfo(float).eps)
