"""The command line, `decision-ledger`: one module for each noun, and what they share."""
