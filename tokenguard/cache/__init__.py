"""Answer a request with the answer that the same request got before.

``policy`` has the settings, ``key`` what makes two requests the same, ``eligibility`` and ``storing`` what
may be answered and what is kept, ``responses`` the cache at work, and ``similar`` what is done about
questions that are not the same. A place to keep answers in is one file beside
:class:`~tokenguard.cache.store.CacheStore`. ``cassette`` stands in a cache's place in test suites.
"""

from tokenguard.cache.answers import Answers
from tokenguard.cache.plan import Found, Plan
from tokenguard.cache.policy import Cache
from tokenguard.cache.responses import ResponseCache
from tokenguard.cache.store import CacheStore, Held, Label, Which

__all__ = ["Answers", "Cache", "CacheStore", "Found", "Held", "Label", "Plan", "ResponseCache", "Which"]
