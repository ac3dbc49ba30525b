"""Checkpoints, proofs and keys on the command line: what holds is printed, what not ends in 4.

Method: commands in this process against a real server; a forger is a second server whose ledger has
the same name, and files are damaged by hand. The trust file is in the test's own folder.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.chain.checkpoint import CheckpointBody, sign
from ledger.chain.cosignature import CosigningKey
from ledger.chain.keys import SecretKey
from ledger.chain.link import Digest, header_bytes
from ledger.cli.exits import Exit
from ledger.events.values import format_time
from ledger.export.lines import checked_line
from ledger.operations.served_ledger import ServedLedger
from tests.cli.conftest import Run, csv_of
from tests.support.served import ORIGIN, Served, serving

WITNESS = CosigningKey("w1.example", bytes(32))
OTHER = CosigningKey("w2.example", bytes([2]) * 32)


@pytest.fixture
def forger(tmp_path: Path) -> Iterator[Served]:
    folder = tmp_path / "forger"
    folder.mkdir()
    with serving(folder) as server:
        server.prepare(("fares", "hotels"))
        yield server


@pytest.fixture
def vkey(served: Served) -> str:
    return served.service.ledger().info.vkey


def policy(path: Path, vkey: str, *witnesses: CosigningKey) -> str:
    lines = [f"log {vkey}"]
    lines += [f"witness w{n} {one.cosigner_key}" for n, one in enumerate(witnesses)]
    lines += [f"group all all {' '.join(f'w{n}' for n in range(len(witnesses)))}", "quorum all"]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_first_use_is_said_once_and_then_remembered(cli: Run, tmp_path: Path) -> None:
    first = cli("log", "checkpoint")
    assert first.code == 0
    assert f"First use of {ORIGIN}" in first.err
    again = cli("log", "checkpoint", "--json")
    assert again.err == ""
    assert again.json["basis"] == "REMEMBERED"
    assert (tmp_path / "state" / "decision-ledger" / "trust.json").is_file()


def test_a_key_that_was_pinned_is_not_said_and_binds(
    cli: Run, run: Run, vkey: str, forger: Served
) -> None:
    assert "pinned in" in run("key", "pin", vkey).out
    ran = cli("log", "checkpoint", "--json")
    assert (ran.json["basis"], ran.err) == ("PINNED", "")
    refused = run("log", "checkpoint", "--server", forger.server.address)
    assert refused.code == Exit.INTEGRITY
    assert "no trusted key" in refused.err
    assert run("key", "pin", "nonsense").code == Exit.MISUSE
    # A ledger that was made again on purpose is trusted again, if its key is pinned again.
    other = forger.service.ledger().info.vkey
    assert run("key", "pin", other, "--forget").code == 0
    assert run("log", "checkpoint", "--server", forger.server.address).code == 0
    assert cli("log", "checkpoint").code == Exit.INTEGRITY


def test_a_rolled_back_ledger_ends_in_4_with_both_notes_kept(run: Run, tmp_path: Path) -> None:
    """Method: the database is copied, goes on, and its copy is then served at the same place."""
    import shutil

    from ledger.v1 import ledger_service_pb2 as pb

    early, late = tmp_path / "early", tmp_path / "late"
    late.mkdir()
    with serving(late) as server:
        server.prepare(("fares", "hotels"))
    shutil.copytree(late, early)
    with serving(late) as server:
        assert run("signal", "submit", "--server", server.server.address, stdin=csv_of(3)).code == 0
        assert run("log", "checkpoint", "--server", server.server.address).code == 0
    with serving(early) as server:
        ran = run("log", "checkpoint", "--server", server.server.address)
        assert ran.code == Exit.INTEGRITY
        assert "its newest checkpoint covers" in ran.err
        # The same ledger, gone on with differently: a fork, and the same key has signed it.
        other = csv_of(9).replace(",0.1", ",0.2")
        assert run("signal", "submit", "--server", server.server.address, stdin=other).code == 0
        server.ledgers.GetCheckpoint(pb.GetCheckpointRequest(), timeout=60)
        ran = run("log", "checkpoint", "--server", server.server.address, "--json")
        assert ran.code == Exit.INTEGRITY
        assert "cannot be joined" in ran.err
        proof = run("log", "prove", "2", "--server", server.server.address)
        assert proof.code == Exit.INTEGRITY
    kept = sorted((tmp_path / "state" / "decision-ledger" / "evidence").iterdir())
    kinds = {json.loads(path.read_text())["kind"] for path in kept}
    assert kinds == {"rollback", "fork"}
    for path in kept:
        found = json.loads(path.read_text())
        assert found["remembered"].startswith(f"{ORIGIN}\n")
        assert found["received"].startswith(f"{ORIGIN}\n")


def test_of_two_checkpoints_of_one_size_both_must_hold(
    cli: Run, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server shows the honest events, and beside them another head signed with its own key."""
    kept = tmp_path / "kept"
    size = cli("log", "checkpoint", "--output", str(kept), "--json").json["size"]
    key = next(iter(served.service.store.keys.opened(ORIGIN).values()))
    forked = sign(CheckpointBody(ORIGIN, size, Digest(bytes([7]) * 32)), [key]).decode()
    with monkeypatch.context() as patched:
        patched.setattr(ServedLedger, "notes", lambda *_: iter([(size, forked)]))
        ran = cli("verify", "--checkpoint", str(kept))
    assert ran.code == Exit.INTEGRITY
    assert f"events 1 to {size} are not those that were signed" in ran.err
    kept.write_text(forked)
    ran = cli("verify", "--checkpoint", str(kept))
    assert ran.code == Exit.INTEGRITY
    assert f"the first {size} events are not those of the checkpoint kept before" in ran.err


