"""Singular values against matrices whose values are known, and errors against the truth."""

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from spectral_rank.formulas.domain import DomainError
from spectral_rank.spectra.singular_values import (
    Matrix,
    as_matrix,
    largest_singular_values,
    singular_values,
    singular_values_of_batch,
)
from spectral_rank.spectra.spectrum import Spectrum

Array = npt.NDArray[np.float64]


def with_values(values: Array, m: int, n: int, seed: int) -> Array:
    random = np.random.default_rng(seed)
    left = np.linalg.qr(random.standard_normal((m, len(values)))).Q
    right = np.linalg.qr(random.standard_normal((n, len(values)))).Q
    return np.asarray(left * values @ right.T)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.floats(0, 1e3), min_size=1, max_size=12),
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(0, 99),
)
def test_recovers_planted_values_within_the_error(
    planted: list[float], more_rows: int, more_columns: int, seed: int
) -> None:
    values = np.sort(planted)[::-1]
    size = len(values)
    matrix = with_values(values, size + more_rows, size + more_columns, seed)
    spectrum = singular_values(matrix)
    padded = np.pad(values, (0, len(spectrum.values) - size))
    assert np.max(np.abs(spectrum.array - padded)) <= spectrum.error
    assert spectrum.energy == pytest.approx(np.sum(values**2), rel=1e-12, abs=1e-300)


def test_error_covers_the_rounding_of_graded_matrices() -> None:
    worst = 0.0
    for seed in range(20):
        values = np.logspace(0, -18, 60)
        spectrum = singular_values(with_values(values, 80, 60, seed))
        worst = max(worst, float(np.max(np.abs(spectrum.array - values))) / spectrum.error)
    assert worst < 1 / 8


def test_agrees_with_exact_rational_values() -> None:
    # The Gram matrix [[25, 20], [20, 25]] has the eigenvalues 45 and 5.
    matrix = np.array([[3, 0], [4, 5]])
    spectrum = singular_values(matrix, name="Strang")
    assert spectrum.values == pytest.approx([45**0.5, 5**0.5], rel=1e-15)
    assert spectrum.energy == Fraction(50)
    assert (spectrum.name, spectrum.shape, spectrum.method) == ("Strang", (2, 2), "exact")


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int8, torch.uint8]
)
def test_stored_types_are_widened_exactly(dtype: torch.dtype) -> None:
    matrix = torch.arange(12).reshape(3, 4).to(dtype)
    spectrum = singular_values(matrix)
    assert spectrum.dtype == str(dtype).removeprefix("torch.")
    assert spectrum.values == singular_values(np.arange(12.0).reshape(3, 4)).values
    assert spectrum.sha256 == singular_values(np.arange(12.0).reshape(3, 4)).sha256


@pytest.mark.parametrize("dtype", [">f4", "<f2", "i2", "u1", "longdouble", "c8", ">c16"])
def test_numpy_types_and_byte_orders(dtype: str) -> None:
    spectrum = singular_values(np.arange(12).reshape(3, 4).astype(dtype))
    expected = np.linalg.svd(np.arange(12.0).reshape(3, 4), compute_uv=False)
    assert np.max(np.abs(spectrum.array - expected)) <= spectrum.error
    assert spectrum.dtype == np.dtype(dtype).name


def test_complex_matrices() -> None:
    random = np.random.default_rng(0)
    matrix = random.standard_normal((7, 5)) + 1j * random.standard_normal((7, 5))
    expected = np.linalg.svd(matrix, compute_uv=False)
    for source in (matrix, torch.from_numpy(matrix), torch.from_numpy(matrix).mH):
        assert singular_values(source).values == pytest.approx(expected, rel=1e-14)
    assert singular_values(matrix).energy == pytest.approx(np.sum(expected**2), rel=1e-14)


