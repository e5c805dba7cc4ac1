"""The dependency graph of the theorems: a layered drawing, one box per Lean file."""

from __future__ import annotations

from dataclasses import dataclass

from spectral_rank.checking.lean_source import LeanLibrary

COLUMN_WIDTH = 390
BOX_WIDTH = 290
ROW_HEIGHT = 15
HEADER_HEIGHT = 22
GAP = 18


@dataclass(frozen=True)
class Node:
    """A theorem in the drawing; ``x`` and ``y`` are the baseline of its name, in pixels."""

    name: str
    x: int
    y: int


@dataclass(frozen=True)
class Box:
    """The box of one Lean file, in pixels."""

    file: str
    x: int
    y: int
    height: int


@dataclass(frozen=True)
class Edge:
    """``user`` rests on ``used``; ``path`` is an SVG path from one to the other."""

    user: str
    used: str
    path: str


@dataclass(frozen=True)
class Graph:
    """A drawing of the theorems and what each rests on."""

    nodes: list[Node]
    boxes: list[Box]
    edges: list[Edge]
    width: int
    height: int
    box_width: int = BOX_WIDTH


def layout(library: LeanLibrary, names: list[str]) -> Graph:
    """Place the named theorems: a file stands to the right of every file it rests on."""
    theorems = library.theorems()
    uses = {name: sorted(library.theorem_uses(name) & set(names)) for name in names}
    files: dict[str, list[str]] = {}
    for name in names:
        files.setdefault(theorems[name].file, []).append(name)
    file_uses = {
        file: {theorems[used].file for name in members for used in uses[name]} - {file}
        for file, members in files.items()
    }
    bottoms: dict[int, int] = {}
    boxes: list[Box] = []
    nodes: dict[str, Node] = {}
    for file, members in files.items():
        column = _depth(file, file_uses)
        x, y = GAP + column * COLUMN_WIDTH, bottoms.get(column, GAP)
        height = HEADER_HEIGHT + ROW_HEIGHT * len(members) + 6
        boxes.append(Box(file, x, y, height))
        bottoms[column] = y + height + GAP
        for row, name in enumerate(members, start=1):
            nodes[name] = Node(name, x + 10, y + HEADER_HEIGHT + ROW_HEIGHT * row - 4)
    edges = [
        Edge(name, used, _curve(nodes[used], nodes[name])) for name in names for used in uses[name]
    ]
    return Graph(
        nodes=list(nodes.values()),
        boxes=boxes,
        edges=edges,
        width=GAP + COLUMN_WIDTH * (max(bottoms, default=0) + 1),
        height=max(bottoms.values(), default=GAP),
    )


def _depth(file: str, file_uses: dict[str, set[str]]) -> int:
    """Length of the longest chain of files below this one; Lean's imports have no cycle."""
    return max((1 + _depth(used, file_uses) for used in file_uses[file]), default=0)


def _curve(used: Node, user: Node) -> str:
    """From the used theorem to its user, left to right; inside a column, a bow on the left."""
    if used.x == user.x:
        x, bow = used.x - 4, 30
        return f"M{x},{used.y - 4} C{x - bow},{used.y - 4} {x - bow},{user.y - 4} {x},{user.y - 4}"
    start, end = used.x + BOX_WIDTH - 14, user.x - 4
    middle = (start + end) // 2
    return f"M{start},{used.y - 4} C{middle},{used.y - 4} {middle},{user.y - 4} {end},{user.y - 4}"
