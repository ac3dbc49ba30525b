"""The stand-alone verifier's readers of keys, notes, checkpoints, policies, proofs and events give
the answers that others wrote down.

Method: one test for each file of shared vectors, over its cases, as far as the verifier reads such
things; what it does not read (keys of other kinds, extension lines) it must refuse.
"""

import base64
import json
from typing import Any

import pytest

from tests.support.chained import canonical, inclusion, log_key, merkle_root, sha, witness_key
from tests.support.vectors import load_cases, load_vectors
from tests.verifier.writing import load_tool

TOOL = load_tool()
LEDGER = load_vectors("ledger_format_v1.json")
NOW = 1_767_225_600


def cases(file_name: str, *kinds: str) -> list[Any]:
    found = load_cases(file_name)
    chosen = [c for c in found.values() if not kinds or c["kind"] in kinds]
    assert chosen
    return [pytest.param(case, id=case["id"]) for case in chosen]


def parse_vkey(text: str) -> Any:  # noqa: ANN401 - of a module without a name in the path
    """Return a key of either kind."""
    try:
        return TOOL.parse_vkey(text, 1)
    except (ValueError, TOOL.Fault):
        return TOOL.parse_vkey(text, 4)


@pytest.mark.parametrize("case", cases("vkeys.json"))
def test_verifier_keys(case: dict[str, Any]) -> None:
    if case["expect"] == "valid" and case["type"] in {1, 4}:
        key = parse_vkey(case["vkey"])
        assert key.name == case["name"]
        assert key.key_id.hex() == case["key_id"]
        assert key.public.hex() == case["public_key_hex"]
        assert key.kind == case["type"]
        return
    with pytest.raises((ValueError, TOOL.Fault)):
        parse_vkey(case["vkey"])


def judge(case: dict[str, Any]) -> tuple[str, list[list[str]], dict[str, int]]:
    """Open a note of a case; return verdict, verified keys and cosigners' times."""
    note = case["note"].encode() if "note" in case else base64.b64decode(case["note_b64"])
    keys = [parse_vkey(text) for text in case["vkeys"]]
    if len({(key.name, key.key_id) for key in keys}) < len(keys):
        return "ambiguous_key", [], {}
    try:
        _, verified = TOOL.open_note(note, keys)
    except TOOL.Fault as fault:
        verdict = "invalid_signature" if "signature by" in str(fault) else "malformed"
        return verdict, [], {}
    except ValueError:
        return "malformed", [], {}
    found = [[key.name, key.key_id.hex()] for key in verified]
    times = {key.name: seconds for key, seconds in verified.items() if key.kind == 4}
    return "ok" if found else "no_verifiable_signature", found, times


@pytest.mark.parametrize("case", cases("signed_notes.json"))
def test_signed_notes(case: dict[str, Any]) -> None:
    if "alg" in case:
        for vkey in case["vkeys"]:
            with pytest.raises((ValueError, TOOL.Fault)):
                parse_vkey(vkey)
        return
    verdict, verified, _ = judge(case)
    assert verdict == case["expect"]
    assert verified == (case["verified"] if verdict == "ok" else [])


@pytest.mark.parametrize("case", cases("cosignatures.json", "note"))
def test_cosignatures_in_notes(case: dict[str, Any]) -> None:
    verdict, verified, times = judge(case)
    assert verdict == case["expect"]
    if verdict == "ok":
        assert verified == case["verified"]
        assert times == case["timestamps"]


@pytest.mark.parametrize("case", cases("cosignatures.json", "raw"))
def test_cosigned_messages(case: dict[str, Any]) -> None:
    message = b"cosignature/v1\ntime %d\n" % case["timestamp"] + case["checkpoint_body"].encode()
    public, signature = (
        bytes.fromhex(case[name]) for name in ("witness_public_key_hex", "signature_hex")
    )
    assert TOOL.ed25519_verify(public, signature, message) == (case["expect"] == "valid")


