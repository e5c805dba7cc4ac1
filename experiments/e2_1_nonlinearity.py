"""2.1: Does the nonlinearity change the spectrum?

Question. What a step does to a small difference of states is its Jacobian ``diag(1 - h'^2) W_h``.
Is its spectrum another than that of ``W_h``?

Prediction. The plan: yes, an effective exponent exists, another than that of ``W_h``.

Design. The trained networks of 1.1, and a linear recurrence as a control, whose Jacobian is
``W_h``.  At states spread over validation text, after training, the logarithms of the singular
values of the Jacobian are averaged for each rank; a power law is forced through that spectrum and
through the one of ``W_h`` in the same way, and the exponents are subtracted.  Both are forced
exponents: which laws explain the spectra is counted beside them.  Each fit chooses the range of its
values, and a difference could come from that choice; so the slopes between the same ranks, of least
squares in logarithms over the first half, have to differ as well.  Rounding keeps a singular value
of the Jacobian above 2e-16 of the norm, and the smallest are near that; so the sign of a difference
is a finding and its size is not.  The slopes over the ranks at which the Jacobian is above 1e-6 of
its largest value, far from rounding, are reported as well (added after the run).  The difference
before training is reported beside it: slopes below 1 change the spectrum of noise, too.  The
leading Lyapunov exponents of the product of Jacobians along the text say what the steps do
together.

Nothing bounds the states of the linear network, so it may diverge.  A control that diverged is
reported as such and the verdict, which does not need it, is given without it.

A difference within +-0.05 is no change: it moves the rank that the formula (`rank_formula`)
predicts at 1.35 by about a tenth of itself.  An interval that excludes 0 and lies within +-0.05
is therefore a refutation.

Decision rule. As in ``RULE``.

Figure. Spectra of ``W_h`` and of the Jacobian for each network, and the differences.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from spectral_rank.experiments.exponents import (
    exponent_of,
    interval_over_seeds,
    mean_or_none,
    significant,
)
from spectral_rank.experiments.plateau import (
    NETWORKS,
    TRAINED_NETWORKS,
    PlateauSettings,
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
)
from spectral_rank.figures.palette import BLUE, GREEN, GREY, ORANGE
from spectral_rank.models.recurrent.settings import Kind
from spectral_rank.training.errors import DivergedError
from spectral_rank.training.run_record import RunRecord
from spectral_rank.training.run_settings import RunSettings
from spectral_rank.training.run_store import trained

ID = "2.1"
QUESTION = "Does the nonlinearity change the spectrum?"
PREDICTION = "Yes: the Jacobians of the steps have an effective exponent of their own."
RULE = (
    "The difference is the exponent of the power law forced through the Jacobian's spectrum (the "
    "geometric mean over states of each singular value) minus that of W_h, after training, the "
    "mean over layers. Confirmed if for both the dense Elman network and E5 the 95 % interval of "
    "the difference over seeds excludes 0 and does not lie within [-0.05, 0.05], and the interval "
    "of the difference of the slopes over the first half of the ranks lies on the same side of 0; "
    "refuted if for both the interval of the difference lies within [-0.05, 0.05]; undecided "
    "otherwise. The linear recurrence is a control, where the difference must vanish; it does not "
    "decide, and one that diverges is left out and counted."
)
THEOREMS = ("rank_formula",)

NEGLIGIBLE = 0.05
HALF = 0.5
"""Share of the ranks, the first ones, between which the slopes are compared."""
CLEAR = 1e-6
"""Singular values above this share of the largest are far from rounding."""
ABOVE_ROUNDING = "difference of slopes above rounding"
FEWEST = 4
"""Stored ranks that a slope needs."""

COLOURS: dict[Kind, str] = {"elman": BLUE, "e5": ORANGE, "linear": GREEN}


class Settings(PlateauSettings):
    """Sizes of the runs."""


def config(profile: Profile) -> Settings:
    """The runs that 1.1, 1.2, 2.1 and 4.1 share, and those of the control."""
    return Settings(**plateau_sizes(profile))


def cells(config: Settings) -> list[Cell]:
    """One cell for each network, the linear one included, and seed."""
    return plateau_cells(config, NETWORKS)


def run_of(config: Settings, cell: Cell) -> RunSettings:
    """The training run of a cell."""
    return plateau_run(config, cell)


def run_cell(config: Settings, cell: Cell) -> dict[str, Any]:
    """For each layer the spectra of ``W_h`` and of the Jacobian, their exponents, and growth.

    At the end, and at the start.  Of a control that diverged only that it did; another network that
    diverges is an error.
    """
    try:
        record = trained(run_of(config, cell)).record
    except DivergedError:
        if cell["kind"] in TRAINED_NETWORKS:
            raise
        return cell | {"diverged": True}
    return cell | {"layers": _layers(record, record.step), "start": _layers(record, 0)}


def _layers(record: RunRecord, step: int) -> list[dict[str, Any]]:
    weights = [probe for probe in spectra_at(record, step) if matrix_kind(probe.name) == "W_h"]
    jacobians = [probe for probe in record.probes.jacobians if probe.step == step]
    layers = []
    for weight, jacobian in zip(weights, jacobians, strict=True):
        spectra = {"weight": np.array(weight.values), "jacobian": np.exp(jacobian.mean_log_values)}
        layers.append(
            {name: _spectrum(values, weight.shape) for name, values in spectra.items()}
            | {"lyapunov": [significant(exponent) for exponent in jacobian.lyapunov]}
        )
    return layers


def _spectrum(values: npt.NDArray[np.float64], shape: tuple[int, int]) -> dict[str, Any]:
    """A spectrum, its forced exponent, what explains it, and its slope over the first half."""
    fit = exponent_of(values, shape)
    return {
        "fit": fit
        and {key: fit[key] for key in ("verdict", "winner", "alpha", "low", "high", "line")},
        "slope": significant(slope(values)),
        "spectrum": stored_spectrum(values),
    }


def slope(values: npt.NDArray[np.float64]) -> float:
    """The exponent of least squares in logarithms over the first half of the ranks.

    Args:
        values: positive singular values, at least 4.
    """
    count = max(2, round(HALF * len(values)))
    ranks = np.arange(1, count + 1)
    return -float(np.polyfit(np.log(ranks), np.log(values[:count]), 1)[0])


def difference(layers: list[dict[str, Any]]) -> float | None:
    """The Jacobian's forced exponent minus that of ``W_h``, the mean over layers with both."""
    return mean_or_none(
        layer["jacobian"]["fit"]["alpha"] - layer["weight"]["fit"]["alpha"]
        for layer in layers
        if all(_has_exponent(layer[name]["fit"]) for name in ("weight", "jacobian"))
    )


