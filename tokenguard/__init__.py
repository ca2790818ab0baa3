"""Keep LLM bills predictable: one line around an openai or anthropic client.

::

    import openai, tokenguard

    client = tokenguard.wrap(openai.OpenAI())
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tokenguard.cache import Cache
    from tokenguard.cache.similar import Calibration, EndpointEmbedder, Similar
    from tokenguard.call import CostBasis, Line, Meter, Receipt, Usage
    from tokenguard.errors import (
        CacheMissError,
        CassetteMissError,
        ConfigError,
        GuardError,
        LedgerError,
        LintError,
        NotWrappableError,
        UnpricedModelError,
    )
    from tokenguard.guard import Guard, observe
    from tokenguard.instrumentation import instrument, uninstrument, wrap
    from tokenguard.lint import Lint
    from tokenguard.pricing import PriceOverride
    from tokenguard.prompts import Fitted, Prompt, fit_passages
    from tokenguard.retry import Retry
    from tokenguard.run import Run
    from tokenguard.telemetry import TelemetrySettings
    from tokenguard.wishes import context, headers

# Where each public name lives. They are imported when they are first used, so that `import tokenguard`
# costs next to nothing in programs that only might make a call.
_HOMES = {
    "cache": ("Cache",),
    "cache.similar": ("Calibration", "EndpointEmbedder", "Similar"),
    "call": ("CostBasis", "Line", "Meter", "Receipt", "Usage"),
    "errors": (
        "CacheMissError",
        "CassetteMissError",
        "ConfigError",
        "GuardError",
        "LedgerError",
        "LintError",
        "NotWrappableError",
        "UnpricedModelError",
    ),
    "guard": ("Guard", "observe"),
    "instrumentation": ("instrument", "uninstrument", "wrap"),
    "lint": ("Lint",),
    "pricing": ("PriceOverride",),
    "prompts": ("Fitted", "Prompt", "fit_passages"),
    "retry": ("Retry",),
    "run": ("Run",),
    "telemetry": ("TelemetrySettings",),
    "wishes": ("context", "headers"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022 - in the order of _HOMES, which a test compares
    "Cache",
    "Calibration",
    "EndpointEmbedder",
    "Similar",
    "CostBasis",
    "Line",
    "Meter",
    "Receipt",
    "Usage",
    "CacheMissError",
    "CassetteMissError",
    "ConfigError",
    "GuardError",
    "LedgerError",
    "LintError",
    "NotWrappableError",
    "UnpricedModelError",
    "Guard",
    "observe",
    "instrument",
    "uninstrument",
    "wrap",
    "Lint",
    "PriceOverride",
    "Fitted",
    "Prompt",
    "fit_passages",
    "Retry",
    "Run",
    "TelemetrySettings",
    "context",
    "headers",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'tokenguard' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"tokenguard.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
