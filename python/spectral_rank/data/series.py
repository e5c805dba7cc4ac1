"""A real time series: its values, its season, and the gaps it had before they were filled.

A gap is reported and then refused or filled by a stated policy, never silently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from spectral_rank.formulas.domain import DomainError, integer

FloatArray = npt.NDArray[np.float64]

GapPolicy = Literal["refuse", "interpolate", "ffill"]
"""What happens to missing values: ``interpolate`` draws a line across a gap, and so looks at the
value behind it; ``ffill`` repeats the value before it, and looks at nothing later."""

SHORTEST = 3
"""A series needs two differences before anything about it can be forecast or scaled."""


class SeriesError(ValueError):
    """A series that cannot be used, with the file, the column and the rule it breaks."""

    def __init__(self, source: str, column: str | None, rule: str) -> None:
        where = source if column is None else f"{source}, column {column!r}"
        super().__init__(f"{where}: {rule}")
        self.source = source
        self.column = column
        self.rule = rule

    def __reduce__(self) -> tuple[type[SeriesError], tuple[str, str | None, str]]:
        return type(self), (self.source, self.column, self.rule)


@dataclass(frozen=True)
class Gap:
    """A run of missing values.

    Attributes:
        start: index of the first missing value, from 0.
        length: number of missing values, at least 1.
    """

    start: int
    length: int


@dataclass(frozen=True, eq=False)
class Series:
    """A series at equal steps without missing values.

    Attributes:
        source: file or data set it comes from.
        column: name of the column.
        values: shape ``(n,)``, finite, not constant, in the order of time.
        season: steps in one period of its known seasonality; 1 for none.
        step: the step in words, such as ``month``.
        gaps: the runs of missing values before they were filled.
        policy: how they were filled.
    """

    source: str
    column: str
    values: FloatArray
    season: int = 1
    step: str = "row"
    gaps: tuple[Gap, ...] = ()
    policy: GapPolicy = "refuse"

    def __len__(self) -> int:
        return len(self.values)

    def gaps_in_words(self) -> str:
        """What was missing and how it was filled, for a report."""
        if not self.gaps:
            return "no gaps"
        return f"{_in_words(self.gaps, len(self))}, filled by {self.policy}"


def clean_series(
    source: str,
    column: str,
    values: npt.ArrayLike,
    *,
    season: int = 1,
    step: str = "row",
    policy: GapPolicy = "refuse",
) -> Series:
    """A usable series from values among which NaN means missing.

    Args:
        source: file or data set, for messages.
        column: name of the column, for messages.
        values: shape ``(n,)``, in the order of time.
        season: steps in one period, at least 1.
        step: the step in words.
        policy: what happens to missing values.

    Raises:
        SeriesError: if there are gaps and the policy is ``refuse``, if a gap lies where the policy
            has nothing to fill it from, or if the series is too short, constant or infinite.
        DomainError: if the season or the policy is not one.
    """
    if policy not in get_args(GapPolicy):
        raise DomainError("policy", policy, f"one of {', '.join(get_args(GapPolicy))}")
    season = integer("season", season, at_least=1)
    raw = np.array(values, dtype=np.float64)
    if raw.ndim != 1 or np.isinf(raw).any():
        raise SeriesError(source, column, "one finite number per step is needed")
    gaps = find_gaps(raw)
    if gaps and policy == "refuse":
        report = _in_words(gaps, len(raw))
        raise SeriesError(
            source, column, f"{report}; fill them with the gap policy interpolate or ffill"
        )
    filled = _fill(source, column, raw, policy) if gaps else raw
    if len(filled) < SHORTEST:
        raise SeriesError(source, column, f"{len(filled)} values; at least {SHORTEST} are needed")
    if np.ptp(filled) == 0:
        raise SeriesError(source, column, f"constant at {filled[0]:g}: nothing to forecast")
    filled.flags.writeable = False
    return Series(source, column, filled, season, step, gaps, policy)


def find_gaps(values: FloatArray) -> tuple[Gap, ...]:
    """The runs of NaN in an array of shape ``(n,)``, in order."""
    missing = np.concatenate([[False], np.isnan(values), [False]])
    edges = np.flatnonzero(missing[1:] != missing[:-1])
    return tuple(
        Gap(int(start), int(end - start))
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    )


def _fill(source: str, column: str, values: FloatArray, policy: GapPolicy) -> FloatArray:
    known = np.flatnonzero(~np.isnan(values))
    if len(known) == 0 or known[0] > 0:
        raise SeriesError(source, column, "starts with a missing value: cut these rows")
    index = np.arange(len(values))
    if policy == "ffill":
        latest = known[np.searchsorted(known, index, side="right") - 1]
        return np.asarray(values[latest])
    if known[-1] < len(values) - 1:
        raise SeriesError(
            source, column, "ends with a missing value: cut these rows, or choose ffill"
        )
    return np.asarray(np.interp(index, known, values[known]))


def _in_words(gaps: tuple[Gap, ...], length: int) -> str:
    missing = sum(gap.length for gap in gaps)
    longest = max(gaps, key=lambda gap: gap.length)
    return (
        f"{missing} of {length} values missing in {len(gaps)} gap{'s' * (len(gaps) > 1)}, "
        f"the longest of {longest.length} at index {longest.start}"
    )
