"""D.5: What do structured layers save?

Question. How much time and memory does a linear layer save, and how much accuracy does it lose,
when its matrix is circulant, Toeplitz, Monarch, of low rank, a product of Householder reflections
or diagonal plus low rank instead of dense?

Prediction. Structured layers are 10 to 100 times faster than ``torch.nn.Linear``.

Design. Speed: at widths 256 to 4096 and batches 1, 64 and 1024, all layers (square, float32, no
bias) and ``torch.nn.Linear`` are timed in turn, round after round in one process: the forward
product without derivatives, and the training step (forward product and the derivative in input and
parameters).  On a CPU one thread computes, so the ratio compares work and memory traffic, not how
well a library spreads over cores.  Calls repeat on the same data, so its caches are warm, and no
layer keeps a result between calls.  Seeds draw the weights and
repeat the measurement at another time of the run.  All structures but circulant and Toeplitz have
the parameters of the Monarch layer, about ``2 n^1.5``.  Memory: the parameters, and what a layer
keeps for its derivative beside parameters and input.  Accuracy: a linear map restores the digits
that ship with scikit-learn (64 pixels) from noisy copies.  The teacher is the dense least-squares
solution.  Each structure is fitted to the same regression in float64 by full-batch L-BFGS; a dense
layer fitted in the same way checks the optimizer.  Reported are the variance of held-out clean
pixels left unexplained and the relative Frobenius distance of the map from the teacher; for low
rank also the least distance that any matrix of its rank can have (`eckart_young_isLeast`).

Decision rule. As in ``RULE``.

Figure. Dense over structured time of a training step against width, a panel for each batch, with
intervals of the median, the predicted band of 10 to 100 and the line of no gain; beside them the
variance left unexplained against the number of parameters.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch import Tensor, nn

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
from spectral_rank.formulas.best_approximation import frobenius_sq, truncate
from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.structured import at_equal_budget
from spectral_rank.models.structured.cost import (
    forward_call,
    interleaved_seconds,
    median_interval,
    saved_bytes,
    step_call,
)

ID = "D.5"
QUESTION = "What do structured layers save?"
PREDICTION = "Structured layers are 10 to 100 times faster than dense layers."
RULE = (
    "The speed-up is the median over rounds of dense over structured time within a round, with its "
    "distribution-free 95 % interval; the least speed-up of a structure is over forward products "
    "and training steps, all batches and all measured widths from 1024 on. Confirmed if the "
    "interval of the least speed-up of every structure lies at 10 or above; refuted if that of "
    "some structure lies wholly below 10; undecided otherwise."
)
THEOREMS: tuple[str, ...] = ("eckart_young_isLeast",)
SERIAL = True

DECIDING_WIDTH = 1024
PREDICTED = (10.0, 100.0)
PASSES = {"forward": forward_call, "step": step_call}
DIGIT_PIXELS = 64
STRUCTURES = tuple(at_equal_budget(DIGIT_PIXELS))
COLOURS = dict(
    zip(
        (*STRUCTURES, "dense"),
        ("#0072B2", "#56B4E9", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000"),
        strict=True,
    )
)
MARKERS = dict(zip((*STRUCTURES, "dense"), "osD^vP*", strict=True))


class Settings(Config):
    """Sizes of the measurement.

    Attributes:
        widths: widths of the timed layers.
        batches: numbers of rows of their input.
        rounds: rounds of timing for each seed.
        sample_seconds: time that repetitions of a short call fill within a round, in seconds.
        device: device of the timed layers; accuracy is measured on the CPU.
        noise: standard deviation of the noise on the pixels, which range from 0 to 16.
        held_out: share of the digits that no fit sees.
        iterations: greatest number of L-BFGS iterations of a fit.
    """

    widths: tuple[int, ...]
    batches: tuple[int, ...]
    rounds: int
    sample_seconds: float
    device: str = "cpu"
    noise: float = 4.0
    held_out: float = 0.25
    iterations: int


def config(profile: Profile) -> Settings:
    """The settings of a profile."""
    if profile == "smoke":
        return Settings(
            profile=profile,
            seeds=(0, 1),
            widths=(256, 1024),
            batches=(64,),
            rounds=6,
            sample_seconds=0.002,
            iterations=60,
        )
    return Settings(
        profile=profile,
        seeds=(0, 1, 2, 3, 4),
        widths=(256, 512, 1024, 2048, 4096),
        batches=(1, 64, 1024),
        rounds=9,
        sample_seconds=0.005,
        device="cuda" if profile == "gpu" else "cpu",
        iterations=1000,
    )


def cells(config: Settings) -> list[Cell]:
    """Timings for each seed, width and batch; fits for each seed and structure."""
    cost = [
        {"kind": "cost", "seed": seed, "width": width, "batch": batch}
        for seed, width, batch in itertools.product(config.seeds, config.widths, config.batches)
    ]
    accuracy = [
        {"kind": "accuracy", "seed": seed, "structure": structure}
        for seed, structure in itertools.product(config.seeds, (*STRUCTURES, "dense"))
    ]
    return cost + accuracy


def run_cell(config: Settings, cell: Cell) -> dict[str, Any]:
    """Time all layers at one width and batch, or fit one structure to the digits."""
    if cell["kind"] == "cost":
        return cell | _cost(config, **{key: cell[key] for key in ("seed", "width", "batch")})
    return cell | _accuracy(config, cell["seed"], cell["structure"])


def _cost(config: Settings, seed: int, width: int, batch: int) -> dict[str, Any]:
    """Times in seconds, parameters, and bytes kept for the derivative, by layer."""
    if config.device.startswith("cuda") and not torch.cuda.is_available():
        raise DomainError("device", config.device, "a device of this machine")
    generator = torch.Generator().manual_seed(seed)
    layers: dict[str, nn.Module] = {
        **at_equal_budget(width, generator=generator, dtype=torch.float32, device=config.device),
        "dense": _dense(width, generator, torch.float32, config.device),
    }
    x = torch.randn(batch, width, generator=generator).to(config.device)
    calls = {
        f"{name}/{which}": call(layer, x)
        for name, layer in layers.items()
        for which, call in PASSES.items()
    }
    seconds = interleaved_seconds(calls, config.rounds, config.sample_seconds, config.device)
    return {
        "threads": torch.get_num_threads(),
        "layers": {
            name: {
                "parameters": sum(parameter.numel() for parameter in layer.parameters()),
                "saved_bytes": saved_bytes(layer, x),
                # Four digits are more than a clock repeats, and keep the record small.
                **{p: [float(f"{t:.4g}") for t in seconds[f"{name}/{p}"]] for p in PASSES},
            }
            for name, layer in layers.items()
        },
    }


def _dense(
    width: int, generator: torch.Generator, dtype: torch.dtype, device: str = "cpu"
) -> nn.Linear:
    """``torch.nn.Linear`` without bias, with variance ``1 / n`` from the generator."""
    layer = nn.Linear(width, width, bias=False, dtype=dtype, device=device)
    entries = torch.randn(width, width, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(entries / width**0.5)
    return layer


def _accuracy(config: Settings, seed: int, structure: str) -> dict[str, Any]:
    """How well a structure restores digits, and how far its map is from the dense solution."""
    noisy, clean, noisy_test, clean_test = _digits(config, seed)
    teacher = torch.linalg.lstsq(noisy, clean).solution.mT
    generator = torch.Generator().manual_seed(seed)
    layer: nn.Module = (
        _dense(DIGIT_PIXELS, generator, torch.float64)
        if structure == "dense"
        else at_equal_budget(DIGIT_PIXELS, generator=generator, dtype=torch.float64)[structure]
    )
    _fit(layer, noisy, clean, config.iterations)
    with torch.no_grad():
        matrix = layer(torch.eye(DIGIT_PIXELS, dtype=torch.float64)).mT
        left = clean_test - layer(noisy_test)
    measured = {
        "parameters": sum(parameter.numel() for parameter in layer.parameters()),
        "unexplained": _relative(left, clean_test) ** 2,
        "unexplained_by_teacher": _relative(clean_test - noisy_test @ teacher.mT, clean_test) ** 2,
        "teacher_distance": _relative(matrix - teacher, teacher),
    }
    if structure == "low rank":
        values = torch.linalg.svdvals(teacher).numpy()
        rest = values - truncate(values, layer.left.shape[1])
        least = frobenius_sq(rest[None, :]) / frobenius_sq(values[None, :])
        measured["least_teacher_distance"] = float(least**0.5)
    return measured


def _digits(config: Settings, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Noisy and clean digits for fitting and for testing, centred by the mean of the former."""
    rng = np.random.default_rng(seed)
    clean = rng.permutation(load_digits().data)
    noisy = clean + config.noise * rng.standard_normal(clean.shape)
    cut = round(len(clean) * (1 - config.held_out))
    mean = clean[:cut].mean(axis=0)
    parts = (noisy[:cut], clean[:cut], noisy[cut:], clean[cut:])
    first, second, third, fourth = (torch.from_numpy(part - mean) for part in parts)
    return first, second, third, fourth


