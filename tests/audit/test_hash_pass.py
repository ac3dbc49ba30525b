"""Whatever is changed in a database without new hashes is found, and the first bad position named.

Method: write an honest ledger, damage its rows by SQL in one way, audit. Larger ledgers have
stretches with borders; damage at a border, and a pass over several processes, must read the same.
"""

import sqlite3
from pathlib import Path
from typing import Any, Final

import pytest

from ledger.audit import hashing
from ledger.audit.audit import Audit
from ledger.audit.database import DatabaseSource
from ledger.audit.hashing import hash_pass
from ledger.audit.segment import SEGMENT
from ledger.audit.state_file import AuditStateFile
from ledger.audit.verified_prefix import VerifiedPrefix
from ledger.chain.merkle import root_of
from ledger.events.horizons import Horizons
from tests.audit.paper import Paper, Written
from tests.support.audits import audited
from tests.support.hooks import read_up_to

Damage = tuple[tuple[str, ...], str, int]

INSERTED: Final = (
    "INSERT INTO events SELECT ledger_id, 20.5, stream, stream_version, type, recorded_at,"
    " observed_at, body, salt, body_hash, prev_hash, event_hash FROM events WHERE position = 20"
)
DAMAGES: Final[dict[str, Damage]] = {
    "body edited": (
        ("UPDATE events SET body = replace(body, '{', '{ ') WHERE position = 20",),
        "chain",
        20,
    ),
    "salt edited": (("UPDATE events SET salt = zeroblob(16) WHERE position = 20",), "chain", 20),
    "salt cut": (("UPDATE events SET salt = zeroblob(15) WHERE position = 20",), "chain", 20),
    "salt alone removed": (("UPDATE events SET salt = NULL WHERE position = 20",), "chain", 20),
    "stream renamed": (
        ("UPDATE events SET stream = 'models/other' WHERE position = 20",),
        "chain",
        20,
    ),
    "type renamed": (("UPDATE events SET type = 'a.b.v1' WHERE position = 20",), "chain", 20),
    "type no type": (("UPDATE events SET type = 'a' WHERE position = 20",), "chain", 20),
    "version raised": (
        ("UPDATE events SET stream_version = stream_version + 1 WHERE position = 20",),
        "chain",
        20,
    ),
    "time moved back": (("UPDATE events SET recorded_at = 1 WHERE position = 20",), "chain", 20),
    "time no number": (("UPDATE events SET recorded_at = 'now' WHERE position = 20",), "chain", 20),
    "body hash edited": (
        ("UPDATE events SET body_hash = zeroblob(32) WHERE position = 20",),
        "chain",
        20,
    ),
    "body hash text": (("UPDATE events SET body_hash = 'x' WHERE position = 20",), "chain", 20),
    "link edited": (
        ("UPDATE events SET prev_hash = zeroblob(32) WHERE position = 20",),
        "chain",
        20,
    ),
    "hash edited": (
        ("UPDATE events SET event_hash = zeroblob(32) WHERE position = 20",),
        "chain",
        20,
    ),
    "first link edited": (
        ("UPDATE events SET prev_hash = event_hash WHERE position = 1",),
        "chain",
        1,
    ),
    "row deleted": (("DELETE FROM events WHERE position = 20",), "chain", 20),
    "first row deleted": (("DELETE FROM events WHERE position = 1",), "chain", 1),
    "rows swapped": (
        (
            "UPDATE events SET position = 0 WHERE position = 20",
            "UPDATE events SET position = 20 WHERE position = 21",
            "UPDATE events SET position = 21 WHERE position = 0",
        ),
        "chain",
        20,
    ),
    "row inserted": (
        (INSERTED,),
        "chain",
        21,
    ),
    "row moved to the end": (("UPDATE events SET position = 73 WHERE position = 20",), "chain", 20),
    "newest rows cut": (("DELETE FROM events WHERE position > 70",), "truncation", 71),
    "tile edited": (("UPDATE tiles SET hashes = zeroblob(length(hashes))",), "tiles", 1),
    "tile cut": (("UPDATE tiles SET hashes = substr(hashes, 1, 640)",), "tiles", 21),
    "tile deleted": (("DELETE FROM tiles",), "tiles", 1),
    "checkpoint moved": (("UPDATE checkpoints SET size = 71",), "checkpoints", 71),
    "checkpoint edited": (
        ("UPDATE checkpoints SET note = replace(note, '72', '71')",),
        "checkpoints",
        72,
    ),
    "time of observation moved": (
        ("UPDATE events SET observed_at = observed_at + 1 WHERE position = 13",),
        "database.observed_at",
        13,
    ),
    "head moved back": (("UPDATE heads SET position = 71",), "database.head", 72),
    "head's tree edited": (("UPDATE heads SET tree = zeroblob(8)",), "database.head", 72),
    "request edited": (("UPDATE requests SET request_id = 'other'",), "database.requests", 18),
    "ledger's key replaced": (("UPDATE ledgers SET vkey = 'other'",), "database.row", 1),
    "ledger's clock replaced": (("UPDATE ledgers SET clock = 'wall'",), "database.row", 2),
}


