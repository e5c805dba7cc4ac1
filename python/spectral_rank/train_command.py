"""The command ``spectral-rank train``: a recurrent language model on any text."""

from __future__ import annotations

import inspect
import os
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar
from rich.table import Table

from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.recurrent.settings import Kind, ModelSettings
from spectral_rank.training.errors import TrainingError
from spectral_rank.training.run_settings import (
    DataSettings,
    Optimizer,
    Precision,
    ProbeSettings,
    RunSettings,
    TrainingSettings,
)

if TYPE_CHECKING:
    from spectral_rank.training.progress import Progress
    from spectral_rank.training.run_record import RunRecord

LOG_WIDTH = 120

LOOKS = 10
"""How often the validation loss is looked at in a run."""

LIMITS = {"steps": 2**53, "learning_rate": 1e30, "weight_decay": 1e30, "clip": 1e30}
"""Largest values of settings: floats tell such steps apart, and hold the products of the others."""

OPTIONS = {"recurrent_rank": "rank", "learning_rate": "lr"}
"""Options whose name is not that of the setting."""

CHECKPOINT_FILE = "checkpoint.safetensors"
"""As `spectral_rank.training.checkpoints.CHECKPOINT_FILE`, whose module loads torch."""

NO_MEMORY = ("allocate memory", "out of memory", "bad_alloc")
"""Words of torch when memory has run out: on a CPU, on a GPU, and within C++."""


class _NoMemoryError(TrainingError):
    """This process has run out of memory, whatever the others do."""


