"""Known answers about whole proofs of several formats, policies and the witness protocol."""

import base64
from collections.abc import Callable
from typing import Any

from tools.known_answers.notes import CERTIFICATE_LOG, REKOR_LIKE
from tools.known_answers.primitives import (
    NOW,
    ORIGIN,
    ORIGIN_KEY,
    OTHER_KEY,
    WITNESSES,
    Case,
    Key,
    b64,
    b64s,
    checkpoint,
    consistency,
    entries,
    flip,
    hashes,
    inclusion,
    leaf,
    line,
    note,
    root,
    sha,
)
from tools.known_answers.trees import Document, document


def inclusion_and_checkpoint() -> Document:
    """Return leaves with their proofs and signed checkpoints, of keys of each kind."""
    cases: list[Case] = []
    for key in (ORIGIN_KEY, REKOR_LIKE, CERTIFICATE_LOG):
        leaves = hashes(11)
        text = checkpoint(key.name, leaves)
        proof = inclusion(4, leaves)
        good: Case = {"log_vkey": key.vkey, "leaf_data": b64(entries(11)[4]), "leaf_index": 4}
        good |= {"tree_size": 11, "root": b64(root(leaves)), "proof": b64s(proof)}
        good["checkpoint"] = note(text, key.line(text))
        other = checkpoint(key.name, hashes(12))
        stranger = OTHER_KEY.line(text)
        damaged: list[tuple[str, Case, tuple[bool, str, bool]]] = [
            ("", {}, (True, "ok", True)),
            ("~leaf", {"leaf_data": b64(b"other")}, (False, "ok", True)),
            ("~proof", {"proof": b64s([flip(proof[0]), *proof[1:]])}, (False, "ok", True)),
            ("~other-head", {"checkpoint": note(other, key.line(other))}, (True, "ok", False)),
            ("~signature", {"checkpoint": note(other, key.line(text))},
             (True, "invalid_signature", False)),
            ("~stranger", {"checkpoint": note(text, stranger)},
             (True, "no_verifiable_signature", True)),
            ("~no-signature", {"checkpoint": text + "\n"}, (True, "malformed", False)),
        ]  # fmt: skip
        for what, change, (included, opened, matches) in damaged:
            overall = included and opened == "ok" and matches
            verdict = {"inclusion": included, "checkpoint": opened, "overall": overall}
            verdict["checkpoint_matches_proof"] = matches
            cases.append({"id": f"own-{key.name}{what}", **good, **change, "expect": verdict})
    return document("Leaves, proofs and signed checkpoints", cases)


def sigsum() -> Document:
    """Return Sigsum proofs, with a witness and without."""
    log, submitter = Key("", b"\x11" * 32), Key("", b"\x12" * 32)
    witness = Key("", b"\x13" * 32)
    message = bytes(range(32))
    checksum, by = sha(message), sha(submitter.public)
    signature = submitter.raw(b"sigsum.org/v1/tree-leaf\x00" + checksum)
    leaves = [*hashes(3), leaf(checksum + signature + by)]
    origin = f"sigsum.org/v1/tree/{sha(log.public).hex()}"
    text = checkpoint(origin, leaves)
    seen = witness.raw(f"cosignature/v1\ntime {NOW}\n{text}".encode())
    seen_line = f"cosignature={sha(witness.public).hex()} {NOW} {seen.hex()}\n"
    nodes = "".join(f"node_hash={item.hex()}\n" for item in inclusion(3, leaves))
    proof = (
        f"version=2\nlog={sha(log.public).hex()}\nleaf={by.hex()} {signature.hex()}\n\n"
        f"size=4\nroot_hash={root(leaves).hex()}\nsignature={log.raw(text.encode()).hex()}\n"
        f"{seen_line}\nleaf_index=3\n{nodes}"
    )
    good: Case = {"message_hex": message.hex(), "proof": proof, "quorum": 1, "expect": "valid"}
    good |= {"log_public_key_hex": log.public.hex()}
    good |= {"submitter_public_key_hex": submitter.public.hex()}
    good |= {"witness_public_keys_hex": [witness.public.hex()]}
    unseen = proof.replace(seen_line, "")
    stranger = OTHER_KEY.public.hex()
    bad: dict[str, Case] = {
        "message": {"message_hex": flip(message).hex()},
        "index": {"proof": proof.replace("leaf_index=3", "leaf_index=2")},
        "size": {"proof": proof.replace("size=4", "size=5")},
        "root": {"proof": proof.replace(root(leaves).hex(), flip(root(leaves)).hex())},
        "node": {"proof": proof.replace(leaves[2].hex(), flip(leaves[2]).hex())},
        "submitter": {"submitter_public_key_hex": stranger},
        "log": {"log_public_key_hex": stranger},
        "unknown-witness": {"witness_public_keys_hex": [stranger]},
        "no-witness": {"proof": unseen},
    }
    cases = [
        {"id": "own-one-witness", **good},
        {"id": "own-no-quorum", **good, "proof": unseen, "quorum": 0},
        *(
            {"id": f"own-one-witness~{what}", **good, **change, "expect": "invalid"}
            for what, change in bad.items()
        ),
    ]
    return document("Proofs as Sigsum writes them", cases)


