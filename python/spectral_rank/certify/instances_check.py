"""Whether the Lean instances and the records agree, and whether every instance holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spectral_rank.certify.instance import CertificateError, Instance
from spectral_rank.certify.lean_text import read_theorem
from spectral_rank.certify.lean_writer import (
    CLOSING,
    IMPORTS,
    OPENING,
    TEMPLATE,
    file_texts,
    instances_folder,
)
from spectral_rank.certify.records import CertificateSet

_COMMENT = re.compile(r"/-.*?-/\n", re.DOTALL)


@dataclass(frozen=True)
class InstancesReport:
    """What `check_instances` found; each entry begins with a file name.

    Attributes:
        checked: number of theorems whose integers were read back from lean/ and re-checked.
        missing: files that a record asks for and lean/ lacks.
        stale: files in lean/ that no record asks for.
        differing: files whose text is not what the record gives.
        false: files that cannot be read back, or whose integers do not prove their statement.
    """

    checked: int
    missing: tuple[str, ...]
    stale: tuple[str, ...]
    differing: tuple[str, ...]
    false: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether lean/ and the records agree and every instance holds."""
        return not (self.missing or self.stale or self.differing or self.false)

    def lines(self) -> list[str]:
        """One line per problem."""
        return [
            f"{problem}: {entry}"
            for problem in ("missing", "stale", "differing", "false")
            for entry in getattr(self, problem)
        ]


def check_instances(lean_folder: Path, records: Sequence[CertificateSet]) -> InstancesReport:
    """Compare the instances in lean/ with the records, and re-check every integer inequality.

    The template itself is read back and re-checked too, and compared with no record.

    Args:
        lean_folder: the folder that holds ``SpectralRank/``.
        records: what `read_records` returns.

    Raises:
        FileNotFoundError: if the folder is not the Lean library.
        CertificateError: if a record does not hold.
        ValueError: if two records have the same file name or theorem.
    """
    folder = instances_folder(lean_folder)
    expected = file_texts(records)
    present = {path.name: path for path in sorted(folder.iterdir()) if path.suffix == ".lean"}
    checked, differing, false = 0, [], []
    for name, path in present.items():
        try:
            text = path.read_bytes().decode("utf-8")
            checked += len(read_instances(text))
        except (CertificateError, UnicodeDecodeError, OSError) as error:
            text = ""
            false.append(f"{name}: {error}")
        if name in expected and text != expected[name]:
            differing.append(name)
    return InstancesReport(
        checked=checked,
        missing=tuple(sorted(expected.keys() - present.keys())),
        stale=tuple(sorted(present.keys() - expected.keys() - {TEMPLATE})),
        differing=tuple(differing),
        false=tuple(false),
    )


def read_instances(text: str) -> list[Instance]:
    """The instances that a Lean file states.

    Args:
        text: a file with the template's imports, options and namespace.

    Raises:
        CertificateError: if anything but comments differs from the template, or integers do not
            prove their statement.
    """
    plain = _COMMENT.sub("", text)
    opening, closing = f"{IMPORTS}\n\n{OPENING}\n", f"\n{CLOSING}"
    if not (plain.startswith(opening) and plain.endswith(closing)):
        raise CertificateError("imports, options or namespace differ from the template's")
    theorems = plain.removeprefix(opening).removesuffix(closing).rstrip("\n").split("\n\n")
    return [read_theorem(f"{theorem}\n") for theorem in theorems]
