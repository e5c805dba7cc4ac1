"""Laws with known parameters are found; the long calibration is benchmarks/spectra_calibration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ndtri
from sklearn.datasets import load_digits

from spectral_rank.formulas.domain import DomainError
from spectral_rank.spectra.fit import density_exponent, fit_spectrum
from spectral_rank.spectra.intervals import replicate
from spectral_rank.spectra.laws import POWER_LAW, Indices
from spectral_rank.spectra.least_squares import Sample, fit_with_noise
from spectral_rank.spectra.order_statistics import log_errors
from spectral_rank.spectra.outliers import find_outliers
from spectral_rank.spectra.range import numerical_rank, range_without_drop
from spectral_rank.spectra.report import Estimate, FitReport

Floats = NDArray[np.float64]

WIDTH = 256
INDEX = np.arange(1, WIDTH + 1, dtype=float)
SHARE = (INDEX - 0.5) / WIDTH


def noisy(law: Floats, seed: int, noise: float = 0.05) -> Floats:
    rng = np.random.default_rng(seed)
    return np.sort(law * (1 + noise * rng.standard_normal(len(law))))[::-1]


def report_on(values: Floats, shape: tuple[int, int] | None = None) -> FitReport:
    return fit_spectrum(values, shape or (len(values), len(values)), replicates=50)


@pytest.mark.parametrize("exponent", [0.2, 0.5, 1.0, 2.0])
def test_the_estimate_is_unbiased_and_the_interval_covers(exponent: float) -> None:
    rng = np.random.default_rng(0)
    draws, covered, errors = 40, 0, []
    for seed in range(draws):
        sample = Sample(np.log(noisy(INDEX**-exponent, seed)), Indices(1, WIDTH, 1.0))
        fit = fit_with_noise(POWER_LAW, sample)
        uncertainty = replicate(fit, log_errors(fit.noise, rng.standard_normal((100, WIDTH))))
        errors.append(fit.parameters[1] - exponent)
        covered += abs(errors[-1]) <= uncertainty.half_widths(0.95)[1]
    deviation = float(np.std(errors))
    assert abs(np.mean(errors)) < 4 * deviation / np.sqrt(draws)
    assert np.median(np.abs(errors)) < 0.02 * exponent
    # Fewer than 33 of 40 has probability 0.002 at a coverage of 95 %.
    assert covered >= 33


LAWS_WITH_TRUTH: dict[str, tuple[Floats, dict[str, float]]] = {
    "power_law": (INDEX**-0.8, {"exponent": 0.8}),
    "exponential": (np.exp(-0.03 * INDEX), {"rate": 0.03}),
    "stretched_exponential": (np.exp(-0.9 * INDEX**0.4), {"stretch": 0.4}),
    "power_law_with_cutoff": (
        INDEX**-0.6 * np.exp(-0.015 * INDEX),
        {"exponent": 0.6, "rate": 0.015},
    ),
    "broken_power_law": (
        np.where(INDEX < 30, INDEX**-0.4, 30**0.8 * INDEX**-1.2),
        {"exponent_1": 0.4, "exponent_2": 1.2, "knee_1": 30},
    ),
    "twice_broken_power_law": (
        np.exp(
            -0.3 * np.log(np.minimum(INDEX, 15))
            - 1.5 * np.log(np.clip(INDEX / 15, 1, 4))
            - 0.5 * np.log(np.maximum(INDEX / 60, 1))
        ),
        {"knee_1": 15, "knee_2": 60},
    ),
    "log_normal": (np.exp(0.8 * ndtri(1 - SHARE)), {"deviation": 0.8}),
}


@pytest.mark.parametrize("name", LAWS_WITH_TRUTH)
def test_the_true_law_wins_with_its_parameters(name: str) -> None:
    law, truth = LAWS_WITH_TRUTH[name]
    report = report_on(noisy(law, 11))
    assert report.verdict == report.winner == name
    winner = report.law(name)
    for parameter, value in truth.items():
        assert winner.parameter(parameter).value == pytest.approx(value, rel=0.1)
    assert winner.r_squared > 0.99
    assert winner.vuong_p_value == 1
    assert [knee.name for knee in report.knees] == [p for p in truth if p.startswith("knee")]
    for estimate in winner.maximum_likelihood:
        if estimate.name in truth:
            assert estimate.value == pytest.approx(truth[estimate.name], rel=0.15)


def test_a_wrong_law_is_rejected_by_every_measure() -> None:
    report = report_on(noisy(np.exp(-0.03 * INDEX), 3))
    right, wrong = report.law("exponential"), report.law("power_law")
    assert wrong.delta_bic > 100
    assert wrong.aic > right.aic
    assert wrong.held_out > 5 * right.held_out
    assert wrong.vuong_statistic > 2
    assert wrong.vuong_p_value < 0.05
    assert not wrong.nested
    assert report.law("power_law_with_cutoff").nested


@pytest.mark.parametrize("added", [True, False])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("exponent", [0.3, 1.5])
def test_planted_outliers_are_kept_out_of_the_fit(exponent: float, count: int, added: bool) -> None:
    law = INDEX**-exponent
    if added:
        law = np.concatenate([10 * np.ones(count), law[: WIDTH - count]])
    else:
        law[:count] *= 10
    values = noisy(law, 4)
    report = report_on(values)
    assert report.outliers == tuple(values[:count])
    assert report.first == count + 1
    assert report.first_index == (1 if added else count + 1)
    assert report.exponent is not None
    assert report.exponent.value == pytest.approx(exponent, rel=0.03)


@pytest.mark.parametrize("exponent", [0.2, 1.0, 3.0])
def test_a_power_law_has_no_outliers_and_no_drop(exponent: float) -> None:
    for seed in range(30):
        log_values = np.log(noisy(INDEX**-exponent, seed))
        assert find_outliers(log_values) == 0
        assert range_without_drop(log_values) == WIDTH


@pytest.mark.parametrize("sharpness", [8, 32])
def test_a_hard_edge_is_left_out(sharpness: int) -> None:
    edge = np.sqrt(1 - SHARE**sharpness)
    report = report_on(noisy(INDEX**-0.8 * edge, 5, noise=0.02))
    assert WIDTH / 2 <= report.last < 0.93 * WIDTH
    assert report.exponent is not None
    assert report.exponent.value == pytest.approx(0.8, rel=0.02)


def test_values_that_are_zero_to_rounding_are_left_out() -> None:
    values = np.concatenate([INDEX[:100] ** -1.0, 1e-17 * np.ones(50), np.zeros(WIDTH - 150)])
    assert numerical_rank(values, (WIDTH, WIDTH)) == 100
    report = report_on(values)
    assert (report.numerical_rank, report.last, report.verdict) == (100, 100, "power_law")


def test_the_largest_values_of_an_incomplete_spectrum_are_fitted() -> None:
    report = report_on(noisy(INDEX[:60] ** -0.9, 6), (1000, 2000))
    assert report.verdict == "power_law"
    assert report.null_model is None


def test_the_spectrum_of_real_data_gets_a_report() -> None:
    images = load_digits().data
    values = np.linalg.svd(images - images.mean(axis=0), compute_uv=False)
    report = report_on(values, images.shape)
    assert report.numerical_rank == 61
    assert report.verdict not in {"noise", "flat", "power_law"}
    assert report.law("power_law").delta_bic > 6


def test_a_report_is_deterministic_and_survives_json() -> None:
    values = noisy(INDEX**-0.7, 7)
    report = report_on(values)
    assert report == report_on(values)
    assert FitReport.model_validate_json(report.model_dump_json()) == report


@settings(max_examples=8, deadline=None)
@given(st.floats(1e-100, 1e100), st.floats(0.3, 2.0), st.integers(0, 10**6))
def test_a_factor_changes_the_scale_only(factor: float, exponent: float, seed: int) -> None:
    values = noisy(INDEX[:64] ** -exponent, seed)
    one, other = report_on(values), report_on(factor * values)
    assert one.verdict == other.verdict
    assert one.exponent is not None
    assert other.exponent is not None
    assert other.exponent.value == pytest.approx(one.exponent.value, rel=1e-6)
    assert other.exponent.low == pytest.approx(one.exponent.low, rel=1e-4)
    scales = [r.law("power_law").parameter("scale").value for r in (one, other)]
    assert scales[1] == pytest.approx(factor * scales[0], rel=1e-6)


@pytest.mark.parametrize("shape", [(1, 40), (10, 64)])
def test_too_few_values_are_undetermined(shape: tuple[int, int]) -> None:
    report = report_on(np.arange(1.0, min(shape) + 1) ** -1, shape)
    assert report.verdict == "undetermined"
    assert report.laws == ()


@pytest.mark.parametrize(
    "values",
    [
        np.zeros(40),
        np.repeat([4.0, 3.0, 2.0, 1.0], 16),
        np.concatenate([[1e6], np.ones(63)]),
        np.concatenate([np.ones(20), np.zeros(30)]),
        np.geomspace(1, 1e-15, 40),
    ],
)
def test_odd_spectra_get_a_finite_report(values: Floats) -> None:
    report = report_on(values)
    assert FitReport.model_validate_json(report.model_dump_json()) == report
    assert report.exponent is None or np.isfinite(report.exponent.value)


def test_density_exponent_is_the_slope_of_the_eigenvalue_density() -> None:
    estimate = density_exponent(Estimate(name="exponent", value=0.5, low=0.4, high=0.6))
    assert estimate is not None
    assert estimate.value == 2.0
    assert estimate.low < 2 < estimate.high
    # Count the eigenvalues of an exact power law in two distant bins.
    eigenvalues = np.arange(1, 100_001.0) ** -1.0
    density = [
        np.count_nonzero((eigenvalues > x) & (eigenvalues < 2 * x)) / x for x in (1e-4, 1e-3)
    ]
    assert -np.log10(density[1] / density[0]) == pytest.approx(2, abs=0.01)
    assert density_exponent(Estimate(name="exponent", value=0.1, low=-0.1, high=0.3)) is None


@pytest.mark.parametrize(
    ("values", "shape", "argument"),
    [
        ([], (1, 1), "values"),
        ([1.0, 2.0], (2, 2), "values"),
        ([1.0, -1.0], (2, 2), "values"),
        ([1.0, np.nan], (2, 2), "values"),
        ([1.0, 0.5, 0.1], (2, 5), "values"),
        ([1.0], (1, 0), "shape"),
        ([1.0], (1, 2, 3), "shape"),
    ],
)
def test_bad_input_is_refused(values: list[float], shape: tuple[int, int], argument: str) -> None:
    with pytest.raises(DomainError, match=argument):
        fit_spectrum(values, shape)


@pytest.mark.parametrize(
    ("keyword", "value"), [("level", 1.0), ("level", 0.0), ("replicates", 10), ("seed", -1)]
)
def test_bad_settings_are_refused(keyword: str, value: float) -> None:
    with pytest.raises(DomainError, match=keyword):
        fit_spectrum(INDEX**-1.0, (WIDTH, WIDTH), **{keyword: value})  # type: ignore[arg-type]
