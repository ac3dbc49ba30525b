"""What a ledger is created with is read from the event that configured it, for ever.

Method: ledgers are created on each database with and without a unit of cost, and read in every way
there is; an event that was damaged since adds nothing.
"""

import pytest

from ledger.errors import LedgerError, Reason
from ledger.storage import CreateLedger, Store
from ledger.storage.database import stored_bytes
from ledger.storage.read_connections import info_of
from tests.support.check_ledger import check_ledger
from tests.support.hooks import on_writer
from tests.support.stores import ORIGIN, edit


def test_a_ledger_keeps_its_unit_of_cost_and_its_bound_on_leaps_of_time(
    empty_store: Store,
) -> None:
    request = CreateLedger(ORIGIN, "data", 300, "users/ada", unit_of_cost="EUR", leap_seconds=7)
    made = empty_store.ledgers.create(request)
    assert (made.unit_of_cost, made.leap_seconds) == ("EUR", 7)
    assert empty_store.ledgers.named(ORIGIN) == made
    assert empty_store.ledgers.all() == [made]
    second = check_ledger(empty_store, ORIGIN)[1]
    assert (second.data["unit_of_cost"], second.data["leap_seconds"]) == ("EUR", 7)


def test_a_ledger_without_a_unit_of_cost_says_so(store: Store) -> None:
    assert store.ledgers.named(ORIGIN).unit_of_cost == ""
    assert check_ledger(store, ORIGIN)[1].data["unit_of_cost"] is None


def test_a_configuration_that_cannot_be_read_adds_nothing() -> None:
    for body in (None, b"", b"{}", b"[]", b'{"data":[]}', b'{"data":{}}'):
        info = info_of((1, ORIGIN, "wall", 300, "key", body, body))
        assert (info.unit_of_cost, info.leap_seconds) == ("", 0)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("clock = 'data'", "the clock 'data', and its first events say 'wall'"),
        ("skew_seconds = 86400", "the skew_seconds 86400, and its first events say 300"),
        ("vkey = ''", "the vkey '', and its first events say"),
        ("origin = 'ledger.example.com/x'", "the origin 'ledger.example.com/x'"),
    ],
)
def test_a_row_that_is_not_what_the_first_events_say_is_damage(
    store: Store, change: str, what: str
) -> None:
    on_writer(store, lambda turn: turn.connection.exec_driver_sql(f"UPDATE ledgers SET {change}"))
    with pytest.raises(LedgerError) as caught:
        store.ledgers.all()
    assert caught.value.reason is Reason.CHAIN_BROKEN
    assert what in caught.value.message


def test_a_ledger_that_is_said_to_have_no_key_and_has_kept_one_is_damage(store: Store) -> None:
    body = "UPDATE events SET type = 'note.taken.v1' WHERE position = 1"
    edit(store, "UPDATE ledgers SET vkey = ''", body)
    fresh = store.ledgers.all()[0]
    assert fresh.vkey == ""
    with store.snapshot() as view, pytest.raises(LedgerError) as caught:
        store.keys.check_head(ORIGIN, view.events.head(ORIGIN))
    assert caught.value.reason is Reason.CHAIN_BROKEN


@pytest.mark.parametrize(
    "row",
    [
        (1, None, "wall", 300, "key"),
        (1, b"ledger.example", "wall", 300, "key"),
        (1, "Not A Name", "wall", 300, "key"),
        (1, ORIGIN, "sundial", 300, "key"),
        (1, ORIGIN, "wall", "300", "key"),
        ("1", ORIGIN, "wall", 300, "key"),
        (1, ORIGIN, "wall", 300, None),
    ],
)
def test_a_row_that_this_product_does_not_write_is_damage(row: tuple[object, ...]) -> None:
    with pytest.raises(LedgerError) as caught:
        info_of((*row, None, None))
    assert caught.value.reason is Reason.CHAIN_BROKEN


def test_a_ledger_whose_head_is_gone_is_damaged(store: Store) -> None:
    on_writer(store, lambda turn: turn.connection.exec_driver_sql("DELETE FROM heads"))
    with pytest.raises(LedgerError, match=f"the head of {ORIGIN} is missing") as error:
        store.events.head(ORIGIN)
    assert error.value.reason is Reason.CHAIN_BROKEN


@pytest.mark.parametrize("body", [-1, 2**62, 3.5, "xx"])
def test_a_body_that_is_no_bytes_is_damage_and_never_a_size(body: object) -> None:
    with pytest.raises(LedgerError, match="not as bytes") as caught:
        info_of((1, ORIGIN, "wall", 300, "key", body, b"{}"))
    assert caught.value.reason is Reason.CHAIN_BROKEN
    with pytest.raises(LedgerError, match="the body of event 7 is stored as"):
        stored_bytes(body, "the body of event 7")
