"""Gradient flow of the layers of a deep linear network, and the chain rule for its loss.

Lean files: ``lean/SpectralRank/DeepLinear/EndToEndFlow.lean`` and ``LossFlow.lean``.  In Lean the
layers are functions of time; here they are the layers at one time, ``[W_0, ..., W_(N-1)]``, the
first layer first.
"""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Callable, Sequence
from fractions import Fraction

import mpmath
import numpy as np
import sympy

from spectral_rank.formulas.deep_linear.balance import imbalance
from spectral_rank.formulas.deep_linear.metric import end_to_end
from spectral_rank.formulas.domain import DomainError, Number, integer, nonnegative, require
from spectral_rank.formulas.elementary import kind_of
from spectral_rank.formulas.matrix import NumberArray, fitting, matrix

Layers = Sequence[NumberArray] | NumberArray
"""Square matrices of one size, the first layer first: a sequence, or a three-dimensional array."""

Loss = Callable[[NumberArray], Number]
"""A real function of the end-to-end matrix."""

FLOAT_STEP = 1e-3
"""Step of the five-point quotient in floats, where rounding (1e-16 / step) and truncation (step^4)
are about equal."""

GRADIENT_RTOL = 1e-8
"""How far such a quotient of a smooth loss may be from the derivative, relative to the sizes of the
gradient and of the loss: four digits more than it loses."""


def above(W: Layers, k: int) -> NumberArray:
    """The product ``W_(N-1) @ ... @ W_(k+1)`` of the layers above layer ``k``.

    Args:
        W: layers, ``N >= 1`` square matrices of one size, ``n x n``, the first layer first.
        k: index of a layer, an integer >= 0.

    Returns:
        A matrix, ``n x n``; the identity for ``k >= N - 1``, where no layer is above.

    Raises:
        DomainError: if an argument is outside its domain, or a float overflows.

    Source:
        ``SpectralRank.above``.
    """
    chain = _chain(W)
    upper = chain[integer("k", k) + 1 :]
    return end_to_end(upper) if upper else end_to_end(chain, 0)


def below(W: Layers, k: int) -> NumberArray:
    """The product ``W_(k-1) @ ... @ W_0`` of the layers below layer ``k``.

    Args:
        W: layers, ``N >= 1`` square matrices of one size, ``n x n``, the first layer first.
        k: index of a layer, an integer in ``[0, N]``; ``N`` stands for the product of all layers.

    Returns:
        A matrix, ``n x n``; the identity for ``k = 0``.

    Raises:
        DomainError: if an argument is outside its domain, or a float overflows.

    Source:
        ``SpectralRank.below``.
    """
    chain = _chain(W)
    return end_to_end(chain, integer("k", k, at_most=len(chain)))


def layer_flow(W: Layers, G: NumberArray) -> NumberArray:
    """The velocities of the layers under gradient flow: ``-(above.T @ G @ below.T)`` for each.

    In Lean ``LayerFlow`` is the statement that the layers, as functions of time, have these
    derivatives; this is the right-hand side of that differential equation at one time.

    Args:
        W: layers, ``N >= 1`` square matrices of one size, ``n x n``, the first layer first.
        G: gradient of the loss with respect to the end-to-end matrix, ``n x n``.

    Returns:
        An array of shape ``(N, n, n)``, the velocity of the first layer first.

    Raises:
        DomainError: if an argument is outside its domain, or a float overflows.

    Source:
        ``SpectralRank.LayerFlow``.
    """
    chain = _chain(W)
    gradient = matrix("G", G, len(chain[0]), len(chain[0]))
    stacked: NumberArray = fitting("W", W, lambda: np.stack(_backpropagated(chain, gradient)))
    return stacked


def _backpropagated(chain: Sequence[NumberArray], gradient: NumberArray) -> list[NumberArray]:
    """The velocities with two products for each layer, from the last layer down."""
    lower = [end_to_end(chain, 0)]
    for layer in chain[:-1]:
        lower.append(layer @ lower[-1])
    velocities, pulled_back = [], -gradient
    for layer, product in zip(reversed(chain), reversed(lower), strict=True):
        velocities.append(pulled_back @ product.T)
        pulled_back = layer.T @ pulled_back
    return velocities[::-1]


def layers_balanced(W: Layers, *, atol: float = 0.0) -> bool:
    """Whether adjacent layers are balanced: ``W_(k+1).T @ W_(k+1) = W_k @ W_k.T``.

    Args:
        W: layers, ``N >= 1`` square matrices of one size, the first layer first; no symbols.
        atol: how far apart two entries may be, >= 0; rounded entries need more than 0.

    Returns:
        Whether all entries agree to within ``atol``; for balls, whether they certainly do.

    Raises:
        DomainError: if an argument is outside its domain, or a float overflows.

    Source:
        ``SpectralRank.LayersBalanced``.
    """
    nonnegative("atol", atol)
    chain = _chain(W)
    if any(kind_of(*layer.flat) == "sympy" for layer in chain):
        raise DomainError("W", W, "matrices of numbers, not of symbols")
    gaps = [imbalance(lower, upper) for lower, upper in itertools.pairwise(chain)]
    return all(bool(abs(entry) <= atol) for gap in gaps for entry in gap.flat)


