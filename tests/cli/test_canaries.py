"""No secret is in anything that a full run writes: log, output, database, files, or arguments.

Method: secrets that can be found again are where secrets belong: the master key in a command's
output or the environment, a password in the database's URL, tokens in the metadata of calls. A
server logs at its most talkative, every command there is runs against it, then some with what must
be refused, without a server, and with a defect. What all of it wrote is searched at the end.
"""

import base64
import json
from pathlib import Path
from typing import Final

import grpc
import psycopg
import pytest
import structlog

from ledger.cli.exits import Exit
from ledger.cli.server import log_to_stderr
from ledger.client import ClientError, LedgerClient
from ledger.clock import SystemClock
from ledger.operations.audits import audit_log
from ledger.operations.examination import examination
from ledger.operations.trust import TrustAnchors
from ledger.operations.verification.target import source_at
from ledger.storage import open_store
from ledger.storage.vault import Vault
from ledger.v1 import ledger_service_pb2, ledger_service_pb2_grpc
from tests.cli.conftest import csv_of
from tests.support.canaries import files_under, processes_below, shown_by, tables_of, traces
from tests.support.every_command import DEFINED, LINES, stdin_of, words_of
from tests.support.full_run import JWT, MASTER, PASSWORD, SECRETS, TOKEN, FullRun, printing
from tests.support.live_fleet import furnish
from tests.support.served import OFFICER, OPERATORS, ORIGIN, POLICY, START, TIMEOUT
from tests.support.server_process import until

RUNS: Final = (
    pytest.param("sqlite", marks=pytest.mark.slow),
    pytest.param("postgres", marks=pytest.mark.postgres),
)


@pytest.fixture(params=RUNS)
def full_run(request: pytest.FixtureRequest, tmp_path: Path) -> FullRun:
    """Run everything, on each database, and return what it wrote."""
    folder = tmp_path / "run"
    folder.mkdir()
    environment = {
        "XDG_STATE_HOME": str(folder / "state"),
        "LEDGER_LOG__LEVEL": "debug",
        "LEDGER_AUTHENTICATION__DEVELOPMENT": "true",
        "LEDGER_CHECKPOINTS__SECONDS": "0",
        "LEDGER_STORAGE__ACCEPT_SILENT_LOSS": "true",
        "LEDGER_EXPORTS__FOLDER": str(folder / "exports"),
        "LEDGER_ERASURE__ACTORS": json.dumps([OFFICER]),
        "LEDGER_OPERATORS__ACTORS": json.dumps(OPERATORS),
    }
    if request.param == "sqlite":
        run = FullRun(folder, str(folder / "ledger.sqlite"), environment)
        run.environment["LEDGER_STORAGE__DATABASE"] = run.url
        run.environment["LEDGER_KEYS__SECRET"] = MASTER.hex()
    else:
        run = FullRun(folder, request.getfixturevalue("postgres_url"), environment)
        secret = run.url.replace("postgres:@", f"postgres:{PASSWORD}@")
        run.environment["LEDGER_STORAGE__DATABASE"] = secret
        command = printing(folder, MASTER.hex())
        run.keepers.append(Path(command[0]))
        run.environment["LEDGER_KEYS__COMMAND"] = json.dumps(command)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with run.serving() as server:
            assert server.stdout is not None
            address = json.loads(server.stdout.readline())["address"]
            run.environment["LEDGER_SERVER__ADDRESS"] = address
            work(run, address)
            issued(run, address)
            refuse(run, address)
            until(lambda: [*processes_below(server.pid)], "the server computes in a process")
            for pid in (server.pid, *processes_below(server.pid)):
                run.shown += shown_by(pid, environment=pid != server.pid)
        unreached(run)
        defective(run, patch)
    keep_seeds(run)
    return run


