"""What an expression in Python comes to, as far as the source alone tells: literals, and names for them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from textwrap import dedent
from typing import Any, Final

from tokenguard.anatomy import Path
from tokenguard.lint.sources.file import File
from tokenguard.lint.sources.places import Place, Placed, joined, opaque
from tokenguard.lint.sources.python_literals import placed


class _Unknown:
    """Stands for a value that only the running program knows."""


UNKNOWN: Final = _Unknown()

_DEEPEST: Final = 40
"""How many names and operators are followed before a value counts as unknown; names may go in a circle."""

_MOST_STEPS: Final = 20_000
_LONGEST: Final = 10_000_000
"""Expressions that are looked at for one call, and characters of one text: names can multiply."""

_KEEPS: Final = ("format", "format_map")
_DEDENTS: Final = ("dedent", "cleandoc")


class Names:
    """What the names in one scope are: those that are given a value once."""

    def __init__(self, body: list[ast.stmt], outer: Names | None = None) -> None:
        self._outer = outer
        self._values: dict[str, ast.expr | None] = {}
        for statement in _statements(body):
            for name, value in _bindings(statement):
                # Given twice, or changed in place: what it is where it is used, nobody can tell.
                self._values[name] = None if name in self._values else value

    def bind(self, arguments: ast.arguments) -> None:
        """Take a function's parameters in: of them nothing is known."""
        for argument in ast.walk(arguments):
            if isinstance(argument, ast.arg):
                self._values[argument.arg] = None

    def value(self, name: str) -> ast.expr | None:
        """The expression that a name stands for."""
        if name in self._values:
            return self._values[name]
        return self._outer.value(name) if self._outer is not None else None


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a scope, without those of the functions and classes in it."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for child in ast.iter_child_nodes(statement):
            if isinstance(child, ast.stmt):
                yield from _statements([child])
            elif isinstance(child, ast.ExceptHandler | ast.match_case):
                yield from _statements(child.body)


def _bindings(statement: ast.stmt) -> Iterator[tuple[str, ast.expr | None]]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Name):
            yield target.id, statement.value
            return
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id, statement.value
        return
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name, None
        return
    for node in _own_nodes(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, None
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0], None


def _own_nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """The expressions of a statement, without the statements in it."""
    for child in ast.iter_child_nodes(statement):
        if not isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield from ast.walk(child)


