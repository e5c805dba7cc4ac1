"""A Transformer encoder on patches of the window, after PatchTST."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from spectral_rank.formulas.domain import DomainError, integer
from spectral_rank.models.baselines.forecaster import Forecaster

SPREAD_FLOOR = 1e-5
"""Added to the variance of a window before its root, as in the code of the paper."""


class PatchTransformer(Forecaster):
    """Overlapping patches as tokens, an encoder with batch normalization, a flattened linear head.

    The window is normalized by its own mean and spread, and the forecast scaled back (instance
    normalization).  Patches overlap by half; the last value is repeated to complete the last one.

    Args:
        lookback: values it reads.
        horizon: values it forecasts.
        width: width of a token, a multiple of ``heads``.
        patch: values in a patch, even, at most the lookback.
        layers: number of encoder layers.
        heads: number of attention heads.
        dropout: share of dropped activations, as in the paper on small data.

    Raises:
        DomainError: if a size is out of range.

    Source:
        Nie, Nguyen, Sinthong and Kalagnanam, A time series is worth 64 words (ICLR 2023); code:
        yuqinie98/PatchTST.
    """

    def __init__(
        self,
        lookback: int,
        horizon: int,
        width: int,
        patch: int,
        layers: int = 2,
        heads: int = 2,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(lookback, horizon)
        if integer("patch", patch, at_least=2, at_most=lookback) % 2:
            raise DomainError("patch", patch, "even")
        if integer("width", width, at_least=1) % integer("heads", heads, at_least=1):
            raise DomainError("width", width, f"a multiple of the {heads} heads")
        self.patch, self.stride = patch, patch // 2
        tokens = (lookback - patch) // self.stride + 2
        self.embed = nn.Linear(patch, width)
        self.position = nn.Parameter(torch.empty(tokens, width).uniform_(-0.02, 0.02))
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(EncoderLayer(width, heads, dropout) for _ in range(layers))
        self.head = nn.Linear(tokens * width, horizon)

    def forecast(self, window: Tensor) -> Tensor:
        """Forecast in the window's own scale, then scale back."""
        mean = window.mean(1, keepdim=True)
        spread = torch.sqrt(window.var(1, keepdim=True, correction=0) + SPREAD_FLOOR)
        padded = functional.pad((window - mean) / spread, (0, self.stride), mode="replicate")
        tokens = self.dropout(self.embed(padded.unfold(1, self.patch, self.stride)) + self.position)
        for layer in self.layers:
            tokens = layer(tokens)
        forecast: Tensor = self.head(tokens.flatten(1)) * spread + mean
        return forecast


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward network, each with a residual and batch normalization.

    Args:
        width: width of a token.
        heads: number of heads.
        dropout: share of dropped activations.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attend = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )
        self.norms = nn.ModuleList([nn.BatchNorm1d(width), nn.BatchNorm1d(width)])
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens ``(batch, tokens, width)`` to the same shape."""
        batch, count, width = tokens.shape
        parts = self.attend(tokens).view(batch, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2])
        attended = self.merge(mixed.transpose(1, 2).reshape(batch, count, width))
        tokens = self._normalized(0, tokens + self.dropout(attended))
        return self._normalized(1, tokens + self.dropout(self.feed(tokens)))

    def _normalized(self, index: int, tokens: Tensor) -> Tensor:
        normalized: Tensor = self.norms[index](tokens.transpose(1, 2)).transpose(1, 2)
        return normalized
