"""Finding and loading experiments: the protocol, and every way to break it."""

from pathlib import Path

import pytest

from spectral_rank.experiments.errors import ProtocolError, UnknownExperimentError
from spectral_rank.experiments.registry import (
    EXPERIMENTS,
    catalogue,
    load,
    plan_order,
    select,
)
from spectral_rank.experiments.runner import checked_cells, configuration
from spectral_rank.experiments.source import measuring_hash
from spectral_rank.theorems.registry import stored_statements

from .tiny import SOURCE, write

CHECKOUT = catalogue()


@pytest.mark.parametrize("number", CHECKOUT)
def test_the_experiments_of_the_checkout_keep_the_protocol(number: str) -> None:
    experiment = load(CHECKOUT[number])
    assert experiment.id == number
    assert set(experiment.theorems) <= stored_statements().keys()
    for profile in ("smoke", "cpu", "gpu"):
        config = configuration(experiment, profile)
        assert checked_cells(experiment, config)
        assert len(config.seeds) >= (3 if profile != "smoke" else 1)


def test_an_experiment_says_what_its_file_says(tmp_path: Path) -> None:
    experiment = load(write(tmp_path, ("ID = ", "CELL_THREADS = 2\nSERIAL = True\nID = ")))
    assert (experiment.id, experiment.prediction) == ("T.1", "it does")
    assert (experiment.threads, experiment.serial) == (2, True)
    assert experiment.theorems == ("rank_formula",)


def test_files_of_the_same_name_do_not_mix(tmp_path: Path) -> None:
    first = load(write(tmp_path / "a"))
    second = load(write(tmp_path / "b", ('"it does"', '"it does not"')))
    assert (first.prediction, second.prediction) == ("it does", "it does not")
    assert first.settings is not second.settings


def test_the_plan_has_an_order(tmp_path: Path) -> None:
    ids = ["D.2", "1.10", "D.1", "4.3", "1.2"]
    for place, number in enumerate(ids):
        write(tmp_path, ('"T.1"', f'"{number}"'), name=f"f{place}.py")
    assert list(catalogue(tmp_path)) == ["1.2", "1.10", "4.3", "D.1", "D.2"]
    assert [e.id for e in select(["d.1", "1.10"], tmp_path)] == ["1.10", "D.1"]
    assert [e.id for e in select([], tmp_path)] == sorted(ids, key=plan_order)


def test_an_unknown_id_is_told_with_those_there_are(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(UnknownExperimentError, match=r"D\.9: no such experiment .*T\.1"):
        select(["T.1", "D.9"], tmp_path)
    with pytest.raises(UnknownExperimentError, match="no folder"):
        select(["T.1"], tmp_path / "absent")


def test_a_file_that_does_not_run_stops_no_other(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, ('ID = "T.1"', 'ID = "T.2"\nraise RuntimeError("no data")'), name="other.py")
    (tmp_path / "_notes.py").write_text("not an experiment, nor Python")
    assert [e.id for e in select(["T.1"], tmp_path)] == ["T.1"]
    with pytest.raises(ProtocolError, match=r"other\.py:\d+: RuntimeError: no data"):
        select(["T.2"], tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("def draw(", "def paint("), "does not define draw"),
        (("class Settings(Config)", "class Settings(dict)"), "Settings must be a subclass"),
        (('QUESTION = "Does the mean | approach 0?"', "QUESTION = 3"), "QUESTION must be a text"),
        (('RULE = "confirmed if the interval contains 0"', 'RULE = " "'), "RULE must be a text"),
        (('("rank_formula",)', '"rank_formula"'), "THEOREMS must be a tuple"),
        (("ID = ", "CELL_THREADS = 0\nID = "), "CELL_THREADS must be an integer >= 1"),
        (("ID = ", "SERIAL = 1\nID = "), "SERIAL must be True or False"),
        (
            ("def config(profile):", "config = 3\ndef _config(profile):"),
            "config must be a function",
        ),
        (("def draw(", "instances = 3\n\n\ndef draw("), "instances must be a function"),
        (('"""Question', 'X = """Question'), "docstring must state"),
        (("import numpy as np", "import no_such_module"), "ModuleNotFoundError"),
    ],
)
def test_a_broken_protocol_is_told(change: tuple[str, str], message: str, tmp_path: Path) -> None:
    changes = [change]
    if change[0].startswith('"""'):
        changes.append(("from __future__ import annotations\n", ""))
    path = write(tmp_path, *changes)
    with pytest.raises(ProtocolError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('ID = "T.1"', 'ID = "T" + ".1"'), "must state its number"),
        (('ID = "T.1"', 'ID = "../T.1"'), "must state its number"),
        (("def draw(", "def draw(("), r"tiny\.py:\d+: "),
    ],
)
def test_a_file_without_a_number_is_told(
    change: tuple[str, str], message: str, tmp_path: Path
) -> None:
    write(tmp_path, change)
    with pytest.raises(ProtocolError, match=message):
        catalogue(tmp_path)


def test_a_number_is_given_once(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, name="twin.py")
    with pytest.raises(ProtocolError, match=r"twin\.py: ID T\.1 is also that of tiny\.py"):
        catalogue(tmp_path)


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProtocolError, match="cannot be read"):
        catalogue(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        ('"""Draw and average."""', '"""Average."""\n    # of Gaussian numbers'),
        ("Does the mean |", "Does the median |"),
        ("interval = mean_interval(last)", "interval = mean_interval(last, 0.9)"),
        ('"o")', '"s")'),
        ('"""Sizes."""', '"""All sizes."""'),
        ("from matplotlib.figure import Figure", "from matplotlib.figure import Figure  # svg"),
    ],
)
def test_words_and_analysis_do_not_change_the_measuring_code(change: tuple[str, str]) -> None:
    assert measuring_hash(SOURCE.replace(*change)) == measuring_hash(SOURCE)


@pytest.mark.parametrize(
    "change",
    [
        ('cell["seed"])', 'cell["seed"] + 1)'),
        ("import numpy as np", "import numpy.random as np"),
        ("pause: float = 0.0", "pause: float = 0.1"),
        ("import time", "import time\ntime.sleep(0)"),
        ("def run_cell(config, cell):", "@print\ndef run_cell(config, cell):"),
    ],
)
def test_what_run_cell_reaches_changes_the_measuring_code(change: tuple[str, str]) -> None:
    assert SOURCE.count(change[0]) == 1
    assert measuring_hash(SOURCE.replace(*change)) != measuring_hash(SOURCE)


def test_constants_and_functions_are_reached_through_others() -> None:
    source = "A = 1\nB = A + 1\nC = 3\ndef f(): return B\ndef run_cell(config, cell): return f()"
    assert measuring_hash(source.replace("A = 1", "A = 2")) != measuring_hash(source)
    assert measuring_hash(source.replace("C = 3", "C = 4")) == measuring_hash(source)


def test_the_checkout_has_a_folder_of_experiments() -> None:
    assert (EXPERIMENTS / "README.md").is_file()