def offline_proofs() -> Document:
    """Return proofs as one text, to parse and to check."""
    head = "c2sp.org/tlog-proof@v1\n"
    hash_line = b64(bytes(range(32))) + "\n"
    extra = b64(b"a word") + "\n"
    cases: list[Case] = []

    def parsed(name: str, index: int, hashes64: list[str], extra64: str | None, text: str) -> None:
        told = {"kind": "format", "index": index, "hashes": hashes64, "extra_b64": extra64}
        case = {"id": f"own-{name}", **told, "checkpoint": "a note\n", "text": text}
        cases.append({**case, "expect": "valid"})

    one = [hash_line.strip()]
    parsed("no-hashes", 0, [], None, f"{head}index 0\n\na note\n")
    parsed("two", 5, one * 2, None, f"{head}index 5\n{hash_line * 2}\na note\n")
    whole = f"{head}extra {extra}index 5\n{hash_line}\na note\n"
    parsed("extra", 5, one, extra.strip(), whole)
    bad = {
        "other-version": whole.replace("@v1", "@v2"),
        "no-header": whole.removeprefix(head),
        "no-index": whole.replace("index 5\n", ""),
        "index-twice": whole.replace("index 5\n", "index 5\nindex 5\n"),
        "index-zeros": whole.replace("index 5", "index 05"),
        "index-negative": whole.replace("index 5", "index -5"),
        "hash-short": whole.replace(hash_line, b64(bytes(31)) + "\n"),
        "hash-no-base64": whole.replace(hash_line, "!" * 44 + "\n"),
        "extra-last": f"{head}index 5\nextra {extra}{hash_line}\na note\n",
        "no-checkpoint": f"{head}index 5\n{hash_line}\n",
        "no-blank-line": f"{head}index 5\n{hash_line}a note\n",
        "carriage-returns": whole.replace("\n", "\r\n"),
    }
    cases += [
        {"id": f"own-bad-{what}", "kind": "format", "text": text, "expect": "invalid"}
        for what, text in bad.items()
    ]
    for index, size in [(0, 1), (4, 5), (6, 8), (299, 300)]:
        leaves = hashes(size)
        text = checkpoint(ORIGIN, leaves)
        path = "".join(f"{item}\n" for item in b64s(inclusion(index, leaves)))
        proof = f"{head}index {index}\n{path}\n{note(text, ORIGIN_KEY.line(text))}"
        good: Case = {"kind": "full", "leaf_data": b64(entries(size)[index]), "text": proof}
        good |= {"vkeys": [ORIGIN_KEY.vkey]}
        changes: dict[str, Case] = {
            "leaf": {"leaf_data": b64(b"other")},
            "index": {"text": proof.replace(f"index {index}", f"index {index + 1}")},
            "size": {"text": proof.replace(f"{ORIGIN}\n{size}", f"{ORIGIN}\n{size + 1}")},
            "key": {"vkeys": [Key(ORIGIN, OTHER_KEY.seed).vkey]},
        }
        if path:
            changes["hash-missing"] = {"text": proof.replace(path.splitlines()[0] + "\n", "", 1)}
        cases.append({"id": f"own-{index}-of-{size}", **good, "expect": "valid"})
        cases += [
            {"id": f"own-{index}-of-{size}~{what}", **good, **change, "expect": "invalid"}
            for what, change in changes.items()
        ]
    return document("Proofs as one text", cases)


