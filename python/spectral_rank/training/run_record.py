"""What a training run of a language model leaves behind."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict

from spectral_rank.training.run_settings import RunSettings

LN_2 = math.log(2)


class _Record(BaseModel):
    # A singular matrix has the logarithm -inf, which JSON has no number for.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Evaluation(_Record):
    """A look at the loss.

    Attributes:
        step: optimizer steps done.
        loss: validation loss, nats per byte, the same sequences at every look.
        train_loss: mean training loss since the look before, nats per byte; ``None`` at step 0.
        learning_rate: at this step.
    """

    step: int
    loss: float
    train_loss: float | None
    learning_rate: float

    @property
    def bits_per_byte(self) -> float:
        """The validation loss in bits per byte."""
        return self.loss / LN_2


class SpectrumProbe(_Record):
    """The spectrum of one weight matrix at one step.

    Attributes:
        step: optimizer steps done.
        name: name of the matrix, such as ``layers.0.W_h``; of low rank, the product of its factors.
        values: its singular values, nonincreasing; of low rank, the ``r`` that can differ from 0.
        shape: rows and columns of the matrix.
        stable_rank: total energy over the largest energy.
        participation_ratio: as `spectral_rank.formulas.effective_rank.participation_ratio`.
        entropy_rank: as `spectral_rank.spectra.effective_rank.entropy_rank`.
        condition_number: largest over last of ``values``; ``None`` if the last is 0.
    """

    step: int
    name: str
    values: tuple[float, ...]
    shape: tuple[int, int]
    stable_rank: float
    participation_ratio: float
    entropy_rank: float
    condition_number: float | None


class GradientProbe(_Record):
    """The gradient of the loss at one step, from independent batches of training text.

    Attributes:
        step: optimizer steps done.
        snr: signal-to-noise ratio: squared norm of the mean gradient over the summed variance of
            one batch's gradient, without bias, so that it may be slightly negative.
        norm: norm of the mean gradient.
        parts: number of batches.
        by_matrix: the ratio for each parameter by its name.
    """

    step: int
    snr: float
    norm: float
    parts: int
    by_matrix: dict[str, float]


class JacobianProbe(_Record):
    """The Jacobians of one layer's steps on validation text.

    Attributes:
        step: optimizer steps done.
        layer: index of the layer.
        mean_log_values: mean over states of the logarithms of the singular values of the Jacobian
            ``diag(slope) W_h``, in nonincreasing order; of low rank the ``r`` that can differ
            from 0.
        lyapunov: leading Lyapunov exponents per step of the product along the text.
    """

    step: int
    layer: int
    mean_log_values: tuple[float, ...]
    lyapunov: tuple[float, ...]


class Probes(_Record):
    """All measurements of a run in the order of the steps."""

    spectra: tuple[SpectrumProbe, ...] = ()
    gradients: tuple[GradientProbe, ...] = ()
    jacobians: tuple[JacobianProbe, ...] = ()

    def __add__(self, other: Probes) -> Probes:
        return Probes(
            spectra=self.spectra + other.spectra,
            gradients=self.gradients + other.gradients,
            jacobians=self.jacobians + other.jacobians,
        )


class Environment(_Record):
    """What computed the steps of a run from one on.

    Attributes:
        step: optimizer steps done before it.
        versions: versions of Python and of the libraries.
        device: the processor, and the GPU if it is on one, of the first process.
        threads: threads of each process on the processor.
        processes: number of processes that shared each batch.
    """

    step: int
    versions: dict[str, str]
    device: str
    threads: int
    processes: int


SCHEMA_VERSION: Literal[2] = 2
"""Layout of a `RunRecord`; a record of another layout is not read."""


class RunRecord(_Record):
    """A training run, finished or under way.

    Attributes:
        schema_version: version of this record's layout.
        settings: all settings.
        corpus_sha256: hash of the whole text.
        parameters: number of trained parameters.
        step: optimizer steps done.
        evaluations: the looks at the loss.
        probes: the measurements.
        seconds: time of training, evaluations and probes included, earlier attempts included.
        probe_seconds: time of the probes in it.
        environments: what computed it, in order: one entry, and one more wherever a run that was
            cut off goes on with other versions, threads or processes or on another device.
    """

    schema_version: Literal[2] = SCHEMA_VERSION
    settings: RunSettings
    corpus_sha256: str
    parameters: int
    step: int
    evaluations: tuple[Evaluation, ...]
    probes: Probes = Probes()
    seconds: float
    probe_seconds: float
    environments: tuple[Environment, ...] = ()

    @property
    def is_finished(self) -> bool:
        """Whether all steps are done."""
        return self.step == self.settings.training.steps

    @property
    def final_loss(self) -> float:
        """Validation loss at the last look, nats per byte."""
        return self.evaluations[-1].loss

    def computed_by(self, environment: Environment) -> RunRecord:
        """The record with what computes from now on, if that is not what computed before."""
        last = self.environments[-1] if self.environments else None
        if last is not None and last.model_copy(update={"step": environment.step}) == environment:
            return self
        return self.model_copy(update={"environments": (*self.environments, environment)})
