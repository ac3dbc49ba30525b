"""The auditor: reads a ledger as a stranger would, and checks every promise on its own path."""
