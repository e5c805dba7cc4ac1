"""The measured numbers of results as Lean instances, and the names that lead from one to the other.

Lean files are named by experiment, profile and request, such as ``Experiment_1_1_cpu_W_h``.  So a
result can name its instances, and they the result, although its hash stands in them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spectral_rank.certify.names import lean_names
from spectral_rank.certify.records import CertificateSet
from spectral_rank.certify.request import InstanceRequest
from spectral_rank.experiments.errors import ProtocolError, StorageError
from spectral_rank.experiments.record import ExperimentResult
from spectral_rank.experiments.registry import Experiment, catalogue, load
from spectral_rank.experiments.store import NAME
from spectral_rank.experiments.summary import chosen

SOURCE = re.compile(rf"{NAME.pattern}: .+", re.DOTALL)
"""Source of a record that was made from a result: the result's file and what was measured."""

NOT_STORED = "0" * 64
"""In place of the hash of a result that is being made; names do not depend on it."""


@dataclass(frozen=True)
class Instances:
    """What results give for lean/.

    Attributes:
        sets: certificates, one set for each Lean file.
        refusals: one line for each theorem that the measured numbers do not support.
        broken_links: one line for each result that does not name its instances.
    """

    sets: tuple[CertificateSet, ...] = ()
    refusals: tuple[str, ...] = ()
    broken_links: tuple[str, ...] = ()


def is_from_result(record: CertificateSet) -> bool:
    """Whether a record was made from a result, not by ``spectral-rank measure``."""
    return SOURCE.fullmatch(record.source) is not None


def instance_names(experiment: Experiment, result: ExperimentResult) -> tuple[str, ...]:
    """The Lean files that a result of the profiles ``cpu`` and ``gpu`` gives, without suffix.

    A ``smoke`` result gives none, as it decides nothing; its requests are checked all the same.

    Raises:
        ProtocolError: if ``instances`` raises an exception or does not return distinct requests.
    """
    requests = _requests(experiment, result)
    if result.config["profile"] == "smoke":
        return ()
    sets, _ = _certified(result, requests, "result", NOT_STORED)
    return tuple(certificates.module for certificates in sets)


def of_results(folder: Path, results: Mapping[Path, ExperimentResult]) -> Instances:
    """The instances of a folder's results: one result per experiment, as the summary chooses.

    Args:
        folder: folder of the experiments; only those that have results are loaded.
        results: stored results by file; ``smoke`` results are passed over.

    Raises:
        ProtocolError: if an experiment's file breaks the protocol.
        StorageError: if a result cannot be read.
    """
    counting = {
        path: result for path, result in results.items() if result.config["profile"] != "smoke"
    }
    files = catalogue(folder) if counting else {}
    sets: list[CertificateSet] = []
    refusals: list[str] = []
    broken: list[str] = []
    for path, result in chosen(counting).items():
        requests = _requests(load(files[result.id]), result) if result.id in files else []
        found, refused = _certified(result, requests, path.name, _sha256(path))
        sets += found
        refusals += refused
        if result.instances != tuple(certificates.module for certificates in found):
            broken.append(
                f"{path.name} does not name its instances; "
                f"run spectral-rank experiment run {result.id} "
                f"--profile {result.config['profile']} --judge-again"
            )
    return Instances(tuple(sets), tuple(refusals), tuple(broken))


def _requests(experiment: Experiment, result: ExperimentResult) -> list[InstanceRequest]:
    try:
        requests = list(experiment.instances(result))
    except Exception as error:
        raise experiment.fault("instances") from error
    if not all(isinstance(request, InstanceRequest) for request in requests):
        raise ProtocolError(f"{experiment.path}: instances must return a list of InstanceRequest")
    if len({request.name for request in requests}) < len(requests):
        raise ProtocolError(f"{experiment.path}: instances must return requests of distinct names")
    return requests


def _certified(
    result: ExperimentResult, requests: list[InstanceRequest], file: str, sha256: str
) -> tuple[list[CertificateSet], list[str]]:
    """The sets of certificates in the order of the requests, and what was refused."""
    start = f"Experiment_{result.id}_{result.config['profile']}_"
    modules = lean_names(start + request.name for request in requests)
    sets, refusals = [], []
    for request in requests:
        module = modules[start + request.name]
        found, refused = request.certificates(module, f"{file}: {request.name}", sha256)
        refusals += [f"{file}: {request.name}: no theorem: {reason}" for reason in refused]
        if found is not None:
            sets.append(found)
    return sets, refusals


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}") from None
