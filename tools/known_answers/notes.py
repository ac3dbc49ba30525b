"""Known answers about keys, notes, checkpoints, cosignatures and pairs of heads."""

from collections.abc import Callable, Sequence
from typing import Protocol

from tools.known_answers.primitives import (
    NOW,
    ORIGIN,
    ORIGIN_KEY,
    OTHER_KEY,
    WITNESSES,
    Case,
    EcdsaKey,
    Key,
    b64,
    b64s,
    checkpoint,
    consistency,
    flip,
    hashes,
    leaf,
    line,
    note,
    root,
    sha,
)
from tools.known_answers.trees import Document, document

TEXT = "a note of our own\n\nwith a blank line in it\n"
HEAD = checkpoint(ORIGIN, hashes(7))
REKOR_LIKE = EcdsaKey("ecdsa.example.com", 0x5EC2E7)
CERTIFICATE_LOG = EcdsaKey("ct.example.com/2026", 0x5EC2E8, 5)


class AnyKey(Protocol):
    """A key of any type."""

    @property
    def name(self) -> str:
        """The name of its owner."""

    @property
    def type(self) -> int:
        """Its kind of signature."""

    @property
    def id(self) -> bytes:
        """The four bytes that lines name it by."""

    @property
    def public(self) -> bytes:
        """Its public half."""

    @property
    def vkey(self) -> str:
        """Its public half as text."""


def vkeys() -> Document:
    """Return keys of each type, and texts that are none."""
    cases: list[Case] = []
    keys: list[AnyKey] = [ORIGIN_KEY, OTHER_KEY, *WITNESSES, REKOR_LIKE, CERTIFICATE_LOG]
    for key in keys:
        told: Case = {"name": key.name, "key_id": key.id.hex(), "type": key.type}
        told["public_key_hex"] = key.public.hex()
        cases.append({"id": f"own-{key.name}", "vkey": key.vkey, "expect": "valid", **told})
    name, hex_id, blob = ORIGIN_KEY.vkey.split("+", 2)

    def derived(data: bytes) -> str:
        """Return a key whose id fits, for any bytes."""
        key_id = sha(name.encode(), b"\n", data)[:4]
        return f"{name}+{key_id.hex()}+{b64(data)}"

    bad = {
        "empty": "",
        "name-only": name,
        "no-key": f"{name}+{hex_id}",
        "no-name": f"+{hex_id}+{blob}",
        "space-in-name": f"log example+{hex_id}+{blob}",
        "other-name": f"x{name}+{hex_id}+{blob}",
        "other-id": f"{name}+{flip(ORIGIN_KEY.id).hex()}+{blob}",
        "short-id": f"{name}+{hex_id[:-2]}+{blob}",
        "id-not-hex": f"{name}+{hex_id[:-1]}g+{blob}",
        "id-upper-case": f"{name}+{hex_id.upper()}+{blob}",
        "newline-after": ORIGIN_KEY.vkey + "\n",
        "space-before": " " + ORIGIN_KEY.vkey,
        "key-short": derived(b"\x01" + ORIGIN_KEY.public[:-1]),
        "key-long": derived(b"\x01" + ORIGIN_KEY.public + b"\x00"),
        "unknown-type": derived(b"\x63" + ORIGIN_KEY.public),
        "base64-cut": ORIGIN_KEY.vkey[:-1],
        "base64-of-another-alphabet": f"{name}+{hex_id}+{blob[:-1]}-",
    }
    cases += [
        {"id": f"own-bad-{what}", "vkey": text, "expect": "invalid"} for what, text in bad.items()
    ]
    return document("Keys as text", cases)


def opening(
    name: str,
    text: str,
    keys: Sequence[AnyKey],
    expect: str,
    *,
    verified: Sequence[list[str]] = (),
    unverified: Sequence[list[str]] = (),
    **more: object,
) -> Case:
    """Return a case of opening a note."""
    found = {"expect": expect, "verified": list(verified), "unverified": list(unverified)}
    vkeys_text = [key.vkey for key in keys]
    return {"id": f"own-{name}", "vkeys": vkeys_text, "note": text, **found, **more}


