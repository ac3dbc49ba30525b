"""A partial bundle proves each of its events, a stream bundle its completeness as well.

Method: proofs, seals and streams of small honest bundles are edited, the bag is made consistent
again, and the stand-alone verifier's refusal must name the file, and the line where it is one.
"""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.support.chained import NONE, Chained, inclusion, rehash, relink
from tests.verifier.conftest import Refuse
from tests.verifier.editing import (
    EVENTS,
    PROOFS,
    SCOPE,
    Edit,
    Line,
    edit_json,
    lines_of,
    put_lines,
    swap,
)
from tests.verifier.writing import write_bundle


def proof_edits() -> dict[str, tuple[Edit, int]]:
    return {
        "dropped in the middle": (lambda ls: ls.pop(1), 2),
        "dropped at the end": (lambda ls: ls.pop(), 3),
        "swapped": (lambda ls: swap(ls, 0, 1), 1),
        "element changed": (lambda ls: ls[1]["inclusion"].__setitem__(0, NONE), 2),
        "element dropped": (lambda ls: ls[1]["inclusion"].pop(), 2),
        "element added": (lambda ls: ls[1]["inclusion"].append(NONE), 2),
        "position": (lambda ls: ls[1].update(position=1), 2),
        "key more": (lambda ls: ls[1].update(more=1), 2),
        "no hashes": (lambda ls: ls[1].update(inclusion=[1]), 2),
    }


@pytest.mark.parametrize("kind", ["range", "stream"])
@pytest.mark.parametrize("name", proof_edits())
def test_proofs_that_do_not_prove_are_refused(
    name: str, kind: str, ledger: Chained, tmp_path: Path, refuse: Refuse
) -> None:
    span = (6, 8) if kind == "range" else None
    stream = None if span else "models/m1"
    write_bundle(tmp_path, ledger, span=span, stream=stream, seal=9)
    edit, line = proof_edits()[name]
    lines = lines_of(tmp_path, PROOFS)
    edit(lines)
    put_lines(tmp_path, lines, PROOFS)
    assert refuse(tmp_path)[:2] == (PROOFS, line)


def test_a_proof_too_many_is_refused(ledger: Chained, tmp_path: Path, refuse: Refuse) -> None:
    write_bundle(tmp_path, ledger, span=(6, 8))
    lines = lines_of(tmp_path, PROOFS)
    put_lines(tmp_path, [*lines, lines[-1]], PROOFS)
    assert refuse(tmp_path)[1] == 4


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_stream_is_complete_up_to_its_seal(
    at: int, ledger: Chained, tmp_path: Path, refuse: Refuse
) -> None:
    write_bundle(tmp_path, ledger, stream="models/m1", seal=9)
    events, proofs = lines_of(tmp_path), lines_of(tmp_path, PROOFS)
    del events[at], proofs[at]
    put_lines(tmp_path, proofs, PROOFS)
    put_lines(tmp_path, events)
    edit_json(tmp_path, SCOPE, lambda s: adjust(s, events))
    file, line, _, _ = refuse(tmp_path)
    # A gap shows at the event after it; a missing newest one against the seal's record.
    assert (file, line) == ((EVENTS, at + 1) if at < 2 else ("data/seal.json", None))


def adjust(scope: dict[str, Any], events: list[Line]) -> None:
    scope["counts"] = {"signal.observed.v1": len(events)}
    scope["first_position"] = events[0]["header"]["position"]
    scope["last_position"] = events[-1]["header"]["position"]


def seal_edits() -> dict[str, Callable[[Any], object]]:
    return {
        "record": lambda s: s["record"].update(stream_version=4),
        "record's hash": lambda s: s["record"].update(event_hash=NONE),
        "record of another stream": lambda s: s["record"].update(stream="models/m0"),
        "index": lambda s: s.update(record_index=1),
        "index beyond": lambda s: s.update(record_index=3),
        "record's proof": lambda s: s["record_inclusion"].pop(),
        "event's proof": lambda s: s["inclusion"].pop(),
        "event": lambda s: s["event"]["body"]["data"].update(as_of=7),
        "event rehashed": lambda s: (
            s["event"]["body"]["data"].update(as_of=7),
            rehash(s["event"]),
        ),
        "event without body": lambda s: s["event"].update(body=None, salt=None),
        "key more": lambda s: s.update(more=1),
        "key less": lambda s: s.pop("record"),
    }


@pytest.mark.parametrize("name", seal_edits())
def test_a_seal_that_does_not_cover_the_stream_is_refused(
    name: str, ledger: Chained, tmp_path: Path, refuse: Refuse
) -> None:
    write_bundle(tmp_path, ledger, stream="models/m1", seal=9)
    edit_json(tmp_path, "data/seal.json", seal_edits()[name])
    assert refuse(tmp_path)[0] == "data/seal.json"


def test_any_other_event_is_no_seal(ledger: Chained, tmp_path: Path, refuse: Refuse) -> None:
    write_bundle(tmp_path, ledger, stream="models/m1", seal=9)
    other = {"event": ledger.events[9], "inclusion": inclusion(9, ledger.leaves())}
    edit_json(tmp_path, "data/seal.json", lambda s: s.update(other))
    assert refuse(tmp_path)[0] == "data/seal.json"


def test_a_seal_of_the_future_is_refused_where_it_cannot_be_recomputed_too(
    ledger: Chained, tmp_path: Path, refuse: Refuse
) -> None:
    ledger.events[8]["body"]["data"]["as_of"] = 9
    relink(ledger.events, 8)
    write_bundle(tmp_path, ledger, span=(6, 10))
    assert refuse(tmp_path)[:3] == (EVENTS, 4, 9)


@pytest.mark.parametrize("as_of", [7, 9])
def test_a_seal_that_misstates_its_own_moment_covers_no_stream(
    as_of: int, ledger: Chained, tmp_path: Path, refuse: Refuse
) -> None:
    # Everything is signed and included; only the moment cannot be, for a stream whose newest is 8.
    write_bundle(tmp_path / "right", ledger, stream="models/m1", seal=9)
    proof = json.loads((tmp_path / "right" / "data/seal.json").read_bytes())
    ledger.events[8]["body"]["data"]["as_of"] = as_of
    relink(ledger.events, 8)
    told = proof | {"event": deepcopy(ledger.events[8]), "inclusion": inclusion(8, ledger.leaves())}
    ledger.events[8]["body"]["data"]["as_of"] = 8  # what the builder goes by
    write_bundle(tmp_path / "wrong", ledger, stream="models/m1", seal=9)
    edit_json(tmp_path / "wrong", "data/seal.json", lambda s: s.update(told))
    file, _, _, text = refuse(tmp_path / "wrong")
    assert file == "data/seal.json"
    assert "as_of" in text
