"""Untrained matrices are noise, whatever their distribution; laws are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from spectral_rank.formulas.domain import DomainError
from spectral_rank.spectra.fit import fit_spectrum
from spectral_rank.spectra.null_model import compare_with_noise

Start = Callable[[torch.Tensor, torch.Generator], torch.Tensor]

STARTS: dict[str, Start] = {
    "gaussian": lambda w, g: w.normal_(generator=g),
    "xavier uniform": lambda w, g: torch.nn.init.xavier_uniform_(w, generator=g),
    "kaiming uniform": lambda w, g: torch.nn.init.kaiming_uniform_(w, generator=g),
    "truncated": lambda w, g: torch.nn.init.trunc_normal_(w, std=1.0, a=-1, b=1, generator=g),
    "half masked": lambda w, g: w.normal_(generator=g).mul_(torch.rand(w.shape, generator=g) < 0.5),
}


def start(name: str, shape: tuple[int, int], seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return STARTS[name](torch.empty(shape, dtype=torch.float64), generator)


@pytest.mark.parametrize("name", STARTS)
@pytest.mark.parametrize("shape", [(48, 48), (64, 200), (200, 64), (128, 128)])
def test_an_untrained_matrix_is_noise(name: str, shape: tuple[int, int]) -> None:
    for seed in range(20):
        matrix = start(name, shape, seed)
        null_model = compare_with_noise(torch.linalg.svdvals(matrix).numpy(), shape)
        assert null_model.is_noise, (seed, null_model)
        assert null_model.entry_deviation == pytest.approx(float(matrix.std()), rel=0.05)


@pytest.mark.parametrize("planted", [1, 2, 3])
def test_planted_directions_are_outliers_of_noise(planted: int) -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        noise = rng.standard_normal((96, 128))
        left, _ = np.linalg.qr(rng.standard_normal((96, planted)))
        right, _ = np.linalg.qr(rng.standard_normal((128, planted)))
        matrix = noise + 10 * np.linalg.norm(noise, 2) * left @ right.T
        null_model = compare_with_noise(np.linalg.svd(matrix, compute_uv=False), (96, 128))
        assert null_model.is_noise
        assert null_model.outliers == planted


def test_the_verdict_on_noise_names_it_and_reports_its_outliers() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((64, 64))
    matrix += 200.0 * np.outer(rng.standard_normal(64), rng.standard_normal(64)) / 64
    report = fit_spectrum(np.linalg.svd(matrix, compute_uv=False), (64, 64), replicates=50)
    assert report.verdict == "noise"
    assert len(report.outliers) == 1
    assert report.winner == "marchenko_pastur"


@pytest.mark.parametrize("shape", [(64, 64), (32, 100)])
def test_an_orthogonal_matrix_is_flat(shape: tuple[int, int]) -> None:
    matrix = torch.nn.init.orthogonal_(torch.empty(shape))
    values = np.sort(torch.linalg.svdvals(matrix).double().numpy())[::-1]
    assert fit_spectrum(values, shape).verdict == "flat"


@pytest.mark.parametrize("exponent", [0.1, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("long", [256, 512, 4096])
def test_a_power_law_is_not_noise(exponent: float, long: int) -> None:
    rng = np.random.default_rng(3)
    law = np.arange(1, 257.0) ** -exponent
    values = np.sort(law * (1 + 0.05 * rng.standard_normal(256)))[::-1]
    assert not compare_with_noise(values, (256, long)).is_noise


def test_scale_does_not_matter_at_the_ends_of_the_floats() -> None:
    values = np.linalg.svd(np.random.default_rng(0).standard_normal((40, 40)), compute_uv=False)
    for scale in (1e-290, 1.0, 1e290):
        null_model = compare_with_noise(scale * values, (40, 40))
        assert null_model.is_noise
        assert null_model.entry_deviation == pytest.approx(scale, rel=0.1)


def test_a_zero_matrix_is_neither_flat_nor_noise() -> None:
    null_model = compare_with_noise(np.zeros(20), (20, 30))
    assert not null_model.is_flat
    assert not null_model.is_noise


@pytest.mark.parametrize("shape", [(20, 0), (20, 19)])
def test_shapes_that_do_not_fit_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(DomainError):
        compare_with_noise(np.ones(20), shape)
