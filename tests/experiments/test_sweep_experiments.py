"""Experiments 1.3, 2.2, 2.3, 3.1 and 3.2: their verdicts on measurements whose truth is known."""

import json
import math

import pytest
from tests.experiments.sweeps import experiment, hinge, measured, result_of, shifted, smooth

from spectral_rank.certify.shapes import RANK_LIMIT
from spectral_rank.experiments.record import ExperimentResult, Interval, Verdict
from spectral_rank.formulas.rank import rank_ratio

NAMES = (
    "e1_3_best_rank",
    "e2_2_linear_rank",
    "e2_3_interaction",
    "e3_1_scale",
    "e3_2_data",
)
NARROW, WIDE = 0.03, 0.4
"""Half widths of intervals over seeds, in the logarithm of the knee."""
PLAN = rank_ratio(1.35, 0.05)


def judged(name, loss, alpha=lambda cell: 0.8):
    found = experiment(name)
    settings = found.config("cpu")
    return found.analyse(settings, measured(found, settings, loss, alpha))


def one_knee(knee, spread=NARROW):
    """Every sweep has the knee ``knee(cell)``, moved a little from seed to seed."""
    return lambda cell, ratio: hinge(ratio, shifted(knee(cell), cell["noise"], spread))


def no_knee(cell, ratio):
    return smooth(ratio) + 0.001 * cell["noise"]


def seeded(alpha, spread=0.01):
    return lambda cell: alpha + spread * cell["noise"]


def named(analysis, start):
    """The numbers whose names begin like this."""
    return [number for name, number in analysis.numbers.items() if name.startswith(start)]


@pytest.mark.parametrize(
    ("knee", "spread", "alpha", "verdict"),
    [
        (PLAN, NARROW, seeded(1.35), Verdict.CONFIRMED),
        (0.4, NARROW, seeded(1.35), Verdict.REFUTED),
        (PLAN, NARROW, seeded(0.4), Verdict.REFUTED),
        (PLAN, NARROW, seeded(0.45, 0.05), Verdict.REFUTED),
        (PLAN, NARROW, seeded(0.95, 0.45), Verdict.UNDECIDED),
        (PLAN, WIDE, seeded(0.8, 0.2), Verdict.REFUTED),
        (PLAN, NARROW, lambda cell: None, Verdict.UNDECIDED),
        # Only bounded, and all bounds agree: nothing is known with a level.
        (3.0, NARROW, seeded(1.35), Verdict.UNDECIDED),
        (0.02, NARROW, seeded(0.8, 0.1), Verdict.UNDECIDED),
    ],
)
def test_best_rank(knee, spread, alpha, verdict):
    analysis = judged("e1_3_best_rank", one_knee(lambda cell: knee, spread), alpha)
    assert analysis.verdict is verdict, analysis.reason


@pytest.mark.parametrize(
    ("low", "high", "has_knee", "verdict"),
    [
        (0.10, 0.30, True, Verdict.CONFIRMED),
        (0.10, 0.30, False, Verdict.UNDECIDED),
        (0.05, 0.30, True, Verdict.UNDECIDED),
        (0.10, math.inf, True, Verdict.UNDECIDED),
        (0.20, math.inf, True, Verdict.REFUTED),
        (0.20, 0.30, False, Verdict.REFUTED),
    ],
)
def test_best_rank_is_confirmed_by_narrow_intervals_and_knees(low, high, has_knee, verdict):
    decide = experiment("e1_3_best_rank").analyse.__globals__["decide"]
    knee = Interval(value=low, low=low, high=high, count=5)
    alpha = Interval(value=1.35, low=1.34, high=1.36, count=5)
    assert decide(knee, alpha, has_knee) is verdict


def test_best_rank_is_not_confirmed_by_a_smooth_loss():
    analysis = judged("e1_3_best_rank", no_knee, seeded(1.35))
    assert analysis.verdict is not Verdict.CONFIRMED
    assert "0 of 5 sweeps" in analysis.reason
    assert "no best rank below the width was found" in analysis.reason


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


@pytest.mark.parametrize("alpha", [0.1, 0.45, 0.5, 0.8, 1.35])
def test_of_a_power_law_the_captured_reading_returns_the_knee(alpha):
    numbers = judged("e1_3_best_rank", one_knee(lambda cell: 0.22), seeded(alpha)).numbers
    # The least rank that misses no more is the next whole one.
    ratio = numbers["ratio at which the power law misses as much energy"].value
    assert 0.22 - 1e-3 <= ratio <= 0.22 + 1 / 128 + 1e-3
    assert ("epsilon of the adequacy reading at the knee" in numbers) == (alpha > 0.51)


