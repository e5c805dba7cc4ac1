"""The commands ``spectral-rank experiment run, list, figures, summary``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from spectral_rank.experiments import summary as table
from spectral_rank.experiments.corpus import Corpus, read_corpus, reads_corpus
from spectral_rank.experiments.engines import Engine, Workers
from spectral_rank.experiments.errors import (
    CellsFailedError,
    ExperimentError,
    ProtocolError,
    UnknownExperimentError,
)
from spectral_rank.experiments.record import ExperimentResult, Verdict
from spectral_rank.experiments.registry import EXPERIMENTS, Experiment, select
from spectral_rank.experiments.runner import (
    Options,
    checked_cells,
    configuration,
    judged_again,
    run,
)
from spectral_rank.experiments.store import Store
from spectral_rank.formulas.domain import DomainError

app = typer.Typer(no_args_is_help=True, help="Put the questions of the research plan to the test.")

LOG_WIDTH = 140

COLOURS = {
    Verdict.CONFIRMED: "green",
    Verdict.REFUTED: "magenta",
    Verdict.UNDECIDED: "yellow",
}


class ProfileName(StrEnum):
    """The sizes of a run."""

    SMOKE = "smoke"
    CPU = "cpu"
    GPU = "gpu"


Folder = Annotated[Path, typer.Option("--experiments", help="Folder of the experiments.")]
Results = Annotated[
    Path | None, typer.Option(help="Folder of the results; default: results/ beside them.")
]
Numbers = Annotated[list[str] | None, typer.Argument(help="IDs such as D.1; default: all.")]


@app.command("run")
def run_command(
    numbers: Numbers = None,
    profile: Annotated[ProfileName, typer.Option(help="Sizes of the run.")] = ProfileName.CPU,
    engine: Annotated[Engine, typer.Option(help="Where the cells are measured.")] = Engine.LOCAL,
    address: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster; default: one on this machine.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Cells measured at a time; default: all processors.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Measure finished experiments again.")
    ] = False,
    judge_again: Annotated[
        bool,
        typer.Option(
            "--judge-again", help="Apply the present analysis to stored results; measure nothing."
        ),
    ] = False,
    corpus: Annotated[
        Path | None, typer.Option(help="Text to learn from; default: Python's own source.")
    ] = None,
    experiments: Folder = EXPERIMENTS,
    results: Results = None,
) -> None:
    """Run experiments; what is finished is skipped, what was cut off goes on."""
    if jobs is not None and jobs < 1:
        raise typer.BadParameter(f"{jobs} is below 1", param_hint="--jobs")
    console = _console()
    folder = _results_folder(experiments, results)
    with _errors_in_words(console):
        options = Options(folder, jobs, engine, address, force, _corpus(corpus))
        selected = select(numbers or [], experiments)
        if corpus is not None:
            selected = _readers(console, selected, named=bool(numbers))
        failed = False
        with Workers() as workers:
            for experiment in selected:
                try:
                    if judge_again:
                        _judge_again(console, experiment, profile, options)
                    else:
                        _run_with_progress(console, experiment, profile, options, workers)
                except (CellsFailedError, ProtocolError) as error:
                    # The fault of one experiment; the next one may well run.
                    _print_error(console, error)
                    failed = True
    if failed:
        raise typer.Exit(1)


def _corpus(path: Path | None) -> Corpus | None:
    try:
        return None if path is None else read_corpus(path)
    except DomainError as error:
        raise typer.BadParameter(str(error), param_hint="--corpus") from None


def _readers(console: Console, experiments: Sequence[Experiment], named: bool) -> list[Experiment]:
    """Those that read a text; the others are skipped if they were not asked for by name."""
    readers = [experiment for experiment in experiments if reads_corpus(experiment.settings)]
    others = [experiment.id for experiment in experiments if experiment not in readers]
    if others and (named or not readers):
        message = f"no text is read by {', '.join(others)}"
        raise typer.BadParameter(message, param_hint="--corpus")
    if others:
        console.print(f"skipped, as they read no text: {', '.join(others)}")
    return readers


def _run_with_progress(
    console: Console,
    experiment: Experiment,
    profile: ProfileName,
    options: Options,
    workers: Workers,
) -> None:
    columns = (
        TextColumn(f"{experiment.id} {profile}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    # A bar in a log is noise; there, the verdict is enough.
    quiet = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task("", total=None)

        def observe(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        result = run(experiment, profile.value, options, observe, workers)
    _print_verdict(console, result, _staleness(experiment, result))


def _judge_again(
    console: Console, experiment: Experiment, profile: ProfileName, options: Options
) -> None:
    config = configuration(experiment, profile.value, options.corpus)
    store = Store(options.results)
    stored = store.finished(experiment.id, config)
    if stored is None:
        raise UnknownExperimentError(f"{experiment.id}: no finished result in profile {profile}")
    result = judged_again(experiment, stored)
    store.write(result, config)
    _print_verdict(console, result, _staleness(experiment, result))


def _staleness(experiment: Experiment, result: ExperimentResult) -> str:
    """What has changed in the file since the result was stored; empty if nothing."""
    if result.code_hash != experiment.code_hash:
        return "measured by other code than the file has now (--force measures again)"
    if (result.rule, result.prediction) != (experiment.rule, experiment.prediction):
        return "rule or prediction changed since (--judge-again judges again)"
    return ""


def _print_verdict(console: Console, result: ExperimentResult, stale: str) -> None:
    verdict = result.analysis.verdict
    colour = COLOURS[verdict]
    console.print(
        f"{result.id} {result.config['profile']}: [{colour}]{verdict}[/{colour}]. "
        f"{escape(result.analysis.reason)}"
    )
    if stale:
        console.print(f"  [yellow]{stale}[/yellow]")


@app.command("list")
def list_command(experiments: Folder = EXPERIMENTS, results: Results = None) -> None:
    """Show every experiment and how far its runs are."""
    console = _console()
    store = Store(_results_folder(experiments, results))
    with _errors_in_words(console):
        view = Table("id", "question", *ProfileName)
        for experiment in select([], experiments):
            states = [_state(experiment, profile, store) for profile in ProfileName]
            view.add_row(experiment.id, escape(experiment.question), *states)
        console.print(view)


def _state(experiment: Experiment, profile: ProfileName, store: Store) -> str:
    config = configuration(experiment, profile.value)
    stored = store.finished(experiment.id, config)
    if stored is not None:
        mark = ", changed since" if _staleness(experiment, stored) else ""
        return f"{stored.analysis.verdict}{mark}"
    done = store.partial(experiment.id, config).count()
    return f"{done} of {len(checked_cells(experiment, config))} cells" if done else "not run"


@app.command("figures")
def figures_command(
    numbers: Numbers = None,
    experiments: Folder = EXPERIMENTS,
    results: Results = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write; default: figures/ beside them.")
    ] = None,
) -> None:
    """Make every figure again from the stored results."""
    # Only a figure needs matplotlib, which takes a second to import.
    from spectral_rank.experiments.figures import remake

    console = _console()
    with _errors_in_words(console):
        wanted = {experiment.id: experiment for experiment in select(numbers or [], experiments)}
        stored = table.chosen(Store(_results_folder(experiments, results)).results())
        for result in stored.values():
            if result.id in wanted:
                path = remake(wanted[result.id], result, out or experiments / "figures")
                console.print(f"{result.id} {result.config['profile']}: {path}", soft_wrap=True)


@app.command("summary")
def summary_command(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if the table is out of date.")
    ] = False,
    experiments: Folder = EXPERIMENTS,
    results: Results = None,
) -> None:
    """Write the table of verdicts in the README of the experiments from the stored results."""
    console = _console()
    readme = experiments / "README.md"
    with _errors_in_words(console):
        stored = Store(_results_folder(experiments, results)).results()
        text = table.updated(readme, stored, experiments / "figures")
        if text == table.read_text(readme):
            console.print(f"{readme}: up to date", soft_wrap=True)
        elif check:
            console.print(
                f"{readme}: not what the results say; run spectral-rank experiment summary",
                soft_wrap=True,
            )
            raise typer.Exit(1)
        else:
            table.write(readme, text)
            console.print(f"{readme}: written", soft_wrap=True)


def _results_folder(experiments: Path, results: Path | None) -> Path:
    folder = results or experiments / "results"
    if folder.exists() and not folder.is_dir():
        raise typer.BadParameter(f"{folder}: not a folder", param_hint="--results")
    return folder


@contextmanager
def _errors_in_words(console: Console) -> Iterator[None]:
    """End the command with one message for an error that is not a fault of this program."""
    try:
        yield
    except ExperimentError as error:
        _print_error(console, error)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("interrupted; finished cells are kept, the same command goes on")
        raise typer.Exit(130) from None


def _print_error(console: Console, error: ExperimentError) -> None:
    console.print(f"[bold red]error:[/bold red] {escape(str(error))}", soft_wrap=True)


def _console() -> Console:
    """The terminal; a log or a pipe has no width, so it gets one that fits the table."""
    console = Console()
    return console if console.is_terminal else Console(width=LOG_WIDTH)
