"""lean/ against the records: agreement, every kind of disagreement, and writing."""

import os
from pathlib import Path

import pytest

from spectral_rank.certify import (
    CertificateError,
    check_instances,
    file_text,
    read_records,
    write_instances,
    write_record,
)

LEAN = Path(__file__).parents[2] / "lean"


def measured(lean_folder):
    return lean_folder / "SpectralRank" / "Measured"


def snapshot(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_was_written_passes(make_set, lean_folder, tmp_path) -> None:
    for name in ("a", "b"):
        write_record(tmp_path / "records", make_set(name))
    records = read_records(tmp_path / "records")
    written = write_instances(lean_folder, records)
    assert [path.name for path in written] == ["a.lean", "b.lean"]
    report = check_instances(lean_folder, records)
    assert report.passed
    assert report.checked == 18  # six of the template, six of each record
    assert report.lines() == []


def test_the_checked_out_instances_are_true() -> None:
    assert check_instances(LEAN, []).false == ()


def test_writing_twice_gives_the_same_bytes(make_set, lean_folder) -> None:
    write_instances(lean_folder, [make_set("a"), make_set("b")])
    before = snapshot(measured(lean_folder))
    write_instances(lean_folder, [make_set("b"), make_set("a")])
    assert snapshot(measured(lean_folder)) == before


def test_missing_stale_and_differing_files_are_named(make_set, lean_folder) -> None:
    write_instances(lean_folder, [make_set("a"), make_set("b")])
    report = check_instances(lean_folder, [make_set("b", alpha=(1.1, 1.2)), make_set("c")])
    assert not report.passed
    assert report.lines() == ["missing: c.lean", "stale: a.lean", "differing: b.lean"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1681 / 10000 < rankRatio", "1682 / 10000 < rankRatio", "states 1682 / 10000"),
        ("1681", "1682", "is false"),
        ("norm_num", "sorry", "not one of the six shapes"),
        ("set_option autoImplicit false", "set_option autoImplicit true", "options"),
        ("open Matrix\n", "open Matrix\naxiom x : 1 = 2\n", "options"),
    ],
)
def test_a_false_file_is_named_even_without_a_record(
    make_set, lean_folder, old, new, message
) -> None:
    text = file_text(make_set(alpha=(1.3401, 1.3599)))
    assert old in text
    path = measured(lean_folder) / "encoder_weight.lean"
    path.write_text(text.replace(old, new))
    report = check_instances(lean_folder, [])
    assert report.stale == ("encoder_weight.lean",)
    assert len(report.false) == 1
    assert report.false[0].startswith("encoder_weight.lean: ")
    assert message in report.false[0]


def test_a_changed_comment_is_differing(make_set, lean_folder) -> None:
    (path,) = write_instances(lean_folder, [make_set()])
    path.write_text(path.read_text().replace("5f5f", "0000"))
    report = check_instances(lean_folder, [make_set()])
    assert report.lines() == ["differing: encoder_weight.lean"]


def test_files_that_are_no_text_are_named(lean_folder) -> None:
    (measured(lean_folder) / "x.lean").write_bytes(b"\xff\xfe")
    (measured(lean_folder) / "y.lean").mkdir()
    report = check_instances(lean_folder, [])
    assert [entry.split(":")[0] for entry in report.false] == ["x.lean", "y.lean"]


def test_generated_files_without_a_record_are_removed_and_others_stay(
    make_set, lean_folder
) -> None:
    write_instances(lean_folder, [make_set("a")])
    (measured(lean_folder) / "ByHand.lean").write_text("-- mine\n")
    write_instances(lean_folder, [make_set("b")])
    names = {path.name for path in measured(lean_folder).iterdir()}
    assert names == {"Template.lean", "ByHand.lean", "b.lean"}


def test_nothing_is_touched_if_one_record_is_false(make_set, lean_folder) -> None:
    write_instances(lean_folder, [make_set("a")])
    before = snapshot(measured(lean_folder))
    false = make_set("z").certificates[4].model_copy(update={"rank": 3})
    records = [
        make_set("a", alpha=(1.1, 1.2)),
        make_set("z").model_copy(update={"certificates": (false,)}),
    ]
    with pytest.raises(CertificateError, match="z_conditioning"):
        write_instances(lean_folder, records)
    assert snapshot(measured(lean_folder)) == before


def test_two_records_of_one_file_are_refused(make_set, lean_folder) -> None:
    with pytest.raises(ValueError, match=r"w\.lean, .* occur in more than one set"):
        write_instances(lean_folder, [make_set("w"), make_set("w", alpha=(1.1, 1.2))])


def test_a_folder_without_the_library_is_refused(make_set, tmp_path) -> None:
    for use in (check_instances, write_instances):
        with pytest.raises(FileNotFoundError, match=r"no Template\.lean"):
            use(tmp_path, [make_set()])


def test_a_read_only_folder_stays_as_it_was(make_set, lean_folder, monkeypatch) -> None:
    write_instances(lean_folder, [make_set("a")])
    before = snapshot(measured(lean_folder))
    measured(lean_folder).chmod(0o555)
    # Relative, as another user may not enter the folders above.
    monkeypatch.chdir(lean_folder)
    user = os.geteuid()
    try:
        if user == 0:  # root writes wherever it likes
            os.seteuid(65534)
        with pytest.raises(PermissionError):
            write_instances(Path(), [make_set("a", alpha=(1.1, 1.2))])
    finally:
        os.seteuid(user)
        measured(lean_folder).chmod(0o755)
    assert snapshot(measured(lean_folder)) == before
