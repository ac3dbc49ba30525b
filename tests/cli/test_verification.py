"""`decision-ledger verify` looks at what it is given, and gives one kind of verdict on all of it.

Method: make one of each kind from a prepared server, put it where its name says nothing, verify it,
damage it, verify it again; hold what is printed to the schema that is shipped.
"""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ledger.audit import report
from ledger.cli.exits import Exit
from ledger.operations.verification.target import thing_at
from tests.cli.conftest import Ran, Run
from tests.support.forger import drop_triggers
from tools.shapes import SHAPES, fields_of

Given = dict[str, tuple[str, ...]]


@pytest.fixture
def key(told: Run) -> str:
    return told("vkey").out.strip()


@pytest.fixture
def given(told: Run, folder: Path, tmp_path: Path) -> Given:
    """One of each kind, under a name that says nothing, with the options that it needs."""
    place = tmp_path / "given"
    place.mkdir()
    proof = str(tmp_path / "p.tlog-proof")
    hash_ = told("log", "prove", "3", "--out", proof, "--json").json["event_hash"]
    made = {
        "bundle": ("export", "create", str(tmp_path / "bundle.tar")),
        "receipt": ("decision", "receipt", "fares", str(tmp_path / "receipt.json")),
        "tiles": ("log", "publish", str(place / "tiles")),
    }
    for line in made.values():
        assert told(*line).code == 0
    shutil.move(tmp_path / "bundle.tar", place / "bundle")
    shutil.move(tmp_path / "receipt.json", place / "receipt")
    shutil.move(proof, place / "proof")
    (place / "database").symlink_to(folder / "ledger.sqlite")
    found: Given = {name: (str(place / name),) for name in (*made, "database", "proof")}
    found["proof"] += ("--event-hash", hash_)
    return found


def test_each_kind_is_told_by_what_is_in_it_and_says_what_it_was(
    told: Run, run: Run, key: str, given: Given
) -> None:
    ran: dict[str, Ran] = {"server": told("verify", "--vkey", key, "--json")}
    for name, line in given.items():
        assert thing_at(line[0]) == name
        ran[name] = run("verify", *line, "--vkey", key, "--json")
    kinds = report.json_schema()["properties"]["thing"]["enum"]
    assert set(ran) == set(kinds)
    for name, one in ran.items():
        assert one.code == 0, (name, one.err)
        assert one.json["thing"] == name
        refuse_other(one.json)
        assert tuple(one.json) == fields_of(SHAPES["verify"])
        assert run("verify", *given[name], "--vkey", key).out if name in given else True
    assert len({ran[name].json["root"] for name in ("server", "database")}) == 1


def refuse_other(verdict: "dict[str, Any]") -> None:
    """Refuse a verdict that is not what the schema in the package says, to the member."""
    Draft202012Validator(report.json_schema()).validate(verdict)
    assert verdict.keys() == report.json_schema()["properties"].keys()


def test_the_schema_is_valid_current_and_printed(run: Run) -> None:
    Draft202012Validator.check_schema(report.json_schema())
    shipped = Path(report.__file__).with_name("verdict_schema.json").read_text("utf-8")
    assert shipped == report.schema_text()
    assert run("verify", "--schema").json == json.loads(shipped)


def test_what_does_not_hold_has_a_verdict_too_with_the_place(
    run: Run, key: str, folder: Path, given: Given
) -> None:
    """Method: each kind that lies in files is damaged in one place."""
    damages = {"bundle": b'"fares"', "receipt": b'"fares"', "proof": b"index 2"}
    for name, text in damages.items():
        path = Path(given[name][0])
        path.write_bytes(path.read_bytes().replace(text, text[:-2] + b"9" + text[-1:], 1))
    tile(Path(given["tiles"][0]))
    drop_triggers(folder / "ledger.sqlite")
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as database:
        database.execute("UPDATE events SET salt = zeroblob(16) WHERE position = 3")
        database.commit()
    for name, line in given.items():
        ran = run("verify", *line, "--vkey", key, "--json")
        assert ran.code == Exit.INTEGRITY, name
        verdict = ran.json
        refuse_other(verdict)
        assert (verdict["thing"], verdict["passed"]) == (name, False)
        first = verdict["findings"][0]
        assert first["what"] in json.loads(ran.err)["error"]["message"]
        said = run("verify", *line, "--vkey", key).out
        does = "do" if name == "tiles" else "does"
        assert f"The {name} {does} not hold: " in said.splitlines()[-1]


