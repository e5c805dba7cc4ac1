"""Every structured layer against its dense matrix."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.structured import (
    Circulant,
    DiagonalPlusLowRank,
    Householder,
    LowRank,
    Monarch,
    StructuredLinear,
    Toeplitz,
    at_equal_budget,
)

F64 = torch.float64
SIZE = st.integers(1, 40)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@st.composite
def layers(draw: st.DrawFn, dtype: torch.dtype = F64) -> StructuredLinear:
    """A layer of any structure and shape, with random weights."""
    source = generator(draw(st.integers(0, 2**31)))
    n, m = draw(SIZE), draw(SIZE)
    structure = draw(st.sampled_from(["C", "T", "M", "L", "H", "D"]))
    if structure == "C":
        return Circulant(n, generator=source, dtype=dtype)
    if structure == "T":
        return Toeplitz(n, m, generator=source, dtype=dtype)
    if structure == "M":
        k = draw(st.sampled_from([k for k in range(1, n + 1) if n % k == 0]))
        h = draw(st.sampled_from([h for h in range(1, m + 1) if m % h == 0]))
        return Monarch(n, m, k, h, generator=source, dtype=dtype)
    if structure == "L":
        return LowRank(n, m, draw(st.integers(1, min(m, n))), generator=source, dtype=dtype)
    if structure == "H":
        return Householder(n, draw(st.integers(1, n)), generator=source, dtype=dtype)
    return DiagonalPlusLowRank(n, draw(st.integers(1, n)), generator=source, dtype=dtype)


BATCHES = st.lists(st.integers(0, 4), max_size=3)


def normal(shape: list[int], seed: int) -> Tensor:
    return torch.randn(*shape, dtype=F64, generator=generator(seed))


def relative(difference: Tensor, reference: Tensor) -> float:
    return float((difference.norm() / reference.norm()).detach())


@given(layer=layers(), batch=BATCHES)
@settings(deadline=None, max_examples=300)
def test_forward_and_adjoint_are_products_with_the_dense_matrix(
    layer: StructuredLinear, batch: list[int]
) -> None:
    matrix = layer.dense().detach()
    assert matrix.shape == (layer.out_features, layer.in_features)
    x, y = normal([*batch, layer.in_features], 1), normal([*batch, layer.out_features], 2)
    product, pulled = layer(x).detach(), layer.adjoint(y).detach()
    assert product.shape == y.shape
    assert pulled.shape == x.shape
    # Against |A| |x|: the products of a layer may cancel.
    bound = 1e-10 * matrix.norm()
    assert (product - x @ matrix.mT).norm() <= bound * x.norm()
    assert (pulled - y @ matrix).norm() <= bound * y.norm()


@given(layer=layers())
@settings(deadline=None, max_examples=200)
def test_adjoint_identity(layer: StructuredLinear) -> None:
    x, y = normal([layer.in_features], 3), normal([layer.out_features], 4)
    with torch.no_grad():
        left, right = layer(x) @ y, x @ layer.adjoint(y)
        scale = layer.dense().norm() * x.norm() * y.norm()
    assert abs(left - right) <= 1e-12 * scale


@given(layer=layers())
@settings(deadline=None, max_examples=300)
def test_spectrum_is_that_of_the_dense_matrix(layer: StructuredLinear) -> None:
    values = layer.spectrum()
    expected = torch.linalg.svdvals(layer.dense().detach())
    assert values.dtype == F64
    assert values.shape == expected.shape
    assert bool((values.diff() <= 0).all())
    assert (values - expected).abs().max() <= 1e-12 * max(1.0, float(expected[0]))


SMALL: dict[str, Callable[[], StructuredLinear]] = {
    "circulant, even": lambda: Circulant(6, generator=generator(0), dtype=F64),
    "circulant, odd": lambda: Circulant(5, generator=generator(0), dtype=F64),
    "circulant, one": lambda: Circulant(1, generator=generator(0), dtype=F64),
    "toeplitz, wide": lambda: Toeplitz(5, 3, generator=generator(0), dtype=F64),
    "toeplitz, tall": lambda: Toeplitz(2, 6, generator=generator(0), dtype=F64),
    "monarch, square": lambda: Monarch(4, generator=generator(0), dtype=F64),
    "monarch, wide": lambda: Monarch(6, 4, 3, 2, generator=generator(0), dtype=F64),
    "low rank": lambda: LowRank(5, 4, 2, generator=generator(0), dtype=F64),
    "householder": lambda: Householder(5, 3, generator=generator(0), dtype=F64),
    "diagonal plus low rank": lambda: DiagonalPlusLowRank(4, 2, generator=generator(0), dtype=F64),
}


def in_all_arguments(
    layer: StructuredLinear, adjoint: bool
) -> tuple[Callable[..., Tensor], tuple[Tensor, ...]]:
    """The layer as a function of its input and its parameters, for gradcheck."""
    names = [name for name, _ in layer.named_parameters()]
    weights = tuple(p.detach().clone().requires_grad_() for p in layer.parameters())
    x = normal([2, layer.out_features if adjoint else layer.in_features], 5).requires_grad_()

    class Adjoint(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, y: Tensor) -> Tensor:
            return self.layer.adjoint(y) if adjoint else self.layer(y)

    def function(x: Tensor, *weights: Tensor) -> Tensor:
        named = dict(zip((f"layer.{name}" for name in names), weights, strict=True))
        product: Tensor = torch.func.functional_call(Adjoint(), named, (x,))
        return product

    return function, (x, *weights)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("adjoint", [False, True])
def test_gradients(name: str, adjoint: bool) -> None:
    function, arguments = in_all_arguments(SMALL[name](), adjoint)
    assert torch.autograd.gradcheck(function, arguments)


@pytest.mark.parametrize("name", SMALL)
def test_second_derivatives(name: str) -> None:
    function, arguments = in_all_arguments(SMALL[name](), adjoint=False)
    assert torch.autograd.gradgradcheck(function, arguments)


@pytest.mark.parametrize(
    ("layer", "count"),
    [
        (Circulant(12), 12),
        (Toeplitz(12, 8), 19),
        (Monarch(16), 128),
        (Monarch(12, 8, 3, 2), 2 * 12 + 3 * 8),
        (LowRank(12, 8, 3), 60),
        (Householder(12, 5), 60),
        (DiagonalPlusLowRank(12, 3), 84),
    ],
)
def test_parameter_counts(layer: StructuredLinear, count: int) -> None:
    assert layer.parameter_count() == count
    assert f"parameters={count}" in repr(layer)


@pytest.mark.parametrize("name", list(at_equal_budget(64)))
def test_initial_weights_keep_the_mean_square(name: str) -> None:
    # The mean of |A|^2 / m over draws is 1; 200 draws leave a deviation of a few percent.
    source = generator(6)
    with torch.no_grad():
        draws = [at_equal_budget(64, generator=source, dtype=F64)[name].dense() for _ in range(200)]
    spread = torch.stack([matrix.square().sum() / 64 for matrix in draws])
    error = float(spread.std()) / len(draws) ** 0.5
    assert abs(float(spread.mean()) - 1) <= 5 * error + 1e-12


@pytest.mark.parametrize("name", list(at_equal_budget(16)))
@pytest.mark.parametrize(
    ("dtype", "rtol"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05), (torch.float16, 0.01)]
)
def test_short_formats(name: str, dtype: torch.dtype, rtol: float) -> None:
    layer = at_equal_budget(16, generator=generator(7), dtype=dtype)[name]
    exact = at_equal_budget(16, dtype=F64)[name]
    exact.load_state_dict({key: value.double() for key, value in layer.state_dict().items()})
    x = normal([8, 16], 8).to(dtype)
    for short, long in [
        (layer(x), exact(x.double())),
        (layer.adjoint(x), exact.adjoint(x.double())),
    ]:
        assert short.dtype == dtype
        assert relative(short.double() - long, long) <= rtol
    # The spectrum is that of the weights as stored.
    assert torch.allclose(layer.spectrum(), exact.spectrum(), rtol=0.02, atol=0.02)
    layer(x).float().square().sum().backward()
    for parameter in layer.parameters():
        assert parameter.grad is not None
        assert parameter.grad.dtype == dtype
        assert bool(torch.isfinite(parameter.grad).all())


def test_a_seed_means_the_same_in_every_format() -> None:
    short = Monarch(16, generator=generator(9), dtype=torch.float32)
    assert torch.equal(Monarch(16, generator=generator(9), dtype=F64).left.float(), short.left)


@pytest.mark.parametrize("name", SMALL)
def test_bad_input(name: str) -> None:
    layer = SMALL[name]()
    n, m = layer.in_features, layer.out_features
    with pytest.raises(DomainError, match=rf"x must be of shape \(\.\.\., {n}\)"):
        layer(torch.ones(3, n + 1, dtype=F64))
    with pytest.raises(DomainError, match=rf"y must be of shape \(\.\.\., {m}\)"):
        layer.adjoint(torch.ones(m + 1, dtype=F64))
    with pytest.raises(DomainError, match="x must be of shape"):
        layer(torch.tensor(1.0, dtype=F64))
    with pytest.raises(DomainError, match="x must be of the dtype of the layer"):
        layer(torch.ones(3, n))
    with pytest.raises(DomainError, match="x must be a torch tensor"):
        layer([[1.0] * n])
    with torch.no_grad():
        next(layer.parameters()).view(-1)[0] = float("nan")
    with pytest.raises(DomainError, match="must be finite, without NaN"):
        layer.spectrum()


@pytest.mark.parametrize(
    ("build", "argument"),
    [
        (lambda: Circulant(0), "in_features"),
        (lambda: Circulant(2.0), "in_features"),
        (lambda: Toeplitz(3, -1), "out_features"),
        (lambda: Monarch(12, in_blocks=5), "in_blocks"),
        (lambda: Monarch(12, 9, out_blocks=2), "out_blocks"),
        (lambda: LowRank(4, 3, 4), "rank"),
        (lambda: LowRank(4, 3, 0), "rank"),
        (lambda: Householder(4, 5), "reflections"),
        (lambda: DiagonalPlusLowRank(4, 5), "rank"),
        (lambda: Circulant(4, dtype=torch.int64), "dtype"),
        (lambda: at_equal_budget(7), "features"),
    ],
)
def test_bad_sizes(build: Callable[[], object], argument: str) -> None:
    with pytest.raises(DomainError) as error:
        build()
    assert error.value.argument == argument