def test_a_convolution_kernel_is_read_as_the_matrix_on_patches() -> None:
    kernel = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    patch = torch.randn(1, 3, 5, 5, generator=torch.Generator().manual_seed(1))
    matrix, _ = as_matrix(kernel)
    assert matrix.shape == (4, 75)
    by_layer = torch.nn.functional.conv2d(patch.double(), kernel.double()).flatten().numpy()
    assert matrix @ patch.double().numpy().ravel() == pytest.approx(by_layer, rel=1e-12)
    assert singular_values(kernel).shape == (4, 75)


def test_batches_of_any_shape() -> None:
    batch = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    spectra = singular_values_of_batch(batch, name="w")
    assert [s.name for s in spectra][:4] == ["w[0, 0]", "w[0, 1]", "w[0, 2]", "w[1, 0]"]
    assert spectra[4].values == singular_values(batch[1, 1]).values
    from_torch = singular_values_of_batch(torch.from_numpy(batch[0]))
    assert [s.values for s in from_torch] == [s.values for s in spectra[:3]]
    with pytest.raises(DomainError, match="matrices"):
        singular_values_of_batch(batch[0, 0])


def test_degenerate_matrices_have_documented_results() -> None:
    assert singular_values(np.zeros((3, 4))).values == (0.0, 0.0, 0.0)
    assert singular_values(np.zeros((3, 4))).error == 0
    constant = singular_values(np.full((3, 4), 2.0))
    assert constant.values[0] == pytest.approx(2 * 12**0.5, rel=1e-15)
    assert constant.values[1] <= constant.error
    row = singular_values(np.array([[3.0, 4.0]]))
    assert row.values == pytest.approx([5.0], rel=1e-15)
    assert row.shape == (1, 2)
    assert singular_values(np.array([[-2.0]])).values == (2.0,)


@pytest.mark.parametrize(
    ("matrix", "rule"),
    [
        (np.empty((0, 3)), "nonempty"),
        (np.empty((3, 0)), "nonempty"),
        (np.ones(3), "at least two axes"),
        (np.float64(3), "at least two axes"),
        (np.array([[1.0, np.nan], [1.0, 2.0]]), "finite"),
        (np.array([[1.0, np.inf], [np.nan, 2.0]]), "2 of 4 entries"),
        (np.array([[0x7FA00000, 0]], np.uint32).view(np.float32), "finite"),  # signaling NaN
        (np.array([["1e4000", "1"]]).astype(np.longdouble), "finite"),
        (np.array([[1, None], [2, 3]]), "numbers"),
        (np.array([["a", "b"]]), "numbers"),
        (np.array([[True, False]]), "numbers"),
        (torch.tensor([[True, False]]), "numbers"),
        (np.array([["2020-01-01"]], dtype="M8[D]"), "numbers"),
        ([[1.0, 2.0], [3.0]], "rectangular"),
        (torch.eye(3).to_sparse(), "dense"),
        (torch.empty(2, 2, device="meta"), "dense"),
        (np.full((2, 2), 1e200), "energy"),
    ],
)
def test_bad_matrices_are_refused(matrix: Matrix, rule: str) -> None:
    for measure in (singular_values, lambda x: largest_singular_values(x, 1)):
        with pytest.raises(DomainError, match=rule) as caught:
            measure(matrix)
        assert caught.value.argument == "matrix"


def test_a_missing_device_is_refused() -> None:
    for device in ("abacus", "meta", "cuda:99"):
        with pytest.raises(DomainError, match="device"):
            singular_values(np.eye(2), device=device)


def test_the_matrix_is_left_as_it_was() -> None:
    matrix = np.random.default_rng(0).standard_normal((6, 5))
    read_only = matrix.copy()
    read_only.flags.writeable = False
    trained = torch.nn.Parameter(torch.from_numpy(matrix.copy()))
    for source in (matrix.copy(), read_only, np.asfortranarray(matrix), trained):
        assert singular_values(source).sha256 == singular_values(matrix).sha256
        assert largest_singular_values(source, 2).values[0] > 0
    assert np.array_equal(trained.detach().numpy(), matrix)


