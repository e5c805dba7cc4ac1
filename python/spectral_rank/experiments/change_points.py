"""Change points of a trajectory: where a quantity starts to move at another speed.

A curve that bends slowly is followed by broken lines as well as by anything else, and what is left
over from one snapshot of a network resembles what is left over at the next.  Against both mistakes:
a broken line has to explain more than a smooth curve with as many parameters, and all residuals are
taken as autocorrelated.

A piece needs a few snapshots, so no change is seen near an end of the trajectory.  One that is
found at the first or last place where it may be is only bounded: it may be further out.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spectral_rank.experiments.bounded import Bounded, known
from spectral_rank.formulas.domain import DomainError, integer

Floats = npt.NDArray[np.float64]

MOST = 3
"""Change points that are looked for."""

LEAST_PIECE = 4
"""Snapshots on each side of a change point."""

SNAPSHOTS_PER_CHANGE = 8
"""So many snapshots there must be for each change point that is looked for, besides four."""

FEWEST = SNAPSHOTS_PER_CHANGE + 4
"""With fewer snapshots nothing can be said."""

PLACES = 40
"""Places at which change points are tried, evenly spaced in the logarithm of the step."""

PERSISTENCES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95)
"""Correlations of neighbouring residuals that are tried."""

FINEST = 1e-4
"""Residuals below this share of the spread of the values count as this large: no trajectory is read
more finely than that."""


@dataclass(frozen=True)
class ChangePoints:
    """The broken line that explains a trajectory best, whether or not it is preferred.

    Attributes:
        locations: its 1 to 3 change points, in steps, increasing.
        main: the one of them at which the slope changes most.
        log_main: its natural logarithm.  Where all snapshots before it are needed for the pieces
            there, it is only bounded: the change comes before the next snapshot.  Likewise at the
            other end, after the snapshot before.
        searched: the first and the last step at which a change may be found.
        slopes: change of the value per unit of log step before, between and after them.
        gain: BIC of the best smooth curve minus that of the broken line; positive if the broken
            line is preferred.
        gain_over_line: the same for the straight line in place of the best smooth curve.
        degree: degree of the best smooth curve, a polynomial in the log step.
        persistence: correlation of neighbouring residuals of the broken line.
        fitted: the broken line at the given steps.
    """

    locations: tuple[float, ...]
    main: float
    log_main: Bounded
    searched: tuple[float, float]
    slopes: tuple[float, ...]
    gain: float
    gain_over_line: float
    degree: int
    persistence: float
    fitted: tuple[float, ...]


@dataclass(frozen=True)
class _Fit:
    """A set of columns explaining the values, at the persistence that suits them best."""

    bic: float
    persistence: float
    coefficients: Floats


def change_points(steps: npt.ArrayLike, values: npt.ArrayLike, most: int = MOST) -> ChangePoints:
    """Fit broken lines and smooth curves to a trajectory over the logarithm of the step.

    The broken lines are continuous, with up to ``most`` change points at any place, each with at
    least four snapshots on either side; the smooth curves are polynomials with up to as many
    parameters.  Each has Gaussian residuals with the correlation of neighbours (an autoregression
    of first order) that makes them likeliest; place and change of slope of each change point count
    as parameters in the BIC.

    Args:
        steps: increasing numbers > 0, at least 12 of them, best about evenly spaced in their
            logarithm.
        values: the quantity at each step, finite.
        most: change points to look for, at least 1; fewer where there are less than 8 snapshots for
            each.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        Bai and Perron, Estimating and testing linear models with multiple structural changes
        (Econometrica 1998); exact likelihood of the autoregression: Prais and Winsten (1954).
    """
    x, y = _checked(steps, values)
    most = min(integer("most", most, at_least=1), (len(x) - 4) // SNAPSHOTS_PER_CHANGE)
    spread = float(np.ptp(y))
    y_scaled = (y - y.mean()) / spread if spread > 0 else y - y.mean()
    unit = (x - x[0]) / (x[-1] - x[0])
    smooth = [_best_fit(_polynomial(unit, degree), y_scaled) for degree in range(1, 2 * most + 2)]
    degree = min(range(len(smooth)), key=lambda k: smooth[k].bic)
    broken, knots = min(
        (_broken(unit, y_scaled, count) for count in range(1, most + 1)),
        key=lambda found: found[0].bic,
    )
    changes = broken.coefficients[2:]
    scale = spread / (x[-1] - x[0])
    locations = np.exp(x[0] + knots * (x[-1] - x[0]))
    slopes = scale * np.cumsum(broken.coefficients[1:])
    main = int(np.argmax(np.abs(changes)))
    fitted = y.mean() + (spread or 1.0) * (_hinges(unit, knots) @ broken.coefficients)
    return ChangePoints(
        locations=tuple(locations.tolist()),
        main=float(locations[main]),
        log_main=_bounded(x, float(np.log(locations[main])), main, len(knots)),
        searched=(float(np.exp(x[LEAST_PIECE - 1])), float(np.exp(x[-LEAST_PIECE]))),
        slopes=tuple(slopes.tolist()),
        gain=smooth[degree].bic - broken.bic,
        gain_over_line=smooth[0].bic - broken.bic,
        degree=degree + 1,
        persistence=broken.persistence,
        fitted=tuple(fitted.tolist()),
    )


def _bounded(x: Floats, place: float, position: int, count: int) -> Bounded:
    """The place of a change point, open where it could not have been further out.

    Args:
        x: logarithms of the steps.
        place: of the change point.
        position: how many change points come before it.
        count: of all change points.
    """
    before = int(np.searchsorted(x, place, side="right"))
    if before <= LEAST_PIECE * (position + 1):
        return Bounded(place, -math.inf, float(x[before]))
    if len(x) - before <= LEAST_PIECE * (count - position):
        return Bounded(place, float(x[before - 1]), math.inf)
    return known(place)


def _checked(steps: npt.ArrayLike, values: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The logarithms of the steps, and the values."""
    at, y = np.asarray(steps, dtype=float), np.asarray(values, dtype=float)
    if at.ndim != 1 or len(at) < FEWEST or not np.all(np.isfinite(at)):
        raise DomainError("steps", steps, f"at least {FEWEST} finite numbers")
    if at[0] <= 0 or np.any(np.diff(at) <= 0):
        raise DomainError("steps", steps, "positive and increasing")
    if y.shape != at.shape or not np.all(np.isfinite(y)):
        raise DomainError("values", values, "a finite number for each step")
    return np.log(at), y


