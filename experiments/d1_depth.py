"""D.1: Can 1000 linear layers be trained?

Question. Can gradient descent train a linear network of up to 1000 layers, what does the start have
to do with it, and what does the depth cost in training and at inference?

Prediction. Yes from a balanced start: the balance is conserved (`imbalance_conserved`,
`layerFlow_balanced_forever`), so no layer explodes or vanishes alone, and the product moves at a
rate per layer that has a limit at infinite depth.  A network that is linear collapses into one
matrix (`deep_linear_is_linear`), so depth costs nothing at inference.

Design. Regression of ``Y = X T^T`` on Gaussian inputs, width 64, with a target ``T`` that is the
identity plus a random matrix, its symmetric part positive definite and its condition number about
4.  Gradient flow cannot change the sign of a determinant, so a target has to be in reach of the
start; this one is within reach of the identity, at which a balanced start begins, and no claim is
made for others.  Depths 1 to 1000; starts balanced, torch's standard and Gaussian with variance
preserved; with and without residual layers ``I + A / N``.  The learning rate is that of the
product: each layer moves by ``rate / N`` times its gradient, and ``A`` by ``rate N`` times its own,
which is the same motion.  Each start takes the better of the same rates, by its final loss; a run
that overflows has not lowered the loss.  Drift: from the balanced start, the same flow time is
covered with smaller and smaller rates.  Time: steps at depths 100 to 1000 are timed in turn, and
the network's forecast is timed layer by layer and collapsed, all in one process; forecasts of batch
1, float64, one thread.

Settings changed after small trial runs, before the run that is reported: the smallest rate at depth
10 was halved (the drift was below its band before, with less margin), and the sizes of the smoke
profile.  The bands of the rule were not changed.

Decision rule. As in ``RULE``.

Figure. Fall of the loss against depth for each start, and drift of the imbalance against the rate.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from spectral_rank.experiments.record import (
    Analysis,
    Cell,
    Config,
    ExperimentResult,
    Interval,
    Profile,
    Verdict,
    finite_or_none,
    mean_interval,
)
from spectral_rank.figures.palette import BLUE, GREEN, GREY, ORANGE
from spectral_rank.models.deep_linear import DeepLinearTimeSeries
from spectral_rank.models.linear_stack import STARTS, LinearStack
from spectral_rank.training.balance import imbalances, relative_drift

ID = "D.1"
QUESTION = "Can 1000 linear layers be trained?"
PREDICTION = "Yes from a balanced start, with the balance conserved."
RULE = (
    "Four conditions, each with a 95 % interval over seeds. Training: at the largest depth, from "
    "the balanced start without residuals, the loss falls by at least 100 times (mean of its "
    "decimal logarithm). Conservation: at every depth the relative drift of the imbalance at the "
    "smallest rate is below 1e-6 (mean of its decimal logarithm). Cost: the time per step grows "
    "like a power of the depth with an exponent in [0.85, 1.15]. Inference: at the largest depth "
    "the collapsed network is at least 300 times faster than layer by layer. Confirmed if all "
    "intervals lie wholly inside; refuted if one lies wholly outside; undecided otherwise."
)
THEOREMS = (
    "imbalance_conserved",
    "layerFlow_balanced_forever",
    "deep_linear_is_linear",
    "depthWeight_tendsto_self",
)

PERTURBATION = 0.4
"""Of the identity by the target, over the square root of the width: the spectral norm of the
perturbation is about 0.8, so the symmetric part of the target is positive definite."""
LEAST_FALL, LARGEST_DRIFT, LEAST_SPEEDUP = 100.0, 1e-6, 300.0
EXPONENT_BAND = (0.85, 1.15)
START_COLOURS = dict(zip(STARTS, (BLUE, ORANGE, GREEN), strict=True))
DEPTH_COLOURS = (BLUE, ORANGE, GREEN, GREY)


class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        width: width of all layers.
        samples: number of inputs.
        depths: depths that are trained, increasing.
        rates: learning rates of the product that each start chooses from.
        steps: steps of gradient descent.
        drifts: pairs of a depth and its decreasing rates, for the drift of the imbalance.
        drift_time: flow time covered with each of these rates.
        timed_depths: depths at which a step is timed, increasing.
        rounds: rounds of the timing.
    """

    width: int
    samples: int
    depths: tuple[int, ...]
    rates: tuple[float, ...]
    steps: int
    drifts: tuple[tuple[int, tuple[float, ...]], ...]
    drift_time: float
    timed_depths: tuple[int, ...]
    rounds: int


