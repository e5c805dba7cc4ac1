"""How long the exact rank searches take: `make bench`."""

from __future__ import annotations

import time
from collections.abc import Callable

from spectral_rank.formulas.capture import capture_rank
from spectral_rank.formulas.rank import optimal_rank

REPEATS = 20


def best_of(function: Callable[[], int]) -> tuple[float, int]:
    """The shortest of `REPEATS` runs in milliseconds, and the result."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times), result


def main() -> None:
    cases: list[tuple[str, Callable[[], int]]] = [
        ("optimal_rank(1.35, 0.05, 10**9)", lambda: optimal_rank(1.35, 0.05, 10**9)),
        *(
            (f"capture_rank({a}, 0.05, 10**7)", lambda a=a: capture_rank(a, 0.05, 10**7))
            for a in (0.3, 0.5, 1.35)
        ),
    ]
    start = time.perf_counter()
    optimal_rank(1.35, 0.05, 10**9)
    print(f"{'first call of a process':34} {1e3 * (time.perf_counter() - start):8.2f} ms")
    for label, function in cases:
        milliseconds, result = best_of(function)
        print(f"{label:34} {milliseconds:8.2f} ms   = {result}")


if __name__ == "__main__":
    main()
