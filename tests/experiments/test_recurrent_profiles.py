"""The recurrent experiments: the full sizes of the GPU profile, tried for one step when small."""

import shutil
from functools import lru_cache
from typing import Any

import pytest

from spectral_rank.experiments.recurrent import RecurrentSettings
from spectral_rank.experiments.registry import EXPERIMENTS, load
from spectral_rank.training.loop import Trained, train
from spectral_rank.training.run_settings import RunSettings

NAMES = (
    "e1_1_trained_spectrum",
    "e1_2_which_law",
    "e1_3_best_rank",
    "e2_1_nonlinearity",
    "e2_2_linear_rank",
    "e2_3_interaction",
    "e3_1_scale",
    "e3_2_data",
    "e3_3_scaling",
    "e4_1_evolution",
    "e4_2_conditioning",
    "e4_3_learning_rate",
)
SMALL = 12


@lru_cache
def runs(name: str, profile: Any) -> list[RunSettings]:
    """The training runs that an experiment asks for, one for each cell."""
    found = load(EXPERIMENTS / f"{name}.py")
    config = found.config(profile)
    return [found.run_cell.__globals__["run_of"](config, cell) for cell in found.cells(config)]


def scaled_down(run: RunSettings) -> RunSettings:
    """The same network and optimization, narrow, of at most two layers, on a short text.

    Everything that decides which code runs stays, but bfloat16, which needs a GPU.
    """
    model = run.model

    def narrow(rank: int | None) -> int | None:
        return None if rank is None else max(1, rank * SMALL // model.width)

    shape = {
        "width": SMALL,
        "layers": min(2, model.layers),
        "recurrent_rank": narrow(model.recurrent_rank),
        "input_rank": narrow(model.input_rank),
    }
    steps = {
        "steps": 1,
        "checkpoint_every": 10,
        "batch": 2 * run.training.accumulate,
        "length": 8,
        "precision": "float32",
        "evaluation_batches": 1,
    }
    data = {"corpus": shutil.__file__}
    if run.data.train_bytes is not None:
        data["train_bytes"] = 2000
    return RunSettings.model_validate(
        run.model_dump()
        | {
            "model": model.model_dump() | shape,
            "training": run.training.model_dump() | steps,
            "data": run.data.model_dump() | data,
        }
    )


def kind_of_run(run: RunSettings) -> tuple[object, ...]:
    """What two runs share if they go through the same code."""
    model = run.model
    low_rank = (model.recurrent_rank is None, model.input_rank is None)
    jacobians = run.probes is not None and run.probes.jacobians_every > 0
    return (model.kind, *low_rank, run.data.train_bytes is None, run.training.optimizer, jacobians)


@pytest.fixture(scope="module")
def first_steps() -> dict[str, Trained]:
    """Runs of this module by the hash of their settings."""
    return {}


@pytest.mark.parametrize("name", NAMES)
def test_the_first_step_of_the_gpu_profile(name, first_steps, tmp_path_factory):
    kinds = {kind_of_run(run): scaled_down(run) for run in runs(name, "gpu")}
    for small in kinds.values():
        if small.digest() not in first_steps:  # experiments share their runs
            folder = tmp_path_factory.mktemp("run")
            first_steps[small.digest()] = train(small, folder, device="cpu")
        found = first_steps[small.digest()]
        assert found.record.is_finished
        start, end = found.record.evaluations[0], found.record.evaluations[-1]
        assert (start.step, end.step) == (0, 1)
        assert end.loss != start.loss
        assert all(bool(p.isfinite().all()) for p in found.model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_the_gpu_profile_has_the_sizes_of_the_plan(name):
    asked = runs(name, "gpu")
    assert {run.training.precision for run in asked} == {"bf16"}
    assert 1024 <= max(run.model.width for run in asked) <= 2048
    assert all(run.model.residual and run.model.norm for run in asked)
    assert len({run.seed for run in asked}) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_all_profiles_ask_for_valid_runs_of_the_given_text(name):
    found = load(EXPERIMENTS / f"{name}.py")
    for profile in ("smoke", "cpu", "gpu"):
        config = found.config(profile)
        assert isinstance(config, RecurrentSettings)
        other = config.model_copy(update={"corpus": "a text"})
        run_of = found.run_cell.__globals__["run_of"]
        cells = found.cells(other)
        assert {run_of(other, cell).data.corpus for cell in cells} == {"a text"}
        assert {run_of(other, cell).seed for cell in cells} == set(config.seeds)


def test_experiments_share_their_runs():
    sweep = {run.digest() for run in runs("e1_3_best_rank", "cpu")}
    for name in ("e2_2_linear_rank", "e2_3_interaction", "e3_1_scale", "e4_2_conditioning"):
        assert sweep & {run.digest() for run in runs(name, "cpu")}
    plateau = {run.digest() for run in runs("e1_1_trained_spectrum", "cpu")}
    for name in ("e1_2_which_law", "e2_1_nonlinearity", "e4_1_evolution"):
        assert plateau & {run.digest() for run in runs(name, "cpu")}


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_a_network_is_followed_only_if_its_way_is_read(profile):
    followed = {run.digest() for run in runs("e4_2_conditioning", profile)}
    followed |= {run.digest() for run in runs("e2_1_nonlinearity", profile)}
    for name in NAMES:
        for run in runs(name, profile):
            is_followed = run.training.evaluate_every < run.training.steps
            assert is_followed == (run.digest() in followed)
