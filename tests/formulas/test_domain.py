"""Bad input is one clear error that names the argument, the value and the rule."""

import pickle
from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import sympy

from spectral_rank.formulas.domain import (
    DomainError,
    integer,
    noncritical_exponent,
    require,
    slow_exponent,
    steep_exponent,
    tolerance,
)

NOT_REAL = [
    float("nan"),
    float("inf"),
    -np.inf,
    "1",
    None,
    True,
    np.bool_(True),
    1j,
    [1.0],
    np.array([1.0, np.nan]),
    np.array(["a"]),
    mpmath.mpf("nan"),
    mpmath.mpc(1, 1),
    flint.arb("nan"),
    flint.acb(1),
    sympy.I,
    sympy.oo,
    sympy.nan,
]


@pytest.mark.parametrize("value", NOT_REAL, ids=repr)
def test_what_is_not_a_finite_real_number_is_refused(value: object) -> None:
    with pytest.raises(DomainError, match="x must be a finite real number"):
        require("x", value, "a finite real number")


REAL = [
    1,
    0.5,
    np.float32(2),
    np.int64(3),
    Fraction(1, 3),
    np.array([1.0, 2.0]),
    np.array([Fraction(1, 3)], dtype=object),
    mpmath.mpf(2),
    flint.arb(1) / 3,
    flint.fmpq(1, 3),
    sympy.Rational(1, 3),
    sympy.Symbol("x"),
    sympy.pi,
]


@pytest.mark.parametrize("value", REAL, ids=repr)
def test_every_kind_of_real_number_passes(value: object) -> None:
    assert require("x", value, "a finite real number") is value


def test_the_error_names_argument_value_and_rule() -> None:
    with pytest.raises(DomainError) as caught:
        tolerance("eps", 1.5)
    assert str(caught.value) == "eps = 1.5: eps must be a real number in (0, 1]"
    assert (caught.value.argument, caught.value.value) == ("eps", 1.5)
    assert isinstance(caught.value, ValueError)


def test_the_error_travels_between_processes() -> None:
    error = pickle.loads(pickle.dumps(DomainError("r", 7, "an integer <= 5")))
    assert str(error) == "r = 7: r must be an integer <= 5"


@pytest.mark.parametrize(
    "value", [0.5, 0, -1, Fraction(1, 2), mpmath.mpf(0.5), sympy.Rational(1, 2)]
)
def test_steep_excludes_one_half(value: object) -> None:
    with pytest.raises(DomainError, match="alpha"):
        steep_exponent("alpha", value)


def test_an_array_must_satisfy_the_rule_in_every_entry() -> None:
    steep_exponent("alpha", np.array([0.6, 3.0]))
    with pytest.raises(DomainError):
        steep_exponent("alpha", np.array([0.6, 0.5]))


def test_a_ball_must_satisfy_the_rule_with_certainty() -> None:
    steep_exponent("alpha", flint.arb("0.51"))
    with pytest.raises(DomainError):
        steep_exponent("alpha", flint.arb(0.5, 1e-9))


def test_a_symbol_is_refused_only_where_sympy_decides() -> None:
    steep_exponent("alpha", sympy.Symbol("alpha"))
    with pytest.raises(DomainError):
        steep_exponent("alpha", sympy.Symbol("alpha", negative=True))


def test_ends_of_the_other_domains() -> None:
    assert tolerance("eps", 1) == 1
    assert slow_exponent("alpha", 0) == 0
    assert noncritical_exponent("alpha", 0.4999) == 0.4999
    for function, value in ((tolerance, 0), (slow_exponent, 0.5), (noncritical_exponent, 0.5)):
        with pytest.raises(DomainError):
            function("x", value)


@pytest.mark.parametrize("value", [1.0, "1", True, None, -1, 6, float("nan"), np.float64(2)])
def test_integer_refuses(value: object) -> None:
    with pytest.raises(DomainError, match="an integer >= 0 and <= 5"):
        integer("r", value, at_most=5)


@pytest.mark.parametrize("value", [0, 5, np.int32(3), np.uint8(2)])
def test_integer_accepts(value: int) -> None:
    assert type(integer("r", value, at_most=5)) is int
