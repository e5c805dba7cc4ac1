"""1.2: Is it a power law?

Question. Which law explains the singular values of trained weights?

Prediction. The plan: a power law fits best.

Design. The matrices of 1.1, at the start and trained: power law, exponential, stretched
exponential, power law with cutoff, power laws with one and two knees, log-normal tail, and the
Marchenko-Pastur law of a matrix of independent entries are fitted to the same singular values and
compared by BIC, AIC, the explained share of the variance (R2) and the error on held-out parts of
the spectrum.  A matrix whose bulk is noise (``spectral_rank.spectra.null_model``) does not follow a
power law, whatever fits its edge.

A power law wins on a matrix if it is what explains it (no richer law is preferred, and the matrix
is not noise) and the BIC of each law that does not contain it is higher by at least 10.  Against a
law that contains it, such as a power law with a cutoff, no such margin exists: that law explains
all that the power law does, and its BIC is higher by no more than the price of its parameters.

The unit that is counted is the matrix (of a network and a layer): a power law wins on it if it
wins for most seeds.  Seeds are repetitions of one training and would be counted as independent
evidence otherwise.  The matrices of one network are not independent either, as the exact interval
takes them to be, so it is too narrow.  In the profile cpu there are seven matrices, and only none
or all of seven decide: one or six of seven have 1/2 in their interval.  The other numbers are means
over seeds, of the layers of one seed first.  The factors ``U V`` of E5 have no null model, because
a product of factors of independent entries does not follow the Marchenko-Pastur law; what explains
them at the start is reported for comparison, and a law that explains a matrix at the start has not
been learnt.

Decision rule. As in ``RULE``.

Figure. The BIC of each law above the least, for each trained matrix, the mean over seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import binomtest

from spectral_rank.experiments.exponents import (
    MARGIN,
    exponent_of,
    interval_over_seeds,
    mean_or_none,
    power_law_wins,
)
from spectral_rank.experiments.plateau import (
    PlateauSettings,
    matrix_kind,
    matrix_label,
    plateau_cells,
    plateau_run,
    plateau_sizes,
    spectra_at,
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
from spectral_rank.models.recurrent.settings import Kind
from spectral_rank.spectra.laws import LAWS
from spectral_rank.training.run_settings import RunSettings
from spectral_rank.training.run_store import trained

ID = "1.2"
QUESTION = "Is it a power law?"
PREDICTION = "A power law fits best."
RULE = (
    "A power law wins on a trained matrix if for most seeds it is the law that explains it (noise "
    "is none, and no law that contains it is preferred: none has a BIC lower by more than 6) and "
    "the BIC of every law that does not contain it is higher by at least 10. Confirmed if the "
    "exact 95 % interval of the share of matrices on which it wins lies above 1/2; refuted if it "
    "lies below 1/2; undecided otherwise. Of seven matrices (profile cpu) only all or none decide."
)
THEOREMS = ("rank_formula", "captureRank_bounded", "captureRank_ratio_tendsto")

Fits: TypeAlias = dict[tuple[Kind, str], list[dict[str, Any]]]
"""What `exponent_of` said of each matrix of each network, for all seeds."""

STEPS = ("trained", "start")
KNEED = ("broken_power_law", "twice_broken_power_law")


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
    """What each law says about each matrix, at the start and at the end."""
    record = trained(run_of(config, cell)).record
    steps = {"start": 0, "trained": record.step}
    return cell | {
        name: {probe.name: exponent_of(probe.values, probe.shape) for probe in probes}
        for name, probes in ((name, spectra_at(record, step)) for name, step in steps.items())
    }


def by_matrix(measurements: list[dict[str, Any]], step: str, layers_together: bool = False) -> Fits:
    """For each network and matrix the fits of all seeds; matrices with too few values are left out.

    Args:
        measurements: of all cells.
        step: ``start`` or ``trained``.
        layers_together: whether the matrices of all layers count as repetitions of one.
    """
    found: Fits = {}
    for run in measurements:
        for full_name, fit in run[step].items():
            name = matrix_kind(full_name) if layers_together else full_name
            if fit is not None:
                found.setdefault((run["kind"], name), []).append(fit)
    return found


def analyse(config: Settings, measurements: list[dict[str, Any]]) -> Analysis:
    """Shares of matrices by what explains them, the laws' scores, and the verdict of the rule."""
    found = {step: by_matrix(measurements, step) for step in STEPS}
    if not found["trained"]:
        reason = "No matrix has enough singular values for a fit."
        return Analysis(numbers={}, verdict=Verdict.UNDECIDED, reason=reason)
    wins = {matrix: _most(map(power_law_wins, fits)) for matrix, fits in found["trained"].items()}
    share = _share(wins.values())
    numbers = {"share of matrices on which a power law wins": share}
    explained = [_commonest(fits) for fits in found["trained"].values()]
    for verdict, _ in Counter(explained).most_common():
        numbers[f"share of matrices explained by: {_words(verdict)}"] = _share(
            [other == verdict for other in explained]
        )
    at_start = [_most(map(power_law_wins, fits)) for fits in found["start"].values()]
    if at_start:
        numbers["share of matrices on which a power law wins at the start"] = _share(at_start)
    together = by_matrix(measurements, "trained", layers_together=True)
    seeds = [[m for m in measurements if m["seed"] == seed] for seed in config.seeds]
    for matrix in together:
        of_seeds = [by_matrix(runs, "trained", layers_together=True).get(matrix) for runs in seeds]
        numbers |= _scores(matrix, [fits for fits in of_seeds if fits], config.width)
    reason = (
        f"A power law wins on {sum(wins.values())} of {len(wins)} matrices. What explains the "
        f"{sum(map(len, found['trained'].values()))} trained matrices of all seeds: "
        f"{_verdicts(found['trained'])}; the same at the start: {_verdicts(found['start'])}. "
        f"{_each_matrix(together)}"
    )
    return Analysis(numbers=numbers, verdict=decide(share), reason=reason)


