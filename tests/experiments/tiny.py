"""A small real experiment for the tests: the mean of Gaussian numbers, by sample size and seed."""

from pathlib import Path

SOURCE = '''"""Question: does the mean of n Gaussian numbers approach 0?

Prediction: it does.
Design: seeds and sample sizes.
Rule: confirmed if the interval of the mean at the largest size contains 0.
Figure: mean against size.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from spectral_rank.experiments.record import Analysis, Config, Verdict, mean_interval

ID = "T.1"
QUESTION = "Does the mean | approach 0?"
PREDICTION = "it does"
RULE = "confirmed if the interval contains 0"
THEOREMS = ("rank_formula",)


class Settings(Config):
    """Sizes."""

    sizes: tuple[int, ...]
    pause: float = 0.0


def config(profile):
    sizes = {"smoke": (10, 100), "cpu": (10, 100, 1000), "gpu": (10,)}[profile]
    return Settings(profile=profile, seeds=(0, 1, 2), sizes=sizes)


def cells(config):
    return [{"size": size, "seed": seed} for size in config.sizes for seed in config.seeds]


def run_cell(config, cell):
    """Draw and average."""
    time.sleep(config.pause)
    numbers = np.random.default_rng(cell["seed"]).normal(size=cell["size"])
    return {**cell, "mean": float(numbers.mean()), "threads": os.environ["OMP_NUM_THREADS"]}


def analyse(config, measurements):
    last = [m["mean"] for m in measurements if m["size"] == config.sizes[-1]]
    interval = mean_interval(last)
    inside = interval.low <= 0 <= interval.high
    return Analysis(
        numbers={"mean": interval},
        verdict=Verdict.CONFIRMED if inside else Verdict.REFUTED,
        reason=f"the interval of {len(last)} means " + ("contains 0" if inside else "misses 0"),
    )


def draw(result, path):
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.add_subplot()
    sizes = [m["size"] for m in result.measurements]
    axes.plot(sizes, [m["mean"] for m in result.measurements], "o")
    axes.set(xlabel="numbers", ylabel="mean", xscale="log")
    figure.savefig(path)
'''


def write(folder: Path, *changes: tuple[str, str], name: str = "tiny.py") -> Path:
    """Write the experiment below ``folder``, with texts replaced; give its path."""
    source = SOURCE
    for old, new in changes:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(source, encoding="utf-8")
    return path
