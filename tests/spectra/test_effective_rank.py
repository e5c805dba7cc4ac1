"""Effective ranks of spectra whose ranks are known in closed form."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spectral_rank.formulas.domain import DomainError
from spectral_rank.spectra.effective_rank import EffectiveRanks, effective_ranks, entropy_rank
from spectral_rank.spectra.singular_values import largest_singular_values, singular_values


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=10).filter(lambda s: max(s) > 1e-100),
    st.integers(0, 5),
)
def test_order_of_the_effective_ranks(diagonal: list[float], more_columns: int) -> None:
    matrix = np.pad(np.diag(diagonal), ((0, 0), (0, more_columns)))
    ranks = effective_ranks(singular_values(matrix))
    chain = (1, ranks.stable_rank, ranks.participation_ratio, ranks.entropy_rank, len(diagonal))
    assert all(low <= high * (1 + 1e-12) for low, high in itertools.pairwise(chain))
    assert 1 <= ranks.numerical_rank <= len(diagonal)
    assert (ranks.condition_number is None) == (ranks.numerical_rank < len(diagonal))


@pytest.mark.parametrize("n", [1, 2, 7])
def test_equal_directions_count_fully(n: int) -> None:
    ranks = effective_ranks(singular_values(3 * np.eye(n, n + 2)))
    assert ranks.stable_rank == pytest.approx(n)
    assert ranks.participation_ratio == pytest.approx(n)
    assert ranks.entropy_rank == pytest.approx(n)
    assert ranks.numerical_rank == n
    assert ranks.condition_number == pytest.approx(1)


def test_geometric_spectrum_in_closed_form() -> None:
    # Energies q^i: Renyi entropies of a geometric distribution.
    q = 0.5
    spectrum = singular_values(np.diag(q ** (np.arange(200) / 2)))
    ranks = effective_ranks(spectrum)
    assert ranks.stable_rank == pytest.approx(1 / (1 - q))
    assert ranks.participation_ratio == pytest.approx((1 + q) / (1 - q))
    nats = -(q * math.log(q) + (1 - q) * math.log(1 - q)) / (1 - q)
    assert ranks.entropy_rank == pytest.approx(math.exp(nats))


def test_zero_matrix() -> None:
    ranks = effective_ranks(singular_values(np.zeros((2, 3))))
    assert ranks.stable_rank == ranks.participation_ratio == ranks.entropy_rank == 0
    assert (ranks.numerical_rank, ranks.condition_number) == (0, None)
    assert ranks.condition_number_at_rank is None
    assert entropy_rank([]) == 0


def test_numerical_rank_knows_the_stored_type() -> None:
    random = np.random.default_rng(0)
    product = random.standard_normal((60, 7)) @ random.standard_normal((7, 50))
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        stored = torch.from_numpy(product).to(dtype)
        ranks = effective_ranks(singular_values(stored))
        assert ranks.numerical_rank == 7
        assert ranks.condition_number is None
        assert ranks.condition_number_at_rank is not None
    strict = effective_ranks(singular_values(stored), rtol=0)
    assert strict.numerical_rank == 50  # the rounding to bfloat16 has full rank


def test_tolerance_is_the_one_asked_for() -> None:
    spectrum = singular_values(np.diag([4.0, 2.0, 1.0, 0.0]))
    ranks = effective_ranks(spectrum, rtol=0.3)
    assert (ranks.numerical_rank, ranks.tolerance) == (2, pytest.approx(1.2))
    assert ranks.condition_number_at_rank == pytest.approx(2)
    assert effective_ranks(spectrum, rtol=0).tolerance == spectrum.error
    assert effective_ranks(spectrum, rtol=2).numerical_rank == 0


def test_tiny_and_huge_spectra_do_not_overflow() -> None:
    values = np.array([3.0, 2.0, 1.0])
    for scale in (1e-200, 1e200):
        assert entropy_rank(scale * values) == pytest.approx(entropy_rank(values))


def test_refusals() -> None:
    noise = np.random.default_rng(0).standard_normal((9, 9))
    with pytest.raises(DomainError, match="complete"):
        effective_ranks(largest_singular_values(noise, 3))
    with pytest.raises(DomainError, match="rtol"):
        effective_ranks(singular_values(noise), rtol=-1)
    for bad in ([math.nan], [[1.0]], "12", None):
        with pytest.raises(DomainError, match="s ="):
            entropy_rank(bad)


def test_the_record_survives_json() -> None:
    ranks = effective_ranks(singular_values(np.diag([4.0, 2.0, 0.0])))
    assert EffectiveRanks.model_validate_json(ranks.model_dump_json()) == ranks