def break_off(run: FullRun) -> None:
    """Let PostgreSQL take no connections to the database for a while, and end those that are."""
    path, _, query = run.url.replace("+psycopg", "").partition("?")
    server, _, name = path.rpartition("/")
    define = ("signal", "define", "during-an-outage", *DEFINED, "--meaning", "None.")
    with psycopg.connect(f"{server}/postgres?{query}", autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false".encode())
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )

        def is_told() -> bool:  # by a server that is slow, perhaps not at the first call
            assert run.command(*define, "--deadline", "1s") != 0
            return b"The database did not answer" in (run.folder / "server.log").read_bytes()

        until(is_told, "the server says that the database does not answer")
        connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true".encode())
    until(lambda: run.command(*define) == 0, "the database is there again")


def work(run: FullRun, address: str) -> None:
    """Run every command there is, which must succeed."""
    with LedgerClient(address, deadline_seconds=TIMEOUT) as client:
        signals = ("log-loss", "input-stability")
        furnish(client, ("fares", "hotels"), signals=signals, policy="default", document=POLICY)
        signed = client.get_checkpoint()
    lines = ["model,signal,value,observed_at,sample_size"]
    lines += [
        f"fares,log-loss,0.5,{(START + 60 * number) * 1_000_000},9" for number in range(2_100)
    ]
    assert (
        run.command("signal", "submit", stdin="\n".join(lines)) == 0
    )  # more than are hashed on the spot
    assert run.command("log", "checkpoint") == 0
    assert run.command("signal", "submit", stdin=csv_of(40)) == 0
    assert run.command("evaluate", "fares", "hotels") == 0
    assert run.command("plan", "make", "--budget", "5", "--plan", "week-1") == 0
    key = ("--vkey", signed.verifier_key)
    assert run.command("audit", "run", run.url, "--state", "audit.json", "--json", *key) == 0
    audit_from_python(run)
    for name in sorted(LINES, key=lambda name: name in {"model retire", "key revoke"}):  # last
        words = words_of(name, run.folder, signed.verifier_key, signed.size, database=run.url)
        code = run.command(*words, stdin=stdin_of(name))
        assert code == 0, (name, run.said[-2:])


def audit_from_python(run: FullRun) -> None:
    """Audit the database under its whole URL, as no command line may name it."""
    place = run.environment["LEDGER_STORAGE__DATABASE"]
    source = source_at(place)
    try:
        report = audit_log(source, TrustAnchors(), state=run.folder / "audit-2.json", place=place)
    finally:
        source.close()
    run.said.append(("a report", f"{report!r}\n{report.text()}".encode()))


def issued(run: FullRun, address: str) -> None:
    """Have a ledger issue a token, which one line of output shows, and use it."""
    own, ana = ("--ledger", "ledger.example/own"), ("--actor", "users/ana")
    named = ("--administrator", "users/ana", "--person", "staff-1", "--actor", "users/ops")
    assert run.command("ledger", "create", own[1], *named) == 0
    why, monitor = ("--reason", "Work."), "services/monitor-7"
    code = run.command("authority", "register", monitor, "--person", "staff-2", *own, *ana)
    assert code == 0, run.said[-2:]
    assert run.command("authority", "grant", monitor, "viewer", *why, *own, *ana) == 0
    assert run.command("token", "issue", monitor, *why, *own, *ana) == 0
    place, shown = run.said.pop(-2)
    assert place == "standard output of token issue"
    token = shown.decode().strip()
    _, name, secret = token.split("_", 2)
    run.secrets["issued token"] = token
    run.secrets["its secret"] = base64.urlsafe_b64decode(f"{secret}=")
    assert call(run, address, own[1], f"Bearer {token}"), run.said[-1]
    assert run.command("token", "list", *own, *ana) == 0
    assert run.command("token", "revoke", name, *why, *own, *ana) == 0
    assert not call(run, address, own[1], f"Bearer {token}")
    misplaced(run, address, own[1], token)