def _has_exponent(fit: dict[str, Any] | None) -> bool:
    return fit is not None and fit["alpha"] is not None


def _exponent(run: dict[str, Any], name: str) -> float | None:
    """The forced exponent of one of the spectra, the mean over layers."""
    fits = [layer[name]["fit"] for layer in run["layers"]]
    return mean_or_none(fit["alpha"] for fit in fits if _has_exponent(fit))


def analyse(config: Settings, measurements: list[dict[str, Any]]) -> Analysis:
    """Differences of exponents, the exponents, Lyapunov exponents, and the verdict of the rule."""
    runs = {kind: finished(measurements, kind) for kind in NETWORKS}
    found: dict[str, Interval | None] = {}
    for kind, network in NETWORKS.items():
        differences = [difference(run["layers"]) for run in runs[kind]]
        found[f"difference of exponents, {network}"] = interval_over_seeds(differences)
    for kind, network in NETWORKS.items():
        largest = [_mean_over_layers(run, _leading) for run in runs[kind]]
        found[f"leading Lyapunov exponent per step, {network}"] = interval_over_seeds(largest)
    for kind, network in NETWORKS.items():
        for name, words in (("jacobian", "the Jacobian"), ("weight", "W_h")):
            exponents = [_exponent(run, name) for run in runs[kind]]
            found[f"exponent of {words}, {network}"] = interval_over_seeds(exponents)
        found[f"difference of exponents at the start, {network}"] = interval_over_seeds(
            difference(run["start"]) for run in runs[kind]
        )
        found[f"difference of slopes over the first half of the ranks, {network}"] = (
            interval_over_seeds(_mean_over_layers(run, _slopes) for run in runs[kind])
        )
        found[f"{ABOVE_ROUNDING}, {network}"] = interval_over_seeds(
            _mean_over_layers(run, _clear_slopes) for run in runs[kind]
        )
    numbers = {name: interval for name, interval in found.items() if interval is not None}
    deciding = [
        (
            found[f"difference of exponents, {NETWORKS[kind]}"],
            found[f"difference of slopes over the first half of the ranks, {NETWORKS[kind]}"],
        )
        for kind in TRAINED_NETWORKS
    ]
    reason = _words(found, runs) + _diverged_in_words(measurements)
    return Analysis(numbers=numbers, verdict=decide(deciding), reason=reason)


