"""3.3: Does alpha set the scaling exponent?

Question. Loss falls with the size of a model like ``L_inf + c N^(-beta)``.  Is ``beta`` given by
the exponent ``alpha`` of the spectrum of the recurrent weights?

Prediction. ``beta = 1 / (2 alpha)``, which the plan speculates.  Its rival is the exponent of the
theory, ``2 alpha - 1``: were the loss proportional to the energy beyond a rank, it would fall with
that rank like ``r^(-(2 alpha - 1))`` (`tailEnergy_scaling`, for ``alpha > 1/2``; below, that energy
does not fall to 0 at all).

Design. Dense Elman networks over bytes, of widths over a factor of 16, each trained for the same
steps on the same batches, with a learning rate that falls with the square root of the width.  The
law is fitted by least squares to the final validation losses of each seed
(`spectral_rank.experiments.scaling_law`); ``N`` counts all trained parameters.  Alpha is the
exponent of the power law forced through the trained ``W_h``, the mean over the widths that are wide
enough for a spectrum.

What this cannot say.  All sizes train equally long, so a wide network is further from its plateau
than a narrow one, and beta is that of a fixed budget of data.  `tailEnergy_scaling` is a law in the
rank, and the plan compares its exponent with one in ``N``; so the exponents in the width and in the
parameters of the recurrence alone (embedding and readout grow like the width, the recurrence like
its square) are reported as well, and do not decide.

Decision rule. As in ``RULE``.  Beta and alpha of a seed come from the same networks, so they are
compared within the seed, and the interval is that of their ratio over seeds.  The demand of a
factor 4 keeps an interval that contains everything from confirming anything.  Where alpha is not
above 1/2 the theory has no law, and agreement with ``1 / (2 alpha)`` has no rival to win against.

Figure. Loss against the number of parameters with the law of each seed, and the best laws of both
candidate exponents.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from spectral_rank.experiments.bounded import (
    Bounded,
    exponentiated,
    in_words,
    known,
    over_seeds,
)
from spectral_rank.experiments.exponents import (
    forced_exponent,
    interval_over_seeds,
    mean_or_none,
    significant,
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
from spectral_rank.experiments.recurrent import RecurrentSettings, run_settings, sizes
from spectral_rank.experiments.scaling_law import ScalingLaw, fit_scaling_law, law_of_exponent
from spectral_rank.figures.palette import BLUE, GREEN, GREY, ORANGE
from spectral_rank.training.run_settings import RunSettings
from spectral_rank.training.run_store import trained

ID = "3.3"
QUESTION = "Does alpha set the scaling exponent?"
PREDICTION = "The loss falls like N^(-1/(2 alpha)) to its limit."
RULE = (
    "The law L_inf + c N^(-beta) with L_inf, c >= 0 is fitted to the final validation losses of "
    "each seed by least squares, N the number of trained parameters. Alpha of a seed is the "
    "exponent of the power law forced through the trained W_h, the mean over the networks of width "
    "128 and more (256 in the profile gpu). Beta is divided by 1/(2 alpha) of the same seed; the "
    "95 % interval of that ratio over seeds is one of its logarithm, open if the losses of a seed "
    "name no exponent. Refuted if it excludes 1. Confirmed if it contains 1, it and the interval "
    "of beta span less than a factor 4 each, and the rival 2 alpha - 1 is out: the interval of "
    "alpha and every alpha lie above 1/2 and the interval of beta over 2 alpha - 1 excludes 1. "
    "Where the interval of alpha lies at or below 1/2 there is no rival, and confirmed says no "
    "more than that beta agrees with 1/(2 alpha). Undecided otherwise."
)
THEOREMS = ("tailEnergy_scaling",)

WIDTHS: dict[Profile, tuple[tuple[int, ...], int]] = {
    "smoke": ((8, 12, 16, 20, 24), 20),
    "cpu": ((32, 48, 64, 96, 128, 192, 256, 384, 512), 128),
    "gpu": ((256, 384, 512, 768, 1024, 1536, 2048), 256),
}
"""Widths of a profile, and the least at which the exponent of ``W_h`` is measured."""
WIDEST = 4.0
SLOWEST = 0.5
"""Exponent of a spectrum up to which the energy beyond a rank does not fall to 0."""
BETA = "beta in the number of parameters"
ALPHA = "forced exponent alpha of W_h"
SPECULATED, THEORY = "1 / (2 alpha)", "2 alpha - 1"
OVER_SPECULATED, OVER_THEORY = f"beta over {SPECULATED}", f"beta over {THEORY}"
SIZES = {
    BETA: "parameters",
    "beta in the parameters of the recurrence": "recurrent_parameters",
    "beta in the width": "width",
}


class Settings(RecurrentSettings):
    """Sizes of the experiment.

    Attributes:
        widths: widths of the networks, increasing.
        spectrum_from: least width at which the exponent of ``W_h`` is measured.
    """

    widths: tuple[int, ...]
    spectrum_from: int


def config(profile: Profile) -> Settings:
    """Widths over a factor 16 (cpu), 8 (gpu) and 3 (smoke)."""
    widths, spectrum_from = WIDTHS[profile]
    return Settings(**sizes(profile), widths=widths, spectrum_from=spectrum_from)


def cells(config: Settings) -> list[Cell]:
    """Each width with every seed, the widest first because they take longest."""
    return [
        {"width": width, "seed": seed} for width in reversed(config.widths) for seed in config.seeds
    ]


def run_of(config: Settings, cell: Cell) -> RunSettings:
    """The training run of a cell."""
    return run_settings(config, cell["seed"], width=cell["width"])


def run_cell(config: Settings, cell: Cell) -> dict[str, Any]:
    """Final loss, sizes, and the exponent of ``W_h`` (the mean over layers) at the end."""
    run = trained(run_of(config, cell))
    record = run.record
    exponents = [
        forced_exponent(probe.values, probe.shape)
        for probe in record.probes.spectra
        if probe.step == record.step and probe.name.endswith(".W_h")
    ]
    alpha = mean_or_none(exponents) if cell["width"] >= config.spectrum_from else None
    return cell | {
        "parameters": record.parameters,
        "recurrent_parameters": sum(p.numel() for p in run.model.layers.parameters()),
        "loss": significant(record.final_loss),
        "alpha": None if alpha is None else significant(alpha),
    }


def analyse(config: Settings, measurements: list[dict[str, Any]]) -> Analysis:
    """Beta in three measures of size, both candidates, and the verdict of the rule."""
    seeds = [[m for m in measurements if m["seed"] == seed] for seed in config.seeds]
    laws = {name: [law_of(runs, size) for runs in seeds] for name, size in SIZES.items()}
    betas = {
        name: exponentiated(over_seeds([log_exponent(law) for law in found]))
        for name, found in laws.items()
    }
    alphas = [mean_or_none(run["alpha"] for run in runs) for runs in seeds]
    deciding = laws[BETA]
    ratios = over_candidates([log_exponent(law) for law in deciding], alphas)
    numbers = {BETA: betas[BETA]} | ratios | _candidates(alphas)
    numbers["L_inf, nats per byte"] = mean_interval([law.floor for law in deciding])
    numbers["share of variance that the law explains"] = mean_interval(
        [law.r_squared for law in deciding]
    )
    numbers |= betas
    for width in config.widths:
        losses = [m["loss"] for m in measurements if m["width"] == width]
        numbers[f"loss, width {width}"] = mean_interval(losses)
    return Analysis(numbers=numbers, verdict=decide(numbers), reason=_words(numbers, deciding))


def law_of(runs: list[dict[str, Any]], size: str) -> ScalingLaw:
    """The law of one seed in one measure of size."""
    return fit_scaling_law([run[size] for run in runs], [run["loss"] for run in runs])


def log_exponent(law: ScalingLaw) -> Bounded:
    """The logarithm of the exponent, without bounds if the losses name none."""
    value = math.log(law.exponent)
    return known(value) if law.is_determined else Bounded(value, -math.inf, math.inf)


def over_candidates(log_betas: list[Bounded], alphas: list[float | None]) -> dict[str, Interval]:
    """Beta over each candidate, paired by seed; one that is missing or not above 0 has no ratio.

    Args:
        log_betas: logarithm of beta of each seed.
        alphas: exponent of the spectra of each seed.
    """
    known_alphas = [alpha for alpha in alphas if alpha is not None]
    if len(known_alphas) < len(alphas):
        return {}
    candidates = {
        OVER_SPECULATED: [1 / (2 * a) if a > 0 else 0.0 for a in known_alphas],
        OVER_THEORY: [2 * a - 1 for a in known_alphas],
    }
    return {
        name: exponentiated(
            over_seeds(
                [
                    beta.mapped(lambda x, c=value: x - math.log(c))  # type: ignore[misc]
                    for beta, value in zip(log_betas, values, strict=True)
                ]
            )
        )
        for name, values in candidates.items()
        if min(values) > 0
    }


def _candidates(alphas: list[float | None]) -> dict[str, Interval]:
    """What the exponents of the spectra predict; nothing where there are none."""
    alpha = interval_over_seeds(alphas)
    if alpha is None:
        return {}
    found = {ALPHA: alpha}
    positive = [a for a in alphas if a is not None and a > 0]
    speculated = interval_over_seeds(1 / (2 * a) for a in positive)
    theory = interval_over_seeds(None if a is None else 2 * a - 1 for a in alphas)
    found |= {SPECULATED: speculated} if speculated else {}
    return found | ({THEORY: theory} if theory else {})


def decide(numbers: dict[str, Interval]) -> Verdict:
    """The rule; without an exponent of the spectra there is nothing to decide."""
    if OVER_SPECULATED not in numbers:
        return Verdict.UNDECIDED
    ratio = numbers[OVER_SPECULATED]
    if not _contains_one(ratio):
        return Verdict.REFUTED
    informative = all(found.high < WIDEST * found.low for found in (numbers[BETA], ratio))
    return Verdict.CONFIRMED if informative and _rival_is_out(numbers) else Verdict.UNDECIDED


def _rival_is_out(numbers: dict[str, Interval]) -> bool:
    if _has_no_rival(numbers):
        return True
    above = numbers[ALPHA].low > SLOWEST and OVER_THEORY in numbers
    return above and not _contains_one(numbers[OVER_THEORY])


def _has_no_rival(numbers: dict[str, Interval]) -> bool:
    return numbers[ALPHA].high <= SLOWEST


def _contains_one(ratio: Interval) -> bool:
    return ratio.low <= 1 <= ratio.high


def _words(numbers: dict[str, Interval], laws: list[ScalingLaw]) -> str:
    parts = [f"beta is {in_words(numbers[BETA], 0.0)}"]
    unnamed = sum(not law.is_determined for law in laws)
    if unnamed:
        parts.append(f"the losses of {unnamed} of {len(laws)} seeds name no exponent")
    if OVER_SPECULATED not in numbers:
        return "; ".join([*parts, "W_h has no exponent to compare it with"]) + "."
    parts.append(f"alpha is {in_words(numbers[ALPHA])}")
    for name in (OVER_SPECULATED, OVER_THEORY):
        if name in numbers:
            inside = "contains" if _contains_one(numbers[name]) else "excludes"
            parts.append(f"{name} is {in_words(numbers[name], 0.0)}, which {inside} 1")
    if _has_no_rival(numbers):
        parts.append(
            "alpha is not above 1/2, so the theory has no law here, and no more is tested than "
            f"whether beta agrees with {SPECULATED}"
        )
    elif numbers[ALPHA].low <= SLOWEST or OVER_THEORY not in numbers:
        parts.append("whether alpha is above 1/2, so that the theory has a law, is open")
    return "; ".join(parts) + "."


def draw(result: ExperimentResult, path: Path) -> None:
    """Losses of all seeds, their laws, and the laws of the candidates."""
    settings = Settings.model_validate(result.config)
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    seeds = [[m for m in result.measurements if m["seed"] == seed] for seed in settings.seeds]
    _draw_laws(axes, seeds, result.analysis.numbers[BETA])
    _draw_candidates(axes, result)
    axes.set(xscale="log", xlabel="trained parameters", ylabel="validation loss, nats per byte")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(EngFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    verdict = result.analysis.verdict.value
    figure.suptitle(f"The spectrum sets how the loss falls with size: {verdict}")
    figure.savefig(path, dpi=200)


def _draw_laws(axes: Axes, seeds: list[list[dict[str, Any]]], beta: Interval) -> None:
    label = f"fitted law, beta {in_words(beta, 0.0)}"
    for runs in seeds:
        N = np.array([run["parameters"] for run in runs])
        first = runs is seeds[0]
        losses = [run["loss"] for run in runs]
        axes.plot(N, losses, "o", color=BLUE, ms=4, alpha=0.7, label="a network" if first else None)
        grid = np.geomspace(N.min(), N.max(), 100)
        curve = law_of(runs, "parameters").predict(grid)
        axes.plot(grid, curve, color=BLUE, lw=1.2, alpha=0.7, label=label if first else None)


def _draw_candidates(axes: Axes, result: ExperimentResult) -> None:
    """The best law of each candidate exponent through all networks; of 2 alpha - 1 if positive."""
    N = [m["parameters"] for m in result.measurements]
    losses = [m["loss"] for m in result.measurements]
    grid = np.geomspace(min(N), max(N), 100)
    styles = {SPECULATED: (ORANGE, "--"), THEORY: (GREEN, "-.")}
    for name, (colour, style) in styles.items():
        candidate = result.analysis.numbers.get(name)
        if candidate is None:
            continue
        if candidate.value <= 0:
            axes.plot([], [], color=GREY, ls=":", label=f"{name} is not above 0: no such law")
            continue
        curve = law_of_exponent(candidate.value, N, losses).predict(grid)
        label = f"beta = {name} = {candidate.value:.3g}"
        axes.plot(grid, curve, color=colour, linestyle=style, linewidth=1.4, label=label)
