"""Reading real files of weights, and refusing those that are damaged, too large or malicious."""

import io
import os
import pickle
import tarfile
import tracemalloc
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from spectral_rank.spectra.checkpoint import (
    SUFFIXES,
    CheckpointError,
    TensorInfo,
    open_checkpoint,
)

WEIGHTS = {
    "layer.0/weight": np.arange(12, dtype=np.float32).reshape(3, 4),
    "bias": np.ones(4, dtype=np.float32),
    "kernel 'ä\" \\": np.arange(24, dtype=np.float16).reshape(2, 3, 2, 2),
    "../../etc/passwd": np.arange(6, dtype=np.int64).reshape(2, 3),
}
MATRICES = [name for name in WEIGHTS if name != "bias"]


def save(folder: Path, suffix: str, weights: dict[str, Any] | None = None) -> Path:
    path = folder / f"weights{suffix}"
    tensors = {k: torch.as_tensor(v) for k, v in (WEIGHTS if weights is None else weights).items()}
    if suffix == ".safetensors":
        save_file(tensors, path)
    elif suffix == ".npz":
        # Not np.savez: a keyword argument with a separator is fine, one called "file" is not.
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, tensor in tensors.items():
                with archive.open(f"{name}.npy", "w") as member:
                    np.lib.format.write_array(member, tensor.numpy())
    elif suffix == ".npy":
        np.save(path, next(iter(tensors.values())).numpy())
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=suffix != ".bin")
    return path


def read_all(path: Path, **options: Any) -> None:
    with open_checkpoint(path, **options) as checkpoint:
        for info in checkpoint.tensors:
            checkpoint.read(info)


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_all(path, **options)
    assert caught.value.path == path
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".pt", ".pth", ".bin", ".ckpt", ".PT"])
def test_reads_every_format(tmp_path: Path, suffix: str) -> None:
    with open_checkpoint(save(tmp_path, suffix)) as checkpoint:
        assert {info.name for info in checkpoint.tensors} == set(WEIGHTS)
        assert {info.name for info in checkpoint.select()} == set(MATRICES)
        for info, tensor in checkpoint.matrices():
            assert info.shape == WEIGHTS[info.name].shape
            assert info.nbytes == WEIGHTS[info.name].nbytes
            assert np.array_equal(np.asarray(tensor), WEIGHTS[info.name])


@pytest.mark.parametrize("order", ["C", "F"])
def test_reads_a_single_array(tmp_path: Path, order: Any) -> None:
    path = tmp_path / "one.npy"
    np.save(path, np.asarray(WEIGHTS["layer.0/weight"], order=order))
    with open_checkpoint(str(path)) as checkpoint:
        [(info, array)] = list(checkpoint.matrices())
    assert info == TensorInfo(name="one", shape=(3, 4), dtype="float32", nbytes=48, is_numeric=True)
    assert np.array_equal(array, WEIGHTS["layer.0/weight"])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn, torch.complex64])
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_types_that_numpy_lacks(tmp_path: Path, suffix: str, dtype: torch.dtype) -> None:
    weight = torch.arange(6).reshape(2, 3).to(dtype)
    with open_checkpoint(save(tmp_path, suffix, {"w": weight})) as checkpoint:
        [(info, tensor)] = list(checkpoint.matrices())
    assert isinstance(tensor, torch.Tensor)
    assert info.nbytes == 6 * weight.element_size()
    assert torch.equal(tensor.to(torch.complex64), weight.to(torch.complex64))


def test_globs_and_exact_names(tmp_path: Path) -> None:
    weights = {name: np.eye(2) for name in ("a.0.w", "a.1.w", "b/w", "c[0]")}
    with open_checkpoint(save(tmp_path, ".npz", weights)) as checkpoint:
        names = {only: [i.name for i in checkpoint.select(only)] for only in ("a.*", "*w", "c[0]")}
        assert names == {
            "a.*": ["a.0.w", "a.1.w"],
            "*w": ["a.0.w", "a.1.w", "b/w"],
            "c[0]": ["c[0]"],
        }
        assert checkpoint.select("A.*") == []


