"""Who vouches: pinned keys, rotation, revocation, witnesses, and what the auditor saw before.

Method: ledgers on paper whose checkpoints are signed by keys of the test's choice, audited with
keys, policies and a memory that agree with them, and with such that do not.
"""

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ledger.audit.audit import Audit
from ledger.audit.database import DatabaseSource
from ledger.audit.hashing import hash_pass
from ledger.audit.registry import MEANINGS
from ledger.audit.report import Report
from ledger.audit.state_file import AuditStateFile, EarlierAudit
from ledger.audit.verified_prefix import VerifiedPrefix
from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.cosignature import CosigningKey
from ledger.chain.keys import SecretKey
from ledger.chain.note import parse as parse_note
from ledger.chain.policy import parse_policy
from ledger.errors import LedgerError
from tests.audit.paper import Paper
from tests.audit.test_forgeries import foreign
from tests.support.audits import audited
from tests.support.hooks import read_up_to
from tests.support.weak_keys import vkey_text
from tools.known_answers.mldsa_notes import Cosigner
from tools.known_answers.primitives import line as line_by


def audit_of(paper: Paper, folder: Path, **options: Any) -> Report:  # noqa: ANN401 - as `Audit`
    return audited(paper.write(folder / "paper.db"), **options)


def seen(report: Report) -> list[tuple[str, int]]:
    return [(one.rule, one.position) for one in report.findings]


def rotated(paper: Paper) -> SecretKey:
    """Rotate to a key that was committed in advance, and let both sign for a while."""
    following = SecretKey(paper.origin, bytes([7]) * 32)
    vkey = str(following.verifier_key)
    paper.at(2).data["next_key_digest"] = hashlib.sha256(vkey.encode()).hexdigest()
    start = len(paper.events) + 1
    data = {"from_position": start, "previous_until_position": start + 2, "vkey": vkey}
    assert paper.append("ledger", "key.rotated.v1", data) == start
    for _ in range(4):
        foreign(paper)
    paper.signers = {size: [paper.key, following] for size in range(start, start + 3)}
    paper.signers |= {size: [following] for size in range(start + 3, start + 5)}
    return following


def test_a_key_from_the_ledger_itself_is_trusted_on_first_use_and_said_aloud(
    paper: Paper, tmp_path: Path
) -> None:
    report = audit_of(paper, tmp_path)
    assert report.passed
    assert any("Trusted on first use" in remark for remark in report.remarks)
    assert report.vkeys == (str(paper.key.verifier_key),)


def test_a_pinned_key_that_the_ledger_does_not_have_is_a_failure(
    paper: Paper, tmp_path: Path
) -> None:
    other = SecretKey(paper.origin, bytes([9]) * 32)
    assert seen(audit_of(paper, tmp_path, vkeys=[str(other.verifier_key)])) == [("keys", 1)]


@pytest.mark.parametrize("pinned", ["first", "second"])
def test_either_key_leads_through_a_rotation(paper: Paper, tmp_path: Path, pinned: str) -> None:
    following = rotated(paper)
    key = paper.key if pinned == "first" else following
    report = audit_of(paper, tmp_path, vkeys=[str(key.verifier_key)])
    assert report.passed, report.text()
    assert len(report.vkeys) == 2
    assert report.checkpoint_size == len(paper.events)


def test_without_an_overlap_the_commitment_leads_to_the_next_key(
    paper: Paper, tmp_path: Path
) -> None:
    following = rotated(paper)
    start = paper.find("key.rotated.v1")[0]
    paper.at(start).data["previous_until_position"] = start - 1
    for size in range(start, start + 3):
        paper.signers[size] = [following]
    report = audit_of(paper, tmp_path, vkeys=[str(paper.key.verifier_key)])
    assert report.passed, report.text()


def test_a_key_that_was_not_committed_is_a_failure_and_so_is_what_it_signs(
    paper: Paper, tmp_path: Path
) -> None:
    rotated(paper)
    position = paper.find("key.rotated.v1")[0]
    paper.at(2).data["next_key_digest"] = "00" * 32
    report = audit_of(paper, tmp_path)
    assert ("keys", position) in seen(report)
    assert ("checkpoints", position + 3) in seen(report)  # after the overlap only it signs


def test_a_checkpoint_by_a_stranger_is_a_failure_at_its_size(paper: Paper, tmp_path: Path) -> None:
    paper.checkpoint_sizes = [30, 72]
    paper.signers = {30: [SecretKey(paper.origin, bytes([5]) * 32)]}
    assert seen(audit_of(paper, tmp_path)) == [("checkpoints", 30)]


