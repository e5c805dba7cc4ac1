"""The training loop: all that a run computes, on two screens.

A run is a pure function of its settings, its text and the number of threads: the batch of a step
depends on nothing but the step and the seed, and a checkpoint holds every bit that the next step
depends on.  So a run that is killed and goes on ends, on a CPU, with the same numbers.

On a GPU, ``float32`` means float32 (TF32 stays off, torch's default); ``bf16`` is the fast choice:
autocast, with the weights and the optimizer in float32.  The passes are replayed there as CUDA
graphs (`spectral_rank.training.cuda_graph`).  ``torch.compile`` is not used: on a CPU a compiled
pass takes 1.1 to 1.4 times as long, after minutes of compiling (``benchmarks/passes.py``).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from spectral_rank.data.text import Text, open_text
from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.recurrent.language_model import LanguageModel, build_model
from spectral_rank.provenance import device_in_words, versions
from spectral_rank.training import checkpoints, probes
from spectral_rank.training.checkpoints import CHECKPOINT_FILE, Journal
from spectral_rank.training.cuda_graph import Recorder, graphs_wanted
from spectral_rank.training.errors import CheckpointError, DivergedError
from spectral_rank.training.optimizer import (
    build_optimizer,
    keep_evaluated_weights,
    learning_rate_at,
    require_optimizer,
    set_learning_rate,
    weights_to_evaluate,
)
from spectral_rank.training.parallel import Group, joined, own_device
from spectral_rank.training.passes import Pass, backward_pass, forward_pass
from spectral_rank.training.progress import Observer, Reporter
from spectral_rank.training.run_record import Environment, Evaluation, RunRecord
from spectral_rank.training.run_settings import RunSettings, TrainingSettings


@dataclass(frozen=True)
class Trained:
    """A trained network and what was seen on the way.

    Attributes:
        model: the network, in evaluation mode, on the device it was trained on.
        record: the finished run.
    """

    model: LanguageModel
    record: RunRecord


def train(
    settings: RunSettings,
    folder: Path,
    *,
    device: str = "cpu",
    observer: Observer | None = None,
) -> Trained:
    """Train a language model, going on from the folder's checkpoint if there is one.

    Started by ``torchrun``, the processes share each batch, and all return the same.

    Args:
        settings: everything that decides the numbers.
        folder: where the checkpoint lies.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        observer: told of every step and look, in the first process.

    Raises:
        DomainError: if the text, the device or a setting does not fit, or the memory has no room
            for the weights.
        CheckpointError: if the checkpoint is damaged, of another run, or cannot be written, or the
            processes find different ones.
        DivergedError: if the loss or its gradient is not finite; the checkpoint before is kept.
        MissingPackageError: if the optimizer is not installed.
        TrainingError: if the environment asks for several processes without ``torchrun``, or if
            another process has ended.
    """
    text = check_run(settings, device)
    training = settings.training
    with joined(device) as group:
        _require_parts(training, group)
        dtype = torch.float64 if training.precision == "float64" else torch.float32
        model = build_model(settings.model, settings.seed, dtype).to(group.device)
        optimizer = build_optimizer(model, training)
        recorder = Recorder()
        run = _Run(
            settings,
            text,
            model,
            optimizer,
            folder / CHECKPOINT_FILE,
            group,
            loss=recorder.replayed(forward_pass(model, training)),
            gradient=recorder.replayed(backward_pass(model, training)),
        )
        try:
            journal = _to_the_end(run, _begun(run), observer)
        except DivergedError as error:
            error.checkpoint = run.path if run.path.exists() else None
            raise
        keep_evaluated_weights(optimizer)
        record = RunRecord.model_validate_json(group.from_first(journal.record.model_dump_json()))
    return Trained(model.eval(), record)


@dataclass(frozen=True)
class _Run:
    """A run in this process: what is trained, on what, by whom, and where it is kept."""

    settings: RunSettings
    text: Text
    model: LanguageModel
    optimizer: torch.optim.Optimizer
    path: Path
    group: Group
    loss: Pass
    gradient: Pass


def _begun(run: _Run) -> Journal:
    """The run at its start, or as its checkpoint left it, loaded into network and optimizer.

    Processes that do not find the same raise all, so that none waits for another.
    """
    journal = Journal(record=_new_record(run))
    problem: CheckpointError | None = None
    if run.path.exists():
        try:
            journal = checkpoints.load(
                run.path, run.model, run.optimizer, run.settings, run.text.sha256
            )
        except CheckpointError as error:
            problem = error
    found = run.group.gathered(str(problem or f"at step {journal.record.step}"))
    if problem is not None:
        raise problem
    if len(set(found)) > 1:
        words = "; ".join(f"process {rank}: {entry}" for rank, entry in enumerate(found))
        raise CheckpointError(f"{run.path}: not the same in all processes: {words}")
    if journal.record.is_finished:
        return journal
    threads = torch.get_num_threads()
    environment = Environment(
        step=journal.record.step,
        versions=versions(),
        device=device_in_words(threads, str(run.group.device)),
        threads=threads,
        processes=run.group.size,
    )
    return journal.model_copy(update={"record": journal.record.computed_by(environment)})


def _to_the_end(run: _Run, journal: Journal, observer: Observer | None) -> Journal:
    """The journal when all steps are done."""
    settings, training, is_first = run.settings, run.settings.training, run.group.is_first
    reporter = Reporter(journal.record, observer if is_first else None)
    step, loss = journal.record.step, None
    while not journal.record.is_finished:
        # A checkpoint is written before the look of its step, so a look is never done twice.
        if is_first and _is_look_due(settings, step):
            with weights_to_evaluate(run.optimizer):
                journal = _look(run, step, journal)
            reporter.tell(step, loss, journal.record)
        if step == training.steps:
            journal = reporter.stamped(journal, step)
            if is_first:
                checkpoints.save(run.path, run.model, run.optimizer, journal)
            break
        loss = _descend(run, step)
        step += 1
        journal = journal.with_loss(loss)
        reporter.tell(step, loss, journal.record)
        if is_first and step % training.checkpoint_every == 0 and step < training.steps:
            checkpoints.save(run.path, run.model, run.optimizer, reporter.stamped(journal, step))
    return journal


def check_run(settings: RunSettings, device: str) -> Text:
    """Refuse what cannot be trained here, before any work, and open the text.

    Raises:
        DomainError: if the text is missing or too short, the device is not there, bf16 is asked for
            without a GPU, or as `spectral_rank.training.cuda_graph.graphs_wanted`.
        MissingPackageError: if the optimizer is not installed.
        TrainingError: as `spectral_rank.training.parallel.process_count`.
    """
    training = settings.training
    kind = own_device(device).type
    if training.precision == "bf16" and kind == "cpu":
        # A CPU would emulate most of it: slower than float32, and rounded differently.
        raise DomainError("precision", "bf16", f"float32 or float64 on {device}: bf16 needs a GPU")
    require_optimizer(training)
    graphs_wanted()
    text = open_text(settings.data.corpus)
    text.require(training.length, settings.data.train_bytes)
    return text


def _descend(run: _Run, step: int) -> float:
    """One optimizer step; its loss in nats per byte, over the whole batch."""
    settings, model, group = run.settings, run.model, run.group
    training, data = settings.training, settings.data
    rate = set_learning_rate(run.optimizer, step, training)
    tokens = run.text.training_batch(
        step, training.batch, training.length, settings.seed, data.train_bytes
    )
    run.optimizer.zero_grad()
    total = torch.zeros((), device=group.device)
    for part in group.parts(tokens, training.accumulate):
        loss, *gradient = run.gradient(part)
        share = len(part) / len(tokens)
        total = total + loss * share
        _add(model, gradient, share)
    summed = group.sum_gradients(model, total)
    # Without clipping the bound is infinite, and the norm still tells of a gradient that is not.
    size = nn.utils.clip_grad_norm_(model.parameters(), training.clip or math.inf)
    # Read together, before the optimizer's step is queued: a GPU is waited for once.
    found, norm = torch.stack([summed.double(), size.double()]).tolist()
    if not math.isfinite(found) or not math.isfinite(norm):
        raise DivergedError(step + 1, rate)
    run.optimizer.step()
    return float(found)


def _add(model: nn.Module, gradient: list[Tensor], share: float) -> None:
    """Add the share of a part's gradient to that of the batch."""
    for parameter, value in zip(model.parameters(), gradient, strict=True):
        # The gradient of a whole batch is taken as it is.  A replay overwrites it, at the earliest
        # in the look after the step that has used it.
        own = value.contiguous() if share == 1 else value.contiguous() * share
        parameter.grad = own if parameter.grad is None else parameter.grad.add_(own)


