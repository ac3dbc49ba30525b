"""An edited bundle with its manifests kept right is refused by the stand-alone verifier.

Method: structured edits of small honest bundles (lines dropped, doubled, swapped, inserted, moved,
rewritten with hashes recomputed; files added, lost, replaced), the bag made consistent again; each
refusal must name the file, and the line and position where the edit first shows. Expected places
are written down beside each edit or computed here, never taken from the verifier.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.chained import (
    NONE,
    Chained,
    canonical,
    log_key,
    merkle_root,
    rehash,
    relink,
    sha,
    small_chained,
)
from tests.verifier.conftest import Refuse, Verify, write_kind
from tests.verifier.editing import (
    EVENTS,
    PROOFS,
    SCOPE,
    Edit,
    body_of,
    edit_json,
    header_of,
    lines_of,
    put_lines,
    swap,
)
from tests.verifier.writing import bag, first_key, write_bundle

# Edits of the small full bundle's lines: what is done, and the line that is to blame.
EDITS: dict[str, tuple[Edit, int]] = {
    "first line dropped": (lambda ls: ls.pop(0), 1),
    "middle line dropped": (lambda ls: ls.pop(6), 7),
    "line doubled": (lambda ls: ls.insert(4, ls[3]), 5),
    "neighbours swapped": (lambda ls: swap(ls, 2, 3), 3),
    "far lines swapped": (lambda ls: swap(ls, 2, 7), 3),
    "line moved to the end": (lambda ls: ls.append(ls.pop(2)), 3),
    "line of another position inserted": (lambda ls: ls.insert(2, ls[8]), 3),
    "body edited": (lambda ls: ls[2]["body"].update(actor="users/eve"), 3),
    "data edited": (lambda ls: ls[2]["body"]["data"].update(n=77), 3),
    "salt edited": (lambda ls: ls[2].update(salt="00" * 16), 3),
    "hash edited": (lambda ls: ls[2].update(hash="00" * 32), 3),
    "header edited": (lambda ls: ls[2]["header"].update(type="signal.observed.v2"), 3),
    "body and hashes edited": (body_of(2, actor="users/eve"), 4),
    "position edited": (header_of(2, position=99), 3),
    "stream edited": (header_of(2, stream="models/other"), 4),
    "version edited": (header_of(2, stream_version=7), 3),
    "time before": (header_of(4, recorded_at="2026-03-01T09:00:00.000000Z"), 5),
    "time of no calendar": (header_of(4, recorded_at="2026-02-30T09:00:00.000000Z"), 5),
    "time without fraction": (header_of(4, recorded_at="2026-03-01T10:00:05Z"), 5),
    "hour 24": (header_of(4, recorded_at="2026-03-01T24:00:00.000000Z"), 5),
    "other ledger": (header_of(2, ledger="ledger.example.com/other"), 3),
    "link edited": (header_of(2, prev_hash="11" * 32), 3),
    "first link edited": (header_of(0, prev_hash="11" * 32), 1),
    "link to nothing": (header_of(2, prev_hash=NONE), 3),
    "body without its salt": (lambda ls: ls[2].update(salt=None), 3),
    "salt without its body": (lambda ls: ls[2].update(body=None), 3),
    "body removed": (lambda ls: ls[2].update(body=None, salt=None), 3),
    "permanent body removed": (lambda ls: ls[8].update(body=None, salt=None), 9),
    "another first event": (header_of(0, type="ledger.born.v1"), 1),
    "key of the line unknown": (lambda ls: ls[2].update(more=1), 3),
    "key of the line lost": (lambda ls: ls[2].pop("salt"), 3),
    "key of the header unknown": (header_of(2, more=1), 3),
    "key of the header lost": (lambda ls: ls[2]["header"].pop("type"), 3),
    "key of the body unknown": (body_of(2, more=1), 3),
    "key of the body after data": (body_of(2, datum={}), 3),
    "key of the body lost": (lambda ls: (ls[2]["body"].pop("run_id"), rehash(ls[2])), 3),
    "actor out of grammar": (body_of(2, actor="ada"), 3),
    "request out of grammar": (body_of(2, request_id="a b"), 3),
    "run out of grammar": (body_of(2, run_id="run-1"), 3),
    "data not an object": (body_of(2, data=[]), 3),
    "cause of the future": (body_of(2, causation_position=3), 3),
    "cause zero": (body_of(2, causation_position=0), 3),
    "cause a boolean": (body_of(2, causation_position=True), 3),
    "stream out of grammar": (header_of(2, stream="models/A"), 3),
    "type out of grammar": (header_of(2, type="signal.observed"), 3),
    "position zero": (header_of(0, position=0), 1),
    "hash in capitals": (lambda ls: ls[2].update(hash=ls[2]["hash"].upper()), 3),
    "salt too short": (lambda ls: ls[2].update(salt="00" * 15), 3),
    "seal of the future": (body_of(8, data={"as_of": 9, "root": NONE, "streams": 3}), 9),
    "data of a seal with a key more": (body_of(8, data={"as_of": 1, "more": 1}), 9),
}


@pytest.mark.parametrize("name", EDITS)
def test_edited_lines_are_refused_where_the_edit_first_shows(
    name: str, ledger: Chained, tmp_path: Path, refuse: Refuse
) -> None:
    edit, line = EDITS[name]
    write_bundle(tmp_path, ledger)
    lines = lines_of(tmp_path)
    edit(lines)
    put_lines(tmp_path, lines)
    assert refuse(tmp_path)[:3] == (EVENTS, line, line)


TEXTS: dict[str, Callable[[bytes], bytes]] = {
    "a space": lambda t: t.replace(b'"actor":', b'"actor": ', 1),
    "keys out of order": lambda t: t.replace(
        b'"request_id":"request-3","run_id":null', b'"run_id":null,"request_id":"request-3"'
    ),
    "a key twice": lambda t: t.replace(b'"run_id":null', b'"run_id":null,"run_id":null'),
    "a needless escape": lambda t: t.replace(b"users/ada", b"\\u0075sers/ada"),
    "an escape in capitals": lambda t: t.replace(b"\\n", b"\\u000A"),
    "a letter beyond ASCII escaped": lambda t: t.replace("é".encode(), b"\\u00e9"),
    "a surrogate alone": lambda t: t.replace("é".encode(), b"\\ud800"),
    "a byte that is no UTF-8": lambda t: t.replace("é".encode(), b"\xff"),
    "a surrogate as bytes": lambda t: t.replace("é".encode(), b"\xed\xa0\x80"),
    "a key beyond ASCII": lambda t: t.replace(b'"note"', '"é"'.encode()),
    "a float": lambda t: t.replace(b'"n":0', b'"n":0.5'),
    "a whole float": lambda t: t.replace(b'"n":0', b'"n":1.0'),
    "an exponent": lambda t: t.replace(b'"n":0', b'"n":1e3'),
    "minus zero": lambda t: t.replace(b'"n":0', b'"n":-0'),
    "NaN": lambda t: t.replace(b'"n":0', b'"n":NaN'),
    "infinity": lambda t: t.replace(b'"n":0', b'"n":-Infinity'),
    "an integer beyond 2^53 - 1": lambda t: t.replace(b'"n":0', b'"n":9007199254740992'),
    "one below": lambda t: t.replace(b'"n":0', b'"n":-9007199254740992'),
    "an integer of 5,000 digits": lambda t: t.replace(b'"n":0', b'"n":' + b"1" * 5_000),
    "a leading zero": lambda t: t.replace(b'"n":0', b'"n":01'),
    "depth": lambda t: t.replace(b'"n":0', b'"n":' + b"[" * 100_000 + b"]" * 100_000),
    "a carriage return": lambda t: t[:-1] + b"\r\n",
    "a second value": lambda t: t[:-1] + b"{}\n",
    "a BOM": lambda t: b"\xef\xbb\xbf" + t,
    "an empty line before": lambda t: b"\n" + t,
    "nothing": lambda t: b"\n",
    "no object": lambda t: b"7\n",
    "an array": lambda t: b"[" + t[:-1] + b"]\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_line_that_is_not_its_own_canonical_bytes_is_refused(
    name: str, ledger: Chained, tmp_path: Path, refuse: Refuse
) -> None:
    # The forger recomputes the body's hash over the very bytes that he writes.
    write_bundle(tmp_path, ledger)
    lines = (tmp_path / EVENTS).read_bytes().splitlines(keepends=True)
    changed = TEXTS[name](lines[2])
    assert changed != lines[2]
    lines[2] = rehashed_text(changed)
    (tmp_path / EVENTS).write_bytes(b"".join(lines))
    bag(tmp_path)
    file, line, position, text = refuse(tmp_path)
    assert (file, line, position) == (EVENTS, 3, 3)
    assert "hash" not in text.split(":")[1], "the form is to blame, not a hash"


def rehashed_text(line: bytes) -> bytes:
    """Make hashes right for the bytes of a line, canonical or not, as far as it has the form."""
    head, mark, tail = line.rpartition(b',"hash":"')
    if not mark or not head.startswith(b'{"body":'):
        return line
    salt = tail.rpartition(b'"salt":"')[2][:32]
    body_hash = hashlib.sha256(b"\2" + bytes.fromhex(salt.decode()) + head[8:]).hexdigest()
    header = tail[tail.index(b"{") : tail.index(b"}") + 1]
    new = header[:14] + body_hash.encode() + header[78:]
    digest = hashlib.sha256(b"\0" + new).hexdigest().encode()
    return head + mark + digest + tail[64:].replace(header, new)


def test_a_rewritten_suffix_needs_a_checkpoint_of_its_own(
    ledger: Chained, tmp_path: Path, refuse: Refuse
) -> None:
    genuine = ledger.note(signers=[log_key(1)])
    ledger.events[4]["body"]["actor"] = "users/eve"
    relink(ledger.events, 4)
    # The seal's root covers the rewritten events, so an attacker has to recompute it too.
    records = [canonical(record) for record in ledger.records(8)]
    ledger.events[8]["body"]["data"]["root"] = root_over(records)
    relink(ledger.events, 8)
    write_bundle(tmp_path, ledger)
    (tmp_path / "data" / "checkpoint").write_bytes(genuine)
    bag(tmp_path)
    file, line, _, text = refuse(tmp_path)
    assert (file, line) == ("data/checkpoint", None)
    assert "root" in text


def root_over(records: list[bytes]) -> str:
    return merkle_root([sha(b"\0" + record) for record in records]).hex()


def test_a_suffix_rewritten_and_signed_by_another_key_is_refused(
    ledger: Chained, tmp_path: Path, refuse: Refuse
) -> None:
    write_bundle(tmp_path, ledger, signers=[log_key(7)])
    assert refuse(tmp_path)[0] == "data/checkpoint"
    keys = [first_key()[0] | {"vkey": log_key(7).vkey}]
    shutil.rmtree(tmp_path)
    write_bundle(tmp_path, ledger, signers=[log_key(7)], keys=keys)
    assert refuse(tmp_path)[0] == "data/checkpoint"
    assert refuse(tmp_path, [log_key(7).vkey])[0] == "data/keys.json"


@pytest.mark.parametrize("cut", [1, 3])
def test_a_tail_cut_off_is_refused(
    cut: int, ledger: Chained, tmp_path: Path, refuse: Refuse
) -> None:
    write_bundle(tmp_path, ledger)
    put_lines(tmp_path, lines_of(tmp_path)[:-cut])
    file, _, _, text = refuse(tmp_path)
    # Without its last events the erasure at 11 is gone as well, which shows first.
    assert file in {EVENTS, SCOPE}
    assert "position 4" in text or "counts" in text


def test_events_after_the_checkpoint_are_refused(
    ledger: Chained, tmp_path: Path, refuse: Refuse
) -> None:
    write_bundle(tmp_path, ledger, size=10)
    put_lines(tmp_path, ledger.events)
    assert refuse(tmp_path)[0] == SCOPE


def test_events_of_another_ledger_are_refused(tmp_path: Path, refuse: Refuse) -> None:
    other = Chained("ledger.example.com/other")
    time = "2026-03-01T10:00:00.000001Z"
    created = {"created_at": time, "format": "decision-ledger/1", "origin": other.origin}
    other.add("ledger.created.v1", created | {"vkey": log_key(1).vkey})
    write_bundle(tmp_path, other)
    assert refuse(tmp_path)[0] == "data/checkpoint"


def seal_edit(ledger: Chained, **changes: object) -> None:
    ledger.events[8]["body"]["data"] |= changes
    relink(ledger.events, 8)


@pytest.mark.parametrize("changes", [{"root": NONE}, {"streams": 2}, {"as_of": 7}])
def test_a_seal_that_misstates_is_caught_though_everything_is_signed(
    changes: dict[str, Any], ledger: Chained, tmp_path: Path, refuse: Refuse
) -> None:
    seal_edit(ledger, **changes)
    write_bundle(tmp_path, ledger)
    assert refuse(tmp_path)[:3] == (EVENTS, 9, 9)


def scope_edits() -> dict[str, Callable[[Any], object]]:
    entry = {"positions": [[5, 5]], "reason": "asked for"}
    return {
        "a count more": lambda s: s["counts"].update({"signal.observed.v1": 7}),
        "a type more": lambda s: s["counts"].update({"signal.unheard.v1": 0}),
        "a type less": lambda s: s["counts"].pop("ledger.created.v1"),
        "a count as a text": lambda s: s["counts"].update({"ledger.created.v1": "1"}),
        "first position": lambda s: s.update(first_position=2),
        "last position": lambda s: s.update(last_position=10),
        "format": lambda s: s.update(format="decision-ledger/2"),
        "unknown kind": lambda s: s.update(kind="whole"),
        "a stream": lambda s: s.update(stream="models/m0"),
        "time": lambda s: s.update(requested_at="yesterday"),
        "actor": lambda s: s.update(requested_by="me"),
        "key more": lambda s: s.update(more=1),
        "key less": lambda s: s.pop("withheld"),
        "withheld but there": lambda s: s.update(withheld=[entry]),
        "withheld far out": lambda s: s.update(
            withheld=[{"positions": [[40, 41]], "reason": "asked for"}]
        ),
        "withheld twice": lambda s: s.update(withheld=[entry, entry]),
        "ranges that touch": lambda s: s.update(
            withheld=[{"positions": [[5, 5], [6, 6]], "reason": "asked for"}]
        ),
        "a range backwards": lambda s: s.update(
            withheld=[{"positions": [[6, 5]], "reason": "asked for"}]
        ),
        "no reason": lambda s: s.update(withheld=[{"positions": [[5, 5]], "reason": ""}]),
    }


@pytest.mark.parametrize("name", scope_edits())
def test_a_scope_that_disagrees_with_what_is_there_is_refused(
    name: str, ledger: Chained, tmp_path: Path, refuse: Refuse
) -> None:
    write_bundle(tmp_path, ledger)
    edit_json(tmp_path, SCOPE, scope_edits()[name])
    assert SCOPE in refuse(tmp_path)[3]


@pytest.mark.parametrize("reasons", [("asked for", "asked for"), ("b", "a"), (" ", "a")])
def test_reasons_are_different_ascending_and_not_blank(
    reasons: tuple[str, str], ledger: Chained, tmp_path: Path, verify: Verify, refuse: Refuse
) -> None:
    def listed(*why: str) -> list[dict[str, Any]]:
        places = zip((6, 7), why, strict=True)
        return [{"positions": [[at, at]], "reason": reason} for at, reason in places]

    write_kind("full", ledger, tmp_path)
    edit_json(tmp_path, SCOPE, lambda s: s.update(withheld=listed("a", "b")))
    assert verify(tmp_path)["withheld"] == {"a": 1, "b": 1}
    edit_json(tmp_path, SCOPE, lambda s: s.update(withheld=listed(*reasons)))
    assert refuse(tmp_path)[0] == SCOPE


@pytest.mark.parametrize("kind", ["full", "range", "stream"])
def test_another_kind_needs_other_files(kind: str, bundle: Path, refuse: Refuse) -> None:
    if json.loads((bundle / SCOPE).read_bytes())["kind"] == kind:
        kind = "range" if kind == "full" else "full"
    edit_json(bundle, SCOPE, lambda s: s.update(kind=kind))
    refuse(bundle)
    edit_json(bundle, SCOPE, lambda s: s.update(stream="models/m1" if kind == "stream" else None))
    assert refuse(bundle)[0] in {PROOFS, "data/seal.json"}


def test_a_body_that_an_event_says_was_erased_is_gone(tmp_path: Path, refuse: Refuse) -> None:
    ledger = small_chained()
    kept = dict(ledger.events[5])
    ledger.erase(6)
    ledger.events[5] = kept
    write_bundle(tmp_path / "full", ledger)
    assert refuse(tmp_path / "full")[:3] == (EVENTS, 6, 6)
    write_bundle(tmp_path / "range", ledger, span=(5, 12))
    assert refuse(tmp_path / "range")[:3] == (EVENTS, 2, 6)


def test_what_an_event_says_was_erased_is_proven_even_if_it_is_listed_as_withheld(
    ledger: Chained, tmp_path: Path, verify: Verify
) -> None:
    write_bundle(tmp_path, ledger, withheld={4: "asked for", 5: "asked for"})
    found = verify(tmp_path)
    assert (found["erased, proven"], found["withheld"]) == (1, {"asked for": 1})


def test_erasures_are_stated_only_where_events_are_missing(
    ledger: Chained, tmp_path: Path, refuse: Refuse
) -> None:
    write_bundle(tmp_path, ledger, withheld={5: "erased"})
    assert refuse(tmp_path)[0] == SCOPE


@pytest.mark.parametrize("named", [[12, 12], [12, 13], [6, 5]])
def test_an_erasure_names_only_what_lies_before_it(
    named: list[int], tmp_path: Path, refuse: Refuse
) -> None:
    ledger = small_chained()
    data = {"authority": "office", "ground": "law", "positions": [named]}
    assert ledger.add("body.erased.v1", data) == 12
    write_bundle(tmp_path, ledger)
    assert refuse(tmp_path)[:3] == (EVENTS, 12, 12)
