"""The registry: which module holds the entries of which Lean file, and the stored statements."""

from __future__ import annotations

import importlib
import json
import re
from importlib import resources
from pathlib import Path

from spectral_rank.theorems.theorem import Theorem

MODULES = (
    "power_law",
    "rank_formula",
    "tail_density",
    "variance_capture",
    "capture_rank",
    "critical",
    "projection",
    "eckart_young",
    "singular_values",
    "best_approximation",
    "envelope",
    "enclosure",
    "measured_approximation",
    "effective_rank",
    "conditioning",
    "conditioning_enclosure",
    "gradient_descent",
    "rank_manifold",
    "linear_recurrence",
    "information",
    "deep_linear.balance",
    "deep_linear.metric",
    "deep_linear.mode_flow",
    "deep_linear.depth_operator",
    "deep_linear.end_to_end_flow",
    "deep_linear.loss_flow",
    "deep_linear.dynamics",
)
"""One module per Lean file, in the order in which ``SpectralRank.lean`` imports them."""

STATEMENTS = "statements.json"
"""Hash of each theorem's Lean statement when its entry was last read against it."""


def module_of(lean_file: str) -> str:
    """The module for a Lean file: ``DeepLinear/Metric.lean`` is in ``deep_linear.metric``."""
    path = lean_file.removesuffix(".lean").replace("/", ".")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", path).lower()


def entries(module: str) -> tuple[Theorem, ...]:
    """The entries of one module; importing it is the whole cost."""
    found = importlib.import_module(f"spectral_rank.theorems.{module}").THEOREMS
    if not isinstance(found, tuple) or not all(isinstance(entry, Theorem) for entry in found):
        raise TypeError(f"{module}.THEOREMS must be a tuple of Theorem")
    return found


def stored_statements() -> dict[str, str]:
    """The stored hash of each theorem's Lean statement, by name."""
    text = resources.files(__package__).joinpath(STATEMENTS).read_text(encoding="utf-8")
    return dict(json.loads(text))


def store_statements(hashes: dict[str, str]) -> Path:
    """Write the stored hashes, sorted by name, and return the file's path."""
    path = Path(__file__).with_name(STATEMENTS)
    path.write_text(json.dumps(dict(sorted(hashes.items())), indent=1) + "\n", encoding="utf-8")
    return path
