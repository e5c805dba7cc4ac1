"""Runs that are whole, cut off, killed, refused or broken; with real processes and files."""

import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spectral_rank.experiments.commands import app
from spectral_rank.experiments.engines import Engine, Workers
from spectral_rank.experiments.errors import (
    AlreadyRunningError,
    CellsFailedError,
    EngineError,
    ProtocolError,
    StorageError,
    WorkerLostError,
)
from spectral_rank.experiments.record import ExperimentResult, Verdict
from spectral_rank.experiments.registry import Experiment, load
from spectral_rank.experiments.runner import Options, configuration, local_jobs, run
from spectral_rank.experiments.store import Store, read_result

from .tiny import write

# A shell that starts these tests in the background has them ignore Ctrl-C.
LISTEN = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
COMMAND = [
    sys.executable,
    "-c",
    f"{LISTEN}from spectral_rank.experiments.commands import app; app()",
]
KILLS = 20


def prepared(tmp_path: Path, *changes: tuple[str, str]) -> tuple[Experiment, Options]:
    return load(write(tmp_path, *changes)), Options(tmp_path / "results", jobs=1)


def logging(folder: Path) -> tuple[str, str]:
    """A change to the experiment that notes every measurement in a file."""
    old = '    """Draw and average."""\n'
    return old, f'{old}    print(cell, file=open({str(folder / "log")!r}, "a"), flush=True)\n'


def failing(condition: str) -> tuple[str, str]:
    old = '    """Draw and average."""\n'
    return old, f'{old}    if {condition}:\n        raise ArithmeticError("no mean")\n'


def numbers(result: ExperimentResult) -> str:
    """All that a second run must find again."""
    return result.model_dump_json(exclude={"finished", "seconds", "device"})


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> ExperimentResult:
    """The result of a run that nothing disturbs."""
    experiment, options = prepared(tmp_path_factory.mktemp("reference"))
    return run(experiment, "smoke", options)


def test_a_run_measures_every_cell_in_order(reference: ExperimentResult) -> None:
    found = [(m["size"], m["seed"]) for m in reference.measurements]
    assert found == [(size, seed) for size in (10, 100) for seed in (0, 1, 2)]
    assert {m["threads"] for m in reference.measurements} == {"1"}
    assert reference.analysis.verdict is Verdict.CONFIRMED
    assert reference.analysis.numbers["mean"].count == 3
    assert "1 thread per cell" in reference.device


def test_a_run_killed_20_times_ends_with_the_same_numbers(
    tmp_path: Path, reference: ExperimentResult
) -> None:
    chance = random.Random(7)
    write(tmp_path, logging(tmp_path), ("pause: float = 0.0", "pause: float = 0.03"))
    log, runs, killed = tmp_path / "log", 0, 0
    while killed < KILLS or runs == 0:
        results = tmp_path / f"results{runs}"
        log.touch()
        before = len(log.read_text().splitlines())
        process = start(tmp_path, results)
        if killed < KILLS:
            # From "while Python starts" to "a few cells later", at no special moment.
            wait_until(process, log, before + chance.choice([-1, 1, 2, 3]))
            time.sleep(chance.uniform(0, 0.05))
            process.kill()
        if process.wait() == -signal.SIGKILL:
            killed += 1
            continue
        assert process.returncode == 0
        (path,) = results.glob("T.1-smoke-*.json")
        found = read_result(path)
        assert found.measurements == reference.measurements
        assert found.analysis == reference.analysis
        assert [p.name for p in (results / ".partial").iterdir()] == [".gitignore"]
        runs += 1
    # A kill costs at most the two cells in work and one that was not yet written.
    assert len(log.read_text().splitlines()) <= 6 * (runs + 1) + 3 * KILLS


def start(
    folder: Path, results: Path, output: int = subprocess.DEVNULL, start_new_session: bool = False
) -> subprocess.Popen[bytes]:
    """Run all cells with two workers, in a process of its own."""
    places = ["--experiments", str(folder), "--results", str(results)]
    return subprocess.Popen(
        [*COMMAND, "run", "--profile", "smoke", "--jobs", "2", *places],
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=start_new_session,
    )


def wait_until(process: subprocess.Popen[bytes], log: Path, lines: int) -> None:
    while process.poll() is None and len(log.read_text().splitlines()) < lines:
        time.sleep(0.01)


