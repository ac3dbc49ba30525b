"""Promises of the append: order, idempotency, guards, isolation in a group. On both databases."""

import hashlib
import threading
from concurrent.futures import Future
from functools import partial

import pytest

from ledger.errors import LedgerError, Reason
from ledger.events.envelope import encode_body
from ledger.events.values import SECOND, format_time
from ledger.storage import (
    AppendRequest,
    AppendResult,
    CreateLedger,
    Guard,
    NewEvent,
    Store,
    open_store,
)
from ledger.storage.records import Place
from tests.support.check_ledger import check_ledger
from tests.support.clocks import ManualClock
from tests.support.hooks import on_writer, writer_of
from tests.support.server_process import until
from tests.support.stores import ORIGIN, START, VAULT, asking, begun, note

UPDATED = "model.updated.v1"
RETIRED = "model.retired.v1"


def observed(model: str, at: int) -> NewEvent:
    body = encode_body(
        actor="users/ada",
        data={
            "model_version": "v1",
            "observed_at": format_time(at),
            "sample_size": 100,
            "signal": "auc",
            "value": "0.91",
        },
    )
    return NewEvent(f"models/{model}", "signal.observed.v1", body, at)


def said(words: str) -> bytes:
    return encode_body(actor="users/ada", data={"note": words})


def updated(model: str = "a", text: str = "x") -> NewEvent:
    return note(f"models/{model}", text)


def hold_writer(store: Store) -> tuple[threading.Event, threading.Thread]:
    """Keep the writer busy until the event is set, so that what follows commits in one group."""
    release, entered = threading.Event(), threading.Event()

    def _wait(turn: object) -> None:
        entered.set()
        release.wait()

    thread = threading.Thread(target=on_writer, args=(store, _wait))
    thread.start()
    entered.wait()
    return release, thread


def append_as_one_group(store: Store, requests: list[AppendRequest]) -> list[AppendResult | Reason]:
    release, thread = hold_writer(store)
    futures: list[Future[AppendResult]] = [store.requests.submit(item) for item in requests]
    release.set()
    thread.join()
    answers: list[AppendResult | Reason] = []
    for future in futures:
        try:
            answers.append(future.result())
        except LedgerError as error:
            answers.append(error.reason)
    return answers


def test_a_new_ledger_begins_with_its_creation_and_its_clock(store: Store) -> None:
    first, second = check_ledger(store, ORIGIN)
    assert (first.type, second.type) == ("ledger.created.v1", "ledger.configured.v3")
    assert first.data["vkey"] == store.ledgers.named(ORIGIN).vkey
    signing, following = store.keys.opened(ORIGIN)
    assert signing == first.data["vkey"]
    assert second.data == {
        "clock": "wall",
        "leap_seconds": 0,
        "next_key_digest": hashlib.sha256(following.encode()).hexdigest(),
        "skew_seconds": 300,
        "unit_of_cost": None,
    }


def test_events_of_a_request_stand_together_and_count_by_stream(store: Store) -> None:
    result = store.requests.append(asking(updated("a"), updated("b"), updated("a")))
    assert (result.first_position, result.last_position) == (3, 5)
    events = check_ledger(store, ORIGIN)
    assert [(e.stream, e.stream_version) for e in events[2:]] == [
        ("models/a", 1),
        ("models/b", 1),
        ("models/a", 2),
    ]
    assert events[-1].event_hash == result.event_hash


def test_a_body_may_cite_the_position_that_its_request_begins_at(store: Store) -> None:
    cite = NewEvent("models/a", UPDATED, lambda place: said(f"first is {place.first_position}"))
    result = store.requests.append(asking(updated(), cite))
    event = store.events.event(ORIGIN, result.last_position)
    assert event is not None
    assert event.data == {"note": f"first is {result.first_position}"}


def test_a_body_that_cannot_be_made_refuses_its_own_request_only(store: Store) -> None:
    def _fail(_: Place) -> bytes:
        raise ZeroDivisionError

    bad = asking(updated(), NewEvent("models/a", UPDATED, _fail))
    answers = append_as_one_group(store, [asking(updated()), bad, asking(updated())])
    assert [a if isinstance(a, Reason) else a.first_position for a in answers] == [
        3,
        Reason.INTERNAL,
        4,
    ]
    check_ledger(store, ORIGIN)


