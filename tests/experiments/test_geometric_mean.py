import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_rank.experiments.geometric_mean import geometric_interval
from spectral_rank.formulas.domain import DomainError

POSITIVE = st.lists(st.floats(1e-30, 1e30), min_size=2, max_size=6)


@given(values=POSITIVE, factor=st.floats(1e-3, 1e3))
def test_a_factor_moves_the_interval_by_that_factor(values: list[float], factor: float) -> None:
    before = geometric_interval(values)
    after = geometric_interval([factor * value for value in values])
    assert after.value == pytest.approx(factor * before.value)
    if before.low > 1e-200 and before.high < 1e200:
        assert after.low == pytest.approx(factor * before.low)
        assert after.high == pytest.approx(factor * before.high)


@given(values=POSITIVE)
def test_the_interval_of_inverses_is_the_inverse_interval(values: list[float]) -> None:
    found, inverse = geometric_interval(values), geometric_interval([1 / x for x in values])
    assert inverse.value * found.value == pytest.approx(1)
    if found.low > 1e-200 and found.high < 1e200:
        assert inverse.low * found.high == pytest.approx(1)


def test_it_covers_the_median_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    samples = 2 * np.exp(rng.standard_normal((2000, 3)))
    intervals = [geometric_interval(list(sample)) for sample in samples]
    hits = sum(interval.low <= 2 <= interval.high for interval in intervals)
    assert 0.935 < hits / len(intervals) < 0.965


def test_ends_beyond_the_floats_are_infinite_and_never_below_zero() -> None:
    found = geometric_interval([1e-300, 1e300])
    assert (found.low, found.high) == (0.0, math.inf)
    assert found.value == pytest.approx(1)


@pytest.mark.parametrize("values", [[1.0], [], [1.0, 0.0], [1.0, -2.0], [1.0, math.inf]])
def test_what_has_no_geometric_mean_is_refused(values: list[float]) -> None:
    with pytest.raises(DomainError, match="values"):
        geometric_interval(values)