def test_workers_end_with_a_killed_run(tmp_path: Path) -> None:
    note = f'time.sleep(config.pause) if open({str(tmp_path / "log")!r}, "a").write('
    write(
        tmp_path,
        ("pause: float = 0.0", "pause: float = 600"),
        ("time.sleep(config.pause)", f'{note}f"{{os.getpid()}}\\n") else None'),
    )
    (tmp_path / "log").touch()
    process = start(tmp_path, tmp_path / "results")
    wait_until(process, tmp_path / "log", 2)
    process.kill()
    process.wait()
    for worker in map(int, (tmp_path / "log").read_text().split()):
        while alive(worker):  # a worker that does not end hangs this test, and so fails it
            time.sleep(0.01)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_a_finished_result_is_not_measured_again(tmp_path: Path) -> None:
    experiment, options = prepared(tmp_path, logging(tmp_path))
    first = run(experiment, "smoke", options)
    assert run(experiment, "smoke", options) == first
    assert len((tmp_path / "log").read_text().splitlines()) == 6
    forced = Options(options.results, jobs=1, force=True)
    second = run(experiment, "smoke", forced)
    assert (numbers(second), second.finished > first.finished) == (numbers(first), True)
    assert len((tmp_path / "log").read_text().splitlines()) == 12


def test_a_cell_that_raises_stops_no_other(tmp_path: Path, reference: ExperimentResult) -> None:
    marker = tmp_path / "repaired"
    absent = f'cell["seed"] == 1 and not os.path.exists({str(marker)!r})'
    experiment, options = prepared(tmp_path, logging(tmp_path), failing(absent))
    with pytest.raises(CellsFailedError) as caught:
        run(experiment, "smoke", options)
    message = str(caught.value)
    assert "T.1: 2 of 6 cells failed, 4 are kept" in message
    assert "cell 1 {'size': 10, 'seed': 1}: ArithmeticError: no mean" in message
    assert "Traceback" in message
    marker.touch()
    assert run(experiment, "smoke", options).measurements == reference.measurements
    assert len((tmp_path / "log").read_text().splitlines()) == 6


def test_a_forced_run_that_was_cut_off_goes_on_when_forced_again(tmp_path: Path) -> None:
    marker = tmp_path / "broken"
    absent = f'cell["seed"] == 1 and os.path.exists({str(marker)!r})'
    experiment, options = prepared(tmp_path, logging(tmp_path), failing(absent))
    forced = Options(options.results, jobs=1, force=True)
    first = run(experiment, "smoke", options)
    marker.touch()
    with pytest.raises(CellsFailedError, match="4 are kept"):
        run(experiment, "smoke", forced)
    assert run(experiment, "smoke", options) == first
    marker.unlink()
    assert numbers(run(experiment, "smoke", forced)) == numbers(first)
    assert len((tmp_path / "log").read_text().splitlines()) == 6 + 4 + 2


def test_the_command_reports_failed_cells_and_goes_on(tmp_path: Path) -> None:
    write(tmp_path, failing('cell["seed"] == 1'))
    write(tmp_path, ('"T.1"', '"T.2"'), name="other.py")
    arguments = ["run", "--profile", "smoke", "--jobs", "1", "--experiments", str(tmp_path)]
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 1
    assert "2 of 6 cells failed" in outcome.output
    assert "T.2 smoke: confirmed" in outcome.output
    assert len(list((tmp_path / "results").glob("*.json"))) == 1


@pytest.mark.parametrize("value", ["float('nan')", "np.zeros(2)", "{1, 2}"])
def test_a_measurement_that_is_not_json_is_a_failed_cell(value: str, tmp_path: Path) -> None:
    experiment, options = prepared(tmp_path, ("float(numbers.mean())", value))
    with pytest.raises(CellsFailedError, match="run_cell must return JSON values"):
        run(experiment, "smoke", options)


def dying(folder: Path) -> tuple[str, str]:
    """A change to the experiment that kills the worker of one cell, the first time."""
    marker = str(folder / "died")
    return "    time.sleep(config.pause)\n", (
        f'    if cell == {{"size": 100, "seed": 1}} and not os.path.exists({marker!r}):\n'
        f'        open({marker!r}, "w").close()\n        os.kill(os.getpid(), 9)\n'
    )


