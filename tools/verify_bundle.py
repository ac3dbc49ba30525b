#!/usr/bin/env python3
"""Verify an export bundle of a decision ledger, with Python's standard library alone.

    python3 verify_bundle.py BUNDLE --vkey VKEY [--witness VKEY … --quorum K]
    python3 verify_bundle.py BUNDLE [--vkey VKEY] --witness-policy FILE [--max-age 7d]

BUNDLE is the folder, or a plain tar of it. Obtain the keys and this very file from elsewhere than
the bundle: a forger ships his own. Exit code 0: all of it holds; 4: it does not or cannot be read,
and one line says where; 1: misuse, so no verdict. A key and a policy file must both hold, if both
are given.

Written from the specification `decision-ledger/1` alone. Its section "Export bundle" numbers the
checks; each is one function here, of the same number, called in that order:

     1  check_01_files         the files are those of the bundle's kind
     2  check_02_checkpoint    the checkpoint is signed by a key that was brought along
     3  check_03_line          every event is right in itself
     4  check_04_order         every event goes on from those before it
     5  check_05_inclusion     every event of a part is in the signed tree
     6  check_06_seals         every seal states the streams as they were
     7  check_07_keys          the keys that count are those that the events name
     8  check_08_bodies        every body that is missing is accounted for
     9  check_09_scope         the bundle covers what it says
    10  check_10_root          the events of a whole ledger have the signed root
    11  check_11_stream_seal   nothing is missing at the end of a stream
    12  check_12_manifests     every file has the digest that the manifests state
    13  check_13_age           the checkpoint is not much newer than the bundle (--max-seal-age)

"complete up to position P" says where the bundle ends: of what came after, up to the checkpoint,
it shows nothing. "not signed" names what no signature covers: the writer of a bundle can put
anything there. The ledger's event `export.issued` names the SHA-256 of the manifest of each bundle
that it issued, and that manifest covers all that lies under `data/`.

Whether a decision follows from its inputs, a replay says. Memory grows with streams, key events,
seals and erasures, not with events. Ed25519 is RFC 8032 without the cofactor, as in OpenSSL: R is
compared as bytes, S must be below the group's order. A public key must be canonical and of prime
order; honest ones are. One of small order, to sign for which needs no secret, is refused where it
is read.

By hand, for one event, with sha256sum and openssl: its hash is SHA-256 of a zero byte and the text
after `"header":` up to `,"salt"`; its body_hash is that of a byte 2, the salt's 16 bytes and the
text between `{"body":` and `,"hash"`. The checkpoint's signed text ends with the line feed before
the empty line; the signature is the last word of the dashed line, from base64, without 4 bytes.
"""

import argparse
import base64
import hashlib
import io
import json
import os
import re
import sys
import time
from bisect import bisect
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import lru_cache, partial
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeAlias

INTEGER_MAX = 2**53 - 1
NO_END = INTEGER_MAX + 1
"""How long a key counts that nothing ended."""
DEPTH_MAX = 64
BATCH_LINES, BATCH_BYTES = 1_000, 4 << 20
"""How many lines are checked at once, and about how many bytes of them."""
NOTE_BYTES_MAX = 1_000_000
LINE_BYTES_MAX = 64 << 20
"""A forged file must fill neither memory nor time."""
FILE_BYTES_MAX = 1 << 20

EVENTS = "data/events.jsonl"
PROOFS = "data/proofs.jsonl"
SEAL = "data/seal.json"
CHECKPOINT = "data/checkpoint"
KEYS = "data/keys.json"
SCOPE = "data/scope.json"
DECLARATION = "bagit.txt"
INFO = "bag-info.txt"
MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
TAG_FILES = {INFO, DECLARATION, MANIFEST}
ALWAYS = {
    *TAG_FILES,
    TAG_MANIFEST,
    EVENTS,
    CHECKPOINT,
    KEYS,
    SCOPE,
    "data/report.html",
    "data/verify_bundle.py",
}
ENTRIES_MAX = 100
"""Of a folder or a tar: a bundle has 12 files, and an extended header may be beside each."""
LINED = {EVENTS: LINE_BYTES_MAX, PROOFS: 1 << 13}
"""The files that are read by lines, and the longest line of each."""
LARGER = {SCOPE: 16 << 20, "data/report.html": 16 << 20}
"""Files, apart from those, that may have more than FILE_BYTES_MAX."""
ONLY: dict[str, set[str]] = {"full": set(), "range": {PROOFS}, "stream": {PROOFS, SEAL}}
BAGIT_TEXT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

Json: TypeAlias = Any
"""The value of a JSON text; looked at before it is used."""
Peaks: TypeAlias = list[tuple[int, bytes]]
"""Height and root of complete subtrees, from left to right."""
Files: TypeAlias = dict[str, Callable[[], Any]]
"""How to open each file of a bundle."""


# ---- what does not hold --------------------------------------------------------------------------


class Fault(Exception):
    """A failed check, the expected value, the found value; then file, line and position."""

    def __str__(self) -> str:
        """Return one line; a bundle's own words are escaped and cut short."""
        what, expected, found, file, line, position = [*self.args, *[None] * 5][:6]
        named = file and shown(file)
        places = [named, line and f"line {line}", position and f"position {position}"]
        text = f"{', '.join(filter(None, places))}: {shown(what)}"
        if expected is not None:
            text += f": expected {shown(expected)}"
        if found is not None:
            text += f", found {shown(found)}"
        return text


def shown(value: object) -> str:
    """Return a value as printable text of at most 160 characters."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    text = text[:200].encode("unicode_escape").decode()
    return text if len(text) <= 160 else f"{text[:157]}..."


@contextmanager
def at(*place: str | int | None) -> Iterator[list[str | int | None]]:
    """Give a fault within, if it has no place yet, this one: file, line, position.

    The list may be changed within, to move on to another place.
    """
    here = list(place)
    try:
        yield here
    except (Fault, ValueError, TypeError, LookupError) as error:
        args = error.args if isinstance(error, Fault) else (str(error),)
        if len(args) <= 3:
            what, expected, found = [*args, None, None][:3]
            args = (what, expected, found, *here)
        raise Fault(*args) from None


def expect(what: str, expected: object, found: object) -> None:
    """Refuse what is not as expected."""
    if expected != found:
        raise Fault(what, expected, found)


# ---- Ed25519 (RFC 8032, 5.1), points in extended homogeneous coordinates -------------------------

P = 2**255 - 19
"""The prime of the field."""
L = 2**252 + 27742317777372353535851937790883648493
"""The order of the group."""
D = -121665 * pow(121666, -1, P) % P
"""The constant of the curve."""
SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)
Point: TypeAlias = tuple[int, int, int, int]
NEUTRAL: Point = (0, 1, 1, 0)


def add(p: Point, q: Point) -> Point:
    """Return the sum of two points."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def combination(s: int, p: Point, t: int, q: Point) -> Point:
    """Return s·p + t·q, bit by bit."""
    both = add(p, q)
    total = NEUTRAL
    for bit in range(max(s, t).bit_length() - 1, -1, -1):
        total = add(total, total)
        in_s = s >> bit & 1
        in_t = t >> bit & 1
        if in_s and in_t:
            total = add(total, both)
        elif in_s:
            total = add(total, p)
        elif in_t:
            total = add(total, q)
    return total


def decompress(data: bytes) -> Point | None:
    """Return the point that 32 bytes encode; None if they encode none."""
    sign = data[31] >> 7
    y = int.from_bytes(data, "little") & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * SQRT_MINUS_1 % P
    if x * x % P != square:
        return None
    if x == 0 and sign:
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def compress(p: Point) -> bytes:
    """Return the 32 bytes that encode a point."""
    inverse = pow(p[2], -1, P)
    x = p[0] * inverse % P
    y = p[1] * inverse % P
    number = y | (x & 1) << 255
    return number.to_bytes(32, "little")


@lru_cache(4096)
def flaw_of(public: bytes) -> str:
    """Return why 32 bytes are no public key, "" if they are one that some secret made."""
    point = decompress(public)
    if point is None:
        return "the public key is no point of the curve in its only spelling"
    if compress(combination(8, point, 0, NEUTRAL)) == compress(NEUTRAL):
        return "the public key is of small order: to sign for it needs no secret"
    return ""


BASE_Y = 4 * pow(5, -1, P) % P
BASE = decompress(BASE_Y.to_bytes(32, "little")) or NEUTRAL
"""The base point, whose y is 4/5; there is such a point, so it is not the neutral one."""


