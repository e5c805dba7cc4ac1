import functools

import numpy as np
import pytest
import torch

from spectral_rank.data.shipped_series import shipped
from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.baselines.candidates import CANDIDATES, LINEAR, Task, candidate
from spectral_rank.models.baselines.nlinear import NLinear
from spectral_rank.training.forecast_evaluation import Protocol, evaluate
from spectral_rank.training.forecasting import GRID, TrainingOptions, Trial, fit, tune

QUICK = TrainingOptions(max_steps=20, check_every=5)
TRIAL = Trial(1e-2, 0.0)
TASK = Task(12, 4, 1)


def nlinear() -> torch.nn.Module:
    return NLinear(12, 4).double()


@pytest.mark.parametrize("name", CANDIDATES)
def test_the_same_seed_gives_the_same_network(name: str) -> None:
    build = functools.partial(candidate, name, TASK, 2000)
    values = shipped("nile").values
    first, second = (fit(build, values, 12, 4, TRIAL, 3, QUICK) for _ in range(2))
    states = zip(first.model.state_dict().values(), second.model.state_dict().values(), strict=True)
    assert all(torch.equal(left, right) for left, right in states)
    assert not first.model.training


def test_training_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    fit(nlinear, shipped("nile").values, 12, 4, TRIAL, 0, QUICK)
    assert torch.equal(torch.get_rng_state(), before)


def test_training_lowers_the_validation_error_and_keeps_the_best() -> None:
    values = shipped("elnino").values
    errors = [
        fit(nlinear, values, 12, 4, TRIAL, 0, TrainingOptions(max_steps=steps)).validation_error
        for steps in (1, 100, 300)
    ]
    assert errors[2] <= errors[1] < errors[0]


def test_a_diverging_trial_keeps_its_start() -> None:
    fitted = fit(nlinear, shipped("nile").values, 12, 4, Trial(1e300, 0.0), 0, QUICK)
    assert np.isfinite(fitted.validation_error)
    assert np.all(np.isfinite(fitted.forecast(np.zeros((1, 12)))))


def test_a_noiseless_linear_recurrence_is_learned() -> None:
    values = 3 + np.sin(2 * np.pi * np.arange(200) / 10)
    options = TrainingOptions(max_steps=1500, patience=100)
    fitted = fit(nlinear, values[:180], 12, 4, TRIAL, 0, options)
    assert np.allclose(fitted.forecast(values[None, 168:180]), values[180:184], atol=0.05)


def test_forecasts_are_in_the_unit_of_the_series() -> None:
    values = shipped("nile").values
    one = fit(nlinear, values, 12, 4, TRIAL, 0, QUICK)
    other = fit(nlinear, 1000 * values + 7, 12, 4, TRIAL, 0, QUICK)
    window = values[None, -12:]
    assert np.allclose(other.forecast(1000 * window + 7), 1000 * one.forecast(window) + 7)


def test_too_few_or_constant_values_are_refused() -> None:
    with pytest.raises(DomainError, match="at least 21"):
        fit(nlinear, np.arange(20.0), 12, 4, TRIAL, 0, QUICK)
    with pytest.raises(DomainError, match="not constant"):
        fit(nlinear, np.r_[np.ones(40), 2.0], 12, 4, TRIAL, 0, QUICK)


def test_tuning_takes_the_trial_with_the_least_validation_error() -> None:
    values = shipped("nile").values
    best = tune(nlinear, values, 12, 4, 0, QUICK)
    every = [fit(nlinear, values, 12, 4, trial, 0, QUICK).validation_error for trial in GRID]
    assert best.validation_error == min(every)
    assert len(every) == 4


def test_the_naive_forecast_has_its_known_error() -> None:
    series = shipped("nile")
    protocol = Protocol(test_share=0.2, folds=2, stride=1, budget=2000, options=QUICK)
    found = evaluate("seasonal naive", series, TASK, protocol, 0)
    y = series.values
    errors = [abs(y[t : t + 4] - y[t - 1]).mean() for t in range(80, 97)]
    assert found.origins == len(errors)
    assert found.mae == pytest.approx(np.mean(errors))
    first, second = (abs(np.diff(y[:known])).mean() for known in (80, 89))
    expected = np.r_[np.array(errors[:9]) / first, np.array(errors[9:]) / second].mean()
    assert found.mase == pytest.approx(expected)
    assert found.parameters == 0


def test_the_test_part_does_not_enter_the_fit() -> None:
    series = shipped("nile")
    protocol = Protocol(test_share=0.2, folds=1, stride=1, budget=2000, options=QUICK)
    fitted = evaluate(LINEAR, series, TASK, protocol, 0).fitted
    direct = tune(
        functools.partial(candidate, LINEAR, TASK, 2000), series.values[:80], 12, 4, 0, QUICK
    )
    window = series.values[None, -12:]
    assert np.array_equal(fitted.forecast(window), direct.forecast(window))
