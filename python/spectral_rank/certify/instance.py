"""What a generated theorem states, with the integers of its proof, re-checked on construction.

An `Instance` is what the Lean text says; a `Certificate` adds what was measured and where it came
from.  Neither exists unless every integer inequality of its proof holds exactly and, for a
certificate, the stated interval contains the measured one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from spectral_rank.certify.intervals import DENOMINATOR_LIMIT, Allowed, Real, exact_end
from spectral_rank.certify.names import RESERVED
from spectral_rank.certify.shapes import (
    BOUND_LIMIT,
    CONSTANTS,
    NUMERATOR_LIMIT,
    RANK_LIMIT,
    SHAPES,
    TOLERANCE_LIMIT,
    Call,
    End,
    Kind,
)
from spectral_rank.formulas.certificate import (
    CERTIFICATES,
    LE_RANK_POWER,
    LT_POWER,
    POWER_LT,
    RANK_POWER_LE,
    TAIL_FACTOR_LE,
    IntegerCertificate,
)
from spectral_rank.formulas.domain import DomainError

IDENTIFIER = r"[A-Za-z][A-Za-z0-9_]*"
"""Lean names that this package writes: ASCII, no quotation marks needed."""


class CertificateError(ArithmeticError):
    """A certificate whose claim does not follow from its integers.

    Not a ``ValueError``: pydantic would turn that into its own error.
    """


class Record(BaseModel):
    """A frozen record that refuses unknown fields and converts nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Ratio(Record):
    """A fraction as it is written, not necessarily in lowest terms."""

    numerator: int = Field(ge=0)
    denominator: int = Field(ge=1)

    @classmethod
    def of(cls, value: Fraction) -> Ratio:
        """The fraction in lowest terms."""
        return cls(numerator=value.numerator, denominator=value.denominator)

    @property
    def value(self) -> Fraction:
        """The rational number."""
        return Fraction(self.numerator, self.denominator)

    def __str__(self) -> str:
        return f"{self.numerator} / {self.denominator}"


class Ends(Record):
    """The ends of an interval; ``high`` is ``None`` where a Lean text states only the lower one."""

    low: Ratio
    high: Ratio | None

    def at(self, end: End) -> Ratio:
        """One of the two ends.

        Raises:
            CertificateError: if it is not stated.
        """
        ratio = self.low if end == "low" else self.high
        if ratio is None:
            raise CertificateError(f"the {end} end is needed and not stated")
        return ratio


class Bound(Record):
    """One call of an ``_of_cert`` theorem: its integers and the bound ``p / q`` they prove.

    Attributes:
        theorem: Lean name of the theorem.
        u: numerator of the slope, ``2 alpha - 1``, ``1 - 2 alpha`` or ``alpha``.
        v: its denominator.
        base: numerator and denominator of the tolerance or captured share, or the rank alone.
        p: numerator of the bound.
        q: denominator of the bound.
    """

    theorem: str
    u: int
    v: int
    base: tuple[int, ...]
    p: int
    q: int

    @property
    def inequality(self) -> str:
        """The inequality between integers that Lean evaluates, ``^`` for powers."""
        return _INEQUALITIES[CERTIFICATES[self.theorem]](self.u, self.v, *self.base, self.p, self.q)

    def __str__(self) -> str:
        return f"{self.p} / {self.q}"