def _fit(layer: nn.Module, x: Tensor, y: Tensor, iterations: int) -> None:
    """Least squares over the parameters of a layer, by L-BFGS on all of the data."""
    optimizer = torch.optim.LBFGS(
        layer.parameters(),
        max_iter=iterations,
        tolerance_grad=1e-9,
        tolerance_change=1e-12,
        history_size=20,
        line_search_fn="strong_wolfe",
    )
    scale = y.square().sum()

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (layer(x) - y).square().sum() / scale
        loss.backward()
        return loss

    optimizer.step(closure)


def _relative(difference: Tensor, reference: Tensor) -> float:
    return float(torch.linalg.norm(difference) / torch.linalg.norm(reference))


def speed_up(
    measurements: list[dict[str, Any]], structure: str, which: str, width: int, batch: int
) -> Interval:
    """Median over the rounds of all seeds of dense over structured time, with its interval."""
    ratios: list[float] = []
    for measurement in measurements:
        if (measurement.get("width"), measurement.get("batch")) == (width, batch):
            layers = measurement["layers"]
            pairs = zip(layers["dense"][which], layers[structure][which], strict=True)
            ratios += [dense / structured for dense, structured in pairs]
    value, low, high = median_interval(ratios)
    return Interval(value=value, low=low, high=high, count=len(ratios))


