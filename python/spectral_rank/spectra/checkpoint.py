"""Reading matrices from files of weights, one at a time, without running what the file contains.

Formats: ``.safetensors``, ``.npz``, ``.npy``, and torch files (``.pt``, ``.pth``, ``.bin``,
``.ckpt``), the last with ``weights_only=True``: a pickle that needs more than tensors is refused.
Nothing is extracted to disk.  Every size that a file declares is compared with the bytes it holds
before memory is asked for.  Damaged entries are noticed where the format has checksums (``.npz``).

A tensor is read when its turn comes, and the file keeps none.  A torch file is mapped into memory,
whose pages the system takes back when it needs them; only torch's format of before 2020 is read
whole.
"""

from __future__ import annotations

import fnmatch
import math
import pickle
import re
import tarfile
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict
from safetensors import safe_open

TORCH_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt")
SUFFIXES = (".safetensors", ".npz", ".npy", *TORCH_SUFFIXES)

BYTE_LIMIT = 16 * 2**30
"""Default limit on the size of one tensor in bytes: more than any one weight matrix needs, and less
than a zip bomb declares."""

EXPANSION_LIMIT = 100
EXPANSION_FREE = 64 * 2**20
"""A compressed array of more than 64 MiB that was more than 100 times smaller in the file is
refused: weights compress by a factor of one to three, and only constants by a thousand."""

SAFETENSORS_BYTES = {
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "I8", "U8"), 1),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 8),
}
"""Bytes of an entry, for the types that are numbers by themselves (not packed, not scales)."""

TORCH_NUMBERS = {
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn),
    *(torch.float8_e5m2, torch.complex64, torch.complex128, torch.int8, torch.int16, torch.int32),
    *(torch.int64, torch.uint8, torch.uint16, torch.uint32, torch.uint64),
}

ZIP_MAGIC = b"PK\x03\x04"
LEGACY_TORCH_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."

Array = npt.NDArray[Any] | torch.Tensor


class CheckpointError(ValueError):
    """A file of weights that cannot be read.

    Attributes:
        path: the file.
        rule: the rule it breaks, in words.
        tensor: the tensor that breaks it, if it is one.
    """

    def __init__(self, path: Path, rule: str, tensor: str | None = None) -> None:
        where = str(path) if tensor is None else f"{path}, tensor {tensor!r}"
        super().__init__(f"{where}: {rule}")
        self.path = path
        self.rule = rule
        self.tensor = tensor

    def __reduce__(self) -> tuple[type[CheckpointError], tuple[Path, str, str | None]]:
        return type(self), (self.path, self.rule, self.tensor)


