"""``--corpus FILE``: who reads a text, what is refused, and what identifies the result."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spectral_rank.experiments.commands import app
from spectral_rank.experiments.corpus import Corpus, read_corpus, reads_corpus
from spectral_rank.experiments.record import ExperimentResult
from spectral_rank.experiments.recurrent import RecurrentSettings
from spectral_rank.experiments.registry import load
from spectral_rank.experiments.runner import Options, configuration, run
from spectral_rank.experiments.store import read_result
from spectral_rank.formulas.domain import DomainError

from .tiny import write

READS = (
    "    pause: float = 0.0\n",
    "    pause: float = 0.0\n    corpus: str | None = None\n    corpus_sha256: str | None = None\n",
)
BYTES = (
    'return {**cell, "mean"',
    'return {**cell, "bytes": len(open(config.corpus).read()) if config.corpus else 0, "mean"',
)


def reader(folder: Path, number: str = "T.2") -> Path:
    return write(folder, ('"T.1"', f'"{number}"'), READS, BYTES, name=f"reader_{number}.py")


def command(folder: Path, *arguments: str) -> tuple[int, str]:
    places = ["--profile", "smoke", "--jobs", "1", "--experiments", str(folder)]
    outcome = CliRunner().invoke(app, ["run", *arguments, *places])
    return outcome.exit_code, " ".join(outcome.output.replace("│", " ").split())


def results(folder: Path) -> list[ExperimentResult]:
    return [read_result(path) for path in sorted((folder / "results").glob("*.json"))]


def test_the_text_is_part_of_the_configuration(tmp_path: Path) -> None:
    experiment = load(reader(tmp_path))
    text = tmp_path / "text.txt"
    digests = {configuration(experiment, "smoke").digest()}
    for content in ("first", "second"):
        text.write_text(content)
        config = configuration(experiment, "smoke", read_corpus(text))
        assert config.model_dump()["corpus"] == str(text)
        expected = hashlib.sha256(content.encode()).hexdigest()
        assert config.model_dump()["corpus_sha256"] == expected
        digests.add(config.digest())
    assert len(digests) == 3


def test_the_path_alone_will_do(tmp_path: Path) -> None:
    """Settings need no field for the hash."""
    path = write(
        tmp_path, (READS[0], READS[1].replace("    corpus_sha256: str | None = None\n", ""))
    )
    text = tmp_path / "text.txt"
    text.write_text("words")
    config = configuration(load(path), "smoke", read_corpus(text))
    assert config.model_dump()["corpus"] == str(text)


def test_a_text_is_read_from_its_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader(tmp_path)
    (tmp_path / "text.txt").write_text("seven b")
    monkeypatch.chdir(tmp_path)
    code, output = command(tmp_path, "T.2", "--corpus", "text.txt")
    assert code == 0, output
    (result,) = results(tmp_path)
    assert result.config["corpus"] == str(tmp_path / "text.txt")
    assert {m["bytes"] for m in result.measurements} == {7}
    (tmp_path / "text.txt").write_text("ten bytes.")
    assert command(tmp_path, "T.2", "--corpus", "text.txt")[0] == 0
    assert command(tmp_path, "T.2")[0] == 0
    found = [result.measurements[0]["bytes"] for result in results(tmp_path)]
    assert sorted(found) == [0, 7, 10]


def test_a_stored_result_of_a_text_is_judged_again(tmp_path: Path) -> None:
    reader(tmp_path)
    text = tmp_path / "text.txt"
    text.write_text("words")
    again = ("T.2", "--corpus", str(text), "--judge-again")
    assert "no finished result" in command(tmp_path, *again)[1]
    assert command(tmp_path, *again[:-1])[0] == 0
    assert command(tmp_path, *again)[0] == 0


def test_experiments_without_a_text_are_skipped_or_refused(tmp_path: Path) -> None:
    write(tmp_path)
    reader(tmp_path)
    text = tmp_path / "text.txt"
    text.write_text("words")
    code, output = command(tmp_path, "T.1", "T.2", "--corpus", str(text))
    assert (code, "no text is read by T.1" in output) == (2, True)
    assert not (tmp_path / "results").exists()
    code, output = command(tmp_path, "--corpus", str(text))
    assert code == 0
    assert "skipped, as they read no text: T.1" in output
    assert [result.id for result in results(tmp_path)] == ["T.2"]


def test_a_folder_where_nothing_reads_a_text_is_told(tmp_path: Path) -> None:
    write(tmp_path)
    text = tmp_path / "text.txt"
    text.write_text("words")
    code, output = command(tmp_path, "--corpus", str(text))
    assert (code, "no text is read by T.1" in output) == (2, True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent", "must be a file"),
        ("folder", "must be a file"),
        ("empty", "must be a file that is not empty"),
        ("text/below", "must be a file"),
    ],
)
def test_what_is_no_text_is_told_before_anything_runs(
    name: str, message: str, tmp_path: Path
) -> None:
    reader(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("words")
    with pytest.raises(DomainError, match=f"^corpus = '{tmp_path / name}': corpus {message}"):
        read_corpus(tmp_path / name)
    code, output = command(tmp_path, "--corpus", str(tmp_path / name))
    assert (code, message in output, "Traceback" in output) == (2, True, False)
    assert not (tmp_path / "results").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("words")
    path.chmod(0)
    with pytest.raises(DomainError, match="Permission denied"):
        read_corpus(path)


def test_a_text_for_an_experiment_that_reads_none_is_refused(tmp_path: Path) -> None:
    experiment = load(write(tmp_path))
    corpus = Corpus(tmp_path / "text", "0" * 64)
    with pytest.raises(DomainError, match="given only to experiments that read a text"):
        run(experiment, "smoke", Options(tmp_path / "results", corpus=corpus))
    assert not (tmp_path / "results").exists()


def test_recurrent_experiments_read_a_text() -> None:
    assert reads_corpus(RecurrentSettings)
