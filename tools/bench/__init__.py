"""Measures what the ledger promises about speed and memory, each figure beside a peer."""
