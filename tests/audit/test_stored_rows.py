"""An audit finds what was changed in any table of a database. On both kinds of database.

Method: a ledger with every kind of row; one edit past the triggers for each thing that can be
changed; one rule must object, at the position, or at none where no event is damaged.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

from ledger.audit.audit import Audit
from ledger.audit.database import DatabaseSource
from ledger.audit.registry import MEANINGS
from ledger.chain.checkpoint import CheckpointBody, sign
from ledger.chain.key_history import vkey_digest
from ledger.chain.keys import SecretKey
from ledger.chain.merkle import CompactRange
from ledger.events.base import EventData
from ledger.events.envelope import encode_body
from ledger.events.keys import KeyCommitted, KeyRevoked, KeyRotated
from ledger.events.proving import BodyErased
from ledger.storage import NewEvent, Store
from tests.support.audits import ABOUT_BODIES, damage
from tests.support.hooks import database_of
from tests.support.stores import ORIGIN, WITNESS, asking, cosigned, edit, erasing, grow, note

ONE_MORE = """
INSERT INTO events SELECT ledger_id, 307, stream, 8, type, recorded_at, observed_at, body, salt,
body_hash, prev_hash, event_hash FROM events WHERE position = 306
"""


def append(store: Store, *data: EventData, keys: Sequence[SecretKey] = ()) -> int:
    events = [
        NewEvent(each.STREAM, each.TYPE, encode_body(actor="users/ada", data=each.to_data()))
        for each in data
    ]
    return store.requests.append(asking(*events, keys=keys)).last_position


@pytest.fixture
def filled(store: Store) -> Store:
    """308 events: a rotation, a revocation, an erasure; three checkpoints, two keys that signed."""
    store.requests.append(asking(*[note(request_id="r")] * 300, request_id="r", digest=b"d"))
    assert cosigned(store, 0).size == 302
    first, second = store.keys.opened(ORIGIN)
    third = store.keys.draw(ORIGIN)
    rotated = KeyRotated(from_position=303, previous_until_position=304, vkey=second)
    committed = KeyCommitted(next_key_digest=vkey_digest(str(third.verifier_key)))
    assert append(store, rotated, committed, keys=(third,)) == 304
    assert cosigned(store, 1).size == 304
    gone = [(10, 12), (20, 20)]
    assert store.requests.erase(erasing(*gone), gone)[1] == 4
    assert append(store, KeyRevoked(vkey=first, from_position=303, reason="lost")) == 306
    assert cosigned(store, 1).size == 306
    return store


@pytest.mark.usefixtures("filled")
def test_nothing_is_wrong_with_the_tables_of_an_honest_ledger(database_url: str) -> None:
    assert damage(database_url) == []


EDITS = [
    ("UPDATE tiles SET hashes = {flipped} WHERE level = 0 AND number = 0", "tiles", 1),
    ("UPDATE tiles SET hashes = {flipped} WHERE level = 0 AND number = 1", "tiles", 257),
    ("UPDATE tiles SET hashes = {flipped} WHERE level = 1", "tiles", 1),
    ("UPDATE tiles SET hashes = {doubled} WHERE level = 1", "database.tiles", 0),
    ("UPDATE tiles SET hashes = {doubled} WHERE number = 0 AND level = 0", "tiles", 256),
    ("DELETE FROM tiles WHERE level = 1", "tiles", 1),
    ("UPDATE tiles SET number = 7 WHERE number = 1", "database.tiles tiles", 257),
    (
        "INSERT INTO tiles SELECT 1, 5, 5, hashes FROM tiles WHERE level = 1",
        "database.tiles",
        0,
    ),
    (
        "INSERT INTO tiles SELECT 9, 0, 0, hashes FROM tiles WHERE level = 1",
        "database.orphans",
        0,
    ),
    ("UPDATE heads SET tree = event_hash", "database.head", 306),
    (
        "UPDATE checkpoints SET size = 303 WHERE size = 302",
        "checkpoints database.cosignatures keys",
        302,
    ),
    (
        "UPDATE checkpoints SET size = 0 WHERE size = 304",
        "checkpoints database.cosignatures",
        0,
    ),
    (
        "UPDATE checkpoints SET size = 999 WHERE size = 306",
        "checkpoints database.cosignatures",
        306,
    ),
    ("UPDATE checkpoints SET note = replace(note, ' ', '  ')", "checkpoints", 302),
    ("UPDATE checkpoints SET note = {of_stranger} WHERE size = 302", "checkpoints keys", 302),
    ("UPDATE checkpoints SET note = {of_second} WHERE size = 302", "checkpoints keys", 302),
    ("UPDATE checkpoints SET ledger_id = 3", "database.cosignatures database.orphans", 0),
    ("DELETE FROM checkpoints WHERE size = 302", "database.cosignatures keys", 302),
    ("UPDATE cosignatures SET size = 305 WHERE size = 302", "database.cosignatures", 305),
    ("UPDATE cosignatures SET name = 'w' WHERE size = 302", "database.cosignatures", 302),
    (
        "UPDATE cosignatures SET line = {other_line} WHERE size = 302",
        "database.cosignatures",
        302,
    ),
    (
        "UPDATE cosignatures SET line = 'x' WHERE size = 302",
        "checkpoints database.cosignatures keys",
        302,
    ),
    ("UPDATE signing_keys SET vkey = 'x' WHERE number = 1", "database.keys", 0),
    ("UPDATE signing_keys SET vkey = 'x' WHERE number = 3", "database.keys", 0),
    ("UPDATE signing_keys SET number = 4 WHERE number = 3", "database.keys", 0),
    ("DELETE FROM signing_keys WHERE number = 3", "database.keys", 0),
    ("DELETE FROM signing_keys WHERE number = 2", "database.keys", 0),
    ("UPDATE signing_keys SET secret = {nothing} WHERE number = 2", "database.keys", 0),
    ("UPDATE ledgers SET vkey = 'x'", "database.row", 1),
    ("UPDATE events SET body = NULL, salt = NULL WHERE position = 15", "bodies.present", 15),
    ("UPDATE events SET body = NULL, salt = NULL WHERE position = 13", "bodies.present", 13),
    (
        "UPDATE events SET body = NULL, salt = NULL WHERE position = 305",
        "bodies.present",
        10,
    ),
    ("DELETE FROM events WHERE position = 306", "database.head database.tiles truncation", 306),
    (ONE_MORE, "chain", 307),
    ("DELETE FROM requests", "database.requests", 3),
]
DAMAGED_RULES = {rule for _, rules, _ in EDITS for rule in rules.split()} - ABOUT_BODIES


@pytest.mark.parametrize(("change", "rules", "position"), EDITS)
def test_damage_is_found_in_every_table(
    filled: Store, database_url: str, change: str, rules: str, position: int
) -> None:
    is_postgres = database_of(filled).shared

    def flip(column: str) -> str:
        if is_postgres:
            return f"set_byte({column}, 20, get_byte({column}, 20) # 1)"
        return f"CAST(substr({column}, 1, 20) || X'00FF' || substr({column}, 23) AS BLOB)"

    claim = CheckpointBody(ORIGIN, 302, CompactRange.from_bytes(_tree_at(filled, 302)).root())
    stranger = sign(claim, [filled.keys.draw(ORIGIN)]).decode()
    second = sign(claim, [[*filled.keys.opened(ORIGIN).values()][1]]).decode()
    other = WITNESS.cosign(b"other\n", 1_790_000_000).line()
    edit(
        filled,
        change.format(
            flipped=flip("hashes"),
            doubled="CAST(hashes || hashes AS {})".format("bytea" if is_postgres else "BLOB"),
            nothing="'\\x'" if is_postgres else "X''",
            of_stranger=f"'{stranger}'",
            of_second=f"'{second}'",
            other_line=f"'{other}'",
        ),
    )
    found = damage(database_url)
    assert " ".join(sorted({one.rule for one in found})) == rules
    assert [one.position for one in found][:1] == [position][: bool(rules)]


def test_a_row_that_is_indexed_as_what_it_is_not_is_named(filled: Store, database_url: str) -> None:
    def named() -> int:
        source = DatabaseSource(database_url, ORIGIN)
        position = source.misindexed()
        source.close()
        return position

    assert named() == 0
    edit(filled, "UPDATE events SET observed_at = 0 WHERE position IN (9, 7)")
    assert named() == 7


def _tree_at(store: Store, size: int) -> bytes:
    tree = CompactRange()
    tree.extend(event.event_hash for event in store.events.read(ORIGIN, until=size))
    return tree.to_bytes()


def test_a_body_put_back_after_its_erasure_is_found(store: Store, database_url: str) -> None:
    grow(store)
    event = store.events.event(ORIGIN, 3)
    assert event is not None
    assert event.salt is not None
    assert event.body_bytes is not None
    store.requests.erase(erasing((3, 3)), [(3, 3)])
    assert damage(database_url) == []
    form = "'\\x{}'" if database_of(store).shared else "X'{}'"
    edit(
        store,
        f"UPDATE events SET body = {form.format(event.body_bytes.hex())}, "
        f"salt = {form.format(event.salt.hex())} WHERE position = 3",
    )
    assert [one.rule for one in damage(database_url)] == ["erasures"]


def test_an_erasure_speaks_of_what_is_before_it_only(store: Store, database_url: str) -> None:
    append(store, BodyErased(authority="office", ground="law", positions=[[3, 4]]))
    assert [(one.rule, one.position) for one in damage(database_url)] == [("erasures", 3)]


@pytest.mark.usefixtures("filled")
def test_a_file_that_sqlite_finds_damaged_is_a_finding(store: Store, database_url: str) -> None:
    """Method: the header counts free pages that there are not, which no row can tell."""
    if database_of(store).shared:
        return  # PostgreSQL looks after its own pages
    store.close()
    with Path(database_url.removeprefix("sqlite:///")).open("r+b") as file:
        file.seek(36)
        file.write((7).to_bytes(4, "big"))
    found = damage(database_url)
    assert [one.rule for one in found] == ["database.integrity"]
    assert "reelist" in found[0].what


@pytest.mark.parametrize("rule", sorted(name for name in MEANINGS if name.startswith("database.")))
def test_every_rule_about_tables_is_applied_to_a_stored_ledger(
    filled: Store, database_url: str, rule: str
) -> None:
    source = DatabaseSource(database_url)
    report = Audit(source, "test", cores=1).run()
    source.close()
    applied = {one.rule for one in report.rules if one.checked}
    assert rule in applied or (rule == "database.integrity" and database_of(filled).shared)
