import json
import math
import sys

import numpy as np
import pytest

from spectral_rank.experiments.record import ExperimentResult, Interval, Verdict
from spectral_rank.experiments.registry import EXPERIMENTS, load

RATES = load(EXPERIMENTS / "e4_3_learning_rate.py")
CPU = RATES.config("cpu").model_copy(update={"seeds": (4, 7, 9)})


def function(name):
    return getattr(sys.modules[RATES.run_cell.__module__], name)


def measurements(best_rate, spread: float = 0.02, cells: list | None = None) -> list[dict]:
    """Losses on parabolas in the logarithm of the rate; the best rate differs between seeds."""
    shift = {seed: spread * (-1) ** k * k for k, seed in enumerate(CPU.seeds)}
    found = []
    for cell in cells or RATES.cells(CPU):
        # Rank one has another sign, so that the spread is not lost in the ratio.
        noise = shift[cell["seed"]] * (-1 if cell["rank"] == 1 else 1)
        distance = math.log(cell["rate"] / best_rate(cell["rank"])) + noise
        found.append(cell | {"loss": 2 + 1 / cell["rank"] + 0.05 * distance**2})
    return found


MIDDLE = CPU.rates[2]


@pytest.mark.parametrize(
    ("best_rate", "spread", "verdict"),
    [
        (lambda rank: MIDDLE * (1 if rank == 1 else 1.5), 0.02, Verdict.CONFIRMED),
        (lambda rank: MIDDLE * (1 if rank == 1 else 4), 0.02, Verdict.REFUTED),
        (lambda rank: MIDDLE * (1 if rank == 1 else 0.5), 0.02, Verdict.REFUTED),
        (lambda rank: MIDDLE * rank**-0.3, 0.02, Verdict.REFUTED),
        (lambda rank: MIDDLE, 0.02, Verdict.UNDECIDED),
        (lambda rank: MIDDLE * (1 if rank == 1 else 1.5), 0.3, Verdict.UNDECIDED),
    ],
)
def test_rule(best_rate, spread: float, verdict: Verdict) -> None:
    assert RATES.analyse(CPU, measurements(best_rate, spread)).verdict == verdict


@pytest.mark.parametrize("exponent", [-0.2, 0.0, 0.15])
def test_the_power_of_the_rank_is_found(exponent: float) -> None:
    numbers = RATES.analyse(CPU, measurements(lambda rank: 2 * MIDDLE * rank**exponent)).numbers
    for words in ("W_h and W_x", "W_h alone"):
        p = numbers[f"exponent p of the best rate c r^p, {words}"]
        c = numbers[f"c of the best rate c r^p, {words}"]
        assert p.low < exponent < p.high
        assert p.value == pytest.approx(exponent, abs=0.02)
        assert c.value == pytest.approx(2 * MIDDLE, rel=0.1)
        assert numbers[f"best rate, {words}, rank 1"].value == pytest.approx(2 * MIDDLE, rel=0.05)


def test_the_most_important_numbers_come_first() -> None:
    names = list(RATES.analyse(CPU, measurements(lambda rank: MIDDLE)).numbers)[:6]
    assert all("W_h and W_x" in name for name in names)
    assert [name.startswith("best rate over") for name in names] == [True] * 4 + [False] * 2
    assert "exponent p" in names[4]
    assert "cost" in names[5]


def test_an_optimum_beyond_the_rates_opens_the_interval() -> None:
    # Full rank wants more than the largest rate: at least, so the prediction may fail.
    highest = 8 * CPU.rates[-1]
    numbers = RATES.analyse(
        CPU, measurements(lambda rank: highest if rank == CPU.width else CPU.rates[-2])
    ).numbers
    ratio = numbers["best rate over that of rank one, W_h and W_x, full rank"]
    assert ratio.high == math.inf
    assert ratio.low > 0
    below = RATES.analyse(CPU, measurements(lambda rank: highest if rank == 1 else MIDDLE))
    ratio = below.numbers["best rate over that of rank one, W_h and W_x, full rank"]
    assert ratio.low == 0
    assert ratio.high < 1
    assert below.verdict == Verdict.REFUTED


