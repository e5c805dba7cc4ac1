"""A series from a column of any CSV file with a header."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np

from spectral_rank.data.series import FloatArray, GapPolicy, Series, SeriesError, clean_series
from spectral_rank.data.time_axis import (
    SEASONS,
    TimeAxisError,
    parse_dates,
    positions_of_dates,
    positions_of_numbers,
)

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "."})
"""Spellings of a missing value, in lower case."""

DELIMITERS = (",", ";", "\t")

STEP_LIMIT = 10_000_000
"""More grid steps than this mean a wrong time column, not a long series."""

Table = dict[str, list[str]]
"""The cells of each column, in the order of the file."""


def read_csv(
    path: Path,
    column: str | None = None,
    *,
    time: str | None = None,
    season: int | None = None,
    policy: GapPolicy = "refuse",
) -> Series:
    """One column of a CSV file as a series.

    Args:
        path: a text file in UTF-8 with a header line; comma, semicolon or tab between the cells.
        column: name of the column; ``None`` takes the only numeric one.
        time: name of the column of times, whose missing rows are gaps; ``None`` takes the first
            column if all its cells are ISO dates, and otherwise counts rows; ``rows`` counts rows.
        season: steps in one period; ``None`` takes the usual one of the step, 1 without times.
        policy: what happens to missing values.

    Raises:
        SeriesError: if the file, the column or the times cannot be used; as `clean_series`.
    """
    table = read_table(path)
    times = _time_column(path, table, time, column)
    name = _value_column(path, table, column, times)
    values = numbers(path, name, table[name])
    step = "row"
    if times is not None:
        values, step = _on_grid(path, times, table[times], values)
    chosen = SEASONS.get(step, 1) if season is None else season
    return clean_series(str(path), name, values, season=chosen, step=step, policy=policy)


def read_table(path: Path) -> Table:
    """The cells of a CSV file by column.

    Raises:
        SeriesError: if the file cannot be read, has no header, a repeated or an empty name in it,
            no rows, or a row with another number of cells.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SeriesError(str(path), None, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SeriesError(str(path), None, "is no text file in UTF-8") from None
    header_line = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header_line.count)
    try:
        rows = [row for row in csv.reader(text.splitlines(), delimiter=delimiter) if row]
    except csv.Error as error:
        raise SeriesError(str(path), None, f"is no CSV file: {error}") from None
    if len(rows) < 2:
        raise SeriesError(str(path), None, "a header line and at least one row are needed")
    header = [name.strip() for name in rows[0]]
    if all(_is_number(name) for name in header):
        raise SeriesError(str(path), None, "the first line holds numbers, but must name columns")
    if len(set(header)) < len(header):
        raise SeriesError(str(path), None, "two columns have the same name")
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise SeriesError(
                str(path), None, f"row {line} has {len(row)} cells, not {len(header)}"
            )
    return {name: [row[i].strip() for row in rows[1:]] for i, name in enumerate(header)}


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _value_column(path: Path, table: Table, column: str | None, times: str | None) -> str:
    if column is not None:
        if column not in table:
            raise SeriesError(str(path), column, f"no such column; there are {', '.join(table)}")
        return column
    numeric = [
        name
        for name, cells in table.items()
        if name != times
        and all(_is_number(cell) or cell.lower() in MISSING for cell in cells)
        and any(cell.lower() not in MISSING for cell in cells)
    ]
    if len(numeric) != 1:
        found = ", ".join(numeric) or "none"
        raise SeriesError(str(path), None, f"name a column; the numeric ones are: {found}")
    return numeric[0]


def numbers(path: Path, name: str, cells: list[str]) -> FloatArray:
    """The cells of a column as numbers, NaN where one is missing.

    Raises:
        SeriesError: if a cell is neither a finite number nor a spelling of a missing one.
    """
    values = np.full(len(cells), np.nan)
    for index, cell in enumerate(cells):
        if cell.lower() in MISSING:
            continue
        if not _is_number(cell) or not math.isfinite(float(cell)):
            raise SeriesError(str(path), name, f"row {index + 2} holds {cell!r}, no finite number")
        values[index] = float(cell)
    return values


def _time_column(path: Path, table: Table, time: str | None, column: str | None) -> str | None:
    if time == "rows" and time not in table:
        return None
    if time is None:
        first = next(iter(table))
        return first if first != column and parse_dates(table[first]) is not None else None
    if time not in table:
        raise SeriesError(str(path), time, f"no such column; there are {', '.join(table)}")
    if time == column:
        raise SeriesError(str(path), time, "is both the time and the value")
    return time


def _on_grid(
    path: Path, times: str, cells: list[str], values: FloatArray
) -> tuple[FloatArray, str]:
    """The values on the grid of equal steps, NaN where a row is missing, and the step in words."""
    dates = parse_dates(cells)
    try:
        if dates is not None:
            positions, step = positions_of_dates(dates)
        else:
            positions, width = positions_of_numbers(numbers(path, times, cells).tolist())
            step = f"{width:g} of {times}"
    except TimeAxisError as error:
        raise SeriesError(
            str(path), times, f"{error}; with the time 'rows' every row counts as one step"
        ) from None
    if positions[-1] > STEP_LIMIT:
        raise SeriesError(str(path), times, f"spans {positions[-1]} steps of {step}")
    grid = np.full(positions[-1] + 1, np.nan)
    grid[positions] = values
    return grid, step