def ed25519_verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """Return whether a signature is genuine, strictly."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key = decompress(public)
    r_bytes, s_bytes = signature[:32], signature[32:]
    s = int.from_bytes(s_bytes, "little")
    if key is None or s >= L or key[0] == 0:
        return False
    times_order = combination(L, key, 0, NEUTRAL)
    if compress(times_order) != compress(NEUTRAL):  # the key is not of prime order
        return False
    digest = hashlib.sha512(r_bytes + public + message).digest()
    h = int.from_bytes(digest, "little") % L
    minus_h = L - h
    return compress(combination(s, BASE, minus_h, key)) == r_bytes


# ---- keys, signed notes, checkpoints, policies (C2SP); ValueError where they are none ------------

LOG_KEY, WITNESS_KEY, MLDSA_KEY = 1, 4, 6
KINDS_WITH_A_MEANING = {LOG_KEY, 2, WITNESS_KEY, 5}
"""2 and 5 sign other things than checkpoints. 6 is a witness's by ML-DSA-44, which the standard
library cannot verify; any further kind may be a witness's some day. Neither ever counts here."""
MLDSA_KEY_BYTES = 1312
NOTE_LINES_MAX = 100
SECONDS_MIN, SECONDS_MAX = 1_640_995_200, 253_402_300_799
"""From 2022 on, when the form of cosignatures began, to the end of the year 9999."""


class Window(NamedTuple):
    """The times at which a cosignature counts, in seconds since 1970."""

    first: int
    last: int


ANY_TIME = Window(SECONDS_MIN, SECONDS_MAX)


class Key(NamedTuple):
    """A verifier key, of a log or of a witness."""

    name: str
    key_id: bytes
    kind: int
    public: bytes
    text: str


is_name = re.compile(r"[^\s+]+").fullmatch


def unbase64(text: str) -> bytes:
    """Return the bytes of base64, written in the one way there is."""
    data = base64.b64decode(text.encode("ascii"), validate=True)
    expect("base64", base64.b64encode(data).decode(), text)
    return data


def parse_vkey(text: str, kind: int) -> Key:
    """Return the key that a verifier key describes, which must be of this kind."""
    name, id_text, encoded = [*text.split("+", 2), "", ""][:3]
    data = unbase64(encoded)
    key_id = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    if not is_name(name) or len(data) != 33 or data[0] != kind or key_id.hex() != id_text:
        raise ValueError(f"no verifier key of type {kind} with its own id: {text}")
    if flaw := flaw_of(data[1:]):
        raise ValueError(f"{flaw}: {text}")
    return Key(name, key_id, kind, data[1:], text)


def parse_witness(text: str) -> Key:
    """Return a witness's key, or one of a kind that is not checked here, which never counts."""
    name, id_text, encoded = [*text.split("+", 2), "", ""][:3]
    data = unbase64(encoded)
    if data[:1] and data[0] not in KINDS_WITH_A_MEANING:
        key_id = hashlib.sha256(name.encode() + b"\n" + data).hexdigest()[:8]
        is_right = data[0] != MLDSA_KEY or (key_id == id_text and len(data) == 1 + MLDSA_KEY_BYTES)
        if is_right and is_name(name) and re.fullmatch("[0-9a-f]{8}", id_text) and data[1:]:
            return Key(name, bytes.fromhex(id_text), data[0], data[1:], text)
        raise ValueError(f"no verifier key: {text}")
    return parse_vkey(text, WITNESS_KEY)


def open_note(note: bytes, keys: Sequence[Key]) -> tuple[bytes, dict[Key, int]]:
    """Return a note's text, and by whose keys it is signed, with a witness's seconds (a log's: 0).

    A signature by a key that is not given is ignored; each one by a key that is must be genuine,
    and the first of them counts.
    """
    if len(note) > NOTE_BYTES_MAX:
        raise ValueError(f"a note of more than {NOTE_BYTES_MAX} bytes")
    body, found, lines = note.rpartition(b"\n\n")
    has_control = any(char < " " and char != "\n" for char in note.decode())
    if not found or lines[-1:] != b"\n" or has_control:
        raise ValueError("no signed note: an empty line, a last line feed, no control characters")
    text = body + b"\n"
    able = [key for key in keys if key.kind in (LOG_KEY, WITNESS_KEY)]
    known = {(key.name, key.key_id): key for key in able}
    expect("keys of different names and ids", len(able), len(known))
    verified: dict[Key, int] = {}
    for number, line in enumerate(lines.decode()[:-1].split("\n"), 1):
        dash, name, encoded = [*line.split(" ", 2), "", ""][:3]
        blob = unbase64(encoded)
        if dash != "\N{EM DASH}" or not is_name(name) or len(blob) < 5 or number > NOTE_LINES_MAX:
            raise ValueError(f"no signature line, or more than 100 of them: {line}")
        key = known.get((name, blob[:4]))
        if key is None:
            continue
        seconds = signed_at(key, blob[4:], text)
        if seconds is None:
            raise Fault(f"signature by {name}+{key.key_id.hex()}", "a genuine one", line)
        verified.setdefault(key, seconds)
    return text, verified


def signed_at(key: Key, signature: bytes, text: bytes) -> int | None:
    """Return the seconds that a genuine signature states, 0 for a log's; None if it is false."""
    if key.kind == LOG_KEY:
        return 0 if ed25519_verify(key.public, signature, text) else None
    seconds = int.from_bytes(signature[:8], "big")
    message = b"cosignature/v1\ntime %d\n" % seconds + text
    if not SECONDS_MIN <= seconds <= SECONDS_MAX:
        return None
    return seconds if ed25519_verify(key.public, signature[8:], message) else None


def utc(seconds: int) -> str:
    """Return seconds since 1970 as a time."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def parse_checkpoint(text: bytes) -> tuple[str, int, bytes]:
    """Return origin, size and root."""
    match = re.fullmatch(f"({ORIGIN})\n(0|{COUNT})\n([^=]{{43}}=)\n", text.decode())
    if match is None or len(match[1]) > 255 or int(match[2]) > INTEGER_MAX:
        raise ValueError("no origin, size and root of a ledger, and nothing else")
    return match[1], int(match[2]), unbase64(match[3])


def parse_policy(text: bytes, present: Iterable[Key] = ()) -> tuple[list[Key], bool]:
    """Return the keys of a tlog-policy, and whether these cosigners satisfy its quorum."""
    if len(text) > NOTE_BYTES_MAX or re.search(rb"[^\t\n\x20-\x7e\x80-\xff]", text):
        raise ValueError(f"more than {NOTE_BYTES_MAX} bytes, or a control character")
    cosigners = set(present)
    keys: list[Key] = []
    quorums: list[bool] = []
    grouped: set[str] = set()
    is_met = {"none": True}
    for line in text.decode("utf-8", "surrogateescape").split("\n"):
        bare = line.strip(" \t")
        words = [""] if bare.startswith("#") else re.split("[ \t]+", bare)
        match words:
            case [""]:
                pass
            case ["log", vkey] | ["log", vkey, _]:
                keys.append(parse_vkey(vkey, LOG_KEY))
            case ["witness", name, vkey] | ["witness", name, vkey, _] if name not in is_met:
                key = parse_witness(vkey)
                keys.append(key)
                is_met[name] = key in cosigners
            case ["group", name, least, *names] if name not in is_met:
                free = is_met.keys() - grouped - {"none"}
                if not set(names) <= free or len(set(names)) < len(names):
                    raise ValueError(f"a group that names what it cannot: {line}")
                grouped |= set(names)
                least = {"any": "1", "all": str(len(names))}.get(least, least)
                if least not in [str(number) for number in range(1, len(names) + 1)]:
                    raise ValueError(f"a group that counts what it cannot: {line}")
                is_met[name] = sum(is_met[one] for one in names) >= int(least)
            case ["quorum", name] if name in is_met:
                quorums.append(is_met[name])
            case _:
                raise ValueError(f"a line that cannot be read here: {line}")
    named = {*KINDS_WITH_A_MEANING, MLDSA_KEY}
    different = {(key.kind in named and key.kind, key.public) for key in keys}
    expect("different keys, quorums", [len(keys), 1], [len(different), len(quorums)])
    return keys, quorums[0]


# ---- Merkle tree (RFC 6962) ----------------------------------------------------------------------


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of an interior node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def push(peaks: Peaks, leaf: bytes) -> None:
    """Add a leaf hash on the right."""
    height = 0
    while peaks and peaks[-1][0] == height:
        _, left = peaks.pop()
        leaf = node(left, leaf)
        height += 1
    peaks.append((height, leaf))


def root_of(peaks: Peaks) -> bytes:
    """Return the root over complete subtrees."""
    if not peaks:
        return hashlib.sha256().digest()
    _, root = peaks[-1]
    for _, left in reversed(peaks[:-1]):
        root = node(left, root)
    return root


def check_inclusion(index: int, size: int, leaf: str, proof: list[str], root: bytes) -> None:
    """Refuse a proof that does not lead from a leaf, counted from 0, to the root."""
    path = [bytes.fromhex(sibling) for sibling in proof]
    if index >= size or climbed(index, size, bytes.fromhex(leaf), path) != root:
        raise Fault("inclusion proof", f"a path to the root {root.hex()}", "another")


def climbed(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes:
    """Return the root that a leaf and its siblings, the lowest first, have (RFC 9162, 2.1.3)."""
    if size == 1 or not path:
        expect("length of the proof", (1, 0), (size, len(path)))
        return leaf
    *lower, sibling = path
    left_size = 1 << (size - 1).bit_length() - 1  # the greatest power of two below the size
    if index < left_size:
        return node(climbed(index, left_size, leaf, lower), sibling)
    right_index = index - left_size
    right_size = size - left_size
    return node(sibling, climbed(right_index, right_size, leaf, lower))


# ---- canonical JSON (RFC 8785) -------------------------------------------------------------------
# Values that the format does not have are read as others: a float or a long integer as text, an
# object with a key beyond ASCII as a list. So they are written otherwise than they were read.


def integer(text: str) -> int | str:
    """Return an integer of the format's domain; of any other its text."""
    if len(text) > 17:
        return text
    number = int(text)
    return number if abs(number) <= INTEGER_MAX else text


