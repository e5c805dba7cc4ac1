import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.experiments.rank_test import rank_test
from spectral_rank.formulas.domain import DomainError

# Area under the curve of four classifiers on 14 data sets: Demsar (2006), table 6.
AUC = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)


def test_the_example_of_the_paper_is_reproduced() -> None:
    found = rank_test(-AUC)
    assert found.mean_ranks == pytest.approx((3.143, 2.000, 2.893, 1.964), abs=1e-3)
    # The paper states 2.569 * sqrt(4 * 5 / (6 * 14)) = 1.25.
    assert found.critical_difference == pytest.approx(1.25, abs=5e-3)
    assert 0.01 < found.p_value < 0.05


def test_full_agreement_and_full_ties_are_the_extremes() -> None:
    assert rank_test([[1, 2, 3], [4, 5, 6]]).p_value == 0
    tied = rank_test([[1, 1, 1], [2, 2, 2]])
    assert (tied.p_value, tied.mean_ranks) == (1, (2, 2, 2))


@given(blocks=st.integers(2, 8), methods=st.integers(3, 6), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_ranks_ignore_the_scale_of_each_data_set(blocks: int, methods: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    errors = rng.random((blocks, methods))
    found = rank_test(errors)
    assert sum(found.mean_ranks) == pytest.approx(methods * (methods + 1) / 2)
    assert rank_test(errors * rng.uniform(1, 9, (blocks, 1))) == found
    assert 0 <= found.p_value <= 1


@pytest.mark.parametrize(
    "errors", [[[1, 2]], [[1, 2, 3]], [1, 2, 3], [[1, 2], [3, 4]], [[1, 2, np.nan], [1, 2, 3]]]
)
def test_tables_that_cannot_be_ranked_are_refused(errors: list) -> None:
    with pytest.raises(DomainError, match="errors"):
        rank_test(errors)