@pytest.mark.parametrize("knee", [0.02, 3.0])
def test_shares_and_epsilons_are_never_outside_their_range(knee):
    analysis = judged("e1_3_best_rank", one_knee(lambda cell: knee), seeded(0.6))
    for start in ("energy of dense", "epsilon of", "ratio at which"):
        (found,) = named(analysis, start)
        assert 0 <= found.low <= found.high <= 1


@pytest.mark.parametrize("name", ["e1_3_best_rank", "e2_2_linear_rank", "e3_1_scale", "e3_2_data"])
def test_the_dense_network_is_no_point_of_the_sweep(name):
    def loss(cell, ratio):
        lower = 0.1 + 0.01 * cell["noise"] if cell["family"] == "dense" else 0.0
        return hinge(ratio, shifted(0.2, cell["noise"], NARROW)) - lower

    analysis = judged(name, loss)
    for knee in named(analysis, "rank ratio at the knee"):
        assert knee.value == pytest.approx(0.2, rel=0.05)
    costs = named(analysis, "cost of factors of full rank")
    assert costs
    for cost in costs:
        assert (cost.low, cost.high) == (pytest.approx(0.09), pytest.approx(0.11))


@pytest.mark.parametrize(
    ("linear", "spread", "verdict"),
    [
        (0.4, NARROW, Verdict.CONFIRMED),
        (0.2, NARROW, Verdict.REFUTED),
        # Disjoint, but negligible: that is asked first.
        (0.22, 0.02, Verdict.REFUTED),
        (0.28, 0.3, Verdict.UNDECIDED),
        (3.0, NARROW, Verdict.UNDECIDED),
        (0.02, NARROW, Verdict.UNDECIDED),
    ],
)
def test_linear_rank(linear, spread, verdict):
    knees = {"elman": 0.2, "linear": linear}
    # Noise of the two kinds is opposite, so that pairing does not cancel it.
    signs = {"elman": 1, "linear": -1}

    def loss(cell, ratio):
        kind = cell["kind"]
        return hinge(ratio, shifted(knees[kind], cell["noise"], signs[kind] * spread))

    analysis = judged("e2_2_linear_rank", loss)
    assert analysis.verdict is verdict, analysis.reason


def test_both_kinds_need_knees():
    def loss(cell, ratio):
        return no_knee(cell, ratio) if cell["kind"] == "linear" else hinge(ratio, 0.2)

    analysis = judged("e2_2_linear_rank", loss)
    assert analysis.verdict is Verdict.UNDECIDED
    assert "0 of 5 linear sweeps" in analysis.reason
    assert "no knee" in analysis.reason


@pytest.mark.parametrize("name", ["e3_1_scale", "e3_2_data"])
def test_slopes_need_knees(name):
    analysis = judged(name, no_knee)
    assert analysis.verdict is Verdict.UNDECIDED
    assert "no knee, the loss falls like a smooth power" in analysis.reason


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
        if ratio == 1:  # factors alone cost half, and have an interaction of their own
            return 1.5 + 0.5 * costs[cell["family"]] + (cell["family"] == "both") * 0.02
        noise = spread * cell["noise"] if cell["family"] == "both" else 0.0
        return 1.5 + costs[cell["family"]] + noise

    analysis = judged("e2_3_interaction", loss)
    assert analysis.verdict is verdict, analysis.reason
    found = analysis.numbers["interaction, mean over ratios, nats per byte"]
    assert found.value == pytest.approx(interaction, abs=1e-9)
    larger = analysis.numbers["cost of low rank in W_x, mean over ratios, nats per byte"]
    assert larger.value == pytest.approx(0.10)
    beyond = analysis.numbers[
        "interaction beyond that at full rank, mean over ratios, nats per byte"
    ]
    assert beyond.value == pytest.approx(interaction / 2 - 0.02)


