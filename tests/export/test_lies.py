"""A forger who keeps every digest of the bag right is found by what the ledger itself proves.

Method: change a bundle's files, write the manifests again, and see the refusal name the file, and
the line where it is one. The forger has no key; where he has one, the case says so.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.keys import VerifierKey
from ledger.events.canonical import encode
from ledger.export.bag import TAGGED, bag_info, manifest
from ledger.export.files import (
    CHECKPOINT,
    EVENTS,
    KEYS,
    PROOFS,
    SCOPE,
    SEAL,
    TAG_FILES,
    BundleError,
    open_bundle,
)
from ledger.export.scope import Withholding
from ledger.export.verify import verify_bundle
from tests.support.bundles import LedgerInMemory, small_ledger
from tests.support.chained import ORIGIN

WITHHELD = Withholding(streams=frozenset({"models/fares"}), reason="secret")


def rebag(folder: Path) -> None:
    """Write the tag files again for whatever is there."""
    names = [name for name in open_bundle(folder).sizes if name not in TAG_FILES]
    sizes = [(folder / name).stat().st_size for name in names]
    tags = {
        "bag-info.txt": bag_info(
            origin=ORIGIN,
            requested_at="2026-02-01",
            payload_bytes=sum(sizes),
            payload_files=len(names),
        ),
        "manifest-sha256.txt": manifest({name: digest(folder / name) for name in names}),
    }
    for name, content in tags.items():
        (folder / name).write_bytes(content)
    tagged = {name: digest(folder / name) for name in TAGGED}
    (folder / "tagmanifest-sha256.txt").write_bytes(manifest(tagged))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def lines_of(folder: Path, name: str = EVENTS) -> list[bytes]:
    return (folder / name).read_bytes().splitlines(keepends=True)


def put_lines(folder: Path, lines: list[bytes], name: str = EVENTS) -> None:
    (folder / name).write_bytes(b"".join(lines))


def edit_json(folder: Path, name: str, edit: Callable[[Any], object]) -> None:
    value = json.loads((folder / name).read_bytes())
    edit(value)
    (folder / name).write_bytes(encode(value))


def refused(folder: Path, made: LedgerInMemory) -> BundleError:
    with pytest.raises(BundleError) as refusal:
        verify_bundle(folder, [VerifierKey.parse(made.vkey)])
    return refusal.value


Forge = Callable[[Path], object]


def without_line(at: int, *names: str) -> Forge:
    def forge(folder: Path) -> None:
        for name in names:
            lines = lines_of(folder, name)
            put_lines(folder, lines[:at] + lines[at + 1 :], name)

    return forge


def swapped(first: int, second: int) -> Forge:
    def forge(folder: Path) -> None:
        lines = lines_of(folder)
        lines[first], lines[second] = lines[second], lines[first]
        put_lines(folder, lines)

    return forge


def replaced(name: str, old: bytes, new: bytes) -> Forge:
    def forge(folder: Path) -> None:
        content = (folder / name).read_bytes()
        assert old in content
        (folder / name).write_bytes(content.replace(old, new, 1))

    return forge


def scoped(**fields: object) -> Forge:
    return lambda folder: edit_json(folder, SCOPE, lambda value: value.update(fields))


def hide(line: int) -> Forge:
    """Leave out the body on a line, as if it had been withheld or erased."""

    def forge(folder: Path) -> None:
        lines = lines_of(folder)
        value = json.loads(lines[line - 1])
        lines[line - 1] = encode(value | {"body": None, "salt": None}) + b"\n"
        put_lines(folder, lines)

    return forge


FULL_LIES: dict[str, tuple[Forge, str, int]] = {
    "an event is left out": (without_line(3, EVENTS), EVENTS, 4),
    "the last event is left out": (without_line(10, EVENTS), EVENTS, 10),
    "two events change places": (swapped(2, 5), EVENTS, 3),
    "an event is there twice": (lambda f: put_lines(f, lines_of(f) + lines_of(f)[-1:]), EVENTS, 12),
    "a body says something else": (
        replaced(EVENTS, b'"value":"0.8"', b'"value":"0.1"'),
        EVENTS,
        11,
    ),
    "a line is not canonical": (replaced(EVENTS, b'{"body":{', b'{"body": {'), EVENTS, 1),
    "a line is no JSON": (lambda f: put_lines(f, [*lines_of(f), b"x\n"]), EVENTS, 12),
    "the end is missing": (lambda f: put_lines(f, [*lines_of(f)[:-1], b""]), EVENTS, 10),
    "the last newline is missing": (
        lambda f: put_lines(f, [*lines_of(f)[:-1], lines_of(f)[-1][:-1]]),
        EVENTS,
        11,
    ),
    "a body is gone without account": (hide(3), EVENTS, 3),
    "the body of a seal is gone": (hide(7), EVENTS, 7),
    "the body that names the keys is gone": (hide(1), EVENTS, 1),
    "counts are wrong": (scoped(counts={"signal.observed.v1": 5}), SCOPE, 0),
    "the first position is another": (scoped(first_position=2), SCOPE, 0),
    "the last position is another": (scoped(last_position=10), SCOPE, 0),
    "what is here is said to be withheld": (
        scoped(withheld=[{"positions": [[3, 3]], "reason": "secret"}]),
        SCOPE,
        0,
    ),
    "an erasure is stated instead of proven": (
        scoped(withheld=[{"positions": [[3, 3]], "reason": "erased"}]),
        SCOPE,
        0,
    ),
    "a scope with another key": (scoped(note="hello"), SCOPE, 0),
    "a scope of another format": (scoped(format="decision-ledger/2"), SCOPE, 0),
    "a full bundle said to be a range": (scoped(kind="range"), PROOFS, 0),
    "keys that the ledger never named": (
        lambda f: edit_json(f, KEYS, lambda value: value[0].update(until_position=500)),
        KEYS,
        0,
    ),
    "no keys at all": (lambda f: (f / KEYS).write_bytes(b"[]"), KEYS, 0),
    "a file of somebody else": (
        lambda f: (f / "data/readme.txt").write_bytes(b"x"),
        "data/readme.txt",
        0,
    ),
    "no report": (lambda f: (f / "data/report.html").unlink(), "data/report.html", 0),
}


@pytest.mark.parametrize("lie", FULL_LIES)
def test_a_forged_full_bundle_is_refused_where_it_lies(lie: str, tmp_path: Path) -> None:
    made = small_ledger()
    made.write(tmp_path)
    forge, file, line = FULL_LIES[lie]
    forge(tmp_path)
    rebag(tmp_path)
    found = refused(tmp_path, made)
    assert (found.file, found.line) == (file, line), str(found)


PART_LIES: dict[str, tuple[str, Forge, str, int]] = {
    "an event of a range is left out": ("range", without_line(2, EVENTS, PROOFS), EVENTS, 3),
    "the first of a range is left out": ("range", without_line(0, EVENTS, PROOFS), EVENTS, 1),
    "the last of a range is left out": ("range", without_line(6, EVENTS, PROOFS), SCOPE, 0),
    "a proof is left out": ("range", without_line(6, PROOFS), PROOFS, 6),
    "there is a proof too many": (
        "range",
        lambda f: put_lines(f, [*lines_of(f, PROOFS), lines_of(f, PROOFS)[0]], PROOFS),
        PROOFS,
        8,
    ),
    "an event of a stream is left out": ("stream", without_line(0, EVENTS, PROOFS), EVENTS, 1),
    "the last of a stream is left out": ("stream", without_line(1, EVENTS, PROOFS), SCOPE, 0),
    "the seal is of a lower version": (
        "stream",
        lambda f: edit_json(f, SEAL, lambda value: value["record"].update(stream_version=1)),
        SEAL,
        0,
    ),
    "the seal's proof is another's": (
        "stream",
        lambda f: edit_json(f, SEAL, lambda value: value.update(record_index=0)),
        SEAL,
        0,
    ),
    "the seal's event is not a seal": (
        "stream",
        lambda f: edit_json(f, SEAL, lambda value: value.update(event=json.loads(lines_of(f)[1]))),
        SEAL,
        0,
    ),
    "the stream is another": ("stream", scoped(stream="models/fares"), EVENTS, 1),
}


@pytest.mark.parametrize("lie", PART_LIES)
def test_a_forged_part_is_refused_where_it_lies(lie: str, tmp_path: Path) -> None:
    made = small_ledger()
    kind, forge, file, line = PART_LIES[lie]
    plan = made.plan(kind, first=3, last=9, stream="models/hotels" if kind == "stream" else None)
    made.write(tmp_path, plan)
    forge(tmp_path)
    rebag(tmp_path)
    found = refused(tmp_path, made)
    assert (found.file, found.line) == (file, line), str(found)


@pytest.mark.parametrize("name", [EVENTS, PROOFS, SCOPE, SEAL, KEYS, CHECKPOINT])
def test_a_manifest_with_another_digest_is_refused_by_file_and_line(
    name: str, tmp_path: Path
) -> None:
    made = small_ledger()
    made.write(tmp_path, made.plan("stream", stream="models/hotels"))
    place = tmp_path / "manifest-sha256.txt"
    lines = place.read_text().splitlines(keepends=True)
    line = next(at for at, text in enumerate(lines) if text.endswith(f"  {name}\n"))
    lines[line] = f"{'0' * 64}  {name}\n"
    place.write_text("".join(lines))
    tagged = {tag: digest(tmp_path / tag) for tag in TAGGED}
    (tmp_path / "tagmanifest-sha256.txt").write_bytes(manifest(tagged))
    found = refused(tmp_path, made)
    assert found.file == name
    assert f"the digest on line {line + 1} of manifest-sha256.txt" in found.why


def test_a_stream_cut_short_with_its_scope_is_found_by_the_seal(tmp_path: Path) -> None:
    made = small_ledger()
    made.write(tmp_path, made.plan("stream", stream="models/hotels"))
    without_line(1, EVENTS, PROOFS)(tmp_path)
    scoped(last_position=4, counts={"signal.observed.v1": 1})(tmp_path)
    rebag(tmp_path)
    found = refused(tmp_path, made)
    assert (found.file, found.why) == (SEAL, "its record is not of the last event of the bundle")


def test_a_body_that_was_erased_cannot_come_back(tmp_path: Path) -> None:
    made = LedgerInMemory()
    made.observe("fares")
    kept = made.events[2]
    made.erase(3)
    made.events[2] = kept
    made.write(tmp_path)
    found = refused(tmp_path, made)
    assert (found.file, found.line) == (EVENTS, 3)
    assert "erased" in found.why


def test_a_history_rewritten_with_all_its_hashes_does_not_have_the_root_that_was_signed(
    tmp_path: Path,
) -> None:
    made, rewritten = small_ledger(), LedgerInMemory()
    while rewritten.size < made.size:
        rewritten.observe("fares", "0.1")
    rewritten.write(tmp_path)
    verify_bundle(tmp_path, [VerifierKey.parse(made.vkey)])  # an owner of the key can sign it again
    (tmp_path / CHECKPOINT).write_bytes(made.signed())
    rebag(tmp_path)
    found = refused(tmp_path, made)
    assert (found.file, found.why) == (EVENTS, "the events do not have the root that was signed")


def test_a_seal_that_the_ledger_never_recorded_seals_nothing(tmp_path: Path) -> None:
    made, other = small_ledger(), LedgerInMemory()
    other.observe("fares")
    other.observe("hotels", "0.25")
    assert other.links == made.links[:2] + other.links[2:]
    other.seal()  # what it would have said, had nothing followed
    made.write(tmp_path, made.plan("stream", stream="models/hotels"))
    without_line(1, EVENTS, PROOFS)(tmp_path)
    hidden = {"positions": [[4, 4]], "reason": "erased"}
    scoped(last_position=4, counts={"signal.observed.v1": 1}, withheld=[hidden])(tmp_path)
    forged = json.loads(other.stream_seal("models/hotels", other.size))
    edit_json(tmp_path, SEAL, lambda value: value.update(forged))
    rebag(tmp_path)
    found = refused(tmp_path, made)
    assert found.file == SEAL
    assert "proof" in found.why


def test_a_seal_cannot_be_as_of_a_position_before_what_it_seals(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = LedgerInMemory()
    made.observe("fares")
    last = made.observe("fares")
    records = made.records(last)
    monkeypatch.setattr(made, "records", lambda _: records)
    made.seal(as_of=last - 1)
    made.write(tmp_path, made.plan("stream", stream="models/fares"))
    found = refused(tmp_path, made)
    assert (found.file, found.why) == (
        SEAL,
        f"it is as of position {last - 1}, before the last event of the bundle",
    )


def sealing(as_of: int, root: str, streams: int) -> LedgerInMemory:
    made = LedgerInMemory()
    for _ in range(3):
        made.observe("fares")
    data = {"as_of": as_of, "root": root, "streams": streams}
    made.add("streams.sealed.v1", data)
    made.observe("fares")
    return made


@pytest.mark.parametrize(
    ("as_of", "streams", "why"),
    [
        (5, 2, "root"),
        (5, 1, "counts"),
        (5, 3, "counts"),
        (6, 2, "before its own"),
        (0, 2, "as_of"),
    ],
)
def test_a_seal_that_misstates_the_streams_is_found_whatever_key_signed_it(
    as_of: int, streams: int, why: str, tmp_path: Path
) -> None:
    made = sealing(as_of, "00" * 32, streams)
    made.write(tmp_path)
    found = refused(tmp_path, made)
    assert (found.file, found.line) == (EVENTS, 6)
    assert why in found.why


def test_a_seal_that_reaches_far_back_is_checked_in_a_second_pass(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ledger.export.sealing.REMEMBERED", 2)
    monkeypatch.setattr("ledger.export.sealing.Streams.__init__.__defaults__", (2,))
    made = small_ledger()
    for as_of in (3, made.size - 1, 1):
        made.seal(as_of=as_of)
    made.write(tmp_path / "right")
    verify_bundle(tmp_path / "right", [VerifierKey.parse(made.vkey)])
    data = {"as_of": 3, "root": "00" * 32, "streams": 2}
    wrong = made.add("streams.sealed.v1", data)
    made.write(tmp_path / "wrong")
    found = refused(tmp_path / "wrong", made)
    assert (found.file, found.line) == (EVENTS, wrong)


def test_withheld_bodies_are_those_that_the_scope_names(tmp_path: Path) -> None:
    made = small_ledger()
    made.write(tmp_path, made.plan(withholding=WITHHELD))
    edit_json(tmp_path, SCOPE, lambda value: value.update(withheld=[]))
    rebag(tmp_path)
    found = refused(tmp_path, made)
    assert (found.file, found.line) == (EVENTS, 3)
