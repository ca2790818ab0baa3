"""Decode and encode JSON with the fastest library that the process has loaded anyway.

Both SDKs are built on pydantic, which is three times as fast as Python's own parser and encoder. It refuses
some of what Python's takes (lone surrogates, a byte order mark, more than 200 levels), so what it refuses is
given to Python's, and whatever it accepts means the same. Without an SDK it is not loaded, and not worth
loading.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def decoded(data: bytes) -> Any:
    """What ``json.loads`` makes of ``data``, sooner.

    Raises:
        ValueError: It is no JSON, or nested too deeply to be read.
    """
    fast = getattr(sys.modules.get("pydantic_core"), "from_json", None)
    if fast is not None:
        try:
            return fast(data, cache_strings="keys")  # values would stay in memory, 16,384 of them
        except ValueError:
            pass
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error


def encoded(value: Any) -> bytes:
    """A value as one line of JSON that ``json.loads`` reads; what JSON does not know, as its ``str()``."""
    fast = getattr(sys.modules.get("pydantic_core"), "to_json", None)
    if fast is not None:
        try:
            made: bytes = fast(value)
            return made
        except ValueError:
            pass
    return json.dumps(value, separators=(",", ":"), default=str).encode("ascii")