def analyse(config: Settings, measurements: list[dict[str, Any]]) -> Analysis:
    """Apply `RULE`, and state speed-ups, memory and accuracy."""
    widths = [width for width in config.widths if width >= DECIDING_WIDTH]
    numbers: dict[str, Interval] = {}
    for structure in STRUCTURES:
        for which in PASSES:
            found = [
                speed_up(measurements, structure, which, *condition)
                for condition in itertools.product(widths, config.batches)
            ]
            numbers[f"{structure}: least speed-up, {which}"] = min(found, key=lambda i: i.value)
            numbers[f"{structure}: greatest speed-up, {which}"] = max(found, key=lambda i: i.value)
        numbers |= _memory(measurements, structure, max(widths), max(config.batches))
    for structure in (*STRUCTURES, "dense"):
        numbers[f"{structure}: variance unexplained"] = _mean(measurements, structure)
        distance = _mean(measurements, structure, "teacher_distance")
        numbers[f"{structure}: distance from teacher"] = distance
    numbers["low rank: least distance from teacher"] = _mean(
        measurements, "low rank", "least_teacher_distance"
    )
    least = {
        s: min((numbers[f"{s}: least speed-up, {p}"] for p in PASSES), key=lambda i: i.value)
        for s in STRUCTURES
    }
    deciding = {f"{structure}: least speed-up": interval for structure, interval in least.items()}
    return Analysis(numbers=deciding | numbers, verdict=_verdict(least), reason=_reason(least))


def _memory(
    measurements: list[dict[str, Any]], structure: str, width: int, batch: int
) -> dict[str, Interval]:
    """Parameters as a share of dense, and float32 numbers kept for the derivative per input."""
    wanted = (m for m in measurements if (m.get("width"), m.get("batch")) == (width, batch))
    layer = next(wanted)["layers"][structure]
    shares = {
        f"{structure}: parameters over dense, width {width}": layer["parameters"] / width**2,
        f"{structure}: numbers kept per input entry": layer["saved_bytes"] / (4 * width * batch),
    }
    return {k: Interval(value=v, low=v, high=v, count=1) for k, v in shares.items()}


