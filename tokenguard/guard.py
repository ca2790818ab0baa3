"""The guard: a set of policies, put around clients.

::

    guard = Guard(tags={"project": "helpdesk"})
    client = guard.wrap(openai.OpenAI())
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from tokenguard import faults
from tokenguard.call import FROM_CACHE, Call, Receipt, uuid7
from tokenguard.errors import ConfigError, LedgerError
from tokenguard.ledger import Ledger, SqliteLedger, default_path
from tokenguard.policies import Policies
from tokenguard.pricing import PriceBook, PriceOverride
from tokenguard.retry import Retry
from tokenguard.retry.policy import DEFAULT_RETRIES
from tokenguard.run import Run, by_id
from tokenguard.telemetry import Telemetry, TelemetrySettings
from tokenguard.transport import dropped
from tokenguard.transport.exchange import CALL_ID, Clock, Services
from tokenguard.wishes import checked_tags, within

if TYPE_CHECKING:  # a guard without a cache does not load it
    from tokenguard.cache import Answers, Cache, ResponseCache
    from tokenguard.cache.similar import Similar
    from tokenguard.lint import Lint
    from tokenguard.lint.calls import CallLinter
    from tokenguard.tokens.calibration import Calibration

Client = TypeVar("Client")
Observer = Callable[[Receipt], None]

_CALL_HEADER: Final = "x-tokenguard-call-id"
_HOLDERS: Final = (None, "response", "_response", "http_response", "request")
"""Where the things that an SDK gives for a call keep its response, or its request where there is none."""
_KEPT: Final = 1024
"""Receipts that a guard keeps for ``receipt()``, the oldest forgotten first."""

_observers: list[Observer] = []


def observe(observer: Observer) -> Callable[[], None]:
    """Have every receipt of every guard in this process; gives a function that ends it.

    The observer is called on whichever thread finished the call, and must be quick. What it raises is
    logged once and counted.
    """
    _observers.append(observer)
    return lambda: _observers.remove(observer) if observer in _observers else None


class Guard:
    """A set of policies. Make one, and put it around every client that it is to hold for.

    Args:
        retry: How to try again: a :class:`Retry`, a number of retries, or ``None`` to leave the SDK's
            own loop alone. By default the guard takes over with the client's own ``max_retries``.
        ledger: A path; ``None`` for no ledger. By default a file in the user's state directory.
        durability: ``full`` also survives a power cut (one disk sync per call); ``normal`` survives
            anything that happens to the process.
        prices: Prices of your own, which win over the public ones.
        deployments: Deployment name (Azure) or alias to model name, for prices.
        on_unpriced: ``refuse`` raises :class:`UnpricedModelError` before anything is sent.
        telemetry: What to emit to OpenTelemetry.
        tags: Tags on every call; the context's tags are added to them.
        cache: Answer a request with the answer that the same request got before; off unless asked for.
        lint: Look at what is sent before it is paid for: size, waste, secrets; off unless asked for.
        stream_usage: Ask for the usage of OpenAI chat streams that did not ask for it, and take the
            extra chunk out again.
        clock: Where time comes from; the ``time`` module, but for tests.

    Raises:
        ConfigError: A setting is wrong.
        LedgerError: The ledger that was given cannot be used.
    """

    def __init__(
        self,
        *,
        retry: Retry | int | None = Retry(),  # noqa: B008 - frozen
        cache: Cache | None = None,
        lint: Lint | None = None,
        ledger: str | Path | Ledger | None = "default",
        durability: Literal["normal", "full"] = "normal",
        prices: Sequence[PriceOverride] = (),
        deployments: Mapping[str, str] | None = None,
        on_unpriced: Literal["warn", "refuse"] = "warn",
        telemetry: TelemetrySettings | None = None,
        tags: Mapping[str, str] | None = None,
        stream_usage: bool = True,
        clock: Clock = time,
    ) -> None:
        if on_unpriced not in ("warn", "refuse"):
            raise ConfigError(f"on_unpriced={on_unpriced!r}: give 'warn' or 'refuse'")
        explicit = isinstance(retry, int) or (retry is not None and retry != Retry())
        self.retry = Retry(retries=retry) if isinstance(retry, int) else retry
        self.ledger = _ledger(ledger, durability)
        self.prices = PriceBook(prices, deployments or {})
        self.cache = None if cache is None else _answers(cache, clock)
        tree = explicit or cache is not None or lint is not None
        self.telemetry = Telemetry(telemetry, tree=tree, cache=_watched(self.cache))
        calibration = None if lint is None else _calibration(self.ledger)
        self._receipts: OrderedDict[str, Receipt] = OrderedDict()
        self._lock = threading.RLock()
        self._clock = clock
        self._not_metered = 0
        self._services = Services(
            policies=Policies(
                prices=self.prices,
                cache=self.cache,
                lint=None if calibration is None or lint is None else _linter(lint, calibration, cache),
                calibration=calibration,
                retry=self.retry,
                telemetry=self.telemetry,
                refuse_unpriced=on_unpriced == "refuse",
                new_id=uuid7,
            ),
            ledger=self.ledger,
            clock=clock,
            tags=checked_tags(tags or {}, "Guard(tags=...)"),
            stream_usage=stream_usage,
            finished=self._finished,
            not_metered=self._count_not_metered,
        )
        if self.cache is not None and self.cache.similar is not None:
            self._connect(self.cache.settings.similar)

    def _connect(self, similar: Similar | None) -> None:
        """Make the client of an embedder that was only described."""
        from tokenguard.cache.similar.described import DescribedEmbedder

        if similar is not None and isinstance(similar.embedder, DescribedEmbedder):
            similar.embedder.connect(self.adopt)

    def wrap(self, client: Client) -> Client:
        """The same client, guarded: a new object of the same class; the one given stays as it was.

        Works for every client of the openai and anthropic SDKs, synchronous or not. Wrapping a client
        that this guard has already changes nothing.

        Raises:
            NotWrappableError: It is not a client of either SDK.
            ConfigError: Another guard has it already.
        """
        from tokenguard.transport.client import wrapped

        made: Client = wrapped(client, self._services, self._retries(), quiet=self._quiet())
        return made

    def adopt(self, client: object) -> None:
        """Guard a client in place, while it is being made; :func:`tokenguard.instrument` does this.

        Raises:
            NotWrappableError: It is not a client of either SDK.
        """
        from tokenguard.transport.client import guard_in_place

        guard_in_place(client, self._services, self._retries(), quiet=self._quiet())

    def http_client(self, *, flavour: Literal["httpx2", "httpx"] = "httpx2", **options: Any) -> Any:
        """A guarded ``httpx2.Client`` (or ``httpx.Client``) for frameworks that only take one.

        Args:
            flavour: The library that the framework's SDK is built on: httpx2 for openai 3 and
                anthropic 2, httpx for openai 2.
            options: Passed to the client's constructor (``timeout``, ``proxy``, ``verify`` ...).

        Raises:
            ConfigError: That library is not installed.
        """
        return self._http_client(flavour, options, is_async=False)

    def async_http_client(self, *, flavour: Literal["httpx2", "httpx"] = "httpx2", **options: Any) -> Any:
        """As :meth:`http_client`, an ``AsyncClient``."""
        return self._http_client(flavour, options, is_async=True)

    def _http_client(self, name: str, options: dict[str, Any], *, is_async: bool) -> Any:
        from tokenguard.transport.client import guarded, plain_http_client
        from tokenguard.transport.flavour import named

        retries = self._retries()
        original = plain_http_client(named(name), is_async, options)
        return guarded(original, self._services, retries=DEFAULT_RETRIES if retries is None else retries)

    @contextmanager
    def run(self, name: str, *, tags: Mapping[str, str] | None = None) -> Iterator[Run]:
        """Make every call inside the ``with`` block part of one run, with running totals.

        ::

            with guard.run("resolve-ticket", tags={"customer": "c-17"}) as run:
                client.chat.completions.create(...)
            print(run.calls, run.cost_usd)

        Raises:
            ConfigError: A tag is not a pair of strings.
        """
        run = Run(
            uuid7(self._clock.time_ns()),
            name,
            checked_tags(tags or {}, "run(tags=...)"),
            self._record_outcome,
        )
        with within(run):
            yield run

    def receipt(self, response: object) -> Receipt | None:
        """What a call came to, from anything that the SDK gave for it.

        Args:
            response: A parsed reply, a raw response, a stream (once it is over), or the exception that
                the call raised.

        Returns:
            The receipt, or ``None`` if the call is not over yet, was made without this guard, or is
            more than 1,024 calls ago.
        """
        with self._lock:
            for key in _keys(response):
                found = self._receipts.get(key)
                if found is not None:
                    return found
        return None

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until everything that is over is in the ledger and the cache; False if that took too long."""
        dropped.flush(timeout_s)
        if self.cache is not None and not self.cache.flush(timeout_s):
            return False
        return self.ledger.flush(timeout_s) if self.ledger is not None else True

    def close(self) -> None:
        """Flush and close the ledger and the cache. Clients go on working, unrecorded."""
        dropped.flush()
        if self.cache is not None:
            self.cache.close()
        if self.ledger is not None:
            self.ledger.close()

    @property
    def not_metered(self) -> int:
        """Requests that went through untouched, because their endpoint is not one that we know."""
        return self._not_metered

    def _retries(self) -> int | None:
        return self.retry.retries if self.retry is not None else 0

    def _quiet(self) -> bool:
        return self.telemetry.settings.spans == "own"

    def _finished(self, receipt: Receipt, call: Call) -> None:
        """Remember a receipt and hand it to whoever observes."""
        with self._lock:
            keys = (receipt.call_id, receipt.provider_request_id, receipt.response_id)
            # An answer from the cache has the ids of the call that it was made for, whose receipt stays.
            for key in keys[:1] if receipt.cache in FROM_CACHE else keys:
                if key:
                    self._receipts[key] = receipt
                    self._receipts.move_to_end(key)
            while len(self._receipts) > 3 * _KEPT:
                self._receipts.popitem(last=False)
        if call.run_id:
            run = by_id(call.run_id)
            if run is not None:
                run.add(receipt)
        for observer in tuple(_observers):
            try:
                observer(receipt)
            except Exception as error:
                faults.note("guard.observer", error)

    def _count_not_metered(self, host: str) -> None:
        self._not_metered += 1
        self.telemetry.not_metered(host)

    def _record_outcome(self, run: Run, kind: str, value: float | None) -> None:
        if self.ledger is not None:
            self.ledger.outcome(kind, run_id=run.id, customer=run.tags.get("customer"), value=value)


