"""Runs an experiment: measures the cells that are not stored yet, judges, stores the result.

A finished result is never measured again unless that is forced; a run that was cut off goes on with
the cells it lacks, and ends with the same numbers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spectral_rank.experiments.cell import Failure, Outcome, Success, Task, json_values
from spectral_rank.experiments.corpus import Corpus, with_corpus
from spectral_rank.experiments.engines import Engine, Workers, on_ray
from spectral_rank.experiments.errors import CellsFailedError, EngineError, ProtocolError
from spectral_rank.experiments.instances import instance_names
from spectral_rank.experiments.record import (
    Analysis,
    Cell,
    Config,
    ExperimentResult,
    Profile,
)
from spectral_rank.experiments.registry import Experiment
from spectral_rank.experiments.store import CellRecord, PartialRun, Store

Observer = Callable[[int, int], None]
"""Is told, after each cell, how many of how many are done."""


@dataclass(frozen=True)
class Options:
    """How to run.

    Attributes:
        results: folder of the results.
        jobs: cells measured at a time; ``None`` for as many as the machine has processors for, and
            one in the ``gpu`` profile, where cells would share the memory of the accelerator.
        engine: where the cells are measured.
        address: address of a Ray cluster; ``None`` starts one on this machine.
        force: measure a finished experiment again.
        corpus: the text, for experiments that read one; ``None`` for the default.
    """

    results: Path
    jobs: int | None = None
    engine: Engine = Engine.LOCAL
    address: str | None = None
    force: bool = False
    corpus: Corpus | None = None


def run(
    experiment: Experiment,
    profile: Profile,
    options: Options,
    observer: Observer = lambda done, total: None,
    workers: Workers | None = None,
) -> ExperimentResult:
    """The result of an experiment, from its file if it is finished.

    Args:
        experiment: the experiment.
        profile: ``smoke``, ``cpu`` or ``gpu``.
        options: how to run.
        observer: is told how many cells are done.
        workers: processes of this machine that several runs share; ``None`` for fresh ones.

    Raises:
        ProtocolError: if a function of the experiment returns something else than it should, or its
            analysis raises an exception.
        DomainError: if a text is given to an experiment that reads none.
        CellsFailedError: if cells raise exceptions; the others are measured and kept.
        WorkerLostError: if a worker is killed.
        StorageError: if results cannot be written or read.
        AlreadyRunningError: if another process runs the same.
        EngineError: if the engine is not there.
    """
    config = configuration(experiment, profile, options.corpus)
    store = Store(options.results)
    if not options.force and (stored := store.finished(experiment.id, config)):
        return stored
    cells = checked_cells(experiment, config)
    partial = store.partial(experiment.id, config)
    with partial.locked():
        if options.force:
            partial.begin_again()
        elif stored := store.finished(experiment.id, config):
            partial.remove()
            return stored
        records = _measure(experiment, config, cells, partial, options, observer, workers)
        result = _result(experiment, config, records)
        store.write(result, config)
        partial.remove()
    return result


def configuration(experiment: Experiment, profile: Profile, corpus: Corpus | None = None) -> Config:
    """The configuration of a profile, checked.

    Args:
        experiment: the experiment.
        profile: ``smoke``, ``cpu`` or ``gpu``.
        corpus: a text in place of the default one.

    Raises:
        ProtocolError: if the experiment has none, or it does not survive being written as JSON.
        DomainError: if a text is given to an experiment that reads none.
    """
    try:
        config = experiment.config(profile)
    except Exception as error:
        raise experiment.fault(f"config({profile!r})") from error
    if not isinstance(config, experiment.settings) or config.profile != profile:
        raise ProtocolError(f"{experiment.path}: config({profile!r}) must return its Settings")
    if experiment.settings.model_validate(config.model_dump(mode="json")) != config:
        raise ProtocolError(f"{experiment.path}: Settings must be the same when read from JSON")
    return config if corpus is None else with_corpus(config, corpus)


def checked_cells(experiment: Experiment, config: Config) -> list[Cell]:
    """The cells of a configuration, as they read from JSON.

    Raises:
        ProtocolError: if there are none, or they are not dictionaries of JSON values.
    """
    try:
        cells = [json_values("cells", cell) for cell in experiment.cells(config)]
    except Exception as error:
        raise experiment.fault("cells") from error
    if not cells:
        raise ProtocolError(f"{experiment.path}: cells must return at least one cell")
    return cells


def judged_again(experiment: Experiment, stored: ExperimentResult) -> ExperimentResult:
    """A stored result with the texts and the analysis that the file has now; nothing is measured.

    Raises:
        ProtocolError: if the analysis raises an exception.
    """
    config = experiment.settings.model_validate(stored.config)
    judged = stored.model_copy(
        update={
            "question": experiment.question,
            "prediction": experiment.prediction,
            "rule": experiment.rule,
            "theorems": experiment.theorems,
            "analysis": _analysis(experiment, config, stored.measurements),
        }
    )
    return _with_instances(experiment, judged)


def _measure(
    experiment: Experiment,
    config: Config,
    cells: Sequence[Cell],
    partial: PartialRun,
    options: Options,
    observer: Observer,
    workers: Workers | None,
) -> list[CellRecord]:
    """The records of all cells, in their order; those that are stored already are read."""
    records: dict[int, CellRecord] = {}
    failures: list[Failure] = []
    for index, cell in enumerate(cells):
        stored = partial.read(index)
        if stored is not None and stored.answers(cell, experiment.code_hash):
            records[index] = stored
    tasks = [
        Task(i, experiment.path, experiment.code_hash, _json(config), cell, experiment.threads)
        for i, cell in enumerate(cells)
        if i not in records
    ]
    observer(len(records), len(cells))
    with closing(_outcomes(experiment, config, tasks, options, workers)) as outcomes:
        for outcome in outcomes:
            match outcome:
                case Success(index, record):
                    partial.write(index, record)
                    records[index] = record
                case Failure():
                    failures.append(outcome)
            observer(len(records) + len(failures), len(cells))
    if failures:
        raise _failed(experiment, failures, len(cells))
    return [records[index] for index in range(len(cells))]


def _outcomes(
    experiment: Experiment,
    config: Config,
    tasks: Sequence[Task],
    options: Options,
    workers: Workers | None,
) -> Generator[Outcome, None, None]:
    """The outcomes of the tasks from the engine that was asked for."""
    if not tasks:
        return
    if options.engine is Engine.RAY:
        if experiment.serial:
            raise EngineError(f"{experiment.id} measures time: it needs --engine local")
        yield from on_ray(tasks, options.jobs, options.address)
        return
    # What measures time starts from the same state wherever it stands among other runs.
    shared = None if experiment.serial else workers
    with Workers() if shared is None else nullcontext(shared) as measuring:
        yield from measuring.outcomes(tasks, local_jobs(experiment, config, options.jobs))


def local_jobs(experiment: Experiment, config: Config, jobs: int | None) -> int:
    """How many cells this machine measures at a time; one where they measure time."""
    if experiment.serial:
        return 1
    if jobs is not None:
        return jobs
    return 1 if config.profile == "gpu" else max(1, _processors() // experiment.threads)


def _processors() -> int:
    """The processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _json(config: Config) -> dict[str, Any]:
    return config.model_dump(mode="json")


