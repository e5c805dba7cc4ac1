"""Exact search: the sign of a real number, and the least index at which a fact holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flint

SIGN_PRECISIONS = (128, 512, 2048, 8192, 32768)
"""Working precisions, in bits, tried in turn until a ball excludes zero."""


class UndecidedSignError(ArithmeticError):
    """A real number that no working precision could tell from zero."""


def sign(value: Callable[[], Any]) -> int:
    """The sign of a nonzero real number, from balls of growing precision.

    Args:
        value: computes a ball that contains the number, at the current precision.

    Returns:
        1 or -1; 0 only if a ball is exactly zero.

    Raises:
        UndecidedSignError: if the ball still contains zero at the highest precision.
    """
    for precision in SIGN_PRECISIONS:
        with flint.ctx.workprec(precision):
            ball = value()
            if ball > 0:
                return 1
            if ball < 0:
                return -1
            if ball.is_zero():
                return 0
    raise UndecidedSignError(f"not decided at {SIGN_PRECISIONS[-1]} bits: is it zero?")


def least_index(holds: Callable[[int], bool], guess: int, top: int | None = None) -> int:
    """The least integer >= 0 at which a monotone fact holds, by galloping from a guess.

    The guess only decides how many evaluations it takes, never the result.

    Args:
        holds: monotone: once true, true for every larger integer.
        guess: where to start, any integer.
        top: an integer at which the fact is known to hold; ``None`` if none is known.
    """
    low, high, step = -1, top, 1
    probe = max(0, guess) if top is None else min(max(0, guess), top)
    while high is None or high - low > 1:
        if probe <= low or (high is not None and probe >= high):
            assert high is not None
            probe = (low + high) // 2
        if holds(probe):
            high = probe
            probe -= step
        else:
            low = probe
            probe += step
        step *= 2
    return high
