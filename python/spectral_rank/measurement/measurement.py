"""The measurement of one matrix: spectrum, fitted laws, effective ranks, and the rank it needs."""

from __future__ import annotations

import hashlib
from typing import Literal

from pydantic import BaseModel, ConfigDict

from spectral_rank.formulas.capture import capture_rank
from spectral_rank.formulas.domain import DomainError, require
from spectral_rank.formulas.rank import optimal_rank
from spectral_rank.spectra.effective_rank import EffectiveRanks, effective_ranks
from spectral_rank.spectra.fit import fit_spectrum
from spectral_rank.spectra.report import Estimate, FitReport
from spectral_rank.spectra.spectrum import FloatArray, Spectrum

Regime = Literal["slow", "steep", "both"]

EXPONENT_DECIMALS = 12
"""Exponents are read to this many decimals for exact rank searches, far below any interval."""


class RankInterval(BaseModel):
    """A rank predicted by the fitted exponent, with the ranks at the ends of its interval."""

    model_config = ConfigDict(frozen=True)

    value: int
    low: int
    high: int


class Ranks(BaseModel):
    """The rank at a tolerance, under each criterion.

    Attributes:
        eps: the tolerance.
        captured: least rank whose measured energy is the share ``1 - eps`` of the whole: no law is
            used.
        captured_by_law: the same for the fitted power law (`capture_rank`); None without one.
        adequate_by_law: least rank whose error is at most ``1 / eps`` times the error that the full
            width cannot avoid (`optimal_rank`); None without a power law, or where its exponent may
            be 1/2 or less, where that error is infinite.
        regime: where the exponent's interval lies: below 1/2 (``slow``), above (``steep``) or on
            both sides (``both``); None without a power law.
    """

    model_config = ConfigDict(frozen=True)

    eps: float
    captured: int
    captured_by_law: RankInterval | None
    adequate_by_law: RankInterval | None
    regime: Regime | None


class Measurement(BaseModel):
    """Everything measured of one matrix.

    Attributes:
        schema_version: version of this record's layout.
        source: the file.
        spectrum: its singular values.
        fit: the fitted laws and the verdict.
        effective: effective ranks.
        ranks: the rank at the tolerance under each criterion.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = 1
    source: str
    spectrum: Spectrum
    fit: FitReport
    effective: EffectiveRanks
    ranks: Ranks

    def digest(self) -> str:
        """SHA-256 of the record, its running time left out: the same for every repetition."""
        text = self.model_dump_json(exclude={"spectrum": {"seconds"}})
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def exponent(self) -> Estimate | None:
        """The rank-order exponent if the verdict is a power law, else None."""
        return self.fit.exponent if self.fit.verdict == "power_law" else None


def measure(spectrum: Spectrum, source: str, eps: float, seed: int = 0) -> Measurement:
    """Measure one matrix from all its singular values.

    Args:
        spectrum: a complete spectrum.
        source: the file it comes from, for the record.
        eps: tolerance in (0, 1).
        seed: seed of the simulated spectra behind the intervals.

    Raises:
        DomainError: if the spectrum is incomplete or zero, or ``eps`` is out of range.
    """
    require("eps", eps, "a real number in (0, 1)", lambda x: 0 < x < 1)
    if spectrum.values[0] == 0:
        raise DomainError("matrix", "all singular values 0", "different from the zero matrix")
    fit = fit_spectrum(spectrum.values, spectrum.shape, seed=seed)
    return Measurement(
        source=source,
        spectrum=spectrum,
        fit=fit,
        effective=effective_ranks(spectrum),
        # The zeros that a product has by construction are no part of a law.
        ranks=ranks_at(fit, spectrum.array[: spectrum.rank_bound], eps),
    )


def ranks_at(fit: FitReport, values: FloatArray, eps: float) -> Ranks:
    """The rank at a tolerance under each criterion.

    Args:
        fit: the fitted laws.
        values: all singular values that can differ from 0, nonincreasing, not all zero; a law is
            taken to hold for so many.
        eps: tolerance in (0, 1).
    """
    energies = (values / values[0]) ** 2
    missed = energies[::-1].cumsum()[::-1]
    captured = int((missed > eps * missed[0]).sum())
    regime, by_capture, by_adequacy = None, None, None
    if fit.verdict == "power_law" and fit.exponent is not None:
        exponent, width = fit.exponent, len(values)
        regime = regime_of(exponent)
        ends = [
            round(end, EXPONENT_DECIMALS) for end in (exponent.low, exponent.value, exponent.high)
        ]
        by_capture = _interval([capture_rank(end, eps, width) for end in ends])
        if regime == "steep":
            by_adequacy = _interval([optimal_rank(end, eps, width) for end in ends])
    return Ranks(
        eps=eps,
        captured=captured,
        captured_by_law=by_capture,
        adequate_by_law=by_adequacy,
        regime=regime,
    )


def regime_of(exponent: Estimate) -> Regime:
    """On which side of 1/2 the interval of an exponent lies."""
    if exponent.low > 0.5:
        return "steep"
    return "slow" if exponent.high < 0.5 else "both"


def _interval(ranks: list[int]) -> RankInterval:
    return RankInterval(value=ranks[1], low=min(ranks), high=max(ranks))
