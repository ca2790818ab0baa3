"""Where the values of a JSON text are: what ``json.loads`` does not tell, found out once somebody asks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final, NamedTuple

from tokenguard.anatomy import Path
from tokenguard.lint.sources.places import Change, Place, Placed, Run, Write

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.S)
_ESCAPE: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # two that are one character
    r"|\\u[0-9a-fA-F]{4}|\\."
)


class Node(NamedTuple):
    """A value in a JSON text: where it is, and what is in it.

    Attributes:
        start: Where it begins, in characters.
        end: Where it ends.
        entry: Where its entry begins: of a value in an object that is its key.
        inner: The values in it, by key or index, in their order.
    """

    start: int
    end: int
    entry: int
    inner: dict[str | int, Node]


class Index:
    """A well-formed JSON text, and the tree of its values, which is made once somebody asks.

    Attributes:
        text: The text.
        start: Where in the file it begins.
    """

    def __init__(self, text: str, start: int = 0) -> None:
        self.text = text
        self.start = start

    @cached_property
    def tree(self) -> Node:
        """All its values."""
        return _tree(self.text)

    @cached_property
    def is_ascii(self) -> bool:
        """Whether whoever wrote it wrote other characters as escapes."""
        return self.text.isascii()

    def node(self, path: Path) -> Node | None:
        """The value at a path; ``None`` where there is none."""
        node = self.tree
        for key in path:
            found = node.inner.get(key)
            if found is None:
                return None
            node = found
        return node


class JsonPlaces:
    """The places of the values of one request in a JSON text."""

    def __init__(self, index: Index, root: Path = (), above: int = 0) -> None:
        """Prepare; nothing is read before somebody asks.

        Args:
            index: The text, which may have other requests too.
            root: Where in it the request is.
            above: How many keys of a path lead to what the text has, and are not in it.
        """
        self._index = index
        self._root = root
        self._above = above

    def find(self, path: Path) -> Place | None:
        """Where the value at a path is."""
        node = self._index.node(self._whole(path))
        if node is None:
            return None
        start, end = node.start + self._index.start, node.end + self._index.start
        return Place(start, end, self._placed(node) if self._index.text[node.start] == '"' else None)

    def replaced(self, path: Path, value: Any) -> Change | None:
        """How the text changes for a value to become another, or for an object to have a new one."""
        node = self._index.node(self._whole(path))
        new = json.dumps(value, ensure_ascii=self._index.is_ascii)
        return self._added(path, new) if node is None else self._change(node.start, node.end, new)

    def removed(self, path: Path) -> Change | None:
        """How the text changes for a value to be taken out, with its key and a comma."""
        whole = self._whole(path)
        node, holder = self._index.node(whole), self._index.node(whole[:-1])
        if node is None or holder is None or not whole:
            return None
        before = [other.end for other in holder.inner.values() if other.end <= node.entry]
        after = [other.entry for other in holder.inner.values() if other.entry >= node.end]
        if after:
            return self._change(node.entry, after[0], "")
        return self._change(before[-1] if before else node.entry, node.end, "")

    def _added(self, path: Path, new: str) -> Change | None:
        holder = self._index.node(self._whole(path[:-1])) if path else None
        text = self._index.text
        if holder is None or text[holder.start] != "{" or not holder.inner:
            return None
        entries = list(holder.inner.values())
        before = entries[-2].end if len(entries) > 1 else holder.start + 1
        space = text[before : entries[-1].entry].replace(",", "")  # as before the last entry
        last = entries[-1].end
        return self._change(last, last, f",{space}{json.dumps(path[-1])}: {new}")

    def _change(self, start: int, end: int, new: str) -> Change:
        return Change(start + self._index.start, end + self._index.start, new)

    def _whole(self, path: Path) -> Path:
        return self._root + path[self._above :]

    def _placed(self, node: Node) -> Placed:
        text, shift = self._index.text, self._index.start
        value = json.loads(text[node.start : node.end])
        write = writer(ascii_only=self._index.is_ascii)
        return Placed(value, list(_runs(text, node, shift, write)), node.start + shift, node.end + shift)


def _tree(text: str) -> Node:
    """All values of a well-formed JSON text; of a key that is there twice the last, as ``json`` has it."""
    root: dict[str | int, Node] = {}
    stack: list[_Open] = [_Open(0, 0, root, is_list=True)]
    key: str | None = None
    entry = 0
    for match in _TOKEN.finditer(text):
        sign, top = match[0], stack[-1]
        if sign in (",", ":"):
            continue
        if sign in ("}", "]"):
            closed = stack.pop()
            _put(stack[-1], closed.key, Node(closed.start, match.end(), closed.entry, closed.inner))
        elif not top.is_list and key is None:
            key, entry = json.loads(sign), match.start()
        else:
            begin = match.start() if top.is_list else entry
            if sign in ("{", "["):
                stack.append(_Open(match.start(), begin, {}, is_list=sign == "[", key=key))
            else:
                _put(top, key, Node(match.start(), match.end(), begin, {}))
            key = None
    return root[0]


class _Open(NamedTuple):
    """An object or a list whose end has not come yet."""

    start: int
    entry: int
    inner: dict[str | int, Node]
    is_list: bool
    key: str | None = None


def _put(holder: _Open, key: str | None, node: Node) -> None:
    name: str | int = len(holder.inner) if holder.is_list or key is None else key
    holder.inner.pop(name, None)
    holder.inner[name] = node


def _runs(text: str, node: Node, shift: int, write: Write) -> Iterator[Run]:
    """The stretches of a string: what stands there as it is, and escapes, one by one."""
    at, position, last = 0, node.start + 1, node.end - 1
    for match in _ESCAPE.finditer(text, position, last):
        if match.start() > position:
            yield Run(at, match.start() - position, position + shift, match.start() + shift, write)
            at += match.start() - position
        yield Run(at, 1, match.start() + shift, match.end() + shift, write)
        at, position = at + 1, match.end()
    if last > position:
        yield Run(at, last - position, position + shift, last + shift, write)


def writer(*, ascii_only: bool) -> Write:
    """How a text is written within a JSON string: in a text of plain ASCII with escapes for the rest."""
    return lambda text: json.dumps(text, ensure_ascii=ascii_only)[1:-1]