def directional_derivative(loss: Loss, X: NumberArray, H: NumberArray) -> Number:
    """The derivative of ``loss`` at ``X`` in the direction ``H``.

    Sympy differentiates symbols.  For all other numbers this is a five-point difference quotient,
    which is exact for polynomials of degree at most 4 and so decides these over the rationals.

    Args:
        loss: real function of a matrix.
        X: matrix; no balls, since a quotient does not enclose the derivative.
        H: matrix of the same shape.

    Returns:
        A number; exact for ints and Fractions.

    Raises:
        DomainError: if an argument is outside its domain, if a value of the loss is not a finite
            number, or if the entries are exact and the loss is no polynomial of degree at most 4
            along ``H``.
    """
    X = matrix("X", X)
    H = matrix("H", H, *X.shape)
    kind = kind_of(*X.flat, *H.flat)
    if kind == "ball":
        raise DomainError("X", X, "a matrix of floats or of exact, mpmath or sympy numbers")
    if kind == "sympy":
        time = sympy.Dummy("t", real=True)
        return sympy.diff(loss(X + time * H), time).subs(time, 0)
    step = _step(X, H)
    values = {m: _value(loss, X + m * step * H) for m in range(-2, 4)}
    if isinstance(step, Fraction) and _fifth_difference(values) != 0:
        raise DomainError("loss", loss, "a polynomial of degree at most 4 where X is exact")
    return (8 * (values[1] - values[-1]) - (values[2] - values[-2])) / (12 * step)


def _value(loss: Loss, X: NumberArray) -> Number:
    rule = "a function with finite real values near X"
    value = loss(X)
    if np.ndim(value) != 0:
        raise DomainError("loss", value, rule)
    return require("loss", value, rule)


def _step(X: NumberArray, H: NumberArray) -> Number:
    """The step of the quotient: any for exact entries, else where rounding and truncation meet."""
    entries = [*X.flat, *H.flat]
    if kind_of(*entries) == "mpmath":
        return mpmath.mpf(10) ** -(mpmath.mp.dps // 5)
    if all(isinstance(entry, numbers.Rational) for entry in entries):
        return Fraction(1)
    size_of_step = np.max(np.abs(H), initial=0.0)
    return FLOAT_STEP * np.max(np.abs(X), initial=1.0) / (size_of_step or 1.0)


def _fifth_difference(values: dict[int, Number]) -> Number:
    """Zero if the six equidistant values are those of a polynomial of degree at most 4."""
    weights = {-2: -1, -1: 5, 0: -10, 1: 10, 2: -5, 3: 1}
    return sum(weight * values[m] for m, weight in weights.items())


def has_matrix_gradient_at(loss: Loss, G: NumberArray, X: NumberArray) -> bool:
    """Whether ``G`` is the gradient of ``loss`` at ``X``.

    Lean asks for a derivative in the sense of Fréchet, whose value in every direction ``H`` is the
    entrywise inner product of ``G`` and ``H``.  The check compares the partial derivatives, which
    determine it if the loss is continuously differentiable.

    Args:
        loss: real function of a matrix, continuously differentiable.
        G: matrix.
        X: matrix of the same shape; no balls.

    Returns:
        Whether every entry of ``G`` is the partial derivative: exactly for ints, Fractions and
        sympy expressions; otherwise up to `GRADIENT_RTOL` (for mpmath half of its digits), relative
        to 1, the loss and the largest entry of ``G`` together.

    Raises:
        DomainError: as in `directional_derivative`.

    Source:
        ``SpectralRank.HasMatrixGradientAt``.
    """
    X = matrix("X", X)
    G = matrix("G", G, *X.shape)
    for place in np.ndindex(*X.shape):
        unit = np.zeros_like(X)
        unit[place] = 1
        error = directional_derivative(loss, X, unit) - G[place]
        kind = kind_of(error)
        if kind == "sympy":
            agrees = sympy.simplify(error) == 0
        elif isinstance(error, numbers.Rational):
            agrees = error == 0
        else:
            rtol = mpmath.mpf(10) ** -(mpmath.mp.dps // 2) if kind == "mpmath" else GRADIENT_RTOL
            agrees = abs(error) <= rtol * (1 + abs(loss(X)) + max(abs(g) for g in G.flat))
        if not agrees:
            return False
    return True


def sandwich_clm(A: NumberArray, B: NumberArray, X: NumberArray) -> NumberArray:
    """The linear map ``X -> A @ X @ B``: how a chain depends on one of its layers.

    Args:
        A: square matrix, ``n x n``.
        B: square matrix, ``n x n``.
        X: square matrix, ``n x n``, to which the map is applied.

    Returns:
        A matrix, ``n x n``.

    Raises:
        DomainError: if an argument is outside its domain, or a float overflows.

    Source:
        ``SpectralRank.sandwichCLM``.
    """
    size = len(matrix("A", A))
    A, B, X = (matrix(name, M, size, size) for name, M in (("A", A), ("B", B), ("X", X)))
    image: NumberArray = fitting("X", X, lambda: A @ X @ B)
    return image


def _chain(W: Layers) -> list[NumberArray]:
    """The layers, checked to be square matrices of one size."""
    if not isinstance(W, Sequence | np.ndarray) or len(W) == 0:
        raise DomainError("W", W, "a sequence of at least one square matrix")
    size = len(matrix("W", W[0]))
    return [matrix("W", layer, size, size) for layer in W]