def _polynomial(unit: Floats, degree: int) -> Floats:
    return np.asarray(np.polynomial.legendre.legvander(2 * unit - 1, degree), dtype=np.float64)


def _hinges(unit: Floats, knots: Floats) -> Floats:
    """The columns 1, x and ``max(0, x - knot)``."""
    bends = np.maximum(0.0, unit[:, np.newaxis] - knots)
    return np.column_stack([np.ones_like(unit), unit, bends])


def _best_fit(columns: Floats, y: Floats, places: int = 0) -> _Fit:
    """Least squares at each persistence; the likeliest.

    Args:
        columns: shape (snapshots, parameters).
        y: shape (snapshots,).
        places: parameters besides the columns, such as the places of the change points.
    """
    fits = []
    # A coefficient for each column, each place, the persistence and the size of the noise.
    price = (columns.shape[1] + places + 2) * math.log(len(y))
    for persistence in PERSISTENCES:
        X, z = _whitened(columns, persistence), _whitened(y, persistence)
        coefficients, *_ = np.linalg.lstsq(X, z, rcond=None)
        squares = np.sum((z - X @ coefficients) ** 2)
        deviance = float(_deviance(squares, len(y), persistence))
        fits.append(_Fit(deviance + price, persistence, np.asarray(coefficients, np.float64)))
    return min(fits, key=lambda fit: fit.bic)


