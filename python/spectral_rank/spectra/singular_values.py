"""Singular values of real matrices: all of them, or the largest with a computed error bound.

Matrices are decomposed in float64 (complex128) whatever they were stored in.  Converting a matrix
of halves, singles or integers up to 2^53 is exact; larger integers are rounded, by less than the
error bound of the result.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from spectral_rank.formulas.domain import DomainError, integer
from spectral_rank.spectra.spectrum import Factors, FloatArray, Spectrum

Matrix = npt.NDArray[Any] | torch.Tensor
Product = Callable[[torch.Tensor], torch.Tensor]

LAPACK_ERROR = 16.0
"""Error of LAPACK's singular values in units of ``eps * s_1 * sqrt(max(m, n))``: the routines are
backward stable with a modest constant (LAPACK Users' Guide, section 4.9); the tests see below 2."""

OVERSAMPLING = 10
POWER_ITERATIONS = 4
"""Defaults of the randomized decomposition: with 4 power iterations the spectrum beyond the sample
enters with its ninth power (Halko, Martinsson and Tropp 2011, section 9.3)."""

LANCZOS_STEPS = 48
NORM_FAILURE = 1e-9
"""The norm of what a randomized decomposition left over is bounded from 48 Lanczos steps, at most
4 % above its value for widths up to 2048, and too low with probability below ``NORM_FAILURE``."""


def singular_values(matrix: Matrix, name: str = "matrix", device: str = "cpu") -> Spectrum:
    """All singular values of a matrix.

    The Gram matrix would be 2 to 2.4 times faster and lose half the digits of the small values,
    where a fit looks hardest, so it is not used.

    Args:
        matrix: real or complex, ``m x n``; a convolution kernel with more axes is read as by
            `as_matrix`.
        name: name for the record.
        device: torch device, such as ``cpu`` or ``cuda``.

    Returns:
        The spectrum, ``min(m, n)`` values, its error a bound for a backward stable routine.  A
        constant or rank-deficient matrix has values up to the size of the error where zeros are
        due; the zero matrix has zeros; a ``1 x n`` matrix has one value, its norm.

    Raises:
        DomainError: if the matrix is empty, holds NaN or infinity, is no numeric array, or its
            energy overflows; or if the device is not there.

    Source:
        ``SpectralRank.exists_singularValueDecomposition`` (that there are such values),
        ``SpectralRank.singularValueDecomposition_unique`` (that they depend on the matrix only).
    """
    start = time.perf_counter()
    entries, dtype = as_matrix(matrix)
    energy = _energy(entries)
    values = torch.linalg.svdvals(on_device(entries, device)).cpu().numpy()
    return Spectrum(
        name=name,
        shape=(entries.shape[0], entries.shape[1]),
        dtype=dtype,
        method="exact",
        values=_nonnegative(values),
        energy=energy,
        error=_rounding_error(entries, values),
        sha256=matrix_hash(entries),
        device=device,
        seconds=time.perf_counter() - start,
    )


def singular_values_of_product(
    left: Matrix, right: Matrix, names: tuple[str, str], name: str = "matrix", device: str = "cpu"
) -> Spectrum:
    """All singular values of ``left @ right``, which is never formed.

    With ``left = Q R`` and ``right^T = P S`` the product is ``Q (R S^T) P^T``, so that its singular
    values are those of the small matrix ``R S^T``, and zeros.

    Args:
        left: real or complex, ``m x r``.
        right: likewise, ``r x n``.
        names: names of the two, for the record.
        name: name of the product.
        device: torch device.

    Returns:
        The spectrum, ``min(m, n)`` values: at most ``min(m, n, r)`` of them can differ from 0, and
        the others are 0 exactly.  Its error is a bound for three backward stable steps.

    Raises:
        DomainError: as `singular_values`, or if the shapes do not fit.
    """
    start = time.perf_counter()
    (a, left_type), (b, right_type) = as_matrix(left), as_matrix(right)
    (rows, inner), cols = a.shape, b.shape[1]
    if b.shape[0] != inner:
        raise DomainError("right", b.shape, f"of {inner} rows, the columns of the left factor")
    wide = np.result_type(a, b)
    outer = [
        torch.linalg.qr(on_device(factor.astype(wide, copy=False), device), mode="r").R
        for factor in (a, b.T)
    ]
    core, _ = as_matrix((outer[0] @ outer[1].mT).cpu())
    energy = _energy(core)
    values = np.zeros(min(rows, cols))
    rank = min(core.shape)
    values[:rank] = torch.linalg.svdvals(on_device(core, device)).cpu().numpy()
    norms = [float(torch.linalg.matrix_norm(factor, ord=2)) for factor in outer]
    rounding = LAPACK_ERROR * np.finfo(float).eps * max(rows, inner, cols) ** 0.5
    return Spectrum(
        name=name,
        shape=(rows, cols),
        dtype=left_type if left_type == right_type else f"{left_type} and {right_type}",
        method="exact",
        values=_nonnegative(values),
        energy=energy,
        error=3 * rounding * norms[0] * norms[1],
        sha256=matrix_hash(a, b),
        device=device,
        seconds=time.perf_counter() - start,
        factors=Factors(left=names[0], right=names[1], rank=rank),
    )


def singular_values_of_batch(
    matrices: Matrix, name: str = "matrix", device: str = "cpu"
) -> list[Spectrum]:
    """All singular values of each matrix of a batch.

    Args:
        matrices: ``... x m x n``, with at least one leading axis.
        name: name for the records; each gets its index in brackets, ``name[2, 0]``.
        device: torch device.

    Returns:
        One spectrum for each matrix, the last leading index running fastest.

    Raises:
        DomainError: as `singular_values`, or if there are fewer than three axes.
    """
    shape = tuple(np.shape(matrices))
    if len(shape) < 3:
        raise DomainError("matrices", shape, "an array of shape ... x m x n")
    return [
        singular_values(matrices[index], f"{name}[{', '.join(map(str, index))}]", device)
        for index in np.ndindex(*shape[:-2])
    ]


def largest_singular_values(
    matrix: Matrix, k: int, name: str = "matrix", seed: int = 0, device: str = "cpu"
) -> Spectrum:
    """The ``k`` largest singular values by randomized subspace iteration.

    The error is computed from this decomposition, not assumed.  With ``U``, ``V`` the singular
    vectors found and ``S`` the values, ``U^H A = S V^H``, so in bases that start with ``U`` and
    ``V`` the matrix is ``[[S, 0], [E, F]]``.  Each value found is therefore at most the true one,
    and by monotony the true one is at most that of the small matrix ``[[S, 0], [R, f I]]`` with
    ``R^H R = E^H E`` and ``f`` a bound on the norm of ``F`` (`_norm_bound`).  The result is wrong
    only if ``f`` is, with probability below `NORM_FAILURE`.  The error is small where the spectrum
    falls noticeably over `OVERSAMPLING` indices; a flat one gets an honest large error.

    Args:
        matrix: as in `singular_values`.
        k: number of values, 1 <= k <= min(m, n).
        name: name for the record.
        seed: seed of the random start, an integer >= 0.
        device: torch device.

    Raises:
        DomainError: as `singular_values`, or if ``k`` or ``seed`` is out of range.

    Source:
        Halko, Martinsson and Tropp, Finding structure with randomness (SIAM Review 2011),
        algorithms 4.4 and 5.1.
    """
    start = time.perf_counter()
    entries, dtype = as_matrix(matrix)
    k = integer("k", k, at_least=1, at_most=min(entries.shape))
    random = np.random.default_rng(integer("seed", seed))
    energy = _energy(entries)
    # Norms come from squares, which must neither overflow nor vanish; a power of 2 is exact.
    scale = 2.0 ** int(np.frexp(np.max(np.abs(entries)))[1])
    a = on_device(entries, device) / scale
    left, found, right = _randomized_svd(a, min(k + OVERSAMPLING, *entries.shape), random)
    upper = _upper_bounds(a, left, found, right, random)
    values = found.cpu().numpy()
    gap = float(np.max((upper - values)[:k], initial=0.0))
    values = values * scale
    return Spectrum(
        name=name,
        shape=(entries.shape[0], entries.shape[1]),
        dtype=dtype,
        method="randomized",
        values=_nonnegative(values[:k]),
        energy=energy,
        error=gap * scale + _rounding_error(entries, values),
        sha256=matrix_hash(entries),
        device=device,
        seed=seed,
        seconds=time.perf_counter() - start,
    )


def _randomized_svd(
    a: torch.Tensor, width: int, random: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Singular vectors and values of ``a`` projected on a random subspace that it was applied to.

    Returns:
        ``U`` of shape ``(m, width)``, ``S`` of shape ``(width,)``, ``V`` of shape ``(n, width)``.
    """
    basis = torch.linalg.qr(a @ _normal((a.shape[1], width), random, a)).Q
    for _ in range(POWER_ITERATIONS):
        basis = torch.linalg.qr(a.mH @ basis).Q
        basis = torch.linalg.qr(a @ basis).Q
    small, values, right = torch.linalg.svd(basis.mH @ a, full_matrices=False)
    return basis @ small, values, right.mH


def _upper_bounds(
    a: torch.Tensor,
    left: torch.Tensor,
    values: torch.Tensor,
    right: torch.Tensor,
    random: np.random.Generator,
) -> FloatArray:
    """Upper bounds on the singular values of ``a`` of the same indices as those found."""

    def leftover(x: torch.Tensor) -> torch.Tensor:
        image = a @ (x - right @ (right.mH @ x))
        return image - left @ (left.mH @ image)

    def leftover_adjoint(y: torch.Tensor) -> torch.Tensor:
        image = a.mH @ (y - left @ (left.mH @ y))
        return image - right @ (right.mH @ image)

    norm = _norm_bound(leftover, leftover_adjoint, _normal((a.shape[1],), random, a))
    missed = torch.linalg.qr(a @ right - left * values).R
    width = len(values)
    corner = torch.zeros(2 * width, 2 * width, dtype=a.dtype, device=a.device)
    corner[:width, :width] = torch.diag(values)
    corner[width:, :width] = missed
    corner[width:, width:] = norm * torch.eye(width, dtype=a.dtype, device=a.device)
    bounds: FloatArray = torch.linalg.svdvals(corner)[:width].cpu().numpy()
    return bounds


def _norm_bound(apply: Product, adjoint: Product, start: torch.Tensor) -> float:
    """A bound on the spectral norm of a linear map, too low with probability < `NORM_FAILURE`.

    The norm on the Krylov space of a random vector is raised to cover the largest relative error
    that so many Lanczos steps make with that probability.

    Source:
        Kuczynski and Wozniakowski, Estimating the largest eigenvalue by the power and Lanczos
        algorithms with a random start (SIAM J. Matrix Anal. Appl. 1992), theorem 4.2: the largest
        eigenvalue is underestimated by more than the factor ``1 - x`` with probability at most
        ``1.648 sqrt(n) exp(-sqrt(x) (2 k - 1))`` after ``k`` steps.
    """
    steps = min(LANCZOS_STEPS, len(start))
    # A complex vector is a real one of twice the dimension.
    dimension = len(start) * (2 if start.is_complex() else 1)
    krylov = torch.zeros(len(start), steps, dtype=start.dtype, device=start.device)
    images = []
    direction = start
    for step in range(steps):
        for _ in range(2):  # once loses orthogonality, twice is enough
            direction = direction - krylov @ (krylov.mH @ direction)
        length = float(torch.linalg.vector_norm(direction))
        if length == 0:
            break
        krylov[:, step] = direction / length
        images.append(apply(krylov[:, step]))
        size = float(torch.linalg.vector_norm(images[-1]))
        if size == 0:
            break
        direction = adjoint(images[-1] / size)
    norm = float(torch.linalg.matrix_norm(torch.stack(images, dim=1), ord=2))
    if len(images) < LANCZOS_STEPS:
        return norm  # the Krylov space is invariant: almost surely the norm itself
    root = math.log(1.648 * math.sqrt(dimension) / NORM_FAILURE) / (2 * len(images) - 1)
    return norm / math.sqrt(1 - root**2)


def _normal(
    shape: tuple[int, ...], random: np.random.Generator, like: torch.Tensor
) -> torch.Tensor:
    """Standard normal entries, drawn by numpy so that a seed means the same on every device."""
    entries: npt.NDArray[Any] = random.standard_normal(shape)
    if like.is_complex():
        entries = entries + 1j * random.standard_normal(shape)
    return torch.from_numpy(entries).to(like.device)


def as_matrix(matrix: Matrix) -> tuple[npt.NDArray[Any], str]:
    """The matrix in float64 or complex128, and the type it was stored in.

    A convolution kernel ``out x in x k_1 x ... x k_p`` is read as the ``out x (in k_1 ... k_p)``
    matrix that the layer applies to each patch of its input.

    Args:
        matrix: a numpy array, a torch tensor on any device, or nested lists of numbers.

    Returns:
        The entries in row-major order, writable (a view if they were so already), and the name of
        the type without byte order.

    Raises:
        DomainError: if there are fewer than two axes or no entries, if the entries are not numbers,
            or one of them is NaN or infinite.
    """
    entries, dtype = _from_torch(matrix) if isinstance(matrix, torch.Tensor) else _array(matrix)
    if entries.dtype.kind not in "iufc":
        raise DomainError("matrix", dtype, "an array of real or complex numbers")
    if entries.ndim < 2 or entries.size == 0:
        raise DomainError("matrix", entries.shape, "nonempty, with at least two axes")
    wide = np.complex128 if entries.dtype.kind == "c" else np.float64
    # A long double that overflows and a signaling NaN are refused below, as not finite.
    with np.errstate(over="ignore", invalid="ignore"):
        flat = np.require(entries.reshape(len(entries), -1), wide, ["C", "W", "A"])
    finite = int(np.count_nonzero(np.isfinite(flat)))
    if finite < flat.size:
        bad = f"{flat.size - finite} of {flat.size} entries not finite"
        raise DomainError("matrix", bad, "finite, without NaN")
    return flat, dtype


def _from_torch(tensor: torch.Tensor) -> tuple[npt.NDArray[Any], str]:
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized:
        raise DomainError("matrix", dtype, "a dense tensor, not sparse, quantized or without data")
    entries = tensor.detach().cpu()
    if tensor.dtype != torch.bool:  # numpy has no bfloat16 and no float8
        entries = entries.to(torch.complex128 if tensor.is_complex() else torch.float64)
    return entries.resolve_conj().resolve_neg().numpy(), dtype


def _array(matrix: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], str]:
    try:
        entries = np.asarray(matrix)
    except ValueError:
        raise DomainError("matrix", type(matrix).__name__, "a rectangular array") from None
    return entries, entries.dtype.name


def on_device(entries: npt.NDArray[Any], device: str) -> torch.Tensor:
    """The entries as a tensor on a device.

    Raises:
        DomainError: if the device is not there or has no float64.
    """
    try:
        if torch.empty(0, dtype=torch.float64, device=device).is_meta:
            raise RuntimeError("the meta device holds no numbers")
    except (RuntimeError, AssertionError, TypeError, NotImplementedError):
        raise DomainError(
            "device", device, "a torch device of this machine, with float64"
        ) from None
    return torch.from_numpy(entries).to(device)


def matrix_hash(*matrices: npt.NDArray[Any]) -> str:
    """The sha256 of row-major arrays one after the other, read in place."""
    digest = hashlib.sha256()
    for entries in matrices:
        digest.update(entries.view(np.uint8).data)
    return digest.hexdigest()


def _energy(entries: npt.NDArray[Any]) -> float:
    energy = float(np.vdot(entries, entries).real)
    if not math.isfinite(energy):
        largest = f"entries up to {float(np.max(np.abs(entries))):.3g}"
        raise DomainError("matrix", largest, "small enough for its energy to be a float")
    return energy


def _nonnegative(values: FloatArray) -> tuple[float, ...]:
    # LAPACK may return a zero as a negative number of the size of the rounding error.
    return tuple(np.maximum(values, 0.0).tolist())


def _rounding_error(entries: npt.NDArray[Any], values: FloatArray) -> float:
    return float(LAPACK_ERROR * np.finfo(float).eps * values[0] * max(entries.shape) ** 0.5)
