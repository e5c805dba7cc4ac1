"""Records made from results: written, replaced, removed; others stay."""

import pytest

from spectral_rank.certify import (
    CertificateError,
    RecordError,
    compare_derived,
    read_records,
    replace_derived,
    write_record,
)


def derived(record) -> bool:
    return record.source.startswith("result")


@pytest.fixture
def result_set(make_set):
    def make(module="r", source=None, **changes):
        return make_set(module, source=source or f"result: {module}", **changes)

    return make


def names(folder) -> list[str]:
    return [record.module for record in read_records(folder)]


def test_records_follow_the_results_and_others_stay(make_set, result_set, tmp_path) -> None:
    write_record(tmp_path, make_set("measured"))
    first = [result_set("a"), result_set("b")]
    assert len(replace_derived(tmp_path, first, derived)) == 2
    assert names(tmp_path) == ["a", "b", "measured"]
    assert replace_derived(tmp_path, first, derived) == []
    second = [result_set("b", alpha=(1.1, 1.2)), result_set("c")]
    changed = replace_derived(tmp_path, second, derived)
    assert [path.name.partition("-")[0] for path in changed] == ["a", "b", "b", "c"]
    assert names(tmp_path) == ["b", "c", "measured"]
    assert compare_derived(tmp_path, second, derived) == []
    replace_derived(tmp_path, [], derived)
    assert names(tmp_path) == ["measured"]


def test_a_result_of_another_name_takes_the_place(result_set, tmp_path) -> None:
    replace_derived(tmp_path, [result_set("a")], derived)
    replace_derived(tmp_path, [result_set("a", source="result 2: a")], derived)
    (record,) = read_records(tmp_path)
    assert record.source == "result 2: a"


def test_what_differs_is_named(make_set, result_set, tmp_path) -> None:
    write_record(tmp_path, make_set("measured"))
    replace_derived(tmp_path, [result_set("a"), result_set("b")], derived)
    wanted = [result_set("b", alpha=(1.1, 1.2)), result_set("c")]
    lines = compare_derived(tmp_path, wanted, derived)
    found = [(line.partition(":")[0], line.rpartition("/")[2][0]) for line in lines]
    assert found == [("missing", "b"), ("missing", "c"), ("stale", "a"), ("stale", "b")]
    assert names(tmp_path) == ["a", "b", "measured"]


def test_what_a_killed_call_left_is_repaired(result_set, tmp_path) -> None:
    old, new = result_set("a"), result_set("a", alpha=(1.1, 1.2))
    replace_derived(tmp_path, [old], derived)
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    replace_derived(tmp_path, [new], derived)
    for name, text in kept.items():  # as if killed between writing and removing
        (tmp_path / name).write_text(text)
    with pytest.raises(RecordError, match="claimed"):
        read_records(tmp_path)
    replace_derived(tmp_path, [new], derived)
    assert read_records(tmp_path) == [new]


def test_a_measured_record_of_the_same_module_is_kept(make_set, result_set, tmp_path) -> None:
    write_record(tmp_path, make_set("A"))
    with pytest.raises(RecordError, match="is also the module of a-"):
        replace_derived(tmp_path, [result_set("a")], derived)
    assert names(tmp_path) == ["A"]


def test_damage_is_told_and_nothing_is_written(result_set, tmp_path) -> None:
    (tmp_path / "x.json").write_text("{}")
    for use in (replace_derived, compare_derived):
        with pytest.raises(RecordError, match=r"x\.json: not a record"):
            use(tmp_path, [result_set("a")], derived)
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_a_false_certificate_is_not_written(result_set, tmp_path) -> None:
    false = result_set("a").certificates[0].model_copy(update={"rank": 2})
    wrong = result_set("a").model_copy(update={"certificates": (false,)})
    with pytest.raises(CertificateError):
        replace_derived(tmp_path, [result_set("b"), wrong], derived)
    assert list(tmp_path.iterdir()) == []


def test_no_results_need_no_folder(result_set, tmp_path) -> None:
    assert replace_derived(tmp_path / "none", [], derived) == []
    assert compare_derived(tmp_path / "none", [], derived) == []
    assert not (tmp_path / "none").exists()
    replace_derived(tmp_path / "none", [result_set("a")], derived)
    assert names(tmp_path / "none") == ["a"]
