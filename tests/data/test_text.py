import errno
import hashlib
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.processes import fresh_processes

from spectral_rank.data import text as text_module
from spectral_rank.data.text import BLOCK_SEQUENCES, Text, is_validation, open_text
from spectral_rank.formulas.domain import DomainError


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def own_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPECTRAL_RANK_CACHE", str(cache))
    return cache


def counting(train: int, validation: int) -> Text:
    whole = (np.arange(train + validation) % 256).astype(np.uint8)
    return Text("a count", "0", whole[:train], whole[train:])


@given(data=st.data())
def test_batches_are_pure_functions_and_stay_in_their_part(data: st.DataObject) -> None:
    length = data.draw(st.integers(1, 28), "length")
    train = data.draw(st.integers(BLOCK_SEQUENCES * (length + 1), 250), "train")
    used = data.draw(st.none() | st.integers(BLOCK_SEQUENCES * (length + 1), train), "train_bytes")
    batch = data.draw(st.integers(1, 40), "batch")
    step, seed = (data.draw(st.integers(0, 2**40), name) for name in ("step", "seed"))
    text = counting(train, 70)
    tokens = text.training_batch(step, batch, length, seed, used)
    assert tokens.shape == (batch, length + 1)
    assert tokens.dtype == torch.int64
    # The text counts, so a sequence is right if it goes on counting, and its last byte tells where
    # it ends.
    assert torch.equal(tokens, tokens[:, :1] + torch.arange(length + 1))
    assert int(tokens.max()) < train
    text.training_batch(step + 1, batch, length, seed, used)
    assert torch.equal(tokens, counting(train, 70).training_batch(step, batch, length, seed, used))


@given(length=st.integers(1, 10), count=st.integers(1, 5), seeds=st.tuples(*[st.integers(0)] * 3))
def test_a_part_of_the_text_is_so_many_blocks(
    length: int, count: int, seeds: tuple[int, int, int]
) -> None:
    block = BLOCK_SEQUENCES * (length + 1)
    text = Text("zeros", "0", np.zeros(10 * block, np.uint8), np.zeros(50, np.uint8))
    text.train[:] = np.arange(10).repeat(block)
    first, other, blocks = seeds

    def seen(seed: int, part: int, blocks_seed: int | None = None) -> set[int]:
        tokens = text.training_batch(0, 400, length, seed, part, blocks_seed)
        assert bool((tokens == tokens[:, :1]).all())  # no sequence leaves its block
        return set(tokens[:, 0].tolist())

    assert len(seen(first, count * block + block - 1)) == count
    assert seen(first, count * block) <= seen(first, (count + 1) * block)
    assert seen(first, count * block, blocks) == seen(other, count * block, blocks)


def test_other_seeds_train_on_other_parts_of_the_text() -> None:
    text = Text("blocks", "0", np.arange(10).repeat(80).astype(np.uint8), np.zeros(50, np.uint8))
    parts = {int(text.training_batch(0, 1, 9, seed, 80)[0, 0]) for seed in range(100)}
    assert parts == set(range(10))


@given(index=st.integers(0, 10**9), batch=st.integers(1, 30), length=st.integers(1, 49))
def test_validation_batches_stay_in_their_part(index: int, batch: int, length: int) -> None:
    text = counting(100, 50)
    tokens = text.validation_batch(index, batch, length)
    assert torch.equal(tokens, tokens[:, :1] + torch.arange(length + 1))
    assert int(tokens.min()) >= 100
    assert int(tokens.max()) < 150
    assert torch.equal(tokens, text.validation_batch(index, batch, length))


def test_other_steps_and_seeds_give_other_sequences() -> None:
    text = counting(250, 50)
    seen = {
        tuple(text.training_batch(step, 8, 3, seed)[:, 0].tolist())
        for step in range(20)
        for seed in range(20)
    }
    assert len(seen) == 400


def test_places_cover_both_parts() -> None:
    """The ends included: the first and the last place of each part are drawn."""
    text = counting(30, 20)
    starts = text.training_batch(0, 2000, 5, 0)[:, 0]
    assert sorted(set(starts.tolist())) == list(range(25))
    starts = text.validation_batch(0, 200, 5)[:, 0]
    counts = torch.bincount(starts - 30, minlength=15)
    assert counts.min() >= 200 // 15 - 3
    assert counts.max() <= 200 // 15 + 3


@pytest.mark.usefixtures("own_cache")
def test_the_standard_library_is_split_by_file() -> None:
    text = open_text()
    whole = text.train.tobytes() + text.validation.tobytes()
    assert hashlib.sha256(whole).hexdigest() == text.sha256
    assert 0.02 < len(text.validation) / len(whole) < 0.1
    root = Path(os.__file__).parent
    for module in ("os.py", "shutil.py", "json/decoder.py", "gettext.py", "unittest/mock.py"):
        source = (root / module).read_bytes()
        inside, outside = text.train.tobytes(), text.validation.tobytes()
        if is_validation(module):
            inside, outside = outside, inside
        assert source in inside
        assert source not in outside
    assert b"def test_" in whole  # the word occurs in unittest; the tests themselves do not:
    # Some systems ship Python without them.
    for path in (root / "test").glob("test_o*.py"):
        assert path.read_bytes()[:2000] not in whole


@pytest.mark.usefixtures("own_cache")
def test_parts_are_read_only() -> None:
    text = open_text()
    with pytest.raises(ValueError, match="read-only"):
        text.train[0] = 0


def _open(cache: Path) -> None:
    os.environ["SPECTRAL_RANK_CACHE"] = str(cache)
    open_text()


