"""Frobenius norm, projections and spectral matrices against numpy, scipy and closed forms."""

from __future__ import annotations

from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings

from spectral_rank.formulas.best_approximation import (
    column_sq,
    frobenius_sq,
    is_orth_projection,
    power_law_matrix,
    spectral_matrix,
    truncate,
)
from spectral_rank.formulas.domain import DomainError
from spectral_rank.formulas.power_law import band_energy
from spectral_rank.theorems.rational_matrices import (
    rational_array,
    rational_decompositions,
    rational_identity,
    rational_matrices,
    rational_projections,
    rational_spectra,
    rational_zeros,
)
from spectral_rank.theorems.strategies import matrices, orthonormal

ROTATION = rational_array([["3/5", "-4/5"], ["4/5", "3/5"]])
PYTHAGOREAN = rational_array([[3, 1], [4, 2]])


@settings(deadline=None)
@given(A=matrices())
def test_frobenius_sq_is_the_square_of_numpys_norm(A):
    assert frobenius_sq(A) == pytest.approx(np.linalg.norm(A) ** 2, rel=1e-12)


@settings(deadline=None)
@given(A=matrices())
def test_column_lengths_add_up_to_the_frobenius_norm(A):
    lengths = [column_sq(A, j) for j in range(A.shape[1])]
    assert lengths == pytest.approx(np.linalg.norm(A, axis=0) ** 2, rel=1e-12)
    assert sum(lengths) == pytest.approx(frobenius_sq(A), rel=1e-12)


@settings(deadline=None)
@given(A=rational_matrices())
def test_frobenius_sq_of_fractions_is_the_sum_of_their_squares(A):
    assert frobenius_sq(A) == sum(entry**2 for entry in A.flat)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (float, 30.0),
        (Fraction, 30),
        (flint.arb, 30),
        (flint.fmpq, 30),
        (mpmath.mpf, 30),
        (sympy.Integer, 30),
        (np.int8, 30),
    ],
)
def test_frobenius_sq_takes_every_kind_of_number(number, expected):
    A = np.array([[number(1), number(2)], [number(3), number(4)]])
    assert frobenius_sq(A) == expected
    assert column_sq(A, 0) == 10


def test_integers_do_not_overflow():
    assert frobenius_sq(np.array([[2**40]])) == 2**80
    assert frobenius_sq(np.array([[100, 100]], dtype=np.int8)) == 20000


def test_symbols_stay_symbols():
    a, b = sympy.symbols("a b", real=True)
    assert frobenius_sq(np.array([[a, b]], dtype=object)) == a**2 + b**2


def test_numbers_of_different_kinds_are_brought_to_one_kind():
    mixed = np.array([[Fraction(1, 2), flint.arb(2), 1.0]], dtype=object)
    assert frobenius_sq(mixed) == flint.arb(21) / 4
    assert frobenius_sq(np.array([[Fraction(1, 2), 1.5]], dtype=object)) == 2.5


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_an_empty_matrix_has_norm_zero(shape):
    assert frobenius_sq(np.zeros(shape)) == 0
    assert frobenius_sq(rational_zeros(*shape)) == 0


@settings(deadline=None)
@given(P=rational_projections())
def test_exact_projections_are_recognized_and_exactly(P):
    assert is_orth_projection(P)
    if P.size:
        nearly = P.copy()
        nearly[0, 0] += Fraction(1, 10**30)
        assert not is_orth_projection(nearly)


@pytest.mark.parametrize("rank", [0, 1, 3, 5])
def test_float_projections_are_recognized_up_to_rounding(rank):
    Q = orthonormal(np.random.default_rng(rank), 5, rank)
    assert is_orth_projection(Q @ Q.T)
    assert is_orth_projection(np.eye(5) - Q @ Q.T)


@pytest.mark.parametrize("number", [flint.arb, mpmath.mpf, int, Fraction])
def test_projections_in_other_arithmetics(number):
    diagonal = np.array([[number(1), number(0)], [number(0), number(0)]])
    oblique = np.array([[number(1), number(1)], [number(0), number(0)]])
    assert is_orth_projection(diagonal)
    assert not is_orth_projection(oblique)
    assert not is_orth_projection(2 * diagonal)


def test_a_matrix_too_large_to_square_is_no_projection():
    assert not is_orth_projection(np.full((2, 2), 1e200))


def test_truncate_keeps_the_first_values():
    s = np.array([3.0, -1.0, 2.0])
    assert truncate(s, 2).tolist() == [3.0, -1.0, 0.0]
    assert truncate(s, 0).tolist() == [0.0, 0.0, 0.0]
    assert truncate(s, 9).tolist() == s.tolist() == [3.0, -1.0, 2.0]
    assert truncate(rational_array(["1/2", "1/3"]), 1).tolist() == [Fraction(1, 2), 0]


@settings(deadline=None)
@given(s=rational_spectra())
def test_a_truncated_spectrum_is_a_spectrum_and_loses_the_tail(s):
    for r in range(s.size + 2):
        cut = truncate(s, r)
        assert all(cut[:-1] >= cut[1:])
        assert sum((s - cut) ** 2) == sum(s[r:] ** 2)


@settings(deadline=None)
@given(usv=rational_decompositions())
def test_spectral_matrix_is_the_product_and_has_these_singular_values(usv):
    U, s, V = usv
    product = spectral_matrix(s, U, V)
    assert np.array_equal(product, U @ np.diag(s) @ V.T)
    values = np.linalg.svd(product.astype(float), compute_uv=False)
    padded = np.zeros(values.size)
    padded[: s.size] = s.astype(float)
    assert values == pytest.approx(padded, abs=1e-9 * max(1.0, padded.max(initial=0)))


