"""The loop: measured numbers of results become Lean theorems, and each names the other."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spectral_rank.certify import InstanceRequest, MeasuredExponent, read_records
from spectral_rank.cli import app
from spectral_rank.experiments.errors import ProtocolError
from spectral_rank.experiments.instances import instance_names, of_results
from spectral_rank.experiments.record import ExperimentResult
from spectral_rank.experiments.registry import Experiment, load
from spectral_rank.experiments.runner import Options, judged_again, run
from spectral_rank.experiments.store import Store, read_result
from spectral_rank.experiments.summary import BEGIN, END

from .tiny import write

LEAN = Path(__file__).parents[2] / "lean"

METHOD = "power law forced on a spectrum whose best law is exponential"
REQUESTS = f"""def instances(result):
    from spectral_rank.certify import InstanceRequest, MeasuredExponent, MeasuredSpectrum

    share = result.measurements[0]["mean"] ** 2
    spectrum = [1 / (i + share) for i in range(1, 41)]
    return [
        InstanceRequest("W_h", 20, MeasuredExponent(1.2 + share / 10, 1.4, {METHOD!r})),
        InstanceRequest("W_x", 5, None, MeasuredSpectrum(spectrum, "W_x of seed 0")),
        InstanceRequest("nothing", 5, MeasuredExponent(2.9, 3.1, "outside of every theorem")),
    ]


