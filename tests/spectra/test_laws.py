"""The laws, the Marchenko-Pastur quantiles and the effect of sorting, each by a second route."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from spectral_rank.formulas.domain import DomainError
from spectral_rank.spectra import laws
from spectral_rank.spectra.laws import LAWS, Indices, Law, log_values
from spectral_rank.spectra.least_squares import Sample, fit_at, jacobian
from spectral_rank.spectra.marchenko_pastur import (
    expected_singular_values,
    mass_above,
    quantiles,
    upper_edge,
)
from spectral_rank.spectra.order_statistics import (
    expected_order_statistics,
    log_errors,
    variance_ratio,
)

INDICES = Indices(1, 100, 0.5)

PARAMETERS = {
    "power_law": [0.3, 1.2],
    "exponential": [0.3, 0.05],
    "stretched_exponential": [0.3, 0.9, np.log(0.5)],
    "power_law_with_cutoff": [0.3, 0.7, 0.02],
    "broken_power_law": [0.3, 0.4, 1.5, np.log(20.5)],
    "twice_broken_power_law": [0.3, 1.4, 0.4, 1.5, np.log(10.5), np.log(40.5)],
    "log_normal": [0.3, 0.8],
    "marchenko_pastur": [0.3],
}


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_jacobian_is_the_derivative_of_the_law(law: Law) -> None:
    parameters = np.array(PARAMETERS[law.name])
    step = 1e-6
    for k, column in enumerate(jacobian(law, INDICES, parameters).T):
        up, down = parameters.copy(), parameters.copy()
        up[k] += step
        down[k] -= step
        slope = (log_values(law, INDICES, up) - log_values(law, INDICES, down)) / (2 * step)
        np.testing.assert_allclose(column, slope, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_a_law_without_noise_is_recovered(law: Law) -> None:
    parameters = np.array(PARAMETERS[law.name])
    exact = log_values(law, INDICES, parameters)
    fit = fit_at(law, Sample(exact, INDICES), 0.0)
    np.testing.assert_allclose(fit.log_law, exact, atol=2e-3)
    assert np.all(np.diff(exact) <= 0)


def test_broken_power_law_is_continuous_with_the_stated_slopes() -> None:
    values = log_values(laws.BROKEN_POWER_LAW, INDICES, np.array([0.0, 0.4, 1.5, np.log(20.0)]))
    local = -np.diff(values) / np.diff(INDICES.log_index)
    np.testing.assert_allclose(local[:19], 0.4)
    np.testing.assert_allclose(local[19:], 1.5)


def test_number_of_parameters_is_checked() -> None:
    with pytest.raises(DomainError, match="parameters"):
        log_values(laws.POWER_LAW, INDICES, np.zeros(3))


@pytest.mark.parametrize("aspect", [1.0, 0.5, 0.01])
@pytest.mark.parametrize("angle", [0.3, 1.5, 3.0])
def test_mass_above_is_the_integral_of_the_density(aspect: float, angle: float) -> None:
    def density(x: float) -> float:
        low, high = (1 - np.sqrt(aspect)) ** 2, (1 + np.sqrt(aspect)) ** 2
        return float(np.sqrt((high - x) * (x - low)) / (2 * np.pi * aspect * x))

    level = 1 + aspect + 2 * np.sqrt(aspect) * np.cos(angle)
    expected, _ = quad(density, level, (1 + np.sqrt(aspect)) ** 2)
    assert mass_above(aspect, np.array([angle]))[0] == pytest.approx(expected, abs=1e-7)


@given(
    st.floats(1e-4, 1.0),
    st.lists(st.floats(1e-6, 1 - 1e-6), min_size=2, max_size=9, unique=True),
)
def test_quantiles_invert_the_mass_and_decrease(aspect: float, shares: list[float]) -> None:
    share = np.sort(np.array(shares))
    values = quantiles(aspect, share)
    assert np.all(np.diff(values) <= 1e-12)
    assert np.all(values <= upper_edge(aspect) * (1 + 1e-12))
    angle = np.arccos(np.clip((values**2 - 1 - aspect) / (2 * np.sqrt(aspect)), -1, 1))
    np.testing.assert_allclose(mass_above(aspect, angle), share, atol=1e-6)


@pytest.mark.parametrize("shape", [(200, 200), (100, 300)])
def test_gaussian_singular_values_follow_the_quantiles(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(0).standard_normal(shape)
    values = np.linalg.svd(matrix, compute_uv=False) / np.sqrt(max(shape))
    expected = expected_singular_values(min(shape) / max(shape), min(shape))
    assert np.sqrt(np.mean((values - expected) ** 2)) < 3 / min(shape)


@pytest.mark.parametrize("aspect", [0.0, 1.5, np.nan])
def test_impossible_aspects_are_refused(aspect: float) -> None:
    with pytest.raises(DomainError, match="aspect"):
        expected_singular_values(aspect, 3)


@pytest.mark.parametrize("exponent", [0.2, 1.0])
def test_expected_order_statistics_agree_with_simulation(exponent: float) -> None:
    rng = np.random.default_rng(1)
    law = -exponent * np.log(np.arange(1, 201))
    noisy = np.sort(law + log_errors(0.05, rng.standard_normal((4000, 200))), axis=1)[:, ::-1]
    expected = expected_order_statistics(law, 0.05)
    # The last value follows the law of a minimum, whose mean and typical value differ.
    np.testing.assert_allclose(expected[:-3], noisy.mean(axis=0)[:-3], atol=0.006)
    assert np.all(np.diff(expected) <= 0)
    ratio = variance_ratio(law, 0.05)
    simulated = noisy[:, 20:150].var(axis=0).mean() / 0.05**2
    assert ratio[20:150].mean() == pytest.approx(simulated, rel=0.12)


def test_without_noise_sorting_changes_nothing() -> None:
    law = -np.log(np.arange(1.0, 50.0))
    np.testing.assert_array_equal(expected_order_statistics(law, 0.0), law)
    np.testing.assert_allclose(expected_order_statistics(law, 1e-4), law, atol=1e-4)
