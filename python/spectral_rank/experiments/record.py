"""The record of an experiment: what was asked, done, measured and decided."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from spectral_rank.formulas.domain import DomainError
from spectral_rank.provenance import device_in_words, versions

Profile = Literal["smoke", "cpu", "gpu"]

Cell = dict[str, Any]
"""One independent unit of an experiment's work: its condition and its seed, as JSON values."""


class Verdict(StrEnum):
    """What the decision rule, written before the run, says of the prediction."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNDECIDED = "undecided"


class Interval(BaseModel):
    """An estimate with its interval; an end, or the estimate, may be infinite but never NaN.

    Attributes:
        value: the estimate.
        low: lower end.
        high: upper end, at least ``low``.
        level: confidence level, in (0, 1).
        count: number of independent observations, such as seeds, at least 1.

    Raises:
        pydantic.ValidationError: a ``ValueError``, if one of these rules is broken.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    value: float
    low: float
    high: float
    level: float = Field(default=0.95, gt=0, lt=1)
    count: int = Field(ge=1)

    @model_validator(mode="after")
    def _is_an_interval(self) -> Self:
        if math.isnan(self.value) or not self.low <= self.high:
            found = f"value {self.value}, low {self.low}, high {self.high}"
            raise ValueError(f"{found}: no number may be NaN, and low must not exceed high")
        return self


class Config(BaseModel):
    """Base of every experiment's configuration; its hash names the result.

    Attributes:
        profile: ``smoke``, ``cpu`` or ``gpu``.
        seeds: seeds of the independent repetitions.
    """

    model_config = ConfigDict(frozen=True)

    profile: Profile
    seeds: tuple[int, ...]

    def digest(self) -> str:
        """The first 12 hexadecimal digits of a hash of all settings."""
        return short_hash(json.dumps(self.model_dump(mode="json"), sort_keys=True))


class Analysis(BaseModel):
    """What an experiment concludes from its measurements.

    Attributes:
        numbers: the estimates that decide or inform, by name.
        verdict: the outcome of the decision rule.
        reason: the rule applied to the numbers, in one or two sentences.
    """

    numbers: dict[str, Interval]
    verdict: Verdict
    reason: str


class ExperimentResult(BaseModel):
    """Everything one run of an experiment found, with what it takes to repeat it.

    Attributes:
        schema_version: version of this record's layout.
        id: number in the research plan, such as ``D.1``.
        question: the question.
        prediction: what the plan or the theory predicts.
        rule: the decision rule, written before the run.
        theorems: Lean names of the theorems it meets.
        config: all settings, seeds included.
        config_hash: `Config.digest` of them.
        code_hash: hash of the code in the experiment's file that measured.
        measurements: the result of each cell, in the order of the cells.
        analysis: estimates, verdict and reason.
        versions: versions of Python and of the libraries that computed.
        device: processor or accelerator, and the number of threads of each cell.
        finished: end of the run, UTC.
        seconds: sum of the times of the cells.
        instances: files of lean/SpectralRank/Measured, without suffix, whose theorems certify
            measured numbers of this result; ``spectral-rank instances`` writes them.
    """

    schema_version: Literal[1] = 1
    id: str
    question: str
    prediction: str
    rule: str
    theorems: tuple[str, ...]
    config: dict[str, Any]
    config_hash: str
    code_hash: str = ""
    measurements: list[dict[str, Any]]
    analysis: Analysis
    versions: dict[str, str] = Field(default_factory=versions)
    device: str = Field(default_factory=device_in_words)
    finished: datetime = Field(default_factory=lambda: datetime.now(UTC))
    seconds: float
    instances: tuple[str, ...] = ()


def short_hash(text: str) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def mean_interval(values: list[float] | np.ndarray[Any, Any], level: float = 0.95) -> Interval:
    """The mean of independent repetitions with its Student interval.

    Args:
        values: at least two finite numbers, one per seed.
        level: confidence level.

    Raises:
        DomainError: if there are fewer than two values, one is not finite, or the level is not
            in (0, 1).
    """
    from scipy import stats  # takes a second to import, and only an analysis needs it

    array = np.asarray(values, dtype=float)
    if array.size < 2 or not np.all(np.isfinite(array)):
        raise DomainError("values", values, "at least two finite numbers")
    if not 0 < level < 1:
        raise DomainError("level", level, "a real number in (0, 1)")
    half = stats.sem(array, axis=None) * stats.t.ppf((1 + level) / 2, array.size - 1)
    mean = float(array.mean())
    return Interval(
        value=mean, low=mean - half, high=mean + half, level=level, count=int(array.size)
    )


def finite_or_none(value: float) -> float | None:
    """A number for a JSON record, which knows no NaN and no infinity."""
    return value if math.isfinite(value) else None