def damaged(path: Path, statements: tuple[str, ...]) -> None:
    with sqlite3.connect(path) as database:
        for statement in statements:
            assert database.execute(statement).rowcount
    database.close()


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_at_its_first_position(paper: Paper, tmp_path: Path, name: str) -> None:
    statements, rule, position = DAMAGES[name]
    body = paper.at(18).body
    assert isinstance(body, dict)
    assert body["request_id"] == "b1"
    paper.requests = [("services/monitor-1", "SubmitSignals", "b1", 18, 18)]
    path = paper.write(tmp_path / "ledger.db")
    assert audited(path).passed
    damaged(path, statements)
    report = audited(path)
    assert (report.findings[0].rule, report.findings[0].position) == (rule, position), report.text()
    assert report.first_bad_position == position


def test_a_rewritten_suffix_is_found_by_what_was_signed_and_by_the_tiles(
    paper: Paper, tmp_path: Path
) -> None:
    paper.checkpoint_sizes = [30, 50, 72]
    before = paper.write(tmp_path / "before.db")
    changed = paper.find("decision.overridden.v2")[0]
    paper.at(changed).data["rationale"] = "other words"
    after = paper.write(tmp_path / "after.db")
    with sqlite3.connect(after) as database:
        database.execute("ATTACH ? AS was", (str(before),))
        for table in ("checkpoints", "tiles"):
            database.execute(f"DELETE FROM {table}")
            database.execute(f"INSERT INTO {table} SELECT * FROM was.{table}")
    database.close()
    found = {(one.rule, one.position) for one in audited(after).findings}
    assert found == {("checkpoints", 31), ("tiles", changed)}


def test_an_honest_database_is_not_changed_by_its_audit(paper: Paper, tmp_path: Path) -> None:
    path = paper.write(tmp_path / "ledger.db")
    before = path.read_bytes(), sorted(tmp_path.iterdir())
    assert audited(path).passed
    assert (path.read_bytes(), sorted(tmp_path.iterdir())) == before


# ---- several stretches ---------------------------------------------------------------------------

MANY: Final = SEGMENT + 700


