"""The laws a spectrum may follow: the logarithm of a singular value as a function of its index.

Every law is linear in its first parameters once the remaining ones, its *shapes* (a knee, a
stretching exponent), are fixed:

    log s_i = offset(i) + design(i; shapes) @ linear parameters.

That is all the fit needs to know: a new law is one entry of `LAWS`.  The Marchenko-Pastur law
differs in that its noise is not independent from one singular value to the next: see
``null_model``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from spectral_rank.formulas.domain import DomainError
from spectral_rank.spectra.marchenko_pastur import expected_singular_values

Floats = NDArray[np.float64]

SMALLEST_PIECE = 6
"""A piece of a broken power law holds at least this many singular values."""

KNEES_TRIED = 18
"""Knees from which a fit may start, evenly spaced in the logarithm of the index."""

STRETCHES_TRIED = 25
"""Stretching exponents from which a fit may start, evenly spaced in their logarithm."""

STRETCH_BOUNDS = (0.05, 2.0)
"""Below, a stretched exponential cannot be told from a power law at any width in use."""


@dataclass(frozen=True)
class Indices:
    """The indices of a spectrum, and what a law may know about the matrix it came from.

    Attributes:
        first: index of the first value that belongs to the law, 1 unless outliers precede it.
        last: index of the last one.
        aspect: ratio of the shorter side of the matrix to the longer, in (0, 1].
        chosen: positions, counted from 0, to which a search is restricted; None for all.
    """

    first: int
    last: int
    aspect: float
    chosen: NDArray[np.intp] | None = None

    @cached_property
    def index(self) -> Floats:
        """The indices as floats, shape (last - first + 1,) unless restricted."""
        index = np.arange(self.first, self.last + 1, dtype=float)
        return index if self.chosen is None else index[self.chosen]

    @cached_property
    def log_index(self) -> Floats:
        """Their logarithms, of the same shape."""
        return np.log(self.index)


Columns = Callable[[Indices, Floats], Floats]
Slopes = Callable[[Indices, Floats, Floats], Floats]
Shapes = Callable[[Indices, int], Floats]


def _no_shapes(indices: Indices, kept: int) -> Floats:
    return np.empty((1, 0))


def _no_offset(indices: Indices) -> Floats:
    return np.zeros_like(indices.index)


def _no_slopes(indices: Indices, linear: Floats, shapes: Floats) -> Floats:
    return np.empty((len(indices.index), 0))


@dataclass(frozen=True)
class Law:
    """One law.

    Attributes:
        name: its name in records.
        linear: names of the linear parameters; the first is the logarithm of a scale.
        shapes: names of the shape parameters.
        design: columns of the linear parameters, shape (count, len(linear)).
        slopes: derivative of the law by its shapes, shape (count, len(shapes)).
        starts: shapes to start a fit from, shape (starts, len(shapes)).
        bounds: for each shape, given how many values are kept, the interval it must stay in.
        logarithmic: the parameters whose logarithm is fitted; records hold the parameter itself.
        contains: names of the laws that are special or limiting cases of this one.
        offset: the part of the logarithm that has no parameter, shape (count,).
    """

    name: str
    linear: tuple[str, ...]
    design: Columns
    shapes: tuple[str, ...] = ()
    slopes: Slopes = _no_slopes
    starts: Shapes = _no_shapes
    bounds: Shapes = _no_shapes
    logarithmic: frozenset[str] = frozenset({"scale"})
    contains: frozenset[str] = frozenset()
    offset: Callable[[Indices], Floats] = _no_offset

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters, the linear ones first."""
        return self.linear + self.shapes


def log_values(law: Law, indices: Indices, parameters: Floats) -> Floats:
    """The logarithm of the law's singular values.

    Args:
        law: one of `LAWS`.
        indices: the indices to evaluate it at.
        parameters: the fitted parameters in the order of ``law.parameters``; the logarithm of those
            in ``law.logarithmic``.

    Returns:
        An array of shape (count,).

    Raises:
        DomainError: if the number of parameters is wrong.
    """
    if np.shape(parameters) != (len(law.parameters),):
        raise DomainError("parameters", parameters, f"one number for each of {law.parameters}")
    linear, shapes = np.split(parameters, [len(law.linear)])
    values: Floats = law.offset(indices) + law.design(indices, shapes) @ linear
    return values


def _with_scale(*columns: Floats) -> Floats:
    return np.column_stack([np.ones_like(columns[0]), *columns])


def _power(indices: Indices, shapes: Floats) -> Floats:
    return _with_scale(-indices.log_index)


def _exponential(indices: Indices, shapes: Floats) -> Floats:
    return _with_scale(-indices.index)


def _power_with_cutoff(indices: Indices, shapes: Floats) -> Floats:
    return _with_scale(-indices.log_index, -indices.index)


def _stretched(indices: Indices, shapes: Floats) -> Floats:
    return _with_scale(-(indices.index ** np.exp(shapes[0])))


