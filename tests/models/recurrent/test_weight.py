"""Learned matrices, dense and of low rank."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.recurrent.naive import F64, generator

from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.recurrent.weight import Weight, random_weight


@st.composite
def weights(draw: st.DrawFn) -> Weight:
    rows, cols = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    rank = draw(st.none() | st.integers(1, min(rows, cols)))
    return random_weight(rows, cols, rank, 1.0, generator(draw(st.integers(0, 2**31))), F64)


@settings(max_examples=100, deadline=None)
@given(weights())
def test_singular_values_are_those_of_the_matrix(weight: Weight) -> None:
    expected = torch.linalg.svdvals(weight.dense().detach())
    found = weight.singular_values()
    count = min(weight.shape) if weight.rank is None else weight.rank
    assert found.shape == (count,)
    torch.testing.assert_close(found, expected[:count], rtol=1e-10, atol=1e-10)
    assert torch.all(expected[count:] < 1e-10)


@settings(max_examples=100, deadline=None)
@given(weights())
def test_a_call_is_the_product_with_the_matrix(weight: Weight) -> None:
    x = torch.randn(2, 3, weight.shape[1], dtype=F64, generator=generator(0))
    torch.testing.assert_close(weight(x), x @ weight.dense().T, rtol=1e-10, atol=1e-10)


def test_singular_values_of_float32_are_float64_and_have_no_gradient() -> None:
    for rank in (None, 2):
        values = random_weight(5, 4, rank, 1.0, generator(0)).singular_values()
        assert values.dtype == F64
        assert not values.requires_grad


@pytest.mark.parametrize("rank", [None, 10, 100])
def test_entries_have_the_deviation_asked_for(rank: int | None) -> None:
    # A ratio of squared norms over 10^4 entries, built from at least 2000 independent draws.
    matrix = random_weight(100, 100, rank, 0.3, generator(0), F64).dense().detach()
    assert float(matrix.square().mean().sqrt()) == pytest.approx(0.3, rel=0.1)


@pytest.mark.parametrize("rank", [0, 4, 1.0])
def test_a_rank_that_does_not_fit_is_refused(rank: object) -> None:
    with pytest.raises(DomainError, match=r"rank = .* integer >= 1 and <= 3"):
        random_weight(3, 5, rank, 1.0, generator(0))  # type: ignore[arg-type]
