"""What is particular to one structure: entries written out by hand, ranks, groups."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.models.structured import (
    Circulant,
    DiagonalPlusLowRank,
    Householder,
    LowRank,
    Monarch,
    Toeplitz,
    at_equal_budget,
)
from spectral_rank.models.structured.monarch import balanced_divisor

F64 = torch.float64


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def with_weights(layer: torch.nn.Module, **weights: list[float]) -> None:
    with torch.no_grad():
        for name, values in weights.items():
            parameter = layer.get_parameter(name)
            parameter.copy_(torch.tensor(values, dtype=F64).reshape(parameter.shape))


def test_circulant_written_out() -> None:
    layer = Circulant(3, dtype=F64)
    with_weights(layer, column=[1, 2, 3])
    assert layer.dense().tolist() == [[1, 3, 2], [2, 1, 3], [3, 2, 1]]


@given(n=st.integers(1, 30))
@settings(deadline=None, max_examples=30)
def test_circulants_commute(n: int) -> None:
    source = generator(n)
    a, b = (Circulant(n, generator=source, dtype=F64) for _ in range(2))
    x = torch.randn(n, dtype=F64, generator=source)
    with torch.no_grad():
        assert torch.allclose(a(b(x)), b(a(x)), rtol=1e-12, atol=1e-12)


def test_toeplitz_written_out() -> None:
    layer = Toeplitz(3, 2, dtype=F64)
    with_weights(layer, diagonals=[1, 2, 3, 4])
    assert layer.dense().tolist() == [[3, 2, 1], [4, 3, 2]]


def test_toeplitz_with_a_periodic_diagonal_is_circulant() -> None:
    circulant = Circulant(5, generator=generator(1), dtype=F64)
    column = circulant.column.tolist()
    layer = Toeplitz(5, dtype=F64)
    with_weights(layer, diagonals=column[1:] + column)
    assert torch.equal(layer.dense(), circulant.dense())


def test_monarch_is_the_product_of_its_factors() -> None:
    """``P L P^T R`` with the block-diagonal factors and the permutation as matrices."""
    layer = Monarch(6, 8, 3, 4, generator=generator(2), dtype=F64)
    k, h, m = 3, 4, 8
    R = torch.block_diag(*layer.right)
    L = torch.block_diag(*layer.left)
    # R orders the middle by input block, L by output block; outputs of L return block by block.
    middle = torch.eye(k * h, dtype=F64)[torch.arange(k * h).reshape(k, h).T.flatten()]
    outputs = torch.eye(m, dtype=F64)[torch.arange(m).reshape(h, m // h).T.flatten()]
    assert torch.allclose(layer.dense(), outputs @ L @ middle @ R, rtol=1e-14, atol=1e-14)


def test_monarch_blocks_bound_the_rank() -> None:
    layer = Monarch(24, 24, 2, 3, generator=generator(3), dtype=F64)
    assert torch.linalg.matrix_rank(layer.dense()) == 6
    values = layer.spectrum()
    assert bool((values[:6] > 0).all())
    assert values[6:].tolist() == [0.0] * 18


@given(n=st.integers(1, 5000))
def test_balanced_divisor(n: int) -> None:
    k = balanced_divisor(n)
    assert n % k == 0
    assert k * k >= n
    assert all(n % smaller for smaller in range(1, k) if smaller * smaller >= n)


@pytest.mark.parametrize("n", [64, 97, 120])
def test_default_monarch_has_full_rank(n: int) -> None:
    layer = Monarch(n, generator=generator(4), dtype=F64)
    assert torch.linalg.matrix_rank(layer.dense()) == n


def test_low_rank_spectrum_ends_in_zeros() -> None:
    values = LowRank(9, 7, 2, generator=generator(5), dtype=F64).spectrum()
    assert bool((values[:2] > 0).all())
    assert values[2:].tolist() == [0.0] * 5


@pytest.mark.parametrize("reflections", [1, 4, 9])
def test_householder_is_orthogonal_with_the_sign_of_its_determinant(reflections: int) -> None:
    matrix = Householder(9, reflections, generator=generator(6), dtype=F64).dense()
    assert torch.allclose(matrix @ matrix.mT, torch.eye(9, dtype=F64), rtol=0, atol=1e-14)
    assert float(torch.linalg.det(matrix.detach())) == pytest.approx((-1) ** reflections, abs=1e-12)


def test_householder_of_nearly_parallel_normals() -> None:
    """Equal reflections cancel in pairs; the WY form must not lose that."""
    layer = Householder(6, 4, generator=generator(7), dtype=F64)
    first = layer.normals[0].tolist()
    with_weights(layer, normals=first * 4)
    x = torch.randn(6, dtype=F64, generator=generator(8))
    assert torch.allclose(layer(x), x, rtol=1e-13, atol=1e-13)


def test_reflection_turns_its_normal_round() -> None:
    layer = Householder(5, 1, generator=generator(9), dtype=F64)
    normal = layer.normals[0].detach()
    assert torch.allclose(layer(normal), -normal, rtol=1e-14, atol=1e-14)


def test_diagonal_alone() -> None:
    layer = DiagonalPlusLowRank(3, 1, dtype=F64)
    with_weights(layer, diagonal=[-2, 0.5, 1], left=[0, 0, 0])
    assert layer.spectrum().tolist() == [2, 1, 0.5]


def test_equal_budget() -> None:
    counts = {name: layer.parameter_count() for name, layer in at_equal_budget(1024).items()}
    assert counts.pop("circulant") == 1024
    assert counts.pop("toeplitz") == 2047
    assert counts.pop("diagonal plus low rank") == 2 * 1024 * 32 + 1024
    assert set(counts.values()) == {2 * 1024 * 32}
