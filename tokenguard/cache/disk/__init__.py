"""A store in a directory of this machine, on diskcache."""

from tokenguard.cache.disk.files import default_directory
from tokenguard.cache.disk.store import DiskStore

__all__ = ["DiskStore", "default_directory"]