def test_a_killed_worker_is_one_error_and_keeps_the_rest(
    tmp_path: Path, reference: ExperimentResult
) -> None:
    experiment, options = prepared(tmp_path, logging(tmp_path), dying(tmp_path))
    with pytest.raises(WorkerLostError, match=r"cell 4 {'size': 100, 'seed': 1} of tiny\.py"):
        run(experiment, "smoke", options)
    assert run(experiment, "smoke", options).measurements == reference.measurements
    assert len((tmp_path / "log").read_text().splitlines()) == 7


def test_runs_share_their_workers_until_one_is_killed(tmp_path: Path) -> None:
    old = '    """Draw and average."""\n'
    note = f'{old}    open({str(tmp_path / "log")!r}, "a").write(f"{{os.getpid()}}\\n")\n'
    dead = old, f'    os.kill(os.getpid(), 9) if cell["seed"] == 1 else None\n{note}'
    seen = []
    with Workers() as workers:
        for place, change in enumerate([(old, note), (old, note), dead, (old, note)]):
            write(tmp_path / str(place), change)
            experiment = load(tmp_path / str(place) / "tiny.py")
            options = Options(tmp_path / str(place) / "results", jobs=1)
            try:
                assert len(run(experiment, "smoke", options, workers=workers).measurements) == 6
            except WorkerLostError:
                assert place == 2
            seen.append(set((tmp_path / "log").read_text().split()))
            (tmp_path / "log").unlink()
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0] | seen[3]) == 2
    for worker in map(int, seen[3]):
        assert not alive(worker)


def test_an_interrupted_run_says_so_and_goes_on(
    tmp_path: Path, reference: ExperimentResult
) -> None:
    """Ctrl-C in a terminal, which reaches the workers as well."""
    log, results, free = tmp_path / "log", tmp_path / "results", tmp_path / "free"
    # However slow the machine, the run has not ended by itself before.
    wait = f'while cell["size"] > 10 and not os.path.exists({str(free)!r}): time.sleep(0.01)'
    write(tmp_path, logging(tmp_path), ("time.sleep(config.pause)", wait))
    log.touch()
    process = start(tmp_path, results, output=subprocess.PIPE, start_new_session=True)
    wait_until(process, log, 5)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate()
    assert process.returncode == 130
    assert b"interrupted; finished cells are kept" in output
    assert b"Traceback" not in output
    assert list(results.rglob("[0-9].json"))
    free.touch()
    found = run(load(tmp_path / "tiny.py"), "smoke", Options(results, jobs=1))
    assert found.measurements == reference.measurements
    assert len(log.read_text().splitlines()) <= 6 + 2


FULL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0})); " + COMMAND[2]
"""A limit on the size of files refuses the larger ones, as a full disk would."""


@pytest.mark.parametrize(
    ("limit", "numbers_of", "refused", "kept"),
    [
        (4000, 'range(9999 if cell == {"size": 100, "seed": 2} else 1)', "5.json", 5),
        (4000, "range(200)", r"T.1-smoke-", 6),
    ],
    ids=["cell", "result"],
)
def test_a_full_disk_is_one_error_and_keeps_the_rest(
    limit: int, numbers_of: str, refused: str, kept: int, tmp_path: Path
) -> None:
    large = f'"mean": 0.0, "numbers": list({numbers_of}),'
    write(tmp_path, logging(tmp_path), ('"mean": float(numbers.mean()),', large))
    results = tmp_path / "results"
    places = ["--experiments", str(tmp_path), "--results", str(results)]
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            FULL.format(limit),
            "run",
            "--profile",
            "smoke",
            "--jobs=1",
            *places,
        ],
        # The limit would cut off the bytecode that Python writes, and the next import would fail.
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1
    assert refused in found.stdout
    assert ".json: cannot be written: File too large" in found.stdout
    assert "Traceback" not in found.stdout + found.stderr
    stored = sorted(path.name for path in results.rglob("[0-9].json"))
    assert stored == [f"{index}.json" for index in range(kept)]
    assert not list(results.rglob(".*.partial"))
    before = len((tmp_path / "log").read_text().splitlines())
    assert len(run(load(tmp_path / "tiny.py"), "smoke", Options(results, 1)).measurements) == 6
    assert len((tmp_path / "log").read_text().splitlines()) == before + 6 - kept


