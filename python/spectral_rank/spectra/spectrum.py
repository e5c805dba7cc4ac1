"""The record of a measured spectrum."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

FloatArray = npt.NDArray[np.float64]
NonNegativeFinite = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Factors(BaseModel):
    """What a matrix is the product of.

    Attributes:
        left: name of the left factor, ``m x rank``.
        right: name of the right factor, ``rank x n``.
        rank: at most this many singular values can differ from 0, ``min(m, n)`` or less.
    """

    model_config = ConfigDict(frozen=True)

    left: str
    right: str
    rank: int = Field(ge=1)


class Spectrum(BaseModel):
    """The singular values of one matrix, and how they were obtained.

    Attributes:
        schema_version: version of this record's layout.
        name: name of the matrix.
        shape: rows and columns of the matrix that was decomposed.
        dtype: type of the entries in the source, such as ``float16``.
        method: ``exact`` (all singular values, LAPACK) or ``randomized`` (the largest ones).
        values: singular values, nonincreasing and nonnegative.
        energy: squared Frobenius norm of the matrix, computed from its entries.
        error: a bound on the error of each value; see the method for what it rests on.
        sha256: hash of the matrix entries as float64 (complex128) in row-major order; of a product,
            of the left factor's and then the right one's.
        device: where the decomposition ran.
        seed: seed of a randomized decomposition.
        seconds: time it took.
        factors: the factors whose product the matrix is, its values beyond their rank 0 exactly;
            None for a matrix that was given by its entries.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = 1
    name: str
    shape: tuple[int, int]
    dtype: str
    method: Literal["exact", "randomized"]
    values: tuple[FiniteFloat, ...] = Field(min_length=1)
    energy: NonNegativeFinite
    error: NonNegativeFinite
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    device: str
    seed: int | None = None
    seconds: NonNegativeFinite
    factors: Factors | None = None

    @model_validator(mode="after")
    def _nonincreasing_and_nonnegative(self) -> Spectrum:
        if any(left < right for left, right in itertools.pairwise(self.values)):
            raise ValueError("values must be nonincreasing")
        if self.values[-1] < 0:
            raise ValueError("values must be nonnegative")
        if len(self.values) > min(self.shape):
            raise ValueError(f"a {self.shape} matrix has at most {min(self.shape)} singular values")
        if any(self.values[self.rank_bound :]):
            raise ValueError(f"a product of rank {self.rank_bound} has no value beyond it but 0")
        return self

    @property
    def array(self) -> FloatArray:
        """The singular values as a float64 array."""
        return np.array(self.values)

    @property
    def rank_bound(self) -> int:
        """How many singular values can differ from 0: the rank of the factors, or all."""
        return min(self.shape) if self.factors is None else self.factors.rank

    @property
    def is_complete(self) -> bool:
        """Whether all singular values are here, not only the largest."""
        return len(self.values) == min(self.shape)
