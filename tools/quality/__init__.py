"""The decision-quality benchmark, decided by a running ledger: `python -m tools.quality`."""

import sys


def say(text: str) -> None:
    """Tell the person who waits; standard output is for results and for the protocol."""
    print(text, file=sys.stderr, flush=True)
