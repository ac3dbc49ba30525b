"""A ledger that signs, without a service around it: how to grow it, damage it, and check its notes.

`checked` is what an outsider would do with every checkpoint ever kept: open it with the keys that
count at its size, and compare its root with one computed from the event hashes.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import text

from ledger.application.attestation import Attestation, AttestationOptions
from ledger.application.commands import Caller
from ledger.chain.key_history import KeyHistory, open_by_spans
from ledger.chain.merkle import CompactRange
from ledger.clock import Clock
from ledger.events.envelope import encode_body
from ledger.storage import AppendRequest, AppendResult, NewEvent, Store
from tests.support.stores import ORIGIN

ADA = Caller("users/ada")
TYPE = "note.taken.v1"  # nothing folds it


def attest(
    store: Store,
    clock: Clock,
    **options: Any,  # noqa: ANN401 - those of AttestationOptions
) -> Attestation:
    """Return what attests the ledger ORIGIN of a store; nothing of it is started."""
    return Attestation(store, store.ledgers.named(ORIGIN), clock, AttestationOptions(**options))


def grow(store: Store, count: int = 1, stream: str = "models/a") -> AppendResult:
    """Append events that mean nothing."""
    body = encode_body(actor=ADA.actor, data={"note": "x"})
    events = [NewEvent(stream, TYPE, body)] * count
    return store.requests.append(AppendRequest(ORIGIN, ADA.actor, "Test", events))


def edit(store: Store, statement: str, **values: object) -> None:
    """Change the database past every trigger, as a thief of its password could."""
    with store._database.writer.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET session_replication_role = replica"))
        else:
            found = connection.execute(text("SELECT name FROM sqlite_master WHERE type='trigger'"))
            for (name,) in found.all():
                connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(text(statement), values)
        connection.commit()
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET session_replication_role = DEFAULT"))
            connection.commit()


def checked(store: Store, origin: str = ORIGIN) -> list[int]:
    """Return the sizes of all checkpoints kept, each of them verified as an outsider would."""
    history, tree, roots = KeyHistory(), CompactRange(), {}
    position = 0
    while page := store.events.read(origin, after=position, limit=1000):
        for event in page:
            if event.stream == "ledger":
                history.apply(event.type, event.position, event.data)
            tree.append(event.event_hash)
            roots[event.position] = tree.root()
        position = page[-1].position
    sizes = []
    for kept in store.proofs.checkpoints(origin, limit=100_000):
        opened = open_by_spans(kept.note.encode(), origin=origin, spans=history.spans)
        assert (opened.checkpoint.size, opened.checkpoint.root) == (kept.size, roots[kept.size])
        sizes.append(kept.size)
    assert sizes == sorted(set(sizes))
    return sizes


def with_id(caller: Caller, request_id: str) -> Caller:
    """Return the caller with a request id."""
    return replace(caller, request_id=request_id, digest=b"d")


def until(holds: Callable[[], object], seconds: float = 60.0) -> None:
    """Return once something holds that another thread brings about; fail if it never does."""
    never, deadline = threading.Event(), time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        never.wait(0.005)
