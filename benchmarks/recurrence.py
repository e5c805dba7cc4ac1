"""How fast the recurrent layers train, against ``torch.nn.RNN``.

One call is forward and backward through one layer, in two settings.  ``vectors``: from a sequence
of vectors, as a second layer sees it, with the gradients of all weights and of the sequence.
``bytes``: from tokens through an embedding, as the first layer of a language model sees it, with
the gradients of all weights and of the embedding; our layers then compute what depends on the
input alone once for each byte that there is (`RecurrentLayer.run_rows`).

Every round times each layer in turn; the ratios are taken within rounds, to ``torch.nn.RNN`` in the
same setting.  Sequences are laid out time-major for every layer, which is what ``torch.nn.RNN``
prefers too.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional

from spectral_rank.models.recurrent.e5 import E5
from spectral_rank.models.recurrent.elman import Elman
from spectral_rank.models.recurrent.layer import RecurrentLayer
from spectral_rank.models.recurrent.linear_rnn import LinearRNN
from spectral_rank.models.structured.cost import interleaved_seconds, median_interval, step_call

REFERENCE = "torch.nn.RNN (tanh)"
REQUIRED = {"Elman": 0.9, "Elman, low rank": 1.8, "linear, low rank": 5.0}
"""Ratios that issue 6 asks of a CPU at the default sizes."""

VOCABULARY = 256


class TorchRNN(nn.Module):
    """``torch.nn.RNN`` as a layer from ``(B, T, d)`` to ``(B, T, d)``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.rnn = nn.RNN(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """The states."""
        states: Tensor = self.rnn(x.transpose(0, 1))[0]
        return states.transpose(0, 1)


def layers(width: int, rank: int) -> dict[str, nn.Module]:
    """What is compared, the reference first."""
    generator = torch.Generator().manual_seed(0)
    return {
        REFERENCE: TorchRNN(width),
        "Elman": Elman(width, generator=generator),
        "Elman, low rank": Elman(width, rank, rank, generator=generator),
        "E5": E5(width, rank, rank, generator=generator),
        "linear": LinearRNN(width, generator=generator),
        "linear, low rank": LinearRNN(width, rank, rank, generator=generator),
    }


def from_bytes(layer: nn.Module, tokens: Tensor, table: Tensor) -> Callable[[], None]:
    """A call that embeds tokens, applies the layer and differentiates in table and parameters."""
    table = table.detach().clone().requires_grad_()
    inputs = [table, *layer.parameters()]

    def states() -> Tensor:
        if isinstance(layer, RecurrentLayer):
            return layer.run_rows(table, tokens)[0]
        embedded = functional.embedding(tokens.t(), table).transpose(0, 1)
        found: Tensor = layer(embedded)
        return found

    with torch.no_grad():
        direction = torch.ones_like(states())

    def call() -> None:
        torch.autograd.grad(states(), inputs, direction)

    return call


def main() -> None:
    """Time all layers and print a table."""
    options = _options()
    torch.set_num_threads(options.threads)
    rank = max(1, round(options.ratio * options.width))
    x = torch.randn(options.length, options.batch, options.width, device=options.device)
    table = torch.randn(VOCABULARY, options.width, device=options.device)
    tokens = torch.randint(VOCABULARY, x.shape[1::-1], device=options.device)
    vectors, by_bytes = {}, {}
    for name, layer in layers(options.width, rank).items():
        layer.to(options.device)
        vectors[name] = step_call(layer, x.transpose(0, 1))
        by_bytes[name] = from_bytes(layer, tokens, table)
    for setting, calls in (("vectors", vectors), ("bytes", by_bytes)):
        seconds = interleaved_seconds(calls, options.rounds, 0.01, options.device)
        title = (
            f"{setting} in, forward and backward, width {options.width}, rank {rank}, "
            f"batch {options.batch}, length {options.length}, {_machine(options)}; "
            f"medians of {options.rounds} rounds"
        )
        _show(title, seconds, options.batch * options.length)


def _show(title: str, seconds: dict[str, list[float]], tokens: int) -> None:
    table = Table(title=title)
    for heading in ("layer", "ms", "tokens/s", "ratio", "95 % interval", "asked for"):
        table.add_column(heading, justify="left" if heading == "layer" else "right")
    for name, times in seconds.items():
        middle = median_interval(times)[0]
        ratio, low, high = median_interval(
            [reference / time for reference, time in zip(seconds[REFERENCE], times, strict=True)]
        )
        table.add_row(
            name,
            f"{1e3 * middle:.1f}",
            f"{tokens / middle:,.0f}",
            f"{ratio:.2f}",
            f"{low:.2f} to {high:.2f}",
            f">= {REQUIRED[name]}" if name in REQUIRED else "",
        )
    Console().print(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--ratio", type=float, default=0.17, help="rank over width")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def _machine(options: argparse.Namespace) -> str:
    if options.device.startswith("cuda"):
        return torch.cuda.get_device_name(options.device)
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"CPU, threads {options.threads}{load}"


if __name__ == "__main__":
    main()
