"""Measurements of sweeps whose truth is known, and results made of them."""

import json
import math

import numpy as np

from spectral_rank.experiments.record import ExperimentResult, mean_interval
from spectral_rank.experiments.recurrent import rank_of
from spectral_rank.experiments.registry import EXPERIMENTS, load


def experiment(name):
    return load(EXPERIMENTS / f"{name}.py")


def hinge(ratio, knee, plateau=1.5, slope=0.2):
    return plateau + slope * max(0.0, math.log(knee / ratio))


def smooth(ratio, floor=1.5, fall=0.05, power=0.7):
    """A loss without a knee."""
    return floor + fall * ratio**-power


def noises(seeds):
    """A number for each seed, their mean 0 with the 95 % interval [-1, 1], however many there are.

    So the width of an interval over seeds, in units of what a test multiplies these by, is known.
    """
    places = np.linspace(-1, 1, len(seeds))
    return dict(zip(seeds, (places / mean_interval(places).high).tolist(), strict=True))


def shifted(knee, noise, spread):
    """The knee of a seed; the log knee has the interval ``log(knee)`` +- ``spread`` over seeds."""
    return knee * math.exp(spread * noise)


def measured(found, settings, loss, alpha=lambda cell: 0.8):
    """What ``run_cell`` returns if the loss of a cell at its trained ratio is known.

    Args:
        found: the experiment.
        settings: its configuration.
        loss: function of the cell, with the ``noise`` of its seed, and of the trained ratio.
        alpha: function of a dense cell, with ``noise``: the exponent of its spectrum; None for too
            few values.
    """
    noise = noises(settings.seeds)
    measurements = []
    for cell in found.cells(settings):
        noisy = cell | {"noise": noise[cell["seed"]]}
        width = cell.get("width", settings.width)
        rank = rank_of(cell["ratio"], width)
        measurement = cell | {
            "rank": rank,
            "trained_ratio": rank / width,
            "parameters": 1000,
            "loss": loss(noisy, rank / width),
        }
        if cell["family"] == "dense":
            exponent = alpha(noisy)
            law = 0.8 if exponent is None else max(0.0, exponent)
            fit = None if exponent is None else {"verdict": "power_law", "alpha": exponent}
            spectrum = [float(i) ** -law for i in range(1, width + 1)]
            measurement |= {"spectra": [spectrum], "exponents": [fit]}
        measurements.append(measurement)
    return json.loads(json.dumps(measurements, allow_nan=False))


def result_of(found, settings, measurements):
    return ExperimentResult(
        id=found.id,
        question=found.question,
        prediction=found.prediction,
        rule=found.rule,
        theorems=found.theorems,
        config=settings.model_dump(mode="json"),
        config_hash=settings.digest(),
        measurements=measurements,
        analysis=found.analyse(settings, measurements),
        seconds=0.0,
    )