class Instance(Record):
    """A theorem of one of the six shapes, with the integers of its proof.

    Attributes:
        kind: its shape.
        name: its Lean name in the namespace ``SpectralRank.Measured``.
        exponent: ends of the exponent.
        tolerance: ends of the tolerance, for the two rank ratios.
        rank: the rank, where one occurs.
        envelope: the envelope constants ``c`` and ``C``, where they occur.
        bounds: the certificates, in the order of the proof.
    """

    kind: Kind
    name: str = Field(pattern=f"^{IDENTIFIER}$")
    exponent: Ends
    tolerance: Ends | None = None
    rank: int | None = None
    envelope: Ends | None = None
    bounds: tuple[Bound, ...]

    @model_validator(mode="after")
    def _is_proved(self) -> Instance:
        self.verify()
        return self

    def verify(self) -> None:
        """Check every hypothesis of the Lean proof exactly.

        Raises:
            CertificateError: if one fails, or a number is outside the range that has been compiled.
        """
        shape = SHAPES[self.kind]
        if not re.fullmatch(rf"{IDENTIFIER}_{self.kind}(_[A-Za-z0-9_]+)?", self.name):
            self._fail(f"the name must be NAME_{self.kind} or NAME_{self.kind}_TAG")
        self._check_ends("exponent", self.exponent, shape.exponent, DENOMINATOR_LIMIT)
        self._check_ends("tolerance", self.tolerance, shape.tolerance, TOLERANCE_LIMIT)
        constants = CONSTANTS if shape.has_envelope else None
        self._check_ends("envelope", self.envelope, constants, DENOMINATOR_LIMIT)
        if shape.has_rank != (self.rank is not None):
            self._fail(f"a rank is {'needed' if shape.has_rank else 'not allowed'}")
        if self.rank is not None and not 1 <= self.rank <= RANK_LIMIT:
            self._fail(f"rank {self.rank} is outside the compiled range 1 to {RANK_LIMIT}")
        if [bound.theorem for bound in self.bounds] != [call.theorem for call in shape.calls]:
            self._fail("the calls are not those of the shape")
        for bound, call in zip(self.bounds, shape.calls, strict=True):
            self._check_call(bound, call)

    def _check_ends(
        self, argument: str, ends: Ends | None, allowed: Allowed | None, limit: int
    ) -> None:
        if ends is None or allowed is None:
            if (ends is None) != (allowed is None):
                self._fail(f"{argument} is {'needed' if ends is None else 'not allowed'}")
            return
        stated = [end for end in (ends.low, ends.high) if end is not None]
        for end in stated:
            if end.value not in allowed or end.denominator > limit:
                self._fail(f"{argument} {end} must lie in {allowed}, denominator <= {limit}")
        if stated[0].value > stated[-1].value:
            self._fail(f"{argument}: {stated[0]} > {stated[-1]}")

    def _check_call(self, bound: Bound, call: Call) -> None:
        slope = call.slope(self.exponent.at(call.end).value)
        if (bound.u, bound.v) != (slope.numerator, slope.denominator):
            self._fail(f"{call.theorem}: {bound.u} / {bound.v} is not the slope {slope}")
        base = base_of(call, self.tolerance, self.rank)
        if bound.base != base:
            self._fail(f"{call.theorem}: the base {bound.base} is not {base}")
        if not (1 <= bound.q <= BOUND_LIMIT and 0 <= bound.p <= NUMERATOR_LIMIT):
            self._fail(f"{call.theorem}: the bound {bound} is outside the compiled range")
        try:
            holds = CERTIFICATES[call.theorem].certifies(
                bound.u, bound.v, *bound.base, bound.p, bound.q
            )
        except DomainError as error:
            raise CertificateError(f"{self.name}: {call.theorem}: {error}") from None
        if not holds:
            self._fail(f"{call.theorem}: {bound.inequality} is false")

    def _fail(self, reason: str) -> None:
        raise CertificateError(f"{self.name}: {reason}")


def base_of(call: Call, tolerance: Ends | None, rank: int | None) -> tuple[int, ...]:
    """What a call needs beside the slope: the rank alone, or a fraction as it is written.

    Raises:
        CertificateError: if the theorem lacks what the call needs.
    """
    if call.base == "rank":
        if rank is None:
            raise CertificateError(f"{call.theorem} needs a rank")
        return (rank,)
    if tolerance is None:
        raise CertificateError(f"{call.theorem} needs a tolerance")
    end = tolerance.at(call.end)
    captured = end.denominator - end.numerator
    return (end.numerator if call.base == "tolerance" else captured, end.denominator)