def signed_notes() -> Document:
    """Return notes to open: genuine, signed by others, damaged and malformed."""
    one, two = ORIGIN_KEY.line(TEXT), OTHER_KEY.line(TEXT)
    mine, theirs = ORIGIN_KEY.pair, OTHER_KEY.pair
    wrong = line(ORIGIN, ORIGIN_KEY.id + flip(ORIGIN_KEY.raw(TEXT.encode())))
    stranger = line(ORIGIN, flip(ORIGIN_KEY.id) + ORIGIN_KEY.raw(TEXT.encode()))
    keys = [ORIGIN_KEY]
    good = note(TEXT, one)
    cases = [
        opening("one", good, keys, "ok", verified=[mine]),
        opening("two", note(TEXT, one, two), [*keys, OTHER_KEY], "ok", verified=[mine, theirs]),
        opening("order", note(TEXT, two, one), [*keys, OTHER_KEY], "ok", verified=[theirs, mine]),
        opening("stranger-too", note(TEXT, two, one), keys, "ok", verified=[mine],
                 unverified=[theirs]),
        opening("same-line-twice", note(TEXT, one, one), keys, "ok", verified=[mine]),
        opening("strangers-only", note(TEXT, two), keys, "no_verifiable_signature",
                 unverified=[theirs]),
        opening("no-keys", good, [], "no_verifiable_signature", unverified=[mine]),
        opening("other-id", note(TEXT, stranger), keys, "no_verifiable_signature",
                 unverified=[[ORIGIN, flip(ORIGIN_KEY.id).hex()]]),
        opening("bit-of-signature", note(TEXT, wrong), keys, "invalid_signature"),
        opening("false-beside-genuine", note(TEXT, wrong, two), [*keys, OTHER_KEY],
                 "invalid_signature"),
        opening("other-text", note(TEXT + "more\n", one), keys, "invalid_signature"),
        opening("split-at-the-last-blank-line", good.replace("\u2014", "\n\u2014"), keys,
                 "invalid_signature"),
        opening("key-twice", good, [*keys, ORIGIN_KEY], "ambiguous_key"),
        opening("no-signature", TEXT + "\n", keys, "malformed"),
        opening("text-alone", "a text\n", keys, "malformed"),
        opening("no-blank-line", TEXT + one, keys, "malformed"),
        opening("no-final-newline", good[:-1], keys, "malformed"),
        opening("hyphen-for-dash", good.replace("\u2014", "-"), keys, "malformed"),
        opening("space-in-name", good.replace(f"\u2014 {ORIGIN}", "\u2014 a name"), keys,
                 "malformed"),
        opening("a-line-after", good + "and more\n", keys, "malformed"),
        opening("signature-too-short", note(TEXT, line(ORIGIN, b"1234")), keys, "malformed"),
        opening("empty", "", keys, "malformed"),
    ]  # fmt: skip
    cases.append(
        {
            **opening("not-utf-8", "", keys, "malformed"),
            "note_b64": b64(b"\xff\n\n" + one.encode()),
        }
    )
    del cases[-1]["note"]
    for key, alg in ((REKOR_LIKE, "ECDSA P-256"), (CERTIFICATE_LOG, "RFC 6962 tree head")):
        head = checkpoint(key.name, hashes(7))
        signed = key.line(head, NOW * 1000)
        cases.append(
            opening(key.name, note(head, signed), [key], "ok", verified=[key.pair], alg=alg)
        )
        other = checkpoint(key.name, hashes(8))
        cases.append(
            opening(f"{key.name}~other", note(other, signed), [key], "invalid_signature", alg=alg)
        )
    return document("Signed notes to open", cases)