def test_spectral_matrix_needs_neither_signs_nor_orthonormal_columns():
    assert spectral_matrix(
        np.array([-2.0]), np.array([[1.0], [1.0]]), np.array([[3.0]])
    ).tolist() == [
        [-6.0],
        [-6.0],
    ]


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.35, -1.0, Fraction(27, 20), mpmath.mpf("1.35")])
def test_power_law_matrix_has_power_law_singular_values(alpha):
    rng = np.random.default_rng(0)
    A = power_law_matrix(alpha, orthonormal(rng, 6, 4), orthonormal(rng, 5, 4)).astype(float)
    expected = np.sort(np.arange(1.0, 5.0) ** -float(alpha))[::-1]
    assert np.linalg.svd(A, compute_uv=False)[:4] == pytest.approx(expected, rel=1e-12)


def test_power_law_matrix_is_exact_for_an_integral_exponent():
    A = power_law_matrix(Fraction(1), ROTATION, rational_identity(2))
    assert A.tolist() == [[Fraction(3, 5), Fraction(-2, 5)], [Fraction(4, 5), Fraction(3, 10)]]


def test_power_law_matrix_of_balls_has_the_band_energy():
    alpha = flint.arb(27) / 20
    U = rational_array([["3/5", "-4/5"], ["4/5", "3/5"], [0, 0]])
    A = power_law_matrix(alpha, U, ROTATION)
    assert frobenius_sq(A).overlaps(band_energy(alpha, 0, 2))


def test_power_law_matrix_of_a_symbol():
    alpha = sympy.Symbol("alpha", real=True)
    A = power_law_matrix(alpha, rational_identity(2), rational_identity(2))
    assert A[1, 1] == 2**-alpha


def test_a_decomposition_without_values_gives_a_zero_matrix():
    assert (
        spectral_matrix(np.zeros(0), np.zeros((2, 0)), np.zeros((3, 0))).tolist() == [[0] * 3] * 2
    )
    assert power_law_matrix(0.3, np.zeros((1, 0)), np.zeros((1, 0))).tolist() == [[0]]


NOT_MATRICES = [
    [[1.0]],
    1.0,
    None,
    np.zeros(3),
    np.zeros((1, 1, 1)),
    np.array([[np.nan]]),
    np.array([[np.inf]]),
    np.array([[1j]]),
    np.array([[True]]),
    np.array([["1"]]),
    np.array([[flint.arb("nan")]]),
    np.array([[sympy.I]]),
]


@pytest.mark.parametrize("bad", NOT_MATRICES, ids=repr)
def test_what_is_no_matrix_is_refused(bad):
    good, s = np.eye(1), np.ones(1)
    calls = {
        "A": (lambda: frobenius_sq(bad), lambda: column_sq(bad, 0)),
        "P": (lambda: is_orth_projection(bad),),
        "U": (lambda: spectral_matrix(s, bad, good), lambda: power_law_matrix(1.0, bad, good)),
        "V": (lambda: spectral_matrix(s, good, bad), lambda: power_law_matrix(1.0, good, bad)),
    }
    for name, refused in calls.items():
        for call in refused:
            with pytest.raises(DomainError, match=f"{name} must be"):
                call()


@pytest.mark.parametrize("bad", [[1.0], np.eye(1), np.array([np.nan]), np.array([True]), 1.0])
def test_what_is_no_spectrum_is_refused(bad):
    with pytest.raises(DomainError, match="s must be"):
        truncate(bad, 0)
    with pytest.raises(DomainError, match="s must be"):
        spectral_matrix(bad, np.eye(1), np.eye(1))


@pytest.mark.parametrize("bad", [-1, 2, 0.0, True, None])
def test_a_column_outside_the_matrix_is_refused(bad):
    with pytest.raises(DomainError, match="j must be"):
        column_sq(np.eye(2), bad)


@pytest.mark.parametrize("bad", [-1, 1.0, True, None])
def test_a_rank_that_is_no_natural_number_is_refused(bad):
    with pytest.raises(DomainError, match="r must be"):
        truncate(np.ones(2), bad)


@pytest.mark.parametrize("bad", [np.nan, np.inf, "1", None, True, np.ones(2)])
def test_an_exponent_that_is_no_number_is_refused(bad):
    with pytest.raises(DomainError, match="alpha must be"):
        power_law_matrix(bad, np.eye(1), np.eye(1))


def test_a_projection_must_be_square_and_decidable():
    with pytest.raises(DomainError, match="P must be a square matrix"):
        is_orth_projection(np.ones((2, 3)))
    with pytest.raises(DomainError, match="P must be a square matrix"):
        is_orth_projection(np.array([[sympy.Symbol("x", real=True)]], dtype=object))


def test_shapes_must_fit():
    with pytest.raises(DomainError, match="U must be a matrix with 2 columns"):
        spectral_matrix(np.ones(2), np.ones((3, 1)), np.ones((3, 2)))
    with pytest.raises(DomainError, match="V must be a matrix with 2 columns"):
        power_law_matrix(1.0, np.ones((3, 2)), np.ones((2, 3)))


def test_an_entry_too_large_for_a_float_is_refused_among_floats():
    with pytest.raises(DomainError, match="A must be such that its entries fit"):
        frobenius_sq(np.array([[10**400, 1.0]], dtype=object))


def test_a_result_that_overflows_is_refused():
    large = np.full((2, 2), 1e200)
    with pytest.raises(DomainError, match="A must be such that the result fits"):
        frobenius_sq(large)
    with pytest.raises(DomainError, match="A must be such that the result fits"):
        column_sq(large, 1)
    with pytest.raises(DomainError, match="s must be such that the result fits"):
        spectral_matrix(np.array([1e200, -1e200]), large, large)
