"""The report of a run: a JSON record, and one self-contained HTML page made from it."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from latex2mathml.converter import convert
from pydantic import BaseModel, Field

import spectral_rank
from spectral_rank.checking.graph import layout
from spectral_rank.checking.lean_source import LeanLibrary
from spectral_rank.checking.runner import Comparison, Options, TheoremReport
from spectral_rank.checking.table import COLUMNS
from spectral_rank.theorems.registry import entries, module_of

LIBRARIES = ("hypothesis", "mpmath", "numpy", "python-flint", "scipy", "sympy", "torch")


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


class Report(BaseModel):
    """Everything a run found, with what it takes to repeat it.

    Attributes:
        schema_version: version of this record's layout.
        package_version: version of spectral-rank.
        versions: versions of Python and of the libraries that decide.
        machine: processor architecture and operating system.
        finished: end of the run, UTC.
        seconds: wall-clock time of the run.
        options: seed, number of examples and of processes.
        comparison: where registry and lean/ differ.
        reports: what was found about each theorem.
    """

    schema_version: int = 1
    package_version: str = spectral_rank.__version__
    versions: dict[str, str] = Field(default_factory=_versions)
    machine: str = Field(default_factory=platform.platform)
    finished: datetime = Field(default_factory=lambda: datetime.now(UTC))
    seconds: float
    options: Options
    comparison: Comparison
    reports: list[TheoremReport]


def to_html(report: Report, library: LeanLibrary) -> str:
    """One page with the table, the dependency graph, and each theorem's statement and source.

    Self-contained: statements are MathML, the graph is SVG, and nothing is loaded.
    """
    environment = Environment(
        loader=PackageLoader("spectral_rank.checking", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = [entry.name for entry in report.reports]
    return environment.get_template("report.html.j2").render(
        report=report,
        columns=COLUMNS,
        theorems=[_details(entry, library) for entry in report.reports],
        graph=layout(library, names),
    )


def _details(entry: TheoremReport, library: LeanLibrary) -> dict[str, Any]:
    declaration = library.declarations[entry.name]
    theorem = next((t for t in entries(module_of(entry.file)) if t.name == entry.name), None)
    counts = {
        kind: [outcome for outcome in entry.checks if outcome.kind == kind] for kind in COLUMNS
    }
    return {
        "report": entry,
        "counts": counts,
        "failures": entry.failures(),
        # Odd parts stood between backticks.
        "doc": declaration.doc.replace("**", "").split("`"),
        "source": declaration.source,
        "uses": sorted(library.theorem_uses(entry.name)),
        "statement": convert(theorem.statement, display="block") if theorem else "",
        "domain": convert(theorem.domain) if theorem else "",
        "references": theorem.references if theorem else (),
    }
