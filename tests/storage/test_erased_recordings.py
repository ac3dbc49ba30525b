"""Erased events of `eventsourcing` applications: goal: no reader is given half an aggregate.

Method: an application's events recorded and one of them erased; notifications go on past it, its
aggregate is refused, and every other one is as it was.
"""

from uuid import UUID

import pytest
from eventsourcing.persistence import StoredEvent

from ledger.errors import LedgerError, Reason
from ledger.storage import Store
from ledger.storage.recorders import LedgerApplicationRecorder
from tests.support.stores import ORIGIN, erasing


def erase(store: Store, position: int) -> None:
    """Erase one body."""
    store.requests.erase(erasing((position, position)), [(position, position)])


def test_an_erased_event_stops_its_aggregate_and_nothing_else(store: Store) -> None:
    recorder = LedgerApplicationRecorder(store, ORIGIN)
    one, other = UUID(int=1), UUID(int=2)
    positions = [
        recorder.insert_events([StoredEvent(originator, version, "app:Happened", b"secret")])
        for originator in (one, other)
        for version in (1, 2)
    ]
    lost = positions[1]
    assert lost is not None
    erase(store, lost[0])
    told = recorder.select_notifications(1, 100, topics=("app:Happened",))
    assert [(each.originator_id, each.originator_version) for each in told] == [
        (one, 1),
        (other, 1),
        (other, 2),
    ]
    assert len(recorder.select_events(other)) == 2
    with pytest.raises(LedgerError) as refused:
        recorder.select_events(one)
    assert refused.value.reason is Reason.BODY_ERASED
    recorder.insert_events([StoredEvent(other, 3, "app:Happened", b"more")])
