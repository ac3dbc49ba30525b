"""The golden events of signals that have an owner, and of observations that say more."""

from ledger.events.signals import (
    CorrectionPart,
    ReportPart,
    SignalDefinedV2,
    SignalObserved,
    SignalObservedV2,
    StandardPart,
)
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


def correct(ledger: Appender) -> None:
    """Record a correction of the first observation, once more outcomes were known."""
    seen = next(event for event in ledger.events if event.type == SignalObserved.TYPE)
    corrected = SignalObservedV2(
        **seen.data | {"sample_size": 131_500, "value": "0.561"},
        corrects=CorrectionPart(position=seen.position, first=seen.position),
        estimated=False,
        indicators={"accuracy": "0.93", "share-labelled": "0.9975"},
        raw="0.5609",
        report=ReportPart(uri="s3://reports/fraud-eu/2026-03-01.html", sha256="5a" * 32),
    )
    at = "2026-08-04T09:00:00.000000Z"
    ledger.append(corrected, seen.stream, at, actor=seen.body.actor)
