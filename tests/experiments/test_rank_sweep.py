import json
import shutil

import numpy as np
import pytest
from tests.experiments.sweeps import hinge, shifted

from spectral_rank.experiments.bounded import over_seeds
from spectral_rank.experiments.knee import fit_knee
from spectral_rank.experiments.rank_sweep import (
    ALL_RATIOS,
    SweepSettings,
    dense_exponents,
    dense_verdicts,
    edges_in_words,
    sweep_cells,
    sweep_knees,
    sweep_measurement,
    sweep_run,
)
from spectral_rank.experiments.recurrent import sizes
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
    assert len(cells) == len(CPU.seeds) * (1 + 2 * len(CPU.ratios))
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


def synthetic(knee):
    return [
        cell | {"trained_ratio": cell["ratio"], "loss": hinge(cell["ratio"], knee(cell))}
        for cell in sweep_cells(CPU, ("both", "recurrent"))
    ]


def test_knees_come_in_the_order_of_the_seeds_and_of_one_family():
    def knee(cell):
        return shifted(0.2, cell["seed"], 0.1) if cell["family"] != "recurrent" else 0.5

    # The dense network lies on the plateau of both families.
    found = sweep_knees(CPU, synthetic(knee)[::-1])
    logs = [knee.log_ratio for knee in found]
    np.testing.assert_allclose(logs, np.log(0.2) + 0.1 * np.array([-1, 0, 1]), atol=1e-6)
    other = over_seeds([knee.bounded for knee in sweep_knees(CPU, synthetic(knee), "recurrent")])
    assert other.value == pytest.approx(np.log(0.5))


def test_exponents_are_means_over_layers_where_there_are_any():
    fits = [
        [{"alpha": 0.5, "verdict": "noise"}, {"alpha": 0.7, "verdict": "noise"}],
        [None],
        [None],
    ]
    runs = [
        {"family": "dense", "seed": seed, "exponents": fit}
        for seed, fit in zip(CPU.seeds, fits, strict=True)
    ]
    assert dense_exponents(CPU, runs) == [pytest.approx(0.6), None, None]
    assert dense_verdicts(runs) == "noise 2, too few values 2"


def test_bounded_knees_are_named():
    ratios = np.array([0.05, 0.1, 0.2, 1.0])
    flat, falling = fit_knee(ratios, [1.0] * 4), fit_knee(ratios, -np.log(ratios))
    inside = fit_knee(ratios, np.maximum(0, np.log(0.3 / ratios)))
    assert edges_in_words([inside]) == ""
    assert edges_in_words([inside, flat]) == (
        " Only bounded: 1 of 2 knees lie at or below the smallest ratios."
    )
    assert "1 of 2 tanh sweeps fall until" in edges_in_words([inside, falling], "tanh")
