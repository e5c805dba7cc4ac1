from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_rank.data.time_axis import (
    TimeAxisError,
    parse_dates,
    positions_of_dates,
    positions_of_numbers,
)


@pytest.mark.parametrize(
    ("cells", "positions", "step"),
    [
        (["2020-01-31", "2020-02-29", "2020-03-31"], [0, 1, 2], "month"),
        (["2020-01", "2020-04", "2020-10"], [0, 1, 3], "quarter"),
        (["2020-12-31", "2021-12-31"], [0, 1], "year"),
        (["20240101", "20240108", "20240122"], [0, 1, 3], "week"),
        (["2024-02-28", "2024-02-29", "2024-03-01"], [0, 1, 2], "day"),
        (["2024-01-01T00:00", "2024-01-01T01:00", "2024-01-01T03:00"], [0, 1, 3], "hour"),
        (["2024-01-01 00:00:00", "2024-01-01 00:15:00"], [0, 1], "0:15:00"),
    ],
)
def test_dates_are_counted_in_their_step(cells: list[str], positions: list[int], step: str) -> None:
    dates = parse_dates(cells)
    assert dates is not None
    if step == "hour" or ":" in step:
        dates = [*dates, dates[-1] + timedelta(days=5)]
        found, word = positions_of_dates(dates)
        assert (found[:-1], word) == (positions, step)
    else:
        assert positions_of_dates(dates) == (positions, step)


def test_what_is_no_date_is_none() -> None:
    assert parse_dates(["2020-01-01", "soon"]) is None
    assert parse_dates(["3.5"]) is None


def test_one_date_has_no_step() -> None:
    with pytest.raises(TimeAxisError, match="one row"):
        positions_of_dates([datetime(2020, 1, 1)])


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=20),
    st.floats(1e-3, 1e3),
    st.floats(-1e3, 1e3),
)
def test_multiples_of_a_step_are_found(counts: list[int], step: float, start: float) -> None:
    counts = [1, *counts]
    positions = [sum(counts[:i]) for i in range(len(counts) + 1)]
    found, width = positions_of_numbers([start + step * k for k in positions])
    assert found == positions
    assert width == pytest.approx(step, rel=1e-6)
