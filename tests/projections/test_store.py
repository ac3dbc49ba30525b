"""The tables: forward only, all or nothing, one generation in use."""

from typing import Any

import pytest
import sqlalchemy as sa

from ledger.errors import LedgerError, Reason
from projections.store import ProjectionStore
from projections.tables import ROWS, AdvanceResult, DeadLetter, Generation, Tracking
from tests.support.hooks import refuse_lock
from tests.support.stores import DATABASES

LEDGER = "example.org/fleet"


def _at(position: int) -> Tracking:
    return Tracking(position, bytes([position]) * 32, bytes([position]) * 32, position, 1, 2)


@pytest.fixture
def live(store: ProjectionStore) -> Generation:
    """Return the generation in use."""
    return store.claim(LEDGER, "signals/2")


def test_rows_and_tracking_are_read_back_as_written(
    store: ProjectionStore, live: Generation
) -> None:
    assert (
        store.advance(live, _at(5), {"a": b"1", "b": b"2"}, only_live=True) is AdvanceResult.MOVED
    )
    assert (
        store.advance(live, _at(6), {"a": None, "b": b"3"}, only_live=True) is AdvanceResult.MOVED
    )
    assert store.load(live) == (_at(6), {"b": b"3"})


@pytest.mark.parametrize("position", [4, 5])
def test_the_position_never_stays_or_moves_back_and_nothing_else_is_written(
    store: ProjectionStore, live: Generation, position: int
) -> None:
    store.advance(live, _at(5), {"a": b"1"}, only_live=True)
    letters = [DeadLetter(3, "x", "why")]
    outcome = store.advance(live, _at(position), {"a": b"9"}, letters, only_live=True)
    assert outcome is AdvanceResult.BEHIND
    assert store.load(live) == (_at(5), {"a": b"1"})
    assert store.dead_letters(live) == []


def test_a_generation_that_is_not_in_use_takes_rows_from_a_rebuild_only(
    store: ProjectionStore, live: Generation
) -> None:
    begun = store.begin(LEDGER, "signals/2")
    assert begun.number == live.number + 1
    assert store.advance(begun, _at(5), {"a": b"1"}, only_live=True) is AdvanceResult.NOT_LIVE
    assert store.load(begun) == (Tracking(0, b"", bytes(32)), {})
    assert store.advance(begun, _at(5), {"a": b"1"}, only_live=False) is AdvanceResult.MOVED


def test_a_switch_needs_the_rows_to_be_stored_at_that_position(
    store: ProjectionStore, live: Generation
) -> None:
    begun = store.begin(LEDGER, "signals/2")
    store.advance(begun, _at(5), {"a": b"1"}, only_live=False)
    assert not store.switch(begun, 6, drop_before=True)
    assert store.claim(LEDGER, "signals/2") == live
    assert store.switch(begun, 5, drop_before=True)
    assert store.claim(LEDGER, "signals/2") == begun
    assert store.generations(LEDGER, "signals/2") == [begun.number]


def test_claiming_twice_gives_the_same_and_a_stale_one_is_replaced_once(
    store: ProjectionStore, live: Generation
) -> None:
    assert store.claim(LEDGER, "signals/2") == live
    replaced = store.claim(LEDGER, "signals/2", stale=live.number)
    assert replaced.number == live.number + 1
    assert store.claim(LEDGER, "signals/2", stale=live.number) == replaced
    assert store.generations(LEDGER, "signals/2") == [replaced.number]


def test_dead_letters_are_kept_with_their_generation(
    store: ProjectionStore, live: Generation
) -> None:
    letters = [DeadLetter(7, "x.y.v1", "broken"), DeadLetter(3, "x.y.v1", "broken")]
    store.advance(live, _at(9), {}, letters, only_live=True)
    assert [letter.position for letter in store.dead_letters(live)] == [3, 7]
    assert store.dead_letters(live, limit=1) == [DeadLetter(3, "x.y.v1", "broken")]
    assert store.dead_letters(live._replace(number=99)) == []


def test_dropping_a_generation_touches_no_other(store: ProjectionStore, live: Generation) -> None:
    store.advance(live, _at(5), {"a": b"1"}, only_live=True)
    begun = store.begin(LEDGER, "signals/2")
    store.advance(begun, _at(5), {"a": b"2"}, only_live=False)
    store.drop(begun)
    assert store.load(begun) is None
    assert store.load(live) == (_at(5), {"a": b"1"})


def test_a_failed_transaction_leaves_no_trace_and_says_why(
    store: ProjectionStore, live: Generation, database_url: str
) -> None:
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE projection_dead_letters RENAME TO elsewhere")
    with pytest.raises(LedgerError) as refusal:
        store.advance(live, _at(5), {"a": b"1"}, [DeadLetter(1, "x", "y")], only_live=True)
    assert refusal.value.reason is Reason.STORE_UNAVAILABLE
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO projection_dead_letters")
    engine.dispose()
    assert store.load(live) == (Tracking(0, b"", bytes(32)), {})


@pytest.mark.parametrize("database_url", DATABASES[:1], indirect=True)
@pytest.mark.parametrize("value", [-1, 2**62, 3.5, "xx"])
def test_a_row_that_is_no_bytes_is_its_text_and_never_a_size(
    store: ProjectionStore, live: Generation, database_url: str, value: object
) -> None:
    store.advance(live, _at(5), {"a": b"1"}, only_live=True)
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {ROWS.name} SET row = ?", (value,))
    engine.dispose()
    assert store.load(live) == (_at(5), {"a": str(value).encode()})


def test_a_store_that_cannot_be_opened_keeps_no_connection(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools: list[Any] = []

    def watched(*args: Any, **options: Any) -> sa.Engine:  # noqa: ANN401
        engine = create(*args, **options)
        pools.append(engine.pool)
        return engine

    def refused(*_: object) -> None:
        raise LedgerError(Reason.STORE_UNAVAILABLE, "Not now.")

    create = sa.create_engine
    monkeypatch.setattr("ledger.engines.create_engine", watched)
    refuse_lock(refused, monkeypatch)
    with pytest.raises(LedgerError, match="Not now"):
        ProjectionStore(database_url)
    assert pools[0].checkedin() == pools[0].checkedout() == 0


@pytest.mark.postgres
def test_an_error_names_the_database_without_its_password(postgres_url: str) -> None:
    store = ProjectionStore(postgres_url)
    assert store.place.startswith("postgresql+psycopg://")
    store.close()
    url = sa.make_url(postgres_url).set(password="secret")  # which this server does not ask for
    hidden = ProjectionStore(url.render_as_string(hide_password=False))
    assert "secret" not in hidden.place
    hidden.close()
