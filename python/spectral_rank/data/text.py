"""Text as bytes, memory-mapped: a training part, a validation part, and batches of sequences.

The default text is the Python source of the installed standard library, without tests, without
`site-packages` and without what is made when Python is built.  The text of the files is joined in
the order of the SHA-256 hashes of their relative paths.  A file whose hash, read as a number in
[0, 1), is at least 0.95 belongs to the validation part.  So no file is in both parts, and the split
of a file does not depend on the other files.

A part of the training text is a random sample of short blocks, not a beginning: files are long and
of many kinds, so that the first megabyte would be another sort of text than the first ten.

A user's file is mapped where it lies and must not change while it is in use; its last 5 % are the
validation part.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from spectral_rank.atomic_file import replaced_whole, write_atomically
from spectral_rank.cache import cache_folder
from spectral_rank.formulas.domain import DomainError, integer

Bytes = npt.NDArray[np.uint8]

VALIDATION_SHARE = 0.05

SKIPPED_FOLDERS = frozenset(
    {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"}
)
SKIPPED_PREFIX = "_sysconfigdata"
"""Start of the names of files that are written when Python is built, different on each machine."""

LAYOUT = "1"
"""Raised when the same files are joined or split in another way."""

SETTLED_SECONDS = 2.0
"""A file this young may change once more without a new time stamp, so its hash is not kept."""

BLOCK_SEQUENCES = 8
"""Length of a block, in sequences: the unit that a part of the training text is sampled in."""

GOLDEN = 0x9E3779B97F4A7C15
"""The golden ratio times 2^64: its multiples modulo 2^64 spread evenly, however many are taken."""


class _Description(BaseModel):
    """What is known of a text without reading it."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    size: int
    cut: int


