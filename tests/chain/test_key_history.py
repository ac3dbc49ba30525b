"""A ledger's keys follow one another as committed, and each counts for its own sizes only.

Method: histories of events with the expected signers at every size; each rule broken once, with the
position that must be blamed.
"""

from collections.abc import Mapping

import pytest

from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.checkpoint import sign as sign_checkpoint
from ledger.chain.cosignature import CosigningKey
from ledger.chain.key_history import (
    KeyHistory,
    KeyHistoryError,
    open_by_spans,
    parse_keys,
    vkey_digest,
)
from ledger.chain.keys import ED25519, SecretKey
from ledger.chain.link import Digest
from ledger.chain.note import InvalidSignatureError, Note, UnverifiedNoteError, parse
from ledger.events.canonical import encode
from tests.support.weak_keys import NEUTRAL, vkey_text

ORIGIN = "ledger.example.com/test"
KEYS = [SecretKey(ORIGIN, bytes([n]) * 32) for n in range(4)]
VKEYS = [str(key.verifier_key) for key in KEYS]
NEUTRAL_KEY = vkey_text(ORIGIN, ED25519, NEUTRAL)

Event = tuple[str, int, Mapping[str, object]]


def created(position: int = 1, vkey: str = VKEYS[0]) -> Event:
    return "ledger.created.v1", position, {"origin": ORIGIN, "vkey": vkey}


def configured(key: int = 1) -> Event:
    return "ledger.configured.v2", 2, {"next_key_digest": vkey_digest(VKEYS[key])}


def committed(position: int, key: int) -> Event:
    return "key.committed.v1", position, {"next_key_digest": vkey_digest(VKEYS[key])}


def rotated(position: int, key: int, start: int, previous_end: int) -> Event:
    data = {"from_position": start, "previous_until_position": previous_end, "vkey": VKEYS[key]}
    return "key.rotated.v1", position, data


def revoked(position: int, key: int, start: int) -> Event:
    return "key.revoked.v1", position, {"from_position": start, "reason": "x", "vkey": VKEYS[key]}


def history(*events: Event) -> KeyHistory:
    keys = KeyHistory()
    for type_, position, data in events:
        keys.apply(type_, position, data)
    return keys


def signers(keys: KeyHistory, sizes: range) -> list[str]:
    """Return the keys that sign at each size, as their numbers."""
    return [
        "".join(str(VKEYS.index(span.vkey)) for span in keys.signers_at(size)) for size in sizes
    ]


BEGINNING = (created(), configured())
ROTATED = (*BEGINNING, rotated(5, 1, 6, 8), committed(6, 2))


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([created()], "0 0 0 0 0 0 0 0 0 0 0 0"),
        (BEGINNING, "0 0 0 0 0 0 0 0 0 0 0 0"),
        (ROTATED, "0 0 0 0 0 01 01 01 1 1 1 1"),
        ([*BEGINNING, rotated(5, 1, 5, 4)], "0 0 0 0 1 1 1 1 1 1 1 1"),
        ([*ROTATED, rotated(7, 2, 8, 10)], "0 0 0 0 0 01 01 012 12 12 2 2"),
        ([*BEGINNING, revoked(4, 0, 3)], "0 0 - - - - - - - - - -"),
        ([*ROTATED, revoked(7, 0, 7)], "0 0 0 0 0 01 1 1 1 1 1 1"),
        ([*ROTATED, revoked(7, 0, 7), revoked(8, 0, 4)], "0 0 0 - - 1 1 1 1 1 1 1"),
        ([*ROTATED, revoked(7, 0, 4), revoked(8, 0, 7)], "0 0 0 - - 1 1 1 1 1 1 1"),
        ([*ROTATED, revoked(7, 1, 1)], "0 0 0 0 0 0 0 0 - - - -"),
        ([*BEGINNING, revoked(4, 0, 4), rotated(5, 1, 5, 4)], "0 0 0 - 1 1 1 1 1 1 1 1"),
    ],
)
def test_each_key_signs_its_own_sizes(events: list[Event], expected: str) -> None:
    keys = history(*events)
    assert " ".join(who or "-" for who in signers(keys, range(1, 13))) == expected
    for size in range(1, 13):
        assert [str(key) for key in keys.valid_at(size)] == [
            span.vkey for span in keys.signers_at(size)
        ]