def test_a_repeated_request_gets_the_first_answer_again(store: Store) -> None:
    again = asking(updated(), request_id="r-1", digest=b"one")
    first = store.requests.append(again)
    store.requests.append(asking(updated("b")))
    second = store.requests.append(again)
    assert second.repeated
    assert not first.repeated
    assert (second.first_position, second.recorded_at, second.event_hash) == (
        first.first_position,
        first.recorded_at,
        first.event_hash,
    )
    assert store.events.head(ORIGIN).position == 4


def test_a_request_id_with_other_content_is_refused(store: Store) -> None:
    store.requests.append(asking(updated(), request_id="r-1", digest=b"one"))
    with pytest.raises(LedgerError) as caught:
        store.requests.append(asking(updated(), request_id="r-1", digest=b"two"))
    assert caught.value.reason is Reason.REQUEST_ID_REUSED
    assert caught.value.metadata["first_position"] == "3"


def test_request_ids_belong_to_an_actor_and_a_method(store: Store) -> None:
    store.requests.append(asking(updated(), request_id="r-1"))
    other_method = AppendRequest(ORIGIN, "users/ada", "Other", (updated(),), request_id="r-1")
    other_actor = AppendRequest(ORIGIN, "users/bob", "Test", (updated(),), request_id="r-1")
    assert not store.requests.append(other_method).repeated
    assert not store.requests.append(other_actor).repeated


def test_one_group_holds_repeats_conflicts_and_neighbours_without_mixing_them_up(
    store: Store,
) -> None:
    unused = Guard("models/a", frozenset({UPDATED}), expected_count=0)
    answers = append_as_one_group(
        store,
        [
            asking(updated(), request_id="r-1", digest=b"1", guards=[unused]),
            asking(updated(), request_id="r-1", digest=b"1", guards=[unused]),
            asking(updated(), request_id="r-1", digest=b"2"),
            asking(updated(), guards=[unused]),
            asking(updated("b")),
            asking(updated(), deadline_monotonic=-1.0),
            asking(updated("c"), guards=[Guard("models/b", None, after_position=3)]),
            asking(updated("c"), guards=[Guard(None, frozenset({UPDATED}), after_position=3)]),
        ],
    )
    assert answers[2:4] == [Reason.REQUEST_ID_REUSED, Reason.VERSION_CONFLICT]
    assert answers[5:] == [Reason.DEADLINE_EXCEEDED, *[Reason.VERSION_CONFLICT] * 2]
    first, repeat, neighbour = answers[0], answers[1], answers[4]
    assert isinstance(first, AppendResult)
    assert isinstance(repeat, AppendResult)
    assert isinstance(neighbour, AppendResult)
    assert repeat.repeated
    assert repeat.last_position == first.last_position == 3
    assert neighbour.last_position == 4
    assert len(check_ledger(store, ORIGIN)) == 4


@pytest.mark.parametrize(
    ("guard", "holds"),
    [
        (Guard("models/a", None, after_position=4), True),
        (Guard("models/a", None, after_position=3), False),
        (Guard("models/a", None, expected_count=2), True),
        (Guard("models/a", None, expected_count=1), False),
        (Guard("models/a", frozenset({UPDATED}), after_position=3), True),
        (Guard("models/a", frozenset({UPDATED}), after_position=2), False),
        (Guard("models/a", frozenset({UPDATED, RETIRED}), expected_count=2), True),
        (Guard("models/a", frozenset({RETIRED}), expected_count=0), False),
        (Guard("models/b", None, after_position=0, expected_count=0), True),
        (Guard(None, frozenset({RETIRED}), after_position=4), True),
        (Guard(None, frozenset({RETIRED}), after_position=3), False),
    ],
)
def test_a_guard_decides_by_what_is_stored(store: Store, guard: Guard, *, holds: bool) -> None:
    store.requests.append(asking(updated(), note(type_=RETIRED)))
    if holds:
        assert store.requests.append(asking(updated("c"), guards=[guard])).last_position == 5
    else:
        with pytest.raises(LedgerError) as caught:
            store.requests.append(asking(updated("c"), guards=[guard]))
        assert caught.value.reason is Reason.VERSION_CONFLICT
        assert store.events.head(ORIGIN).position == 4


