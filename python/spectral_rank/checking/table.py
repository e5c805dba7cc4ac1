"""The table of a run, as the terminal shows it."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from spectral_rank.checking.runner import Comparison, Options, TheoremReport

COLUMNS = ("symbolic", "certified", "property", "numerical")

MARKS = {"passed": "green", "refuted": "bold red", "undecided": "yellow", "error": "bold red"}


def render(reports: list[TheoremReport], every_mutant_check: bool = False) -> Table:
    """One row per theorem: proof, checks by kind with their counts, mutants killed, time."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("theorem", no_wrap=True)
    table.add_column("proof in lean/", no_wrap=True, style="dim")
    for heading in (*COLUMNS, "mutants", "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for entry in reports:
        table.add_row(
            Text(entry.name, style="" if entry.passed else "bold red"),
            f"{entry.file.removesuffix('.lean')}:{entry.line}",
            *(_cell(entry, kind) for kind in COLUMNS),
            _mutants(entry),
            f"{entry.seconds:.2f}",
        )
        if every_mutant_check:
            _add_mutant_rows(table, entry)
    return table


def print_summary(
    console: Console, reports: list[TheoremReport], comparison: Comparison, seconds: float
) -> None:
    """Totals, then every difference between the registry and lean/."""
    passed = sum(entry.passed for entry in reports)
    mutants = [mutant for entry in reports for mutant in entry.mutants]
    examples = sum(o.count for entry in reports for o in entry.checks if o.kind == "property")
    points = sum(o.count for entry in reports for o in entry.checks if o.kind == "certified")
    console.print(
        f"\n{passed} of {len(reports)} theorems pass; "
        f"{sum(m.killed for m in mutants)} of {len(mutants)} mutants killed; "
        f"{points} certified points, {examples} examples; {seconds:.1f} s",
        style="bold green" if passed == len(reports) else "bold red",
    )
    for label, names in (
        ("theorem without an entry", comparison.without_entry),
        ("entry without a theorem", comparison.without_theorem),
        ("statement changed since its entry was written", comparison.changed),
        ("forbidden word in lean/", comparison.forbidden),
    ):
        for name in names:
            console.print(f"{label}: {name}", style="bold red", highlight=False)


def print_failure(console: Console, entry: TheoremReport, options: Options) -> None:
    """What went wrong with one theorem, and the command that shows it again."""
    console.print(f"{entry.name} ({entry.file}:{entry.line})", style="bold red", highlight=False)
    for line in entry.failures() or ["no check"]:
        console.print(f"  {line}", highlight=False, markup=False)
    budget = options.budget
    console.print(
        f"  reproduce: spectral-rank check --only {entry.name} "
        f"--seed {budget.seed} --examples {budget.examples}",
        highlight=False,
    )


def _cell(entry: TheoremReport, kind: str) -> Text:
    outcomes = [outcome for outcome in entry.checks if outcome.kind == kind]
    if not outcomes:
        return Text("-", style="dim")
    worst = next((o for o in outcomes if o.status != "passed"), outcomes[0])
    count = sum(outcome.count for outcome in outcomes)
    text = str(count) if worst.status == "passed" and kind != "symbolic" else worst.status
    return Text("proved" if text == "passed" else text, style=MARKS[worst.status])


def _mutants(entry: TheoremReport) -> Text:
    killed = sum(mutant.killed for mutant in entry.mutants)
    style = "green" if killed == len(entry.mutants) and killed else "bold red"
    return Text(f"{killed}/{len(entry.mutants)}", style=style)


def _add_mutant_rows(table: Table, entry: TheoremReport) -> None:
    for mutant in entry.mutants:
        found = {o.kind: Text(o.status, style="dim") for o in mutant.outcomes}
        table.add_row(
            Text(f"  {mutant.change}", style="dim"),
            "",
            *(found.get(kind, Text("")) for kind in COLUMNS),
            Text("killed", style="green") if mutant.killed else Text("SURVIVED", style="bold red"),
            "",
        )
