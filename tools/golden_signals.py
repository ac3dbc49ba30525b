"""The golden events of signals that have an owner, and of observations that say more."""

from ledger.events.signals import SignalDefinedV2, StandardPart
from ledger.events.standard_signals import standard
from tools.golden_proving import Appender


def adopt(ledger: Appender) -> None:
    """Record the adoption of a standard signal."""
    entry = standard("psi", 1)
    assert entry is not None, "an entry of the catalogue is never taken out"
    defined = SignalDefinedV2(
        signal="psi-amount",
        kind=entry.kind,
        unit=entry.unit,
        direction=entry.direction,
        meaning="Population stability index of the amount over the deciles of January.",
        collection=entry.collection,
        owner="team-payments",
        standard=StandardPart(name=entry.name, version=entry.version),
    )
    ledger.append(defined, defined.stream_name, "2026-07-04T09:00:00.000000Z")
