"""Sweeps over ranks in a figure: losses with intervals, hinges, and knees, bounds told from values.

A knee that is only bounded is an open triangle that points to where the knee may be.  Where there
is one among the seeds, or a sweep without any, no mean knee and no line through knees is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from spectral_rank.experiments.bounded import is_open
from spectral_rank.experiments.knee import Knee
from spectral_rank.experiments.power_fall import fit_power_fall
from spectral_rank.experiments.rank_sweep import Measurement, chosen
from spectral_rank.experiments.record import Interval, mean_interval
from spectral_rank.experiments.sweep_knees import knee_ratio
from spectral_rank.figures.palette import GREY

MARKS = {"inside": "|", "low": "<", "high": ">"}
"""A knee against the horizontal axis, by its edge."""

UPRIGHT_MARKS = {"inside": "x", "low": "v", "high": "^"}
"""A knee against the vertical axis."""


def draw_sweep(
    axes: Axes,
    sweep: Sequence[Measurement],
    knees: Sequence[Knee],
    colour: str,
    labels: tuple[str, str],
) -> None:
    """Draw the losses of one sweep, the mean of its fits, and where the knees lie.

    Args:
        axes: where to draw; its axes are labelled.
        sweep: measurements of all seeds, the dense networks among them.
        knees: one for each seed.
        colour: of everything.
        labels: of the losses in the legend, factored and dense.
    """
    factored = [m for m in sweep if m["family"] != "dense"]
    ratios, losses = losses_by_ratio(factored)
    error_bars(axes, ratios, losses, color=colour, marker="o", linestyle="none", label=labels[0])
    dense = mean_interval([m["loss"] for m in chosen(sweep, family="dense")])
    # Beside the full rank, so that neither hides the other.
    style = {"marker": "D", "markerfacecolor": "white", "linestyle": "none"}
    error_bars(axes, [1.12], [dense], color=colour, label=labels[1], **style)
    grid = np.geomspace(ratios[0], ratios[-1], 200)
    hinge = np.mean([knee.loss_at(grid) for knee in knees], axis=0)
    axes.plot(grid, hinge, color=colour, linewidth=1.3)
    runs = [chosen(factored, seed=seed) for seed in sorted({m["seed"] for m in factored})]
    falls = [fit_power_fall([m["trained_ratio"] for m in r], [m["loss"] for m in r]) for r in runs]
    smooth = np.mean([fall.loss_at(grid) for fall in falls], axis=0)
    axes.plot(grid, smooth, color=colour, linewidth=1, linestyle=":")
    _draw_knees(axes, knees, colour)
    label_sweep(axes)


def losses_by_ratio(sweep: Sequence[Measurement]) -> tuple[list[float], list[Interval]]:
    """The trained ratios of a sweep, increasing, and the loss at each over seeds."""
    ratios = sorted({m["trained_ratio"] for m in sweep})
    return ratios, [
        mean_interval([m["loss"] for m in chosen(sweep, trained_ratio=r)]) for r in ratios
    ]


def _draw_knees(axes: Axes, knees: Sequence[Knee], colour: str) -> None:
    """A mark for each seed at the foot of the axes, and the interval if it is one."""
    for place, knee in enumerate(knees):
        if knee.edge == "nowhere":
            continue
        axes.plot(
            [math.exp(knee.log_ratio)],
            [0.03 + 0.022 * place],
            MARKS[knee.edge],
            transform=axes.get_xaxis_transform(),
            color=colour,
            markersize=5,
            markerfacecolor="white",
        )
    interval = knee_ratio(knees)
    if not is_open(interval, 0):
        axes.axvspan(interval.low, interval.high, color=colour, alpha=0.12, linewidth=0)
        axes.axvline(interval.value, color=colour, linestyle="--", linewidth=1)


def explain_sweep(axes: Axes) -> None:
    """Add the lines and marks that sweeps have in common to the legend, and draw it."""
    axes.plot([], [], color=GREY, linewidth=1.3, label="hinge")
    axes.plot([], [], color=GREY, linewidth=1, linestyle=":", label="smooth power")
    axes.plot([], [], "|", color=GREY, markersize=5, label="knee of a seed")
    for mark, label in ((">", "knee at least there"), ("<", "knee at most there")):
        axes.plot([], [], mark, color=GREY, markersize=5, markerfacecolor="white", label=label)
    axes.legend(frameon=False, fontsize=7)


def label_sweep(axes: Axes) -> None:
    """Label the axes of losses against rank ratios."""
    axes.set(xscale="log", xlabel="rank over width", ylabel="validation loss, nats per byte")
    axes.set(xlim=(0.035, 1.3))
    axes.set_xticks(ticks := [0.05, 0.1, 0.2, 0.5, 1], labels=[f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def draw_ratios(
    axes: Axes, x: Sequence[float], knees: Sequence[Sequence[Knee]], colour: str
) -> None:
    """Draw knees against a condition, with the straight line through their logarithms.

    Args:
        axes: where to draw, in double logarithmic scale.
        x: values of the condition, > 0.
        knees: the knees of all seeds at each value.
        colour: of everything.
    """
    ratios = [knee_ratio(each) for each in knees]
    shown = [place for place, ratio in enumerate(ratios) if not is_open(ratio, 0)]
    error_bars(
        axes, [x[i] for i in shown], [ratios[i] for i in shown], color=colour, marker="o", ls="none"
    )
    for edge, label in (
        ("inside", "knee of a seed"),
        ("high", "knee at least there"),
        ("low", "knee at most there"),
    ):
        points = [
            (place, math.exp(knee.log_ratio))
            for place, each in zip(x, knees, strict=True)
            for knee in each
            if knee.edge == edge
        ]
        if points:
            places, values = zip(*points, strict=True)
            mark = UPRIGHT_MARKS[edge]
            axes.plot(places, values, mark, color=colour, markerfacecolor="white", label=label)
    for place, each in zip(x, knees, strict=True):
        if all(knee.edge == "nowhere" for knee in each):
            axes.text(place, 0.033, "no knee", ha="right", color=colour, fontsize=8)
    if len(shown) == len(x):
        logs = np.log([ratio.value for ratio in ratios])
        line = np.polynomial.Polynomial.fit(np.log(x), logs, 1)
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
