"""The wire formats: one file each, pure functions on JSON. Add a format by adding a file.

``endpoint.find`` tells from a URL which :class:`~tokenguard.dialects.dialect.Dialect` is spoken there.
"""

from tokenguard.dialects.dialect import Dialect, EventReader
from tokenguard.dialects.endpoint import Endpoint, find, operation_path, path_for_model

__all__ = ["Dialect", "Endpoint", "EventReader", "find", "operation_path", "path_for_model"]
