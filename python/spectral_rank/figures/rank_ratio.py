"""The two meanings of "the best rank" against the exponent, on both sides of 1/2."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectral_rank.figures.palette import BLUE, GREY, ORANGE
from spectral_rank.formulas.capture import capture_rank, capture_ratio
from spectral_rank.formulas.rank import optimal_rank, rank_ratio

ALPHA_PLAN, EPS_PLAN = 1.35, 0.05
WIDTH = 1536
"""Width of the plan's E5 model: the dots are exact ranks at this width, the lines are limits."""


def draw(path: Path, eps: float = EPS_PLAN) -> None:
    """Write the figure to ``path``; the format follows the suffix.

    Args:
        path: file to write, ``.svg``, ``.png`` or ``.pdf``.
        eps: tolerance in (0, 1], shared by both criteria.
    """
    with mpl.rc_context({"svg.hashsalt": "spectral-rank", "font.size": 10}):
        figure = Figure(figsize=(7.2, 4.4), layout="constrained")
        axes = figure.add_subplot()
        _draw_capture(axes, eps)
        _draw_adequate(axes, eps)
        _draw_plan(axes, eps)
        axes.axvline(0.5, color=GREY, linewidth=1, linestyle=":")
        axes.annotate("critical exponent 1/2", (0.5, 0.60), (0.53, 0.60), color=GREY, fontsize=9)
        axes.set(
            xlabel=r"exponent $\alpha$ of the spectrum $\sigma_i = i^{-\alpha}$",
            ylabel=r"rank as a share of the width, $r/d$",
            xlim=(0, 2),
            ylim=(-0.02, 1),
            title=rf"Two readings of the best rank, $\varepsilon = {eps:g}$",
        )
        axes.plot([], [], "o", color=GREY, markersize=3.5, label=f"exact ranks at width {WIDTH}")
        axes.legend(loc="upper right", frameon=False, fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, dpi=200, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw_adequate(axes: Axes, eps: float) -> None:
    alphas = np.linspace(0.505, 2, 400)
    axes.plot(
        alphas,
        rank_ratio(alphas, eps),
        color=BLUE,
        label=r"error at most $1/\varepsilon$ times the unavoidable: "
        r"$\varepsilon^{1/(2\alpha-1)}$",
    )
    dots = np.arange(0.6, 2.01, 0.1).round(2)
    axes.plot(
        dots, optimal_rank(dots, eps, WIDTH) / WIDTH, "o", color=BLUE, markersize=3.5, clip_on=False
    )


def _draw_capture(axes: Axes, eps: float) -> None:
    alphas = np.linspace(0, 0.4999, 400)
    ratios = np.append(capture_ratio(alphas, eps), [0.0, 0.0])
    axes.plot(
        np.append(alphas, [0.5, 2.0]),
        ratios,
        color=ORANGE,
        label=r"captures the share $1-\varepsilon$ of the variance: "
        r"$(1-\varepsilon)^{1/(1-2\alpha)}$, then 0",
    )
    dots = np.arange(0, 2.01, 0.1).round(2)
    axes.plot(
        dots,
        capture_rank(dots, eps, WIDTH) / WIDTH,
        "s",
        color=ORANGE,
        markersize=3.5,
        clip_on=False,
    )


def _draw_plan(axes: Axes, eps: float) -> None:
    ratio = rank_ratio(ALPHA_PLAN, eps)
    axes.annotate(
        f"α = {ALPHA_PLAN}: {100 * ratio:.1f} % of the width",
        (ALPHA_PLAN, ratio),
        (1.05, 0.40),
        arrowprops={"arrowstyle": "-", "color": BLUE},
        color=BLUE,
        fontsize=9,
    )
    captured = capture_rank(ALPHA_PLAN, eps, WIDTH)
    axes.annotate(
        f"α = {ALPHA_PLAN}: {captured} directions",
        (ALPHA_PLAN, captured / WIDTH),
        (1.5, 0.075),
        arrowprops={"arrowstyle": "-", "color": ORANGE},
        color=ORANGE,
        fontsize=9,
    )
