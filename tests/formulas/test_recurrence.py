"""Linear recurrences: the state after an input, and the memory."""

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
from spectral_rank.formulas.recurrence import memory_space, state_after


def _delay_line(d: int) -> tuple[np.ndarray, np.ndarray]:
    """The input enters at the first place and moves on by one place a step."""
    return np.eye(d, k=-1, dtype=int), np.eye(d, 1, dtype=int)


def test_delay_line_holds_the_last_inputs() -> None:
    W, B = _delay_line(4)
    signal = np.array([[3], [1], [4], [1], [5], [9]])
    assert state_after(W, B, np.zeros(4, dtype=int), signal).tolist() == [9, 5, 1, 4]


def test_fibonacci_numbers() -> None:
    W, no_input = np.array([[1, 1], [1, 0]]), np.zeros((2, 0))
    state = state_after(W, no_input.astype(int), np.array([1, 0]), [np.zeros(0)] * 300)
    assert state[1] == sympy.fibonacci(300)


def test_response_is_a_convolution() -> None:
    rng = np.random.default_rng(0)
    W, B, h, xs = (rng.standard_normal(shape) for shape in ((5, 5), (5, 2), (5,), (7, 2)))
    powers = [np.linalg.matrix_power(W, k) for k in range(8)]
    expected = powers[7] @ h + sum(powers[6 - k] @ B @ x for k, x in enumerate(xs))
    np.testing.assert_allclose(state_after(W, B, h, xs), expected, rtol=1e-10)
    np.testing.assert_allclose(state_after(W, B, h, list(xs)), expected, rtol=1e-10)


def test_no_input_leaves_the_state() -> None:
    h = np.array([1.0, 2.0])
    np.testing.assert_array_equal(state_after(np.ones((2, 2)), np.ones((2, 1)), h, []), h)
    np.testing.assert_array_equal(
        state_after(np.ones((2, 2)), np.ones((2, 1)), h, np.zeros((0, 1))), h
    )


@pytest.mark.parametrize(
    "number",
    [Fraction, int, flint.arb, mpmath.mpf, sympy.Integer, float],
    ids=lambda number: number.__name__,
)
def test_every_kind_of_number(number: type) -> None:
    W, B, h, xs = (
        np.frompyfunc(number, 1, 1)(np.array(entries, dtype=object))
        for entries in ([[1, 2], [3, 4]], [[1], [0]], [5, 6], [[7], [8]])
    )
    # (5, 6) -> (17 + 7, 39) -> (102 + 8, 228)
    assert (state_after(W, B, h, xs) == np.array([110, 228], dtype=object)).all()


@pytest.mark.parametrize("d", range(1, 6))
def test_memory_of_a_delay_line_has_one_dimension_less(d: int) -> None:
    W, B = _delay_line(d)
    for kind in (int, float):
        basis = memory_space(W.astype(kind), B.astype(kind), np.zeros(d, dtype=kind))
        assert basis.shape == (d, d - 1)
        assert not np.any(basis[0])


def test_memory_of_the_initial_state_alone() -> None:
    W, no_input = np.diag([2, 3, 5]), np.zeros((3, 0), dtype=int)
    assert memory_space(W, no_input, np.array([1, 0, 1])).shape[1] == 2
    assert memory_space(W, no_input, np.array([0, 0, 0])).shape == (3, 0)


def test_memory_of_floats_does_not_depend_on_scales() -> None:
    W, B = _delay_line(4)
    for scale in (1e-150, 1.0, 1e150):
        h = np.array([0.0, 0.0, 0.0, 1e-100])
        assert memory_space(scale * W, B / scale, h).shape == (4, 3)


def test_memory_of_empty_states() -> None:
    nothing = np.zeros((0, 0)), np.zeros((0, 2)), np.zeros(0)
    assert memory_space(*nothing).shape == (0, 0)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(0, 6), st.integers(0, 2))
def test_memory_space(seed: int, d: int, r: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    U, V, B, h = (rng.integers(-2, 3, size=s) for s in ((d, r), (r, d), (d, k), (d,)))
    exact = memory_space(U @ V, B, h)
    floats = memory_space((U @ V).astype(float), B, h)
    assert exact.shape == floats.shape
    assert exact.shape[1] <= min(d, r)
    np.testing.assert_allclose(floats.T @ floats, np.eye(floats.shape[1]), atol=1e-12)
    for inputs in (0, 1, 4):
        memory = U @ V @ state_after(U @ V, B, h, rng.integers(-2, 3, size=(inputs, k)))
        memory = memory.astype(float)
        missing = memory - floats @ (floats.T @ memory)
        assert np.linalg.norm(missing) <= 1e-9 * (1 + np.linalg.norm(memory))


def test_exact_memory_is_spanned_by_rational_columns() -> None:
    third = Fraction(1, 3)
    W = np.array([[third, 2 * third], [third, 2 * third]], dtype=object)
    basis = memory_space(W, np.zeros((2, 0), dtype=int), np.array([1, 1]))
    assert basis.shape == (2, 1)
    assert basis[0, 0] == basis[1, 0] != 0
    assert isinstance(basis[0, 0], Fraction)


GOOD = {"W": np.eye(2), "B": np.ones((2, 1)), "h": np.ones(2), "xs": [np.ones(1)]}


@pytest.mark.parametrize(
    ("argument", "bad"),
    [
        ("W", np.ones((2, 3))),
        ("W", np.array([[1.0, np.nan], [0.0, 1.0]])),
        ("W", [[1.0, 0.0], [0.0, 1.0]]),
        ("B", np.ones((3, 1))),
        ("B", np.ones(2)),
        ("B", np.array([[np.inf], [1.0]])),
        ("h", np.ones(3)),
        ("h", np.ones((2, 1))),
        ("h", np.array(["1", "2"])),
        ("xs", [np.ones(2)]),
        ("xs", [1.0]),
        ("xs", np.array([[np.nan]])),
        ("xs", 3),
    ],
)
def test_state_outside_its_domain(argument: str, bad: object) -> None:
    arguments = {**GOOD, argument: bad}
    with pytest.raises(DomainError, match=f"^{argument} = "):
        state_after(**arguments)
    if argument != "xs":
        with pytest.raises(DomainError, match=f"^{argument} = "):
            memory_space(arguments["W"], arguments["B"], arguments["h"])


def test_overflow_is_refused() -> None:
    with pytest.raises(DomainError, match="fits in a float"):
        state_after(1e300 * np.eye(1), np.ones((1, 1)), np.ones(1), [np.ones(1)] * 3)


@pytest.mark.parametrize("entry", [sympy.Symbol("x"), flint.arb(1), mpmath.mpf(1)])
def test_memory_of_inexact_entries_is_refused(entry: object) -> None:
    h = np.array([entry, entry], dtype=object)
    with pytest.raises(DomainError, match=r"^h = "):
        memory_space(np.eye(2), np.ones((2, 1)), h)
