"""The reader of Lean sources, on the real library and on a file that tries its edges."""

from pathlib import Path

import pytest

from spectral_rank.checking.lean_source import LeanLibrary

LEAN = Path(__file__).parents[2] / "lean"


@pytest.fixture(scope="module")
def library() -> LeanLibrary:
    return LeanLibrary(LEAN)


def test_every_theorem_is_read(library: LeanLibrary) -> None:
    lines = [line for path in library.files() for line in path.read_text().splitlines()]
    assert len(library.theorems()) == sum(line.startswith("theorem ") for line in lines) == 254


def test_a_declaration_knows_where_it_stands(library: LeanLibrary) -> None:
    for declaration in library.declarations.values():
        line = (library.root / declaration.file).read_text().splitlines()[declaration.line - 1]
        short = declaration.name.rpartition(".")[2]
        assert declaration.keyword in line
        assert short in line


def test_statement_doc_and_variables(library: LeanLibrary) -> None:
    formula = library.declarations["rank_formula"]
    assert formula.file == "RankFormula.lean"
    assert formula.statement.endswith("contTail α d / contTail α x = ε ↔ x / d = rankRatio α ε")
    assert formula.doc.startswith("**Rank formula.**")
    assert formula.variables == ("{α ε : ℝ}",)


def test_namespaces_are_part_of_the_name(library: LeanLibrary) -> None:
    assert "InEnvelope.explained_ge" in library.theorems()
    assert "Adequate.mono" in library.theorems()


def test_uses_go_through_lemmas(library: LeanLibrary) -> None:
    assert "adequate_ceil" in library.uses["optimalRank_bounds"]
    assert "rankRatio_pos" in library.theorem_uses("optimalRank_bounds")
    assert library.theorem_uses("singularValue_sq") == frozenset()
    for name in library.theorems():
        assert name not in library.theorem_uses(name)


SOURCE = """
/-! # A file -/
namespace SpectralRank
variable {a : ℝ}
/-- A number. -/
noncomputable def number (x : ℝ := 1) : ℝ := x + 1
section Inner
variable (h : 0 < a)
/-- The statement.
It has two lines. -/
theorem first {s : Set ℝ} (hs : s = {x | x = 1}) :
    number a = a + 1 := by -- a comment with := and theorem
  rfl
end Inner
theorem second : IsOne 1 where
  proof := rfl
end SpectralRank
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "SpectralRank").mkdir()
    (tmp_path / "SpectralRank" / "Small.lean").write_text(SOURCE)
    return tmp_path


def test_edges_of_the_syntax(small: Path) -> None:
    library = LeanLibrary(small)
    first = library.declarations["first"]
    assert first.statement == "{s : Set ℝ} (hs : s = {x | x = 1}) : number a = a + 1"
    assert first.doc == "The statement. It has two lines."
    assert first.variables == ("{a : ℝ}", "(h : 0 < a)")
    assert library.declarations["second"].statement == ": IsOne 1"
    assert library.declarations["second"].variables == ("{a : ℝ}",)
    assert library.uses["first"] == {"number"}


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("a + 1 := by", "a + 2 := by", True),
        ("(h : 0 < a)", "(h : 0 ≤ a)", True),
        ("ℝ := x + 1", "ℝ := x + 2", True),
        ("  rfl\n", "  simp\n", False),
        ("number a = a", "number a  =  a", False),
        ("IsOne 1", "IsOne 2", False),
    ],
)
def test_the_hash_covers_what_a_theorem_says(
    small: Path, old: str, new: str, changes: bool
) -> None:
    before = LeanLibrary(small).statement_hash("first")
    path = small / "SpectralRank" / "Small.lean"
    assert old in SOURCE
    path.write_text(SOURCE.replace(old, new))
    assert (LeanLibrary(small).statement_hash("first") != before) is changes


def test_a_folder_without_the_library_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="SpectralRank"):
        LeanLibrary(tmp_path)
