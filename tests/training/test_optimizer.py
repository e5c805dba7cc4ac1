import importlib.util
import itertools
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from spectral_rank.formulas.domain import DomainError
from spectral_rank.training.optimizer import (
    build_optimizer,
    keep_evaluated_weights,
    learning_rate_at,
    set_learning_rate,
    warmup_steps,
    weights_to_evaluate,
)
from spectral_rank.training.run_settings import TrainingSettings

needs_schedulefree = pytest.mark.skipif(
    importlib.util.find_spec("schedulefree") is None, reason="schedulefree is not installed"
)


def network() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def schedule(training: TrainingSettings) -> list[float]:
    return [learning_rate_at(step, training) for step in range(training.steps)]


@given(
    steps=st.integers(1, 200),
    warmup=st.floats(0, 1, exclude_max=True),
    final=st.floats(0, 1),
    rate=st.floats(1e-8, 10),
)
def test_the_schedule_rises_to_its_top_and_falls_to_its_end(
    steps: int, warmup: float, final: float, rate: float
) -> None:
    training = TrainingSettings(
        steps=steps, warmup_share=warmup, final_share=final, learning_rate=rate
    )
    rates, top = schedule(training), min(warmup_steps(training), steps - 1)
    assert all(low < high for low, high in itertools.pairwise(rates[: top + 1]))
    assert all(high >= low * (1 - 1e-12) for high, low in itertools.pairwise(rates[top:]))
    assert 0 < rates[0] <= rate
    assert max(rates) <= rate * (1 + 1e-12)
    if warmup_steps(training) < steps - 1:
        assert rates[top] == pytest.approx(rate)
        assert rates[-1] == pytest.approx(final * rate, abs=1e-15)


def test_the_cosine_is_half_way_down_half_way_through() -> None:
    training = TrainingSettings(steps=111, warmup_share=10 / 111, final_share=0.2, learning_rate=1)
    assert schedule(training)[60] == pytest.approx((1 + 0.2) / 2)


def test_only_matrices_decay() -> None:
    """Without a gradient the step of AdamW is the decay alone."""
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = build_optimizer(model, TrainingSettings(steps=1, weight_decay=0.5))
    for entry in model.parameters():
        entry.grad = torch.zeros_like(entry)
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    optimizer.step()
    torch.testing.assert_close(model.weight.data, before["weight"] * (1 - 0.1 * 0.5))
    assert torch.equal(model.bias.data, before["bias"])


def descend(model: nn.Linear, optimizer: torch.optim.Optimizer, training: TrainingSettings) -> None:
    target = torch.ones(2)
    for step in range(training.steps):
        set_learning_rate(optimizer, step, training)
        optimizer.zero_grad()
        (model(torch.ones(3)) - target).square().sum().backward()
        optimizer.step()


@needs_schedulefree
def test_schedulefree_is_evaluated_at_its_average_and_learns() -> None:
    training = TrainingSettings(steps=200, optimizer="schedulefree", learning_rate=0.05)
    model = network()
    optimizer = build_optimizer(model, training)
    descend(model, optimizer, training)
    trained_at = model.weight.detach().clone()
    with weights_to_evaluate(optimizer):
        evaluated_at = model.weight.detach().clone()
    assert not torch.equal(evaluated_at, trained_at)
    assert torch.equal(model.weight, trained_at)
    keep_evaluated_weights(optimizer)
    assert torch.equal(model.weight, evaluated_at)
    torch.testing.assert_close(model(torch.ones(3)), torch.ones(2), atol=0.01, rtol=0)


@needs_schedulefree
def test_the_rate_that_is_told_is_the_one_of_schedulefree() -> None:
    training = TrainingSettings(steps=10, optimizer="schedulefree", warmup_share=0.4)
    model = network()
    optimizer = build_optimizer(model, training)
    for step in range(training.steps):
        told = set_learning_rate(optimizer, step, training)
        model(torch.ones(3)).sum().backward()
        optimizer.step()
        assert told == pytest.approx(optimizer.param_groups[0]["scheduled_lr"])


def test_schedulefree_without_an_average_is_one_error() -> None:
    with pytest.raises(ValidationError, match="the first above 0") as caught:
        TrainingSettings(steps=1, optimizer="schedulefree", betas=(0.0, 0.99))
    [error] = caught.value.errors()
    assert isinstance(error["ctx"]["error"], DomainError)
    assert TrainingSettings(steps=1, betas=(0.0, 0.99)).betas[0] == 0


def test_schedulefree_that_is_not_installed_is_one_error() -> None:
    program = (
        "import sys; sys.modules['schedulefree'] = None\n"
        "from spectral_rank.training.optimizer import require_optimizer\n"
        "from spectral_rank.training.run_settings import TrainingSettings\n"
        "require_optimizer(TrainingSettings(steps=1, optimizer='schedulefree'))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert found.returncode == 1
    assert "pip install 'spectral-rank[train]'" in found.stderr
