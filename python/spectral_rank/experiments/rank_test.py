"""Comparing several methods over several data sets by their ranks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from spectral_rank.formulas.domain import DomainError, tolerance


@dataclass(frozen=True)
class RankTest:
    """Mean ranks with the Friedman test and Nemenyi's critical difference.

    Attributes:
        mean_ranks: mean rank of each method, 1 is best, ties share their ranks.
        statistic: Friedman's chi-squared.
        p_value: probability of so large an F statistic if all methods are alike (Iman and
            Davenport's correction, which is less conservative than chi-squared).
        critical_difference: mean ranks that differ by more are told apart at the level.
        level: the level of the critical difference.
        blocks: number of data sets.
    """

    mean_ranks: tuple[float, ...]
    statistic: float
    p_value: float
    critical_difference: float
    level: float
    blocks: int


def rank_test(errors: npt.ArrayLike, level: float = 0.05) -> RankTest:
    """Rank methods on each data set by their error, and test whether they differ.

    Args:
        errors: shape ``(data sets, methods)``, finite, at least 2 by 3, smaller is better.
        level: probability of telling methods apart that are alike.

    Raises:
        DomainError: if the array has not that shape or holds a number that is not finite.

    Source:
        Demsar, Statistical comparisons of classifiers over multiple data sets (Journal of Machine
        Learning Research 2006), sections 3.2.2 and 3.2.3.
    """
    table = np.asarray(errors, dtype=float)
    tolerance("level", level)
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] < 3:
        raise DomainError("errors", table.shape, "at least 2 data sets by 3 methods")
    if not np.all(np.isfinite(table)):
        raise DomainError("errors", "NaN or infinity", "finite")
    blocks, methods = table.shape
    ranks = stats.rankdata(table, axis=1)
    # All methods alike on every data set: no evidence of a difference, and nothing to divide by.
    alike = bool(np.all(ranks == ranks[:, :1]))
    statistic = 0.0 if alike else float(stats.friedmanchisquare(*table.T).statistic)
    rest = blocks * (methods - 1) - statistic
    # Full agreement of all data sets on the order: the corrected statistic is infinite.
    corrected = (blocks - 1) * statistic / rest if rest > 1e-9 * statistic else np.inf
    p_value = float(stats.f.sf(corrected, methods - 1, (methods - 1) * (blocks - 1)))
    quantile = float(stats.studentized_range.ppf(1 - level, methods, np.inf)) / np.sqrt(2)
    return RankTest(
        mean_ranks=tuple(ranks.mean(axis=0).tolist()),
        statistic=statistic,
        p_value=1.0 if alike else p_value,
        critical_difference=quantile * float(np.sqrt(methods * (methods + 1) / (6 * blocks))),
        level=level,
        blocks=blocks,
    )
