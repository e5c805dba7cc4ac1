"""The knees of sweeps over the rank: their intervals over seeds, and what may be said of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spectral_rank.experiments.bounded import exponentiated, labelled, over_seeds
from spectral_rank.experiments.knee import Knee, fit_knee
from spectral_rank.experiments.rank_sweep import (
    FULL,
    Family,
    Measurement,
    SweepSettings,
    chosen,
    loss_of,
)
from spectral_rank.experiments.record import Interval, mean_interval

KNEE_RULE = (
    "The knee of a sweep is that of the hinge a + b max(0, log rho_k - log rho) of least squares "
    "through the final validation losses of its factored networks against the rank ratio rho, "
    "full rank included, the dense network not. A knee at the edge of the ratios is only bounded: "
    "the interval over seeds is open on that side, and at an end where the bounds of all seeds "
    "agree. A sweep that no hinge explains at all bounds its knee only if its least loss is that "
    "of the least ratio. A knee is preferred if it is not at an edge and the BIC of the hinge is "
    "below that of the smooth power a + b rho^(-p) of least squares, b >= 0 and p > 0."
)
"""What the rules of the sweeps have in common."""

NO_KNEE = (
    " Too few to decide: no knee, the loss falls like a smooth power of the rank, or the knee is "
    "only bounded."
)
"""What a reason says where a knee is not preferred in most sweeps."""


def sweep_knees(
    config: SweepSettings,
    measurements: Sequence[Measurement],
    family: Family = "both",
    **condition: Any,
) -> list[Knee]:
    """The knee of the factored networks of one family for each seed, in the order of the seeds."""
    sweeps = [chosen(measurements, family=family, seed=seed, **condition) for seed in config.seeds]
    return [
        fit_knee([m["trained_ratio"] for m in sweep], [m["loss"] for m in sweep])
        for sweep in sweeps
    ]


def rise_at_full_rank(
    config: SweepSettings, measurements: Sequence[Measurement], family: Family = "both"
) -> Interval:
    """The loss at full rank over that at the largest ratio below it, paired by seed."""
    return mean_interval(
        [
            loss_of(measurements, seed, family=family, ratio=FULL)
            - loss_of(measurements, seed, family=family, ratio=config.ratios[-1])
            for seed in config.seeds
        ]
    )


def knee_ratio(knees: Sequence[Knee]) -> Interval:
    """The rank ratio at the knee, from one knee per seed; 0 and infinity at open ends."""
    return exponentiated(over_seeds([knee.bounded for knee in knees]))


def knee_label(name: str, knees: Sequence[Knee]) -> str:
    """The name under which their ratio is reported; it says how many are only bounded."""
    return labelled(name, [knee.bounded for knee in knees])


def preference(knees: Sequence[Knee]) -> Interval:
    """By how much the BIC of a smooth power exceeds that of the hinge, from one knee per seed."""
    return mean_interval([knee.preference for knee in knees])


def explained_share(knees: Sequence[Knee]) -> Interval:
    """The share of the variance of the losses that the hinge explains, from one knee per seed."""
    return mean_interval([knee.r_squared for knee in knees])


def most_are_preferred(knees: Sequence[Knee]) -> bool:
    """Whether more than half of the sweeps show a knee."""
    return 2 * sum(knee.is_preferred for knee in knees) > len(knees)


def knees_in_words(knees: Sequence[Knee], of: str = "") -> str:
    """How many sweeps show a knee, and how many knees are only bounded.

    Args:
        knees: the knees.
        of: what they are the knees of, an adjective.

    Returns:
        One to three sentences, with a space before them.
    """
    noun = f"{len(knees)} {of}".strip()
    count = sum(knee.is_preferred for knee in knees)
    low = sum(knee.edge == "low" for knee in knees)
    high = sum(knee.edge == "high" for knee in knees)
    nowhere = sum(knee.edge == "nowhere" for knee in knees)
    parts = []
    if low:
        parts.append(f"{low} of {noun} knees lie at or below the smallest ratios")
    if high:
        parts.append(f"{high} of {noun} sweeps fall until the full rank")
    bounded = f" Only bounded: {' and '.join(parts)}." if parts else ""
    if nowhere:
        bounded += f" {nowhere} of {noun} sweeps are no hinge: the loss falls, then rises further."
    return f" A knee is preferred to a smooth power in {count} of {noun} sweeps.{bounded}"
