import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.experiments.scaling_law import fit_scaling_law, law_of_exponent
from spectral_rank.formulas.domain import DomainError

SIZES = np.geomspace(2e4, 8e5, 9)


def losses(floor: float, fall: float, exponent: float) -> np.ndarray:
    return floor + fall * (SIZES / SIZES[4]) ** -exponent


@given(
    floor=st.one_of(st.just(0.0), st.floats(0.05, 5)),
    fall=st.floats(0.05, 5),
    exponent=st.floats(0.05, 3),
)
@settings(deadline=None, max_examples=60)
def test_the_law_is_found_again(floor: float, fall: float, exponent: float) -> None:
    found = fit_scaling_law(list(SIZES), list(losses(floor, fall, exponent)))
    assert found.is_determined
    assert found.exponent == pytest.approx(exponent, rel=2e-3)
    assert found.floor == pytest.approx(floor, abs=1e-2 * (floor + fall))
    assert found.predict(list(SIZES)) == pytest.approx(losses(floor, fall, exponent), rel=1e-4)
    assert found.r_squared == pytest.approx(1, abs=1e-5)


@given(scale=st.floats(1e-3, 1e3), unit=st.floats(1e-6, 1e6), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_the_exponent_has_no_units(scale: float, unit: float, seed: int) -> None:
    noise = 1 + 0.01 * np.random.default_rng(seed).standard_normal(len(SIZES))
    y = losses(1.0, 0.5, 0.6) * noise
    found = fit_scaling_law(list(SIZES), list(y))
    other = fit_scaling_law(list(unit * SIZES), list(scale * y))
    assert other.exponent == pytest.approx(found.exponent, rel=1e-3)
    assert other.floor == pytest.approx(scale * found.floor, rel=1e-2, abs=1e-3 * scale)
    assert other.is_determined == found.is_determined


def test_no_law_of_the_family_fits_better() -> None:
    rng = np.random.default_rng(3)
    y = losses(1.0, 0.4, 0.5) + 0.02 * rng.standard_normal(len(SIZES))
    found = fit_scaling_law(list(SIZES), list(y))
    least = np.sum((found.predict(SIZES) - y) ** 2)
    for _ in range(300):
        floor, fall = np.abs(np.array([found.floor, found.fall]) * (1 + rng.normal(0, 0.1, 2)))
        exponent = found.exponent * np.exp(rng.normal(0, 0.1))
        assert np.sum((losses(floor, fall, exponent) - y) ** 2) >= least * (1 - 1e-9)


def test_a_law_of_another_exponent_fits_worse_and_of_the_best_as_well() -> None:
    rng = np.random.default_rng(5)
    y = list(losses(1.0, 0.4, 0.5) + 0.01 * rng.standard_normal(len(SIZES)))
    best = fit_scaling_law(list(SIZES), y)
    same = law_of_exponent(best.exponent, list(SIZES), y)
    assert (same.floor, same.fall) == pytest.approx((best.floor, best.fall), rel=1e-6)
    for factor in (0.3, 0.9, 1.1, 3):
        other = law_of_exponent(factor * best.exponent, list(SIZES), y)
        assert other.exponent == pytest.approx(factor * best.exponent)
        assert other.r_squared < best.r_squared
    with pytest.raises(DomainError, match="exponent"):
        law_of_exponent(0.0, list(SIZES), y)


def test_a_floor_below_zero_is_not_allowed() -> None:
    # A logarithm wants an ever lower floor; the best admissible law has none.
    y = 3 - 0.2 * np.log(SIZES / SIZES[0])
    assert fit_scaling_law(list(SIZES), list(y)).floor == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    "y",
    [
        np.full(9, 2.0),
        np.zeros(9),
        2 + 0.1 * np.log(SIZES / SIZES[0]),
        np.array([3.0] + [2.0] * 8),
    ],
    ids=["constant", "zero", "rising", "step"],
)
def test_losses_that_name_no_exponent(y: np.ndarray) -> None:
    assert not fit_scaling_law(list(SIZES), list(y)).is_determined


@pytest.mark.parametrize(
    ("argument", "sizes", "y"),
    [
        ("sizes", [1, 2, 3], [3, 2, 1]),
        ("sizes", [1, 2, 2, 3], [3, 2, 2, 1]),
        ("sizes", [0, 1, 2, 3], [4, 3, 2, 1]),
        ("sizes", [1, 2, 3, np.inf], [4, 3, 2, 1]),
        ("losses", [1, 2, 3, 4], [3, 2, 1]),
        ("losses", [1, 2, 3, 4], [3, 2, 1, np.nan]),
        ("losses", [1, 2, 3, 4], [3, 2, 1, -1]),
    ],
)
def test_bad_input_is_named(argument: str, sizes: list[float], y: list[float]) -> None:
    with pytest.raises(DomainError) as caught:
        fit_scaling_law(sizes, y)
    assert caught.value.argument == argument
