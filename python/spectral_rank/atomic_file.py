"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Write a text file whole or not at all; a reader or a killed run never sees half of it.

    Args:
        path: the file; its folder is made if missing.
        text: what it will hold, written as UTF-8.

    Raises:
        OSError: if it cannot be written; the file that was there before stays.
    """
    with replaced_whole(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def replaced_whole(path: Path) -> Iterator[Path]:
    """A path to write in the body, which becomes ``path`` at its end, whole or not at all.

    Args:
        path: the file; its folder is made if missing.

    Yields:
        An empty file beside it.  If the body raises, it is removed and ``path`` stays as it was.

    Raises:
        OSError: if it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix keeps what a killed process leaves behind from being read as a source or a record.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=".partial", dir=path.parent)
    os.close(descriptor)
    partial = Path(name)
    try:
        yield partial
        _flush(partial)
        partial.chmod(0o644)
        partial.replace(path)
        # Without this a power cut may still bring back the file that was there before.
        _flush(path.parent)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def _flush(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
