"""The manifold of matrices of rank r: differential, gauge directions, dimension."""

from __future__ import annotations

from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.formulas.domain import DomainError
from spectral_rank.formulas.manifold import factor_differential, gauge_map, rank_dim


def _gaussian(seed: int, *shapes: tuple[int, int]) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


def _numerical_dimension(m: int, n: int, r: int) -> int:
    """The rank of the differential at random factors, its matrix from Kronecker products."""
    U, V = _gaussian(m + 10 * n + 100 * r, (m, r), (r, n))
    return int(np.linalg.matrix_rank(np.hstack([np.kron(np.eye(m), V.T), np.kron(U, np.eye(n))])))


def test_differential_is_the_limit_of_difference_quotients() -> None:
    U, V, A, B = _gaussian(0, (4, 2), (2, 3), (4, 2), (2, 3))
    t = 1e-6
    quotient = ((U + t * A) @ (V + t * B) - (U - t * A) @ (V - t * B)) / (2 * t)
    np.testing.assert_allclose(factor_differential(U, V, A, B), quotient, atol=1e-8)


def test_gauge_direction_is_the_derivative_of_a_change_of_basis() -> None:
    U, V, G = _gaussian(1, (4, 2), (2, 3), (2, 2))
    t = 1e-7
    change, inverse = np.eye(2) + t * G, np.linalg.inv(np.eye(2) + t * G)
    left, right = gauge_map(U, V, G)
    np.testing.assert_allclose(left, (U @ change - U) / t, atol=1e-5)
    np.testing.assert_allclose(right, (inverse @ V - V) / t, atol=1e-5)
    np.testing.assert_allclose(factor_differential(U, V, left, right), 0, atol=1e-12)


@pytest.mark.parametrize(
    "number",
    [Fraction, int, flint.arb, mpmath.mpf, sympy.Integer, float],
    ids=lambda number: number.__name__,
)
def test_every_kind_of_number(number: type) -> None:
    convert = np.frompyfunc(number, 1, 1)
    U, V, A, B = (
        convert(np.array(rows, dtype=object))
        for rows in ([[1], [2]], [[3, 4]], [[5], [6]], [[7, 8]])
    )
    expected = [[22, 28], [32, 40]]
    assert (factor_differential(U, V, A, B) == np.array(expected, dtype=object)).all()
    left, right = gauge_map(U, V, A[:1])
    assert (left == convert(np.array([[5], [10]], dtype=object))).all()
    assert (right == convert(np.array([[-15, -20]], dtype=object))).all()


def test_integers_do_not_overflow() -> None:
    big = np.array([[2**62]])
    assert factor_differential(big, big, big, big)[0, 0] == 2**125


def test_empty_sizes() -> None:
    none = np.zeros((2, 0)), np.zeros((0, 3))
    np.testing.assert_array_equal(factor_differential(*none, *none), np.zeros((2, 3)))
    left, right = gauge_map(*none, np.zeros((0, 0)))
    assert (left.shape, right.shape) == ((2, 0), (0, 3))


@pytest.mark.parametrize("m", range(1, 6))
@pytest.mark.parametrize("n", range(1, 6))
def test_rank_dim_is_the_rank_of_the_differential(m: int, n: int) -> None:
    for r in range(min(m, n) + 1):
        assert rank_dim(m, n, r) == _numerical_dimension(m, n, r)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.data())
def test_rank_dim_leaves_the_codimension(m: int, n: int, data: st.DataObject) -> None:
    r = data.draw(st.integers(0, min(m, n)))
    assert m * n - rank_dim(m, n, r) == (m - r) * (n - r)
    assert rank_dim(m, n, r) == rank_dim(n, m, r)


@pytest.mark.parametrize(
    ("argument", "sizes"),
    [
        ("m", (-1, 2, 0)),
        ("m", (2.0, 2, 1)),
        ("n", (2, True, 1)),
        ("n", (2, "2", 1)),
        ("r", (3, 2, 3)),
        ("r", (3, 2, -1)),
        ("r", (3, 2, float("nan"))),
    ],
)
def test_rank_dim_outside_its_domain(argument: str, sizes: tuple) -> None:
    with pytest.raises(DomainError, match=f"^{argument} = "):
        rank_dim(*sizes)


GOOD = {"U": np.ones((2, 1)), "V": np.ones((1, 3)), "A": np.ones((2, 1)), "B": np.ones((1, 3))}


@pytest.mark.parametrize(
    ("argument", "bad"),
    [
        ("U", [[1.0], [2.0]]),
        ("U", np.ones(2)),
        ("U", np.array([[np.nan], [1.0]])),
        ("V", np.ones((2, 3))),
        ("V", np.array([[np.inf, 1.0, 1.0]])),
        ("V", np.array([["1", "2", "3"]])),
        ("A", np.ones((3, 1))),
        ("A", np.array([[1j], [1j]])),
        ("B", np.ones((1, 2))),
        ("B", np.array([[True, False, True]])),
        ("B", np.array([[None, None, None]])),
    ],
)
def test_differential_outside_its_domain(argument: str, bad: object) -> None:
    with pytest.raises(DomainError, match=f"^{argument} = "):
        factor_differential(**{**GOOD, argument: bad})


def test_gauge_map_outside_its_domain() -> None:
    for G in (np.ones((2, 2)), np.ones((1, 2)), np.array([[np.nan]])):
        with pytest.raises(DomainError, match=r"^G = "):
            gauge_map(GOOD["U"], GOOD["V"], G)


def test_overflow_is_refused() -> None:
    huge = np.array([[1e200]])
    with pytest.raises(DomainError, match="fits in a float"):
        factor_differential(huge, huge, huge, huge)
    with pytest.raises(DomainError, match="fits in a float"):
        gauge_map(huge, huge, huge)
