"""Reads the Lean sources: declarations, their statements, where they stand and what they use.

A reader of this library's style, not of Lean: commands start in the first column, and a statement
ends at the first ``:=``, ``where`` or ``|`` outside brackets.  Uses are found by name; a projection
such as ``h.lower_sq`` is resolved by its last part, which can only add an arrow, never lose one.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT_NAMESPACE = "SpectralRank"
INSTANCES = "Measured"
"""Folder of the generated instances: consequences of theorems, not entries of the catalogue."""

FORBIDDEN = ("sorry", "admit", "axiom", "native_decide", "unsafe", "implemented_by")
"""Words that would let a file compile without a proof."""

_COMMAND = re.compile(
    r"(?P<modifiers>(?:@\[[^\]]*\]\s*|private\s+|protected\s+|noncomputable\s+)*)"
    r"(?P<keyword>theorem|lemma|def|abbrev|structure|instance|namespace|section|end|variable|open"
    r"|import|set_option|omit|include)\b\s*(?P<rest>.*)",
    re.DOTALL,
)
_DECLARATIONS = {"theorem", "lemma", "def", "abbrev", "structure"}
_IDENTIFIER = re.compile(r"[^\W\d][\w'!?]*(?:\.[^\W\d][\w'!?]*)*|(?<=[).])\.?[^\W\d][\w'!?]*")
_COMMENT = re.compile(r"/-.*?-/|--[^\n]*", re.DOTALL)


@dataclass(frozen=True)
class Declaration:
    """A definition, lemma or theorem of the Lean library.

    Attributes:
        name: full name without the leading ``SpectralRank.``.
        keyword: ``theorem``, ``lemma``, ``def``, ``abbrev`` or ``structure``.
        file: path below the library's folder, such as ``DeepLinear/Metric.lean``.
        line: line of the keyword, counted from 1.
        doc: docstring, unwrapped.
        statement: the signature without name and proof.
        source: the whole declaration.
        variables: the ``variable`` commands in scope, in order.
    """

    name: str
    keyword: str
    file: str
    line: int
    doc: str
    statement: str
    source: str
    variables: tuple[str, ...]


class LeanLibrary:
    """All declarations below a folder that holds ``SpectralRank.lean`` and ``SpectralRank/``.

    Raises:
        FileNotFoundError: if the folder does not hold the library.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / ROOT_NAMESPACE
        if not self.root.is_dir():
            raise FileNotFoundError(f"{folder}: no folder {ROOT_NAMESPACE} with the Lean sources")
        found = [d for path in self.files() for d in read_declarations(path, self.root)]
        self.declarations = {declaration.name: declaration for declaration in found}

    def files(self) -> list[Path]:
        """The source files, in alphabetical order, generated instances left out."""
        paths = sorted(self.root.rglob("*.lean"))
        return [path for path in paths if INSTANCES not in path.relative_to(self.root).parts]

    def theorems(self) -> dict[str, Declaration]:
        """Every ``theorem``, by name, in the order of the files."""
        return {n: d for n, d in self.declarations.items() if d.keyword == "theorem"}

    def definitions(self) -> dict[str, Declaration]:
        """Every ``def``, ``abbrev`` and ``structure``, by name."""
        return {
            n: d
            for n, d in self.declarations.items()
            if d.keyword in {"def", "abbrev", "structure"}
        }

    @functools.cached_property
    def uses(self) -> dict[str, frozenset[str]]:
        """For each declaration the others it mentions, in its statement or proof."""
        suffixes: dict[str, set[str]] = {}
        for name in self.declarations:
            head, _, last = name.rpartition(".")
            if head:
                suffixes.setdefault(last, set()).add(name)
        return {
            declaration.name: frozenset(self._mentions(declaration, declaration.source, suffixes))
            for declaration in self.declarations.values()
        }

    def theorem_uses(self, name: str) -> frozenset[str]:
        """The theorems that a declaration rests on, directly or through lemmas."""
        found: set[str] = set()
        pending, seen = list(self.uses[name]), {name}
        while pending:
            used = pending.pop()
            if used in seen:
                continue
            seen.add(used)
            if self.declarations[used].keyword == "theorem":
                found.add(used)
            else:
                pending.extend(self.uses[used])
        return frozenset(found)

    def statement_hash(self, name: str) -> str:
        """A hash of what a theorem says.

        It covers the signature, the variables in scope and every definition the signature reaches;
        white space and comments do not count.
        """
        declaration = self.declarations[name]
        parts = [*declaration.variables, declaration.statement]
        definitions = self.definitions()
        pending = [declaration.statement]
        reached: set[str] = set()
        while pending:
            text = pending.pop()
            for used in self._mentions(declaration, text, {}) & definitions.keys() - reached:
                reached.add(used)
                pending.append(definitions[used].source)
        parts.extend(definitions[used].source for used in sorted(reached))
        plain = " ".join(" ".join(parts).split())
        return hashlib.sha256(plain.encode()).hexdigest()[:16]

    def _mentions(
        self, declaration: Declaration, text: str, suffixes: dict[str, set[str]]
    ) -> set[str]:
        namespace = declaration.name.rpartition(".")[0]
        found: set[str] = set()
        for token in set(_IDENTIFIER.findall(text)):
            parts = token.lstrip(".").split(".")
            candidates = {".".join(parts[:k]) for k in range(1, len(parts) + 1)}
            if namespace:
                candidates |= {f"{namespace}.{candidate}" for candidate in candidates}
            found |= candidates & self.declarations.keys()
            if "." in token and "_" in parts[-1]:
                found |= suffixes.get(parts[-1], set())
        return found - {declaration.name}


