"""``spectral-rank measure``: from a file of weights to verdicts, records, figures and theorems."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import BaseModel, Field
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from spectral_rank.atomic_file import write_atomically
from spectral_rank.certify import Certificate, CertificateSet, write_instances, write_record
from spectral_rank.certify.names import lean_names
from spectral_rank.certify.records import read_records
from spectral_rank.formulas.domain import DomainError
from spectral_rank.measurement.certificates import certify
from spectral_rank.measurement.measurement import Measurement, measure
from spectral_rank.measurement.plot import draw
from spectral_rank.measurement.table import show
from spectral_rank.provenance import device_in_words, versions
from spectral_rank.spectra.checkpoint import Checkpoint, CheckpointError, open_checkpoint
from spectral_rank.spectra.factors import select, spectrum_of
from spectral_rank.spectra.spectrum import Spectrum

ROOT = Path(__file__).parents[3]
LEAN_FOLDER = ROOT / "lean"
RECORDS_FOLDER = ROOT / "experiments" / "certificates"
"""Where a checkout of the repository keeps its proofs and the records of its instances."""

IN_PROCESS = 8
"""Up to this many matrices are fitted in this process: starting workers would take longer."""

AHEAD = 4
"""Spectra that may wait for each worker: values only, their matrices are gone."""


class Skipped(BaseModel):
    """A matrix that could not be measured, and why."""

    name: str
    reason: str


class MeasuredFile(BaseModel):
    """The record of one run of ``measure``.

    Attributes:
        schema_version: version of this record's layout.
        source: the file.
        eps: tolerance of the ranks.
        seed: seed of the simulated spectra.
        measurements: the matrices, in the order of the file.
        skipped: matrices that could not be measured.
        versions: versions of Python and of the libraries that computed.
        device: the machine.
    """

    schema_version: Literal[1] = 1
    source: str
    eps: float
    seed: int
    measurements: list[Measurement] = []
    skipped: list[Skipped] = []
    versions: dict[str, str] = Field(default_factory=versions)
    device: str = Field(default_factory=device_in_words)


def measure_command(
    model: Annotated[Path, typer.Argument(help=".safetensors, .npz, .npy or a torch file.")],
    only: Annotated[str, typer.Option(help="Matrices to measure, a glob on their names.")] = "*",
    eps: Annotated[float, typer.Option(help="Tolerance of the ranks, in (0, 1).")] = 0.05,
    seed: Annotated[int, typer.Option(help="Seed of the simulated spectra.")] = 0,
    json: Annotated[Path | None, typer.Option(help="Write the record as JSON.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Folder for one figure per matrix.")] = None,
    lean: Annotated[
        bool, typer.Option("--lean", help="Write certified instances into lean/.")
    ] = False,
    lean_folder: Annotated[Path, typer.Option(help="Folder of the Lean sources.")] = LEAN_FOLDER,
    records: Annotated[
        Path, typer.Option(help="Folder of the certificates' records.")
    ] = RECORDS_FOLDER,
    jobs: Annotated[int | None, typer.Option(help="Processes; default: all cores.")] = None,
    device: Annotated[
        str | None, typer.Option(help="Torch device; default: a GPU if there is one.")
    ] = None,
) -> None:
    """Say what the spectra of a file of weights say: the verdict first, and in words."""
    console = Console() if Console().is_terminal else Console(width=140)
    _check_options(eps, seed, jobs, json, plot)
    found = MeasuredFile(source=model.name, eps=eps, seed=seed)
    try:
        with open_checkpoint(model) as checkpoint:
            if not select(checkpoint, only):
                raise typer.BadParameter(_no_match(checkpoint, only), param_hint="--only")
            for outcome in _outcomes(console, checkpoint, only, found, jobs, device):
                _keep(console, found, outcome, json, plot)
    except CheckpointError as error:
        raise typer.BadParameter(str(error), param_hint="MODEL") from None
    if lean:
        _write_lean(console, found, lean_folder, records)
    if found.skipped:
        raise typer.Exit(1)


def _check_options(
    eps: float, seed: int, jobs: int | None, json: Path | None, plot: Path | None
) -> None:
    """Refuse every bad option before anything is read."""
    if not 0 < eps < 1:
        raise typer.BadParameter(f"{eps} is not in (0, 1)", param_hint="--eps")
    for option, value, minimum in (("--seed", seed, 0), ("--jobs", jobs, 1)):
        if value is not None and value < minimum:
            raise typer.BadParameter(f"{value} is below {minimum}", param_hint=option)
    if json is not None and (json.is_dir() or not os.access(json.absolute().parent, os.W_OK)):
        raise typer.BadParameter(f"{json}: cannot be written", param_hint="--json")
    if plot is not None and plot.exists() and not plot.is_dir():
        raise typer.BadParameter(f"{plot}: not a folder", param_hint="--plot")


def _no_match(checkpoint: Checkpoint, only: str) -> str:
    names = [entry.name for entry in select(checkpoint)]
    if not names:
        return f"{checkpoint.path.name} holds no matrix with at least two rows and two columns"
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"{only!r} matches none of the {len(names)} matrices of {checkpoint.path.name}: {shown}"


Outcome = Measurement | Skipped


def _outcomes(
    console: Console,
    checkpoint: Checkpoint,
    only: str,
    found: MeasuredFile,
    jobs: int | None,
    device: str | None,
) -> Iterator[Outcome]:
    """Measure the matrices one after the other, in the order of the file, with progress.

    This process reads and decomposes, so that one matrix is in memory at a time; workers fit.
    """
    count = len(select(checkpoint, only))
    jobs = jobs or os.cpu_count() or 1
    columns = (
        TextColumn("measuring"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[current]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=count, current="")
        spectra = _spectra(checkpoint, only, device)
        if jobs == 1 or count <= IN_PROCESS:
            outcomes: Iterator[Outcome] = (
                _fit(s, found.source, found.eps, found.seed) for s in spectra
            )
            yield from _tracked(outcomes, progress, task)
            return
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            yield from _tracked(_in_pool(pool, spectra, found, AHEAD * jobs), progress, task)


def _tracked(outcomes: Iterator[Outcome], progress: Progress, task: object) -> Iterator[Outcome]:
    for outcome in outcomes:
        name = outcome.name if isinstance(outcome, Skipped) else outcome.spectrum.name
        progress.update(task, advance=1, current=name)  # type: ignore[arg-type]
        yield outcome


def _in_pool(
    pool: ProcessPoolExecutor,
    spectra: Iterator[Spectrum | Skipped],
    found: MeasuredFile,
    ahead: int,
) -> Iterator[Outcome]:
    waiting: deque[Future[Outcome]] = deque()
    for spectrum in spectra:
        waiting.append(pool.submit(_fit, spectrum, found.source, found.eps, found.seed))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _spectra(checkpoint: Checkpoint, only: str, device: str | None) -> Iterator[Spectrum | Skipped]:
    import torch

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    for entry in select(checkpoint, only):
        try:
            yield spectrum_of(checkpoint, entry, device)
        except (DomainError, CheckpointError) as error:
            yield Skipped(name=entry.name, reason=str(error))


def _fit(spectrum: Spectrum | Skipped, source: str, eps: float, seed: int) -> Outcome:
    if isinstance(spectrum, Skipped):
        return spectrum
    try:
        return measure(spectrum, source, eps, seed)
    except DomainError as error:
        return Skipped(name=spectrum.name, reason=str(error))


def _keep(
    console: Console, found: MeasuredFile, outcome: Outcome, json: Path | None, plot: Path | None
) -> None:
    """Show an outcome and write the record so far: a killed run loses nothing it has shown."""
    if isinstance(outcome, Skipped):
        found.skipped.append(outcome)
        console.print(f"{outcome.name}: not measured: {outcome.reason}", style="bold red")
    else:
        found.measurements.append(outcome)
        show(console, outcome)
        if plot is not None:
            plot.mkdir(parents=True, exist_ok=True)
            draw(outcome, plot / f"{_file_name(outcome.spectrum.name)}.svg")
    if json is not None:
        write_atomically(json, found.model_dump_json(indent=1) + "\n")


def _file_name(name: str) -> str:
    """A tensor's name as a file name: letters, digits, dots, dashes and underscores stay."""
    return lean_names([name])[name] if re.search(r"[^\w.-]|^\.", name, re.ASCII) else name


def _write_lean(console: Console, found: MeasuredFile, lean_folder: Path, records: Path) -> None:
    """Certificates of the measured power laws: a record each, then all files of lean/ anew."""
    stem = Path(found.source).stem
    modules = lean_names(f"{stem}.{m.spectrum.name}" for m in found.measurements)
    for measurement in found.measurements:
        name = measurement.spectrum.name
        certificates, refusals = certify(measurement, modules[f"{stem}.{name}"])
        for refusal in refusals:
            console.print(f"{name}: no theorem: {refusal}", style="yellow", highlight=False)
        if certificates:
            _record_set(console, certificates, records)
    if records.is_dir():
        for path in write_instances(lean_folder, read_records(records)):
            console.print(f"wrote {path}", highlight=False)


def _record_set(console: Console, certificates: list[Certificate], records: Path) -> None:
    path = write_record(records, CertificateSet(certificates=tuple(certificates)))
    console.print(f"wrote {path}", highlight=False)