class Text:
    """A text in two parts.

    Attributes:
        name: where it comes from, in words.
        sha256: hash of the whole text.
        train: the training part, read-only, shape ``(bytes,)``.
        validation: the validation part, likewise.
    """

    def __init__(self, name: str, sha256: str, train: Bytes, validation: Bytes) -> None:
        self.name = name
        self.sha256 = sha256
        self.train = train
        self.validation = validation

    def require(self, length: int, train_bytes: int | None = None) -> None:
        """Refuse sequences that the text is too short for.

        Args:
            length: bytes that a sequence predicts; it has one more.
            train_bytes: bytes of the training part that are used; ``None`` for all.

        Raises:
            DomainError: if the training part or the validation part is shorter than a sequence, or
                ``train_bytes`` is less than a block of eight sequences or more than there is.
        """
        integer("length", length, at_least=1)
        longest = max(0, min(len(self.train), len(self.validation)) - 1)
        if length > longest:
            rule = (
                f"at most {longest}: {self.name} has {len(self.train)} bytes to train on and "
                f"{len(self.validation)} to validate on"
            )
            raise DomainError("length", length, rule)
        block = BLOCK_SEQUENCES * (length + 1)
        if train_bytes is not None and not block <= train_bytes <= len(self.train):
            rule = (
                f"at least {block}, one block of {BLOCK_SEQUENCES} sequences, and at most "
                f"{len(self.train)}, the bytes of {self.name} to train on"
            )
            raise DomainError("train_bytes", train_bytes, rule)

    def training_batch(
        self,
        step: int,
        batch: int,
        length: int,
        seed: int,
        train_bytes: int | None = None,
        blocks_seed: int | None = None,
    ) -> Tensor:
        """Sequences from random places of the training part, a pure function of the arguments.

        Args:
            step: which batch, >= 0.
            batch: number of sequences, >= 1.
            length: bytes that a sequence predicts, >= 1.
            seed: seed of the places, >= 0.
            train_bytes: how many bytes are used: as many whole blocks as they hold, and sequences
                that lie within a block; ``None`` for all.
            blocks_seed: seed that draws the blocks, >= 0; ``None`` for ``seed``.

        Returns:
            Bytes as int64, shape ``(batch, length + 1)``.

        Raises:
            DomainError: if an argument is outside its domain, or the text is too short.
        """
        integer("batch", batch, at_least=1)
        self.require(length, train_bytes)
        source = np.random.SeedSequence([integer("seed", seed), integer("step", step)])
        generator = np.random.Generator(np.random.Philox(source))
        if train_bytes is None:
            starts = generator.integers(0, len(self.train) - length, size=batch)
        else:
            block = BLOCK_SEQUENCES * (length + 1)
            drawn_by = seed if blocks_seed is None else integer("blocks_seed", blocks_seed)
            blocks = _sample(len(self.train) // block, train_bytes // block, drawn_by)
            starts = block * blocks[generator.integers(0, len(blocks), size=batch)]
            starts += generator.integers(0, block - length, size=batch)
        return _sequences(self.train, starts, length)

    def validation_batch(self, index: int, batch: int, length: int) -> Tensor:
        """Sequences from fixed places spread over the validation part.

        Args:
            index: which batch, >= 0.
            batch: number of sequences, >= 1.
            length: bytes that a sequence predicts, >= 1.

        Returns:
            Bytes as int64, shape ``(batch, length + 1)``.

        Raises:
            DomainError: if an argument is outside its domain, or the text is too short.
        """
        first = integer("index", index) * integer("batch", batch, at_least=1)
        self.require(length)
        places = len(self.validation) - length
        starts = [
            ((number * GOLDEN % 2**64) * places) >> 64 for number in range(first, first + batch)
        ]
        return _sequences(self.validation, np.asarray(starts), length)


def open_text(corpus: str | Path | None = None) -> Text:
    """Open a text, mapped into memory.

    Args:
        corpus: path of a file; ``None`` for the source of the installed standard library, which is
            joined into one file of the cache folder at the first call and whenever it has changed.

    Raises:
        DomainError: if the file is missing, no file, empty or not readable, or the cache folder
            cannot be written, or as `spectral_rank.cache.cache_folder`.
    """
    if corpus is None:
        return _standard_library()
    path = Path(corpus)
    try:
        _require_readable(path)
        description = _describe_file(path.resolve())
    except OSError as error:  # a name too long, a folder that may not be entered, a bad disk
        rule = f"a readable file: {error.strerror or error}"
        raise DomainError("corpus", str(path), rule) from None
    return _mapped(str(path), path, description)


@functools.lru_cache(maxsize=4)
def _sample(blocks: int, count: int, seed: int) -> npt.NDArray[np.int64]:
    """``count`` different ones of so many blocks; more with the same seed contain fewer."""
    order = np.random.default_rng([blocks, seed]).permutation(blocks)[:count]
    order.flags.writeable = False
    return order


def _sequences(part: Bytes, starts: npt.NDArray[np.int64], length: int) -> Tensor:
    rows = part[starts[:, None] + np.arange(length + 1)]
    return torch.from_numpy(rows.astype(np.int64))


def _mapped(name: str, path: Path, description: _Description) -> Text:
    try:
        whole = np.memmap(path, dtype=np.uint8, mode="r")
    except (OSError, ValueError) as error:
        raise DomainError("corpus", str(path), f"a readable file: {error}") from None
    cut = description.cut
    return Text(name, description.sha256, whole[:cut], whole[cut:])


def _require_readable(path: Path) -> None:
    if not path.exists():
        raise DomainError("corpus", str(path), "a file: there is none of this name")
    if not path.is_file():
        raise DomainError("corpus", str(path), "a file: this is none")
    if not os.access(path, os.R_OK):
        raise DomainError("corpus", str(path), "a readable file: permission denied")
    if path.stat().st_size == 0:
        raise DomainError("corpus", str(path), "a text: the file is empty")


def _describe_file(path: Path) -> _Description:
    """Hash and split of a user's file; the hash is computed once per state of the file."""
    state = path.stat()
    key = _key([str(path), str(state.st_ino), str(state.st_size), str(state.st_mtime_ns)])
    record = cache_folder() / "text" / f"{key}.json"
    known = _read(record)
    if known is not None and known.size == state.st_size:
        return known
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    size = state.st_size
    description = _Description(sha256=sha256, size=size, cut=size - int(VALIDATION_SHARE * size))
    if time.time() - state.st_mtime > SETTLED_SECONDS:
        _write(record, description)
    return description


def _standard_library() -> Text:
    """The source of the standard library, from the cache if its files are as they were."""
    root = Path(sysconfig.get_path("stdlib"))
    files = sorted(_sources(root), key=lambda name: hashlib.sha256(name.encode()).digest())
    if not files:
        raise DomainError("corpus", str(root), "a standard library with its source: name a file")
    states = [(name, (root / name).stat()) for name in files]
    listed = [f"{name} {state.st_size} {state.st_mtime_ns}" for name, state in states]
    key = _key([str(root), *listed])
    path, record = (cache_folder() / "text" / f"{key}{suffix}" for suffix in (".txt", ".json"))
    known = _read(record)
    if known is None or not path.is_file() or path.stat().st_size != known.size:
        known = _join(root, files, path)
        _write(record, known)
    return _mapped("the source of the standard library", path, known)


def _sources(root: Path) -> Iterator[str]:
    """Relative paths of the source files that can be read, with slashes."""
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
        for name in names:
            path = Path(folder) / name
            is_source = name.endswith(".py") and not name.startswith(SKIPPED_PREFIX)
            # A package manager may leave links to nothing.
            if is_source and os.access(path, os.R_OK):
                yield path.relative_to(root).as_posix()


def is_validation(name: str) -> bool:
    """Whether a file of the standard library, by its relative path, is in the validation part."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64
    return number >= 1 - VALIDATION_SHARE


def _join(root: Path, files: list[str], path: Path) -> _Description:
    """Write the files as one, in the order given, and say where the validation part begins."""
    digest, size, cut = hashlib.sha256(), 0, 0
    try:
        with replaced_whole(path) as partial, partial.open("wb") as output:
            for name in files:
                content = (root / name).read_bytes()
                output.write(content)
                digest.update(content)
                size += len(content)
                cut += 0 if is_validation(name) else len(content)
    except OSError as error:
        raise _unwritable(error) from None
    return _Description(sha256=digest.hexdigest(), size=size, cut=cut)


def _key(parts: list[str]) -> str:
    return hashlib.sha256("\n".join([LAYOUT, *parts]).encode()).hexdigest()[:16]


def _read(record: Path) -> _Description | None:
    try:
        return _Description.model_validate_json(record.read_bytes())
    except (OSError, ValidationError):
        return None


def _write(record: Path, description: _Description) -> None:
    try:
        write_atomically(record, description.model_dump_json() + "\n")
    except OSError as error:
        raise _unwritable(error) from None


def _unwritable(error: OSError) -> DomainError:
    rule = f"a folder that can be written ({error.strerror}): set SPECTRAL_RANK_CACHE to one"
    return DomainError("cache folder", str(cache_folder()), rule)