def read_declarations(path: Path, root: Path) -> Iterator[Declaration]:
    """The declarations of one file, in order."""
    text = path.read_text(encoding="utf-8")
    plain = _blank_comments(text)
    scopes: list[tuple[str, list[str]]] = [("", [])]
    namespaces: list[str] = []
    for start, block in _blocks(plain):
        match = _COMMAND.match(block)
        if match is None:
            continue
        keyword, rest = match["keyword"], match["rest"].strip()
        if keyword in {"namespace", "section"}:
            scopes.append((keyword, []))
            if keyword == "namespace":
                namespaces.append(rest)
        elif keyword == "end":
            if scopes.pop()[0] == "namespace":
                namespaces.pop()
        elif keyword == "variable":
            scopes[-1][1].append(" ".join(rest.split()))
        elif keyword in _DECLARATIONS:
            short, statement = _split_declaration(rest)
            full = ".".join([*namespaces, short]).removeprefix(f"{ROOT_NAMESPACE}.")
            yield Declaration(
                name=full,
                keyword=keyword,
                file=path.relative_to(root).as_posix(),
                line=plain.count("\n", 0, start + match.start("keyword")) + 1,
                doc=_docstring_before(text, start),
                statement=statement,
                source=text[start : start + len(block)].strip(),
                variables=tuple(v for _, variables in scopes for v in variables),
            )


def forbidden_words(path: Path) -> list[str]:
    """The forbidden words that a file uses outside comments."""
    plain = _blank_comments(path.read_text(encoding="utf-8"))
    return [word for word in FORBIDDEN if re.search(rf"\b{word}\b", plain)]


def _blank_comments(text: str) -> str:
    """The text with comments replaced by blanks, so that positions stay."""
    return _COMMENT.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def _blocks(plain: str) -> Iterator[tuple[int, str]]:
    """Commands with their start: from a keyword in the first column to the next one."""
    starts = [match.start() for match in re.finditer(r"^\S", plain, re.MULTILINE)]
    for start, end in zip(starts, [*starts[1:], len(plain)], strict=True):
        yield start, plain[start:end].rstrip()


def _split_declaration(rest: str) -> tuple[str, str]:
    """Name and signature of a declaration, given what follows its keyword."""
    name, _, body = rest.partition(" ") if " " in rest.split("\n")[0] else rest.partition("\n")
    depth = 0
    for position, character in enumerate(body):
        if character in "([{⟨":
            depth += 1
        elif character in ")]}⟩":
            depth -= 1
        elif depth == 0 and re.match(r":=|where\b|\n\s*\|", body[position:]):
            return name, " ".join(body[:position].split())
    return name, " ".join(body.split())


def _docstring_before(text: str, start: int) -> str:
    match = re.search(r"/--((?:(?!-/).)*)-/\s*\Z", text[:start], re.DOTALL)
    return " ".join(match[1].split()) if match else ""
