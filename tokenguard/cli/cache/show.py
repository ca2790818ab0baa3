"""``tokenguard cache show``: one answer, and what it says of itself."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from tokenguard.cache import upkeep
from tokenguard.cache.disk import DiskStore
from tokenguard.cache.entry import Entry
from tokenguard.cache.store import Label
from tokenguard.cache.upkeep import EncryptedError
from tokenguard.cli.cache import labels
from tokenguard.cli.cache.place import Directory, cipher, directory_of, opened
from tokenguard.cli.options import AsJson
from tokenguard.cli.screen import not_found, print_json
from tokenguard.errors import ConfigError
from tokenguard.ledger.periods import from_ns, zone


def show(
    key: Annotated[str, typer.Argument(help="The entry's key, or as much of its beginning as is unique.")],
    directory: Directory = None,
    body: Annotated[bool, typer.Option("--body", help="Print the answer itself, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show an entry: its label, and what the answer says of itself. Exits with 1 if it is not there."""
    now_ns, where = time.time_ns(), directory_of(directory)
    with opened(where) as store:
        label = _only(upkeep.find(store, key.lower()), key, where)
        entry = _entry(store, label)
    facts = _facts(entry)
    if as_json:
        told = {"directory": str(where), **labels.as_json(label, now_ns), **facts}
        print_json({**told, **_body_json(entry.body)} if body else told)
        return
    for name, value in {**_shown_label(label, now_ns), **_shown_facts(facts)}.items():
        print(f"{name:<14}{value}")
    if body:
        print(f"\n{entry.body.decode(errors='backslashreplace')}")


def _only(found: list[Label], key: str, directory: Path) -> Label:
    if not found:
        raise not_found(f"No entry in {directory} has a key that begins with {key!r}.")
    if len(found) > 1:
        some = ", ".join(sorted(label.key for label in found)[:5])
        raise ConfigError(f"{len(found):,} keys begin with {key!r}; say more of it: {some} ...")
    return found[0]


def _entry(store: DiskStore, label: Label) -> Entry:
    try:
        entry = upkeep.entry(store, label, cipher())
    except EncryptedError as error:
        raise not_found(f"{label.key} cannot be shown: {error}.") from None
    except ValueError as error:
        raise not_found(f"{label.key} cannot be opened: {error}. It is never given to anybody.") from None
    if entry is None:
        raise not_found(f"{label.key} has just gone.")
    return entry


def _facts(entry: Entry) -> dict[str, Any]:
    """What a receipt says of the answer."""
    answered = entry.answered
    usage = answered.usage
    return {
        "status": entry.status,
        "content_type": entry.content_type,
        "request_id": entry.request_id,
        "answered": {n: v for n, v in answered._asdict().items() if n not in ("usage", "text")},
        "usage": usage
        and {
            "meters": {meter.value: n for meter, n in usage.meters.items() if n},
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "reasoning": usage.reasoning,
            "total": usage.total,
            "estimated": usage.estimated,
            "raw": usage.raw,
        },
    }


def _shown_label(label: Label, now_ns: int) -> dict[str, str]:
    in_zone, tz = zone(None)

    def shown(moment_ns: int) -> str:
        return f"{from_ns(moment_ns, in_zone):%Y-%m-%d %H:%M:%S} {tz}"

    left = labels.left(label, now_ns)
    return {
        "key": label.key,
        "namespace": label.namespace,
        "model": label.model,
        "dialect": label.dialect,
        "tags": ", ".join(label.tags) or "none",
        "stored": f"{shown(label.stored_ns)} ({labels.span(now_ns - label.stored_ns)} ago)",
        "expires": f"{shown(label.expires_ns)} ({left if left == 'stale' else f'in {left}'})",
        "size": f"{label.size:,} bytes",
    }


def _shown_facts(facts: dict[str, Any]) -> dict[str, str]:
    answered, usage = facts["answered"], facts["usage"]
    return {
        "status": f"{facts['status']} {facts['content_type']}",
        "request id": facts["request_id"] or "none",
        "response id": answered["response_id"] or "none",
        "served by": answered["model"] or "not said",
        "service tier": answered["service_tier"] or "not said",
        "finish": ", ".join(answered["finish_reasons"]) or "not said",
        "usage": ", ".join(f"{n:,} {meter}" for meter, n in usage["meters"].items()) if usage else "not said",
    }


def _body_json(body: bytes) -> dict[str, str]:
    """A body as JSON can have it: text, or base64 of what is none."""
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}
