"""The vocabulary of the ledger: what may be said in an event, and to the byte how it is written."""
