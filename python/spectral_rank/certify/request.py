"""What an experiment wants certified: measured numbers, in its own words, as one Lean file.

An experiment's ``instances(result)`` returns a list of `InstanceRequest`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from spectral_rank.certify.instance import Origin
from spectral_rank.certify.records import CertificateSet
from spectral_rank.certify.shapes import RANK_LIMIT
from spectral_rank.certify.supported import (
    Supported,
    about_exponent,
    about_spectrum,
    envelope_method,
)
from spectral_rank.formulas.domain import DomainError, integer, require
from spectral_rank.formulas.elementary import exact

COMPUTED = 1e-12
"""Relative error of singular values computed in float64: LAPACK's stays below it up to width 10000
(`spectral_rank.spectra.singular_values.LAPACK_ERROR`)."""


@dataclass(frozen=True)
class MeasuredExponent:
    """An interval of exponents and a tolerance: ``steep`` or ``slow``, and ``conditioning``.

    The theorems hold for every power law whose exponent lies in the interval.  An interval across
    1/2 gives ``conditioning`` only.

    Attributes:
        low: lower end of the measured interval, 0 to 3.
        high: upper end, at least ``low``.
        method: what was measured and how, in words that end up in the Lean docstring: of which
            matrices, over which seeds, and whether another law fits better than the power law.
        tolerance: tolerance ``eps`` in (0, 1), or an interval of it; 0.05 means 1/20.

    Raises:
        DomainError: if one of these rules is broken.
    """

    low: float
    high: float
    method: str
    tolerance: float | tuple[float, float] = 0.05

    def __post_init__(self) -> None:
        require("low", self.low, "a real number >= 0", lambda x: x >= 0)
        require("high", self.high, f"at least low = {self.low}", lambda x: x >= self.low)
        _require_words(self.method)
        low, high = self.tolerances
        if not 0 < low <= high < 1:
            raise DomainError("tolerance", self.tolerance, "in (0, 1), or an interval in it")

    @property
    def tolerances(self) -> tuple[Fraction, Fraction]:
        """Both ends of the tolerance, as the decimals they are written as."""
        ends = self.tolerance if isinstance(self.tolerance, tuple) else (self.tolerance,) * 2
        low, high = (exact("tolerance", end) for end in ends)
        return low, high


@dataclass(frozen=True)
class MeasuredSpectrum:
    """A spectrum: ``envelope``, ``approximation`` and ``envelope_conditioning``.

    The theorems are about one matrix itself, whatever law its spectrum follows.  If its tightest
    envelope has an exponent of at most 1/2, only ``envelope_conditioning`` comes out.

    Attributes:
        values: all singular values, nonincreasing, the first positive; for a matrix of rank ``r``
            the ``r`` that are not 0.  They need not be divided by the largest.
        method: which matrix, after which training with which seed; ends up in the Lean docstring.
        error: bound on the error of each value as a share of the largest.  The default is that of
            a decomposition in float64; values that were rounded or computed in float32 need more.

    Raises:
        DomainError: if one of these rules is broken.
    """

    values: Sequence[float]
    method: str
    error: float = COMPUTED

    def __post_init__(self) -> None:
        rule = "at least one finite number, nonincreasing, the first positive, the last >= 0"
        array = np.asarray(self.values, dtype=float)
        if (
            array.ndim != 1
            or array.size == 0
            or not np.all(np.isfinite(array))
            or np.any(np.diff(array) > 0)
            or not array[0] > 0
            or array[-1] < 0
        ):
            raise DomainError("values", self.values, rule)
        _require_words(self.method)
        if not (math.isfinite(self.error) and self.error >= 0):
            raise DomainError("error", self.error, "a finite number >= 0")


@dataclass(frozen=True)
class InstanceRequest:
    """One Lean file: the theorems about an exponent, about a spectrum, or both, at one rank.

    Attributes:
        name: what was measured, short, such as ``W_h``; part of the file's and the theorems' names.
        rank: the rank that the theorems speak of, 1 to 1600.
        exponent: a measured exponent.
        spectrum: a measured spectrum.

    Raises:
        DomainError: if one of these rules is broken, or nothing was measured.
    """

    name: str
    rank: int
    exponent: MeasuredExponent | None = None
    spectrum: MeasuredSpectrum | None = None

    def __post_init__(self) -> None:
        if re.search("[A-Za-z0-9]", self.name) is None:
            raise DomainError("name", self.name, "a name with letters or digits")
        integer("rank", self.rank, at_least=1, at_most=RANK_LIMIT)
        if self.exponent is None and self.spectrum is None:
            raise DomainError("exponent", None, "given where no spectrum is")

    def certificates(
        self, module: str, source: str, record_sha256: str
    ) -> tuple[CertificateSet | None, tuple[str, ...]]:
        """The certificates of the theorems that hold, and one sentence for each that does not.

        Args:
            module: Lean identifier of the file (`spectral_rank.certify.names.lean_names`).
            source: where the measurement is written down.
            record_sha256: hash of that record, 64 hexadecimal digits.

        Returns:
            The set for the Lean file, ``None`` if no theorem holds, and the refusals.
        """

        def origin(method: str) -> Origin:
            return Origin(module=module, source=source, record_sha256=record_sha256, method=method)

        found = Supported()
        if self.exponent is not None:
            exponent = self.exponent
            found += about_exponent(
                origin(exponent.method),
                (exponent.low, exponent.high),
                exponent.tolerances,
                self.rank,
            )
        if self.spectrum is not None:
            spectrum = self.spectrum
            method = f"{spectrum.method}: {envelope_method(len(spectrum.values))}"
            error = Fraction(spectrum.error)
            found += about_spectrum(origin(method), spectrum.values, error, self.rank)
        if not found.certificates:
            return None, found.refusals
        return CertificateSet(certificates=found.certificates), found.refusals


def _require_words(method: str) -> None:
    if not method.strip():
        raise DomainError("method", method, "what was measured and how, in words")
