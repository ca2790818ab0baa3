"""OpenTelemetry spans and metrics that carry the cost of every call."""

from tokenguard.telemetry.telemetry import Telemetry, TelemetrySettings

__all__ = ["Telemetry", "TelemetrySettings"]
