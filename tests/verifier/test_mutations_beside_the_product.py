"""No value in a bundle is judged otherwise by the stand-alone verifier than by the product's.

Method: every member of every event, and of `scope.json`, `keys.json`, `seal.json` and a proof, gets
each of a set of other values in turn, or is left out. Then everything is made right again around
it: hashes, links, seals, the tree, the signature, the manifests. So nothing but the value itself is
left to refuse, and both verifiers must say the same. The texts of files are edited at random, too.
"""

import copy
import json
import random  # noqa: TID251 - always from a seed
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.keys import VerifierKey
from tests.support.chained import (
    Chained,
    canonical,
    log_key,
    remade,
    rotate,
    small_chained,
    witness_key,
)
from tests.verifier.both import Alone, Opened, compare
from tests.verifier.editing import PROOFS, SCOPE
from tests.verifier.writing import load_tool, write_bundle

TOOL = load_tool()
DEEP: Any = []
for _ in range(70):
    DEEP = [DEEP]
VALUES: tuple[Any, ...] = (
    None, True, 0, 1, 5, 13, -1, (1 << 53) - 1, 1 << 53, "", " ", "x", "0", "é", "ledger",
    "models/m0", "users/eve", "runs/r",
    "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00.000000Z",
    "2026-03-01T24:00:00.000000Z", "2100-02-29T00:00:00.000000Z", "ledger.created.v1",
    "ledger.configured.v1", "streams.sealed.v1", "body.erased.v1", "key.revoked.v1",
    "a." * 200 + "v1",
    "00" * 32, "00" * 16, log_key(1).vkey, log_key(5).vkey, [], {}, [[]], [1], [[1, 1]], [[3, 2]],
    [[3, 4]], ["0" * 64], {"x": 1}, DEEP,
)  # fmt: skip
SPANS: list[dict[str, Any]] = [
    {"from_position": 1, "until_position": 13, "vkey": log_key(1).vkey},
    {"from_position": 12, "until_position": None, "vkey": log_key(2).vkey},
]
KINDS: dict[str, dict[str, Any]] = {
    "full": {},
    "range": {"span": (1, 15)},
    "late range": {"span": (9, 15), "withheld": {10: "asked for"}},
    "stream": {"stream": "ledger", "seal": 14},
}


def many_events() -> Chained:
    """Return a ledger of 15 events, with an event of each type that is read."""
    ledger = small_chained()
    rotate(ledger, 13, log_key(2), log_key(3))
    ledger.seal()
    revoked = {"from_position": 14, "reason": "lost", "vkey": log_key(1).vkey}
    ledger.add("key.revoked.v1", revoked)
    return ledger


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    """Yield the path to every member and element."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))


def mutants(value: Any) -> Iterator[tuple[object, Any]]:  # noqa: ANN401 - JSON
    """Yield what was changed, and the value with that change."""
    for path in places(value):
        for other in (*VALUES, mutants):
            changed = copy.deepcopy(value)
            *parents, last = path
            inner = changed
            for key in parents:
                inner = inner[key]
            if other is mutants:
                del inner[last]
            elif inner[last] == other and type(inner[last]) is type(other):
                continue
            else:
                inner[last] = other
            yield (path, "left out" if other is mutants else other), changed


def verdict(alone: Alone, ledger: Chained, kind: str, folder: Path, what: object) -> bool | None:
    """Compare the verdicts on a bundle of a ledger; None where none can be written of it."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        write_bundle(folder, ledger, keys=SPANS, signers=[log_key(2)], **KINDS[kind])
    except (TypeError, KeyError, ValueError, AttributeError, IndexError):
        return None
    return compare(alone, Opened.of(folder), (kind, what), [log_key(2).vkey])


