"""Record the calls of a test suite once, and play them back for ever after, with no provider at all.

``recording`` is one request with its answer, ``file`` how they are written down, ``scrub`` what never is,
``nearest`` what a call that is not there is told, ``player`` the cassette at work.
"""

from tokenguard.cache.cassette.player import Cassette

__all__ = ["Cassette"]
