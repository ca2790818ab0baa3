"""What the application wants of a call: tags, a run, another model, its own number of retries.

Wishes travel in a context variable. Where threads and frameworks lose contexts they travel in request
headers instead, which never leave the process: the seam takes them off before anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, get_args
from urllib.parse import parse_qsl, quote, unquote, urlencode

from tokenguard.call import CacheWish
from tokenguard.durations import Duration, seconds
from tokenguard.errors import ConfigError
from tokenguard.run import Run, by_id

PREFIX: Final = "x-tokenguard-"
_TAGS: Final = PREFIX + "tags"
_RUN: Final = PREFIX + "run"
_RUN_NAME: Final = PREFIX + "run-name"
_MODEL: Final = PREFIX + "model"
_RETRIES: Final = PREFIX + "retries"
_CACHE: Final = PREFIX + "cache"
_CACHE_TTL: Final = PREFIX + "cache-ttl"
_CACHE_TAGS: Final = PREFIX + "cache-tags"
_LINT_IGNORE: Final = PREFIX + "lint-ignore"

_RULE: Final = re.compile(r"TG\d{0,3}")

CacheUsed = Literal["use", "bypass", "refresh", "only"]
_USES: Final = get_args(CacheUsed)


class Wishes(NamedTuple):
    """The wishes that hold for a call. ``None`` leaves a matter to the guard."""

    tags: Mapping[str, str] = MappingProxyType({})
    run_id: str | None = None
    run_name: str | None = None
    model: str | None = None
    retries: int | None = None
    cache: CacheWish = CacheWish()
    lint_ignore: tuple[str, ...] = ()


_NONE: Final = Wishes()
_current: ContextVar[Wishes] = ContextVar("tokenguard_wishes", default=_NONE)


def current() -> Wishes:
    """The wishes of the current context."""
    return _current.get()


@contextmanager
def context(
    *,
    tags: Mapping[str, str] | None = None,
    model: str | None = None,
    retries: int | None = None,
    cache: CacheUsed | None = None,
    cache_ttl: Duration | None = None,
    cache_tags: Sequence[str] = (),
    lint_ignore: Sequence[str] = (),
) -> Iterator[None]:
    """Set wishes for every call made inside the ``with`` block, on top of those already set.

    ::

        with tokenguard.context(tags={"team": "support", "customer": "c-17"}):
            client.chat.completions.create(...)

    Args:
        tags: Added to the tags already set; a tag set again takes the new value.
        model: Use this model whatever the call names (on Azure: the deployment of this name).
        retries: Further attempts after the first, instead of the guard's number.
        cache: ``bypass`` leaves the guard's cache alone; ``refresh`` asks the provider and keeps the new
            answer; ``only`` raises :class:`CacheMissError` rather than ask; ``use`` is as usual.
        cache_ttl: For how long the answer is good, instead of the cache's ``ttl``.
        cache_tags: Added to the tags that the answer can be invalidated by.
        lint_ignore: Rules of the linter that are off: codes, or their beginnings (``TG2``).

    Raises:
        ConfigError: A tag is not a string, ``retries`` is negative, or a wish makes no sense.
    """
    wish = _cache_wish(_current.get().cache, cache, cache_ttl, cache_tags)
    token = _current.set(_refined(_current.get(), tags, model, retries, wish, lint_ignore))
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def within(run: Run) -> Iterator[Run]:
    """Make every call inside the ``with`` block part of a run."""
    outer = _current.get()
    inner = outer._replace(tags={**outer.tags, **run.tags}, run_id=run.id, run_name=run.name)
    token = _current.set(inner)
    try:
        yield run
    finally:
        _current.reset(token)


@contextmanager
def on_our_own() -> Iterator[None]:
    """For a call that we make ourselves: part of the same run, with the same tags, and no other wish."""
    outer = _current.get()
    token = _current.set(outer._replace(model=None, retries=0, cache=CacheWish()))
    try:
        yield
    finally:
        _current.reset(token)


def headers(
    *,
    tags: Mapping[str, str] | None = None,
    model: str | None = None,
    retries: int | None = None,
    cache: CacheUsed | None = None,
    cache_ttl: Duration | None = None,
    cache_tags: Sequence[str] = (),
    lint_ignore: Sequence[str] = (),
) -> dict[str, str]:
    """The current wishes, and those given here, as request headers.

    For threads, executors and frameworks that do not carry context variables along::

        extra = tokenguard.headers()
        pool.submit(lambda: client.chat.completions.create(..., extra_headers=extra))

    Raises:
        ConfigError: As :func:`context`.
    """
    wish = _cache_wish(_current.get().cache, cache, cache_ttl, cache_tags)
    wishes = _refined(_current.get(), tags, model, retries, wish, lint_ignore)
    made: dict[str, str] = {}
    if wishes.tags:
        made[_TAGS] = urlencode(wishes.tags)
    if wishes.run_id:
        made[_RUN] = wishes.run_id
    if wishes.run_name:
        made[_RUN_NAME] = quote(wishes.run_name)
    if wishes.model:
        made[_MODEL] = quote(wishes.model)
    if wishes.retries is not None:
        made[_RETRIES] = str(wishes.retries)
    if cache is not None or wish.use != "use":  # "use" ends what a context says
        made[_CACHE] = wish.use
    if wish.ttl_s is not None:
        made[_CACHE_TTL] = str(wish.ttl_s)
    if wish.tags:
        made[_CACHE_TAGS] = ",".join(map(quote, wish.tags))
    if wishes.lint_ignore:
        made[_LINT_IGNORE] = ",".join(wishes.lint_ignore)
    return made


def from_headers(found: Mapping[str, str]) -> Wishes:
    """The current wishes, overridden by those in ``x-tokenguard-*`` headers (names in lower case).

    Raises:
        ConfigError: A header was written by hand and cannot be read.
    """
    wishes = _current.get()
    run_id = found.get(_RUN)
    if run_id:
        run = by_id(run_id)
        name = unquote(found[_RUN_NAME]) if _RUN_NAME in found else (run.name if run else None)
        tags = {**wishes.tags, **(run.tags if run else {})}
        wishes = wishes._replace(run_id=run_id, run_name=name, tags=tags)
    retries = found.get(_RETRIES)
    if retries is not None and not retries.isdecimal():
        raise ConfigError(
            f"{_RETRIES}: {retries!r} is not a whole number; use tokenguard.headers(retries=...)"
        )
    return _refined(
        wishes,
        dict(parse_qsl(found.get(_TAGS, ""), keep_blank_values=True)),
        unquote(found[_MODEL]) if _MODEL in found else None,
        int(retries) if retries is not None else None,
        _cache_wish_from(found, wishes.cache),
        tuple(code.strip() for code in found.get(_LINT_IGNORE, "").split(",") if code.strip()),
    )


def _cache_wish_from(found: Mapping[str, str], outer: CacheWish) -> CacheWish:
    written = found.get(_CACHE_TTL)
    ttl: Duration | None = written
    if written is not None:
        with suppress(ValueError):
            ttl = float(written)  # as headers() writes it; by hand it may be "7d"
    tags = tuple(unquote(tag) for tag in found.get(_CACHE_TAGS, "").split(",") if tag)
    return _cache_wish(outer, found.get(_CACHE), ttl, tags)


def _cache_wish(outer: CacheWish, use: str | None, ttl: Duration | None, tags: Sequence[str]) -> CacheWish:
    if use is None and ttl is None and tags == ():
        return outer
    if use is not None and use not in _USES:
        raise ConfigError(f"cache={use!r}: give one of {', '.join(map(repr, _USES))}")
    listed = tuple(tags) if isinstance(tags, Iterable) and not isinstance(tags, str) else (None,)
    if not all(isinstance(tag, str) and tag for tag in listed):
        raise ConfigError(f"cache_tags={tags!r}: give a tuple of texts")
    return CacheWish(
        use or outer.use,  # type: ignore[arg-type] # checked above
        outer.ttl_s if ttl is None else seconds(ttl, "cache_ttl"),
        tuple(dict.fromkeys((*outer.tags, *listed))),
    )


def checked_tags(tags: Mapping[str, str], where: str) -> dict[str, str]:
    """The tags as a new dict.

    Raises:
        ConfigError: A name or value is not a string, or a name is empty.
    """
    for name, value in tags.items():
        if not isinstance(name, str) or not isinstance(value, str) or not name:
            raise ConfigError(f"{where}: the tag {name!r}={value!r} is not a pair of strings; write str(...)")
    return dict(tags)


def _refined(
    outer: Wishes,
    tags: Mapping[str, str] | None,
    model: str | None,
    retries: int | None,
    cache: CacheWish,
    lint_ignore: Sequence[str] = (),
) -> Wishes:
    if retries is not None and (isinstance(retries, bool) or retries < 0):
        raise ConfigError(f"retries={retries!r}: give 0 (never try again) or more")
    return outer._replace(
        tags={**outer.tags, **checked_tags(tags, "tags")} if tags else outer.tags,
        model=model or outer.model,
        retries=outer.retries if retries is None else retries,
        cache=cache,
        lint_ignore=_rules(outer.lint_ignore, lint_ignore),
    )


def _rules(outer: tuple[str, ...], codes: Sequence[str]) -> tuple[str, ...]:
    if not codes:
        return outer
    if isinstance(codes, str) or not all(isinstance(code, str) and _RULE.fullmatch(code) for code in codes):
        raise ConfigError(
            f"lint_ignore={codes!r}: give a tuple of codes of rules, or their beginnings: ('TG201',)"
        )
    return (*outer, *codes)
