"""The settings of a recurrent language model, checked before anything is built."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spectral_rank.formulas.domain import DomainError, integer

Kind = Literal["elman", "e5", "linear"]


class ModelSettings(BaseModel):
    """Shape of a recurrent language model over bytes.

    ``elman`` is ``h' = tanh(W_h h + W_x x + b)``; ``e5`` the same of low rank with the output
    ``h' * silu(W_z x)``; ``linear`` is ``h' = W_h h + W_x x``.

    Attributes:
        kind: the recurrence.
        width: width ``d`` of the states and the embedding.
        layers: number of recurrent layers.
        recurrent_rank: rank of ``W_h = U_h V_h``, 1 to ``d``; ``None`` for a dense ``W_h``.
        input_rank: rank of ``W_x`` (and ``W_z``), likewise.
        residual: whether a layer's input is added to its output.
        norm: whether the input of each layer, and of the readout, passes an RMSNorm.
        tied: whether the readout is the transposed embedding.
        vocabulary: number of tokens; 256 for bytes.

    Raises:
        pydantic.ValidationError: a ``ValueError``, if a rank is below 1 or above the width, or an
            ``e5`` lacks a rank.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind = "elman"
    width: int = Field(ge=1)
    layers: int = Field(default=1, ge=1)
    recurrent_rank: int | None = None
    input_rank: int | None = None
    residual: bool = False
    norm: bool = False
    tied: bool = False
    vocabulary: int = Field(default=256, ge=2)

    @model_validator(mode="after")
    def _ranks_fit(self) -> Self:
        for name in ("recurrent_rank", "input_rank"):
            rank = getattr(self, name)
            if rank is not None:
                integer(name, rank, at_least=1, at_most=self.width)
            elif self.kind == "e5":
                raise DomainError(name, rank, "given: an e5 is of low rank throughout")
        return self