def test_runs_that_diverge_are_infinite_losses() -> None:
    measured = [
        m | {"loss": None} if m["rate"] == CPU.rates[-1] else m
        for m in measurements(lambda rank: 1.2 * MIDDLE)
    ]
    with_none = RATES.analyse(CPU, measured)
    assert with_none == RATES.analyse(CPU, measurements(lambda rank: 1.2 * MIDDLE))


def test_the_cost_of_one_rate_is_that_of_the_rank_it_suits_least() -> None:
    measured = measurements(lambda rank: MIDDLE * (4 if rank == 1 else 1), spread=0.0)
    sweep = [m for m in measured if m["family"] == "both"]
    cost = function("common_rate_cost")(CPU, sweep, CPU.seeds[0])
    # Four of five ranks want the middle rate, one 4 times as much; between them lies their mean.
    assert cost == pytest.approx(0.05 * math.log(4) ** 2)
    same = [m for m in measurements(lambda rank: MIDDLE, spread=0.0) if m["family"] == "both"]
    assert function("common_rate_cost")(CPU, same, CPU.seeds[1]) == 0


def test_what_a_rank_costs_at_its_best_rate_does_not_depend_on_the_rates() -> None:
    for exponent in (0.0, -0.3):
        measured = measurements(lambda rank, p=exponent: CPU.rates[3] * rank**p, spread=0.0)
        numbers = RATES.analyse(CPU, measured).numbers
        for rank in CPU.ranks()[:-1]:
            found = numbers[
                f"least loss over that of full rank, W_h and W_x, rank {rank}, nats per byte"
            ]
            # The best rate lies within half a step of one that was tried.
            assert found.value == pytest.approx(1 / rank - 1 / CPU.width, abs=0.05 * 0.35**2)


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ([(1.0, 2.0), (1.2, 1.9)], Verdict.CONFIRMED),
        ([(1.0, 2.0), (2.0, 2.1)], Verdict.UNDECIDED),
        ([(1.0, 2.0), (2.1, 2.2)], Verdict.REFUTED),
        ([(0.5, 0.99), (0.0, math.inf)], Verdict.REFUTED),
        ([(0.0, math.inf), (1.2, 1.3)], Verdict.UNDECIDED),
    ],
)
def test_the_band_is_closed(ends: list[tuple[float, float]], verdict: Verdict) -> None:
    ratios = {
        rank: Interval(value=1.5, low=low, high=high, count=3)
        for rank, (low, high) in enumerate(ends, start=2)
    }
    assert function("decide")(ratios) == verdict


@pytest.mark.parametrize("profile", ["smoke", "cpu", "gpu"])
def test_cells_are_json_and_each_is_another_run(profile: str) -> None:
    config = RATES.config(profile)
    cells = RATES.cells(config)
    assert json.loads(json.dumps(cells)) == cells
    runs = [function("run_of")(config, cell) for cell in cells]
    assert len({run.digest() for run in runs}) == len(cells)
    assert np.all(np.diff(np.log2(config.rates)) > 0.99)
    for cell, run in zip(cells, runs, strict=True):
        assert run.training.learning_rate == cell["rate"]
        dense = cell["family"] == "dense"
        assert run.model.recurrent_rank == (None if dense else cell["rank"])
        assert run.model.input_rank == (cell["rank"] if cell["family"] == "both" else None)


@pytest.mark.parametrize("exponent", [0.15, 0.8])  # the second beyond the largest rate
def test_figure(exponent: float, tmp_path) -> None:
    measured = measurements(lambda rank: MIDDLE * rank**exponent)
    measured[-1]["loss"] = None
    result = ExperimentResult(
        id=RATES.id,
        question=RATES.question,
        prediction=RATES.prediction,
        rule=RATES.rule,
        theorems=RATES.theorems,
        config=CPU.model_dump(mode="json"),
        config_hash=CPU.digest(),
        measurements=measured,
        analysis=RATES.analyse(CPU, measured),
        seconds=0.0,
    )
    RATES.draw(result, tmp_path / "figure.svg")
    assert "<svg" in (tmp_path / "figure.svg").read_text()