def decide(share: Interval) -> Verdict:
    """The rule, from the share of matrices on which a power law wins."""
    if share.low > 0.5:
        return Verdict.CONFIRMED
    return Verdict.REFUTED if share.high < 0.5 else Verdict.UNDECIDED


def _most(outcomes: Any) -> bool:
    """Whether more than half are true."""
    return float(np.mean([bool(outcome) for outcome in outcomes])) > 0.5


def _share(outcomes: Any) -> Interval:
    """The share that is true, with its exact interval."""
    known = list(outcomes)
    hits = sum(known)
    bounds = binomtest(hits, len(known)).proportion_ci()
    return Interval(value=hits / len(known), low=bounds.low, high=bounds.high, count=len(known))


def _commonest(fits: list[dict[str, Any]]) -> str:
    """What explains a matrix for most seeds; without a majority nothing does."""
    verdict, count = Counter(fit["verdict"] for fit in fits).most_common(1)[0]
    return verdict if 2 * count > len(fits) else "different laws for different seeds"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _verdicts(found: Fits) -> str:
    return verdicts_in_words(fit for fits in found.values() for fit in fits)


def _each_matrix(found: Fits) -> str:
    words = [
        f"{matrix_label(*matrix)}: {verdicts_in_words(fits)}" for matrix, fits in found.items()
    ]
    return f"By matrix: {'; '.join(words)}."


def _scores(
    matrix: tuple[Kind, str], seeds: list[list[dict[str, Any]]], width: int
) -> dict[str, Interval]:
    """What a power law lacks, its error beside the winner's, and where the winner breaks.

    Args:
        matrix: network and name of the matrix.
        seeds: for each seed what was said of it in every layer.
        width: of the network.
    """
    lacking: dict[str, Callable[[dict[str, Any]], float | None]] = {
        "BIC of the power law above the least": lambda fit: fit["delta_bic"]["power_law"],
        "AIC of the power law above the least": lambda fit: fit["delta_aic"]["power_law"],
        "R2 of the power law": lambda fit: fit["r_squared"]["power_law"],
        "R2 of the winner": lambda fit: fit["r_squared"][fit["winner"]],
        "held-out error of the power law": lambda fit: fit["held_out"]["power_law"],
        "held-out error of the winner": lambda fit: fit["held_out"][fit["winner"]],
        "first knee over the width": lambda fit: (
            fit["knees"][0] / width if fit["winner"] in KNEED else None
        ),
    }
    compared = [[fit for fit in fits if fit["delta_bic"]] for fits in seeds]
    found = {
        f"{name}, {matrix_label(*matrix)}": interval_over_seeds(
            mean_or_none(map(score, fits)) for fits in compared
        )
        for name, score in lacking.items()
    }
    return {name: interval for name, interval in found.items() if interval is not None}


def draw(result: ExperimentResult, path: Path) -> None:
    """A table of colours: matrices by laws; what explains each matrix stands beside it."""
    found = by_matrix(result.measurements, "trained", layers_together=True)
    laws = [law.name for law in LAWS]
    figure = Figure(figsize=(9.6, 1.8 + 0.42 * len(found)), layout="constrained")
    axes = figure.subplots()
    excess = np.array(
        [
            [_mean(fit["delta_bic"].get(law) for fit in fits) for law in laws]
            for fits in found.values()
        ]
    ).reshape(-1, len(laws))
    # Differences of BIC range over decades; below the margin they decide nothing.
    shown = np.log10(np.maximum(excess, 1.0))
    image = axes.imshow(shown, cmap="cividis_r", aspect="auto", vmin=0, vmax=5)
    for (row, column), value in np.ndenumerate(excess):
        text = "" if np.isnan(value) else f"{value:.0f}" if value < 1e4 else f"{value:.0e}"
        weight = "bold" if value < MARGIN else "normal"
        colour = "white" if shown[row, column] > 3 else "black"
        axes.text(
            column, row, text, ha="center", va="center", fontsize=8, weight=weight, color=colour
        )
    names = [
        f"{matrix_label(*matrix)}\nexplained by: {_words(_commonest(fits))}"
        for matrix, fits in found.items()
    ]
    axes.set_yticks(range(len(found)), names, fontsize=8)
    axes.set_xticks(range(len(laws)), [_words(law).replace(" ", "\n") for law in laws], fontsize=8)
    axes.set_xlabel("law")
    bar = figure.colorbar(image, ax=axes, extend="max")
    bar.set_label("decimal logarithm of the BIC above the least")
    verdict = result.analysis.verdict.value
    figure.suptitle(f"A power law explains trained matrices best: {verdict}")
    figure.savefig(path, dpi=200)


def _mean(values: Any) -> float:
    """The mean over seeds of a difference of BIC; NaN, which is not drawn, where there is none."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else float("nan")
