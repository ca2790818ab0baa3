"""The recordings of one cassette file, which several processes may write to at once.

Every change is on disk before it counts: the file is written anew beside the old one, and takes its place.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from tokenguard import lock
from tokenguard.cache.cassette import file
from tokenguard.cache.cassette.recording import Recording
from tokenguard.errors import ConfigError


class Tape:
    """The recordings in a file, in their order. Used by one thread at a time.

    Args:
        path: The file; it need not be there.

    Raises:
        ConfigError: It is no cassette.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(os.path.realpath(path))
        self.recordings: list[Recording] = []
        self._texts: dict[Recording, str] = {}
        self._seen: tuple[int, int, int] | None = None
        self._hear()

    @property
    def exists(self) -> bool:
        """Whether there is a file."""
        return self._seen is not None

    def change(self, edit: Callable[[list[Recording]], None]) -> None:
        """Change the recordings as they are by now, others' included, and write them down.

        Raises:
            OSError: They cannot be written; then nothing has changed.
            ConfigError: What another wrote meanwhile is no cassette.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            self._hear()
            recordings = self.recordings.copy()
            edit(recordings)
            texts = {one: self._texts.get(one) or file.text_of(one) for one in recordings}
            beside = self.path.with_name(f".{self.path.name}.tmp")
            beside.write_bytes(file.written(texts[one] for one in recordings))
            beside.replace(self.path)
            self.recordings, self._texts, self._seen = recordings, texts, self._look()

    def _hear(self) -> None:
        """Read the file, if it is another one than was seen last."""
        seen = self._look()
        if seen == self._seen:
            return
        try:
            self.recordings = file.read(self.path.read_bytes()) if seen is not None else []
        except (ValueError, OSError, RecursionError) as error:
            raise ConfigError(
                f"{self.path} cannot be read as a cassette: {error}. Undo what was done to it, or delete it "
                "and record it anew"
            ) from error
        self._seen = seen

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes out. The lock is no neighbour of the file, which is likely to be in git."""
        name = sha256(os.fsencode(self.path)).hexdigest()[:16]
        owner = os.getuid() if hasattr(os, "getuid") else ""
        place = Path(tempfile.gettempdir(), f"tokenguard-{owner}-{name}.lock")
        fd = os.open(place, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            lock.hold(fd)
            yield
        finally:
            os.close(fd)
