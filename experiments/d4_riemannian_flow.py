"""D.4: Is training Riemannian gradient flow?

Question. Does the end-to-end matrix of a deep linear network, trained by gradient descent with
small steps from a balanced start, follow the gradient flow of the metric of its depth?

Prediction. ``dW/dt = -A_(N,W)(grad E)`` (`endToEnd_flow`, `endToEnd_flow_singularBasis`): the
distance of gradient descent from this flow is of first order in the step, and below 1e-4 of the
size of ``W`` at the step 1e-4.  Per layer the flow tends to the one with the logarithmic mean as
weight (`depthWeight_tendsto_logMean`), at a rate of one over the depth.

Design. Time is that of the flow per layer, ``dW/dt = -A_(N,W)(grad E) / N``, which has a limit at
infinite depth: a step ``h`` moves each layer by ``h / N`` times its gradient.  The loss is
``tr((W - T) C (W - T)^T) / 2`` with a random target and a random well-conditioned covariance; the
start has singular values between 1/2 and 3/2.  At each depth gradient descent runs to time 1, by
when ``W`` has moved by more than half its size, and is compared at equidistant times with the flow,
integrated by DOP853 to ten digits; the error is the largest relative distance on the way.  Because
"step" can also mean that of the layers, gradient descent runs also with ``h = 1e-4 N``, where each
layer moves by 1e-4 times its gradient; this is reported and does not decide.  The flows at depths 4
to 1024 are compared with the infinite-depth flow.

Decision rule. As in ``RULE``.

Figure. Error against step for each depth, and distance from the infinite-depth flow against depth,
with intervals over seeds and lines of the predicted order.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.stats import ortho_group

from spectral_rank.experiments.record import (
    Analysis,
    Cell,
    Config,
    ExperimentResult,
    Interval,
    Profile,
    Verdict,
    mean_interval,
)
from spectral_rank.figures.palette import BLUE, GREEN, GREY, ORANGE
from spectral_rank.formulas.deep_linear.flow import layer_flow
from spectral_rank.formulas.deep_linear.metric import end_to_end
from spectral_rank.formulas.deep_linear.riemannian import riemannian_gradient

ID = "D.4"
QUESTION = "Is training Riemannian gradient flow?"
PREDICTION = (
    "dW/dt = -A_{N,W}(grad E): the error of small steps is of first order and below 1e-4 at the "
    "step 1e-4; the infinite-depth limit is approached like one over the depth."
)
RULE = (
    "Three conditions, each with 95 % intervals over seeds: at every depth the geometric mean of "
    "the error at the smallest step (1e-4 in the profiles cpu and gpu) is below that step; at "
    "every depth the mean order in the step lies within [0.95, 1.05]; so does the mean order of "
    "the limit in one over the depth. Confirmed if all intervals lie wholly inside; refuted if "
    "one lies wholly outside; undecided otherwise."
)
THEOREMS = (
    "endToEnd_flow",
    "endToEnd_flow_singularBasis",
    "endToEnd_flow_of_balanced_start",
    "depthWeight_tendsto_logMean",
)

ORDER_BAND = (0.95, 1.05)
LAYER_STEP = 1e-4
RECORDS = 10
"""Times at which descent and flow are compared, after the start."""

COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00")
"""Of the depths, from the Okabe-Ito palette."""

Floats = NDArray[np.float64]


class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        width: size of the square matrices.
        depths: depths of gradient descent.
        steps: steps in the time of the flow per layer, decreasing, each 1 over a multiple of 10.
        limit_depths: depths whose flow is compared with that of infinite depth.
    """

    width: int
    depths: tuple[int, ...]
    steps: tuple[float, ...]
    limit_depths: tuple[int, ...]


def config(profile: Profile) -> Settings:
    """The smoke profile stops at a step of 1e-3; the GPU has nothing to add but seeds and width."""
    if profile == "smoke":
        return Settings(
            profile=profile,
            seeds=(0, 1),
            width=4,
            depths=(1, 4),
            steps=(1e-2, 2e-3, 1e-3),
            limit_depths=(64, 256),
        )
    return Settings(
        profile=profile,
        seeds=(0, 1, 2, 3, 4) if profile == "cpu" else tuple(range(10)),
        width=6 if profile == "cpu" else 16,
        depths=(1, 2, 4, 8, 16),
        steps=(1e-2, 2e-3, 1e-3, 2e-4, 1e-4),
        limit_depths=(16, 64, 256, 1024),
    )