def members(pairs: list[tuple[str, Json]]) -> Json:
    """Return an object; one with a key beyond ASCII as the list of its members."""
    return dict(pairs) if all(key.isascii() for key, _ in pairs) else pairs


decoder = partial(json.JSONDecoder, parse_float=str, parse_constant=str, parse_int=integer)
parse_any = decoder(object_pairs_hook=members).decode
parse_ascii = decoder().decode
"""For a text of ASCII alone, in which no key can be beyond it: three times as fast."""
canonical = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, check_circular=False, separators=(",", ":")
).encode


inert = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
"""The same in ASCII: a bundle's own words must not act upon a terminal."""


def depth_of(value: Json) -> int:
    """Return how deep containers nest in a value."""
    if not isinstance(value, dict | list):
        return 0
    items = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth_of, items), default=0)


def parse(data: bytes) -> Json:
    """Return the value of a canonical text; Fault or ValueError if it is none."""
    text = data.decode()
    try:
        value = parse_ascii(text) if data.isascii() else parse_any(text)
        again = canonical(value)
        is_deep = text.count("[") + text.count("{") > DEPTH_MAX and depth_of(value) > DEPTH_MAX
    except RecursionError:
        is_deep = True
    if is_deep:
        raise ValueError(f"JSON that is nested more than {DEPTH_MAX} deep")
    if again != text:
        cut = len(os.path.commonprefix([text, again]))  # noqa: RUF071 - of texts, as it happens
        end = cut + 20
        raise Fault(f"canonical JSON, from {cut}", again[cut:end], text[cut:end])
    return value


# ---- the forms of the format ---------------------------------------------------------------------
# Since a value has one canonical text, the grammar of each member is a pattern of that text.

SEGMENT = "[a-z0-9][a-z0-9._-]{0,127}"
ORIGIN = f"{SEGMENT}(?:/{SEGMENT})*"
HASH = '"[0-9a-f]{64}"'
COUNT = "[1-9][0-9]{0,15}"
COUNT_OR_0 = f"0|{COUNT}"
OBJECT = r"\{.*\}"
TEXT = '".+"'
YEAR = "(?:19[7-9]|[2-9][0-9]{2})[0-9]"
TIME = f'"{YEAR}-[0-9]{{2}}-[0-9]{{2}}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\.[0-9]{{6}}Z"'
STREAM = f'"(?:ledger|[a-z][a-z_]*/{SEGMENT})"'
ACTOR = f'"(?:users|services|system)/{SEGMENT}"'
SPAN = rf"\[{COUNT},{COUNT}\]"
SPANS = rf"\[{SPAN}(?:,{SPAN})*\]"
PROOF = rf"\[(?:{HASH}(?:,{HASH})*)?\]"
TYPE = r'"[a-z][a-z_]*(?:\.[a-z][a-z_]*)+\.v[1-9][0-9]*"'

SHAPES: dict[str, dict[str, str]] = {
    "line": {
        "body": f"null|{OBJECT}",
        "hash": HASH,
        "header": OBJECT,
        "salt": 'null|"[0-9a-f]{32}"',
    },
    "header": {
        "body_hash": HASH,
        "ledger": f'"{ORIGIN}"',
        "position": COUNT,
        "prev_hash": HASH,
        "recorded_at": TIME,
        "stream": STREAM,
        "stream_version": COUNT,
        "type": TYPE,
    },
    "body": {
        "actor": ACTOR,
        "causation_position": f"null|{COUNT}",
        "data": OBJECT,
        "request_id": 'null|"[A-Za-z0-9._:-]{1,128}"',
        "run_id": f'null|"runs/{SEGMENT}"',
    },
    "proof": {"inclusion": PROOF, "position": COUNT},
    "seal": {
        "event": OBJECT,
        "inclusion": PROOF,
        "record": OBJECT,
        "record_inclusion": PROOF,
        "record_index": COUNT_OR_0,
    },
    "key": {"from_position": COUNT, "until_position": f"null|{COUNT}", "vkey": TEXT},
    "withheld": {"positions": SPANS, "reason": TEXT},
    "scope": {
        "counts": OBJECT,
        "first_position": COUNT,
        "format": '"decision-ledger/1"',
        "kind": '"(?:full|range|stream)"',
        "last_position": COUNT,
        "requested_at": TIME,
        "requested_by": ACTOR,
        "stream": f"null|{STREAM}",
        "withheld": r"\[.*\]",
    },
    "ledger.created.v1": {"created_at": TIME, "format": TEXT, "origin": TEXT, "vkey": TEXT},
    "ledger.configured.v1": {"clock": TEXT, "skew_seconds": COUNT_OR_0},
    "ledger.configured.v2": {"clock": TEXT, "next_key_digest": HASH, "skew_seconds": COUNT_OR_0},
    "ledger.configured.v3": {
        "clock": TEXT,
        "leap_seconds": COUNT_OR_0,
        "next_key_digest": HASH,
        "skew_seconds": COUNT_OR_0,
        "unit_of_cost": f"null|{TEXT}",
    },
    "key.committed.v1": {"next_key_digest": HASH},
    "key.rotated.v1": {"from_position": COUNT, "previous_until_position": COUNT, "vkey": TEXT},
    "key.revoked.v1": {"from_position": COUNT, "reason": TEXT, "vkey": TEXT},
    "streams.sealed.v1": {"as_of": COUNT, "root": HASH, "streams": COUNT},
    "body.erased.v1": {"authority": TEXT, "ground": TEXT, "positions": SPANS},
}
"""The members of each object, in order, with the pattern of each."""
READ_TYPES = {name.encode() for name in SHAPES if "." in name}
"""Types whose data is read here. All of them are of stream `ledger`."""
AUTHORITY_NAMES = {
    b"administrator.named", b"actor.registered", b"identity.bound", b"identity.unbound",
    b"token.issued", b"token.revoked", b"role.defined", b"role.granted", b"grant.withdrawn",
    b"authority.proposed", b"limits.set",
}  # fmt: skip
"""Names of types by which authority changes."""
SHOWING_NAMES = AUTHORITY_NAMES | {b"credential.used"}
"""Names of types that are there only once authority is in force."""
KEPT_NAMES = {type_.rpartition(b".")[0] for type_ in READ_TYPES} | AUTHORITY_NAMES
"""Names of types whose bodies, in any version, are neither erased nor withheld."""


def check_shape(value: Json, what: str) -> Json:
    """Refuse an object with other members, or with one that is out of its pattern."""
    shape = SHAPES[what]
    if not isinstance(value, dict) or value.keys() != shape.keys():
        raise Fault(f"members of {what}", sorted(shape), canonical(value))
    for key, pattern in shape.items():
        text = canonical(value[key])
        fits = re.fullmatch(pattern, text, re.DOTALL) is not None
        if not fits or (pattern == TIME and not is_time(text.encode())):
            raise Fault(f"{key} of {what}", pattern, text)
    return value


@lru_cache(maxsize=4096)
def is_time(text: bytes) -> bool:
    """Return whether the calendar has a time, which is in quotes."""
    try:
        datetime.fromisoformat(text.decode().strip('"'))
    except ValueError:
        return False
    return True


def pattern_of(name: str) -> str:
    """Return the pattern of an object's whole text; each member is a group."""
    inner = ",".join(f'"{key}":({pattern})' for key, pattern in SHAPES[name].items())
    return r"\{" + inner + r"\}"


HASH_TO_END = (
    f',"hash":({HASH}),"header":({pattern_of("header")}),"salt":({SHAPES["line"]["salt"]})' + r"\}"
)
is_hash_to_end = re.compile(HASH_TO_END.encode()).fullmatch
is_body = re.compile(pattern_of("body").encode(), re.DOTALL).fullmatch


