import pytest
import torch

from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.baselines.candidates import CANDIDATES, LINEAR, Task, candidate
from spectral_rank.models.baselines.forecaster import parameter_count

TASK = Task(lookback=24, horizon=6, season=12)
FIXED = {"seasonal naive": 0, "NLinear": 24 * 6 + 6, "DLinear": 2 * (24 * 6 + 6)}


@pytest.mark.parametrize("name", CANDIDATES)
def test_a_candidate_uses_its_budget_and_no_more(name: str) -> None:
    model = candidate(name, TASK, 8000)
    count = parameter_count(model)
    assert count == FIXED[name] if name in FIXED else 7000 < count <= 8000
    assert model(torch.zeros(2, 24, dtype=torch.float64)).shape == (2, 6)


def test_an_unknown_name_and_a_budget_too_small_are_refused() -> None:
    with pytest.raises(DomainError, match="name = 'prophet'"):
        candidate("prophet", TASK, 8000)
    with pytest.raises(DomainError, match="budget = 10"):
        candidate(LINEAR, TASK, 10)


def test_a_complex_parameter_counts_twice() -> None:
    module = torch.nn.Module()
    module.register_parameter("z", torch.nn.Parameter(torch.zeros(3, dtype=torch.complex64)))
    assert parameter_count(module) == 6
