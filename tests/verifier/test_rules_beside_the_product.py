"""What the page asks of keys, notes, events and bags is refused by both verifiers, each by itself.

Method: small ledgers that break one rule, or just keep it, signed by their own key, exported and
bagged as they should be; both verifiers must say what is beside each. Each of these was once
judged otherwise by one of the two, or is a relative of such a case.
"""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.keys import VerifierKey
from ledger.export import files
from tests.support.chained import (
    NONE,
    ORIGIN,
    Chained,
    Signer,
    canonical,
    log_key,
    remade,
    rotate,
    sha,
    small_chained,
)
from tests.verifier.both import Alone, Opened, compare, product
from tests.verifier.editing import EVENTS, PROOFS
from tests.verifier.writing import load_tool, write_bundle

TOOL = load_tool()
VKEY, VKEY_2 = log_key(1).vkey, log_key(2).vkey
CHECKPOINT = "data/checkpoint"

RIGHT: list[dict[str, Any]] = [
    {"from_position": 1, "until_position": 14, "vkey": log_key(1).vkey},
    {"from_position": 12, "until_position": None, "vkey": log_key(2).vkey},
]
BOTH = [VKEY, VKEY_2]


def rotated(size: int) -> Chained:
    """Return a ledger of a size from 13 on, whose second key is named at 12."""
    ledger = small_chained()
    rotate(ledger, 14, log_key(2), log_key(3))
    while len(ledger.events) < size:
        ledger.add("signal.observed.v1", {}, "models/m0")
    return ledger


def test_of_several_keys_that_were_brought_and_signed_one_must_be_valid(
    tmp_path: Path, alone: Alone
) -> None:
    signers = [log_key(1), log_key(2)]
    folder = write_bundle(tmp_path, rotated(15), keys=RIGHT, signers=signers)
    bundle = Opened.of(folder)
    assert compare(alone, bundle, "one of two", BOTH)
    assert compare(alone, bundle, "the valid one", BOTH[1:])
    assert not compare(alone, bundle, "the other", BOTH[:1])
    names_other = [*BOTH[1:], log_key(7).vkey]
    assert compare(alone, bundle, "one that has not signed", names_other)


@pytest.mark.parametrize(("number", "holds"), [(1, False), (2, True), (7, False)])
def test_a_key_and_a_policy_that_are_both_brought_must_both_hold(
    number: int, *, holds: bool, tmp_path: Path, alone: Alone
) -> None:
    signers = [log_key(1), log_key(2)]
    folder = write_bundle(tmp_path, rotated(15), keys=RIGHT, signers=signers)
    policy = f"log {log_key(number).vkey}\nquorum none\n".encode()
    assert compare(alone, Opened.of(folder), number, BOTH[1:], policy) == holds
    assert compare(alone, Opened.of(folder), number, [], policy) == holds


def test_a_false_line_of_a_key_of_another_ledger_that_was_brought_refuses_the_note(
    ledger: Chained, tmp_path: Path, alone: Alone
) -> None:
    other = Signer("ledger.example.com/other", bytes(32))
    bundle = Opened.of(write_bundle(tmp_path, ledger))
    note = bundle.files[CHECKPOINT]
    for text, holds in ((b"another text\n", False), (note[: note.index(b"\n\n") + 1], True)):
        changed = bundle.changed(CHECKPOINT, note + other.line(text).encode())
        assert compare(alone, changed, text, [VKEY, other.vkey]) == holds
        assert compare(alone, changed, text)


def signed(text: bytes) -> bytes:
    return text + b"\n" + log_key(1).line(text).encode()


def false_line() -> bytes:
    return log_key(1).line(b"another text\n").encode()


NOTES: dict[str, Callable[[bytes], bytes]] = {
    "a further line": lambda text: signed(text + b"extension\n"),
    "a false second signature of its key": lambda text: signed(text) + false_line(),
    "a further line that is empty": lambda text: signed(text + b"\n"),
    "a size beyond 2^53 - 1": lambda text: signed(text.replace(b"\n11\n", b"\n9007199254740992\n")),
    "an origin that is none": lambda text: signed(text.replace(b"ledger.", b"Ledger.", 1)),
    "more than a million bytes": lambda text: (
        signed(text)
        + b"".join(
            "\N{EM DASH} {} {}\n".replace("{}", "x" * 12_000, 1).replace("{}", "AAAAAAA=").encode()
            for _ in range(85)
        )
    ),
}


