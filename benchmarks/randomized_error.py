"""The error bound of `largest_singular_values` against the truth: how often wrong, how sharp.

`python benchmarks/randomized_error.py 50` takes 50 draws of each spectrum.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from spectral_rank.spectra.singular_values import largest_singular_values, singular_values

D, RANKS = 256, (1, 10, 50)
INDEX = np.arange(1, D + 1.0)
SPECTRA = {
    "alpha = 1.35": INDEX**-1.35,
    "alpha = 0.5": INDEX**-0.5,
    "alpha = 0.2": INDEX**-0.2,
    "flat": np.ones(D),
    "exponential": np.exp(-INDEX),
    "two levels": np.where(INDEX <= 20, 1.0, 0.99),
    "noise": None,
}


def main() -> None:
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    wrong = 0
    print("spectrum        k  bound/s_k (median)  bound/true error (median, min)   s, exact s")
    for name, values in SPECTRA.items():
        for k in RANKS:
            relative, ratio, times = [], [], np.zeros(2)
            for seed in range(draws):
                rng = np.random.default_rng(seed)
                matrix = rng.standard_normal((D, D))
                if values is not None:
                    right = np.linalg.qr(rng.standard_normal((D, D))).Q
                    matrix = np.linalg.qr(matrix).Q * values @ right.T
                start = time.perf_counter()
                found = largest_singular_values(matrix, k, seed=seed)
                middle = time.perf_counter()
                exact = singular_values(matrix).array[:k]
                times += [middle - start, time.perf_counter() - middle]
                miss = float(np.max(np.abs(exact - found.array)))
                wrong += miss > found.error
                relative.append(found.error / exact[-1])
                ratio.append(found.error / max(miss, 1e-300))
            print(
                f"{name:14}{k:4}  {np.median(relative):18.2e}  {np.median(ratio):14.3g}"
                f"{min(ratio):10.3g}   {times[0] / draws:.4f} {times[1] / draws:.4f}"
            )
    print(f"bound below the true error: {wrong} of {draws * len(SPECTRA) * len(RANKS)}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
