"""A guard that changes nothing, to judge the seam by the SDKs' own test suites.

Metering is on; everything that would show on the wire or in the client's behaviour is off: the SDK
keeps its own retry loop and its own spans, and streams are not asked for usage.
"""

from __future__ import annotations

from functools import cache
from typing import TypeVar

from tokenguard.guard import Guard
from tokenguard.telemetry import TelemetrySettings

Client = TypeVar("Client")


@cache
def _guard() -> Guard:
    telemetry = TelemetrySettings(spans="metrics")
    return Guard(retry=None, ledger=":memory:", stream_usage=False, telemetry=telemetry)


def wrap(client: Client) -> Client:
    """The client, guarded in pass-through mode."""
    return _guard().wrap(client)
