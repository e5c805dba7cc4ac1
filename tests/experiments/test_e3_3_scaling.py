import json
import sys

import numpy as np
import pytest

from spectral_rank.experiments.record import ExperimentResult, Verdict
from spectral_rank.experiments.registry import EXPERIMENTS, load

SCALING = load(EXPERIMENTS / "e3_3_scaling.py")
SCALE = load(EXPERIMENTS / "e3_1_scale.py")
CPU = SCALING.config("cpu").model_copy(update={"seeds": (4, 7, 9)})


def run_of(experiment, config, cell):
    return sys.modules[experiment.run_cell.__module__].run_of(config, cell)


def parameters(width: int) -> int:
    return 2 * width**2 + 513 * width


def measurements(
    beta: float, alpha: float | None, noise: float = 1e-4, spread: float = 0.0
) -> list[dict]:
    """Losses on a law with a floor, the same exponent in every seed but for noise.

    The exponents of the spectra of three seeds lie a spread apart.
    """
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
            "alpha": alpha + spread * (CPU.seeds.index(cell["seed"]) - 1)
            if alpha and cell["width"] >= CPU.spectrum_from
            else None,
        }
        for cell in SCALING.cells(CPU)
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


def test_beta_is_compared_with_alpha_of_the_same_seed() -> None:
    # Beta differs between seeds, and alpha with it: only the pairs agree closely.
    measured = []
    for position, seed in enumerate(CPU.seeds):
        beta = 0.36 + 0.04 * position
        runs = measurements(beta, 1 / (2 * beta))
        measured += [m for m in runs if m["seed"] == seed]
    analysis = SCALING.analyse(CPU, measured)
    ratio = analysis.numbers["beta over 1 / (2 alpha)"]
    assert 0.9 < ratio.low < 1 < ratio.high < 1.1
    assert analysis.verdict == Verdict.CONFIRMED
    # The same betas and alphas in other pairs: the means agree as before.
    other = [
        m | {"alpha": next(n["alpha"] for n in measured if n["seed"] == s and n["alpha"])}
        for m in measured
        for s in [CPU.seeds[(CPU.seeds.index(m["seed"]) + 1) % 3]]
    ]
    wide = SCALING.analyse(CPU, other).numbers["beta over 1 / (2 alpha)"]
    assert wide.low < 0.8
    assert wide.high > 1.25


@pytest.mark.parametrize(
    ("alpha", "spread", "verdict", "words"),
    [
        (0.45, 0.005, Verdict.CONFIRMED, "whether beta agrees with 1 / (2 alpha)"),
        (0.5, 0.005, Verdict.UNDECIDED, "is open"),
        (0.55, 0.005, Verdict.CONFIRMED, "beta over 2 alpha - 1"),
    ],
)
def test_below_one_half_there_is_no_rival(alpha, spread, verdict, words) -> None:
    analysis = SCALING.analyse(CPU, measurements(1 / (2 * alpha), alpha, spread=spread))
    assert analysis.verdict == verdict
    assert words in analysis.reason


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
    config, other = SCALING.config("cpu"), SCALE.config("cpu")
    dense = [cell for cell in SCALE.cells(other) if cell["family"] == "dense"]
    theirs = {run_of(SCALE, other, cell).digest() for cell in dense}
    ours = {run_of(SCALING, config, cell).digest() for cell in SCALING.cells(config)}
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
