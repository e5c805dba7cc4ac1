"""Every damaged file gives tensors as declared or one clear error: no crash, no code run."""

import io
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from spectral_rank.spectra.checkpoint import SUFFIXES, CheckpointError, open_checkpoint

TENSORS = {"a": torch.arange(12.0).reshape(3, 4), "b/ä": torch.arange(6).half().reshape(2, 3)}
MARKER = "fuzz-marker"

fuzzing = settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (MARKER,)


def torch_bytes(content: object, is_zip: bool) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=is_zip)
    return file.getvalue()


def npy_bytes() -> bytes:
    file = io.BytesIO()
    np.save(file, TENSORS["a"].numpy())
    return file.getvalue()


def npz_bytes(writer: Callable[..., None]) -> bytes:
    file = io.BytesIO()
    writer(file, **{name: tensor.numpy() for name, tensor in TENSORS.items()})
    return file.getvalue()


SEEDS = {
    "safetensors": (".safetensors", save(TENSORS)),
    "npy": (".npy", npy_bytes()),
    "npz": (".npz", npz_bytes(np.savez)),
    "npz compressed": (".npz", npz_bytes(np.savez_compressed)),
    "torch": (".pt", torch_bytes(TENSORS, is_zip=True)),
    "torch legacy": (".bin", torch_bytes(TENSORS, is_zip=False)),
    "malicious": (".pt", torch_bytes({**TENSORS, "evil": Malicious()}, is_zip=True)),
    "malicious legacy": (".bin", torch_bytes({**TENSORS, "evil": Malicious()}, is_zip=False)),
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    assert not Path(MARKER).exists()


@st.composite
def mutations(draw: st.DrawFn, original: bytes) -> bytes:
    """The bytes with one to four places overwritten, cut out, doubled or filled in."""
    content = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        stop = min(len(content), start + draw(st.sampled_from([0, 1, 1, 1, 4, 8, 100])))
        kind = draw(st.sampled_from(["bytes", "flip", "cut", "double", "end"]))
        if kind == "bytes":
            content[start:stop] = draw(st.binary(max_size=9))
        elif kind == "flip" and start < len(content):
            content[start] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del content[start:stop]
        elif kind == "double":
            content[start:start] = content[start:stop]
        elif kind == "end":
            del content[start:]
    return bytes(content)


def read(path: Path) -> dict[str, Any]:
    """The tensors of a file, which must be as they were declared."""
    tensors = {}
    with open_checkpoint(path, byte_limit=2**20) as checkpoint:
        for info in checkpoint.tensors:
            tensor = checkpoint.read(info)
            assert tuple(tensor.shape) == info.shape
            assert info.nbytes <= path.stat().st_size * 100
            # Copying the entries shows that they are there.
            if isinstance(tensor, torch.Tensor):
                tensors[info.name] = tensor.detach().to(torch.complex128).numpy()
            else:
                with np.errstate(invalid="ignore"):  # a mutated float may be a signaling NaN
                    tensors[info.name] = tensor.astype(np.complex128)
    return tensors


def read_or_refuse(path: Path) -> dict[str, Any]:
    """The tensors of a file, or nothing if it is refused by the one error; another one fails."""
    try:
        return read(path)
    except CheckpointError:
        return {}


@fuzzing
@given(st.data())
@pytest.mark.parametrize("kind", SEEDS)
def test_mutated_files(kind: str, data: st.DataObject) -> None:
    suffix, original = SEEDS[kind]
    path = Path(f"mutated{suffix}")
    path.write_bytes(data.draw(mutations(original)))
    tensors = read_or_refuse(path)
    if suffix == ".npz":  # the one format whose entries have checksums
        for name in tensors.keys() & TENSORS.keys():
            assert np.array_equal(tensors[name], TENSORS[name].numpy())


@fuzzing
@given(st.data())
@pytest.mark.parametrize("kind", ["torch", "malicious"])
def test_mutated_pickles_with_a_valid_checksum(kind: str, data: st.DataObject) -> None:
    path = Path("pickle.pt")
    with (
        zipfile.ZipFile(io.BytesIO(SEEDS[kind][1])) as source,
        zipfile.ZipFile(path, "w") as archive,
    ):
        for member in source.infolist():
            content = source.read(member)
            if member.filename.endswith("data.pkl"):
                content = data.draw(mutations(content))
            archive.writestr(member.filename, content)
    read_or_refuse(path)


@fuzzing
@given(st.data())
def test_mutated_headers_of_npz_members_with_a_valid_checksum(data: st.DataObject) -> None:
    path = Path("header.npz")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", data.draw(mutations(npy_bytes())))
    read_or_refuse(path)


@fuzzing
@given(st.sampled_from(SUFFIXES), st.sampled_from(list(SEEDS)), st.binary(max_size=40))
def test_any_content_under_any_suffix(suffix: str, kind: str, prefix: bytes) -> None:
    path = Path(f"any{suffix}")
    path.write_bytes(prefix + SEEDS[kind][1])
    read_or_refuse(path)


@fuzzing
@given(st.binary(max_size=200))
def test_random_safetensors_headers(header: bytes) -> None:
    path = Path("header.safetensors")
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    read_or_refuse(path)


def test_the_seeds_themselves_are_read_and_the_malicious_ones_are_not() -> None:
    for kind, (suffix, original) in SEEDS.items():
        path = Path(f"seed{suffix}")
        path.write_bytes(original)
        if "malicious" in kind:
            with pytest.raises(CheckpointError, match="which could run code"):
                read(path)
            continue
        expected = {"seed": TENSORS["a"]} if suffix == ".npy" else TENSORS
        tensors = read(path)
        assert tensors.keys() == expected.keys()
        for name, tensor in expected.items():
            assert np.array_equal(tensors[name], tensor.numpy())


def test_the_malicious_pickle_is_a_real_one(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Malicious()))
    assert Path(MARKER).is_dir()
    Path(MARKER).rmdir()