def signing() -> Document:
    """Return texts to sign, and the bytes that must come out."""
    cases: list[Case] = []
    for size in (0, 1, 6, 300):
        text = checkpoint(ORIGIN, hashes(size))
        told = {"text": text, "vkey": ORIGIN_KEY.vkey, "published_test_skey": ORIGIN_KEY.skey}
        expect = note(text, ORIGIN_KEY.line(text))
        before: dict[str, object] = {"existing_signature_lines": [], "expect_note": expect}
        cases.append({"id": f"own-checkpoint-{size}", **told, **before})
    first = ORIGIN_KEY.line(TEXT)
    told = {"text": TEXT, "vkey": OTHER_KEY.vkey, "key_name": OTHER_KEY.name}
    told["published_test_seed_hex"] = OTHER_KEY.seed.hex()
    expect = note(TEXT, first, OTHER_KEY.line(TEXT))
    before = {"existing_signature_lines": [first.strip("\n")], "expect_note": expect}
    cases.append({"id": "own-second-signature", **told, **before})
    return document("Texts to sign, with keys that protect nothing", cases)


def bodies() -> Document:
    """Return checkpoints' texts, and texts that are none."""
    cases: list[Case] = []
    good64 = b64(root(hashes(7)))
    valid = {
        "small": (ORIGIN, 7, []),
        "empty-tree": (ORIGIN, 0, []),
        "large": (ORIGIN, 999_999_999_999, []),
        "extensions": (ORIGIN, 7, ["more to say", "and more"]),
        "letters": ("é" * 100, 7, []),
    }
    for name, (origin, size, extensions) in valid.items():
        text = "".join(f"{part}\n" for part in (origin, size, good64, *extensions))
        told = {"origin": origin, "size": size, "root_hex": root(hashes(7)).hex()}
        parsed = {**told, "extensions": extensions}
        cases.append({"id": f"own-{name}", "body": text, "expect": "valid", "parsed": parsed})
    good = f"{ORIGIN}\n7\n{good64}\n"
    invalid = {
        "nothing": "",
        "no-origin": good.removeprefix(ORIGIN),
        "no-root": f"{ORIGIN}\n7\n",
        "no-final-newline": good[:-1],
        "blank-line-after": good + "\n",
        "carriage-returns": good.replace("\n", "\r\n"),
        "root-short": f"{ORIGIN}\n7\n{b64(bytes(31))}\n",
        "root-long": f"{ORIGIN}\n7\n{b64(bytes(33))}\n",
        "root-unpadded": good.replace("=", ""),
        "root-of-odd-bits": f"{ORIGIN}\n7\n{'A' * 42}B=\n",
        **{
            f"size-{what}": f"{ORIGIN}\n{size}\n{good64}\n"
            for what, size in {
                "empty": "", "zeros": "07", "sign": "+7", "negative": "-7", "hex": "0x7",
                "space": " 7", "space-after": "7 ", "underscore": "1_0", "fraction": "7.0",
                "exponent": "7e0", "letters": "seven", "other-digits": "\u0667",
            }.items()
        },
    }  # fmt: skip
    cases += [
        {"id": f"own-bad-{what}", "body": text, "expect": "invalid"}
        for what, text in invalid.items()
    ]
    return document("Checkpoints' texts", cases)


