"""Counting tokens: of a text in :mod:`.text`, of a request in :mod:`.request`; never on the network."""