class Values:
    """Works out expressions, and remembers where each part of what they come to stands in the file."""

    def __init__(self, file: File, names: Names) -> None:
        self._file = file
        self._names = names
        self._steps = 0
        self.places: dict[Path, Place] = {}

    def value(self, node: ast.expr, path: Path, depth: int = 0) -> Any:
        """What an expression comes to; :data:`UNKNOWN` where the source does not tell."""
        if depth > _DEEPEST or not self._may_go_on():
            return UNKNOWN
        if isinstance(node, ast.Name) and (meant := self._names.value(node.id)) is not None:
            return self.value(meant, path, depth + 1)
        if self._is_list(node):
            return self._items(node, path, depth)
        if isinstance(node, ast.Dict):
            return self._entries(node, path, depth)
        if isinstance(node, ast.Constant) and not isinstance(node.value, str):
            self.places[path] = Place(*self._span(node))
            return node.value if isinstance(node.value, int | float | None) else UNKNOWN
        text = self._text(node, depth)
        if text is None:
            return UNKNOWN
        self.places[path] = Place(*self._span(node), text)
        return text.text

    def _items(self, node: ast.expr, path: Path, depth: int) -> list[Any]:
        made: list[Any] = []
        for item in self._elements(node, depth):
            # What is not known has no place in the list: "*history" may be nothing.
            found = self.value(item, (*path, len(made)), depth + 1)
            if found is not UNKNOWN:
                made.append(found)
        self.places[path] = Place(*self._span(node))
        return made

    def _elements(self, node: ast.expr, depth: int) -> Iterator[ast.expr]:
        """The elements of a list, and of the lists that it is made of."""
        if depth > _DEEPEST or not self._may_go_on():
            return
        if isinstance(node, ast.List | ast.Tuple):
            for item in node.elts:
                yield from self._elements(item.value, depth + 1) if isinstance(item, ast.Starred) else (item,)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            yield from self._elements(node.left, depth + 1)
            yield from self._elements(node.right, depth + 1)
        elif isinstance(node, ast.Name) and (meant := self._names.value(node.id)) is not None:
            yield from self._elements(meant, depth + 1)

    def _is_list(self, node: ast.expr) -> bool:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._is_list(node.left) or self._is_list(node.right)
        return isinstance(node, ast.List | ast.Tuple)

    def _may_go_on(self) -> bool:
        self._steps += 1
        return self._steps <= _MOST_STEPS

    def _entries(self, node: ast.Dict, path: Path, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, item in zip(node.keys, node.values, strict=True):
            if key is None:
                found = self.value(item, path, depth + 1)
                made.update(found if isinstance(found, dict) else {})
            elif isinstance(key, ast.Constant) and isinstance(key.value, str):
                made[key.value] = self._entry(key.value, item, (*path, key.value), depth)
        self.places[path] = Place(*self._span(node))
        return {key: value for key, value in made.items() if value is not UNKNOWN}

    def _entry(self, key: str, item: ast.expr, path: Path, depth: int) -> Any:
        found = self.value(item, path, depth + 1)
        if found is UNKNOWN and key in ("content", "text"):
            self.places[path] = Place(*self._span(item))
            return self._placeholder(item).text
        return found

    def _text(self, node: ast.expr, depth: int) -> Placed | None:
        """A text in its place; ``None`` for what is no text, as far as is known."""
        if depth > _DEEPEST or not self._may_go_on():
            return None
        if isinstance(node, ast.Name):
            meant = self._names.value(node.id)
            return self._text(meant, depth + 1) if meant is not None else None
        if isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Constant) and isinstance(node.value, str)
        ):
            return placed(self._file, *self._span(node), node)
        if isinstance(node, ast.BinOp):
            return self._operation(node, depth)
        if isinstance(node, ast.Call):
            return self._called(node, depth)
        return None

    def _operation(self, node: ast.BinOp, depth: int) -> Placed | None:
        left = self._text(node.left, depth + 1)
        if isinstance(node.op, ast.Mod):
            return left
        right = self._text(node.right, depth + 1)
        if not isinstance(node.op, ast.Add) or (left is None and right is None):
            return None
        parts = [left or self._placeholder(node.left), right or self._placeholder(node.right)]
        if sum(len(part.text) for part in parts) > _LONGEST:
            return None
        return joined(parts, *self._span(node))

    def _called(self, node: ast.Call, depth: int) -> Placed | None:
        """Texts that are dedented, stripped, filled in or joined where they are used."""
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in _DEDENTS and len(node.args) == 1:
            inner = self._text(node.args[0], depth + 1)
            return None if inner is None else _dedented(inner, stripped=name == "cleandoc")
        if not isinstance(node.func, ast.Attribute):
            return None
        base = self._text(node.func.value, depth + 1)
        if base is None or name in _KEEPS:
            return base
        if name in ("strip", "lstrip", "rstrip") and not node.args:
            return _stripped(base, name)
        if name == "join" and len(node.args) == 1 and isinstance(node.args[0], ast.List | ast.Tuple):
            return self._joined(base, node.args[0], depth)
        return None

    def _joined(self, separator: Placed, node: ast.List | ast.Tuple, depth: int) -> Placed:
        parts: list[Placed] = []
        for item in node.elts:
            if parts:
                parts.append(opaque(separator.text, separator.start, separator.end))
            parts.append(self._text(item, depth + 1) or self._placeholder(item))
        return joined(parts, *self._span(node))

    def _placeholder(self, node: ast.expr) -> Placed:
        start, end = self._span(node)
        expression = self._file.text[start:end].replace("}}", "} }")
        return opaque("{{" + expression + "}}", start, end)

    def _span(self, node: ast.expr) -> tuple[int, int]:
        return span(self._file, node)


def span(file: File, node: ast.AST) -> tuple[int, int]:
    """Where a node is in the file, in characters: ``ast`` counts columns in bytes of UTF-8."""
    where: Mapping[str, int] = vars(node)
    return (
        _offset(file, where["lineno"], where["col_offset"]),
        _offset(file, where["end_lineno"], where["end_col_offset"]),
    )


def _offset(file: File, line: int, column: int) -> int:
    start = file.lines[line - 1]
    text = file.line_text(line)
    if text.isascii():
        return start + column
    return start + len(text.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "replace"))


def _dedented(text: Placed, *, stripped: bool) -> Placed:
    """What ``textwrap.dedent`` or ``inspect.cleandoc`` make of a text."""
    if stripped:
        text = _without_indent(text, first=True)
        return text.part(len(text.text) - len(text.text.lstrip("\n")), len(text.text.rstrip("\n")))
    return _without_indent(text, first=False)


def _without_indent(text: Placed, *, first: bool) -> Placed:
    lines = text.text.split("\n")
    shorter = dedent(text.text).split("\n")
    if first:
        shorter = (
            [lines[0].lstrip(), *dedent("\n".join(lines[1:])).split("\n")]
            if lines[1:]
            else [lines[0].lstrip()]
        )
    gone, position = [], 0
    for line, left in zip(lines, shorter, strict=True):
        gone.append((position, position + len(line) - len(left)))
        position += len(line) + 1
    return text.without(gone)


def _stripped(text: Placed, name: str) -> Placed:
    start = len(text.text) - len(text.text.lstrip()) if name != "rstrip" else 0
    end = len(text.text.rstrip()) if name != "lstrip" else len(text.text)
    return text.part(min(start, end), end)
