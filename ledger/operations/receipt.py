"""Receipts from a server: one small file for one decision, put together from what it answers."""

import warnings

from ledger.client import FirstUseWarning, LedgerClient
from ledger.client.records import Event
from ledger.events.policies import DRAFTED_TYPES
from ledger.export.receipt import write_receipt
from ledger.operations.failures import IntegrityFailure
from ledger.operations.served_ledger import link_of


def fetch_receipt(client: LedgerClient, name: str) -> bytes:
    """Return the receipt of a decision, put together from what a server answers.

    `name` is `models/MODEL/decisions/POSITION`. Nothing of it is verified here.
    """
    position = int(name.rpartition("/")[2])
    replayed = client.replay(name)
    if replayed.outcome != "IDENTICAL":
        why = replayed.why or "it comes out differently"
        raise IntegrityFailure(
            f"{name} cannot be replayed, so its inputs cannot be told: {why}.",
            "See `decision-ledger decision replay`.",
        )
    event = _event(client, position)
    score = _event(client, event.data["score_position"])
    policy = _policy_event(client, event.data["policy"], event.data["policy_version"])
    checkpoint = client.get_checkpoint()
    with warnings.catch_warnings():
        # This command itself names the owner of the key of what it wrote.
        warnings.simplefilter("ignore", FirstUseWarning)
        proofs = {
            at: client.prove_inclusion(at, size=checkpoint.size)
            for at in {
                event.position,
                score.position,
                policy.position,
                *replayed.evidence_positions,
            }
        }
    return write_receipt(
        next(iter(proofs.values())).checkpoint.note.encode(),
        checkpoint.origin,
        [link_of(each) for each in (event, score, policy)],
        lambda at: proofs[at].hashes,
        [(at, proofs[at].event_hash) for at in replayed.evidence_positions],
    )


def _event(client: LedgerClient, position: int) -> Event:
    return next(client.list_events(after_position=position - 1, until_position=position))


def _policy_event(client: LedgerClient, policy: str, version: int) -> Event:
    drafted = client.list_events(types=list(DRAFTED_TYPES), streams=[f"policies/{policy}"])
    return next(event for event in drafted if event.data["version"] == version)
