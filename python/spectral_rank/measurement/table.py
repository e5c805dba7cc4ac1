"""A measurement as the terminal shows it."""

from __future__ import annotations

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from spectral_rank.measurement.measurement import Measurement
from spectral_rank.measurement.words import (
    LAW_NAMES,
    certified_sentence,
    interval,
    rank_sentence,
    verdict,
)
from spectral_rank.spectra.report import LawFit

STYLES = {"power_law": "green", "noise": "yellow", "flat": "yellow", "undetermined": "yellow"}


def show(console: Console, measurement: Measurement) -> None:
    """Print the verdict in words, the ranks, then the laws side by side."""
    spectrum, fit = measurement.spectrum, measurement.fit
    rows, cols = spectrum.shape
    heading = Text(f"{spectrum.name}  ", style="bold").append(
        f"{rows} x {cols} {spectrum.dtype}", style="dim"
    )
    if (factors := spectrum.factors) is not None:
        product = f", product of {factors.left} and {factors.right}, rank {factors.rank}"
        heading.append(product, style="dim")
    lines = [
        Text(verdict(measurement), style=STYLES.get(fit.verdict, "magenta")),
        Text(rank_sentence(measurement)),
        Text(_facts(measurement), style="dim"),
    ]
    if (certified := certified_sentence(measurement)) is not None:
        lines.insert(2, Text(certified))
    console.print(heading)
    console.print(Padding(Group(*lines), (0, 0, 0, 2)))
    if fit.laws:
        console.print(Padding(_laws(measurement), (0, 0, 1, 2)))
    else:
        console.print()


def _facts(measurement: Measurement) -> str:
    effective, fit = measurement.effective, measurement.fit
    is_product = measurement.spectrum.factors is not None
    condition = effective.condition_number
    facts = [
        f"stable rank {effective.stable_rank:.1f}",
        f"participation ratio {effective.participation_ratio:.1f}",
        f"entropy rank {effective.entropy_rank:.1f}",
        f"condition number {'infinite' if condition is None else f'{condition:.3g}'}",
    ]
    if is_product and condition is None and effective.condition_number_at_rank is not None:
        facts[-1] += (
            f", {effective.condition_number_at_rank:.3g} over the {effective.numerical_rank} "
            f"values that are not 0"
        )
    if measurement.exponent is not None and fit.density_exponent is not None:
        facts.append(f"eigenvalue-density exponent {interval(fit.density_exponent, '.2f')}")
    if fit.knees:
        facts.append("knees at index " + ", ".join(interval(knee, ".0f") for knee in fit.knees))
    return "; ".join(facts)


def _laws(measurement: Measurement) -> Table:
    fit = measurement.fit
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("law", no_wrap=True)
    for heading in ("R2", "AIC", "BIC", "dBIC", "held-out", "Vuong p"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("parameters", style="dim")
    for law in sorted(fit.laws, key=lambda entry: entry.bic):
        _add_law(table, law, law.law == fit.winner)
    return table


def _add_law(table: Table, law: LawFit, wins: bool) -> None:
    parameters = ", ".join(
        f"{parameter.name} {interval(parameter, '.3g')}" for parameter in law.parameters
    )
    table.add_row(
        LAW_NAMES.get(law.law, law.law),
        f"{law.r_squared:.4f}",
        f"{law.aic:.0f}",
        f"{law.bic:.0f}",
        f"{law.delta_bic:.0f}",
        f"{law.held_out:.4f}",
        "" if wins else f"{law.vuong_p_value:.3f}",
        parameters,
        style="bold" if wins else "",
    )
