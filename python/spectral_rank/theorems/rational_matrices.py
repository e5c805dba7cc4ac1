"""Rational matrices with exact properties: orthonormal columns, projections, decompositions.

Over the rationals a theorem about matrices is decided without rounding.  Matrices are object arrays
of Fractions; a check in ball or float arithmetic converts them.  Every rational orthogonal matrix
is a product of reflections in rational vectors (Cartan and Dieudonne), so the strategies leave none
out except by the size of their entries.  They draw one seed and one size, from which shapes and
entries follow: a draw for each of these would cost more than the checks.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from spectral_rank.formulas.matrix import NumberArray

T = TypeVar("T")

Decomposition = tuple[NumberArray, NumberArray, NumberArray]
"""``U, s, V``: orthonormal columns, values, orthonormal columns."""

MAX_SIZE = 4
"""Default largest number of rows or columns drawn: every structure of the proofs already occurs."""


def rational_array(rows: Sequence[Any]) -> NumberArray:
    """An array of Fractions from nested sequences of ints, Fractions or strings such as ``3/5``."""
    entries: NumberArray = np.frompyfunc(Fraction, 1, 1)(np.array(rows, dtype=object))
    return entries


def rational_zeros(*shape: int) -> NumberArray:
    """The zero array of Fractions of a shape."""
    return np.full(shape, Fraction(0), dtype=object)


def rational_identity(n: int) -> NumberArray:
    """The identity matrix of Fractions."""
    identity = rational_zeros(n, n)
    identity[range(n), range(n)] = Fraction(1)
    return identity


def rational_diagonal(values: NumberArray) -> NumberArray:
    """The square matrix with ``values`` on its diagonal."""
    diagonal = rational_zeros(values.size, values.size)
    diagonal[range(values.size), range(values.size)] = values
    return diagonal


def cayley(skew: NumberArray) -> NumberArray:
    """The Cayley transform ``(1 - S)(1 + S)^-1`` of a rational skew matrix, which is orthogonal."""
    import flint

    n = skew.shape[0]
    entries = [flint.fmpq(x.numerator, x.denominator) for x in map(Fraction, skew.flat)]
    s, one = (
        flint.fmpq_mat(n, n, entries),
        flint.fmpq_mat(rational_identity(n).astype(int).tolist()),
    )
    table = ((one - s) * (one + s).inv()).table()
    return rational_array([[Fraction(int(x.p), int(x.q)) for x in row] for row in table])


def reflected(columns: NumberArray, vectors: Sequence[NumberArray]) -> NumberArray:
    """The columns after the reflections ``x - 2 (v . x) / (v . v) v`` in integer vectors ``v``.

    The numerators are integers over one common denominator until the end, where each entry is
    brought to lowest terms.
    """
    numerators, denominator = columns.astype(object), 1
    for v in vectors:
        length = int(v @ v)
        numerators = length * numerators - 2 * np.outer(v, v @ numerators)
        denominator *= length
    quotients: NumberArray = np.frompyfunc(lambda n: Fraction(n, denominator), 1, 1)(numerators)
    return quotients


TURN = cayley(rational_array([[0, 1, 2], [-1, 0, "1/2"], [-2, "-1/2", 0]]))
"""A rotation in three dimensions without a zero among its entries."""

ROTATION = rational_array([["3/5", "-4/5"], ["4/5", "3/5"]])
"""A rotation in two dimensions."""


def range_projection(X: NumberArray) -> NumberArray:
    """The orthogonal projection onto the column space of a rational matrix, by Gram-Schmidt.

    Without square roots, as in the Lean proof of ``exists_projection_fixing``: what the projection
    so far leaves of a column is a new direction ``w``, unless it is zero.
    """
    P = rational_zeros(X.shape[0], X.shape[0])
    for x in X.T:
        w = x - P @ x
        if any(w):
            P = P + np.outer(w, w) / (w @ w)
    return P


def seeded(build: Callable[[random.Random, int], T], max_size: int = MAX_SIZE) -> SearchStrategy[T]:
    """What ``build`` makes of a random generator and of the largest size it may use."""
    return st.builds(
        lambda seed, size: build(random.Random(seed), size),
        st.integers(0, 2**32 - 1),
        st.integers(min(2, max_size), max_size),
    )


def random_size(rng: random.Random, low: int, high: int) -> int:
    """An integer in ``[low, high]``, ``low`` with an eighth of the probability or more."""
    return low if low == high or rng.random() < 0.125 else rng.randint(max(low, 1), high)


def random_matrix(rng: random.Random, rows: int, cols: int) -> NumberArray:
    """A rational matrix: generic, with small integers, of lower rank, or zero."""
    structure = rng.choice(("generic", "generic", "integers", "low rank", "zero"))
    if structure == "zero":
        return rational_zeros(rows, cols)
    if structure == "low rank":
        r = rng.randint(0, max(min(rows, cols) - 1, 0))
        product: NumberArray = _fractions(rng, rows, r, 1) @ _fractions(rng, r, cols, 1)
        return product + rational_zeros(rows, cols)
    return _fractions(rng, rows, cols, 1 if structure == "integers" else 12)


def _fractions(rng: random.Random, rows: int, cols: int, denominator: int) -> NumberArray:
    matrix = rational_zeros(rows, cols)
    for index in np.ndindex(rows, cols):
        matrix[index] = Fraction(rng.randint(-3 * denominator, 3 * denominator), denominator)
    return matrix


def random_orthonormal(rng: random.Random, rows: int, cols: int) -> NumberArray:
    """Exactly orthonormal rational columns, ``cols <= rows``.

    Unit vectors, in any order and with any sign, are reflected in up to ``rows`` vectors.
    """
    columns = np.zeros((rows, cols), dtype=object)
    for j, i in enumerate(rng.sample(range(rows), cols)):
        columns[i, j] = rng.choice((-1, 1))
    return reflected(columns, [_nonzero_vector(rng, rows) for _ in range(rng.randint(0, rows))])


def _nonzero_vector(rng: random.Random, size: int) -> NumberArray:
    vector = np.array([rng.randint(-2, 2) for _ in range(size)], dtype=object)
    vector[rng.randrange(size)] = rng.choice((-2, -1, 1, 2))
    return vector


def random_projection(rng: random.Random, size: int, dimension: int) -> NumberArray:
    """A rational orthogonal projection of an exact dimension."""
    Q = random_orthonormal(rng, size, dimension)
    projection: NumberArray = Q @ Q.T + rational_zeros(size, size)
    return projection


def random_values(rng: random.Random, size: int) -> NumberArray:
    """A rational vector of any sign and order, with ties and zeros."""
    values = rational_zeros(size)
    for j in range(size):
        generic = Fraction(rng.randint(-40, 40), rng.randint(1, 12))
        values[j] = rng.choice((Fraction(0), Fraction(1), generic, generic))
    return values


def random_spectrum(rng: random.Random, size: int) -> NumberArray:
    """A nonincreasing nonnegative rational spectrum with ties and zeros."""
    return np.sort(abs(random_values(rng, size)))[::-1]


def random_decomposition(rng: random.Random, size: int) -> Decomposition:
    """``U, s, V``: a spectrum between orthonormal columns, of every shape with ``n <= m, l``."""
    n = random_size(rng, 0, size)
    U, V = (random_orthonormal(rng, rng.randint(n, max(n, size)), n) for _ in range(2))
    return U, random_spectrum(rng, n), V


def rational_matrices(
    rows: int | None = None, cols: int | None = None, max_size: int = MAX_SIZE
) -> SearchStrategy[NumberArray]:
    """Rational matrices of every small shape, empty, zero and rank deficient ones included."""

    def build(rng: random.Random, size: int) -> NumberArray:
        m = random_size(rng, 0, size) if rows is None else rows
        return random_matrix(rng, m, random_size(rng, 0, size) if cols is None else cols)

    return seeded(build, max_size)


def rational_orthonormal(
    rows: int | None = None, cols: int | None = None, max_size: int = MAX_SIZE
) -> SearchStrategy[NumberArray]:
    """Rational matrices with exactly orthonormal columns: square, tall and without columns."""

    def build(rng: random.Random, size: int) -> NumberArray:
        least = cols or 0
        m = random_size(rng, least, max(size, least)) if rows is None else rows
        return random_orthonormal(rng, m, random_size(rng, 0, m) if cols is None else cols)

    return seeded(build, max_size)


def rational_projections(
    size: int | None = None, max_dimension: int | None = None, max_size: int = MAX_SIZE
) -> SearchStrategy[NumberArray]:
    """Rational orthogonal projections of every dimension up to ``max_dimension``, 0 included."""

    def build(rng: random.Random, largest: int) -> NumberArray:
        m = random_size(rng, 0, largest) if size is None else size
        k = rng.randint(0, m if max_dimension is None else min(m, max_dimension))
        return random_projection(rng, m, k)

    return seeded(build, max_size)


def rational_spectra(
    size: int | None = None, max_size: int = MAX_SIZE
) -> SearchStrategy[NumberArray]:
    """Nonincreasing nonnegative rational spectra with ties and zeros, the empty one included."""

    def build(rng: random.Random, largest: int) -> NumberArray:
        return random_spectrum(rng, random_size(rng, 0, largest) if size is None else size)

    return seeded(build, max_size)


def rational_decompositions(max_size: int = MAX_SIZE) -> SearchStrategy[Decomposition]:
    """Triples ``U, s, V``, whose matrix is ``spectral_matrix(s, U, V)``."""
    return seeded(random_decomposition, max_size)
