"""The client for threads: `LedgerClient` and its parts, one for each service."""
