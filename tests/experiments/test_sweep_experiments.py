"""Experiments 1.3, 2.2, 2.3, 3.1 and 3.2: their verdicts on measurements whose truth is known."""

import json
import math

import pytest
from tests.experiments.sweeps import experiment, hinge, measured, result_of, shifted

from spectral_rank.experiments.record import ExperimentResult, Verdict
from spectral_rank.formulas.rank import rank_ratio

NAMES = (
    "e1_3_best_rank",
    "e2_2_linear_rank",
    "e2_3_interaction",
    "e3_1_scale",
    "e3_2_data",
)
NARROW, WIDE = 0.03, 1.0
PLAN = rank_ratio(1.35, 0.05)


def judged(name, loss, alpha=lambda cell: 0.8):
    found = experiment(name)
    settings = found.config("cpu")
    return found.analyse(settings, measured(found, settings, loss, alpha))


def one_knee(knee, spread=NARROW):
    """Every sweep has the knee ``knee(cell)``, moved a little from seed to seed."""
    return lambda cell, ratio: hinge(ratio, shifted(knee(cell), cell["seed"], spread))


def seeded(alpha, spread=0.01):
    return lambda cell: alpha + spread * (cell["seed"] - 1)


@pytest.mark.parametrize(
    ("knee", "spread", "alpha", "verdict"),
    [
        (PLAN, NARROW, seeded(1.35), Verdict.CONFIRMED),
        (0.6, NARROW, seeded(1.35), Verdict.REFUTED),
        (PLAN, NARROW, seeded(0.4), Verdict.REFUTED),
        (PLAN, NARROW, seeded(0.5, 0.05), Verdict.REFUTED),
        (PLAN, NARROW, seeded(0.8, 0.3), Verdict.UNDECIDED),
        (PLAN, 0.4, seeded(1.35), Verdict.UNDECIDED),
        (PLAN, NARROW, lambda cell: None, Verdict.UNDECIDED),
        (3.0, NARROW, seeded(1.35), Verdict.REFUTED),
        (0.02, NARROW, seeded(0.8, 0.1), Verdict.UNDECIDED),
    ],
)
def test_best_rank(knee, spread, alpha, verdict):
    analysis = judged("e1_3_best_rank", one_knee(lambda cell: knee, spread), alpha)
    assert analysis.verdict is verdict, analysis.reason


def test_best_rank_reads_both_epsilons_at_the_knee():
    numbers = judged("e1_3_best_rank", one_knee(lambda cell: PLAN), seeded(1.35)).numbers
    assert numbers["rank ratio at the knee, W_h and W_x"].value == pytest.approx(PLAN, rel=1e-3)
    # Adequacy inverts the formula; the captured share of so steep a law leaves next to nothing.
    assert numbers["epsilon of the adequacy reading at the knee"].value == pytest.approx(
        0.05, rel=0.02
    )
    missed = numbers["energy of dense W_h that the rank at the knee misses"].value
    energies = [i**-2.7 for i in range(1, 129)]
    assert missed == pytest.approx(sum(energies[22:]) / sum(energies), rel=0.05)
    assert "ratio that the law predicts to miss as much energy" not in numbers


def test_below_one_half_the_captured_reading_returns_the_knee():
    numbers = judged("e1_3_best_rank", one_knee(lambda cell: 0.22), seeded(0.1)).numbers
    assert "epsilon of the adequacy reading at the knee" not in numbers
    # A limit, which a width of 128 comes close to.
    ratio = numbers["ratio that the law predicts to miss as much energy"].value
    assert ratio == pytest.approx(0.22, abs=0.02)


@pytest.mark.parametrize(
    ("linear", "spread", "verdict"),
    [
        (0.4, NARROW, Verdict.CONFIRMED),
        (0.2, NARROW, Verdict.REFUTED),
        (0.28, 0.3, Verdict.UNDECIDED),
        (3.0, NARROW, Verdict.CONFIRMED),
    ],
)
def test_linear_rank(linear, spread, verdict):
    knees = {"elman": 0.2, "linear": linear}
    # Noise of the two kinds is opposite, so that pairing does not cancel it.
    signs = {"elman": 1, "linear": -1}

    def loss(cell, ratio):
        kind = cell["kind"]
        return hinge(ratio, shifted(knees[kind], cell["seed"], signs[kind] * spread / 3))

    analysis = judged("e2_2_linear_rank", loss)
    assert analysis.verdict is verdict, analysis.reason


@pytest.mark.parametrize(
    ("interaction", "spread", "verdict"),
    [
        (0.0, 0.0002, Verdict.CONFIRMED),
        (0.004, 0.0002, Verdict.CONFIRMED),
        (-0.03, 0.002, Verdict.REFUTED),
        (0.03, 0.002, Verdict.REFUTED),
        (0.005, 0.01, Verdict.UNDECIDED),
    ],
)
def test_interaction(interaction, spread, verdict):
    costs = {"dense": 0.0, "recurrent": 0.06, "input": 0.10, "both": 0.16 + interaction}

    def loss(cell, ratio):
        noise = spread * (cell["seed"] - 1) if cell["family"] == "both" else 0.0
        return 1.5 + costs[cell["family"]] + noise

    analysis = judged("e2_3_interaction", loss)
    assert analysis.verdict is verdict, analysis.reason
    found = analysis.numbers["interaction, mean over ratios, nats per byte"]
    assert found.value == pytest.approx(interaction, abs=1e-9)
    larger = analysis.numbers["cost of low rank in W_x, mean over ratios, nats per byte"]
    assert larger.value == pytest.approx(0.10)


