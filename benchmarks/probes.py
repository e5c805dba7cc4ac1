"""What the probes of a training run cost: `python benchmarks/probes.py 512 32 256`.

Arguments: width, batch, length; without them, several sizes.  One thread.  For each network the
time of a training step, the time of each probe, and its share of the time of training at the
default interval; then the share of all probes in a run of so many steps, both ends included.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from spectral_rank.data.text import open_text
from spectral_rank.models.recurrent.settings import ModelSettings
from spectral_rank.training.gradient_probe import gradient_probes
from spectral_rank.training.jacobian_probe import jacobian_probes
from spectral_rank.training.loop import train
from spectral_rank.training.run_settings import ProbeSettings, RunSettings, TrainingSettings
from spectral_rank.training.spectrum_probe import spectrum_probes

SIZES = ((128, 16, 64), (256, 32, 128), (512, 16, 64), (512, 32, 256))
SECONDS = 8.0
RUNS = (600, 1000, 10_000)
DEFAULTS = ProbeSettings()
INTERVALS = {
    "spectra": DEFAULTS.spectra_every,
    "gradients": DEFAULTS.gradients_every,
    "jacobians": DEFAULTS.jacobians_every,
}


def networks(width: int) -> dict[str, ModelSettings]:
    rank = max(1, round(0.17 * width))
    return {
        "elman": ModelSettings(kind="elman", width=width),
        "e5": ModelSettings(kind="e5", width=width, recurrent_rank=rank, input_rank=rank),
        "linear": ModelSettings(kind="linear", width=width),
    }


def settings_of(model: ModelSettings, steps: int, batch: int, length: int) -> RunSettings:
    training = TrainingSettings(
        steps=steps,
        batch=batch,
        length=length,
        learning_rate=1e-5,  # a linear recurrence of this length must not diverge
        evaluate_every=steps,
        evaluation_batches=1,
        checkpoint_every=steps,
    )
    return RunSettings(model=model, training=training)


def step_seconds(model: ModelSettings, batch: int, length: int) -> float:
    """Of training alone, from the record of a short run of at least `SECONDS`."""
    steps = 4
    while True:
        with tempfile.TemporaryDirectory() as folder:
            record = train(settings_of(model, steps, batch, length), Path(folder)).record
        if record.seconds >= SECONDS:
            return record.seconds / steps
        steps = round(steps * min(8, max(1.2, 1.3 * SECONDS / record.seconds)))


def seconds(call: Callable[[], object], rounds: int = 3) -> float:
    """The least of a few rounds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def measure(model: ModelSettings, batch: int, length: int) -> tuple[float, dict[str, float]]:
    """Seconds of a step, and of each probe of a network after a few steps."""
    text = open_text(None)
    settings = settings_of(model, 4, batch, length).model_copy(update={"probes": DEFAULTS})
    with tempfile.TemporaryDirectory() as folder:
        network = train(settings.model_copy(update={"probes": None}), Path(folder)).model
    return step_seconds(model, batch, length), {
        "spectra": seconds(lambda: spectrum_probes(network, 0)),
        "gradients": seconds(lambda: gradient_probes(settings, network, text, 0)),
        "jacobians": seconds(lambda: jacobian_probes(settings, network, text, 0)),
    }


def looks(steps: int, every: int) -> int:
    """How often a probe is due in a run: at step 0, at each interval, at the end."""
    return len({0, steps, *(range(0, steps, every) if every else ())})


def main() -> None:
    torch.set_num_threads(1)
    given = tuple(int(argument) for argument in sys.argv[1:4])
    print("intervals:", ", ".join(f"{kind} {every}" for kind, every in INTERVALS.items()))
    for width, batch, length in (given,) if given else SIZES:
        print(f"\nwidth {width}, batch {batch}, length {length}")
        for name, model in networks(width).items():
            step, probes = measure(model, batch, length)
            print(f"  {name:8} training {1e3 * step:8.1f} ms per step", flush=True)
            for kind, cost in probes.items():
                every = INTERVALS[kind]
                share = f"{cost / (every * step):7.2%}" if every else "   ends only"
                print(f"    {kind:10}{1e3 * cost:9.1f} ms ={cost / step:6.1f} steps {share}")
            for steps in RUNS:
                spent = sum(cost * looks(steps, INTERVALS[kind]) for kind, cost in probes.items())
                print(f"    {steps:6} steps, all probes: {spent / (spent + steps * step):.2%}")


if __name__ == "__main__":
    main()
