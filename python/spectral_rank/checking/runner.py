"""Runs the catalogue: every entry's checks and mutants, in parallel processes."""

from __future__ import annotations

import fnmatch
import os
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from pydantic import BaseModel, computed_field

from spectral_rank.checking.examine import Budget, Outcome, examine
from spectral_rank.checking.lean_source import LeanLibrary, forbidden_words
from spectral_rank.theorems.registry import MODULES, entries, module_of, stored_statements
from spectral_rank.theorems.theorem import Mutant, Theorem

IN_PROCESS = 4
"""Up to this many theorems run in this process: starting workers would take longer."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class MutantOutcome(BaseModel):
    """How a mutant fared.

    Attributes:
        change: what is wrong with it.
        killed: whether a check refuted it; an exception inside a mutant is not a kill.
        outcomes: what each check that was run found.
    """

    change: str
    killed: bool
    outcomes: list[Outcome]


class TheoremReport(BaseModel):
    """What was found about one theorem.

    Attributes:
        name: Lean name.
        file: Lean file, below ``lean/SpectralRank``.
        line: line of the theorem.
        checks: outcome of every check.
        mutants: outcome of every mutant.
        seconds: time it took.
    """

    name: str
    file: str
    line: int
    checks: list[Outcome]
    mutants: list[MutantOutcome]
    seconds: float

    @computed_field  # type: ignore[prop-decorator]
    @property
    def passed(self) -> bool:
        """Every check passed and every mutant was killed."""
        return (
            bool(self.checks)
            and all(outcome.status == "passed" for outcome in self.checks)
            and all(mutant.killed for mutant in self.mutants)
        )

    def failures(self) -> list[str]:
        """One line for each check that did not pass and each mutant that survived."""
        lines = [
            f"{outcome.kind} check {outcome.status}: {outcome.detail}"
            for outcome in self.checks
            if outcome.status != "passed"
        ]
        for mutant in self.mutants:
            if not mutant.killed:
                found = "; ".join(
                    f"{o.kind} {o.status}" + (f" ({o.detail})" if o.status == "error" else "")
                    for o in mutant.outcomes
                )
                lines.append(f"mutant survived: {mutant.change} [{found}]")
        return lines


class Comparison(BaseModel):
    """Where the registry and the Lean sources differ.

    Attributes:
        without_entry: theorems of lean/ that have no entry.
        without_theorem: entries that have no theorem in the Lean file of their module.
        changed: theorems whose statement is not the one their entry was written for.
        forbidden: words in lean/ that would let a file compile without a proof, with their file.
    """

    without_entry: list[str]
    without_theorem: list[str]
    changed: list[str]
    forbidden: list[str]

    @property
    def agrees(self) -> bool:
        """Whether there is no difference."""
        return not any(self.model_dump().values())


class Options(BaseModel):
    """How to run the checks.

    Attributes:
        budget: how hard the property checks search.
        every_mutant_check: run every check against every mutant, not only until one refutes it.
        jobs: number of processes.
    """

    budget: Budget = Budget()
    every_mutant_check: bool = False
    jobs: int = os.cpu_count() or 1


def select(library: LeanLibrary, patterns: list[str]) -> list[str]:
    """Names of the theorems that match one of the patterns: ``NAME``, ``FILE/NAME``, with globs.

    Raises:
        KeyError: naming a pattern that matches no theorem of the library.
    """
    theorems = library.theorems()
    chosen: dict[str, None] = {}
    for pattern in patterns or ["*"]:
        matching = [
            name
            for name, declaration in theorems.items()
            if fnmatch.fnmatchcase(name, pattern)
            or fnmatch.fnmatchcase(f"{declaration.file.removesuffix('.lean')}/{name}", pattern)
        ]
        if not matching:
            raise KeyError(pattern)
        chosen.update(dict.fromkeys(matching))
    return list(chosen)


def run(library: LeanLibrary, names: list[str], options: Options) -> Iterator[TheoremReport]:
    """Reports on the named theorems, as they are finished."""
    locations = [
        (name, library.theorems()[name].file, library.theorems()[name].line) for name in names
    ]
    if options.jobs == 1 or len(names) <= IN_PROCESS:
        for name, file, line in locations:
            yield report(name, file, line, options)
        return
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(report, *location, options): location for location in locations}
        for future in as_completed(futures):
            try:
                yield future.result()
            except BrokenProcessPool:
                yield _failed(*futures[future], "process", "a worker process died")


def report(name: str, file: str, line: int, options: Options) -> TheoremReport:
    """Run the checks and mutants of one theorem; a missing or broken entry fails."""
    start = time.perf_counter()
    checks: list[Outcome] = []
    mutants: list[MutantOutcome] = []
    try:
        theorem = next((t for t in _entries_or_none(file) if t.name == name), None)
    except Exception:
        return _failed(name, file, line, "import", traceback.format_exc(limit=-3))
    if theorem is not None:
        checks = [examine(c, c.claim or theorem.claim, options.budget) for c in theorem.checks]
        mutants = [_try_mutant(theorem, m, options) for m in theorem.mutants]
    return TheoremReport(
        name=name,
        file=file,
        line=line,
        checks=checks,
        mutants=mutants,
        seconds=time.perf_counter() - start,
    )


def _try_mutant(theorem: Theorem, mutant: Mutant, options: Options) -> MutantOutcome:
    outcomes: list[Outcome] = []
    budget = options.budget.model_copy(update={"shrink": False})
    for check in theorem.checks:
        if check.claim is None:
            outcomes.append(examine(check, mutant.claim, budget))
            if outcomes[-1].status == "refuted" and not options.every_mutant_check:
                break
    killed = any(outcome.status == "refuted" for outcome in outcomes)
    return MutantOutcome(change=mutant.change, killed=killed, outcomes=outcomes)


def _failed(name: str, file: str, line: int, kind: str, detail: str) -> TheoremReport:
    outcome = Outcome(kind=kind, status="error", count=0, seconds=0, detail=detail)
    return TheoremReport(name=name, file=file, line=line, checks=[outcome], mutants=[], seconds=0)


def compare(library: LeanLibrary, files: set[str] | None = None) -> Comparison:
    """Compare the registry with the library both ways, for all Lean files or the given ones."""
    theorems = library.theorems()
    paths = [p for p in library.files() if files is None or _relative(library, p) in files]
    stored = stored_statements()
    without_entry, without_theorem, changed = [], [], []
    for file in (_relative(library, path) for path in paths):
        declared = {name for name, declaration in theorems.items() if declaration.file == file}
        registered = _registered(file)
        without_entry += sorted(declared - registered)
        without_theorem += sorted(registered - declared)
        changed += sorted(
            name
            for name in declared & registered
            if stored.get(name) != library.statement_hash(name)
        )
    if files is None:
        without_theorem += sorted(stored.keys() - theorems.keys())
    forbidden = [f"{_relative(library, p)}: {word}" for p in paths for word in forbidden_words(p)]
    return Comparison(
        without_entry=without_entry,
        without_theorem=without_theorem,
        changed=changed,
        forbidden=forbidden,
    )


def _relative(library: LeanLibrary, path: Path) -> str:
    return path.relative_to(library.root).as_posix()


def _registered(file: str) -> set[str]:
    """Names with an entry for a Lean file; none if its module cannot be imported."""
    try:
        return {theorem.name for theorem in _entries_or_none(file)}
    except Exception:  # `report` shows the traceback, theorem by theorem
        return set()


def _entries_or_none(file: str) -> tuple[Theorem, ...]:
    """The entries for a Lean file; none if nobody has written its module yet."""
    module = module_of(file)
    return entries(module) if module in MODULES else ()
