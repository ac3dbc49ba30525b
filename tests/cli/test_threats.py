"""What an attacker can do with one part in hand, and what that shows to whom: the page's table.

Method: each test plays one row of `ledger/docs/threat_model.md` with just what that row grants, and
asserts both: who finds it, and what is not found. A history of an attacker's own is made by our
own software on a copy of database and keys, so that everything in it is as it must be.
"""

import base64
import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from ledger.chain import proof_text
from ledger.chain.checkpoint import CheckpointBody, sign
from ledger.chain.cosignature import CosigningKey
from ledger.chain.link import Digest
from ledger.cli.exits import Exit
from ledger.client import LedgerClient
from ledger.errors import LedgerError, Reason
from tests.cli.conftest import Ran, Run, by_itself, csv_of, run_line
from tests.support.forger import Forger, drop_triggers
from tests.support.served import ORIGIN, START, Fleets, Served, serving, serving_fleet

HONEST, FORGED = 0, Exit.INTEGRITY


@dataclass(frozen=True)
class Ledger:
    """An honest ledger that no server has open, an older copy of it, and what outsiders hold."""

    home: Path
    early: Path
    vkey: str
    checkpoint: Path
    bundle: Path
    tiles: Path
    memory: Path

    @property
    def database(self) -> Path:
        return self.home / "ledger.sqlite"


def said(run: Run, served: Served, *words: str, stdin: str | None = None) -> Ran:
    """Run a command against a server, which must succeed."""
    ran = run("--server", served.server.address, *words, stdin=stdin)
    assert ran.code == HONEST, ran.err
    return ran