def _stretched_slopes(indices: Indices, linear: Floats, shapes: Floats) -> Floats:
    stretch = np.exp(shapes[0])
    slope = -linear[1] * stretch * indices.log_index * indices.index**stretch
    return np.asarray(slope[:, np.newaxis])


def _stretched_starts(indices: Indices, kept: int) -> Floats:
    low, high = np.log(STRETCH_BOUNDS)
    return np.linspace(low, high, STRETCHES_TRIED)[:, np.newaxis]


def _stretched_bounds(indices: Indices, kept: int) -> Floats:
    return np.log([STRETCH_BOUNDS])


def _broken(indices: Indices, knees: Floats) -> Floats:
    edges = np.concatenate([[-np.inf], knees, [np.inf]])
    pieces = [
        -(np.clip(indices.log_index, low, high) - (low if np.isfinite(low) else 0.0))
        for low, high in itertools.pairwise(edges)
    ]
    return _with_scale(*pieces)


def _broken_slopes(indices: Indices, linear: Floats, knees: Floats) -> Floats:
    # Moving a knee to the right exchanges the exponent after it for the one before it.
    exponents = linear[1:]
    beyond = indices.log_index[:, np.newaxis] > knees
    slopes: Floats = beyond * (exponents[1:] - exponents[:-1])
    return slopes


def _knee_range(indices: Indices, kept: int) -> tuple[float, float]:
    piece = min(SMALLEST_PIECE, max(2, kept // 4))
    return float(np.log(indices.first + piece)), float(np.log(indices.first + kept - piece))


def _one_knee(indices: Indices, kept: int) -> Floats:
    return np.linspace(*_knee_range(indices, kept), KNEES_TRIED)[:, np.newaxis]


def _two_knees(indices: Indices, kept: int) -> Floats:
    knees = _one_knee(indices, kept)[:, 0]
    far_enough = [
        pair
        for pair in itertools.combinations(knees, 2)
        if np.exp(pair[1]) - np.exp(pair[0]) >= SMALLEST_PIECE
    ]
    return np.array(far_enough or [(knees[0], knees[-1])])


def _knee_bounds(count: int) -> Shapes:
    def bounds(indices: Indices, kept: int) -> Floats:
        return np.array([_knee_range(indices, kept)] * count)

    return bounds


def _normal_quantiles(indices: Indices, shapes: Floats) -> Floats:
    return _with_scale(ndtri(1 - (indices.index - 0.5) / indices.last))


def _scale_only(indices: Indices, shapes: Floats) -> Floats:
    return np.ones((len(indices.index), 1))


def _marchenko_pastur(indices: Indices) -> Floats:
    values: Floats = np.log(expected_singular_values(indices.aspect, indices.last))
    return values[indices.first - 1 :]


POWER_LAW = Law("power_law", ("scale", "exponent"), _power)
EXPONENTIAL = Law("exponential", ("scale", "rate"), _exponential)
STRETCHED_EXPONENTIAL = Law(
    "stretched_exponential",
    ("scale", "rate"),
    _stretched,
    ("stretch",),
    _stretched_slopes,
    _stretched_starts,
    _stretched_bounds,
    frozenset({"scale", "stretch"}),
    frozenset({"exponential", "power_law"}),
)
POWER_LAW_WITH_CUTOFF = Law(
    "power_law_with_cutoff",
    ("scale", "exponent", "rate"),
    _power_with_cutoff,
    contains=frozenset({"power_law", "exponential"}),
)
BROKEN_POWER_LAW = Law(
    "broken_power_law",
    ("scale", "exponent_1", "exponent_2"),
    _broken,
    ("knee_1",),
    _broken_slopes,
    _one_knee,
    _knee_bounds(1),
    frozenset({"scale", "knee_1"}),
    frozenset({"power_law"}),
)
TWICE_BROKEN_POWER_LAW = Law(
    "twice_broken_power_law",
    ("scale", "exponent_1", "exponent_2", "exponent_3"),
    _broken,
    ("knee_1", "knee_2"),
    _broken_slopes,
    _two_knees,
    _knee_bounds(2),
    frozenset({"scale", "knee_1", "knee_2"}),
    frozenset({"power_law", "broken_power_law"}),
)
LOG_NORMAL = Law("log_normal", ("scale", "deviation"), _normal_quantiles)
MARCHENKO_PASTUR = Law("marchenko_pastur", ("scale",), _scale_only, offset=_marchenko_pastur)

LAWS = (
    POWER_LAW,
    EXPONENTIAL,
    STRETCHED_EXPONENTIAL,
    POWER_LAW_WITH_CUTOFF,
    BROKEN_POWER_LAW,
    TWICE_BROKEN_POWER_LAW,
    LOG_NORMAL,
    MARCHENKO_PASTUR,
)
"""The laws that are compared, the simplest explanation of a trained matrix first."""
