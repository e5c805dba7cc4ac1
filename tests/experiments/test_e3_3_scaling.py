import json
import sys

import numpy as np
import pytest

from spectral_rank.experiments.record import ExperimentResult, Verdict
from spectral_rank.experiments.registry import EXPERIMENTS, load

SCALING = load(EXPERIMENTS / "e3_3_scaling.py")
SCALE = load(EXPERIMENTS / "e3_1_scale.py")
CPU = SCALING.config("cpu")


def run_of(experiment, config, cell):
    return sys.modules[experiment.run_cell.__module__].run_of(config, cell)


def parameters(width: int) -> int:
    return 2 * width**2 + 513 * width


def measurements(
    beta: float, alpha: float | None, noise: float = 1e-4, seeds: tuple[int, ...] = CPU.seeds
) -> list[dict]:
    """Losses on a law with a floor, the same exponent in every seed but for noise."""
    rng = np.random.default_rng(0)
    fall = 0.5 * parameters(128) ** beta
    return [
        cell
        | {
            "parameters": parameters(cell["width"]),
            "recurrent_parameters": 2 * cell["width"] ** 2 + cell["width"],
            "loss": 1.5
            + fall * parameters(cell["width"]) ** -beta
            + noise * float(rng.standard_normal()),
            "alpha": alpha if alpha and cell["width"] >= CPU.spectrum_from else None,
        }
        for cell in SCALING.cells(CPU)
        if cell["seed"] in seeds
    ]


@pytest.mark.parametrize(
    ("beta", "alpha", "verdict"),
    [
        (0.37, 1.35, Verdict.CONFIRMED),  # 1 / (2 alpha) = 0.370, 2 alpha - 1 = 1.7
        (0.909, 0.55, Verdict.CONFIRMED),
        (1.0, 0.5, Verdict.CONFIRMED),  # 2 alpha - 1 = 0: no law of the theory
        (1.7, 1.35, Verdict.REFUTED),  # the theory's exponent
        (0.2, 1.0, Verdict.REFUTED),  # neither
        (0.618034, 0.809017, Verdict.UNDECIDED),  # the two candidates agree
        (0.37, None, Verdict.UNDECIDED),  # no spectrum
    ],
)
def test_rule(beta: float, alpha: float | None, verdict: Verdict) -> None:
    analysis = SCALING.analyse(CPU, measurements(beta, alpha))
    assert analysis.verdict == verdict
    found = next(iter(analysis.numbers.values()))
    assert found.low < beta < found.high
    assert found.value == pytest.approx(beta, rel=0.05)


def test_an_interval_that_contains_too_much_confirms_nothing() -> None:
    analysis = SCALING.analyse(CPU, measurements(0.37, 1.35, noise=0.1))
    beta = next(iter(analysis.numbers.values()))
    assert beta.low < 0.37 < beta.high < analysis.numbers["2 alpha - 1"].value
    assert beta.high > 4 * beta.low
    assert analysis.verdict == Verdict.UNDECIDED


def test_losses_that_rise_with_size_name_no_exponent() -> None:
    rising = [m | {"loss": 5 - m["loss"]} for m in measurements(0.37, 1.35)]
    analysis = SCALING.analyse(CPU, rising)
    assert analysis.verdict == Verdict.UNDECIDED
    assert "3 of 3 seeds name no exponent" in analysis.reason


def test_the_exponent_in_the_width_is_larger_than_in_the_parameters() -> None:
    numbers = SCALING.analyse(CPU, measurements(0.5, 1.35)).numbers
    # N grows like a power of the width between 1 and 2, the recurrence like its square.
    in_width = numbers["beta in the width"].value
    in_recurrence = numbers["beta in the parameters of the recurrence"].value
    assert 0.5 < in_width < 1.0
    assert in_recurrence == pytest.approx(in_width / 2, rel=0.05)


def test_networks_of_equal_width_are_those_of_the_scale_experiment() -> None:
    other = SCALE.config("cpu")
    dense = [cell for cell in SCALE.cells(other) if cell["family"] == "dense"]
    theirs = {run_of(SCALE, other, cell).digest() for cell in dense}
    ours = {run_of(SCALING, CPU, cell).digest() for cell in SCALING.cells(CPU)}
    assert theirs <= ours


@pytest.mark.parametrize("profile", ["smoke", "cpu", "gpu"])
def test_cells_are_json_and_each_is_another_run(profile: str) -> None:
    config = SCALING.config(profile)
    cells = SCALING.cells(config)
    assert json.loads(json.dumps(cells)) == cells
    runs = {run_of(SCALING, config, cell).digest() for cell in cells}
    assert len(runs) == len(cells) == len(config.widths) * len(config.seeds)


@pytest.mark.parametrize("alpha", [1.35, 0.45, None])
def test_figure(alpha: float | None, tmp_path) -> None:
    measured = measurements(0.4, alpha, noise=0.01)
    result = ExperimentResult(
        id=SCALING.id,
        question=SCALING.question,
        prediction=SCALING.prediction,
        rule=SCALING.rule,
        theorems=SCALING.theorems,
        config=CPU.model_dump(mode="json"),
        config_hash=CPU.digest(),
        measurements=measured,
        analysis=SCALING.analyse(CPU, measured),
        seconds=0.0,
    )
    SCALING.draw(result, tmp_path / "figure.svg")
    assert "<svg" in (tmp_path / "figure.svg").read_text()
