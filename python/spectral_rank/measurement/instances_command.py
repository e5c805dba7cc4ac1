"""``spectral-rank instances``: the generated part of lean/, written from its records or checked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from spectral_rank.certify import (
    check_instances,
    compare_derived,
    read_records,
    replace_derived,
    write_instances,
)
from spectral_rank.certify.instance import CertificateError
from spectral_rank.experiments.errors import ExperimentError
from spectral_rank.experiments.instances import Instances, is_from_result, of_results
from spectral_rank.experiments.store import Store
from spectral_rank.measurement.command import LEAN_FOLDER, RECORDS_FOLDER


def instances_command(
    check: Annotated[
        bool, typer.Option("--check", help="Only compare results, records and lean/.")
    ] = False,
    lean: Annotated[Path, typer.Option(help="Folder of the Lean sources.")] = LEAN_FOLDER,
    records: Annotated[
        Path, typer.Option(help="Folder of the certificates' records.")
    ] = RECORDS_FOLDER,
    experiments: Annotated[
        Path | None, typer.Option(help="Folder of the experiments; default: that of the records.")
    ] = None,
    results: Annotated[
        Path | None, typer.Option(help="Folder of their results; default: results/ beside them.")
    ] = None,
) -> None:
    """Write what the results of the experiments give into the records, and these into lean/.

    With --check, nothing is written; it fails unless results, records and lean/ agree.
    """
    console = Console()
    folder = experiments or records.parent
    try:
        found = of_results(folder, Store(results or folder / "results").results())
        problems = list(found.broken_links)
        if check:
            problems += compare_derived(records, found.sets, is_from_result)
        else:
            _write(console, lean, records, found)
        report = check_instances(lean, read_records(records))
    except (ExperimentError, CertificateError, OSError, ValueError) as error:
        console.print(str(error), style="bold red", highlight=False, markup=False)
        raise typer.Exit(1) from None
    problems += report.lines()
    _print(console, found.refusals, "yellow")
    _print(console, problems, "bold red")
    console.print(
        f"{report.checked} instances: every integer inequality "
        f"{'holds' if report.passed else 'was re-checked'}",
        highlight=False,
    )
    if problems:
        raise typer.Exit(1)


def _write(console: Console, lean: Path, records: Path, found: Instances) -> None:
    """Make the records equal to what the results give, and then lean/ equal to the records."""
    for path in replace_derived(records, found.sets, is_from_result):
        console.print(f"{'wrote' if path.exists() else 'removed'} {path}", highlight=False)
    for path in write_instances(lean, read_records(records)):
        console.print(f"wrote {path}", highlight=False)


def _print(console: Console, lines: Iterable[str], style: str) -> None:
    for line in lines:
        console.print(line, style=style, highlight=False, markup=False)
