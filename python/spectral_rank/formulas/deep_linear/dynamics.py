"""Learning dynamics of one mode, and depth alone (``lean/.../DeepLinear/Dynamics.lean``).

Times and strengths are numbers of any kind, or arrays that broadcast; layers are matrices as in
`spectral_rank.formulas.manifold`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from spectral_rank.formulas.domain import DomainError, Number, positive, require
from spectral_rank.formulas.elementary import exp, log, over_arrays
from spectral_rank.formulas.matrix import NumberArray, column, fitting, matrix
from spectral_rank.formulas.vector import in_one_arithmetic


@over_arrays
def mode_strength(s: Number, u0: Number, t: Number) -> Number:
    """The strength at time ``t`` of a mode with target ``s`` started at ``u0``.

    It is the logistic curve ``s / (1 + (s / u0 - 1) exp(-2 s t))``: the solution of
    ``u' = 2 u (s - u)``, ``u(0) = u0``, at every time if ``0 < u0 <= s``.  The formula also has a
    value for other targets and starts, except at its poles.

    Args:
        s: target, a number other than 0.
        u0: start, a number other than 0, where Lean's division by zero gives a curve that does not
            solve the equation.
        t: time, any real number at which the denominator is not 0 and fits in a float.

    Returns:
        A number; in (0, s] if ``0 < u0 <= s``.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.modeStrength``.
    """
    for name, value in (("s", s), ("u0", u0)):
        require(name, value, "a finite real number other than 0", lambda x: x != 0)
    require("t", t, "a finite real number")
    s, u0, t = in_one_arithmetic(s=s, u0=u0, t=t)
    try:
        denominator = 1 + _relative_gap(s, u0) * exp(-2 * s * t)
        require("denominator", denominator, "a finite number other than 0", lambda x: x != 0)
    except (OverflowError, DomainError):
        rule = "such that 1 + (s / u0 - 1) exp(-2 s t) is not 0 and fits in a float"
        raise DomainError("t", t, rule) from None
    return s / denominator


@over_arrays
def half_time(s: Number, u0: Number) -> Number:
    """The time ``log(s / u0 - 1) / (2 s)`` at which a mode with target ``s`` reaches ``s / 2``.

    Args:
        s: target, greater than ``u0``.
        u0: start, greater than 0.

    Returns:
        A number, negative if the start is beyond the half.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        ``SpectralRank.halfTime``.
    """
    positive("u0", u0)
    require("s", s, "a finite real number")
    s, u0 = in_one_arithmetic(s=s, u0=u0)
    require("s", s, "greater than u0", lambda target: target > u0)
    gap = require("s / u0 - 1", _relative_gap(s, u0), "a number that fits in a float")
    return log(gap) / (2 * s)


def _relative_gap(s: Number, u0: Number) -> Number:
    """The number ``s / u0 - 1``, without the cancellation in the difference."""
    return (s - u0) / u0


def deep_linear(layers: Sequence[NumberArray], x: NumberArray) -> NumberArray:
    """The output of a deep linear network on the input ``x``, computed layer by layer.

    Lean's layers are maps of one space; matrices of different widths become such maps if they are
    padded with zeros, which adds zeros to the output and changes nothing else.

    Args:
        layers: the matrices, last layer first: ``layers[0]`` of shape ``(p, q)`` acts on the output
            of ``layers[1]``, of length ``q``.  Without layers the output is ``x``.
        x: input, shape ``(k,)`` with ``k`` the number of columns of ``layers[-1]``.

    Returns:
        The output, shape ``(p,)`` with ``p`` the number of rows of ``layers[0]``.

    Raises:
        DomainError: if an argument has not its shape, or a float overflows.

    Source:
        ``SpectralRank.deepLinear``.
    """
    if not isinstance(layers, Sequence):
        raise DomainError("layers", layers, "a sequence of matrices")

    def output(y: NumberArray, layer: NumberArray) -> NumberArray:
        layer = matrix("layers", layer, cols=y.size)
        result: NumberArray = fitting("x", x, lambda: layer @ y)
        return result

    return functools.reduce(output, reversed(layers), column("x", x))
