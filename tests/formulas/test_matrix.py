"""Reading matrices and vectors, and refusing results that overflow."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from spectral_rank.formulas.domain import DomainError
from spectral_rank.formulas.matrix import column, fitting, matrix


def test_floats_are_widened_and_integers_cannot_overflow() -> None:
    assert matrix("M", np.ones((2, 3), np.float32), rows=2).dtype == np.float64
    large = matrix("M", np.array([[2**62]]))
    assert (large @ large)[0, 0] == 2**124
    assert column("v", np.array([1, 2])).dtype == object


def test_exact_entries_stay_what_they_are() -> None:
    assert column("v", np.array([Fraction(1, 3)], dtype=object))[0] == Fraction(1, 3)


@pytest.mark.parametrize(
    ("value", "rows", "cols"),
    [
        (np.ones((2, 3)), 3, None),
        (np.ones((2, 3)), None, 2),
        (np.ones(3), None, None),
        ([[1.0]], None, None),
        (np.array([[np.nan]]), None, None),
        (np.array([["a"]]), None, None),
    ],
)
def test_what_is_no_such_matrix_is_refused(
    value: object, rows: int | None, cols: int | None
) -> None:
    with pytest.raises(DomainError, match="M must be a matrix"):
        matrix("M", value, rows=rows, cols=cols)


def test_a_vector_of_another_length_is_refused() -> None:
    with pytest.raises(DomainError, match="of length 3"):
        column("v", np.ones(2), 3)


def test_a_result_must_fit() -> None:
    assert fitting("x", 1.0, lambda: np.ones(2)).sum() == 2
    for overflow in (np.array([np.nan]), np.array([Fraction(1), np.inf], dtype=object)):
        with pytest.raises(DomainError, match=r"^x = .*fits in a float"):
            fitting("x", 1.0, lambda result=overflow: result)