def quoted_hash(*parts: bytes) -> bytes:
    """Return SHA-256 as a text of JSON."""
    return b'"%s"' % hashlib.sha256(b"".join(parts)).hexdigest().encode()


def edges_of(ranges: Iterable[Sequence[int]]) -> list[int]:
    """Return first positions and first positions after, alternately."""
    return [edge for first, last in ranges for edge in (first, last + 1)]


def is_within(edges: Sequence[int], position: int) -> bool:
    """Return whether a position is in one of the ranges with these ascending edges."""
    return bisect(edges, position) % 2 == 1


def positions_of(edges: Sequence[int]) -> Iterator[int]:
    """Yield every position in the ranges with these edges."""
    return chain.from_iterable(map(range, edges[0::2], edges[1::2]))


# ---- a bundle's files ----------------------------------------------------------------------------


def files_of(path: Path) -> Files:
    """Return how to open each file of a folder or of a tar."""
    if path.is_file():
        return files_of_tar(path)
    files: Files = {}
    for folder in ("", "data/"):
        place = path / folder
        if not place.is_dir():
            continue
        with os.scandir(place) as found:
            entries = list(islice(found, ENTRIES_MAX + 1))
        if len(entries) > ENTRIES_MAX:
            raise Fault("files in a folder of a bundle", f"at most {ENTRIES_MAX}", "more", folder)
        for entry in entries:
            name = folder + entry.name
            if entry.is_file(follow_symlinks=False):
                files[name] = partial(open, entry.path, "rb")
            elif name != "data" or not entry.is_dir(follow_symlinks=False):
                raise Fault("kind of file", "a regular file", "another", name)
    return files


def blocks(files: Files, name: str) -> Iterator[bytes]:
    """Yield the content of a file, up to its bound if it has one."""
    left = most = LARGER.get(name, FILE_BYTES_MAX)
    with files[name]() as file:
        while block := file.read(1 << 20):
            left -= len(block)
            if left < 0 and name not in LINED:
                raise Fault("bytes of the file", f"at most {most}", "more", name)
            yield block


def read(files: Files, name: str) -> bytes:
    """Return the content of a file."""
    return b"".join(blocks(files, name))


# ---- a tar: nothing is extracted, and no size counts but of bytes that are there -----------------

BLOCK = 512
TAR_EXTENDED_MAX = 1 << 20
TAR_ZEROS_MAX = 1 << 20
"""At the end."""
HARMLESS = (
    rb"[acm]time|[ug]id|[ug]name|comment|RHT\.security\.selinux|LIBARCHIVE\.creationtime"
    rb"|LIBARCHIVE\.xattr\..+|SCHILY\.(?:dev|ino|nlink|fflags|xattr\..+|acl\..+)"
)
"""Keys of extended headers that say nothing of a file's name, size, kind and content."""
is_record = re.compile(rb"([1-9][0-9]{0,6}) ([^=\n]+)=").match
UNPACK = "; unpack the tar and verify the folder"


class Entry(NamedTuple):
    """A file or folder in a tar."""

    name: str
    is_folder: bool
    start: int
    size: int


def files_of_tar(path: Path) -> Files:
    """Return how to open each file of a tar, below its one folder if it has one."""
    files: Files = {}
    with path.open("rb") as raw, at(path.name):
        entries = list(tar_entries(raw, path.name))
        tops = {entry.name.partition("/")[0] for entry in entries} - {"."}
        prefix = f"{min(tops)}/" if len(tops) == 1 else ""
        folders = {".", prefix.rstrip("/"), f"{prefix}data"}
        for name, is_folder, start, size in entries:
            path_in = name.removeprefix(prefix)
            if not is_folder and path_in not in files:
                files[path_in] = partial(part_of, path, start, size)
            elif not is_folder or name not in folders:
                raise Fault("entry of the tar", "a file or folder of a bundle, once", name)
    return files


def tar_entries(raw: IO[bytes], tar: str) -> Iterator[Entry]:
    """Yield the files and folders of a tar, all of whose other bytes are as they should be."""
    tar_size = raw.seek(0, os.SEEK_END)
    extended: dict[bytes, bytes] | None = None
    start = 0
    for _ in range(ENTRIES_MAX + 1):
        header = bytes_at(raw, start, BLOCK)
        if not any(header):
            break
        with at(f"{tar}, byte {start}"):
            name, size, kind = tar_header(header)
            start += BLOCK
            left = tar_size - start
            if size > left:
                raise Fault("bytes of the entry", f"at most {left}", size)
            if kind != b"x":
                is_folder = kind == b"5"
                name = (extended or {}).get(b"path", name)
                yield Entry(tar_name(name, is_folder=is_folder), is_folder, start, size)
                extended = None
            elif extended is not None or size > TAR_EXTENDED_MAX:
                raise Fault(f"extended header{UNPACK}", f"one, of {TAR_EXTENDED_MAX} bytes", size)
            else:
                extended = tar_extended(bytes_at(raw, start, size))
            start += size
            padding = bytes(-size % BLOCK)
            expect("padding", padding, bytes_at(raw, start, len(padding)))
            start += len(padding)
    else:
        raise Fault("entries of the tar", f"at most {ENTRIES_MAX}", "more")
    expect("extended header of no file", None, extended and sorted(extended))
    zeros = tar_size - start
    if not 2 * BLOCK <= zeros <= TAR_ZEROS_MAX:
        raise Fault("zeros at the end", f"from {2 * BLOCK} to {TAR_ZEROS_MAX}", zeros)
    expect("bytes at the end that are not 0", 0, zeros - bytes_at(raw, start, zeros).count(0))


def bytes_at(raw: IO[bytes], start: int, size: int) -> bytes:
    """Return bytes of a file, fewer where it ends."""
    raw.seek(start)
    return raw.read(size)


def tar_header(block: bytes) -> tuple[bytes, int, bytes]:
    """Return name, size and kind, as POSIX or GNU tar writes them; owner and time are not read."""
    name, size, checksum, kind = block[:100], block[124:136], block[148:156], block[156:157]
    link, form, prefix, rest = block[157:257], block[257:265], block[345:500], block[500:]
    expect("bytes of the header", BLOCK, len(block))
    total = sum(block) - sum(checksum) + 8 * ord(" ")
    expect("checksum of a header of a plain tar", b"%06o\0 " % total, checksum)
    if kind not in {b"0", b"\0", b"5", b"x"}:
        raise Fault(f"kind of the entry{UNPACK}", "a plain file", kind)
    number = int.from_bytes(size[1:], "big")
    if re.fullmatch(rb"[0-7]{11}[\0 ]", size):
        number = int(size[:11], 8)
    elif size[0] != 0x80 or number < 8**11:
        hint = UNPACK if size[0] < 0x80 else ""
        raise Fault(f"size in the header{hint}", "11 octal digits, or binary beyond", size)
    full = b"/".join(filter(None, (prefix.rstrip(b"\0"), name.rstrip(b"\0"))))
    is_form = form == b"ustar\x0000" or (form == b"ustar  \0" and not any(prefix))
    if not is_form or b"\0" in full or any(link + rest) or (kind == b"5" and number):
        raise Fault(f"form of the header{UNPACK}", "as tar programs write it", "another")
    return full, number, kind


def tar_extended(records: bytes) -> dict[bytes, bytes]:
    """Return what an extended header says."""
    said: dict[bytes, bytes] = {}
    start = 0
    while start < len(records):
        match = is_record(records, start)
        end = start + int(match[1]) if match else 0
        if match is None or not match.end() < end or records[end - 1 : end] != b"\n":
            raise Fault(f"extended header{UNPACK}", "records", records[start : start + 20])
        key = match[2]
        if key in said or (key != b"path" and not re.fullmatch(HARMLESS, key)):
            raise Fault(f"record of an extended header{UNPACK}", "a harmless one, once", key)
        said[key] = records[match.end() : end - 1]
        start = end
    return said


def tar_name(raw: bytes, *, is_folder: bool) -> str:
    """Return a name without the `./` that says nothing; no part of it may lead away."""
    name = raw.decode()
    if is_folder:
        name = name.removesuffix("/")
    if is_folder and name == ".":
        return name
    name = name.removeprefix("./")
    if {"", ".", ".."} & set(name.split("/")) or "\0" in name:
        raise Fault("name of the entry", "a place in a folder", name)
    return name


class Part(io.RawIOBase):
    """Some bytes of a file, to read."""

    def __init__(self, path: Path, start: int, size: int) -> None:
        super().__init__()
        self._file = path.open("rb", buffering=0)
        self._file.seek(start)
        self._left = size

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        """Read into a buffer, up to the end of the part."""
        count = self._file.readinto(memoryview(buffer)[: self._left])
        self._left -= count
        return count

    def close(self) -> None:
        """Close the file too."""
        self._file.close()
        super().close()


