"""Lean identifiers for tensor names: ASCII, unique, and never a path out of the folder."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from typing import get_args

from spectral_rank.certify.shapes import Kind

LENGTH = 48
"""Longest readable part of a name: the file name stays within what every file system takes."""

KEYWORDS = """
abbrev at attribute axiom break by calc catch class continue decreasing_by def deriving do dsimp
elab else end example exists export extends finally for forall from fun generalizing have haveI
hiding if import in include inductive infix infixl infixr initialize instance is lambda lemma
let letI local macro macro_rules match mut mutual namespace nomatch nofun noncomputable nonrec
notation omit opaque open partial postfix prefix private protected public rec renaming return
run_cmd scoped section set_option show sorry structure suffices syntax termination_by then
theorem true false try unless universe unsafe using variable where while with Prop Sort Type
"""
"""Words that Lean 4 and Mathlib reserve, and some that are merely confusing as names."""

RESERVED = frozenset(
    {"template", "sample", "aux", "con", "nul", "prn"}
    | set(KEYWORDS.casefold().split())
    | {f"{port}{number}" for port in ("com", "lpt") for number in range(10)}
)
"""Names taken by the template, by Lean, or by devices on some file systems, in lower case."""


def lean_names(sources: Iterable[str]) -> dict[str, str]:
    """A Lean identifier for each name, which also serves as its file name.

    ``encoder.layers.0.weight`` becomes ``encoder_layers_0_weight``.  A short hash is added where
    two names would become the same (upper and lower case not told apart), where a letter is lost,
    and where the result would be too long, reserved, or mistaken for a theorem of another matrix.

    Args:
        sources: distinct or repeated names, any text.

    Returns:
        Source to identifier, independent of the order; distinct sources get distinct identifiers.
    """
    unique = sorted(set(sources))
    shared = Counter(_readable(source).casefold() for source in unique)
    for digits in range(8, 65, 8):
        names = {
            source: _hashed(source, digits)
            if shared[_readable(source).casefold()] > 1 or _needs_hash(source)
            else _readable(source)
            for source in unique
        }
        if len({name.casefold() for name in names.values()}) == len(unique):
            return names
    raise AssertionError("SHA-256 has a collision")


def _readable(source: str) -> str:
    """The letters and digits of a name, joined by underscores, a letter first."""
    name = re.sub("[^A-Za-z0-9]+", "_", source)[:LENGTH].strip("_")
    return name if name[:1].isalpha() else f"tensor_{name}".strip("_")


def _needs_hash(source: str) -> bool:
    name = _readable(source)
    return (
        not source.isascii()
        or len(source) > LENGTH
        or re.search("[A-Za-z0-9]", source) is None
        or name.casefold() in RESERVED
        or any(f"_{kind}_" in f"_{name}_" for kind in get_args(Kind))
    )


def _hashed(source: str, digits: int) -> str:
    # A name from a damaged file may hold lone surrogates, which plain UTF-8 refuses.
    digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{_readable(source)}_{digest[:digits]}"
