"""What linting a call costs. ``python bench/lint.py`` prints a table, ``--bars`` one line of JSON per bar.

Calls that are linted are measured against the bare SDK's, and against those of the same guard without a
linter. Nothing is judged. docs/benchmarks.md says how, and which numbers came out.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Sequence

import upstream
from bars import Bar
from program import Section, parser_of, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if something could not be measured."""
    return run(SECTIONS, parser_of(__doc__), arguments)


def _calls(provider: upstream.Upstream, chosen: argparse.Namespace) -> Iterator[Bar]:
    import linting

    return linting.call_bars(provider, quick=chosen.quick, rng=random.Random(chosen.seed))


def _texts(_: upstream.Upstream, chosen: argparse.Namespace) -> Iterator[Bar]:
    import linting

    return linting.text_bars(quick=chosen.quick, rng=random.Random(chosen.seed))


SECTIONS = (
    Section(("lint.call.", "lint.noise."), _calls),
    Section(("lint.100k_", "lint.adversarial_"), _texts),
)


if __name__ == "__main__":
    sys.exit(main())
