"""Small networks, random text and settings under which everything is measured at every step."""

from typing import Any

import numpy as np
import torch

from spectral_rank.data.text import Text
from spectral_rank.models.recurrent.language_model import LanguageModel, build_model
from spectral_rank.models.recurrent.settings import ModelSettings
from spectral_rank.training.run_settings import (
    DataSettings,
    ProbeSettings,
    RunSettings,
    TrainingSettings,
)

MODELS = {
    "elman": {"kind": "elman", "width": 6},
    "elman of low rank": {"kind": "elman", "width": 6, "recurrent_rank": 2, "input_rank": 3},
    "e5": {"kind": "e5", "width": 6, "recurrent_rank": 2, "input_rank": 3},
    "linear": {"kind": "linear", "width": 6},
    "linear of low rank": {"kind": "linear", "width": 6, "recurrent_rank": 2, "input_rank": 3},
}


def text(size: int = 4000, symbols: int = 16) -> Text:
    content = np.random.default_rng(0).integers(0, symbols, size, dtype=np.uint8)
    return Text("random bytes", "0" * 64, content[: size // 2], content[size // 2 :])


def run(
    model: dict[str, Any], training: dict[str, Any] | None = None, parts: int = 2, **data: int
) -> RunSettings:
    sizes = {"steps": 10**6, "batch": 2, "length": 4}
    return RunSettings(
        model=ModelSettings.model_validate({"vocabulary": 16, **model}),
        training=TrainingSettings.model_validate({**sizes, **(training or {})}),
        data=DataSettings(**data),
        probes=ProbeSettings(
            spectra_every=1, gradients_every=1, jacobians_every=1, gradient_parts=parts
        ),
    )


def build(config: RunSettings, dtype: torch.dtype = torch.float64) -> LanguageModel:
    return build_model(config.model, seed=0, dtype=dtype)
