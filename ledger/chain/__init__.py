"""Pure bytes and hashes: what makes the ledger tamper-evident, and proves it to an outsider."""