def config(profile: Profile) -> Settings:
    """The smoke profile trains up to depth 100; the GPU profile has more seeds and rates."""
    if profile == "smoke":
        return Settings(
            profile=profile,
            seeds=(0, 1),
            width=16,
            samples=64,
            depths=(1, 10, 100),
            rates=(0.2,),
            steps=40,
            drifts=((100, (0.1, 0.01)),),
            drift_time=1.0,
            timed_depths=(100, 300, 1000),
            rounds=2,
        )
    cpu = profile == "cpu"
    return Settings(
        profile=profile,
        seeds=(0, 1, 2) if cpu else tuple(range(10)),
        width=64,
        samples=128,
        depths=(1, 10, 100, 1000),
        rates=(0.05, 0.2) if cpu else (0.025, 0.05, 0.1, 0.2),
        steps=80 if cpu else 160,
        drifts=((10, (0.05, 0.005, 0.00025)), (100, (0.05, 0.005)), (1000, (0.1, 0.05))),
        drift_time=2.0,
        timed_depths=(100, 180, 320, 560, 1000),
        rounds=5,
    )


def cells(config: Settings) -> list[Cell]:
    """One cell for each training run, each drift and each seed's timing; the longest first."""
    training = [
        {"kind": "train", "depth": depth, "start": start, "residual": residual, "rate": rate}
        for depth in reversed(config.depths)
        for start in STARTS
        for residual in (False, True)
        for rate in config.rates
    ]
    drifts = [
        {"kind": "drift", "depth": depth, "rate": rate}
        for depth, rates in config.drifts
        for rate in rates
    ]
    conditions = [*training, *drifts, {"kind": "time"}]
    return [condition | {"seed": seed} for condition in conditions for seed in config.seeds]


def run_cell(config: Settings, cell: Cell) -> dict[str, Any]:
    """Train once, follow the imbalance once, or time once."""
    measure = {"train": _train, "drift": _drift, "time": _time}[cell["kind"]]
    return cell | measure(config, cell)


class Regression:
    """Inputs, outputs, and the network that learns them, from one seed."""

    def __init__(self, config: Settings, seed: int) -> None:
        self.width = config.width
        self.generator = torch.Generator().manual_seed(seed)
        noise = self._gauss(config.width) * PERTURBATION / math.sqrt(config.width)
        self.inputs = self._gauss(config.samples)
        self.outputs = self.inputs + self.inputs @ noise.T

    def _gauss(self, rows: int) -> Tensor:
        return torch.randn(rows, self.width, dtype=torch.float64, generator=self.generator)

    def network(self, depth: int, start: Any = "balanced", residual: bool = False) -> LinearStack:
        """A network in float64."""
        return LinearStack(
            [self.width] * (depth + 1),
            start=start,
            residual=residual,
            dtype=torch.float64,
            generator=self.generator,
        )

    def stepper(self, network: LinearStack, rate: float) -> Callable[[], float]:
        """A function that takes a step of gradient descent and returns the loss before it."""
        per_layer = rate * network.depth if network.residual else rate / network.depth
        optimizer = torch.optim.SGD(network.parameters(), lr=per_layer)

        def step() -> float:
            optimizer.zero_grad()
            loss = self.loss(network)
            loss.backward()
            optimizer.step()
            return float(loss.detach())

        return step

    def loss(self, network: LinearStack) -> Tensor:
        """Half the mean squared distance of the outputs."""
        return (network(self.inputs) - self.outputs).square().sum() / (2 * len(self.inputs))


def _train(config: Settings, cell: Cell) -> dict[str, Any]:
    """Loss before and after, ``None`` where it is no number any more."""
    problem = Regression(config, cell["seed"])
    network = problem.network(cell["depth"], cell["start"], cell["residual"])
    step = problem.stepper(network, cell["rate"])
    losses: list[float] = []
    while len(losses) < config.steps and (not losses or math.isfinite(losses[-1])):
        losses.append(step())
    with torch.no_grad():
        final = float(problem.loss(network))
    return {"initial": finite_or_none(losses[0]), "final": finite_or_none(final)}


