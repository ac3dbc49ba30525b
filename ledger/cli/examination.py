"""The checks of `doctor`, each of which says what it found and what to do about it.

The database is opened read only beside a running server; the server is asked as any client would.
"""

import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ledger import __version__
from ledger.application.signing.evidence import Evidence, evidence_folder
from ledger.application.signing.published import SILENT_LOSS_REMEDY, read_policy, silent_loss
from ledger.chain.link import Digest, Verifier
from ledger.cli import output, server_checks
from ledger.cli.check import Check
from ledger.cli.databases import check_place
from ledger.cli.exits import Exit, code_of
from ledger.cli.rights import kept_elsewhere, rights
from ledger.cli.session import Session
from ledger.clock import SystemClock
from ledger.errors import LedgerError
from ledger.events import notation

if TYPE_CHECKING:
    from ledger.settings import Settings
    from ledger.storage.sql_store import SqlStore
    from ledger.storage.store import LedgerInfo

_PACKAGES: Final = ("cryptography", "eventsourcing", "grpcio", "protobuf", "pydantic", "sqlalchemy")
_TAIL_EVENTS: Final = 1_000
_DISK_WARN_BYTES: Final = 2 * 1024**3
_DISK_FAIL_BYTES: Final = 200 * 1024**2
_DATA_AHEAD_WARN_SECONDS: Final = 86_400
_MICROS: Final = 1_000_000


def examine(session: Session, database: str | None) -> list[Check]:
    """Return what every check found, in an order in which the first failure explains the rest."""
    settings = session.settings  # bad settings end the command with their own words
    checks = [_installation(), Check("settings", "ok", "every LEDGER_* variable is known")]
    where = database or settings.storage.database
    check_place(where, "--db" if database else "storage.database")
    evidence = evidence_folder(settings.checkpoints.evidence, where)
    kept = [evidence, *kept_elsewhere(settings)]
    checks += _guarded("loss", lambda: _loss(settings, where))
    checks += _guarded("database", lambda: _database(where, evidence, kept))
    checks += _guarded("server", lambda: server_checks.server(session))
    return checks


def _guarded(name: str, check: Callable[[], Iterator[Check]]) -> list[Check]:
    """Return the checks of a part; what it raises is a failed check of its own."""
    done: list[Check] = []
    try:
        done += check()  # extends one by one, so what was found before a failure stays
    except LedgerError as error:
        is_integrity = code_of(error.reason) is Exit.INTEGRITY
        done.append(Check(name, "fail", error.message, error.remedy, is_integrity))
    return done


def _installation() -> Check:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES)
    return Check(
        "installation",
        "ok",
        f"decision-ledger {__version__}, Python {platform.python_version()}, {versions}",
    )


def _loss(settings: "Settings", where: str) -> Iterator[Check]:
    """Fail where a fail-over could lose events and nothing would show it."""
    if "://" not in where or where.startswith("sqlite"):
        return
    policy, accepted = read_policy(settings.checkpoints.policy), settings.storage.accept_silent_loss
    why = silent_loss(where, settings.checkpoints.published, policy, is_accepted=accepted)
    if why:
        yield Check("loss", "fail", why, SILENT_LOSS_REMEDY)
    elif accepted:
        yield Check("loss", "ok", "storage.accept_silent_loss: not looked for at a start")
    else:
        yield Check("loss", "ok", "a start compares with what is kept outside the database")


# ---- the database ----------------------------------------------------------------------------


def _database(where: str, evidence: Path, kept: Sequence[Path]) -> Iterator[Check]:
    from ledger.storage.database import sqlite_file
    from ledger.storage.held_file import refuse_orphans

    path = sqlite_file(where)
    if path is not None and not path.is_file():
        refuse_orphans(path)
        yield Check(
            "database",
            "warn",
            f"there is no ledger at {path}",
            "Start one with `decision-ledger serve --create ORIGIN`, or state --db.",
        )
        yield _disk(path.parent)
        return
    from ledger.storage import open_store

    store = open_store(where, SystemClock(), read_only=True)
    try:
        infos = store.ledgers()
        size = f", {path.stat().st_size / 1024**2:.1f} MiB" if path else ""
        yield Check(
            "database", "ok", f"opens, schema known, {output.counted(len(infos), 'ledger')}{size}"
        )
        if path is not None:
            yield _journal(path)
            yield _disk(path.parent)
            yield rights(path, kept)
        for info in infos:
            yield _clock(store, info)
            yield _chain(store, info)
            yield _meaning(store, info)
            yield _signing(store, info, evidence)
    finally:
        store.close()


def _journal(path: Path) -> Check:
    import sqlite3

    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    finally:
        connection.close()
    if mode == "wal":
        return Check("journal", "ok", "WAL; the server writes with synchronous=FULL")
    return Check(
        "journal",
        "warn",
        f"journal_mode is {mode}",
        "The server sets WAL when it opens the file; keep it on a local file system.",
    )


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder if folder.is_dir() else Path()).free
    found = f"{free / 1024**3:.1f} GiB free"
    if free < _DISK_FAIL_BYTES:
        return Check("disk", "fail", found, "Make room now: appends will soon be refused.")
    if free < _DISK_WARN_BYTES:
        return Check("disk", "warn", found, "Make room before the ledger fills it.")
    return Check("disk", "ok", found)


