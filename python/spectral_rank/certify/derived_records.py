"""Records that are made from results: kept equal to what the results give, others left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from spectral_rank.atomic_file import write_atomically
from spectral_rank.certify.records import CertificateSet, RecordError, read_record

IsDerived = Callable[[CertificateSet], bool]
"""Whether a record was made from a result, by its source."""


def replace_derived(
    folder: Path, wanted: Iterable[CertificateSet], is_derived: IsDerived
) -> list[Path]:
    """Write the records that results give, and remove those that they no longer give.

    What a killed call leaves behind is repaired by the next one: new records are written before old
    ones are removed.

    Args:
        folder: where records are kept; made if there is something to write.
        wanted: the sets of certificates, distinct modules.
        is_derived: tells the records of results from others, which stay.

    Returns:
        The files that were written or removed.

    Raises:
        RecordError: if a record is damaged, or one that stays has the module of a new one.
        CertificateError: if a certificate does not hold.
        OSError: if a file cannot be written.
    """
    texts, there, others = _compared(folder, wanted, is_derived)
    for name, (module, _) in texts.items():
        if module in others:
            raise RecordError(others[module], f"{module} is also the module of {name}")
    changed = [folder / name for name in texts.keys() - there]
    for path in sorted(changed):
        write_atomically(path, texts[path.name][1])
    stale = [folder / name for name in there - texts.keys()]
    for path in stale:
        path.unlink(missing_ok=True)
    return sorted([*changed, *stale])


def compare_derived(
    folder: Path, wanted: Iterable[CertificateSet], is_derived: IsDerived
) -> list[str]:
    """One line for each record that is missing, or not what the results give.

    Arguments and errors as in `replace_derived`.
    """
    texts, there, _ = _compared(folder, wanted, is_derived)
    missing = [f"missing: {folder / name}" for name in sorted(texts.keys() - there)]
    stale = [f"stale: {folder / name}" for name in sorted(there - texts.keys())]
    return missing + stale


def _compared(
    folder: Path, wanted: Iterable[CertificateSet], is_derived: IsDerived
) -> tuple[dict[str, tuple[str, str]], set[str], dict[str, Path]]:
    """Module and text of each record by file name; derived files there; other modules there."""
    texts: dict[str, tuple[str, str]] = {}
    for certificates in wanted:
        for certificate in certificates.certificates:
            certificate.verify()
        texts[certificates.file_name] = (certificates.module.casefold(), certificates.to_json())
    there: set[str] = set()
    others: dict[str, Path] = {}
    for path in sorted(folder.glob("*.json")):
        record = read_record(path)
        if is_derived(record):
            there.add(path.name)
        else:
            others[record.module.casefold()] = path
    return texts, there, others
