"""D.1, D.3 and D.4 at the smallest sizes: what they measure, and how they judge it."""

import json
import math
import sys

import numpy as np
import pytest

from spectral_rank.experiments.record import ExperimentResult, Interval, Verdict
from spectral_rank.experiments.registry import EXPERIMENTS, load

TINY = {
    "d1_depth": {
        "width": 6,
        "samples": 24,
        "depths": (1, 4),
        "rates": (0.1, 0.3),
        "steps": 10,
        "drifts": ((4, (0.2, 0.1)),),
        "timed_depths": (4, 8),
        "rounds": 1,
    },
    "d3_rank_jumps": {"width": 4, "depths": (2, 3), "start": 0.05, "step": 0.03},
    "d4_riemannian_flow": {
        "width": 3,
        "depths": (2,),
        "steps": (1e-2, 5e-3),
        "limit_depths": (64, 256),
    },
}


def experiment(name):
    return load(EXPERIMENTS / f"{name}.py")


def module(name):
    """The module behind a loaded experiment, for its own functions."""
    return sys.modules[experiment(name).run_cell.__module__]


@pytest.fixture(scope="module", params=sorted(TINY))
def run(request):
    found = experiment(request.param)
    settings = found.config("smoke").model_copy(update=TINY[request.param])
    cells = [json.loads(json.dumps(cell)) for cell in found.cells(settings)]
    measured = [found.run_cell(settings, cell) for cell in cells]
    return found, settings, cells, json.loads(json.dumps(measured, allow_nan=False))


def test_cells_are_deterministic(run):
    found, settings, cells, measured = run
    for cell, before in list(zip(cells, measured, strict=True))[::7]:
        if cell.get("kind") != "time":
            assert json.loads(json.dumps(found.run_cell(settings, cell))) == before


def test_analysis_and_figure(run, tmp_path):
    found, settings, _, measured = run
    analysis = found.analyse(settings, measured)
    assert analysis.verdict in Verdict
    result = ExperimentResult(
        id=found.id,
        question=found.question,
        prediction=found.prediction,
        rule=found.rule,
        theorems=found.theorems,
        config=settings.model_dump(mode="json"),
        config_hash=settings.digest(),
        measurements=measured,
        analysis=analysis,
        seconds=0.0,
    )
    found.draw(result, tmp_path / "figure.svg")
    assert "<svg" in (tmp_path / "figure.svg").read_text()


@pytest.mark.parametrize("name", sorted(TINY))
def test_profiles_have_cells_with_seeds(name):
    found = experiment(name)
    for profile in ("smoke", "cpu", "gpu"):
        settings = found.config(profile)
        assert len(settings.seeds) >= (2 if profile == "smoke" else 3)
        assert {cell["seed"] for cell in found.cells(settings)} == set(settings.seeds)


@pytest.mark.parametrize("name", ["d1_depth", "d4_riemannian_flow"])
def test_a_verdict_needs_all_intervals_inside_their_bands(name):
    decide = getattr(module(name), "_decide" if name == "d1_depth" else "decide")

    def interval(low, high):
        return Interval(value=(low + high) / 2, low=low, high=high, count=3)

    inside, across, outside = interval(1, 2), interval(1, 5), interval(5, 6)
    band = (0.0, 3.0)
    assert decide({"a": (inside, band)})[0] is Verdict.CONFIRMED
    assert decide({"a": (inside, band), "b": (across, band)})[0] is Verdict.UNDECIDED
    assert decide({"a": (across, band), "b": (outside, band)})[0] is Verdict.REFUTED


def test_half_time_of_four_layers_in_closed_form():
    # With v = sqrt(u) the mode obeys v' = 2 v^2 (s - v^2), which partial fractions integrate.
    s, u0 = 3.0, 1e-4

    def elapsed(u):
        v = math.sqrt(u)
        return (math.atanh(v / math.sqrt(s)) / math.sqrt(s) - 1 / v) / (2 * s)

    d3 = module("d3_rank_jumps")
    assert d3.closed_half_time(4, s, u0) == pytest.approx(elapsed(s / 2) - elapsed(u0), rel=1e-8)
    middle = elapsed(1.0) - elapsed(u0)
    curve = d3.closed_curve(4, s, u0, np.array([0.0, middle]))
    np.testing.assert_allclose(curve, [u0, 1.0], rtol=1e-6)


def test_the_aligned_start_follows_the_closed_form():
    found = experiment("d3_rank_jumps")
    settings = found.config("smoke").model_copy(update={"step": 0.002, "width": 4, "start": 1e-3})
    cell = {"problem": "regression", "depth": 2, "start": "aligned", "seed": 0}
    measured = found.run_cell(settings, cell)
    np.testing.assert_allclose(measured["halves"], measured["expected"], rtol=5e-3)
    curve = module("d3_rank_jumps").closed_curve(2, 4.0, 1e-3, np.array(measured["times"]))
    np.testing.assert_allclose(np.array(measured["strengths"])[:, 0], curve, rtol=0, atol=0.05)
    assert [after for _, _, after in measured["jumps"]] == [1, 2, 3]


def test_a_run_that_overflows_has_not_lowered_the_loss():
    d1 = module("d1_depth")
    assert d1._fall({"initial": 1.0, "final": None}) == 0
    assert d1._fall({"initial": 1.0, "final": 0.01}) == pytest.approx(2)