def cells(config: Settings) -> list[Cell]:
    """One cell for each seed and depth, and one for each seed's limit."""
    descents = [{"depth": depth, "seed": seed} for depth in config.depths for seed in config.seeds]
    return descents + [{"depth": "limit", "seed": seed} for seed in config.seeds]


def run_cell(config: Settings, cell: Cell) -> dict[str, Any]:
    """The distances of gradient descent from the flow, or of the flows from their limit."""
    problem = Problem(config.width, cell["seed"])
    if cell["depth"] == "limit":
        limit = problem.flow(math.inf)
        errors = {depth: distance(problem.flow(depth), limit) for depth in config.limit_depths}
        moved = distance(limit[:1], limit[-1:])
    else:
        depth = cell["depth"]
        flow = problem.flow(depth)
        errors = {h: distance(problem.descent(depth, h), flow) for h in config.steps}
        layer_step = 1 / (RECORDS * round(1 / (RECORDS * LAYER_STEP * depth)))
        errors["layer"] = distance(problem.descent(depth, layer_step), flow)
        moved = distance(flow[:1], flow[-1:])
    return cell | {"errors": {str(key): error for key, error in errors.items()}, "moved": moved}


class Problem:
    """A quadratic loss, a balanced start, and the paths of ``W`` from there to time 1."""

    def __init__(self, width: int, seed: int) -> None:
        self.width = width
        self.rng = np.random.default_rng(seed)
        self.left, self.right = ortho_group.rvs(width, size=2, random_state=self.rng)
        self.sigma = np.geomspace(1.5, 0.5, width)
        self.target = self.rng.standard_normal((width, width)) / math.sqrt(width)
        inputs = self.rng.standard_normal((width, 4 * width))
        self.covariance = inputs @ inputs.T / (4 * width)

    def gradient(self, W: Floats) -> Floats:
        """Of the loss ``tr((W - T) C (W - T)^T) / 2``."""
        return (W - self.target) @ self.covariance

    def flow(self, depth: float) -> Floats:
        """``W`` on the flow of the metric at the recorded times, shape ``(times, n, n)``."""
        shape, per_layer = (self.width, self.width), 1.0 if math.isinf(depth) else depth

        def velocity(_: float, state: Floats) -> Floats:
            W = state.reshape(shape)
            return -riemannian_gradient(depth, W, self.gradient(W)).ravel() / per_layer

        start = (self.left * self.sigma) @ self.right.T
        times = np.linspace(0, 1, RECORDS + 1)
        path = solve_ivp(velocity, (0, 1), start.ravel(), "DOP853", times, rtol=1e-10, atol=1e-12)
        return path.y.T.reshape(-1, *shape)

    def descent(self, depth: int, step: float) -> Floats:
        """``W`` under gradient descent at the recorded times, shape ``(times, n, n)``."""
        inner = ortho_group.rvs(self.width, size=depth + 1, random_state=self.rng)[1:-1]
        bases = [self.right, *inner.reshape(-1, self.width, self.width), self.left]
        layers = np.stack(
            [(bases[k + 1] * self.sigma ** (1 / depth)) @ bases[k].T for k in range(depth)]
        )
        path = [end_to_end(layers)]
        for _ in range(RECORDS):
            for _ in range(round(1 / (RECORDS * step))):
                W = end_to_end(layers)
                layers = layers + step / depth * layer_flow(layers, self.gradient(W))
            path.append(end_to_end(layers))
        return np.stack(path)


def distance(path: Floats, reference: Floats) -> float:
    """The largest relative Frobenius distance of two paths at the same times."""
    gaps = np.linalg.norm(path - reference, axis=(1, 2))
    return float(np.max(gaps / np.linalg.norm(reference, axis=(1, 2))))


