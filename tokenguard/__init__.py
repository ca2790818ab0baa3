"""Keep LLM bills predictable: one line around an openai or anthropic client.

::

    import openai, tokenguard

    client = tokenguard.wrap(openai.OpenAI())
"""

from tokenguard.call import CostBasis, Line, Meter, Receipt, Usage
from tokenguard.errors import (
    ConfigError,
    GuardError,
    LedgerError,
    NotWrappableError,
    UnpricedModelError,
)
from tokenguard.guard import Guard, observe
from tokenguard.instrument import instrument, uninstrument, wrap
from tokenguard.pricing import PriceOverride
from tokenguard.retry import Retry
from tokenguard.run import Run
from tokenguard.telemetry import TelemetrySettings
from tokenguard.wishes import context, headers

__version__ = "0.1.0"

__all__ = [
    "ConfigError",
    "CostBasis",
    "Guard",
    "GuardError",
    "LedgerError",
    "Line",
    "Meter",
    "NotWrappableError",
    "PriceOverride",
    "Receipt",
    "Retry",
    "Run",
    "TelemetrySettings",
    "UnpricedModelError",
    "Usage",
    "__version__",
    "context",
    "headers",
    "instrument",
    "observe",
    "uninstrument",
    "wrap",
]
