"""What `doctor` finds in a database, which is opened read only beside a running server."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ledger.application.signing.evidence import Evidence
from ledger.chain.link import DIGEST_BYTES, ChainVerifier, Digest
from ledger.clock import SystemClock
from ledger.errors import LedgerError
from ledger.events import notation
from ledger.events.values import SECOND
from ledger.operations.examination import Check
from ledger.operations.examination.rights import rights
from ledger.operations.failures import INTEGRITY_REASONS

if TYPE_CHECKING:
    from ledger.setting_sections import KeySettings
    from ledger.storage.records import LedgerInfo
    from ledger.storage.store import Store
    from ledger.storage.vault import Vault

_TAIL_EVENTS: Final = 1_000
_DISK_WARN_BYTES: Final = 2 * 1024**3
_DISK_FAIL_BYTES: Final = 200 * 1024**2
_DATA_AHEAD_WARN_SECONDS: Final = 86_400


def checks(
    where: str, evidence: Path, kept: Sequence[Path], keys: "KeySettings"
) -> Iterator[Check]:
    """Look at the file, its folder, and each ledger in it; what cannot be read is LedgerError."""
    from ledger.storage.database import sqlite_file
    from ledger.storage.locked_file import refuse_orphans

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

    vault, failure = _vault(keys)
    store = open_store(where, SystemClock(), read_only=True, vault=vault)
    try:
        infos = store.ledgers.all()
        size = f", {path.stat().st_size / 1024**2:.1f} MiB" if path else ""
        yield Check(
            "database", "ok", f"opens, schema known, {notation.counted(len(infos), 'ledger')}{size}"
        )
        if path is not None:
            yield _journal(path)
            yield _disk(path.parent)
            yield rights(path, kept)
        yield _master_key(store, infos, failure)
        for info in infos:
            yield _clock(store, info)
            yield _chain(store, info)
            yield _meaning(store, info)
            yield _signing(store, info, evidence)
    finally:
        store.close()


def _vault(keys: "KeySettings") -> "tuple[Vault | None, LedgerError | None]":
    """Return what opens the signing keys, or why the settings do not lead to it."""
    from ledger.storage.vault import chosen_vault

    try:
        return chosen_vault(keys), None
    except LedgerError as error:
        return None, error


def _master_key(
    store: "Store", infos: "Sequence[LedgerInfo]", failure: LedgerError | None
) -> Check:
    """Say whether the master key can be had, and opens keys and seals of every ledger."""
    name = "master key"
    try:
        if failure is not None:
            raise failure
        for info in infos:
            store.keys.opened(info.origin)
            store.keys.check_head(info.origin, store.events.head(info.origin))
    except LedgerError as error:
        is_integrity = error.reason in INTEGRITY_REASONS
        return Check(name, "fail", error.message, error.remedy, is_integrity)
    counted = notation.counted(len(infos), "ledger")
    return Check(name, "ok", f"opens the keys and seals of {counted}")


def _broken(name: str, found: str) -> Check:
    remedy = "Stop the server, keep the file as evidence, restore from a copy that verifies."
    return Check(name, "fail", found, remedy, is_integrity=True)


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


def _clock(store: "Store", info: "LedgerInfo") -> Check:
    head = store.events.head(info.origin)
    name = f"clock of {info.origin}"
    recorded = notation.time(head.recorded_at)
    behind = (head.recorded_at - SystemClock().now_micros()) / SECOND
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


def _chain(store: "Store", info: "LedgerInfo") -> Check:
    """Verify the newest events, and that the head is the last of them."""
    head = store.events.head(info.origin)
    name = f"chain of {info.origin}"
    after = max(head.position - _TAIL_EVENTS, 0)
    links = [*store.events.links(info.origin, after=after, until=head.position)]
    if not links or links[-1].position != head.position:
        return _broken(name, f"the head says {head.position}, the last event is missing")
    before = links[0].prev_hash
    if type(before) is not bytes or len(before) != DIGEST_BYTES:
        found = f"the previous hash of event {links[0].position} is no hash of {DIGEST_BYTES} bytes"
        return _broken(name, found)
    verifier = ChainVerifier(origin=info.origin, head=Digest(before), start_position=after + 1)
    for link in links:
        verifier.feed(link)
    if verifier.head != head.event_hash:
        return _broken(name, f"the head's hash is not that of event {head.position}")
    return Check(
        name,
        "ok",
        f"head {head.position}, verified from position {after + 1}; `verify` checks all",
    )


def _meaning(store: "Store", info: "LedgerInfo") -> Check:
    """Look for policies in force whose signals were defined otherwise when they were drafted."""
    from ledger.application.policies.compiled import PolicyCache
    from ledger.application.policies.definition_usage import DefinitionUsage
    from ledger.application.policies.history import PolicyHistory

    head = store.events.head(info.origin).position
    policies = PolicyHistory(store.events, info.origin, PolicyCache())
    usage = DefinitionUsage(store.events, info.origin, policies)
    uses = usage.in_force(head)
    found = [
        f"policy {use}: {change.signal} changed its {change.said} at position {change.position}"
        for use, change in usage.changes_in_force(head)
    ]
    name = f"meaning of {info.origin}"
    if not found:
        counted = notation.counted(len(uses), "policy version")
        return Check(name, "ok", f"{counted} in force, signals as they were defined for them")
    remedy = "Draft and activate versions whose limits fit the definitions as they are now."
    return Check(name, "warn", "; ".join(found), remedy)


def _signing(store: "Store", info: "LedgerInfo", evidence: Path) -> Check:
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
    head, kept = store.events.head(info.origin).position, store.proofs.checkpoint(info.origin)
    if not info.vkey:
        return Check(name, "ok", "a bare recorder's ledger, which is never signed")
    if kept is None:
        return Check(name, "ok", "no checkpoint was signed yet")
    if kept.size > head:
        return _broken(name, f"a checkpoint of {kept.size} events was signed, but there are {head}")
    return Check(name, "ok", f"the newest checkpoint covers {kept.size} of {head} events")
