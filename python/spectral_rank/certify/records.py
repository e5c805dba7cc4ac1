"""Certificates as JSON, one file per matrix, its name a hash, and never half written."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from spectral_rank.atomic_file import write_atomically
from spectral_rank.certify.instance import Certificate, CertificateError, Record


class RecordError(ValueError):
    """A file of certificates that cannot be used, with the file and the rule it breaks."""

    def __init__(self, path: Path, rule: str) -> None:
        super().__init__(f"{path}: {rule}")
        self.path = path
        self.rule = rule


class CertificateSet(Record):
    """The certificates of one matrix: one JSON record, one Lean file.

    Attributes:
        schema_version: version of this record's layout.
        certificates: at least one; same matrix and measurement, distinct names.
    """

    schema_version: int = Field(default=1, ge=1, le=1)
    certificates: tuple[Certificate, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_matrix(self) -> CertificateSet:
        members = self.certificates
        origins = {(c.origin.module, c.origin.source, c.origin.record_sha256) for c in members}
        if len(origins) > 1:
            raise ValueError(f"certificates of {len(origins)} different measurements")
        if len({certificate.name for certificate in members}) < len(members):
            raise ValueError("two certificates have the same name")
        return self

    @property
    def module(self) -> str:
        """Name of the Lean file, without suffix."""
        return self.certificates[0].origin.module

    @property
    def source(self) -> str:
        """What was measured."""
        return self.certificates[0].origin.source

    @property
    def file_name(self) -> str:
        """Name of the JSON file: the module and a hash of the contents."""
        digest = hashlib.sha256(self.to_json().encode()).hexdigest()
        return f"{self.module}-{digest[:16]}.json"

    def to_json(self) -> str:
        """The record as text; equal sets give equal texts."""
        return self.model_dump_json(indent=1) + "\n"


def write_record(folder: Path, certificates: CertificateSet) -> Path:
    """Write a set of certificates, in place of an earlier set of the same matrix.

    Args:
        folder: where records are kept; made if missing.
        certificates: the set; checked again before anything is written.

    Returns:
        The file.

    Raises:
        RecordError: if the earlier set is damaged, or of another source.
        CertificateError: if a certificate does not hold.
        OSError: if the file cannot be written; what was there before stays.
    """
    for certificate in certificates.certificates:
        certificate.verify()
    earlier = _of_module(folder, certificates.module)
    for path in earlier:
        source = read_record(path).source
        if source != certificates.source:
            rule = f"{source!r} and {certificates.source!r} have the same module"
            raise RecordError(path, rule)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / certificates.file_name
    write_atomically(path, certificates.to_json())
    for old in earlier:
        if old != path:
            old.unlink()
    return path


def read_records(folder: Path) -> list[CertificateSet]:
    """All sets of certificates below a folder, ordered by module, every inequality re-checked.

    Raises:
        RecordError: if the folder does not exist (no records would read as an order to remove every
            instance), a file is damaged or was renamed, a certificate does not hold, or two sets
            claim the same Lean file or theorem.
    """
    if not folder.is_dir():
        raise RecordError(folder, "not a folder")
    found = [(path, read_record(path)) for path in sorted(folder.glob("*.json"))]
    claimed: dict[str, Path] = {}
    for path, certificates in found:
        names = [certificate.name for certificate in certificates.certificates]
        for name in (f"{certificates.module.casefold()}.lean", *names):
            if name in claimed:
                raise RecordError(path, f"{name} is also claimed by {claimed[name]}")
            claimed[name] = path
    return [certificates for _, certificates in found]


def _of_module(folder: Path, module: str) -> list[Path]:
    """The records of a module; upper and lower case name the same file on some file systems."""
    paths = folder.glob("*.json")
    return [path for path in paths if path.name.rpartition("-")[0].casefold() == module.casefold()]


def read_record(path: Path) -> CertificateSet:
    """One set of certificates, every inequality re-checked.

    Raises:
        RecordError: if the file is damaged or was renamed, or a certificate does not hold.
    """
    try:
        certificates = CertificateSet.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RecordError(path, f"not a record of certificates: {where}: {first['msg']}") from None
    except CertificateError as error:
        raise RecordError(path, str(error)) from None
    if path.name != certificates.file_name:
        raise RecordError(path, f"the name must be {certificates.file_name}, the contents' hash")
    return certificates