def test_a_checkpoint_that_states_more_than_a_ledger_signs_is_a_failure_at_its_size(
    paper: Paper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = partial(CheckpointBody, extensions=("more",))
    monkeypatch.setattr("tests.audit.paper.CheckpointBody", more)
    paper.checkpoint_sizes = [30]
    assert seen(audit_of(paper, tmp_path)) == [("checkpoints", 30)]


def test_a_key_that_does_not_reach_the_newest_checkpoint_is_not_enough(
    paper: Paper, tmp_path: Path
) -> None:
    following = rotated(paper)
    start = paper.find("key.rotated.v1")[0]
    paper.checkpoint_sizes = range(start, start + 5)
    for size in range(start, start + 3):
        paper.signers[size] = [following]  # no trusted key covers the event that commits to it
    report = audit_of(paper, tmp_path, vkeys=[str(paper.key.verifier_key)])
    assert {rule for rule, _ in seen(report)} == {"keys"}


def test_what_a_revoked_key_signed_is_counted_as_unchecked(paper: Paper, tmp_path: Path) -> None:
    following = rotated(paper)
    start = paper.find("key.rotated.v1")[0]
    paper.checkpoint_sizes = [start - 1, *paper.checkpoint_sizes]
    data = {"vkey": str(paper.key.verifier_key), "from_position": 1, "reason": "lost"}
    paper.append("ledger", "key.revoked.v1", data)
    paper.signers[len(paper.events)] = [following]
    report = audit_of(paper, tmp_path, vkeys=[str(following.verifier_key)])
    assert report.passed, report.text()
    unchecked = {one.rule: one.unchecked for one in report.rules}
    assert unchecked["checkpoints"] == 1  # later ones have a signature that counts
    assert report.vkeys[-1] == str(following.verifier_key)


def cosigned(paper: Paper, size: int, *witnesses: CosigningKey) -> None:
    leaves = [row[11] for row in paper.rows()]
    text = parse_note(paper.note(size, leaves).encode()).text
    for witness in witnesses:
        line = witness.cosign(text, 1_780_000_000)
        paper.cosignatures.append((size, line.name, line.key_id, line.line()))


@pytest.mark.parametrize(("signing", "holds"), [(1, False), (2, True), (3, True)])
def test_a_quorum_of_witnesses_is_asked_for(
    paper: Paper, tmp_path: Path, signing: int, *, holds: bool
) -> None:
    witnesses = [CosigningKey(f"w{number}.example", bytes([number]) * 32) for number in (1, 2, 3)]
    cosigned(paper, 72, *witnesses[:signing])
    lines = [f"log {paper.key.verifier_key}"]
    lines += [f"witness w{at} {key.cosigner_key}" for at, key in enumerate(witnesses)]
    lines += ["group g 2 w0 w1 w2", "quorum g"]
    report = audit_of(paper, tmp_path, policy=parse_policy("\n".join(lines).encode()))
    assert seen(report) == ([] if holds else [("witnesses", 72)])
    assert report.witnessed_size == (72 if holds else 0)
    assert not any("first use" in remark for remark in report.remarks)  # the policy names the key


def test_a_quorum_of_witnesses_that_cannot_be_checked_is_not_met(
    paper: Paper, tmp_path: Path
) -> None:
    unknown = vkey_text("w7.example", 7, bytes(40))
    text = f"log {paper.key.verifier_key}\nwitness w {unknown}\nquorum w\n"
    report = audit_of(paper, tmp_path, policy=parse_policy(text.encode()))
    assert seen(report) == [("witnesses", 72)]
    assert "of a type unknown here: w" in report.findings[0].sentence


@pytest.mark.parametrize("seconds", [1_780_000_000, 0])
def test_a_policy_may_ask_for_a_cosignature_by_ml_dsa(
    paper: Paper, tmp_path: Path, seconds: int
) -> None:
    cosigner = Cosigner("m.example", bytes([7]) * 32)
    leaves = [row[11] for row in paper.rows()]
    signed = parse_note(paper.note(72, leaves).encode()).text.decode()
    line = line_by(cosigner.name, cosigner.blob(signed, seconds)).strip("\n")
    paper.cosignatures.append((72, cosigner.name, cosigner.id, line))
    text = f"log {paper.key.verifier_key}\nwitness m {cosigner.vkey}\nquorum m\n"
    report = audit_of(paper, tmp_path, policy=parse_policy(text.encode()))
    found = [] if seconds else [("database.cosignatures", 72), ("witnesses", 72)]
    assert sorted(seen(report)) == found
    assert report.witnesses == (("m",) if seconds else ())


# ---- memory --------------------------------------------------------------------------------------


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "state" / "audit.json"


def test_a_second_audit_remembers_the_key_and_the_first_ledger(
    paper: Paper, tmp_path: Path, memory: Path
) -> None:
    first = audit_of(paper, tmp_path, memory=AuditStateFile(memory))
    foreign(paper)
    second = audit_of(paper, tmp_path, memory=AuditStateFile(memory))
    assert second.passed, second.text()
    assert (first.size, second.size) == (72, 73)
    assert not any("first use" in remark for remark in second.remarks)
    assert {one.rule: one.checked for one in second.rules}["memory"] == 1


@pytest.mark.parametrize("is_quick", [False, True])
def test_a_ledger_that_fell_behind_is_a_rollback(
    paper: Paper, tmp_path: Path, memory: Path, *, is_quick: bool
) -> None:
    known = audit_of(paper, tmp_path, memory=AuditStateFile(memory))
    del paper.events[70:]
    paper.checkpoint_sizes = [70]
    report = audit_of(paper, tmp_path, memory=AuditStateFile(memory), is_quick=is_quick)
    assert seen(report) == [("memory", 71)]
    assert known.checkpoint in report.evidence
    assert len(report.evidence) == 2
    assert AuditStateFile(memory).recall(paper.origin).size == 72  # type: ignore[union-attr]


@pytest.mark.parametrize("is_quick", [False, True])
@pytest.mark.parametrize("more", [0, 3])
def test_a_ledger_with_another_past_is_a_fork(
    paper: Paper, tmp_path: Path, memory: Path, *, is_quick: bool, more: int
) -> None:
    audit_of(paper, tmp_path, memory=AuditStateFile(memory))
    changed = paper.find("decision.overridden.v2")[0]
    paper.at(changed).data["rationale"] = "other words"
    paper.checkpoint_sizes = [72 + more]
    for _ in range(more):
        foreign(paper)
    report = audit_of(paper, tmp_path, memory=AuditStateFile(memory), is_quick=is_quick)
    assert "memory" in {one.rule for one in report.findings}, report.text()
    assert len(report.evidence) == 2


def test_a_quick_audit_goes_on_from_what_was_verified(
    paper: Paper, tmp_path: Path, memory: Path
) -> None:
    audit_of(paper, tmp_path, memory=AuditStateFile(memory))
    for _ in range(3):
        foreign(paper)
    report = audit_of(paper, tmp_path, memory=AuditStateFile(memory), is_quick=True)
    assert report.passed, report.text()
    assert {one.rule: one.checked for one in report.rules}["chain"] == 3
    again = audit_of(paper, tmp_path, memory=AuditStateFile(memory))
    assert again.passed
    assert (again.size, again.root) == (report.size, report.root)


def test_an_interrupted_audit_goes_on_where_it_was(
    paper: Paper, tmp_path: Path, memory: Path
) -> None:
    path = paper.write(tmp_path / "paper.db")
    source = DatabaseSource(str(path))
    half = VerifiedPrefix()
    read_up_to(source, 40)
    assert hash_pass(source, half) == []
    AuditStateFile(memory).note(paper.origin, "here", half)
    read_up_to(source, 72)
    report = Audit(source, "test", memory=AuditStateFile(memory), place="here").run()
    assert report.passed, report.text()
    said = next(remark for remark in report.remarks if "position 40" in remark)
    assert "hashed again only by the rules" in said
    assert {one.rule: one.checked for one in report.rules}["chain"] == 32
    assert AuditStateFile(memory).resume(paper.origin, "here") is None
    assert report.size == 72
    source.close()


def test_another_source_does_not_go_on_with_this_ones_interruption(
    paper: Paper, memory: Path
) -> None:
    AuditStateFile(memory).note(paper.origin, "here", VerifiedPrefix(position=40))
    assert AuditStateFile(memory).resume(paper.origin, "there") is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"audit-state/1": {"a": {"verified": {}}}}'])
