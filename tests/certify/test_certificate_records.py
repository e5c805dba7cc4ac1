"""Certificates as JSON files: round trip, damage, and writes that are cut short."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from spectral_rank.atomic_file import write_atomically
from spectral_rank.certify import (
    CertificateError,
    CertificateSet,
    RecordError,
    read_records,
    write_record,
)


def test_a_record_comes_back_as_it_was(make_set, tmp_path) -> None:
    sets = [make_set("b"), make_set("a", source='näme "x"\n-/ \\'), make_set("c", alpha=(1.1, 1.2))]
    paths = [write_record(tmp_path / "results" / "certificates", s) for s in sets]
    assert [s.module for s in read_records(paths[0].parent)] == ["a", "b", "c"]
    assert read_records(paths[0].parent) == sorted(sets, key=lambda s: s.module)


def test_equal_sets_give_equal_files(make_set, tmp_path) -> None:
    first, second = (write_record(tmp_path / name, make_set()) for name in "xy")
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()
    assert write_record(tmp_path / "x", make_set()) == first
    assert len(list((tmp_path / "x").iterdir())) == 1


def test_a_new_measurement_replaces_the_old_one(make_set, tmp_path) -> None:
    old = write_record(tmp_path, make_set())
    new = write_record(tmp_path, make_set(alpha=(1.2, 1.3)))
    assert not old.exists()
    assert list(tmp_path.iterdir()) == [new]


def test_another_source_does_not_replace_it(make_set, tmp_path) -> None:
    old = write_record(tmp_path, make_set("w"))
    with pytest.raises(RecordError, match="have the same module"):
        write_record(tmp_path, make_set("W", source="other.npz: W"))
    assert list(tmp_path.iterdir()) == [old]


def test_a_set_holds_one_matrix_and_each_name_once(make_set) -> None:
    first, second = make_set("a"), make_set("b")
    with pytest.raises(ValueError, match="2 different measurements"):
        CertificateSet(certificates=(*first.certificates, *second.certificates))
    with pytest.raises(ValueError, match="the same name"):
        CertificateSet(certificates=(first.certificates[0],) * 2)
    with pytest.raises(ValueError, match="at least 1"):
        CertificateSet(certificates=())


def test_a_false_certificate_is_not_written(make_set, tmp_path) -> None:
    certificates = list(make_set().certificates)
    certificates[0] = certificates[0].model_copy(update={"rank": 2})
    with pytest.raises(CertificateError, match="the base"):
        write_record(tmp_path, make_set().model_copy(update={"certificates": tuple(certificates)}))
    assert list(tmp_path.iterdir()) == []


def change(record, *keys, to):
    """The JSON text with the entry under the keys replaced."""
    data = json.loads(record)
    entry = data
    for key in keys[:-1]:
        entry = entry[key]
    entry[keys[-1]] = to
    return json.dumps(data)


FIRST = ("certificates", 0)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: "", "not a record"),
        (lambda text: text[: len(text) // 2], "not a record"),
        (lambda text: "[]", "not a record"),
        (lambda text: '{"certificates": []}', "not a record"),
        (lambda text: text.replace('"p"', '"P"', 1), "not a record"),
        (lambda text: "[" * 10**5, "not a record"),
        (lambda text: text.replace("encoder", "decoder"), "the name must be"),
        (lambda text: change(text, "schema_version", to=2), "not a record"),
        (lambda text: change(text, *FIRST, "rank", to="270"), "not a record"),
        (lambda text: change(text, *FIRST, "extra", to=0), "not a record"),
        (lambda text: change(text, *FIRST, "bounds", 0, "p", to=1682), "is false"),
        (lambda text: change(text, *FIRST, "bounds", 0, "p", to=10**4000), "compiled range"),
        (lambda text: change(text, *FIRST, "bounds", 0, "u", to=42 * 10**9), "not the slope"),
        (lambda text: change(text, *FIRST, "inequalities", 0, to="0 < 1"), "not those of"),
        (lambda text: change(text, *FIRST, "bounds", 0, "theorem", to="x"), "calls are not"),
        (lambda text: change(text, *FIRST, "measured", "exponent", 0, to="1.3"), "not contain"),
        (lambda text: change(text, *FIRST, "origin", "record_sha256", to="0"), "not a record"),
    ],
)
def test_a_damaged_record_is_refused_with_its_path(make_set, tmp_path, damage, message) -> None:
    path = write_record(tmp_path, make_set())
    path.write_text(damage(path.read_text()))
    with pytest.raises(RecordError, match=message) as caught:
        read_records(tmp_path)
    assert caught.value.path == path
    assert str(path) in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path) -> None:
    (tmp_path / "x.json").write_bytes(b"\xff\xfe\x00" * 100)
    with pytest.raises(RecordError, match="not a record"):
        read_records(tmp_path)


def test_a_missing_folder_is_refused_and_an_empty_one_is_not(tmp_path) -> None:
    assert read_records(tmp_path) == []
    with pytest.raises(RecordError, match="not a folder"):
        read_records(tmp_path / "results")


def test_two_records_of_one_module_are_refused(make_set, tmp_path) -> None:
    write_record(tmp_path, make_set())
    other = write_record(tmp_path / "other", make_set(alpha=(1.2, 1.3)))
    other.rename(tmp_path / other.name)
    with pytest.raises(RecordError, match=r"encoder_weight\.lean is also claimed by"):
        read_records(tmp_path)


CUT_SHORT = """
import pathlib, signal, sys
from spectral_rank.atomic_file import write_atomically
signal.signal(signal.SIGXFSZ, {action})
write_atomically(pathlib.Path(sys.argv[1]), "new " * 10**5)
"""


@pytest.mark.parametrize("action", ["SIG_IGN", "SIG_DFL"])
def test_a_write_cut_short_leaves_the_old_file(tmp_path, action) -> None:
    """The system stops the write after 1000 bytes, with an error or by killing the process."""
    path = tmp_path / "x.json"
    write_atomically(path, "old")
    finished = subprocess.run(
        [sys.executable, "-c", CUT_SHORT.format(action=f"signal.{action}"), path],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert path.read_text() == "old"
    left = [p.name for p in tmp_path.iterdir() if p != path]
    if action == "SIG_IGN":
        assert b"OSError: [Errno 27] File too large" in finished.stderr
        assert left == []
    else:
        assert finished.returncode == -signal.SIGXFSZ
        assert [Path(name).suffix for name in left] == [".partial"]


def test_a_folder_that_cannot_be_written_to_is_an_error(make_set, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_record(tmp_path / "file", make_set())
    proc = Path("/proc/self")  # read-only for every user, root included
    if proc.is_dir():
        with pytest.raises(OSError, match="/proc/self"):
            write_record(proc, make_set())
