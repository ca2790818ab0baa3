"""The anthropic SDK, guarded: change the import and nothing else.

::

    from tokenguard.anthropic import Anthropic, AsyncAnthropic

Every name of ``anthropic`` is here. The client classes are subclasses of the SDK's, whose objects are
guarded by the configured guard from the start; everything else is the SDK's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic as _sdk
from anthropic._base_client import AsyncAPIClient, SyncAPIClient

from tokenguard.instrumentation import guarded_class

if TYPE_CHECKING:
    from anthropic import *  # noqa: F403 - the same names, with the same types


def __getattr__(name: str) -> Any:
    if name == "__path__":  # or `import tokenguard.anthropic.types` would load the SDK's modules twice
        raise AttributeError(name)
    value = getattr(_sdk, name)
    if isinstance(value, type) and issubclass(value, SyncAPIClient | AsyncAPIClient):
        return guarded_class(value)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_sdk)})
