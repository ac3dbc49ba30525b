#!/usr/bin/env python3
"""Verify an export bundle of a decision ledger, with Python's standard library alone.

    python3 verify_bundle.py BUNDLE --vkey VKEY [--witness VKEY … --quorum K | --policy FILE]

BUNDLE is the folder, or a plain tar of it. Obtain the keys and this very file from elsewhere than
the bundle: a forger ships his own. Exit code 0: all of it holds; 4: it does not, and one line says
where; 1: misuse, hence no verdict. Written from the specification `decision-ledger/1` alone: every
check of its section "Export bundle". Whether a decision follows from its inputs, a replay says.
Memory grows with streams, key events, seals and erasures, not with events.
Ed25519 is RFC 8032 without the cofactor, as in OpenSSL: R is compared as bytes, S must be below the
group's order. A public key must be canonical and of prime order; honest ones are.

By hand, for one event, with sha256sum and openssl: its hash is SHA-256 of a zero byte and the text
after `"header":` up to `,"salt"`; its body_hash is that of a byte 2, the salt's 16 bytes and the
text between `{"body":` and `,"hash"`. The checkpoint's signed text ends with the line feed before
the empty line; the signature is the last word of the dashed line, from base64, without 4 bytes.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import sys
import tarfile
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

MAX = 2**53 - 1
BATCH = 1_000  # lines that are checked at once
LINE_MAX = 64 << 20  # no honest line is longer, and a file without line feeds must not fill memory
EVENTS, PROOFS, SEAL = "data/events.jsonl", "data/proofs.jsonl", "data/seal.json"
CHECKPOINT, KEYS, SCOPE = "data/checkpoint", "data/keys.json", "data/scope.json"
MANIFEST, TAGS, SELF = "manifest-sha256.txt", "tagmanifest-sha256.txt", "data/verify_bundle.py"
TAGGED = {"bag-info.txt", "bagit.txt", MANIFEST}
ALWAYS = TAGGED | {TAGS, EVENTS, CHECKPOINT, KEYS, SCOPE, SELF, "data/report.html"}
BAGIT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
ONLY = {"full": set[str](), "range": {PROOFS}, "stream": {PROOFS, SEAL}}
Json: TypeAlias = Any  # what a JSON text stands for; looked at before it is used
Peaks: TypeAlias = list[tuple[int, bytes]]  # height and root of complete subtrees
Files: TypeAlias = dict[str, Callable[[], Any]]
class Fault(Exception):  # what does not hold, expected, found; then file, line, position
    def __str__(self) -> str:  # one line; a bundle's own words are escaped and cut short
        what, expected, found, file, line, position = [*self.args, *[None] * 5][:6]
        place = [file, line and f"line {line}", position and f"position {position}"]
        told = f"{', '.join(filter(None, place))}: {shown(what)}"
        told += "" if expected is None else f": expected {shown(expected)}"
        return told + ("" if found is None else f", found {shown(found)}")
def shown(value: object) -> str:  # printable, and of at most 160 characters
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    text = text[:200].encode("unicode_escape").decode()
    return text if len(text) <= 160 else f"{text[:157]}..."
@contextmanager
def at(*place: str | int | None) -> Iterator[list[str | int | None]]:
    here = list(place)  # may be moved within; goes with whatever fails and has no place yet
    try: yield here
    except (Fault, ValueError, TypeError, LookupError) as error:
        args = error.args if isinstance(error, Fault) else (str(error),)
        raise Fault(*(args if len(args) > 3 else (*args, None, None)[:3] + tuple(here))) from None
def expect(what: str, expected: object, found: object) -> None:  # refuse what is not as expected
    if expected != found: raise Fault(what, expected, found)

# Ed25519 (RFC 8032, 5.1), points in extended homogeneous coordinates.
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point: TypeAlias = tuple[int, int, int, int]
NEUTRAL: Point = (0, 1, 1, 0)
def add(p: Point, q: Point) -> Point:  # the sum of two points
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)
def combination(s: int, p: Point, t: int, q: Point) -> Point:  # s·p + t·q, bit by bit
    table, total = (None, p, q, add(p, q)), NEUTRAL
    for bit in range(max(s, t).bit_length() - 1, -1, -1):
        total = add(total, total)
        if term := table[(s >> bit & 1) | (t >> bit & 1) << 1]: total = add(total, term)
    return total
def decompress(data: bytes) -> Point | None:  # None if these bytes encode none
    sign, y = data[31] >> 7, int.from_bytes(data, "little") & ((1 << 255) - 1)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square: x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or x * x % P != square or (x == 0 and sign): return None
    x = P - x if x & 1 != sign else x
    return (x, y, 1, x * y % P)
def compress(p: Point) -> bytes:  # the 32 bytes that encode a point
    x, y = (p[i] * pow(p[2], -1, P) % P for i in (0, 1))
    return (y | (x & 1) << 255).to_bytes(32, "little")
BASE = decompress((4 * pow(5, -1, P) % P).to_bytes(32, "little")) or NEUTRAL
def ed25519_verify(public: bytes, signature: bytes, message: bytes) -> bool:  # strictly
    if len(public) != 32 or len(signature) != 64: return False
    key, s = decompress(public), int.from_bytes(signature[32:], "little")
    if key is None or s >= L or key[0] == 0: return False
    if compress(combination(L, key, 0, NEUTRAL))[0] != 1: return False  # not the neutral element
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    return compress(combination(s, BASE, L - h, key)) == signature[:32]

# Keys, signed notes, checkpoints, cosignatures and policies (C2SP); ValueError where they are none.
class Key(NamedTuple):  # a verifier key, of a log (kind 1) or of a witness (kind 4)
    name: str; key_id: bytes; kind: int; public: bytes; text: str
NUMBERS = [str(number) for number in range(1, 1_000)]
is_name = re.compile(r"[^\s+]+").fullmatch
def unbase64(text: str) -> bytes:  # the one way to write it
    data = base64.b64decode(text.encode("ascii"), validate=True)
    expect("base64", base64.b64encode(data).decode(), text)
    return data
def parse_vkey(text: str, kind: int) -> Key:  # the key that a verifier key text describes
    name, id_text, encoded = [*text.split("+", 2), "", ""][:3]
    data = unbase64(encoded)
    key_id = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    if not is_name(name) or len(data) != 33 or data[0] != kind or key_id.hex() != id_text:
        raise ValueError(f"no verifier key of type {kind} with its own id: {text}")
    return Key(name, key_id, data[0], data[1:], text)
def open_note(note: bytes, keys: Iterable[Key]) -> tuple[bytes, dict[Key, int]]:
    # The text, and by whose keys it is signed, with a witness's seconds (a log's: 0). A signature
    # by a key that is not given is nobody's; one by a key that is must be genuine.
    body, found, lines = note.rpartition(b"\n\n")
    if not found or lines[-1:] != b"\n" or any(c < " " and c != "\n" for c in note.decode()):
        raise ValueError("no signed note: an empty line, a last line feed, no control characters")
    text, verified = body + b"\n", dict[Key, int]()
    known = {(key.name, key.key_id): key for key in keys}
    for number, line in enumerate(lines.decode()[:-1].split("\n")):
        dash, name, encoded = [*line.split(" ", 2), "", ""][:3]
        blob = unbase64(encoded)
        if dash != "\N{EM DASH}" or not is_name(name) or len(blob) < 5 or number >= 100:
            raise ValueError(f"no signature line, or more than 100 of them: {line}")
        key, seconds, message = known.get((name, blob[:4])), 0, text
        if key is None or key in verified: continue
        if key.kind == 4:
            seconds = int.from_bytes(blob[4:12], "big")
            message = b"cosignature/v1\ntime %d\n" % seconds + text
        signature = blob[4:] if key.kind == 1 else blob[12:]
        if seconds >> 63 or not ed25519_verify(key.public, signature, message):
            raise Fault(f"signature by {name}+{key.key_id.hex()}", "a genuine one", line)
        verified[key] = seconds
    return text, verified
def parse_checkpoint(text: bytes) -> tuple[str, int, bytes]:  # origin, size and root
    match = re.fullmatch(f"({ORIGIN})\n(0|{COUNT})\n([^=]{{43}}=)\n", text.decode())
    if match is None or len(match[1]) > 255: raise ValueError("no origin, size and root")
    return match[1], int(match[2]), unbase64(match[3])
def parse_policy(text: bytes, present: Iterable[Key] = ()) -> tuple[list[Key], bool]:
    # The keys of a tlog-policy, and whether these cosigners satisfy its quorum.
    keys, met, grouped, quorum = list[Key](), {"none": True}, set[str](), list[bool]()
    if re.search(rb"[^\t\n\x20-\x7e\x80-\xff]", text): raise ValueError("a control character")
    for line in text.decode("utf-8", "surrogateescape").split("\n"):
        match [""] if line.startswith("#") else re.split("[ \t]+", line.strip(" \t")):
            case [""]: pass
            case ["log", vkey] | ["log", vkey, _]: keys.append(parse_vkey(vkey, 1))
            case ["witness", name, vkey] | ["witness", name, vkey, _] if name not in met:
                keys.append(parse_vkey(vkey, 4))
                met[name] = keys[-1] in present
            case ["group", name, least, *names] if name not in met and "none" not in names:
                least = {"any": "1", "all": str(len(names))}.get(least, least)
                is_new = len(grouped | set(names)) == len(grouped) + len(names)
                if not is_new or not met.keys() >= set(names) or least not in NUMBERS[: len(names)]:
                    raise ValueError(f"a group that counts, or names, what it cannot: {line}")
                grouped |= set(names)
                met[name] = sum(met[member] for member in names) >= int(least)
            case ["quorum", name] if name in met and not quorum: quorum.append(met[name])
            case _: raise ValueError(f"a line that cannot be read here: {line}")
    expect("different keys, quorums", [len(keys), 1], [len({k.public for k in keys}), len(quorum)])
    return keys, quorum[0]

# Merkle tree (RFC 6962).
def node(left: bytes, right: bytes) -> bytes:  # the hash of an interior node
    return hashlib.sha256(b"\x01" + left + right).digest()
def push(peaks: Peaks, leaf: bytes) -> None:  # a leaf hash, on the right
    height = 0
    while peaks and peaks[-1][0] == height: leaf, height = node(peaks.pop()[1], leaf), height + 1
    peaks.append((height, leaf))
def root_of(peaks: Peaks) -> bytes:  # the root over complete subtrees
    root = peaks[-1][1] if peaks else hashlib.sha256().digest()
    for _, left in peaks[-2::-1]: root = node(left, root)
    return root
def check_inclusion(index: int, size: int, leaf: str, proof: list[str], root: bytes) -> None:
    path = list(map(bytes.fromhex, [leaf, *proof]))
    if index >= size or climbed(index, size, path[0], path[1:]) != root:
        raise Fault("inclusion proof", f"a path to the root {root.hex()}", "another")
def climbed(index: int, size: int, leaf: bytes, proof: list[bytes]) -> bytes:  # RFC 9162, 2.1.3
    if size == 1 or not proof:
        expect("length of the proof", (1, 0), (size, len(proof)))
        return leaf
    half, last = 1 << (size - 1).bit_length() - 1, proof.pop()
    if index < half: return node(climbed(index, half, leaf, proof), last)
    return node(last, climbed(index - half, size - half, leaf, proof))

# Canonical JSON (RFC 8785). What the format does not have is read as something written otherwise:
# a float or long integer as text, a key beyond ASCII as a list. All else comes out otherwise.
def integer(text: str) -> int | str:  # an integer of the domain; of any other the text
    return int(text) if len(text) < 16 or (len(text) < 18 and abs(int(text)) <= MAX) else text
exact: Json = {"parse_float": str, "parse_constant": str, "parse_int": integer}
quick = json.JSONDecoder(**exact).decode
exact["object_pairs_hook"] = lambda ps: dict(ps) if all(key.isascii() for key, _ in ps) else ps
thorough = json.JSONDecoder(**exact).decode
form: Json = {"ensure_ascii": False, "sort_keys": True, "check_circular": False}
canonical = json.JSONEncoder(**form, separators=(",", ":")).encode
def parse(data: bytes) -> Json:  # Fault, ValueError if it is none
    text = data.decode()
    try: again = canonical(value := (quick if data.isascii() else thorough)(text))
    except RecursionError: raise ValueError("JSON that is nested too deeply") from None
    if again != text:
        cut = len(os.path.commonprefix([text, again]))  # noqa: RUF071
        raise Fault(f"canonical JSON, from {cut}", again[cut : cut + 20], text[cut : cut + 20])
    return value

# Since a value has one canonical text, the grammar of each member is a pattern of that text.
SEGMENT = "[a-z0-9][a-z0-9._-]{0,127}"
ORIGIN = f"{SEGMENT}(?:/{SEGMENT})*"
HASH, COUNT, ANY, TEXT = '"[0-9a-f]{64}"', "[1-9][0-9]{0,15}", r"\{.*\}", '".*"'
TIME = r'"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"'
STREAM, ACTOR = f'"(?:ledger|[a-z][a-z_]*/{SEGMENT})"', f'"(?:users|services|system)/{SEGMENT}"'
SPAN, PROOF = rf"\[{COUNT},{COUNT}\]", rf"\[(?:{HASH}(?:,{HASH})*)?\]"
SPANS, SALT = rf"\[{SPAN}(?:,{SPAN})*\]", 'null|"[0-9a-f]{32}"'
TYPE = r'"[a-z][a-z_]*(?:\.[a-z][a-z_]*)+\.v[1-9][0-9]*"'
SHAPES = {
    line.split()[0]: dict(member.split("=", 1) for member in line.split()[1:])
    for line in rf"""
