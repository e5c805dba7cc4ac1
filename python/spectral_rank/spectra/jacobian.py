"""Spectra of the Jacobians of a recurrence: one step at many states, and products along a path.

The step ``h -> phi(W h + b)`` has the Jacobian ``diag(phi'(z)) W`` at ``z = W h + b``; for ``tanh``
the slopes are ``1 - h'^2`` with ``h'`` the next state.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, PositiveInt
from scipy.stats import t as student_t

from spectral_rank.formulas.domain import DomainError, integer, require
from spectral_rank.spectra.singular_values import Matrix, as_matrix, matrix_hash, on_device
from spectral_rank.spectra.spectrum import FloatArray, NonNegativeFinite

CHUNK_ENTRIES = 2**23
"""Entries of the Jacobians decomposed at a time: 64 MiB of float64."""


class JacobianSpectrum(BaseModel):
    """Singular values of the step Jacobian over many states, summarized for each index.

    Attributes:
        schema_version: version of this record's layout.
        name: name of the weight.
        shape: rows and columns of the weight.
        sha256: hash of its entries, as in a `Spectrum`.
        groups: independent groups of states, such as sequences.
        states: states in each group.
        level: level of the intervals.
        mean: mean singular value for each index, nonincreasing.
        low: lower end of the interval of that mean.
        high: upper end.
        percentile_5: below it lie 5 % of the states.
        median: below it lies half of the states.
        percentile_95: below it lie 95 % of the states.
        device: where the decompositions ran.
        seconds: time they took.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = 1
    name: str
    shape: tuple[int, int]
    sha256: str
    groups: PositiveInt
    states: PositiveInt
    level: float
    mean: tuple[NonNegativeFinite, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    percentile_5: tuple[NonNegativeFinite, ...]
    median: tuple[NonNegativeFinite, ...]
    percentile_95: tuple[NonNegativeFinite, ...]
    device: str
    seconds: NonNegativeFinite


class LyapunovSpectrum(BaseModel):
    """Lyapunov exponents of a product of Jacobians, in nats per step.

    Attributes:
        schema_version: version of this record's layout.
        exponents: the leading growth rates, nonincreasing; minus infinity where the product is
            singular.
        low: lower end of the interval of each exponent.
        high: upper end.
        level: level of the intervals.
        steps: Jacobians averaged over.
        burn_in: Jacobians before those, which only turn the frame into place.
        blocks: blocks that the intervals are made from.
        seed: seed of the first frame.
        device: where the products were computed.
        seconds: time they took.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    schema_version: Literal[1] = 1
    exponents: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    level: float
    steps: PositiveInt
    burn_in: int
    blocks: PositiveInt
    seed: int
    device: str
    seconds: NonNegativeFinite


def jacobian_singular_values(weight: Matrix, slopes: Matrix, device: str = "cpu") -> FloatArray:
    """Singular values of ``diag(slope) W`` for each vector of slopes.

    Args:
        weight: ``W``, of shape ``(d, n)``.
        slopes: ``phi'(z)``, of shape ``(..., d)``.
        device: torch device.

    Returns:
        Singular values of shape ``(..., min(d, n))``, nonincreasing along the last axis.

    Raises:
        DomainError: if an argument has another shape or holds no finite real numbers, or the device
            is not there.
    """
    entries, _ = as_matrix(weight)
    factors = _slopes(slopes, len(entries))
    rows = factors.reshape(-1, len(entries))
    matrix, scales = on_device(entries, device), on_device(rows, device)
    chunk = max(1, CHUNK_ENTRIES // entries.size)
    values = [
        torch.linalg.svdvals(scales[first : first + chunk, :, None] * matrix).cpu()
        for first in range(0, len(rows), chunk)
    ]
    result: FloatArray = np.maximum(torch.cat(values).numpy(), 0.0)
    return result.reshape(*factors.shape[:-1], min(entries.shape))


def jacobian_spectrum(
    weight: Matrix,
    slopes: Matrix,
    name: str = "jacobian",
    level: float = 0.95,
    device: str = "cpu",
) -> JacobianSpectrum:
    """The singular values of the step Jacobian over many states, with intervals of their means.

    States along one sequence depend on each other, so the interval (Student's t) is that of the
    means of independent groups.

    Args:
        weight: ``W``, of shape ``(d, n)``.
        slopes: ``phi'(z)``, of shape ``(groups, states, d)`` with at least two groups: one group
            for each sequence, or for each state if the states are independent.
        name: name for the record.
        level: level of the intervals, in (0, 1).
        device: torch device.

    Raises:
        DomainError: as `jacobian_singular_values`, or if there are not two groups.
    """
    start = time.perf_counter()
    _level(level)
    if len(np.shape(slopes)) != 3 or np.shape(slopes)[0] < 2:
        rule = "an array of shape groups x states x d with at least two groups"
        raise DomainError("slopes", tuple(np.shape(slopes)), rule)
    entries, _ = as_matrix(weight)
    values = jacobian_singular_values(entries, slopes, device)
    mean, margin = _mean_and_margin(values.mean(axis=1), level)
    tenths = np.quantile(values.reshape(-1, values.shape[-1]), [0.05, 0.5, 0.95], axis=0)
    return JacobianSpectrum(
        name=name,
        shape=(entries.shape[0], entries.shape[1]),
        sha256=matrix_hash(entries),
        groups=values.shape[0],
        states=values.shape[1],
        level=level,
        mean=tuple(mean.tolist()),
        low=tuple((mean - margin).tolist()),
        high=tuple((mean + margin).tolist()),
        percentile_5=tuple(tenths[0].tolist()),
        median=tuple(tenths[1].tolist()),
        percentile_95=tuple(tenths[2].tolist()),
        device=device,
        seconds=time.perf_counter() - start,
    )


def step_jacobians(weight: Matrix, slopes: Matrix) -> Iterator[npt.NDArray[Any]]:
    """The Jacobians ``diag(slope) W`` along one sequence, one at a time.

    Args:
        weight: ``W``, of shape ``(d, d)``.
        slopes: ``phi'(z)``, of shape ``(steps, d)``.

    Raises:
        DomainError: if an argument has another shape or holds no finite real numbers.
    """
    entries, _ = as_matrix(weight)
    factors = _slopes(slopes, len(entries))
    if factors.ndim != 2:
        raise DomainError("slopes", factors.shape, "an array of shape steps x d")
    return (factor[:, None] * entries for factor in factors)


def lyapunov_spectrum(
    jacobians: Iterable[Matrix],
    count: int | None = None,
    burn_in: int = 100,
    blocks: int = 16,
    level: float = 0.95,
    seed: int = 0,
    device: str = "cpu",
) -> LyapunovSpectrum:
    """The Lyapunov exponents of the product ``... J_3 J_2 J_1`` by repeated QR decompositions.

    A random frame is multiplied by each Jacobian and made orthonormal again; the mean logarithms of
    the factors it stretched by are the exponents.  A factor below rounding error counts as zero.
    The interval (Student's t) is that of the means of consecutive blocks, so it is honest if the
    steps are stationary after the burn-in and a block is longer than their memory; it does not
    cover a frame that the burn-in was too short to turn.

    Args:
        jacobians: matrices of shape ``(d, d)`` in the order of time, more than ``burn_in`` plus
            ``blocks`` of them; read once.
        count: number of leading exponents, 1 <= count <= d; all by default.
        burn_in: leading Jacobians that are not averaged over, >= 0.
        blocks: number of blocks, >= 2.
        level: level of the intervals, in (0, 1).
        seed: seed of the random frame, >= 0.
        device: torch device.

    Raises:
        DomainError: if an argument is outside its domain, a Jacobian is not square, of another size
            than the first or not finite, or there are too few of them.

    Source:
        Benettin, Galgani, Giorgilli and Strelcyn, Lyapunov characteristic exponents for smooth
        dynamical systems (Meccanica 1980); batch means: Law, Simulation Modeling and Analysis.
    """
    start = time.perf_counter()
    blocks = integer("blocks", blocks, at_least=2)
    burn_in = integer("burn_in", burn_in)
    seed = integer("seed", seed)
    _level(level)
    growth = np.array(list(_log_growth(jacobians, count, seed, device)))
    steps = len(growth) - burn_in
    if steps < blocks:
        rule = f"more than burn_in + blocks = {burn_in + blocks} matrices"
        raise DomainError("jacobians", f"{len(growth)} matrices", rule)
    exponents, margin = _exponents(growth[burn_in:], blocks, level)
    order = np.argsort(-exponents, kind="stable")
    return LyapunovSpectrum(
        exponents=tuple(exponents[order].tolist()),
        low=tuple((exponents - margin)[order].tolist()),
        high=tuple((exponents + margin)[order].tolist()),
        level=level,
        steps=steps,
        burn_in=burn_in,
        blocks=blocks,
        seed=seed,
        device=device,
        seconds=time.perf_counter() - start,
    )


def _log_growth(
    jacobians: Iterable[Matrix], count: int | None, seed: int, device: str
) -> Iterator[FloatArray]:
    """For each Jacobian the logarithms of the factors that it stretches the frame by."""
    frame: torch.Tensor | None = None
    for step, jacobian in enumerate(jacobians):
        matrix = on_device(as_matrix(jacobian)[0], device)
        rows = len(matrix) if frame is None else len(frame)
        if matrix.shape != (rows, rows) or matrix.is_complex():
            shape = tuple(matrix.shape)
            raise DomainError(f"jacobians[{step}]", shape, "real and square, all of one size")
        if frame is None:
            width = rows if count is None else integer("count", count, at_least=1, at_most=rows)
            random = np.random.default_rng(seed).standard_normal((rows, width))
            frame = torch.linalg.qr(on_device(random, device)).Q
        image = matrix @ frame
        frame, triangle = torch.linalg.qr(image)
        factors = triangle.diagonal().abs().cpu().numpy()
        noise = rows * np.finfo(float).eps * float(torch.linalg.matrix_norm(image))
        with np.errstate(divide="ignore"):
            yield np.log(np.where(factors > noise, factors, 0.0))


def _exponents(growth: FloatArray, blocks: int, level: float) -> tuple[FloatArray, FloatArray]:
    """Mean growth over all steps, and the margin from the means of blocks of equal length."""
    singular = np.any(np.isinf(growth), axis=0)
    finite = np.where(singular, 0.0, growth)
    length = len(growth) // blocks
    means = finite[: blocks * length].reshape(blocks, length, -1).mean(axis=1)
    margin = _mean_and_margin(means, level)[1]
    # One singular step makes the product singular for good, whatever the other steps do.
    return np.where(singular, -np.inf, finite.mean(axis=0)), np.where(singular, 0.0, margin)


def _mean_and_margin(samples: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Mean over independent samples, the first axis, and half the width of its interval."""
    n = len(samples)
    quantile = float(student_t.ppf((1 + level) / 2, n - 1))
    margin: FloatArray = quantile * samples.std(axis=0, ddof=1) / math.sqrt(n)
    return samples.mean(axis=0), margin


def _slopes(slopes: Matrix, rows: int) -> FloatArray:
    factors = slopes.detach().cpu().double().numpy() if isinstance(slopes, torch.Tensor) else slopes
    factors = np.asarray(factors)
    if factors.ndim < 1 or factors.shape[-1] != rows or factors.size == 0:
        raise DomainError("slopes", factors.shape, f"a nonempty array of shape ... x {rows}")
    if factors.dtype.kind not in "iuf" or not np.all(np.isfinite(factors)):
        raise DomainError("slopes", factors.dtype.name, "an array of finite real numbers")
    return np.require(factors, np.float64, ["C", "W", "A"])


def _level(level: float) -> float:
    result: float = require("level", level, "a real number in (0, 1)", lambda x: (x > 0) & (x < 1))
    return result
