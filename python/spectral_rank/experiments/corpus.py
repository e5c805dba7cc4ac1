"""The text of a run that is not the default one: checked before anything runs, known by its hash.

An experiment reads a text if its ``Settings`` have a field ``corpus``.  If they have a field
``corpus_sha256`` as well, a file whose contents change is another configuration, hence another run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from spectral_rank.experiments.record import Config
from spectral_rank.formulas.domain import DomainError


@dataclass(frozen=True)
class Corpus:
    """A text that experiments are run with.

    Attributes:
        path: its file, absolute.
        sha256: hash of its contents, 64 hexadecimal digits.
    """

    path: Path
    sha256: str


def read_corpus(path: Path) -> Corpus:
    """The corpus in a file.

    Raises:
        DomainError: if it is missing, not a file, empty, or cannot be read.
    """
    path = path.absolute()
    if not path.is_file():
        raise DomainError("corpus", str(path), "a file")
    if path.stat().st_size == 0:
        raise DomainError("corpus", str(path), "a file that is not empty")
    try:
        with path.open("rb") as file:
            return Corpus(path, hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        rule = f"a file that can be read ({error.strerror})"
        raise DomainError("corpus", str(path), rule) from None


def reads_corpus(settings: type[Config]) -> bool:
    """Whether experiments with these settings read a text."""
    return "corpus" in settings.model_fields


def with_corpus(config: Config, corpus: Corpus) -> Config:
    """The same configuration with another text.

    Raises:
        DomainError: if the configuration has no text.
    """
    settings = type(config)
    if not reads_corpus(settings):
        raise DomainError("corpus", str(corpus.path), "given only to experiments that read a text")
    changes = {"corpus": str(corpus.path)}
    if "corpus_sha256" in settings.model_fields:
        changes["corpus_sha256"] = corpus.sha256
    return settings.model_validate(config.model_dump(mode="json") | changes)