def part_of(path: Path, start: int, size: int) -> IO[bytes]:
    """Open some bytes of a file."""
    return io.BufferedReader(Part(path, start, size), 1 << 20)


# ---- what the bundle says of itself --------------------------------------------------------------


class View(NamedTuple):
    """The facts that are known before the events are read."""

    origin: str
    size: int
    root: bytes
    kind: str
    first: int
    """The position that the first line must have; of a stream, which does not say, 0."""
    stream: str | None

    @property
    def is_full(self) -> bool:
        """Whether the whole ledger is there."""
        return self.kind == "full"


class Span(NamedTuple):
    """A key, and the sizes at which it counts."""

    first: int
    last: int
    vkey: str


class Scope(NamedTuple):
    """What `scope.json` says."""

    kind: str
    stream: str | None
    positions: list[int]
    counts: Json
    withheld: dict[str, list[int]]
    """Edges of what is left out, by reason."""
    edges: list[int]
    """Edges of all of that."""


def read_scope(files: Files) -> Scope:
    """Return what `scope.json` says, in the form that it must have."""
    with at(SCOPE):
        told = check_shape(parse(read(files, SCOPE)), "scope")
        withheld = {}
        for entry in told["withheld"]:
            reason = check_shape(entry, "withheld")["reason"]
            expect("a reason that is not blank", True, bool(reason.strip()))
            withheld[reason] = edges_of(entry["positions"])
            ascending = sorted(set(withheld[reason]))
            expect("positions in order and apart", ascending, withheld[reason])
        reasons = [entry["reason"] for entry in told["withheld"]]
        expect("reasons in order, each once", sorted(set(reasons)), reasons)
        every = chain.from_iterable(entry["positions"] for entry in told["withheld"])
        edges = edges_of(sorted(every))
        expect("positions withheld once", sorted(edges), edges)
        kind, stream = told["kind"], told["stream"]
        expect("a stream, if it is of one", kind == "stream", stream is not None)
        positions = [told["first_position"], told["last_position"]]
    return Scope(kind, stream, positions, told["counts"], withheld, edges)


def read_keys(files: Files) -> list[Span]:
    """Return what `keys.json` says."""
    with at(KEYS):
        spans = []
        for row in parse(read(files, KEYS)):
            check_shape(row, "key")
            last = row["until_position"] or NO_END
            spans.append(Span(row["from_position"], last, row["vkey"]))
    return spans


# ---- check 1: files ------------------------------------------------------------------------------


def check_01_files(files: Files, scope: Scope) -> None:
    """The files are just those of the bundle's kind."""
    expected = ALWAYS | ONLY[scope.kind]
    for name in sorted(expected ^ files.keys()):
        raise Fault(f"file of a {scope.kind} bundle", name in expected, name in files, name)


# ---- check 2: checkpoint -------------------------------------------------------------------------


class Signed(NamedTuple):
    """A checkpoint that holds, and who vouches for it."""

    origin: str
    size: int
    root: bytes
    signers: list[str]
    cosigned: dict[str, int]
    """When each witness that counts says that it saw it."""
    unchecked: list[str]
    """The witnesses whose keys are of a kind that is not checked here."""


def check_02_checkpoint(
    note: bytes, policy: bytes, spans: list[Span], window: Window = ANY_TIME
) -> Signed:
    """The checkpoint opens with what was brought, and a key that counts at its size signed it."""
    with at(CHECKPOINT):
        keys, _ = parse_policy(policy)
        text, signed = open_note(note, keys)
        origin, size, root = parse_checkpoint(text)
        counting = {span.vkey for span in spans if span.first <= size <= span.last}
        signers = [key.text for key in signed if key.name == origin and key.text in counting]
        expect(f"signature by a key given, valid at {size} by {KEYS}", True, bool(signers))
        witnesses = {key: at for key, at in signed.items() if key.kind == WITNESS_KEY}
        counted = {key: at for key, at in witnesses.items() if window.first <= at <= window.last}
        _, is_met = parse_policy(policy, counted)
        late = [f"{key.name} at {utc(at)}" for key, at in witnesses.items() if key not in counted]
        what = f", not counting {', '.join(late)} (--max-age, --max-future)" if late else ""
        unchecked = [key.name for key in keys if key.kind not in (LOG_KEY, WITNESS_KEY)]
        without = f", without {', '.join(unchecked)}: not checked here" if unchecked else ""
        expect(f"quorum of cosignatures{what}{without}", True, is_met)
    cosigned = {key.name: at for key, at in counted.items()}
    return Signed(origin, size, root, signers, cosigned, unchecked)


# ---- check 3: line -------------------------------------------------------------------------------


class Event(NamedTuple):
    """An event that is right in itself; its data only where it is read here."""

    position: int
    hash: bytes
    prev_hash: bytes
    recorded_at: bytes
    stream: bytes
    version: int
    type: bytes
    has_body: bool
    data: Json


def check_03_line(line: bytes, origin: str) -> Event:
    """A line is canonical, of this ledger, and has the hashes that it states.

    What follows the body can be written in one way, so one pattern says whether it is; of a line
    that the pattern does not fit, the parts are looked at to say what is wrong.
    """
    cut = line.rfind(b',"hash":"')
    match = is_hash_to_end(line, cut) if cut > 0 and line.startswith(b'{"body":') else None
    if match is None or not is_time(match[7]):
        check_shape(check_shape(parse(line), "line")["header"], "header")
        raise Fault("the form of an event's line")
    hash_, header, body_hash, ledger, number, prev_hash = match.groups()[:6]
    recorded_at, stream, version, quoted_type, salt = match.groups()[6:]
    position, type_ = int(number), quoted_type[1:-1]
    body = line[len(b'{"body":') : cut]
    expect("ledger", origin.encode(), ledger[1:-1])
    expect("hash, from the header", quoted_hash(b"\0", header), hash_)
    if int(version) > position:
        raise Fault("stream_version", f"at most {position}", int(version))
    if type_ in READ_TYPES:
        expect(f"stream of {type_.decode()}", b'"ledger"', stream)
    has_body = body != b"null"
    if has_body != (salt != b"null"):
        raise Fault("body and salt", "null together", "one of them null")
    data = None
    if has_body:
        data = check_body(body, position, type_)
        salt_bytes = bytes.fromhex(salt[1:-1].decode())
        expect("body_hash, from salt and body", quoted_hash(b"\2", salt_bytes, body), body_hash)
    elif type_.rpartition(b".")[0] in KEPT_NAMES:
        raise Fault("body", f"there, as in every {type_.decode()}", "null")
    return Event(
        position,
        hash_[1:-1],
        prev_hash[1:-1],
        recorded_at,
        stream[1:-1],
        int(version),
        type_,
        has_body,
        data,
    )


def check_body(body: bytes, position: int, type_: bytes) -> Json:
    """Refuse a body out of its form; return its data if that is read here."""
    value = parse(body)
    if not is_body(body) or len(value) != len(SHAPES["body"]):
        check_shape(value, "body")
    cause = value["causation_position"]
    if cause is not None and cause >= position:
        raise Fault("causation_position", f"below {position}", cause)
    return check_shape(value["data"], type_.decode()) if type_ in READ_TYPES else None


# ---- check 4: order ------------------------------------------------------------------------------


class Walk:
    """The state that the events so far lead to."""

    def __init__(self, view: View, sealed_at: set[int]) -> None:
        """Begin before the first event; `sealed_at` is where a seal will state the streams."""
        self.view = view
        self.sealed_at = sealed_at
        self.first = 0
        self.position = 0
        self.hash = b"0" * 64
        self.recorded_at = b""
        self.heads: dict[bytes, tuple[int, bytes]] = {}
        """The version and the hash that each stream has reached."""
        self.counts: Counter[bytes] = Counter()
        self.peaks: Peaks = []
        self.seals: dict[int, Json] = {}
        """The statement that a seal as of each of those positions has to make."""
        self.told: list[tuple[int, Event]] = []
        """Line and event, of those whose data says something of keys and erasures."""
        self.missing: list[int] = []
        """Positions of events without a body."""
        self.in_force_from = 0
        """Where authority is first seen to be in force; 0 for nowhere."""

    def take(self, line: int, event: Event) -> None:
        """Go on by one event, which must fit."""
        check_04_order(self, event)
        if not event.has_body:
            self.missing.append(event.position)
        self.first = self.first or event.position
        self.position = event.position
        self.hash = event.hash
        self.recorded_at = event.recorded_at
        self.heads[event.stream] = event.version, event.hash
        self.counts[event.type] += 1
        if not self.in_force_from and event.type.rpartition(b".")[0] in SHOWING_NAMES:
            self.in_force_from = event.position
        if self.view.is_full:
            push(self.peaks, bytes.fromhex(event.hash.decode()))
        if event.type == b"streams.sealed.v1":
            check_06_seals(self, event)
        elif event.data is not None:
            self.told.append((line, event))
        if event.position in self.sealed_at:
            self.seals[event.position] = self.seal()

    def believed_up_to(self) -> int | None:
        """Return up to where callers were believed, not authenticated; None where it is not shown.

        0 where an administrator was named with the ledger. That a caller without a credential was
        let in later, bodies tell: the product's `verify` reads them.
        """
        if self.view.stream is not None or self.first != 1:
            return None
        until = self.in_force_from - 1 if self.in_force_from else self.position
        return until if until > 2 else 0

    def seal(self) -> Json:
        """Return what a seal as of the last event states."""
        peaks: Peaks = []
        for stream in sorted(self.heads):
            push(peaks, record_leaf(self.record(stream)))
        return {
            "as_of": self.position,
            "root": root_of(peaks).hex(),
            "streams": len(self.heads),
        }

    def record(self, stream: bytes) -> dict[str, Json]:
        """Return a stream's record, as a seal holds it."""
        version, hash_ = self.heads.get(stream, (0, b""))
        return {
            "event_hash": hash_.decode(),
            "stream": stream.decode(),
            "stream_version": version,
        }