def train_command(
    kind: Annotated[Kind, typer.Option(help="The recurrence.")] = "elman",
    width: Annotated[int, typer.Option(help="Width of the states.")] = 128,
    layers: Annotated[int, typer.Option(help="Recurrent layers.")] = 1,
    rank: Annotated[
        int | None, typer.Option(help="Rank of the recurrent matrices; default: dense.")
    ] = None,
    input_rank: Annotated[
        int | None, typer.Option(help="Rank of the input matrices; default: dense.")
    ] = None,
    residual: Annotated[
        bool, typer.Option("--residual", help="Add each layer's input to its output.")
    ] = False,
    norm: Annotated[bool, typer.Option("--norm", help="RMSNorm before each layer.")] = False,
    tied: Annotated[
        bool, typer.Option("--tied", help="Read out with the transposed embedding.")
    ] = False,
    steps: Annotated[int, typer.Option(help="Optimizer steps.")] = 1000,
    batch: Annotated[int, typer.Option(help="Sequences of a step, over all processes.")] = 16,
    length: Annotated[int, typer.Option(help="Bytes that a sequence predicts.")] = 64,
    accumulate: Annotated[
        int, typer.Option(help="Parts a process computes its share of a batch in, to save memory.")
    ] = 1,
    lr: Annotated[float, typer.Option(help="Learning rate at its top.")] = 3e-3,
    weight_decay: Annotated[float, typer.Option(help="Weight decay, on matrices only.")] = 0.0,
    clip: Annotated[
        float, typer.Option(help="Largest norm of the gradient; 0: no clipping.")
    ] = 1.0,
    optimizer: Annotated[
        Optimizer, typer.Option(help="schedulefree is the extra 'train'.")
    ] = "adamw",
    precision: Annotated[Precision, typer.Option(help="bf16 needs a GPU.")] = "float32",
    corpus: Annotated[
        Path | None, typer.Option(help="Text file; default: the standard library's source.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the weights and of the batches.")] = 0,
    probes: Annotated[
        bool,
        typer.Option(
            help="Measure the spectra every 500 steps, gradients and Jacobians every 1000, and all "
            "at the start and the end."
        ),
    ] = True,
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path("run"),
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda or cuda:N; default: a GPU if there is one.")
    ] = None,
) -> None:
    """Train a recurrent language model over bytes, and write its weights and its record.

    Given again after it was cut off, the same command goes on from the last checkpoint.  On several
    GPUs or processes: torchrun --nproc-per-node 2 -m spectral_rank train ...
    """
    console = Console()
    console = console if console.is_terminal else Console(width=LOG_WIDTH)
    try:
        settings = RunSettings(
            model=ModelSettings(
                kind=kind,
                width=width,
                layers=layers,
                recurrent_rank=rank,
                input_rank=input_rank,
                residual=residual,
                norm=norm,
                tied=tied,
            ),
            training=TrainingSettings(
                steps=steps,
                batch=batch,
                length=length,
                accumulate=accumulate,
                learning_rate=lr,
                weight_decay=weight_decay,
                clip=clip if clip else None,
                optimizer=optimizer,
                precision=precision,
                evaluate_every=max(1, steps // LOOKS),
                checkpoint_every=max(1, min(500, steps // LOOKS)),
            ),
            data=DataSettings(corpus=None if corpus is None else str(corpus.absolute())),
            probes=ProbeSettings() if probes else None,
            seed=seed,
        )
    except ValidationError as error:
        option, rule = _first_reason(error)
        raise _refused(option, rule) from None
    try:
        _require_sizes(settings)
        _train(console, settings, out, device)
    except DomainError as error:
        raise _refused(_option(error.argument), str(error)) from None
    except TrainingError as error:
        # The others can only say that this process has ended.
        if _speaks() or isinstance(error, _NoMemoryError):
            console.print(f"[bold red]error:[/bold red] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        if _speaks():
            console.print(_interrupted(out))
        raise typer.Exit(130) from None


def _require_sizes(settings: RunSettings) -> None:
    """Refuse what overflows, and batches of fewer sequences than parts."""
    training = settings.training
    for name, limit in LIMITS.items():
        if (value := getattr(training, name)) is not None and value > limit:
            raise DomainError(name, value, f"at most {limit:g}")
    if training.accumulate > training.batch:
        rule = f"at most the batch, {training.batch}"
        raise DomainError("accumulate", training.accumulate, rule)


def _require_memory(settings: RunSettings, device: str) -> None:
    """Refuse what cannot fit: an allocation that fails midway, or is killed, explains nothing."""
    model, training = settings.model, settings.training
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    # In float32, the weights, their gradient and Adam's two moments.
    layer = 16 * model.width * min(model.width, 2 * (model.recurrent_rank or model.width))
    table = 16 * model.width * model.vocabulary
    if table + layer > available:
        _refuse_size("width", model.width, table + layer, available)
    if table + layer * model.layers > available:
        _refuse_size("layers", model.layers, table + layer * model.layers, available)
    # The bytes of a whole batch, as int64: every process draws it, and takes its part.
    row = 8 * (training.length + 1)
    if row * training.batch > available:
        name = "length" if row > available else "batch"
        _refuse_size(name, getattr(training, name), row * training.batch, available)
    # The states and the logits of one part, which several machines may share, or a GPU holds.
    sequence = 4 * training.length * (model.width + model.vocabulary)
    part = sequence * (training.batch // training.accumulate)
    if device == "cpu" and "WORLD_SIZE" not in os.environ and part > available:
        name = "length" if sequence > available else "batch"
        _refuse_size(name, getattr(training, name), part, available)


def _refuse_size(name: str, value: int, needed: int, available: int) -> NoReturn:
    # As a Decimal: such a size may overflow a float.
    gibibytes = Decimal(needed) / 2**30
    rule = f"smaller: it takes {gibibytes:.3g} GiB or more, and here are {available / 2**30:.3g}"
    raise DomainError(name, value, rule)


def _train(console: Console, settings: RunSettings, out: Path, device: str | None) -> None:
    # Loading torch takes seconds, which a wrong option should not cost.
    import torch

    from spectral_rank.training.parallel import is_first_process, own_device
    from spectral_rank.training.run_store import trained_in

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    _require_memory(settings, device)
    try:
        if is_first_process():
            record = _shown(console, settings, out, device)
        else:
            trained_in(out, settings, device=device)
            return
    except (MemoryError, RuntimeError) as error:
        if not _is_of_memory(error):
            raise
        advice = "take a smaller --batch, --length or --width, or a larger --accumulate"
        raise _NoMemoryError(f"{own_device(device)} has not enough memory: {advice}") from None
    _tell(console, record, out)


def _is_of_memory(error: Exception) -> bool:
    """Whether memory has run out: numpy has a type for it, torch mostly words."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY)


def _shown(console: Console, settings: RunSettings, out: Path, device: str) -> RunRecord:
    """The record of a run whose progress is shown."""
    from spectral_rank.training.run_store import trained_in

    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with ExitStack() as shown_bar:
        bar = ProgressBar(*columns, console=console, transient=True)
        running = bar.add_task("", total=settings.training.steps)
        shown = -1

        def show(progress: Progress) -> None:
            nonlocal shown
            if not bar.live.is_started:  # the first word: all checks are behind
                shown_bar.enter_context(bar)
            bar.update(running, completed=progress.step, description=_now(progress))
            found = progress.evaluation
            if found is not None and found.step > shown:
                shown = found.step
                bar.console.print(
                    f"step {found.step}: {found.bits_per_byte:.4f} bits per byte on validation text"
                    f"{_speed(progress)}"
                )

        return trained_in(out, settings, device=device, observer=show).record


def _tell(console: Console, record: RunRecord, out: Path) -> None:
    """Print what has come out, and where it lies."""
    from spectral_rank.training.run_store import MODEL_FILE, RECORD_FILE

    console.print(
        f"{record.evaluations[-1].bits_per_byte:.4f} bits per byte on validation text after "
        f"{record.step} steps, {record.parameters} parameters, {record.seconds:.1f} s"
    )
    if record.probes.spectra:
        console.print(_matrices(record))
    weights = out / MODEL_FILE
    # A path is printed as it is: not wrapped, so that it can be copied, and without markup.
    for line in (
        f"weights: {weights}",
        f"record of the run: {out / RECORD_FILE}",
        f"measure the weights: spectral-rank measure {weights}",
    ):
        console.print(line, markup=False, soft_wrap=True, highlight=False)


def _matrices(record: RunRecord) -> Table:
    """The weight matrices at the end, as the probes of the last step saw them."""
    probes = record.probes
    ratios = probes.gradients[-1].by_matrix if probes.gradients else {}
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("matrix", no_wrap=True)
    for heading in ("shape", "rank", "stable rank", "condition number", "gradient SNR"):
        table.add_column(heading, justify="right", no_wrap=True)
    last = probes.spectra[-1].step
    for spectrum in (entry for entry in probes.spectra if entry.step == last):
        condition = spectrum.condition_number
        table.add_row(
            escape(spectrum.name),
            " x ".join(map(str, spectrum.shape)),
            str(len(spectrum.values)),
            f"{spectrum.stable_rank:.2f}",
            "infinite" if condition is None else f"{condition:.3g}",
            _ratios_of(spectrum.name, ratios),
        )
    return table


def _ratios_of(matrix: str, ratios: dict[str, float]) -> str:
    """The ratio of a matrix's gradient, or those of its two factors."""
    if f"{matrix}.U" in ratios:
        return ", ".join(f"{ratios[f'{matrix}.{factor}']:.3g} ({factor})" for factor in "UV")
    # A tied readout is the embedding.
    ratio = ratios.get(f"{matrix}.matrix", ratios.get("embedding.matrix"))
    return "" if ratio is None else f"{ratio:.3g}"


def _now(progress: Progress) -> str:
    bits = progress.bits_per_byte
    return "" if bits is None else f"{bits:.3f} bits per byte{_speed(progress)}"


def _speed(progress: Progress) -> str:
    """Speed and time left, as the end of a line."""
    if progress.seconds_left is None:
        return ""
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    return f", {progress.tokens_per_second:.0f} bytes/s, {minutes}:{seconds:02d} left"


def _first_reason(error: ValidationError) -> tuple[str, str]:
    """The option that the first rule of the settings refuses, and why."""
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, DomainError):
        return _option(cause.argument), str(cause)
    return _option(str(first["loc"][-1])), f"{first['input']!r}: {first['msg']}"


def _refused(option: str, rule: str) -> Exception:
    """The end of the command after a bad option."""
    return typer.BadParameter(rule, param_hint=option) if _speaks() else typer.Exit(2)


def _speaks() -> bool:
    """Whether this process tells of errors: of those that ``torchrun`` started, one a machine.

    What one refuses, all do, but for what depends on the machine.
    """
    return os.environ.get("LOCAL_RANK", "0") == "0"


def _interrupted(out: Path) -> str:
    """The last words of an interrupted run, with a promise only if there is something kept."""
    is_kept = (out / CHECKPOINT_FILE).exists()
    advice = "; the same command goes on from the last checkpoint" if is_kept else ""
    return f"interrupted{advice}"


def _option(name: str) -> str:
    """The option of this name or for this setting; the name itself if there is none."""
    option = OPTIONS.get(name, name)
    is_option = option in inspect.signature(train_command).parameters
    return f"--{option.replace('_', '-')}" if is_option else name
