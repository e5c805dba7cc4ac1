from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import sympy

from spectral_rank.formulas.deep_linear.depth_operator import depth_operator
from spectral_rank.formulas.domain import DomainError

P = np.array([[1.0, 2.0], [2.0, -1.0]])
Q = np.array([[0.0, 1.0], [1.0, 3.0]])
Z = np.array([[1.0, 0.0], [4.0, -2.0]])
KINDS = {
    "int": int,
    "Fraction": Fraction,
    "mpmath": mpmath.mpf,
    "ball": flint.arb,
    "sympy": sympy.Integer,
}


def converted(A, kind):
    return np.frompyfunc(lambda x: KINDS[kind](int(x)), 1, 1)(A)


def by_definition(N, P, Q, Z):
    power = np.linalg.matrix_power
    return sum((power(P, N - 1 - k) @ Z @ power(Q, k) for k in range(N)), np.zeros_like(Z))


@pytest.mark.parametrize("N", range(9))
def test_sum_of_powers(N):
    assert np.allclose(depth_operator(N, P, Q, Z), by_definition(N, P, Q, Z), rtol=1e-13)


@pytest.mark.parametrize("N", [2, 5])
def test_block_matrix_power(N):
    """The power of the block matrix [[P, Z], [0, Q]] has the operator in its corner."""
    block = np.block([[P, Z], [np.zeros((2, 2)), Q]])
    corner = np.linalg.matrix_power(block, N)[:2, 2:]
    assert np.allclose(depth_operator(N, P, Q, Z), corner, rtol=1e-13)


def test_derivative_of_a_power():
    """With Q = P it is the derivative of the N-th power in the direction Z."""
    h = 1e-6
    quotient = np.linalg.matrix_power(P + h * Z, 4) - np.linalg.matrix_power(P - h * Z, 4)
    assert np.allclose(depth_operator(4, P, P, Z), quotient / (2 * h), rtol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_number(kind):
    found = depth_operator(5, *(converted(A, kind) for A in (P, Q, Z)))
    assert isinstance(found[0, 0], KINDS[kind])
    assert found.astype(float).tolist() == by_definition(5, P, Q, Z).tolist()


def test_depth_zero_and_empty_matrices():
    assert depth_operator(0, P, Q, Z).tolist() == [[0, 0], [0, 0]]
    empty = np.zeros((0, 0))
    assert depth_operator(3, empty, empty, empty).shape == (0, 0)


def test_integer_arrays_do_not_overflow():
    large = np.array([[2**40]])
    assert depth_operator(3, large, large, large)[0, 0] == 3 * 2**120


@pytest.mark.parametrize("N", [-1, 2.0, True, "2", None])
def test_bad_depth(N):
    with pytest.raises(DomainError, match="N = "):
        depth_operator(N, P, Q, Z)


@pytest.mark.parametrize("position", range(3))
@pytest.mark.parametrize(
    "bad",
    [
        np.ones((2, 3)),
        np.ones(2),
        np.array([[np.nan, 0], [0, 1]]),
        np.array([[np.inf, 0], [0, 1]]),
        np.array([[1j, 0], [0, 1]]),
        [[1.0, 0.0], [0.0, 1.0]],
        2.0,
        None,
    ],
    ids=str,
)
def test_bad_matrix(position, bad):
    arguments = [P, Q, Z]
    arguments[position] = bad
    with pytest.raises(DomainError, match="PQZ"[position] + " = "):
        depth_operator(2, *arguments)


@pytest.mark.parametrize("position", [1, 2])
def test_sizes_must_agree(position):
    arguments = [P, Q, Z]
    arguments[position] = np.eye(3)
    with pytest.raises(DomainError, match="PQZ"[position] + " = "):
        depth_operator(2, *arguments)


def test_overflow_is_refused():
    with pytest.raises(DomainError, match="N = 400"):
        depth_operator(400, 10 * P, Q, Z)
