"""Erasure removes body and salt, nothing else, and leaves the text in no file of a SQLite database.

Method: erase on both databases and compare every other column; try every other edit past the
store; search the bytes of all files beside the database for text that stood in one event only.
"""

import shutil
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from ledger.errors import LedgerError, Reason
from ledger.events.envelope import RecordedEvent, encode_body
from ledger.storage import AppendRequest, NewEvent, Store, open_store
from ledger.storage.erasure import union
from tests.support.check_ledger import check_ledger, read_all
from tests.support.clocks import ManualClock
from tests.support.hooks import database_of, overlap
from tests.support.stores import ORIGIN, START, VAULT, begun, erasing

UPDATED = "model.updated.v1"


def named(number: int, *, count: int = 1) -> AppendRequest:
    """A request whose actor, id and bodies hold text that no other request holds."""
    actor, request_id = f"users/person-{number}", f"request-{number}"
    body = encode_body(
        actor=actor, data={"note": f"secret-{number}-" * (1 + number % 7)}, request_id=request_id
    )
    events = [NewEvent(f"models/m{number % 5}", UPDATED, body)] * count
    return AppendRequest(ORIGIN, actor, "Test", events, request_id=request_id, digest=b"d")


def erase(store: Store, *ranges: tuple[int, int], request_id: str | None = None) -> tuple[int, int]:
    result, removed = store.requests.erase(erasing(*ranges, request_id=request_id), ranges)
    return result.first_position, removed


def refused(store: Store, *ranges: tuple[int, int]) -> LedgerError:
    before = read_all(store, ORIGIN)
    with pytest.raises(LedgerError) as caught:
        store.requests.erase(erasing((3, 3)), ranges)
    assert read_all(store, ORIGIN) == before
    return caught.value


def without_body(event: RecordedEvent) -> RecordedEvent:
    return event._replace(body_bytes=None, salt=None)


def test_body_and_salt_go_and_everything_else_stays(store: Store) -> None:
    for number in range(6):
        store.requests.append(named(number))
    before = read_all(store, ORIGIN)
    assert erase(store, (4, 5), (7, 7)) == (9, 3)
    after = check_ledger(store, ORIGIN)
    for old, new in zip(before, after, strict=False):
        assert new == (without_body(old) if old.position in {4, 5, 7} else old)
    assert after[-1].data["positions"] == [[4, 5], [7, 7]]
    with pytest.raises(LedgerError) as caught:
        _ = after[3].body
    assert caught.value.metadata["position"] == "4"
    assert erase(store, (4, 6)) == (10, 1)  # 4 and 5 were gone
    assert store.requests.append(named(9)).last_position == 11
    check_ledger(store, ORIGIN)


@pytest.mark.parametrize(
    ("ranges", "reason", "position"),
    [
        ([(1, 1)], Reason.BODY_PERMANENT, "1"),
        ([(3, 3), (4, 6)], Reason.BODY_PERMANENT, "5"),
        ([(2, 3)], Reason.BODY_PERMANENT, "2"),
        ([(4, 4)], Reason.BODY_ERASED, "4"),
        ([(3, 99)], Reason.POSITION_BEYOND_HEAD, "99"),
        ([(6, 7)], Reason.POSITION_BEYOND_HEAD, "7"),
        ([(4, 3)], Reason.FIELD_INVALID, ""),
        ([(3, 4), (4, 5)], Reason.FIELD_INVALID, ""),
        ([(0, 3)], Reason.FIELD_INVALID, ""),
        ([], Reason.FIELD_INVALID, ""),
    ],
)
def test_what_cannot_be_erased_is_refused_as_a_whole(
    store: Store, ranges: list[tuple[int, int]], reason: Reason, position: str
) -> None:
    for number in range(2):
        store.requests.append(named(number))
    erase(store, (4, 4))  # recorded at position 5
    store.requests.append(named(2))
    refusal = refused(store, *ranges)
    assert refusal.reason is reason
    assert refusal.metadata.get("position", "") == position


