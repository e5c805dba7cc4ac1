"""Experiment D.5: its rule, its fits and its figure, on a small real run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spectral_rank.experiments.record import Cell, ExperimentResult, Verdict
from spectral_rank.experiments.registry import load

D5 = load(Path(__file__).parents[2] / "experiments" / "d5_structured_layers.py")
SMALL: Any = D5.config("smoke").model_copy(
    update={
        "widths": (16, 1024),
        "batches": (2, 3),
        "rounds": 2,
        "sample_seconds": 1e-5,
        "iterations": 25,
    }
)


@pytest.fixture(scope="module")
def measurements() -> list[dict[str, Any]]:
    return [D5.run_cell(SMALL, cell) for cell in D5.cells(SMALL)]


def named(measurements: list[dict[str, Any]], structure: str) -> list[dict[str, Any]]:
    return [m for m in measurements if m.get("structure") == structure]


def with_ratios(measurements: list[dict[str, Any]], ratio: float) -> list[dict[str, Any]]:
    """The measurements with every structured time set to the dense one over a ratio."""

    def changed(measurement: Cell) -> Cell:
        if measurement["kind"] != "cost":
            return measurement
        dense = measurement["layers"]["dense"]
        times = {which: [t / ratio for t in dense[which]] for which in ("forward", "step")}
        layers = {
            name: layer if name == "dense" else layer | times
            for name, layer in measurement["layers"].items()
        }
        return measurement | {"layers": layers}

    return [changed(measurement) for measurement in measurements]


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [(2.0, Verdict.REFUTED), (9.9, Verdict.REFUTED), (10.5, Verdict.CONFIRMED)],
)
def test_rule(measurements: list[dict[str, Any]], ratio: float, verdict: Verdict) -> None:
    analysis = D5.analyse(SMALL, with_ratios(measurements, ratio))
    assert analysis.verdict == verdict
    assert analysis.numbers["monarch: least speed-up, step"].value == pytest.approx(ratio)


def test_rule_is_undecided_where_an_interval_covers_ten(measurements: list[dict[str, Any]]) -> None:
    fast, slow = with_ratios(measurements, 30.0), with_ratios(measurements, 5.0)
    first = [m["seed"] == SMALL.seeds[0] for m in measurements]
    mixed = [s if early else f for early, s, f in zip(first, slow, fast, strict=True)]
    assert D5.analyse(SMALL, mixed).verdict == Verdict.UNDECIDED


def test_small_widths_do_not_decide(measurements: list[dict[str, Any]]) -> None:
    fast, slow = with_ratios(measurements, 30.0), with_ratios(measurements, 0.1)
    mixed = [s if s.get("width") == 16 else f for s, f in zip(slow, fast, strict=True)]
    assert D5.analyse(SMALL, mixed).verdict == Verdict.CONFIRMED


def test_no_fit_beats_what_theory_allows(measurements: list[dict[str, Any]]) -> None:
    for measurement in named(measurements, "low rank"):
        assert measurement["teacher_distance"] >= measurement["least_teacher_distance"]


def test_dense_fit_finds_the_teacher() -> None:
    patient = SMALL.model_copy(update={"iterations": 300})
    fit = D5.run_cell(patient, {"kind": "accuracy", "seed": 0, "structure": "dense"})
    assert fit["teacher_distance"] < 1e-4
    assert fit["unexplained"] == pytest.approx(fit["unexplained_by_teacher"], rel=1e-4)


def test_fits_repeat() -> None:
    cell = {"kind": "accuracy", "seed": 1, "structure": "circulant"}
    first, second = (D5.run_cell(SMALL, cell) for _ in range(2))
    # The order of a sum may depend on where memory lies: the last digits are not repeated.
    for key in ("unexplained", "teacher_distance"):
        assert first[key] == pytest.approx(second[key], rel=1e-9)


def test_figure(measurements: list[dict[str, Any]], tmp_path: Path) -> None:
    result = ExperimentResult(
        id=D5.id,
        question=D5.question,
        prediction=D5.prediction,
        rule=D5.rule,
        theorems=D5.theorems,
        config=SMALL.model_dump(mode="json"),
        config_hash=SMALL.digest(),
        measurements=measurements,
        analysis=D5.analyse(SMALL, measurements),
        seconds=0.0,
    )
    D5.draw(result, tmp_path / "d5.svg")
    assert "<svg" in (tmp_path / "d5.svg").read_text(encoding="utf-8")
