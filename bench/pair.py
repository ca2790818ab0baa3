"""Two sides' blocks of the same rounds, and the bars that can be told from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import intervals
from bars import Bar, estimated
from blocks import Block

_TIMES: Final = "x bare SDK"


@dataclass(frozen=True, slots=True)
class Pair:
    """Blocks of one side and of its yardstick.

    Attributes:
        ours: One block for each round.
        theirs: The yardstick's blocks of the same rounds.
        calls: How many calls are in a block.
        against: The yardstick's name and version.
    """

    ours: Sequence[Block]
    theirs: Sequence[Block]
    calls: int
    against: str

    def bars(self, pattern: str) -> Iterator[Bar]:
        """All that blocks tell: CPU, wall time of calls, and the first token where there are streams.

        Args:
            pattern: The bars' names with ``{}`` in them.
        """
        yield self.cpu_ratio(pattern.format("cpu_ratio"))
        per_call = [[block.cpu_s / self.calls * 1e6 for block in side] for side in (self.ours, self.theirs)]
        added = intervals.of_paired_difference(*per_call)
        yield estimated(pattern.format("cpu_added_us"), added, "us/call", self._n, self.against)
        ours, theirs = ([block.timings.calls for block in side] for side in (self.ours, self.theirs))
        for name, share in (("p50_ratio", 0.5), ("p99_ratio", 0.99)):
            ratio = intervals.of_quantile_ratio(ours, theirs, share)
            yield estimated(pattern.format(name), ratio, _TIMES, self._n, self.against)
        if self.ours[0].timings.first_tokens:
            yield self._first_token(pattern.format("first_token_added_ms"))

    def cpu_ratio(self, name: str) -> Bar:
        """CPU time over the yardstick's."""
        ratio = intervals.of_paired_ratio(
            [block.cpu_s for block in self.ours], [block.cpu_s for block in self.theirs]
        )
        return estimated(name, ratio, _TIMES, self._n, self.against)

    def rate_ratio(self, name: str) -> Bar:
        """Calls per second over the yardstick's."""
        ratio = intervals.of_paired_ratio(
            [block.wall_s for block in self.theirs], [block.wall_s for block in self.ours]
        )
        return estimated(name, ratio, _TIMES, self._n, self.against)

    def _first_token(self, name: str) -> Bar:
        firsts = [
            [intervals.quantile(block.timings.first_tokens, 0.5) / 1e6 for block in side]
            for side in (self.ours, self.theirs)
        ]
        return estimated(name, intervals.of_paired_difference(*firsts), "ms", self._n, self.against)

    @property
    def _n(self) -> int:
        return len(self.ours) * self.calls
