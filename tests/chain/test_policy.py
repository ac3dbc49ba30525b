"""A policy is read strictly, and accepts only what its logs signed and its witnesses saw.

Method: other people's files; every subset of witnesses against the groups' definition.
"""

import base64
from itertools import chain, combinations
from typing import Any

import pytest

from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.checkpoint import sign as sign_checkpoint
from ledger.chain.cosignature import CosigningKey, add_cosignatures
from ledger.chain.keys import SecretKey
from ledger.chain.link import Digest
from ledger.chain.note import InvalidSignatureError, NoteError, Signature, UnverifiedNoteError
from ledger.chain.policy import PolicyError, QuorumError, WitnessGroup, parse_policy
from ledger.chain.witness_times import TimeBounds
from tests.support.vectors import load_cases
from tests.support.weak_keys import vkey_text

CASES = load_cases("tlog_policy.json")
BY_KIND = {
    kind: [name for name, case in CASES.items() if case["kind"] == kind]
    for kind in ("parse", "quorum", "checkpoint")
}

ORIGIN = "ledger.example.com/test"
LOG = SecretKey(ORIGIN, bytes(range(32)))
WITNESSES = {
    name: CosigningKey(f"witness.example.com/{name}", bytes([n]) * 32)
    for n, name in enumerate("abc", 1)
}
HEAD = CheckpointBody(ORIGIN, 7, Digest(bytes(32)))
NOTE = sign_checkpoint(HEAD, [LOG])
NOW = 1_790_000_000
LINES = "".join(f"witness {name} {key.cosigner_key}\n" for name, key in WITNESSES.items())
UNKNOWN = vkey_text("w7", 7, bytes(1312))
TWO_OF_THREE = f"log {LOG.verifier_key}\n{LINES}group q 2 a b c\nquorum q\n"


def file_bytes(case: dict[str, Any]) -> bytes:
    if "policy_b64" in case:
        return base64.b64decode(case["policy_b64"], validate=True)
    return str(case["policy"]).encode()


def test_every_kind_of_case_is_checked() -> None:
    assert sum(map(len, BY_KIND.values())) == len(CASES)


@pytest.mark.parametrize("name", BY_KIND["parse"])
def test_parsing_known_answer(name: str) -> None:
    case = CASES[name]
    if case["expect"] == "invalid":
        with pytest.raises(PolicyError):
            parse_policy(file_bytes(case))
        return
    policy = parse_policy(file_bytes(case))
    if expected := case.get("parsed"):
        groups = [WitnessGroup(g["name"], g["k"], tuple(g["members"])) for g in expected["groups"]]
        assert list(policy.groups) == groups
        assert policy.quorum == expected["quorum"]


@pytest.mark.parametrize("name", BY_KIND["quorum"])
def test_quorum_known_answer(name: str) -> None:
    case = CASES[name]
    policy = parse_policy(file_bytes(case))
    assert policy.quorum_met(case["cosigned_by"]) is case["expect_satisfied"]


@pytest.mark.parametrize("name", BY_KIND["checkpoint"])
def test_checkpoint_known_answer(name: str) -> None:
    case = CASES[name]
    policy = parse_policy(file_bytes(case))
    if case["expect"] == "accept":
        verdict = policy.check(case["checkpoint"].encode())
        assert policy.quorum_met(verdict.witnesses)
    else:
        with pytest.raises(NoteError):
            policy.check(case["checkpoint"].encode())


def cosigned(*names: str) -> bytes:
    text = HEAD.encode()
    lines = [WITNESSES[name].cosign(text, NOW + n).line() for n, name in enumerate(names)]
    return add_cosignatures(NOTE, lines)


SUBSETS = list(chain.from_iterable(combinations("abc", count) for count in range(4)))