def test_results_that_cannot_be_written_are_told_before_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    experiment, _ = prepared(tmp_path, logging(tmp_path))
    for folder in (tmp_path / "file" / "results", Path("/proc/no-results-here")):
        with pytest.raises(StorageError, match="cannot be written"):
            run(experiment, "smoke", Options(folder, jobs=1))
    assert not (tmp_path / "log").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_told_before_work(tmp_path: Path) -> None:
    experiment, options = prepared(tmp_path, logging(tmp_path))
    options.results.mkdir(mode=0o555)
    with pytest.raises(StorageError, match="Permission denied"):
        run(experiment, "smoke", options)
    assert not (tmp_path / "log").exists()


def test_a_run_of_the_same_configuration_is_refused_while_one_runs(tmp_path: Path) -> None:
    experiment, options = prepared(tmp_path)
    config = configuration(experiment, "smoke")
    with (
        Store(options.results).partial(experiment.id, config).locked(),
        pytest.raises(AlreadyRunningError, match="another process"),
    ):
        run(experiment, "smoke", options)
    assert run(experiment, "smoke", options).id == "T.1"


def test_cells_of_other_code_or_versions_are_measured_again(tmp_path: Path) -> None:
    experiment, options = prepared(tmp_path, logging(tmp_path), failing('cell["seed"] == 2'))
    with pytest.raises(CellsFailedError):
        run(experiment, "smoke", options)
    folder = Store(options.results).partial("T.1", configuration(experiment, "smoke")).folder
    stored = json.loads((folder / "0.json").read_text())
    stored["versions"]["numpy"] = "0.1"
    (folder / "0.json").write_text(json.dumps(stored))
    (folder / "1.json").write_text("{")
    with pytest.raises(CellsFailedError):
        run(experiment, "smoke", options)
    assert len((tmp_path / "log").read_text().splitlines()) == 4 + 2
    repaired, _ = prepared(tmp_path, logging(tmp_path))
    run(repaired, "smoke", options)
    assert len((tmp_path / "log").read_text().splitlines()) == 4 + 2 + 6


def test_a_broken_analysis_costs_no_measurement(
    tmp_path: Path, reference: ExperimentResult
) -> None:
    experiment, options = prepared(
        tmp_path, logging(tmp_path), ("interval = mean_interval(last)", "interval = 1 / 0")
    )
    with pytest.raises(ProtocolError, match=r"T\.1: analyse failed(.|\n)*ZeroDivisionError"):
        run(experiment, "smoke", options)
    repaired, _ = prepared(tmp_path, logging(tmp_path))
    assert run(repaired, "smoke", options).measurements == reference.measurements
    assert len((tmp_path / "log").read_text().splitlines()) == 6


def test_a_corrected_analysis_judges_stored_measurements(tmp_path: Path) -> None:
    experiment, options = prepared(tmp_path, logging(tmp_path))
    first = run(experiment, "smoke", options)
    strict = ('RULE = "confirmed if', 'RULE = "refuted if'), ("if inside else Verdict.REFUTED", "")
    write(tmp_path, logging(tmp_path), strict[0], ("Verdict.CONFIRMED if", "Verdict.REFUTED if"))
    places = ["--profile", "smoke", "--experiments", str(tmp_path)]
    stale = CliRunner().invoke(app, ["run", *places])
    assert "confirmed" in stale.output
    assert "--judge-again" in stale.output
    again = CliRunner().invoke(app, ["run", "--judge-again", *places])
    assert "T.1 smoke: refuted" in again.output
    (path,) = options.results.glob("*.json")
    second = read_result(path)
    assert (second.measurements, second.finished) == (first.measurements, first.finished)
    assert second.rule.startswith("refuted if")
    assert len((tmp_path / "log").read_text().splitlines()) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("return Settings(profile=profile", 'return Settings(profile="cpu"'), "must return its"),
        (("return [{", "return []\n    return [{"), "at least one cell"),
        (("return [{", "return [{1, 2}]\n    return [{"), "cells must return JSON values"),
        (("return Analysis(", "return dict("), "must return an Analysis"),
        (("def config(profile):\n", "def config(profile):\n    1 / 0\n"), "ZeroDivisionError"),
    ],
)
def test_what_a_function_returns_is_checked(
    change: tuple[str, str], message: str, tmp_path: Path
) -> None:
    experiment, options = prepared(tmp_path, change)
    with pytest.raises(ProtocolError, match=message):
        run(experiment, "smoke", options)