@pytest.mark.parametrize("case", cases("checkpoint_bodies.json"))
def test_checkpoints_of_this_format_are_read_and_all_others_refused(case: dict[str, Any]) -> None:
    parsed = case.get("parsed", {"origin": "", "extensions": []})
    in_grammar = TOOL.re.fullmatch(TOOL.ORIGIN, parsed["origin"])
    if case["expect"] == "valid" and in_grammar and not parsed["extensions"]:
        origin, size, root = TOOL.parse_checkpoint(case["body"].encode())
        expected = (parsed["origin"], int(parsed["size"]), parsed["root_hex"])
        assert (origin, size, root.hex()) == expected
        return
    with pytest.raises((ValueError, TOOL.Fault)):
        TOOL.parse_checkpoint(case["body"].encode())


def policy_of(case: dict[str, Any]) -> bytes:
    if "policy_b64" in case:
        return base64.b64decode(case["policy_b64"])
    text: str = case["policy"]
    return text.encode()


@pytest.mark.parametrize("case", cases("tlog_policy.json", "parse"))
def test_policies(case: dict[str, Any]) -> None:
    if case["expect"] == "valid":
        TOOL.parse_policy(policy_of(case))
        return
    with pytest.raises((ValueError, TOOL.Fault)):
        TOOL.parse_policy(policy_of(case))


@pytest.mark.parametrize("case", cases("tlog_policy.json", "quorum"))
def test_quorums(case: dict[str, Any]) -> None:
    named = {}
    for line in case["policy"].splitlines():
        if line.startswith("witness "):
            named[line.split()[1]] = TOOL.parse_vkey(line.split()[2], 4)
    present = [named[name] for name in case["cosigned_by"]]
    assert TOOL.parse_policy(policy_of(case), present)[1] == case["expect_satisfied"]


@pytest.mark.parametrize("case", cases("tlog_policy.json", "checkpoint"))
def test_checkpoints_under_a_policy(case: dict[str, Any]) -> None:
    note = case["checkpoint"].encode()
    text, verified = TOOL.open_note(note, TOOL.parse_policy(policy_of(case))[0])
    origin = text.decode().split("\n")[0]
    by_log = any(key.kind == 1 and key.name == origin for key in verified)
    accepted = by_log and TOOL.parse_policy(policy_of(case), verified)[1]
    assert accepted == (case["expect"] == "accept")


@pytest.mark.parametrize("case", cases("merkle_inclusion.json"))
def test_inclusion_proofs(case: dict[str, Any]) -> None:
    proof = [base64.b64decode(element).hex() for element in case["proof"] or []]
    leaf, root = (base64.b64decode(case[name] or "") for name in ("leaf_hash", "root"))

    def check() -> None:
        if any(len(element) != 64 for element in [*proof, leaf.hex(), root.hex()]):
            raise TOOL.Fault("length of a hash")  # what the grammar of the files refuses before
        TOOL.check_inclusion(case["leaf_index"], case["tree_size"], leaf.hex(), proof, root)

    if case["expect"] == "valid":
        check()
        return
    with pytest.raises(TOOL.Fault):
        check()


@pytest.mark.parametrize("size", range(1, 40))
def test_roots_and_proofs_of_every_small_tree(size: int) -> None:
    leaves = [sha(bytes([n])) for n in range(size)]
    peaks: list[Any] = []
    for leaf in leaves:
        TOOL.push(peaks, leaf)
    root = merkle_root(leaves)
    assert TOOL.root_of(peaks) == root
    for index, leaf in enumerate(leaves):
        proof = inclusion(index, leaves)
        TOOL.check_inclusion(index, size, leaf.hex(), proof, root)
        wrong = [proof[:-1], [*proof, "00" * 32], [*proof[1:], *proof[:1]], ["00" * 32, *proof[1:]]]
        for other in wrong:
            if other != proof:
                with pytest.raises(TOOL.Fault):
                    TOOL.check_inclusion(index, size, leaf.hex(), other, root)
        for at in {index + 1, max(index - 1, 0), size} - {index}:
            with pytest.raises(TOOL.Fault):
                TOOL.check_inclusion(at, size, leaf.hex(), proof, root)


