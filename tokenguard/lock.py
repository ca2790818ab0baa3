"""A lock on an open file that goes with its process, however that ends: whoever holds one is alive."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

if sys.platform == "win32":
    import msvcrt

    _FAR = 2**30  # the byte that is locked; beyond the end, for locked bytes cannot be read there

    def hold(fd: int) -> None:
        """Lock a file that this process writes to; waits for whoever is looking at it just now."""
        os.lseek(fd, _FAR, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_LOCK, 1)

    def is_held(fd: int) -> bool:
        """Whether somebody else holds a file; if nobody does, it is ours until it is closed."""
        os.lseek(fd, _FAR, os.SEEK_SET)
        with suppress(OSError):
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
            os.lseek(fd, 0, os.SEEK_SET)
            return False
        os.lseek(fd, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def hold(fd: int) -> None:
        """Lock a file that this process writes to; waits for whoever is looking at it just now."""
        fcntl.flock(fd, fcntl.LOCK_EX)

    def is_held(fd: int) -> bool:
        """Whether somebody else holds a file; if nobody does, it is ours until it is closed."""
        with suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
        return True
