"""Authentication: who is on the line, by cryptography alone; it knows no ledger."""
