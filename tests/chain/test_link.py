"""The chain accepts what was recorded, and nothing else.

Method: build honest ledgers from arbitrary events, damage each in one way, and require that
verification blames exactly the position where the damage first shows. The hash pass must blame the
same ones, but for bodies that are wrong inside and rightly hashed: those it does not read.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.link import (
    GENESIS,
    ChainVerifier,
    Digest,
    Link,
    body_hash,
    event_hash,
    header_bytes,
)
from ledger.errors import LedgerError, Reason
from ledger.events.canonical import encode

ORIGIN = "ledger.example.com/test"
BODY: dict[str, Any] = {
    "actor": "services/monitor-7",
    "causation_position": None,
    "data": {"value": "0.5"},
    "request_id": "req-1",
    "run_id": None,
}
TIMES = [f"2026-03-01T10:00:0{second}.000000Z" for second in range(10)]
SALT = bytes(range(16))


def rehash(link: Link, **changes: Any) -> Link:  # noqa: ANN401 - the fields of a Link
    """Change an event and make its own hashes right again, as a careful forger would."""
    link = link._replace(**changes)
    if link.body is not None and link.salt is not None:
        link = link._replace(body_hash=body_hash(link.salt, link.body))
    header = header_bytes(
        body_hash=link.body_hash.hex(),
        ledger=ORIGIN,
        position=link.position,
        prev_hash=link.prev_hash.hex(),
        recorded_at=link.recorded_at,
        stream=link.stream,
        stream_version=link.stream_version,
        type_=link.type,
    )
    return link._replace(event_hash=event_hash(header))


def relink(links: Sequence[Link]) -> list[Link]:
    """Rehash a whole sequence, as who rewrites the suffix of a ledger would."""
    head: bytes = GENESIS
    chain = []
    for link in links:
        chain.append(rehash(link, prev_hash=head))
        head = chain[-1].event_hash
    return chain


def ledger_of(streams: Sequence[str], bodies: Sequence[dict[str, Any]]) -> list[Link]:
    """Return an honest ledger with one event for each stream named."""
    versions: dict[str, int] = {}
    links = []
    for position, (stream, body) in enumerate(zip(streams, bodies, strict=True), 1):
        versions[stream] = versions.get(stream, 0) + 1
        links.append(
            Link(
                position=position,
                stream=stream,
                stream_version=versions[stream],
                type="signal.observed.v1",
                recorded_at=TIMES[min(position // 2, 9)],
                body=encode(body),
                salt=SALT,
                body_hash=bytes(32),
                prev_hash=bytes(32),
                event_hash=bytes(32),
            )
        )
    return relink(links)


@st.composite
def ledgers(draw: st.DrawFn) -> list[Link]:
    size = draw(st.integers(2, 9))
    names = st.sampled_from(["ledger", "models/a", "models/b", "policies/a"])
    streams = draw(st.lists(names, min_size=size, max_size=size))
    values = st.dictionaries(st.sampled_from("abc"), st.text(max_size=5), max_size=3)
    data = draw(st.lists(values, min_size=size, max_size=size))
    return ledger_of(streams, [{**BODY, "data": d} for d in data])


def small_ledger() -> list[Link]:
    return ledger_of(["ledger", "models/a", "models/a", "models/b", "models/a"], [BODY] * 5)


def feed_all(verifier: ChainVerifier, links: Sequence[Link]) -> None:
    for link in links:
        verifier.feed(link)


def blamed(
    links: Sequence[Link],
    *,
    strict: bool = True,
    head: bytes = GENESIS,
    start_position: int = 1,
    versions: dict[str, int] | None = None,
    recorded_at: str = "",
) -> LedgerError:
    """Return the refusal of a damaged ledger, having seen that it blames where it stopped."""
    verifier = ChainVerifier(
        origin=ORIGIN,
        head=Digest(head),
        start_position=start_position,
        strict=strict,
        versions=versions,
        recorded_at=recorded_at,
    )
    with pytest.raises(LedgerError) as caught:
        feed_all(verifier, links)
    assert caught.value.reason is Reason.CHAIN_BROKEN
    assert caught.value.metadata["position"] == str(verifier.next_position)
    return caught.value


def verify(links: list[Link], head: Digest = GENESIS, start_position: int = 1) -> Digest:
    """Return the head of a ledger that was checked strictly."""
    verifier = ChainVerifier(origin=ORIGIN, head=head, start_position=start_position)
    feed_all(verifier, links)
    return verifier.head


@given(ledgers())
def test_honest_ledger_verifies_to_its_last_hash(links: list[Link]) -> None:
    assert verify(links) == links[-1].event_hash
    fast = ChainVerifier(origin=ORIGIN, strict=False)
    feed_all(fast, links)
    assert fast.head == links[-1].event_hash
    assert fast.next_position == len(links) + 1


def test_an_empty_ledger_verifies_to_genesis() -> None:
    assert verify([]) == GENESIS


@given(links=ledgers(), data=st.data(), strict=st.booleans())
def test_damage_is_blamed_where_it_first_shows(
    *, links: list[Link], data: st.DataObject, strict: bool
) -> None:
    at = data.draw(st.integers(0, len(links) - 2), label="at")
    entry, successor = links[at], links[at + 1]
    assert entry.body is not None
    edited = entry._replace(body=encode({**BODY, "data": {"edited": True}}))
    forged = rehash(edited)  # consistent in itself
    here, next_ = at + 1, at + 2
    for damage, tail, shows in [
        ("edited", [edited, successor], here),
        ("forged", [forged, successor], next_),
        ("moved", [rehash(entry, position=here + 1), successor], here),
        ("dropped", [successor], here),
        ("swapped", [successor, entry], here),
        ("repeated", [entry, entry, successor], next_),
        ("salted again", [entry._replace(salt=bytes(16)), successor], here),
        ("salt shortened", [rehash(entry, salt=SALT[:15] + b"!")] * 2, next_),
        ("stream renamed", [entry._replace(stream="models/zz"), successor], here),
        ("retyped", [entry._replace(type="signal.defined.v1"), successor], here),
        ("redated", [entry._replace(recorded_at=TIMES[9]), successor], here),
        ("reversioned", [entry._replace(stream_version=99), successor], here),
    ]:
        error = blamed([*links[:at], *tail, *links[at + 2 :]], strict=strict)
        assert error.metadata["position"] == str(shows), damage


@given(ledgers(), st.data())
def test_one_flipped_bit_anywhere_is_blamed_on_its_event(
    links: list[Link], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(links) - 1), label="at")
    field = data.draw(
        st.sampled_from(["body", "salt", "body_hash", "prev_hash", "event_hash"]), label="field"
    )
    honest: bytes = getattr(links[at], field)
    bit = data.draw(st.integers(0, len(honest) * 8 - 1), label="bit")
    flipped = bytearray(honest)
    flipped[bit // 8] ^= 1 << bit % 8
    damaged: dict[str, Any] = {field: bytes(flipped)}
    links[at] = links[at]._replace(**damaged)
    for strict in (True, False):
        assert blamed(links, strict=strict).metadata["position"] == str(at + 1)


# Damages of position 3 (the second event of models/a) that a forger hides with fresh hashes up to
# the end. What is left to find them is meaning.
REWRITES: dict[str, tuple[dict[str, Any], str]] = {
    "version skipped": ({"stream_version": 3}, "at version 3 instead of 2"),
    "version repeated": ({"stream_version": 1}, "at version 1 instead of 2"),
    "first version is not 1": ({"stream": "models/new", "stream_version": 2}, "instead of 1"),
    "earlier than the event before": ({"recorded_at": TIMES[0]}, "before the previous"),
    "not a date": ({"recorded_at": "2026-02-30T10:00:00.000000Z"}, "not a day of the calendar"),
    "not a time": ({"recorded_at": "2026-03-01 10:00:00Z"}, "not a time"),
    "stream outside the grammar": ({"stream": "Models/a"}, "not a stream name"),
    "type without version": ({"type": "signal.observed"}, "not an event type"),
    "erased for ever kept": (
        {"type": "key.rotated.v1", "body": None, "salt": None},
        "can be neither erased nor withheld",
    ),
    "body without salt": ({"salt": None}, "both be bytes, or both be absent"),
    "salt without body": ({"body": None}, "both be bytes, or both be absent"),
}


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("damage", REWRITES)
def test_a_rewritten_suffix_is_blamed_by_meaning(*, damage: str, strict: bool) -> None:
    changes, words = REWRITES[damage]
    links = small_ledger()
    links[2] = links[2]._replace(**changes)
    error = blamed(relink(links), strict=strict)
    assert error.metadata["position"] == "3"
    assert words in error.message


BAD_BODIES: dict[str, tuple[bytes, str]] = {
    "white space": (encode(BODY).replace(b":", b": ", 1), "not canonical"),
    "repeated key": (b'{"actor":"users/ana",' + encode(BODY)[1:], "not canonical"),
    "float": (encode(BODY).replace(b'"0.5"', b"0.5"), "float"),
    "not JSON": (b"{", "not JSON"),
    "key missing": (encode({k: v for k, v in BODY.items() if k != "run_id"}), "the keys"),
    "key too many": (encode({**BODY, "note": ""}), "the keys"),
    "array": (b"[]", "the keys"),
    "bad actor": (encode({**BODY, "actor": "ana"}), "not an actor"),
    "actor of another kind": (encode({**BODY, "actor": 1}), "not an actor"),
    "caused by itself": (encode({**BODY, "causation_position": 3}), "earlier event"),
    "caused by position 0": (encode({**BODY, "causation_position": 0}), "earlier event"),
    "caused by truth": (encode({**BODY, "causation_position": True}), "earlier event"),
    "bad request id": (encode({**BODY, "request_id": "a b"}), "not a request id"),
    "bad run id": (encode({**BODY, "run_id": "runs/"}), "not a run id"),
    "data is no object": (encode({**BODY, "data": []}), "not an object"),
}


@pytest.mark.parametrize("damage", BAD_BODIES)
def test_a_rightly_hashed_body_outside_the_format_is_blamed_by_the_strict_pass(damage: str) -> None:
    body, words = BAD_BODIES[damage]
    links = small_ledger()
    links[2] = links[2]._replace(body=body)
    rewritten = relink(links)
    error = blamed(rewritten)
    assert error.metadata["position"] == "3"
    assert words in error.message
    feed_all(ChainVerifier(origin=ORIGIN, strict=False), rewritten)


# What a database with loose types can hand over after damage.
ODD_KINDS: dict[str, Callable[[Link], Link]] = {
    "position is text": lambda link: link._replace(position="3"),  # type: ignore[arg-type]
    "position is a float": lambda link: link._replace(position=3.0),  # type: ignore[arg-type]
    "version is a float": lambda link: link._replace(stream_version=2.0),  # type: ignore[arg-type]
    "version is text": lambda link: link._replace(stream_version="2"),  # type: ignore[arg-type]
    "stream is bytes": lambda link: link._replace(stream=b"models/a"),  # type: ignore[arg-type]
    "stream is absent": lambda link: link._replace(stream=None),  # type: ignore[arg-type]
    "type is a number": lambda link: link._replace(type=1),  # type: ignore[arg-type]
    "time is a number": lambda link: link._replace(recorded_at=1),  # type: ignore[arg-type]
    "body is text": lambda link: link._replace(body="{}"),  # type: ignore[arg-type]
    "body hash is absent": lambda link: link._replace(body_hash=None),  # type: ignore[arg-type]
    "body hash is short": lambda link: link._replace(body_hash=b"x"),
    "event hash is absent": lambda link: link._replace(event_hash=None),  # type: ignore[arg-type]
    "stream is not ASCII": lambda link: link._replace(stream="models/\ud800"),
    "salt is long": lambda link: link._replace(salt=bytes(17)),
}


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("kind", ODD_KINDS)
def test_fields_of_the_wrong_kind_are_blamed_not_crashed_on(*, kind: str, strict: bool) -> None:
    links = small_ledger()
    links[2] = ODD_KINDS[kind](links[2])
    assert blamed(links, strict=strict).metadata["position"] == "3"


def test_another_ledgers_event_is_blamed() -> None:
    verifier = ChainVerifier(origin="ledger.example.com/other")
    with pytest.raises(LedgerError, match="event hash"):
        verifier.feed(small_ledger()[0])


def test_an_erased_body_leaves_the_chain_whole() -> None:
    links = small_ledger()
    links[2] = links[2]._replace(body=None, salt=None)
    assert verify(links) == links[-1].event_hash


def test_a_refused_event_leaves_the_verifier_as_it_was() -> None:
    links = small_ledger()
    verifier = ChainVerifier(origin=ORIGIN)
    verifier.feed(links[0])
    with pytest.raises(LedgerError):
        verifier.feed(links[2])
    assert (verifier.next_position, verifier.head) == (2, links[0].event_hash)
    feed_all(verifier, links[1:])


def test_verification_goes_on_from_a_known_head() -> None:
    links = small_ledger()
    head = Digest(links[1].event_hash)
    assert verify(links[2:], head=head, start_position=3) == links[-1].event_hash
    exact: dict[str, Any] = {"head": head, "start_position": 3, "recorded_at": links[1].recorded_at}
    error = blamed(links[2:], **exact, versions={"models/a": 2})
    assert "instead of 3" in error.message
    later = {**exact, "recorded_at": TIMES[9], "versions": {"ledger": 1, "models/a": 1}}
    assert "before the previous" in blamed(links[2:], **later).message
    assert "previous hash" in blamed(links[2:], start_position=3).message


def test_a_later_start_takes_no_impossible_version_at_its_word() -> None:
    links = small_ledger()
    links[3] = rehash(links[3], stream_version=5)  # position 4 has room for four
    error = blamed(links[3:], head=Digest(links[2].event_hash), start_position=4)
    assert error.metadata["position"] == "4"


def test_salt_and_body_cannot_trade_bytes() -> None:
    links = small_ledger()
    body = links[2].body
    assert body is not None
    links[2] = links[2]._replace(salt=SALT + body[:1], body=body[1:])  # hashes to the same
    assert "17 bytes long" in blamed(links, strict=False).message


def test_with_known_versions_a_new_stream_begins_at_1() -> None:
    links = small_ledger()
    links[3] = rehash(links[3], stream_version=2)
    known = {"ledger": 1, "models/a": 2}
    head = links[2].event_hash
    assert "instead of 1" in blamed(links[3:], head=head, start_position=4, versions=known).message
