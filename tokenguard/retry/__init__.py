"""When to send again, and how long to wait before: decisions only, the flow acts on them."""

from tokenguard.retry.policy import Retry

__all__ = ["Retry"]