def _linter(settings: Lint, calibration: Calibration, cache: Cache | None) -> CallLinter:
    from tokenguard.lint.calls import CallLinter

    return CallLinter(settings, calibration, cached=cache is not None and cache.mode == "deterministic")


def _calibration(ledger: Ledger | None) -> Calibration:
    """What was learned of how models count. Counting is made ready meanwhile: no call waits for that."""
    from tokenguard.tokens.calibration import Calibration
    from tokenguard.tokens.request import warm

    warm()
    return Calibration(ledger)


def _answers(settings: Cache, clock: Clock) -> Answers:
    """The cache that the settings describe, with its store; or the cassette."""
    from tokenguard.cache import ResponseCache
    from tokenguard.cache.policy import CASSETTE_MODES

    if settings.mode in CASSETTE_MODES:
        from tokenguard.cache.cassette import Cassette

        return Cassette(settings)
    store = settings.store
    if isinstance(store, str | Path):
        from tokenguard.cache.disk import DiskStore, default_directory

        directory = default_directory() if store == "disk" else store
        store = DiskStore(directory, max_bytes=settings.max_bytes)
    return ResponseCache(settings, store, clock.monotonic_ns)


def _watched(answers: Answers | None) -> ResponseCache | None:
    """The cache that metrics tell of; a cassette is none."""
    if answers is None:
        return None
    from tokenguard.cache import ResponseCache

    return answers if isinstance(answers, ResponseCache) else None


def _ledger(given: str | Path | Ledger | None, durability: Literal["normal", "full"]) -> Ledger | None:
    """The ledger to use. One that was asked for must work; the default one may be missing."""
    if given is None or not isinstance(given, str | Path):
        return given
    if given != "default":
        return SqliteLedger(given, durability=durability)
    path = default_path()
    if path is None:
        return None
    try:
        return SqliteLedger(path, durability=durability)
    except LedgerError as error:
        faults.note("ledger.open", error)
        return None


def _keys(response: object) -> Iterator[str]:
    """Under which keys a receipt may be found, the surest first."""
    if isinstance(response, str):
        yield response
    for name in _HOLDERS:
        holder = response if name is None else _look(response, name)
        for found, key in ((_look(holder, "headers"), _CALL_HEADER), (_look(holder, "extensions"), CALL_ID)):
            call_id = found.get(key) if isinstance(found, Mapping) else None
            if call_id:
                yield call_id
    for name in ("_request_id", "request_id", "id"):
        value = _look(response, name)
        if isinstance(value, str):
            yield value


def _look(thing: object, name: str) -> Any:
    try:
        return getattr(thing, name, None)
    except RuntimeError:  # an HTTP error says so where it was never given a request
        return None
