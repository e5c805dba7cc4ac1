"""The command ``spectral-rank train``: a recurrent language model on any text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

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

LOG_WIDTH = 120

LOOKS = 10
"""How often the validation loss is looked at in a run."""

SPECTRA = 10
"""How often the spectra are measured in a run; the other probes, at its start and its end."""

OPTIONS = {"recurrent_rank": "--rank", "learning_rate": "--lr"}
"""Options whose name is not that of the setting."""


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
    lr: Annotated[float, typer.Option(help="Learning rate at its top.")] = 3e-3,
    optimizer: Annotated[
        Optimizer, typer.Option(help="schedulefree is the extra 'train'.")
    ] = "adamw",
    precision: Annotated[Precision, typer.Option(help="bf16 needs a GPU.")] = "float32",
    corpus: Annotated[
        Path | None, typer.Option(help="Text file; default: the standard library's source.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the weights and of the batches.")] = 0,
    probes: Annotated[
        bool, typer.Option(help="Measure spectra, gradients and Jacobians on the way.")
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
                learning_rate=lr,
                optimizer=optimizer,
                precision=precision,
                evaluate_every=max(1, steps // LOOKS),
                checkpoint_every=max(1, min(500, steps // LOOKS)),
            ),
            data=DataSettings(corpus=None if corpus is None else str(corpus.absolute())),
            probes=ProbeSettings(spectra_every=max(1, steps // SPECTRA)) if probes else None,
            seed=seed,
        )
        _train(console, settings, out, device)
    except ValidationError as error:
        option, rule = _first_reason(error)
        raise typer.BadParameter(rule, param_hint=option) from None
    except DomainError as error:
        raise typer.BadParameter(str(error), param_hint=_option(error.argument)) from None
    except TrainingError as error:
        console.print(f"[bold red]error:[/bold red] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("interrupted; the same command goes on from the last checkpoint")
        raise typer.Exit(130) from None


def _train(console: Console, settings: RunSettings, out: Path, device: str | None) -> None:
    # Loading torch takes seconds, which a wrong option should not cost.
    import torch

    from spectral_rank.training.parallel import is_first_process
    from spectral_rank.training.run_store import MODEL_FILE, RECORD_FILE, trained_in

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if not is_first_process():
        trained_in(out, settings, device=device)
        return
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with ProgressBar(*columns, console=console, transient=True) as bar:
        running = bar.add_task("", total=settings.training.steps)
        shown = -1

        def show(progress: Progress) -> None:
            nonlocal shown
            bar.update(running, completed=progress.step, description=_now(progress))
            found = progress.evaluation
            if found is not None and found.step > shown:
                shown = found.step
                bar.console.print(
                    f"step {found.step}: {found.bits_per_byte:.4f} bits per byte on validation text"
                    f"{_speed(progress)}"
                )

        record = trained_in(out, settings, device=device, observer=show).record
    console.print(
        f"{record.evaluations[-1].bits_per_byte:.4f} bits per byte on validation text after "
        f"{record.step} steps, {record.parameters} parameters, {record.seconds:.1f} s"
    )
    weights = out / MODEL_FILE
    # A path is printed as it is: not wrapped, so that it can be copied, and without markup.
    for line in (
        f"weights: {weights}",
        f"record of the run: {out / RECORD_FILE}",
        f"measure the weights: spectral-rank measure {weights}",
    ):
        console.print(line, markup=False, soft_wrap=True, highlight=False)


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
    return _option(str(first["loc"][0])), f"{first['input']!r}: {first['msg']}"


def _option(name: str) -> str:
    return OPTIONS.get(name, f"--{name.replace('_', '-')}")
