"""The seal of a head: it was written by a server that has the master key.

With write access to the database alone, events can be added that verify: hashes and tree have no
secret. So each commit seals the head it leaves under a key derived from the master key, which is
kept apart from the database. A head without its seal is neither served, appended to nor signed.
"""

import hmac
from typing import Any, Final

from sqlalchemy import Connection, select

from ledger.errors import LedgerError, Reason
from ledger.storage.database import damaged
from ledger.storage.records import LedgerInfo
from ledger.storage.schema import checkpoints
from ledger.storage.sealed_keys import SealedKeys

_FORM: Final = "decision-ledger/head/1"
_FIELDS: Final = {
    "position": int,
    "event_hash": bytes,
    "recorded_at": int,
    "newest_observed_at": int,
    "tree": bytes,
}


class HeadSeals:
    """Seals heads and checks their seals, in the transaction or moment that a connection is of.

    The ledger of a bare recorder has no keys and no seal.
    """

    def __init__(self, keys: SealedKeys) -> None:
        self._keys = keys

    def seal(self, connection: Connection, info: LedgerInfo, head: Any) -> bytes | None:  # noqa: ANN401 - a head in any form
        """Return the seal of a head; STORE_UNAVAILABLE where there is no master key."""
        if not info.vkey:
            return None
        return self._keys.vault(connection).head_code(_text(info.origin, head))

    def check(self, connection: Connection, info: LedgerInfo, head: Any) -> None:  # noqa: ANN401
        """Raise CHAIN_BROKEN unless the head carries its seal."""
        expected = self.seal(connection, info, head)
        if expected is None:
            return
        if type(head.seal) is bytes and hmac.compare_digest(head.seal, expected):
            return
        raise _not_sealed(connection, info, head)


def _text(origin: str, head: Any) -> bytes:  # noqa: ANN401 - a head in any form
    """Return what is sealed: every column of the head, under the ledger's name."""
    lines = [_FORM, origin]
    for name, kind in _FIELDS.items():
        value = getattr(head, name)
        if value is None and name == "newest_observed_at":
            lines.append("")
        elif type(value) is not kind:
            raise damaged(f"the head of {origin} cannot be read")
        else:
            lines.append(value.hex() if isinstance(value, bytes) else str(value))
    return "\n".join(lines).encode()


def _not_sealed(connection: Connection, info: LedgerInfo, head: Any) -> LedgerError:  # noqa: ANN401
    """Return the refusal of a head that no server of this ledger wrote, beside the signed one."""
    newest = (
        select(checkpoints.c.size, checkpoints.c.note)
        .where(checkpoints.c.ledger_id == info.ledger_id)
        .order_by(checkpoints.c.size.desc())
        .limit(1)
    )
    signed = connection.execute(newest).first()
    has = "no seal" if head.seal is None else "a seal of another key or of another head"
    root = str(signed.note).split("\n")[2] if signed and str(signed.note).count("\n") > 2 else ""
    kept = (
        f"The newest signed checkpoint is over {signed.size} events, with root {root}."
        if signed is not None
        else "No checkpoint was signed."
    )
    return LedgerError(
        Reason.CHAIN_BROKEN,
        f"The head of {info.origin}, {head.position} events with hash {head.event_hash.hex()}, "
        f"has {has}: no server with this master key wrote it. {kept}",
        remedy="If an earlier release wrote this database, or a program repaired it on purpose: "
        "`decision-ledger ledger adopt DATABASE` verifies all of it and seals its heads. "
        "Otherwise keep it as evidence, and restore from a copy that verifies.",
        metadata={
            "ledger": info.origin,
            "position": str(head.position),
            "event_hash": head.event_hash.hex(),
            "signed_size": str(signed.size if signed is not None else 0),
        },
    )
