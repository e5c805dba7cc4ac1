"""Where this package keeps what can be computed again."""

from __future__ import annotations

import os
from pathlib import Path

from spectral_rank.formulas.domain import DomainError


def cache_folder() -> Path:
    """The cache folder; it need not exist, and may be removed at any time.

    ``$SPECTRAL_RANK_CACHE`` if it is set, else ``$XDG_CACHE_HOME/spectral-rank``, else
    ``~/.cache/spectral-rank``.

    Raises:
        DomainError: if it would lie in the home folder of a user who has none.
    """
    chosen = os.environ.get("SPECTRAL_RANK_CACHE")
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        if chosen:
            return Path(chosen).expanduser().absolute()
        return (Path(base) if base else Path.home() / ".cache") / "spectral-rank"
    except RuntimeError:  # neither HOME nor an entry among the users, as in some containers
        rule = "set to a folder outside the home folder, which is not known here"
        raise DomainError("SPECTRAL_RANK_CACHE", chosen or "unset", rule) from None