@pytest.mark.parametrize("name", NOTES)
def test_a_bundles_checkpoint_is_one_of_a_ledger(
    name: str, ledger: Chained, tmp_path: Path, alone: Alone
) -> None:
    bundle = Opened.of(write_bundle(tmp_path, ledger))
    text = bundle.files[CHECKPOINT].rpartition(b"\n\n")[0] + b"\n"
    assert compare(alone, bundle.changed(CHECKPOINT, signed(text)), "as it was")
    assert not compare(alone, bundle.changed(CHECKPOINT, NOTES[name](text)), name)


def nested(depth: int) -> Any:  # noqa: ANN401 - JSON
    """Return an array that nests so deep."""
    return [nested(depth - 1)] if depth > 1 else []


def with_event(
    type_: str, data: dict[str, Any], stream: str = "ledger"
) -> Callable[[Chained], None]:
    def change(ledger: Chained) -> None:
        ledger.add(type_, data, stream)

    return change


def at(index: int, part: str, **changes: object) -> Callable[[Chained], None]:
    def change(ledger: Chained) -> None:
        ledger.events[index][part] |= changes
        remade(ledger, index)

    return change


def all_times(text: str) -> Callable[[Chained], None]:
    def change(ledger: Chained) -> None:
        for event in ledger.events[:9]:
            event["header"]["recorded_at"] = text
        remade(ledger, 0)

    return change


def without_body(type_: str, data: dict[str, Any]) -> Callable[[Chained], None]:
    def change(ledger: Chained) -> None:
        ledger.erase(ledger.add(type_, data))

    return change


CREATED = {
    "created_at": "2026-03-01T10:00:00.000001Z",
    "format": "decision-ledger/1",
    "origin": ORIGIN,
    "vkey": VKEY,
}
ROTATED = {"from_position": 12, "previous_until_position": 13, "vkey": VKEY_2}
REVOKED = {"from_position": 20, "reason": "lost", "vkey": VKEY}
# What is changed in a ledger that its own key signs, and whether the range 1 to its end holds then.
LEDGERS: dict[str, tuple[Callable[[Chained], None], bool]] = {
    "a body 64 deep": (at(2, "body", data={"x": nested(62)}), True),
    "a body 65 deep": (at(2, "body", data={"x": nested(63)}), False),
    "a year before 1970": (all_times("1969-12-31T23:59:59.999999Z"), False),
    "the year 1970": (all_times("1970-01-01T00:00:00.000000Z"), True),
    "an hour 24": (all_times("2026-03-01T24:00:00.000000Z"), False),
    "a 30th of February": (all_times("2026-02-30T00:00:00.000000Z"), False),
    "another type at position 1": (at(0, "header", type="signal.observed.v1"), False),
    "a first event that names another ledger": (
        at(0, "body", data=CREATED | {"origin": "x"}),
        False,
    ),
    "a first event of another format": (
        at(0, "body", data=CREATED | {"format": "decision-ledger/2"}),
        False,
    ),
    "a ledger that is created twice": (with_event("ledger.created.v1", CREATED), False),
    "no body of a configuration": (
        without_body("ledger.configured.v1", {"clock": "wall", "skew_seconds": 1}),
        False,
    ),
    "no body of a later version": (without_body("key.revoked.v2", {}), False),
    "a configuration of a later version": (with_event("ledger.configured.v4", {}), True),
    "a type of 300 characters": (with_event("x" * 150 + "." + "y" * 147 + ".v1", {}), True),
    "a revocation in another stream": (
        with_event("key.revoked.v1", REVOKED | {"vkey": VKEY_2}, "models/m2"),
        False,
    ),
    "a seal of the future": (
        at(8, "body", data={"as_of": 9, "root": NONE, "streams": 3}),
        False,
    ),
    "a seal of no stream": (at(8, "body", data={"as_of": 8, "root": NONE, "streams": 0}), False),
    "an erasure without a ground": (
        at(10, "body", data={"authority": "office", "ground": "", "positions": [[4, 4]]}),
        False,
    ),
    "an erasure of nothing": (
        with_event("body.erased.v1", {"authority": "a", "ground": "b", "positions": []}),
        False,
    ),
    "an erasure with another member": (
        at(10, "body", data={"authority": "a", "by": 1, "ground": "b", "positions": [[4, 4]]}),
        False,
    ),
    "a rotation": (with_event("key.rotated.v1", ROTATED), True),
    "a rotation before its event": (
        with_event("key.rotated.v1", ROTATED | {"from_position": 11}),
        False,
    ),
    "a rotation that leaves a gap": (
        with_event("key.rotated.v1", ROTATED | {"from_position": 15}),
        False,
    ),
    "a rotation to the same key": (with_event("key.rotated.v1", ROTATED | {"vkey": VKEY}), False),
    "a rotation to no key": (with_event("key.rotated.v1", ROTATED | {"vkey": "x"}), False),
    "a rotation to a witness's key": (
        with_event("key.rotated.v1", ROTATED | {"vkey": Signer(ORIGIN, bytes(32), 4).vkey}),
        False,
    ),
    "a commitment to no digest": (
        with_event("key.committed.v1", {"next_key_digest": "x"}),
        False,
    ),
    "a revocation of the key that has no end": (with_event("key.revoked.v1", REVOKED), False),
    "a revocation of another key": (
        with_event("key.revoked.v1", REVOKED | {"vkey": VKEY_2}),
        True,
    ),
    "a revocation without a reason": (
        with_event("key.revoked.v1", REVOKED | {"reason": "", "vkey": VKEY_2}),
        False,
    ),
}


