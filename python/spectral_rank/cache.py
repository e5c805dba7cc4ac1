"""Where this package keeps what can be computed again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The cache folder; it need not exist, and may be removed at any time.

    ``$SPECTRAL_RANK_CACHE`` if it is set, else ``$XDG_CACHE_HOME/spectral-rank``, else
    ``~/.cache/spectral-rank``.
    """
    chosen = os.environ.get("SPECTRAL_RANK_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "spectral-rank"