def test_checkpoints_are_listed_and_taken_by_size(cli: Run) -> None:
    sizes = []
    for number in (1, 2, 3):  # each input has one row more than is on record
        assert cli("signal", "submit", stdin=csv_of(number)).code == 0
        sizes.append(cli("log", "checkpoint", "--json").json["size"])
    assert cli("log", "checkpoint", "--size", str(sizes[0]), "--json").json["size"] == sizes[0]
    listed = cli("log", "checkpoint", "--list", "--after", str(sizes[0]), "--json").json
    assert [one["size"] for one in listed["checkpoints"]] == sizes[1:]
    assert cli("log", "checkpoint", "--size", "3").code == Exit.REFUSED


def kept_event(served: Served, folder: Path, position: int) -> tuple[str, Path, Path]:
    """Return an event's hash, and files with its canonical header and its line in a bundle."""
    event = served.service.ledger().log.event(position)
    assert event is not None
    time = format_time(event.recorded_at)
    header = folder / "header"
    header.write_bytes(
        header_bytes(
            body_hash=event.body_hash.hex(),
            ledger=ORIGIN,
            position=position,
            prev_hash=event.prev_hash.hex(),
            recorded_at=time,
            stream=event.stream,
            stream_version=event.stream_version,
            type_=event.type,
        )
    )
    place = (event.position, event.stream, event.stream_version, event.type, time)
    hashes = (event.body_hash, event.prev_hash, event.event_hash)
    line = folder / "line"
    line.write_bytes(checked_line((*place, event.body_bytes, event.salt, *hashes), ORIGIN))
    return event.event_hash.hex(), header, line


def test_a_proof_is_written_and_checks_offline_with_hash_header_or_line(
    cli: Run, run: Run, served: Served, vkey: str, tmp_path: Path
) -> None:
    path = tmp_path / "three.tlog-proof"
    proof = cli("log", "prove", "3", "--out", str(path), "--json").json
    hash_, header, line = kept_event(served, tmp_path, 3)
    assert proof["event_hash"] == hash_
    assert path.read_text().startswith("c2sp.org/tlog-proof@v1\nindex 2\n")
    check = ("verify", str(path), "--vkey", vkey)
    for flags in (
        ("--event-hash", hash_),
        ("--event-file", str(header)),
        ("--event-file", str(line)),
    ):
        ran = run(*check, *flags, "--json")
        assert ran.code == 0, ran.err
        assert (ran.json["last_position"], ran.json["head"]) == (3, hash_)


