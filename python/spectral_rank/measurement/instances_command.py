"""``spectral-rank instances``: the generated part of lean/, written from its records or checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from spectral_rank.certify import check_instances, read_records, write_instances
from spectral_rank.certify.instance import CertificateError
from spectral_rank.certify.records import RecordError
from spectral_rank.measurement.command import LEAN_FOLDER, RECORDS_FOLDER


def instances_command(
    check: Annotated[
        bool, typer.Option("--check", help="Only compare lean/ with the records.")
    ] = False,
    lean: Annotated[Path, typer.Option(help="Folder of the Lean sources.")] = LEAN_FOLDER,
    records: Annotated[
        Path, typer.Option(help="Folder of the certificates' records.")
    ] = RECORDS_FOLDER,
) -> None:
    """Write lean/SpectralRank/Measured from the records, or check that the two agree."""
    console = Console()
    try:
        sets = read_records(records)
        if not check:
            for path in write_instances(lean, sets):
                console.print(f"wrote {path}", highlight=False)
        report = check_instances(lean, sets)
    except (RecordError, CertificateError, FileNotFoundError, ValueError) as error:
        console.print(str(error), style="bold red", highlight=False)
        raise typer.Exit(1) from None
    for line in report.lines():
        console.print(line, style="bold red", highlight=False)
    console.print(
        f"{report.checked} instances: every integer inequality "
        f"{'holds' if report.passed else 'was re-checked'}",
        highlight=False,
    )
    if not report.passed:
        raise typer.Exit(1)