def _whitened(columns: Floats, persistence: float) -> Floats:
    """What is left of each snapshot after its share of the one before; exact for the first too."""
    changed = columns.copy()
    changed[1:] -= persistence * columns[:-1]
    changed[0] *= np.sqrt(1 - persistence**2)
    return changed


def _deviance(squares: float | Floats, count: int, persistence: float) -> float | Floats:
    """Minus twice the log-likelihood at the likeliest size of the noise, up to a constant."""
    variance = np.maximum(squares / count, FINEST**2)
    deviance: float | Floats = count * np.log(variance) - np.log(1 - persistence**2)
    return deviance


def _broken(unit: Floats, y: Floats, count: int) -> tuple[_Fit, Floats]:
    """The best broken line with so many change points, and where they are."""
    knots = _coarse(unit, y, count)
    fit = _best_fit(_hinges(unit, knots), y, count)
    cell = 1 / (PLACES + 1)
    for _, position in itertools.product(range(2), range(count)):
        for place in knots[position] + cell * np.linspace(-1, 1, 21):
            moved = knots.copy()
            moved[position] = place
            if not _are_apart(unit, moved[np.newaxis])[0]:
                continue
            tried = _best_fit(_hinges(unit, moved), y, count)
            if tried.bic < fit.bic:
                fit, knots = tried, moved
    return fit, knots


def _are_apart(unit: Floats, knots: Floats) -> npt.NDArray[np.bool_]:
    """For each row of change points, whether every piece holds enough snapshots."""
    edges = np.searchsorted(unit, knots, side="right")
    sizes = np.diff(edges, axis=1, prepend=0, append=len(unit))
    return np.asarray(np.all(sizes >= LEAST_PIECE, axis=1))


def _coarse(unit: Floats, y: Floats, count: int) -> Floats:
    """The best places on the grid: all choices at once, by the Gram matrix of all hinges."""
    grid = np.linspace(0, 1, PLACES + 2)[1:-1]
    choices = np.array(list(itertools.combinations(range(PLACES), count)))
    choices = choices[_are_apart(unit, grid[choices])]
    if not len(choices):
        # The snapshots are uneven: at the quantiles every piece has enough of them.
        inner = np.linspace(0, len(unit), count + 2)[1:-1]
        return np.interp(inner - 0.5, np.arange(len(unit)), unit)
    everything = _hinges(unit, grid)
    best = np.full(len(choices), np.inf)
    for persistence in PERSISTENCES:
        X, z = _whitened(everything, persistence), _whitened(y, persistence)
        line, _ = np.linalg.qr(X[:, :2])
        bends, z = X[:, 2:] - line @ (line.T @ X[:, 2:]), z - line @ (line.T @ z)
        gram, along = bends.T @ bends, bends.T @ z
        chosen = gram[choices[:, :, np.newaxis], choices[:, np.newaxis, :]]
        explained = np.linalg.solve(chosen, along[choices][..., np.newaxis])[..., 0]
        squares = z @ z - np.sum(explained * along[choices], axis=1)
        best = np.minimum(best, _deviance(squares, len(y), persistence))
    return np.asarray(grid[choices[np.argmin(best)]])


def log_spaced(steps: npt.ArrayLike, count: int) -> list[int]:
    """Positions of at most so many of the steps, about evenly spaced in their logarithm.

    Args:
        steps: increasing numbers > 0.
        count: at least 2; the first and the last step are among those chosen.

    Raises:
        DomainError: if an argument is outside its domain.
    """
    at = np.asarray(steps, dtype=float)
    if at.ndim != 1 or len(at) < 1 or at[0] <= 0 or np.any(np.diff(at) <= 0):
        raise DomainError("steps", steps, "positive and increasing")
    wanted = np.geomspace(at[0], at[-1], integer("count", count, at_least=2))
    nearest = np.abs(np.log(at)[:, np.newaxis] - np.log(wanted)).argmin(axis=0)
    return [int(position) for position in np.unique(nearest)]
