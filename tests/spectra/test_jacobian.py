"""Jacobian spectra and Lyapunov exponents against cases with known answers."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.formulas.domain import DomainError
from spectral_rank.spectra.jacobian import (
    CHUNK_ENTRIES,
    JacobianSpectrum,
    LyapunovSpectrum,
    jacobian_singular_values,
    jacobian_spectrum,
    lyapunov_spectrum,
    step_jacobians,
)

Array = npt.NDArray[np.float64]


def orthogonal(d: int, seed: int) -> Array:
    return np.asarray(np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d))).Q)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 99))
def test_values_are_those_of_each_jacobian(d: int, n: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    weight, slopes = random.standard_normal((d, n)), random.uniform(0, 1, (3, 2, d))
    values = jacobian_singular_values(weight, slopes)
    assert values.shape == (3, 2, min(d, n))
    for index in np.ndindex(3, 2):
        expected = np.linalg.svd(np.diag(slopes[index]) @ weight, compute_uv=False)
        assert values[index] == pytest.approx(expected, rel=1e-10, abs=1e-13)


def test_orthogonal_weight_has_the_slopes_themselves() -> None:
    slopes = np.random.default_rng(0).uniform(0, 1, (50, 8))
    values = jacobian_singular_values(orthogonal(8, 1), slopes)
    assert values == pytest.approx(-np.sort(-slopes), abs=1e-14)


def test_saturated_units_give_exact_zeros_and_linear_ones_the_weight() -> None:
    weight = np.random.default_rng(0).standard_normal((4, 4))
    values = jacobian_singular_values(weight, [[0, 0, 0, 0], [1, 1, 1, 1]])
    assert np.all(values[0] == 0)
    assert values[1] == pytest.approx(np.linalg.svd(weight, compute_uv=False))


def test_chunks_do_not_show() -> None:
    weight = np.random.default_rng(0).standard_normal((128, 128))
    slopes = np.random.default_rng(1).uniform(0, 1, (CHUNK_ENTRIES // weight.size + 3, 128))
    values = jacobian_singular_values(weight, slopes)
    assert np.array_equal(values[-1:], jacobian_singular_values(weight, slopes[-1:]))


def test_interval_covers_the_mean_over_states() -> None:
    # An orthogonal weight and equal slopes u: every singular value is u, with mean 1/2.
    weight, missed = orthogonal(3, 0), 0
    for seed in range(200):
        slope = np.random.default_rng(seed).uniform(0, 1, (12, 1, 1))
        spectrum = jacobian_spectrum(weight, np.repeat(slope, 3, axis=2), level=0.9)
        missed += not spectrum.low[0] <= 0.5 <= spectrum.high[0]
    assert 8 <= missed <= 34  # 20 expected, standard deviation 4.2


def test_states_of_one_sequence_are_not_counted_as_independent() -> None:
    slope = np.random.default_rng(0).uniform(0, 1, (5, 1, 1))
    once = jacobian_spectrum(np.eye(2), np.broadcast_to(slope, (5, 1, 2)))
    repeated = jacobian_spectrum(np.eye(2), np.broadcast_to(slope, (5, 40, 2)))
    assert (repeated.groups, repeated.states) == (5, 40)
    assert repeated.high == pytest.approx(once.high)
    assert repeated.percentile_5[0] <= repeated.median[0] <= repeated.percentile_95[0]
    assert JacobianSpectrum.model_validate_json(repeated.model_dump_json()) == repeated


def test_constant_matrix_has_the_moduli_of_its_eigenvalues() -> None:
    basis = np.random.default_rng(0).standard_normal((5, 5))
    eigenvalues = np.array([1.5, -0.9, 0.4, 0.1, -0.02])
    matrix = basis @ np.diag(eigenvalues) @ np.linalg.inv(basis)
    spectrum = lyapunov_spectrum([matrix] * 400)
    assert spectrum.exponents == pytest.approx(np.log(np.abs(eigenvalues)), abs=1e-9)
    assert spectrum.high == pytest.approx(spectrum.low, abs=1e-9)


def test_complex_pair_shares_its_modulus_within_the_interval() -> None:
    angle = 0.7
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    skewed = np.array([[2.0, 1.0], [0.0, 1.0]])
    matrix = 0.8 * skewed @ rotation @ np.linalg.inv(skewed)
    spectrum = lyapunov_spectrum([matrix] * 2100)
    assert spectrum.exponents == pytest.approx([math.log(0.8)] * 2, abs=2e-3)
    for low, high in zip(spectrum.low, spectrum.high, strict=True):
        assert low <= math.log(0.8) <= high


def test_random_orthogonal_matrices_have_exponent_zero() -> None:
    spectrum = lyapunov_spectrum((orthogonal(6, seed) for seed in range(200)), burn_in=0)
    assert spectrum.exponents == pytest.approx([0] * 6, abs=1e-14)


def test_diagonal_product_is_sorted() -> None:
    matrix = np.diag([0.1, 3.0, 1.0])
    spectrum = lyapunov_spectrum([matrix] * 150, burn_in=50)
    assert spectrum.exponents == pytest.approx(np.log([3.0, 1.0, 0.1]), abs=1e-12)


def triangular_products(seed: int, steps: int) -> npt.NDArray[Any]:
    random = np.random.default_rng(seed)
    matrices = np.triu(random.standard_normal((steps, 3, 3)), 1)
    diagonal = np.exp([0.5, 0.0, -0.7] + 0.3 * random.standard_normal((steps, 3)))
    matrices[:, [0, 1, 2], [0, 1, 2]] = diagonal
    return np.asarray(matrices)


def test_triangular_product_has_its_mean_log_diagonal() -> None:
    matrices = triangular_products(0, 4000)
    spectrum = lyapunov_spectrum(matrices)
    means = np.log(np.abs(np.diagonal(matrices[100:], axis1=1, axis2=2))).mean(axis=0)
    assert spectrum.exponents == pytest.approx(means, abs=3e-3)


def test_intervals_cover_the_true_exponents() -> None:
    runs, missed = 60, np.zeros(3)
    for seed in range(runs):
        spectrum = lyapunov_spectrum(triangular_products(seed, 340), burn_in=20)
        pairs = zip(spectrum.low, spectrum.high, (0.5, 0.0, -0.7), strict=True)
        missed += [not low <= exponent <= high for low, high, exponent in pairs]
    assert np.all(missed <= 10)  # 3 expected of 60 at 95 %


def test_sum_of_exponents_is_the_mean_log_determinant() -> None:
    random = np.random.default_rng(0)
    matrices = random.standard_normal((60, 5, 5))
    spectrum = lyapunov_spectrum(matrices, burn_in=0)
    logs = np.linalg.slogdet(matrices).logabsdet
    assert sum(spectrum.exponents) == pytest.approx(logs.mean(), rel=1e-12)


def test_leading_exponents_are_the_first_of_all() -> None:
    matrices = triangular_products(1, 400)
    every, leading = lyapunov_spectrum(matrices), lyapunov_spectrum(matrices, count=2)
    assert leading.exponents == pytest.approx(every.exponents[:2], abs=1e-3)


def test_low_rank_recurrence_has_exponents_minus_infinity() -> None:
    random = np.random.default_rng(0)
    weight = random.standard_normal((6, 2)) @ random.standard_normal((2, 6))
    slopes = random.uniform(0.2, 1, (150, 6))
    spectrum = lyapunov_spectrum(step_jacobians(weight, slopes), burn_in=20)
    assert np.all(np.isfinite(spectrum.exponents[:2]))
    assert spectrum.exponents[2:] == spectrum.low[2:] == spectrum.high[2:] == (-math.inf,) * 4
    assert LyapunovSpectrum.model_validate_json(spectrum.model_dump_json()) == spectrum


def test_one_singular_step_is_enough() -> None:
    matrices = [np.eye(2)] * 50
    matrices[30] = np.diag([1.0, 0.0])
    assert lyapunov_spectrum(matrices, burn_in=0).exponents == (
        pytest.approx(0, abs=0.1),
        -math.inf,
    )


def test_the_seed_decides_the_result() -> None:
    matrices = triangular_products(2, 60)
    first, again, other = (lyapunov_spectrum(matrices, burn_in=0, seed=s) for s in (1, 1, 2))
    assert first.exponents == again.exponents != other.exponents


@pytest.mark.parametrize(
    "slopes", [np.ones((3, 2)), np.array([[np.nan] * 4]), np.ones((0, 4)), [["a"] * 4], 1.0, 1j]
)
def test_bad_slopes_are_refused(slopes: Any) -> None:
    with pytest.raises(DomainError, match="slopes"):
        jacobian_singular_values(np.eye(4), slopes)


def test_refusals_of_the_summary() -> None:
    with pytest.raises(DomainError, match="groups"):
        jacobian_spectrum(np.eye(2), np.ones((1, 5, 2)))
    with pytest.raises(DomainError, match="groups"):
        jacobian_spectrum(np.eye(2), np.ones((5, 2)))
    with pytest.raises(DomainError, match="level"):
        jacobian_spectrum(np.eye(2), np.ones((5, 5, 2)), level=1)
    with pytest.raises(DomainError, match="steps x d"):
        step_jacobians(np.eye(2), np.ones((5, 5, 2)))


@pytest.mark.parametrize(
    ("jacobians", "options", "message"),
    [
        ([], {}, "0 matrices"),
        ([np.eye(2)] * 115, {}, "115 matrices"),
        ([np.ones((2, 3))], {}, "square"),
        ([np.eye(2), np.eye(3)], {}, r"jacobians\[1\]"),
        ([1j * np.eye(2)], {}, "real"),
        ([np.full((2, 2), np.nan)], {}, "finite"),
        ([np.eye(2)] * 200, {"count": 3}, "count"),
        ([np.eye(2)] * 200, {"blocks": 1}, "blocks"),
        ([np.eye(2)] * 200, {"burn_in": -1}, "burn_in"),
        ([np.eye(2)] * 200, {"level": 0}, "level"),
        ([np.eye(2)] * 200, {"seed": -1}, "seed"),
    ],
)
def test_refusals_of_the_exponents(
    jacobians: list[Array], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DomainError, match=message):
        lyapunov_spectrum(jacobians, **options)