def misplaced(run: FullRun, address: str, ledger: str, token: str) -> None:
    """Put a token where its name belongs, and where an actor does."""
    with LedgerClient(address, ledger=ledger, actor="users/ana") as client:
        for ask in (
            lambda: client.revoke_token(token, "Lost."),
            lambda: client.using(ledger=token).get_ledger(),
            lambda: client.register_actor(token, "staff-3"),
        ):
            with pytest.raises(ClientError) as caught:
                ask()
            run.said.append(("a refusal in the client", str(caught.value).encode()))
    with grpc.insecure_channel(address) as channel:
        stub = ledger_service_pb2_grpc.LedgerServiceStub(channel)
        request = ledger_service_pb2.GetLedgerRequest(ledger=ledger)
        for key in ("ledger-actor", "ledger-purpose"):
            metadata = (("ledger-actor", "users/none"), (key, token))
            with pytest.raises(grpc.RpcError) as refused:
                stub.GetLedger(request, metadata=metadata[key == "ledger-actor" :], timeout=TIMEOUT)
            run.said.append((f"a refusal of {key}", str(refused.value).encode()))


def call(run: FullRun, address: str, ledger: str, bearer: str) -> bool:
    """Read a ledger with what a call bears; keep a refusal, and return whether there was none."""
    with grpc.insecure_channel(address) as channel:
        stub = ledger_service_pb2_grpc.LedgerServiceStub(channel)
        request = ledger_service_pb2.GetLedgerRequest(ledger=ledger)
        try:
            stub.GetLedger(request, metadata=(("authorization", bearer),), timeout=TIMEOUT)
        except grpc.RpcError as error:
            run.said.append(("a refusal of the server", str(error).encode()))
            return False
    return True


def refuse(run: FullRun, address: str) -> None:
    """Ask for what must be refused, with secrets where they might be repeated."""
    if "://" in run.url:
        break_off(run)
    run.folder.joinpath("garbage").write_bytes(b"{" * 1000)
    for words in (
        ("why", "nosuch"),
        ("erase", "--positions", "3", "--ground", "x", "--authority", "y", "--yes"),
        ("key", "pin", "garbage"),
        ("verify", "garbage"),
        ("key", "pin", TOKEN),
        ("audit", "run", f"postgresql://ana:{PASSWORD}@127.0.0.1:1/l"),
        ("audit", "run", f"postgresql:/ana:{PASSWORD}@127.0.0.1:1/l"),
        (f"--server={JWT}", "priorities"),
        ("serve", "--listen", address),
    ):
        assert run.command(*words) != 0, words
    wrong = {"LEDGER_KEYS__SECRET": f"{MASTER.hex()}0", "LEDGER_KEYS__COMMAND": "[]"}
    assert run.command("serve", "--listen", "127.0.0.1:0", **wrong) != 0
    toml = run.folder / "ledger.toml"
    toml.write_text(f"[keys]\nsecret = '{MASTER.hex()}\n")
    assert run.command("--config", str(toml), "doctor") == Exit.MISUSE
    toml.write_text(f"[keys]\nsecret = '{MASTER.hex()}'\n[client]\nactor = '{MASTER.hex()}'\n")
    assert run.command("--config", str(toml), "doctor") == Exit.MISUSE
    toml.unlink()
    for bearer in (f"Bearer {TOKEN}", f"Bearer {JWT}", TOKEN, f"Basic {TOKEN}"):
        for ledger in (ORIGIN, "ledger.example/own", "ledger.example/none"):
            assert not call(run, address, ledger, bearer)


def unreached(run: FullRun) -> None:
    """Run what opens the database by itself, and commands that find no server or no database."""
    in_environment = {"LEDGER_KEYS__SECRET": MASTER.hex(), "LEDGER_KEYS__COMMAND": "[]"}
    adopted = run.command("ledger", "adopt", run.url, **in_environment)
    assert adopted == Exit.INTEGRITY, "its key was revoked"
    for words in (
        ("verify", run.url),
        ("log", "publish", "tiles-2", "--db", run.url),
        ("doctor",),
        ("priorities",),
    ):
        run.command(*words)
    nowhere = f"postgresql://ana:{PASSWORD}@127.0.0.1:1/l"
    for line in (["doctor"], ["serve", "--listen", "127.0.0.1:0"]):
        assert run.command(*line, LEDGER_STORAGE__DATABASE=nowhere) != 0
        assert run.command(*line, LEDGER_STORAGE__DATABASE=nowhere.replace("@", "/@")) != 0
    assert run.command("key", "reseal", run.url, "--to", "new.key") == 0
    run.keepers.append(run.folder / "new.key")
    assert run.command("doctor") != 0, "with the key of before"


