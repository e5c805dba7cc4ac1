"""NLinear: one linear map of the differences to the last value."""

from __future__ import annotations

from torch import Tensor, nn

from spectral_rank.models.baselines.forecaster import Forecaster


class NLinear(Forecaster):
    """Subtracts the last value, applies one linear layer, and adds the last value again.

    Args:
        lookback: values it reads.
        horizon: values it forecasts.

    Source:
        Zeng, Chen, Zhang and Xu, Are Transformers effective for time series forecasting?
        (AAAI 2023); code: cure-lab/LTSF-Linear, ``models/NLinear.py``.
    """

    def __init__(self, lookback: int, horizon: int) -> None:
        super().__init__(lookback, horizon)
        self.linear = nn.Linear(lookback, horizon)

    def forecast(self, window: Tensor) -> Tensor:
        """Forecast from the differences to the last value."""
        last = window[:, -1:]
        forecast: Tensor = self.linear(window - last) + last
        return forecast