SHAPES_OF_SPECTRA = {
    "steep": np.arange(1, 101.0) ** -1.35,
    "slow": np.arange(1, 101.0) ** -0.3,
    "flat": np.ones(100),
    "step": np.repeat([1.0, 1e-6], 50),
    "exponential": np.exp(-np.arange(100.0)),
    "low rank": np.repeat([1.0, 0.0], [4, 96]),
    "clusters": np.repeat([1.0, 0.999, 0.5, 0.499], 25),
}


@pytest.mark.parametrize("kind", SHAPES_OF_SPECTRA)
@pytest.mark.parametrize("k", [1, 10, 95, 100])
def test_randomized_error_bounds_the_true_error(kind: str, k: int) -> None:
    values = SHAPES_OF_SPECTRA[kind]
    for seed in range(5):
        matrix = with_values(values, 120, 100, seed)
        for a in (matrix, matrix.T.astype(complex)):
            found = largest_singular_values(a, k, seed=seed)
            miss = values[:k] - found.array
            assert np.max(np.abs(miss)) <= found.error
            assert not found.is_complete or k == 100


def test_randomized_error_bounds_the_true_error_of_noise() -> None:
    # No gap anywhere: the values found miss the largest by some percent, and the error says so.
    for seed in range(20):
        noise = np.random.default_rng(seed).standard_normal((150, 150))
        found = largest_singular_values(noise, 5, seed=seed)
        assert np.max(singular_values(noise).array[:5] - found.array) <= found.error


def test_randomized_is_sharp_where_the_spectrum_falls() -> None:
    values = 2.0 ** -np.arange(200)
    found = largest_singular_values(with_values(values, 300, 200, 0), 5)
    assert found.error < 1e-12
    steep = largest_singular_values(with_values(np.arange(1, 201.0) ** -1.35, 300, 200, 0), 20)
    assert steep.error < 1e-4 * steep.values[-1]


def test_randomized_needs_no_squares_of_the_entries() -> None:
    matrix = with_values(np.arange(1, 101.0) ** -0.5, 100, 100, 0)
    for scale in (2.0**-500, 2.0**-600, 2.0**500):
        scaled, plain = (largest_singular_values(a, 5) for a in (matrix * scale, matrix))
        assert scaled.array / scale == pytest.approx(plain.array, rel=1e-12)
        assert scaled.error / scale == pytest.approx(plain.error, rel=1e-6)


def test_randomized_is_a_function_of_the_seed() -> None:
    noise = np.random.default_rng(0).standard_normal((60, 50))
    first, again, other = (largest_singular_values(noise, 5, seed=s) for s in (3, 3, 4))
    assert (first.values, first.error, first.seed) == (again.values, again.error, 3)
    assert first.values != other.values
    assert largest_singular_values(np.zeros((4, 4)), 2).error == 0


@pytest.mark.parametrize(("k", "seed"), [(0, 0), (4, 0), (1.5, 0), (True, 0), (1, -1), (1, 0.5)])
def test_randomized_refuses_bad_numbers(k: int, seed: int) -> None:
    with pytest.raises(DomainError, match=r"^(k|seed) = "):
        largest_singular_values(np.eye(3), k, seed=seed)


def test_the_record_is_validated_and_survives_json() -> None:
    spectrum = singular_values(np.random.default_rng(0).standard_normal((4, 3)), name="äb/c\n")
    assert Spectrum.model_validate_json(spectrum.model_dump_json()) == spectrum
    fields = spectrum.model_dump()
    for wrong in (
        {"values": (1.0, 2.0)},
        {"values": (1.0, -0.5)},
        {"values": (np.nan,)},
        {"values": ()},
        {"values": (1.0,) * 4},
        {"energy": np.inf},
        {"error": -1.0},
        {"sha256": "x" * 64},
        {"schema_version": 2},
        {"method": "guess"},
    ):
        with pytest.raises(ValidationError):
            Spectrum(**{**fields, **wrong})
