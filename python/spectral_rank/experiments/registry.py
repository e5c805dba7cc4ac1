"""Finds the experiments of a checkout: one file per question, loaded by its path.

The protocol of such a file is described in ``experiments/README.md``.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from spectral_rank.experiments.errors import ProtocolError, UnknownExperimentError
from spectral_rank.experiments.record import (
    Analysis,
    Cell,
    Config,
    ExperimentResult,
    Profile,
    short_hash,
)
from spectral_rank.experiments.source import measuring_hash

if TYPE_CHECKING:  # workers, which load this module, certify nothing
    from spectral_rank.certify.request import InstanceRequest

EXPERIMENTS = Path(__file__).parents[3] / "experiments"
"""The questions in a checkout of the repository."""

ID = re.compile(r"[0-9A-Z]\.[0-9]+")

TEXTS = ("QUESTION", "PREDICTION", "RULE")
FUNCTIONS = ("config", "cells", "run_cell", "analyse", "draw")


@dataclass(frozen=True)
class Experiment:
    """One question of the research plan, as its file states it.

    Attributes:
        id: number in the plan, such as ``D.1``.
        question: the question.
        prediction: what the plan or the theory predicts.
        rule: the decision rule.
        theorems: Lean names of the theorems it meets.
        path: its file, absolute.
        settings: class of its configuration.
        config: the configuration of a profile.
        cells: the independent units of work of a configuration.
        run_cell: one measurement.
        analyse: estimates and verdict from the measurements, in the order of the cells.
        draw: writes the figure of a result.
        instances: the measured numbers of a result that are to become Lean theorems.
        threads: threads of each cell.
        serial: whether cells must run one after the other because they measure time.
        code_hash: hash of the code that measures.
    """

    id: str
    question: str
    prediction: str
    rule: str
    theorems: tuple[str, ...]
    path: Path
    settings: type[Config]
    config: Callable[[Profile], Config]
    cells: Callable[[Any], list[Cell]]
    run_cell: Callable[[Any, Cell], dict[str, Any]]
    analyse: Callable[[Any, list[dict[str, Any]]], Analysis]
    draw: Callable[[ExperimentResult, Path], None]
    instances: Callable[[ExperimentResult], list[InstanceRequest]]
    threads: int
    serial: bool
    code_hash: str

    def fault(self, function: str) -> ProtocolError:
        """The error for the exception, in work right now, of a function of the file."""
        trace = traceback.format_exc().rstrip()
        return ProtocolError(f"{self.id}: {function} failed; measured cells are kept\n{trace}")


def catalogue(folder: Path = EXPERIMENTS) -> dict[str, Path]:
    """The files of a folder's experiments by ID, in the order of the plan.

    Files are read, not imported: a file that is being written does not stop another from running.
    Files whose name starts with an underscore are not experiments.

    Raises:
        UnknownExperimentError: if there is no such folder.
        ProtocolError: if a file is not Python, states no ID, or repeats one.
    """
    if not folder.is_dir():
        raise UnknownExperimentError(f"{folder}: no folder of experiments; run in a checkout")
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("[!_]*.py")):
        number = _stated_id(path)
        if number in found:
            raise ProtocolError(f"{path}: ID {number} is also that of {found[number].name}")
        found[number] = path
    return dict(sorted(found.items(), key=lambda item: plan_order(item[0])))


def plan_order(number: str) -> tuple[bool, str, int]:
    """A key that sorts IDs as the plan does: 1.1, 1.2, 1.10, 2.1, D.1."""
    part, _, place = number.partition(".")
    return (not part.isdigit(), part, int(place))


def select(numbers: Iterable[str], folder: Path = EXPERIMENTS) -> list[Experiment]:
    """Load the experiments with these IDs, or all; in the order of the plan.

    Args:
        numbers: IDs such as ``D.1``; small letters do; empty for all.
        folder: folder of the experiments.

    Raises:
        UnknownExperimentError: naming an ID that no file states, and those there are.
        ProtocolError: if the file of one of them breaks the protocol.
    """
    known = catalogue(folder)
    wanted = {number.upper() for number in numbers} or known.keys()
    for number in sorted(wanted - known.keys()):
        there = ", ".join(known) or "none"
        raise UnknownExperimentError(f"{number}: no such experiment in {folder} (there: {there})")
    return [load(path) for number, path in known.items() if number in wanted]


def load(path: Path) -> Experiment:
    """Import an experiment's file and check that it keeps the protocol.

    Raises:
        ProtocolError: naming the file and what is wrong with it.
    """
    path = path.resolve()
    source = _read(path)
    module = _import(path, source)
    for name in (*TEXTS, *FUNCTIONS, "ID", "THEOREMS", "Settings"):
        if not hasattr(module, name):
            raise ProtocolError(f"{path}: it does not define {name}")
    _check_values(path, module)
    return Experiment(
        id=module.ID,
        question=module.QUESTION,
        prediction=module.PREDICTION,
        rule=module.RULE,
        theorems=module.THEOREMS,
        path=path,
        settings=module.Settings,
        config=module.config,
        cells=module.cells,
        run_cell=module.run_cell,
        analyse=module.analyse,
        draw=module.draw,
        instances=getattr(module, "instances", _no_instances),
        threads=getattr(module, "CELL_THREADS", 1),
        serial=getattr(module, "SERIAL", False),
        code_hash=measuring_hash(source),
    )


def _no_instances(result: ExperimentResult) -> list[InstanceRequest]:
    """Of an experiment that measures nothing a theorem of the library speaks of."""
    return []


def _check_values(path: Path, module: ModuleType) -> None:
    """Refuse a module whose names do not hold what the protocol says."""
    rules = {
        "the module docstring must state question, prediction, design, rule and figure": bool(
            (module.__doc__ or "").strip()
        ),
        "ID must be a string such as 'D.1'": _is_id(module.ID),
        "THEOREMS must be a tuple of Lean names": isinstance(module.THEOREMS, tuple)
        and all(isinstance(name, str) for name in module.THEOREMS),
        "Settings must be a subclass of Config": isinstance(module.Settings, type)
        and issubclass(module.Settings, Config),
        "CELL_THREADS must be an integer >= 1": _is_count(getattr(module, "CELL_THREADS", 1)),
        "SERIAL must be True or False": isinstance(getattr(module, "SERIAL", False), bool),
        "instances must be a function": callable(getattr(module, "instances", _no_instances)),
    }
    for name in TEXTS:
        value = getattr(module, name)
        rules[f"{name} must be a text"] = isinstance(value, str) and bool(value.strip())
    for name in FUNCTIONS:
        rules[f"{name} must be a function"] = callable(getattr(module, name))
    for rule, holds in rules.items():
        if not holds:
            raise ProtocolError(f"{path}: {rule}")


def _is_id(value: object) -> bool:
    return isinstance(value, str) and ID.fullmatch(value) is not None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _stated_id(path: Path) -> str:
    """The ID that a file assigns, found without running it."""
    try:
        statements = ast.parse(_read(path)).body
    except SyntaxError as error:
        raise ProtocolError(f"{path}:{error.lineno}: {error.msg}") from None
    for statement in statements:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id="ID")], value=ast.Constant(value=str(number)))
                | ast.AnnAssign(target=ast.Name(id="ID"), value=ast.Constant(value=str(number)))
            ) if _is_id(number):
                return number
    raise ProtocolError(f"{path}: it must state its number in the plan, such as ID = 'D.1'")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProtocolError(f"{path}: cannot be read: {error}") from None


def _import(path: Path, source: str) -> ModuleType:
    """Run a file as a module of its own name; two folders may hold files of the same name.

    The text that is hashed is what runs, and not bytecode that Python kept of the file: it is taken
    for that of a file changed within the same second.
    """
    name = f"_experiment_{path.stem}_{short_hash(str(path))}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None:
        raise ProtocolError(f"{path}: it is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic looks up annotations there
    try:
        exec(compile(source, str(path), "exec", dont_inherit=True), vars(module))
    except Exception as error:
        del sys.modules[name]
        raise ProtocolError(f"{_place(path, error)}: {type(error).__name__}: {error}") from error
    return module


def _place(path: Path, error: BaseException) -> str:
    """The file, with the last of its lines that an error passed through."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    return f"{path}:{lines[-1]}" if lines else str(path)
