"""What was published: goal: a ledger that is behind it is not served, and both sizes are said.

Method: a database is copied, goes on and publishes; then the copy is put in its place, as when
a backup is restored. The same with a witness instead of a file, on each database.
"""

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from ledger.chain.checkpoint import CheckpointBody, sign
from ledger.chain.cosignature import CosigningKey
from ledger.chain.keys import SecretKey
from ledger.chain.link import Digest
from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason
from ledger.service import Service
from ledger.setting_sections import Settings
from ledger.witness.server import WitnessServer
from ledger.witness.store import WitnessStore
from ledger.witness.witness import Witness
from tests.support.attested import ADA, checked
from tests.support.clocks import ManualClock
from tests.support.scripted_witness import Script, scripted_witness
from tests.support.server_process import until
from tests.support.stores import ORIGIN, grow
from tools.quiet import quiet

SECRET = bytes(range(32)).hex()
KEY = CosigningKey("witness.example.com", bytes([5]) * 32)


class Place:
    """A database that can be copied and put back, and servers of it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.published = folder / "published"
        with self.service() as service:
            service.create_ledger(ORIGIN, clock="wall", actor="users/ada")

    def service(self, **changes: object) -> Service:
        return Service(self.settings(**changes), SystemClock())

    def settings(self, **changes: object) -> Settings:
        usual: dict[str, object] = {
            "service__evaluate": False,
            "service__project": False,
            "keys__secret": SECRET,
            "checkpoints__published": str(self.published),
            "checkpoints__evidence": str(self.folder / "evidence"),
        }
        return quiet(self.url, **usual | changes)

    def copy(self) -> None:
        """Copy the database, as a backup would."""
        url = self.url
        if "postgresql" in url:
            self._postgres("CREATE DATABASE {name}_copy TEMPLATE {name}")
        else:
            shutil.copy(url.removeprefix("sqlite:///"), self.folder / "copy")

    def put_back(self) -> None:
        """Put the copy in the place of the database."""
        url = self.url
        if "postgresql" in url:
            self._postgres("DROP DATABASE {name} WITH (FORCE)")
            self._postgres("ALTER DATABASE {name}_copy RENAME TO {name}")
        else:
            path = Path(url.removeprefix("sqlite:///"))
            for end in ("-wal", "-shm"):
                path.with_name(path.name + end).unlink(missing_ok=True)
            shutil.copy(self.folder / "copy", path)

    def _postgres(self, statement: str) -> None:
        base, _, query = self.url.partition("?")
        server, _, name = base.replace("postgresql+psycopg", "postgresql").rpartition("/")
        with psycopg.connect(f"{server}/postgres?{query}", autocommit=True) as connection:
            connection.execute(statement.format(name=name))

    def publish(self, service: Service, name: str = "checkpoint") -> int:
        """Write the newest checkpoint as `log publish` would; return its size."""
        signed = service.ledger(ORIGIN).attestation.checkpoints.sign()
        path = self.published / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(signed.note, "utf-8")
        return signed.size

    def policy(self, url: str) -> str:
        """Write a policy with one witness at a URL; return its path."""
        path = self.folder / "policy"
        path.write_text(f"witness w {KEY.cosigner_key} {url}\nquorum w\n", "utf-8")
        return str(path)

    def refused(self, **changes: object) -> LedgerError:
        """Return why a server does not start."""
        with pytest.raises(LedgerError) as caught:
            self.service(**changes).start()
        return caught.value


@pytest.fixture
def place(database_url: str, tmp_path: Path) -> Place:
    return Place(database_url, tmp_path)


def test_a_restored_backup_is_not_served_and_both_sizes_are_said(place: Place) -> None:
    place.copy()
    with place.service() as service:
        grow(service.store, 5)
        size = place.publish(service)
    with place.service():
        pass  # the ledger itself is served beside what it published
    place.put_back()
    failure = place.refused()
    assert failure.reason is Reason.LEDGER_BEHIND
    assert (failure.metadata["size"], failure.metadata["head"]) == (str(size), "2")
    assert f"a checkpoint of {size} events" in failure.message
    assert "2 only" in failure.message
    assert str(place.published / "checkpoint") in failure.message
    with place.service(
        checkpoints__published=""
    ) as service:  # without being asked for, there is no comparison
        assert service.ledger().log.head().position == 2


def test_a_restored_backup_that_went_on_is_a_fork_and_not_served(place: Place) -> None:
    place.copy()
    with place.service() as service:
        grow(service.store, 5)
        size = place.publish(service)
    place.put_back()
    with place.service(checkpoints__published="") as service:
        grow(service.store, 50)
    failure = place.refused()
    assert failure.reason is Reason.CHAIN_BROKEN
    assert f"{size} events with another root" in failure.message


def test_what_was_published_earlier_or_now_lets_a_server_start(place: Place) -> None:
    with place.service() as service:
        assert place.publish(service) == 2
    for _ in range(2):
        with place.service() as service:
            grow(service.store)
            place.publish(service)
            grow(service.store)
            assert checked(service.store)


@pytest.mark.parametrize("rotations", [1, 2])
def test_a_backup_from_before_rotations_is_found_too(place: Place, rotations: int) -> None:
    """After one rotation the backup knows the key, as its next one; after two it does not."""
    place.copy()
    with place.service() as service:
        for _ in range(rotations):
            service.ledger().attestation.keys.rotate(ADA, 0)
        place.publish(service)
    place.put_back()
    failure = place.refused()
    expected = Reason.LEDGER_BEHIND if rotations == 1 else Reason.SIGNING_STOPPED
    assert failure.reason is expected
    assert "backup" in failure.message + failure.remedy


def test_published_ledgers_are_told_apart_and_none_may_be_missing(place: Place) -> None:
    with place.service() as service:
        service.create_ledger("ledger.example.com/two", clock="wall", actor="users/ada")
        place.publish(service, "one/checkpoint")
    with place.service() as service:
        assert len(service.ledgers()) == 2
    lost = sign(CheckpointBody("ledger.example.com/lost", 9, Digest(b"r" * 32)), [_lost_key()])
    (place.published / "lost").mkdir()
    (place.published / "lost" / "checkpoint").write_bytes(lost)
    failure = place.refused()
    assert failure.reason is Reason.LEDGER_BEHIND
    assert (failure.metadata["size"], failure.metadata["head"]) == ("9", "0")


def _lost_key() -> SecretKey:
    return SecretKey("ledger.example.com/lost", bytes(32))


def test_a_published_file_that_cannot_be_judged_is_not_passed_over(place: Place) -> None:
    with place.service() as service:
        place.publish(service)
    note = place.published / "checkpoint"
    good = note.read_text("utf-8")
    forged = sign(CheckpointBody(ORIGIN, 2, Digest(b"r" * 32)), [SecretKey(ORIGIN, bytes(32))])
    for content, reason in (
        (b"rubbish", Reason.STORE_UNAVAILABLE),
        (forged, Reason.SIGNING_STOPPED),
        (good.replace("\n2\n", "\n3\n").encode(), Reason.SIGNING_STOPPED),
    ):
        note.write_bytes(content)
        assert place.refused().reason is reason, content
    note.write_text(good, "utf-8")
    with place.service(checkpoints__published=str(note)):  # the file itself will do
        pass


def test_a_policy_that_is_none_is_refused(place: Place) -> None:
    path = place.folder / "policy"
    assert place.refused(checkpoints__policy=str(path)).metadata["field"] == "checkpoints.policy"
    path.write_text("witness\n", "utf-8")
    assert place.refused(checkpoints__policy=str(path)).metadata["field"] == "checkpoints.policy"


# ---- witnesses -----------------------------------------------------------------------------------


def witnessing(place: Place, stack: ExitStack) -> str:
    """Start a real witness of the ledger and return the path of a policy with it."""
    with place.service() as service:
        logs = {ORIGIN: [k.verifier_key for k in service.store.keys.opened(ORIGIN).values()]}
    opened = WitnessStore(place.folder / "witness.sqlite")
    stack.callback(opened.close)
    part = Witness(opened, KEY, logs, ManualClock(1_767_225_600_000_000))
    server = stack.enter_context(WitnessServer(part, SystemClock()))
    return place.policy(f"http://127.0.0.1:{server.port}")


@pytest.mark.parametrize("rotations", [0, 2])
def test_a_restored_backup_is_found_through_a_witness(place: Place, rotations: int) -> None:
    """After two rotations the backup knows none of the log's keys, but the witness's own line."""
    place.copy()
    with place.service() as service:
        for _ in range(rotations):
            service.ledger().attestation.keys.rotate(ADA, 0)
    with ExitStack() as stack:
        policy = witnessing(place, stack)
        with place.service(checkpoints__policy=policy) as service:
            grow(service.store, 5)
            size = service.ledger().attestation.checkpoints.sign().size
            until(lambda: service.ledger().attestation.collector.cosigners[0].size == size)
            assert service.ledger().attestation.checkpoints.of_size(size).witnesses == (KEY.name,)
        with place.service(checkpoints__policy=policy):
            pass
        place.put_back()
        failure = place.refused(checkpoints__policy=policy)
        assert failure.reason is Reason.LEDGER_BEHIND
        assert (failure.metadata["size"], failure.metadata["head"]) == (str(size), "2")
        assert failure.metadata["source"] == "The witness w"


def test_a_backup_that_a_witness_shows_later_stops_signing(place: Place) -> None:
    """The witness cannot be reached at the start, and answers only when the server runs."""
    place.copy()
    with place.service() as service:
        grow(service.store, 5)
        note = service.ledger().attestation.checkpoints.sign().note.encode()
    place.put_back()
    is_reached: list[bool] = []

    def late(_path: str, _body: bytes) -> tuple[int, bytes]:
        return (200, note) if is_reached else (503, b"")

    with (
        scripted_witness(late) as (url, seen),
        place.service(checkpoints__policy=place.policy(url)) as service,
    ):
        assert seen
        assert service.ledger().attestation.checkpoints.sign().size == 2
        is_reached.append(True)
        until(service.signing_failures)
        heard: list[bool] = []
        service.on_signing_failure(lambda: heard.append(True))
        assert heard
        assert grow(service.store).last_position == 3
        assert "7 events" in str(service.ledger().attestation.checkpoints.failure)
    with place.service() as service:  # the evidence is remembered
        assert service.signing_failures()


SILENT: Script = lambda *_: None  # noqa: E731 - a script like the others below
SCRIPTS: list[Callable[..., object]] = [
    SILENT,
    lambda *_: (500, b""),
    lambda *_: (200, b"rubbish"),
    lambda *_: (404, b""),
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_witness_stops_a_start_by_silence_or_rubbish(
    sqlite_url: str, tmp_path: Path, script: Script
) -> None:
    place = Place(sqlite_url, tmp_path)
    with (
        scripted_witness(script) as (url, seen),
        place.service(checkpoints__policy=place.policy(url)) as one,
    ):
        assert seen
        assert grow(one.store).last_position == 3
        assert one.ledger().attestation.checkpoints.sign().size == 3
        assert not one.signing_failures()


def test_a_master_key_that_is_none_is_refused_without_being_repeated(place: Place) -> None:
    failure = place.refused(keys__secret="not so secret")
    assert failure.metadata["field"] == "keys.secret"
    assert "not so secret" not in str(failure)
    file = place.folder / "master"
    file.touch(mode=0o600)
    file.write_text(f"{SECRET}\n", "ascii")
    with place.service(keys__secret="", keys__file=str(file)) as service:
        assert service.ledger().attestation.checkpoints.sign().size == 2
    assert SECRET not in repr(place.settings())