def _clock(store: "SqlStore", info: "LedgerInfo") -> Check:
    head = store.head(info.origin)
    name = f"clock of {info.origin}"
    recorded = notation.time(head.recorded_at)
    behind = (head.recorded_at - SystemClock().now_micros()) / _MICROS
    if info.clock == "data":
        return _data_clock(name, head.recorded_at, behind)
    if behind > info.skew_seconds:
        return Check(
            name,
            "fail",
            f"the machine is {behind:.0f} s behind the head, {recorded}",
            "Set the machine's clock, or confirm it with `decision-ledger ledger confirm-clock`. "
            "Until then new events carry the head's time, and what states the present is refused.",
        )
    if behind > 0:
        return Check(
            name,
            "warn",
            f"the machine is {behind:.0f} s behind the head, {recorded}",
            "Check that the machine's clock is kept in step.",
        )
    return Check(name, "ok", f"the machine's; the head is at {recorded}")


def _data_clock(name: str, recorded_at: int, ahead_seconds: float) -> Check:
    """Warn where the data of a ledger are of a time yet to come, by more than a time zone."""
    if ahead_seconds <= _DATA_AHEAD_WARN_SECONDS:
        return Check(name, "ok", f"told by the data; the head is {notation.moment(recorded_at)}")
    days, recorded = ahead_seconds / 86_400, notation.time(recorded_at)
    return Check(
        name,
        "warn",
        f"told by the data; the head, {recorded}, lies {days:.1f} days ahead of this machine",
        "If the data are simulated, all is well. Else a source stated a wrong time, or none and a "
        "wrong machine's was taken: the ledger's now never goes back, so what comes in until then "
        "counts as late. Find the source with `decision-ledger log tail`, and begin a new ledger "
        "if the gap is too long to wait out.",
    )


def _chain(store: "SqlStore", info: "LedgerInfo") -> Check:
    """Verify the newest events, and that the head is the last of them."""
    head = store.head(info.origin)
    name = f"chain of {info.origin}"
    after = max(head.position - _TAIL_EVENTS, 0)
    events = store.read(info.origin, after=after, until=head.position, limit=_TAIL_EVENTS)
    if not events or events[-1].position != head.position:
        return Check(
            name,
            "fail",
            f"the head says {head.position}, the last event is missing",
            "Stop the server, keep the file as evidence, restore from a copy that verifies.",
            is_integrity=True,
        )
    from ledger.storage.verify import as_link

    verifier = Verifier(
        origin=info.origin, head=Digest(events[0].prev_hash), start_position=after + 1
    )
    for event in events:
        verifier.feed(as_link(event))
    if verifier.head != head.event_hash:
        return Check(
            name,
            "fail",
            f"the head's hash is not that of event {head.position}",
            "Stop the server, keep the file as evidence, restore from a copy that verifies.",
            is_integrity=True,
        )
    return Check(
        name,
        "ok",
        f"head {head.position}, verified from position {after + 1}; `log verify` checks all",
    )


def _meaning(store: "SqlStore", info: "LedgerInfo") -> Check:
    """Look for policies in force whose signals were defined otherwise when they were drafted."""
    from ledger.application.policies.compiled import PolicyCache
    from ledger.application.policies.history import PolicyHistory
    from ledger.application.policies.meaning import Meanings

    head = store.head(info.origin).position
    policies = PolicyHistory(store, info.origin, PolicyCache())
    meanings = Meanings(store, info.origin, policies)
    uses = meanings.in_force(head)
    found = [
        f"policy {use}: {change.signal} changed its {change.said} at position {change.position}"
        for use, change in meanings.changes_in_force(head)
    ]
    name = f"meaning of {info.origin}"
    if not found:
        counted = output.counted(len(uses), "policy version")
        return Check(name, "ok", f"{counted} in force, signals as they were defined for them")
    remedy = "Draft and activate versions whose limits fit the definitions as they are now."
    return Check(name, "warn", "; ".join(found), remedy)


def _signing(store: "SqlStore", info: "LedgerInfo", evidence: Path) -> Check:
    """Say how far checkpoints go, and whether something keeps the ledger from being signed."""
    name = f"signing of {info.origin}"
    if (found := Evidence(evidence).about(info.origin)) is not None:
        return Check(
            name,
            "fail",
            f"stopped, as {found[0]} says: {found[1]}",
            "Find out which statement is true; nothing is signed while that file is there.",
            is_integrity=True,
        )
    head, kept = store.head(info.origin).position, store.checkpoint(info.origin)
    if not info.vkey:
        return Check(name, "ok", "a bare recorder's ledger, which is never signed")
    if kept is None:
        return Check(name, "ok", "no checkpoint was signed yet")
    if kept.size > head:
        return Check(
            name,
            "fail",
            f"a checkpoint of {kept.size} events was signed, but there are {head}",
            "Stop the server, keep the file as evidence, restore from a copy that verifies.",
            is_integrity=True,
        )
    return Check(name, "ok", f"the newest checkpoint covers {kept.size} of {head} events")