@pytest.fixture(scope="module")
def long_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of more than one stretch: foreign events in two streams that take turns."""
    paper = Paper("ledger.example.com/long")
    body: dict[str, Any] = {
        "actor": "users/a",
        "causation_position": None,
        "data": {},
        "request_id": None,
        "run_id": None,
    }
    paper.events = [
        Written(f"recorder/{number % 2}", "recorder.event.v1", 1_000 + number, body)
        for number in range(MANY)
    ]
    paper.events[1].body = body | {"data": {"clock": "wall", "skew_seconds": 0}}
    paper.checkpoint_sizes = [1, 300, SEGMENT, SEGMENT + 1, MANY]
    return paper.write(tmp_path_factory.mktemp("long") / "long.db")


@pytest.fixture(scope="module")
def alone(long_database: Path) -> VerifiedPrefix:
    """What one process finds in it at once; tests only read it."""
    source, found = DatabaseSource(str(long_database)), VerifiedPrefix()
    assert hash_pass(source, found, cores=1) == []
    source.close()
    return found


def test_stretches_join_to_the_tree_of_all_leaves(
    long_database: Path, alone: VerifiedPrefix
) -> None:
    source, joined = DatabaseSource(str(long_database)), alone
    leaves = [row[9] for row in source.rows(0, source.size)]
    assert joined.root == root_of(leaves)
    for size in (1, 300, SEGMENT, SEGMENT + 1, MANY):
        assert joined.roots[size] == root_of(leaves[:size])
    assert joined.tiles_checked == 256 + 1 + 3 + 1 + 1
    source.close()


def test_several_processes_find_what_one_finds(
    long_database: Path, alone: VerifiedPrefix, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, together = DatabaseSource(str(long_database)), VerifiedPrefix()
    monkeypatch.setattr(hashing, "ALONE_MAX", 0)
    assert hash_pass(source, together, cores=2) == []
    assert together == alone
    source.close()


@pytest.mark.parametrize("cores", [1, 2])
def test_a_plan_that_is_recorded_again_is_found_in_what_is_hashed_by_any_process(
    paper: Paper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    monkeypatch.setattr(hashing, "ALONE_MAX", 0)
    old = paper.at(paper.find("plan.made.v1")[0])

    def judged() -> list[tuple[str, int]]:
        source = DatabaseSource(str(paper.write(tmp_path / "paper.db")))
        found = hash_pass(source, VerifiedPrefix(), cores=cores, horizons=Horizons())
        source.close()
        return [(one.rule, one.position) for one in found]

    assert judged() == []
    position = paper.append("plans/again", "plan.made.v1", old.data | {"plan": "again"})
    assert judged() == [("horizons.unbroken", position)]


def test_audits_with_one_core_and_with_two_have_the_same_transcript(
    long_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = audited(long_database, cores=1)
    monkeypatch.setattr(hashing, "ALONE_MAX", 0)
    together = audited(long_database, cores=2)
    assert alone.transcript == together.transcript is not None


def test_an_audit_that_was_interrupted_goes_on_from_its_state_file(
    long_database: Path, tmp_path: Path
) -> None:
    source, state = DatabaseSource(str(long_database)), tmp_path / "state.json"

    def interrupt(what: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Audit(source, "test", memory=AuditStateFile(state), place="here", tell=interrupt).run()
    report = Audit(source, "test", memory=AuditStateFile(state), place="here").run()
    assert any(f"Went on after position {SEGMENT}," in remark for remark in report.remarks)
    assert not {one.rule for one in report.findings} & {"chain", "tiles", "checkpoints"}
    assert report.size == MANY
    source.close()


@pytest.mark.parametrize("split", [1, 300, SEGMENT - 1, SEGMENT, SEGMENT + 1])
def test_a_pass_that_was_broken_off_goes_on_to_the_same_end(
    long_database: Path, alone: VerifiedPrefix, split: int
) -> None:
    source, parts = DatabaseSource(str(long_database)), VerifiedPrefix()
    read_up_to(source, split)
    assert hash_pass(source, parts, cores=1) == []
    read_up_to(source, MANY)
    parts = VerifiedPrefix.from_data(parts.to_data())
    assert hash_pass(source, parts, cores=1) == []
    assert (parts.root, parts.streams, parts.roots) == (alone.root, alone.streams, alone.roots)
    source.close()


@pytest.mark.parametrize(
    ("statement", "position"),
    [
        ("UPDATE events SET prev_hash = zeroblob(32) WHERE position = {}", SEGMENT + 1),
        ("UPDATE events SET recorded_at = 5 WHERE position = {}", SEGMENT + 1),
        ("UPDATE events SET stream_version = 1 WHERE position = {}", SEGMENT + 1),
        ("DELETE FROM events WHERE position = {}", SEGMENT),
        ("UPDATE events SET event_hash = zeroblob(32) WHERE position = {}", SEGMENT),
    ],
)
def test_damage_at_a_border_is_found_there(
    long_database: Path, tmp_path: Path, statement: str, position: int
) -> None:
    path = tmp_path / "long.db"
    path.write_bytes(long_database.read_bytes())
    damaged(path, (statement.format(position),))
    source = DatabaseSource(str(path))
    found = hash_pass(source, VerifiedPrefix(), cores=1)
    assert (found[0].rule, found[0].position) == ("chain", position)
    source.close()


@pytest.mark.parametrize(
    ("level", "number", "position"), [(0, 3, 769), (0, 256, SEGMENT + 1), (1, 0, 1)]
)
def test_every_level_of_tiles_is_compared(
    long_database: Path, tmp_path: Path, level: int, number: int, position: int
) -> None:
    path = tmp_path / "long.db"
    path.write_bytes(long_database.read_bytes())
    change = f"UPDATE tiles SET hashes = zeroblob(8192) WHERE level = {level} AND number = {number}"
    damaged(path, (change,))
    source = DatabaseSource(str(path))
    found = hash_pass(source, VerifiedPrefix(), cores=1)
    assert [(one.rule, one.position) for one in found] == [("tiles", position)]
    source.close()