def finished(measurements: list[dict[str, Any]], kind: Kind) -> list[dict[str, Any]]:
    """The networks of a kind that did not diverge."""
    return [m for m in measurements if m["kind"] == kind and not m.get("diverged")]


def _diverged_in_words(measurements: list[dict[str, Any]]) -> str:
    count = sum(m.get("diverged", False) for m in measurements)
    seeds = sum(m["kind"] not in TRAINED_NETWORKS for m in measurements)
    return f" {count} of {seeds} linear controls diverged." if count else ""


def _mean_over_layers(run: dict[str, Any], quantity: Any) -> float | None:
    return mean_or_none(quantity(layer) for layer in run["layers"])


def _leading(layer: dict[str, Any]) -> float | None:
    """The largest Lyapunov exponent; none where every product vanished."""
    return layer["lyapunov"][0] if layer["lyapunov"] else None


def _slopes(layer: dict[str, Any]) -> float:
    return float(layer["jacobian"]["slope"] - layer["weight"]["slope"])


def _clear_slopes(layer: dict[str, Any]) -> float | None:
    """The difference of slopes over the stored ranks at which the Jacobian is above rounding."""
    spectra = [layer[name]["spectrum"] for name in ("jacobian", "weight")]
    largest = spectra[0]["values"][0]
    clear = [place for place, value in enumerate(spectra[0]["values"]) if value > CLEAR * largest]
    if len(clear) < FEWEST:
        return None
    ranks = np.log([spectra[0]["ranks"][place] for place in clear])
    jacobian, weight = (
        np.polyfit(ranks, np.log([spectrum["values"][place] for place in clear]), 1)[0]
        for spectrum in spectra
    )
    return float(weight - jacobian)


def decide(differences: list[tuple[Interval | None, Interval | None]]) -> Verdict:
    """The rule; without an interval of one of the networks nothing is decided.

    Args:
        differences: for each network that of the exponents and that of the slopes.
    """
    known = [(x, slopes) for x, slopes in differences if x is not None and slopes is not None]
    if len(known) < len(differences):
        return Verdict.UNDECIDED
    negligible = [x.low >= -NEGLIGIBLE and x.high <= NEGLIGIBLE for x, _ in known]
    if all(negligible):
        return Verdict.REFUTED
    changed = all(
        (x.low > 0 and slopes.low > 0) or (x.high < 0 and slopes.high < 0) for x, slopes in known
    )
    return Verdict.CONFIRMED if changed and not any(negligible) else Verdict.UNDECIDED


