"""The steps of a time column: equal steps, with missing rows found rather than skipped."""

from __future__ import annotations

import calendar
import itertools
from collections.abc import Sequence
from datetime import date, datetime, timedelta

SEASONS = {"hour": 24, "day": 7, "week": 52, "month": 12, "quarter": 4, "year": 1}
"""Steps in the usual season of a series with this step: the convention of the M4 competition
(Makridakis, Spiliotis and Assimakopoulos, International Journal of Forecasting 2020), but with a
weekly season for daily series, where M4 has none, and a yearly one for weekly series."""

MONTHS = {1: "month", 3: "quarter", 12: "year"}
SPANS = {timedelta(hours=1): "hour", timedelta(days=1): "day", timedelta(weeks=1): "week"}


class TimeAxisError(ValueError):
    """A time column without equal steps; the message names the line."""


def parse_dates(cells: Sequence[str]) -> list[datetime] | None:
    """The cells as dates, or ``None`` if one of them is no ISO date, date-time or ``YYYY-MM``."""
    try:
        return [_parse(cell.strip()) for cell in cells]
    except ValueError:
        return None


def _parse(cell: str) -> datetime:
    if len(cell) == 7 and cell[4] == "-":
        cell += "-01"
    return datetime.fromisoformat(cell).replace(tzinfo=None)


def positions_of_dates(dates: Sequence[datetime], first_line: int = 2) -> tuple[list[int], str]:
    """The position of each date on the grid of equal steps, and the step in words.

    Dates that share the day of the month, or all end a month, are counted in months: their steps in
    days differ.

    Args:
        dates: at least two dates.
        first_line: line of the first date in its file, for messages.

    Raises:
        TimeAxisError: if the dates do not increase, or not by multiples of the smallest step.
    """
    if _at_same_time_of_month(dates):
        months = [float(12 * day.year + day.month) for day in dates]
        positions, step = positions_of_numbers(months, first_line)
        return positions, MONTHS.get(int(step), f"{int(step)} months")
    seconds = [(day - dates[0]).total_seconds() for day in dates]
    positions, step = positions_of_numbers(seconds, first_line)
    span = timedelta(seconds=step)
    return positions, SPANS.get(span, str(span))


def positions_of_numbers(times: Sequence[float], first_line: int = 2) -> tuple[list[int], float]:
    """The position of each time on the grid of the smallest step, and that step.

    Args:
        times: at least two numbers.
        first_line: line of the first number in its file, for messages.

    Raises:
        TimeAxisError: if the times do not increase, or not by multiples of the smallest step.
    """
    steps = [after - before for before, after in itertools.pairwise(times)]
    if not steps:
        raise TimeAxisError("one row has no step: at least two are needed")
    for line, step in enumerate(steps, start=first_line + 1):
        if not step > 0:
            raise TimeAxisError(f"line {line}: the time is not later than on the line before")
    smallest = min(steps)
    positions = [0]
    for line, step in enumerate(steps, start=first_line + 1):
        count = round(step / smallest)
        if abs(step - count * smallest) > 1e-6 * smallest:
            raise TimeAxisError(
                f"line {line}: a step of {step:g}, no multiple of the smallest step {smallest:g}"
            )
        positions.append(positions[-1] + count)
    return positions, smallest


def _at_same_time_of_month(dates: Sequence[date]) -> bool:
    if len({day.day for day in dates}) == 1:
        return True
    return all(calendar.monthrange(day.year, day.month)[1] == day.day for day in dates)
