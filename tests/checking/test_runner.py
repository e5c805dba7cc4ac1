"""The runner and the command line, on the real catalogue and on libraries with something wrong."""

import io
import json
import shutil
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spectral_rank.checking import runner
from spectral_rank.checking.examine import Budget, Outcome
from spectral_rank.checking.lean_source import LeanLibrary
from spectral_rank.checking.report import Report
from spectral_rank.checking.runner import (
    MutantOutcome,
    Options,
    TheoremReport,
    compare,
    run,
    select,
)
from spectral_rank.cli import app
from spectral_rank.theorems.claim import Relation, le
from spectral_rank.theorems.strategies import reals
from spectral_rank.theorems.theorem import Certified, Mutant, Property, Theorem, grid

LEAN = Path(__file__).parents[2] / "lean"
LIBRARY = LeanLibrary(LEAN)
QUICK = Options(budget=Budget(examples=5), jobs=1)


@pytest.fixture
def altered(tmp_path: Path) -> Path:
    """A copy of lean/ to break."""
    return Path(shutil.copytree(LEAN, tmp_path / "lean"))


def edit(folder: Path, file: str, old: str, new: str) -> LeanLibrary:
    path = folder / "SpectralRank" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return LeanLibrary(folder)


def test_a_theorem_without_entry_is_found(altered: Path) -> None:
    library = edit(
        altered, "PowerLaw.lean", "end SpectralRank", "theorem new : 1 = 1 := rfl\nend SpectralRank"
    )
    assert compare(library).without_entry == ["new"]
    report = next(run(library, ["new"], QUICK))
    assert not report.passed


def test_an_entry_without_theorem_is_found(altered: Path) -> None:
    library = edit(altered, "PowerLaw.lean", "theorem tailEnergy_pos", "lemma tailEnergy_pos")
    assert compare(library, {"PowerLaw.lean"}).without_theorem == ["tailEnergy_pos"]


def test_a_changed_statement_is_found(altered: Path) -> None:
    library = edit(
        altered, "PowerLaw.lean", "(r : ℕ) : 0 < tailEnergy α r", "(r : ℕ) : 0 ≤ tailEnergy α r"
    )
    assert compare(library, {"PowerLaw.lean"}).changed == ["tailEnergy_pos"]


def test_a_changed_definition_changes_the_statements_that_rest_on_it(altered: Path) -> None:
    library = edit(altered, "PowerLaw.lean", ":= (i : ℝ) ^ (-α)", ":= (i : ℝ) ^ (-α) + 0")
    assert "tailEnergy_le" in compare(library, {"PowerLaw.lean"}).changed


def test_a_missing_proof_is_found(altered: Path) -> None:
    library = edit(altered, "Critical.lean", ":= by", ":= by sorry --")
    assert compare(library, {"Critical.lean"}).forbidden == ["Critical.lean: sorry"]


def test_selection() -> None:
    assert select(LIBRARY, ["tailEnergy_le"]) == ["tailEnergy_le"]
    assert len(select(LIBRARY, ["PowerLaw/*"])) == 12
    assert len(select(LIBRARY, [])) == 254
    with pytest.raises(KeyError, match="nothing"):
        select(LIBRARY, ["tailEnergy_le", "nothing*"])


def bounded(x: object, *, bound: int = 1) -> Iterator[Relation]:
    yield le(x, bound)


def crashes(x: object) -> Iterator[Relation]:
    raise ZeroDivisionError("a mutant that cannot be computed")


def entry(*mutants: Mutant) -> Theorem:
    points = Certified(grid(x=(Fraction(1, 2),)))
    return Theorem("t", "", "", bounded, (points, Property({"x": reals(0, 1)})), mutants)


@pytest.mark.parametrize(
    ("mutant", "killed"),
    [
        (Mutant("false", partial(bounded, bound=0)), True),
        (Mutant("as true as the theorem", partial(bounded, bound=2)), False),
        (Mutant("an exception is not a refutation", crashes), False),
    ],
)
def test_a_mutant_is_killed_by_a_counterexample_only(
    mutant: Mutant, killed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "entries", lambda module: (entry(mutant),))
    report = runner.report("t", "PowerLaw.lean", 1, Options(jobs=1))
    assert [m.killed for m in report.mutants] == [killed]
    assert report.passed is killed


def test_every_mutant_check_runs_them_all() -> None:
    options = Options(budget=Budget(examples=5), every_mutant_check=True, jobs=1)
    report = next(run(LIBRARY, ["tailEnergy_le"], options))
    assert all(len(mutant.outcomes) == len(report.checks) for mutant in report.mutants)


def test_processes_and_one_process_find_the_same() -> None:
    names = select(LIBRARY, ["PowerLaw/*"])

    def found(jobs: int) -> dict[str, tuple[bool, list[int]]]:
        options = QUICK.model_copy(update={"jobs": jobs})
        return {
            r.name: (r.passed, [outcome.count for outcome in r.checks])
            for r in run(LIBRARY, names, options)
        }

    assert found(1) == found(2)


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_command_line_passes_and_reports(tmp_path: Path) -> None:
    record, page = tmp_path / "r.json", tmp_path / "r.html"
    code, output = invoke(
        "check",
        "--only",
        "tailEnergy_*",
        "--examples",
        "20",
        "--json",
        str(record),
        "--html",
        str(page),
    )
    assert code == 0, output
    assert "5 of 5 theorems pass" in output
    stored = Report.model_validate_json(record.read_text())
    assert {r.name for r in stored.reports} == set(select(LIBRARY, ["tailEnergy_*"]))
    assert all(r.passed for r in stored.reports)
    assert json.loads(record.read_text())["schema_version"] == 1
    html = page.read_text()
    assert "tailEnergy_split" in html
    assert "<math" in html
    assert "<svg" in html
    assert "http" not in html.replace("http://www.w3.org", "")


def test_command_line_fails_on_a_changed_statement(altered: Path) -> None:
    edit(altered, "PowerLaw.lean", "(r : ℕ) : 0 < tailEnergy α r", "(r : ℕ) : 0 ≤ tailEnergy α r")
    code, output = invoke(
        "check", "--only", "tailEnergy_pos", "--examples", "5", "--lean", str(altered)
    )
    assert code == 1
    assert "statement changed since its entry was written: tailEnergy_pos" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--only", "noSuchTheorem"), "noSuchTheorem"),
        (("--lean", "/nonexistent"), "/nonexistent"),
        (("--examples", "0"), "0"),
        (("--seed", "-1"), "-1"),
        (("--json", "/nonexistent/r.json"), "/nonexistent/r.json"),
    ],
)
def test_bad_options_are_named(arguments: tuple[str, ...], message: str) -> None:
    code, output = invoke("check", *arguments)
    assert code == 2
    assert message in output


def test_a_failure_is_shown_with_what_reproduces_it() -> None:
    from rich.console import Console

    from spectral_rank.checking.table import print_failure

    console = Console(record=True, width=120, file=io.StringIO())
    failed = Outcome(
        kind="property", status="refuted", count=3, seconds=0, detail="1 <= 0 at x = 1"
    )
    survivor = MutantOutcome(change="too weak", killed=False, outcomes=[failed])
    report = TheoremReport(
        name="t", file="F.lean", line=7, checks=[failed], mutants=[survivor], seconds=0
    )
    print_failure(console, report, Options(budget=Budget(examples=50, seed=3)))
    text = console.export_text()
    assert "1 <= 0 at x = 1" in text
    assert "mutant survived: too weak" in text
    assert "spectral-rank check --only t --seed 3 --examples 50" in text