@pytest.fixture(scope="module")
def made(fleets: Fleets, tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """The ledger that each test has a copy of, in a folder with what its client remembers."""
    folder = tmp_path_factory.mktemp("made")
    home, early = folder / "home", folder / "early"
    made = {name: folder / name for name in ("checkpoint", "bundle", "tiles", "memory")}
    run = run_line
    with by_itself(folder):
        with serving_fleet(fleets, home, "fares", "hotels") as served:
            said(run, served, "signal", "submit", stdin=csv_of(5))
            said(run, served, "log", "checkpoint")
        shutil.copytree(home, early)
        with serving(home) as served:
            said(run, served, "signal", "submit", stdin=csv_of(9))
            said(run, served, "evaluate", "fares")
            vkey = said(run, served, "vkey").out.strip()
            said(run, served, "export", "create", str(made["bundle"]), "--vkey", vkey)
            said(run, served, "log", "checkpoint", "--output", str(made["checkpoint"]))
            said(run, served, "log", "publish", str(made["tiles"]))
            said(run, served, "audit", "run", "--vkey", vkey, "--state", str(made["memory"]))
    return Ledger(home, early, vkey, **made)


@pytest.fixture
def ledger(made: Ledger, tmp_path: Path) -> Ledger:
    shutil.copytree(made.home.parent, tmp_path, dirs_exist_ok=True)
    held = {name: tmp_path / name for name in ("checkpoint", "bundle", "tiles", "memory")}
    return Ledger(tmp_path / "home", tmp_path / "early", made.vkey, **held)


def other_history(ledger: Ledger, run: Run) -> None:
    """Let the older copy, with its keys, go on otherwise than the ledger did, and longer."""
    with serving(ledger.early) as served:
        otherwise = csv_of(12).replace(",0.1", ",0.2")
        said(run, served, "signal", "submit", stdin=otherwise)
        said(run, served, "evaluate", "fares", "hotels")
        said(run, served, "log", "checkpoint", "--vkey", ledger.vkey, *nowhere(ledger, "forger"))


def nowhere(ledger: Ledger, name: str) -> tuple[str, ...]:
    """Return the settings of another client, which remembers in a file of its own."""
    file = ledger.home.parent / f"{name}.toml"
    file.write_text(f'[client]\ntrust = "{ledger.home.parent / name}.json"\n')
    return ("--config", str(file))


# ---- those who report ----------------------------------------------------------------------------


def test_a_monitor_reports_false_values_and_no_more(told: Run, run: Run, folder: Path) -> None:
    monitor = ("--actor", "services/monitor-7")
    false = csv_of(41).splitlines()
    assert told("signal", "submit", *monitor, stdin=f"{false[0]}\n{false[-2]}\n").code == HONEST
    newest = told("log", "tail", "-n", "1", "--json").lines[-1]
    assert newest["body"]["actor"] == "services/monitor-7", "it is recorded under its name"
    ran = run("audit", "run", str(folder / "ledger.sqlite"))
    assert ran.code == HONEST, "no rule knows what is true outside"
    for operators in (("key", "rotate"), ("ledger", "create", "ledger.example/two")):
        assert told(*operators, *monitor).code == Exit.REFUSED
    erased = ("erase", "--positions", "9", "--ground", "x", "--authority", "y", "--yes")
    assert told(*erased, *monitor).code == Exit.REFUSED


def test_any_process_on_the_machine_names_any_actor(told: Run, run: Run, tmp_path: Path) -> None:
    described = ("--owner", "eve", "--unit-value", "1", "--cost", "1", "--actor", "users/ana")
    assert told("model", "register", "ghost", *described).code == HONEST
    newest = told("log", "tail", "-n", "1", "--json").lines[-1]
    assert newest["body"]["actor"] == "users/ana", "nothing shows that it was another"
    outside = run("serve", "--db", str(tmp_path / "x.sqlite"), "--address", "0.0.0.0:0")
    assert outside.code == Exit.MISUSE, "so no other machine is answered"


class Middle(grpc.GenericRpcHandler):
    """What lies between a client and its server: passes on bytes, and may change them."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address)
        self.asked: tuple[bytes, bytes] = (b"", b"")
        self.answered: tuple[bytes, bytes] = (b"", b"")
        """Which bytes of requests, and of answers, become which."""

    def service(self, handler_call_details: Any) -> Any:  # noqa: ANN401 - as gRPC
        forward: Any = self.channel.unary_unary(handler_call_details.method)

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            passed = forward(request.replace(*self.asked), timeout=60)
            assert isinstance(passed, bytes)
            return passed.replace(*self.answered)

        return grpc.unary_unary_rpc_method_handler(answer)


@pytest.fixture
def middle(served: Served) -> Iterator[tuple[Middle, str]]:
    """A middle, and the address that a client takes for the server's."""
    middle = Middle(served.server.address)
    server = grpc.server(ThreadPoolExecutor(2), handlers=[middle])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield middle, f"127.0.0.1:{port}"
    server.stop(None).wait()
    middle.channel.close()


def test_what_lies_between_client_and_server_cannot_lie_about_what_was_signed(
    told: Run, run: Run, middle: tuple[Middle, str], folder: Path
) -> None:
    between, address = middle
    line = ("log", "checkpoint", "--server", address)
    note = told("log", "checkpoint", "--json").json["note"]
    assert run(*line).code == HONEST, "it passes on what is so"
    root = note.splitlines()[2].encode()
    between.answered = (root, base64.b64encode(bytes(32)))
    assert run(*line).code == FORGED
    between.answered = (b"", b"")
    between.asked = (b"0.443", b"0.001")
    trust = str(folder / "state" / "decision-ledger" / "trust.json")
    with LedgerClient(address, ledger=ORIGIN, trust=trust) as client:
        row = ("hotels", "log-loss", "0.443", START * 1_000_000)
        client.submit([row], wait_for_checkpoint=True)
    newest = told("log", "tail", "-n", "1", "--json").lines[-1]
    assert newest["body"]["data"]["value"] == "0.001", "what it changes on the way is recorded"


# ---- what is stored ------------------------------------------------------------------------------


def test_the_database_without_the_master_key(ledger: Ledger, run: Run) -> None:
    copy = ledger.home.parent / "copy.sqlite"

    def audited() -> Ran:
        return run("audit", "run", str(copy), "--vkey", ledger.vkey)

    shutil.copy(ledger.database, copy)
    drop_triggers(copy)
    with closing(sqlite3.connect(copy)) as raw, raw:
        raw.execute("UPDATE events SET salt = zeroblob(16) WHERE position = 9")
    assert (audited().code, "position 9" in audited().err) == (FORGED, True)

    shutil.copy(ledger.database, copy)
    drop_triggers(copy)
    with closing(Forger(copy)) as forger:
        forger.rows = forger.rows[:-3]
        forger.store_all()
    assert (audited().code, "[truncation]" in audited().out) == (FORGED, True)

    shutil.copy(copy, ledger.database)  # the same cut, under the server's own key
    with pytest.raises(LedgerError) as refused, serving(ledger.home):
        pass
    assert refused.value.reason is Reason.CHAIN_BROKEN


def test_an_older_copy_put_back_whole_is_found_outside_alone(ledger: Ledger, run: Run) -> None:
    older = str(ledger.early / "ledger.sqlite")
    assert run("audit", "run", older, "--vkey", ledger.vkey).code == HONEST
    with serving(ledger.early) as served:  # the server believes it, too
        address = ("--server", served.server.address)
        assert run("log", "checkpoint", *address).code == FORGED, "a client that remembers"
        assert run("verify", *address, "--checkpoint", str(ledger.checkpoint)).code == FORGED
    memory = ("--state", str(ledger.memory))
    ran = run("audit", "run", older, "--vkey", ledger.vkey, *memory)
    assert (ran.code, "[memory]" in ran.out) == (FORGED, True)
    with pytest.raises(LedgerError) as refused:
        served_beside(ledger, ledger.early)
    assert refused.value.reason is Reason.LEDGER_BEHIND


def served_beside(ledger: Ledger, folder: Path) -> None:
    """Start a server that knows the published folder."""
    with serving(folder, checkpoints__published=str(ledger.tiles)):
        pass


def test_the_database_and_the_keys_rewrite_what_no_outsider_has_seen(
    ledger: Ledger, run: Run
) -> None:
    other_history(ledger, run)
    forged = str(ledger.early / "ledger.sqlite")
    ran = run("audit", "run", forged, "--vkey", ledger.vkey, "--json")
    assert ran.code == HONEST, "all of it is as it must be: nothing inside shows it"
    memory = ("--state", str(ledger.memory))
    kept = run("audit", "run", forged, "--vkey", ledger.vkey, *memory, "--json")
    assert (kept.code, len(kept.json["evidence"])) == (FORGED, 2)
    ran = run("verify", forged, "--vkey", ledger.vkey, "--checkpoint", str(ledger.checkpoint))
    assert ran.code == FORGED
    bundled = str(ledger.bundle / "data" / "checkpoint")
    assert run("verify", forged, "--vkey", ledger.vkey, "--checkpoint", bundled).code == FORGED
    with pytest.raises(LedgerError) as refused:
        served_beside(ledger, ledger.early)
    assert refused.value.reason is Reason.CHAIN_BROKEN
    with serving(ledger.early) as served:
        address = ("--server", served.server.address)
        assert run("log", "checkpoint", *address).code == FORGED, "a client that remembers"
        evidence = ledger.home.parent / "state" / "decision-ledger" / "evidence"
        assert [json.loads(path.read_text())["kind"] for path in evidence.iterdir()] == ["fork"]
        new = nowhere(ledger, "newcomer")
        assert run("log", "checkpoint", *address, *new, "--vkey", ledger.vkey).code == HONEST


def test_a_signing_key_alone_shows_a_stranger_what_never_was(ledger: Ledger, run: Run) -> None:
    with serving(ledger.home) as served:
        key = next(iter(served.service.store.keys.opened(ORIGIN).values()))
    assert str(key.verifier_key) == ledger.vkey
    invented = hashlib.sha256(b"\x00an event that never was").digest()
    note = sign(CheckpointBody(ORIGIN, 1, Digest(invented)), [key])
    proof = ledger.home.parent / "invented.tlog-proof"
    proof.write_text(proof_text.encode(0, [], note))
    line = ("verify", str(proof), "--event-hash", invented.hex())
    assert run(*line, "--vkey", ledger.vkey).code == HONEST, "the key is all that this asks for"
    witness = CosigningKey("w1.example", bytes(32)).cosigner_key
    policy = ledger.home.parent / "policy"
    policy.write_text(f"log {ledger.vkey}\nwitness w1 {witness}\nquorum w1\n")
    assert run(*line, "--witness-policy", str(policy)).code == FORGED, "no witness has seen it"
    note_file = ledger.home.parent / "note"
    note_file.write_bytes(note)
    kept = ("--vkey", ledger.vkey, "--checkpoint", str(note_file))
    ran = run("verify", str(ledger.database), *kept)
    assert ran.code == FORGED, "the ledger itself contradicts it"


def test_the_salts_let_a_withheld_body_be_guessed_and_change_nothing(ledger: Ledger) -> None:
    query = "SELECT body, salt, body_hash FROM events WHERE type = 'signal.observed.v1' LIMIT 1"
    with closing(sqlite3.connect(ledger.database)) as raw:
        body, salt, body_hash = raw.execute(query).fetchone()
    value = json.loads(body)["data"]["value"]

    def guessed(salt: bytes) -> list[str]:
        """Return which of a thousand values make the hash that the header states."""
        found = []
        for number in range(1_000):
            tried = f"0.{number:03d}".rstrip("0")
            text = body.replace(f'"value":"{value}"'.encode(), f'"value":"{tried}"'.encode())
            if hashlib.sha256(b"\x02" + salt + text).digest() == body_hash:
                found.append(tried)
        return found

    assert guessed(salt) == [value], "with its salt, and of no other body"
    assert guessed(bytes(16)) == []


# ---- what is shown -------------------------------------------------------------------------------


def test_a_mirror_is_damaged_or_old_and_never_forged(
    ledger: Ledger, run: Run, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    with serving(ledger.early) as served:
        said(run, served, "log", "publish", str(old), *nowhere(ledger, "mirror"))
    line = ("verify", str(old), "--vkey", ledger.vkey)
    assert run(*line).code == HONEST, "an old mirror says only how old it is"
    ran = run(*line, "--checkpoint", str(ledger.checkpoint))
    assert (ran.code, "the checkpoint kept before covers" in ran.err) == (FORGED, True)
    entries = next((ledger.tiles / "tile" / "entries").rglob("*.p/*"))
    entries.write_bytes(entries.read_bytes().replace(b'"stream":"models/', b'"stream":"models.', 1))
    assert run("verify", str(ledger.tiles), "--vkey", ledger.vkey).code == FORGED


def test_a_server_is_believed_at_the_first_contact_of_a_client_without_a_key(
    ledger: Ledger, run: Run, tmp_path: Path
) -> None:
    forger = tmp_path / "forger"
    forger.mkdir()
    with serving(forger) as served:
        served.prepare(("fares", "hotels"))
        line = ("log", "checkpoint", "--server", served.server.address)
        first = run(*line, *nowhere(ledger, "careless"))
        assert (first.code, f"First use of {ORIGIN}" in first.err) == (HONEST, True)
        assert run(*line, *nowhere(ledger, "careful"), "--vkey", ledger.vkey).code == FORGED


def test_the_machine_of_a_client_deceives_that_client_alone(ledger: Ledger, run: Run) -> None:
    other_history(ledger, run)
    with serving(ledger.early) as served:
        line = ("log", "checkpoint", "--server", served.server.address)
        remembered = ledger.home.parent / "state" / "decision-ledger" / "trust.json"
        another = ledger.home.parent / "another.json"
        shutil.copy(remembered, another)
        remembered.unlink()
        assert run(*line).code == HONEST, "what it forgot it cannot compare"
        assert run(*line, *nowhere(ledger, "another")).code == FORGED