@pytest.fixture
def quick(alone: Alone, monkeypatch: pytest.MonkeyPatch) -> Alone:
    """The stand-alone verifier with OpenSSL's Ed25519, which the tests of its own compare it to."""

    def verify(public: bytes, signature: bytes, message: bytes) -> bool:
        key = VerifierKey("x", 1, public)
        return key.verifies(message, signature)

    monkeypatch.setattr(TOOL, "ed25519_verify", verify)
    return alone


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [61, pytest.param(5, marks=pytest.mark.slow)])
def test_a_value_of_an_event_in_a_ledger_that_is_signed_again(
    kind: str, step: int, tmp_path: Path, quick: Alone
) -> None:
    honest = many_events()
    assert verdict(quick, honest, kind, tmp_path / "honest", "honest")
    verdicts: Counter[bool | None] = Counter()
    number = 0
    for at, event in enumerate(honest.events):
        for what, changed in mutants({"body": event["body"], "header": event["header"]}):
            number += 1
            if number % step:
                continue
            ledger = copy.deepcopy(honest)
            ledger.events[at] |= changed
            try:
                remade(ledger, at)
            except (TypeError, KeyError, ValueError, AttributeError):
                verdicts[None] += 1
                continue
            verdicts[verdict(quick, ledger, kind, tmp_path / "changed", (at, what))] += 1
    assert verdicts[True] > 5
    assert verdicts[False] > 50


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_a_value_of_another_file(kind: str, step: int, tmp_path: Path, quick: Alone) -> None:
    ledger = many_events()
    write_bundle(tmp_path, ledger, keys=SPANS, signers=[log_key(2)], **KINDS[kind])
    bundle = Opened.of(tmp_path)
    vkeys = [log_key(2).vkey]
    for name in (SCOPE, "data/keys.json", "data/seal.json", PROOFS):
        if name not in bundle.files:
            continue
        text, rest = bundle.files[name], b""
        if name == PROOFS:
            line, rest = text.split(b"\n", 1)
            text, rest = line, b"\n" + rest
        for number, (what, changed) in enumerate(mutants(json.loads(text))):
            if number % step == 0:
                other = bundle.changed(name, canonical(changed) + rest)
                compare(quick, other, (kind, name, what), vkeys)


TOKENS = (
    *(bytes([one]) for one in b'",[]{}:01-.+=/A \n\r\t\0\xff'),
    b"null", b"true", b"1e3", b"  ", b"9007199254740993", b"\\u0041", b"\xed\xa0\x80",
    *(text.encode() for text in ("\x85", "\xa0", "\u2028", "\N{EM DASH} ")),
)  # fmt: skip
TAGS = ("bag-info.txt", "bagit.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt")


def edited(text: bytes, chance: random.Random) -> bytes:
    """Return a text with something put in, left out, doubled or replaced."""
    at, token = chance.randrange(len(text) + 1), chance.choice(TOKENS)
    until = min(len(text), at + chance.randrange(1, 60))
    lines = text.splitlines(keepends=True)
    line = chance.randrange(len(lines) or 1)
    return chance.choice(
        (
            text[:at] + token + text[at:],
            text[:at] + token + text[at + 1 :],
            text[:at] + text[at + 1 :],
            text[:until] + text[at:],
            b"".join(lines[:line] + lines[line + 1 :]),
            b"".join(lines[: line + 1] + lines[line:]),
        )
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [200, pytest.param(5_000, marks=pytest.mark.slow)])
def test_random_edits_of_the_text_of_any_file(
    kind: str, count: int, tmp_path: Path, quick: Alone
) -> None:
    chance = random.Random(count)
    signers = [log_key(1), log_key(2), witness_key(1)]
    write_bundle(tmp_path, many_events(), keys=SPANS, signers=signers, **KINDS[kind])
    bundle = Opened.of(tmp_path)
    vkeys = [log_key(2).vkey, log_key(1).vkey]
    policy = f"log {vkeys[0]}\nwitness w {witness_key(1).vkey}\nquorum w\n".encode()
    names = [name for name in bundle.files if not name.endswith((".py", ".html"))]
    for _ in range(count):
        name = chance.choice(names)
        text = bundle.files[name]
        for _ in range(chance.choice((1, 1, 2, 3))):
            text = edited(text, chance)
        changed = bundle.changed(name, text) if name not in TAGS else bundle.with_tag(name, text)
        compare(quick, changed, (kind, name, text), vkeys[: chance.choice((1, 2))], policy)
        compare(quick, changed, (kind, name, text), vkeys[:1])
