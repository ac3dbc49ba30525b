"""Keys, checkpoints and cosignatures as they are stored, against what the events say about keys."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from ledger.chain.cosignature import parse_signature_lines, timestamp_of
from ledger.chain.key_history import (
    KeyHistory,
    KeyHistoryError,
    KeySpan,
    open_by_spans,
    vkey_digest,
)
from ledger.chain.note import NoteError
from ledger.errors import chain_broken
from ledger.storage.checks import cosignature_seal
from ledger.storage.database import damaged
from ledger.storage.reader import SqlReader
from ledger.storage.schema import (
    checkpoints,
    cosignatures,
    events,
    heads,
    ledgers,
    requests,
    signing_keys,
    tiles,
)
from ledger.storage.store import LedgerInfo
from ledger.storage.vault import Vault, VaultError


def check_orphans(reader: SqlReader) -> None:
    """Raise CHAIN_BROKEN where a row belongs to a ledger that does not exist."""
    known = {row.ledger_id for row in reader.rows(select(ledgers.c.ledger_id))}
    for table in (events, heads, requests, checkpoints, cosignatures, tiles, signing_keys):
        named = {row[0] for row in reader.rows(select(table.c.ledger_id).distinct())}
        if named - known:
            raise damaged(f"rows of {table.name} name a ledger that does not exist")


def check_keys(reader: SqlReader, info: LedgerInfo, vault: Vault | None) -> KeyHistory:
    """Return the ledger's keys over time; CHAIN_BROKEN where they are not those that are kept.

    Kept are the keys that the ledger names, and the one that is to follow. That one has no
    commitment yet where a ledger is older than commitments.
    """
    history = KeyHistory()
    for event in reader.key_events(info.origin):
        try:
            history.apply(event.type, event.position, event.data)
        except KeyHistoryError as error:
            raise chain_broken(error.position, error.why) from error
    rows = reader.rows(
        select(signing_keys)
        .where(signing_keys.c.ledger_id == info.ledger_id)
        .order_by(signing_keys.c.number)
    )
    named = [span.vkey for span in _spans(info, history)]
    kept = [row.vkey for row in rows]
    following = [vkey for vkey in kept if vkey not in named]
    if (
        [row.number for row in rows] != [*range(1, len(rows) + 1)]
        or [vkey for vkey in kept if vkey in named] != named
        or len(following) != bool(named)
        or (
            history.next_key_digest is not None
            and [vkey_digest(vkey) for vkey in following] != [history.next_key_digest]
        )
    ):
        raise damaged(f"the keys kept for {info.origin} are not those that its events name")
    if vault is not None:
        _open_all(vault, rows)
    return history


def check_signatures(reader: SqlReader, info: LedgerInfo, history: KeyHistory) -> None:
    """Check that a key of its time has signed each checkpoint, and the form of cosignatures.

    A key that was revoked later has signed what it signed: the note is genuine, and what it is
    worth is for those to decide who trust it.
    """
    spans = [replace(span, revoked_from=None) for span in _spans(info, history)]
    size = 0
    while page := reader.checkpoints(info.origin, after_size=size):
        for kept in page:
            try:
                opened = open_by_spans(kept.note.encode(), origin=info.origin, spans=spans)
            except NoteError as error:
                raise damaged(
                    f"the checkpoint of size {kept.size} is not genuine: {error}"
                ) from error
            if opened.checkpoint.size != kept.size:
                raise damaged(f"the checkpoint of size {kept.size} says {opened.checkpoint.size}")
        size = page[-1].size
    _check_cosignatures(reader, info)


def _spans(info: LedgerInfo, history: KeyHistory) -> tuple[KeySpan, ...]:
    """Return the keys that sign; a recorder's ledger may have one that its events do not name."""
    if history.spans or not info.vkey:
        return history.spans
    return (KeySpan(info.vkey, 1),)


def _open_all(vault: Vault, rows: Iterable[Any]) -> None:
    for row in rows:
        try:
            vault.unseal(row.vkey, row.secret)
        except VaultError as error:
            raise damaged(f"the key {row.vkey[:300]} cannot be opened: {error}") from error


def _check_cosignatures(reader: SqlReader, info: LedgerInfo) -> None:
    """Check that each cosignature is one, for a checkpoint that is kept, and was not changed.

    Whether it is the witness's is checked when it arrives and by readers who know its key.
    """
    of_checkpoint = (cosignatures.c.ledger_id == checkpoints.c.ledger_id) & (
        cosignatures.c.size == checkpoints.c.size
    )
    statement = (
        select(cosignatures, checkpoints.c.size.label("signed"))
        .join_from(cosignatures, checkpoints, of_checkpoint, isouter=True)
        .where(cosignatures.c.ledger_id == info.ledger_id)
    )
    for row in reader.rows(statement):
        try:
            (signature,) = parse_signature_lines(f"{row.line}\n".encode())
            timestamp_of(signature.signature)
        except ValueError as error:
            raise damaged(f"a cosignature of size {row.size} is unreadable: {error}") from error
        if (
            (signature.name, signature.key_id) != (row.name, row.key_id)
            or row.signed is None
            or cosignature_seal(row) != row.seal
        ):
            raise damaged(f"a cosignature of size {row.size} is not what was stored")
