"""The Lean sources are the verified ones, and nothing in them stands in for a proof."""

import hashlib
from pathlib import Path

import pytest

from spectral_rank.checking.lean_source import FORBIDDEN, forbidden_words

ROOT = Path(__file__).parents[1]
LEAN = ROOT / "lean"
SUMS = ROOT.parent / "shared" / "lean" / "SHA256SUMS"
FILES = sorted(LEAN.rglob("*.lean"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(LEAN).as_posix())
def test_no_word_stands_in_for_a_proof(path: Path) -> None:
    assert forbidden_words(path) == []


@pytest.mark.parametrize("word", FORBIDDEN)
def test_a_forbidden_word_is_found(word: str, tmp_path: Path) -> None:
    source = tmp_path / "Bad.lean"
    source.write_text(f"/- {word} in a comment -/\ntheorem bad : 1 = 2 := by\n  {word}\n")
    assert forbidden_words(source) == [word]
    source.write_text(f"/- {word} -/\n-- {word}\ntheorem good : 1 = 1 := rfl\n")
    assert forbidden_words(source) == []


@pytest.mark.skipif(not SUMS.exists(), reason="the verified sources are not beside this checkout")
def test_sources_are_the_verified_ones() -> None:
    expected = dict(reversed(line.split()) for line in SUMS.read_text().splitlines())
    actual = {
        name: hashlib.sha256((LEAN / name).read_bytes()).hexdigest()
        for name in expected
        if (LEAN / name).exists()
    }
    assert actual == expected


def test_the_root_imports_every_file() -> None:
    imported = {
        line.removeprefix("import ").replace(".", "/") + ".lean"
        for line in (LEAN / "SpectralRank.lean").read_text().splitlines()
        if line.startswith("import ")
    }
    proofs = {
        path.relative_to(LEAN).as_posix()
        for path in (LEAN / "SpectralRank").rglob("*.lean")
        if "Measured" not in path.parts
    }
    assert imported == proofs