LOG_LINE = f"log {ORIGIN_KEY.vkey}\n"
WITNESS_LINES = [f"witness {name} {key.vkey}\n" for name, key in zip("abc", WITNESSES, strict=True)]
THREE = LOG_LINE + "".join(WITNESS_LINES)
NESTED = f"{THREE}group some any b c\ngroup all-of all a some\nquorum all-of\n"
TWO = f"{THREE}group q 2 a b c\nquorum q\n"


def policies() -> Document:
    """Return policies to parse, quorums to judge and checkpoints to accept."""
    return document("Policies", [*_policy_texts(), *_quorums(), *_accepted()])


def _policy_texts() -> list[Case]:
    first = WITNESS_LINES[0]
    groups = [
        {"name": "some", "k": 1, "members": ["b", "c"]},
        {"name": "all-of", "k": 2, "members": ["a", "some"]},
    ]
    good: dict[str, tuple[str, Any]] = {
        "none": ("quorum none\n", None),
        "one-witness": (f"{LOG_LINE}{first}quorum a\n", None),
        "nested": (NESTED, {"groups": groups, "quorum": "all-of"}),
        "comments": (f"# ours\n\n{TWO}", None),
        "url": (f"{LOG_LINE[:-1]} https://log.example.com/\n{first}quorum a\n", None),
    }
    bad = {
        "unknown-word": f"{TWO}wittness d {WITNESSES[0].vkey}\n",
        "no-quorum-name": f"{THREE}quorum\n",
        "two-quorums": f"{TWO}quorum q\n",
        "quorum-that-is-not-named": f"{THREE}quorum z\n",
        "group-of-nothing": f"{THREE}group q 0\nquorum q\n",
        "threshold-zero": f"{THREE}group q 0 a b\nquorum q\n",
        "threshold-beyond": f"{THREE}group q 3 a b\nquorum q\n",
        "member-twice": f"{THREE}group q 2 a a\nquorum q\n",
        "member-of-two-groups": f"{THREE}group p any a b\ngroup q any a c\nquorum q\n",
        "group-before-its-members": f"{LOG_LINE}group q any a\n{first}quorum q\n",
        "name-twice": f"{THREE}witness a {WITNESSES[2].vkey}\nquorum a\n",
        "key-twice": f"{THREE}witness d {WITNESSES[0].vkey}\nquorum a\n",
        "log-twice": f"{LOG_LINE}{TWO}",
        "log-as-witness": f"{LOG_LINE}witness a {OTHER_KEY.vkey}\nquorum a\n",
        "damaged-key": TWO.replace(WITNESSES[0].id.hex(), flip(WITNESSES[0].id).hex()),
        "group-called-none": f"{THREE}group none any a\nquorum none\n",
        "control-octet": TWO + "\x01\n",
    }
    cases: list[Case] = []
    for name, (text, parsed) in good.items():
        case: Case = {"id": f"own-{name}", "kind": "parse", "policy": text, "expect": "valid"}
        cases.append(case | ({"parsed": parsed} if parsed else {}))
    return cases + [
        {"id": f"own-bad-{what}", "kind": "parse", "policy": text, "expect": "invalid"}
        for what, text in bad.items()
    ]


def _quorums() -> list[Case]:
    cases: list[Case] = []
    for present in ("", "a", "b", "ab", "bc", "ac", "abc"):
        for what, text, is_met in (
            ("nested", NESTED, "a" in present and len(present) > 1),
            ("two", TWO, len(present) > 1),
            ("none", f"{THREE}quorum none\n", True),
        ):
            told = {"policy": text, "cosigned_by": list(present), "expect_satisfied": is_met}
            cases.append({"id": f"own-{what}-by-{present or 'none'}", "kind": "quorum", **told})
    return cases


