import numpy as np
import pytest

from spectral_rank.data.series import SeriesError
from spectral_rank.data.shipped_series import SHIPPED, shipped
from spectral_rank.formulas.domain import DomainError

LENGTHS = {"sunspots": 309, "co2": 2284, "elnino": 732, "nile": 100, "electrical": 257, "gdp": 203}
"""As the pages of statsmodels' data sets state them (co2: its weeks, with the missing ones)."""


@pytest.mark.parametrize("name", SHIPPED)
def test_every_series_is_there_and_usable(name: str) -> None:
    series = shipped(name, "interpolate")
    assert len(series) == LENGTHS.get(name, len(series))
    assert np.all(np.isfinite(series.values))


def test_the_months_of_el_nino_are_read_row_by_row() -> None:
    values = shipped("elnino").values
    assert values[:2].tolist() == [23.11, 24.20]
    assert values[11:13].tolist() == [21.80, 24.19]


def test_the_gaps_of_co2_are_refused_or_reported() -> None:
    with pytest.raises(SeriesError, match="59 of 2284 values missing"):
        shipped("co2")
    assert sum(gap.length for gap in shipped("co2", "ffill").gaps) == 59


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(DomainError, match="sunspots"):
        shipped("stocks")