def test_time_never_runs_backwards_on_a_wall_ledger(store: Store, clock: ManualClock) -> None:
    clock.advance(5 * SECOND)
    late = store.requests.append(asking(updated())).recorded_at
    clock.step(-60 * SECOND)
    assert store.requests.append(asking(updated(), stated_time=START * 2)).recorded_at == late
    assert late == START + 5 * SECOND


def test_a_data_ledger_starts_in_1970_and_moves_by_stated_times_only(
    empty_store: Store,
) -> None:
    origin = "ledger.example.com/history"
    empty_store.ledgers.create(CreateLedger(origin, "data", 0, "users/ada"))
    times = [
        empty_store.requests.append(
            asking(updated(), ledger=origin, stated_time=stated)
        ).recorded_at
        for stated in (None, 7 * SECOND, 3 * SECOND, None, 9 * SECOND)
    ]
    assert times == [0, 7 * SECOND, 7 * SECOND, 7 * SECOND, 9 * SECOND]
    assert check_ledger(empty_store, origin)[0].recorded_at == 0


def test_several_ledgers_share_a_database_without_sharing_order_or_ids(store: Store) -> None:
    other = "ledger.example.com/churn"
    store.ledgers.create(CreateLedger(other, "wall", 300, "users/ada"))
    answers = append_as_one_group(
        store,
        [
            asking(updated(), request_id="r-1"),
            asking(updated(), ledger=other, request_id="r-1"),
            asking(updated(), ledger=other),
        ],
    )
    assert [a.last_position for a in answers if isinstance(a, AppendResult)] == [3, 3, 4]
    assert len(check_ledger(store, ORIGIN)) == 3
    assert len(check_ledger(store, other)) == 4
    assert [info.origin for info in store.ledgers.all()] == [ORIGIN, other]


def test_creating_a_ledger_twice_is_refused_unless_it_is_the_same_request(
    empty_store: Store,
) -> None:
    create = CreateLedger(ORIGIN, "wall", 300, "users/ada", request_id="c-1", digest=b"1")
    assert empty_store.ledgers.create(create) == empty_store.ledgers.create(create)
    for again, reason in (
        (CreateLedger(ORIGIN, "wall", 300, "users/ada"), Reason.ALREADY_EXISTS),
        (
            CreateLedger(ORIGIN, "data", 300, "users/ada", request_id="c-1", digest=b"2"),
            Reason.REQUEST_ID_REUSED,
        ),
        (CreateLedger("Not A Name", "wall", 300, "users/ada"), Reason.FIELD_INVALID),
        (CreateLedger("a/b", "sundial", 300, "users/ada"), Reason.FIELD_INVALID),
    ):
        with pytest.raises(LedgerError) as caught:
            empty_store.ledgers.create(again)
        assert caught.value.reason is reason
    assert len(check_ledger(empty_store, ORIGIN)) == 2


def test_an_unknown_ledger_is_named_in_the_refusal(store: Store) -> None:
    with pytest.raises(LedgerError) as caught:
        store.requests.append(asking(updated(), ledger="nobody"))
    assert caught.value.reason is Reason.LEDGER_UNKNOWN
    assert caught.value.metadata == {"ledger": "nobody"}


@pytest.mark.parametrize(
    "bad",
    [
        AppendRequest(ORIGIN, "ada", "Test", ()),
        AppendRequest(ORIGIN, "users/ada", "Test", (), request_id="ü"),
        AppendRequest(ORIGIN, "users/ada", "Test", (NewEvent('models/"', UPDATED, b""),)),
        AppendRequest(ORIGIN, "users/ada", "Test", (NewEvent("models/a", "updated", b""),)),
    ],
)
def test_names_outside_their_grammar_never_reach_a_header(store: Store, bad: AppendRequest) -> None:
    with pytest.raises(LedgerError) as caught:
        store.requests.append(bad)
    assert caught.value.reason is Reason.FIELD_INVALID


