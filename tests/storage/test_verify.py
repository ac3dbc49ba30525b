"""The store finds what was changed in any of its tables. On both databases.

Method: a ledger with every kind of row; one edit past the triggers for each thing that can be
changed; verification must fail with the position, or say what is damaged where no event is.
"""

import pytest
from sqlalchemy import text

from ledger.chain.checkpoint import Checkpoint, sign
from ledger.chain.cosignature import CosigningKey
from ledger.chain.key_history import vkey_digest
from ledger.chain.merkle import CompactRange
from ledger.clock import ManualClock
from ledger.errors import LedgerError, Reason
from ledger.events.base import EventData
from ledger.events.envelope import encode_body
from ledger.events.keys import KeyCommitted, KeyRevoked, KeyRotated
from ledger.events.proving import BodyErased
from ledger.storage import AppendRequest, NewEvent, SqlStore, open_store
from ledger.storage.triggers import _rules
from ledger.storage.verify import stored_links, verify_database
from tests.support.check_ledger import link_of, read_all
from tests.support.stores import ORIGIN, VAULT

ONE_MORE = """
INSERT INTO events SELECT ledger_id, 307, stream, 8, type, recorded_at, observed_at, body, salt,
body_hash, prev_hash, event_hash FROM events WHERE position = 306
"""
WITNESS = CosigningKey("witness.example.com/one", bytes(32))


def append(store: SqlStore, *data: EventData, **members: object) -> int:
    events = [
        NewEvent(each.STREAM, each.TYPE, encode_body(actor="users/ada", data=each.to_data()))
        for each in data
    ]
    request = AppendRequest(ORIGIN, "users/ada", "Test", events, **members)  # type: ignore[arg-type]
    return store.append(request).last_position


def sign_head(store: SqlStore, key: int) -> int:
    """Sign the head by the key that arrived as the n-th, and have it cosigned."""
    head = store.head(ORIGIN)
    claim = Checkpoint(ORIGIN, head.position, CompactRange.from_bytes(head.tree).root())
    kept = store.checkpoint(ORIGIN)
    note = sign(claim, [[*store.signing_keys(ORIGIN).values()][key]]).decode()
    assert store.save_checkpoint(ORIGIN, claim.size, note, after=kept.size if kept else 0)
    line = WITNESS.cosign(claim.encode(), 1_772_359_200)
    assert store.add_cosignature(ORIGIN, claim.size, line.name, line.key_id, line.line())
    return claim.size


@pytest.fixture
def filled(store: SqlStore) -> SqlStore:
    """308 events: a rotation, a revocation, an erasure; three checkpoints, two keys that signed."""
    body = encode_body(actor="users/ada", data={"note": "x"}, request_id="r")
    new = [NewEvent("models/a", "model.updated.v1", body)] * 300
    store.append(AppendRequest(ORIGIN, "users/ada", "Test", new, request_id="r", digest=b"d"))
    assert sign_head(store, 0) == 302
    first, second = store.signing_keys(ORIGIN)
    third = store.draw_key(ORIGIN)
    rotated = KeyRotated(from_position=303, previous_until_position=304, vkey=second)
    committed = KeyCommitted(next_key_digest=vkey_digest(str(third.verifier_key)))
    assert append(store, rotated, committed, keys=(third,)) == 304
    assert sign_head(store, 1) == 304
    erased = BodyErased(authority="office", ground="law", positions=[[10, 12], [20, 20]])
    event = NewEvent(
        erased.STREAM, erased.TYPE, encode_body(actor="users/dpo", data=erased.to_data())
    )
    erasing = AppendRequest(ORIGIN, "users/dpo", "Erase", [event])
    assert store.erase(erasing, [(10, 12), (20, 20)])[1] == 4
    assert append(store, KeyRevoked(vkey=first, from_position=300, reason="lost")) == 306
    assert sign_head(store, 1) == 306
    return store