class Origin(Record):
    """Where a certificate comes from.

    Attributes:
        module: Lean identifier of the matrix (`spectral_rank.certify.names.lean_names`); file name
            and beginning of every theorem's name.
        source: what was measured, such as ``model.safetensors: encoder.weight``; any Unicode text.
        record_sha256: hash of the measurement's record, 64 hexadecimal digits.
        method: how the intervals were obtained, such as ``95 % bootstrap interval, log-log fit``.
    """

    module: str = Field(pattern=f"^{IDENTIFIER}$", max_length=120)
    source: str = Field(min_length=1)
    record_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    method: str = Field(min_length=1)

    @field_validator("module")
    @classmethod
    def _is_free(cls, module: str) -> str:
        if module.casefold() in RESERVED:
            raise ValueError(f"{module!r} is reserved; lean_names gives a free name")
        return module


class Measured(Record):
    """The ends as they were measured: a float as Python prints it, a Fraction as ``1/20``.

    A text with a slash is that rational number, any other the float it reads as.
    """

    exponent: tuple[str, str]
    tolerance: tuple[str, str] | None = None
    envelope: tuple[str, str] | None = None


class Certificate(Instance):
    """An instance with its measurement; the stated intervals contain the measured ones.

    Attributes:
        schema_version: version of this record's layout.
        origin: what was measured and how.
        measured: the ends before they were rounded outward.
        inequalities: the exact inequality behind each bound.
    """

    schema_version: int = Field(default=1, ge=1, le=1)
    origin: Origin
    measured: Measured
    inequalities: tuple[str, ...]

    def verify(self) -> None:
        """Check the instance, its name, and that no end was rounded inward.

        Raises:
            CertificateError: if a check fails.
        """
        super().verify()
        if not self.name.startswith(f"{self.origin.module}_{self.kind}"):
            self._fail(f"the name must begin with {self.origin.module}_{self.kind}")
        if self.inequalities != tuple(bound.inequality for bound in self.bounds):
            self._fail("the inequalities are not those of the bounds")
        self._check_outward("exponent", self.exponent, self.measured.exponent)
        self._check_outward("tolerance", self.tolerance, self.measured.tolerance)
        self._check_outward("envelope", self.envelope, self.measured.envelope)

    def _check_outward(
        self, argument: str, ends: Ends | None, measured: tuple[str, str] | None
    ) -> None:
        if ends is None or measured is None:
            if (ends is None) != (measured is None):
                self._fail(f"{argument}: stated and measured interval must go together")
            return
        low, high = (_number(self.name, text) for text in measured)
        if not ends.at("low").value <= low <= high <= ends.at("high").value:
            self._fail(f"{argument}: [{ends.low}, {ends.high}] does not contain {measured}")


def written(argument: str, value: Real) -> str:
    """A measured number as `Measured` keeps it, without loss."""
    exact = exact_end(argument, value)
    if isinstance(value, int | np.integer | Fraction):
        return f"{exact.numerator}/{exact.denominator}"
    return repr(float(value))


def _number(name: str, text: str) -> Fraction:
    try:
        return Fraction(text) if "/" in text else Fraction(float(text))
    except (ValueError, OverflowError, ZeroDivisionError):
        raise CertificateError(f"{name}: {text!r} is not a measured number") from None


_INEQUALITIES: Mapping[IntegerCertificate, Callable[..., str]] = MappingProxyType(
    {
        LT_POWER: lambda u, v, n, d, p, q: f"{p}^{u} * {d}^{v} < {q}^{u} * {n}^{v}",
        POWER_LT: lambda u, v, n, d, p, q: f"{q}^{u} * {n}^{v} < {p}^{u} * {d}^{v}",
        TAIL_FACTOR_LE: lambda u, v, r, p, q: f"({v} * {q})^{v} <= ({p} * {u})^{v} * {r}^{u}",
        LE_RANK_POWER: lambda u, v, r, p, q: f"{p}^{v} <= {r}^{u} * {q}^{v}",
        RANK_POWER_LE: lambda u, v, r, p, q: f"{r}^{u} * {q}^{v} <= {p}^{v}",
    }
)
"""The hypothesis ``hcert`` of each certificate with its numbers filled in."""