def test_an_offline_proof_of_anything_else_ends_in_4(
    cli: Run, run: Run, served: Served, vkey: str, tmp_path: Path
) -> None:
    path = tmp_path / "three.tlog-proof"
    assert cli("log", "prove", "3", "--out", str(path)).code == 0
    hash_, header, line = kept_event(served, tmp_path, 3)
    check = ("verify", str(path), "--vkey", vkey)
    damaged = tmp_path / "damaged"
    damaged.write_bytes(line.read_bytes().replace(b'"actor":"users/', b'"actor":"users/x'))
    other = tmp_path / "other"
    other.write_bytes(header.read_bytes().replace(b'"position":3', b'"position":4'))
    for flags in (
        ("--event-hash", "00" * 32),
        ("--event-file", str(other)),
        ("--event-file", str(damaged)),
    ):
        assert run(*check, *flags).code == Exit.INTEGRITY, flags
    for wrong in ([], ["--event-hash", "zz"], ["--event-file", str(tmp_path / "none")]):
        assert run(*check, *wrong).code == Exit.MISUSE, wrong
    assert run("verify", str(path), "--event-hash", hash_).code == Exit.MISUSE
    stranger = str(SecretKey(ORIGIN, bytes([9]) * 32).verifier_key)
    ran = run("verify", str(path), "--vkey", stranger, "--event-hash", hash_)
    assert ran.code == Exit.INTEGRITY
    path.write_text(path.read_text().replace("index 2", "index 1"))
    assert run(*check, "--event-hash", hash_).code == Exit.INTEGRITY


def test_a_proof_that_was_not_asked_for_is_not_shown(cli: Run, tmp_path: Path) -> None:
    out = tmp_path / "p.tlog-proof"
    ran = cli("log", "prove", "3", "--event-hash", "11" * 32, "--out", str(out))
    assert ran.code == Exit.INTEGRITY
    assert not out.exists()
    assert cli("log", "prove", "99999").code == Exit.REFUSED


