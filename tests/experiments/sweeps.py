"""Measurements of sweeps whose truth is known, and results made of them."""

import json
import math

from spectral_rank.experiments.record import ExperimentResult
from spectral_rank.experiments.recurrent import rank_of
from spectral_rank.experiments.registry import EXPERIMENTS, load


def experiment(name):
    return load(EXPERIMENTS / f"{name}.py")


def hinge(ratio, knee, plateau=1.5, slope=0.2):
    return plateau + slope * max(0.0, math.log(knee / ratio))


def shifted(knee, seed, spread):
    """The knee of a seed: three seeds lie a factor ``exp(spread)`` apart."""
    return knee * math.exp(spread * (seed - 1))


def measured(found, settings, loss, alpha=lambda cell: 0.8):
    """What ``run_cell`` returns if the loss of a cell at its trained ratio is known.

    Args:
        found: the experiment.
        settings: its configuration.
        loss: function of the cell and the trained ratio.
        alpha: function of a dense cell: the exponent of its spectrum; None for too few values.
    """
    measurements = []
    for cell in found.cells(settings):
        width = cell.get("width", settings.width)
        rank = rank_of(cell["ratio"], width)
        measurement = cell | {
            "rank": rank,
            "trained_ratio": rank / width,
            "parameters": 1000,
            "loss": loss(cell, rank / width),
        }
        if cell["family"] == "dense":
            exponent = alpha(cell)
            law = 0.8 if exponent is None else exponent
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
