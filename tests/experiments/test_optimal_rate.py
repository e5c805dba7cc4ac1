import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_rank.experiments.optimal_rate import optimal_rate
from spectral_rank.formulas.domain import DomainError

RATES = [1e-3 * 2**k for k in range(6)]


@given(place=st.floats(1.0, 4.0), curvature=st.floats(1e-3, 10), floor=st.floats(0, 5))
def test_the_vertex_of_a_parabola_is_found(place: float, curvature: float, floor: float) -> None:
    losses = [floor + curvature * (k - place) ** 2 for k in range(6)]
    found = optimal_rate(RATES, losses)
    assert found.log_rate.is_known
    assert found.rate == pytest.approx(1e-3 * 2**place, rel=1e-6)


@given(
    steps=st.lists(st.floats(0.1, 2), min_size=5, max_size=5),
    share=st.floats(0.0, 1.0),
    curvature=st.floats(0.01, 10),
)
def test_rates_need_not_be_evenly_spaced(
    steps: list[float], share: float, curvature: float
) -> None:
    x = np.cumsum([0, *steps])
    place = x[2] + share * (x[3] - x[2])
    found = optimal_rate(np.exp(x), curvature * (x - place) ** 2)
    assert math.log(found.rate) == pytest.approx(place, abs=1e-6)


@given(losses=st.lists(st.floats(0, 9) | st.none(), min_size=6, max_size=6).filter(any))
def test_the_optimum_is_within_half_a_step_of_the_best_rate(losses: list) -> None:
    found = optimal_rate(RATES, losses)
    known = [math.inf if loss is None else loss for loss in losses]
    best = int(np.argmin(known))
    assert found.loss == min(known)
    assert found.log_rate.is_known == (0 < best < 5)
    assert (
        abs(math.log2(found.rate / RATES[best])) <= (0.5 if found.log_rate.is_known else 0) + 1e-9
    )


def test_a_neighbour_that_diverged_is_the_limit_of_a_large_loss() -> None:
    rates = [1.0, 2.0, 4.0]
    assert optimal_rate(rates, [1.5, 1.0, None]).rate == pytest.approx(2**0.5)
    assert optimal_rate(rates, [1.5, 1.0, 1e12]).rate == pytest.approx(2**0.5)
    assert optimal_rate(rates, [None, 1.0, 1.5]).rate == pytest.approx(2**1.5)
    assert optimal_rate(rates, [None, 1.0, None]).rate == pytest.approx(2)


@given(curvature=st.floats(0.01, 10), place=st.floats(-5, 10))
def test_the_bounds_hold_an_optimum_beyond_the_sweep(curvature: float, place: float) -> None:
    losses = [curvature * (k - place) ** 2 for k in range(6)]
    found, true = optimal_rate(RATES, losses).log_rate, math.log(1e-3) + place * math.log(2)
    assert found.low - 1e-6 <= true <= found.high + 1e-6
    assert found.is_known == (0 < round(place) < 5) or abs(place % 1 - 0.5) < 1e-9


@pytest.mark.parametrize(
    ("argument", "rates", "losses"),
    [
        ("rates", [1, 2], [1, 2]),
        ("rates", [1, 3, 2], [1, 2, 3]),
        ("rates", [0, 1, 2], [1, 2, 3]),
        ("losses", [1, 2, 4], [1, 2]),
        ("losses", [1, 2, 4], [1, 2, math.nan]),
        ("losses", [1, 2, 4], [None, None, None]),
    ],
)
def test_bad_sweeps_are_named(argument: str, rates: list, losses: list) -> None:
    with pytest.raises(DomainError) as caught:
        optimal_rate(rates, losses)
    assert caught.value.argument == argument
