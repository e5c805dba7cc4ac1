"""A long fuzz of the checkpoint readers: `python benchmarks/fuzz_readers.py 20000`.

Each real file of tests/spectra/test_fuzz_readers.py is mutated that many times and read in a child
process, so that a crash of a parser is a finding and not the end of the run.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "spectra"))

from test_fuzz_readers import MARKER, SEEDS, read  # noqa: E402

from spectral_rank.spectra.checkpoint import CheckpointError  # noqa: E402


def mutate(content: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 4)):
        start = rng.randint(0, len(content))
        stop = min(len(content), start + rng.choice([1, 1, 1, 4, 8, 100]))
        kind = rng.choice(["bytes", "flip", "cut", "double", "end", "large"])
        if kind == "bytes":
            content[start:stop] = rng.randbytes(stop - start)
        elif kind == "flip" and start < len(content):
            content[start] ^= 1 << rng.randrange(8)
        elif kind == "cut":
            del content[start:stop]
        elif kind == "double":
            content[start:start] = content[start:stop]
        elif kind == "end" and rng.random() < 0.2:
            del content[start:]
        elif kind == "large":
            content[start:stop] = b"\xff" * (stop - start)


def fuzz(kind: str, count: int) -> None:
    suffix, original = SEEDS[kind]
    rng = random.Random(kind)
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        path = Path(f"mutated{suffix}")
        for _ in range(count):
            content = bytearray(original)
            mutate(content, rng)
            path.write_bytes(content)
            start = time.perf_counter()
            try:
                read(path)
                outcomes["read"] += 1
            except CheckpointError:
                outcomes["refused"] += 1
            slowest = max(slowest, time.perf_counter() - start)
            if Path(MARKER).exists():
                raise AssertionError(f"{kind}: code was run")
        os.chdir("/")
    print(f"{kind:18} {dict(outcomes)} slowest {slowest:.3f} s", flush=True)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    failures = 0
    for kind in SEEDS:
        child = multiprocessing.Process(target=fuzz, args=(kind, count))
        child.start()
        child.join()
        if child.exitcode != 0:
            failures += 1
            print(f"{kind:18} FAILED, exit code {child.exitcode}", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