def _result(
    experiment: Experiment, config: Config, records: Sequence[CellRecord]
) -> ExperimentResult:
    measurements = [record.measurement for record in records]
    result = ExperimentResult(
        id=experiment.id,
        question=experiment.question,
        prediction=experiment.prediction,
        rule=experiment.rule,
        theorems=experiment.theorems,
        config=_json(config),
        config_hash=config.digest(),
        code_hash=experiment.code_hash,
        measurements=measurements,
        analysis=_analysis(experiment, config, measurements),
        versions=records[0].versions,
        device="; ".join(sorted({record.device for record in records})),
        seconds=sum(record.seconds for record in records),
    )
    return _with_instances(experiment, result)


def _with_instances(experiment: Experiment, result: ExperimentResult) -> ExperimentResult:
    """The result with the names of the Lean files that its numbers give."""
    return result.model_copy(update={"instances": instance_names(experiment, result)})


def _analysis(
    experiment: Experiment, config: Config, measurements: list[dict[str, Any]]
) -> Analysis:
    try:
        analysis = experiment.analyse(config, measurements)
    except Exception as error:
        raise experiment.fault("analyse") from error
    if not isinstance(analysis, Analysis):
        raise ProtocolError(f"{experiment.path}: analyse must return an Analysis")
    return analysis


def _failed(experiment: Experiment, failures: Sequence[Failure], total: int) -> CellsFailedError:
    """The error that names each failed cell; the first with its traceback."""
    lines = [f"cell {failure.index} {failure.cell}: {failure.error}" for failure in failures]
    kept = total - len(failures)
    return CellsFailedError(
        f"{experiment.id}: {len(failures)} of {total} cells failed, {kept} are kept\n"
        + "\n".join(lines)
        + f"\nThe first of them:\n{failures[0].trace.rstrip()}"
    )
