"""The spectra of a model's weight matrices at one step of training."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch

from spectral_rank.formulas.conditioning import condition_number
from spectral_rank.formulas.effective_rank import participation_ratio, stable_rank
from spectral_rank.models.recurrent.language_model import LanguageModel
from spectral_rank.spectra.effective_rank import entropy_rank
from spectral_rank.training.run_record import SpectrumProbe


@torch.no_grad()
def spectrum_probes(model: LanguageModel, step: int) -> tuple[SpectrumProbe, ...]:
    """The singular values and effective ranks of every weight matrix, in float64.

    A matrix of low rank has as many values as its rank, so that its condition number is that of
    its factors' product on the ``r`` directions it acts on.  The last value of a singular dense
    matrix is rounding noise rather than 0.

    Args:
        model: the network; only read.
        step: optimizer steps done, for the records.

    Returns:
        One record for each matrix in the order of `LanguageModel.weight_matrices`; none for a
        matrix that holds NaN or infinity, whose run has diverged.

    Source:
        ``SpectralRank.stableRank``, ``SpectralRank.participationRatio``,
        ``SpectralRank.conditionNumber``.
    """
    records = []
    for name, weight in model.weight_matrices().items():
        if not all(bool(torch.isfinite(entries).all()) for entries in weight.parameters()):
            continue
        values = weight.singular_values().cpu().numpy()
        rows, columns = weight.shape
        records.append(
            SpectrumProbe(
                step=step,
                name=name,
                values=tuple(values.tolist()),
                shape=(rows, columns),
                stable_rank=float(stable_rank(values, values[0])),
                participation_ratio=float(participation_ratio(values)),
                entropy_rank=entropy_rank(values),
                condition_number=_condition(values),
            )
        )
    return tuple(records)


def _condition(values: npt.NDArray[np.float64]) -> float | None:
    """Largest over last value; none if the last is 0 or so near to it that no float is as large."""
    if values[-1] == 0:
        return None
    with np.errstate(over="ignore"):
        ratio = float(condition_number(values, len(values)))
    return ratio if math.isfinite(ratio) else None
