"""The language model around the layers."""

from __future__ import annotations

import itertools

import pytest
import torch
from tests.models.recurrent.naive import F64, generator, run
from torch import Tensor
from torch.nn import functional

from spectral_rank.formulas.domain import DomainError
from spectral_rank.models.recurrent.language_model import LanguageModel, build_model
from spectral_rank.models.recurrent.layer import RecurrentLayer
from spectral_rank.models.recurrent.settings import Kind, ModelSettings
from spectral_rank.training.loss import next_byte_loss

KINDS: tuple[Kind, ...] = ("elman", "e5", "linear")


def model_of(kind: Kind = "e5", **changes: object) -> LanguageModel:
    shape = {"width": 8, "layers": 2, "recurrent_rank": 3, "input_rank": 2, **changes}
    return build_model(ModelSettings.model_validate({"kind": kind, **shape}), seed=0, dtype=F64)


def tokens_of(batch: int, length: int) -> Tensor:
    return torch.randint(0, 256, (batch, length), generator=generator(1))


def naive_logits(model: LanguageModel, tokens: Tensor) -> Tensor:
    settings, embedding = model.settings, model.embedding.dense()
    W_o = model.weight_matrices()["W_o"].dense()
    x = embedding[tokens] * (settings.width**0.5 if settings.tied else 1.0)

    def norm(x: Tensor) -> Tensor:
        return functional.rms_norm(x, x.shape[-1:]) if settings.norm else x

    for layer in model.layers:
        assert isinstance(layer, RecurrentLayer)
        output = run(layer, norm(x))[0]
        x = x + output if settings.residual else output
    return norm(x) @ W_o.T


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("residual", "norm", "tied"), list(itertools.product((False, True), repeat=3))
)
def test_logits_are_those_of_the_formula(
    kind: Kind, residual: bool, norm: bool, tied: bool
) -> None:
    model = model_of(kind, residual=residual, norm=norm, tied=tied)
    tokens = tokens_of(3, 19)
    logits = model(tokens)
    assert logits.shape == (3, 19, 256)
    torch.testing.assert_close(logits, naive_logits(model, tokens), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_logits_depend_on_the_prefix_only(kind: Kind) -> None:
    model, tokens = model_of(kind, norm=True, residual=True), tokens_of(2, 30)
    torch.testing.assert_close(model(tokens[:, :11]), model(tokens)[:, :11], rtol=1e-10, atol=1e-10)


def test_layer_states_are_those_behind_the_logits() -> None:
    model, tokens = model_of("elman"), tokens_of(2, 5)
    found = model.layer_states(tokens)
    assert len(found) == 2
    for states, slopes in found:
        assert states.shape == slopes.shape == (2, 5, 8)
    W_o = model.weight_matrices()["W_o"]
    torch.testing.assert_close(W_o(found[-1].states), model(tokens), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tied", [False, True])
def test_matrices_are_named_in_order(kind: Kind, tied: bool) -> None:
    matrices = model_of(kind, tied=tied).weight_matrices()
    names = ["W_h", "W_x", "W_z"] if kind == "e5" else ["W_h", "W_x"]
    layers = [f"layers.{index}.{name}" for index in range(2) for name in names]
    assert list(matrices) == [*layers, "W_o"]
    assert [weight.rank for weight in matrices.values()][:2] == [3, 2]


def test_a_seed_gives_one_model_and_leaves_the_global_generator_alone() -> None:
    shape = ModelSettings(width=6, layers=2, recurrent_rank=2)
    before = torch.get_rng_state()
    one, same, other = build_model(shape, 3), build_model(shape, 3), build_model(shape, 4)
    assert torch.equal(torch.get_rng_state(), before)
    for name, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[name])
    assert not torch.equal(one.embedding.dense(), other.embedding.dense())


def test_no_two_parameters_share_memory() -> None:
    # safetensors refuses such a state; a tied readout is the embedding itself.
    for tied in (False, True):
        state = model_of(tied=tied).state_dict()
        assert len({value.untyped_storage().data_ptr() for value in state.values()}) == len(state)
        assert ("W_o.matrix" in state) != tied


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tied", [False, True])
def test_an_untrained_model_is_near_the_uniform_guess(kind: Kind, tied: bool) -> None:
    model = build_model(
        ModelSettings(kind=kind, width=64, recurrent_rank=8, input_rank=8, tied=tied), seed=0
    )
    tokens = tokens_of(8, 64)
    logits = model(tokens[:, :-1]).detach()
    loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    # Logits of variance v cost about v / 2 over the uniform guess.
    assert float(loss) < torch.log(torch.tensor(256.0)) + 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("residual", "norm", "tied"), list(itertools.product((False, True), repeat=3))
)
def test_bf16_is_near_float32(kind: Kind, residual: bool, norm: bool, tied: bool) -> None:
    """A bfloat16 has 8 bits: the loss is off by less than 0.2 %, its gradient by less than 5 %."""
    shape = ModelSettings(
        kind=kind,
        width=32,
        layers=2,
        recurrent_rank=8,
        input_rank=8,
        residual=residual,
        norm=norm,
        tied=tied,
    )
    model, tokens = build_model(shape, seed=0), tokens_of(4, 33)
    exact = next_byte_loss(model, tokens)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = next_byte_loss(model, tokens)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=2e-3, atol=0)
    parameters = list(model.parameters())
    gradients = [
        torch.cat([one.flatten() for one in torch.autograd.grad(loss, parameters)])
        for loss in (rough, exact)
    ]
    assert float((gradients[0] - gradients[1]).norm() / gradients[1].norm()) < 0.05


@pytest.mark.parametrize("kind", ["elman", "linear"])
@pytest.mark.parametrize("width", [10**7, 10**12, 10**30, 10**160])
def test_weights_that_no_memory_holds_are_one_error(kind: Kind, width: int) -> None:
    with pytest.raises(
        DomainError, match=r"such that the weights, here .* GiB, fit into the memory"
    ):
        build_model(ModelSettings(kind=kind, width=width), seed=0)


@pytest.mark.parametrize(
    ("tokens", "rule"),
    [
        (torch.zeros(2, 3, dtype=torch.int32), "torch.int64"),
        (torch.zeros(2, 3), "torch.int64"),
        (torch.zeros(3, dtype=torch.int64), "of shape"),
        (torch.zeros(2, 0, dtype=torch.int64), "of shape"),
        (torch.tensor([[0, 256]]), r"256: tokens must be integers in \[0, 256\)"),
        (torch.tensor([[-1, 0]]), r"-1: tokens must be integers in \[0, 256\)"),
    ],
)
def test_tokens_of_another_kind_are_refused(tokens: Tensor, rule: str) -> None:
    model = model_of()
    for call in (model, model.layer_states):
        with pytest.raises(DomainError, match=f"tokens = .*{rule}"):
            call(tokens)


@pytest.mark.parametrize("seed", [-1, 1.5, "0"])
def test_a_seed_that_is_no_integer_is_refused(seed: object) -> None:
    with pytest.raises(DomainError, match=r"seed = .* integer >= 0"):
        build_model(ModelSettings(width=2), seed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"recurrent_rank": 0},
        {"recurrent_rank": 9},
        {"input_rank": 0},
        {"input_rank": 9},
        {"input_rank": None},
    ],
)
def test_settings_refuse_a_rank_that_does_not_fit(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        model_of("e5", **changes)