def edit(store: SqlStore, *statements: str) -> None:
    """Edit rows as an owner of the database can."""
    with store._database.writer.begin() as connection:
        for rule in _rules(connection.dialect.name):
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"ALTER TABLE {rule.table} DISABLE TRIGGER ALL"))
                continue
            for action in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER {rule.table}_no_{action}"))
        for statement in statements:
            connection.execute(text(statement))


def test_an_honest_ledger_verifies_with_and_without_the_master_key(filled: SqlStore) -> None:
    for vault in (None, VAULT):
        found = verify_database(filled, vault=vault)[ORIGIN]
        assert found.position == 306
        assert found.root == CompactRange.from_bytes(filled.head(ORIGIN).tree).root()


@pytest.mark.parametrize(
    ("damage", "position", "said"),
    [
        ("UPDATE tiles SET hashes = {flipped} WHERE level = 0 AND number = 0", "0", "tile 0 of"),
        ("UPDATE tiles SET hashes = {flipped} WHERE level = 0 AND number = 1", "0", "tile 1 of"),
        ("UPDATE tiles SET hashes = {flipped} WHERE level = 1", "0", "tile 0 of level 1"),
        ("DELETE FROM tiles WHERE level = 1", "0", "tile 0 of level 1"),
        ("UPDATE tiles SET number = 7 WHERE number = 1", "0", "tile 1 of level 0"),
        ("INSERT INTO tiles SELECT 1, 5, 5, hashes FROM tiles WHERE level = 1", "0", "4 tiles"),
        ("INSERT INTO tiles SELECT 9, 0, 0, hashes FROM tiles WHERE level = 1", "0", "tiles name"),
        ("UPDATE heads SET tree = event_hash", "306", "head"),
        ("UPDATE checkpoints SET size = 303 WHERE size = 302", "303", "another root"),
        ("UPDATE checkpoints SET size = 999 WHERE size = 306", "307", "covers 999"),
        ("UPDATE checkpoints SET note = replace(note, ' ', '  ')", "0", "unreadable"),
        ("UPDATE checkpoints SET note = {of_stranger} WHERE size = 302", "0", "not genuine"),
        ("UPDATE checkpoints SET note = {of_second} WHERE size = 302", "0", "not genuine"),
        ("UPDATE checkpoints SET ledger_id = 3", "0", "checkpoints name"),
        ("UPDATE cosignatures SET size = 305 WHERE size = 302", "0", "size 305 is not what"),
        ("UPDATE cosignatures SET name = 'w' WHERE size = 302", "0", "size 302 is not what"),
        ("UPDATE cosignatures SET line = {other_line} WHERE size = 302", "0", "size 302 is not"),
        ("UPDATE cosignatures SET line = 'x' WHERE size = 302", "0", "size 302 is unreadable"),
        ("UPDATE signing_keys SET vkey = 'x' WHERE number = 1", "0", "keys kept"),
        ("UPDATE signing_keys SET vkey = 'x' WHERE number = 3", "0", "keys kept"),
        ("DELETE FROM signing_keys WHERE number = 3", "0", "keys kept"),
        ("DELETE FROM signing_keys WHERE number = 2", "0", "keys kept"),
        ("UPDATE signing_keys SET secret = {flipped_secret}", "0", "cannot be opened"),
        ("UPDATE ledgers SET vkey = 'x'", "0", "row of"),
        ("UPDATE events SET body = NULL, salt = NULL WHERE position = 15", "15", "no event says"),
        ("UPDATE events SET body = NULL, salt = NULL WHERE position = 13", "13", "no event says"),
        ("UPDATE events SET body = NULL, salt = NULL WHERE position = 303", "303", "erased"),
        ("UPDATE events SET body = NULL, salt = NULL WHERE position = 304", "304", "never be"),
        ("DELETE FROM events WHERE position = 306", "306", "checkpoint covers 306"),
        (
            ONE_MORE,
            "307",
            "previous hash",
        ),
        ("DELETE FROM requests", "", ""),
    ],
)
def test_damage_is_found_in_every_table(
    filled: SqlStore, damage: str, position: str, said: str
) -> None:
    is_postgres = filled._database.shared

    def flip(column: str) -> str:
        if is_postgres:
            return f"set_byte({column}, 20, get_byte({column}, 20) # 1)"
        return f"CAST(substr({column}, 1, 20) || X'00FF' || substr({column}, 23) AS BLOB)"

    claim = Checkpoint(ORIGIN, 302, CompactRange.from_bytes(_tree_at(filled, 302)).root())
    stranger = sign(claim, [filled.draw_key(ORIGIN)]).decode()
    second = sign(claim, [[*filled.signing_keys(ORIGIN).values()][1]]).decode()
    other = WITNESS.cosign(b"other\n", 5).line()
    edit(
        filled,
        damage.format(
            flipped=flip("hashes"),
            flipped_secret=flip("secret"),
            of_stranger=f"'{stranger}'",
            of_second=f"'{second}'",
            other_line=f"'{other}'",
        ),
    )
    if not position:  # request ids may be gone: the bodies name them still
        verify_database(filled, vault=VAULT)
        return
    with pytest.raises(LedgerError, match=said) as caught:
        verify_database(filled, vault=VAULT)
    assert caught.value.reason is Reason.CHAIN_BROKEN
    assert caught.value.metadata["position"] == position