def test_a_repeat_erases_nothing_and_is_told_the_first_count(store: Store) -> None:
    for number in range(6):
        store.requests.append(named(number))
    erase(store, (4, 4), (6, 6))
    for _ in range(2):
        assert erase(store, (3, 5), request_id="once") == (10, 2)
        store.requests.append(named(7))
    assert erase(store, (3, 8), request_id="later") == (12, 2)
    assert erase(store, (3, 5), request_id="once") == (10, 2)
    assert erase(store, (3, 8), request_id="later") == (12, 2)


def test_a_request_id_goes_with_the_last_body_of_its_events(store: Store) -> None:
    store.requests.append(named(0, count=3))
    store.requests.append(named(1))
    store.requests.append(
        AppendRequest(ORIGIN, "users/person-0", "Test", [], request_id="empty", digest=b"d")
    )
    erase(store, (3, 4))
    assert store.requests.answered(ORIGIN, "users/person-0", "Test", "request-0") == (b"d", 3, 5)
    erase(store, (5, 5))
    assert store.requests.answered(ORIGIN, "users/person-0", "Test", "request-0") is None
    assert store.requests.answered(ORIGIN, "users/person-1", "Test", "request-1") == (b"d", 6, 6)
    assert store.requests.answered(ORIGIN, "users/person-0", "Test", "empty") == (b"d", 7, 6)


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE events SET body = :blob WHERE position = 3",
        "UPDATE events SET body = :blob, salt = :blob WHERE position = 3",
        "UPDATE events SET body = NULL WHERE position = 3",
        "UPDATE events SET salt = NULL WHERE position = 3",
        "UPDATE events SET body = NULL, salt = NULL, stream = 'models/x' WHERE position = 3",
        "UPDATE events SET body = NULL, salt = NULL, type = 'x.y.v1' WHERE position = 3",
        "UPDATE events SET body = NULL, salt = NULL, recorded_at = 1 WHERE position = 3",
        "UPDATE events SET body = NULL, salt = NULL, observed_at = 1 WHERE position = 3",
        "UPDATE events SET body = NULL, salt = NULL, body_hash = :blob WHERE position = 3",
        "UPDATE events SET body = NULL, salt = NULL, event_hash = :blob WHERE position = 3",
        "UPDATE events SET body = NULL, salt = NULL, position = 77 WHERE position = 3",
        "UPDATE events SET body = NULL, salt = NULL WHERE position = 1",
        "UPDATE events SET body = NULL, salt = NULL WHERE position = 2",
        "UPDATE events SET body = NULL, salt = NULL WHERE position = 5",
        "UPDATE events SET body = :blob, salt = :blob WHERE position = 4",
        "UPDATE events SET body = NULL, salt = NULL WHERE position = 4",
        "DELETE FROM events WHERE position = 4",
        "DELETE FROM requests",
        "UPDATE requests SET actor = 'users/x'",
        "UPDATE tiles SET hashes = :blob",
        "UPDATE tiles SET level = 3",
    ],
)
def test_triggers_let_an_erasure_through_and_nothing_else(store: Store, edit: str) -> None:
    for number in range(2):
        store.requests.append(named(number))
    erase(store, (4, 4))
    with (
        pytest.raises(DBAPIError, match="append-only"),
        database_of(store).writer.begin() as connection,
    ):
        connection.execute(text(edit), {"blob": b"x" * 32} if ":blob" in edit else {})
    check_ledger(store, ORIGIN)


# ---- files of a SQLite database ------------------------------------------------------------------


def found_in(folder: Path, *needles: str) -> set[str]:
    """The needles that some file of a folder holds, whatever the file is for."""
    contents = [path.read_bytes() for path in folder.iterdir() if path.is_file()]
    return {needle for needle in needles if any(needle.encode() in data for data in contents)}


@pytest.fixture
def filled(sqlite_url: str, clock: ManualClock) -> Store:
    """A ledger whose pages have been split often: streams and requests come in no order."""

    store = begun(sqlite_url, clock)
    futures = [
        store.requests.submit(named(number * 7919 % 3001 + 1_000)) for number in range(3_000)
    ]
    for future in futures:
        future.result()
    return store


def traces(number: int) -> list[str]:
    return [f"secret-{number}-", f"request-{number}", f"users/person-{number}"]