def defective(run: FullRun, patch: pytest.MonkeyPatch) -> None:
    """Run a command with a defect, whose traceback is kept in a file."""

    def defect(*_: object) -> None:
        secret, password = MASTER, PASSWORD
        raise RuntimeError(f"a defect beside {len(secret) + len(password)} bytes")

    patch.setattr(examination, "read_policy", defect)
    patch.setattr(examination, "evidence_folder", defect)
    assert run.command("doctor") == Exit.DEFECT
    assert (
        "a defect beside" in (run.folder / "state" / "decision-ledger" / "defect.txt").read_text()
    )


def keep_seeds(run: FullRun) -> None:
    """Add the seeds of the signing keys, which nothing shows, to what is looked for."""
    fresh = run.folder / "new.key"
    run.secrets["new master key"] = fresh.read_text().strip()
    run.secrets["new master key's bytes"] = bytes.fromhex(fresh.read_text())
    vault = Vault.from_file(fresh)
    store = open_store(run.url, SystemClock(), read_only=True, vault=vault)
    try:
        for number, key in enumerate(store.keys.opened(ORIGIN).values()):
            text = key.to_secret_text().split("+", 4)[-1]
            run.secrets[f"signing key {number} as text"] = text
            run.secrets[f"seed of signing key {number}"] = base64.b64decode(text)[1:]
    finally:
        store.close()
    assert len(run.secrets) > len(SECRETS) + 4


def test_a_full_run_writes_no_secret(full_run: FullRun) -> None:
    """Searched are output, log, files, database, and what processes show of themselves."""
    files = dict(files_under(full_run.folder, without=full_run.keepers))
    assert {"server.log", "bundle/bagit.txt", "receipt.json", "audit.json"} <= files.keys()
    assert "state/decision-ledger/defect.txt" in files
    assert any(name.startswith("tables/") for name in files)
    if "://" in full_run.url:
        assert b"The database did not answer" in files["server.log"]
        tables = dict(tables_of(full_run.url))
        assert len(tables["signing_keys"]) > 100
    else:  # which is among the files, with its log and its read models
        tables = {}
        assert {"ledger.sqlite", "ledger.projections.sqlite"} <= files.keys()
    assert len(full_run.said) > 2 * len(LINES)
    assert len(full_run.shown) >= 3  # the server, and the process that hashes
    places = [*files.items(), *tables.items(), *full_run.said, *full_run.shown]
    assert traces(full_run.secrets, places) == []
    for path in full_run.keepers:
        assert traces(full_run.secrets, [(path.name, path.read_bytes())]), path.name


@pytest.mark.parametrize("name", SECRETS)
def test_the_search_finds_a_secret_in_each_form(name: str) -> None:
    secret = SECRETS[name]
    raw = secret.encode() if isinstance(secret, str) else secret
    for text in (raw, raw.hex().encode(), base64.b64encode(raw), repr(raw).encode()):
        assert f"{name} in a text" in traces(SECRETS, [("a text", b"x" + text + b"y")])


# ---- what no run reaches -------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_in_the_log_shows_no_value_of_a_variable(
    form: str, capfd: pytest.CaptureFixture[str]
) -> None:
    log_to_stderr("debug", form)

    def opened(secret: str) -> None:
        raise RuntimeError(f"{len(secret)} bytes do not open")

    try:
        opened(PASSWORD)
    except RuntimeError:
        structlog.get_logger("a test").exception("failed")
    said = capfd.readouterr().err
    assert "Traceback" in said
    assert "RuntimeError" in said
    assert PASSWORD not in said
