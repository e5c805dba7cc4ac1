import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_rank.experiments.record import ExperimentResult, Verdict
from spectral_rank.experiments.registry import EXPERIMENTS, load
from spectral_rank.training.run_record import (
    Evaluation,
    GradientProbe,
    Probes,
    RunRecord,
    SpectrumProbe,
)

CONDITIONING = load(EXPERIMENTS / "e4_2_conditioning.py")
BEST_RANK = load(EXPERIMENTS / "e1_3_best_rank.py")
CPU = CONDITIONING.config("cpu").model_copy(update={"seeds": (3, 4, 6, 7, 9)})


def function(experiment, name):
    return getattr(sys.modules[experiment.run_cell.__module__], name)


first_below = function(CONDITIONING, "first_below")
run_of = function(CONDITIONING, "run_of")


def measurements(law, noise: float = 0.0) -> list[dict]:
    """Networks whose condition number is the square of the rank, and their signal to noise."""
    rng = np.random.default_rng(0)
    found = []
    for cell in CONDITIONING.cells(CPU):
        rank = round(cell["ratio"] * CPU.width)
        snr = law(rank) + noise * float(rng.standard_normal())
        final = 2 + 1 / rank
        found.append(
            cell
            | {
                "rank": rank,
                "snr": snr,
                "recurrent_snr": 2 * snr,
                "kappa": float(rank**2),
                "late_loss": final + 0.1 * float(rng.random()),
                "steps": [0, 100, 200],
                "losses": [5.5, final + 0.5 / rank, final],
            }
        )
    return found


@pytest.mark.parametrize(
    ("law", "noise", "verdict"),
    [
        (lambda rank: 1 / rank, 0.0, Verdict.CONFIRMED),
        (lambda rank: rank / 50, 0.0, Verdict.REFUTED),
        (lambda rank: 0.0, 1.0, Verdict.UNDECIDED),
        (lambda rank: 1.0, 0.0, Verdict.UNDECIDED),
    ],
    ids=["falls", "rises", "noise", "constant"],
)
def test_rule(law, noise: float, verdict: Verdict) -> None:
    assert CONDITIONING.analyse(CPU, measurements(law, noise)).verdict == verdict


def test_correlations_have_the_signs_they_were_made_with() -> None:
    numbers = CONDITIONING.analyse(CPU, measurements(lambda rank: 1 / rank)).numbers
    assert next(iter(numbers)) == "rank correlation of signal to noise with kappa"
    assert numbers["rank correlation of kappa with rank"].low > 0.9
    assert numbers["rank correlation of signal to noise with rank"].high < -0.9
    # Higher ranks end lower, so they reach the common level sooner.
    assert numbers["rank correlation of steps to a common loss with kappa"].high < -0.9
    for family in ("W_h and W_x", "W_h alone"):
        name = f"rank correlation of signal to noise with kappa, {family}"
        assert numbers[name].high < -0.9


def test_without_the_dense_network_only_products_are_compared() -> None:
    # The dense network alone makes the correlation over all of them weaker.
    measured = [
        m | {"snr": 5.0} if m["family"] == "dense" else m
        for m in measurements(lambda rank: 1 / rank)
    ]
    numbers = CONDITIONING.analyse(CPU, measured).numbers
    name = "rank correlation of signal to noise with kappa"
    assert numbers[f"{name}, without the dense network"].high < -0.99
    assert numbers[name].low > numbers[f"{name}, without the dense network"].high


def test_at_equal_loss_nothing_is_left_of_a_correlation_that_the_loss_makes() -> None:
    rng = np.random.default_rng(1)
    measured = []
    for m in measurements(lambda rank: 1 / rank):
        loss = np.log(m["rank"]) + rng.normal(0, 0.7)
        measured.append(m | {"late_loss": -loss, "snr": -loss + rng.normal(0, 0.7)})
    numbers = CONDITIONING.analyse(CPU, measured).numbers
    plain = numbers["rank correlation of signal to noise with kappa"]
    partial = numbers["rank correlation of signal to noise with kappa, at equal loss"]
    assert plain.high < -0.2
    assert abs(partial.value) < 0.5 * abs(plain.value)
    assert partial.low < 0 < partial.high