def test_nested_torch_containers_are_walked_once(tmp_path: Path) -> None:
    shared = [torch.eye(2)]
    for _ in range(60):  # 2^60 paths lead to the one tensor
        shared = [shared, shared]
    shared.append(shared)
    loaded = {"model": OrderedDict(w=torch.eye(3)), "steps": 3, 7: (torch.eye(4),), "deep": shared}
    path = tmp_path / "nested.pt"
    torch.save(loaded, path)
    with open_checkpoint(path) as checkpoint:
        names = [info.name for info in checkpoint.select()]
        for info in checkpoint.select():
            assert torch.equal(torch.as_tensor(checkpoint.read(info)), torch.eye(info.shape[0]))
    assert names[:2] == ["model.w", "7[0]"]
    assert len(names) == 3
    torch.save(torch.eye(2), path)
    with open_checkpoint(path) as checkpoint:
        assert [info.name for info in checkpoint.tensors] == ["tensor"]
    torch.save({"a.b": torch.eye(2), "a": {"b": torch.eye(2)}}, path)
    assert "2 tensors have this name" in refusal(path)
    torch.save({"steps": 3}, path)
    assert "holds no tensor" in refusal(path)


def test_what_is_no_number_is_listed_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "mixed.npz"
    objects = np.array([[{"a": 1}, None], [1, 2]])
    np.savez(path, objects, flags=np.eye(2, dtype=bool), text=np.array([["a"]]), w=np.eye(2))
    with open_checkpoint(path) as checkpoint:
        assert len(checkpoint.tensors) == 4
        assert [info.name for info, _ in checkpoint.matrices()] == ["w"]
        for info in checkpoint.tensors:
            if info.name != "w":
                with pytest.raises(CheckpointError, match="not read as numbers"):
                    checkpoint.read(info)
    np.save(tmp_path / "objects.npy", objects)
    assert "a pickle is never loaded" in refusal(tmp_path / "objects.npy")
    sparse = tmp_path / "sparse.pt"
    torch.save({"s": torch.eye(3).to_sparse(), "m": torch.empty(9, 9, device="meta")}, sparse)
    with open_checkpoint(sparse) as checkpoint:
        assert [info.is_numeric for info in checkpoint.tensors] == [False, False]


class Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_pickle_runs_no_code(tmp_path: Path, suffix: str) -> None:
    target, path = tmp_path / "created", tmp_path / f"evil{suffix}"
    weights = {"w": torch.eye(2), "evil": Malicious(target)}
    path.write_bytes(pickle.dumps(weights))
    refusal(path)
    for is_zip in (True, False):
        torch.save(weights, path, _use_new_zipfile_serialization=is_zip)
        message = refusal(path)
        if suffix in (".pt", ".pth", ".bin", ".ckpt"):
            assert "posix.mkdir, which could run code" in message
            assert "weights_only=False" not in message  # torch's own message suggests that
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.array([Malicious(target)]), allow_pickle=True)
    refusal(path)
    with zipfile.ZipFile(path, "w") as archive, archive.open("a.npy", "w") as member:
        np.lib.format.write_array(member, np.array([Malicious(target)]), allow_pickle=True)
    refusal(path)
    assert not target.exists()
    pickle.loads(pickle.dumps(Malicious(target)))
    assert target.exists()  # the pickle was a real one


def test_a_tar_file_is_not_unpacked(tmp_path: Path) -> None:
    # A first member named like torch's legacy magic makes a file that both parsers accept.
    path = tmp_path / "old.pt"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        archive.addfile(tarfile.TarInfo("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."), io.BytesIO())
    assert "neither of torch's formats" in refusal(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"\0", b"PK\x03\x04", b"\x93NUMPY", b"hello" * 50])
