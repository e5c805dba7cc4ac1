"""Synthetic matrices with known spectra."""

from __future__ import annotations

import numpy as np


def matrix_with(spectrum: np.ndarray, seed: int = 0) -> np.ndarray:
    """A random square matrix with the given singular values."""
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.standard_normal((len(spectrum),) * 2))[0] for _ in range(2))
    return (left * spectrum) @ right


def noisy_power_law(alpha: float, d: int, seed: int = 0, noise: float = 0.03) -> np.ndarray:
    """A matrix whose singular values are a power law times independent noise."""
    rng = np.random.default_rng(seed)
    return matrix_with(np.arange(1, d + 1.0) ** -alpha * (1 + noise * rng.standard_normal(d)), seed)
