"""The decision-quality benchmark, decided by a running ledger: `python -m tools.quality`."""
