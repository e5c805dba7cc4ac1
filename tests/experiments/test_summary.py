"""The table of verdicts and the figures, from stored results."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spectral_rank.atomic_file import write_atomically
from spectral_rank.experiments.commands import app
from spectral_rank.experiments.errors import ProtocolError, StorageError
from spectral_rank.experiments.figures import remake
from spectral_rank.experiments.record import (
    Analysis,
    ExperimentResult,
    Interval,
    Verdict,
)
from spectral_rank.experiments.registry import EXPERIMENTS, load
from spectral_rank.experiments.summary import BEGIN, END, chosen, in_words, render, updated

from .tiny import write

START = datetime(2026, 11, 23, tzinfo=UTC)
README = f"# Title\n\n{BEGIN}\nold\n{END}\n\nafter\n"


def result(number: str, profile: str, day: int = 0, count: int = 1) -> ExperimentResult:
    interval = Interval(value=1.35, low=1.2, high=1.5, count=3)
    return ExperimentResult(
        id=number,
        question=f"a | b\nof {profile}",
        prediction="less",
        rule="if less",
        theorems=(),
        config={"profile": profile, "seeds": [0, 1, 2]},
        config_hash="0",
        measurements=[{"size": 10, "mean": 0.5}, {"size": 100, "mean": 0.1}],
        analysis=Analysis(
            numbers={f"x{i}": interval for i in range(count)},
            verdict=Verdict.REFUTED,
            reason="it was more",
        ),
        device="a machine",
        finished=START + timedelta(days=day),
        seconds=90,
    )


def stored(
    *results: ExperimentResult, folder: Path = Path("e/results")
) -> dict[Path, ExperimentResult]:
    return {folder / f"{i}.json": result for i, result in enumerate(results)}


def test_one_result_is_chosen_for_each_experiment() -> None:
    results = stored(
        result("D.1", "smoke", 9),
        result("D.1", "cpu", 1),
        result("D.1", "cpu", 2),
        result("D.1", "gpu", 3),
        result("1.10", "gpu"),
        result("1.10", "smoke"),
        result("1.2", "smoke"),
    )
    places = [int(path.stem) for path in chosen(results)]
    assert places == [6, 4, 2]


def test_a_row_says_all(tmp_path: Path) -> None:
    results = stored(result("D.1", "cpu", count=8), folder=tmp_path / "results")
    figures = tmp_path / "figures"
    write_atomically(figures / "D.1.svg", "<svg/>")
    row, reason = render(results, tmp_path, figures).splitlines()[2::2]
    cells = [cell.strip() for cell in row.replace(r"\|", "").strip("|").split("|")]
    assert cells[:4] == ["D.1", "a  b of cpu", "less", "**refuted**"]
    assert cells[4].startswith("x0: 1.35 [1.2, 1.5], n = 3<br>x1")
    assert cells[4].endswith("<br>and 2 more in the result")
    assert cells[5:] == ["cpu", "[figure](figures/D.1.svg), [result](results/0.json)"]
    assert "it was more" in reason
    assert "2026-11-23, all cells 1.5 minutes, on a machine" in reason


def test_smoke_is_marked_and_an_absent_figure_not_linked(tmp_path: Path) -> None:
    text = render(stored(result("D.1", "smoke")), Path("e"), tmp_path)
    assert "smoke only, too small to count | [result](results/0.json) |" in text


def test_a_row_links_to_the_instances_and_counts_the_rest() -> None:
    names = tuple(f"Experiment_D_1_cpu_W_{i}" for i in range(8))
    found = result("D.1", "cpu").model_copy(update={"instances": names})
    row = render(stored(found), Path("e"), Path("f")).splitlines()[2]
    for i, name in enumerate(names[:6]):
        assert f"[instance W_{i}](../lean/SpectralRank/Measured/{name}.lean)" in row
    assert row.endswith("and 2 more instances in the result |")
    assert names[6] not in row


def test_the_default_text_is_chosen_and_another_is_named() -> None:
    latest = result("D.1", "cpu", 9)
    own = latest.model_copy(update={"config": latest.config | {"corpus": "/tmp/a|b.txt"}})
    results = stored(own, result("D.1", "cpu", 1), result("D.1", "gpu", 10))
    assert [int(path.stem) for path in chosen(results)] == [1]
    row = render(stored(own), Path("e"), Path("f")).splitlines()[2]
    assert r"| cpu, text a\|b.txt |" in row


def test_levels_other_than_95_are_told() -> None:
    interval = Interval(value=2, low=float("-inf"), high=3, level=0.9, count=5)
    assert in_words(interval) == "2 [-inf, 3] at 90 %, n = 5"


def test_only_the_text_between_the_markers_changes(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(README)
    text = updated(readme, {}, tmp_path)
    assert text.startswith(f"# Title\n\n{BEGIN}\n")
    assert text.endswith(f"{END}\n\nafter\n")
    assert "Nothing has been measured here yet." in text
    assert "old" not in text


@pytest.mark.parametrize("text", ["", BEGIN, f"{END} {BEGIN}", f"{BEGIN} {BEGIN} {END}"])
def test_a_readme_without_markers_is_told(text: str, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(text)
    with pytest.raises(StorageError, match="each once"):
        updated(readme, {}, tmp_path)
    with pytest.raises(StorageError, match="cannot be read"):
        updated(tmp_path / "absent.md", {}, tmp_path)


def test_the_readme_of_the_checkout_has_its_markers() -> None:
    assert updated(EXPERIMENTS / "README.md", {}, EXPERIMENTS / "figures")


def test_run_figures_and_summary_by_command(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "README.md").write_text(README)

    def command(*arguments: str) -> tuple[int, str]:
        outcome = CliRunner().invoke(app, [*arguments, "--experiments", str(tmp_path)])
        return outcome.exit_code, outcome.output

    assert command("run", "T.1", "--profile", "smoke", "--jobs", "1")[0] == 0
    assert command("figures")[0] == 0
    code, output = command("summary", "--check")
    assert (code, "run spectral-rank experiment summary" in output) == (1, True)
    assert (tmp_path / "README.md").read_text() == README
    assert command("summary")[0] == 0
    assert command("summary", "--check")[0] == 0
    assert "[figure](figures/T.1.svg)" in (tmp_path / "README.md").read_text()
    first = (tmp_path / "figures" / "T.1.svg").read_bytes()
    assert command("figures", "t.1")[0] == 0
    assert (tmp_path / "figures" / "T.1.svg").read_bytes() == first
    assert b"<dc:date>" not in first
    (tmp_path / "results" / "certificates.json").write_text("{}")
    assert command("summary", "--check")[0] == 0
    (tmp_path / "results" / "T.2-cpu-0123456789ab.json").write_text("{}")
    assert command("summary")[0] == 1
    assert "T.2-cpu-0123456789ab.json: not a result" in command("figures")[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("figure = Figure()", "figure = 1 / 0"), "draw failed: ZeroDivisionError"),
        (("figure.savefig(path)", "path.write_text('no picture')"), "must write an SVG"),
        (("figure.savefig(path)", "return"), "must write an SVG"),
    ],
)
def test_a_broken_figure_is_told(change: tuple[str, str], message: str, tmp_path: Path) -> None:
    experiment = load(write(tmp_path, change))
    with pytest.raises(ProtocolError, match=message):
        remake(experiment, result("T.1", "cpu"), tmp_path / "figures")
    assert not (tmp_path / "figures").exists()


def test_a_figure_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    path = write(tmp_path)
    with pytest.raises(StorageError, match="cannot be written"):
        remake(load(path), result("T.1", "cpu"), path / "figures")
