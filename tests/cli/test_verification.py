"""`decision-ledger verify` looks at what it is given: nobody need say what kind of thing it is.

Method: make one of each kind from a prepared server, put it where its name says nothing, verify it,
damage it, verify it again.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.cli.exits import Exit
from ledger.operations.verification.target import thing_at
from tests.cli.conftest import Ran, Run
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
    shapes = dict.fromkeys(("server", "database", "tiles"), SHAPES["verify"])
    shapes |= {name: SHAPES[f"verify {name.upper()}"] for name in ("bundle", "receipt", "proof")}
    ran: dict[str, Ran] = {"server": told("verify", "--vkey", key, "--json")}
    for name, line in given.items():
        assert thing_at(line[0]) == name
        ran[name] = run("verify", *line, "--vkey", key, "--json")
    assert set(ran) == set(shapes)
    for name, one in ran.items():
        assert one.code == 0, (name, one.err)
        assert one.json["thing"] == name
        assert tuple(one.json) == fields_of(shapes[name])
        assert run("verify", *given[name], "--vkey", key).out if name in given else True
    assert len({ran[name].json["root"] for name in ("server", "database")}) == 1


def test_only_what_holds_the_keys_itself_is_verified_without_one(run: Run, given: Given) -> None:
    for name, line in given.items():
        ran = run("verify", *line)
        if name == "database":
            assert ran.code == 0
            assert "Its key came from the ledger itself" in ran.out
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
    assert "So does the one kept before" in ran.out
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