def test_a_file_that_is_no_memory_is_refused(memory: Path, text: str) -> None:
    memory.parent.mkdir()
    memory.write_text(text)
    with pytest.raises(LedgerError, match="not the state of an audit"):
        AuditStateFile(memory)


def test_the_memory_is_one_json_document(paper: Paper, tmp_path: Path, memory: Path) -> None:
    audit_of(paper, tmp_path, memory=AuditStateFile(memory))
    document = json.loads(memory.read_text())
    assert list(document) == ["audit-state/1"]
    assert {path.name for path in memory.parent.iterdir()} == {"audit.json", "audit.json.lock"}


def test_every_check_beside_the_rules_has_a_test_that_makes_it_fail() -> None:
    from tests.audit.test_hash_pass import DAMAGES
    from tests.audit.test_stored_rows import DAMAGED_RULES
    from tests.audit.test_witnessed_times import RULE

    here = {"keys", "witnesses", "passes", "memory", "bundle.files", "database.integrity"}
    assert {rule for _, rule, _ in DAMAGES.values()} | DAMAGED_RULES | here == {*MEANINGS} - {RULE}


def remembered(size: int, root: bytes = b"r" * 32) -> EarlierAudit:
    return EarlierAudit(size, root, "", 0, (), VerifiedPrefix(position=size))


def test_audits_that_share_a_memory_take_nothing_back(memory: Path) -> None:
    """Method: four audits begin with an empty memory, and end one after the other."""
    begun = [AuditStateFile(memory) for _ in range(4)]
    begun[0].remember("a", remembered(12))
    begun[1].remember("b", remembered(2))
    begun[2].remember("a", remembered(7))
    begun[3].note("b", "here", VerifiedPrefix(position=5))
    kept = AuditStateFile(memory)
    assert kept.recall("a") == remembered(12)
    assert kept.recall("b") == remembered(2)
    assert kept.resume("b", "here") == VerifiedPrefix(position=5)
    begun[0].remember("a", remembered(12, b"f" * 32))
    assert AuditStateFile(memory).recall("a") == remembered(12)
