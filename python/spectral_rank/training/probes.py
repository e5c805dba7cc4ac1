"""What is measured while a language model trains, and when.

A probe reads the model and changes nothing: parameters, gradients, mode and random state stay as
they are, so that a run with probes ends with the same network as the run without.
"""

from __future__ import annotations

from spectral_rank.data.text import Text
from spectral_rank.formulas.domain import integer
from spectral_rank.models.recurrent.language_model import LanguageModel
from spectral_rank.training.gradient_probe import gradient_probes
from spectral_rank.training.jacobian_probe import jacobian_probes
from spectral_rank.training.passes import Pass
from spectral_rank.training.run_record import Probes
from spectral_rank.training.run_settings import ProbeSettings, RunSettings
from spectral_rank.training.spectrum_probe import spectrum_probes


def is_due(probes: ProbeSettings | None, step: int, steps: int) -> bool:
    """Whether anything is measured at a step.

    Args:
        probes: the intervals; ``None`` for a run without probes.
        step: optimizer steps done, 0 to ``steps``; both ends are always measured.
        steps: optimizer steps of the run, >= 1.

    Raises:
        DomainError: if a number is out of range.
    """
    steps = integer("steps", steps, at_least=1)
    step = integer("step", step, at_most=steps)
    if probes is None:
        return False
    every = (probes.spectra_every, probes.gradients_every, probes.jacobians_every)
    return any(_falls_on(step, interval, steps) for interval in every)


def measure(
    settings: RunSettings,
    model: LanguageModel,
    text: Text,
    step: int,
    gradient: Pass | None = None,
) -> Probes:
    """Everything that is due at a step.

    In a data-parallel run one process measures.

    Args:
        settings: of the run.
        model: the network as it is at that step, not wrapped.
        text: the text of the run.
        step: optimizer steps done, 0 to the steps of the run.
        gradient: how the network's gradient is computed; its backward pass if nothing is given.

    Raises:
        DomainError: if the step is out of range, or the text too short for a sequence.
    """
    probes, steps = settings.probes, settings.training.steps
    step = integer("step", step, at_most=steps)
    if probes is None:
        return Probes()
    spectra = _falls_on(step, probes.spectra_every, steps)
    gradients = _falls_on(step, probes.gradients_every, steps)
    jacobians = _falls_on(step, probes.jacobians_every, steps)
    return Probes(
        spectra=spectrum_probes(model, step) if spectra else (),
        gradients=gradient_probes(settings, model, text, step, gradient) if gradients else (),
        jacobians=jacobian_probes(settings, model, text, step) if jacobians else (),
    )


def _falls_on(step: int, every: int, steps: int) -> bool:
    return step in (0, steps) or (every > 0 and step % every == 0)
