"""Everything that decides what a training run of a language model computes."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.recurrent.settings import ModelSettings

Optimizer = Literal["adamw", "schedulefree"]
Precision = Literal["float32", "float64", "bf16"]
Beta = Annotated[float, Field(ge=0, lt=1)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataSettings(_Settings):
    """The text and how much of it is trained on.

    Attributes:
        corpus: path of a file; ``None`` for the source of the installed standard library.
        train_bytes: how many bytes of the training part are used, in blocks drawn by the seed of
            the run; ``None`` for all.
    """

    corpus: str | None = None
    train_bytes: int | None = Field(default=None, ge=1)


class TrainingSettings(_Settings):
    """The optimization.

    Attributes:
        steps: optimizer steps.
        batch: sequences of a step, over all processes and accumulated parts.
        length: bytes that a sequence predicts.
        learning_rate: at the top of the schedule.
        warmup_share: share of the steps over which the learning rate rises linearly.
        final_share: learning rate at the end over that at the top (cosine in between).
        weight_decay: of AdamW, on matrices only.
        betas: of AdamW; for ``schedulefree`` the first is above 0.
        clip: largest norm of the gradient; ``None`` for no clipping.
        optimizer: ``adamw`` with warm-up and cosine, or ``schedulefree`` (an optional extra).
        precision: type of the computation; ``bf16`` needs a GPU and keeps float32 weights.
        accumulate: parts that a step's batch is computed in.
        evaluate_every: steps between looks at the validation loss; one is taken at step 0 and at
            the end as well.
        evaluation_batches: batches of a look, the same at every look.
        checkpoint_every: steps between checkpoints.

    Raises:
        pydantic.ValidationError: a ``ValueError``, if a number is outside its range, or the first
            of the ``betas`` of ``schedulefree`` is 0.
    """

    steps: int = Field(ge=1)
    batch: int = Field(default=16, ge=1)
    length: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=3e-3, gt=0)
    warmup_share: float = Field(default=0.05, ge=0, lt=1)
    final_share: float = Field(default=0.1, ge=0, le=1)
    weight_decay: float = Field(default=0.0, ge=0)
    betas: tuple[Beta, Beta] = (0.9, 0.99)
    clip: float | None = Field(default=1.0, gt=0)
    optimizer: Optimizer = "adamw"
    precision: Precision = "float32"
    accumulate: int = Field(default=1, ge=1)
    evaluate_every: int = Field(default=100, ge=1)
    evaluation_batches: int = Field(default=16, ge=1)
    checkpoint_every: int = Field(default=500, ge=1)

    @model_validator(mode="after")
    def _average_can_be_found(self) -> Self:
        if self.optimizer == "schedulefree" and self.betas[0] == 0:
            # The average that a look needs is found from the weights by a division by it.
            rule = "two numbers, the first above 0: schedulefree divides by it"
            raise DomainError("betas", self.betas, rule)
        return self


class ProbeSettings(_Settings):
    """Steps between measurements while training; 0 for only at the start and the end.

    At the default intervals all probes take under 5 % of the time of a run of at least 1000 steps
    (``benchmarks/probes.py``): one gradient measured costs as much as ``gradient_parts`` steps.

    Attributes:
        spectra_every: singular values and effective ranks of every weight matrix.
        gradients_every: signal-to-noise ratio of the gradient.
        gradient_parts: independent batches behind a signal-to-noise ratio.
        jacobians_every: singular values of the step Jacobians and Lyapunov exponents.
    """

    spectra_every: int = Field(default=500, ge=0)
    gradients_every: int = Field(default=1000, ge=0)
    gradient_parts: int = Field(default=8, ge=2)
    jacobians_every: int = Field(default=1000, ge=0)


class RunSettings(_Settings):
    """One training run: the same settings give the same numbers on the same kind of machine.

    Attributes:
        model: shape of the network.
        training: the optimization.
        data: the text.
        probes: what is measured on the way; ``None`` for nothing.
        seed: seed of the initial weights and of the order of the data.
    """

    model: ModelSettings
    training: TrainingSettings
    data: DataSettings = DataSettings()
    probes: ProbeSettings | None = None
    seed: int = Field(default=0, ge=0, lt=2**63)

    def digest(self) -> str:
        """The first 16 hexadecimal digits of a hash of all settings."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