class TensorInfo(BaseModel):
    """A tensor of a file, without its entries.

    Attributes:
        name: name in the file, as stored; any text, so escape it before it goes to a terminal, a
            path or a program.
        shape: length of each axis.
        dtype: type of the entries, in the spelling of the format.
        nbytes: size of the entries once decoded; 0 for a type that `read` does not know.
        is_numeric: whether the entries are numbers: not booleans, text, Python objects, packed
            4-bit types, or a sparse or quantized layout.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int
    is_numeric: bool

    @property
    def is_matrix(self) -> bool:
        """Whether it has at least two rows and two columns, a convolution kernel flattened."""
        has_two_axes = len(self.shape) >= 2 and self.shape[0] > 1 and math.prod(self.shape[1:]) > 1
        return self.is_numeric and has_two_axes


class Checkpoint:
    """An open file of weights: what it holds, and each tensor when asked for.

    Attributes:
        path: the file.
        tensors: name, shape and type of every tensor, in the order of the file.
    """

    def __init__(
        self,
        path: Path,
        tensors: list[TensorInfo],
        load: Callable[[str], Array],
        byte_limit: int,
    ) -> None:
        for name, times in Counter(info.name for info in tensors).items():
            if times > 1:
                raise CheckpointError(path, f"{times} tensors have this name", name)
        self.path = path
        self.tensors = tensors
        self._load = load
        self._byte_limit = byte_limit

    def select(self, only: str = "*") -> list[TensorInfo]:
        """The matrices whose name is ``only`` or matches it as a glob, ``*`` crossing separators.

        Nothing is read.
        """
        return [
            info
            for info in self.tensors
            if info.is_matrix and (info.name == only or fnmatch.fnmatchcase(info.name, only))
        ]

    def matrices(self, only: str = "*") -> Iterator[tuple[TensorInfo, Array]]:
        """Each selected matrix, read when its turn comes.

        Raises:
            CheckpointError: if a tensor cannot be read, or is larger than the limit.
        """
        for info in self.select(only):
            yield info, self.read(info)

    def read(self, info: TensorInfo) -> Array:
        """The entries of one tensor.

        Raises:
            CheckpointError: if it cannot be read, or is larger than the limit.
        """
        if not info.is_numeric:
            rule = f"entries of type {info.dtype} are not read as numbers; a pickle is never loaded"
            raise CheckpointError(self.path, rule, info.name)
        if info.nbytes > self._byte_limit:
            rule = f"{info.nbytes} bytes are above the limit of {self._byte_limit}"
            raise CheckpointError(self.path, rule, info.name)
        with _errors_name(self.path, info.name):
            tensor = self._load(info.name)
        if tuple(tensor.shape) != info.shape:
            raise CheckpointError(self.path, "the shape differs from the one declared", info.name)
        return tensor


@contextmanager
def open_checkpoint(path: Path | str, byte_limit: int = BYTE_LIMIT) -> Iterator[Checkpoint]:
    """Open a file of weights; the format follows the suffix.

    Args:
        path: a file with one of the `SUFFIXES`.
        byte_limit: largest size of one tensor in bytes.

    Raises:
        CheckpointError: if it is no such file, is truncated or corrupted, or needs code to be run.
    """
    path = Path(path)
    openers = {
        ".safetensors": _open_safetensors,
        ".npz": _open_npz,
        ".npy": _open_npy,
        **dict.fromkeys(TORCH_SUFFIXES, _open_torch),
    }
    with ExitStack() as stack:
        with _errors_name(path):
            if not path.is_file():
                raise CheckpointError(path, "not a file")
            opener = openers.get(path.suffix.lower())
            if opener is None:
                raise CheckpointError(path, f"the suffix must be one of {', '.join(SUFFIXES)}")
            checkpoint = stack.enter_context(opener(path, byte_limit))
        yield checkpoint


@contextmanager
def _errors_name(path: Path, tensor: str | None = None) -> Iterator[None]:
    """Errors of the readers as one `CheckpointError` that names the file and the tensor.

    The parsers behind the formats raise almost anything on a damaged file, and warn about it; none
    of it is a defect of the caller's program, so all of it becomes the one error.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except CheckpointError:
        raise
    except MemoryError:
        raise CheckpointError(path, "does not fit in memory", tensor) from None
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        trouble = "cannot be read" if isinstance(error, OSError) else "damaged or of another format"
        raise CheckpointError(path, f"{trouble} ({reason:.200})", tensor) from error


@contextmanager
def _open_safetensors(path: Path, byte_limit: int) -> Iterator[Checkpoint]:
    # The library checks that the tensors fill the file exactly.  The framework is torch because
    # numpy has no bfloat16.
    with safe_open(path, framework="pt", device="cpu") as file:
        tensors = []
        for name in file.keys():  # noqa: SIM118  (safe_open is no mapping)
            part = file.get_slice(name)
            shape, dtype = tuple(part.get_shape()), str(part.get_dtype())
            size = SAFETENSORS_BYTES.get(dtype, 0)
            tensors.append(_info(name, shape, dtype, size, is_numeric=size > 0))

    def load(name: str) -> Array:
        # Opened anew, so that the pages of a tensor are given back when the tensor is.
        with safe_open(path, framework="pt", device="cpu") as file:
            tensor: Array = file.get_tensor(name)
        return tensor

    yield Checkpoint(path, tensors, load, byte_limit)


@contextmanager
def _open_npy(path: Path, byte_limit: int) -> Iterator[Checkpoint]:
    with path.open("rb") as file:
        info = _npy_header(file, path.stem)
        if info.is_numeric:
            _require_size(path, info, held=path.stat().st_size - file.tell())

    def load(name: str) -> Array:
        # An empty file cannot be mapped.
        array: Array = np.load(path, mmap_mode="r" if info.nbytes else None, allow_pickle=False)
        return array

    checkpoint = Checkpoint(path, [info], load, byte_limit)
    if not info.is_numeric:
        checkpoint.read(info)  # the only array: say now that it is refused, and why
    yield checkpoint


@contextmanager
def _open_npz(path: Path, byte_limit: int) -> Iterator[Checkpoint]:
    with zipfile.ZipFile(path) as archive:
        members = {}
        tensors = []
        for member in archive.infolist():
            if not member.filename.endswith(".npy"):
                continue  # numpy gives such a member back as bytes: no array
            name = member.filename.removesuffix(".npy")
            _refuse_zip_bomb(path, member, name, byte_limit)
            with archive.open(member) as file:
                tensors.append(_npy_header(file, name))
                if tensors[-1].is_numeric:
                    _require_size(path, tensors[-1], held=member.file_size - file.tell())
            members[name] = member
        if not tensors:
            raise CheckpointError(path, "holds no array")

        def load(name: str) -> Array:
            with archive.open(members[name]) as file:
                array: Array = np.lib.format.read_array(file, allow_pickle=False)
                file.read()  # only at its end is the checksum of a member compared
            return array

        yield Checkpoint(path, tensors, load, byte_limit)


