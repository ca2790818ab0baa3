"""The ``tokenguard`` command: one file per command, imported only when that command is run."""
