"""How structured layers compare with ``torch.nn.Linear``, at a glance: `make bench`.

The same measurement as experiment D.5, with fewer rounds: one thread, float32, batch 64.
"""

from __future__ import annotations

import torch

from spectral_rank.models.structured import at_equal_budget
from spectral_rank.models.structured.cost import (
    forward_call,
    interleaved_seconds,
    median_interval,
    step_call,
)

WIDTHS = (256, 1024, 4096)
BATCH = 64
ROUNDS = 7
SAMPLE_SECONDS = 0.002
PASSES = {"forward": forward_call, "step": step_call}


def main() -> None:
    torch.set_num_threads(1)
    print(f"dense time / structured time, median of {ROUNDS} rounds; batch {BATCH}, one thread")
    for width in WIDTHS:
        layers = dict(at_equal_budget(width), dense=torch.nn.Linear(width, width, bias=False))
        x = torch.randn(BATCH, width)
        for name, call in PASSES.items():
            calls = {structure: call(layer, x) for structure, layer in layers.items()}
            seconds = interleaved_seconds(calls, ROUNDS, SAMPLE_SECONDS)
            dense = seconds.pop("dense")
            print(f"\nwidth {width}, {name}: dense {1e3 * median_interval(dense)[0]:.3f} ms")
            for structure, times in seconds.items():
                ratio, low, high = median_interval(
                    [d / t for d, t in zip(dense, times, strict=True)]
                )
                print(f"  {structure:24}{ratio:8.2f}  [{low:.2f}, {high:.2f}]")


if __name__ == "__main__":
    main()
