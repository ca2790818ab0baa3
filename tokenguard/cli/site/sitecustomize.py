"""Python imports this when it starts, under ``tokenguard run``: it has the process guarded, and makes way.

Most processes never import an SDK. They pay for nothing: the guard is made when one does. Whatever
goes wrong here, the program runs.
"""

import os
import sys
from _thread import RLock
from importlib.machinery import PathFinder

_SDKS = ("openai", "anthropic")


class _GuardWhenNeeded:
    """Guards the process just before it imports an SDK for the first time. Finds no module itself."""

    def __init__(self) -> None:
        self._once = RLock()  # another thread may import the other SDK meanwhile

    def find_spec(self, name: str, *_: object) -> None:
        if name in _SDKS:
            with self._once:
                if self in sys.meta_path:
                    _guard()
                    sys.meta_path.remove(self)


def _guard() -> None:
    try:
        import tokenguard

        tokenguard.instrument()
    except Exception as error:
        print(
            f"tokenguard: calls of this process are not guarded: {error} ({sys.executable})", file=sys.stderr
        )


def _make_way() -> None:
    """Import the ``sitecustomize`` that would have been imported without us, in our place."""
    ours = os.path.realpath(os.path.dirname(__file__))  # noqa: PTH120 - nothing more is imported than must be
    others = [entry for entry in sys.path if os.path.realpath(entry) != ours]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        from importlib.util import module_from_spec

        sys.modules["sitecustomize"] = module = module_from_spec(spec)
        spec.loader.exec_module(module)


sys.meta_path.insert(0, _GuardWhenNeeded())
_make_way()
