"""How well the fits of `spectral_rank.spectra` do on spectra whose law is known.

    python benchmarks/spectra_calibration.py [exponents|outliers|laws|noise|speed|all] [--quick]

The full run takes 200 draws a cell; ``--quick`` takes 20 of the smaller widths.  The thresholds of
the fits were set with seed 0.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri

from spectral_rank.spectra.fit import fit_spectrum
from spectral_rank.spectra.null_model import compare_with_noise

Floats = NDArray[np.float64]
Generator = np.random.Generator

NOISE = 0.05
EXPONENTS = (0.2, 0.5, 1.0, 1.35, 2.0)


def sorted_with_noise(law: Floats, rng: Generator) -> Floats:
    """The law times ``1 + NOISE * xi`` for each value, sorted as a decomposition returns it."""
    noisy = np.abs(law * (1 + NOISE * rng.standard_normal(len(law))))
    return np.sort(noisy)[::-1]


def power_law(exponent: float, width: int) -> Floats:
    return np.arange(1, width + 1, dtype=float) ** -exponent


def planted(law: Floats, count: int, added: bool) -> Floats:
    """Outliers ten times above a law: added to its top, or in place of its first values."""
    if added:
        return np.concatenate([10 * law[:1].repeat(count), law[: len(law) - count]])
    return np.concatenate([10 * law[:count], law[count:]])


def exponents(widths: tuple[int, ...], draws: int, seed: int) -> None:
    print("exponent of a power law with 5 % noise: error relative to the truth, 95 % interval")
    print("  width exponent   median|err|  RMS err    bias   within 2 %  coverage  right law")
    pooled = []
    for width in widths:
        for exponent in EXPONENTS:
            errors, covered, right = _recovered(
                exponent, width, draws, seed, lambda law, rng: sorted_with_noise(law, rng)
            )
            pooled.append(np.mean(covered))
            print(_row(f"{width:7d} {exponent:8.2f}", errors, covered, right, 0.02), flush=True)
    print(f"  coverage of all cells together: {np.mean(pooled):.1%}")


def outliers(widths: tuple[int, ...], draws: int, seed: int) -> None:
    print("the same with planted outliers ten times above the law")
    print("  width exponent outliers     median|err|  RMS err    bias   within 3 %  coverage")
    for width in widths:
        for exponent in EXPONENTS:
            for added in (True, False):
                for count in (1, 2, 3):

                    def with_outliers(
                        law: Floats, rng: Generator, count: int = count, added: bool = added
                    ) -> Floats:
                        return sorted_with_noise(planted(law, count, added), rng)

                    errors, covered, right = _recovered(exponent, width, draws, seed, with_outliers)
                    label = f"{width:7d} {exponent:8.2f} {count} {'added' if added else 'raised':7}"
                    print(_row(label, errors, covered, right, 0.03), flush=True)


def _recovered(
    exponent: float,
    width: int,
    draws: int,
    seed: int,
    spectrum: Callable[[Floats, Generator], Floats],
) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng([seed, width, int(100 * exponent)])
    errors, covered, right = [], [], []
    for draw in range(draws):
        values = spectrum(power_law(exponent, width), rng)
        report = fit_spectrum(values, (width, width), seed=draw)
        estimate = report.exponent
        if estimate is None:
            errors.append(np.inf)
            covered.append(False)
            right.append(False)
            continue
        errors.append(estimate.value / exponent - 1)
        covered.append(estimate.low <= exponent <= estimate.high)
        right.append(report.verdict == "power_law")
    return np.array(errors), np.array(covered), np.array(right)


def _row(label: str, errors: Floats, covered: Floats, right: Floats, within: float) -> str:
    return (
        f"{label}   {np.median(np.abs(errors)):9.2%}  {np.sqrt(np.mean(errors**2)):9.2%} "
        f"{np.mean(errors):+9.2%} {np.mean(np.abs(errors) <= within):8.1%} "
        f"{np.mean(covered):9.1%} {np.mean(right):9.1%}"
    )


def truths(width: int) -> dict[str, list[Floats]]:
    """Laws that can be told apart at this width: each bends by far more than the noise."""
    index = np.arange(1, width + 1, dtype=float)

    def broken(knees: tuple[float, ...], slopes: tuple[float, ...]) -> Floats:
        edges = np.log([1, *(width**knee for knee in knees), np.inf])
        pieces = [
            -slope * np.clip(np.log(index) - low, 0, high - low)
            for slope, low, high in zip(slopes, edges[:-1], edges[1:], strict=True)
        ]
        return np.exp(np.sum(pieces, axis=0))

    share = (index - 0.5) / width
    return {
        "power_law": [index**-0.3, index**-0.7, index**-1.35],
        "exponential": [np.exp(-4 * index / width), np.exp(-10 * index / width)],
        "stretched_exponential": [
            np.exp(-8 * (index / width) ** 0.4),
            np.exp(-10 * (index / width) ** 0.6),
        ],
        "power_law_with_cutoff": [
            index**-0.5 * np.exp(-3 * index / width),
            index**-1.0 * np.exp(-5 * index / width),
        ],
        "broken_power_law": [broken((0.5,), (0.4, 1.2)), broken((0.6,), (1.5, 0.7))],
        "twice_broken_power_law": [
            broken((0.4, 0.7), (0.3, 1.5, 0.6)),
            broken((0.4, 0.75), (1.5, 0.4, 1.6)),
        ],
        "log_normal": [np.exp(0.5 * ndtri(1 - share)), np.exp(1.0 * ndtri(1 - share))],
    }


def laws(widths: tuple[int, ...], draws: int, seed: int) -> None:
    print("which law is chosen when each is the truth (5 % noise)")
    for width in widths:
        for truth, cases in truths(width).items():
            for number, law in enumerate(cases, start=1):
                rng = np.random.default_rng([seed, width, number])
                verdicts = Counter(
                    fit_spectrum(sorted_with_noise(law, rng), (width, width), seed=draw).verdict
                    for draw in range(draws)
                )
                label = f"{width:7d} {truth:24} case {number}"
                share = verdicts[truth] / draws  # type: ignore[index]
                print(f"{label}  right {share:7.1%}   {dict(verdicts)}", flush=True)


STARTS: dict[str, Callable[[torch.Tensor, torch.Generator], torch.Tensor]] = {
    "gaussian": lambda w, g: w.normal_(generator=g),
    "xavier uniform": lambda w, g: torch.nn.init.xavier_uniform_(w, generator=g),
    "kaiming uniform": lambda w, g: torch.nn.init.kaiming_uniform_(w, generator=g),
    "truncated normal": lambda w, g: torch.nn.init.trunc_normal_(
        w, std=0.02, a=-0.04, b=0.04, generator=g
    ),
    "orthogonal": lambda w, g: torch.nn.init.orthogonal_(w, generator=g),
    "sparse 90 %": lambda w, g: torch.nn.init.sparse_(w, 0.9, generator=g),
    "masked 50 %": lambda w, g: w.normal_(generator=g).mul_(torch.rand(w.shape, generator=g) < 0.5),
}

SHAPES = ((32, 32), (64, 64), (64, 256), (256, 256), (256, 300), (1024, 128), (512, 512))


def noise(shapes: tuple[tuple[int, int], ...], draws: int, seed: int) -> None:
    print("verdict on untrained matrices, without and with one to three planted directions")
    for shape in shapes:
        for name, start in STARTS.items():
            generator = torch.Generator().manual_seed(
                (seed * 10_000 + shape[0]) * 10_000 + shape[1]
            )
            verdicts: Counter[str] = Counter()
            found = 0
            for draw in range(draws):
                matrix = start(torch.empty(shape, dtype=torch.float64), generator)
                count = draw % 4 if name != "orthogonal" else 0
                top = 10 * float(torch.linalg.matrix_norm(matrix, 2))
                for _ in range(count):
                    left = torch.randn(shape[0], 1, generator=generator, dtype=torch.float64)
                    right = torch.randn(1, shape[1], generator=generator, dtype=torch.float64)
                    matrix = matrix + top * left @ right / left.norm() / right.norm()
                values = torch.linalg.svdvals(matrix).numpy()
                null_model = compare_with_noise(values, shape)
                # The verdict on noise and on flat spectra rests on this comparison alone.
                if null_model.is_noise or null_model.is_flat:
                    verdicts["noise" if null_model.is_noise else "flat"] += 1
                else:
                    verdicts[fit_spectrum(values, shape, seed=draw).verdict] += 1
                found += null_model.outliers == count
            print(
                f"  {shape!s:12} {name:17} {dict(verdicts)!s:40} outliers counted right "
                f"{found / draws:.0%}",
                flush=True,
            )


def speed(widths: tuple[int, ...]) -> None:
    print("seconds for one report: eight laws, the null model, all intervals (one thread)")
    rng = np.random.default_rng(0)
    for width in widths:
        values = sorted_with_noise(power_law(1.0, width), rng)
        times = []
        for seed in range(5):
            start = time.perf_counter()
            fit_spectrum(values, (width, width), seed=seed)
            times.append(time.perf_counter() - start)
        print(f"  {width:7d}   best {min(times):.3f}   median {np.median(times):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parts = ("exponents", "outliers", "laws", "noise", "speed")
    parser.add_argument("part", choices=(*parts, "all"), nargs="?", default="all")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--draws", type=int, default=None)
    parser.add_argument("--widths", type=int, nargs="+", default=None)
    parser.add_argument("--seed", type=int, default=1, help="seed of all draws")
    options = parser.parse_args()
    draws = options.draws or (20 if options.quick else 200)
    widths = tuple(options.widths or ((256,) if options.quick else (256, 512, 1024, 2048)))
    runs: dict[str, Callable[[], None]] = {
        "exponents": lambda: exponents(widths, draws, options.seed),
        "outliers": lambda: outliers(widths, draws, options.seed),
        "laws": lambda: laws(widths, draws, options.seed),
        "noise": lambda: noise(SHAPES[:3] if options.quick else SHAPES, draws, options.seed),
        "speed": lambda: speed((256, 1024, 2048)),
    }
    torch.set_num_threads(1)
    for part in parts if options.part == "all" else (options.part,):
        runs[part]()


if __name__ == "__main__":
    main()