def _accepted() -> list[Case]:
    cases: list[Case] = []
    text = checkpoint(ORIGIN, hashes(7))
    seen = [key.line(text, NOW) for key in WITNESSES]
    elsewhere = checkpoint("elsewhere.example.com", hashes(7))
    seen_elsewhere = [key.line(elsewhere, NOW) for key in WITNESSES]
    for what, signed, is_accepted in [
        *((str(n), note(text, ORIGIN_KEY.line(text), *seen[:n]), n > 1) for n in range(4)),
        ("no-log", note(text, *seen), False),
        ("elsewhere", note(elsewhere, ORIGIN_KEY.line(elsewhere), *seen_elsewhere), False),
    ]:
        told = {"policy": TWO, "expect": "accept" if is_accepted else "reject"}
        case = {"id": f"own-checkpoint-{what}", "kind": "checkpoint", "checkpoint": signed}
        cases.append({**case, **told})
    return cases


def witnessing() -> Document:
    """Return sequences of requests to a witness, with its answers."""
    forked = [*hashes(3), *(leaf(b"another history") for _ in range(6))]

    def request(old: int, leaves: list[bytes], **change: Any) -> str:  # noqa: ANN401 - of any kind
        text = checkpoint(ORIGIN, leaves)
        key = change.get("key", ORIGIN_KEY)
        proof = change.get("proof")
        if proof is None:
            proof = consistency(old, leaves) if 0 < old <= len(leaves) else []
        lines = "".join(f"{item}\n" for item in b64s(proof))
        return f"old {change.get('claim', old)}\n{lines}\n{note(text, key.line(text))}"

    def step(status: int, text: str, body: str | None = None) -> Case:
        told = {"request": text, "expect_status": status}
        return told if body is None else {**told, "expect_body": body}

    def start() -> Case:
        return step(200, request(0, hashes(3)))

    stranger = Key(ORIGIN, OTHER_KEY.seed)
    wrong = [flip(item) for item in consistency(3, hashes(9))]
    signature = base64.b64decode(ORIGIN_KEY.line(checkpoint(ORIGIN, hashes(3))).split()[2])
    damaged = line(ORIGIN, flip(signature, -1))
    sequences: dict[str, list[Case]] = {
        "race-order-own-3-5-then-stale-9": [
            start(), step(200, request(3, hashes(5))), step(409, request(3, hashes(9)), "5\n")
        ],
        "race-order-own-3-9-then-stale-5": [
            start(), step(200, request(3, hashes(9))), step(409, request(3, hashes(5)), "9\n")
        ],
        "own-every-step": [step(200, request(size, hashes(size + 1))) for size in range(8)],
        "own-the-same-again": [start(), step(200, request(3, hashes(3)))],
        "own-fork": [
            start(), step(200, request(3, hashes(5))),
            step(422, request(5, forked, proof=consistency(5, forked))),
            step(200, request(5, hashes(9))),
        ],
        "own-wrong-proof": [start(), step(422, request(3, hashes(9), proof=wrong))],
        "own-proof-missing": [start(), step(422, request(3, hashes(9), proof=[]))],
        "own-proof-from-nothing": [step(422, request(0, hashes(3), proof=[bytes(32)]))],
        "own-old-larger-than-new": [start(), step(400, request(5, hashes(3), proof=[]))],
        "own-old-unknown": [step(409, request(3, hashes(5)), "0\n")],
        "own-old-with-zeros": [start(), step(400, request(3, hashes(5), claim="03"))],
        "own-another-key": [step(403, request(0, hashes(3), key=stranger))],
        "own-damaged-signature": [
            step(403, f"old 0\n\n{note(checkpoint(ORIGIN, hashes(3)), damaged)}"), start()
        ],
        "own-no-proof-line-too-many": [
            start(), step(400, request(3, hashes(5), proof=[bytes(32)] * 64))
        ],
    }  # fmt: skip
    cases = [
        {"id": name, "log_origin": ORIGIN, "log_vkey": ORIGIN_KEY.vkey, "steps": steps}
        for name, steps in sequences.items()
    ]
    return document("Requests to a witness", cases)


FILES: dict[str, Callable[[], Document]] = {
    "rekor_inclusion_checkpoint.json": inclusion_and_checkpoint,
    "sigsum_proofs.json": sigsum,
    "tlog_proof.json": offline_proofs,
    "tlog_policy.json": policies,
    "witness_add_checkpoint.json": witnessing,
}