@pytest.mark.parametrize("is_open", [True, False])
def test_no_file_holds_erased_text_any_more(
    filled: Store, tmp_path: Path, *, is_open: bool
) -> None:
    numbers = {
        e.position: int(str(e.data["note"]).split("-")[1]) for e in read_all(filled, ORIGIN)[2:]
    }
    gone = [position for position in numbers if position % 37 == 0]
    needles = [needle for position in gone for needle in traces(numbers[position])]
    kept = traces(numbers[4])
    assert found_in(tmp_path, *needles, *kept) == {*needles, *kept}
    erase(filled, *((position, position) for position in gone))
    if not is_open:
        filled.close()
    assert found_in(tmp_path, *needles) == set()
    assert found_in(tmp_path, *kept) == set(kept)
    if is_open:
        assert (tmp_path / "ledger.db-wal").exists()
        check_ledger(filled, ORIGIN)
        filled.close()


def test_a_crash_before_the_files_are_clean_is_made_good_at_the_next_start(
    filled: Store, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = filled.events.read(ORIGIN, after=2, until=1_000)
    needles = [str(event.body.request_id) for event in events]

    def _crash() -> None:
        raise OSError("the power is gone")

    monkeypatch.setattr(database_of(filled), "scrub", _crash)
    with pytest.raises(OSError, match="power"):
        erase(filled, (3, 1_000), request_id="r")
    left = tmp_path / "left by the crash"
    left.mkdir()
    for path in tmp_path.glob("ledger.db*"):
        shutil.copy(path, left)
    filled.close()
    assert found_in(left, *needles), "the log holds copies, or nothing is tested here"
    again = open_store(str(left / "ledger.db"), clock, vault=VAULT)
    assert found_in(left, *needles) == set()
    assert erase(again, (3, 1_000), request_id="r") == (3003, 998)
    check_ledger(again, ORIGIN)
    again.close()


def test_a_reader_that_holds_on_to_the_text_is_named_and_a_repeat_finishes_the_work(
    filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.storage.sqlite.SCRUB_WAIT_MS", 50)
    event = filled.events.event(ORIGIN, 9)
    assert event is not None
    needle = str(event.data["note"])
    with filled.snapshot() as view:
        assert view.events.event(ORIGIN, 9) == event
        with pytest.raises(LedgerError, match="another program reads") as caught:
            erase(filled, (9, 9), request_id="r")
        assert caught.value.reason is Reason.STORE_UNAVAILABLE
        assert caught.value.retry_after_seconds
        assert view.events.event(ORIGIN, 9) == event  # one moment stays one moment
        assert filled.requests.append(named(1)).last_position == 3004  # the writer goes on
    assert found_in(tmp_path, needle)
    assert erase(filled, (9, 9), request_id="r") == (3003, 1)
    assert found_in(tmp_path, needle) == set()
    filled.close()


def test_erasing_while_others_append_mixes_nothing_up(filled: Store) -> None:
    stop = threading.Event()

    def _append() -> None:
        number = 10_000
        while not stop.is_set():
            filled.requests.append(named(number))
            number += 1

    thread = threading.Thread(target=_append)
    thread.start()
    for position in range(10, 13):
        erase(filled, (position, position))
    stop.set()
    thread.join()
    events = check_ledger(filled, ORIGIN)
    assert [e.position for e in events if e.body_bytes is None] == [10, 11, 12]
    filled.close()


def test_an_index_still_finds_an_erased_observation_by_its_time(store: Store) -> None:
    from ledger.events.values import format_time

    body = encode_body(actor="users/ada", data={"observed_at": format_time(START)})
    observed = NewEvent("models/a", "signal.observed.v1", body, START)
    store.requests.append(AppendRequest(ORIGIN, "users/ada", "Test", [observed]))
    erase(store, (3, 3))
    (event,) = store.events.observations(
        ORIGIN, "models/a", observed_from=START, observed_until=START, at_or_before=9
    )
    assert event.body_bytes is None


def test_ranges_are_counted_like_sets_of_positions() -> None:
    ranges = [(1, 3), (5, 5), (9, 12)]
    others = union([(11, 20), (2, 4), (5, 6), (1, 1), (7, 7)])
    assert others == [(1, 7), (11, 20)]
    assert overlap(ranges, others) == 3 + 1 + 2
    assert overlap(ranges, []) == 0
    assert sqlite3.sqlite_version_info >= (3, 35)  # a column can be dropped
