"""Speed and accuracy beside weightwatcher and powerlaw, on the same matrices in one run.

    pip install 'spectral-rank[bench]'
    python benchmarks/spectra_comparison.py [--width 1024] [--draws 3]

Each matrix has singular values ``i ** -alpha`` times 5 % independent noise.  The heavy-tail tools
report the exponent of the density of the eigenvalues; it is converted to the exponent of the
singular values with ``alpha = 1 / (2 (density exponent - 1))``.
"""

from __future__ import annotations

import argparse
import logging
import time
import warnings
from collections.abc import Callable

import numpy as np
import powerlaw
import torch
import weightwatcher
from rich.console import Console
from rich.table import Table

from spectral_rank.spectra.fit import fit_spectrum
from spectral_rank.spectra.singular_values import singular_values

ALPHAS = (0.3, 0.5, 0.9, 1.35, 2.0)
NOISE = 0.05


def matrix(alpha: float, width: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    spectrum = np.arange(1, width + 1.0) ** -alpha * (1 + NOISE * rng.standard_normal(width))
    left, right = (np.linalg.qr(rng.standard_normal((width, width)))[0] for _ in range(2))
    return ((left * spectrum) @ right).astype(np.float32)


def ours(weights: np.ndarray) -> float:
    spectrum = singular_values(weights)
    exponent = fit_spectrum(spectrum.values, spectrum.shape).exponent
    return exponent.value if exponent is not None else float("nan")


def by_weightwatcher(weights: np.ndarray) -> float:
    layer = torch.nn.Linear(*weights.shape[::-1], bias=False)
    layer.weight.data = torch.from_numpy(weights)
    details = weightwatcher.WeightWatcher(model=torch.nn.Sequential(layer)).analyze()
    return of_density(float(details.alpha.iloc[0]))


def by_powerlaw(weights: np.ndarray) -> float:
    eigenvalues = np.linalg.svd(weights.astype(float), compute_uv=False) ** 2
    return of_density(float(powerlaw.Fit(eigenvalues, verbose=False).alpha))


def of_density(exponent: float) -> float:
    return 1 / (2 * (exponent - 1))


TOOLS: dict[str, Callable[[np.ndarray], float]] = {
    "spectral-rank": ours,
    "weightwatcher": by_weightwatcher,
    "powerlaw": by_powerlaw,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--draws", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    table = Table("tool", "alpha", "RMS relative error", "seconds per matrix", box=None)
    seconds: dict[str, list[float]] = {name: [] for name in TOOLS}
    for tool in TOOLS.values():
        tool(matrix(1.0, 128, 0))  # imports and caches stay out of the times
    for alpha in ALPHAS:
        weights = [matrix(alpha, arguments.width, seed) for seed in range(arguments.draws)]
        for name, tool in TOOLS.items():
            errors = []
            for weight in weights:
                start = time.perf_counter()
                errors.append(tool(weight) / alpha - 1)
                seconds[name].append(time.perf_counter() - start)
            error = float(np.sqrt(np.mean(np.square(errors))))
            spent = float(np.median(seconds[name][-arguments.draws :]))
            table.add_row(name, f"{alpha}", f"{100 * error:.2f} %", f"{spent:.2f}")
    Console().print(table)
    base = np.median(seconds["spectral-rank"])
    for name in TOOLS:
        print(f"{name}: {np.median(seconds[name]) / base:.1f} times the time of spectral-rank")


if __name__ == "__main__":
    main()
