"""Whether ``torch.compile`` or CUDA graphs make a training pass faster.

``python benchmarks/passes.py --width 128 --batch 16 --length 64``

A pass is forward and backward through a language model of one layer, as a training step takes it.
It is computed kernel by kernel; with the whole model compiled; with all of it compiled but the loop
over time; and, on a GPU, replayed as a CUDA graph.  The ratios are to the first, within rounds that
time each in turn.  Compiling takes minutes: the loop over time is unrolled, step by step.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from spectral_rank.models.recurrent.language_model import LanguageModel, build_model
from spectral_rank.models.recurrent.settings import ModelSettings
from spectral_rank.models.structured.cost import interleaved_seconds, median_interval
from spectral_rank.training.cuda_graph import Recorder
from spectral_rank.training.passes import Pass, backward_pass
from spectral_rank.training.run_settings import TrainingSettings

PLAIN = "kernel by kernel"


def networks(width: int, rank: int) -> dict[str, ModelSettings]:
    return {
        "Elman": ModelSettings(kind="elman", width=width),
        "Elman, low rank": ModelSettings(
            kind="elman", width=width, recurrent_rank=rank, input_rank=rank
        ),
        "linear, low rank": ModelSettings(
            kind="linear", width=width, recurrent_rank=rank, input_rank=rank
        ),
    }


def without_loop(model: LanguageModel) -> nn.Module:
    """The model compiled, but for the recurrence of each layer."""
    for layer in model.layers:
        layer.recur = torch.compiler.disable(layer.recur)
    return torch.compile(model)


def variants(shape: ModelSettings, device: str) -> dict[str, Pass]:
    training = TrainingSettings(steps=1)

    def fresh() -> LanguageModel:
        return build_model(shape, 0).to(device)

    found = {
        PLAIN: backward_pass(fresh(), training),
        "compiled": backward_pass(torch.compile(fresh()), training),
        "compiled but the loop": backward_pass(without_loop(fresh()), training),
    }
    if device != "cpu":
        found["CUDA graph"] = Recorder().replayed(backward_pass(fresh(), training))
    return found


def first_seconds(computed: Pass, tokens: Tensor) -> float:
    """Of the first pass, which compiles or records."""
    start = time.perf_counter()
    float(computed(tokens)[0])
    return time.perf_counter() - start


def main() -> None:
    """Time all variants of all networks and print a table."""
    options = _options()
    torch.set_num_threads(options.threads)
    # What was compiled before would hide what compiling costs.
    torch._inductor.config.force_disable_caches = True
    rank = max(1, round(options.ratio * options.width))
    tokens = torch.randint(256, (options.batch, options.length + 1), device=options.device)
    title = f"width {options.width}, rank {rank}, batch {options.batch}, length {options.length}"
    table = Table(title=f"forward and backward, {title}, {options.device}")
    for heading in ("network", "pass", "first, s", "then, ms", "ratio", "95 % interval"):
        table.add_column(heading)
    for name, shape in networks(options.width, rank).items():
        if options.network not in (None, name):
            continue
        torch.compiler.reset()
        _measure(table, name, variants(shape, options.device), tokens, options)
    Console(width=120).print(table)


def _measure(
    table: Table,
    name: str,
    passes: dict[str, Pass],
    tokens: Tensor,
    options: argparse.Namespace,
) -> None:
    firsts = {variant: first_seconds(computed, tokens) for variant, computed in passes.items()}
    seconds = interleaved_seconds(
        {variant: _call(computed, tokens) for variant, computed in passes.items()},
        options.rounds,
        0.05,
        options.device,
    )
    for variant, times in seconds.items():
        ratio, low, high = median_interval(
            [plain / own for plain, own in zip(seconds[PLAIN], times, strict=True)]
        )
        middle = median_interval(times)[0]
        numbers = (f"{firsts[variant]:.1f}", f"{1e3 * middle:.1f}", f"{ratio:.2f}")
        table.add_row(name, variant, *numbers, f"{low:.2f} to {high:.2f}")


def _call(computed: Pass, tokens: Tensor) -> Callable[[], None]:
    def call() -> None:
        computed(tokens)

    return call


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=networks(2, 1), help="this one alone")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--ratio", type=float, default=0.17, help="rank over width")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
