"""Networks trained until the loss hardly falls any more, whose spectra several experiments read.

The experiments ask for identical runs, so each network is trained once
(`spectral_rank.experiments.recurrent`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_rank.experiments.change_points import log_spaced
from spectral_rank.experiments.exponents import significant
from spectral_rank.experiments.record import Cell, Profile
from spectral_rank.experiments.recurrent import RecurrentSettings, rank_of, run_settings, sizes
from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.recurrent.settings import Kind
from spectral_rank.training.run_record import RunRecord, SpectrumProbe
from spectral_rank.training.run_settings import RunSettings

NETWORKS: dict[Kind, str] = {
    "elman": "dense Elman",
    "e5": "E5",
    "linear": "dense linear",
}
"""The networks, and what they are called."""

TRAINED_NETWORKS: tuple[Kind, ...] = ("elman", "e5")
"""Those that the plan's questions on trained spectra are about."""

LAST_PART = 0.2
"""Share of the steps, the last ones, over which the fall of the loss says how near a plateau is."""

STORED_VALUES = 256
"""A longer spectrum is stored at about so many ranks, evenly spaced in their logarithm."""


class PlateauSettings(RecurrentSettings):
    """Settings of an experiment on networks that are trained to a plateau.

    Attributes:
        ratio: rank over width of all matrices of E5 inside its layers.
        snapshots: how often the spectra are measured on the way.
    """

    ratio: float
    snapshots: int


def plateau_sizes(profile: Profile) -> dict[str, Any]:
    """The sizes of the runs, as arguments of a `PlateauSettings`.

    The smoke profile is wide enough for 16 singular values at its ratio.  The GPU profile is the
    plan's E5 of 50 million parameters, width 1536 and rank 270 in 20 layers.
    """
    common = sizes(profile)
    common |= {"ratio": 0.17, "seeds": common["seeds"][:3]}
    if profile == "smoke":
        return common | {"width": 40, "ratio": 0.5, "steps": 14, "snapshots": 14}
    if profile == "cpu":
        return common | {"width": 256, "steps": 6000, "snapshots": 600}
    plan = {"width": 1536, "layers": 20, "ratio": 270 / 1536}
    return common | plan | {"steps": 50_000, "snapshots": 100}


def plateau_cells(config: PlateauSettings, kinds: Iterable[Kind] = TRAINED_NETWORKS) -> list[Cell]:
    """One cell for each network and seed."""
    return [{"kind": kind, "seed": seed} for kind in kinds for seed in config.seeds]


def plateau_run(config: PlateauSettings, cell: Cell) -> RunSettings:
    """The run of a cell.

    The linear network's spectra are measured at the start and the end only.

    Args:
        config: the sizes.
        cell: ``kind`` and ``seed``.
    """
    rank = rank_of(config.ratio, config.width) if cell["kind"] == "e5" else None
    run = run_settings(
        config,
        cell["seed"],
        cell["kind"],
        recurrent_rank=rank,
        input_rank=rank,
        snapshots=config.snapshots,
    )
    if run.probes is None:
        return run
    # Nobody asks these runs for gradients on the way, which cost more than the spectra.
    unasked = {"gradients_every": 0}
    if cell["kind"] not in TRAINED_NETWORKS:
        unasked["spectra_every"] = 0
    probes = run.probes.model_copy(update=unasked)
    return run.model_copy(update={"probes": probes})


def fall_over_last_part(record: RunRecord) -> float:
    """By which share of itself the validation loss falls over the last fifth of the steps.

    From the first look at the loss in that part to the last look; about 0 on a plateau.

    Raises:
        DomainError: if the run is not finished.
    """
    if not record.is_finished:
        raise DomainError("record", f"step {record.step}", "a finished run")
    start = (1 - LAST_PART) * record.step
    before = next(look.loss for look in record.evaluations if look.step >= start)
    return 1 - record.final_loss / before


def spectra_at(record: RunRecord, step: int) -> Iterator[SpectrumProbe]:
    """The spectra of all matrices at a step, in the order of the network."""
    return (probe for probe in record.probes.spectra if probe.step == step)


def verdicts_in_words(fits: Iterable[dict[str, Any] | None]) -> str:
    """How often which law explains a matrix, such as ``noise 4, exponential 2``.

    Args:
        fits: of each matrix what `spectral_rank.experiments.exponents.exponent_of` returned.
    """
    found = Counter(fit["verdict"] if fit else "too few values" for fit in fits)
    return ", ".join(f"{verdict.replace('_', ' ')} {n}" for verdict, n in found.most_common())


def matrix_kind(name: str) -> str:
    """``W_h`` of ``layers.0.W_h``: what a matrix is, whatever its layer."""
    return name.rpartition(".")[2]


def matrix_label(kind: Kind, matrix: str) -> str:
    """A matrix in words; the products ``U_h V_h`` of E5, whose readout ``W_o`` alone is dense.

    Args:
        kind: the network.
        matrix: ``W_h``, ``W_x``, ``W_z`` or ``W_o``.
    """
    is_product = kind == "e5" and matrix != "W_o"
    name = f"U_{matrix[-1]} V_{matrix[-1]}" if is_product else matrix
    return f"{name}, {NETWORKS[kind]}"


def stored_spectrum(values: Iterable[float]) -> dict[str, Any]:
    """A spectrum as results keep it: all of it, or of a long one a choice of ranks.

    Args:
        values: singular values, nonincreasing, at least one.

    Returns:
        ``ranks``, counted from 1, and the ``values`` at them to 7 digits.
    """
    spectrum: NDArray[np.float64] = np.asarray(tuple(values), dtype=float)
    ranks = np.arange(1, len(spectrum) + 1)
    if len(ranks) > STORED_VALUES:
        ranks = ranks[log_spaced(ranks, STORED_VALUES)]
    return {
        "ranks": ranks.tolist(),
        "values": [significant(value) for value in spectrum[ranks - 1]],
    }
