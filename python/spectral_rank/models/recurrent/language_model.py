"""A recurrent language model over bytes."""

from __future__ import annotations

import os
from decimal import Decimal

import torch
from torch import Tensor, nn
from torch.nn import functional

from spectral_rank.formulas.domain import DomainError, integer
from spectral_rank.models.recurrent.e5 import E5
from spectral_rank.models.recurrent.elman import Elman
from spectral_rank.models.recurrent.layer import LayerStates, RecurrentLayer
from spectral_rank.models.recurrent.linear_rnn import LinearRNN
from spectral_rank.models.recurrent.settings import ModelSettings
from spectral_rank.models.recurrent.weight import Weight, random_weight


def build_model(
    settings: ModelSettings, seed: int, dtype: torch.dtype = torch.float32
) -> LanguageModel:
    """A model at its start, on the CPU.

    Args:
        settings: its shape.
        seed: seed of the weights, an integer >= 0; torch's global generator is left alone.
        dtype: type of the parameters; the same numbers are drawn for every type.

    Raises:
        DomainError: if ``seed`` is no such integer, or the memory has no room for the weights.
    """
    generator = torch.Generator().manual_seed(integer("seed", seed))
    _require_memory(settings, dtype)
    return LanguageModel(settings, generator=generator, dtype=dtype)