@pytest.mark.parametrize("names", SUBSETS, ids="".join)
def test_two_of_three_means_two_or_three(names: tuple[str, ...]) -> None:
    policy = parse_policy(TWO_OF_THREE.encode())
    if len(names) < 2:
        with pytest.raises(QuorumError, match="quorum q is not met"):
            policy.check(cosigned(*names))
        return
    verdict = policy.check(cosigned(*names))
    assert verdict.checkpoint == HEAD
    assert verdict.witnesses == names


def test_a_cosignature_of_another_head_refuses_the_note() -> None:
    other = CheckpointBody(ORIGIN, 8, Digest(bytes(32)))
    line = WITNESSES["c"].cosign(other.encode(), NOW).line()
    with pytest.raises(InvalidSignatureError):
        parse_policy(TWO_OF_THREE.encode()).check(add_cosignatures(cosigned("a", "b"), [line]))


def test_a_line_twice_or_of_a_stranger_counts_for_nothing() -> None:
    policy = parse_policy(TWO_OF_THREE.encode())
    again = WITNESSES["a"].cosign(HEAD.encode(), NOW + 9).line()
    stranger = CosigningKey("witness.example.com/b", bytes([9]) * 32)
    note = add_cosignatures(cosigned("a"), [again, stranger.cosign(HEAD.encode(), NOW).line()])
    with pytest.raises(QuorumError):
        policy.check(note)


def test_witnesses_without_the_log_are_not_enough() -> None:
    note = add_cosignatures(
        sign_checkpoint(HEAD, [SecretKey(ORIGIN, bytes(32))]),
        [key.cosign(HEAD.encode(), NOW).line() for key in WITNESSES.values()],
    )
    with pytest.raises(UnverifiedNoteError, match="no log of the policy"):
        parse_policy(TWO_OF_THREE.encode()).check(note)


def test_a_log_cannot_sign_for_another_origin() -> None:
    other = SecretKey("ledger.example.com/other", bytes(range(1, 33)))
    policy = parse_policy(f"log {other.verifier_key}\nquorum none\n".encode())
    text = HEAD.encode()
    line = Signature(other.name, other.verifier_key.key_id, other.sign(text)).line()
    with pytest.raises(UnverifiedNoteError, match="no log of the policy"):
        policy.check(add_cosignatures(NOTE, [line]))


def test_both_keys_of_a_rotation_may_be_listed() -> None:
    new = SecretKey(ORIGIN, bytes(range(1, 33)))
    policy = parse_policy(f"log {LOG.verifier_key}\nlog {new.verifier_key}\nquorum none".encode())
    for keys in ([LOG], [new], [LOG, new]):
        assert policy.check(sign_checkpoint(HEAD, keys)).checkpoint == HEAD


@pytest.mark.parametrize("indent", [" ", "\t", " \t "])
def test_an_indented_comment_says_nothing(indent: str) -> None:
    text = TWO_OF_THREE.replace("\n", f"\n{indent}# witness x y\n{indent}#\n")
    assert parse_policy(text.encode()) == parse_policy(TWO_OF_THREE.encode())


def test_a_witness_with_a_key_of_an_unknown_type_is_kept_and_not_counted() -> None:
    text = f"log {LOG.verifier_key}\n{LINES}witness d {UNKNOWN}\ngroup q 2 a d\nquorum q\n"
    policy = parse_policy(text.encode())
    assert [one.name for one in policy.uncounted] == ["d"]
    assert not policy.quorum_met({"a", "d"})
    line = Signature("w7", bytes.fromhex(UNKNOWN.split("+")[1]), bytes(80)).line()
    note = add_cosignatures(cosigned("a"), [line])
    with pytest.raises(
        QuorumError, match=r"cosigned by a at 2026-09-21T14:13:20Z; not counted.* unknown here: d"
    ):
        policy.check(note)
    enough = parse_policy(text.replace("group q 2", "group q 1").encode())
    assert enough.check(note).witnesses == ("a",)


