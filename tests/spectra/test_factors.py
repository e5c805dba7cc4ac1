"""Matrices that a file declares to be products of two factors."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from spectral_rank.formulas.domain import DomainError
from spectral_rank.measurement.measurement import measure
from spectral_rank.measurement.words import rank_sentence, verdict
from spectral_rank.spectra.checkpoint import CheckpointError, TensorInfo, open_checkpoint
from spectral_rank.spectra.factors import DECLARATION, Product, select, spectrum_of
from spectral_rank.spectra.singular_values import singular_values, singular_values_of_product
from spectral_rank.spectra.spectrum import Spectrum

NAMES = ("U", "V")


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def written(path: Path, words: dict[str, str] | None, **shapes: tuple[int, ...]) -> Path:
    tensors = {
        name.replace("_", "."): torch.from_numpy(normal(*shape, seed=index))
        for index, (name, shape) in enumerate(shapes.items())
    }
    save_file(tensors, path, words)
    return path


@given(
    st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.booleans(), st.integers(0, 2**32)
)
def test_values_of_a_product_are_those_of_the_dense_matrix(
    rows: int, cols: int, rank: int, is_complex: bool, seed: int
) -> None:
    left, right = normal(rows, rank, seed=seed), normal(rank, cols, seed=seed + 1)
    if is_complex:
        left = left + 1j * normal(rows, rank, seed=seed + 2)
    found = singular_values_of_product(left, right, NAMES)
    dense = singular_values(left @ right)
    assert found.is_complete
    assert found.shape == (rows, cols)
    assert found.rank_bound == min(rows, cols, rank)
    assert found.array == pytest.approx(dense.array, abs=found.error + dense.error)
    assert not found.array[found.rank_bound :].any()
    assert found.energy == pytest.approx(dense.energy)


def test_the_error_covers_factors_that_nearly_cancel() -> None:
    left = np.hstack([normal(40, 3), 1e8 * normal(40, 1, seed=1)])
    right = np.vstack([normal(3, 30, seed=2), 1e-12 * normal(1, 30, seed=3)])
    left[:, :3] += left[:, 3:]
    right[3] -= right[:3].sum(0)  # the large column cancels, but for 1e-4
    found = singular_values_of_product(left, right, NAMES)
    exact = np.vectorize(int, otypes=[object])
    scale = 2.0**120
    product = (exact(left * scale) @ exact(right * scale)) / scale / scale
    true = np.linalg.svd(product.astype(float), compute_uv=False)
    assert np.abs(found.array - true).max() <= found.error


def test_bad_factors_are_named() -> None:
    with pytest.raises(DomainError, match="right"):
        singular_values_of_product(np.ones((4, 2)), np.ones((3, 4)), NAMES)
    with pytest.raises(DomainError, match="not finite"):
        singular_values_of_product(np.full((4, 2), 1e300), np.full((2, 4), 1e300), NAMES)


def test_a_value_beyond_the_rank_is_refused() -> None:
    spectrum = singular_values_of_product(normal(5, 2), normal(2, 5), NAMES)
    with pytest.raises(ValueError, match="rank 2"):
        Spectrum.model_validate(spectrum.model_dump() | {"values": (5.0, 4.0, 3.0, 0.0, 0.0)})


def test_a_declared_product_stands_in_place_of_its_factors(tmp_path: Path) -> None:
    shapes = {"W_U": (6, 1), "W_V": (1, 5), "a": (3, 3), "lone_U": (4, 4), "x_V": (4, 4)}
    path = written(tmp_path / "w.safetensors", DECLARATION, **shapes)
    with open_checkpoint(path) as checkpoint:
        found = {entry.name: entry for entry in select(checkpoint)}
        assert set(found) == {"W", "a", "lone.U", "x.V"}
        assert isinstance(found["W"], Product)
        assert [entry.name for entry in select(checkpoint, "W*")] == ["W"]
        spectrum = spectrum_of(checkpoint, found["W"], "cpu")
    assert (spectrum.name, spectrum.shape, spectrum.rank_bound) == ("W", (6, 5), 1)
    expected = np.linalg.norm(normal(6, 1, seed=0)) * np.linalg.norm(normal(1, 5, seed=1))
    assert spectrum.values == pytest.approx((expected, 0, 0, 0, 0))


@pytest.mark.parametrize("words", [None, {"format": "pt"}, {"spectral_rank.factors": "A B"}])
def test_names_alone_say_nothing(tmp_path: Path, words: dict[str, str] | None) -> None:
    path = written(tmp_path / "w.safetensors", words, W_U=(6, 2), W_V=(2, 5))
    with open_checkpoint(path) as checkpoint:
        found = select(checkpoint)
        assert {entry.name for entry in found} == {"W.U", "W.V"}
        assert all(isinstance(entry, TensorInfo) for entry in found)
        assert spectrum_of(checkpoint, found[0], "cpu").factors is None


def test_other_formats_are_as_before(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **{"W.U": normal(6, 2), "W.V": normal(2, 5)})
    with open_checkpoint(tmp_path / "w.npz") as checkpoint:
        assert [entry.name for entry in select(checkpoint)] == ["W.U", "W.V"]


@pytest.mark.parametrize(
    "shapes",
    [
        {"W_U": (6, 2), "W_V": (3, 5)},
        {"W_U": (6, 2), "W_V": (2, 5, 1)},
        {"W_U": (6, 2), "W_V": (2, 5), "W": (6, 5)},
    ],
)
def test_a_false_declaration_is_one_error(
    tmp_path: Path, shapes: dict[str, tuple[int, ...]]
) -> None:
    path = written(tmp_path / "w.safetensors", DECLARATION, **shapes)
    with open_checkpoint(path) as checkpoint, pytest.raises(CheckpointError, match="'W'"):
        select(checkpoint)


def test_a_law_of_a_product_is_one_of_its_rank() -> None:
    left, right = (np.linalg.qr(normal(90, 40, seed=seed))[0] for seed in (0, 1))
    law = np.arange(1, 41.0) ** -0.9 * (1 + 0.02 * normal(40, seed=2))
    measurement = measure(
        singular_values_of_product(left * law, right.T, NAMES, "W"), "file", eps=0.05
    )
    assert measurement.fit.verdict == "power_law"
    assert measurement.exponent is not None
    assert measurement.exponent.low < 0.9 < measurement.exponent.high
    assert measurement.fit.numerical_rank == measurement.effective.numerical_rank == 40
    assert measurement.effective.condition_number is None
    assert " of 40 best" in verdict(measurement)
    assert "of 90, measured (rank 40 of 90 by construction)" in rank_sentence(measurement)
    assert measurement.ranks.captured_by_law is not None
    assert measurement.ranks.captured_by_law.high <= 40


@pytest.mark.parametrize(("width", "rank"), [(64, 22), (128, 64), (128, 110)])
def test_random_factors_are_no_power_law(width: int, rank: int) -> None:
    left, right = normal(width, rank), normal(rank, width, seed=1)
    measurement = measure(singular_values_of_product(left, right, NAMES), "file", eps=0.05)
    assert measurement.exponent is None
    assert "Random factors were not compared with" in verdict(measurement)