@pytest.mark.parametrize("case", cases("jcs_rfc8785.json", "document"))
def test_canonical_documents_within_the_domain_are_read_and_all_others_refused(
    case: dict[str, Any],
) -> None:
    text = case["canonical"]

    def is_in_domain(value: object) -> bool:
        match value:
            case float():
                return False
            case dict():
                return all(key.isascii() and is_in_domain(v) for key, v in value.items())
            case list():
                return all(map(is_in_domain, value))
            case _:
                return True

    if is_in_domain(json.loads(text)):
        assert TOOL.parse(text.encode()) == json.loads(text)
    else:
        with pytest.raises((ValueError, TOOL.Fault)):
            TOOL.parse(text.encode())
    if case["input"].encode() != text.encode():
        with pytest.raises((ValueError, TOOL.Fault)):
            TOOL.parse(case["input"].encode())


@pytest.mark.parametrize("at", range(len(LEDGER["events"])))
def test_events_of_the_format(at: int) -> None:
    told = LEDGER["events"][at]
    event = TOOL.check_03_line(canonical(told["event"]), LEDGER["origin"])
    assert event.hash.decode() == told["event"]["hash"]
    assert event.position == at + 1
    assert canonical(told["event"]["header"]).hex() == told["canonical_header_hex"]


@pytest.mark.parametrize("at", range(len(LEDGER["checkpoints"])))
def test_checkpoints_of_the_format(at: int) -> None:
    told = LEDGER["checkpoints"][at]
    key = TOOL.parse_vkey(LEDGER["vkey"], 1)
    text, verified = TOOL.open_note(told["note"].encode(), [key])
    origin, size, root = TOOL.parse_checkpoint(text)
    assert list(verified) == [key]
    assert (origin, size, root.hex()) == (LEDGER["origin"], told["size"], told["root"])
    for index, proof in told["inclusion"].items():
        leaf = bytes.fromhex(LEDGER["events"][int(index)]["event"]["hash"])
        TOOL.check_inclusion(int(index), size, leaf.hex(), proof, root)


def test_seal_of_the_format() -> None:
    peaks: list[Any] = []
    for record in LEDGER["seal"]["records"]:
        TOOL.push(peaks, TOOL.record_leaf(json.loads(record)))
    assert TOOL.root_of(peaks).hex() == LEDGER["seal"]["root"]


def test_of_two_genuine_signatures_by_one_key_the_first_counts_and_a_false_one_refuses_all() -> (
    None
):
    text = b"a text\n"
    witness, signer = witness_key(1), log_key(1)
    lines = [witness.line(text, seconds).encode() for seconds in (NOW + 7, NOW)]
    key = TOOL.parse_vkey(witness.vkey, 4)
    assert TOOL.open_note(b"\n".join([text, *lines[:1]]) + lines[1], [key]) == (
        text,
        {key: NOW + 7},
    )
    genuine, other = signer.line(text).encode(), signer.line(b"another\n").encode()
    key = TOOL.parse_vkey(signer.vkey, 1)
    assert TOOL.open_note(text + b"\n" + genuine + genuine, [key]) == (text, {key: 0})
    for note in (genuine + other, other + genuine):
        with pytest.raises(TOOL.Fault):
            TOOL.open_note(text + b"\n" + note, [key])


@pytest.mark.parametrize(
    ("seconds", "holds"),
    [
        (0, False),
        (1_640_995_199, False),
        (1_640_995_200, True),
        (253_402_300_799, True),
        (253_402_300_800, False),
        (1 << 63, False),
    ],
)
def test_a_cosignatures_time_has_its_bounds(seconds: int, *, holds: bool) -> None:
    signer, text = witness_key(1), b"a text\n"
    note = text + b"\n" + signer.line(text, seconds).encode()
    key = TOOL.parse_vkey(signer.vkey, 4)
    if holds:
        assert TOOL.open_note(note, [key]) == (text, {key: seconds})
        return
    with pytest.raises(TOOL.Fault):
        TOOL.open_note(note, [key])
