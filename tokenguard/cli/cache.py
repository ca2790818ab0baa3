"""``tokenguard cache``: what is in the response cache and what it is worth; invalidate and check answers.

No command makes a directory, and none evicts: whoever only looks leaves everything as it is.
"""

from __future__ import annotations

import base64
import heapq
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from tokenguard import config
from tokenguard.cache import Cache, upkeep
from tokenguard.cache.cipher import Cipher
from tokenguard.cache.disk import DiskStore, default_directory
from tokenguard.cache.entry import Entry
from tokenguard.cache.store import Label, Which
from tokenguard.cache.upkeep import Check, EncryptedError
from tokenguard.cli.cache_calibrate import calibrate
from tokenguard.cli.report import NO_LEDGER, NO_LEDGER_YET, console, ledger_file, shown_range
from tokenguard.durations import seconds
from tokenguard.errors import ConfigError
from tokenguard.ledger.cache_use import CacheUse, cache_use
from tokenguard.ledger.periods import from_ns, zone
from tokenguard.pricing.money import format_usd

_SHORT: Final = 12  # digits of a key, as they are shown; any unique beginning names an entry
_SHOWN: Final = 20  # bad entries, of which there may be as many as there are entries

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Look into the response cache on this machine's disk, and invalidate answers.",
)

