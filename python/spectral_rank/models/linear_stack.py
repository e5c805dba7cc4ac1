"""A chain of linear layers, started balanced, standard or Gaussian, with or without residuals."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from spectral_rank.formulas.domain import DomainError, integer, positive

Start = Literal["balanced", "standard", "gaussian"]
STARTS: tuple[Start, ...] = ("balanced", "standard", "gaussian")


def balanced_chain(bases: Sequence[Tensor], sigma: Tensor) -> list[Tensor]:
    """The balanced layers ``Q[k+1] @ diag(sigma ** (1 / N)) @ Q[k].T``, first layer first.

    Their product is ``Q[N] @ diag(sigma) @ Q[0].T``; each adjacent pair is balanced, because the
    Gram matrices that meet between two layers are the same ``Q diag(sigma ** (2 / N)) Q.T``.

    Args:
        bases: ``N + 1`` matrices with orthonormal columns, ``Q[k]`` of shape ``(n_k, r)``.
        sigma: singular values of the product, shape ``(r,)``, each >= 0.

    Returns:
        ``N`` layers, the ``k``-th of shape ``(n_(k+1), n_k)``.
    """
    root = sigma ** (1 / (len(bases) - 1))
    return [(above * root) @ below.T for below, above in itertools.pairwise(bases)]


def orthonormal(rows: int, cols: int, generator: torch.Generator | None = None) -> Tensor:
    """A random ``rows x cols`` matrix with orthonormal columns, float64, ``cols <= rows``."""
    gauss = torch.randn(rows, cols, dtype=torch.float64, generator=generator)
    basis, triangle = torch.linalg.qr(gauss)
    # Without the signs the distribution is not invariant under rotations.
    rotated: Tensor = basis * torch.where(triangle.diagonal() < 0, -1.0, 1.0)
    return rotated


class LinearStack(nn.Module):
    """The product of ``N`` linear layers without biases, ``x -> W[N-1] ... W[1] W[0] x``.

    Consecutive layers of one shape share one parameter of shape ``(count, rows, cols)`` in
    ``runs``, so that a thousand layers are one tensor for the optimizer.

    A residual layer is ``I + A / N`` with the learned matrix ``A``; layers that change the width
    cannot be residual and stay plain.  Both kinds are linear.

    Args:
        widths: ``n_0, ..., n_N``: input width, the widths between the layers, output width.
        start: ``balanced``: orthonormal bases and common singular values, every adjacent pair
            balanced to rounding; ``standard``: torch's default for a linear layer, uniform in
            ``+-1 / sqrt(n_k)``; ``gaussian``: variance ``1 / n_k``, which preserves the variance.
            With residuals the last two are the distribution of ``A``.
        gain: singular values of the product of a balanced start, > 0.  Where input and output have
            one width, the product is ``gain`` times the identity (of rank ``min(widths)``).
        product: matrix ``(n_N, n_0)`` that a balanced start factorizes instead, of rank at most
            ``min(widths)``.
        residual: whether square layers are ``I + A / N``.
        dtype: floating-point type of the parameters.
        generator: source of randomness; torch's global one by default.

    Raises:
        DomainError: if an argument is outside its domain.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        start: Start = "balanced",
        gain: float = 1.0,
        product: Tensor | None = None,
        residual: bool = False,
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.widths = check_widths(widths)
        self.residual = residual
        if start not in STARTS:
            raise DomainError("start", start, f"one of {', '.join(STARTS)}")
        if product is not None and start != "balanced":
            raise DomainError("product", product, "absent unless start is 'balanced'")
        if start == "balanced":
            layers = _balanced_start(
                self.widths, positive("gain", gain), product, residual, generator
            )
        else:
            layers = [self._random_layer(k, start, generator) for k in range(self.depth)]
        self.runs = nn.ParameterList()
        for _, run in itertools.groupby(range(self.depth), key=self._run_key):
            stored = torch.stack([self._to_stored(layers[k]) for k in run])
            self.runs.append(nn.Parameter(stored.to(dtype)))

    @property
    def depth(self) -> int:
        """Number of layers ``N``."""
        return len(self.widths) - 1

    def layers(self) -> list[Tensor]:
        """The ``N`` matrices, first layer first, the ``k``-th of shape ``(n_(k+1), n_k)``."""
        return [layer for run in self._effective_runs() for layer in run.unbind(0)]

    def forward(self, x: Tensor) -> Tensor:
        """Layer by layer: ``(..., n_0)`` to ``(..., n_N)``.

        Raises:
            DomainError: if the last dimension of ``x`` is not ``n_0``.
        """
        check_last_dimension("x", x, self.widths[0])
        for layer in self.layers():
            x = functional.linear(x, layer)
        return x

    def collapse(self) -> Tensor:
        """The product of all layers, shape ``(n_N, n_0)``, by pairs: ``log2 N`` batched steps."""
        products = [_product_of_run(run) for run in self._effective_runs()]
        return functools.reduce(lambda below, above: above @ below, products)

    def assign(self, layers: Sequence[Tensor]) -> None:
        """Replace all layers, for instance by their balanced projection.

        Raises:
            DomainError: if a layer has not its shape.
        """
        shapes = [(n, m) for m, n in itertools.pairwise(self.widths)]
        if [tuple(layer.shape) for layer in layers] != shapes:
            raise DomainError(
                "layers", [tuple(layer.shape) for layer in layers], f"of shapes {shapes}"
            )
        remaining = iter(layers)
        with torch.no_grad():
            for run in self.runs:
                stored = [self._to_stored(layer) for layer in itertools.islice(remaining, len(run))]
                run.copy_(torch.stack(stored))

    def _run_key(self, k: int) -> tuple[int, int]:
        return self.widths[k], self.widths[k + 1]

    def _is_residual(self, rows: int, cols: int) -> bool:
        return self.residual and rows == cols

    def _to_stored(self, layer: Tensor) -> Tensor:
        """The parameter of a layer: itself, or ``A = N (W - I)``."""
        if not self._is_residual(*layer.shape):
            return layer
        return self.depth * (layer - torch.eye(len(layer), dtype=layer.dtype, device=layer.device))

    def _effective_runs(self) -> list[Tensor]:
        """The matrices of each run, shape ``(count, rows, cols)``."""
        effective = []
        for run in self.runs:
            rows, cols = run.shape[1:]
            if self._is_residual(rows, cols):
                identity = torch.eye(rows, dtype=run.dtype, device=run.device)
                effective.append(identity + run / self.depth)
            else:
                effective.append(run)
        return effective

    def _random_layer(self, k: int, start: Start, generator: torch.Generator | None) -> Tensor:
        cols, rows = self.widths[k], self.widths[k + 1]
        layer = torch.empty(rows, cols, dtype=torch.float64)
        bound = cols**-0.5
        if start == "standard":
            layer.uniform_(-bound, bound, generator=generator)
        else:
            layer.normal_(0, bound, generator=generator)
        if self._is_residual(rows, cols):
            return torch.eye(rows, dtype=torch.float64) + layer / self.depth
        return layer