@pytest.mark.parametrize(
    ("power", "spread", "verdict"),
    [
        (0.0, NARROW, Verdict.CONFIRMED),
        (-0.3, NARROW, Verdict.REFUTED),
        (0.2, NARROW, Verdict.REFUTED),
        (0.0, WIDE, Verdict.UNDECIDED),
    ],
)
def test_scale(power, spread, verdict):
    # Seeds differ in the slope, which is what the rule is about.
    def loss(cell, ratio):
        tilt = power + spread * (cell["seed"] - 1) / 2
        return hinge(ratio, 0.2 * (cell["width"] / 181) ** tilt)

    analysis = judged("e3_1_scale", loss)
    assert analysis.verdict is verdict, analysis.reason
    if verdict is not Verdict.UNDECIDED:
        found = analysis.numbers["slope of the log knee against the log width"]
        assert found.value == pytest.approx(power, abs=0.02)


@pytest.mark.parametrize(
    ("alpha", "words"), [(0.3, "below 1/2"), (0.8, "above 1/2"), (0.5, "no side")]
)
def test_scale_says_what_theory_adds(alpha, words):
    assert words in judged("e3_1_scale", one_knee(lambda cell: 0.2), seeded(alpha)).reason


@pytest.mark.parametrize(
    ("power", "spread", "verdict"),
    [
        (0.0, NARROW, Verdict.REFUTED),
        (0.05, 0.01, Verdict.REFUTED),
        (0.25, NARROW, Verdict.CONFIRMED),
        (-0.25, NARROW, Verdict.CONFIRMED),
        (0.1, 0.4, Verdict.UNDECIDED),
    ],
)
def test_data(power, spread, verdict):
    def loss(cell, ratio):
        tilt = power + spread * (cell["seed"] - 1) / 2
        return hinge(ratio, 0.25 * (cell["share"] / 0.3) ** tilt)

    analysis = judged("e3_2_data", loss)
    assert analysis.verdict is verdict, analysis.reason


@pytest.mark.parametrize("name", ["e3_1_scale", "e3_2_data"])
def test_one_sweep_without_a_knee_leaves_a_slope_open(name):
    found = experiment(name)
    last = found.cells(found.config("cpu"))[-1]

    def loss(cell, ratio):
        same = all(cell.get(key) == last.get(key) for key in ("width", "share", "seed"))
        return hinge(ratio, 3.0 if same else 0.2)

    analysis = judged(name, loss)
    assert analysis.verdict is Verdict.UNDECIDED
    assert "1 of 12 sweeps fall until the dense network" in analysis.reason


@pytest.mark.parametrize("name", NAMES)
def test_numbers_survive_storage_and_figures_are_drawn(name, tmp_path):
    found = experiment(name)
    settings = found.config("cpu")
    loss = one_knee(lambda cell: 0.2)
    result = result_of(found, settings, measured(found, settings, loss, seeded(0.7)))
    again = ExperimentResult.model_validate_json(result.model_dump_json())
    assert again == result
    found.draw(again, tmp_path / "figure.svg")
    assert "<svg" in (tmp_path / "figure.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_of_knees_that_are_only_bounded(name, tmp_path):
    found = experiment(name)
    settings = found.config("smoke")
    result = result_of(found, settings, measured(found, settings, lambda cell, ratio: 1.5))
    found.draw(ExperimentResult.model_validate_json(result.model_dump_json()), tmp_path / "f.svg")
    assert "<svg" in (tmp_path / "f.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_cells_are_distinct_seeded_and_made_of_json(name):
    found = experiment(name)
    for profile in ("smoke", "cpu", "gpu"):
        settings = found.config(profile)
        cells = found.cells(settings)
        assert json.loads(json.dumps(cells)) == cells
        assert len({json.dumps(cell, sort_keys=True) for cell in cells}) == len(cells)
        assert {cell["seed"] for cell in cells} == set(settings.seeds)
        assert len(settings.seeds) >= (2 if profile == "smoke" else 3)


@pytest.mark.parametrize(("name", "count"), [("e1_3_best_rank", 1), ("e3_1_scale", 4)])
def test_instances_speak_of_the_measured_exponent_at_the_knee(name, count):
    found = experiment(name)
    settings = found.config("cpu")
    measurements = measured(found, settings, one_knee(lambda cell: 0.2), seeded(0.8))
    requests = found.instances(result_of(found, settings, measurements))
    assert len(requests) == count
    for request in requests:
        width = len(request.spectrum.values)
        assert request.rank == pytest.approx(0.2 * width, abs=1)
        assert request.exponent.low < 0.8 < request.exponent.high
        certificates, refusals = request.certificates("Test", "a test", "0" * 64)
        assert not refusals
        assert certificates is not None


def test_without_an_exponent_the_spectrum_is_certified_alone():
    found = experiment("e1_3_best_rank")
    settings = found.config("smoke")
    measurements = measured(found, settings, one_knee(lambda cell: 0.2), lambda cell: None)
    (request,) = found.instances(result_of(found, settings, measurements))
    assert request.exponent is None
    assert request.spectrum is not None
    assert request.spectrum.values[1] == pytest.approx(2**-0.8)


def test_the_missed_share_is_that_of_the_spectrum():
    e1_3 = experiment("e1_3_best_rank").analyse.__globals__
    missed_share = e1_3["missed_share"]
    spectra = [[2.0, 1.0, 1.0]]
    assert missed_share(spectra, math.log(1 / 3)) == pytest.approx(1 / 3)
    assert missed_share(spectra, math.log(1 / 2)) == pytest.approx(1 / 4)
    assert missed_share(spectra, -math.inf) == 1
    assert missed_share(spectra, math.inf) == 0