Directory = Annotated[
    Path | None,
    typer.Option(
        help="Where the cache is. Default: the configured directory, else the one in your folder for caches.",
        show_default=False,
    ),
]
Tag = Annotated[str | None, typer.Option(help="Only answers with this tag.", show_default=False)]
Model = Annotated[str | None, typer.Option(help="Only answers of this model.", show_default=False)]
Namespace = Annotated[str | None, typer.Option(help="Only answers of this namespace.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


app.command()(calibrate)


@app.command()
def stats(
    directory: Directory = None,
    ledger: Annotated[
        Path | None, typer.Option(help="The ledger's file. Default: the configured one.", show_default=False)
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="From when: 2026-11-01, 2026-11-01T15:00, 24h, 7d, 2w, today, yesterday."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Until when, in the same ways; a date is in the range to its end.")
    ] = None,
    tz: Annotated[
        str | None, typer.Option(help="Time zone of dates, e.g. Europe/Berlin. Default: this machine's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what is stored, and from the ledger what was looked up, what it saved, and what gave the hits.

    A cache in memory only has no directory, and a cache may be used without a ledger: what there is is shown.
    Exits with 1 if there is neither, or if what was named is not there.
    """
    now_ns, where = time.time_ns(), _directory(directory)
    stored = _stored(where, now_ns) if directory is not None or upkeep.is_cache(where) else None
    path = ledger_file(ledger)
    use = None
    if path is not None and Path(path).exists():
        use = cache_use(path, since=since, until=until, tz=tz, now_ns=now_ns)
    missing = [] if stored else [_missing(where)]
    if use is None:
        missing.append(NO_LEDGER if path is None else NO_LEDGER_YET.format(path))
        if ledger is not None or stored is None:
            raise _not_found(*missing)
    if as_json:
        print(json.dumps(_stats_json(stored, path, use), indent=2))
        return
    screen = console()
    for part in (*(_stored_parts(stored) if stored else ()), *(_use_parts(use, stored) if use else ())):
        screen.print(part)
    for note in (*(_use_notes(use) if use else ()), *(stored.notes if stored else ()), *missing):
        screen.print(note, markup=False, highlight=False)


@app.command()
def ls(
    directory: Directory = None,
    tag: Tag = None,
    model: Model = None,
    namespace: Namespace = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List entries, the newest first. Exits with 1 if there are none."""
    now_ns, where, which = time.time_ns(), _directory(directory), Which(tag, model, namespace)
    with _opened(where) as store:
        labels, refused = _labels(store)
    found = [label for label in labels if which.holds(label)]
    newest = heapq.nlargest(limit, found, key=lambda label: label.stored_ns)
    if as_json:
        entries = [_label_json(label, now_ns) for label in newest]
        print(json.dumps({"directory": str(where), "total": len(found), "entries": entries}, indent=2))
    else:
        screen = console()
        if found:
            screen.print(_label_table(newest, now_ns))
        for note in _listing_notes(len(found), len(newest), refused):
            screen.print(note, markup=False, highlight=False)
    if not found:
        raise typer.Exit(1)


@app.command()
def show(
    key: Annotated[str, typer.Argument(help="The entry's key, or as much of its beginning as is unique.")],
    directory: Directory = None,
    body: Annotated[bool, typer.Option("--body", help="Print the answer itself, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show an entry: its label, and what the answer says of itself. Exits with 1 if it is not there."""
    now_ns, where = time.time_ns(), _directory(directory)
    with _opened(where) as store:
        label = _only(upkeep.find(store, key.lower()), key, where)
        try:
            entry = upkeep.entry(store, label, _cipher())
        except EncryptedError as error:
            raise _not_found(f"{label.key} cannot be shown: {error}.") from None
        except ValueError as error:
            raise _not_found(
                f"{label.key} cannot be opened: {error}. It is never given to anybody."
            ) from None
    if entry is None:
        raise _not_found(f"{label.key} has just gone.")
    facts = _facts(entry)
    if as_json:
        told = {"directory": str(where), **_label_json(label, now_ns), **facts}
        print(json.dumps({**told, **_body_json(entry.body)} if body else told, indent=2))
        return
    for name, value in {**_shown_label(label, now_ns), **_shown_facts(facts)}.items():
        print(f"{name:<14}{value}")
    if body:
        print(f"\n{entry.body.decode(errors='backslashreplace')}")


@app.command()
def invalidate(
    directory: Directory = None,
    tag: Tag = None,
    model: Model = None,
    namespace: Namespace = None,
    older_than: Annotated[
        str | None,
        typer.Option(help="Only answers that came longer ago than this: 90s, 12h, 7d.", show_default=False),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All answers.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before all answers are removed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove the answers that have all that is said, in every process: none of them is given any more.

    Nor is an answer kept that was asked for before. A namespace alone is given up as a whole.
    Ends with 0 also if there were none.
    """
    age_ns = None if older_than is None else int(seconds(older_than, "--older-than") * 1e9)
    which = Which(tag, model, namespace, None if age_ns is None else time.time_ns() - age_ns)
    if (which == Which()) is not everything:
        raise ConfigError(
            "say what to invalidate: --tag, --model, --namespace or --older-than; or --all alone"
        )
    where = _directory(directory)
    if everything and not yes:
        with _opened(where) as store:
            n = len(_labels(store)[0])
        if not typer.confirm(f"Remove all {n:,} answers from {where}?", err=True):
            raise _not_found("Nothing was removed.")
    with _opened(where) as store:
        removed = upkeep.invalidate(store, which)
    if as_json:
        print(json.dumps({"directory": str(where), "removed": removed}, indent=2))
    else:
        print(f"{removed:,} answers were removed from {where}.")


@app.command()
def verify(
    directory: Directory = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove what is damaged or refused.")] = False,
    as_json: AsJson = False,
) -> None:
    """Open every entry, and tell what is damaged or was not written by us. Exits with 1 if any is left."""
    where = _directory(directory)
    with _opened(where) as store:
        found = upkeep.check(store, time.time_ns(), _cipher())
        if remove and found.bad:
            upkeep.discard(store, found)
    removed = len(found.bad) if remove else 0
    if as_json:
        print(json.dumps({"directory": str(where), **_check_json(found), "removed": removed}, indent=2))
    else:
        print("\n".join(_check_lines(found, where, removed)))
    if len(found.bad) > removed:
        raise typer.Exit(1)


# Where it is


def _directory(given: Path | None) -> Path:
    """The directory that was asked for, else the configured one, else the default one."""
    if given is not None:
        return given
    settings = _configured()
    store = None if settings is None else settings.store
    return Path(store) if isinstance(store, str | Path) and store != "disk" else default_directory()


def _configured() -> Cache | None:
    settings = config.guard_arguments(config.load()).get("cache")
    return settings if isinstance(settings, Cache) else None


def _cipher() -> Cipher | None:
    """What the configured cache encrypts with, if it does."""
    settings = _configured()
    return None if settings is None or settings.encryption_key is None else Cipher(settings.encryption_key)


@contextmanager
def _opened(directory: Path) -> Iterator[DiskStore]:
    try:
        with upkeep.existing(directory) as store:
            yield store
    except FileNotFoundError:
        raise _not_found(_missing(directory)) from None


def _missing(directory: Path) -> str:
    return f"There is no cache at {directory}: Cache(store=...) makes one. Name another one with --directory."


def _not_found(*messages: str) -> typer.Exit:
    for message in messages:
        typer.echo(message, err=True)
    return typer.Exit(1)


def _labels(store: DiskStore) -> tuple[list[Label], int]:
    """The labels, and how many entries are refused."""
    labels, refused = [], 0
    for label in store.listed():
        if isinstance(label, Label):
            labels.append(label)
        else:
            refused += 1
    return labels, refused


def _only(found: list[Label], key: str, directory: Path) -> Label:
    if not found:
        raise _not_found(f"No entry in {directory} has a key that begins with {key!r}.")
    if len(found) > 1:
        some = ", ".join(sorted(label.key for label in found)[:5])
        raise ConfigError(f"{len(found):,} keys begin with {key!r}; say more of it: {some} ...")
    return found[0]


# Entries


def _label_json(label: Label, now_ns: int) -> dict[str, Any]:
    return {**label._asdict(), "stale": label.expires_ns <= now_ns}


def _label_table(labels: Iterable[Label], now_ns: int) -> Table:
    table = Table()
    for head in ("Key", "Model", "Dialect", "Age", "Expires in", "Size", "Tags", "Namespace"):
        table.add_column(head, justify="right" if head in ("Age", "Expires in", "Size") else "left")
    for label in labels:
        cells = [
            *(label.key[:_SHORT], label.model, label.dialect, _span(now_ns - label.stored_ns)),
            *(_left(label, now_ns), decimal(label.size), ", ".join(label.tags), label.namespace),
        ]
        table.add_row(*map(Text, cells))
    return table


def _listing_notes(found: int, shown: int, refused: int) -> Iterator[str]:
    if not found:
        yield "No entries."
    elif shown < found:
        yield f"The newest {shown:,} of {found:,} entries; --limit shows more."
    if refused:
        yield f"{refused:,} entries are refused: 'tokenguard cache verify' tells why."


def _left(label: Label, now_ns: int) -> str:
    return "stale" if label.expires_ns <= now_ns else _span(label.expires_ns - now_ns)


def _span(ns: int) -> str:
    """A length of time, in the largest unit of which it has one."""
    whole = max(0, ns // 10**9)
    unit, size = next(((unit, n) for unit, n in _UNITS if whole >= n), ("s", 1))
    return f"{whole // size}{unit}"


_UNITS: Final = (("d", 86_400), ("h", 3600), ("m", 60))


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

    left = "stale" if label.expires_ns <= now_ns else f"in {_left(label, now_ns)}"
    return {
        "key": label.key,
        "namespace": label.namespace,
        "model": label.model,
        "dialect": label.dialect,
        "tags": ", ".join(label.tags) or "none",
        "stored": f"{shown(label.stored_ns)} ({_span(now_ns - label.stored_ns)} ago)",
        "expires": f"{shown(label.expires_ns)} ({left})",
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


# What a check found


def _check_json(found: Check) -> dict[str, Any]:
    kinds = [bad.kind for bad in found.bad]
    return {
        "entries": found.sound + found.encrypted + len(found.bad),
        "sound": found.sound,
        "stale": found.stale,
        "encrypted": found.encrypted,
        "damaged": kinds.count("damaged"),
        "refused": kinds.count("refused"),
        "bad": [bad._asdict() for bad in found.bad],
    }


def _check_lines(found: Check, directory: Path, removed: int) -> Iterator[str]:
    told = _check_json(found)
    yield (
        f"{told['entries']:,} entries in {directory}: {found.sound:,} sound ({found.stale:,} stale), "
        f"{told['damaged']:,} damaged, {told['refused']:,} refused."
    )
    if found.encrypted:
        yield f"{found.encrypted:,} are encrypted, and cannot be checked without a configured encryption_key."
    for bad in found.bad[:_SHOWN]:
        yield f"  {bad.kind}  {bad.key or '(no key)'}  {bad.reason}"
    if len(found.bad) > _SHOWN:
        yield f"  ... and {len(found.bad) - _SHOWN:,} more; --json tells all."
    if removed:
        yield f"{removed:,} were removed."
    elif found.bad:
        yield "They are never given to anybody; --remove removes them."


# What is stored, and what it was worth


def _stats_json(stored: _Stored | None, ledger: str | None, use: CacheUse | None) -> dict[str, Any]:
    return {
        "directory": stored and str(stored.directory),
        "store": stored and stored.as_json(),
        "ledger": use and ledger,
        "use": use and {**use.as_json(), "curve": list(_curve(use, stored))},
    }


class _Kept(NamedTuple):
    """The entries of a model, or of all of them."""

    entries: int
    bytes: int
    stale: int


class _Stored(NamedTuple):
    """What a directory has."""

    directory: Path
    sizes: dict[str, int]
    models: dict[str, _Kept]
    total: _Kept
    refused: int

    def as_json(self) -> dict[str, Any]:
        models = [{"model": model, **kept._asdict()} for model, kept in self.models.items()]
        return {**self.total._asdict(), "refused": self.refused, "models": models}

    @property
    def notes(self) -> Iterator[str]:
        return _listing_notes(self.total.entries, self.total.entries, self.refused)


def _stored(directory: Path, now_ns: int) -> _Stored:
    with _opened(directory) as store:
        labels, refused = _labels(store)
    by_model: dict[str, list[Label]] = {}
    for label in labels:
        by_model.setdefault(label.model, []).append(label)
    models = {model: _kept(its, now_ns) for model, its in by_model.items()}
    largest_first = dict(sorted(models.items(), key=lambda item: (-item[1].bytes, item[0])))
    sizes = {label.key: label.size for label in labels}
    return _Stored(directory, sizes, largest_first, _kept(labels, now_ns), refused)


def _kept(labels: list[Label], now_ns: int) -> _Kept:
    stale = sum(label.expires_ns <= now_ns for label in labels)
    return _Kept(len(labels), sum(label.size for label in labels), stale)


def _stored_parts(stored: _Stored) -> Iterator[Text | Table]:
    """Titles, which are not folded to the width of their tables, and tables."""
    if not stored.models:
        return
    yield Text(f"In {stored.directory}")
    table = Table(show_footer=True)
    table.add_column("Model", footer="Total", overflow="fold")
    for i, head in enumerate(("Entries", "Size", "Stale")):
        table.add_column(head, footer=_kept_cells(stored.total)[i], justify="right")
    for model, kept in stored.models.items():
        table.add_row(Text(model), *_kept_cells(kept))
    yield table


def _kept_cells(kept: _Kept) -> tuple[str, str, str]:
    return f"{kept.entries:,}", decimal(kept.bytes), _share(kept.stale, kept.entries)


def _curve(use: CacheUse, stored: _Stored | None) -> Iterator[dict[str, Any]]:
    """How few keys give how many of the hits, and what of them is in the directory still."""
    for point in use.curve:
        told: dict[str, Any] = {**point._asdict(), "share_of_keys": point.keys / use.keys}
        if stored is not None:
            sizes = [stored.sizes.get(key) for key, _ in use.hits_by_key[: point.keys]]
            there = [size for size in sizes if size is not None]
            told |= {"entries": len(there), "bytes": sum(there)}
        yield told


def _use_parts(use: CacheUse, stored: _Stored | None) -> Iterator[Text | Table]:
    if not use.by_status:
        return
    yield Text(f"Calls, {shown_range(use.since_ns, use.until_ns, use.tz)}")
    yield _counts_table("Cache", use.by_status)
    for title, reasons in (("Passed by, because", use.bypassed), ("Not kept, because", use.not_kept)):
        if reasons:
            yield Text(title)
            yield _counts_table("Reason", reasons)
    if use.curve:
        yield Text(f"Which of the {use.keys:,} keys give the hits")
        yield _curve_table(use, stored)


def _counts_table(head: str, counts: Mapping[str, int]) -> Table:
    whole = sum(counts.values())
    table = Table(show_footer=True)
    table.add_column(head, footer="Total")
    table.add_column("Calls", footer=f"{whole:,}", justify="right")
    table.add_column("Share", justify="right")
    for name, n in counts.items():
        table.add_row(Text(name), f"{n:,}", _share(n, whole))
    return table


def _curve_table(use: CacheUse, stored: _Stored | None) -> Table:
    table = Table()
    for head in ("Hits", "Keys", "Of all keys", *(("Still there", "Size") if stored else ())):
        table.add_column(head, justify="right")
    for point in _curve(use, stored):
        cells = [f"{point['percent']} %", f"{point['keys']:,}", _share(point["keys"], use.keys)]
        if stored:
            cells += [f"{point['entries']:,}", decimal(point["bytes"])]
        table.add_row(*cells)
    return table


def _use_notes(use: CacheUse) -> Iterator[str]:
    if not use.by_status:
        yield "The ledger has no call of a guard with a cache in this range."
        return
    if use.lookups:
        yield f"Hit rate: {_share(use.hits, use.lookups)} ({use.hits:,} of {use.lookups:,} lookups)."
    yield f"Saved: {format_usd(use.saved_nano)}, by {use.answered:,} answers."
    if use.unpriced:
        yield f"Without a known price, and so not in what was saved: {use.unpriced:,} of these answers."


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