class LanguageModel(nn.Module):
    """Embedding, recurrent layers and readout; every sequence starts from the zero state.

    A layer's output is its own, or with residuals its input plus its own.  With norms the input of
    each layer and of the readout passes an RMSNorm; the residual branch does not.

    At the start an embedded byte has entries of variance 1.  The entries of the readout have
    variance ``1 / d``.  A tied readout has this variance too, and the embedding is then the shared
    matrix times ``sqrt(d)``.

    Attributes:
        settings: shape of the model.
        layers: the recurrent layers, in order.

    Args:
        settings: shape of the model.
        generator: source of randomness, on the CPU.
        dtype: type of the parameters.
    """

    def __init__(
        self,
        settings: ModelSettings,
        *,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.settings = settings
        width, vocabulary = settings.width, settings.vocabulary
        readout = width**-0.5
        deviation = readout if settings.tied else 1.0
        self.embedding = random_weight(vocabulary, width, None, deviation, generator, dtype)
        self.layers = nn.ModuleList(
            _layer(settings, generator, dtype) for _ in range(settings.layers)
        )
        self.norms = nn.ModuleList(
            nn.RMSNorm(width, dtype=dtype) if settings.norm else nn.Identity()
            for _ in range(settings.layers + 1)
        )
        self.W_o = (
            None
            if settings.tied
            else random_weight(vocabulary, width, None, readout, generator, dtype)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of the next byte after each prefix.

        Args:
            tokens: int64, shape ``(B, T)``, each in ``[0, vocabulary)``; ``B`` and ``T`` >= 1.

        Returns:
            Logits, shape ``(B, T, vocabulary)``.

        Raises:
            DomainError: if ``tokens`` has another type or shape, or on the CPU holds a number
                outside the vocabulary (on a GPU the look would stop the queue).
        """
        logits: Tensor = self._readout()(_normed(self.norms[-1], self._run(tokens)[0]))
        return logits

    def weight_matrices(self) -> dict[str, Weight]:
        """The matrices of the layers, as ``layers.0.W_h``, then the readout ``W_o``, in order.

        The embedding is not among them, unless it is the readout.
        """
        matrices = {
            f"layers.{index}.{name}": weight
            for index, layer in enumerate(self._layers())
            for name, weight in layer.weights().items()
        }
        matrices["W_o"] = self._readout()
        return matrices

    def layer_states(self, tokens: Tensor) -> list[LayerStates]:
        """The states of every layer, ``(B, T, d)`` each.

        Args:
            tokens: as in `forward`.

        Raises:
            DomainError: as in `forward`.
        """
        found = zip(self._layers(), self._run(tokens)[1], strict=True)
        return [LayerStates(states, layer.slopes(states)) for layer, states in found]

    def _run(self, tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
        """What reaches the readout, before its norm, and the states of every layer."""
        self._check(tokens)
        table = self.embedding.dense()
        if self.settings.tied:
            table = table * self.settings.width**0.5
        layers, norms = self._layers(), self.norms
        if torch.is_autocast_enabled(tokens.device.type):
            # In half precision the gradient of a row, a sum over all its places, would lose digits.
            output, states = layers[0].run(_normed(norms[0], _rows(table, tokens)))
        else:
            output, states = layers[0].run_rows(_normed(norms[0], table), tokens)
        x = _rows(table, tokens) + output if self.settings.residual else output
        found = [states]
        for layer, norm in zip(layers[1:], norms[1:], strict=False):
            output, states = layer.run(_normed(norm, x))
            x = x + output if self.settings.residual else output
            found.append(states)
        return x, found

    def _check(self, tokens: Tensor) -> None:
        vocabulary = self.settings.vocabulary
        if tokens.dtype != torch.int64:
            raise DomainError("tokens", tokens.dtype, "a tensor of type torch.int64")
        if tokens.ndim != 2 or 0 in tokens.shape:
            rule = "of shape (batch >= 1, length >= 1)"
            raise DomainError("tokens", tuple(tokens.shape), rule)
        if tokens.device.type == "cpu":
            low, high = (int(end) for end in tokens.aminmax())
            if low < 0 or high >= vocabulary:
                wrong = low if low < 0 else high
                raise DomainError("tokens", wrong, f"integers in [0, {vocabulary})")

    def _layers(self) -> list[RecurrentLayer]:
        return list(self.layers)  # type: ignore[arg-type]

    def _readout(self) -> Weight:
        return self.embedding if self.W_o is None else self.W_o


def _require_memory(settings: ModelSettings, dtype: torch.dtype) -> None:
    """Refuse weights larger than the memory, which the system might grant and then end us for."""
    width = settings.width
    ranks = [settings.recurrent_rank, settings.input_rank]
    ranks += [settings.input_rank] if settings.kind == "e5" else []
    layer = sum(width * width if rank is None else 2 * width * rank for rank in ranks)
    tables = settings.vocabulary * width * (1 if settings.tied else 2)
    needed = (tables + settings.layers * layer) * dtype.itemsize
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        # As a Decimal: such a size may overflow a float.
        gibibytes = Decimal(needed) / 2**30
        sizes = f"{gibibytes:.3g} GiB, fit into the memory, {there / 2**30:.3g} GiB"
        raise DomainError("width", width, f"such that the weights, here {sizes}")


def _normed(norm: nn.Module, x: Tensor) -> Tensor:
    """What passes a norm, computed in the type of its weight, or passes by."""
    if isinstance(norm, nn.RMSNorm):
        # Under autocast the output of a layer may be of half precision.
        x = x.to(norm.weight.dtype)
    normed: Tensor = norm(x)
    return normed


def _rows(table: Tensor, tokens: Tensor) -> Tensor:
    """The rows of the tokens, laid out time-major, which is how the layers work."""
    return functional.embedding(tokens.t(), table).transpose(0, 1)


def _layer(
    settings: ModelSettings, generator: torch.Generator, dtype: torch.dtype
) -> RecurrentLayer:
    width, recurrent_rank, input_rank = (
        settings.width,
        settings.recurrent_rank,
        settings.input_rank,
    )
    if settings.kind == "e5":
        # The settings refuse an E5 without ranks.
        assert recurrent_rank is not None
        assert input_rank is not None
        return E5(width, recurrent_rank, input_rank, generator=generator, dtype=dtype)
    kind = Elman if settings.kind == "elman" else LinearRNN
    return kind(width, recurrent_rank, input_rank, generator=generator, dtype=dtype)
