"""The tables of docs/reference/configuration.md, as the models have them.

``python -m tests.config.reference`` prints them, to paste where the page differs.
"""

from __future__ import annotations

from tokenguard.config.models import Configuration, Key, Table, keys
from tokenguard.config.toml import literal

SECTIONS = {
    (): "guard",
    ("retry",): "[retry]",
    ("cache",): "[cache]",
    ("cache", "similar"): "[cache.similar]",
    ("lint",): "[lint]",
    ("lint", "overrides"): "[[lint.overrides]]",
    ("telemetry",): "[telemetry]",
    ("prices",): "[[prices]]",
}


def tables() -> dict[str, str]:
    """Each section's table in Markdown, by the section's name."""
    return {name: "\n".join([_HEAD, *_rows(above)]) for above, name in SECTIONS.items()}


_HEAD = "| Key | Must be | Default | What it is |\n| --- | --- | --- | --- |"


def _rows(above: tuple[str, ...]) -> list[str]:
    return [_row(key) for key in keys() if key.path[:-1] == above]


def _row(key: Key) -> str:
    must = key.must.be if key.must.entry is None else f"{key.must.be}, each {key.must.entry}"
    cells = [f"`{key.path[-1]}`", must, _default(key), key.field.description or ""]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(key: Key) -> str:
    if key.field.is_required():
        return "required"
    if key.must.default is not None:
        return key.must.default
    default = key.field.default
    if isinstance(default, Table):
        return "as below"
    if default in ({}, (), None):
        return "none"
    return f"`{literal(sorted(default) if isinstance(default, frozenset) else default)}`"


def sections_of_models() -> set[tuple[str, ...]]:
    """The tables that have keys, so that a new one is missed here no more than elsewhere."""
    return {key.path[:-1] for key in keys(Configuration)}


if __name__ == "__main__":
    for name, table in tables().items():
        print(f"\n{name}\n\n{table}")