def _tree_at(store: SqlStore, size: int) -> bytes:
    tree = CompactRange()
    tree.extend(event.event_hash for event in store.read(ORIGIN, until=size))
    return tree.to_bytes()


def test_a_body_put_back_after_its_erasure_is_found(store: SqlStore) -> None:
    body = encode_body(actor="users/ada", data={"note": "x"})
    store.append(
        AppendRequest(ORIGIN, "users/ada", "T", [NewEvent("models/a", "model.updated.v1", body)])
    )
    event = store.event(ORIGIN, 3)
    assert event is not None
    assert event.salt is not None
    erased = BodyErased(authority="office", ground="law", positions=[[3, 3]])
    new = NewEvent(erased.STREAM, erased.TYPE, encode_body(actor="users/a", data=erased.to_data()))
    store.erase(AppendRequest(ORIGIN, "users/a", "T", [new]), [(3, 3)])
    verify_database(store)
    form = "'\\x{}'" if store._database.shared else "X'{}'"
    edit(
        store,
        f"UPDATE events SET body = {form.format(body.hex())}, "
        f"salt = {form.format(event.salt.hex())} WHERE position = 3",
    )
    with pytest.raises(LedgerError, match="its body is there") as caught:
        verify_database(store)
    assert caught.value.metadata["position"] == "3"


def test_an_erasure_speaks_of_what_is_before_it_only(store: SqlStore) -> None:
    append(store, BodyErased(authority="office", ground="law", positions=[[3, 4]]))
    with pytest.raises(LedgerError, match="does not stand before it") as caught:
        verify_database(store)
    assert caught.value.metadata["position"] == "3"


def test_links_are_the_stored_events(filled: SqlStore) -> None:
    events = read_all(filled, ORIGIN)
    assert [*stored_links(filled, ORIGIN)] == [link_of(event) for event in events]
    some = [*stored_links(filled, ORIGIN, after=5, until=9)]
    assert [link.position for link in some] == [6, 7, 8, 9]


def test_tiles_are_looked_up_and_not_walked_along(sqlite_url: str, clock: ManualClock) -> None:
    import sqlite3

    from ledger.storage.tile_rows import tile_query

    open_store(sqlite_url, clock, create=True).close()
    question = tile_query(1, [(level, index) for level in range(3) for index in range(3)])
    connection = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {question}")]
    connection.close()
    (step,) = [step for step in plan if " tiles " in step]
    assert step.endswith("(ledger_id=? AND level=? AND number=?)")
