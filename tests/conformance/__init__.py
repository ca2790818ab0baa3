"""The SDKs' own test suites, run with every client wrapped: `python -m tests.conformance`."""
