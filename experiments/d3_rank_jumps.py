"""D.3: Does rank rise in jumps?

Question. Does a deep linear network that starts small and balanced learn the modes of its target
one after the other, so that its rank rises in jumps, and when does each mode come?

Prediction. The strongest mode comes first.  From a start that has the singular vectors of the
target, two layers learn a mode along `modeStrength` and are half done at `halfTime`
(`modeStrength_halfTime`, `halfTime_lt`); at depth ``N`` a mode follows
``u' = depthWeight(N, u^(2/N), u^(2/N)) (s - u)`` (`endToEnd_flow_singularBasis`,
`modeFlow_hasDerivAt`), which is integrated numerically.

Design. The target is a square matrix of rank 3 with singular values 4, 2, 1 and random singular
vectors.  Regression on whitened inputs has the loss ``|W - T|^2 / 2``; matrix sensing sees the
target through Gaussian measurements, three for every four entries, and has their mean squared
error over 2 as loss.  Networks of depth 2, 3 and 4 start balanced at 1e-4 times an orthogonal
matrix, which is *aligned*, with the singular vectors of the target, or *random*; the theorems are
about the aligned start only.  Gradient descent with a small step follows the flow.  Recorded are
the singular values, the rank above a quarter of the weakest mode, and the entropy of the network.
A mode's transition runs from a tenth to nine tenths of its target.  For two layers and a random
start there is a prediction without a theorem: a mode whose overlap with the start is
``c = u^T W v`` starts as if at ``(u0 + c) / 2``, because the layers ``X``, ``Y`` grow along
``X v + Y^T u`` and decay along ``X v - Y^T u``.

Settings changed after small trial runs, before the run that is reported: the start was lowered from
1e-3, where the transitions overlap, to 1e-4, and width and duration were raised.  The bands of the
rule were not changed.  The verdict speaks of starts this small.

Decision rule. As in ``RULE``.

Figure. Strengths of the modes over time with the closed form drawn in, rank, and entropy, a column
for each depth.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.stats import binomtest, ortho_group

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
from spectral_rank.formulas.deep_linear.dynamics import half_time, mode_strength
from spectral_rank.formulas.deep_linear.entropy import entropy
from spectral_rank.formulas.deep_linear.flow import layer_flow
from spectral_rank.formulas.deep_linear.metric import depth_weight, end_to_end
from spectral_rank.training.jumps import is_staircase, rank_jumps, rank_path, transitions

ID = "D.3"
QUESTION = "Does rank rise in jumps?"
PREDICTION = "Yes: the strongest mode first, at the half times of the closed form."
RULE = (
    "A run climbs in jumps if all modes reach nine tenths of their target, in the order of their "
    "strength, and their transitions do not overlap. Confirmed if every regression run climbs in "
    "jumps, the 95 % interval of the share of sensing runs that do lies above 1/2, and at every "
    "depth the 95 % interval over seeds of the mean ratio of half time to closed form, for "
    "regression from the aligned start, lies within [0.95, 1.05]. Refuted if a regression run does "
    "not climb in jumps or one of these intervals lies wholly on the other side; undecided "
    "otherwise."
)
THEOREMS = (
    "modeStrength_halfTime",
    "modeStrength_lt_of_lt",
    "halfTime_lt",
    "modeFlow_hasDerivAt",
    "endToEnd_flow_singularBasis",
)

RATIO_BAND = (0.95, 1.05)
RANK_THRESHOLD = 0.25
"""Strength from which a mode counts, relative to the weakest mode of the target."""
RECORDS = 600
STORED = 120
"""Times in a record at which singular values are compared, and which are stored for the figure."""
PROBLEMS, STARTS = ("regression", "sensing"), ("aligned", "random")
COLOURS = (BLUE, ORANGE, GREEN)

Floats = NDArray[np.float64]


class Settings(Config):
    """Sizes of the experiment.

    Attributes:
        width: size of the square matrices.
        depths: depths of the networks.
        strengths: singular values of the target, decreasing.
        start: singular values of the start.
        step: step of gradient descent.
        measurements_per_entry: Gaussian measurements of sensing, over the entries of the target.
        duration: length of a run over the closed form's half time of the weakest mode.
    """

    width: int
    depths: tuple[int, ...]
    strengths: tuple[float, ...] = (4.0, 2.0, 1.0)
    start: float
    step: float
    measurements_per_entry: float = 0.75
    duration: float = 3.0


def config(profile: Profile) -> Settings:
    """The smoke profile is narrow and takes larger steps; the GPU profile is wider."""
    if profile == "smoke":
        return Settings(
            profile=profile, seeds=(0, 1), width=8, depths=(2, 3), start=1e-4, step=0.02
        )
    cpu = profile == "cpu"
    return Settings(
        profile=profile,
        seeds=tuple(range(5 if cpu else 10)),
        width=16 if cpu else 48,
        depths=(2, 3, 4),
        start=1e-4,
        step=0.005,
    )


def cells(config: Settings) -> list[Cell]:
    """One cell for each problem, depth, start and seed."""
    return [
        {"problem": problem, "depth": depth, "start": start, "seed": seed}
        for problem in PROBLEMS
        for depth in config.depths
        for start in STARTS
        for seed in config.seeds
    ]


def run_cell(config: Settings, cell: Cell) -> dict[str, Any]:
    """The path of the singular values and what `spectral_rank.training.jumps` sees in it."""
    rng = np.random.default_rng(cell["seed"])
    depth, strengths = cell["depth"], np.array(config.strengths)
    left, right = ortho_group.rvs(config.width, size=2, random_state=rng)
    target = (left[:, : len(strengths)] * strengths) @ right[:, : len(strengths)].T
    hessian, pull = _loss(config, cell["problem"], target, rng)
    bases = list(ortho_group.rvs(config.width, size=depth + 1, random_state=rng))
    bases[0] = right
    if cell["start"] == "aligned":
        bases[-1] = left
    layers = np.stack(
        [config.start ** (1 / depth) * bases[k + 1] @ bases[k].T for k in range(depth)]
    )
    expected = [closed_half_time(depth, s, config.start) for s in strengths]
    overlaps = np.diag(left.T @ end_to_end(layers) @ right)[: len(strengths)]
    times, values = _descend(config, layers, hessian, pull, config.duration * max(expected))
    found = transitions(times, values[:, : len(strengths)], strengths)
    climbed = [transition for transition in found if transition is not None]
    ranks = rank_path(values, RANK_THRESHOLD * strengths[-1])
    jumps = rank_jumps(times, ranks)
    kept = np.linspace(0, len(times) - 1, STORED).round().astype(int)
    return cell | {
        "expected": expected,
        "corrected": _corrected(depth, strengths, config.start, overlaps),
        "halves": [None if transition is None else transition.half for transition in found],
        "in_order": len(climbed) == len(found) and bool(np.all(np.diff(_halves(climbed)) > 0)),
        "apart": is_staircase(climbed),
        "jumps": [[jump.time, jump.before, jump.after] for jump in jumps],
        "times": times[kept].tolist(),
        "strengths": values[kept, : len(strengths)].tolist(),
        "ranks": ranks[kept].tolist(),
        "entropies": [float(entropy(depth, sigma)) for sigma in values[kept]],
    }


def _halves(found: list[Any]) -> list[float]:
    return [transition.half for transition in found]


def _loss(
    config: Settings, problem: str, target: Floats, rng: np.random.Generator
) -> tuple[Floats | None, Floats]:
    """The gradient as ``H vec(W) - b``: the pair ``H, b``; ``None`` stands for the identity."""
    if problem == "regression":
        return None, target.ravel()
    count = round(config.measurements_per_entry * target.size)
    sensors = rng.standard_normal((count, target.size))
    hessian = sensors.T @ sensors / count
    return hessian, hessian @ target.ravel()


def _descend(
    config: Settings, layers: Floats, hessian: Floats | None, pull: Floats, duration: float
) -> tuple[Floats, Floats]:
    """Gradient descent; the recorded times and the singular values of the product at them."""
    shape, stride = layers.shape[1:], max(1, round(duration / config.step / RECORDS))
    times, values = [], []
    for k in range(RECORDS * stride):
        W = end_to_end(layers)
        if k % stride == 0:
            times.append(k * config.step)
            values.append(np.linalg.svd(W, compute_uv=False))
        push = W.ravel() if hessian is None else hessian @ W.ravel()
        layers = layers + config.step * layer_flow(layers, (push - pull).reshape(shape))
    return np.array(times), np.array(values)


def closed_curve(depth: int, s: float, u0: float, times: Floats) -> Floats:
    """The strength of a mode from an aligned start: closed for two layers, else integrated."""
    if depth == 2:
        return np.asarray(mode_strength(s, u0, times))
    solution = _integrated(depth, s, u0, float(times[-1]))
    return np.exp(solution.sol(times)[0])


def closed_half_time(depth: int, s: float, u0: float) -> float:
    """The time at which that curve reaches ``s / 2``."""
    if depth == 2:
        return float(half_time(s, u0))
    # Below the half, log u grows at least as fast as this, so the half comes before ``late``.
    slowest = _rate(depth, u0) * s / 2
    late = np.log(s / (2 * u0)) / slowest * 1.01
    return float(_integrated(depth, s, u0, float(late), stop=True).t_events[0][0])


def _rate(depth: int, u: float) -> float:
    """The weight of a mode with itself over its strength: what multiplies the gap in ``log u``."""
    a = u ** (2 / depth)
    return float(depth_weight(depth, a, a)) / u


def _integrated(depth: int, s: float, u0: float, end: float, stop: bool = False) -> Any:
    """The equation of one mode for ``log u``, by DOP853 to ten digits."""

    def velocity(_: float, log_u: Floats) -> list[float]:
        u = float(np.exp(log_u[0]))
        return [_rate(depth, u) * (s - u)]

    def half(_: float, log_u: Floats) -> float:
        return float(log_u[0] - np.log(s / 2))

    half.terminal = True  # type: ignore[attr-defined]
    return solve_ivp(
        velocity,
        (0, end),
        [np.log(u0)],
        "DOP853",
        dense_output=True,
        events=half if stop else None,
        rtol=1e-10,
        atol=1e-12,
    )


def _corrected(depth: int, strengths: Floats, u0: float, overlaps: Floats) -> list[float] | None:
    """Half times of two layers from the effective start; none at other depths."""
    if depth != 2:
        return None
    starts = (u0 + overlaps) / 2
    return [float(half_time(s, start)) for s, start in zip(strengths, starts, strict=True)]


def analyse(config: Settings, measurements: list[dict[str, Any]]) -> Analysis:
    """Shares of runs that climb in jumps, ratios of half times, and the verdict of the rule."""
    numbers: dict[str, Interval] = {}
    for problem in PROBLEMS:
        runs = [m for m in measurements if m["problem"] == problem]
        numbers[f"share of {problem} runs in jumps"] = _share(runs, "in_order", "apart")
        numbers[f"share of {problem} runs in order"] = _share(runs, "in_order")
    for problem in PROBLEMS:
        for start in STARTS:
            for depth in config.depths:
                chosen = {"problem": problem, "start": start, "depth": depth}
                runs = [m for m in measurements if chosen.items() <= m.items()]
                name = f"half time over closed form, {problem}, {start}, depth {depth}"
                _add(numbers, name, [_ratio(m, "expected") for m in runs])
                if depth == 2 and start == "random":
                    _add(
                        numbers, f"{name}, start corrected", [_ratio(m, "corrected") for m in runs]
                    )
    verdict, reason = _decide(config, numbers)
    return Analysis(numbers=numbers, verdict=verdict, reason=reason)


def _share(runs: list[dict[str, Any]], *properties: str) -> Interval:
    """The share of runs with all these properties, with its exact interval."""
    hits = sum(all(run[name] for name in properties) for run in runs)
    bounds = binomtest(hits, len(runs)).proportion_ci()
    return Interval(value=hits / len(runs), low=bounds.low, high=bounds.high, count=len(runs))


def _ratio(run: dict[str, Any], prediction: str) -> float | None:
    """The mean over modes of half time over prediction; none if a mode was not learnt."""
    if None in run["halves"]:
        return None
    return float(np.mean(np.array(run["halves"]) / np.array(run[prediction])))


def _add(numbers: dict[str, Interval], name: str, ratios: list[float | None]) -> None:
    """The mean over the runs that learnt all modes, if there are two."""
    known = [ratio for ratio in ratios if ratio is not None]
    if len(known) > 1:
        numbers[name] = mean_interval(known)


def _decide(config: Settings, numbers: dict[str, Interval]) -> tuple[Verdict, str]:
    regression = numbers["share of regression runs in jumps"]
    sensing = numbers["share of sensing runs in jumps"]
    names = [f"half time over closed form, regression, aligned, depth {n}" for n in config.depths]
    ratios = [numbers[name] for name in names if name in numbers]
    low, high = RATIO_BAND
    words = (
        f"{regression.value:.0%} of the regression and {sensing.value:.0%} of the sensing runs "
        f"climb in jumps; half times over the closed form from the aligned start: "
        f"{', '.join(f'{ratio.value:.3f}' for ratio in ratios)} at depths "
        f"{', '.join(map(str, config.depths))}."
    )
    missed = any(ratio.high < low or ratio.low > high for ratio in ratios)
    if regression.value < 1 or sensing.high < 0.5 or missed:
        return Verdict.REFUTED, words
    met = len(ratios) == len(names) and all(low <= r.low and r.high <= high for r in ratios)
    if met and sensing.low > 0.5:
        return Verdict.CONFIRMED, words
    return Verdict.UNDECIDED, words


def draw(result: ExperimentResult, path: Path) -> None:
    """A column for each depth: strengths with the closed form, rank, entropy."""
    settings = Settings.model_validate(result.config)
    figure = Figure(figsize=(3.6 * len(settings.depths), 6.6), layout="constrained")
    grid = figure.subplots(3, len(settings.depths), sharex="col", squeeze=False)
    for column, depth in zip(grid.T, settings.depths, strict=True):
        runs = [m for m in result.measurements if m["depth"] == depth]
        _draw_strengths(column[0], settings, depth, runs)
        for axes, quantity in zip(column[1:], ("ranks", "entropies"), strict=True):
            _draw_quantity(axes, runs, quantity)
        column[0].set_title(f"depth {depth}")
        column[2].set_xlabel("time of the gradient flow")
    for axes, label in zip(grid[:, 0], ("singular value", "rank", "entropy, nats"), strict=True):
        axes.set_ylabel(label)
    for axes in grid.flat:
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[0]:
        axes.set_ylim(None, 1.5 * settings.strengths[0])
    grid[0, 0].legend(frameon=False, fontsize=8, loc="upper right")
    grid[1, 0].legend(frameon=False, fontsize=8, loc="lower right")
    verdict = result.analysis.verdict.value
    figure.suptitle(f"Rank rises in jumps, the strongest mode first: {verdict}")
    figure.savefig(path, dpi=200)


def _draw_strengths(axes: Axes, settings: Settings, depth: int, runs: list[dict[str, Any]]) -> None:
    """Regression from both starts, every seed, and the closed form over it."""
    for start, alpha in (("aligned", 0.9), ("random", 0.3)):
        chosen = [m for m in runs if m["problem"] == "regression" and m["start"] == start]
        for run in chosen:
            values = np.array(run["strengths"])
            for mode, colour in enumerate(COLOURS[: values.shape[1]]):
                named = run is chosen[0] and mode == 0
                label = f"regression, {start} start" if named else None
                axes.plot(
                    run["times"], values[:, mode], color=colour, alpha=alpha, lw=1.4, label=label
                )
    times = np.array(runs[0]["times"])
    for mode, s in enumerate(settings.strengths):
        curve = closed_curve(depth, s, settings.start, times)
        label = ("closed form" if depth == 2 else "mode equation") if mode == 0 else None
        axes.plot(times, curve, color="black", linestyle=":", linewidth=1.2, label=label)


def _draw_quantity(axes: Axes, runs: list[dict[str, Any]], quantity: str) -> None:
    """One line for each run; the problem has the colour, the start the strength."""
    style = "steps-post" if quantity == "ranks" else "default"
    for problem, colour in zip(PROBLEMS, (GREY, ORANGE), strict=True):
        for start, alpha in (("aligned", 0.9), ("random", 0.3)):
            chosen = [m for m in runs if m["problem"] == problem and m["start"] == start]
            for run in chosen:
                label = f"{problem}, {start} start" if run is chosen[0] else None
                axes.plot(
                    run["times"],
                    run[quantity],
                    color=colour,
                    alpha=alpha,
                    linewidth=1.2,
                    drawstyle=style,
                    label=label,
                )
