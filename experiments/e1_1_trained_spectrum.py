"""1.1: What spectrum do trained weights have?

Question. Which exponent do the singular values of the weights of a trained recurrent network have?

Prediction. The plan: a power law with ``alpha = 1.35``, accepted in [1.2, 1.5].  At that exponent
the rank formula (`rank_formula`) gives 17 % of the width for a tolerance of 5 %.

Design. A dense Elman network and an E5 of rank 17 % learn to predict bytes until the loss hardly
falls any more; how near that is to a plateau is measured by the fall of the validation loss over
the last fifth of the steps (the learning rate falls there, too, to a tenth at the end).  At the
start and at the end every law of ``spectral_rank.spectra`` is fitted to the singular values of
every matrix, of the products ``U V`` in E5.  The exponent is that of the power law *forced*
through the spectrum, which exists whatever the law; which law explains each matrix is counted
beside it, and an exponent of noise is not a law.  The rule takes the exponents by themselves, as
the plan does; 1.2 asks whether they mean anything.  The interval is that of the mean exponent over
seeds, of the mean over layers: single networks and layers spread wider.

Entries start independent, so ``W_h`` starts as noise, through which a power law of exponent about
0.3 can be forced; what training did is the difference from that.

A first run (seeds 0 to 2, ``results/1.1-cpu-41fb5469a588.json``) ended while this file was under
review.  The rule still decides as it did then: texts were added to it, and snapshots on the way are
taken twice as often.  The verdict that is reported comes from a new run with new seeds.

Decision rule. As in ``RULE``.

Figure. Singular values of the recurrent matrices with the forced power laws, and the exponents of
all matrices against the predicted band.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectral_rank.certify.request import InstanceRequest, MeasuredExponent, MeasuredSpectrum
from spectral_rank.experiments.exponents import (
    exponent_of,
    interval_over_seeds,
    mean_or_none,
)
from spectral_rank.experiments.plateau import (
    NETWORKS,
    TRAINED_NETWORKS,
    PlateauSettings,
    fall_over_last_part,
    matrix_kind,
    matrix_label,
    plateau_cells,
    plateau_run,
    plateau_sizes,
    spectra_at,
    stored_spectrum,
    verdicts_in_words,
)
from spectral_rank.experiments.record import (
    Analysis,
    Cell,
    ExperimentResult,
    Interval,
    Profile,
    Verdict,
    mean_interval,
)
from spectral_rank.experiments.recurrent import rank_of
from spectral_rank.figures.palette import BLUE, GREEN, GREY, ORANGE
from spectral_rank.models.recurrent.settings import Kind
from spectral_rank.training.run_record import SpectrumProbe
from spectral_rank.training.run_settings import RunSettings
from spectral_rank.training.run_store import trained

ID = "1.1"
QUESTION = "What spectrum do trained weights have?"
PREDICTION = "A power law with exponent 1.35, accepted in [1.2, 1.5]."
RULE = (
    "Decided on the recurrent matrices: W_h of the dense Elman network and U_h V_h of E5, the mean "
    "over layers of the exponent of the power law forced through the trained singular values. "
    "Confirmed if the 95 % intervals over seeds of both lie in [1.2, 1.5]; refuted if one of them "
    "has no point in common with it; undecided otherwise. The intervals are not corrected for "
    "there being two, so one of two 95 % intervals refutes."
)
THEOREMS = ("rank_formula", "optimalRank_bounds", "captureRank_le_iff_exists_approximation")

BAND = (1.2, 1.5)
PREDICTED = 1.35
STEPS = ("start", "trained")
MATRICES: dict[Kind, tuple[str, ...]] = {
    "elman": ("W_h", "W_x", "W_o"),
    "e5": ("W_h", "W_x", "W_z", "W_o"),
}
ROUNDED = 1e-6
"""Error of the stored singular values as a share of the largest: they keep 7 digits."""


class Settings(PlateauSettings):
    """Sizes of the runs."""


def config(profile: Profile) -> Settings:
    """The runs that 1.1, 1.2, 2.1 and 4.1 share."""
    return Settings(**plateau_sizes(profile))


def cells(config: Settings) -> list[Cell]:
    """One cell for each network and seed."""
    return plateau_cells(config)


def run_of(config: Settings, cell: Cell) -> RunSettings:
    """The training run of a cell."""
    return plateau_run(config, cell)


def run_cell(config: Settings, cell: Cell) -> dict[str, Any]:
    """Spectrum and exponent of every matrix at the start and at the end, and the loss."""
    record = trained(run_of(config, cell)).record
    return cell | {
        "loss": record.final_loss,
        "fall": fall_over_last_part(record),
        "start": [_matrix(probe) for probe in spectra_at(record, 0)],
        "trained": [_matrix(probe) for probe in spectra_at(record, record.step)],
    }


def _matrix(probe: SpectrumProbe) -> dict[str, Any]:
    """One matrix: what law, which exponent, and the singular values."""
    fit = exponent_of(probe.values, probe.shape)
    kept = ("verdict", "winner", "alpha", "low", "high", "line")
    return {
        "name": probe.name,
        "shape": list(probe.shape),
        "fit": fit and {key: fit[key] for key in kept},
        "spectrum": stored_spectrum(probe.values),
    }


def _fits(runs: list[dict[str, Any]], step: str, matrix: str) -> list[list[dict[str, Any] | None]]:
    """The fits of a matrix for each run, one for each layer."""
    return [
        [found["fit"] for found in run[step] if matrix_kind(found["name"]) == matrix]
        for run in runs
    ]


def exponent(measurements: list[dict[str, Any]], kind: Kind, step: str, matrix: str) -> Any:
    """The mean exponent over layers with its interval over seeds; ``None`` if none was fitted."""
    runs = [m for m in measurements if m["kind"] == kind]
    return interval_over_seeds(
        mean_or_none(fit["alpha"] if fit else None for fit in fits)
        for fits in _fits(runs, step, matrix)
    )


def analyse(config: Settings, measurements: list[dict[str, Any]]) -> Analysis:
    """Exponents of all matrices, distance from a plateau, and the verdict of the rule."""
    numbers: dict[str, Interval] = {}
    deciding = {
        matrix_label(kind, "W_h"): exponent(measurements, kind, "trained", "W_h")
        for kind in TRAINED_NETWORKS
    }
    _add(numbers, {f"exponent of {name}": found for name, found in deciding.items()})
    for kind in TRAINED_NETWORKS:
        at_start = exponent(measurements, kind, "start", "W_h")
        _add(numbers, {f"exponent at the start of {matrix_label(kind, 'W_h')}": at_start})
    for kind in TRAINED_NETWORKS:
        falls = [m["fall"] for m in measurements if m["kind"] == kind]
        name = f"fall of the loss over the last fifth, {NETWORKS[kind]}"
        numbers[name] = mean_interval(falls)
    for step, words in (("trained", "exponent of"), ("start", "exponent at the start of")):
        for kind in TRAINED_NETWORKS:
            for matrix in MATRICES[kind][1:]:
                found = exponent(measurements, kind, step, matrix)
                _add(numbers, {f"{words} {matrix_label(kind, matrix)}": found})
    for kind in TRAINED_NETWORKS:
        losses = [m["loss"] for m in measurements if m["kind"] == kind]
        numbers[f"validation loss in nats per byte, {NETWORKS[kind]}"] = mean_interval(losses)
    return Analysis(
        numbers=numbers, verdict=decide(deciding), reason=_words(deciding, measurements)
    )


def _add(numbers: dict[str, Interval], found: dict[str, Interval | None]) -> None:
    """Those that could be measured."""
    numbers |= {name: interval for name, interval in found.items() if interval is not None}


def decide(exponents: dict[str, Interval | None]) -> Verdict:
    """The rule, from the intervals of both exponents; one that is missing decides nothing."""
    known = [interval for interval in exponents.values() if interval is not None]
    low, high = BAND
    if any(interval.high < low or interval.low > high for interval in known):
        return Verdict.REFUTED
    inside = all(low <= interval.low and interval.high <= high for interval in known)
    return Verdict.CONFIRMED if inside and len(known) == len(exponents) else Verdict.UNDECIDED


def _words(deciding: dict[str, Interval | None], measurements: list[dict[str, Any]]) -> str:
    parts = []
    for kind, (name, found) in zip(TRAINED_NETWORKS, deciding.items(), strict=True):
        runs = [m for m in measurements if m["kind"] == kind]
        fall, loss = (float(np.mean([m[key] for m in runs])) for key in ("fall", "loss"))
        forced = (
            "too few singular values for an exponent"
            if found is None
            else f"a forced exponent of {found.value:.3g} [{found.low:.3g}, {found.high:.3g}]"
        )
        parts.append(
            f"{name}: {forced}; what explains it: {_recurrent_verdicts(runs)}; over the last fifth "
            f"of the steps the loss fell by {fall:.1%}, to {loss:.3g} nats per byte"
        )
    every = [found["fit"] for m in measurements for found in m["trained"]]
    return f"{'. '.join(parts)}. Of all {len(every)} trained matrices: {verdicts_in_words(every)}."


def _recurrent_verdicts(runs: list[dict[str, Any]]) -> str:
    return verdicts_in_words(fit for fits in _fits(runs, "trained", "W_h") for fit in fits)


def instances(result: ExperimentResult) -> list[InstanceRequest]:
    """Mean exponent over seeds and the first seed's spectrum of both recurrent matrices.

    An interval that reaches below 0 is cut there, and its text says so: a nonincreasing spectrum
    has no such exponent.
    """
    settings = Settings.model_validate(result.config)
    rank = rank_of(settings.ratio, settings.width)
    return [
        request for kind in TRAINED_NETWORKS for request in _request(result, settings, kind, rank)
    ]


def _request(
    result: ExperimentResult, settings: Settings, kind: Kind, rank: int
) -> list[InstanceRequest]:
    found = result.analysis.numbers.get(f"exponent of {matrix_label(kind, 'W_h')}")
    runs = [m for m in result.measurements if m["kind"] == kind]
    about = (
        f"the trained {matrix_label(kind, 'W_h')}, width {settings.width}, {settings.steps} steps"
    )
    measured = None
    if found is not None and found.high > 0:
        cut = ", cut at 0" if found.low < 0 else ""
        measured = MeasuredExponent(
            max(0.0, found.low),
            found.high,
            f"95 % interval{cut} of the mean exponent, over {found.count} seeds and in each over "
            f"the layers, of a power law forced through the singular values of {about}; single "
            f"networks spread wider; what explains them: {_recurrent_verdicts(runs)}",
        )
    values = runs[0]["trained"][0]["spectrum"]
    spectrum = None
    if values["ranks"][-1] == len(values["ranks"]) and values["values"][0] > 0:
        method = f"the first layer of {about}, seed {runs[0]['seed']}"
        spectrum = MeasuredSpectrum(values["values"], method, ROUNDED)
    if measured is None and spectrum is None:
        return []
    return [InstanceRequest(f"W_h {kind}", rank, measured, spectrum)]


def draw(result: ExperimentResult, path: Path) -> None:
    """The spectra of both recurrent matrices, and the exponents of all matrices."""
    figure = Figure(figsize=(12.0, 4.2), layout="constrained")
    *panels, right = figure.subplots(1, 3)
    for axes, kind in zip(panels, TRAINED_NETWORKS, strict=True):
        _draw_spectra(axes, [m for m in result.measurements if m["kind"] == kind])
        axes.set_title(matrix_label(kind, "W_h"))
    panels[0].set_ylabel("singular value")
    _draw_exponents(right, result)
    for axes in (*panels, right):
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    verdict = result.analysis.verdict.value
    figure.suptitle(f"Trained recurrent matrices have an exponent in [1.2, 1.5]: {verdict}")
    figure.savefig(path, dpi=200)


def _draw_spectra(axes: Axes, runs: list[dict[str, Any]]) -> None:
    """The first layer of every seed: at the start, trained, and the forced law."""
    for step, colour in zip(STEPS, (GREY, BLUE), strict=True):
        for run in runs:
            spectrum = run[step][0]["spectrum"]
            named = step if run is runs[0] else None
            axes.plot(
                spectrum["ranks"], spectrum["values"], color=colour, alpha=0.7, marker=".",
                markersize=2.5, linewidth=0.8, label=named,
            )  # fmt: skip
    for run in runs:
        fit = run["trained"][0]["fit"]
        if fit and fit["line"]:
            line = fit["line"]
            ranks = np.arange(line["first"], line["last"] + 1)
            law = line["scale"] * (ranks - line["first"] + line["first_index"]) ** -fit["alpha"]
            named = f"forced law, exponent {fit['alpha']:.2f}" if run is runs[0] else None
            axes.plot(ranks, law, color=ORANGE, linewidth=1.1, label=named)
    spectrum = runs[0]["trained"][0]["spectrum"]
    ranks = np.array(spectrum["ranks"], dtype=float)
    predicted = spectrum["values"][0] * ranks**-PREDICTED
    named = f"predicted, exponent {PREDICTED}"
    axes.plot(ranks, predicted, color=GREEN, linestyle=":", linewidth=1.3, label=named)
    floor = min(min(run[step][0]["spectrum"]["values"]) for run in runs for step in STEPS)
    axes.set(xscale="log", yscale="log", xlabel="rank", ylim=(max(floor, 1e-5) / 2, None))


def _draw_exponents(axes: Axes, result: ExperimentResult) -> None:
    """Each matrix's exponent with its interval over seeds, beside that at the start."""
    names = [(kind, matrix) for kind in TRAINED_NETWORKS for matrix in MATRICES[kind]]
    axes.axvspan(*BAND, color=GREEN, alpha=0.2, linewidth=0, label="predicted")
    for step, colour, offset in zip(STEPS, (GREY, BLUE), (0.12, -0.12), strict=True):
        found = [exponent(result.measurements, kind, step, matrix) for kind, matrix in names]
        places = [place + offset for place, interval in enumerate(found) if interval is not None]
        known = [interval for interval in found if interval is not None]
        value = np.array([interval.value for interval in known])
        below = value - [interval.low for interval in known]
        above = [interval.high for interval in known] - value
        axes.errorbar(
            value, places, xerr=(below, above), fmt="o", color=colour, markersize=4, capsize=2,
            label=step,
        )  # fmt: skip
    axes.set_yticks(range(len(names)), [matrix_label(kind, matrix) for kind, matrix in names])
    axes.invert_yaxis()
    axes.set(xlabel="forced exponent, 95 % interval over seeds", title="All matrices")