def evaluate(
    loss: Pass,
    text: Text,
    training: TrainingSettings,
    device: torch.device | str = "cpu",
    processes: int = 1,
) -> float:
    """The mean loss on fixed sequences of the validation part, nats per byte.

    Batches are computed in parts of the size of those in training, so that a look takes no more
    memory than a step.

    Args:
        loss: the loss of a batch, a `spectral_rank.training.passes.forward_pass`.
        text: the text.
        training: number, size and length of the batches.
        device: where the network is.
        processes: number of processes that share a batch in training.
    """
    parts = training.accumulate * processes
    losses: list[Tensor] = []
    for index in range(training.evaluation_batches):
        tokens = text.validation_batch(index, training.batch, training.length)
        total = torch.zeros((), device=device)
        for part in torch.tensor_split(tokens, parts):
            total = total + loss(part.to(device))[0] * (len(part) / len(tokens))
        losses.append(total)
    return float(torch.stack(losses).double().mean())


def _look(run: _Run, step: int, journal: Journal) -> Journal:
    """The journal with the loss and the probes that are due at this step."""
    settings, training = run.settings, run.settings.training
    if _is_evaluation_due(training, step):
        rate = learning_rate_at(min(step, training.steps - 1), training)
        loss = evaluate(run.loss, run.text, training, run.group.device, run.group.size)
        if not math.isfinite(loss):
            raise DivergedError(step, rate)
        found = Evaluation(step=step, loss=loss, train_loss=journal.mean_loss, learning_rate=rate)
        journal = journal.with_evaluation(found)
    if probes.is_due(settings.probes, step, training.steps):
        start = time.perf_counter()
        measured = probes.measure(settings, run.model, run.text, step, run.gradient)
        journal = journal.with_probes(measured, time.perf_counter() - start)
    return journal


def _is_look_due(settings: RunSettings, step: int) -> bool:
    training = settings.training
    return _is_evaluation_due(training, step) or probes.is_due(
        settings.probes, step, training.steps
    )


def _is_evaluation_due(training: TrainingSettings, step: int) -> bool:
    return step % training.evaluate_every == 0 or step == training.steps


def _new_record(run: _Run) -> RunRecord:
    return RunRecord(
        settings=run.settings,
        corpus_sha256=run.text.sha256,
        parameters=sum(entry.numel() for entry in run.model.parameters()),
        step=0,
        evaluations=(),
        seconds=0.0,
        probe_seconds=0.0,
    )


def _require_parts(training: TrainingSettings, group: Group) -> None:
    parts = group.size * training.accumulate
    if training.batch < parts:
        rule = f"at least {parts}: {group.size} processes of {training.accumulate} parts each"
        raise DomainError("batch", training.batch, rule)
