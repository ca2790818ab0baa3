"""Who wrote a row: the identity of a process, and whether it is still there.

A row that is still ``sent`` is under way as long as its owner lives, and lost once it does not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Verdict = Literal["alive", "dead", "unsure"]


@dataclass(frozen=True, slots=True)
class Owner:
    """One process, as it is written down in the ledger.

    ``host`` names the machine, its boot and its process namespace: where all three are the same, a
    process id means the same process, as long as its ``start_ticks`` are the same too. They are
    ``None`` where the platform does not say. ``started_ns`` is when it first opened a ledger.
    """

    id: str
    pid: int
    host: str
    start_ticks: int | None
    started_ns: int


_ours: Owner | None = None


def this_process(clock: Callable[[], int]) -> Owner:
    """The owner of the rows that this process writes; a new one after a fork.

    Args:
        clock: The time, Unix nanoseconds; asked once in a process.
    """
    global _ours
    pid = os.getpid()
    if _ours is None or _ours.pid != pid:
        _ours = Owner(os.urandom(8).hex(), pid, _host(), _start_ticks(pid), clock())
    return _ours


def verdict(owner: Owner) -> Verdict:
    """Whether an owner is still there; ``unsure`` where it cannot be asked from here."""
    if owner.host != _host():
        return "unsure"
    if owner.pid == os.getpid():
        # The same process after exec() has the same pid and the same start, but forgot everything.
        return "alive" if _ours is not None and _ours.id == owner.id else "dead"
    if owner.start_ticks is not None:
        return "alive" if _start_ticks(owner.pid) == owner.start_ticks else "dead"
    if sys.platform == "win32":
        return "unsure"  # os.kill(pid, 0) is no question there: it ends the process
    return "alive" if _answers(owner.pid) else "dead"


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it is there, but somebody else's
    return True


def _host() -> str:
    name = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    boot, namespace = "", ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    with suppress(OSError):
        namespace = str(Path("/proc/self/ns/pid").readlink())
    return f"{name}/{boot}/{namespace}"


def _start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot: field 22 of /proc/<pid>/stat (proc(5))."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The second field is the program's name in brackets, and may hold brackets and blanks itself.
    fields = stat[stat.rindex(b")") + 2 :].split()
    # A zombie is dead: it only waits to be asked how it ended.
    return None if fields[0] in (b"Z", b"X") else int(fields[19])
