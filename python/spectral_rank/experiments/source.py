"""Which part of an experiment's file its measurements depend on, as a hash.

A cell measured by other code must not be mixed with new ones, but a corrected sentence, figure or
analysis must not cost the measurements.  So the hash covers what ``run_cell`` can reach by name
inside the file, without comments and docstrings.  Code the file imports is not covered: its version
stands in the result.
"""

from __future__ import annotations

import ast

from spectral_rank.experiments.record import short_hash

ROOTS = frozenset({"run_cell", "Settings"})


def measuring_hash(source: str) -> str:
    """The hash of the statements of a module that ``run_cell`` can reach.

    Args:
        source: text of an experiment's file, valid Python.

    Returns:
        12 hexadecimal digits, the same after any change to comments, docstrings, layout, and
        functions that only the analysis or the figure uses.
    """
    statements = ast.parse(source).body
    reached: set[int] = set()
    names = set(ROOTS)
    grown = True
    while grown:
        grown = False
        for position, statement in enumerate(statements):
            defined = _defined(statement)
            # A statement that defines nothing acts by being there, such as a setting of torch.
            if position not in reached and (defined & names or not defined):
                reached.add(position)
                names |= _used(statement)
                grown = True
    return short_hash("\n".join(_text(statements[position]) for position in sorted(reached)))


def _defined(statement: ast.stmt) -> set[str]:
    """The names that a statement binds at the top of the module."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return {alias.asname or alias.name.partition(".")[0] for alias in names}
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            return {
                node.id
                for node in ast.walk(statement)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            }
        case ast.Expr(value=ast.Constant()):
            return {"__doc__"}
    return set()


def _used(statement: ast.stmt) -> set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


def _text(statement: ast.stmt) -> str:
    """The statement in one layout, without docstrings and comments."""
    for node in ast.walk(statement):
        match node:
            case (
                ast.FunctionDef(body=[ast.Expr(value=ast.Constant(value=str())), *rest])
                | ast.AsyncFunctionDef(body=[ast.Expr(value=ast.Constant(value=str())), *rest])
                | ast.ClassDef(body=[ast.Expr(value=ast.Constant(value=str())), *rest])
            ):
                node.body = rest or [ast.Pass()]
    return ast.unparse(statement)
