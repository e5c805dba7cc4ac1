"""The Jacobians of a recurrence on text: singular values of single steps, growth over many.

The step of a layer has the Jacobian ``diag(slope) W_h`` with respect to its state.  All of it is
computed by a copy of the network in float64, in which far fewer units saturate than in float32.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor

from spectral_rank.data.text import Text
from spectral_rank.models.recurrent.language_model import LanguageModel
from spectral_rank.models.recurrent.weight import LowRank, Weight
from spectral_rank.spectra.jacobian import (
    jacobian_singular_values,
    lyapunov_spectrum,
    step_jacobians,
)
from spectral_rank.spectra.spectrum import FloatArray
from spectral_rank.training.run_record import JacobianProbe
from spectral_rank.training.run_settings import RunSettings

SEQUENCES = 8
"""Validation sequences that the states come from."""

MOST_STATES = 32
LEAST_STATES = 4
STATE_WORK = 2**29
"""States are taken up to a bound on the work of their decompositions, 4 of a dense ``W_h`` of width
512: the wider a layer, the less its spectrum differs between states."""

LYAPUNOV_COUNT = 8
LYAPUNOV_STEPS = 256
"""Exponents, and the steps of the one sequence behind them; the first quarter turns the frame."""


def jacobian_probes(
    settings: RunSettings, model: LanguageModel, text: Text, step: int
) -> tuple[JacobianProbe, ...]:
    """Singular values and Lyapunov exponents of the state Jacobians of every layer.

    Singular values are means of logarithms over states that are spread over the time of eight
    validation sequences as long as those trained on.  A value that float64 cannot tell from 0,
    below ``2^-52`` times the Frobenius norm of ``W_h``, counts as that, so that a saturated unit
    (slope 0) enters with a finite logarithm; the values of ``W_h = 0`` count as the least normal
    float.

    Lyapunov exponents are those of the product along one validation sequence, whatever the length
    trained on; at most eight, nonincreasing, and without those that are minus infinity, where the
    product is singular.  A validation text of two bytes has a single step and no exponents.

    Args:
        settings: of the run.
        model: the network; only read.
        text: the text of the run.
        step: optimizer steps done, for the records.

    Returns:
        One record for each layer; none for a layer whose ``W_h`` or slopes are not finite, as in a
        run that has diverged.

    Raises:
        DomainError: if the validation text is too short for a sequence.
    """
    copied = copy.deepcopy(model).double()
    device = next(copied.parameters()).device
    length = settings.training.length
    batch = text.validation_batch(0, SEQUENCES, length)[:, :-1].to(device)
    steps = min(LYAPUNOV_STEPS, len(text.validation) - 1)
    path = text.validation_batch(0, 1, steps)[:, :-1].to(device)
    weights = copied.weight_matrices()
    records = []
    with torch.no_grad():
        states, paths = copied.layer_states(batch), copied.layer_states(path)
        for layer, (many, one) in enumerate(zip(states, paths, strict=True)):
            left, right = _factors(weights[f"layers.{layer}.W_h"])
            tensors = (left, many.slopes, one.slopes)
            if not all(bool(torch.isfinite(entries).all()) for entries in tensors):
                continue
            record = JacobianProbe(
                step=step,
                layer=layer,
                mean_log_values=_mean_log_values(left, many.slopes),
                lyapunov=_lyapunov(left, right, one.slopes[0]),
            )
            records.append(record)
    return tuple(records)


def _factors(weight: Weight) -> tuple[Tensor, Tensor | None]:
    """``W = left right^T`` with orthonormal columns of ``right``, of shape ``(d, r)`` each.

    The singular values of ``diag(s) W`` that can differ from 0 are then those of
    ``diag(s) left``.  For a dense ``W`` the right factor is the identity, left out.
    """
    if not isinstance(weight, LowRank):
        return weight.dense(), None
    right, triangle = torch.linalg.qr(weight.V.mT)
    return weight.U @ triangle.mT, right


def _mean_log_values(left: Tensor, slopes: Tensor) -> tuple[float, ...]:
    """Mean over sampled states of the logarithms of the singular values of ``diag(slope) left``.

    Args:
        left: shape ``(d, r)``.
        slopes: shape ``(sequences, steps, d)``.
    """
    sequences, steps, _ = slopes.shape
    rows, columns = left.shape
    affordable = STATE_WORK // (rows * columns**2)
    count = min(MOST_STATES, max(LEAST_STATES, affordable), sequences * steps)
    # A different time and the next sequence for each state, evenly over both.
    state = torch.arange(count)
    sampled = slopes[state % sequences, (2 * state + 1) * steps // (2 * count)]
    if bool((sampled == sampled[0]).all()):
        sampled = sampled[:1]  # as in a linear recurrence: one Jacobian for all states
    values = jacobian_singular_values(left, sampled)
    norm = float(torch.linalg.matrix_norm(left))
    least = max(np.finfo(float).eps * norm, np.finfo(float).tiny)
    means: FloatArray = np.log(np.maximum(values, least)).mean(axis=0)
    return tuple(means.tolist())


def _lyapunov(left: Tensor, right: Tensor | None, slopes: Tensor) -> tuple[float, ...]:
    """Leading exponents of the product of ``diag(slope) left right^T`` along one sequence.

    In the bottleneck ``right^T h`` the step is ``right^T diag(slope) left``: a product of ``r x r``
    matrices with the same exponents, minus infinities aside.

    Args:
        left: shape ``(d, r)``.
        right: shape ``(d, r)``, orthonormal columns; ``None`` for the identity.
        slopes: shape ``(steps, d)``.
    """
    if len(slopes) < 2:
        return ()
    if right is None:
        jacobians = step_jacobians(left, slopes)
    else:
        jacobians = ((right.mT @ (slope[:, None] * left)).cpu() for slope in slopes)
    spectrum = lyapunov_spectrum(
        jacobians,
        count=min(LYAPUNOV_COUNT, left.shape[1]),
        burn_in=len(slopes) // 4,
        blocks=2,
    )
    return tuple(exponent for exponent in spectrum.exponents if np.isfinite(exponent))
