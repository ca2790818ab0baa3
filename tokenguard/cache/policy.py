"""What to cache, where, and for how long: the settings of a guard's cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from tokenguard.cache.headers import ignorable
from tokenguard.cache.key import MAY_IGNORE
from tokenguard.cache.negative import LONGEST_S
from tokenguard.cache.store import CacheStore
from tokenguard.durations import Duration, seconds
from tokenguard.errors import ConfigError

if TYPE_CHECKING:  # a cache without it does not load it
    from tokenguard.cache.similar import Similar

Mode = Literal["deterministic", "always", "record", "replay", "new"]
MODES: Final = ("deterministic", "always", "record", "replay", "new")
CASSETTE_MODES: Final = ("record", "replay", "new")


@dataclass(frozen=True, slots=True)
class Cache:
    """Answer a request with the answer that the same request got before.

    Attributes:
        ttl: For how long an answer is good: ``"90s"``, ``"12h"``, ``"7d"``, seconds or a ``timedelta``.
            From when it came, whether it is used or not; spread by 10 % either way, so that what came
            together does not go together.
        store: Where answers are kept besides memory. ``None``: nowhere; ``"disk"``: in the user's folder
            for caches; a path: in that folder; or a store of your own. Of a cassette: the path of its file.
        mode: ``deterministic`` answers only calls that ask for one and the same answer each time
            (``temperature=0``, a ``seed``, embeddings); ``always`` also answers one sample with another.
            The others are for tests, and make ``store`` a cassette: ``replay`` answers every call from it
            and sends nothing, ``record`` sends every call and records it, ``new`` answers what is there
            and records what is not. Of all the rest, they heed ``ignore`` and ``max_entry_bytes``.
        namespace: Who may have each other's answers. By default those with the same credential; give a
            name to share between credentials, or to keep apart what has one.
        tags: What the answers can be invalidated by.
        stale_if_error: For how long after its ``ttl`` an answer is still good enough where the provider
            is overloaded or out of reach. ``None``: never.
        negative_ttl: For how long a refusal is given again that the same request would get once more: it is
            too long, there is no such model, or it may not be used. In memory; a minute at most. ``None``:
            each time, the provider is asked.
        max_bytes: How much the store may take.
        memory_bytes: How much may be kept in memory, in front of the store.
        max_entry_bytes: The largest answer that is kept.
        tools: Whether to keep answers that call tools. Whoever carries them out does so at each hit.
        ignore: Fields that are not to matter, of ``cache_control``, ``service_tier`` and ``speed``.
        ignore_headers: Headers that are not to matter, such as one of your own that is another one in each
            request. None that says who asks, or how to answer.
        validate: Has the last word on whether an answer is kept: given its text, it says yes or no. Of
            several choices it is given each one's.
        encryption_key: Encrypts what the store keeps, with AES-GCM: 32 bytes, or their base64.
        single_flight: Whether identical requests at one time wait for the first of them.
        wait: For how long they wait before they ask for themselves.
        lookup_timeout: How long a lookup may take in the store, before the call goes on without it. A store
            that takes longer again and again is left alone for a while.
        similar: Answers a question with the answer that a similar one got, where the same one got none.
    """

    ttl: Duration = "1d"
    store: str | Path | CacheStore | None = None
    mode: Mode = "deterministic"
    namespace: str | None = None
    tags: tuple[str, ...] = ()
    stale_if_error: Duration | None = None
    negative_ttl: Duration | None = None
    max_bytes: int = 2**30
    memory_bytes: int = 64 * 2**20
    max_entry_bytes: int = 4 * 2**20
    tools: bool = False
    ignore: tuple[str, ...] = ()
    ignore_headers: tuple[str, ...] = ()
    validate: Callable[[str], bool] | None = None
    encryption_key: bytes | str | None = field(default=None, repr=False)
    single_flight: bool = True
    wait: Duration = "60s"
    lookup_timeout: Duration = "20ms"
    similar: Similar | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ConfigError(f"Cache(mode={self.mode!r}): give one of {', '.join(map(repr, MODES))}")
        if self.mode in CASSETTE_MODES and (not isinstance(self.store, str | Path) or self.store == "disk"):
            raise ConfigError(
                f"Cache(mode={self.mode!r}, store={self.store!r}): a cassette is a file; give its path, "
                "such as store='tests/cassettes/summary.json'"
            )
        self._check_lengths()
        for name in ("max_bytes", "memory_bytes", "max_entry_bytes"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ConfigError(f"Cache({name}={value!r}): give a number of bytes, 0 or more")
        if self.namespace is not None and not (isinstance(self.namespace, str) and self.namespace):
            raise ConfigError(f"Cache(namespace={self.namespace!r}): give a name, or leave it out")
        if self.encryption_key is not None and self.store is None:
            raise ConfigError("Cache(encryption_key=...) is for a store; in memory nothing is encrypted")
        for name, known in (("tags", None), ("ignore", MAY_IGNORE), ("ignore_headers", None)):
            self._check_names(name, known)
        ignorable(self.ignore_headers)

    def _check_lengths(self) -> None:
        if self.ttl_s == 0:
            raise ConfigError("Cache(ttl=0): nothing would ever be found; leave the cache out instead")
        if self.lookup_timeout_s == 0:
            raise ConfigError(
                "Cache(lookup_timeout=0): nothing would ever be found in the store; leave that out instead"
            )
        seconds(self.wait, "Cache(wait)")
        if self.stale_if_error is not None:
            seconds(self.stale_if_error, "Cache(stale_if_error)")
        if self.negative_ttl is not None and not 0 < self.negative_ttl_s <= LONGEST_S:
            raise ConfigError(
                f"Cache(negative_ttl={self.negative_ttl!r}): give more than 0, and at most "
                f"'{LONGEST_S:.0f}s': what was refused may be allowed by then. Or leave it out"
            )

    def _check_names(self, name: str, known: tuple[str, ...] | None) -> None:
        values = getattr(self, name)
        if isinstance(values, str) or not all(isinstance(value, str) and value for value in values):
            raise ConfigError(f"Cache({name}={values!r}): give a tuple of texts")
        unknown = set(values).difference(known or values)
        if unknown:
            raise ConfigError(
                f"Cache({name}=...): {sorted(unknown)[0]!r} may change the answer; only "
                f"{', '.join(known or ())} can be ignored"
            )

    @property
    def ttl_s(self) -> float:
        """``ttl`` in seconds."""
        return seconds(self.ttl, "Cache(ttl)")

    @property
    def wait_s(self) -> float:
        """``wait`` in seconds."""
        return seconds(self.wait, "Cache(wait)")

    @property
    def lookup_timeout_s(self) -> float:
        """``lookup_timeout`` in seconds."""
        return seconds(self.lookup_timeout, "Cache(lookup_timeout)")

    @property
    def negative_ttl_s(self) -> float:
        """``negative_ttl`` in seconds; 0 where no refusal is kept."""
        return 0.0 if self.negative_ttl is None else seconds(self.negative_ttl, "Cache(negative_ttl)")

    @property
    def stale_s(self) -> float:
        """``stale_if_error`` in seconds; 0 for never."""
        return 0.0 if self.stale_if_error is None else seconds(self.stale_if_error, "Cache(stale_if_error)")
