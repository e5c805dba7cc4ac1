import json
import shutil

import numpy as np
import pytest
from tests.experiments.sweeps import hinge, noises, shifted, smooth

from spectral_rank.experiments.bounded import over_seeds
from spectral_rank.experiments.knee import fit_knee
from spectral_rank.experiments.rank_sweep import (
    ALL_RATIOS,
    FULL,
    SweepSettings,
    dense_exponents,
    dense_verdicts,
    factoring_cost,
    sweep_cells,
    sweep_measurement,
    sweep_run,
)
from spectral_rank.experiments.recurrent import sizes
from spectral_rank.experiments.sweep_knees import (
    knee_label,
    knee_ratio,
    knees_in_words,
    most_are_preferred,
    sweep_knees,
)
from spectral_rank.formulas.domain import DomainError
from spectral_rank.training.loop import train

CPU = SweepSettings(**sizes("cpu"), ratios=ALL_RATIOS["cpu"])


@pytest.fixture(scope="module")
def measurement(tmp_path_factory):
    small = {"width": 24, "steps": 3, "batch": 2, "length": 8, "corpus": shutil.__file__}
    config = CPU.model_copy(update=small)
    cells = [{"family": "dense", "ratio": 1.0, "seed": 0}, {"family": "both", "ratio": 0.25}]
    found = {}
    for cell in cells:
        run = sweep_run(config, {"seed": 0} | cell)
        trained = train(run, tmp_path_factory.mktemp("run"))
        found[cell["family"]] = (trained, sweep_measurement(config, cell, trained.record))
    return found


@pytest.mark.parametrize(
    ("family", "recurrent", "inputs"),
    [("dense", None, None), ("both", 22, 22), ("recurrent", 22, None), ("input", None, 22)],
)
def test_families_say_which_matrices_are_of_low_rank(family, recurrent, inputs):
    model = sweep_run(CPU, {"family": family, "ratio": 0.17, "seed": 0}).model
    assert (model.recurrent_rank, model.input_rank) == (recurrent, inputs)


def test_conditions_reach_the_run():
    cell = {"family": "both", "ratio": 0.17, "seed": 2, "kind": "linear"}
    run = sweep_run(CPU, cell | {"width": 64, "train_bytes": 5000})
    assert (run.model.kind, run.model.width, run.model.recurrent_rank) == ("linear", 64, 11)
    assert (run.data.train_bytes, run.seed) == (5000, 2)


def test_an_unknown_family_is_refused():
    with pytest.raises(DomainError, match="family"):
        sweep_run(CPU, {"family": "neither", "ratio": 0.17, "seed": 0})


def test_the_dense_network_is_one_cell_of_all_families():
    cells = sweep_cells(CPU, ("both", "recurrent"), kind="elman")
    assert json.loads(json.dumps(cells)) == cells
    assert len(cells) == len(CPU.seeds) * (1 + 2 * (len(CPU.ratios) + 1))
    assert sum(cell["family"] == "dense" for cell in cells) == len(CPU.seeds)


def test_a_measurement_is_what_the_run_ended_with(measurement):
    trained, found = measurement["dense"]
    assert found["loss"] == pytest.approx(trained.record.final_loss, rel=1e-6)
    assert found["trained_ratio"] == 1
    values = trained.model.weight_matrices()["layers.0.W_h"].singular_values()
    np.testing.assert_allclose(found["spectra"][0], values.tolist(), rtol=1e-5, atol=1e-6)
    json.dumps(found, allow_nan=False)


def test_a_low_rank_measurement_has_its_rank_and_no_spectrum(measurement):
    _, found = measurement["both"]
    assert (found["rank"], found["trained_ratio"]) == (6, 0.25)
    assert "spectra" not in found
    assert found["parameters"] < measurement["dense"][1]["parameters"]


def test_full_rank_is_factored_and_dense_is_not():
    full = sweep_run(CPU, {"family": "both", "ratio": FULL, "seed": 0}).model
    assert (full.recurrent_rank, full.input_rank) == (CPU.width, CPU.width)
    dense = sweep_run(CPU, {"family": "dense", "ratio": FULL, "seed": 0}).model
    assert (dense.recurrent_rank, dense.input_rank) == (None, None)


