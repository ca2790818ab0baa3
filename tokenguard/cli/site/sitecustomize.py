"""Python imports this when it starts, under ``tokenguard run``: it guards the process, then makes way.

Whatever goes wrong here, the program runs.
"""

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec


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
    ours = os.path.realpath(os.path.dirname(__file__))  # noqa: PTH120 - before anything else is imported
    others = [entry for entry in sys.path if os.path.realpath(entry) != ours]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        sys.modules["sitecustomize"] = module = module_from_spec(spec)
        spec.loader.exec_module(module)


_guard()
_make_way()