def _words(found: dict[str, Interval | None], runs: dict[Kind, list[dict[str, Any]]]) -> str:
    parts = [
        f"{network}: {_shown(found[f'difference of exponents, {network}'])}, above rounding "
        f"{_shown(found[f'{ABOVE_ROUNDING}, {network}'])}"
        for network in NETWORKS.values()
    ]
    explained = []
    for kind in TRAINED_NETWORKS:
        for name, words in (("jacobian", "Jacobian of"), ("weight", "W_h of")):
            fits = [layer[name]["fit"] for run in runs[kind] for layer in run["layers"]]
            explained.append(f"{words} {NETWORKS[kind]}: {verdicts_in_words(fits)}")
    return (
        f"Exponent of the Jacobian minus that of W_h, and difference of their slopes where the "
        f"Jacobian is above rounding: {'; '.join(parts)}. Both exponents are forced; what "
        f"explains the spectra: {'; '.join(explained)}."
    )


def _shown(interval: Interval | None) -> str:
    if interval is None:
        return "too few networks with one"
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def draw(result: ExperimentResult, path: Path) -> None:
    """A panel for each network, and the differences at the right."""
    figure = Figure(figsize=(13.0, 3.9), layout="constrained")
    *panels, right = figure.subplots(1, 4)
    for axes, kind in zip(panels, NETWORKS, strict=True):
        runs = finished(result.measurements, kind)
        axes.set_title(NETWORKS[kind] if runs else f"{NETWORKS[kind]}: diverged")
        if runs:
            _draw_spectra(axes, runs, COLOURS[kind])
            axes.legend(frameon=False, fontsize=8)
        else:
            axes.set(xticks=(), yticks=())
    panels[0].set_ylabel("singular value")
    _draw_differences(right, result)
    for axes in (*panels, right):
        axes.spines[["top", "right"]].set_visible(False)
    verdict = result.analysis.verdict.value
    figure.suptitle(f"The nonlinearity changes the exponent of the spectrum: {verdict}")
    figure.savefig(path, dpi=200)


def _draw_spectra(axes: Axes, runs: list[dict[str, Any]], colour: str) -> None:
    """The first layer of every seed, ``W_h`` beside the Jacobian."""
    kind: Kind = runs[0]["kind"]
    for name, shade, words in (
        ("weight", GREY, matrix_label(kind, "W_h")),
        ("jacobian", colour, "Jacobian of a step"),
    ):
        for run in runs:
            spectrum = run["layers"][0][name]["spectrum"]
            named = words if run is runs[0] else None
            dashes = (0, (3, 2)) if name == "jacobian" else "-"
            axes.plot(
                spectrum["ranks"], spectrum["values"], color=shade, linestyle=dashes, alpha=0.8,
                linewidth=1.3, label=named,
            )  # fmt: skip
        _draw_law(axes, runs[0]["layers"][0][name]["fit"])
    axes.set(xscale="log", yscale="log", xlabel="rank")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _draw_law(axes: Axes, fit: dict[str, Any] | None) -> None:
    """The forced power law of the first seed over the ranks it was fitted to."""
    if fit and fit["line"]:
        line = fit["line"]
        ranks = np.arange(line["first"], line["last"] + 1)
        law = line["scale"] * (ranks - line["first"] + line["first_index"]) ** -fit["alpha"]
        label = f"forced exponent {fit['alpha']:.2f}"
        axes.plot(ranks, law, color="black", linestyle=":", linewidth=1, label=label)


def _draw_differences(axes: Axes, result: ExperimentResult) -> None:
    """One interval for each network, and the band in which there is no change."""
    axes.axvspan(-NEGLIGIBLE, NEGLIGIBLE, color=GREY, alpha=0.2, linewidth=0, label="no change")
    for place, (kind, network) in enumerate(NETWORKS.items()):
        interval = result.analysis.numbers.get(f"difference of exponents, {network}")
        if interval is not None:
            ends = ([interval.value - interval.low], [interval.high - interval.value])
            axes.errorbar(interval.value, place, xerr=ends, fmt="o", color=COLOURS[kind], capsize=3)
    axes.set_yticks(range(len(NETWORKS)), list(NETWORKS.values()))
    axes.set_ylim(len(NETWORKS) - 0.5, -0.5)
    axes.set(
        xlabel="change of the exponent\n95 % interval over seeds", title="Jacobian against $W_h$"
    )
    axes.legend(frameon=False, fontsize=8)