def _mean(measurements: list[dict[str, Any]], structure: str, key: str = "unexplained") -> Interval:
    return mean_interval([m[key] for m in measurements if m.get("structure") == structure])


def _verdict(least: dict[str, Interval]) -> Verdict:
    if all(interval.low >= PREDICTED[0] for interval in least.values()):
        return Verdict.CONFIRMED
    if any(interval.high < PREDICTED[0] for interval in least.values()):
        return Verdict.REFUTED
    return Verdict.UNDECIDED


def _reason(least: dict[str, Interval]) -> str:
    """The least speed-ups in words, and which structures are faster than dense throughout."""
    listed = ", ".join(f"{s} {i.value:.2g} [{i.low:.2g}, {i.high:.2g}]" for s, i in least.items())
    faster = ", ".join(s for s, i in least.items() if i.low > 1) or "none"
    return (
        f"Least speed-up from width {DECIDING_WIDTH} on, over passes and batches: {listed}; "
        f"predicted were {PREDICTED[0]:g} to {PREDICTED[1]:g}. "
        f"Faster than dense in every condition: {faster}."
    )


def draw(result: ExperimentResult, path: Path) -> None:
    """One panel of speed-ups for each batch, and one of accuracy."""
    settings = Settings.model_validate(result.config)
    count = len(settings.batches) + 1
    figure = Figure(figsize=(3.6 * count, 4.4), layout="constrained")
    panels = [figure.add_subplot(1, count, index + 1) for index in range(count)]
    for axes, batch in zip(panels[:-1], settings.batches, strict=True):
        axes.sharey(panels[0])
        _draw_speed(axes, result.measurements, settings, batch)
    panels[0].set_ylabel("dense time / structured time, training step")
    _draw_accuracy(panels[-1], result.measurements)
    (names, dense) = (panel.get_legend_handles_labels() for panel in (panels[0], panels[-1]))
    handles, labels = names[0] + dense[0], names[1] + dense[1]
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    device = "one CPU thread" if settings.device == "cpu" else settings.device
    verdict = result.analysis.verdict.value
    figure.suptitle(
        f"Structured layers are 10 to 100 times faster than dense ({device}): {verdict}"
    )
    figure.savefig(path, dpi=200)


def _draw_speed(
    axes: Axes, measurements: list[dict[str, Any]], settings: Settings, batch: int
) -> None:
    """Speed-up of the training step against width, with the prediction."""
    axes.axhspan(*PREDICTED, color="#555555", alpha=0.12, linewidth=0, label="predicted")
    axes.axhline(1, color="#555555", linewidth=1, linestyle=":", label="no gain")
    for place, structure in enumerate(STRUCTURES):
        found = [speed_up(measurements, structure, "step", w, batch) for w in settings.widths]
        # Side by side, so that no interval hides another.
        widths = np.array(settings.widths) * 1.03 ** (place - (len(STRUCTURES) - 1) / 2)
        _errorbar(axes, widths, found, structure, label=structure, linewidth=1.2)
    axes.set(xscale="log", yscale="log", xlabel="width", title=f"batch {batch}")
    axes.set_xticks(settings.widths, [str(width) for width in settings.widths])
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)


def _draw_accuracy(axes: Axes, measurements: list[dict[str, Any]]) -> None:
    """Variance left unexplained against parameters; the structures are named beside the speed."""
    for structure in (*STRUCTURES, "dense"):
        parameters = next(m["parameters"] for m in measurements if m.get("structure") == structure)
        label = "dense" if structure == "dense" else None
        _errorbar(axes, [parameters], [_mean(measurements, structure)], structure, label=label)
    axes.set(xscale="log", xlabel="parameters of the 64 x 64 map", ylim=(0, None))
    axes.set(ylabel="share of clean variance unexplained", title="denoising digits")
    axes.spines[["top", "right"]].set_visible(False)


def _errorbar(axes: Axes, x: Any, found: list[Interval], structure: str, **style: Any) -> None:
    value = np.array([interval.value for interval in found])
    below = value - [interval.low for interval in found]
    above = [interval.high for interval in found] - value
    colour, marker = COLOURS[structure], MARKERS[structure]
    axes.errorbar(x, value, (below, above), color=colour, marker=marker, capsize=2, **style)