def test_a_width_whose_full_rank_does_not_train_leaves_the_slope_open():
    found = experiment("e3_1_scale")
    settings = found.config("cpu")

    def loss(cell, ratio):
        knee = 0.2 * (cell["width"] / 181) ** (-0.5 + NARROW * cell["noise"])
        is_bad = (cell["width"], cell["family"], ratio) == (512, "recurrent", 1.0)
        return 3.0 if is_bad else hinge(ratio, knee)

    measurements = measured(found, settings, loss, seeded(0.8))
    result = result_of(found, settings, measurements)
    assert result.analysis.verdict is Verdict.UNDECIDED
    assert "The slope is not bounded (over widths 64 to 256: -0.5" in result.analysis.reason
    (elsewhere,) = named(result.analysis, "slope of the log knee against the log width, without")
    assert elsewhere.value == pytest.approx(-0.5, abs=0.02)
    assert [len(request.spectrum.values) for request in found.instances(result)] == [64, 128, 256]


def test_best_rank_says_what_full_rank_loses():
    def loss(cell, ratio):
        return hinge(ratio, 0.2) + (0.1 + 0.01 * cell["noise"] if ratio == 1 else 0.0)

    analysis = judged("e1_3_best_rank", loss)
    (rise,) = named(analysis, "rise of the loss from ratio 0.5 to full rank")
    assert (rise.value, rise.high) == (pytest.approx(0.1), pytest.approx(0.11))
    (knee,) = named(analysis, "rank ratio at the knee, W_h and W_x, without full rank")
    assert knee.value == pytest.approx(0.2, rel=0.01)


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
        return hinge(ratio, 0.2 * (cell["width"] / 181) ** (power + spread * cell["noise"]))

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
        (0.2, NARROW, Verdict.CONFIRMED),
        (-0.2, NARROW, Verdict.CONFIRMED),
        (0.1, 0.2, Verdict.UNDECIDED),
    ],
)
def test_data(power, spread, verdict):
    def loss(cell, ratio):
        return hinge(ratio, 0.25 * (cell["share"] / 0.3) ** (power + spread * cell["noise"]))

    analysis = judged("e3_2_data", loss)
    assert analysis.verdict is verdict, analysis.reason
    assert ("by a factor" in analysis.reason) == ("Only bounded" not in analysis.reason)


@pytest.mark.parametrize("name", ["e3_1_scale", "e3_2_data"])
def test_one_sweep_without_a_knee_leaves_a_slope_open(name):
    found = experiment(name)
    config = found.config("cpu")
    cells = found.cells(config)

    def sweep(cell):
        return tuple(cell.get(key) for key in ("width", "share", "seed"))

    def loss(cell, ratio):
        same = sweep(cell) == sweep(cells[-1])
        return hinge(ratio, 3.0 if same else 0.2)

    analysis = judged(name, loss)
    assert analysis.verdict is Verdict.UNDECIDED
    count = len({sweep(cell) for cell in cells})
    assert f"1 of {count} sweeps fall until the full rank" in analysis.reason
    assert "factor" not in analysis.reason
    seeds = f"only bounded in 1 of {len(config.seeds)} seeds"
    assert any("slope" in key and seeds in key for key in analysis.numbers)


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


@pytest.mark.parametrize("loss", [lambda cell, ratio: 1.5, lambda cell, ratio: 1.5 - ratio])
@pytest.mark.parametrize("name", NAMES)
def test_a_figure_of_knees_that_are_only_bounded(name, loss, tmp_path):
    found = experiment(name)
    settings = found.config("smoke")
    result = result_of(found, settings, measured(found, settings, loss))
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


@pytest.mark.parametrize(
    ("knee", "alpha", "words"),
    [
        (0.2, 0.8, "; the rank is that of the mean knee"),
        (3.0, 0.8, "; the rank is at most that of the mean knee"),
        (0.02, 0.8, "; the rank is at least that of the mean knee"),
        (0.2, 0.0, "which reached down to -0.01 and is cut at 0 of the mean over 5 seeds"),
    ],
)
def test_a_method_says_what_its_rank_and_its_interval_are(knee, alpha, words):
    found = experiment("e1_3_best_rank")
    settings = found.config("cpu")
    measurements = measured(found, settings, one_knee(lambda cell: knee), seeded(alpha))
    (request,) = found.instances(result_of(found, settings, measurements))
    assert words in request.exponent.method


def test_a_rank_beyond_those_of_certificates_is_capped():
    found = experiment("e3_1_scale")
    settings = found.config("cpu").model_copy(update={"widths": (128, 2048)})
    measurements = measured(found, settings, one_knee(lambda cell: 0.9), seeded(0.8))
    small, large = found.instances(result_of(found, settings, measurements))
    assert small.rank == 115
    assert large.rank == RANK_LIMIT
    assert "the largest that certificates are made for, below 18" in large.spectrum.method


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
