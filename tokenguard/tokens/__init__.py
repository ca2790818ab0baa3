"""Counting tokens: exactly with :mod:`.text`, in microseconds with :mod:`.estimate`; never on the network."""
