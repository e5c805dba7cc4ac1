"""What an untrained matrix looks like, so that noise is never reported as a power law.

A matrix of independent entries has the Marchenko-Pastur spectrum of its shape, whatever their
distribution, and its singular values are rigid: they stay within a small multiple of one spacing of
the law's quantiles.  That makes the comparison a sharp test which no noisy power law passes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from spectral_rank.formulas.domain import DomainError, integer
from spectral_rank.spectra.marchenko_pastur import expected_singular_values, upper_edge

Floats = NDArray[np.float64]

FLAT_SPREAD = 1e-3
"""Singular values of an orthogonal start agree to this relative standard deviation."""

BULK_TOLERANCE = 0.05
"""Deviation, in units of the law's own standard deviation, below which structure is negligible.

Gaussian, uniform and truncated starts lie far below it from 256 values on (0.016); a start with
nine tenths of its entries zero comes close to it.
"""

RIGIDITY = 6.0
"""Addition to the tolerance, divided by the number of values.

In 700 draws of dense starts with 16 to 64 values the deviation of the bulk stayed below 4.1 divided
by their number, with half of the entries zero below 5.1.
"""

EDGE_ALLOWANCE = 4.5
"""Tracy-Widom units above the upper edge beyond which a value is an outlier; noise exceeds them in
fewer than one draw in 10,000."""

SMALLEST_TEST = 16
"""With fewer singular values a law and noise cannot be told apart."""

EDGE_ROUNDS = 20
"""Rounds of: scale from the median of the bulk, outliers above its edge."""


class NullModel(BaseModel):
    """A spectrum beside that of an unstructured matrix of the same shape.

    Attributes:
        schema_version: version of this record's layout.
        is_noise: whether all but a few outliers follow the Marchenko-Pastur law.
        is_flat: whether all singular values agree, as those of an orthogonal matrix do.
        deviation: root mean square distance of the bulk from the law's quantiles, in units of the
            law's standard deviation; infinity where there is no bulk to compare.
        tolerance: the largest deviation that counts as noise.
        entry_deviation: standard deviation of the entries that would give this bulk.
        edge: singular value that noise of this size does not exceed.
        outliers: how many singular values lie above the edge.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    schema_version: int = 1
    is_noise: bool
    is_flat: bool
    deviation: float
    tolerance: float
    entry_deviation: float
    edge: float
    outliers: int


def compare_with_noise(values: Floats, shape: tuple[int, int]) -> NullModel:
    """Compare singular values with those of an unstructured matrix.

    Args:
        values: all singular values of the matrix, nonincreasing and nonnegative.
        shape: rows and columns of the matrix.

    Returns:
        The comparison.  At most ``max(3, count / 16)`` values may lie above the edge of noise.

    Raises:
        DomainError: if the shape is not a pair of positive integers, or has another number of
            singular values.
    """
    short, long = sorted(integer("shape", side, at_least=1) for side in shape)
    if len(values) != short:
        raise DomainError("values", len(values), f"all {short} singular values of a {shape} matrix")
    aspect = short / long
    # Squares of very small or very large values would not fit in a float.
    largest = float(values[0])
    values = values / largest if largest > 0 else values
    outliers, edge = _above_edge(values, aspect, long)
    bulk = values[outliers:]
    law = expected_singular_values(aspect, len(bulk)) if len(bulk) else bulk
    width = float(np.std(law)) if len(bulk) else 0.0
    mean = float(np.mean(values))
    is_flat = short > 1 and mean > 0 and float(np.std(values)) <= FLAT_SPREAD * mean
    scale = float(bulk @ law / (law @ law)) if width > 0 else 0.0
    deviation = (
        float(np.sqrt(np.mean((bulk - scale * law) ** 2))) / (scale * width)
        if scale > 0
        else np.inf
    )
    tolerance = BULK_TOLERANCE + RIGIDITY / short
    few_outliers = outliers <= max(3, short // 16)
    return NullModel(
        is_noise=short >= SMALLEST_TEST and few_outliers and not is_flat and deviation <= tolerance,
        is_flat=is_flat,
        deviation=deviation,
        tolerance=tolerance,
        entry_deviation=largest * scale / np.sqrt(long),
        edge=largest * edge,
        outliers=outliers,
    )


def _above_edge(values: Floats, aspect: float, long: int) -> tuple[int, float]:
    """How many values lie above the edge of the noise that the others would be, and that edge."""
    count = len(values)
    # Width of the Tracy-Widom law of the largest singular value, in units of the noise.
    fluctuation = 0.5 * (1 / np.sqrt(count) + 1 / np.sqrt(long)) ** (1 / 3) / np.sqrt(long)
    reach = upper_edge(aspect) + EDGE_ALLOWANCE * fluctuation
    outliers, edge = 0, 0.0
    for _ in range(EDGE_ROUNDS):
        bulk = values[outliers:]
        law = expected_singular_values(aspect, len(bulk))
        edge = reach * float(np.median(bulk) / np.median(law))
        above = int(np.count_nonzero(values > edge))
        if above <= outliers or above == count:
            break
        outliers = above
    return outliers, edge
