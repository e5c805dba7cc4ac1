"""A check passes on what is true, refutes what is false, and never passes by saying nothing."""

from collections.abc import Iterator
from fractions import Fraction
from functools import partial

import pytest
import sympy
from hypothesis import strategies as st

from spectral_rank.checking.examine import Budget, examine
from spectral_rank.theorems.claim import Claim, Relation, eq, le
from spectral_rank.theorems.strategies import reals
from spectral_rank.theorems.theorem import (
    Certified,
    Check,
    Mutant,
    Numerical,
    Property,
    Symbolic,
    Theorem,
    grid,
)


def square(x: object, *, shift: int = 0) -> Iterator[Relation]:
    yield le(2 * x, x * x + 1 - shift)  # type: ignore[operator]


def silent(x: object) -> Iterator[Relation]:
    return iter(())


def crash(x: object) -> Iterator[Relation]:
    raise ZeroDivisionError("in the claim")


SYMBOLIC = Symbolic({"x": sympy.Symbol("x", real=True)})
CERTIFIED = Certified(grid(x=(Fraction(0), Fraction(1, 3), Fraction(5))))
PROPERTY = Property({"x": reals(-4, 4)})
TOGETHER = Property(st.fixed_dictionaries({"x": reals(-4, 4)}), "exact")
NUMERICAL = Numerical(grid(x=(Fraction(1), Fraction(2))))
CHECKS = (SYMBOLIC, CERTIFIED, PROPERTY, TOGETHER, NUMERICAL)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.kind)
@pytest.mark.parametrize(
    ("claim", "status"),
    [
        (square, "passed"),
        (partial(square, shift=1), "refuted"),
        (silent, "undecided"),
        (crash, "error"),
    ],
)
def test_status(check: Check, claim: Claim, status: str) -> None:
    outcome = examine(check, claim, Budget())
    assert outcome.status == status
    assert (outcome.detail == "") is (status == "passed")


def test_a_counterexample_is_simplified_and_shown() -> None:
    outcome = examine(PROPERTY, partial(square, shift=1), Budget())
    assert "at x = " in outcome.detail


def test_the_seed_decides_what_is_drawn() -> None:
    def draws(seed: int) -> list[object]:
        seen: list[object] = []

        def record(x: object) -> Iterator[Relation]:
            seen.append(str(x))
            yield eq(0, 0)

        examine(PROPERTY, record, Budget(seed=seed))
        return seen

    assert draws(1) == draws(1)
    assert draws(1) != draws(2)


def test_the_number_of_examples_is_respected() -> None:
    assert examine(PROPERTY, square, Budget(examples=137)).count == 137


def test_balls_that_cannot_decide_are_not_a_certificate() -> None:
    def tie(x: object) -> Iterator[Relation]:
        yield le(x, x)

    assert examine(Certified(grid(x=(Fraction(1, 3),))), tie, Budget()).status == "undecided"


def test_a_check_without_points_is_an_error() -> None:
    assert examine(Certified(()), square, Budget()).status == "error"


def test_an_entry_needs_two_kinds_of_check_and_a_mutant() -> None:
    mutant = Mutant("shifted", partial(square, shift=1))
    with pytest.raises(ValueError, match="needs two of symbolic, certified, property"):
        Theorem("t", "", "", square, (PROPERTY, TOGETHER, NUMERICAL), (mutant,))
    with pytest.raises(ValueError, match="needs a mutant"):
        Theorem("t", "", "", square, (PROPERTY, CERTIFIED), ())
