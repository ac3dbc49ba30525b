"""A receipt shows one decision with all that it rests on, and nothing in it can be changed.

Method: the receipt of a real decision, made by the service's own evaluation; every byte of it
changed in turn; then structured lies by a forger who writes canonical JSON. `write` goes by the
ledger's events and tree, as a client does over the wire.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.checkpoint import parse as parse_checkpoint
from ledger.chain.checkpoint import sign
from ledger.chain.keys import SecretKey, VerifierKey
from ledger.chain.merkle import memory_reader, prove_inclusion
from ledger.chain.note import parse as parse_note
from ledger.chain.policy import parse_policy
from ledger.events.canonical import encode
from ledger.events.decisions import DECISION_TYPES, DecisionMade
from ledger.events.policies import DRAFTED_TYPES
from ledger.events.registry import typed
from ledger.export.receipt import Receipt, ReceiptError, verify_receipt, write_receipt
from tests.support.check_ledger import link_of
from tests.support.served import HOUR, ORIGIN, Served, observation, serving


class Issued:
    """A receipt, and what it was made from."""

    def __init__(self, served: Served) -> None:
        ledger = served.service.ledger()
        events = ledger.log.events()
        self.decision = next(event for event in events if event.type in DECISION_TYPES)
        self.position = self.decision.position
        data = typed(self.decision, DecisionMade)
        drafted = next(event for event in events if event.type in DRAFTED_TYPES)
        replayed = ledger.replayer.replay(self.decision.position)
        signed = ledger.attestation.checkpoints.sign()
        tree = memory_reader([event.event_hash for event in events[: signed.size]])
        self.key = VerifierKey.parse(signed.vkey)
        self.inputs = replayed.evidence
        self.events = events
        whole = (self.decision, events[data.score_position - 1], drafted)
        self.data = write_receipt(
            signed.note.encode(),
            ORIGIN,
            [link_of(event) for event in whole],
            lambda at: prove_inclusion(at - 1, signed.size, tree),
            [(at, events[at - 1].event_hash) for at in replayed.evidence],
        )

    def changed(self, edit: Callable[[dict[str, Any]], object]) -> bytes:
        value: dict[str, Any] = json.loads(self.data)
        edit(value)
        return encode(value)


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issued]:
    folder: Path = tmp_path_factory.mktemp("receipt")
    with serving(folder) as served:
        served.prepare()
        served.submit(
            *(observation(seconds=HOUR * n, number=0.4 + n / 10) for n in range(1, 6)),
        )
        from ledger.application.commands import Caller

        served.service.ledger().decisions.evaluate(Caller("users/ana"), ["fares"], None)
        yield Issued(served)


def test_a_receipt_says_what_was_decided_from_what(issued: Issued) -> None:
    found: Receipt = verify_receipt(issued.data, [issued.key])
    assert (found.model, found.position, found.origin) == ("fares", issued.position, ORIGIN)
    assert found.decision == typed(issued.decision, DecisionMade)
    assert found.input_positions == issued.inputs
    assert len(found.input_positions) == 5
    assert found.signed_by == (str(issued.key),)
    assert encode(json.loads(issued.data)) == issued.data
    policy = parse_policy(f"log {issued.key}\nquorum none\n".encode())
    assert verify_receipt(issued.data, policy=policy).root == found.root


def test_every_changed_byte_is_refused(issued: Issued) -> None:
    for at, value in enumerate(issued.data):
        changed = issued.data[:at] + bytes([value ^ 1]) + issued.data[at + 1 :]
        with pytest.raises(ReceiptError):
            verify_receipt(changed, [issued.key])


def test_another_key_or_none_is_not_enough(issued: Issued) -> None:
    other = SecretKey(ORIGIN, bytes(32)).verifier_key
    with pytest.raises(ReceiptError, match="no trusted key has signed"):
        verify_receipt(issued.data, [other])
    with pytest.raises(ReceiptError, match="key from elsewhere"):
        verify_receipt(issued.data)


@pytest.mark.parametrize(("more", "holds"), [((), True), (("more",), False)])
def test_a_receipts_checkpoint_states_no_more_than_a_ledger_signs(
    issued: Issued, more: tuple[str, ...], *, holds: bool
) -> None:
    key = SecretKey(ORIGIN, bytes(32))
    stated = parse_checkpoint(parse_note(json.loads(issued.data)["checkpoint"].encode()).text)
    note = sign(replace(stated, extensions=more), [key]).decode()
    receipt = issued.changed(lambda r: r.update(checkpoint=note))
    if holds:
        assert verify_receipt(receipt, [key.verifier_key]).position == issued.position
        return
    with pytest.raises(ReceiptError, match="and no more"):
        verify_receipt(receipt, [key.verifier_key])


LIES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another position": (lambda r: r.update(decision=r["decision"] - 1), "not of the decision"),
    "another model": (lambda r: r.update(model="hotels"), "not of the decision"),
    "another format": (lambda r: r.update(format="decision-ledger-receipt/2"), "format"),
    "another key": (lambda r: r.update(note=""), "exactly the keys"),
    "no policy": (lambda r: r["events"].pop(), "does not hold exactly"),
    "two decisions": (
        lambda r: r["events"].__setitem__(1, r["events"][0] | {"role": "score"}),
        "score: position",
    ),
    "roles exchanged": (lambda r: r["events"].reverse(), "is not in its place"),
    "an input too many": (lambda r: r["inputs"].append(r["inputs"][0]), "do not ascend"),
    "an input elsewhere": (lambda r: r["inputs"][0].update(position=1), "position 1"),
    "an input of another hash": (
        lambda r: r["inputs"][0].update(event_hash="00" * 32),
        "another root",
    ),
    "an input that leaves hashes over": (lambda r: r["inputs"].clear(), "no proof needs"),
    "a hash that is not there": (
        lambda r: r["inputs"][0]["inclusion"].__setitem__(0, 500),
        "not there",
    ),
    "a hash too many": (lambda r: r["hashes"].append("ff" * 32), "no proof needs"),
    "a hash twice": (lambda r: r["hashes"].append(r["hashes"][0]), "twice"),
    "a decision without body": (
        lambda r: r["events"][0]["event"].update(body=None, salt=None),
        "decision: position",
    ),
    "a true proof in the wrong place": (
        lambda r: r["inputs"][0].update(inclusion=r["inputs"][1]["inclusion"]),
        "another root",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_forged_receipt_is_refused(issued: Issued, lie: str) -> None:
    edit, why = LIES[lie]
    with pytest.raises(ReceiptError, match=why):
        verify_receipt(issued.changed(edit), [issued.key])


def test_a_receipt_is_small(issued: Issued) -> None:
    assert len(issued.data) < 16_000
