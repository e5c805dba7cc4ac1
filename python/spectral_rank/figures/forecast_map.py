"""A linear forecaster on one page: impulse and frequency response, modes, and time scales."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter

from spectral_rank.data.series import FloatArray
from spectral_rank.figures.palette import BLUE, GREEN, GREY, ORANGE
from spectral_rank.training.interpretation import (
    impulse_response,
    modes,
    oscillation_error,
    scale_lengths,
)

FADED = 0.05
"""Modes that fade within a third of a step are left out of the figure."""


def draw_map(path: Path, W: FloatArray, shares: FloatArray, season: int, step: str) -> None:
    """Write the figure to ``path``; the format follows the suffix.

    Args:
        path: file to write.
        W: the collapsed map, shape ``(horizon, lookback)``.
        shares: share of each time scale, from `scale_shares`.
        season: steps of the known season, drawn as a line; 1 for none.
        step: the step in words.
    """
    with mpl.rc_context({"svg.hashsalt": "spectral-rank", "font.size": 10}):
        figure = Figure(figsize=(9.6, 6.4), layout="constrained")
        grid = figure.subplots(2, 2)
        draw_impulse(grid[0, 0], W, season, step)
        draw_frequency(grid[0, 1], W, season, step)
        draw_modes(grid[1, 0], W, season, step)
        draw_scales(grid[1, 1], W, shares, step)
        for axes in grid.flat:
            axes.spines[["top", "right"]].set_visible(False)
        figure.suptitle("What the collapsed network does with its window")
        figure.savefig(path, dpi=200, metadata={"Date": None} if path.suffix == ".svg" else None)


def draw_impulse(axes: Axes, W: FloatArray, season: int, step: str) -> None:
    """The weight of every past value in the first and in the last forecast."""
    response = impulse_response(W)
    ages = np.arange(response.shape[1])
    axes.plot(ages, response[0], color=BLUE, label="1 step ahead")
    if len(W) > 1:
        axes.plot(ages, response[-1], color=ORANGE, label=f"{len(W)} steps ahead")
    axes.axhline(0, color=GREY, linewidth=0.5)
    if season > 1:
        for age in range(season - 1, len(ages), season):
            axes.axvline(age, color=GREY, linewidth=0.8, linestyle=":")
    axes.set(xlabel=f"age of the value ({step}s)", ylabel="weight", title="Impulse response")
    axes.legend(frameon=False, fontsize=8)


def draw_frequency(axes: Axes, W: FloatArray, season: int, step: str) -> None:
    """How well an oscillation of each frequency is continued."""
    frequencies = np.linspace(0, 0.5, 501)
    axes.plot(frequencies, oscillation_error(W, frequencies), color=BLUE)
    axes.axhline(1, color=GREY, linewidth=0.8)
    axes.annotate("as bad as forecasting 0", (0.5, 1), ha="right", va="bottom", fontsize=8)
    if season > 1:
        harmonics = np.arange(1, season // 2 + 1) / season
        axes.vlines(harmonics[:6], 0, 1, color=GREY, linewidth=0.8, linestyle=":")
    axes.set(
        xlabel=f"frequency (cycles per {step})",
        ylabel="error, relative to the amplitude",
        ylim=(0, None),
        title="Oscillations: continued (low) or not (high)",
    )


def draw_modes(axes: Axes, W: FloatArray, season: int, step: str) -> None:
    """Period and time constant of every mode of the one-step recursion."""
    longest = 20 * W.shape[1]
    shown = [mode for mode in modes(W) if abs(mode.eigenvalue) > FADED]
    oscillating = [mode for mode in shown if mode.period <= W.shape[1]]
    axes.plot(
        [mode.period for mode in oscillating],
        [min(mode.time_constant, longest) for mode in oscillating],
        "o",
        color=BLUE,
        markersize=4,
    )
    if season > 1:
        for count in range(1, min(season // 2, 6) + 1):
            axes.axvline(season / count, color=GREY, linewidth=0.8, linestyle=":")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel=f"period ({step}s)",
        ylabel=f"time constant ({step}s)",
        title="Modes" + (season > 1) * "; dotted: the known season and its harmonics",
    )
    axes.xaxis.set_major_locator(LogLocator(base=2))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(ScalarFormatter())


def draw_scales(axes: Axes, W: FloatArray, shares: FloatArray, step: str) -> None:
    """The share of every time scale in the forecast change."""
    lengths = scale_lengths(W.shape[1])
    places = np.arange(len(lengths))
    axes.bar(places, shares, color=GREEN)
    axes.axhline(0, color=GREY, linewidth=0.5)
    labels = [f"{length}" for length in lengths[:-1]] + ["mean"]
    axes.set_xticks(places, labels)
    axes.set(
        xlabel=f"time scale in the window ({step}s)",
        ylabel="share of the forecast change",
        title="Contribution per scale",
    )