def _npy_header(file: BinaryIO | Any, name: str) -> TensorInfo:
    """Name, shape and type from the head of an ``.npy`` stream, which is left at the entries."""
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"npy format {version} is not supported")
    shape, _, dtype = readers[version](file)
    if any(length < 0 for length in shape):
        raise ValueError(f"shape {shape} has a negative length")
    return _info(name, shape, str(dtype), dtype.itemsize, is_numeric=dtype.kind in "iufc")


def _require_size(path: Path, info: TensorInfo, held: int) -> None:
    if info.nbytes != held:
        rule = f"declares {info.nbytes} bytes where the file holds {held}"
        raise CheckpointError(path, rule, info.name)


def _refuse_zip_bomb(path: Path, member: zipfile.ZipInfo, name: str, byte_limit: int) -> None:
    if member.file_size > byte_limit + 2**16:  # the header of the array comes on top
        rule = f"{member.file_size} bytes are above the limit of {byte_limit}"
        raise CheckpointError(path, rule, name)
    # The compressed size is declared too: no member can take more than the file.
    stored = min(member.compress_size, path.stat().st_size)
    if member.file_size > max(EXPANSION_FREE, EXPANSION_LIMIT * stored):
        raise CheckpointError(path, f"expands more than {EXPANSION_LIMIT} times", name)


@contextmanager
def _open_torch(path: Path, byte_limit: int) -> Iterator[Checkpoint]:
    is_zip = _is_torch_zip(path)
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except pickle.UnpicklingError as error:
        needed = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = (
            f"{needed[1]}, which could run code" if needed else "more than tensors, or is damaged"
        )
        rule = f"its pickle needs {what}: refused; save the state dict alone, or as safetensors"
        raise CheckpointError(path, rule) from None
    tensors = list(_named_tensors(loaded))
    if not tensors:
        raise CheckpointError(path, "holds no tensor")
    infos = [_torch_info(name, tensor) for name, tensor in tensors]
    for info in infos:
        # A view with stride 0 declares any shape over a single number.
        if info.is_numeric and info.nbytes > path.stat().st_size:
            rule = f"declares {info.nbytes} bytes, more than the file"
            raise CheckpointError(path, rule, info.name)
    yield Checkpoint(path, infos, dict(tensors).__getitem__, byte_limit)


def _is_torch_zip(path: Path) -> bool:
    """Whether a torch file is in the zip format; refuses what torch would read in other ways."""
    with path.open("rb") as file:
        head = file.read(len(LEGACY_TORCH_MAGIC))
    if head.startswith(ZIP_MAGIC):
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("torch compresses nothing, and this file is compressed")
        if len({member.filename for member in members}) < len(members):
            raise ValueError("two members of the archive have the same name")
        return True
    # Torch would unpack a tar file to disk.
    if head != LEGACY_TORCH_MAGIC or tarfile.is_tarfile(path):
        raise ValueError("neither of torch's formats; another pickle is never loaded")
    return False


def _torch_info(name: str, tensor: torch.Tensor) -> TensorInfo:
    is_dense = tensor.layout == torch.strided and not tensor.is_meta and not tensor.is_quantized
    return _info(
        name,
        tuple(tensor.shape),
        str(tensor.dtype).removeprefix("torch."),
        tensor.element_size(),
        is_numeric=is_dense and tensor.dtype in TORCH_NUMBERS,
    )


def _named_tensors(loaded: object) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors of nested dicts, lists and tuples, named by their path."""
    # Walked without recursion, each container once: a pickle may nest deeply, and hold itself.
    seen = set()
    waiting = [("", loaded)]
    while waiting:
        prefix, value = waiting.pop()
        if isinstance(value, torch.Tensor):
            yield prefix or "tensor", value
        elif isinstance(value, Mapping | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            if isinstance(value, Mapping):
                stem = f"{prefix}." if prefix else ""
                children = [(f"{stem}{key}", child) for key, child in value.items()]
            else:
                children = [(f"{prefix}[{index}]", child) for index, child in enumerate(value)]
            waiting.extend(reversed(children))


def _info(
    name: str, shape: tuple[int, ...], dtype: str, size: int, *, is_numeric: bool
) -> TensorInfo:
    nbytes = math.prod(shape) * size
    return TensorInfo(name=name, shape=shape, dtype=dtype, nbytes=nbytes, is_numeric=is_numeric)
