"""Circulant matrices: every row is the one above it, moved one place to the right.

``A[i, j] = c[(i - j) mod n]``, so ``A x`` is the circular convolution of ``c`` and ``x``: two
Fourier transforms, ``O(n log n)`` against ``n^2``.  The Fourier basis diagonalizes ``A``, which is
normal, so its singular values are the absolute values of the transform of ``c``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.fft import irfft, rfft

from spectral_rank.models.structured.layer import StructuredLinear, gaussian, widened


class Circulant(StructuredLinear):
    """A circulant ``n x n`` matrix.

    Args:
        features: ``n``, an integer >= 1.
        generator: source of the initial weights.
        dtype: float64, float32, or a half format, which is transformed in float32.
        device: device of the parameters.

    Attributes:
        column: the first column ``c``, shape ``(n,)``; initial variance ``1 / n``, so that the
            entries of ``A x`` have the mean square of those of ``x``.

    Raises:
        DomainError: if a size or the dtype is outside its domain.

    Source:
        Golub and Van Loan, Matrix Computations, section 4.8.
    """

    def __init__(
        self,
        features: int,
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(features, features)
        n = self.in_features
        self.column = gaussian((n,), 1 / n, generator, dtype, device)

    def dense(self) -> Tensor:
        """The matrix, entry by entry, shape ``(n, n)``."""
        index = torch.arange(self.in_features, device=self.column.device)
        return self.column[(index[:, None] - index[None, :]) % self.in_features]

    def _multiply(self, x: Tensor) -> Tensor:
        return circular_product(self.column, x)

    def _multiply_adjoint(self, y: Tensor) -> Tensor:
        # The transpose has the first column c[0], c[n - 1], ..., c[1].
        return circular_product(self.column.flip(0).roll(1), y)

    def _singular_values(self) -> Tensor:
        transform: Tensor = torch.fft.fft(self.column.double())
        return transform.abs()


def circular_product(kernel: Tensor, x: Tensor) -> Tensor:
    """The circular convolution of a kernel with each vector of a batch.

    Args:
        kernel: shape ``(n,)``, real.
        x: shape ``(..., n)``, of the same dtype.

    Returns:
        Shape ``(..., n)``, of the same dtype.
    """
    if x.numel() == 0:
        # MKL refuses to transform an empty batch.
        return kernel * x
    product: Tensor = _CircularProduct.apply(widened(kernel), widened(x))  # type: ignore[no-untyped-call]
    return product.to(x.dtype)


class _CircularProduct(torch.autograd.Function):
    """Circular convolution whose derivative is circular correlation.

    Torch differentiates a real transform by a complex one of full length; stating the derivative
    in real transforms halves the time of a training step.  Only the arguments are saved, and the
    derivative is made of differentiable operations, so second derivatives are right too.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, kernel: Tensor, x: Tensor) -> Tensor:
        ctx.save_for_backward(kernel, x)
        product: Tensor = irfft(rfft(kernel) * rfft(x), n=x.shape[-1])
        return product

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        kernel, x = ctx.saved_tensors
        n = x.shape[-1]
        transform = rfft(grad)
        grad_kernel = grad_x = None
        if ctx.needs_input_grad[0]:
            correlation = (rfft(x).conj() * transform).reshape(-1, n // 2 + 1).sum(0)
            grad_kernel = irfft(correlation, n=n)
        if ctx.needs_input_grad[1]:
            grad_x = irfft(rfft(kernel).conj() * transform, n=n)
        return grad_kernel, grad_x