def test_an_audit_of_each_kind_of_ledger_fills_the_same_verdict(
    told: Run, run: Run, key: str, given: Given
) -> None:
    found = {"server": told("audit", "run", "--vkey", key, "--json").json}
    for name in ("database", "bundle", "tiles"):
        found[name] = run("audit", "run", *given[name], "--vkey", key, "--json").json
    for name, verdict in found.items():
        refuse_other(verdict)
        assert (verdict["task"], verdict["thing"], verdict["passed"]) == ("audit", name, True)
        assert verdict["signed_by"] == [key]


def test_a_verdict_says_up_to_where_by_whom_and_what_was_not_checked(told: Run, key: str) -> None:
    size = told("log", "checkpoint", "--json").json["size"]
    lines = told("verify", "--vkey", key).out.splitlines()
    assert lines[0].endswith(f": {size} events verified, up to position {size}.")
    assert lines[1].startswith(f"Checked: chain ({size} times), ")
    assert f"Signed over {size} events by {key}." in lines
    assert any(line.startswith(f"Not checked (rules, {size} times): ") for line in lines)
    assert lines[-1] == "Everything that could be checked holds."


def test_only_what_holds_the_keys_itself_is_verified_without_one(run: Run, given: Given) -> None:
    for name, line in given.items():
        ran = run("verify", *line)
        if name == "database":
            assert ran.code == 0
            assert "the key came from the ledger itself" in ran.out
        else:
            assert ran.code == Exit.MISUSE, name
            assert "with a key that did not come with it" in ran.err


def entry(folder: Path) -> None:
    """Change an entry: a header is not that of the event any more."""
    path = next((folder / "tile" / "entries").rglob("*.p/*"))
    path.write_bytes(path.read_bytes().replace(b'"stream":"models/', b'"stream":"models.', 1))


def tile(folder: Path) -> None:
    """Change a hash in a tile."""
    path = next((folder / "tile" / "0").rglob("*.p/*"))
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)


def signature(folder: Path) -> None:
    """Change the size that was signed, which the signature covers."""
    path = folder / "checkpoint"
    origin, size, rest = path.read_text().split("\n", 2)
    path.write_text(f"{origin}\n{int(size) - 1}\n{rest}")


@pytest.mark.parametrize("damage", [entry, tile, signature])
def test_published_tiles_are_verified_with_entries_hashes_and_signature(
    run: Run, key: str, given: Given, damage: Callable[[Path], None]
) -> None:
    (place,) = given["tiles"]
    assert run("verify", place, "--vkey", key).code == 0
    damage(Path(place))
    assert run("verify", place, "--vkey", key).code == Exit.INTEGRITY


def test_a_kept_checkpoint_holds_for_tiles_too(
    told: Run, run: Run, key: str, given: Given, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    assert told("log", "checkpoint", "--output", str(kept)).code == 0
    line = ("verify", *given["tiles"], "--vkey", key, "--checkpoint", str(kept))
    ran = run(*line)
    assert ran.code == 0, ran.err
    assert "The checkpoint kept before, over " in ran.out
    assert told("log", "seal").code == 0
    assert told("log", "checkpoint", "--output", str(kept)).code == 0
    ran = run(*line)
    assert ran.code == Exit.INTEGRITY
    assert "the checkpoint kept before covers" in ran.err
    kept.write_text("")
    assert run(*line).code == Exit.MISUSE


def test_options_of_another_kind_are_misuse(
    told: Run, run: Run, key: str, given: Given, tmp_path: Path
) -> None:
    for name, flag in (("bundle", "--checkpoint"), ("tiles", "--event-hash")):
        ran = run("verify", *given[name], "--vkey", key, flag, "x")
        assert (ran.code, f"{flag} is not for a {name}" in ran.err) == (Exit.MISUSE, True)
    assert told("verify", "--event-file", "x").code == Exit.MISUSE
    both = (*given["proof"], "--event-file", str(tmp_path / "x"))
    assert run("verify", *both, "--vkey", key).code == Exit.MISUSE


def test_what_is_nothing_that_can_be_verified_is_misuse(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("words")
    (tmp_path / "folder").mkdir()
    for name in ("empty", "text", "folder"):
        ran = run("verify", str(tmp_path / name))
        assert (ran.code, "nothing that can be verified" in ran.err) == (Exit.MISUSE, True), name
    ran = run("verify", "127.0.0.1:50051")
    assert ran.code == Exit.MISUSE
    assert "a server is named with --server" in ran.err