def order(sizes: list[float], errors: list[float]) -> float:
    """The exponent of the errors as a power of the sizes, by least squares of the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(errors), 1)[0])


def geometric_interval(errors: list[float]) -> Interval:
    """The geometric mean of positive errors with its interval."""
    logs = mean_interval(list(np.log(errors)))
    ends = {end: math.exp(getattr(logs, end)) for end in ("value", "low", "high")}
    return logs.model_copy(update=ends)


def analyse(config: Settings, measurements: list[dict[str, Any]]) -> Analysis:
    """Errors and orders at each depth, and the verdict of the rule."""
    smallest = config.steps[-1]
    numbers: dict[str, Interval] = {}
    bands: dict[str, tuple[float, float]] = {}
    for depth in config.depths:
        found = [m["errors"] for m in measurements if m["depth"] == depth]
        name = f"error at step {smallest:g}, depth {depth}"
        numbers[name] = geometric_interval([errors[str(smallest)] for errors in found])
        bands[name] = (-math.inf, smallest)
        name = f"order in the step, depth {depth}"
        orders = [order(list(config.steps), _values(e, config.steps)) for e in found]
        numbers[name], bands[name] = mean_interval(orders), ORDER_BAND
        name = f"error at a layer step of {LAYER_STEP:g}, depth {depth}"
        numbers[name] = geometric_interval([errors["layer"] for errors in found])
    limits = [m["errors"] for m in measurements if m["depth"] == "limit"]
    inverse = [1 / depth for depth in config.limit_depths]
    orders = [order(inverse, _values(errors, config.limit_depths)) for errors in limits]
    name = "order of the limit in one over the depth"
    numbers[name], bands[name] = mean_interval(orders), ORDER_BAND
    verdict, reason = decide({name: (numbers[name], band) for name, band in bands.items()})
    return Analysis(numbers=numbers, verdict=verdict, reason=reason)


def decide(conditions: dict[str, tuple[Interval, tuple[float, float]]]) -> tuple[Verdict, str]:
    """All intervals inside their bands, one outside, or neither."""
    outside = [n for n, (x, (low, high)) in conditions.items() if x.high < low or x.low > high]
    inside = [n for n, (x, (low, high)) in conditions.items() if low <= x.low and x.high <= high]
    if outside:
        return Verdict.REFUTED, f"Outside its band: {'; '.join(outside)}."
    if len(inside) == len(conditions):
        return Verdict.CONFIRMED, "Every error and every order lies inside its band."
    open_ = [name for name in conditions if name not in inside]
    return Verdict.UNDECIDED, f"The interval crosses the edge of the band: {'; '.join(open_)}."


def _values(errors: dict[str, float], keys: tuple[float, ...]) -> list[float]:
    return [errors[str(key)] for key in keys]


def draw(result: ExperimentResult, path: Path) -> None:
    """Errors against the step at the left, the limit of infinite depth at the right."""
    settings = Settings.model_validate(result.config)
    figure = Figure(figsize=(8.4, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    for depth, colour in zip(settings.depths, COLOURS, strict=False):
        found = [m["errors"] for m in result.measurements if m["depth"] == depth]
        label = f"depth {depth}"
        _errorbar(left, settings.steps, found, color=colour, marker="o", label=label)
    steps = np.array(settings.steps)
    left.plot(steps, steps, color=GREY, linestyle=":", label="error = step")
    left.set(xlabel="step, in the time of the flow per layer")
    left.set(ylabel="largest relative distance from the flow", title="Gradient descent")
    limits = [m["errors"] for m in result.measurements if m["depth"] == "limit"]
    _errorbar(right, settings.limit_depths, limits, color=BLUE, marker="o", label="flow")
    depths = np.array(settings.limit_depths, dtype=float)
    first = np.mean([errors[str(settings.limit_depths[0])] for errors in limits])
    right.plot(depths, first * depths[0] / depths, color=GREY, linestyle=":", label="1 / depth")
    right.set(xlabel="depth, layers", title="Flow of the metric")
    right.set(ylabel="largest relative distance from infinite depth")
    for axes in (left, right):
        axes.set(xscale="log", yscale="log")
        axes.legend(frameon=False, fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
    verdict = result.analysis.verdict.value
    figure.suptitle(f"Training by small steps is Riemannian gradient flow: {verdict}")
    figure.savefig(path, dpi=200)


def _errorbar(
    axes: Axes, keys: tuple[float, ...], found: list[dict[str, float]], **style: Any
) -> None:
    intervals = [geometric_interval([errors[str(key)] for errors in found]) for key in keys]
    value = np.array([interval.value for interval in intervals])
    below = value - [interval.low for interval in intervals]
    above = [interval.high for interval in intervals] - value
    axes.errorbar(keys, value, (below, above), capsize=2, markersize=4, **style)
