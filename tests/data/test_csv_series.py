from pathlib import Path

import numpy as np
import pytest

from spectral_rank.data.csv_series import read_csv
from spectral_rank.data.series import SeriesError
from spectral_rank.formulas.domain import DomainError


def write(folder: Path, text: str) -> Path:
    path = folder / "data.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_only_numeric_column_is_found(tmp_path: Path) -> None:
    path = write(tmp_path, "name,x\na,1\nb,2\nc,4\n")
    series = read_csv(path)
    assert (series.column, series.values.tolist(), series.season) == ("x", [1, 2, 4], 1)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_and_a_byte_order_mark_are_understood(tmp_path: Path, delimiter: str) -> None:
    path = write(
        tmp_path, f"\ufeffx{delimiter}y\r\n1{delimiter}7\r\n2{delimiter}8\r\n4{delimiter}9"
    )
    assert read_csv(path, "x").values.tolist() == [1, 2, 4]
    assert read_csv(path, "y").values.tolist() == [7, 8, 9]


def test_missing_values_are_found_in_every_spelling(tmp_path: Path) -> None:
    path = write(tmp_path, "k,x\na,1\nb,\nc,NA\nd,NaN\ne,.\nf,6\n")
    with pytest.raises(SeriesError, match="4 of 6 values missing in 1 gap, the longest of 4"):
        read_csv(path)
    assert read_csv(path, policy="interpolate").values.tolist() == [1, 2, 3, 4, 5, 6]


def test_missing_months_are_gaps_and_months_have_a_season(tmp_path: Path) -> None:
    path = write(tmp_path, "month,x\n2020-01,1\n2020-02,2\n2020-04,4\n2020-05,5\n")
    with pytest.raises(SeriesError, match="1 of 5 values missing"):
        read_csv(path)
    series = read_csv(path, policy="ffill")
    assert (series.values.tolist(), series.step, series.season) == ([1, 2, 2, 4, 5], "month", 12)


def test_days_of_a_week_count_as_steps_and_rows_count_on_request(tmp_path: Path) -> None:
    days = ["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09"]
    path = write(tmp_path, "day,x\n" + "\n".join(f"{day},{i}" for i, day in enumerate(days)))
    with pytest.raises(SeriesError, match="2 of 6 values missing"):
        read_csv(path)
    assert read_csv(path, time="rows").values.tolist() == [0, 1, 2, 3]


def test_a_numeric_time_column_is_used_when_it_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "year,x\n1900,1\n1902,2\n1906,4\n1908,5\n")
    series = read_csv(path, "x", time="year", policy="interpolate")
    assert (series.values.tolist(), series.step) == ([1, 2, 3, 4, 5], "2 of year")


@pytest.mark.parametrize(
    ("text", "options", "rule"),
    [
        ("", {}, "a header line and at least one row"),
        ("x\n", {}, "a header line and at least one row"),
        ("1,2\n3,4\n", {}, "must name columns"),
        ("x,x\n1,2\n", {}, "same name"),
        ("x,y\n1,2\n3\n", {}, "row 3 has 1 cells, not 2"),
        ("x,y\n1,2\n3,4\n", {}, "the numeric ones are: x, y"),
        ("x\na\nb\n", {}, "the numeric ones are: none"),
        ("x\n1\n2\n3\n", {"column": "z"}, "column 'z': no such column; there are x"),
        ("x,y\n1,a\n2,b\n3,c\n", {"column": "y"}, "row 2 holds 'a', no finite number"),
        ("x\n1\n2\ninf\n", {}, "row 4 holds 'inf'"),
        ("x\n7\n7\n7\n", {}, "constant at 7"),
        ("x,y\n1,2\n2,3\n3,4\n", {"column": "x", "time": "z"}, "column 'z': no such column"),
        ("x,y\n1,2\n2,3\n3,4\n", {"column": "x", "time": "x"}, "both the time and the value"),
        ("t,x\n1,2\n1,3\n3,4\n", {"column": "x", "time": "t"}, "line 3: the time is not later"),
        ("t,x\n0,2\n2,3\n5,4\n", {"column": "x", "time": "t"}, "line 4: a step of 3, no multiple"),
        ("t,x\n0,2\n1,3\n1e9,4\n", {"column": "x", "time": "t"}, "spans 1000000000 steps"),
    ],
)
def test_bad_files_are_refused_with_file_and_rule(
    tmp_path: Path, text: str, options: dict[str, str], rule: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SeriesError, match=rule) as error:
        read_csv(path, **options)
    assert error.value.source == str(path)


def test_a_season_of_zero_is_refused_not_replaced(tmp_path: Path) -> None:
    path = write(tmp_path, "x\n1\n2\n4\n")
    with pytest.raises(DomainError, match="season = 0"):
        read_csv(path, season=0)


def test_a_missing_or_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SeriesError, match="cannot be read"):
        read_csv(tmp_path / "absent.csv")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(bytes(range(256)))
    with pytest.raises(SeriesError, match="no text file in UTF-8"):
        read_csv(binary)


def test_values_keep_their_order_and_precision(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal(50)
    path = write(tmp_path, "x\n" + "\n".join(repr(float(value)) for value in values))
    assert np.array_equal(read_csv(path).values, values)