def draw("""
WITH_INSTANCES = ("def draw(", REQUESTS)
NAMES = ("Experiment_T_1_cpu_W_h", "Experiment_T_1_cpu_W_x")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with one result of the profile ``cpu``."""
    root = tmp_path_factory.mktemp("checkout")
    experiment = load(write(root / "experiments", WITH_INSTANCES))
    run(experiment, "cpu", Options(root / "experiments" / "results", jobs=2))
    measured = root / "lean" / "SpectralRank" / "Measured"
    measured.mkdir(parents=True)
    shutil.copy(LEAN / "SpectralRank" / "Measured" / "Template.lean", measured)
    (root / "experiments" / "README.md").write_text(f"{BEGIN}\n{END}\n")
    return root


@pytest.fixture
def checkout(finished: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(finished, tmp_path / "checkout"))


def instances(root: Path, *options: str) -> tuple[int, str]:
    places = ["--lean", str(root / "lean"), "--records", str(root / "experiments/certificates")]
    outcome = CliRunner().invoke(app, ["instances", *places, *options])
    return outcome.exit_code, outcome.output.replace("\n", "")


def snapshot(root: Path) -> dict[Path, tuple[int, bytes]]:
    files = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def stored(root: Path) -> tuple[Path, ExperimentResult]:
    (path,) = (root / "experiments" / "results").glob("T.1-cpu-*.json")
    return path, read_result(path)


def store(path: Path, result: ExperimentResult) -> None:
    path.write_text(result.model_dump_json(indent=1) + "\n")


def measured(root: Path) -> set[str]:
    return {path.stem for path in (root / "lean/SpectralRank/Measured").iterdir()} - {"Template"}


def test_results_become_theorems_and_each_names_the_other(checkout: Path) -> None:
    path, result = stored(checkout)
    assert result.instances == NAMES
    code, output = instances(checkout)
    assert code == 0, output
    assert "nothing: no theorem: conditioning: exponent = (2.9, 3.1)" in output
    assert measured(checkout) == set(NAMES)
    records = read_records(checkout / "experiments" / "certificates")
    assert [record.module for record in records] == list(NAMES)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    for record, name in zip(records, ("W_h", "W_x"), strict=True):
        assert record.source == f"{path.name}: {name}"
        assert {c.origin.record_sha256 for c in record.certificates} == {sha256}
        lean = checkout / "lean" / "SpectralRank" / "Measured" / f"{record.module}.lean"
        text = " ".join(lean.read_text().split())
        assert path.name in text
        assert sha256 in text
        assert METHOD in text or name == "W_x"
    assert [c.kind for c in records[0].certificates] == ["steep", "conditioning"]
    assert instances(checkout, "--check")[0] == 0


def test_a_second_call_changes_nothing(checkout: Path) -> None:
    instances(checkout)
    before = snapshot(checkout / "experiments")
    texts = {path: data for path, (_, data) in snapshot(checkout / "lean").items()}
    assert instances(checkout)[0] == 0
    assert snapshot(checkout / "experiments") == before
    assert {path: data for path, (_, data) in snapshot(checkout / "lean").items()} == texts


def test_the_table_links_to_the_theorems(checkout: Path) -> None:
    instances(checkout)
    folder = checkout / "experiments"
    command = ["experiment", "summary", "--experiments", str(folder)]
    assert CliRunner().invoke(app, command).exit_code == 0
    text = (folder / "README.md").read_text()
    for name, module in zip(("W_h", "W_x"), NAMES, strict=True):
        link = f"../lean/SpectralRank/Measured/{module}.lean"
        assert f"[instance {name}]({link})" in text
        assert (folder / link).is_file()


def test_check_names_what_is_missing_stale_or_different(checkout: Path) -> None:
    records = checkout / "experiments" / "certificates"
    code, output = instances(checkout, "--check")
    assert (code, "not a folder" in output) == (1, True)
    records.mkdir()
    code, output = instances(checkout, "--check")
    assert code == 1
    assert output.count("missing: ") == 2
    assert list(records.iterdir()) == []
    instances(checkout)
    path, result = stored(checkout)
    store(path, result.model_copy(update={"seconds": 1.5}))
    code, output = instances(checkout, "--check")
    assert code == 1
    assert (output.count("missing: "), output.count("stale: ")) == (2, 2)
    assert instances(checkout)[0] == 0
    assert instances(checkout, "--check")[0] == 0
    path.unlink()
    code, output = instances(checkout, "--check")
    assert (code, output.count("stale: ")) == (1, 2)
    assert instances(checkout)[0] == 0
    assert (measured(checkout), list(records.iterdir())) == (set(), [])


def test_a_result_that_does_not_name_its_instances_is_told(checkout: Path) -> None:
    path, result = stored(checkout)
    for names in ((), NAMES[:1], tuple(reversed(NAMES))):
        store(path, result.model_copy(update={"instances": names}))
        code, output = instances(checkout)
        assert code == 1
        assert f"{path.name} does not name its instances" in output
        assert "run T.1 --profile cpu --judge-again" in output
    command = ["experiment", "run", "T.1", "--judge-again"]
    again = CliRunner().invoke(app, [*command, "--experiments", str(checkout / "experiments")])
    assert again.exit_code == 0
    assert read_result(path) == result
    assert instances(checkout)[0] == 0
    assert instances(checkout, "--check")[0] == 0


def test_records_of_measured_files_stay(checkout: Path) -> None:
    instances(checkout)
    records = checkout / "experiments" / "certificates"
    request = InstanceRequest("w", 9, MeasuredExponent(1.1, 1.2, "as measured"))
    found, _ = request.certificates("model_w", "model.npz: w", "0" * 64)
    assert found is not None
    (records / found.file_name).write_text(found.to_json())
    stored(checkout)[0].unlink()
    assert instances(checkout)[0] == 0
    assert measured(checkout) == {"model_w"}
    assert [path.name for path in records.iterdir()] == [found.file_name]


def test_smoke_results_become_no_instances(tmp_path: Path) -> None:
    experiment = load(write(tmp_path, WITH_INSTANCES))
    result = run(experiment, "smoke", Options(tmp_path / "results", jobs=1))
    assert result.instances == ()
    assert of_results(tmp_path, Store(tmp_path / "results").results()).sets == ()


def test_results_without_the_field_still_load(checkout: Path) -> None:
    path, result = stored(checkout)
    path.write_text(result.model_dump_json(exclude={"instances"}))
    assert read_result(path).instances == ()
    again = judged_again(load(checkout / "experiments" / "tiny.py"), read_result(path))
    assert again == result


def test_the_chosen_result_of_each_experiment_counts(checkout: Path) -> None:
    path, result = stored(checkout)
    config = result.config | {"corpus": "/own/text.txt"}
    later = result.finished.replace(year=result.finished.year + 1)
    own = result.model_copy(update={"config": config, "finished": later})
    store(path.with_name("T.1-cpu-00000000000a.json"), own)
    gpu = result.model_copy(update={"config": result.config | {"profile": "gpu"}})
    store(path.with_name("T.1-gpu-00000000000b.json"), gpu)
    found = of_results(checkout / "experiments", Store(path.parent).results())
    assert {record.source for record in found.sets} == {f"{path.name}: W_h", f"{path.name}: W_x"}
    path.unlink()
    (path.parent / "T.1-cpu-00000000000a.json").unlink()
    found = of_results(checkout / "experiments", Store(path.parent).results())
    assert [record.module for record in found.sets] == [
        "Experiment_T_1_gpu_W_h",
        "Experiment_T_1_gpu_W_x",
    ]


def test_a_result_whose_experiment_is_gone_has_no_instances(checkout: Path) -> None:
    instances(checkout)
    (checkout / "experiments" / "tiny.py").unlink()
    code, output = instances(checkout)
    assert (code, "does not name its instances" in output) == (1, True)
    assert measured(checkout) == set()


def variant(folder: Path, returned: str) -> Experiment:
    change = ("def draw(", f"def instances(result):\n    return {returned}\n\n\ndef draw(")
    return load(write(folder, change))


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("1 / 0", r"T\.1: instances failed(.|\n)*ZeroDivisionError"),
        ("None", "instances failed"),
        ("['W_h']", "must return a list of InstanceRequest"),
    ],
)
def test_a_broken_function_is_told(returned: str, message: str, checkout: Path) -> None:
    _, result = stored(checkout)
    experiment = variant(checkout / "experiments", returned)
    with pytest.raises(ProtocolError, match=message):
        instance_names(experiment, result)
    before = snapshot(checkout / "lean")
    code, output = instances(checkout)
    assert code == 1
    assert "tiny.py" in output or "instances failed" in output
    assert snapshot(checkout / "lean") == before


def test_names_are_distinct(checkout: Path) -> None:
    path = write(checkout / "experiments", ("def draw(", REQUESTS.replace('"W_x"', '"W_h"')))
    with pytest.raises(ProtocolError, match="distinct names"):
        instance_names(load(path), stored(checkout)[1])
    similar = write(checkout / "experiments", ("def draw(", REQUESTS.replace('"W_x"', '"W.h"')))
    names = instance_names(load(similar), stored(checkout)[1])
    assert len({name.casefold() for name in names}) == 2


def test_the_function_does_not_change_the_measuring_code(tmp_path: Path) -> None:
    assert load(write(tmp_path, WITH_INSTANCES)).code_hash == load(write(tmp_path)).code_hash
