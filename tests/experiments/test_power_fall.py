import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.experiments.power_fall import EXPONENTS, fit_power_fall
from spectral_rank.experiments.recurrent import RATIOS
from spectral_rank.formulas.domain import DomainError

SWEEP = np.array([*RATIOS, 1.0])
seeds = st.integers(0, 10_000)


@given(
    power=st.floats(0.05, 5),
    plateau=st.floats(-5, 5),
    fall=st.floats(0.01, 5),
    seed=seeds,
)
@settings(deadline=None, max_examples=50)
def test_an_exact_power_is_recovered_in_any_order(power, plateau, fall, seed):
    order = np.random.default_rng(seed).permutation(len(SWEEP))
    reference = np.exp(np.mean(np.log(SWEEP)))
    losses = plateau + fall * (SWEEP / reference) ** -power
    found = fit_power_fall(SWEEP[order], losses[order])
    assert found.exponent == pytest.approx(power, rel=1e-3)
    assert found.fall == pytest.approx(fall, rel=1e-2)
    np.testing.assert_allclose(found.loss_at(SWEEP), losses, atol=1e-5 * np.ptp(losses))


@given(seed=seeds, power=st.floats(*EXPONENTS), plateau=st.floats(-5, 5), fall=st.floats(0, 5))
@settings(deadline=None, max_examples=50)
def test_no_other_power_is_closer(seed, power, plateau, fall):
    rng = np.random.default_rng(seed)
    losses = 2 + SWEEP ** -rng.uniform(0.1, 3) + 0.3 * rng.standard_normal(len(SWEEP))
    found = fit_power_fall(SWEEP, losses)
    assert found.error == pytest.approx(np.sum((losses - found.loss_at(SWEEP)) ** 2))
    other = np.sum((losses - plateau - fall * SWEEP**-power) ** 2)
    assert found.error <= other * (1 + 1e-9)


def test_a_line_in_the_logarithm_is_its_limit():
    losses = 2 - 0.3 * np.log(SWEEP)
    found = fit_power_fall(SWEEP, losses)
    assert found.exponent == pytest.approx(EXPONENTS[0])
    np.testing.assert_allclose(found.loss_at(SWEEP), losses, atol=2e-3)


@pytest.mark.parametrize("losses", [np.full(9, 2.0), np.linspace(2, 3, 9)])
def test_a_loss_that_does_not_fall_is_fitted_by_its_mean(losses):
    found = fit_power_fall(SWEEP, losses)
    np.testing.assert_allclose(found.loss_at(SWEEP), losses.mean())


def test_too_few_ratios_are_refused():
    with pytest.raises(DomainError, match="ratios"):
        fit_power_fall([0.1, 0.2, 0.2], [1, 2, 3])
