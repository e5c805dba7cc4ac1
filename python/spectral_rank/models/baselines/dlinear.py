"""DLinear: one linear map of the trend and one of the rest."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from spectral_rank.formulas.domain import DomainError, integer
from spectral_rank.models.baselines.forecaster import Forecaster

KERNEL = 25
"""Length of the moving average in the paper."""


class DLinear(Forecaster):
    """Splits the window into a moving average and a remainder, each with its own linear layer.

    Args:
        lookback: values it reads.
        horizon: values it forecasts.
        kernel: length of the moving average, odd.

    Raises:
        DomainError: if the kernel is even or not positive.

    Source:
        Zeng, Chen, Zhang and Xu, Are Transformers effective for time series forecasting?
        (AAAI 2023); code: cure-lab/LTSF-Linear, ``models/DLinear.py``.
    """

    def __init__(self, lookback: int, horizon: int, kernel: int = KERNEL) -> None:
        super().__init__(lookback, horizon)
        if integer("kernel", kernel, at_least=1) % 2 == 0:
            raise DomainError("kernel", kernel, "odd")
        self.kernel = kernel
        self.seasonal = nn.Linear(lookback, horizon)
        self.trend = nn.Linear(lookback, horizon)

    def forecast(self, window: Tensor) -> Tensor:
        """The sum of the forecasts of both parts."""
        trend = moving_average(window, self.kernel)
        forecast: Tensor = self.seasonal(window - trend) + self.trend(trend)
        return forecast


def moving_average(window: Tensor, kernel: int) -> Tensor:
    """The centered moving average, the ends repeated beyond the window.

    Args:
        window: shape ``(batch, lookback)``.
        kernel: length of the average, odd.

    Returns:
        The same shape.
    """
    reach = (kernel - 1) // 2
    padded = functional.pad(window.unsqueeze(1), (reach, reach), mode="replicate")
    return functional.avg_pool1d(padded, kernel, stride=1).squeeze(1)
