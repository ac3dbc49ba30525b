"""Collecting cosignatures: goal: what a witness really signed is kept, and nothing else matters.

Method: the real witness over HTTP, and scripted ones that are silent, mad or hostile, beside a
ledger that goes on appending and signing; forks made with the ledger's own key.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ledger.application.signing.evidence import Evidence
from ledger.application.witnesses.calls import WitnessCalls
from ledger.chain.checkpoint import CheckpointBody, sign
from ledger.chain.cosignature import (
    CosigningKey,
)
from ledger.chain.keys import SecretKey
from ledger.chain.link import Digest
from ledger.chain.note import parse as parse_note
from ledger.chain.policy import PolicyWitness, WitnessPolicy
from ledger.chain.witness import encode_request
from ledger.errors import LedgerError, Reason
from ledger.storage import Store
from tests.support.attested import attest, checked
from tests.support.clocks import ManualClock
from tests.support.ledger_with_witnesses import KEYS, SECONDS, Setting, cosigning, problem
from tests.support.scripted_witness import Script, scripted_witness
from tests.support.server_process import until
from tests.support.stores import ORIGIN, grow


@pytest.fixture
def setting(store: Store, tmp_path: Path) -> Iterator[Setting]:
    with ExitStack() as stack:
        yield Setting(store, tmp_path, stack)


def test_every_witness_cosigns_each_new_checkpoint(setting: Setting) -> None:
    collector = setting.collect(setting.witness(0), setting.witness(1))
    for count in (1, 300, 1):
        grow(setting.store, count)
        signed = setting.attestation.checkpoints.sign()
        until(lambda: len(setting.cosigned(signed.size)) == 2)  # noqa: B023 - waits within the loop
        whole = setting.attestation.checkpoints.of_size(signed.size)
        assert whole.witnesses == (KEYS[0].name, KEYS[1].name)
        policy = WitnessPolicy(
            logs=(), witnesses=tuple(PolicyWitness(f"w{n}", KEYS[n].cosigner_key) for n in (0, 1))
        )
        assert len(parse_note(whole.note.encode()).signatures) == 3
        assert policy.quorum_met(["w0", "w1"])
    until(lambda: {state.size for state in collector.cosigners} == {signed.size})
    assert checked(setting.store)


def test_a_witness_that_has_moved_on_teaches_its_size(setting: Setting) -> None:
    """A second server has the same ledger witnessed; the first learns of it by a conflict."""
    witness = setting.witness()
    one = setting.collect(witness)
    signed = setting.attestation.checkpoints.sign()
    until(lambda: setting.cosigned(signed.size))
    other = setting.attest()
    two = setting.collect(witness, attestation=other)
    until(lambda: two.cosigners[0].size == signed.size)
    for turn in range(6):
        grow(setting.store)
        newest = (other, setting.attestation)[turn % 2].checkpoints.sign()
        until(lambda: setting.cosigned(newest.size))  # noqa: B023 - waits within the loop
    assert one.cosigners[0].problem == two.cosigners[0].problem == ""


def test_a_witness_that_never_answers_holds_up_no_other(setting: Setting) -> None:
    silent, seen = setting.scripted(lambda _path, _body: None, 1)
    collector = setting.collect(setting.witness(0), silent)
    for _ in range(5):
        grow(setting.store, 3)
        signed = setting.attestation.checkpoints.sign()
        until(lambda: setting.cosigned(signed.size) == [KEYS[0].name])  # noqa: B023 - as above
    assert seen
    ended = threading.Thread(target=collector.stop)
    ended.start()
    ended.join(30.0)  # its timeout would be sixty
    assert not ended.is_alive()
    assert setting.attestation.checkpoints.failure is None


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (cosigning(KEYS[0], lambda text: text.replace(b"\n3\n", b"\n4\n")), "not genuine"),
        (cosigning(KEYS[0], lambda text: text + b"extension\n"), "not genuine"),
        (cosigning(KEYS[1]), "line of another"),
        (cosigning(KEYS[0], ahead=[301]), "says 2026-01-01T00:05:01Z, more than 5m after"),
        (cosigning(CosigningKey(KEYS[0].name, bytes(32))), "line of another"),
        (lambda _, body: (200, b"\xff\x00 rubbish") if body else (404, b""), "UTF-8"),
        (lambda _, body: (200, b"") if body else (404, b""), "note"),
        (lambda _, body: (500, b"out of order") if body else (404, b""), "out of order"),
        (lambda _, body: (404, b"no such log") if body else (404, b""), "no such log"),
        (lambda _, body: (409, b"many\n") if body else (404, b""), "without a size"),
        (lambda _, body: (409, b"0\n") if body else (404, b""), "another size each time"),
        (lambda _, body: (409, b"1000\n") if body else (404, b""), "does not show it"),
        (lambda _, body: (200, bytes(1_000_001)) if body else (404, b""), "larger than"),
        (lambda _, body: (422, b"why not") if body else (404, b""), "why not"),
        (lambda _, _body: (200, b"rubbish"), "note"),
        (lambda _, _body: (302, b""), "302"),
    ],
)
def test_what_is_no_cosignature_of_this_checkpoint_is_refused_and_said(
    setting: Setting, script: Script, said: str
) -> None:
    bad, _ = setting.scripted(script)
    collector = setting.collect(bad, setting.witness(1))
    grow(setting.store)
    signed = setting.attestation.checkpoints.sign()
    assert said in problem(collector)
    until(lambda: setting.cosigned(signed.size))
    assert setting.cosigned(signed.size) == [KEYS[1].name]
    assert setting.attestation.checkpoints.failure is None
    assert not setting.evidence.exists()


def test_a_witness_that_is_not_there_is_a_problem_and_no_failure(setting: Setting) -> None:
    url, _ = setting.stack.enter_context(scripted_witness(lambda *_: None))
    setting.stack.close()
    gone = PolicyWitness("w0", KEYS[0].cosigner_key, url)
    collector = setting.collect(gone)
    setting.attestation.checkpoints.sign()
    assert "cannot be asked" in problem(collector)


def test_a_witness_comes_back(setting: Setting) -> None:
    is_back = threading.Event()
    good = cosigning(KEYS[0])
    witness, seen = setting.scripted(
        lambda path, body: good(path, body) if is_back.is_set() else (503, b"later")
    )
    collector = setting.collect(witness)
    signed = setting.attestation.checkpoints.sign()
    assert "503" in problem(collector)
    is_back.set()
    until(lambda: setting.cosigned(signed.size))
    until(lambda: not collector.cosigners[0].problem)
    assert seen


# ---- what contradicts ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [40, 3])
def test_a_witness_that_knows_another_history_stops_signing_and_its_note_is_kept(
    setting: Setting, size: int
) -> None:
    """Larger than ours, or as large with another root; signed by our own key, as after a theft."""
    grow(setting.store)
    theirs = setting.sign_elsewhere(size)
    witness, _ = setting.scripted(lambda _, body: (409, b"40\n") if body else (200, theirs))
    setting.attestation.checkpoints.sign()
    setting.collect(witness)
    until(lambda: setting.attestation.checkpoints.failure)
    with pytest.raises(LedgerError) as caught:
        setting.attestation.checkpoints.sign()
    assert caught.value.reason is Reason.SIGNING_STOPPED
    assert "The witness w0" in caught.value.message
    (kept,) = setting.evidence.iterdir()
    assert parse_note(theirs).signatures[0].line() in kept.read_text("utf-8")
    assert str(kept) in caught.value.message
    assert grow(setting.store).last_position == 4  # appends go on
    # A restart does not forget; the operator who has looked moves the file away.
    with pytest.raises(LedgerError) as caught:
        setting.attest().checkpoints.sign()
    assert caught.value.reason is Reason.SIGNING_STOPPED
    kept.rename(setting.folder / "looked-at.json")
    assert setting.attest().checkpoints.sign().size == 4


def test_a_contradiction_stops_signing_although_no_disk_takes_the_evidence(
    setting: Setting,
) -> None:
    setting.evidence.write_text("a file in the place of the folder")
    grow(setting.store)
    theirs = setting.sign_elsewhere(40)
    witness, _ = setting.scripted(lambda _, body: (409, b"40\n") if body else (200, theirs))
    setting.attestation.checkpoints.sign()
    setting.collect(witness)
    until(lambda: setting.attestation.checkpoints.failure)
    with pytest.raises(LedgerError) as caught:
        setting.attestation.checkpoints.sign()
    assert caught.value.reason is Reason.SIGNING_STOPPED


def test_a_fork_shows_when_the_witness_refuses_the_proof(setting: Setting) -> None:
    """The real witness cosigned a forked head of size 2 before; ours of size 3 is not its child."""
    witness = setting.witness()
    elsewhere = setting.sign_elsewhere(2)
    assert witness.url is not None
    answer = WitnessCalls(witness.url).add_checkpoint(encode_request(0, (), elsewhere))
    assert answer.status == 200
    grow(setting.store)
    setting.attestation.checkpoints.sign()
    setting.collect(witness)
    until(lambda: setting.attestation.checkpoints.failure)
    assert Evidence(setting.evidence).about(ORIGIN) is not None


def test_a_larger_head_that_no_key_has_signed_does_not_stop_signing(setting: Setting) -> None:
    stranger = sign(CheckpointBody(ORIGIN, 40, Digest(b"z" * 32)), [SecretKey(ORIGIN, bytes(32))])
    witness, _ = setting.scripted(lambda _, body: (409, b"40\n") if body else (200, stranger))
    collector = setting.collect(witness)
    setting.attestation.checkpoints.sign()
    assert problem(collector)
    assert setting.attestation.checkpoints.failure is None


def test_other_ledgers_and_unreadable_evidence(setting: Setting) -> None:
    evidence = Evidence(setting.evidence)
    assert evidence.about(ORIGIN) is None
    setting.evidence.mkdir()
    (setting.evidence / "x.json").write_bytes(b"{}")
    found = evidence.about(ORIGIN)
    assert found is not None
    assert "cannot be read" in found[1]


# ---- by hand -------------------------------------------------------------------------------------


def test_a_cosignature_can_be_added_by_hand_if_it_is_one(store: Store, clock: ManualClock) -> None:
    policy = WitnessPolicy(witnesses=(PolicyWitness("w0", KEYS[0].cosigner_key),))  # without a URL
    attestation = attest(store, clock, policy=policy)
    signed = attestation.checkpoints.sign()
    text = parse_note(signed.note.encode()).text
    good = KEYS[0].cosign(text, SECONDS).line()
    for _ in range(2):  # a repeat changes nothing
        added = attestation.collector.add(signed.size, good)
        assert added.witnesses == (KEYS[0].name,)
        assert added.note == f"{signed.note}{good}\n"
    bad = [
        KEYS[1].cosign(text, SECONDS).line(),
        KEYS[0].cosign(text + b"more\n", SECONDS).line(),
        KEYS[0].cosign(text, clock.now_micros() // 1_000_000 + 301).line(),
        f"{good}\n{good}",
        good[:-8],
        "",
        "rubbish",
        signed.note.splitlines()[-1],
    ]
    for line in bad:
        with pytest.raises(LedgerError) as caught:
            attestation.collector.add(signed.size, line)
        assert caught.value.reason is Reason.COSIGNATURE_INVALID, line
    with pytest.raises(LedgerError) as caught:
        attestation.collector.add(99, good)
    assert caught.value.reason is Reason.CHECKPOINT_UNKNOWN
    assert len(store.proofs.cosignatures(ORIGIN, signed.size)) == 1
