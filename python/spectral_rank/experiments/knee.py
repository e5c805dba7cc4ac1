"""Where the loss of a sweep over ranks stops falling: a hinge in the logarithm of the rank ratio.

The model is ``loss = a + b max(0, log rho_k - log rho)`` with ``b >= 0``: the loss falls by ``b``
for each factor ``e`` of rank up to the knee ``rho_k``, and a larger rank gains nothing.  A hinge
can be put through any curve, so each is compared with a smooth power of the rank
(`spectral_rank.experiments.power_fall`), which has no knee.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_rank.experiments.bounded import Bounded
from spectral_rank.experiments.power_fall import fit_power_fall, log_ratios_and_losses

Floats = NDArray[np.float64]
Edge = Literal["inside", "low", "high", "nowhere"]

ROUNDING = 1e-12
"""Share of the variance of the losses below which a hinge explains nothing."""

CLOSE = 1e-9
"""Distance of the logarithms of two ratios below which rounding cannot tell them apart."""


@dataclass(frozen=True)
class Knee:
    """The hinge of least squares.

    Attributes:
        log_ratio: natural logarithm of the rank ratio at the knee.
        edge: ``inside`` where the knee was found; ``low`` if the data say only that it is at most
            ``log_ratio``; ``high`` if only that it is at least that; ``nowhere`` if they say
            nothing of it.
        plateau: the loss ``a`` from the knee on.
        slope: the fall ``b`` of the loss for each factor ``e`` of the ratio below the knee.
        r_squared: share of the variance of the losses that the hinge explains, in [0, 1].
        preference: by how much the BIC of the smooth power of least squares exceeds that of the
            hinge; above 0 the data prefer the hinge.  Both have three parameters, so it is the
            number of losses times the logarithm of the ratio of the residuals' sums of squares.
    """

    log_ratio: float
    edge: Edge
    plateau: float
    slope: float
    r_squared: float
    preference: float

    @property
    def is_preferred(self) -> bool:
        """Whether the losses show a knee: inside the range, and better than a smooth power."""
        return self.edge == "inside" and self.preference > 0

    @property
    def bounded(self) -> Bounded:
        """The logarithm of the ratio with its bounds, open at an edge."""
        low = -math.inf if self.edge in ("low", "nowhere") else self.log_ratio
        high = math.inf if self.edge in ("high", "nowhere") else self.log_ratio
        return Bounded(self.log_ratio, low, high)

    def loss_at(self, ratios: ArrayLike) -> Floats:
        """The loss of the hinge at rank ratios > 0, of the same shape."""
        log_ratios = np.log(np.asarray(ratios, dtype=float))
        return np.asarray(self.plateau + self.slope * np.maximum(0, self.log_ratio - log_ratios))


def fit_knee(ratios: ArrayLike, losses: ArrayLike) -> Knee:
    """The hinge of least squares, found exactly, with its knee among the ratios or between them.

    Between two neighbouring ratios the hinge is a line through the losses below and a constant
    above, independent of each other; where these do not meet in between, the best knee of that gap
    is one of the two ratios, since the problem is convex in ``(a, b, b log rho_k)`` (Hudson,
    Fitting segmented curves whose join points have to be estimated, JASA 1966).

    A knee at or below the second ratio is an upper bound: one loss above the plateau does not say
    where between the two the line ends.  A knee at the largest ratio is a lower bound: the loss
    falls over the whole range.  If no hinge explains anything, the knee is at most the least ratio
    where the loss is least there, so that no larger rank gains anything; a loss that first falls
    and then rises further is no hinge, and says nothing of a knee.

    Args:
        ratios: rank over width, > 0, at least three different ones; repetitions are allowed.
        losses: the loss at each of them, finite.

    Raises:
        DomainError: if an argument is outside its domain.
    """
    x, y = log_ratios_and_losses(ratios, losses)
    grid = np.unique(x)
    flat = float(np.sum((y - y.mean()) ** 2))
    best, fitted = (y.mean(), 0.0, grid[0]), flat
    for knee in _candidates(grid, x, y):
        plateau, slope, error = _hinge(x, y, knee)
        if error < fitted - ROUNDING * flat:
            best, fitted = (plateau, slope, knee), error
    plateau, slope, knee = best
    explained = 1 - fitted / flat if fitted < flat else 0.0
    preference = 0.0
    if flat > 0:
        smooth = fit_power_fall(ratios, losses).error
        least = ROUNDING * flat
        preference = len(y) * math.log(max(smooth, least) / max(fitted, least))
    edge = _edge(float(knee), grid) if slope > 0 or _is_least_at_first(x, y) else "nowhere"
    return Knee(
        float(knee), edge, float(plateau), float(slope), float(explained), float(preference)
    )


def _edge(knee: float, grid: Floats) -> Edge:
    """Where a knee lies among the logarithms of the ratios."""
    if knee <= grid[1] + CLOSE:
        return "low"
    return "high" if knee >= grid[-1] - CLOSE else "inside"


def _is_least_at_first(x: Floats, y: Floats) -> bool:
    """Whether no ratio has a smaller mean loss than the least ratio."""
    means = [float(y[x == place].mean()) for place in np.unique(x)]
    return means[0] <= min(means)


def _candidates(grid: Floats, x: Floats, y: Floats) -> list[float]:
    """Every ratio but the least, and the point in each gap where line and constant meet."""
    found = [float(place) for place in grid[1:]]
    for left, right in pairwise(grid[1:]):
        below = x <= left
        slope, start = np.polyfit(x[below], y[below], 1)
        meeting = (y[~below].mean() - start) / slope if slope < 0 else math.inf
        if left < meeting < right:
            found.append(float(meeting))
    return sorted(found)


def _hinge(x: Floats, y: Floats, knee: float) -> tuple[float, float, float]:
    """Plateau, slope >= 0 and sum of squared residuals at a given knee."""
    below = np.maximum(0, knee - x)
    centred = below - below.mean()
    slope = max(0.0, float(centred @ y / (centred @ centred)))
    plateau = float(y.mean() - slope * below.mean())
    return plateau, slope, float(np.sum((y - plateau - slope * below) ** 2))
