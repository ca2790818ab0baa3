"""One line for everything: guard a client with the configured guard, or every client made from now on."""

from __future__ import annotations

import functools
import importlib.abc
import sys
import threading
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final, TypeVar

from tokenguard import faults
from tokenguard.errors import ConfigError
from tokenguard.guard import Guard

Client = TypeVar("Client")

_SDK_BASES: Final = ("openai._base_client", "anthropic._base_client")
_CLASSES: Final = ("SyncAPIClient", "AsyncAPIClient")

_lock = threading.RLock()
_configured: Guard | None = None
_installed: _Instrumentation | None = None


def wrap(client: Client, **policies: Any) -> Client:
    """The same client, guarded: every call is metered, retried sensibly, and visible in OpenTelemetry.

    ::

        client = tokenguard.wrap(openai.OpenAI())

    Settings come from ``tokenguard.toml``, ``[tool.tokenguard]`` and ``TOKENGUARD_*`` variables where
    there are any. Without policies, all clients of the process share one guard and its ledger.

    Args:
        client: Any client of the openai or anthropic SDK; it is not changed.
        policies: Arguments of :class:`Guard`, which win over the configuration.

    Raises:
        ConfigError: A setting is wrong.
        NotWrappableError: It is not a client of either SDK.
    """
    return (configured_guard(**policies) if policies else default_guard()).wrap(client)


def configured_guard(**policies: Any) -> Guard:
    """A new guard from the configuration, with ``policies`` in place of what it says of them.

    Raises:
        ConfigError: A setting is wrong.
    """
    from tokenguard import config

    return Guard(**{**config.guard_arguments(config.load()), **policies})


def default_guard() -> Guard:
    """The guard that ``wrap(client)`` and ``instrument()`` use, made from the configuration once."""
    global _configured
    with _lock:
        if _configured is None:
            _configured = configured_guard()
        return _configured


def instrument(guard: Guard | None = None) -> Guard:
    """Guard every client of the openai and anthropic SDKs that is made from now on.

    For code that makes its clients elsewhere, and for the module-level client
    (``openai.chat.completions.create``). SDKs that are not imported yet are guarded when they are.

    Args:
        guard: The guard to use; by default the configured one.

    Returns:
        The guard in use.

    Raises:
        ConfigError: Another guard is installed already; ``uninstrument()`` first.
    """
    global _installed
    with _lock:
        if _installed is not None:
            if guard is not None and guard is not _installed.guard:
                raise ConfigError("clients are guarded by another guard already; call uninstrument() first")
            return _installed.guard
        _installed = _Instrumentation(guard or default_guard())
        _installed.install()
        return _installed.guard


def uninstrument() -> None:
    """Stop guarding new clients. Those that were made in the meantime stay guarded."""
    global _installed
    with _lock:
        if _installed is not None:
            _installed.remove()
            _installed = None


class _Instrumentation(importlib.abc.MetaPathFinder):
    """Changes the constructors of both SDKs' base clients, now or when they are imported."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._undo: list[Callable[[], None]] = []

    def install(self) -> None:
        sys.meta_path.insert(0, self)
        for name in _SDK_BASES:
            module = sys.modules.get(name)
            if module is not None:
                self._patch(module)

    def remove(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        while self._undo:
            self._undo.pop()()

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Let the others find an SDK's base client, and change it once it is loaded."""
        if name not in _SDK_BASES:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(name, path, target) for finder in others)
        spec = next((found for found in specs if found is not None), None)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                load(module)
                self._patch(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec

    def _patch(self, module: ModuleType) -> None:
        for name in _CLASSES:
            cls = getattr(module, name, None)
            if cls is None:
                faults.warn_once(
                    "instrument", "%s has no %s: its clients are not guarded", module.__name__, name
                )
                continue
            self._undo.append(_guard_new_clients(cls, self.guard))


def _guard_new_clients(cls: Any, guard: Guard) -> Callable[[], None]:
    original = cls.__init__

    @functools.wraps(original)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        try:
            guard.adopt(self)
        except Exception as error:  # an unguarded client is better than none
            faults.note("instrument", error)

    cls.__init__ = guarded

    def undo() -> None:
        if cls.__init__ is guarded:
            cls.__init__ = original

    return undo


class TokenguardInstrumentor:
    """What ``opentelemetry-instrument python app.py`` finds through an entry point and calls.

    It has the methods of OpenTelemetry's ``BaseInstrumentor`` that are called, without depending on
    the package that defines it.
    """

    def instrumentation_dependencies(self) -> tuple[str, ...]:
        """Nothing has to be installed: SDKs are guarded if and when they are imported."""
        return ()

    def instrument(self, **_options: Any) -> None:
        """Guard every client made from now on."""
        instrument()

    def uninstrument(self, **_options: Any) -> None:
        """Stop guarding new clients."""
        uninstrument()


def guarded_class(cls: type[Client]) -> type[Client]:
    """A subclass of an SDK's client class whose objects are guarded by the configured guard."""
    made = _guarded_classes.get(cls)
    if made is None:

        def made_guarded(self: Any, *args: Any, **kwargs: Any) -> None:
            cls.__init__(self, *args, **kwargs)
            default_guard().adopt(self)

        body = {
            "__init__": made_guarded,
            "__module__": "tokenguard." + cls.__module__,
            "__doc__": cls.__doc__,
        }
        made = _guarded_classes[cls] = type(cls.__name__, (cls,), body)
    return made


_guarded_classes: dict[type[Any], type[Any]] = {}
