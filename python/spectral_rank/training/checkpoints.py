"""A training run on disk: one safetensors file that holds all it needs to go on.

The file has the weights as ``model.<name>``, the optimizer's tensors as
``optimizer.<index>.<name>`` and, as the bytes ``journal`` of a JSON text, the record so far and the
optimizer's numbers; its metadata, which the format limits, only the version of this layout and a
checksum of all the rest.  Nothing of it is a pickle, and numbers in JSON come back to the last bit.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from spectral_rank.atomic_file import replaced_whole
from spectral_rank.training.errors import CheckpointError, DamagedError
from spectral_rank.training.run_record import Evaluation, Probes, RunRecord
from spectral_rank.training.run_settings import RunSettings

CHECKPOINT_FILE = "checkpoint.safetensors"

LAYOUT = "2"
"""Version of the layout of the file."""

Groups = list[dict[str, bool | int | float]]


class Journal(BaseModel):
    """A run under way, without its tensors.

    Attributes:
        record: all that was seen so far.
        losses: sum of the training losses since the last look.
        steps: number of these losses.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    record: RunRecord
    losses: float = 0.0
    steps: int = 0

    @property
    def mean_loss(self) -> float | None:
        """Mean training loss since the last look; ``None`` if there was no step."""
        return self.losses / self.steps if self.steps else None

    def with_loss(self, loss: float) -> Journal:
        """The journal after one more step."""
        return Journal(record=self.record, losses=self.losses + loss, steps=self.steps + 1)

    def with_evaluation(self, found: Evaluation) -> Journal:
        """The journal after a look; the sum of the losses begins anew."""
        update = {"evaluations": (*self.record.evaluations, found)}
        return Journal(record=self.record.model_copy(update=update))

    def with_probes(self, measured: Probes, seconds: float) -> Journal:
        """The journal after measurements that took some time."""
        update = {
            "probes": self.record.probes + measured,
            "probe_seconds": self.record.probe_seconds + seconds,
        }
        return self.model_copy(update={"record": self.record.model_copy(update=update)})


class _State(BaseModel):
    """What of a run is not a tensor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    journal: Journal
    groups: Groups


def save(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, journal: Journal) -> None:
    """Write a checkpoint whole or not at all.

    Args:
        path: the file; its folder is made if missing.
        model: the network, with the weights it is trained with.
        optimizer: its optimizer.
        journal: the run so far.

    Raises:
        CheckpointError: if it cannot be written; the checkpoint before it stays.
    """
    tensors = _tensors(model, optimizer)
    text = _State(journal=journal, groups=_numbers(optimizer)).model_dump_json()
    tensors["journal"] = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)
    write_tensors(path, tensors, {"layout": LAYOUT, "checksum": str(_checksum(tensors))})


def load(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    settings: RunSettings,
    corpus_sha256: str,
) -> Journal:
    """Continue from a checkpoint: fill a network and its optimizer in place.

    Args:
        path: the file.
        model: a network of these settings.
        optimizer: its new optimizer.
        settings: the run that is to go on.
        corpus_sha256: hash of its text.

    Returns:
        The run so far.

    Raises:
        DamagedError: if the file is damaged, or not a checkpoint of this version.
        CheckpointError: if it is of other settings, text or another network.
    """
    tensors, words = _read(path)
    if words.get("layout") != LAYOUT or "journal" not in tensors:
        raise DamagedError(f"{path}: not a checkpoint of this version of the program; {ADVICE}")
    if words.get("checksum") != str(_checksum(tensors)):
        raise DamagedError(f"{path}: damaged: the checksum differs; {ADVICE}")
    try:
        state = _State.model_validate_json(tensors["journal"].numpy().tobytes())
    except ValidationError:
        raise DamagedError(
            f"{path}: not the checkpoint of a run of this version; {ADVICE}"
        ) from None
    require_same_run(path, state.journal.record, settings, corpus_sha256)
    weights = {name: tensor for name, tensor in tensors.items() if name.startswith("model.")}
    expected = {f"model.{name}": value.shape for name, value in model.state_dict().items()}
    if {name: tensor.shape for name, tensor in weights.items()} != expected:
        raise CheckpointError(f"{path}: holds the weights of another network; {ADVICE}")
    model.load_state_dict({name.removeprefix("model."): tensor for name, tensor in weights.items()})
    _restore(optimizer, tensors, state.groups)
    return state.journal


ADVICE = "choose another folder, or empty this one to begin again"


def require_same_run(
    path: Path, record: RunRecord, settings: RunSettings, corpus_sha256: str
) -> None:
    """Refuse what another run has left.

    Args:
        path: the file with the record, for the message.
        record: what it holds.
        settings: the run that is wanted.
        corpus_sha256: hash of its text.

    Raises:
        CheckpointError: naming the first setting that differs, or the text.
    """
    found, wanted = _flat(record.settings.model_dump()), _flat(settings.model_dump())
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            difference = f"{name} is {found.get(name)}, not {wanted.get(name)}"
            raise CheckpointError(f"{path}: of another run: {difference}; {ADVICE}")
    if record.corpus_sha256 != corpus_sha256:
        raise CheckpointError(f"{path}: of another run: the text has changed; {ADVICE}")


def write_tensors(path: Path, tensors: Mapping[str, Tensor], words: dict[str, str]) -> None:
    """Write a safetensors file whole or not at all.

    Args:
        path: the file; its folder is made if missing.
        tensors: what it holds.
        words: its metadata.

    Raises:
        CheckpointError: if it cannot be written; the file that was there before stays.
    """
    whole = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    try:
        with replaced_whole(path) as partial:
            save_file(whole, partial, words)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"{path}: cannot be written: {reason}; what was stored before is kept"
        raise CheckpointError(message) from None


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises:
        DamagedError: if it is missing, cannot be read or is damaged.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except FileNotFoundError:
        raise DamagedError(f"{path}: missing; {ADVICE}") from None
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DamagedError(f"{path}: damaged or not readable: {reason}; {ADVICE}") from None


def _tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
    return tensors


def _numbers(optimizer: torch.optim.Optimizer) -> Groups:
    """The numbers of each group of parameters, such as the steps that schedulefree counts."""
    return [
        {name: value for name, value in group.items() if isinstance(value, bool | int | float)}
        for group in optimizer.param_groups
    ]


def _restore(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], numbers: Groups
) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".")
            state.setdefault(int(index), {})[name] = tensor
    groups = optimizer.state_dict()["param_groups"]
    merged = [group | stored for group, stored in zip(groups, numbers, strict=True)]
    optimizer.load_state_dict({"state": state, "param_groups": merged})


def _checksum(tensors: Mapping[str, Tensor]) -> int:
    """A checksum of all entries; the format itself would not notice a flipped bit."""
    total = 0
    for name in sorted(tensors):
        entries = tensors[name].detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        total = zlib.crc32(entries.numpy().data, zlib.crc32(name.encode(), total))
    return total


def _flat(settings: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Nested settings with dotted names."""
    flat: dict[str, object] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