def _drift(config: Settings, cell: Cell) -> dict[str, Any]:
    """The drift from the imbalance of the start, and how far the loss fell meanwhile."""
    problem = Regression(config, cell["seed"])
    network = problem.network(cell["depth"])
    reference = imbalances(network.layers())
    step = problem.stepper(network, cell["rate"])
    losses = [step() for _ in range(round(config.drift_time / cell["rate"]))]
    drift = relative_drift(network.layers(), reference)
    return {"drift": drift, "initial": losses[0], "final": losses[-1]}


def _time(config: Settings, cell: Cell) -> dict[str, Any]:
    """Medians over rounds; everything is timed in every round, so a busy machine hits all."""
    problem = Regression(config, cell["seed"])
    depths = config.timed_depths
    steps = [problem.stepper(problem.network(depth), 0.05) for depth in depths]
    deepest, window = depths[-1], problem.inputs[:1]
    model = DeepLinearTimeSeries(
        config.width, config.width, deepest, dtype=torch.float64, generator=problem.generator
    )
    stack = model.stacks[0]
    step_times: list[list[float]] = [[] for _ in depths]
    speedups = []
    for step in steps:
        step()
    with torch.inference_mode():
        error = float((model(window) - stack(window)).norm() / stack(window).norm())
    for _ in range(config.rounds):
        for times, step in zip(step_times, steps, strict=True):
            times.append(_seconds(step, 3))
        with torch.inference_mode():
            layered = _seconds(lambda: stack(window), 20)
            speedups.append(layered / _seconds(lambda: model(window), 2000))
    return {
        "seconds": [float(np.median(times)) for times in step_times],
        "speedup": float(np.median(speedups)),
        "collapse_error": error,
    }


