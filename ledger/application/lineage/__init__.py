"""Runs of one ledger, from the first signal to the last outcome: read, told, attested."""
