"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Write a text file whole or not at all; a reader or a killed run never sees half of it.

    Args:
        path: the file; its folder is made if missing.
        text: what it will hold, written as UTF-8.

    Raises:
        OSError: if it cannot be written; the file that was there before stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix keeps what a killed process leaves behind from being read as a source or a record.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=".partial", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
