"""Every rule there is: importing this registers them all."""

from ledger.audit.rules import bodies, decisions, fleet, horizons, meanings, proving, replay

__all__ = ["bodies", "decisions", "fleet", "horizons", "meanings", "proving", "replay"]
