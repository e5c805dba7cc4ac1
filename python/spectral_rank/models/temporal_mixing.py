"""Layers that mix the values of a window in time.

Two of them are linear in their input and collapse into a matrix.  Linear attention is linear only
in its values: its weights depend on the input, so the whole is cubic and has no matrix.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from spectral_rank.formulas.domain import DomainError, integer
from spectral_rank.models.linear_stack import balanced_chain, check_last_dimension, orthonormal


class TemporalMixing(nn.Module):
    """Base of the layers that map a window ``(..., length)`` to a window ``(..., length)``.

    Attributes:
        length: length of the window.
        linear_in_input: whether the layer is a linear map, the same for every input.
    """

    linear_in_input: ClassVar[bool] = True

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = integer("length", length, at_least=1)

    def matrix(self) -> Tensor:
        """The layer as a matrix, shape ``(length, length)``.

        Raises:
            DomainError: if the layer is not linear in its input.
        """
        raise DomainError("mixing", type(self).__name__, "linear in its input to have a matrix")

    def forward(self, x: Tensor) -> Tensor:
        """``(..., length)`` to ``(..., length)``."""
        check_last_dimension("x", x, self.length)
        return functional.linear(x, self.matrix())


class ToeplitzMixing(TemporalMixing):
    """A learned filter, the same at every time: ``y[t] = sum over j of kernel[j] x[t - j]``.

    Values outside the window count as 0.  The start is the identity.

    Args:
        length: length of the window.
        taps: number of lags ``0, ..., taps - 1``, at most ``length``; all of them by default.
        causal: if false, the lags ``-1, ..., 1 - taps`` into the future of the window are learned
            too; the kernel then starts with the most negative lag.
        dtype: floating-point type of the kernel.

    Raises:
        DomainError: if an argument is outside its domain.
    """

    def __init__(
        self,
        length: int,
        taps: int | None = None,
        *,
        causal: bool = True,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(length)
        self.taps = self.length if taps is None else integer("taps", taps, 1, self.length)
        self.first_lag = 0 if causal else 1 - self.taps
        kernel = torch.zeros(self.taps - self.first_lag, dtype=dtype)
        kernel[-self.first_lag] = 1
        self.kernel = nn.Parameter(kernel)
        time = torch.arange(self.length)
        lag = time.unsqueeze(1) - time
        self.register_buffer("place", (lag - self.first_lag).clamp(0, len(kernel) - 1), False)
        self.register_buffer("learned", (lag >= self.first_lag) & (lag < self.taps), False)

    place: Tensor
    learned: Tensor

    def matrix(self) -> Tensor:
        """The Toeplitz matrix with ``kernel`` on its diagonals."""
        return self.kernel[self.place] * self.learned


class LowRankMixing(TemporalMixing):
    """A map of low rank, ``x -> up @ down @ x``, from a balanced start with singular values 1.

    Args:
        length: length of the window.
        rank: rank, in ``[1, length]``.
        dtype: floating-point type of the factors.
        generator: source of randomness.

    Raises:
        DomainError: if an argument is outside its domain.
    """

    def __init__(
        self,
        length: int,
        rank: int,
        *,
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(length)
        self.rank = integer("rank", rank, 1, self.length)
        outer = orthonormal(self.length, self.rank, generator)
        inner = torch.eye(self.rank, dtype=torch.float64)
        down, up = balanced_chain([outer, inner, outer], torch.ones(self.rank, dtype=torch.float64))
        self.down = nn.Parameter(down.to(dtype))
        self.up = nn.Parameter(up.to(dtype))

    def matrix(self) -> Tensor:
        """``up @ down``."""
        return self.up @ self.down

    def forward(self, x: Tensor) -> Tensor:
        """``(..., length)`` to ``(..., length)``, through the ``rank`` coordinates."""
        check_last_dimension("x", x, self.length)
        return functional.linear(functional.linear(x, self.down), self.up)


class LinearAttention(TemporalMixing):
    """Causal attention without softmax on patches of the window: NOT linear in its input.

    With the patches ``z_t`` as tokens, ``y_t = z_t + sum over s <= t of <Q z_t, K z_s> V z_s / T``
    with ``T`` patches: the identity plus a term of degree 3.  It has no matrix, and a network that
    contains it does not collapse.

    Args:
        length: length of the window.
        patch: values per token, a divisor of ``length``.
        features: length of queries and keys, >= 1.
        dtype: floating-point type of the parameters.
        generator: source of randomness.

    Raises:
        DomainError: if an argument is outside its domain.

    Source:
        Katharopoulos et al., Transformers are RNNs (arXiv:2006.16236), with the identity as feature
        map and no normalization by the sum of the weights.
    """

    linear_in_input: ClassVar[bool] = False

    def __init__(
        self,
        length: int,
        patch: int,
        features: int,
        *,
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(length)
        self.patch = integer("patch", patch, 1, self.length)
        if self.length % self.patch:
            raise DomainError("patch", patch, f"a divisor of the length {self.length}")
        features = integer("features", features, at_least=1)

        def projection(rows: int) -> nn.Parameter:
            gauss = torch.randn(rows, self.patch, dtype=torch.float64, generator=generator)
            return nn.Parameter((gauss * self.patch**-0.5).to(dtype))

        self.query, self.key = projection(features), projection(features)
        self.value = projection(self.patch)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., length)`` to ``(..., length)``."""
        check_last_dimension("x", x, self.length)
        tokens = x.reshape(*x.shape[:-1], -1, self.patch)
        queries, keys, values = (
            functional.linear(tokens, projection)
            for projection in (self.query, self.key, self.value)
        )
        weights = torch.tril(queries @ keys.transpose(-1, -2)) / tokens.shape[-2]
        return (tokens + weights @ values).reshape(x.shape)
