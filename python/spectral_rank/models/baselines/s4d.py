"""S4D: a diagonal linear state-space layer, computed as a long convolution."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from spectral_rank.formulas.domain import integer
from spectral_rank.models.baselines.forecaster import Forecaster

STEP_RANGE = (1e-3, 1e-1)
"""Range of the initial time steps, uniform in the logarithm, as in the code of the paper."""


class DiagonalStateSpace(nn.Module):
    """One single-input single-output state space per channel, with a diagonal complex matrix.

    ``x' = A x + u`` and ``y = 2 Re(C x) + D u``, held constant over each step (zero-order hold).
    ``A`` starts at ``-1/2 + i pi n`` (S4D-Lin); ``exp`` keeps its real part negative.

    Args:
        channels: number of channels.
        states: complex states per channel; each stands for a conjugate pair.
    """

    def __init__(self, channels: int, states: int) -> None:
        super().__init__()
        low, high = (math.log(step) for step in STEP_RANGE)
        self.log_step = nn.Parameter(torch.rand(channels) * (high - low) + low)
        self.log_decay = nn.Parameter(torch.full((channels, states), math.log(0.5)))
        self.frequency = nn.Parameter(math.pi * torch.arange(states).repeat(channels, 1).float())
        self.readout = nn.Parameter(torch.randn(channels, states, 2) * math.sqrt(0.5))
        self.skip = nn.Parameter(torch.randn(channels))

    def slow_parameters(self) -> Iterator[nn.Parameter]:
        """The parameters of ``A`` and the time step, which learn slowly and without decay."""
        yield from (self.log_step, self.log_decay, self.frequency)

    def discretized(self) -> tuple[Tensor, Tensor]:
        """The factor of the state per step, and the readout with the hold's factor in it.

        Returns:
            Two complex tensors of shape ``(channels, states)``.
        """
        A = torch.complex(-torch.exp(self.log_decay), self.frequency)
        factor = torch.exp(A * torch.exp(self.log_step)[:, None])
        return factor, torch.view_as_complex(self.readout) * (factor - 1) / A

    def kernel(self, length: int) -> Tensor:
        """The impulse response of the states, shape ``(channels, length)``."""
        factor, readout = self.discretized()
        # Repeated products: far cheaper than a complex power at every place of the kernel.
        ones = torch.ones_like(factor)
        powers = torch.stack([ones, *[factor] * (length - 1)], -1).cumprod(-1)
        return 2 * torch.einsum("cn,cnl->cl", readout, powers).real

    def forward(self, signal: Tensor) -> Tensor:
        """Convolve ``(batch, channels, length)`` causally with the kernel, by FFT."""
        length = signal.shape[-1]
        size = 2 * length
        spectrum = torch.fft.rfft(signal, size) * torch.fft.rfft(self.kernel(length), size)
        convolved: Tensor = torch.fft.irfft(spectrum, size)[..., :length]
        return convolved + self.skip[:, None] * signal

    def recur(self, signal: Tensor) -> Tensor:
        """The same output, step by step: what the convolution is checked against."""
        factor, readout = self.discretized()
        state = torch.zeros(len(signal), *factor.shape, dtype=factor.dtype)
        outputs = []
        for value in signal.unbind(-1):
            state = factor * state + value[..., None]
            outputs.append(2 * (readout * state).sum(-1).real + self.skip * value)
        return torch.stack(outputs, -1)


class S4D(Forecaster):
    """Blocks of state space, GELU and gated mixing of channels, with residuals and layer norms.

    The last value is subtracted from the window and added to the forecast, as in `LSTM`.

    Args:
        lookback: values it reads.
        horizon: values it forecasts.
        width: number of channels.
        states: complex states per channel.
        layers: number of blocks.
        dropout: share of dropped activations.

    Raises:
        DomainError: if a size is not positive.

    Source:
        Gu, Gupta, Goel and Re, On the parameterization and initialization of diagonal state space
        models (NeurIPS 2022); code: state-spaces/s4, ``models/s4/s4d.py`` and ``example.py``.
    """

    def __init__(
        self,
        lookback: int,
        horizon: int,
        width: int,
        states: int = 16,
        layers: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(lookback, horizon)
        integer("width", width, at_least=1)
        integer("states", states, at_least=1)
        self.encode = nn.Linear(1, width)
        self.blocks = nn.ModuleList(
            Block(width, states, dropout) for _ in range(integer("layers", layers, at_least=1))
        )
        self.decode = nn.Linear(width, horizon)

    def forecast(self, window: Tensor) -> Tensor:
        """Forecast from the features at the last value."""
        last = window[:, -1:]
        signal = self.encode((window - last).unsqueeze(-1))
        for block in self.blocks:
            signal = block(signal)
        forecast: Tensor = self.decode(signal[:, -1]) + last
        return forecast


class Block(nn.Module):
    """State space, GELU, gated linear mixing of the channels, residual, layer norm.

    Args:
        width: number of channels.
        states: complex states per channel.
        dropout: share of dropped activations.
    """

    def __init__(self, width: int, states: int, dropout: float) -> None:
        super().__init__()
        self.space = DiagonalStateSpace(width, states)
        self.mix = nn.Sequential(
            nn.GELU(), nn.Dropout(dropout), nn.Linear(width, 2 * width), nn.GLU()
        )
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, signal: Tensor) -> Tensor:
        """Signals ``(batch, length, width)`` to the same shape."""
        features = self.space(signal.transpose(1, 2)).transpose(1, 2)
        normalized: Tensor = self.norm(signal + self.dropout(self.mix(features)))
        return normalized
