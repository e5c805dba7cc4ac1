"""1.1, 1.2, 2.1 and 4.1: their rules on measurements whose truth is known, and small real runs."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spectral_rank.experiments.plateau import (
    NETWORKS,
    fall_over_last_part,
    matrix_label,
    plateau_sizes,
    stored_spectrum,
    verdicts_in_words,
)
from spectral_rank.experiments.record import ExperimentResult, Verdict, mean_interval
from spectral_rank.experiments.recurrent import sizes
from spectral_rank.experiments.registry import EXPERIMENTS, load
from spectral_rank.formulas.domain import DomainError
from spectral_rank.training.errors import DivergedError
from spectral_rank.training.run_record import Evaluation, RunRecord

SPECTRUM = load(EXPERIMENTS / "e1_1_trained_spectrum.py")
LAW = load(EXPERIMENTS / "e1_2_which_law.py")
NONLINEARITY = load(EXPERIMENTS / "e2_1_nonlinearity.py")
EVOLUTION = load(EXPERIMENTS / "e4_1_evolution.py")
ALL = (SPECTRUM, LAW, NONLINEARITY, EVOLUTION)
SEEDS = (4, 7, 9)
"""Seeds of made-up measurements, so that they do not depend on those of the profiles."""


def cpu(experiment: Any) -> Any:
    return experiment.config("cpu").model_copy(update={"seeds": SEEDS})


def place(cell: dict[str, Any]) -> int:
    return SEEDS.index(cell["seed"])


def result(experiment: Any, config: Any, measurements: list[dict[str, Any]]) -> ExperimentResult:
    return ExperimentResult(
        id=experiment.id,
        question=experiment.question,
        prediction=experiment.prediction,
        rule=experiment.rule,
        theorems=experiment.theorems,
        config=config.model_dump(mode="json"),
        config_hash=config.digest(),
        measurements=measurements,
        analysis=experiment.analyse(config, measurements),
        seconds=0.0,
    )


# 1.1


def spectrum_runs(
    elman: float | None, e5: float | None, spread: float = 0.02
) -> list[dict[str, Any]]:
    """Networks with these exponents of the recurrent matrices, give or take the spread."""
    config: Any = cpu(SPECTRUM)
    runs = []
    for cell in SPECTRUM.cells(config):
        alpha = {"elman": elman, "e5": e5}[cell["kind"]]
        alpha = None if alpha is None else alpha + spread * (place(cell) - 1)
        count = 256 if cell["kind"] == "elman" else 44
        values = np.arange(1, count + 1.0) ** -(alpha or 1.0)
        line = {"scale": 1.0, "first": 1, "last": count, "first_index": 1}
        fit = {"verdict": "exponential", "winner": "exponential", "alpha": alpha}
        fit |= {"low": alpha, "high": alpha, "line": line}
        matrices = [
            {"name": name, "shape": [256, 256], "fit": fit if alpha else None}
            | {"spectrum": stored_spectrum(values)}
            for name in ("layers.0.W_h", "layers.0.W_x", "W_o")
        ]
        runs.append(cell | {"loss": 1.5, "fall": 0.01, "start": matrices, "trained": matrices})
    return runs


@pytest.mark.parametrize(
    ("elman", "e5", "spread", "verdict"),
    [
        (1.35, 1.3, 0.02, Verdict.CONFIRMED),
        (1.35, 0.6, 0.02, Verdict.REFUTED),
        (1.6, 1.35, 0.02, Verdict.REFUTED),
        (1.35, 1.35, 0.2, Verdict.UNDECIDED),
        (1.5, 1.35, 0.02, Verdict.UNDECIDED),
        (1.35, None, 0.02, Verdict.UNDECIDED),
        (None, None, 0.02, Verdict.UNDECIDED),
    ],
)
def test_1_1_decides_on_both_recurrent_matrices(elman, e5, spread, verdict) -> None:
    config: Any = cpu(SPECTRUM)
    made = result(SPECTRUM, config, spectrum_runs(elman, e5, spread))
    assert made.analysis.verdict == verdict
    if elman is not None:
        found = made.analysis.numbers["exponent of W_h, dense Elman"]
        assert found.value == pytest.approx(elman)
        assert found.count == len(config.seeds)


@pytest.mark.parametrize(
    ("experiment", "runs"),
    [
        (SPECTRUM, lambda: spectrum_runs(1.3, 0.6)),
        (SPECTRUM, lambda: spectrum_runs(None, None)),
        (LAW, lambda: law_runs(4)),
        (NONLINEARITY, lambda: jacobian_runs({"elman": 0.3, "e5": None})),
        (EVOLUTION, lambda: evolution_runs([500, 600, None])),
    ],
    ids=["1.1", "1.1 without exponents", "1.2", "2.1", "4.1"],
)
def test_figures(experiment: Any, runs: Any, tmp_path: Path) -> None:
    made = result(experiment, cpu(experiment), runs())
    experiment.draw(made, tmp_path / "figure.svg")
    assert "<svg" in (tmp_path / "figure.svg").read_text(encoding="utf-8")[:1000]


def test_1_1_asks_for_instances_of_what_it_measured() -> None:
    config: Any = cpu(SPECTRUM)
    elman, e5 = SPECTRUM.instances(result(SPECTRUM, config, spectrum_runs(0.9, 0.4)))
    assert elman.rank == e5.rank == 44
    assert elman.exponent is not None
    assert elman.exponent.low < 0.9 < elman.exponent.high
    assert "exponential 3" in elman.exponent.method
    assert e5.spectrum is not None
    assert len(e5.spectrum.values) == 44
    assert "mean exponent" in elman.exponent.method
    assert "cut at 0" not in elman.exponent.method
    certificates, refusals = e5.certificates("Test", "a test", "0" * 64)
    assert certificates is not None, refusals


def test_1_1_says_where_an_interval_was_cut() -> None:
    wide = result(SPECTRUM, cpu(SPECTRUM), spectrum_runs(0.1, 0.4, spread=0.09))
    exponent = SPECTRUM.instances(wide)[0].exponent
    assert exponent is not None
    assert exponent.low == 0
    assert "cut at 0" in exponent.method


def test_1_1_without_an_exponent_has_the_spectrum_certified() -> None:
    config: Any = cpu(SPECTRUM)
    requests = SPECTRUM.instances(result(SPECTRUM, config, spectrum_runs(None, None)))
    assert [request.exponent for request in requests] == [None, None]
    assert all(request.spectrum is not None for request in requests)


# 1.2


def law_fit(verdict: str, margin: float = 50.0) -> dict[str, Any]:
    laws = ("power_law", "exponential", "broken_power_law", "log_normal", "marchenko_pastur")
    winner = "marchenko_pastur" if verdict == "noise" else verdict
    scores = {law: 0.0 if law == winner else margin for law in laws}
    return {
        "verdict": verdict,
        "winner": winner,
        "knees": [20.0] if verdict == "broken_power_law" else [],
        "delta_bic": scores,
        "delta_aic": scores,
        "r_squared": dict.fromkeys(laws, 0.9),
        "held_out": dict.fromkeys(laws, 0.1),
    }


def law_runs(power_laws: int, other: str = "noise", margin: float = 50.0) -> list[dict[str, Any]]:
    """So many of the seven matrices follow a power law, for two of three seeds at least."""
    config: Any = cpu(LAW)
    names = {"elman": ("W_h", "W_x", "W_o"), "e5": ("W_h", "W_x", "W_z", "W_o")}
    matrices = [(kind, name) for kind in names for name in names[kind]]
    winners = set(matrices[:power_laws])
    runs = []
    for cell in LAW.cells(config):
        fits = {}
        for name in names[cell["kind"]]:
            wins = (cell["kind"], name) in winners and place(cell) > 0
            fits[f"layers.0.{name}"] = law_fit("power_law" if wins else other, margin)
        noise = {name: law_fit("noise") for name in fits}
        runs.append(cell | {"start": noise, "trained": fits})
    return runs


@pytest.mark.parametrize(
    ("power_laws", "margin", "verdict"),
    [
        (7, 50.0, Verdict.CONFIRMED),
        (7, 9.9, Verdict.REFUTED),
        (4, 50.0, Verdict.UNDECIDED),
        (0, 50.0, Verdict.REFUTED),
    ],
)
def test_1_2_counts_matrices(power_laws, margin, verdict) -> None:
    made = result(LAW, cpu(LAW), law_runs(power_laws, "broken_power_law", margin))
    assert made.analysis.verdict == verdict
    won = made.analysis.numbers["share of matrices on which a power law wins"]
    assert won.count == 7
    assert won.value == pytest.approx((power_laws if margin >= 10 else 0) / 7)
    if power_laws == 0:
        knee = made.analysis.numbers["first knee over the width, W_h, dense Elman"]
        assert knee.value == pytest.approx(20 / 256)


def test_1_2_without_fits_is_undecided() -> None:
    runs = [run | {"start": {"W_o": None}, "trained": {"W_o": None}} for run in law_runs(0)]
    assert LAW.analyse(cpu(LAW), runs).verdict == Verdict.UNDECIDED


def test_1_2_counts_layers_apart_and_shows_them_together() -> None:
    runs = law_runs(7)
    for run in runs:
        for step in ("start", "trained"):
            run[step] |= {name.replace("0", "1"): fit for name, fit in run[step].items()}
    numbers = LAW.analyse(cpu(LAW), runs).numbers
    assert numbers["share of matrices on which a power law wins"].count == 14
    # The two layers of a seed are averaged: only seeds are independent.
    assert numbers["R2 of the power law, W_h, dense Elman"].count == len(SEEDS)


@pytest.mark.parametrize(
    ("wins", "verdict"),
    [
        (0, Verdict.REFUTED),
        (1, Verdict.UNDECIDED),
        (6, Verdict.UNDECIDED),
        (7, Verdict.CONFIRMED),
    ],
)
def test_1_2_of_seven_matrices_only_all_or_none_decide(wins, verdict) -> None:
    assert LAW.analyse(cpu(LAW), law_runs(wins)).verdict == verdict


def test_1_2_averages_the_layers_of_a_seed_before_the_interval() -> None:
    runs = law_runs(0)
    for run in runs:
        fits = run["trained"]
        for name, fit in list(fits.items()):
            # Layers that differ much, and whose means agree but for the seed.
            fits[name] = fit | {"r_squared": dict.fromkeys(fit["r_squared"], 0.1)}
            r_squared = dict.fromkeys(fit["r_squared"], 0.9 + 0.01 * place(run))
            fits[name.replace("0", "1")] = fit | {"r_squared": r_squared}
    found = LAW.analyse(cpu(LAW), runs).numbers["R2 of the power law, W_h, dense Elman"]
    expected = mean_interval([0.5, 0.505, 0.51])
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


# 2.1


def jacobian_runs(
    changes: dict[str, float | None], spread: float = 0.01, slope: float | None = None
) -> list[dict[str, Any]]:
    """Networks whose Jacobian has an exponent that differs from that of the weight."""
    config: Any = cpu(NONLINEARITY)
    runs = []
    for cell in NONLINEARITY.cells(config):
        change = changes.get(cell["kind"], 0.0)
        layer: dict[str, Any] = {"lyapunov": [-0.1, -0.2]}
        for name, moved in (("weight", 0.0), ("jacobian", 1.0)):
            alpha = None
            if change is not None:
                alpha = 0.8 + moved * (change + spread * (place(cell) - 1) * bool(change))
            line = {"scale": 1.0, "first": 1, "last": 44, "first_index": 1}
            fit = alpha and {"verdict": "power_law", "alpha": alpha, "line": line}
            steep = (0.8 if slope is None or moved == 0 else 0.8 + slope) if alpha else 0.8
            layer[name] = {
                "fit": fit,
                "slope": alpha if alpha and slope is None else steep,
                "spectrum": stored_spectrum(np.arange(1, 45.0) ** -(alpha or 0.8)),
            }
        runs.append(cell | {"layers": [layer], "start": [layer]})
    return runs


@pytest.mark.parametrize(
    ("changes", "spread", "slope", "verdict"),
    [
        ({"elman": 0.3, "e5": 0.2}, 0.01, None, Verdict.CONFIRMED),
        ({"elman": 0.3, "e5": -0.2}, 0.01, None, Verdict.CONFIRMED),
        ({"elman": 0.3, "e5": 0.2}, 0.01, -0.1, Verdict.UNDECIDED),
        ({"elman": 0.02, "e5": -0.01}, 0.005, None, Verdict.REFUTED),
        ({"elman": 0.02, "e5": 0.3}, 0.005, None, Verdict.UNDECIDED),
        ({"elman": 0.3, "e5": 0.2}, 0.2, None, Verdict.UNDECIDED),
        ({"elman": 0.3, "e5": None}, 0.01, None, Verdict.UNDECIDED),
    ],
)
def test_2_1_needs_a_change_in_both_networks(changes, spread, slope, verdict) -> None:
    config: Any = cpu(NONLINEARITY)
    made = result(NONLINEARITY, config, jacobian_runs(changes, spread, slope))
    assert made.analysis.verdict == verdict
    control = made.analysis.numbers["difference of exponents, dense linear"]
    assert (control.low, control.value, control.high) == (0, 0, 0)


def diverged(runs: list[dict[str, Any]], seeds: tuple[int, ...]) -> list[dict[str, Any]]:
    """The same networks, but for linear ones of these seeds, which diverged."""
    return [
        {"kind": run["kind"], "seed": run["seed"], "diverged": True}
        if run["kind"] == "linear" and run["seed"] in seeds
        else run
        for run in runs
    ]


def test_2_1_the_slope_above_rounding_does_not_see_what_rounding_keeps() -> None:
    ranks = np.arange(1, 257.0)
    clear_slopes = vars(sys.modules[NONLINEARITY.run_cell.__module__])["_clear_slopes"]
    steep, weight = ranks**-6, stored_spectrum(ranks**-0.5)
    for floor in (0.0, 1e-9):
        jacobian = stored_spectrum(np.maximum(steep, floor))
        layer = {"jacobian": {"spectrum": jacobian}, "weight": {"spectrum": weight}}
        assert clear_slopes(layer) == pytest.approx(5.5, abs=1e-4)
    few = {"jacobian": {"spectrum": stored_spectrum(ranks**-20)}, "weight": {"spectrum": weight}}
    assert clear_slopes(few) is None


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_2_1_is_decided_without_a_control_that_diverged(lost: int, tmp_path: Path) -> None:
    runs = diverged(jacobian_runs({"elman": 0.3, "e5": 0.2}), SEEDS[:lost])
    made = result(NONLINEARITY, cpu(NONLINEARITY), runs)
    assert made.analysis.verdict == Verdict.CONFIRMED
    assert f"{lost} of 3 linear controls diverged" in made.analysis.reason
    control = made.analysis.numbers.get("difference of exponents, dense linear")
    assert (control is None) == (lost > 1)  # one network has no interval
    NONLINEARITY.draw(made, tmp_path / "figure.svg")
    assert "<svg" in (tmp_path / "figure.svg").read_text(encoding="utf-8")[:1000]


@pytest.mark.parametrize("kind", NETWORKS)
def test_2_1_only_a_control_may_diverge(kind: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("SPECTRAL_RANK_CACHE", str(tmp_path))
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("".join(f"{k} squared is {k * k}\n" for k in range(2000)))
    # At this rate the first step leaves no number finite.
    small = {"width": 20, "ratio": 0.8, "batch": 2, "length": 8, "steps": 12, "snapshots": 1}
    reckless = small | {"learning_rate": 1e37, "corpus": str(corpus)}
    config = NONLINEARITY.config("smoke").model_copy(update=reckless)
    cell = {"kind": kind, "seed": 0}
    if kind == "linear":
        assert NONLINEARITY.run_cell(config, cell) == cell | {"diverged": True}
        return
    with pytest.raises(DivergedError):
        NONLINEARITY.run_cell(config, cell)


# 4.1


def evolution_runs(changes: list[float | None], noise: float = 0.05) -> list[dict[str, Any]]:
    """For each seed a participation ratio that starts to fall at a step, or falls smoothly."""
    config: Any = cpu(EVOLUTION)
    steps = np.unique(np.geomspace(40, 6000, 50).round())
    runs = []
    for cell in EVOLUTION.cells(config):
        rng = np.random.default_rng(place(cell))
        change = changes[place(cell)]
        late = 0 if change is None else np.maximum(0, np.log(steps / change))
        path = 100 - np.log(steps) - 5 * late + noise * rng.standard_normal(len(steps))
        at = [
            {"participation_ratio": x, "stable_rank": x, "entropy_rank": x, "alpha": None}
            for x in path.tolist()
        ]
        runs.append(cell | {"steps": steps.tolist(), "warmup": 300, "start": at[0], "path": at})
    return runs


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ([500, 600, 700], Verdict.CONFIRMED),
        ([150, 600, 2500], Verdict.UNDECIDED),
        ([500, 600, None], Verdict.UNDECIDED),
        ([None, None, None], Verdict.REFUTED),
    ],
)
def test_4_1_needs_the_same_change_in_every_seed(changes, verdict) -> None:
    made = result(EVOLUTION, cpu(EVOLUTION), evolution_runs(changes))
    assert made.analysis.verdict == verdict
    where = made.analysis.numbers[
        "step of the main change, participation ratio of W_h, dense Elman"
    ]
    if verdict == Verdict.CONFIRMED:
        assert where.value == pytest.approx(math.exp(np.log(changes).mean()), rel=0.1)
        assert where.low < 600 < where.high
    # The fourth of the snapshots is the first place where a change can be found.
    first = evolution_runs(changes)[0]["steps"][3]
    assert f"step {first:.0f}" in made.analysis.reason
    assert ("No phases are seen after" in made.analysis.reason) == (verdict == Verdict.REFUTED)


def test_4_1_changes_at_the_edge_are_not_located() -> None:
    # All seeds bend where the first change can be found, so it may as well have come sooner.
    made = result(EVOLUTION, cpu(EVOLUTION), evolution_runs([56, 56, 56], noise=0.01))
    where = made.analysis.numbers[
        "step of the main change, participation ratio of W_h, dense Elman"
    ]
    assert where.low == 0
    assert made.analysis.verdict == Verdict.UNDECIDED
    assert "only bounded in 3 of 3 seeds" in made.analysis.reason
    assert "seeds have phases" in made.analysis.reason


# the shared runs


def test_the_four_ask_for_the_same_runs() -> None:
    for profile in ("smoke", "cpu", "gpu"):
        keys = [
            {
                (cell["kind"], cell["seed"]): module_run(e, profile, cell).digest()
                for cell in e.cells(e.config(profile))
                if cell["kind"] != "linear"
            }
            for e in ALL
        ]
        assert all(key == keys[0] for key in keys)
        assert len(set(keys[0].values())) == len(keys[0])


def test_the_control_is_measured_at_both_ends_only() -> None:
    probes = module_run(NONLINEARITY, "cpu", {"kind": "linear", "seed": 0}).probes
    assert (probes.spectra_every, probes.gradients_every, probes.jacobians_every) == (0, 0, 0)
    watched = module_run(NONLINEARITY, "cpu", {"kind": "elman", "seed": 0})
    assert watched.training.steps % watched.probes.spectra_every == 0


def module_run(experiment: Any, profile: Any, cell: dict[str, Any]) -> Any:
    module = sys.modules[experiment.run_cell.__module__]
    return module.run_of(experiment.config(profile), cell)


def test_the_gpu_profile_is_the_plan_s_network() -> None:
    model = module_run(SPECTRUM, "gpu", {"kind": "e5", "seed": 0}).model
    assert (model.width, model.recurrent_rank, model.input_rank) == (1536, 270, 270)
    inside = 2 * model.width * 270 * 3 * model.layers
    assert inside == pytest.approx(50e6, rel=0.01)


def test_the_fall_is_that_of_the_last_fifth() -> None:
    settings = module_run(SPECTRUM, "smoke", {"kind": "elman", "seed": 0})
    steps = settings.training.steps
    looks = [
        Evaluation(step=step, loss=4 - 3 * step / steps, train_loss=None, learning_rate=1e-3)
        for step in range(0, steps + 1)
    ]
    record = RunRecord(
        settings=settings,
        corpus_sha256="0" * 64,
        parameters=1,
        step=steps,
        evaluations=tuple(looks),
        seconds=0,
        probe_seconds=0,
        environments=(),
    )
    start = math.ceil(0.8 * steps)
    assert fall_over_last_part(record) == pytest.approx(1 - 1 / (4 - 3 * start / steps))
    with pytest.raises(DomainError, match="record"):
        fall_over_last_part(record.model_copy(update={"step": steps - 1}))


def test_long_spectra_are_thinned_and_short_ones_kept() -> None:
    short = stored_spectrum([3.0, 2.0, 1.0])
    assert short == {"ranks": [1, 2, 3], "values": [3.0, 2.0, 1.0]}
    long = stored_spectrum(np.arange(2000.0, 0, -1))
    assert len(long["ranks"]) <= 256
    assert (long["ranks"][0], long["ranks"][-1]) == (1, 2000)
    assert all(value == 2001 - rank for rank, value in zip(*long.values(), strict=True))


def test_words() -> None:
    fits = [{"verdict": "power_law"}, {"verdict": "noise"}, {"verdict": "noise"}, None]
    assert verdicts_in_words(fits) == "noise 2, power law 1, too few values 1"
    assert matrix_label("e5", "W_h") == "U_h V_h, E5"
    assert matrix_label("e5", "W_o") == "W_o, E5"
    assert matrix_label("linear", "W_h") == f"W_h, {NETWORKS['linear']}"
    assert plateau_sizes("cpu")["seeds"] == sizes("cpu")["seeds"][:3]


@pytest.mark.parametrize("experiment", ALL, ids=lambda e: e.id)
def test_small_real_runs_are_measured_and_judged(
    experiment: Any, tmp_path_factory: Any, monkeypatch: Any
) -> None:
    # One cache for the four: each network is trained once.
    cache = tmp_path_factory.getbasetemp() / "plateau"
    cache.mkdir(exist_ok=True)
    monkeypatch.setenv("SPECTRAL_RANK_CACHE", str(cache))
    corpus = cache / "corpus.txt"
    if not corpus.exists():
        corpus.write_text("".join(f"{k} squared is {k * k}\n" for k in range(2000)))
    small = {"width": 20, "ratio": 0.8, "batch": 2, "length": 8, "steps": 12, "snapshots": 12}
    config: Any = experiment.config("smoke").model_copy(update=small | {"corpus": str(corpus)})
    cells = experiment.cells(config)
    measured = [experiment.run_cell(config, cell) for cell in cells]
    measured = json.loads(json.dumps(measured, allow_nan=False))
    assert json.loads(json.dumps(experiment.run_cell(config, cells[-1]))) == measured[-1]
    made = result(experiment, config, measured)
    assert made.analysis.verdict in Verdict