def _seconds(call: Callable[[], object], repeats: int) -> float:
    """Time of one call, averaged over repeats."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def analyse(config: Settings, measurements: list[dict[str, Any]]) -> Analysis:
    """Fall of the loss, drift, exponent and speed-up, and the verdict of the rule."""
    numbers: dict[str, Interval] = {}
    bands: dict[str, tuple[float, float]] = {}
    for depth in config.depths:
        for start in STARTS:
            for residual in (False, True):
                name = f"log10 fall of the loss, depth {depth}, {start}{' residual' * residual}"
                numbers[name] = mean_interval(falls(config, measurements, depth, start, residual))
    bands[f"log10 fall of the loss, depth {config.depths[-1]}, balanced"] = (
        math.log10(LEAST_FALL),
        math.inf,
    )
    for depth, rates in config.drifts:
        for rate in rates:
            found = [m["drift"] for m in measurements if _is_drift(m, depth, rate)]
            numbers[f"log10 drift, depth {depth}, rate {rate:g}"] = mean_interval(np.log10(found))
        bands[f"log10 drift, depth {depth}, rate {rates[-1]:g}"] = (
            -math.inf,
            math.log10(LARGEST_DRIFT),
        )
    timings = [m for m in measurements if m["kind"] == "time"]
    exponents = [_slope(config.timed_depths, m["seconds"]) for m in timings]
    name = "exponent of the time per step"
    numbers[name], bands[name] = mean_interval(exponents), EXPONENT_BAND
    name = f"speed-up of collapsed inference, depth {config.timed_depths[-1]}"
    numbers[name] = mean_interval([m["speedup"] for m in timings])
    bands[name] = (LEAST_SPEEDUP, math.inf)
    errors = [m["collapse_error"] for m in timings]
    numbers["relative error of the collapsed network"] = mean_interval(errors)
    deciding = {name: numbers[name] for name in bands}
    verdict, reason = _decide({name: (deciding[name], band) for name, band in bands.items()})
    return Analysis(numbers=deciding | numbers, verdict=verdict, reason=reason)


def falls(
    config: Settings, measurements: list[dict[str, Any]], depth: int, start: str, residual: bool
) -> list[float]:
    """For each seed, the decimal logarithm of initial over final loss at the better rate."""
    wanted = {"kind": "train", "depth": depth, "start": start, "residual": residual}
    runs = [m for m in measurements if wanted.items() <= m.items()]
    return [max(_fall(m) for m in runs if m["seed"] == seed) for seed in config.seeds]


def _fall(run: dict[str, Any]) -> float:
    """A run that overflowed has not lowered the loss; a loss of exactly 0 counts as rounding."""
    if run["initial"] is None or run["final"] is None:
        return 0.0
    return math.log10(run["initial"] / max(run["final"], 1e-32 * run["initial"]))


def _is_drift(run: dict[str, Any], depth: int, rate: float) -> bool:
    return (run["kind"], run.get("depth"), run.get("rate")) == ("drift", depth, rate)


def _slope(depths: tuple[int, ...], seconds: list[float]) -> float:
    """The exponent of the time as a power of the depth, by least squares of the logarithms."""
    return float(np.polyfit(np.log(depths), np.log(seconds), 1)[0])


def _decide(conditions: dict[str, tuple[Interval, tuple[float, float]]]) -> tuple[Verdict, str]:
    """All intervals inside their bands, one outside, or neither."""
    outside = [n for n, (x, (low, high)) in conditions.items() if x.high < low or x.low > high]
    inside = [n for n, (x, (low, high)) in conditions.items() if low <= x.low and x.high <= high]
    if outside:
        return Verdict.REFUTED, f"Outside its band: {'; '.join(outside)}."
    if len(inside) == len(conditions):
        return Verdict.CONFIRMED, "Training, conservation, cost and inference meet their bands."
    crossing = "; ".join(name for name in conditions if name not in inside)
    return Verdict.UNDECIDED, f"The interval crosses the edge of the band: {crossing}."


def draw(result: ExperimentResult, path: Path) -> None:
    """Fall of the loss at the left, drift of the imbalance at the right."""
    settings = Settings.model_validate(result.config)
    figure = Figure(figsize=(8.8, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_falls(left, settings, result.measurements)
    _draw_drifts(right, settings, result.measurements)
    for axes in (left, right):
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    deepest, verdict = settings.depths[-1], result.analysis.verdict.value
    figure.suptitle(f"{deepest} linear layers can be trained from a balanced start: {verdict}")
    figure.savefig(path, dpi=200)


def _draw_falls(axes: Axes, settings: Settings, measurements: list[dict[str, Any]]) -> None:
    for place, start in enumerate(STARTS):
        for residual, style in ((False, "-"), (True, "--")):
            found = [
                mean_interval(falls(settings, measurements, depth, start, residual))
                for depth in settings.depths
            ]
            # Side by side, so that no curve hides another.
            depths = np.array(settings.depths) * 1.06 ** (2 * place + residual - 2)
            label = f"{start}, {'residual' if residual else 'plain'}"
            colour = START_COLOURS[start]
            _errorbar(axes, depths, found, color=colour, linestyle=style, marker="o", label=label)
    axes.axhline(math.log10(LEAST_FALL), color=GREY, linestyle=":", label="100 times")
    axes.set(xscale="log", xlabel="depth, layers", title=f"After {settings.steps} steps")
    axes.set_ylabel("decimal logarithm of the fall of the loss")


def _draw_drifts(axes: Axes, settings: Settings, measurements: list[dict[str, Any]]) -> None:
    for (depth, rates), colour in zip(settings.drifts, DEPTH_COLOURS, strict=False):
        found = [
            mean_interval(np.log10([m["drift"] for m in measurements if _is_drift(m, depth, rate)]))
            for rate in rates
        ]
        _errorbar(axes, rates, found, color=colour, marker="o", label=f"depth {depth}")
        line = found[0].value + np.log10(np.array(rates) / rates[0])
        axes.plot(rates, line, color=colour, linestyle=":", linewidth=1)
    axes.axhline(math.log10(LARGEST_DRIFT), color=GREY, linestyle="--", label="1e-6")
    axes.plot([], [], color=GREY, linestyle=":", label="first order in the rate")
    axes.set(xscale="log", xlabel="learning rate of the product", title="Balanced start")
    axes.set_ylabel("decimal logarithm of the relative drift")


def _errorbar(axes: Axes, x: Any, found: list[Interval], **style: Any) -> None:
    value = np.array([interval.value for interval in found])
    below = value - [interval.low for interval in found]
    above = [interval.high for interval in found] - value
    axes.errorbar(x, value, (below, above), capsize=2, markersize=3.5, linewidth=1.3, **style)
