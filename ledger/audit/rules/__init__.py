"""Every rule there is: importing this registers them all."""

from ledger.audit.rules import (
    authority,
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
    "authority", "bodies", "decisions", "fleet", "horizons", "meanings", "obligations", "proving",
    "replay",
]  # fmt: skip
