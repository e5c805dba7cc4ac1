from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.formulas.deep_linear.balance import (
    has_matrix_deriv_within_at,
    imbalance,
    pair_flow,
)
from spectral_rank.formulas.domain import DomainError
from spectral_rank.theorems.deep_linear.balance import BoostFlow
from spectral_rank.theorems.rational_matrices import rational_array

X = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0]])
Y = np.array([[2.0, 1.0]])
M = np.array([[1.0, -1.0, 3.0]])
KINDS = {
    "int": int,
    "Fraction": Fraction,
    "mpmath": mpmath.mpf,
    "ball": flint.arb,
    "sympy": sympy.Integer,
}


def converted(A, kind):
    return np.frompyfunc(lambda x: KINDS[kind](int(x)), 1, 1)(A)


def test_values_by_hand():
    assert imbalance(X, Y).tolist() == [[5 - 4, 2 - 2], [2 - 2, 2 - 1]]
    below, above = pair_flow(X, Y, M)
    assert below.tolist() == [[-2, 2, -6], [-1, 1, -3]]
    assert above.tolist() == [[1, 4]]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_number(kind):
    layers = [converted(A, kind) for A in (X, Y, M)]
    for found, expected in (
        (imbalance(*layers[:2]), imbalance(X, Y)),
        *zip(pair_flow(*layers), pair_flow(X, Y, M), strict=True),
    ):
        assert isinstance(found[0, 0], KINDS[kind])
        assert found.astype(float).tolist() == expected.tolist()


def test_integer_arrays_do_not_overflow():
    large = np.array([[2**40]])
    assert imbalance(large, 0 * large)[0, 0] == 2**80


def test_the_flow_is_minus_the_gradient():
    T = np.ones((1, 3))
    below, above = pair_flow(X, Y, Y @ X - T)

    def loss(A, B):
        return np.sum((B @ A - T) ** 2) / 2

    h = 1e-6
    for index in np.ndindex(X.shape):
        step = np.zeros_like(X)
        step[index] = h
        slope = (loss(X + step, Y) - loss(X - step, Y)) / (2 * h)
        assert slope == pytest.approx(-below[index], abs=1e-7)
    for index in np.ndindex(Y.shape):
        step = np.zeros_like(Y)
        step[index] = h
        slope = (loss(X, Y + step) - loss(X, Y - step)) / (2 * h)
        assert slope == pytest.approx(-above[index], abs=1e-7)


def rotation(t):
    return np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])


@settings(deadline=None)
@given(st.floats(-3, 3), st.sampled_from([(0.0, 0.3), (-0.2, 0.0), (-0.1, 0.25)]))
def test_derivative_of_a_rotation(t, room):
    S = (t + room[0], t + room[1])
    slope = rotation(t + np.pi / 2)
    assert has_matrix_deriv_within_at(rotation, slope, S, t)
    assert not has_matrix_deriv_within_at(rotation, slope + 1e-3, S, t)


def test_derivative_of_a_polynomial_is_exact():
    def curve(t):
        return rational_array([[t**3, 1 - t]])

    t, S = Fraction(1, 3), (Fraction(0), Fraction(1))
    assert has_matrix_deriv_within_at(curve, rational_array([["1/3", -1]]), S, t, 3)
    tiny = rational_array([[Fraction(1, 3) + Fraction(1, 10**30), -1]])
    assert not has_matrix_deriv_within_at(curve, tiny, S, t, 3)


def test_derivative_within_an_interval_looks_at_both_sides():
    def corner(t):
        return np.array([[abs(t)]])

    one = np.array([[1.0]])
    assert has_matrix_deriv_within_at(corner, one, (0.0, 1.0), 0.0)
    assert has_matrix_deriv_within_at(corner, -one, (-1.0, 0.0), 0.0)
    assert not has_matrix_deriv_within_at(corner, one, (-1.0, 1.0), 0.0)
    assert has_matrix_deriv_within_at(corner, 7 * one, (0, 0), 0)


def test_derivative_at_mpmath_numbers():
    def curve(t):
        return np.array([[mpmath.exp(t)]])

    t = mpmath.mpf(1)
    assert has_matrix_deriv_within_at(curve, curve(t), (t, t + mpmath.mpf("0.1")), t)


def test_the_exact_flow_of_the_checks_is_a_pair_flow():
    flow = BoostFlow(
        X=rational_array([[1, 2, 0], [0, "1/2", -1]]),
        Y=rational_array([[2, 1], [0, 3]]),
        U=rational_array([["3/5", "4/5"], ["-4/5", "3/5"]]),
        V=rational_array([["2/3", "1/3"], ["2/3", "-2/3"], ["1/3", "2/3"]]),
        c=rational_array(["1/2", "-3/8"]),
        s=Fraction(-1, 4),
    )
    assert [A.tolist() for A in flow.at(flow.s)] == [flow.X.tolist(), flow.Y.tolist()]
    for t in (-0.9, 0.0, 0.7):
        layers, residual = flow.at(t), flow.residual(t)
        for which, velocity in enumerate(pair_flow(*layers, residual)):
            assert has_matrix_deriv_within_at(
                lambda u, which=which: flow.at(u)[which].astype(float),
                velocity.astype(float),
                (t - 0.1, t + 0.1),
                t,
            )


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (([[1.0]], Y), "X"),
        ((np.ones(3), Y), "X"),
        ((np.array([[np.nan]]), np.ones((1, 1))), "X"),
        ((np.array([[1j]]), np.ones((1, 1))), "X"),
        ((np.array([[True]]), np.ones((1, 1))), "X"),
        ((X, np.ones((2, 3))), "Y"),
        ((X, np.array([[1.0, np.inf]])), "Y"),
        ((np.full((1, 1), 1e200), np.full((1, 1), 1e200)), "X"),
    ],
)
def test_imbalance_refuses(arguments, name):
    with pytest.raises(DomainError) as error:
        imbalance(*arguments)
    assert error.value.argument == name


@pytest.mark.parametrize("residual", [M.T, "M", np.full((1, 3), np.nan), 1.5e308 * np.ones((1, 3))])
def test_pair_flow_refuses(residual):
    with pytest.raises(DomainError, match="M must be"):
        pair_flow(X, Y, residual)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"X": lambda t: np.zeros((3, 3))}, "X"),
        ({"X": lambda t: t}, "X"),
        ({"derivative": np.zeros(2)}, "derivative"),
        ({"S": (1.0, 0.0)}, "S"),
        ({"S": 1.0}, "S"),
        ({"S": (0.0, np.nan)}, "S"),
        ({"t": 2.0}, "t"),
        ({"t": "0"}, "t"),
        ({"quotients": 0}, "quotients"),
        ({"quotients": 2.0}, "quotients"),
    ],
)
def test_derivative_refuses(change, name):
    point = {"X": rotation, "derivative": np.eye(2), "S": (0.0, 1.0), "t": 0.5}
    with pytest.raises(DomainError) as error:
        has_matrix_deriv_within_at(**{**point, **change})
    assert error.value.argument == name