def record_leaf(record: dict[str, Json]) -> bytes:
    """Return the leaf hash of a sealed record."""
    return hashlib.sha256(b"\0" + canonical(record).encode()).digest()


def check_04_order(walk: Walk, event: Event) -> None:
    """An event goes on from those before it: position, link, time, version of its stream."""
    view, position = walk.view, event.position
    if position == 1:
        expect("type", b"ledger.created.v1", event.type)
    if position == walk.position + 1:
        expect("prev_hash", walk.hash, event.prev_hash)
    elif position <= walk.position:
        raise Fault("position", f"above {walk.position}", position)
    if event.recorded_at < walk.recorded_at:
        raise Fault("recorded_at", f"not before {walk.recorded_at!r}", event.recorded_at)
    begins_late = view.kind == "range" and view.first > 1
    if event.stream in walk.heads or not begins_late:
        version, _ = walk.heads.get(event.stream, (0, b""))
        next_version = version + 1
        expect("stream_version", next_version, event.version)
    if view.stream is not None:
        expect(f"stream, by {SCOPE}", view.stream, event.stream.decode())


# ---- check 5: inclusion --------------------------------------------------------------------------


def check_05_inclusion(view: View, event: Event, line: bytes) -> None:
    """The line of `proofs.jsonl` is about this event, and leads from it to the signed root."""
    told = check_shape(parse(line), "proof")
    expect("position", event.position, told["position"])
    index = event.position - 1
    check_inclusion(index, view.size, event.hash.decode(), told["inclusion"], view.root)


# ---- check 6: seals ------------------------------------------------------------------------------


def check_06_seals(walk: Walk, event: Event) -> None:
    """A seal is as of an earlier position; in a full bundle it states the streams as they were."""
    as_of, latest = event.data["as_of"], event.position - 1
    if as_of > latest:
        raise Fault("as_of", latest, as_of)
    if walk.view.is_full:
        expect("the seal", walk.seals.get(as_of), event.data)


# ---- reading the events: checks 3 to 6, a batch of lines at a time -------------------------------

Batch: TypeAlias = tuple[int, list[tuple[bytes, ...]]]
"""The number of the first line, and lines; each with its proof, if it has one."""
Checked: TypeAlias = tuple[int, list[tuple[Any, ...]], Fault | None]
"""The same number, the events up to the first fault, and that; plain tuples travel fast."""


def check_batch(view: View, batch: Batch) -> Checked:
    """Check each line of a batch in itself: what another process can do."""
    number, lines = batch
    events: list[tuple[Any, ...]] = []
    try:
        with at(EVENTS) as here:
            for line, (text, *proofs) in enumerate(lines, number):
                expected = None if view.kind == "stream" else view.first + line - 1
                here[:] = EVENTS, line, expected
                event = check_03_line(content_of(text), view.origin)
                if expected is not None:
                    expect(f"position, by {SCOPE}", expected, event.position)
                for proof in proofs:
                    here[:] = PROOFS, line, event.position
                    check_05_inclusion(view, event, content_of(proof))
                events.append(tuple(event))
    except Fault as fault:
        return number, events, fault
    return number, events, None


def content_of(line: bytes) -> bytes:
    """Return what a line holds, without its line feed."""
    expect("end of the line", b"\n", line[-1:])
    return line[:-1]


def batches(files: Files, view: View) -> Iterator[Batch]:
    """Yield the lines as they lie there; an event without a proof, or the reverse, beside b""."""
    names = [EVENTS] if view.is_full else [EVENTS, PROOFS]
    with ExitStack() as stack:
        opened = [(stack.enter_context(files[name]()), LINED[name]) for name in names]
        lines = [iter(partial(file.readline, most), b"") for file, most in opened]
        number, batch, size = 1, [], 0
        for pair in zip_longest(*lines, fillvalue=b""):
            batch.append(pair)
            size += sum(map(len, pair))
            is_cut = any(line[-1:] != b"\n" for line in pair)  # it will be refused: read no more
            if is_cut or len(batch) == BATCH_LINES or size > BATCH_BYTES:
                yield number, batch
                number += len(batch)
                batch, size = [], 0
            if is_cut:
                return
        if batch:
            yield number, batch


def checked_batches(files: Files, view: View, jobs: int) -> Iterator[Checked]:
    """Yield the batches in order, checked in processes if there are enough of them."""
    source = batches(files, view)
    check = partial(check_batch, view)
    head = list(islice(source, 4))
    if jobs == 1 or len(head) < 4:
        yield from map(check, chain(head, source))
        return
    waiting: deque[Future[Checked]] = deque()
    with ProcessPoolExecutor(jobs) as pool:
        for batch in chain(head, source):
            waiting.append(pool.submit(check, batch))
            if len(waiting) > 3 * jobs:
                yield waiting.popleft().result()
        yield from (future.result() for future in waiting)


def walked(files: Files, view: View, jobs: int) -> Walk:
    """Return what all events lead to; the first that does not fit is refused."""
    walk = Walk(view, sealed_positions(files, view) if view.is_full else set())
    with at(EVENTS) as here:
        for number, events, fault in checked_batches(files, view, jobs):
            for line, fields in enumerate(events, number):
                event = Event(*fields)
                here[:] = EVENTS, line, event.position
                walk.take(line, event)
            if fault is not None:
                raise fault
        expect("events", True, walk.position > 0)
    return walk


def sealed_positions(files: Files, view: View) -> set[int]:
    """Return the positions as of which seals state the streams, before anything is checked."""
    positions: set[int] = set()
    for _, lines in batches(files, view):
        for text, *_ in lines:
            if b'"type":"streams.sealed.v1"' in text:
                positions.update(map(int, re.findall(rb'"as_of":([0-9]{1,16}),', text)))
    return positions


# ---- check 7: keys -------------------------------------------------------------------------------


