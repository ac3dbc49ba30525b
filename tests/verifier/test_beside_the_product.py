"""The stand-alone verifier and the product's accept and refuse the same, each written by itself.

Method: every edit of the other modules, and every byte of small bundles changed with the manifests
made right again, so that what a file *says* is judged and not its digest (of files whose lines are
alike every fifth byte; all in the slow run); both verifiers, called on the very same files, must
agree on the verdict; of events, this one blames no later a line.
"""

import json
from pathlib import Path

import pytest

from tests.support.chained import (
    Chained,
    canonical,
    line_of,
    rehash,
    relink,
)
from tests.verifier import test_edits, test_files, test_partial
from tests.verifier.both import Alone, Opened, compare
from tests.verifier.conftest import KINDS, write_kind
from tests.verifier.editing import EVENTS, PROOFS, SCOPE, lines_of, put_lines
from tests.verifier.writing import bag, write_bundle

# Files whose bytes are told as text in both verifiers; the other two are only hashed.
TEXTS = (EVENTS, PROOFS, SCOPE, "data/keys.json", "data/seal.json", "data/checkpoint")
ALIKE = (EVENTS, PROOFS)


@pytest.mark.parametrize("kind", KINDS)
def test_honest_bundles_are_accepted_by_both(
    kind: str, ledger: Chained, tmp_path: Path, alone: Alone
) -> None:
    assert compare(alone, Opened.of(write_kind(kind, ledger, tmp_path)), kind)


@pytest.mark.parametrize("name", test_edits.EDITS)
def test_edited_lines(name: str, ledger: Chained, tmp_path: Path, alone: Alone) -> None:
    write_bundle(tmp_path, ledger)
    lines = lines_of(tmp_path)
    test_edits.EDITS[name][0](lines)
    put_lines(tmp_path, lines)
    assert not compare(alone, Opened.of(tmp_path), name)


@pytest.mark.parametrize("name", test_edits.TEXTS)
def test_texts_that_are_not_canonical(
    name: str, ledger: Chained, tmp_path: Path, alone: Alone
) -> None:
    write_bundle(tmp_path, ledger)
    lines = (tmp_path / EVENTS).read_bytes().splitlines(keepends=True)
    lines[2] = test_edits.rehashed_text(test_edits.TEXTS[name](lines[2]))
    (tmp_path / EVENTS).write_bytes(b"".join(lines))
    assert not compare(alone, Opened.of(bag(tmp_path)), name)


@pytest.mark.parametrize("name", test_edits.scope_edits())
def test_scopes(name: str, ledger: Chained, tmp_path: Path, alone: Alone) -> None:
    write_bundle(tmp_path, ledger)
    value = json.loads((tmp_path / SCOPE).read_bytes())
    test_edits.scope_edits()[name](value)
    assert not compare(alone, Opened.of(tmp_path).changed(SCOPE, canonical(value)), name)


@pytest.mark.parametrize("name", test_files.MANIFESTS)
def test_manifests(name: str, ledger: Chained, tmp_path: Path, alone: Alone) -> None:
    bundle = Opened.of(write_bundle(tmp_path, ledger))
    text = bundle.files["tagmanifest-sha256.txt"].decode()
    changed = test_files.MANIFESTS[name](text).encode()
    other = Opened(bundle.files | {"tagmanifest-sha256.txt": changed})
    assert not compare(alone, other, name)


@pytest.mark.parametrize("name", test_partial.proof_edits())
def test_proofs(name: str, ledger: Chained, tmp_path: Path, alone: Alone) -> None:
    write_bundle(tmp_path, ledger, span=(6, 8))
    lines = lines_of(tmp_path, PROOFS)
    test_partial.proof_edits()[name][0](lines)
    content = b"".join(map(line_of, lines))
    assert not compare(alone, Opened.of(tmp_path).changed(PROOFS, content), name)


@pytest.mark.parametrize("name", test_partial.seal_edits())
def test_seals(name: str, ledger: Chained, tmp_path: Path, alone: Alone) -> None:
    write_bundle(tmp_path, ledger, stream="models/m1", seal=9)
    value = json.loads((tmp_path / "data/seal.json").read_bytes())
    test_partial.seal_edits()[name](value)
    bundle = Opened.of(tmp_path).changed("data/seal.json", canonical(value))
    assert not compare(alone, bundle, name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("mask", "step"),
    [(1, 5), *(pytest.param(mask, 1, marks=pytest.mark.slow) for mask in (1, 4))],
)
def test_every_byte_that_says_something_changed_in_a_consistent_bag(
    kind: str, mask: int, step: int, ledger: Chained, tmp_path: Path, alone: Alone
) -> None:
    bundle = Opened.of(write_kind(kind, ledger, tmp_path))
    accepted = []
    for name in TEXTS:
        content = bundle.files.get(name, b"")
        for at in range(0, len(content), step if name in ALIKE else 1):
            changed = content[:at] + bytes([content[at] ^ mask]) + content[at + 1 :]
            if compare(alone, bundle.changed(name, changed), (name, at)):
                accepted.append((name, at))
    # Unsigned: who asked for an export, when, and why bodies are withheld; all else is proven.
    text = bundle.files[SCOPE]
    for name, at in accepted:
        if name == SCOPE:
            key = text[:at].rpartition(b'":')[0].rpartition(b'"')[2]
            assert key in {b"requested_at", b"requested_by", b"reason"}, text[at - 20 : at + 20]
        else:
            assert (kind, name) != ("full", "data/keys.json")
            assert name == "data/keys.json", (name, at)


def test_events_that_are_rehashed_after_each_changed_byte_of_a_body(
    ledger: Chained, tmp_path: Path, alone: Alone
) -> None:
    # As an attacker with the database would: every hash of the line agrees with it.
    bundle = Opened.of(write_bundle(tmp_path, ledger))
    lines = bundle.files[EVENTS].splitlines(keepends=True)
    for at in range(8, lines[2].index(b',"hash":"')):
        line = lines[2][:at] + bytes([lines[2][at] ^ 1]) + lines[2][at + 1 :]
        content = b"".join([*lines[:2], test_edits.rehashed_text(line), *lines[3:]])
        assert not compare(alone, bundle.changed(EVENTS, content), at)


def test_a_ledger_rewritten_and_signed_by_its_own_key_is_accepted_by_both(
    ledger: Chained, tmp_path: Path, alone: Alone
) -> None:
    # Nothing in one bundle speaks against an owner of database and key: an older checkpoint does.
    ledger.events[9]["body"]["actor"] = "users/eve"
    rehash(ledger.events[9])
    relink(ledger.events, 10)
    assert compare(alone, Opened.of(write_bundle(tmp_path, ledger)), "rewritten")