@pytest.mark.parametrize(
    ("ahead", "bounds", "why"),
    [
        (300, {}, ""),
        (301, {}, r"w at \S+, more than 5m after \S+, which is now by this clock"),
        (301, {"max_future": 301}, ""),
        (1, {"max_future": 0}, r"more than 0s after"),
        (-(10**8), {}, ""),
        (-86_400, {"max_age": 86_400}, ""),
        (-86_401, {"max_age": 86_400}, r"w at \S+, more than 1d before \S+, which is now"),
    ],
)
def test_a_cosignature_of_a_time_out_of_bounds_does_not_count(
    ahead: int, bounds: dict[str, int], why: str
) -> None:
    witness = CosigningKey("witness.example.com/w", bytes(range(32)))
    text = f"log {LOG.verifier_key}\nwitness w {witness.cosigner_key}\nquorum w\n"
    note = add_cosignatures(NOTE, [witness.cosign(HEAD.encode(), NOW + ahead).line()])
    policy = parse_policy(text.encode()).within(TimeBounds(NOW, **bounds))
    if why:
        with pytest.raises(QuorumError, match=f"cosigned by no witness; not counted: .*{why}"):
            policy.check(note)
    else:
        (cosigned,) = policy.check(note).cosigned
        assert (cosigned.witness, cosigned.seconds) == ("w", NOW + ahead)


def test_a_witness_with_a_wrong_clock_costs_only_its_own_voice() -> None:
    text = HEAD.encode()
    lines = [WITNESSES[name].cosign(text, NOW).line() for name in "ab"]
    note = add_cosignatures(NOTE, [*lines, WITNESSES["c"].cosign(text, NOW + 10**8).line()])
    verdict = parse_policy(TWO_OF_THREE.encode()).within(TimeBounds(NOW)).check(note)
    assert verdict.witnesses == ("a", "b")
    assert [one.at for one in verdict.cosigned] == ["2026-09-21T14:13:20.000000Z"] * 2


def test_a_key_of_an_unknown_type_cannot_be_listed_twice() -> None:
    twice = f"witness d {UNKNOWN}\nwitness e {UNKNOWN}\nquorum none\n"
    with pytest.raises(PolicyError, match="line 2: this witness key is listed twice"):
        parse_policy(twice.encode())


def test_groups_nest_as_deep_as_a_file_is_long() -> None:
    depth = 5_000
    groups = "".join(f"group g{n + 1} all g{n}\n" for n in range(depth))
    policy = parse_policy(f"{LINES}group g0 any a b\n{groups}quorum g{depth}\n".encode())
    assert policy.quorum_met({"b"})
    assert not policy.quorum_met({"c"})


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("witness none {a}", "taken"),
        ("log {a}", "0x01"),
        ("witness x {log}", "cosigner"),
        ("witness x {a} url more", "written"),
        ("group g 01 a", "threshold"),
        ("group g 2 a", "greater"),
        ("group g ² a", "threshold"),
        ("group g g", "written"),
        ("log", "written"),
        ("quorum none # a comment behind a line", "written"),
        ("log {unknown}", "0x07"),
        ("witness x {nothing}", "some bytes"),
        ("quorum none\r", "control"),
        ("quorum none none", "written"),
    ],
)
def test_other_lines_are_refused_with_their_number(line: str, why: str) -> None:
    keys = {
        "a": CosigningKey("x", bytes(32)).cosigner_key,
        "log": LOG.verifier_key,
        "unknown": UNKNOWN,
        "nothing": vkey_text("w7", 7, b""),
    }
    text = f"{LINES}# a comment\n \t \n{line.format(**keys)}\n"
    with pytest.raises(PolicyError, match=why) as caught:
        parse_policy(text.encode())
    assert "control" in why or str(caught.value).startswith("line 6: ")


def test_a_policy_without_a_quorum_or_of_any_length_is_refused() -> None:
    with pytest.raises(PolicyError, match="exactly one"):
        parse_policy(LINES.encode())
    with pytest.raises(PolicyError, match="bytes long"):
        parse_policy(b"#" * 1_000_001)
