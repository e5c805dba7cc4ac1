"""From a spectrum to ranks, words, a figure and certificates."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.measurement.matrices import matrix_with, noisy_power_law

from spectral_rank.formulas.capture import capture_rank, capture_ratio
from spectral_rank.formulas.domain import DomainError
from spectral_rank.formulas.rank import optimal_rank, rank_ratio
from spectral_rank.measurement.certificates import certified_ratio, certify
from spectral_rank.measurement.measurement import Measurement, measure
from spectral_rank.measurement.plot import draw
from spectral_rank.measurement.words import certified_sentence, rank_sentence, verdict
from spectral_rank.spectra.singular_values import singular_values


def measured(matrix: np.ndarray, eps: float = 0.05) -> Measurement:
    return measure(singular_values(matrix, "W"), "model.npy", eps)


@pytest.fixture(scope="module")
def steep() -> Measurement:
    return measured(noisy_power_law(0.9, 200))


@pytest.fixture(scope="module")
def slow() -> Measurement:
    return measured(noisy_power_law(0.3, 200))


@pytest.fixture(scope="module")
def noise() -> Measurement:
    return measured(np.random.default_rng(1).standard_normal((120, 200)))


def test_captured_rank_is_that_of_the_best_approximation(steep: Measurement) -> None:
    values = steep.spectrum.array
    rank = steep.ranks.captured
    total = np.sum(values**2)
    assert np.sum(values[rank:] ** 2) <= 0.05 * total < np.sum(values[rank - 1 :] ** 2)


def test_ranks_of_the_law_are_those_of_the_formulas(steep: Measurement) -> None:
    exponent = steep.fit.exponent
    assert exponent is not None
    assert exponent.low < 0.9 < exponent.high
    alpha = round(exponent.value, 12)
    assert steep.ranks.regime == "steep"
    assert steep.ranks.adequate_by_law is not None
    assert steep.ranks.captured_by_law is not None
    assert steep.ranks.adequate_by_law.value == optimal_rank(alpha, 0.05, 200)
    assert steep.ranks.captured_by_law.value == capture_rank(alpha, 0.05, 200)
    assert (
        steep.ranks.captured_by_law.low <= steep.ranks.captured <= steep.ranks.captured_by_law.high
    )


def test_adequacy_is_not_claimed_below_one_half(slow: Measurement) -> None:
    assert slow.ranks.regime == "slow"
    assert slow.ranks.adequate_by_law is None
    assert "Adequacy does not apply" in rank_sentence(slow)


def test_noise_is_reported_as_noise_first(noise: Measurement) -> None:
    assert noise.exponent is None
    assert noise.ranks.captured_by_law is None
    assert verdict(noise).startswith("No structure")
    assert certify(noise, "m") == ([], ["the verdict is noise, not a power law"])


def test_another_law_is_named_before_any_exponent() -> None:
    exponential = measured(matrix_with(np.exp(-np.arange(1, 201) / 40)))
    assert verdict(exponential).startswith("Not a power law")
    assert "exponential" in verdict(exponential)


def test_record_round_trips_and_its_hash_forgets_the_time(steep: Measurement) -> None:
    again = Measurement.model_validate_json(steep.model_dump_json())
    assert again == steep
    spectrum = steep.spectrum.model_copy(update={"seconds": 99.0})
    assert steep.model_copy(update={"spectrum": spectrum}).digest() == steep.digest()
    other = steep.ranks.model_copy(update={"eps": 0.06})
    assert steep.model_copy(update={"ranks": other}).digest() != steep.digest()


def test_certificates_of_a_steep_law(steep: Measurement) -> None:
    certificates, _ = certify(steep, "m")
    assert [c.kind for c in certificates] == [
        "steep",
        "conditioning",
        "envelope",
        "approximation",
        "envelope_conditioning",
    ]
    exponent = steep.fit.exponent
    assert exponent is not None
    assert certificates[0].exponent.low.value <= Fraction(exponent.low)
    # The approximation certificate speaks of this matrix: its real error obeys the bound.
    approximation = certificates[3]
    low, high = approximation.envelope.low.value, approximation.envelope.high.value
    bound = (high / low) ** 2 * Fraction(approximation.bounds[0].p, approximation.bounds[0].q)
    energies = steep.spectrum.array**2
    assert energies[approximation.rank :].sum() / energies.sum() <= float(bound)


def test_the_certified_ratio_contains_the_formula(steep: Measurement, slow: Measurement) -> None:
    for measurement, formula in ((steep, rank_ratio), (slow, capture_ratio)):
        bounds = certified_ratio(measurement)
        exponent = measurement.fit.exponent
        assert bounds is not None
        assert exponent is not None
        for alpha in (exponent.low, exponent.value, exponent.high):
            assert bounds[0] < formula(alpha, 0.05) < bounds[1]
        assert "Certified: " in (certified_sentence(measurement) or "")


def test_noise_has_no_certified_ratio(noise: Measurement) -> None:
    assert certified_sentence(noise) is None


def test_certificates_of_a_slow_law(slow: Measurement) -> None:
    kinds = [certificate.kind for certificate in certify(slow, "m")[0]]
    assert kinds == ["slow", "conditioning", "envelope_conditioning"]


@pytest.mark.parametrize("name", ["steep", "slow", "noise"])
def test_figure_is_drawn_and_deterministic(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    measurement = request.getfixturevalue(name)
    first, second = tmp_path / "1.svg", tmp_path / "2.svg"
    draw(measurement, first)
    draw(measurement, second)
    assert first.read_bytes() == second.read_bytes()
    assert b"index" in first.read_bytes() or len(first.read_bytes()) > 10_000


def test_bad_input_is_named() -> None:
    with pytest.raises(DomainError, match="eps"):
        measured(np.eye(20), eps=1.0)
    with pytest.raises(DomainError, match="zero matrix"):
        measured(np.zeros((20, 20)))


@pytest.mark.parametrize(
    ("matrix", "word"),
    [
        (np.ones((30, 20)), "Undetermined"),
        (np.eye(40), "No structure"),
        (np.outer(np.arange(1, 31), np.ones(30)), "Undetermined"),
        (np.random.default_rng(0).integers(-3, 4, (5, 5)), "Undetermined"),
        (np.random.default_rng(0).standard_normal((60, 90)).astype(np.float16), "No structure"),
    ],
)
def test_degenerate_matrices_have_a_documented_result(matrix: np.ndarray, word: str) -> None:
    assert verdict(measured(matrix)).startswith(word)
