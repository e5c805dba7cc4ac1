"""``python -m spectral_rank``, which is how ``torchrun -m spectral_rank`` starts the command."""

from __future__ import annotations

from spectral_rank.cli import app

if __name__ == "__main__":
    app(prog_name="spectral-rank")