class KeyEvents:
    """The keys of a ledger, as its events name them one after the other."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._named: list[tuple[int, str]] = []
        self._committed = ""
        self._ends: dict[str, int] = {}

    def take(self, event: Event) -> None:
        """Take in an event that says something of keys."""
        data = event.data
        match event.type:
            case b"ledger.created.v1":
                told = [event.position, data["format"], data["origin"]]
                expected = [1, "decision-ledger/1", self._view.origin]
                expect("position, format, origin", expected, told)
                self._name(1, data["vkey"])
            case b"key.rotated.v1":
                self._rotate(event.position, data)
            case b"key.revoked.v1":
                last = data["from_position"] - 1
                if self._view.is_full:
                    expect("a key that the ledger had", True, self._has(data["vkey"]))
                self._end(data["vkey"], last)
            case _ if "next_key_digest" in data:
                if self._view.is_full:
                    expect("commitments that are open", "", self._committed)
                self._committed = data["next_key_digest"]

    def _rotate(self, position: int, data: Json) -> None:
        first, vkey = data["from_position"], data["vkey"]
        previous_last = data["previous_until_position"]
        without_gap = previous_last + 1
        if first < position:
            raise Fault("from_position", position, first)
        if first > without_gap:
            raise Fault("from_position", without_gap, first)
        if self._view.is_full:
            digest = hashlib.sha256(vkey.encode()).hexdigest()
            expect("digest of the next key, as committed before", self._committed, digest)
            _, previous = self._named[-1]
            self._end(previous, previous_last)
        self._name(first, vkey)
        self._committed = ""

    def _name(self, first: int, vkey: str) -> None:
        expect("name of the key", self._view.origin, parse_vkey(vkey, LOG_KEY).name)
        expect("a key that the ledger had before", False, self._has(vkey))
        self._named.append((first, vkey))

    def _has(self, vkey: str) -> bool:
        return any(named == vkey for _, named in self._named)

    def _end(self, vkey: str, last: int) -> None:
        self._ends[vkey] = min(last, self.last_of(vkey))

    def last_of(self, vkey: str) -> int:
        """Return the greatest size at which a key counts."""
        return self._ends.get(vkey, NO_END)

    def spans(self) -> list[Span]:
        """Return the keys that ever count."""
        spans = [Span(first, self.last_of(vkey), vkey) for first, vkey in self._named]
        return [span for span in spans if span.first <= span.last]


def check_07_keys(walk: Walk, spans: list[Span]) -> None:
    """The keys of a whole ledger are those in `keys.json`; of a part, none is there for longer."""
    keys = KeyEvents(walk.view)
    for line, event in walk.told:
        if event.type != b"body.erased.v1":
            with at(EVENTS, line, event.position):
                keys.take(event)
    with at(KEYS):
        if walk.view.is_full:
            expect("keys of the events", keys.spans(), spans)
        for span in spans:
            expect("name of the key", walk.view.origin, parse_vkey(span.vkey, LOG_KEY).name)
            expect("sizes at which it counts", True, span.first <= span.last)
            last = min(span.last, keys.last_of(span.vkey))
            expect(f"end of {span.vkey}", last, span.last)


# ---- check 8: bodies -----------------------------------------------------------------------------


def erased_by(walk: Walk) -> list[int]:
    """Return the edges of what erasures name, all of it before the erasure itself."""
    ranges: list[tuple[int, int]] = []
    for line, event in walk.told:
        if event.type == b"body.erased.v1":
            with at(EVENTS, line, event.position):
                for first, last in event.data["positions"]:
                    is_earlier = first <= last < event.position
                    expect("range of earlier positions", True, is_earlier)
                    ranges.append((first, last))
    edges: list[int] = []
    for first, last in sorted(ranges):
        if edges and first <= edges[-1]:
            edges[-1] = max(edges[-1], last + 1)
        else:
            edges += first, last + 1
    return edges


def check_08_bodies(walk: Walk, scope: Scope, erased: list[int]) -> None:
    """Each body that is missing was erased or is listed; what was erased or is listed is missing.

    In a stream bundle, whose positions have gaps, an erasure may name events that are elsewhere.
    """
    missing = set(walk.missing)
    gone = [scope.edges]
    if walk.view.kind != "stream":
        gone.append([min(max(edge, walk.first), walk.position + 1) for edge in erased])
    for position in walk.missing:
        accounted = is_within(scope.edges, position) or is_within(erased, position)
        expect_missing(walk, position, expected=accounted, found=True)
    for position in chain.from_iterable(map(positions_of, gone)):
        expect_missing(walk, position, expected=True, found=position in missing)


def expect_missing(walk: Walk, position: int, *, expected: bool, found: bool) -> None:
    """Refuse a body that is missing without a reason, or not missing in spite of one."""
    has_gaps = walk.view.kind == "stream"
    with at(EVENTS, None if has_gaps else position - walk.first + 1, position):
        expect(f"event without body, by erasures and {SCOPE}", expected, found)


# ---- check 9: scope ------------------------------------------------------------------------------


class Missing(NamedTuple):
    """How many bodies are missing, and why."""

    proven: int
    """Erased by an event that is there."""
    stated: int
    """Erased, as `scope.json` says."""
    withheld: dict[str, int]


def check_09_scope(walk: Walk, scope: Scope, erased: list[int]) -> Missing:
    """The bundle covers the positions that it says, with so many events and bodies missing."""
    view = walk.view
    with at(SCOPE):
        covered = [1, view.size] if view.is_full else [walk.first, walk.position]
        expect("positions", covered, scope.positions)
        counts = {type_.decode(): number for type_, number in walk.counts.items()}
        expect("counts", canonical(counts), canonical(scope.counts))
        stated: dict[str, int] = {}
        for reason, edges in scope.withheld.items():
            stated[reason] = sum(not is_within(erased, one) for one in positions_of(edges))
        if view.is_full:
            expect("erasures that no event names", 0, stated.get("erased", 0))
    proven = len(walk.missing) - sum(stated.values())
    return Missing(proven, stated.pop("erased", 0), stated)


# ---- check 10: root ------------------------------------------------------------------------------


def check_10_root(walk: Walk) -> None:
    """The events of a full bundle have the root that was signed."""
    with at(CHECKPOINT):
        expect("root of the events", root_of(walk.peaks).hex(), walk.view.root.hex())


# ---- check 11: stream seal -----------------------------------------------------------------------


def check_11_stream_seal(walk: Walk, text: bytes) -> Event:
    """A seal in the signed tree has the stream's last event, as it is in the bundle.

    The event that seals is returned.
    """
    view = walk.view
    with at(SEAL):
        seal = check_shape(parse(text), "seal")
        event = check_03_line(canonical(seal["event"]).encode(), view.origin)
        expect("type of the sealing event", b"streams.sealed.v1", event.type)
        index = event.position - 1
        check_inclusion(index, view.size, event.hash.decode(), seal["inclusion"], view.root)
        record = walk.record(str(view.stream).encode())
        expect("record", canonical(record), canonical(seal["record"]))
        as_of, latest = event.data["as_of"], event.position - 1
        if as_of < walk.position:
            raise Fault("as_of", walk.position, as_of)
        if as_of > latest:
            raise Fault("as_of", latest, as_of)
        check_inclusion(
            seal["record_index"],
            event.data["streams"],
            record_leaf(record).hex(),
            seal["record_inclusion"],
            bytes.fromhex(event.data["root"]),
        )
    return event


# ---- check 12: manifests -------------------------------------------------------------------------


def check_12_manifests(files: Files) -> None:
    """Every file is listed with its digest, and the declaration and the count are right."""
    payload = files.keys() - TAG_FILES - {TAG_MANIFEST}
    check_manifest(files, TAG_MANIFEST, TAG_FILES)
    payload_bytes = check_manifest(files, MANIFEST, payload)
    with at(INFO):
        info = read(files, INFO).decode()
        lines = re.findall(r"(?m)^([A-Za-z][A-Za-z0-9-]*)(: \S(?:.*\S)?\n)", info)
        expect("lines of a label and a value", info, "".join(map("".join, lines)))
        labels = [label for label, _ in lines]
        expect("labels, each once", sorted(set(labels)), sorted(labels))
        oxum = f"Payload-Oxum: {payload_bytes}.{len(payload)}"
        expect("Payload-Oxum", [oxum], re.findall("(?m)^Payload-Oxum:.*$", info))
    with at(DECLARATION):
        expect("text", BAGIT_TEXT, read(files, DECLARATION))


def check_manifest(files: Files, manifest: str, names: Iterable[str]) -> int:
    """Hold files to a manifest of just them; return how many bytes they have."""
    ordered = sorted(names)
    with at(manifest):
        *lines, rest = read(files, manifest).decode().split("\n")
        expect("files", ordered, [line[66:] for line in lines])
        expect("what follows the last line", "", rest)
    total = 0
    for number, (name, line) in enumerate(zip(ordered, lines, strict=True), 1):
        digest = hashlib.sha256()
        for block in blocks(files, name):
            digest.update(block)
            total += len(block)
        with at(manifest, number):
            expect(f"SHA-256 of {name}", f"{digest.hexdigest()}  {name}", line)
    return total


# ---- check 13: age -------------------------------------------------------------------------------


class Reach(NamedTuple):
    """Up to where a bundle is complete."""

    position: int
    recorded_at: str
    """When the event at the end was recorded; of a stream, the event that seals."""
    is_newest: bool
    """Whether that event is the newest under the checkpoint."""
    file: str

    def sentence(self, size: int) -> str:
        """Return it in words."""
        newer = size - self.position
        events = "1 event" if newer == 1 else f"{newer} events"
        return (
            f"complete up to position {self.position}, recorded at {self.recorded_at}; "
            f"the checkpoint is {events} newer"
        )


def reach_of(walk: Walk, seal: Event | None) -> Reach:
    """Return how far a bundle reaches: a stream to what its seal is about, others to their end."""
    size = walk.view.size
    if seal is None:
        end, is_newest = walk.position, walk.position == size
        return Reach(end, walk.recorded_at.decode().strip('"'), is_newest, SCOPE)
    at = seal.recorded_at.decode().strip('"')
    return Reach(seal.data["as_of"], at, seal.position == size, SEAL)


class AgeBound(NamedTuple):
    """How many seconds before its checkpoint a bundle may end, and what time it is."""

    seconds: int
    now: float


def check_13_age(reach: Reach, cosigned: Iterable[int], bound: AgeBound | None) -> None:
    """The checkpoint was made at most so many seconds after the end of the bundle was recorded.

    When it was made, no line of it says. It was there when the last witness cosigned it, and it is
    there now: the earlier of the two is counted, so that the age may come out too great, and never
    too small.
    """
    if bound is None or reach.is_newest:
        return
    latest = min([bound.now, *sorted(cosigned)[-1:]])
    age = int(latest - datetime.fromisoformat(reach.recorded_at).timestamp())
    if age > bound.seconds:
        expected = f"at most {span_of(bound.seconds)} before the checkpoint"
        raise Fault("age of the end of the bundle", expected, span_of(age), reach.file)


# ---- the whole -----------------------------------------------------------------------------------


def unsigned_of(scope: Scope, note: bytes, keys: Sequence[Key]) -> list[str]:
    """Return by name what a bundle says that no signature covers."""
    found = [
        f"{INFO}, but for Payload-Oxum",
        "data/report.html",
        "data/verify_bundle.py",
        f"{SCOPE}: requested_at, requested_by",
    ]
    if scope.withheld:
        found.append(f"{SCOPE}: each reason in withheld")
    if scope.kind != "full":
        found.append(f"{KEYS}: from and until which size a key counts")
    known = {(key.name, key.key_id) for key in keys if key.kind in (LOG_KEY, WITNESS_KEY)}
    for line in dict.fromkeys(note.decode().rpartition("\n\n")[2].splitlines()):
        _, name, encoded = line.split(" ", 2)
        if (name, unbase64(encoded)[:4]) not in known:
            found.append(f"{CHECKPOINT}: the line of {name}, by no key given and checked")
    return found


def verify(
    path: Path,
    policies: Sequence[bytes],
    jobs: int,
    bound: AgeBound | None = None,
    window: Window = ANY_TIME,
) -> dict[str, Json]:
    """Return what a bundle was found to be; the first Fault that is met refuses it."""
    files = files_of(path)
    if SCOPE not in files:
        raise Fault("file of a bundle", True, False, SCOPE)
    scope = read_scope(files)
    check_01_files(files, scope)
    spans = read_keys(files)
    note = read(files, CHECKPOINT)
    every_signed = [check_02_checkpoint(note, policy, spans, window) for policy in policies]
    signed = every_signed[0]
    first = 1 if scope.kind == "full" else scope.positions[0]
    view = View(signed.origin, signed.size, signed.root, scope.kind, first, scope.stream)
    walk = walked(files, view, jobs)  # checks 3 to 6
    erased = erased_by(walk)
    check_07_keys(walk, spans)
    check_08_bodies(walk, scope, erased)
    missing = check_09_scope(walk, scope, erased)
    if scope.kind == "full":
        check_10_root(walk)
    seal = None
    if scope.kind == "stream":
        seal = check_11_stream_seal(walk, read(files, SEAL))
    check_12_manifests(files)
    manifest = read(files, MANIFEST)
    reach = reach_of(walk, seal)
    cosigned = dict(chain.from_iterable(one.cosigned.items() for one in every_signed))
    check_13_age(reach, cosigned.values(), bound)
    keys = list(chain.from_iterable(parse_policy(policy)[0] for policy in policies))
    counts = {type_.decode(): number for type_, number in walk.counts.items()}
    return {
        "verified": True,
        "kind": scope.kind,
        "ledger": signed.origin,
        "stream": scope.stream,
        "positions": scope.positions,
        "events": walk.counts.total(),
        "erased, stated": missing.stated,
        "counts": counts,
        "erased, proven": missing.proven,
        "withheld": missing.withheld,
        "types only hashed and counted": [
            type_ for type_ in counts if type_.encode() not in READ_TYPES
        ],
        "cosigned at": {name: utc(seconds) for name, seconds in cosigned.items()},
        "witnesses not checked here": sorted({w for one in every_signed for w in one.unchecked}),
        "size": signed.size,
        "root": signed.root.hex(),
        "signed by": sorted({signer for one in every_signed for signer in one.signers}),
        "complete": reach.sentence(signed.size),
        "complete up to": reach.position,
        "recorded at": reach.recorded_at,
        "events newer": signed.size - reach.position,
        "callers believed up to": walk.believed_up_to(),
        "manifest": hashlib.sha256(manifest).hexdigest(),
        "not signed": unsigned_of(scope, note, keys),
    }


# ---- the command line ----------------------------------------------------------------------------


def arguments_of(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description="Verify an export bundle of a decision ledger.")
    parser.add_argument("bundle", type=Path, help="its folder, or an uncompressed tar of it")
    parser.add_argument(
        "--vkey", action="append", default=[], help="a key of the ledger; repeatable"
    )
    parser.add_argument(
        "--witness", action="append", default=[], help="a key of a witness; repeatable"
    )
    parser.add_argument("--quorum", default="all", help="how many of the witnesses")
    parser.add_argument(
        "--witness-policy", type=Path, help="tlog-policy file, in place of --witness"
    )
    parser.add_argument(
        "--max-seal-age",
        type=seconds_of,
        metavar="SPAN",
        help="refuse a bundle whose end lies longer before its checkpoint, as 28d or 12h",
    )
    parser.add_argument(
        "--max-age",
        type=seconds_of,
        metavar="SPAN",
        help="how old a cosignature may be to count, as 7d; else any age",
    )
    parser.add_argument(
        "--max-future",
        type=seconds_of,
        metavar="SPAN",
        default="5m",
        help="how far ahead of this machine's clock it may be; 5m",
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    return parser.parse_args(arguments)


def window_of(now: int, max_age: int | None, max_future: int) -> Window:
    """Return the times at which a cosignature counts, by a clock that says `now`."""
    return Window(SECONDS_MIN if max_age is None else now - max_age, now + max_future)


UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
is_span = re.compile("".join(f"(?:([0-9]{{1,11}}){unit})?" for unit in UNITS)).fullmatch


def seconds_of(text: str) -> int:
    """Return the seconds of a span such as 28d or 1h30m."""
    match = is_span(text)
    if match is None or not text:
        raise argparse.ArgumentTypeError(f"{text!r} is not a span of time such as 28d, 12h or 30m")
    counts = zip(match.groups(), UNITS.values(), strict=True)
    return sum(int(count or 0) * size for count, size in counts)


def span_of(seconds: int) -> str:
    """Return a span in days, hours, minutes and seconds."""
    parts = []
    for unit in "dhms":
        count, seconds = divmod(seconds, UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def policies_of(options: argparse.Namespace) -> list[bytes]:
    """Return the policies that the command line states, each of which has to hold."""
    policies = []
    if options.witness_policy is not None:
        with options.witness_policy.open("rb") as file:
            policies.append(file.read(NOTE_BYTES_MAX + 1))  # more than that is refused below
    if options.vkey or options.witness or not policies:
        lines = [f"log {vkey}" for vkey in options.vkey]
        names = [f"w{number}" for number in range(len(options.witness))]
        for name, vkey in zip(names, options.witness, strict=True):
            lines.append(f"witness {name} {vkey}")
        if names or options.quorum != "all":  # of no witness, no number can be asked for
            lines += [f"group g {options.quorum} {' '.join(names)}", "quorum g"]
        else:
            lines.append("quorum none")
        policies.append("\n".join(lines).encode("utf-8", "surrogateescape"))
    for policy in policies:
        keys, _ = parse_policy(policy)
        if not any(key.kind == LOG_KEY for key in keys):
            raise ValueError("needs a key of the ledger: --vkey, or a policy with a `log` line")
    if not options.bundle.exists():
        raise ValueError("needs a bundle that exists")
    return policies


def main(arguments: Sequence[str]) -> int:
    """Verify the bundle that the arguments name, and return the exit code."""
    try:
        options = arguments_of(arguments)
    except SystemExit as stop:
        return int(bool(stop.code))
    try:
        policies = policies_of(options)
    except (ValueError, OSError, Fault) as error:
        print(f"misuse: {error}", file=sys.stderr)
        return 1
    started = time.perf_counter()
    try:
        jobs = max(1, options.jobs)
        seconds = options.max_seal_age
        now = time.time()  # noqa: TID251 - nothing is injected into a program of one file
        bound = None if seconds is None else AgeBound(seconds, now)
        window = window_of(int(now), options.max_age, options.max_future)
        report = verify(options.bundle, policies, jobs, bound, window)
        report["seconds"] = round(time.perf_counter() - started, 3)
    except (Fault, ValueError, OSError, MemoryError, RuntimeError) as error:
        labels = ("what", "expected", "found", "file", "line", "position")
        fault = error if isinstance(error, Fault) else Fault(f"{type(error).__name__}: {error}")
        told = zip(labels, fault.args, strict=False)
        report = {"verified": False, **{name: shown(value) for name, value in told}}
        print(f"not verified: {fault}", file=sys.stderr)
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        print("\n".join(f"{key}: {inert(value)}" for key, value in report.items()))
    return 0 if report["verified"] else 4


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
