"""Training runs that the recurrent experiments share, so that each network is trained once.

Experiments that ask for the same settings get the same run (`spectral_rank.training.run_store`).
"""

from __future__ import annotations

from typing import Any

from spectral_rank.experiments.record import Config, Profile
from spectral_rank.models.recurrent.settings import Kind, ModelSettings
from spectral_rank.training.run_settings import (
    DataSettings,
    ProbeSettings,
    RunSettings,
    TrainingSettings,
)

RATIOS = (0.05, 0.10, 0.15, 0.17, 0.20, 0.25, 0.30, 0.50)
"""Rank over width in the sweeps, below 1; the factored network of full rank and the dense one are
two points more.

The plan's seven ratios, and one half: in a trial run of a seed that is not used the loss still fell
at 0.30, and a knee beyond must be seen from both sides."""

SNAPSHOTS = 6
"""How often spectra and gradients are measured while a network trains that 4.2 follows."""

LOOKS = 30
"""How often its validation loss is looked at."""

REFERENCE_WIDTH = 128
"""Width at which the learning rate of a profile is meant."""


class RecurrentSettings(Config):
    """Base of the settings of a recurrent experiment.

    Attributes:
        corpus: path of the text; ``None`` for the source of the standard library.
        corpus_sha256: hash of that file, filled in by the runner.
        width: width of the states where the experiment does not vary it.
        layers: recurrent layers.
        deep: whether layers are residual with RMSNorm.
        steps: optimizer steps where the experiment does not vary them.
        batch: sequences of a step.
        length: bytes that a sequence predicts.
        learning_rate: at the reference width; it falls with the square root of the width.
        precision: type of the computation.
    """

    corpus: str | None = None
    corpus_sha256: str | None = None
    width: int
    layers: int = 1
    deep: bool = False
    steps: int
    batch: int
    length: int
    learning_rate: float = 1e-2
    precision: str = "float32"


def sizes(profile: Profile) -> dict[str, Any]:
    """The common sizes of a profile, as arguments of a `RecurrentSettings`.

    Seeds 0 to 4 were those of first runs of 1.3 and 2.2, after which rules were changed; so no
    profile that counts uses them.
    """
    if profile == "smoke":
        return {
            "profile": profile,
            "seeds": (0, 1),
            "width": 20,
            "steps": 12,
            "batch": 4,
            "length": 16,
        }
    if profile == "cpu":
        return {
            "profile": profile,
            "seeds": (10, 11, 12, 13, 14),
            "width": 128,
            "steps": 600,
            "batch": 16,
            "length": 64,
        }
    return {
        "profile": profile,
        "seeds": (10, 11, 12, 13, 14),
        "width": 1024,
        "layers": 4,
        "deep": True,
        "steps": 20_000,
        "batch": 64,
        "length": 512,
        "precision": "bf16",
    }


def rank_of(ratio: float, width: int) -> int:
    """The rank at a ratio of rank to width, at least 1."""
    return max(1, round(ratio * width))


def run_settings(
    config: RecurrentSettings,
    seed: int,
    kind: Kind = "elman",
    *,
    recurrent_rank: int | None = None,
    input_rank: int | None = None,
    width: int | None = None,
    layers: int | None = None,
    steps: int | None = None,
    learning_rate: float | None = None,
    train_bytes: int | None = None,
    snapshots: int | None = None,
) -> RunSettings:
    """The run of one network.

    Args:
        config: the sizes where nothing else is given.
        seed: seed of the weights and of the data.
        kind: the recurrence.
        recurrent_rank: rank of ``W_h``; ``None`` for dense.
        input_rank: rank of ``W_x``; ``None`` for dense.
        width: width of the states.
        layers: recurrent layers.
        steps: optimizer steps.
        learning_rate: at this width; by default that of the config, scaled to the width.
        train_bytes: how many bytes of the training part are used.
        snapshots: how often spectra and gradients are measured on the way; by default `SNAPSHOTS`
            times for the networks that 4.2 follows, and once, at the end, for others.  Where it is
            once, the validation loss is looked at only at both ends, too.
    """
    if snapshots is None:
        is_plain = (kind, learning_rate, train_bytes) == ("elman", None, None)
        is_followed = is_plain and width in (None, config.width)
        has_sweep = recurrent_rank is not None or input_rank is None
        snapshots = SNAPSHOTS if is_followed and has_sweep else 1
    width = config.width if width is None else width
    steps = config.steps if steps is None else steps
    if learning_rate is None:
        learning_rate = config.learning_rate * (REFERENCE_WIDTH / width) ** 0.5
    every = max(1, steps // snapshots)
    return RunSettings(
        model=ModelSettings(
            kind=kind,
            width=width,
            layers=config.layers if layers is None else layers,
            recurrent_rank=recurrent_rank,
            input_rank=input_rank,
            residual=config.deep,
            norm=config.deep,
        ),
        training=TrainingSettings.model_validate(
            {
                "steps": steps,
                "batch": config.batch,
                "length": config.length,
                "learning_rate": learning_rate,
                "precision": config.precision,
                "evaluate_every": max(1, steps // LOOKS) if snapshots > 1 else steps,
            }
        ),
        data=DataSettings(corpus=config.corpus, train_bytes=train_bytes),
        probes=ProbeSettings(spectra_every=every, gradients_every=every, jacobians_every=0),
        seed=seed,
    )