@pytest.mark.parametrize(
    "events",
    [
        [configured()],
        [committed(2, 1)],
        [rotated(5, 1, 5, 4)],
        [created(2)],
        [created(), created()],
        [created(vkey="no key")],
        [created(vkey=str(SecretKey("other", bytes(32)).verifier_key))],
        [created(vkey=str(CosigningKey(ORIGIN, bytes(32)).cosigner_key))],
        [created(vkey=NEUTRAL_KEY)],
        [*BEGINNING, ("key.rotated.v1", 5, {**rotated(5, 1, 5, 4)[2], "vkey": NEUTRAL_KEY})],
        [created(), rotated(5, 1, 5, 4)],  # nothing was committed
        [*BEGINNING, rotated(5, 2, 5, 4)],  # another key than the committed one
        [*BEGINNING, committed(5, 2)],  # a thief would choose the next key
        [*BEGINNING, rotated(5, 1, 4, 4)],  # sizes that were signed already
        [*BEGINNING, rotated(5, 1, 7, 5)],  # no key signs size 6
        [*ROTATED, rotated(7, 1, 7, 7)],  # the commitment is used up
        [*BEGINNING, rotated(5, 1, 5, 4), committed(6, 0), rotated(7, 0, 7, 7)],
        [*BEGINNING, revoked(5, 3, 5)],
        [*BEGINNING, ("key.revoked.v1", 5, {"vkey": VKEYS[0], "reason": "x"})],
        [*BEGINNING, ("key.revoked.v1", 5, {"vkey": VKEYS[0], "reason": "x", "from_position": 0})],
        [*BEGINNING, ("key.revoked.v1", 5, {"vkey": VKEYS[0], "from_position": True})],
        [created(), ("key.committed.v1", 5, {"next_key_digest": 7})],
    ],
)
def test_a_broken_rule_is_blamed_on_its_event_and_changes_nothing(events: list[Event]) -> None:
    *before, (type_, position, data) = events
    keys = history(*before)
    state = (keys.origin, keys.spans, keys.next_key_digest)
    with pytest.raises(KeyHistoryError) as caught:
        keys.apply(type_, position, data)
    assert caught.value.position == position
    assert (keys.origin, keys.spans, keys.next_key_digest) == state


def test_other_events_say_nothing_about_keys() -> None:
    keys = history(*ROTATED, ("ledger.configured.v1", 2, {}), ("streams.sealed.v1", 9, {}))
    assert keys.spans == history(*ROTATED).spans
    assert keys.next_key_digest == vkey_digest(VKEYS[2])
    assert keys.origin == ORIGIN
    assert [span.position for span in keys.spans] == [1, 5]


def note_of(size: int, *signing: int) -> bytes:
    head = CheckpointBody(ORIGIN, size, Digest(bytes(32)))
    return sign_checkpoint(head, [KEYS[key] for key in signing])


def test_a_checkpoint_opens_by_a_key_that_is_valid_at_its_own_size() -> None:
    spans = history(*ROTATED).spans
    for size, signing in [(5, (0,)), (7, (0,)), (7, (1,)), (7, (0, 1)), (9, (1,)), (9, (0, 1))]:
        opened = open_by_spans(note_of(size, *signing), origin=ORIGIN, spans=spans)
        assert opened.checkpoint.size == size
    for size, key in [(5, 1), (9, 0), (7, 2)]:
        with pytest.raises(UnverifiedNoteError):
            open_by_spans(note_of(size, key), origin=ORIGIN, spans=spans)


def test_a_false_signature_of_a_valid_key_refuses_the_checkpoint() -> None:
    spans = history(*ROTATED).spans
    genuine, other = parse(note_of(7, 1)), parse(note_of(8, 0))
    forged = Note(genuine.text, genuine.signatures + other.signatures).encode()
    with pytest.raises(InvalidSignatureError):
        open_by_spans(forged, origin=ORIGIN, spans=spans)


def test_keys_json_lists_what_counts() -> None:
    keys = history(*ROTATED, rotated(7, 2, 8, 9), revoked(8, 0, 7), revoked(9, 1, 2))
    rows = [
        {"from_position": 1, "until_position": 6, "vkey": VKEYS[0]},
        {"from_position": 8, "until_position": None, "vkey": VKEYS[2]},
    ]
    assert keys.to_json() == encode(rows)
    spans = parse_keys(keys.to_json(), ORIGIN)
    for size in range(1, 13):
        assert [span.vkey for span in spans if span.covers(size)] == [
            span.vkey for span in keys.signers_at(size)
        ]
    note = note_of(9, 2)
    assert open_by_spans(note, origin=ORIGIN, spans=spans).checkpoint.size == 9


ROW: dict[str, object] = {"from_position": 1, "until_position": None, "vkey": VKEYS[0]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        encode([ROW]) + b"\n",
        encode([1]),
        encode([{**ROW, "more": 1}]),
        encode([{**ROW, "vkey": "x"}]),
        encode([{**ROW, "from_position": "1"}]),
        encode([{**ROW, "from_position": 5, "until_position": 4}]),
        encode([{**ROW, "vkey": str(CosigningKey(ORIGIN, bytes(32)).cosigner_key)}]),
        encode([{**ROW, "vkey": NEUTRAL_KEY}]),
    ],
)
def test_a_keys_file_of_another_form_is_refused(data: bytes) -> None:
    assert parse_keys(encode([ROW]), ORIGIN)[0].vkey == VKEYS[0]
    with pytest.raises(KeyHistoryError):
        parse_keys(data, ORIGIN)
