"""Every rule there is: importing this registers them all."""

from ledger.audit.rules import (
    bodies,
    decisions,
    fleet,
    horizons,
    meanings,
    obligations,
    proving,
    replay,
)

__all__ = [
    "bodies", "decisions", "fleet", "horizons", "meanings", "obligations", "proving", "replay",
]  # fmt: skip
