"""Matrices that a file of weights holds as two factors, where the file says so.

The entry `DECLARATION` in a safetensors file's metadata says that ``X.U`` and ``X.V`` are the
factors of the matrix ``X = (X.U) (X.V)``, for every ``X`` with both in the file.  Names alone mean
nothing: without the entry, every tensor is a matrix of its own.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

from safetensors import safe_open

from spectral_rank.spectra.checkpoint import Checkpoint, CheckpointError, TensorInfo
from spectral_rank.spectra.singular_values import singular_values, singular_values_of_product
from spectral_rank.spectra.spectrum import Spectrum

DECLARATION = {"spectral_rank.factors": "U V"}
"""What is added to the metadata of a file whose low-rank matrices are stored as factors."""


@dataclass(frozen=True)
class Product:
    """A matrix that a file holds as two factors.

    Attributes:
        name: name of the matrix.
        left: its left factor, ``m x r``.
        right: its right factor, ``r x n``.
    """

    name: str
    left: TensorInfo
    right: TensorInfo

    @property
    def is_matrix(self) -> bool:
        """Whether it has at least two rows and two columns."""
        return self.left.shape[0] > 1 and self.right.shape[1] > 1


def select(checkpoint: Checkpoint, only: str = "*") -> list[TensorInfo | Product]:
    """The matrices of a file whose name is ``only`` or matches it as a glob, in the file's order.

    A declared product stands in place of its left factor, and its factors are left out.  Nothing
    is read.

    Args:
        checkpoint: the open file.
        only: name or glob.

    Raises:
        CheckpointError: if declared factors do not fit each other, or the name of their product is
            taken.
    """
    products = _products(checkpoint)
    rights = {product.right.name for product in products.values()}
    found = [
        products.get(info.name, info) for info in checkpoint.tensors if info.name not in rights
    ]
    return [
        entry
        for entry in found
        if entry.is_matrix and (entry.name == only or fnmatch.fnmatchcase(entry.name, only))
    ]


def spectrum_of(checkpoint: Checkpoint, entry: TensorInfo | Product, device: str) -> Spectrum:
    """All singular values of a selected matrix, read now.

    Args:
        checkpoint: the open file.
        entry: one of `select`.
        device: torch device.

    Raises:
        CheckpointError: if it cannot be read.
        DomainError: as `singular_values`.
    """
    if isinstance(entry, TensorInfo):
        return singular_values(checkpoint.read(entry), entry.name, device)
    left, right = checkpoint.read(entry.left), checkpoint.read(entry.right)
    names = (entry.left.name, entry.right.name)
    return singular_values_of_product(left, right, names, entry.name, device)


def _products(checkpoint: Checkpoint) -> dict[str, Product]:
    """The declared products by the names of their left factors."""
    if not _is_declared(checkpoint):
        return {}
    tensors = {info.name: info for info in checkpoint.tensors}
    products = {}
    for left in checkpoint.tensors:
        name = left.name.removesuffix(".U")
        right = tensors.get(f"{name}.V")
        if name == left.name or right is None:
            continue
        if name in tensors:
            raise CheckpointError(checkpoint.path, "also declared as a product", name)
        if not _fit(left, right):
            rule = f"declared as a product of factors {left.shape} and {right.shape}"
            raise CheckpointError(checkpoint.path, rule, name)
        products[left.name] = Product(name, left, right)
    return products


def _is_declared(checkpoint: Checkpoint) -> bool:
    if checkpoint.path.suffix.lower() != ".safetensors":
        return False
    with safe_open(checkpoint.path, framework="pt", device="cpu") as file:
        words = file.metadata() or {}
    return all(words.get(key) == value for key, value in DECLARATION.items())


def _fit(left: TensorInfo, right: TensorInfo) -> bool:
    has_axes = len(left.shape) == len(right.shape) == 2 and left.is_numeric and right.is_numeric
    return has_axes and left.shape[1] == right.shape[0] > 0
