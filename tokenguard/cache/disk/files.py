"""The directory of a cache on disk, and what its trouble is called: only its owner can read or write it."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from tokenguard.errors import ConfigError

SECRET_BYTES: Final = 32
OPEN_S: Final = 10.0  # while a store is made
REMEDY: Final = "Name another directory with Cache(store=...)"


def default_directory() -> Path:
    """``tokenguard/responses`` in the platform's folder for caches.

    That folder is ``$XDG_CACHE_HOME`` or ``~/.cache`` (XDG Base Directory Specification 0.8),
    ``~/Library/Caches`` on macOS and ``%LOCALAPPDATA%`` on Windows.
    """
    return _caches_folder() / "tokenguard" / "responses"


def _caches_folder() -> Path:
    if sys.platform == "darwin":
        return Path("~/Library/Caches").expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or "~/AppData/Local").expanduser()
    # The specification says to ignore a relative path.
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return given if given.is_absolute() else Path("~/.cache").expanduser()


making = threading.RLock()
"""Held while a file is made: closing it would take away the locks that another thread has on it by then."""


def make_directory(path: Path) -> None:
    """Make it, and those above it, so that only their owner can read them."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        with suppress(FileExistsError):  # another process was first
            folder.mkdir(mode=0o700)
    found = path.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise unusable(path, "it is not a directory", f"{REMEDY}.")
    if os.name == "posix":
        if found.st_uid != os.geteuid():
            raise unusable(path, "it belongs to another user", f"{REMEDY}, one of your own.")
        if found.st_mode & 0o022:
            remedy = f"Look into it, and then chmod 700 {path}."
            raise unusable(path, "others may write to it, and so forge answers", remedy)
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise unusable(path, "it may not be written to", f"{REMEDY}, one that this process may write to.")


def make_private(path: Path, *, make: bool) -> None:
    """See that a file is ours, and that only we can read it."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        if make:
            with suppress(FileExistsError):  # another process was first
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        return
    if not stat.S_ISREG(found.st_mode):
        raise unusable(path, "it is not a regular file", _ANEW)
    if os.name != "posix":
        return
    if found.st_uid != os.geteuid():
        raise unusable(path, "it belongs to another user", _ANEW)
    if found.st_mode & 0o077:
        with suppress(FileNotFoundError):
            path.chmod(0o600)


def secret_in(directory: Path, ours: bytes) -> bytes:
    """The secret of all who use a directory: ours, if we come first."""
    path = directory / "secret"
    make_once(path, ours)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    try:
        found = os.fstat(descriptor)
        secret = os.read(descriptor, SECRET_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(secret) != SECRET_BYTES:
        raise unusable(path, f"it has not the {SECRET_BYTES} bytes of a secret", _ANEW)
    if os.name == "posix" and (found.st_mode & 0o077 or found.st_uid != os.geteuid()):
        raise unusable(path, "others can read it, and so forge answers", _ANEW)
    return secret


def make_once(path: Path, content: bytes) -> None:
    """Make a file with all of its content, unless there is one."""
    if path.exists():
        return
    temporary = written(path, content)
    try:
        with suppress(FileExistsError):  # another process was first
            path.hardlink_to(temporary)
    finally:
        temporary.unlink()


def written(path: Path, content: bytes) -> Path:
    """A new file beside ``path``."""
    temporary = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 # by its descriptor
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        temporary.unlink()
        raise
    return temporary


_ANEW: Final = "Remove the directory, and it is made anew; or name another one with Cache(store=...)."
_FULL: Final = ("the disk is full", f"Make room, or: {REMEDY[0].lower()}{REMEDY[1:]}, on another disk.")
_MEANINGS: Final = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_NOTADB: ("cache.db or leases.db in it is not a database", _ANEW),
    sqlite3.SQLITE_CORRUPT: ("its database is damaged", _ANEW),
    sqlite3.SQLITE_READONLY: ("it may not be written to", f"{REMEDY}."),
    sqlite3.SQLITE_CANTOPEN: ("its database cannot be opened", f"{REMEDY}."),
    sqlite3.SQLITE_BUSY: (
        f"another program has kept its database locked for {OPEN_S:.0f} s",
        f"Close that program's transaction, or: {REMEDY[0].lower()}{REMEDY[1:]}.",
    ),
}


def unusable(path: Path, reason: str, remedy: str) -> ConfigError:
    """The error for a cache that cannot be used."""
    return ConfigError(f"the cache {path} cannot be used: {reason}. {remedy}")


def in_words(path: Path, error: Exception) -> Exception:
    """What an error means for the cache in a directory."""
    if isinstance(error, ConfigError):
        return error
    if isinstance(error, sqlite3.Error):
        return unusable(path, *_MEANINGS.get(code(error), (f"SQLite says: {error}", _ANEW)))
    if isinstance(error, OSError):
        return unusable(path, *_os_meaning(error))
    return unusable(path, f"its content is damaged ({error})", _ANEW)


def _os_meaning(error: OSError) -> tuple[str, str]:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return _FULL
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return "it is not a directory", f"{REMEDY}."
    return error.strerror or type(error).__name__, f"{REMEDY}, one that this process may write to."


def code(error: BaseException) -> int:
    """SQLite's primary result code (the low byte: https://sqlite.org/rescode.html#pve)."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
