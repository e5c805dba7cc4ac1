"""Fitting one law to sorted log singular values by least squares, bias of the sorting removed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectral_rank.spectra.laws import Indices, Law, log_values
from spectral_rank.spectra.order_statistics import expected_order_statistics, variance_ratio

Floats = NDArray[np.float64]

TINY = 1e-300
"""Keeps the logarithm of a vanishing sum of squares finite."""

SEARCH_SIZE = 120
"""Indices on which the starting shapes are compared."""

POLISHING_STEPS = 12
"""Gauss-Newton steps at most; each is halved until the residual falls."""

SORTING_ROUNDS = 2
"""Rounds of: find what sorting did to the law, take it out of the data, fit again."""

LARGEST_NOISE = 0.5
"""Noise above this is no noise around a law."""

SMALLEST_NOISE = 1e-9
"""Noise below this is the rounding of the decomposition."""

SMALLEST_REMAINDER = 0.3
"""Floor of the residual sum of squares less its bending, relative to itself."""

NOISE_PROBE = 1.05
"""Factor on the noise for derivatives by its logarithm."""

NOISE_STEP = 1.2
"""Factor between the noises tried."""

NOISE_INTERPOLATIONS = 3
"""Interpolations within the last step, which leave an error of the noise below 1 %."""


@dataclass(frozen=True)
class Sample:
    """The values a law is fitted to.

    Attributes:
        log_values: logarithms of the singular values in the fit range, shape (kept,).
        indices: indices of all values that belong to the law, of which the first ``kept`` are in
            the fit range.
    """

    log_values: Floats
    indices: Indices

    @property
    def kept(self) -> int:
        """How many values are in the fit range."""
        return len(self.log_values)


@dataclass(frozen=True)
class PointFit:
    """A law fitted to a sample.

    Attributes:
        law: the law.
        sample: what it was fitted to.
        parameters: in the order of ``law.parameters``, logarithms where the law says so.
        noise: standard deviation of the independent noise on each log singular value that explains
            the size of the residuals.
        expected: expected sorted log values, shape (kept,).
        log_law: the law itself at all indices, shape (count,).
    """

    law: Law
    sample: Sample
    parameters: Floats
    noise: float
    expected: Floats
    log_law: Floats

    @property
    def residuals(self) -> Floats:
        """Sorted log values minus their expectation, shape (kept,)."""
        return self.sample.log_values - self.expected


def fit_at(law: Law, sample: Sample, noise: float, start: Floats | None = None) -> PointFit:
    """The least-squares fit of one law when the noise is known.

    The estimate solves ``J.T @ (values - expected(parameters, noise)) = 0`` with ``J`` the
    derivative of the law.

    Args:
        law: one of the laws.
        sample: what to fit it to.
        noise: standard deviation of the independent noise on the log values, >= 0.
        start: parameters near the estimate; without them the law's own starts are compared.
    """
    if start is None:
        start = _polish(law, sample, sample.log_values, _start(law, sample))
    parameters = start
    for _ in range(SORTING_ROUNDS):
        shift = sorting_shift(log_values(law, sample.indices, parameters), noise)[: sample.kept]
        parameters = _polish(law, sample, sample.log_values - shift, parameters)
    log_law = log_values(law, sample.indices, parameters)
    expected = (log_law + sorting_shift(log_law, noise))[: sample.kept]
    return PointFit(law, sample, parameters, noise, expected, log_law)


def fit_with_noise(law: Law, sample: Sample, largest: float = LARGEST_NOISE) -> PointFit:
    """The least-squares fit of one law at the smallest noise that explains its residuals.

    A large enough noise around a constant explains every spectrum, so the noise is searched
    upward, from the size of the residuals themselves, to the first level at which they are
    explained; failing that, to the first level beyond which they are explained less well.

    Args:
        law: one of the laws.
        sample: what to fit it to.
        largest: noise at which the search ends.
    """
    fit = fit_at(law, sample, 0.0)
    noise = max(float(np.sqrt(np.mean(fit.residuals**2))), SMALLEST_NOISE)
    fit = fit_at(law, sample, noise, fit.parameters)
    while unexplained(fit) > 0 and fit.noise < largest:
        louder = fit_at(law, sample, NOISE_STEP * fit.noise, fit.parameters)
        if unexplained(louder) <= 0:
            return _first_explaining(fit, louder)
        if unexplained(louder) > unexplained(fit):
            return fit
        fit = louder
    return fit


def _first_explaining(quiet: PointFit, loud: PointFit) -> PointFit:
    """The fit between a noise too small to explain the residuals and one that does."""
    for _ in range(NOISE_INTERPOLATIONS):
        excess, lack = unexplained(quiet), -unexplained(loud)
        share = float(np.clip(excess / (excess + lack), 0.05, 0.95)) if lack > 0 else 1.0
        noise = quiet.noise * (loud.noise / quiet.noise) ** share
        between = fit_at(quiet.law, quiet.sample, noise, quiet.parameters)
        if unexplained(between) > 0:
            quiet = between
        else:
            loud = between
    return between


def unexplained(fit: PointFit) -> float:
    """Whether the noise of a fit is too small, as the logarithm of a ratio: > 0 if it is.

    The ratio is that of the residual sum of squares, plus what more noise would take off it by
    bending the expected curve towards the data, to the sum that the noise predicts.  Its root is
    the stationary point of a Gaussian likelihood in which each value counts by its variance, that
    is by how many of its neighbours are independent of it.
    """
    observed = float(fit.residuals @ fit.residuals)
    bending = 2 * float(fit.residuals @ noise_derivative(fit)) / noise_power(fit)
    # Beyond the root the sum becomes negative; its size is only used to interpolate.
    sought = max(observed + bending, SMALLEST_REMAINDER * observed, TINY)
    return float(np.log(sought / predicted_squares(fit)))


def misfit(fit: PointFit) -> float:
    """Root mean square residual over what the noise predicts; 1 if the law explains the values."""
    observed = float(fit.residuals @ fit.residuals)
    return float(np.sqrt(observed / predicted_squares(fit)))


def noise_power(fit: PointFit) -> float:
    """The power of the noise that the residual sum of squares grows with, between 1 and 2."""
    louder = dataclasses.replace(fit, noise=NOISE_PROBE * fit.noise)
    slope = np.log(predicted_squares(louder) / predicted_squares(fit)) / np.log(NOISE_PROBE)
    return float(np.clip(slope, 1.0, 2.0))


def noise_derivative(fit: PointFit) -> Floats:
    """Derivative of the expected values by the logarithm of the noise, shape (kept,)."""
    louder = sorting_shift(fit.log_law, NOISE_PROBE * fit.noise)[: fit.sample.kept]
    derivative: Floats = (louder - (fit.expected - fit.log_law[: fit.sample.kept])) / np.log(
        NOISE_PROBE
    )
    return derivative


def predicted_squares(fit: PointFit) -> float:
    """The residual sum of squares that the noise of a fit predicts, its parameters counted."""
    kept = fit.sample.kept
    freedom = max(1.0, kept - len(fit.parameters)) / kept
    ratio = variance_ratio(fit.log_law, fit.noise)[:kept]
    return max(freedom * fit.noise**2 * float(ratio.sum()), TINY)


def sorting_shift(log_law: Floats, noise: float) -> Floats:
    """What sorting adds to the expected log values, of the shape of ``log_law``."""
    # A law that is fitted badly can increase somewhere; its values are sorted too.
    ordered = np.sort(log_law)[::-1]
    shift: Floats = expected_order_statistics(ordered, noise) - ordered
    return shift


def jacobian(law: Law, indices: Indices, parameters: Floats) -> Floats:
    """The derivative of the log values by the parameters, shape (count, parameters)."""
    linear, shapes = np.split(parameters, [len(law.linear)])
    return np.hstack([law.design(indices, shapes), law.slopes(indices, linear, shapes)])


def _start(law: Law, sample: Sample) -> Floats:
    """The best of the law's starting shapes, compared on a few indices."""
    starts = law.starts(sample.indices, sample.kept)
    kept = sample.kept
    target = sample.log_values - law.offset(sample.indices)[:kept]
    few = np.unique(
        np.concatenate(
            [
                np.linspace(0, kept - 1, SEARCH_SIZE // 2),
                np.geomspace(1, kept, SEARCH_SIZE // 2) - 1,
            ]
        ).astype(np.intp)
    )
    weight = np.sqrt(np.gradient(few.astype(float))) if len(few) > 1 else np.ones(1)
    restricted = dataclasses.replace(sample.indices, chosen=few)
    designs = np.stack([law.design(restricted, shapes) for shapes in starts])
    designs = designs * weight[:, np.newaxis]
    orthonormal, triangular = np.linalg.qr(designs)
    wanted = target[few] * weight
    explained = np.sum((wanted @ orthonormal) ** 2, axis=-1)
    best = int(np.argmax(explained))
    linear = np.linalg.lstsq(triangular[best], wanted @ orthonormal[best], rcond=None)[0]
    return np.concatenate([linear, starts[best]])


def _polish(law: Law, sample: Sample, target: Floats, parameters: Floats) -> Floats:
    """Least squares from a start: exact in the linear parameters, Gauss-Newton in the shapes."""
    kept, indices = sample.kept, sample.indices
    target = target - law.offset(indices)[:kept]

    def best_linear(shapes: Floats) -> tuple[Floats, float]:
        design = law.design(indices, shapes)[:kept]
        linear = _solve(design, target)
        linear = _without_growth(law, design, target, linear)
        return linear, float(np.sum((target - design @ linear) ** 2))

    shapes = parameters[len(law.linear) :]
    linear, error = best_linear(shapes)
    if not law.shapes:
        return linear
    low, high = law.bounds(indices, kept).T
    for _ in range(POLISHING_STEPS):
        here = np.concatenate([linear, shapes])
        derivative = jacobian(law, indices, here)[:kept]
        residual = target - law.design(indices, shapes)[:kept] @ linear
        step = _solve(derivative, residual)[len(law.linear) :]
        for _ in range(6):
            tried = np.sort(np.clip(shapes + step, low, high))
            new_linear, new_error = best_linear(tried)
            if new_error < error:
                break
            step = step / 3
        else:
            break
        gain = error - new_error
        linear, shapes, error = new_linear, tried, new_error
        if gain < 1e-7 * error:
            break
    return np.concatenate([linear, shapes])


def _without_growth(law: Law, design: Floats, target: Floats, linear: Floats) -> Floats:
    """The linear parameters with every rate and exponent at least 0: a spectrum never increases."""
    growing = [k for k in range(1, len(law.linear)) if linear[k] < 0]
    if not growing:
        return linear
    others = [k for k in range(len(law.linear)) if k not in growing]
    allowed = np.zeros_like(linear)
    allowed[others] = _solve(design[:, others], target)
    return allowed


def _solve(design: Floats, target: Floats) -> Floats:
    """Least squares by normal equations of scaled columns, pseudo-inverted where singular."""
    scale = np.sqrt(np.einsum("ij,ij->j", design, design))
    scale[scale == 0] = 1
    scaled = design / scale
    solution: Floats = np.linalg.lstsq(scaled, target, rcond=1e-12)[0] / scale
    return solution