def cosignatures() -> Document:
    """Return cosigned checkpoints, cosigned messages and signature lines."""
    one, two, _ = WITNESSES
    lines = [ORIGIN_KEY.line(HEAD), one.line(HEAD, NOW), two.line(HEAD, NOW + 60)]
    whole = note(HEAD, *lines)
    pairs = [key.pair for key in (ORIGIN_KEY, one, two)]
    both = {one.name: NOW, two.name: NOW + 60}
    plain = Key(one.name, one.seed)
    posed = line(one.name, one.id + bytes(8) + plain.raw(HEAD.encode()))
    other = note(checkpoint("elsewhere.example.com", hashes(7)), lines[1])
    bent = note(HEAD, line(one.name, one.id + (NOW + 1).to_bytes(8, "big") + bytes(64)))
    spec = [
        ("all", whole, [ORIGIN_KEY, one, two], "ok", pairs, [], both),
        ("one", whole, [one], "ok", [pairs[1]], [pairs[0], pairs[2]], {one.name: NOW}),
        ("of-another-checkpoint", other, [one], "invalid_signature", [], [], {}),
        ("plain-signature", note(HEAD, posed), [one], "invalid_signature", [], [], {}),
        ("nothing-signed", bent, [one], "invalid_signature", [], [], {}),
        ("as-a-log", whole, [plain], "no_verifiable_signature", [], pairs, {}),
    ]
    cases: list[Case] = [
        {
            **opening(name, text, keys, expect, verified=verified, unverified=unverified),
            "kind": "note",
            "timestamps": times,
        }
        for name, text, keys, expect, verified, unverified, times in spec
    ]
    signature = one.raw(f"cosignature/v1\ntime {NOW}\n{HEAD}".encode())
    raw: Case = {"kind": "raw", "witness_public_key_hex": one.public.hex(), "checkpoint_body": HEAD}
    raw |= {"signature_hex": signature.hex(), "timestamp": NOW, "expect": "valid"}
    cases.append({"id": "own-raw", **raw})
    changes: dict[str, Case] = {
        "time": {"timestamp": NOW + 1},
        "text": {"checkpoint_body": HEAD.replace("7", "8", 1)},
        "signature": {"signature_hex": flip(signature).hex()},
        "key": {"witness_public_key_hex": two.public.hex()},
    }
    for what, change in changes.items():
        cases.append({"id": f"own-raw~{what}", **raw, **change, "expect": "invalid"})
    blob = one.id + NOW.to_bytes(8, "big") + signature
    for what, text, expect in [("genuine", b64(blob), NOW), ("no-base64", "not base64!", None)]:
        stamp = {"kind": "timestamp", "signature_b64": text, "expect_timestamp": expect}
        cases.append({"id": f"own-timestamp-{what}", **stamp})
    beyond = {"kind": "line", "key_name": one.name, "key_id_hex": one.id.hex(), "timestamp": 2**63}
    beyond["signature_hex"] = signature.hex()
    text = line(one.name, one.id + (2**63).to_bytes(8, "big") + signature)
    cases.append({"id": "own-line-of-no-time", **beyond, "expect_line": text})
    return document("Cosignatures", cases)


def equivocations() -> Document:
    """Return pairs of signed heads with proofs: joined, forked, and proven for other sizes."""
    forked = [*hashes(5), *(leaf(b"another history") for _ in range(4))]

    def pair(name: str, old: list[bytes], new: list[bytes], proof: list[bytes]) -> Case:
        texts = [checkpoint(ORIGIN, leaves) for leaves in (old, new)]
        notes = [note(text, ORIGIN_KEY.line(text)) for text in texts]
        told = {"vkey": ORIGIN_KEY.vkey, "old_note": notes[0], "new_note": notes[1]}
        return {"id": f"own-{name}", **told, "proof_old_to_new": b64s(proof)}

    def verdict(*, is_consistent: bool) -> Case:
        return {"expect": {"old": "ok", "new": "ok", "consistent": is_consistent}}

    cases = [
        {
            **pair(f"{old}-{new}", hashes(old), hashes(new), consistency(old, hashes(new))),
            **verdict(is_consistent=True),
        }
        for old, new in [(1, 2), (3, 9), (5, 5), (8, 9)]
    ]
    fork = pair("fork", hashes(7), forked, consistency(7, forked))
    in_new = {"root_of_old_size_in_new_history": b64(root(forked[:7]))}
    cases.append({**fork, **verdict(is_consistent=False), **in_new})
    other = pair("proof-for-other-size", hashes(3), hashes(9), consistency(2, hashes(9)))
    cases.append({**other, **verdict(is_consistent=False)})
    return document("Pairs of signed heads", cases)


FILES: dict[str, Callable[[], Document]] = {
    "vkeys.json": vkeys,
    "signed_notes.json": signed_notes,
    "note_signing.json": signing,
    "checkpoint_bodies.json": bodies,
    "cosignatures.json": cosignatures,
    "equivocation.json": equivocations,
}
