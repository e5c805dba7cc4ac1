"""The command line, ``spectral-rank``."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from spectral_rank.checking.examine import Budget
from spectral_rank.checking.lean_source import LeanLibrary
from spectral_rank.checking.report import Report, to_html
from spectral_rank.checking.runner import Options, TheoremReport, compare, run, select
from spectral_rank.checking.table import print_failure, print_summary, render
from spectral_rank.experiments.commands import app as experiments
from spectral_rank.forecast_command import forecast_command
from spectral_rank.formulas.domain import DomainError
from spectral_rank.measurement.command import measure_command
from spectral_rank.measurement.instances_command import instances_command
from spectral_rank.theorems.registry import store_statements, stored_statements
from spectral_rank.train_command import train_command

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

LEAN_FOLDER = Path(__file__).parents[2] / "lean"
"""The proofs in a checkout of the repository; an installed package is told with ``--lean``."""


LOG_WIDTH = 140


@app.callback()
def main() -> None:
    """Spectral Rank: low rank in recurrent and deep linear networks, proved and checked."""


@app.command()
def check(
    only: Annotated[
        list[str] | None, typer.Option(help="Theorem to check: NAME or FILE/NAME, globs allowed.")
    ] = None,
    examples: Annotated[int, typer.Option(help="Hypothesis examples per property.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the random search.")] = 0,
    mutants: Annotated[
        bool, typer.Option("--mutants", help="Run every check against every mutant and show them.")
    ] = False,
    jobs: Annotated[int | None, typer.Option(help="Processes; default: all cores.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the report as JSON.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as one HTML page.")] = None,
    lean: Annotated[Path, typer.Option(help="Folder of the Lean sources.")] = LEAN_FOLDER,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Store the selected theorems' current Lean statements."),
    ] = False,
) -> None:
    """Check every theorem of the Lean library, and that every check refutes its mutants."""
    _require_at_least("--examples", examples, 1)
    _require_at_least("--seed", seed, 0)
    _require_at_least("--jobs", jobs, 1)
    console = _console()
    library = _library(lean)
    names = _selection(library, only or [])
    if accept:
        _accept(console, library, names)
        return
    options = Options(
        budget=Budget(examples=examples, seed=seed),
        every_mutant_check=mutants,
        jobs=jobs or os.cpu_count() or 1,
    )
    _require_writable("--json", json)
    _require_writable("--html", html)
    start = time.perf_counter()
    reports = _run_with_progress(console, library, names, options)
    comparison = compare(library, {entry.file for entry in reports} if only else None)
    record = Report(
        seconds=time.perf_counter() - start,
        options=options,
        comparison=comparison,
        reports=reports,
    )
    console.print(render(reports, mutants))
    print_summary(console, reports, comparison, record.seconds)
    if json is not None:
        json.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    if html is not None:
        html.write_text(to_html(record, library), encoding="utf-8")
    if not comparison.agrees or not all(entry.passed for entry in reports):
        raise typer.Exit(1)


def _console() -> Console:
    """The terminal; a log or a pipe has no width, so it gets one that fits the table."""
    console = Console()
    return console if console.is_terminal else Console(width=LOG_WIDTH)


def _require_at_least(option: str, value: int | None, minimum: int) -> None:
    if value is not None and value < minimum:
        raise typer.BadParameter(f"{value} is below {minimum}", param_hint=option)


def _require_writable(option: str, path: Path | None) -> None:
    """Refuse a report path that cannot be written before any check has run."""
    if path is not None and (path.is_dir() or not os.access(path.absolute().parent, os.W_OK)):
        raise typer.BadParameter(f"{path}: cannot be written", param_hint=option)


def _accept(console: Console, library: LeanLibrary, names: list[str]) -> None:
    """Store the current statements of the named theorems; forget theorems that no longer exist."""
    hashes = stored_statements() | {name: library.statement_hash(name) for name in names}
    kept = {name: value for name, value in hashes.items() if name in library.theorems()}
    console.print(f"{len(names)} statements stored in {store_statements(kept)}")


def _library(folder: Path) -> LeanLibrary:
    try:
        return LeanLibrary(folder)
    except FileNotFoundError as error:
        raise typer.BadParameter(str(error), param_hint="--lean") from None


def _selection(library: LeanLibrary, patterns: list[str]) -> list[str]:
    try:
        return select(library, patterns)
    except KeyError as error:
        raise typer.BadParameter(
            f"{error.args[0]!r} matches no theorem of lean/", param_hint="--only"
        ) from None


def _run_with_progress(
    console: Console, library: LeanLibrary, names: list[str], options: Options
) -> list[TheoremReport]:
    """The reports in the order of ``names``; failures are printed as they come."""
    columns = (
        TextColumn("checking"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[current]}"),
    )
    found: dict[str, TheoremReport] = {}
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(names), current="")
        for entry in run(library, names, options):
            found[entry.name] = entry
            progress.update(task, advance=1, current=entry.name)
            if not entry.passed:
                print_failure(console, entry, options)
    return [found[name] for name in names]


app.command("measure")(measure_command)
app.command("instances")(instances_command)
app.command("forecast")(forecast_command)
app.command("train")(train_command)
app.add_typer(experiments, name="experiment")


@app.command()
def figure(
    path: Annotated[Path, typer.Argument(help="File to write: .svg, .png or .pdf.")],
    eps: Annotated[float, typer.Option(help="Tolerance of both criteria, in (0, 1].")] = 0.05,
) -> None:
    """Draw the two readings of the best rank against the exponent of the spectrum."""
    from spectral_rank.figures.rank_ratio import draw

    if path.suffix not in {".svg", ".png", ".pdf"}:
        raise typer.BadParameter(f"{path}: the suffix must be .svg, .png or .pdf")
    try:
        draw(path, eps)
    except DomainError as error:
        raise typer.BadParameter(str(error), param_hint="--eps") from None