def check_widths(widths: Sequence[int]) -> tuple[int, ...]:
    """The widths ``n_0, ..., n_N`` as integers >= 1, at least two of them.

    Raises:
        DomainError: if there is no layer, or a width is not a positive integer.
    """
    rule = "at least two widths: those of the input and of the output of a layer"
    if isinstance(widths, str | bytes) or not isinstance(widths, Sequence) or len(widths) < 2:
        raise DomainError("widths", widths, rule)
    return tuple(integer("widths", width, at_least=1) for width in widths)


def check_last_dimension(argument: str, x: Tensor, size: int) -> None:
    """Raise ``DomainError`` unless the last dimension of ``x`` has this size."""
    if x.ndim == 0 or x.shape[-1] != size:
        raise DomainError(argument, tuple(x.shape), f"a tensor whose last dimension is {size}")


def _balanced_start(
    widths: tuple[int, ...],
    gain: float,
    product: Tensor | None,
    residual: bool,
    generator: torch.Generator | None,
) -> list[Tensor]:
    rank = min(widths)
    if product is None:
        first = orthonormal(widths[0], rank, generator)
        last = first if widths[0] == widths[-1] else orthonormal(widths[-1], rank, generator)
        sigma = torch.full((rank,), float(gain), dtype=torch.float64)
    else:
        last, sigma, first = _top_singular_triplets(product, widths)
    # Residual layers start at multiples of the identity: all spaces of one width share a basis.
    shared = {widths[0]: first} if residual else {}
    bases = [first]
    for width in widths[1:-1]:
        basis = shared.get(width)
        basis = orthonormal(width, rank, generator) if basis is None else basis
        if residual:
            shared[width] = basis
        bases.append(basis)
    return balanced_chain([*bases, last], sigma)


def _top_singular_triplets(
    product: Tensor, widths: tuple[int, ...]
) -> tuple[Tensor, Tensor, Tensor]:
    """Left basis, values and right basis of a matrix of rank at most ``min(widths)``."""
    shape, rank = (widths[-1], widths[0]), min(widths)
    if tuple(product.shape) != shape or not bool(torch.isfinite(product).all()):
        raise DomainError("product", product, f"a finite matrix of shape {shape}")
    left, sigma, right = torch.linalg.svd(product.to(torch.float64), full_matrices=False)
    rounding = max(shape) * torch.finfo(torch.float64).eps
    if len(sigma) > rank and sigma[rank] > rounding * sigma[0]:
        raise DomainError("product", product, f"of rank at most {rank}, the smallest width")
    return left[:, :rank], sigma[:rank], right[:rank].T


def _product_of_run(run: Tensor) -> Tensor:
    """``run[-1] @ ... @ run[0]``, multiplying neighbours in one batch until one is left."""
    while len(run) > 1:
        odd = run[-1:] if len(run) % 2 else run[:0]
        even = run[: len(run) - len(odd)]
        run = torch.cat([even[1::2] @ even[0::2], odd])
    return run[0]
