"""Records: what they refuse, what survives JSON, and files that are whole or not there."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from spectral_rank.atomic_file import write_atomically
from spectral_rank.experiments.record import (
    Analysis,
    Config,
    ExperimentResult,
    Interval,
    Verdict,
    finite_or_none,
    mean_interval,
)
from spectral_rank.formulas.domain import DomainError
from spectral_rank.provenance import device_in_words, versions

REALS = st.floats(allow_nan=False)


def result(interval: Interval, **changes: object) -> ExperimentResult:
    fields: dict[str, object] = {
        "id": "T.1",
        "question": "?",
        "prediction": "!",
        "rule": "if",
        "theorems": (),
        "config": {"profile": "smoke", "seeds": [0]},
        "config_hash": "0",
        "measurements": [{"x": 0.1}],
        "analysis": Analysis(numbers={"x": interval}, verdict=Verdict.UNDECIDED, reason="so"),
        "seconds": 1.0,
    }
    return ExperimentResult.model_validate(fields | changes)


@given(REALS, st.tuples(REALS, REALS).map(sorted), st.integers(1, 10**9))
def test_a_result_survives_json(value: float, ends: list[float], count: int) -> None:
    stored = result(Interval(value=value, low=ends[0], high=ends[1], count=count))
    assert ExperimentResult.model_validate_json(stored.model_dump_json()) == stored


@pytest.mark.parametrize(
    "broken",
    [
        {"value": math.nan},
        {"low": math.nan},
        {"low": 3.0},
        {"level": 1.0},
        {"level": 0.0},
        {"count": 0},
    ],
)
def test_what_is_no_interval_is_refused(broken: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Interval.model_validate({"value": 1.0, "low": 0.0, "high": 2.0, "count": 3} | broken)


def test_a_result_from_before_there_were_instances_loads() -> None:
    stored = result(Interval(value=0, low=0, high=0, count=1), instances=("Experiment_T_1_cpu_W",))
    assert ExperimentResult.model_validate_json(stored.model_dump_json()) == stored
    old = stored.model_dump_json(exclude={"instances"})
    assert ExperimentResult.model_validate_json(old).instances == ()


def test_a_record_of_another_layout_is_refused() -> None:
    with pytest.raises(ValidationError, match="schema_version"):
        result(Interval(value=0, low=0, high=0, count=1), schema_version=2)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20),
    st.sampled_from([0.5, 0.9, 0.95, 0.99]),
)
def test_the_mean_interval_is_students(values: list[float], level: float) -> None:
    interval = mean_interval(values, level)
    deviation = np.std(values, ddof=1) / math.sqrt(len(values))
    half = deviation * stats.t.isf((1 - level) / 2, len(values) - 1)
    scale = max(map(abs, values))
    assert interval.value == pytest.approx(np.mean(values), abs=1e-9 * scale)
    assert interval.high - interval.value == pytest.approx(half, rel=1e-6, abs=1e-9 * scale)
    assert interval.value - interval.low == pytest.approx(half, rel=1e-6, abs=1e-9 * scale)
    assert (interval.count, interval.level) == (len(values), level)


def test_the_mean_interval_covers_as_often_as_it_says() -> None:
    samples = np.random.default_rng(0).normal(size=(1000, 3))
    inside = [(i := mean_interval(sample)).low <= 0 <= i.high for sample in samples]
    assert stats.binomtest(sum(inside), 1000, 0.95).pvalue > 0.01


@pytest.mark.parametrize("values", [[], [1.0], [1.0, math.nan], [1.0, math.inf]])
def test_too_few_or_no_numbers_have_no_interval(values: list[float]) -> None:
    with pytest.raises(DomainError, match="at least two finite numbers"):
        mean_interval(values)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_a_level_is_a_probability(level: float) -> None:
    with pytest.raises(DomainError, match="level"):
        mean_interval([1.0, 2.0], level)


class Sizes(Config):
    width: int = 8


def test_the_digest_names_all_settings() -> None:
    settings = Sizes(profile="cpu", seeds=(0, 1))
    others = [
        Sizes(profile="cpu", seeds=(0, 1), width=9),
        Sizes(profile="cpu", seeds=(1, 0)),
        Sizes(profile="smoke", seeds=(0, 1)),
    ]
    assert settings.digest() == Sizes(seeds=(0, 1), profile="cpu").digest()
    assert len({settings.digest(), *(other.digest() for other in others)}) == 4


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.json"
    write_atomically(path, "first")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "x" * 10**6 + "\ud800")
    assert [(p.name, p.read_text()) for p in path.parent.iterdir()] == [("file.json", "first")]


def test_versions_and_device_are_told() -> None:
    assert {"python", "numpy", "torch"} <= versions().keys()
    assert "2 threads per cell" in device_in_words(2)
    assert device_in_words().endswith("1 thread per cell") or "cuda" in device_in_words().lower()


def test_json_knows_only_finite_numbers() -> None:
    assert [finite_or_none(x) for x in (1.5, math.inf, -math.inf, math.nan)] == [1.5, *3 * [None]]
