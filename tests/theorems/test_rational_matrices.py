"""The rational matrices are what their names say, exactly."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings

from spectral_rank.formulas.best_approximation import is_orth_projection
from spectral_rank.theorems.rational_matrices import (
    cayley,
    range_projection,
    rational_array,
    rational_decompositions,
    rational_diagonal,
    rational_identity,
    rational_matrices,
    rational_orthonormal,
    rational_projections,
    rational_spectra,
    reflected,
)


def has_orthonormal_columns(Q):
    return np.array_equal(Q.T @ Q, rational_identity(Q.shape[1]))


@settings(deadline=None)
@given(Q=rational_orthonormal())
def test_columns_are_exactly_orthonormal(Q):
    assert has_orthonormal_columns(Q)
    assert all(isinstance(entry, Fraction) for entry in Q.flat)


@settings(deadline=None)
@given(A=rational_matrices(rows=3, cols=3))
def test_cayley_transform_of_a_skew_matrix_is_orthogonal(A):
    rotation = cayley(A - A.T)
    assert has_orthonormal_columns(rotation)
    assert has_orthonormal_columns(rotation.T)


def test_a_reflection_fixes_what_is_orthogonal_to_its_vector():
    v = np.array([1, 2, -2], dtype=object)
    x = np.array([[2], [-1], [0]], dtype=object)
    assert np.array_equal(reflected(x, [v]), x)
    assert np.array_equal(reflected(v[:, None], [v]), -v[:, None])


@settings(deadline=None)
@given(P=rational_projections(size=4, max_dimension=2))
def test_projections_have_the_dimension_asked_for(P):
    assert is_orth_projection(P)
    assert P.shape == (4, 4)
    assert np.trace(P) in (0, 1, 2)


@settings(deadline=None)
@given(X=rational_matrices())
def test_range_projection_has_the_rank_as_its_dimension(X):
    P = range_projection(X)
    assert is_orth_projection(P)
    assert np.array_equal(P @ X, X)
    rank = np.linalg.matrix_rank(X.astype(float)) if X.size else 0
    assert np.trace(P) == rank


@settings(deadline=None)
@given(s=rational_spectra(size=5))
def test_spectra_are_nonincreasing_and_nonnegative(s):
    assert s.shape == (5,)
    assert all(s[:-1] >= s[1:])
    assert s[-1] >= 0


@settings(deadline=None)
@given(usv=rational_decompositions())
def test_decompositions_fit_together(usv):
    U, s, V = usv
    assert U.shape[1] == s.size == V.shape[1]
    assert has_orthonormal_columns(U)
    assert has_orthonormal_columns(V)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_constructors(n):
    values = rational_array(range(1, n + 1))
    assert np.array_equal(rational_diagonal(values), np.diag(values))
    assert np.array_equal(rational_identity(n), np.eye(n))