def synthetic(knee, dense=lambda seed: 0.0):
    return [
        cell
        | {
            "trained_ratio": cell["ratio"],
            "loss": dense(cell["seed"])
            if cell["family"] == "dense"
            else hinge(cell["ratio"], knee(cell)),
        }
        for cell in sweep_cells(CPU, ("both", "recurrent"))
    ]


def test_knees_come_in_the_order_of_the_seeds_and_of_one_family():
    noise = noises(CPU.seeds)

    def knee(cell):
        return 0.5 if cell["family"] == "recurrent" else shifted(0.2, noise[cell["seed"]], 0.1)

    found = sweep_knees(CPU, synthetic(knee)[::-1])
    logs = [knee.log_ratio for knee in found]
    np.testing.assert_allclose(logs, np.log(0.2) + 0.1 * np.array(list(noise.values())), atol=1e-6)
    other = over_seeds([knee.bounded for knee in sweep_knees(CPU, synthetic(knee), "recurrent")])
    assert other.value == pytest.approx(np.log(0.5))


def test_the_cost_of_factors_is_paired_by_seed():
    noise = noises(CPU.seeds)
    # Dense and factored networks of a seed share its noise, so that it cancels.
    measurements = synthetic(lambda cell: 0.2, dense=lambda seed: 1.4 + noise[seed])
    for m in measurements:
        m["loss"] += 0.0 if m["family"] == "dense" else noise[m["seed"]]
    cost = factoring_cost(CPU, measurements, "recurrent")
    assert cost.value == pytest.approx(0.1)
    assert cost.high - cost.low < 1e-12


def test_exponents_are_means_over_layers_where_there_are_any():
    two_layers = [{"alpha": 0.5, "verdict": "noise"}, {"alpha": 0.7, "verdict": "noise"}]
    fits = [two_layers, *([None] for _ in CPU.seeds[1:])]
    runs = [
        {"family": "dense", "seed": seed, "exponents": fit}
        for seed, fit in zip(CPU.seeds, fits, strict=True)
    ]
    few = len(CPU.seeds) - 1
    assert dense_exponents(CPU, runs) == [pytest.approx(0.6), *[None] * few]
    verdicts = dense_verdicts(runs)
    assert "noise 2" in verdicts
    assert f"too few values {few}" in verdicts


def test_knees_are_counted_and_bounds_are_named():
    ratios = np.array([0.05, 0.1, 0.2, 0.5, 1.0])
    flat, falling = fit_knee(ratios, [1.0] * 5), fit_knee(ratios, -np.log(ratios))
    inside = fit_knee(ratios, np.maximum(0, np.log(0.3 / ratios)))
    without = fit_knee(ratios, [smooth(ratio) for ratio in ratios])
    assert knees_in_words([inside]) == " A knee is preferred to a smooth power in 1 of 1 sweeps."
    assert knees_in_words([inside, flat]).endswith(
        "in 1 of 2 sweeps. Only bounded: 1 of 2 knees lie at or below the smallest ratios."
    )
    assert "1 of 2 tanh sweeps fall until the full rank" in knees_in_words(
        [inside, falling], "tanh"
    )
    assert "0 of 1 sweeps" in knees_in_words([without])
    rising = fit_knee(ratios, [2.0, 1.9, 1.8, 1.8, 3.0])
    assert knees_in_words([inside, rising]).endswith(
        "1 of 2 sweeps are no hinge: the loss falls, then rises further."
    )
    assert (knee_ratio([inside, rising]).low, knee_ratio([inside, rising]).high) == (0, np.inf)
    assert most_are_preferred([inside, inside, falling])
    assert not most_are_preferred([inside, without])
    assert knee_label("knee", [inside, inside]) == "knee"
    assert knee_label("knee", [inside, flat]) == "knee (only bounded in 1 of 2 seeds)"
    assert (knee_ratio([falling] * 3).low, knee_ratio([falling] * 3).high) == (0, np.inf)
