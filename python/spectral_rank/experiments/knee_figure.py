"""A sweep over ranks in a figure: losses with intervals, the hinge, the interval of its knee."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from spectral_rank.experiments.bounded import exponentiated, over_seeds
from spectral_rank.experiments.knee import Knee
from spectral_rank.experiments.rank_sweep import Measurement
from spectral_rank.experiments.record import Interval, mean_interval


def draw_sweep(
    axes: Axes, sweep: Sequence[Measurement], knees: Sequence[Knee], colour: str, label: str
) -> None:
    """Draw the losses of one sweep, its mean hinge, and where the knee lies.

    Args:
        axes: where to draw; its axes are labelled.
        sweep: measurements of all seeds.
        knees: one for each seed.
        colour: of everything.
        label: of the losses in the legend.
    """
    ratios = sorted({m["trained_ratio"] for m in sweep})
    found = [
        mean_interval([m["loss"] for m in sweep if m["trained_ratio"] == ratio]) for ratio in ratios
    ]
    error_bars(axes, ratios, found, color=colour, marker="o", linestyle="none", label=label)
    grid = np.geomspace(ratios[0], ratios[-1], 200)
    hinge = np.mean([knee.loss_at(grid) for knee in knees], axis=0)
    axes.plot(grid, hinge, color=colour, linewidth=1.3)
    knee = exponentiated(over_seeds([knee.bounded for knee in knees]))
    left, right = max(knee.low, ratios[0]), min(knee.high, ratios[-1])
    axes.axvspan(left, max(left, right), color=colour, alpha=0.12, linewidth=0)
    axes.axvline(knee.value, color=colour, linestyle="--", linewidth=1)
    label_sweep(axes)


def label_sweep(axes: Axes) -> None:
    """Label the axes of losses against rank ratios."""
    axes.set(xscale="log", xlabel="rank over width", ylabel="validation loss, nats per byte")
    axes.set(xlim=(0.035, 1.2))
    axes.set_xticks(ticks := [0.05, 0.1, 0.2, 0.5, 1], labels=[f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def draw_ratios(
    axes: Axes, x: Sequence[float], knees: Sequence[Sequence[Knee]], colour: str, label: str
) -> None:
    """Draw knees against a condition, with the straight line through their logarithms.

    Args:
        axes: where to draw, in double logarithmic scale.
        x: values of the condition, > 0.
        knees: the knees of all seeds at each value.
        colour: of everything.
        label: of the knees in the legend.
    """
    logs = [over_seeds([knee.bounded for knee in each]) for each in knees]
    error_bars(axes, x, [exponentiated(log) for log in logs], color=colour, marker="o", ls="none")
    for seed, each in enumerate(zip(*knees, strict=True)):
        values = [math.exp(knee.log_ratio) for knee in each]
        name = f"{label}, each seed" if seed == 0 else None
        axes.plot(x, values, color=colour, linestyle="none", marker="x", alpha=0.5, label=name)
    line = np.polynomial.Polynomial.fit(np.log(x), [log.value for log in logs], 1)
    axes.plot(x, np.exp(line(np.log(x))), color=colour, linewidth=1.3, label="straight line")
    axes.set(xscale="log", yscale="log", ylabel="rank over width at the knee", ylim=(0.03, 1.3))
    axes.set_yticks(ticks := [0.05, 0.1, 0.2, 0.5, 1], labels=[f"{tick:g}" for tick in ticks])
    axes.set_xticks(x, labels=[f"{value:g}" for value in x])
    axes.minorticks_off()


def error_bars(axes: Axes, x: Sequence[float], found: Sequence[Interval], **style: object) -> None:
    """Draw intervals; an open end reaches to the end of a float, so beyond the axes."""
    value = np.array([interval.value for interval in found])
    low = np.array([interval.low for interval in found])
    high = np.minimum([interval.high for interval in found], np.finfo(np.float32).max)
    style = {"capsize": 2, "markersize": 4, "linewidth": 1.2} | style
    axes.errorbar(x, value, (value - low, high - value), **style)  # type: ignore[arg-type]