def test_a_singular_matrix_is_the_worst_conditioned() -> None:
    measured = [
        m | {"kappa": None} if m["family"] == "dense" else m
        for m in measurements(lambda rank: 1 / rank)
    ]
    assert CONDITIONING.analyse(CPU, measured).verdict == Verdict.CONFIRMED


@given(level=st.floats(1, 5), rate=st.floats(0.5, 5))
def test_steps_to_a_level_on_a_straight_curve(level: float, rate: float) -> None:
    steps = list(range(0, 11))
    losses = [5.5 - rate * step for step in steps]
    found = first_below(steps, losses, level)
    assert found == pytest.approx((5.5 - level) / rate if losses[-1] <= level else np.inf)


def test_the_first_crossing_counts_and_a_start_below_is_at_once() -> None:
    assert first_below([0, 10, 20, 30], [4.0, 2.0, 3.0, 1.0], 2.5) == pytest.approx(7.5)
    assert first_below([0, 10], [1.0, 2.0], 1.5) == 0


def test_only_the_second_half_of_training_counts() -> None:
    settings = run_of(CPU, CONDITIONING.cells(CPU)[-1])
    rank = settings.model.recurrent_rank
    every = range(0, 601, 100)
    record = RunRecord(
        settings=settings,
        corpus_sha256="0" * 64,
        parameters=10,
        step=600,
        evaluations=tuple(
            Evaluation(step=s, loss=5 - s / 200, train_loss=None, learning_rate=0.1) for s in every
        ),
        probes=Probes(
            spectra=tuple(spectrum(s, rank, 10.0 ** (s / 100)) for s in every),
            gradients=tuple(gradient(s, s / 100) for s in every),
        ),
        seconds=1.0,
        probe_seconds=0.1,
        environments=(),
    )
    found = function(CONDITIONING, "measured")(record)
    assert found["rank"] == rank
    assert found["snr"] == pytest.approx(5)  # the mean at 400, 500 and 600
    assert found["recurrent_snr"] == pytest.approx(50)
    assert found["kappa"] == pytest.approx(1e5)
    assert found["late_loss"] == pytest.approx(2.5)
    assert found["steps"] == list(every)


def spectrum(step: int, rank: int, condition: float) -> SpectrumProbe:
    return SpectrumProbe(
        step=step,
        name="layers.0.W_h",
        values=(1.0,) * (rank - 1) + (1 / condition,),
        shape=(128, 128),
        stable_rank=1.0,
        participation_ratio=1.0,
        entropy_rank=1.0,
        condition_number=condition,
    )


def gradient(step: int, snr: float) -> GradientProbe:
    by_matrix = {"layers.0.W_h.U": 5 * snr, "layers.0.W_h.V": 15 * snr, "layers.0.W_x.U": 99.0}
    return GradientProbe(step=step, snr=snr, norm=1.0, parts=8, by_matrix=by_matrix)


@pytest.mark.parametrize("profile", ["smoke", "cpu", "gpu"])
def test_the_networks_are_those_of_the_best_rank(profile: str) -> None:
    config, other = CONDITIONING.config(profile), BEST_RANK.config(profile)
    theirs = [function(BEST_RANK, "run_of")(other, cell) for cell in BEST_RANK.cells(other)]
    ours = [run_of(config, cell) for cell in CONDITIONING.cells(config)]
    assert ours == theirs
    assert json.loads(json.dumps(CONDITIONING.cells(config))) == CONDITIONING.cells(config)


def test_figure(tmp_path) -> None:
    measured = measurements(lambda rank: 1 / rank, noise=0.05)
    measured[0]["kappa"] = None
    result = ExperimentResult(
        id=CONDITIONING.id,
        question=CONDITIONING.question,
        prediction=CONDITIONING.prediction,
        rule=CONDITIONING.rule,
        theorems=CONDITIONING.theorems,
        config=CPU.model_dump(mode="json"),
        config_hash=CPU.digest(),
        measurements=measured,
        analysis=CONDITIONING.analyse(CPU, measured),
        seconds=0.0,
    )
    CONDITIONING.draw(result, tmp_path / "figure.svg")
    assert "<svg" in (tmp_path / "figure.svg").read_text()
