"""What all forecasters share: their sizes, the check of their input, a count of parameters."""

from __future__ import annotations

from torch import Tensor, nn

from spectral_rank.formulas.domain import DomainError, integer


class Forecaster(nn.Module):
    """A map from the last values of a series to the next ones.

    Attributes:
        lookback: values it reads, the latest last.
        horizon: values it forecasts.
    """

    def __init__(self, lookback: int, horizon: int) -> None:
        super().__init__()
        self.lookback = integer("lookback", lookback, at_least=1)
        self.horizon = integer("horizon", horizon, at_least=1)

    def forward(self, window: Tensor) -> Tensor:
        """Forecast.

        Args:
            window: shape ``(batch, lookback)``.

        Returns:
            Shape ``(batch, horizon)``.

        Raises:
            DomainError: if the window has another shape.
        """
        if window.ndim != 2 or window.shape[1] != self.lookback:
            raise DomainError("window", tuple(window.shape), f"of shape (batch, {self.lookback})")
        return self.forecast(window)

    def forecast(self, window: Tensor) -> Tensor:
        """The forecast for a window of the right shape; each forecaster defines it."""
        raise NotImplementedError


def parameter_count(model: nn.Module) -> int:
    """Number of trained real numbers; a complex parameter counts twice."""
    return sum(
        p.numel() * (2 if p.is_complex() else 1) for p in model.parameters() if p.requires_grad
    )
