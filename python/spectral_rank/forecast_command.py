"""The command ``spectral-rank forecast``: any CSV file, one column, one collapsed network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from spectral_rank.data.series import SeriesError
from spectral_rank.formulas.domain import DomainError

if TYPE_CHECKING:
    from spectral_rank.training import forecast_report

LOG_WIDTH = 120


def forecast_command(
    file: Annotated[Path, typer.Argument(metavar="CSV", help="CSV file with a header.")],
    horizon: Annotated[int, typer.Option(help="Values to forecast.")],
    column: Annotated[
        str | None, typer.Option(help="Column to forecast; default: the only numeric one.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path("forecast"),
    season: Annotated[
        int | None, typer.Option(help="Steps in one period; default: from the dates, else 1.")
    ] = None,
    lookback: Annotated[
        int | None, typer.Option(help="Values to forecast from; default: three seasons.")
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            help="Column of times; default: the first if it holds dates. 'rows' counts rows."
        ),
    ] = None,
    gaps: Annotated[
        Literal["refuse", "interpolate", "ffill"], typer.Option(help="What to do with gaps.")
    ] = "refuse",
    depth: Annotated[int, typer.Option(help="Number of linear layers.")] = 8,
    budget: Annotated[int, typer.Option(help="Largest number of parameters of a baseline.")] = 8000,
    seed: Annotated[int, typer.Option(help="Seed of all randomness.")] = 0,
) -> None:
    """Forecast a column of a CSV file by a deep linear network; compare, collapse and explain it.

    Prints the rolling-origin error beside the baselines and the next values; writes the collapsed
    map, the figure that interprets it, the forecast and the report.
    """
    # Loading torch takes seconds, which every other command would pay.
    from spectral_rank.training import forecast_report

    console = Console()
    console = console if console.is_terminal else Console(width=LOG_WIDTH)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    try:
        with Progress(*columns, console=console, transient=True) as bar:
            running = bar.add_task("reading", total=None)

            def show(name: str, done: int, total: int) -> None:
                bar.update(running, description=name, completed=done, total=total)

            report = forecast_report.forecast_csv(
                file,
                output,
                horizon=horizon,
                column=column,
                time=time,
                season=season,
                lookback=lookback,
                policy=gaps,
                depth=depth,
                budget=budget,
                seed=seed,
                progress=show,
            )
    except (SeriesError, DomainError) as error:
        raise typer.BadParameter(str(error)) from None
    except OSError as error:
        raise typer.BadParameter(f"{output}: cannot be written: {error.strerror}") from None
    _show(console, report)
    console.print(
        f"written to {output}: {forecast_report.MAP_FILE}, {forecast_report.FIGURE_FILE}, "
        f"{forecast_report.FORECAST_FILE}, {forecast_report.REPORT_FILE}"
    )


def _show(console: Console, report: forecast_report.ForecastReport) -> None:
    console.print(
        f"{report.source}, column {report.column}: {report.count} values, one per {report.step}, "
        f"season {report.season}, {report.gaps}"
    )
    table = Table(title=f"Rolling-origin error of {report.origins} forecasts")
    table.add_column("forecaster")
    for title in ("MAE", "MASE", "parameters", "seconds"):
        table.add_column(title, justify="right")
    best = min(row.mae for row in report.rows)
    for row in report.rows:
        table.add_row(
            row.name,
            f"{row.mae:.4g}",
            f"{row.mase:.3f}",
            f"{row.parameters}",
            f"{row.seconds:.1f}",
            style="bold" if row.mae == best else None,
        )
    console.print(table)
    found = ", ".join(f"{period:.1f}" for period, _ in report.modes) or "none"
    console.print(f"periods of the slowest modes of the collapsed map: {found} {report.step}s")
    ahead = ", ".join(f"{value:.5g}" for value in report.forecast[:12])
    more = ", ..." if report.horizon > 12 else ""
    console.print(f"the next {report.horizon} values: {ahead}{more}")
