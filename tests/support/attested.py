"""A store whose ledger signs, without a service around it.

`checked` is what an outsider would do with every checkpoint ever kept: open it with the keys that
count at its size, and compare its root with one computed from the event hashes.
"""

from dataclasses import replace
from typing import Any

from ledger.application.attestation import Attestation, AttestationOptions
from ledger.application.commands import Caller
from ledger.chain.key_history import KeyHistory, open_by_spans
from ledger.chain.merkle import CompactRange
from ledger.clock import Clock
from ledger.storage import Store
from tests.support.stores import ORIGIN

ADA = Caller("users/ada")


def attest(
    store: Store,
    clock: Clock,
    **options: Any,  # noqa: ANN401 - those of AttestationOptions
) -> Attestation:
    """Return what attests the ledger ORIGIN of a store; nothing of it is started."""
    return Attestation(store, store.ledgers.named(ORIGIN), clock, AttestationOptions(**options))


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