line body=null|{ANY} hash={HASH} header={ANY} salt={SALT}
header body_hash={HASH} ledger="{ORIGIN}" position={COUNT} prev_hash={HASH} recorded_at={TIME} \
stream={STREAM} stream_version={COUNT} type={TYPE}
body actor={ACTOR} causation_position=null|{COUNT} data={ANY} \
request_id=null|"[A-Za-z0-9._:-]{{1,128}}" run_id=null|"runs/{SEGMENT}"
proof inclusion={PROOF} position={COUNT}
seal event={ANY} inclusion={PROOF} record={ANY} record_inclusion={PROOF} record_index=0|{COUNT}
key from_position={COUNT} until_position=null|{COUNT} vkey={TEXT}
withheld positions={SPANS} reason=".+"
scope counts={ANY} first_position={COUNT} format="decision-ledger/1" \
kind="(?:full|range|stream)" last_position={COUNT} requested_at={TIME} requested_by={ACTOR} \
stream=null|{STREAM} withheld=\[.*\]
ledger.created.v1 created_at={TIME} format={TEXT} origin={TEXT} vkey={TEXT}
ledger.configured.v2 clock={TEXT} next_key_digest={HASH} skew_seconds=0|{COUNT}
ledger.configured.v3 clock={TEXT} leap_seconds=0|{COUNT} next_key_digest={HASH} \
skew_seconds=0|{COUNT} unit_of_cost=null|{TEXT}
key.committed.v1 next_key_digest={HASH}
key.rotated.v1 from_position={COUNT} previous_until_position={COUNT} vkey={TEXT}
key.revoked.v1 from_position={COUNT} reason={TEXT} vkey={TEXT}
streams.sealed.v1 as_of={COUNT} root={HASH} streams={COUNT}
body.erased.v1 authority={TEXT} ground={TEXT} positions={SPANS}
""".replace("\\\n", "").splitlines()[1:]
}
READ = {name.encode() for name in SHAPES if "." in name}  # neither erased nor withheld
def check_shape(value: Json, what: str) -> Json:  # refuse all but its members and their patterns
    shape = SHAPES[what]
    if not isinstance(value, dict) or value.keys() != shape.keys():
        raise Fault(f"members of {what}", sorted(shape), canonical(value))
    for key, pattern in shape.items():
        text = canonical(value[key])
        if not re.fullmatch(pattern, text, re.DOTALL) or (pattern == TIME and not is_time(text)):
            raise Fault(f"{key} of {what}", pattern, text)
    return value
@lru_cache(maxsize=4096)
def is_time(text: str | bytes) -> bool:  # whether the calendar has it
    try: return datetime.fromisoformat(str(text).strip("b'\"")) is not None
    except ValueError: return False

# One event, and a batch of them: what another process can do.
class View(NamedTuple):  # what is known before the events are read
    origin: str; size: int; root: bytes; kind: str; first: int; stream: str | None
class Event(NamedTuple):  # one that is right in itself; its data only where it is read here
    position: int; hash: bytes; prev_hash: bytes; recorded_at: bytes; stream: bytes
    version: int; type: bytes; has_body: bool; data: Json
def pattern_of(name: str) -> str:  # of an object's text; each member is a group
    return r"\{" + ",".join(f'"{key}":({rule})' for key, rule in SHAPES[name].items()) + r"\}"
REST = f',"hash":({HASH}),"header":({pattern_of("header")}),"salt":({SALT})' + r"\}"
is_rest = re.compile(REST.encode()).fullmatch
is_body = re.compile(pattern_of("body").encode(), re.DOTALL).fullmatch
def hashed(*parts: bytes) -> bytes:  # SHA-256 as a text of JSON
    return b'"%s"' % hashlib.sha256(b"".join(parts)).hexdigest().encode()

def read_event(line: bytes, origin: str) -> Event:
    # What follows the body can be written in one way, so one pattern says whether it is; of a line
    # that the pattern does not fit, the parts are looked at to say what is wrong.
    cut = line.rfind(b',"hash":"')
    match = is_rest(line, cut) if cut > 0 and line.startswith(b'{"body":') else None
    if match is None or not is_time(match[7]):
        check_shape(check_shape(parse(line), "line")["header"], "header")
        raise Fault("the form of an event's line")
    hash_, header, body_hash, ledger, number, prev, when, stream, version, *rest = match.groups()
    position, body, salt, kind, data = int(number), line[8:cut], rest[1], rest[0][1:-1], None
    expect("ledger", origin.encode(), ledger[1:-1])
    expect("hash, from the header", hashed(b"\0", header), hash_)
    if (body == b"null") != (salt == b"null"):
        raise Fault("body and salt", "null together", "one of them null")
    if body != b"null":
        value = parse(body)
        if not is_body(body) or len(value) != 5: check_shape(value, "body")
        if (value["causation_position"] or 0) >= position:
            raise Fault("causation_position", f"below {position}", value["causation_position"])
        salted = hashed(b"\2", bytes.fromhex(salt[1:-1].decode()), body)
        expect("body_hash, from salt and body", salted, body_hash)
        data = check_shape(value["data"], kind.decode()) if kind in READ else None
    elif kind in READ: raise Fault("body", f"there, as in every {kind.decode()}", "null")
    fields = position, hash_[1:-1], prev[1:-1], when, stream[1:-1], int(version), kind
    return Event(*fields, body != b"null", data)
Batch: TypeAlias = tuple[int, list[tuple[bytes, ...]]]  # number of the first line; lines
Checked: TypeAlias = tuple[int, list[tuple[Any, ...]], Fault | None]  # plain tuples travel fast
def check_batch(view: View, batch: Batch) -> Checked:  # the events up to the first fault
    events: list[tuple[Any, ...]] = []
    try:
        with at(EVENTS) as here:
            for line, (text, *proofs) in enumerate(batch[1], batch[0]):
                expected = None if view.kind == "stream" else view.first + line - 1
                here[:] = EVENTS, line, expected
                event = read_event(content(text), view.origin)
                expect(f"position, by {SCOPE}", expected or event.position, event.position)
                for proof in proofs:
                    here[:] = PROOFS, line, event.position
                    told = check_shape(parse(content(proof)), "proof")
                    expect("position", event.position, told["position"])
                    leaf, path = event.hash.decode(), told["inclusion"]
                    check_inclusion(event.position - 1, view.size, leaf, path, view.root)
                events.append(tuple(event))
    except Fault as fault: return batch[0], events, fault
    return batch[0], events, None
def content(line: bytes) -> bytes:  # what a line holds
    expect("end of the line", b"\n", line[-1:])
    return line[:-1]
def batches(files: Files, view: View) -> Iterator[Batch]:  # as they lie there
    with ExitStack() as stack:
        names = [EVENTS] if view.kind == "full" else [EVENTS, PROOFS]
        opened = [stack.enter_context(files[name]()) for name in names]
        lines = [iter(partial(file.readline, LINE_MAX), b"") for file in opened]
        pairs, number = zip_longest(*lines, fillvalue=b""), 1
        while batch := list(islice(pairs, BATCH)):
            yield number, batch
            number += len(batch)
def checked(files: Files, view: View, jobs: int) -> Iterator[Checked]:  # in order
    source, check = batches(files, view), partial(check_batch, view)
    head = list(islice(source, 4))
    if jobs == 1 or len(head) < 4:
        yield from map(check, chain(head, source))
        return
    waiting: deque[Future[Checked]] = deque()
    with ProcessPoolExecutor(jobs) as pool:
        for batch in chain(head, source):
            waiting.append(pool.submit(check, batch))
            if len(waiting) > 3 * jobs: yield waiting.popleft().result()
        yield from (future.result() for future in waiting)

# The events together.
class Walk:  # what is known of the events so far, and whether the next one fits
    def __init__(self, view: View, marks: set[int], withheld: list[int]) -> None:
        self._view, self._marks, self._withheld = view, marks, withheld
        self._hash, self._time = b"0" * 64, b""
        self.first = self.position = self.listed = 0
        self.heads: dict[bytes, tuple[int, bytes]] = {}  # of each stream: version and hash
        self.counts, self.peaks = Counter[bytes](), Peaks()
        self.unlisted: list[int] = []  # positions of null bodies that scope.json says nothing of
        self.told: list[tuple[int, Event]] = []  # line and event, of those that are read here
        self._seals: dict[int, Json] = {}  # what a seal as of each mark has to say
    def take(self, line: int, event: tuple[Any, ...]) -> None:  # go on by one event
        position, hash_, prev, when, stream, version, kind, has_body, data = event
        if position == 1: expect("type", b"ledger.created.v1", kind)
        if position == self.position + 1: expect("prev_hash", self._hash, prev)
        elif position <= self.position: raise Fault("position", f"above {self.position}", position)
        if when < self._time: raise Fault("recorded_at", f"not before {self._time!r}", when)
        if stream in self.heads or self._view.kind != "range" or self._view.first == 1:
            expect("stream_version", self.heads.get(stream, (0, b""))[0] + 1, version)
        expect(f"stream, by {SCOPE}", self._view.stream or stream.decode(), stream.decode())
        if self._withheld and bisect(self._withheld, position) & 1:
            expect(f"body, withheld by {SCOPE}", False, has_body)
            self.listed += 1
        elif not has_body: self.unlisted.append(position)
        self.first, self.position = self.first or position, position
        self._hash, self._time, self.heads[stream] = hash_, when, (version, hash_)
        self.counts[kind] += 1
        if self._view.kind == "full": push(self.peaks, bytes.fromhex(hash_.decode()))
        if kind == b"streams.sealed.v1":
            expect("as_of", min(data["as_of"], position - 1), data["as_of"])
            if self._view.kind == "full": expect("the seal", self._seals.get(data["as_of"]), data)
        elif data is not None: self.told.append((line, Event(*event)))
        if position in self._marks:
            peaks, mark = Peaks(), {"as_of": position, "streams": len(self.heads)}
            for name in sorted(self.heads): push(peaks, record_leaf(self.record(name)))
            self._seals[position] = {**mark, "root": root_of(peaks).hex()}
    def record(self, stream: bytes) -> dict[str, Json]:  # a stream's record as a seal holds it
        version, hash_ = self.heads.get(stream, (0, b""))
        return {"event_hash": hash_.decode(), "stream": stream.decode(), "stream_version": version}
def record_leaf(record: dict[str, Json]) -> bytes:  # the leaf hash of a sealed record
    return hashlib.sha256(b"\0" + canonical(record).encode()).digest()
def bounds(ranges: Iterable[Sequence[int]]) -> list[int]:  # odd bisection: within
    return [edge for first, last in ranges for edge in (first, last + 1)]
def walked(files: Files, view: View, withheld: list[int], jobs: int) -> Walk:  # all
    marks = set[int]()
    for text, *_ in chain.from_iterable(b for _, b in batches(files, view) if view.kind == "full"):
        if b'"type":"streams.sealed.v1"' in text:
            marks.update(map(int, re.findall(rb'"as_of":([0-9]{1,16}),', text)))
    walk = Walk(view, marks, withheld)
    with at(EVENTS) as here:
        for number, events, fault in checked(files, view, jobs):
            for line, event in enumerate(events, number):
                here[:] = EVENTS, line, event[0]
                walk.take(line, event)
            if fault is not None: raise fault
        expect("events", True, walk.position > 0)
    return walk

def check_told(walk: Walk, view: View, keys: Json, withheld: list[int]) -> set[int]:
    spans, committed, end, erased = list[Json](), "", dict[str, int](), set[int]()
    for line, event in walk.told:
        data, position = event.data, event.position
        with at(EVENTS, line, position):
            match event.type:
                case b"body.erased.v1":
                    for first, last in data["positions"]:
                        expect("range of earlier positions", True, first <= last < position)
                        erased.update(range(first, last + 1))
                case b"ledger.created.v1":
                    told = [position, data["format"], data["origin"]]
                    expect("position, format, origin", [1, "decision-ledger/1", view.origin], told)
                    spans.append((1, data["vkey"]))
                case b"key.rotated.v1":
                    start, until, vkey = data.values()
                    expect("from_position", min(max(start, position), until + 1), start)
                    if view.kind == "full":
                        digest = hashlib.sha256(vkey.encode()).hexdigest()
                        expect("digest of the next key, as committed before", committed, digest)
                        end[spans[-1][1]] = min(until, end.get(spans[-1][1], MAX))
                    spans, committed = [*spans, (start, vkey)], ""
                case b"key.revoked.v1":
                    end[data["vkey"]] = min(data["from_position"] - 1, end.get(data["vkey"], MAX))
                case _: committed = data["next_key_digest"]
    null, row = set(walk.unlisted), range(view.first, walk.position + 1)
    if view.kind == "stream": row = range(0)  # its positions have gaps of their own
    wrong = [p for p in erased - null if p in row and not bisect(withheld, p) & 1]
    for position in sorted([*wrong, *(null - erased)])[:1]:
        number, found = row.index(position) + 1 if position in row else None, position not in null
        raise Fault(f"body, by erasures and {SCOPE}", not found, found, EVENTS, number, position)
    with at(KEYS):
        told = [[start, until or MAX, key] for start, until, key in keys]
        counting = [[start, end.get(key, MAX), key] for start, key in spans]
        if view.kind == "full":
            expect("keys of the events", [span for span in counting if span[0] <= span[1]], told)
        for _, until, key in told: expect(f"end of {key}", min(until, end.get(key, MAX)), until)
    return erased
def check_seal(walk: Walk, view: View, seal: Json) -> None:  # of a stream bundle
    line = canonical(check_shape(seal, "seal")["event"]).encode()
    event, record = read_event(line, view.origin), walk.record(str(view.stream).encode())
    expect("type of the sealing event", b"streams.sealed.v1", event.type)
    leaf, proof = event.hash.decode(), seal["inclusion"]
    check_inclusion(event.position - 1, view.size, leaf, proof, view.root)
    expect("record", canonical(record), canonical(seal["record"]))
    as_of, root, leaves = event.data.values()
    expect("as_of", min(max(as_of, walk.position), event.position - 1), as_of)
    leaf, proof = record_leaf(record).hex(), seal["record_inclusion"]
    check_inclusion(seal["record_index"], leaves, leaf, proof, bytes.fromhex(root))

# The bundle's files.
def files_of(path: Path, stack: ExitStack) -> Files:  # how to open each
    if path.is_file(): return files_of_tar(path, stack.enter_context(path.open("rb")))
    files: Files = {}
    for folder in ("", "data/"):
        for entry in list(os.scandir(path / folder)) if (path / folder).is_dir() else ():
            is_file, is_folder = (f(follow_symlinks=False) for f in (entry.is_file, entry.is_dir))
            if is_file: files[folder + entry.name] = partial(open, entry.path, "rb")
            elif not is_folder or folder + entry.name != "data":
                raise Fault("kind of file", "a regular file", "another", folder + entry.name)
    return files
def files_of_tar(path: Path, raw: IO[bytes]) -> Files:  # nothing is extracted
    files: Files = {}
    try: items = (archive := tarfile.open(fileobj=raw, mode="r:")).getmembers()  # noqa: SIM115
    except (tarfile.TarError, OSError) as error: raise Fault(f"no plain tar: {error}") from None
    top = {item.name.partition("/")[0] for item in items}
    for item in items:
        name = item.name.removeprefix(f"{min(top)}/") if len(top) == 1 else item.name
        with at(f"{path.name}, {item.name}"):
            raw.seek(item.offset_data - 364)
            expect("checksum in the tar", b"%06o\0 " % item.chksum, raw.read(8))
            raw.seek(item.offset_data + item.size)
            expect("padding in the tar", bytes(-item.size % 512), raw.read(-item.size % 512))
            if item.isreg() and not item.issparse() and name not in files:
                files[name] = partial(archive.extractfile, item)
            elif not item.isdir() or name not in {"data", *top}:
                raise Fault("entry of the tar", "one regular file", "another")
    for block in iter(partial(raw.read, 1 << 20), b""):
        with at(path.name): expect("bytes after the last file", 0, len(block) - block.count(0))
    return files
def read(files: Files, name: str) -> bytes:  # a whole file
    with files[name]() as file: return file.read()  # type: ignore[no-any-return]
def check_bag(files: Files) -> None:  # hold every file to the manifests
    size = 0
    for manifest, names in ((TAGS, TAGGED), (MANIFEST, files.keys() - TAGGED - {TAGS})):
        lines = read(files, manifest).decode().split("\n")
        with at(manifest):
            expect("files", sorted(names), [line[66:] for line in lines[:-1]])
            expect("what follows the last line", "", lines[-1])
        for number, (name, line) in enumerate(zip(sorted(names), lines, strict=False), 1):
            with at(manifest, number), files[name]() as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
                expect(f"SHA-256 of {name}", f"{found}  {name}", line)
                size += file.seek(0, 2) if manifest == MANIFEST else 0
    with at("bag-info.txt"):
        info, oxum = read(files, "bag-info.txt").decode(), f"Payload-Oxum: {size}.{len(files) - 4}"
        expect("lines", info, "".join(re.findall(r"(?m)^[A-Za-z-]+: \S.*\n", info)))
        expect("Payload-Oxum", [oxum], re.findall("(?m)^Payload-Oxum:.*$", info))
    with at("bagit.txt"): expect("text", BAGIT, read(files, "bagit.txt"))
# The whole.
def verify(path: Path, policy: bytes, jobs: int) -> dict[str, Json]:  # or the first Fault
    with ExitStack() as stack:
        files = files_of(path, stack)
        with at(SCOPE):
            scope = check_shape(parse(read(files, SCOPE)), "scope")
            kind, stream, withheld = scope["kind"], scope["stream"], withheld_by(scope)
            expect("a stream, if it is of one", kind == "stream", stream is not None)
        for name in sorted((ALWAYS | ONLY[kind]) ^ files.keys()):
            raise Fault(f"file of a {kind} bundle", name not in files, name in files, name)
        with at(KEYS):
            spans = [list(check_shape(key, "key").values()) for key in parse(read(files, KEYS))]
        with at(CHECKPOINT):
            text, signed = open_note(read(files, CHECKPOINT), parse_policy(policy)[0])
            origin, size, root = parse_checkpoint(text)
            valid = {key for start, until, key in spans if start <= size <= (until or MAX)}
            signers = [key.text for key in signed if key.name == origin and key.text in valid]
            expect(f"signature by a key given, valid at {size} by {KEYS}", True, bool(signers))
            expect("quorum of cosignatures", True, parse_policy(policy, signed)[1])
        view = View(origin, size, root, kind, kind == "full" or scope["first_position"], stream)
        walk = walked(files, view, withheld, jobs)
        erased = check_told(walk, view, spans, withheld)
        with at(SCOPE):
            there = [1, size] if kind == "full" else [walk.first, walk.position]
            expect("positions", there, [scope["first_position"], scope["last_position"]])
            counts = {name.decode(): number for name, number in walk.counts.items()}
            expect("counts", canonical(counts), canonical(scope["counts"]))
            expect("positions withheld", sum(withheld[1::2]) - sum(withheld[::2]), walk.listed)
            stated = Counter[str]()
            for entry in scope["withheld"]:
                edges = bounds(entry["positions"])
                stated[entry["reason"]] += sum(edges[1::2]) - sum(edges[::2])
                stated[entry["reason"]] -= sum(bisect(edges, p) & 1 for p in erased)
            if kind == "full": expect("erasures that no event names", 0, stated["erased"])
        with at(CHECKPOINT):
            if kind == "full": expect("root of the events", root_of(walk.peaks).hex(), root.hex())
        with at(SEAL):
            if kind == "stream": check_seal(walk, view, parse(read(files, SEAL)))
        check_bag(files)
    told = {"verified": True, "kind": kind, "ledger": origin, "stream": stream, "positions": there}
    proven = len(walk.unlisted) + walk.listed - stated.total()
    told |= {"events": walk.counts.total(), "erased, stated": stated.pop("erased", 0)}
    told |= {"counts": counts, "erased, proven": proven, "withheld": stated}
    told |= {"types only hashed and counted": [k for k in counts if k.encode() not in READ]}
    told |= {"cosigned at": {key.name: when for key, when in signed.items() if key.kind == 4}}
    return {**told, "size": size, "root": root.hex(), "signed by": signers}
def withheld_by(scope: Json) -> list[int]:  # bounds of what is stated to be missing
    for entry in scope["withheld"]:
        edges = bounds(check_shape(entry, "withheld")["positions"])
        expect("positions in order and apart", sorted(set(edges)), edges)
    edges = bounds(sorted(pair for entry in scope["withheld"] for pair in entry["positions"]))
    expect("positions withheld once", sorted(edges), edges)
    return edges

def main(arguments: Sequence[str]) -> int:  # the exit code
    parser = argparse.ArgumentParser(description="Verify an export bundle of a decision ledger.")
    parser.add_argument("bundle", type=Path, help="its folder, or an uncompressed tar of it")
    for flag, says in (("--vkey", "a key of the ledger"), ("--witness", "a key of a witness")):
        parser.add_argument(flag, action="append", default=[], help=f"{says}; repeatable")
    parser.add_argument("--quorum", default="all", help="how many of the witnesses")
    parser.add_argument("--policy", type=Path, help="tlog-policy file, in place of --witness")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    try: options = parser.parse_args(arguments)
    except SystemExit as stop: return int(bool(stop.code))
    try:
        witnesses = [f"witness w{number} {vkey}" for number, vkey in enumerate(options.witness)]
        names = " ".join(f"w{number}" for number in range(len(witnesses)))
        least, none = options.quorum, "quorum none"  # without witnesses none may be asked for
        group = f"group g {least} {names}\nquorum g" if names or least != "all" else none
        text = options.policy.read_text("utf-8", "surrogateescape") if options.policy else group
        lines = [f"log {vkey}" for vkey in options.vkey] + witnesses + [text]
        policy = "\n".join(lines).encode("utf-8", "surrogateescape")
        if not any(key.kind == 1 for key in parse_policy(policy)[0]) or not options.bundle.exists():
            raise ValueError("needs a bundle that exists, and --vkey (or a policy with a log)")
    except (ValueError, OSError, Fault) as error:
        print(f"misuse: {error}", file=sys.stderr)
        return 1
    try:
        started = time.perf_counter()
        report = verify(options.bundle, policy, max(1, options.jobs))
        report["seconds"] = round(time.perf_counter() - started, 3)
    except (Fault, ValueError) as error:
        labels = ("what", "expected", "found", "file", "line", "position")
        told = zip(labels, error.args, strict=False)
        report = {"verified": False, **{name: shown(value) for name, value in told}}
        print(f"not verified: {error}", file=sys.stderr)
    text = "\n".join(f"{key}: {canonical(value)}" for key, value in report.items())
    print(json.dumps(report, indent=1) if options.json else text)
    return 0 if report["verified"] else 4
if __name__ == "__main__": sys.exit(main(sys.argv[1:]))
