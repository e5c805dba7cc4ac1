"""Running one check on one claim: the true one, or a mutant's."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any, Literal

import flint
import hypothesis
import mpmath
import numpy as np
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Unsatisfiable
from pydantic import BaseModel

from spectral_rank.formulas.elementary import as_ball, as_mpmath
from spectral_rank.theorems.claim import Claim, Relation, Verdict
from spectral_rank.theorems.theorem import (
    Arithmetic,
    Check,
    Point,
    Property,
    Symbolic,
)

BALL_PRECISIONS = (128, 512, 2048)
"""Working precisions, in bits, tried in turn until every relation is decided."""

MPMATH_DIGITS = 50
"""Working digits of checks in mpmath arithmetic."""

Status = Literal["passed", "refuted", "undecided", "error"]


class Outcome(BaseModel):
    """What a check found.

    Attributes:
        kind: symbolic, certified, property or numerical.
        status: ``passed``, ``refuted`` (a counterexample), ``undecided`` or ``error``.
        count: points or examples examined.
        seconds: time it took.
        detail: the counterexample, what stayed undecided, or the end of the traceback.
    """

    kind: str
    status: Status
    count: int
    seconds: float
    detail: str = ""


class Budget(BaseModel):
    """How hard a property check searches.

    Attributes:
        examples: hypothesis examples per property.
        seed: seed of the search; the same seed draws the same examples.
        shrink: whether to simplify a counterexample once one is found.
    """

    examples: int = 100
    seed: int = 0
    shrink: bool = True


class _RefutedError(Exception):
    """Carries a counterexample out of hypothesis."""


def examine(check: Check, claim: Claim, budget: Budget) -> Outcome:
    """Run one check on a claim; never raises, an exception inside the claim is an ``error``."""
    start = time.perf_counter()
    try:
        status, count, detail = _run(check, claim, budget)
    except Exception:
        status, count, detail = "error", 0, "".join(traceback.format_exc(limit=-3))
    return Outcome(
        kind=check.kind,
        status=status,
        count=count,
        seconds=time.perf_counter() - start,
        detail=detail,
    )


def _run(check: Check, claim: Claim, budget: Budget) -> tuple[Status, int, str]:
    if isinstance(check, Property):
        return _search(check, claim, budget)
    if isinstance(check, Symbolic):
        return _visit((check.values,), claim, "exact")
    return _visit(check.points, claim, check.arithmetic)


def _visit(
    points: tuple[Point, ...], claim: Claim, arithmetic: Arithmetic
) -> tuple[Status, int, str]:
    if not points:
        return "error", 0, "the check has no points"
    for count, point in enumerate(points, start=1):
        verdict, relations, text = _decide_at(claim, point, arithmetic)
        if verdict is Verdict.REFUTED:
            return "refuted", count, f"{text} at {_shown(point)}"
        if verdict is Verdict.UNDECIDED or not relations:
            return "undecided", count, f"{text or 'no relation'} at {_shown(point)}"
    return "passed", len(points), ""


def _search(check: Property, claim: Claim, budget: Budget) -> tuple[Status, int, str]:
    tally = {"examples": 0, "relations": 0, "undecided": 0}

    def probe(point: Point) -> None:
        verdict, relations, text = _decide_at(claim, point, check.arithmetic)
        tally["examples"] += 1
        tally["relations"] += relations
        tally["undecided"] += verdict is Verdict.UNDECIDED
        if verdict is Verdict.REFUTED:
            raise _RefutedError(f"{text} at {_shown(point)}")

    try:
        _hypothesis_search(check, probe, budget)()
    except _RefutedError as refuted:
        return "refuted", tally["examples"], str(refuted)
    except Unsatisfiable:
        return "error", tally["examples"], "the strategy found no point of the domain"
    if not tally["relations"]:
        return "undecided", tally["examples"], "no example yielded a relation"
    if 2 * tally["undecided"] > tally["examples"]:
        return "undecided", tally["examples"], "balls left more than half of the examples undecided"
    return "passed", tally["examples"], ""


def _hypothesis_search(
    check: Property, probe: Callable[[Point], None], budget: Budget
) -> Callable[[], None]:
    def run_many(**point: Any) -> None:
        probe(point)

    def run_one(point: Point) -> None:
        probe(point)

    if isinstance(check.given, Mapping):
        search = hypothesis.given(**check.given)(run_many)
    else:
        search = hypothesis.given(point=check.given)(run_one)
    phases = (Phase.generate, Phase.shrink) if budget.shrink else (Phase.generate,)
    configured = hypothesis.settings(
        max_examples=budget.examples,
        phases=phases,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )(search)
    return hypothesis.seed(budget.seed)(configured)


def _decide_at(claim: Claim, point: Point, arithmetic: Arithmetic) -> tuple[Verdict, int, str]:
    """The worst verdict at a point, the number of relations, the text of the one responsible."""
    with mpmath.workdps(MPMATH_DIGITS):
        if arithmetic != "ball":
            arguments = {name: _convert(value, arithmetic) for name, value in point.items()}
            return _worst(claim(**arguments))
        for precision in BALL_PRECISIONS:
            with flint.ctx.workprec(precision):
                arguments = {name: _convert(value, "ball") for name, value in point.items()}
                outcome = _worst(claim(**arguments))
            if outcome[0] is not Verdict.UNDECIDED:
                break
        return outcome


def _worst(relations: Iterator[Relation]) -> tuple[Verdict, int, str]:
    count, undecided = 0, ""
    for count, relation in enumerate(relations, start=1):
        verdict = relation.decide()
        if verdict is Verdict.REFUTED:
            return verdict, count, relation.text()
        if verdict is Verdict.UNDECIDED:
            undecided = undecided or relation.text()
    return (Verdict.UNDECIDED if undecided else Verdict.HOLDS), count, undecided


def _convert(value: Any, arithmetic: Arithmetic) -> Any:
    """Fractions in the arithmetic of the check, also inside tuples, lists and object arrays."""
    if isinstance(value, Fraction):
        if arithmetic == "ball":
            return as_ball(value)
        if arithmetic == "mpmath":
            return as_mpmath(value)
        return float(value) if arithmetic == "float" else value
    if isinstance(value, tuple | list):
        return type(value)(_convert(entry, arithmetic) for entry in value)
    if isinstance(value, np.ndarray) and value.dtype == object:
        entries = [_convert(entry, arithmetic) for entry in value.flat]
        dtype = float if arithmetic == "float" else object
        return np.array(entries, dtype=dtype).reshape(value.shape)
    return value


def _shown(point: Point) -> str:
    def one(value: Any) -> str:
        return np.array2string(value, threshold=64) if isinstance(value, np.ndarray) else str(value)

    return ", ".join(f"{name} = {one(value)}" for name, value in point.items())
