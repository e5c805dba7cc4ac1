import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_rank.data.series import Gap, SeriesError, clean_series, find_gaps
from spectral_rank.formulas.domain import DomainError

NAN = float("nan")


def test_a_series_without_gaps_is_kept_as_it_is() -> None:
    series = clean_series("file.csv", "x", [1, 2, 4], season=2, step="day")
    assert series.values.tolist() == [1, 2, 4]
    assert (series.season, series.step, series.gaps_in_words()) == (2, "day", "no gaps")


def test_values_cannot_be_changed() -> None:
    series = clean_series("file.csv", "x", [1, 2, 4])
    with pytest.raises(ValueError, match="read-only"):
        series.values[0] = 0


def test_gaps_are_refused_unless_a_policy_is_stated() -> None:
    with pytest.raises(SeriesError, match=r"file.csv, column 'x': 3 of 7 values missing in 2 gaps"):
        clean_series("file.csv", "x", [1, NAN, NAN, 4, NAN, 6, 7])


def test_the_policies_fill_what_they_say() -> None:
    values = [1, NAN, NAN, 4, 6]
    assert clean_series("f", "x", values, policy="interpolate").values.tolist() == [1, 2, 3, 4, 6]
    filled = clean_series("f", "x", values, policy="ffill")
    assert filled.values.tolist() == [1, 1, 1, 4, 6]
    assert filled.gaps == (Gap(1, 2),)
    assert filled.gaps_in_words().endswith("the longest of 2 at index 1, filled by ffill")


@pytest.mark.parametrize(
    ("values", "policy", "rule"),
    [
        ([NAN, 1, 2, 3], "ffill", "starts with a missing value"),
        ([1, 2, 3, NAN], "interpolate", "ends with a missing value"),
        ([NAN, NAN, NAN], "ffill", "starts with a missing value"),
        ([5, 5, 5, 5], "refuse", "constant at 5"),
        ([5, NAN, 5, 5], "interpolate", "constant at 5"),
        ([1, 2], "refuse", "2 values; at least 3"),
        ([], "refuse", "0 values"),
        ([1, float("inf"), 2], "refuse", "one finite number per step"),
        ([[1, 2], [3, 4]], "refuse", "one finite number per step"),
    ],
)
def test_unusable_series_are_refused_with_the_rule(values: list, policy: str, rule: str) -> None:
    with pytest.raises(SeriesError, match=rule) as error:
        clean_series("file.csv", "x", values, policy=policy)
    assert (error.value.source, error.value.column) == ("file.csv", "x")


def test_a_policy_or_season_that_is_none_is_refused() -> None:
    with pytest.raises(DomainError, match="policy"):
        clean_series("f", "x", [1, 2, 3], policy="guess")
    with pytest.raises(DomainError, match="season"):
        clean_series("f", "x", [1, 2, 3], season=0)


def test_the_error_survives_a_process_pool() -> None:
    error = pickle.loads(pickle.dumps(SeriesError("f", "x", "rule")))
    assert str(error) == "f, column 'x': rule"


@given(st.lists(st.one_of(st.none(), st.integers(-9, 9)), max_size=30))
def test_gaps_cover_exactly_the_missing_values(cells: list[int | None]) -> None:
    values = np.array([NAN if cell is None else float(cell) for cell in cells])
    covered = [i for gap in find_gaps(values) for i in range(gap.start, gap.start + gap.length)]
    assert covered == [i for i, cell in enumerate(cells) if cell is None]


@given(
    st.lists(st.one_of(st.none(), st.integers(-9, 9)), min_size=1, max_size=30),
    st.sampled_from(["interpolate", "ffill"]),
)
def test_filling_keeps_every_known_value_and_invents_no_extremes(
    cells: list[int | None], policy: str
) -> None:
    values = [0.0, *(NAN if cell is None else float(cell) for cell in cells), 10.0]
    filled = clean_series("f", "x", values, policy=policy).values
    known = ~np.isnan(values)
    assert np.array_equal(filled[known], np.array(values)[known])
    assert filled.min() == np.nanmin(values)
    assert filled.max() == np.nanmax(values)
