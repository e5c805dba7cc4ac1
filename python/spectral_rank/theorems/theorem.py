"""A theorem of the Lean library in executable form, its checks and its mutants."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hypothesis.strategies import SearchStrategy

from spectral_rank.theorems.claim import Claim

Arithmetic = Literal["exact", "ball", "mpmath", "float"]
"""What the Fractions among the arguments of a claim become before it is called."""

Point = Mapping[str, Any]
"""Arguments of a claim by name."""


@dataclass(frozen=True)
class Symbolic:
    """Sympy proves every relation of the claim at symbolic arguments.

    Attributes:
        values: the arguments; the domain is built into the expressions (``half + positive``).
        claim: the statement in a form sympy can handle, where that differs from the theorem's
            claim.  Mutants are not run against a check that has its own claim.
    """

    values: Point
    claim: Claim | None = None
    kind: Literal["symbolic"] = "symbolic"


@dataclass(frozen=True)
class Certified:
    """Balls or exact rationals decide every relation at every point; undecided is a failure.

    Attributes:
        points: arguments; Fractions among them become balls, or stay exact.
        arithmetic: ``"ball"`` or ``"exact"``.
        claim: as in `Symbolic`.
    """

    points: tuple[Point, ...]
    arithmetic: Literal["ball", "exact"] = "ball"
    claim: Claim | None = None
    kind: Literal["certified"] = "certified"


@dataclass(frozen=True)
class Property:
    """Hypothesis searches the whole stated domain for a counterexample.

    Attributes:
        given: a strategy for each argument, or one strategy that draws all of them as a dict.
        arithmetic: what drawn Fractions become; a relation that balls leave undecided at the
            highest precision is an equality to 600 digits and accepted.
        claim: as in `Symbolic`.
    """

    given: Mapping[str, SearchStrategy[Any]] | SearchStrategy[Any]
    arithmetic: Arithmetic = "ball"
    claim: Claim | None = None
    kind: Literal["property"] = "property"


@dataclass(frozen=True)
class Numerical:
    """A float64 or mpmath computation at chosen points, within stated tolerances.

    For what neither balls nor random search reach at a reasonable price: solutions of differential
    equations, automatic differentiation, thousand-layer networks.  It comes on top of the checks
    that the catalogue asks for, never in place of one.
    """

    points: tuple[Point, ...]
    arithmetic: Literal["mpmath", "float"] = "float"
    claim: Claim | None = None
    kind: Literal["numerical"] = "numerical"


Check = Symbolic | Certified | Property | Numerical


@dataclass(frozen=True)
class Mutant:
    """A slightly wrong version of a theorem, which at least one of its checks must refute.

    Attributes:
        change: what is wrong, in words.
        claim: the wrong statement, called like the theorem's claim.
    """

    change: str
    claim: Claim


@dataclass(frozen=True)
class Theorem:
    """One theorem of the Lean library.

    Attributes:
        name: Lean name without the leading ``SpectralRank.``.
        statement: LaTeX, as it also stands on the theory page.
        domain: LaTeX, the hypotheses on the variables.
        claim: the statement in executable form.
        checks: at least two of the kinds symbolic, certified and property.
        mutants: at least one.
        references: where the result or its classical form can be read.
    """

    name: str
    statement: str
    domain: str
    claim: Claim
    checks: tuple[Check, ...]
    mutants: tuple[Mutant, ...]
    references: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        kinds = {check.kind for check in self.checks} - {"numerical"}
        if len(kinds) < 2:
            raise ValueError(
                f"{self.name}: needs two of symbolic, certified, property; has {kinds}"
            )
        if not self.mutants:
            raise ValueError(f"{self.name}: needs a mutant")
        if not (self.statement + self.domain).isprintable():
            raise ValueError(f"{self.name}: control characters in the LaTeX, say a lost backslash")


def grid(where: Callable[..., bool] | None = None, **axes: Iterable[Any]) -> tuple[Point, ...]:
    """All combinations of the values on each axis, as points; ``where`` keeps those it accepts."""
    points = (dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values()))
    return tuple(point for point in points if where is None or where(**point))
