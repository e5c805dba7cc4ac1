"""Exact search, the sign of a real number, and functions of scalars over arrays."""

from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.formulas.elementary import over_arrays
from spectral_rank.formulas.search import UndecidedSignError, least_index, sign


@settings(deadline=None)
@given(st.integers(0, 500), st.integers(-10, 1000), st.none() | st.integers(0, 500))
def test_least_index_does_not_depend_on_the_guess(
    first: int, guess: int, above: int | None
) -> None:
    top = None if above is None else first + above
    assert least_index(lambda r: r >= first, guess, top) == first


def test_least_index_never_asks_outside_the_range() -> None:
    asked: list[int] = []

    def holds(r: int) -> bool:
        asked.append(r)
        return r >= 40

    assert least_index(holds, 10**6, 100) == 40
    assert least_index(holds, -5, 100) == 40
    assert all(0 <= r < 100 for r in asked if r != 100)


@pytest.mark.parametrize("guess", [0, 10**15, 10**18])
def test_least_index_takes_logarithmically_many_steps(guess: int) -> None:
    asked: list[int] = []

    def holds(r: int) -> bool:
        asked.append(r)
        return r >= 10**15

    assert least_index(holds, guess) == 10**15
    assert len(asked) < 150


def test_least_index_with_the_top_at_zero_asks_nothing() -> None:
    assert least_index(lambda r: pytest.fail("asked"), 7, 0) == 0


@settings(deadline=None)
@given(st.fractions())
def test_sign_of_a_rational(value: Fraction) -> None:
    found = sign(lambda: flint.arb(flint.fmpq(value.numerator, value.denominator)))
    assert found == (value > 0) - (value < 0)


@pytest.mark.parametrize("digits", [10, 100, 1000, 5000])
def test_sign_raises_the_precision_until_it_is_decided(digits: int) -> None:
    tiny = flint.fmpq(1, 10**digits)

    def excess() -> flint.arb:
        return flint.arb(2).sqrt() ** 2 - 2 + tiny

    assert sign(excess) == 1
    assert sign(lambda: -excess()) == -1


def test_sign_of_an_exact_zero() -> None:
    assert sign(lambda: flint.arb(3) - 3) == 0


def test_sign_says_when_it_cannot_decide() -> None:
    with pytest.raises(UndecidedSignError, match="bits"):
        sign(lambda: flint.arb(2).sqrt() ** 2 - 2)


def test_sign_leaves_the_working_precision_alone() -> None:
    before = flint.ctx.prec
    sign(lambda: flint.arb(2).sqrt() - 1)
    assert flint.ctx.prec == before


@over_arrays
def weighted(x: Any, y: Any, weight: int = 1) -> Any:
    """A function of scalars only."""
    return weight * x if x > y else weight * y


def test_over_arrays_leaves_scalars_alone() -> None:
    assert weighted(2, 3) == 3
    assert weighted(Fraction(1, 3), Fraction(1, 4)) == Fraction(1, 3)
    assert weighted.__name__ == "weighted"


def test_over_arrays_broadcasts_like_numpy() -> None:
    x, y = np.array([[1.0], [5.0], [9.0]]), np.array([2.0, 6.0])
    assert np.array_equal(weighted(x, y), np.maximum(x, y))
    assert np.array_equal(weighted(x, 4.0, weight=2), 2 * np.maximum(x, 4.0))
    assert np.array_equal(weighted(y=y, x=3.0), np.maximum(3.0, y))


def test_over_arrays_keeps_the_shape_of_a_scalar_array() -> None:
    assert weighted(np.array(2.0), 1.0).shape == ()


def test_over_arrays_refuses_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        weighted(np.ones(2), np.ones(3))
