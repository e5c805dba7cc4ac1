"""Experiment D.6: its rule, and its figure on a small real run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spectral_rank.experiments.record import ExperimentResult, Verdict
from spectral_rank.experiments.registry import load

D6 = load(Path(__file__).parents[2] / "experiments" / "d6_interpretation.py")
CPU: Any = D6.config("cpu")
SMALL: Any = D6.config("smoke").model_copy(
    update={"options": CPU.options.model_copy(update={"max_steps": 5, "check_every": 5})}
)


def agreeing(series: int) -> list[dict[str, Any]]:
    """Measurements of which most seeds agree on the first ``series`` series."""
    rows = []
    for cell in D6.cells(CPU):
        readable = CPU.series.index(cell["series"]) < series
        trained = {"agrees": (cell["seed"] < 6) == readable, "season_error": 0.1 * cell["seed"]}
        rows.append({**cell, "trained": trained, "untrained": {"agrees": False}})
    return rows


@pytest.mark.parametrize(
    ("series", "verdict"),
    [
        (5, Verdict.CONFIRMED),
        (4, Verdict.CONFIRMED),
        (3, Verdict.UNDECIDED),
        (2, Verdict.REFUTED),
        (0, Verdict.REFUTED),
    ],
)
def test_the_rule_decides(series: int, verdict: Verdict) -> None:
    analysis = D6.analyse(CPU, agreeing(series))
    assert analysis.verdict == verdict
    assert analysis.numbers["agreeing maps, untrained"].value == 0


def test_a_small_run_repeats_and_is_drawn(tmp_path: Path) -> None:
    cells = D6.cells(SMALL)
    measurements = [json.loads(json.dumps(D6.run_cell(SMALL, cell))) for cell in cells]
    again = D6.run_cell(SMALL, cells[0])
    assert again["trained"]["period"] == measurements[0]["trained"]["period"]
    result = ExperimentResult(
        id=D6.id,
        question=D6.question,
        prediction=D6.prediction,
        rule=D6.rule,
        theorems=D6.theorems,
        config=SMALL.model_dump(mode="json"),
        config_hash=SMALL.digest(),
        measurements=measurements,
        analysis=D6.analyse(SMALL, measurements),
        seconds=0.0,
    )
    D6.draw(result, tmp_path / "d6.svg")
    assert "<svg" in (tmp_path / "d6.svg").read_text(encoding="utf-8")[:1000]
