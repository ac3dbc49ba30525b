"""What the library's suites do not ask of our persistence module: its settings, native events."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent

from ledger.clock import SystemClock, uuid7
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import encode_body
from ledger.storage import AppendRequest, NewEvent, Store
from ledger.storage.eventsourcing import Factory
from ledger.storage.recorders import LedgerApplicationRecorder
from ledger.storage.stored_events import foreign_stream
from tests.support.check_ledger import check_ledger
from tests.support.stores import ORIGIN

ID = UUID(uuid7(SystemClock()))


@pytest.fixture
def env(database_url: str) -> Iterator[dict[str, str]]:
    env = {"PERSISTENCE_MODULE": "ledger.storage.eventsourcing", "LEDGER_URL": database_url}
    keeper = Factory(env)  # a factory that lives on keeps the store open
    yield env
    keeper.close()


def body(text: str = "x") -> bytes:
    return encode_body(actor="users/ada", data={"note": text})


def stored(stream: str, version: int, topic: str) -> StoredEvent:
    return StoredEvent(stream, version, topic, body())


@pytest.mark.parametrize(("kind", "expected"), [("uuid", UUID), ("text", str)])
def test_originators_come_back_as_the_type_that_is_configured(
    env: dict[str, str], kind: str, expected: type
) -> None:
    factory = Factory({**env, "ORIGINATOR_ID_TYPE": kind})
    recorder = factory.application_recorder()
    assert recorder.insert_events([StoredEvent(ID, 1, "some.topic", b"\x00\xff")]) == [1]
    [found] = recorder.select_events(ID)
    assert type(found.originator_id) is expected
    assert found.state == b"\x00\xff"
    factory.close()


@pytest.mark.parametrize("setting", [{}, {"LEDGER_URL": "x.db", "ORIGINATOR_ID_TYPE": "int"}])
def test_a_wrong_environment_is_refused_by_the_name_of_its_key(setting: dict[str, str]) -> None:
    with pytest.raises(OSError, match=r"LEDGER_URL|ORIGINATOR_ID_TYPE"):
        Factory(setting)


def test_a_foreign_event_is_recorded_as_the_format_says(env: dict[str, str]) -> None:
    factory = Factory({**env, "LEDGER_ORIGIN": "bare"})
    factory.application_recorder().insert_events([StoredEvent("a", 7, "some.topic", b"state")])
    [event] = check_ledger(factory.store, "bare")
    assert event.type == "recorder.event.v1"
    assert (
        event.stream
        == foreign_stream("a")
        == ("recorder/ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb")
    )
    assert event.data == {
        "originator_id": "a",
        "originator_version": 7,
        "state_base64": "c3RhdGU=",
        "topic": "some.topic",
    }
    factory.close()


def test_a_native_aggregate_counts_its_own_family_only(store: Store) -> None:
    recorder = LedgerApplicationRecorder(store, ORIGIN, str)
    score = NewEvent("models/a", "score.computed.v1", body())
    assert recorder.insert_events([stored("models/a", 1, "model.registered.v1")]) == [3]
    store.requests.append(AppendRequest(ORIGIN, "users/ada", "Score", [score]))
    second = [stored("models/a", n, "model.updated.v1") for n in (2, 3)]
    assert recorder.insert_events(second) == [5, 6]
    assert [e.originator_version for e in recorder.select_events("models/a")] == [1, 2, 3]
    assert [e.topic for e in recorder.select_events("models/a", desc=True, limit=1)] == [
        "model.updated.v1"
    ]
    assert [e.stream_version for e in check_ledger(store, ORIGIN)[2:]] == [1, 2, 3, 4]


@pytest.mark.parametrize("version", [1, 3])
def test_a_native_event_must_be_the_next_of_its_aggregate(store: Store, version: int) -> None:
    recorder = LedgerApplicationRecorder(store, ORIGIN, str)
    recorder.insert_events([stored("models/a", 1, "model.registered.v1")])
    with pytest.raises(IntegrityError):
        recorder.insert_events([stored("models/a", version, "model.updated.v1")])
    assert store.events.head(ORIGIN).position == 3


def test_a_repeated_request_gets_its_positions_again(store: Store) -> None:
    recorder = LedgerApplicationRecorder(store, ORIGIN, str)
    for events in (
        [stored("models/a", 1, "model.registered.v1")],
        [StoredEvent("foreign", 1, "some.topic", b"state")],
    ):
        request_id = events[0].topic
        first = recorder.insert_events(events, request_id=request_id, digest=b"1")
        assert recorder.insert_events(events, request_id=request_id, digest=b"1") == first
        with pytest.raises(LedgerError) as caught:
            recorder.insert_events(events, request_id=request_id, digest=b"2")
        assert caught.value.reason is Reason.REQUEST_ID_REUSED
    assert len(check_ledger(store, ORIGIN)) == 4


def test_notifications_show_native_and_foreign_events_in_one_order(store: Store) -> None:
    recorder = LedgerApplicationRecorder(store, ORIGIN, str)
    recorder.insert_events(
        [
            stored("models/a", 1, "model.registered.v1"),
            StoredEvent("foreign", 1, "some.topic", b"state"),
        ]
    )
    topics = [n.topic for n in recorder.select_notifications(start=1, limit=10)]
    assert topics == [
        "ledger.created.v1",
        "ledger.configured.v3",
        "model.registered.v1",
        "some.topic",
    ]
    chosen = recorder.select_notifications(start=None, limit=10, topics=["some.topic"])
    assert [(n.id, n.state) for n in chosen] == [(4, b"state")]


def test_two_factories_of_one_database_share_its_one_writer(env: dict[str, str]) -> None:
    one, two = Factory(env), Factory({**env, "LEDGER_ORIGIN": "other"})
    assert one.store is two.store
    one.close()
    one.close()
    two.application_recorder().insert_events([StoredEvent("a", 1, "t", b"")])
    two.store.ledgers.open_recorder(ORIGIN)
    two.close()
