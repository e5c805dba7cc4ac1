"""theory/ explains every theorem of lean/, in the words of its entry, and names no other."""

import re
from pathlib import Path

import pytest

from spectral_rank.checking.lean_source import LeanLibrary
from spectral_rank.theorems.registry import entries, module_of

ROOT = Path(__file__).parents[1]
LIBRARY = LeanLibrary(ROOT / "lean")
FILES = [path.relative_to(LIBRARY.root).as_posix() for path in LIBRARY.files()]
SECTION = re.compile(r"^### `(?P<name>[^`]+)`\n+```math\n(?P<statement>.*?)\n```$", re.M | re.S)
CODE = re.compile(r"`([A-Za-z_][\w'.]*)`")
PAGES = sorted((ROOT / "theory").rglob("*.md"))


def page_of(file: str) -> Path:
    return ROOT / "theory" / file.replace(".lean", ".md")


@pytest.mark.parametrize("file", FILES)
def test_page_states_each_theorem_as_its_entry_does(file: str) -> None:
    stated = {m["name"]: m["statement"] for m in SECTION.finditer(page_of(file).read_text())}
    expected = {theorem.name: theorem.statement for theorem in entries(module_of(file))}
    declared = {name for name, d in LIBRARY.theorems().items() if d.file == file}
    assert stated.keys() == declared
    assert stated == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_page_names_only_what_exists(page: Path) -> None:
    """A word in code font that looks like a Lean theorem must be a declaration of lean/."""
    headings = re.findall(r"^### `([^`]+)`", page.read_text(), re.M)
    assert [name for name in headings if name not in LIBRARY.theorems()] == []
    camel = [w for w in CODE.findall(page.read_text()) if re.search(r"[a-z][A-Z]", w)]
    known = {name.rpartition(".")[2] for name in LIBRARY.declarations} | LIBRARY.declarations.keys()
    assert [word for word in camel if word not in known and word not in NOT_OURS] == []


NOT_OURS = {"DeepLinear", "SpectralRank"}
"""Camel-case words in code font that are not declarations: folders and Mathlib names."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_index_links_every_page() -> None:
    index = (ROOT / "theory" / "README.md").read_text()
    pages = {p.relative_to(ROOT / "theory").as_posix() for p in PAGES} - {"README.md"}
    assert [page for page in sorted(pages) if f"({page})" not in index] == []
