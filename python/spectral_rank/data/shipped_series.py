"""The real series that ship with statsmodels, read from its CSV files."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spectral_rank.data.csv_series import numbers, read_table
from spectral_rank.data.series import GapPolicy, Series, SeriesError, clean_series
from spectral_rank.formulas.domain import DomainError


@dataclass(frozen=True)
class Shipped:
    """Where a series stands in statsmodels, and what is known of its season.

    Attributes:
        file: path below ``statsmodels/datasets``.
        columns: its column; several are the seasons of a row, read row by row.
        season: steps in one period of the known seasonality; 1 for none.
        step: the step in words.
        cause: what makes the season, or why there is none.
    """

    file: str
    columns: tuple[str, ...]
    season: int
    step: str
    cause: str


MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
ADJUSTED = "seasonally adjusted by its source"
UNADJUSTED_YEAR = "the calendar year"

SHIPPED = {
    "sunspots": Shipped(
        "sunspots/sunspots.csv",
        ("SUNACTIVITY",),
        11,
        "year",
        "the solar cycle, 11 years on average",
    ),
    "co2": Shipped(
        "co2/co2.csv", ("co2",), 52, "week", "plant growth of the northern hemisphere, one year"
    ),
    "elnino": Shipped("elnino/elnino.csv", MONTH_NAMES, 12, "month", UNADJUSTED_YEAR),
    "nile": Shipped("nile/nile.csv", ("volume",), 1, "year", "yearly totals have no season"),
    "electrical": Shipped(
        "elec_equip/elec_equip.csv",
        ("STS.M.I7.W.TOVT.NS0016.4.000",),
        12,
        "month",
        UNADJUSTED_YEAR,
    ),
    "german_inflation": Shipped(
        "interest_inflation/E6.csv", ("Dp",), 4, "quarter", UNADJUSTED_YEAR
    ),
    "gdp": Shipped("macrodata/macrodata.csv", ("realgdp",), 1, "quarter", ADJUSTED),
    "unemployment": Shipped("macrodata/macrodata.csv", ("unemp",), 1, "quarter", ADJUSTED),
    "interest": Shipped("macrodata/macrodata.csv", ("tbilrate",), 1, "quarter", "a market rate"),
    "inflation": Shipped("macrodata/macrodata.csv", ("infl",), 1, "quarter", ADJUSTED),
}
"""The series of the experiments, by their name there."""


def shipped(name: str, policy: GapPolicy = "refuse") -> Series:
    """A real series that ships with statsmodels.

    Args:
        name: one of `SHIPPED`.
        policy: what happens to missing values; only ``co2`` has any.

    Raises:
        DomainError: if there is no series of that name.
        SeriesError: if statsmodels is not installed, or there are gaps and the policy refuses them.
    """
    if name not in SHIPPED:
        raise DomainError("name", name, f"one of {', '.join(SHIPPED)}")
    entry = SHIPPED[name]
    path = _datasets_folder() / entry.file
    table = read_table(path)
    # The step is known, and the files have a row for every step, so that rows count as steps.
    columns = [numbers(path, column, table[column]) for column in entry.columns]
    return clean_series(
        f"statsmodels {entry.file}",
        entry.columns[0] if len(columns) == 1 else f"{entry.columns[0]} to {entry.columns[-1]}",
        np.stack(columns, axis=1).ravel(),
        season=entry.season,
        step=entry.step,
        policy=policy,
    )


def _datasets_folder() -> Path:
    found = importlib.util.find_spec("statsmodels")
    if found is None or found.origin is None:
        raise SeriesError("statsmodels", None, "is not installed: pip install statsmodels")
    return Path(found.origin).parent / "datasets"
