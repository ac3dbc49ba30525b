"""Of two servers that deliver at once one moves a cursor, and no file of cursors begins a ledger.

Method: two stores on one database, with what each believes to be so; both databases.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger.errors import LedgerError, Reason
from ledger.notifications.store import NotificationStore
from ledger.notifications.tables import Cursor, Key, UndeliveredEvent
from ledger.service import Service
from tests.support.receivers import told
from tests.support.stores import DATABASES
from tools.quiet import quiet

KEY = Key("ledger.example/one", "pager")
OTHER = Key("ledger.example/one", "board")
LETTER = UndeliveredEvent(8, "model.registered.v1", 1_000, 3, "it answered with HTTP status 500")


@pytest.fixture(params=DATABASES)
def both(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[NotificationStore, NotificationStore]]:
    """The stores of two servers on one database."""
    is_file = request.param == "sqlite"
    url = str(tmp_path / "ledger.sqlite") if is_file else request.getfixturevalue("postgres_url")
    with closing(NotificationStore(url)) as one, closing(NotificationStore(url)) as other:
        yield one, other


def test_a_cursor_begins_once_and_moves_for_the_one_who_knows_where_it_is(
    both: tuple[NotificationStore, NotificationStore],
) -> None:
    one, other = both
    assert one.cursor(KEY) is None
    one.begin(KEY, 5)
    other.begin(KEY, 99)
    known = Cursor(5)
    assert other.cursor(KEY) == known
    assert one.move(KEY, known, Cursor(6))
    assert not other.move(KEY, known, Cursor(7))
    assert not other.bury(KEY, known, LETTER)
    assert (other.cursor(KEY), other.count_dead(KEY)) == (Cursor(6), 0)
    failed = Cursor(6, 1, 1_000, "it is down")
    assert one.move(KEY, Cursor(6), failed)
    assert not other.move(KEY, Cursor(6), Cursor(6, 1, 2_000, "it is down"))
    assert other.move(KEY, failed, Cursor(8))


def test_dead_letters_are_of_one_subscriber_and_marked_all_or_none(
    both: tuple[NotificationStore, NotificationStore],
) -> None:
    one, other = both
    for key in (KEY, OTHER):
        one.begin(key, 5)
        assert one.bury(key, Cursor(5), LETTER)
        assert one.cursor(key) == Cursor(8)
    assert one.bury(KEY, Cursor(8), LETTER._replace(position=9))
    assert [letter.position for letter in other.dead_letters(KEY, after=8)] == [9]
    assert other.ask_replay(KEY, [8, 10]) == [8]
    assert one.to_replay(KEY, limit=10) == []
    assert other.ask_replay(KEY, []) == [8, 9]
    assert [letter.position for letter in one.to_replay(KEY, limit=1)] == [8]
    one.replayed(KEY, 8)
    one.put_back(KEY, LETTER._replace(position=9, attempts=4))
    assert other.to_replay(KEY, limit=10) == []
    assert other.dead_letters(KEY) == [LETTER._replace(position=9, attempts=4)]
    assert other.dead_letters(OTHER) == [LETTER]


def test_no_ledger_is_begun_where_cursors_of_another_one_lie(tmp_path: Path) -> None:
    place = str(tmp_path / "ledger.sqlite")
    NotificationStore(place).close()
    with pytest.raises(LedgerError) as refused:
        Service(quiet(place, **told()))
    assert refused.value.reason is not Reason.INTERNAL
    assert "ledger.notifications.sqlite" in str(refused.value)


def test_the_file_of_cursors_is_its_owners_alone(tmp_path: Path) -> None:
    with closing(NotificationStore(str(tmp_path / "ledger.sqlite"))):
        for file in tmp_path.iterdir():
            assert file.stat().st_mode & 0o077 == 0, file