def test_a_restarted_store_goes_on_where_it_stopped(database_url: str, clock: ManualClock) -> None:
    with_id = asking(updated(), request_id="r-1", digest=b"1")
    for turn in range(3):
        store = begun(database_url, clock)
        store.requests.append(with_id)
        store.requests.append(asking(updated(), observed("b", START + turn)))
        store.close()
    store = open_store(database_url, clock, vault=VAULT, create=True)
    assert [e.stream_version for e in check_ledger(store, ORIGIN) if e.stream == "models/a"] == [
        1,
        2,
        3,
        4,
    ]
    store.close()
    store.close()


def test_what_is_queued_when_the_store_closes_is_still_written(store: Store) -> None:
    release, thread = hold_writer(store)
    waiting = [store.requests.submit(asking(updated())) for _ in range(5)]
    closer = threading.Thread(target=writer_of(store).close)
    closer.start()
    release.set()
    closer.join()
    thread.join()
    assert [future.result().last_position for future in waiting] == [3, 4, 5, 6, 7]
    with pytest.raises(LedgerError) as caught:
        store.requests.append(asking(updated()))
    assert caught.value.reason is Reason.DRAINING


def test_a_full_queue_pushes_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.storage.writer.QUEUE_EVENTS_MAX", 3)
    release, thread = hold_writer(store)
    waiting = store.requests.submit(asking(updated(), updated()))
    with pytest.raises(LedgerError) as caught:
        store.requests.submit(asking(updated(), updated()))
    release.set()
    thread.join()
    assert caught.value.reason is Reason.LIMIT_REACHED
    assert caught.value.retry_after_seconds
    assert waiting.result().last_position == 4


def test_listeners_hear_of_commits_and_one_that_fails_harms_no_other(store: Store) -> None:
    heard: list[tuple[str, int]] = []

    def _fail(origin: str, position: int) -> None:
        raise ZeroDivisionError

    store.commits.subscribe(_fail)
    stop = store.commits.subscribe(lambda origin, position: heard.append((origin, position)))
    store.requests.append(asking(updated()))
    until(lambda: (ORIGIN, 3) in heard, "the first is heard of")
    store.requests.append(asking(updated()))
    until(lambda: (ORIGIN, 4) in heard, "the second is heard of")
    # A hint may come twice: from the writer, and from a database that tells its servers.
    assert list(dict.fromkeys(heard)) == [(ORIGIN, 3), (ORIGIN, 4)]
    stop()
    store.requests.append(asking(updated()))
    assert (ORIGIN, 5) not in heard


def test_a_lease_has_one_holder_until_it_runs_out_or_is_given_back(
    store: Store, clock: ManualClock
) -> None:
    assert store.leases.take(ORIGIN, "evaluator", "one", 60)
    assert not store.leases.take(ORIGIN, "evaluator", "two", 60)
    assert store.leases.take(ORIGIN, "evaluator", "one", 0.5)
    until(partial(store.leases.take, ORIGIN, "evaluator", "two", 60), "it runs out")
    clock.advance(3_600 * SECOND)  # of no account: not the clock that leases are counted by
    assert not store.leases.take(ORIGIN, "evaluator", "one", 60)
    assert not store.leases.take(ORIGIN, "evaluator", "two", 0)
    assert store.leases.take(ORIGIN, "evaluator", "one", 60)


def test_checkpoints_are_kept_in_the_order_of_their_sizes_only(store: Store) -> None:
    assert store.proofs.checkpoint(ORIGIN) is None
    assert store.proofs.save_checkpoint(ORIGIN, 2, "two", after=0)
    for size, kept, after in ((1, "one", 0), (2, "other", 2), (2, "other", 0), (4, "four", 3)):
        assert not store.proofs.save_checkpoint(ORIGIN, size, kept, after=after)
    assert store.proofs.save_checkpoint(ORIGIN, 5, "five", after=2)
    assert store.proofs.checkpoint(ORIGIN) == (5, "five")
    assert store.proofs.checkpoint(ORIGIN, size=2) == (2, "two")
    assert store.proofs.checkpoint(ORIGIN, size=3) is None
    assert store.proofs.checkpoints(ORIGIN) == [(2, "two"), (5, "five")]
    assert store.proofs.checkpoints(ORIGIN, after_size=2) == [(5, "five")]
    assert store.proofs.checkpoints(ORIGIN, limit=1) == [(2, "two")]
    assert store.proofs.covering(ORIGIN, 5) == (5, "five")
    assert store.proofs.covering(ORIGIN, 6) is None