def test_a_result_that_is_no_result_is_told(tmp_path: Path) -> None:
    experiment, options = prepared(tmp_path)
    path = Store(options.results).path("T.1", configuration(experiment, "smoke"))
    path.parent.mkdir()
    path.write_text('{"id": "T.1"}')
    with pytest.raises(StorageError, match=f"{path.name}: not a result"):
        run(experiment, "smoke", options)


def test_experiments_that_measure_time_run_alone(tmp_path: Path) -> None:
    serial = load(write(tmp_path, ("ID = ", "SERIAL = True\nID = ")))
    free = load(write(tmp_path / "free", ("ID = ", "CELL_THREADS = 1000\nID = ")))
    cpu, gpu = configuration(free, "cpu"), configuration(free, "gpu")
    assert local_jobs(serial, cpu, 8) == 1
    assert [local_jobs(free, config, jobs) for config, jobs in ((cpu, 8), (gpu, 8))] == [8, 8]
    assert [local_jobs(free, config, None) for config in (cpu, gpu)] == [1, 1]
    with pytest.raises(EngineError, match="measures time"):
        run(serial, "smoke", Options(tmp_path / "results", engine=Engine.RAY))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "D.9"], "D.9: no such experiment"),
        (["run", "T.1", "--profile", "large"], "'large' is not one of"),
        (["run", "T.1", "--jobs", "0"], "0 is below 1"),
        (["run", "T.1", "--engine", "slurm"], "'slurm' is not one of"),
        (["run", "T.1", "--judge-again"], "no finished result in profile cpu"),
    ],
)
def test_bad_options_are_told(arguments: list[str], message: str, tmp_path: Path) -> None:
    write(tmp_path)
    outcome = CliRunner().invoke(app, [*arguments, "--experiments", str(tmp_path)])
    assert outcome.exit_code != 0
    assert message in words(outcome.output)
    assert not (tmp_path / "results").exists()


def words(output: str) -> str:
    """What a message says, without the box around it."""
    return " ".join(output.replace("│", " ").split())


def test_results_must_be_a_folder(tmp_path: Path) -> None:
    path = write(tmp_path)
    arguments = ["run", "--experiments", str(tmp_path), "--results", str(path)]
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 2
    assert "not a folder" in words(outcome.output)


def test_the_list_shows_how_far_runs_are(tmp_path: Path) -> None:
    experiment, options = prepared(tmp_path, failing('cell["size"] == 1000'))
    run(experiment, "smoke", options)
    with pytest.raises(CellsFailedError):
        run(experiment, "cpu", options)
    outcome = CliRunner().invoke(app, ["list", "--experiments", str(tmp_path)])
    (row,) = (line for line in outcome.output.splitlines() if "T.1" in line)
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells[2:] == ["confirmed", "6 of 9 cells", "not run"]


RAY = importlib.util.find_spec("ray") is not None
without_ray = pytest.mark.skipif(RAY, reason="Ray is installed")
with_ray = pytest.mark.skipif(not RAY, reason="Ray is not installed")


@without_ray
def test_an_absent_ray_is_told(tmp_path: Path) -> None:
    experiment, options = prepared(tmp_path)
    with pytest.raises(EngineError, match="pip install"):
        run(experiment, "smoke", Options(options.results, engine=Engine.RAY))


@with_ray
def test_a_ray_cluster_of_two_workers_finds_the_same(
    tmp_path: Path, reference: ExperimentResult
) -> None:
    experiment, options = prepared(tmp_path)
    found = run(experiment, "smoke", Options(options.results, jobs=2, engine=Engine.RAY))
    assert numbers(found) == numbers(reference)


@with_ray
def test_a_killed_ray_worker_is_one_error_and_keeps_the_rest(
    tmp_path: Path, reference: ExperimentResult
) -> None:
    experiment, options = prepared(tmp_path, dying(tmp_path))
    on_ray = Options(options.results, jobs=1, engine=Engine.RAY)
    with pytest.raises(WorkerLostError, match=r"cell 4 {'size': 100, 'seed': 1} of tiny\.py"):
        run(experiment, "smoke", on_ray)
    assert run(experiment, "smoke", options).measurements == reference.measurements


@with_ray
def test_a_ray_cluster_that_is_not_there_is_told(tmp_path: Path) -> None:
    experiment, options = prepared(tmp_path)
    with pytest.raises(EngineError, match=r"cannot connect to 127\.0\.0\.1:1"):
        run(experiment, "smoke", Options(options.results, 1, Engine.RAY, "127.0.0.1:1"))