@pytest.mark.parametrize("name", LEDGERS)
def test_events_that_a_ledgers_own_key_signed(
    name: str, ledger: Chained, tmp_path: Path, alone: Alone
) -> None:
    change, holds = LEDGERS[name]
    change(ledger)
    part = write_bundle(tmp_path / "range", ledger, span=(1, len(ledger.events)))
    assert compare(alone, Opened.of(part), name) == holds
    compare(alone, Opened.of(write_bundle(tmp_path / "full", ledger)), name)


@pytest.mark.parametrize(("version", "holds"), [(3, True), (4, False), (1 << 53, False)])
def test_no_stream_has_more_versions_than_the_ledger_has_positions(
    version: int, *, holds: bool, ledger: Chained, tmp_path: Path, alone: Alone
) -> None:
    at(2, "header", stream_version=version)(ledger)
    bundle = Opened.of(write_bundle(tmp_path, ledger, span=(3, 3)))
    assert compare(alone, bundle, version) == holds


@pytest.mark.parametrize(("size", "holds"), [((1 << 53) - 1, True), (1 << 53, False)])
def test_no_ledger_has_more_positions_than_an_integer_can_say(
    size: int, *, holds: bool, ledger: Chained, tmp_path: Path, alone: Alone
) -> None:
    bundle = Opened.of(write_bundle(tmp_path, ledger, span=(1, 1)))
    siblings, root = [sha(b"%d" % level) for level in range(53)], ledger.leaves(1)[0]
    for sibling in siblings:
        root = sha(b"\1" + root + sibling)
    proof = {"inclusion": [one.hex() for one in siblings], "position": 1}
    note = signed(f"{ORIGIN}\n{size}\n{base64.b64encode(root).decode()}\n".encode())
    changed = bundle.changed(PROOFS, canonical(proof) + b"\n").changed(CHECKPOINT, note)
    assert compare(alone, changed, size) == holds


def test_a_ledger_whose_name_has_another_form_is_refused_by_its_checkpoint(
    tmp_path: Path, alone: Alone
) -> None:
    origin = "Ledger.example.com/fraud"
    made, signer = Chained(origin), Signer(origin, bytes(32))
    made.add("ledger.created.v1", CREATED | {"origin": origin, "vkey": signer.vkey})
    rows = [ROW | {"vkey": signer.vkey}]
    bundle = Opened.of(write_bundle(tmp_path, made, keys=rows, signers=[signer]))
    refusals = (
        alone(bundle, [f"log {signer.vkey}\nquorum none\n".encode()]),
        product(bundle, [VerifierKey.parse(signer.vkey)]),
    )
    assert [one[0] for one in refusals if isinstance(one, tuple)] == [CHECKPOINT, CHECKPOINT]


