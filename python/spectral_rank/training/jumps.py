"""When modes are learnt: rank along training, and the phase transitions between its plateaus."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_rank.formulas.domain import DomainError, positive, require

Floats = NDArray[np.float64]

START_LEVEL, HALF_LEVEL, END_LEVEL = 0.1, 0.5, 0.9
"""Shares of its target at which the transition of a mode starts, is half done, and ends."""


@dataclass(frozen=True)
class Transition:
    """The rise of one mode from nothing to its target.

    Attributes:
        mode: index of the mode.
        start: time at which it passes a tenth of its target, as it was last before the end.
        half: the same for the half.
        end: the same for nine tenths.
    """

    mode: int
    start: float
    half: float
    end: float


@dataclass(frozen=True)
class RankJump:
    """A change of the rank between two recorded times.

    Attributes:
        time: the later one.
        before: rank until then.
        after: rank from then on.
    """

    time: float
    before: int
    after: int


def rank_path(strengths: Any, threshold: float) -> NDArray[np.int64]:
    """The number of modes of at least a given strength, at each time.

    Args:
        strengths: singular values or mode strengths over time, shape ``(times, modes)``.
        threshold: strength from which a mode counts, > 0.

    Returns:
        Integers, shape ``(times,)``.

    Raises:
        DomainError: if an argument is outside its domain.
    """
    strong = _table(strengths) >= positive("threshold", threshold)
    ranks: NDArray[np.int64] = strong.sum(axis=1, dtype=np.int64)
    return ranks


def rank_jumps(times: Any, ranks: Any) -> list[RankJump]:
    """All changes of the rank, in the order of time.

    Args:
        times: increasing, shape ``(times,)``.
        ranks: integers, shape ``(times,)``.

    Raises:
        DomainError: if the shapes differ or the times do not increase.
    """
    path = np.asarray(ranks)
    clock = _times(times, path.shape[0] if path.ndim == 1 else -1)
    places = np.nonzero(np.diff(path))[0]
    return [RankJump(float(clock[k + 1]), int(path[k]), int(path[k + 1])) for k in places]


def transitions(times: Any, strengths: Any, targets: Any) -> list[Transition | None]:
    """The transition of each mode that reaches nine tenths of its target.

    Times are interpolated linearly between the records.  A mode that overshoots or returns is dated
    by its last passage upward before it first reaches nine tenths.

    Args:
        times: increasing, shape ``(times,)``.
        strengths: strength of each mode over time, shape ``(times, modes)``.
        targets: strength each mode ends at, shape ``(modes,)``, > 0.

    Returns:
        One transition for each mode, in the order of the columns; ``None`` for a mode that starts
        above a tenth of its target or never reaches nine tenths.

    Raises:
        DomainError: if an argument is outside its domain.
    """
    values = _table(strengths)
    clock = _times(times, len(values))
    goals = np.asarray(targets, dtype=np.float64)
    if goals.shape != values.shape[1:]:
        raise DomainError("targets", targets, f"one target for each of {values.shape[1]} modes")
    require("targets", goals, "finite real numbers > 0", lambda s: s > 0)
    return [_transition(k, clock, values[:, k] / goals[k]) for k in range(len(goals))]


def is_staircase(found: list[Transition]) -> bool:
    """Whether the transitions follow one another without overlap, so that plateaus lie between."""
    ordered = sorted(found, key=lambda transition: transition.start)
    return all(a.end <= b.start for a, b in itertools.pairwise(ordered))


def _transition(mode: int, times: Floats, share: Floats) -> Transition | None:
    reached = np.nonzero(share >= END_LEVEL)[0]
    if share[0] >= START_LEVEL or reached.size == 0:
        return None
    rise = share[: reached[0] + 1]
    start, half, end = (
        _last_passage(times, rise, level) for level in (START_LEVEL, HALF_LEVEL, END_LEVEL)
    )
    return Transition(mode, start, half, end)


def _last_passage(times: Floats, rise: Floats, level: float) -> float:
    """The last time at which a path that ends above the level crosses it."""
    k = int(np.nonzero(rise < level)[0][-1])
    part = (level - rise[k]) / (rise[k + 1] - rise[k])
    return float(times[k] + part * (times[k + 1] - times[k]))


def _table(strengths: Any) -> Floats:
    values = np.asarray(strengths, dtype=np.float64)
    if values.ndim != 2 or len(values) == 0:
        raise DomainError("strengths", values.shape, "a table of shape (times, modes)")
    require("strengths", values, "a table of finite real numbers")
    return values


def _times(times: Any, count: int) -> Floats:
    clock = np.asarray(times, dtype=np.float64)
    rule = "increasing finite times, one for each record"
    if clock.shape != (count,):
        raise DomainError("times", clock.shape, rule)
    require("times", clock, rule, lambda t: np.diff(t) > 0)
    return clock