def test_consistency_with_a_kept_file_and_between_sizes(
    cli: Run, served: Served, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    old = cli("log", "checkpoint", "--output", str(kept), "--json").json["size"]
    assert cli("signal", "submit", stdin=csv_of(3)).code == 0
    assert "begins with" in cli("log", "consistency", str(kept)).out
    new = cli("log", "checkpoint", "--json").json["size"]
    joined = cli("log", "consistency", str(old), str(new), "--json").json
    assert (joined["from_size"], joined["checkpoint"]["size"]) == (old, new)
    # A file that the ledger did not sign for: another root under the right name.
    forged = CheckpointBody(ORIGIN, old, bytes([7]) * 32)  # type: ignore[arg-type]
    kept.write_bytes(sign(forged, [SecretKey(ORIGIN, bytes(32))]))
    ran = cli("log", "consistency", str(kept))
    assert ran.code == Exit.INTEGRITY
    assert "does not extend the kept tree" in ran.err
    assert cli("log", "consistency", str(tmp_path / "none")).code == Exit.MISUSE


def test_every_verifying_command_holds_to_a_policy(
    cli: Run, run: Run, served: Served, vkey: str, folder: Path, tmp_path: Path
) -> None:
    size = cli("log", "checkpoint", "--json").json["size"]
    note = served.service.ledger().attestation.checkpoints.of_size(size).note
    text = note.rpartition("\n\n")[0].encode() + b"\n"
    line = WITNESS.cosign(text, 1_767_225_600).line()
    store = served.service.store
    store.proofs.add_cosignature(ORIGIN, size, WITNESS.name, WITNESS.cosigner_key.key_id, line)
    good = policy(tmp_path / "good", vkey, WITNESS)
    bad = policy(tmp_path / "bad", vkey, WITNESS, OTHER)
    proof = tmp_path / "p.tlog-proof"
    database = str(folder / "ledger.sqlite")
    head = served.service.ledger().attestation.checkpoints.of_size(size)
    assert line in head.note
    event = served.service.ledger().log.event(2)
    assert event is not None
    for server, flags in (
        (cli, ("log", "checkpoint", "--size", str(size))),
        (cli, ("log", "prove", "2", "--size", str(size), "--out", str(proof))),
        (cli, ("log", "consistency", str(size), str(size))),
        (cli, ("verify",)),
        (run, ("verify", database)),
        (run, ("verify", str(proof), "--event-hash", event.event_hash.hex())),
        (run, ("log", "publish", str(tmp_path / "tiles"), "--db", database)),
    ):
        ran = server(*flags, "--witness-policy", good, "--json")
        assert ran.code == 0, (flags, ran.err)
        ran = server(*flags, "--witness-policy", bad)
        assert ran.code == Exit.INTEGRITY, (flags, ran.err)
    ran = cli("log", "checkpoint", "--witness-policy", bad, "--size", str(size))
    assert "not yet by w1" in ran.err
    assert (tmp_path / "tiles" / "checkpoint").read_text() == head.note
    (tmp_path / "broken").write_text("quorum nobody\n")
    assert (
        cli("log", "checkpoint", "--witness-policy", str(tmp_path / "broken")).code == Exit.MISUSE
    )


def test_keys_are_listed_rotated_and_revoked(cli: Run, vkey: str) -> None:
    assert vkey in cli("key", "list").out
    rotated = cli("key", "rotate", "--overlap", "0")
    assert rotated.code == 0
    keys = cli("key", "list", "--json").json["keys"]
    assert keys[0]["verifier_key"] == vkey
    new = keys[1]["verifier_key"]
    assert new in rotated.out
    assert cli("key", "revoke", new, "--from", "999999", "--reason", "x").code == Exit.REFUSED
    head = int(cli("ledger", "show", "--json").json["head_position"])
    assert cli("key", "revoke", new, "--from", str(head), "--reason", "stolen").code == 0
    states = [key["state"] for key in cli("key", "list", "--json").json["keys"]]
    assert "REVOKED" in states


def test_a_rotated_ledger_still_verifies_and_is_followed(
    cli: Run, vkey: str, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    assert cli("log", "checkpoint", "--vkey", vkey, "--output", str(kept)).code == 0
    assert cli("key", "rotate", "--overlap", "3").code == 0
    both = cli("log", "checkpoint", "--json").json
    assert cli("signal", "submit", stdin=csv_of(3)).code == 0
    new = cli("log", "checkpoint", "--json").json
    assert new["basis"] == both["basis"] == "PINNED"
    assert new["verifier_key"] != vkey
    assert cli("verify", "--checkpoint", str(kept)).code == 0


def test_after_a_rotation_the_keys_that_are_printed_are_those_that_count_now(
    cli: Run, vkey: str
) -> None:
    assert cli("vkey").out == f"{vkey}\n"
    assert cli("key", "rotate", "--overlap", "4").code == 0
    both = cli("vkey")
    head = int(cli("ledger", "show", "--json").json["head_position"])
    assert both.out.splitlines()[0] == vkey
    new = both.out.splitlines()[1]
    assert f"{new.split('+')[1]} signs from size {head - 1} on." in both.err
    assert f"{vkey.split('+')[1]} signs from size 1 to {head + 2}." in both.err
    assert cli("signal", "submit", stdin=csv_of(3)).code == 0
    alone = cli("vkey")
    assert alone.out == f"{new}\n"
    assert cli("vkey", "--json").json["verifier_key"] == new
    shown = cli("ledger", "show").out
    assert new in shown
    assert vkey not in shown


def test_streams_are_sealed(cli: Run) -> None:
    ran = cli("log", "seal", "--json")
    assert ran.json["streams"] > 3
    assert len(ran.json["root"]) == 64
    assert "sealed as of position" in cli("log", "seal").out


def test_a_damaged_trust_file_is_misuse_and_stays(cli: Run, tmp_path: Path) -> None:
    path = tmp_path / "state" / "decision-ledger" / "trust.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    ran = cli("log", "checkpoint")
    assert (ran.code, "Nothing was trusted" in ran.err) == (Exit.MISUSE, True)
    assert path.read_text() == "{}"