def test_a_file_of_nothing_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"nothing{suffix}"
    path.write_bytes(content)
    refusal(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_truncation_is_noticed_everywhere(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path, suffix)
    content = path.read_bytes()
    for length in range(0, len(content), max(1, len(content) // 40)):
        path.write_bytes(content[:length])
        refusal(path)


def test_a_limit_counts_bytes(tmp_path: Path) -> None:
    weights = {"w": np.ones((100, 100))}
    for suffix in SUFFIXES:
        path = save(tmp_path, suffix, weights)
        with open_checkpoint(path, byte_limit=80_000) as checkpoint:
            assert len(list(checkpoint.matrices())) == 1
        assert "80000 bytes are above the limit of 79999" in refusal(path, byte_limit=79_999)


def npy_header(shape: str, dtype: str = "<f8") -> bytes:
    file = io.BytesIO()
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    file.write(np.lib.format.magic(1, 0))
    padded = text.ljust(117) + "\n"
    file.write(len(padded).to_bytes(2, "little") + padded.encode("latin-1"))
    return file.getvalue()


@pytest.mark.parametrize("shape", ["(10**9,)", "(1000000, 1000000)", "(-1, 5)", "(4, 2)", "(2, 1)"])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_declared_shapes_must_fit_the_bytes(tmp_path: Path, suffix: str, shape: str) -> None:
    path = tmp_path / f"liar{suffix}"
    array = npy_header(shape) + bytes(4 * 8)
    if suffix == ".npy":
        path.write_bytes(array)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("w.npy", array)
    refusal(path)


def test_zip_bombs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("w.npy", "w", force_zip64=True) as member,
    ):
        member.write(npy_header("(10240, 1024)"))
        for _ in range(10):
            member.write(bytes(2**23))
    assert path.stat().st_size < 2**17
    assert "expands more than 100 times" in refusal(path)
    assert "above the limit" in refusal(path, byte_limit=2**20)


def test_a_lying_zip_directory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "liar.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w.npy", npy_header("(134217728, 2)") + bytes(32))
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 20 : entry + 28] = (2**31 - 1).to_bytes(4, "little") * 2
    path.write_bytes(content)
    assert "expands more than" in refusal(path)


def test_duplicate_names_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w.npy", npy_header("(2, 2)") + bytes(32))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("w.npy", npy_header("(2, 2)") + bytes(32))
    assert "2 tensors have this name" in refusal(path)


def test_torch_archives_must_be_plain(tmp_path: Path) -> None:
    plain, packed = save(tmp_path, ".pt"), tmp_path / "packed.pt"
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w", 8) as archive:
        for member in source.infolist():
            archive.writestr(member.filename, source.read(member))
    assert "compressed" in refusal(packed)
    view = tmp_path / "view.pt"
    torch.save({"w": torch.ones(1).expand(10**6, 10**6)}, view)
    assert "more than the file" in refusal(view)


def test_other_members_of_an_npz_are_ignored(tmp_path: Path) -> None:
    path = save(tmp_path, ".npz", {"w": np.eye(2)})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("README.txt", "hello")
        archive.mkdir("folder")
    with open_checkpoint(path) as checkpoint:
        assert [info.name for info in checkpoint.tensors] == ["w"]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("README.txt", "hello")
    assert "holds no array" in refusal(path)


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "link.npz").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "loop.npz").symlink_to(tmp_path / "loop.npz")
    (tmp_path / "text.txt").write_text("hello")
    os.mkfifo(tmp_path / "pipe.npz")
    for name in ("folder.npz", "link.npz", "loop.npz", "pipe.npz", "missing.npz", "nul\0.npz"):
        assert "not a file" in refusal(tmp_path / name)
    assert "the suffix must be one of" in refusal(tmp_path / "text.txt")
    assert "cannot be read" in refusal(tmp_path / ("long" * 100 + ".npz"))
    (tmp_path / "good ä'\".npz").symlink_to(save(tmp_path, ".npz"))
    with open_checkpoint(tmp_path / "good ä'\".npz") as checkpoint:
        assert len(checkpoint.select()) == len(MATRICES)


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".safetensors", ".pt"])
def test_only_one_matrix_is_in_memory(tmp_path: Path, suffix: str) -> None:
    size = 2**22
    path = save(tmp_path, suffix, {f"w{i}": np.ones((2, size // 16)) for i in range(10)})
    tracemalloc.start()
    with open_checkpoint(path) as checkpoint:
        for _, matrix in checkpoint.matrices():
            matrix[0, 0].item()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.5 * size  # the matrix in hand and the one before it


def test_errors_of_the_caller_pass_through(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="mine"), open_checkpoint(save(tmp_path, ".npz")):
        raise KeyError("mine")


def test_the_error_crosses_processes() -> None:
    error = CheckpointError(Path("a.npz"), "broken", "w\n")
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error) == "a.npz, tensor 'w\\n': broken"
    assert (copy.path, copy.tensor, copy.rule) == (error.path, error.tensor, error.rule)
