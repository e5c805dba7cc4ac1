"""4.2: Does conditioning drive gradient quality?

Question. Does a recurrent matrix of lower rank, being better conditioned, have better gradients?

Prediction. Lower rank, better gradient flow: the signal-to-noise ratio of the gradient falls as the
condition number ``kappa_r = s_1 / s_r`` of ``W_h`` at its rank rises.

What the theorems say.  All are about gradient descent on a quadratic whose curvatures are the
squares of a power law cut off at rank ``r``, each rank at the best constant learning rate of its
own.  The best contraction factor of a step, ``(r^(2 alpha) - 1) / (r^(2 alpha) + 1)``, does not
fall as the rank grows (`contraction_mono`); nor does the bound on the squared error after ``k``
steps that it gives, its power ``2 k`` (`gdIterate_powerLaw_mono`: the bounds are ordered, not the
errors); and a number of steps that suffices for an accuracy grows with ``r^(2 alpha)``
(`gdIterate_powerLaw_steps`).  None speaks of a network, of one rate for all ranks, or of noise in
the gradient: the plan's step from them to signal to noise is what is tested.

Design. The networks of 1.3: ratios of rank to width up to 1 with ``W_h`` and ``W_x`` or ``W_h``
alone as products ``U V``, and the dense network, all trained alike.  Signal to noise is that of the
whole gradient on independent batches (`spectral_rank.training.gradient_probe`), the mean over the
probes of the second half of training; kappa is that of ``W_h`` at the same probes, its geometric
mean over them and over layers.  A dense ``W_h`` has the rank of its width.

Convergence.  For each seed a level of the validation loss is set that every network reaches: nine
tenths of the way from the mean loss at the start down to the highest of the final losses.  Speed is
the number of steps to that level, interpolated between looks at the loss.  It is reported and does
not decide.

Confounders.  A network that has learnt more has a smaller gradient, so its signal to noise is lower
whatever its conditioning.  So the correlation that is left at equal loss is reported (partial,
given the mean validation loss of the same half of training), as are the correlations with the rank
itself and within each family.  Signal to noise is that of the gradient in the parameters, so it
depends on how a matrix is written: of the same ``W`` it is another in ``U`` and ``V`` than in the
entries.  The dense network alone is written in entries, so the correlation is reported without it,
too: the products of full rank, ratio 1, stand at its end then.  One learning rate serves all
networks; 4.3 asks if that is fair.

Decision rule. As in ``RULE``.

Figure. Signal to noise, and steps to the common loss, against kappa.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectral_rank.experiments.exponents import significant
from spectral_rank.experiments.rank_correlation import (
    fisher_interval,
    partial_spearman,
    spearman,
)
from spectral_rank.experiments.rank_sweep import (
    ALL_RATIOS,
    Family,
    SweepSettings,
    chosen,
    sweep_cells,
    sweep_run,
)
from spectral_rank.experiments.record import (
    Analysis,
    Cell,
    ExperimentResult,
    Interval,
    Profile,
    Verdict,
)
from spectral_rank.experiments.recurrent import sizes
from spectral_rank.figures.palette import BLUE, GREY, ORANGE
from spectral_rank.training.run_record import RunRecord
from spectral_rank.training.run_settings import RunSettings
from spectral_rank.training.run_store import trained

ID = "4.2"
QUESTION = "Does conditioning drive gradient quality?"
PREDICTION = (
    "Lower rank, better gradient flow: the worse the recurrent matrix is conditioned, the lower "
    "is the signal-to-noise ratio of the gradient."
)
RULE = (
    "For each seed, Spearman's correlation over the networks of 1.3 (ranks in W_h and W_x, ranks "
    "in W_h alone, and the dense one) between the signal-to-noise ratio of the gradient and the "
    "condition number of W_h at its rank, both averaged over the probes of the second half of "
    "training; 95 % interval over seeds on Fisher's scale. Confirmed if it lies wholly below 0; "
    "refuted if it lies wholly above 0; undecided otherwise."
)
THEOREMS = ("contraction_mono", "gdIterate_powerLaw_mono", "gdIterate_powerLaw_steps")

FAMILIES: dict[Family, str] = {"both": "W_h and W_x", "recurrent": "W_h alone"}
LEVEL = 0.9
"""How far down to the worst final loss the common level lies."""

SNR_KAPPA = "rank correlation of signal to noise with kappa"
AT_EQUAL_LOSS = f"{SNR_KAPPA}, at equal loss"
FACTORED = f"{SNR_KAPPA}, without the dense network"
RECURRENT_ALONE = f"{SNR_KAPPA}, {FAMILIES['recurrent']}"
STEPS_KAPPA = "rank correlation of steps to a common loss with kappa"
KAPPA_RANK = "rank correlation of kappa with rank"
Runs = list[dict[str, Any]]


class Settings(SweepSettings):
    """Ratios and the common sizes."""


def config(profile: Profile) -> Settings:
    """Those of 1.3, so that its networks serve here too."""
    return Settings(**sizes(profile), ratios=ALL_RATIOS[profile])


def cells(config: Settings) -> list[Cell]:
    """Those of 1.3."""
    return sweep_cells(config, tuple(FAMILIES))


def run_of(config: Settings, cell: Cell) -> RunSettings:
    """The training run of a cell, that of 1.3."""
    return sweep_run(config, cell)


def run_cell(config: Settings, cell: Cell) -> dict[str, Any]:
    """Signal to noise, conditioning, and the curve of the validation loss."""
    return cell | measured(trained(run_of(config, cell)).record)


def measured(record: RunRecord) -> dict[str, Any]:
    """What this experiment keeps of a run.

    Args:
        record: of a finished run with probes.

    Returns:
        ``rank`` of ``W_h``; over the second half of the steps ``snr`` of the whole gradient,
        ``recurrent_snr`` of the parameters of ``W_h`` (their mean), ``kappa`` (``None`` if ``W_h``
        was singular) and ``late_loss``, the mean validation loss; and ``steps`` and ``losses`` of
        the looks at the validation loss.
    """
    model, half = record.settings.model, record.step / 2
    gradients = [probe for probe in record.probes.gradients if probe.step > half]
    conditions = [
        probe.condition_number
        for probe in record.probes.spectra
        if probe.step > half and probe.name.endswith(".W_h")
    ]
    recurrent = [
        ratio for probe in gradients for name, ratio in probe.by_matrix.items() if ".W_h." in name
    ]
    condition = geometric_mean(conditions)
    return {
        "rank": model.width if model.recurrent_rank is None else model.recurrent_rank,
        "snr": _mean([probe.snr for probe in gradients]),
        "recurrent_snr": _mean(recurrent),
        "kappa": None if condition is None else significant(condition),
        "late_loss": _mean([look.loss for look in record.evaluations if look.step > half]),
        "steps": [look.step for look in record.evaluations],
        "losses": [significant(look.loss) for look in record.evaluations],
    }


def geometric_mean(values: Sequence[float | None]) -> float | None:
    """The geometric mean of positive numbers; ``None`` if one of them is."""
    known = [math.log(value) for value in values if value is not None]
    return math.exp(float(np.mean(known))) if len(known) == len(values) else None


def _mean(values: list[float]) -> float:
    return significant(float(np.mean(values)))


def analyse(config: Settings, measurements: list[dict[str, Any]]) -> Analysis:
    """The correlations and the verdict of the rule."""
    seeds = by_seed(config, measurements)
    factored = [[run for run in runs if run["family"] != "dense"] for runs in seeds]
    named: dict[str, Interval | None] = {
        SNR_KAPPA: correlation(seeds, snr, kappa),
        FACTORED: correlation(factored, snr, kappa),
        AT_EQUAL_LOSS: correlation(seeds, snr, kappa, late_loss),
        f"{AT_EQUAL_LOSS}, without the dense network": correlation(factored, snr, kappa, late_loss),
        "rank correlation of signal to noise with rank": correlation(seeds, snr, rank),
        STEPS_KAPPA: correlation(seeds, convergence_steps, kappa),
        "rank correlation of steps to a common loss with rank": correlation(
            seeds, convergence_steps, rank
        ),
        KAPPA_RANK: correlation(seeds, kappa, rank),
        "rank correlation of the signal to noise of W_h with kappa": correlation(
            seeds, recurrent_snr, kappa
        ),
    }
    for family, words in FAMILIES.items():
        sweeps = [[run for run in runs if run["family"] in (family, "dense")] for runs in seeds]
        named[f"{SNR_KAPPA}, {words}"] = correlation(sweeps, snr, kappa)
        named[f"{STEPS_KAPPA}, {words}"] = correlation(sweeps, convergence_steps, kappa)
    numbers = {name: interval for name, interval in named.items() if interval is not None}
    verdict = decide(numbers.get(SNR_KAPPA))
    return Analysis(numbers=numbers, verdict=verdict, reason=_words(numbers))


def by_seed(config: Settings, measurements: Runs) -> list[Runs]:
    """The networks of each seed."""
    return [chosen(measurements, seed=seed) for seed in config.seeds]


def snr(runs: Runs) -> list[float]:
    """Signal to noise of the whole gradient."""
    return [run["snr"] for run in runs]


def recurrent_snr(runs: Runs) -> list[float]:
    """Signal to noise of the gradient of ``W_h``."""
    return [run["recurrent_snr"] for run in runs]


def kappa(runs: Runs) -> list[float]:
    """Condition numbers; that of a singular matrix is infinite."""
    return [math.inf if run["kappa"] is None else run["kappa"] for run in runs]


def rank(runs: Runs) -> list[float]:
    """Ranks of ``W_h``."""
    return [run["rank"] for run in runs]


def late_loss(runs: Runs) -> list[float]:
    """Mean validation losses of the second half of training."""
    return [run["late_loss"] for run in runs]


def convergence_steps(runs: Runs) -> list[float]:
    """Steps until each network first reaches the common level of its seed.

    Args:
        runs: all networks of a seed that are compared, each with its curve.
    """
    start = float(np.mean([run["losses"][0] for run in runs]))
    worst = max(run["losses"][-1] for run in runs)
    level = start - LEVEL * (start - worst)
    return [first_below(run["steps"], run["losses"], level) for run in runs]


def first_below(steps: Sequence[int], losses: Sequence[float], level: float) -> float:
    """The step at which a curve first comes down to a level, linear between its points.

    Args:
        steps: increasing.
        losses: the loss at each.
        level: the level.

    Returns:
        A step; the first if the curve begins there, infinity if it never comes down to it.
    """
    below = np.flatnonzero(np.asarray(losses) <= level)
    if not len(below):
        return math.inf
    after = int(below[0])
    if after == 0:
        return float(steps[0])
    share = (losses[after - 1] - level) / (losses[after - 1] - losses[after])
    return steps[after - 1] + share * (steps[after] - steps[after - 1])


Quantity = Callable[[Runs], list[float]]


def correlation(
    seeds: Sequence[Runs], x: Quantity, y: Quantity, given: Quantity | None = None
) -> Interval | None:
    """The rank correlation of two quantities, its interval over seeds.

    Args:
        seeds: the networks of each seed.
        x: one quantity of them.
        y: the other.
        given: what is held fixed.

    Returns:
        ``None`` if fewer than two seeds have one, as a quantity is the same for all networks.
    """
    found = [
        spearman(x(runs), y(runs))
        if given is None
        else partial_spearman(x(runs), y(runs), given(runs))
        for runs in seeds
    ]
    known = [value for value in found if value is not None]
    return fisher_interval(known, len(seeds[0])) if len(known) > 1 else None


def decide(found: Interval | None) -> Verdict:
    """The rule; nothing is decided where there is no correlation to be had."""
    if found is not None and found.high < 0:
        return Verdict.CONFIRMED
    if found is not None and found.low > 0:
        return Verdict.REFUTED
    return Verdict.UNDECIDED


def _words(numbers: dict[str, Interval]) -> str:
    parts = [
        f"{name}: {_shown(numbers[name])}"
        for name in (SNR_KAPPA, FACTORED, AT_EQUAL_LOSS, RECURRENT_ALONE, STEPS_KAPPA, KAPPA_RANK)
        if name in numbers
    ]
    words = "; ".join(parts) or "no correlation can be computed"
    return f"{words[0].upper()}{words[1:]}."


def _shown(interval: Interval) -> str:
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def draw(result: ExperimentResult, path: Path) -> None:
    """Signal to noise at the left, steps to the common loss at the right."""
    settings = Settings.model_validate(result.config)
    seeds = by_seed(settings, result.measurements)
    figure = Figure(figsize=(8.8, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    panels = (
        (left, snr, SNR_KAPPA, "signal to noise of the gradient of a batch"),
        (right, convergence_steps, STEPS_KAPPA, "steps to the common loss of a seed"),
    )
    for axes, quantity, name, label in panels:
        _draw_points(axes, seeds, quantity)
        axes.set(xscale="log", xlabel="condition number of W_h at its rank", ylabel=label)
        found = result.analysis.numbers.get(name)
        axes.set_title(f"rank correlation {_shown(found)}" if found else "no correlation")
        axes.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False, fontsize=8)
    verdict = result.analysis.verdict.value
    figure.suptitle(f"The better conditioned, the better the gradient: {verdict}")
    figure.savefig(path, dpi=200)


def _draw_points(axes: Axes, seeds: list[Runs], quantity: Quantity) -> None:
    """One mark for each network; the condition number of a singular matrix is not drawn."""
    marks = {"both": (BLUE, "o"), "recurrent": (ORANGE, "s"), "dense": (GREY, "^")}
    names = {**FAMILIES, "dense": "dense"}
    for runs in seeds:
        values, conditions = quantity(runs), kappa(runs)
        for family, (colour, mark) in marks.items():
            finite = [
                (condition, value)
                for run, condition, value in zip(runs, conditions, values, strict=True)
                if run["family"] == family and math.isfinite(condition + value)
            ]
            x, y = zip(*finite, strict=True) if finite else ((), ())
            label = names[family] if runs is seeds[0] else None  # type: ignore[index]
            axes.plot(x, y, mark, color=colour, markersize=4.5, alpha=0.75, label=label)
