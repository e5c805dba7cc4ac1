"""The command line, ``spectral-rank``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from spectral_rank.checking.examine import Budget
from spectral_rank.checking.lean_source import LeanLibrary
from spectral_rank.checking.runner import Comparison, Options, TheoremReport, compare, run, select
from spectral_rank.checking.table import print_failure, print_summary, render
from spectral_rank.theorems.registry import store_statements, stored_statements

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

LEAN_FOLDER = Path(__file__).parents[2] / "lean"
"""The proofs in a checkout of the repository; an installed package is told with ``--lean``."""


@app.callback()
def main() -> None:
    """Spectral Rank: low rank in recurrent and deep linear networks, proved and checked."""


@app.command()
def check(
    only: Annotated[
        list[str] | None, typer.Option(help="Theorem to check: NAME or FILE/NAME, globs allowed.")
    ] = None,
    examples: Annotated[int, typer.Option(min=1, help="Hypothesis examples per property.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random search.")] = 0,
    mutants: Annotated[
        bool, typer.Option("--mutants", help="Run every check against every mutant and show them.")
    ] = False,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; default: all cores.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the report as JSON.")] = None,
    lean: Annotated[Path, typer.Option(help="Folder of the Lean sources.")] = LEAN_FOLDER,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Store the selected theorems' current Lean statements."),
    ] = False,
) -> None:
    """Check every theorem of the Lean library, and that every check refutes its mutants."""
    console = Console()
    library = _library(lean)
    names = _selection(library, only or [])
    if accept:
        hashes = stored_statements() | {name: library.statement_hash(name) for name in names}
        path = store_statements({n: h for n, h in hashes.items() if n in library.theorems()})
        console.print(f"{len(names)} statements stored in {path}")
        return
    options = Options(
        budget=Budget(examples=examples, seed=seed),
        every_mutant_check=mutants,
        **({} if jobs is None else {"jobs": jobs}),
    )
    start = time.perf_counter()
    reports = _run_with_progress(console, library, names, options)
    files = {library.theorems()[name].file for name in names} if only else None
    comparison = compare(library, files)
    console.print(render(reports, mutants))
    print_summary(console, reports, comparison, time.perf_counter() - start)
    if json is not None:
        _write_json(json, reports, comparison, options)
    if not comparison.agrees or not all(entry.passed for entry in reports):
        raise typer.Exit(1)


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


def _write_json(
    path: Path, reports: list[TheoremReport], comparison: Comparison, options: Options
) -> None:
    from spectral_rank.checking.report import Report

    path.write_text(
        Report(reports=reports, comparison=comparison, options=options).model_dump_json(indent=1)
        + "\n",
        encoding="utf-8",
    )