ROW: dict[str, Any] = {"from_position": 1, "until_position": None, "vkey": VKEY}
ROWS = {
    "no key": ROW | {"vkey": "x"},
    "a key of another ledger": ROW | {"vkey": Signer("ledger.example.com/other", bytes(32)).vkey},
    "a witness's key": ROW | {"vkey": Signer(ORIGIN, bytes(32), 4).vkey},
    "a span that holds no size": ROW | {"from_position": 5, "until_position": 4, "vkey": VKEY_2},
}


@pytest.mark.parametrize("name", ROWS)
def test_each_row_of_the_keys_of_a_part_is_a_key_of_its_ledger(
    name: str, ledger: Chained, tmp_path: Path, alone: Alone
) -> None:
    right = write_bundle(tmp_path / "right", ledger, span=(5, 8))
    assert compare(alone, Opened.of(right), "right")
    wrong = write_bundle(tmp_path / "wrong", ledger, span=(5, 8), keys=[ROW, ROWS[name]])
    assert not compare(alone, Opened.of(wrong), name)


def test_the_greatest_size_is_not_the_same_as_no_end(
    ledger: Chained, tmp_path: Path, alone: Alone
) -> None:
    rows = [ROW | {"until_position": (1 << 53) - 1}]
    assert not compare(alone, Opened.of(write_bundle(tmp_path, ledger, keys=rows)), "an end")


OXUM = "Payload-Oxum: {}\n"
INFOS: dict[str, tuple[str, bool]] = {
    "a label with a digit": (f"Label-2: x\n{OXUM}", True),
    "a label that begins with a hyphen": (f"-Label: x\n{OXUM}", False),
    "a value that ends in a space": (f"Label: x \n{OXUM}", False),
    "no value": (f"Label: \n{OXUM}", False),
    "a line without a label": (f"x\n{OXUM}", False),
    "a label twice": (f"Label: x\nLabel: y\n{OXUM}", False),
    "no count": ("Label: x\n", False),
    "a count of 5,000 digits": (OXUM.replace("{}", "1" * 5_000 + ".8"), False),
    "a count with a zero before it": (OXUM.replace("{}", "0{}"), False),
    "nothing": ("", False),
}


@pytest.mark.parametrize("name", INFOS)
def test_the_lines_of_bag_info(name: str, ledger: Chained, tmp_path: Path, alone: Alone) -> None:
    bundle = Opened.of(write_bundle(tmp_path, ledger))
    text, holds = INFOS[name]
    right = bundle.files["bag-info.txt"].decode().split("Payload-Oxum: ")[1].strip()
    changed = bundle.with_tag("bag-info.txt", text.replace("{}", right).encode())
    assert compare(alone, changed, name) == holds


def test_the_bounds_of_files_and_lines_are_the_same_in_both() -> None:
    assert TOOL.FILE_BYTES_MAX == files.SMALL_BYTES_MAX
    assert TOOL.LARGER == files.LARGER_BYTES_MAX
    assert TOOL.LINED == files.LINE_BYTES_MAX


def test_every_file_but_those_of_lines_has_a_bound(
    ledger: Chained, tmp_path: Path, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = Opened.of(write_bundle(tmp_path, ledger))
    for name in bundle.sizes.keys() - {EVENTS}:
        for bound, holds in ((bundle.sizes[name], True), (bundle.sizes[name] - 1, False)):
            monkeypatch.setattr(TOOL, "LARGER", {name: bound})
            monkeypatch.setattr(files, "LARGER_BYTES_MAX", {name: bound})
            assert compare(alone, bundle, (name, bound)) == holds


@pytest.mark.parametrize("name", [EVENTS, PROOFS])
def test_every_line_has_a_bound(
    name: str, ledger: Chained, tmp_path: Path, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = Opened.of(write_bundle(tmp_path, ledger, span=(3, 10), withheld={4: "erased"}))
    longest = max(map(len, bundle.files[name].splitlines(keepends=True)))
    for bound, holds in ((longest, True), (longest - 1, False)):
        bounds = {EVENTS: 1 << 20, PROOFS: 1 << 20, name: bound}
        monkeypatch.setattr(TOOL, "LINED", bounds)
        monkeypatch.setattr("ledger.export.events.LINE_BYTES_MAX", bounds)
        assert compare(alone, bundle, (name, bound)) == holds
