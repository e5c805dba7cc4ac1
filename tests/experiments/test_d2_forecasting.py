"""Experiment D.2: its rule on made tables, and its figure on a small real run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spectral_rank.experiments.record import ExperimentResult, Verdict
from spectral_rank.experiments.registry import load

D2 = load(Path(__file__).parents[2] / "experiments" / "d2_forecasting.py")
CPU: Any = D2.config("cpu")
SMALL: Any = D2.config("smoke").model_copy(
    update={
        "series": ("nile", "inflation"),
        "options": CPU.options.model_copy(update={"max_steps": 2, "check_every": 1}),
    }
)


def table(**factors: float) -> list[dict[str, Any]]:
    """Measurements of equal forecasters up to noise, some better or worse by a factor."""
    rng = np.random.default_rng(0)
    return [
        {
            **cell,
            "training_seconds": 1.0,
            "mase": factors.get(cell["model"].split()[0], 1.0) * rng.uniform(0.99, 1.01),
        }
        for cell in D2.cells(CPU)
    ]


@pytest.mark.parametrize(
    ("factors", "verdict"),
    [
        ({}, Verdict.CONFIRMED),
        ({"deep": 0.9}, Verdict.CONFIRMED),
        ({"deep": 1.5}, Verdict.REFUTED),
        ({"LSTM": 0.8}, Verdict.REFUTED),
        ({"patch": 0.8}, Verdict.REFUTED),
        ({"NLinear": 0.5}, Verdict.CONFIRMED),
    ],
)
def test_the_rule_decides(factors: dict[str, float], verdict: Verdict) -> None:
    analysis = D2.analyse(CPU, table(**factors))
    assert analysis.verdict == verdict


def test_wide_intervals_decide_nothing() -> None:
    measurements = table()
    for m in measurements:
        if m["model"] == "LSTM" and m["series"] in CPU.series[:5]:
            m["mase"] *= 3
        elif m["model"] == "LSTM":
            m["mase"] /= 3
    assert D2.analyse(CPU, measurements).verdict == Verdict.UNDECIDED


def test_the_reason_says_where_deep_linear_networks_lose() -> None:
    measurements = table(deep=0.5)
    for m in measurements:
        if m["model"] == "S4D" and m["series"] == "nile":
            m["mase"] = 0.25
    reason = D2.analyse(CPU, measurements).reason
    assert "nile to S4D by 10" in reason
    assert "co2" not in reason or "deep linear 32" in reason


def test_a_small_run_repeats_and_is_drawn(tmp_path: Path) -> None:
    cells = D2.cells(SMALL)
    measurements = [D2.run_cell(SMALL, cell) for cell in cells]
    again = D2.run_cell(SMALL, cells[-1])
    assert again["mase"] == measurements[-1]["mase"]
    result = ExperimentResult(
        id=D2.id,
        question=D2.question,
        prediction=D2.prediction,
        rule=D2.rule,
        theorems=D2.theorems,
        config=SMALL.model_dump(mode="json"),
        config_hash=SMALL.digest(),
        measurements=measurements,
        analysis=D2.analyse(SMALL, measurements),
        seconds=0.0,
    )
    D2.draw(result, tmp_path / "d2.svg")
    assert "<svg" in (tmp_path / "d2.svg").read_text(encoding="utf-8")[:1000]
