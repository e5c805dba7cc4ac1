"""The seasonal naive forecast: what the series did one season ago."""

from __future__ import annotations

import torch
from torch import Tensor

from spectral_rank.formulas.domain import integer
from spectral_rank.models.baselines.forecaster import Forecaster


class SeasonalNaive(Forecaster):
    """Repeats the last season; with a season of 1, the last value.  It has no parameters.

    Args:
        lookback: values it reads, at least one season.
        horizon: values it forecasts.
        season: steps in one period, at least 1.

    Raises:
        DomainError: if the season is longer than the lookback.

    Source:
        Hyndman and Athanasopoulos, Forecasting: Principles and Practice, section 5.2.
    """

    source: Tensor

    def __init__(self, lookback: int, horizon: int, season: int) -> None:
        super().__init__(lookback, horizon)
        season = integer("season", season, at_least=1, at_most=lookback)
        steps = torch.arange(horizon) % season
        self.register_buffer("source", lookback - season + steps)

    def forecast(self, window: Tensor) -> Tensor:
        """The value one season before each step."""
        return window[:, self.source]
