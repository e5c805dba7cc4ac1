import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.experiments.exponents import (
    exponent_of,
    forced_exponent,
    interval_over_seeds,
    mean_or_none,
    power_law_wins,
    significant,
)
from spectral_rank.formulas.domain import DomainError


def power_law(count: int, alpha: float, noise: float = 0.02, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = np.arange(1, count + 1.0) ** -alpha * np.exp(noise * rng.standard_normal(count))
    return np.sort(values)[::-1]


def gaussian(size: int, seed: int = 0) -> np.ndarray:
    entries = np.random.default_rng(seed).standard_normal((size, size)) / np.sqrt(size)
    return np.linalg.svd(entries, compute_uv=False)


@given(
    alpha=st.floats(0.3, 2.0), count=st.integers(24, 160), scale=st.sampled_from([1e-6, 1.0, 1e6])
)
@settings(deadline=None, max_examples=15)
def test_the_exponent_of_a_power_law_comes_back(alpha: float, count: int, scale: float) -> None:
    # Of low rank as well: the matrix may be larger than the number of values.
    for size in (count, 200):
        fit = exponent_of(scale * power_law(count, alpha), (size, size))
        assert fit is not None
        assert fit["alpha"] == pytest.approx(alpha, abs=0.1)
        assert fit["low"] <= fit["alpha"] <= fit["high"]
        assert json.loads(json.dumps(fit, allow_nan=False)) == fit


def test_a_power_law_wins_and_its_line_runs_through_the_values() -> None:
    values = power_law(128, 1.35)
    fit = exponent_of(values, (128, 128))
    assert fit is not None
    assert power_law_wins(fit)
    line = fit["line"]
    index = np.arange(line["first"], line["last"] + 1)
    fitted = line["scale"] * (index - line["first"] + line["first_index"]) ** -fit["alpha"]
    np.testing.assert_allclose(fitted, values[index - 1], rtol=0.15)


def test_noise_has_an_exponent_but_does_not_win() -> None:
    fit = exponent_of(gaussian(96), (96, 96))
    assert fit is not None
    assert fit["verdict"] == "noise"
    assert fit["alpha"] > 0
    assert not power_law_wins(fit)


def test_another_law_wins_over_a_forced_exponent() -> None:
    values = np.exp(-np.arange(100) / 15) * np.exp(
        0.02 * np.random.default_rng(1).standard_normal(100)
    )
    fit = exponent_of(np.sort(values)[::-1], (100, 100))
    assert fit is not None
    assert fit["verdict"] == "exponential"
    assert fit["delta_bic"]["power_law"] > 10
    assert not power_law_wins(fit)


def test_a_power_law_that_wins_narrowly_does_not_win() -> None:
    others = {
        "exponential": 9.9,
        "log_normal": 20.0,
        "marchenko_pastur": 50.0,
        "broken_power_law": 4,
    }
    assert not power_law_wins({"verdict": "power_law", "delta_bic": {"power_law": 0.0, **others}})
    clear = others | {"exponential": 10.0}
    assert power_law_wins({"verdict": "power_law", "delta_bic": {"power_law": 0.0, **clear}})
    assert not power_law_wins({"verdict": "noise", "delta_bic": {"power_law": 0.0, **clear}})


def test_spectra_without_a_fit_have_no_exponent() -> None:
    assert exponent_of(power_law(15, 1.0), (15, 15)) is None
    assert forced_exponent(power_law(15, 1.0), (15, 15)) is None
    flat = exponent_of(np.ones(32), (32, 32))
    assert flat is not None
    assert (flat["verdict"], flat["alpha"], flat["line"]) == ("flat", None, None)
    assert not power_law_wins(flat)
    with pytest.raises(DomainError, match="nonincreasing"):
        exponent_of(np.arange(20.0), (20, 20))


def test_intervals_need_two_seeds() -> None:
    assert interval_over_seeds([1.0, None]) is None
    found = interval_over_seeds([1.0, None, 3.0])
    assert found is not None
    assert (found.value, found.count) == (2.0, 2)
    assert mean_or_none([None, 2.0, 4.0]) == 3.0
    assert mean_or_none([None]) is None


@given(value=st.floats(-1e300, 1e300), digits=st.integers(1, 17))
def test_rounding_keeps_the_digits_and_repeats(value: float, digits: int) -> None:
    rounded = significant(value, digits)
    assert rounded == significant(rounded, digits)
    assert abs(rounded - value) <= abs(value) * 10.0 ** (1 - digits) + 5e-324


def test_no_digits_are_refused() -> None:
    with pytest.raises(DomainError, match="digits = 0"):
        significant(1.0, 0)
