"""Reading vectors, and bringing numbers of several libraries to one arithmetic."""

from fractions import Fraction
from typing import Any

import flint
import mpmath
import numpy as np
import pytest
import sympy

from spectral_rank.formulas.domain import DomainError
from spectral_rank.formulas.vector import in_one_arithmetic, result_must_fit, vector


def kinds(*values: Any) -> list[set[str]]:
    converted = in_one_arithmetic(**{f"v{i}": value for i, value in enumerate(values)})
    return [{type(x).__name__ for x in np.atleast_1d(np.asarray(v, object))} for v in converted]


def test_one_arithmetic_for_all() -> None:
    third = Fraction(1, 3)
    assert kinds(vector("x", [1, 2]), 3) == [{"float"}, {"float"}]
    assert kinds(vector("x", [1, third]), 3) == [{"Fraction"}, {"Fraction"}]
    assert kinds(vector("x", [0.5, third]), third) == [{"float"}, {"float"}]
    assert kinds(np.ones(2), third) == [{"float"}, {"float"}]
    assert kinds(vector("x", [0.5, third]), flint.arb(1)) == [{"arb"}, {"arb"}]
    assert kinds(vector("x", [mpmath.mpf(1), third]), np.ones(2)) == [{"mpf"}, {"mpf"}]
    (symbolic, rational) = in_one_arithmetic(x=vector("x", [sympy.Symbol("a"), third]), y=third)
    assert list(symbolic) == [sympy.Symbol("a"), sympy.Rational(1, 3)]
    assert rational == sympy.Rational(1, 3)


def test_a_vector_keeps_its_entries() -> None:
    assert vector("x", (1.5, 2)).tolist() == [1.5, 2]
    assert vector("x", np.array([1, 2])).dtype.kind == "i"
    assert vector("x", []).shape == (0,)
    assert vector("x", [Fraction(1, 3)], length=1)[0] == Fraction(1, 3)


@pytest.mark.parametrize("bad", [1, "ab", {1: 2}, [[1]], np.ones((1, 1)), ["1"], [np.nan], [True]])
def test_not_a_vector(bad: Any) -> None:
    with pytest.raises(DomainError, match="x must be a vector of positive numbers"):
        vector("x", bad, entries="positive numbers", holds=lambda x: x > 0)


def test_rules_of_a_vector() -> None:
    with pytest.raises(DomainError, match="x must be a vector of 2 finite real numbers"):
        vector("x", [1.0], length=2)
    for bad in ([1, 0], np.array([1.0, 0.0]), [flint.arb(0, 1)]):
        with pytest.raises(DomainError, match=r"positive"):
            vector("x", bad, entries="positive numbers", holds=lambda x: x > 0)


def test_results_that_do_not_fit() -> None:
    with result_must_fit("x", 7) as checked:
        assert checked(np.array([1.0]) * 2)[0] == 2
        with pytest.raises(DomainError, match="x = 7: x must be"):
            checked(np.array([1e300]) * 1e300)
        with pytest.raises(DomainError, match="x must be"):
            checked(flint.arb(1) / flint.arb(0, 1))
    with pytest.raises(DomainError, match="y must be small enough"):
        in_one_arithmetic(x=1.5, y=10**400)