def test_several_processes_may_write_the_cache_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = [fresh_processes().Process(target=_open, args=(tmp_path,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    monkeypatch.setenv("SPECTRAL_RANK_CACHE", str(tmp_path))
    assert len(list((tmp_path / "text").iterdir())) == 2  # the text, its description, nothing else
    text = open_text()
    assert hashlib.sha256(text.train.tobytes() + text.validation.tobytes()).hexdigest() == (
        text.sha256
    )


@pytest.mark.usefixtures("own_cache")
def test_a_changed_source_or_a_damaged_cache_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, cache = tmp_path / "lib", tmp_path / "cache"
    (library / "tests").mkdir(parents=True)
    names = [f"module{number}.py" for number in range(60)]
    for name in names:
        (library / name).write_text(f"# {name}\n" * 20)
    (library / "tests" / "left_out.py").write_text("secret")
    (library / "_sysconfigdata_x.py").write_text("secret")
    monkeypatch.setattr(text_module.sysconfig, "get_path", lambda _: str(library))
    monkeypatch.setenv("SPECTRAL_RANK_CACHE", str(cache))
    first = open_text()
    assert b"secret" not in first.train.tobytes() + first.validation.tobytes()
    for name in names:
        part = first.validation if is_validation(name) else first.train
        assert f"# {name}\n".encode() * 20 in part.tobytes()
    (library / names[0]).write_text("changed = True\n")
    second = open_text()
    assert second.sha256 != first.sha256
    for path in (cache / "text").glob("*.txt"):
        path.write_bytes(path.read_bytes()[:-5])
    assert open_text().sha256 == second.sha256
    for path in (cache / "text").glob("*.json"):
        path.write_text("{")
    assert open_text().sha256 == second.sha256


@pytest.mark.usefixtures("own_cache")
def test_a_file_is_mapped_where_it_lies_and_its_change_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "corpus.txt"
    for content in (b"a" * 1000, b"b" * 1000):
        path.write_bytes(content)
        for age in (0, 100):  # a fresh file, and one whose hash is kept
            os.utime(path, (time.time() - age, time.time() - age))
            for _ in range(2):
                text = open_text(path)
                assert (len(text.train), len(text.validation)) == (950, 50)
                assert text.sha256 == hashlib.sha256(content).hexdigest()
                assert text.train.tobytes() + text.validation.tobytes() == content


@pytest.mark.usefixtures("own_cache")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(content=st.binary(min_size=1, max_size=200))
def test_any_bytes_are_a_text(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bytes"
    path.write_bytes(content)
    text = open_text(path)
    assert text.train.tobytes() + text.validation.tobytes() == content
    assert len(text.train) >= 19 * len(text.validation)


@pytest.mark.usefixtures("own_cache")
def test_what_is_no_text_is_one_error(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    for path, rule in (
        (tmp_path / "missing", "there is none of this name"),
        (tmp_path, "a file: this is none"),
        (empty, "the file is empty"),
        (Path("/dev/null"), "a file: this is none"),
    ):
        with pytest.raises(DomainError, match=rule) as caught:
            open_text(path)
        assert str(path) in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "closed"
    path.write_bytes(b"text")
    path.chmod(0)
    with pytest.raises(DomainError, match="permission denied"):
        open_text(path)


@pytest.mark.usefixtures("own_cache")
def test_a_path_that_no_system_takes_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DomainError, match=r"corpus = .*: corpus must be a file|a readable file"):
        open_text(tmp_path / ("n" * 300))

    def refuse(self: Path, **_: object) -> os.stat_result:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    # As in a folder that may not be entered; root may enter all.
    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(DomainError, match="a readable file: Permission denied"):
        open_text(tmp_path / "text")


@pytest.mark.usefixtures("own_cache")
def test_a_link_to_nothing_is_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(60):
        (tmp_path / f"module{number}.py").write_text(f"# {number}\n" * 20)
    monkeypatch.setattr(text_module.sysconfig, "get_path", lambda _: str(tmp_path))
    whole = open_text()
    (tmp_path / "nothing.py").symlink_to(tmp_path / "missing")
    assert open_text().sha256 == whole.sha256


def test_a_user_without_a_home_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SPECTRAL_RANK_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    for chosen in (None, "~/cache"):
        if chosen is not None:
            monkeypatch.setenv("SPECTRAL_RANK_CACHE", chosen)
        with pytest.raises(DomainError, match="SPECTRAL_RANK_CACHE must be set to a folder"):
            open_text(__file__)


def test_a_cache_that_cannot_be_written_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SPECTRAL_RANK_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DomainError, match="SPECTRAL_RANK_CACHE"):
        open_text()


@pytest.mark.parametrize(
    ("train", "validation", "length", "used", "rule"),
    [
        (20, 20, 20, None, "length = 20: length must be at most 19"),
        (100, 20, 20, None, "100 bytes to train on and 20 to validate on"),
        (20, 0, 1, None, "length must be at most 0"),
        (20, 20, 0, None, "length must be an integer >= 1"),
        (200, 50, 20, 167, "train_bytes must be at least 168, one block of 8 sequences"),
        (200, 50, 20, 201, "at most 200, the bytes of a count"),
    ],
)
def test_a_text_that_is_too_short_is_one_error(
    train: int, validation: int, length: int, used: int | None, rule: str
) -> None:
    text = counting(train, validation)
    with pytest.raises(DomainError, match=rule):
        text.training_batch(0, 2, length, 0, used)


@pytest.mark.parametrize("name", ["step", "batch", "seed"])
def test_negative_arguments_are_refused(name: str) -> None:
    arguments = {"step": 0, "batch": 1, "length": 2, "seed": 0} | {name: -1}
    with pytest.raises(DomainError, match=name):
        counting(50, 50).training_batch(**arguments)
