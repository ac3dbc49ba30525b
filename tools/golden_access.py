"""The golden instances of what reads leave behind, of an account of them, and of a drill."""

from ledger.events.access import ACCESS_KINDS, AccessRecorded, ReadPart, ReadsCounted
from ledger.events.base import EventData
from ledger.events.drills import DrillRecorded, FollowUpPart
from ledger.events.proving import ServiceAccountedV2, ServiceAccountedV3
from tools.golden_proving import Appender

_BEFORE = "2026-07-02T23:59:00.000000Z"
_GOVERNED = "2026-11-30T12:00:00.000000Z"
_AFTER = "2026-07-03T00:20:31.500000Z"


def record(ledger: Appender) -> None:
    """Record the reads of two days, an audit of all that came before, and the service's account."""
    size = len(ledger.events)

    def note(data: EventData, minute: int, actor: str) -> None:
        at = f"2026-07-03T00:{minute}:31.500000Z"
        ledger.append(data, "ledger", at, actor=actor)

    rows = [
        _row("services/dashboard", "ListPriorities", 2, _BEFORE),
        _row("services/dashboard", "ListPriorities", 1_440, _AFTER),
        _row("users/auditor", "ListEvents", 1, _AFTER),
    ]
    counted = ReadsCounted(since=_BEFORE, until=_AFTER, total=1_443, reads=rows, unlisted=0)
    note(counted, 21, "system/access")
    note(_audit(size), 22, "system/access")
    note(_account(size), 23, "system/service")


def _row(actor: str, method: str, count: int, at: str) -> ReadPart:
    return ReadPart(actor=actor, method=method, count=count, first_at=at, last_at=at)


def _audit(size: int) -> AccessRecorded:
    return AccessRecorded(
        access="019f2b6a-16ec-7d4e-8f00-0123456789ab",
        actor="users/auditor",
        method="ListEvents",
        address="192.0.2.7",
        purpose="audit",
        export=None,
        first_position=1,
        last_position=size,
        events=size,
        archive_bytes=0,
        started_at=_AFTER,
        ended_at=_AFTER,
    )


def _account(size: int) -> ServiceAccountedV2:
    return ServiceAccountedV2(
        service="019f1d5c-9a11-7cc0-8a51-0123456789ac",
        number=1,
        is_last=True,
        program="decision-ledger 0.2.0",
        at="2026-07-03T00:23:31.500000Z",
        ran_seconds=1_440,
        after=size,
        evaluated_through=size,
        scores=0,
        decisions=0,
        seals=0,
        seal_seconds=3_600,
        refused=0,
        reads=1_443,
        reads_seconds=3_600,
        accesses=1,
        accesses_recorded=list(ACCESS_KINDS),
    )


def govern(ledger: Appender) -> None:
    """Record the account of a service that has governed."""
    size = len(ledger.events)
    data = _account(size).to_data() | {
        "service": "019f1d5c-9a11-7cc0-8a51-0123456789ad",
        "at": _GOVERNED,
        "reads": 0,
        "accesses": 0,
        "governed_through": size,
        "governed_at": _GOVERNED,
    }
    account = ServiceAccountedV3.from_data(data)
    ledger.append(account, "ledger", _GOVERNED, actor="system/service")


def drill(ledger: Appender) -> None:
    """Record a drill of people: a backup was put back, and the server refused to start on it."""
    held = DrillRecorded(
        drill="restored-backup",
        kind="red_team",
        scenario="The backup of last night is put in the place of the database.",
        held_at="2026-08-03T09:00:00.000000Z",
        participants=["users/ops", "staff-17"],
        program="",
        detected=True,
        detected_by=["LEDGER_BEHIND", "users/ops"],
        micros_to_detect=4_500_000,
        findings=["The server named both sizes; the page on call did not say whom to ask."],
        follow_ups=[
            FollowUpPart(
                what="Say in the page on call who restores the database.",
                owner="users/ops",
                due_at="2026-08-17T00:00:00.000000Z",
            )
        ],
    )
    ledger.append(held, "ledger", "2026-08-03T10:30:00.000000Z", actor="users/auditor")
