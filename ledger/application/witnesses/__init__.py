"""Witnesses: heads sent to them, cosignatures kept, and what they say about this ledger."""
