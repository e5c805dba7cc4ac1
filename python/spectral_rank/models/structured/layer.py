"""What every structured layer offers, and how it checks what it is given.

A structured layer is a linear map whose matrix has far fewer parameters than entries.  It acts on
the last axis, as ``torch.nn.Linear(..., bias=False)`` does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from spectral_rank.formulas.domain import DomainError, integer

FLOATS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
HALVES = (torch.bfloat16, torch.float16)


class StructuredLinear(nn.Module):
    """A linear map ``x -> A x`` with a structured ``m x n`` matrix ``A`` and no bias.

    A subclass implements ``_multiply``, ``_multiply_adjoint``, ``dense`` and ``_singular_values``.

    Args:
        in_features: ``n``, an integer >= 1.
        out_features: ``m``, an integer >= 1.

    Raises:
        DomainError: if a size is not an integer >= 1.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features = integer("in_features", in_features, at_least=1)
        self.out_features = integer("out_features", out_features, at_least=1)

    def forward(self, x: Tensor) -> Tensor:
        """The product ``A x``.

        Args:
            x: shape ``(..., n)``, of the dtype of the parameters.

        Returns:
            Shape ``(..., m)``, of the same dtype.

        Raises:
            DomainError: if the last axis or the dtype of ``x`` does not fit.
        """
        return self._multiply(self._fitting("x", x, self.in_features))

    def adjoint(self, y: Tensor) -> Tensor:
        """The product ``A^T y``, at the cost of ``forward``.

        Args:
            y: shape ``(..., m)``, of the dtype of the parameters.

        Returns:
            Shape ``(..., n)``, of the same dtype.

        Raises:
            DomainError: if the last axis or the dtype of ``y`` does not fit.
        """
        return self._multiply_adjoint(self._fitting("y", y, self.out_features))

    def dense(self) -> Tensor:
        """The matrix ``A`` itself, shape ``(m, n)``, differentiable in the parameters."""
        raise NotImplementedError

    def parameter_count(self) -> int:
        """The number of parameters, against ``m n`` of a dense layer."""
        return sum(parameter.numel() for parameter in self.parameters())

    @torch.no_grad()
    def spectrum(self) -> Tensor:
        """The singular values of ``A`` by the cheapest exact route of the structure.

        Returns:
            ``min(m, n)`` values >= 0 in float64, nonincreasing, shape ``(min(m, n),)``.

        Raises:
            DomainError: if a parameter is NaN or infinite.
        """
        for name, parameter in self.named_parameters():
            if not bool(torch.isfinite(parameter).all()):
                raise DomainError(name, parameter, "finite, without NaN")
        values = self._singular_values().clamp(min=0).sort(descending=True).values
        # Structures of lower rank hand over fewer values; the others are exactly zero.
        padded = values.new_zeros(min(self.in_features, self.out_features))
        padded[: len(values)] = values
        return padded

    def _multiply(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _multiply_adjoint(self, y: Tensor) -> Tensor:
        raise NotImplementedError

    def _singular_values(self) -> Tensor:
        """Up to ``min(m, n)`` values in float64, in any order; the missing ones are zero."""
        values: Tensor = torch.linalg.svdvals(self.dense().double())
        return values

    def _fitting(self, argument: str, value: Tensor, size: int) -> Tensor:
        if not isinstance(value, Tensor):
            raise DomainError(argument, type(value).__name__, "a torch tensor")
        if value.ndim == 0 or value.shape[-1] != size:
            shape = f"a tensor of shape {tuple(value.shape)}"
            raise DomainError(argument, shape, f"of shape (..., {size})")
        dtype = next(self.parameters()).dtype
        if value.dtype != dtype:
            # The Fourier transform would promote where a matrix product raises; all layers refuse.
            raise DomainError(argument, value.dtype, f"of the dtype of the layer, {dtype}")
        return value

    def extra_repr(self) -> str:
        """The sizes, as ``torch.nn.Linear`` prints them."""
        sizes = f"in_features={self.in_features}, out_features={self.out_features}"
        return f"{sizes}, parameters={self.parameter_count()}"


def gaussian(
    shape: Sequence[int],
    variance: float,
    generator: torch.Generator | None,
    dtype: torch.dtype | None,
    device: torch.device | str | None,
) -> nn.Parameter:
    """A parameter of independent normal entries with mean 0.

    Args:
        shape: shape of the parameter.
        variance: variance of an entry, > 0.
        generator: source of randomness, a CPU generator; the global one if ``None``.
        dtype: floating dtype; torch's default if ``None``.
        device: device; torch's default if ``None``.

    Raises:
        DomainError: if ``dtype`` is not one of `FLOATS`.
    """
    if dtype is not None and dtype not in FLOATS:
        raise DomainError("dtype", dtype, "float64, float32, bfloat16 or float16")
    # Drawn on the CPU in float64, so that a seed means the same on every device and in every dtype.
    entries = torch.randn(*shape, generator=generator, dtype=torch.float64, device="cpu")
    target = torch.get_default_dtype() if dtype is None else dtype
    return nn.Parameter((math.sqrt(variance) * entries).to(dtype=target, device=device))


def widened(tensor: Tensor) -> Tensor:
    """The tensor in float32 if its dtype is too short for a transform or a triangular solve."""
    return tensor.float() if tensor.dtype in HALVES else tensor
