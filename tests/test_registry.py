"""The registry is complete: every theorem, every definition, every stored statement."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import spectral_rank.formulas
from spectral_rank.checking.lean_source import LeanLibrary
from spectral_rank.checking.runner import compare
from spectral_rank.theorems.registry import MODULES, entries, module_of, stored_statements

LIBRARY = LeanLibrary(Path(__file__).parents[1] / "lean")


def test_registry_and_lean_agree_both_ways() -> None:
    assert compare(LIBRARY).model_dump() == {
        "without_entry": [],
        "without_theorem": [],
        "changed": [],
        "forbidden": [],
    }
    assert stored_statements().keys() == LIBRARY.theorems().keys()


def test_one_module_per_lean_file() -> None:
    files = [path.relative_to(LIBRARY.root).as_posix() for path in LIBRARY.files()]
    assert sorted(module_of(file) for file in files) == sorted(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_entries_stand_in_the_order_of_the_lean_file(module: str) -> None:
    declared = [n for n, d in LIBRARY.theorems().items() if module_of(d.file) == module]
    assert [theorem.name for theorem in entries(module)] == declared


@pytest.mark.parametrize("module", MODULES)
def test_mutants_say_different_things(module: str) -> None:
    for theorem in entries(module):
        changes = [mutant.change for mutant in theorem.mutants]
        assert len(set(changes)) == len(changes), theorem.name


def test_every_definition_has_a_function_of_the_same_name() -> None:
    package = spectral_rank.formulas
    modules = [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
    functions = {
        name
        for module in modules
        for name, value in vars(importlib.import_module(module)).items()
        if callable(value) and getattr(value, "__module__", "") == module
    }
    expected = {snake_case(name.rpartition(".")[2]) for name in LIBRARY.definitions()}
    assert sorted(expected - functions) == []


def snake_case(name: str) -> str:
    """`rankRatio` is `rank_ratio`, `InEnvelope` is `in_envelope`, `sandwichCLM` `sandwich_clm`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
