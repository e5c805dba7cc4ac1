"""A stacked LSTM that reads the window and forecasts all steps from its last state."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spectral_rank.formulas.domain import integer
from spectral_rank.models.baselines.forecaster import Forecaster


class LSTM(Forecaster):
    """Long short-term memory with forget gates, and one linear layer on the last hidden state.

    The last value is subtracted from the window and added to the forecast, as NLinear does: a
    network that knows levels only from training is lost on a series that drifts away from them.
    The forget gates start open (bias 1), so that gradients reach the start of the window.

    Args:
        lookback: values it reads, one per step.
        horizon: values it forecasts.
        width: width of the hidden state.
        layers: number of stacked recurrent layers.

    Source:
        Hochreiter and Schmidhuber, Long short-term memory (Neural Computation 1997); Gers,
        Schmidhuber and Cummins, Learning to forget (Neural Computation 2000); the bias: Jozefowicz,
        Zaremba and Sutskever, An empirical exploration of recurrent network architectures
        (ICML 2015).
    """

    def __init__(self, lookback: int, horizon: int, width: int, layers: int = 1) -> None:
        super().__init__(lookback, horizon)
        integer("width", width, at_least=1)
        integer("layers", layers, at_least=1)
        self.recurrent = nn.LSTM(1, width, layers, batch_first=True)
        self.head = nn.Linear(width, horizon)
        forget = slice(width, 2 * width)
        with torch.no_grad():
            for name, bias in self.recurrent.named_parameters():
                if name.startswith("bias"):
                    # Both biases of a gate add up; each starts at one half.
                    bias[forget].fill_(0.5)

    def forecast(self, window: Tensor) -> Tensor:
        """Forecast from the hidden state after the last value."""
        last = window[:, -1:]
        states, _ = self.recurrent((window - last).unsqueeze(-1))
        forecast: Tensor = self.head(states[:, -1]) + last
        return forecast
