"""YAML: a request, a list of them, or several documents of either."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from tokenguard.anatomy import Path
from tokenguard.lint.rules.files import broken_syntax, unreadable_file
from tokenguard.lint.sources.file import File, Problem, Source, Unit
from tokenguard.lint.sources.places import Change, Place
from tokenguard.lint.sources.shapes import requests
from tokenguard.lint.sources.yaml_places import placed

if TYPE_CHECKING:
    import yaml

_HINTS: Final = ("messages", "input", "prompt", "instructions", "model")
"""A file with none of these words has no request, and need not be parsed: most YAML is about other things."""

_MOST_NODES: Final = 1_000_000
"""Values in one document, aliases written out: a few lines of aliases can stand for billions."""


def read(file: File) -> Iterator[Unit | Problem]:
    """The requests in a YAML file. Only plain data is read: no tag makes an object."""
    if not any(hint in file.text for hint in _HINTS):
        return
    try:
        import yaml
    except ImportError:
        yield Problem(unreadable_file.run('YAML needs `pip install "tokenguard-middleware[lint]"`'))
        return
    try:
        yield from _documents(file, yaml)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = mark.index if mark is not None else 0
        yield Problem(broken_syntax.run(f"is not YAML: {error.problem or error.context}"), where, where)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        yield Problem(broken_syntax.run(f"is not YAML: {str(error).splitlines()[0]}"))


def _documents(file: File, yaml: Any) -> Iterator[Unit | Problem]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(file.text)
    try:
        while loader.check_node():
            node = loader.get_node()
            start, end = node.start_mark.index, node.end_mark.index
            if _size(node, {}) > _MOST_NODES:
                why = "its aliases stand for more than a million values"
                yield Problem(unreadable_file.run(why), start, start)
                continue
            value = _as_json(loader.construct_document(node))
            for shape in requests(value):
                places = YamlPlaces(file.text, node, shape.path, shape.above)
                yield Unit(shape.body, shape.dialect, places, start, end, shape.complete)
    finally:
        loader.dispose()


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node is, aliases written out; too many where it is in itself."""
    found = known.get(id(node))
    if found is None:
        known[id(node)] = _MOST_NODES + 1
        inner = [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]
        inner = inner if not isinstance(node.value, str) else []
        found = known[id(node)] = 1 + sum(_size(one, known) for one in inner)
    return found


def _as_json(value: Any) -> Any:
    """A value with what JSON has not (days, bytes, sets, keys that are no texts) as texts."""
    if isinstance(value, dict):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_as_json(item) for item in value]
    return value if isinstance(value, str | int | float | None) else str(value)


class YamlPlaces:
    """The places of the values of one request in a YAML text."""

    def __init__(self, text: str, document: yaml.Node, root: Path, above: int) -> None:
        self._text = text
        self._document = document
        self._root = root
        self._above = above

    def find(self, path: Path) -> Place | None:
        """Where the value at a path is; of an alias, where what it stands for is."""
        node: Any = self._document
        for key in self._root + path[self._above :]:
            node = _inside(node, key)
            if node is None:
                return None
        start, end = node.start_mark.index, node.end_mark.index
        is_text = node.tag == "tag:yaml.org,2002:str" and isinstance(node.value, str)
        return Place(start, end, placed(self._text, start, end, node.value, node.style) if is_text else None)

    def replaced(self, path: Path, value: Any) -> Change | None:
        """How the text changes for a text in it to become another one."""
        place = self.find(path)
        if place is None or place.text is None or not isinstance(value, str):
            return None
        return place.text.change(0, len(place.text.text), value)

    def removed(self, path: Path) -> Change | None:  # noqa: ARG002 # as of all places
        """Nothing is taken out: how much of the lines around it would go too is a matter of taste."""
        return None


def _inside(node: Any, key: str | int) -> Any:
    if isinstance(node.value, str):
        return None
    if isinstance(key, int):
        return node.value[key] if key < len(node.value) else None
    found = None
    for pair in node.value:
        if isinstance(pair, tuple) and pair[0].value == key:
            found = pair[1]
    return found


YAML: Final = Source("YAML", (".yaml", ".yml"), read)
