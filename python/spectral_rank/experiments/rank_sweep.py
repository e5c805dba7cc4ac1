"""Sweeps over the rank of a recurrent network: their cells, runs and measurements.

A sweep trains, for each family and each ratio of rank to width, a network whose matrices are
products of two factors, ``W = U V`` of that rank, up to the full rank, ratio 1.  The families say
which matrices are factored: ``recurrent`` is ``W_h``, ``input`` is ``W_x``, ``both`` is both at the
same rank.  The dense network, with ``W`` itself, is trained beside them.  It is no point of their
curve: factors of full rank express the same matrices, but are trained otherwise.

All seeds are judged on the same sequences of the validation text.  An interval over seeds is about
what seeds decide, weights and batches; it is not about another text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

from spectral_rank.experiments.exponents import exponent_of, mean_or_none, significant
from spectral_rank.experiments.record import Cell, Interval, Profile, mean_interval
from spectral_rank.experiments.recurrent import RATIOS, RecurrentSettings, rank_of, run_settings
from spectral_rank.formulas.domain import DomainError
from spectral_rank.training.run_record import RunRecord
from spectral_rank.training.run_settings import RunSettings

Family: TypeAlias = Literal["dense", "both", "recurrent", "input"]
Measurement: TypeAlias = dict[str, Any]

FULL = 1.0
"""Ratio of a factored matrix of full rank."""

SMOKE_RATIOS = (0.10, 0.30)
"""The fewest that, with the full rank, have a knee."""

ALL_RATIOS: dict[Profile, tuple[float, ...]] = {
    "smoke": SMOKE_RATIOS,
    "cpu": RATIOS,
    "gpu": RATIOS,
}
"""The ratios of the plan, and one half."""

FEW_RATIOS: dict[Profile, tuple[float, ...]] = {
    "smoke": SMOKE_RATIOS,
    "cpu": (0.05, 0.10, 0.17, 0.30, 0.50),
    "gpu": RATIOS,
}
"""For sweeps that are repeated under several conditions; a subset of these."""

RECURRENT: frozenset[Family] = frozenset({"both", "recurrent"})
INPUT: frozenset[Family] = frozenset({"both", "input"})


class SweepSettings(RecurrentSettings):
    """Settings of an experiment that sweeps over the rank.

    Attributes:
        ratios: ratios of rank to width below 1, increasing; the full rank and the dense network
            are added.
    """

    ratios: tuple[float, ...]


def sweep_cells(config: SweepSettings, families: Sequence[Family], **condition: Any) -> list[Cell]:
    """The dense network, and each family at each ratio and at full rank; each with every seed.

    Args:
        config: ratios and seeds.
        families: which matrices are factored.
        condition: what all these cells have in common, as `sweep_run` reads it.
    """
    networks: list[Cell] = [{"family": "dense", "ratio": 1.0}]
    networks += [
        {"family": family, "ratio": ratio}
        for ratio in (*config.ratios, FULL)
        for family in families
    ]
    return [condition | network | {"seed": seed} for network in networks for seed in config.seeds]


def sweep_run(config: SweepSettings, cell: Cell) -> RunSettings:
    """The run of a cell.

    Args:
        config: the sizes that the cell does not set.
        cell: ``family``, ``ratio`` and ``seed``; optionally ``kind``, ``width`` and
            ``train_bytes``.

    Raises:
        DomainError: if the family is none of those there are.
    """
    family = cell["family"]
    if family not in get_args(Family):
        raise DomainError("family", family, f"one of {', '.join(get_args(Family))}")
    rank = _rank(config, cell)
    return run_settings(
        config,
        cell["seed"],
        cell.get("kind", "elman"),
        recurrent_rank=rank if family in RECURRENT else None,
        input_rank=rank if family in INPUT else None,
        width=cell.get("width"),
        train_bytes=cell.get("train_bytes"),
    )


def _rank(config: SweepSettings, cell: Cell) -> int:
    return rank_of(cell["ratio"], cell.get("width", config.width))


def sweep_measurement(config: SweepSettings, cell: Cell, record: RunRecord) -> Measurement:
    """What a sweep keeps of a finished run.

    Args:
        config: the sizes that the cell does not set.
        cell: the condition and seed.
        record: the record of its run.

    Returns:
        The cell with ``rank``, ``trained_ratio`` (rank over width), ``parameters`` and ``loss``
        (validation, nats per byte, at the end).  Of a dense network also ``spectra``, the final
        singular values of each layer's ``W_h``, and ``exponents``, what `exponent_of` says of each.
    """
    rank = _rank(config, cell)
    measurement = cell | {
        "rank": rank,
        "trained_ratio": rank / record.settings.model.width,
        "parameters": record.parameters,
        "loss": significant(record.final_loss),
    }
    if cell["family"] != "dense":
        return measurement
    final = [
        probe
        for probe in record.probes.spectra
        if probe.step == record.step and probe.name.endswith(".W_h")
    ]
    return measurement | {
        "spectra": [[significant(value) for value in probe.values] for probe in final],
        "exponents": [exponent_of(probe.values, probe.shape) for probe in final],
    }


def chosen(measurements: Sequence[Measurement], **wanted: Any) -> list[Measurement]:
    """The measurements whose entries are as wanted, in their order."""
    return [m for m in measurements if wanted.items() <= m.items()]


def sweep_of(
    measurements: Sequence[Measurement], family: Family, **condition: Any
) -> list[Measurement]:
    """The measurements of one sweep: a family with the dense network."""
    return [m for m in chosen(measurements, **condition) if m["family"] in (family, "dense")]


def factoring_cost(
    config: SweepSettings,
    measurements: Sequence[Measurement],
    family: Family = "both",
    **condition: Any,
) -> Interval:
    """What factors cost without low rank: the loss at full rank over dense, paired by seed."""
    return mean_interval(
        [
            loss_of(measurements, seed, family=family, ratio=FULL, **condition)
            - loss_of(measurements, seed, family="dense", **condition)
            for seed in config.seeds
        ]
    )


def loss_of(measurements: Sequence[Measurement], seed: int, **wanted: Any) -> float:
    """The loss of one network."""
    (run,) = chosen(measurements, seed=seed, **wanted)
    loss: float = run["loss"]
    return loss


def dense_exponents(
    config: SweepSettings, measurements: Sequence[Measurement], **condition: Any
) -> list[float | None]:
    """For each seed the forced exponent of the dense ``W_h``, the mean over layers.

    ``None`` where the matrix has too few singular values for a fit.
    """
    runs = [
        run
        for seed in config.seeds
        for run in chosen(measurements, family="dense", seed=seed, **condition)
    ]
    return [mean_or_none(fit["alpha"] if fit else None for fit in run["exponents"]) for run in runs]


def dense_verdicts(measurements: Sequence[Measurement], **condition: Any) -> str:
    """How often which law explains a dense ``W_h``, in words, such as ``noise 2, power_law 1``."""
    fits = [
        fit["verdict"] if fit else "too few values"
        for run in chosen(measurements, family="dense", **condition)
        for fit in run["exponents"]
    ]
    return ", ".join(f"{verdict} {count}" for verdict, count in Counter(fits).most_common())
