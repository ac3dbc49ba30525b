"""Following a ledger from a key that is trusted to the one that came after it: step 3.

Only a proven key is remembered.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ledger.chain import checkpoint as checkpoints
from ledger.chain.checkpoint import CheckpointBody as Claim
from ledger.chain.heads import TreeHead, compare, head_of
from ledger.chain.keys import ED25519, VerifierKey
from ledger.chain.link import body_hash, event_hash, header_bytes
from ledger.chain.merkle import ProofError, check_inclusion
from ledger.chain.note import NoteError, UnverifiedNoteError
from ledger.client.call import Steps
from ledger.client.decode import paged
from ledger.client.errors import BusyError, DeadlineError, LedgerRefusedError
from ledger.client.records import Checkpoint, Event
from ledger.client.trust import calls
from ledger.client.trust.store import TrustedKey, TrustedLedger, claim_of
from ledger.events.keys import KeyCommitted, KeyRevoked, KeyRotated
from ledger.events.system import CONFIGURED, LedgerConfigured, LedgerCreated
from ledger.events.values import format_time
from ledger.limits import PAGE_SIZE_MAX
from ledger.v1 import ledger_service_pb2 as pb

_TYPES: Final = (
    LedgerCreated.TYPE,
    *CONFIGURED,
    KeyCommitted.TYPE,
    KeyRotated.TYPE,
    KeyRevoked.TYPE,
)


def keys_at(trusted: TrustedLedger, size: int) -> list[TrustedKey]:
    """Return the trusted keys whose signature counts for a tree of this size."""
    return [key for key in trusted.keys if key.covers(size)]


def follow_keys(
    trusted: TrustedLedger, stated: Checkpoint, claim: Claim
) -> Steps[tuple[TrustedLedger, str]]:
    """Take steps 3.1 to 3.6: return what is trusted with the keys that followed, and why no more.

    `claim` is what the checkpoint states, whose signature may be by a key that is not trusted yet.
    """
    events: list[Event] = []
    request = pb.ListEventsRequest(
        until_position=claim.size, types=_TYPES, streams=("ledger",), page_size=PAGE_SIZE_MAX
    )
    listed = paged(request, Event, "events")
    try:
        page = yield listed.first
        events += page.items
        while page.next_page_token:
            page = yield listed.after(page.next_page_token)
            events += page.items
        checked = [_Read.of(event, trusted.origin) for event in events]
        walk = _Walk(trusted, stated, claim, checked)
        return (yield from walk.result())
    except (BusyError, DeadlineError):
        raise
    except _UNPROVEN as error:
        return trusted, str(error)


class _UnprovenError(ValueError):
    """A key that cannot be followed to; the text says why."""


# Answers of a server that lies need not have the form of honest ones.
_UNPROVEN: Final = (LedgerRefusedError, ValueError, TypeError, LookupError, AttributeError)


@dataclass(frozen=True, slots=True)
class _Read:
    """An event about keys, whose hash was computed here from what it says."""

    position: int
    type: str
    data: dict[str, Any]
    hash: bytes

    @classmethod
    def of(cls, event: Event, origin: str) -> "_Read":
        """Step 3.1: return an event as it hashes; refused where its body was erased."""
        if not event.body or len(event.salt) != 16:
            raise _UnprovenError(f"the body of position {event.position} was erased")
        committed = body_hash(event.salt, event.body)
        header = header_bytes(
            body_hash=committed.hex(),
            ledger=origin,
            position=event.position,
            prev_hash=event.prev_hash.hex(),
            recorded_at=format_time(round(event.recorded_at.timestamp() * 1_000_000)),
            stream=event.stream,
            stream_version=event.stream_version,
            type_=event.type,
        )
        return cls(event.position, event.type, event.data, event_hash(header))


class _Walk:
    """One way from the keys that are trusted to those that have signed a checkpoint."""

    def __init__(
        self,
        trusted: TrustedLedger,
        stated: Checkpoint,
        claim: Claim,
        events: Sequence[_Read],
    ) -> None:
        self._trusted = trusted
        self._stated = stated
        self._here = head_of(claim)
        self._events = events

    def result(self) -> Steps[tuple[TrustedLedger, str]]:
        """Return what is trusted at the end of the way, and why it goes no further."""
        why = "the ledger names no other key"
        try:
            naming = self._naming()
            for rotation in self._rotations(naming.position):
                yield from self._follow(naming, rotation)
                naming, why = rotation, ""
        except (BusyError, DeadlineError):
            raise
        except _UNPROVEN as error:
            why = str(error)
        if _signs(self._trusted, self._stated.note, self._here.size):
            yield from self._learn_revocations()
        return self._trusted, why

    def _naming(self) -> _Read:
        """Step 3.2: return the event that named the newest trusted key; refused if one has none.

        With one left out, a key from before it could be passed off as its successor.
        """
        named = []
        for key in self._trusted.keys:
            made = [
                event
                for event in self._events
                if event.type in {LedgerCreated.TYPE, KeyRotated.TYPE}
                and event.data["vkey"] == key.verifier_key
            ]
            if not made or made[0].position > self._seen(key):
                raise _UnprovenError(f"the ledger does not show what named {key.verifier_key}")
            named.append(made[0])
        return max(named, key=lambda event: event.position)

    def _seen(self, key: TrustedKey) -> int:
        """Return the largest position at which a trusted key can have been named."""
        size = self._here.size
        return min(size, key.seen_at or size, key.from_position or size)

    def _rotations(self, after: int) -> Iterator[_Read]:
        """Yield the rotations behind a position to keys that are not trusted yet."""
        for event in self._events:
            known = {key.verifier_key for key in self._trusted.keys}
            is_new = event.type == KeyRotated.TYPE and event.data["vkey"] not in known
            if is_new and event.position > after:
                yield event

    def _follow(self, naming: _Read, rotation: _Read) -> Steps[None]:
        """Take steps 3.3 to 3.5: trust the key of a rotation if everything about it is proven.

        `naming` is the event that named the key before it.
        """
        data = KeyRotated.from_data(rotation.data)
        key = VerifierKey.parse(data.vkey)
        if key.name != self._trusted.origin or key.type != ED25519:
            raise _UnprovenError(f"the key of position {rotation.position} is of {key.name!r}")
        if data.from_position < rotation.position:
            raise _UnprovenError(f"the key of position {rotation.position} begins before it")
        basis = self._commitment(naming, rotation, data.vkey)
        commitment = basis[-1]
        anchor = yield from self._anchor(rotation.position)
        revocation = None
        if anchor is not None:
            yield from self._include(rotation, anchor)
        else:
            revocation = self._revocation(rotation)
            below = KeyRevoked.from_data(revocation.data).from_position
            anchor = yield from self._anchor(commitment.position, below)
            if anchor is None:
                raise _UnprovenError(
                    f"no trusted key has signed a tree with position {commitment.position}"
                )
            for event in (rotation, revocation):
                yield from self._include(event, self._here)
        for event in (naming, *basis):
            yield from self._include(event, anchor)
        keys = tuple(
            replace(one, until_position=data.previous_until_position)
            if one.until_position is None
            else one
            for one in self._trusted.keys
        )
        new = TrustedKey(data.vkey, data.from_position)
        self._trusted = replace(self._trusted, keys=(*keys, new))
        if revocation is not None:
            self._revoke(revocation)

    def _commitment(self, naming: _Read, rotation: _Read, vkey: str) -> list[_Read]:
        """Step 3.3: return the commitment to the key, last, and what shows that it is the one."""
        shown: list[_Read] = []
        made = [event for event in self._events if event.position == naming.position + 1]
        if made and made[0].type == LedgerConfigured.TYPE and naming.type == LedgerCreated.TYPE:
            shown = made[:1]
            made = [event for event in self._events if event.type == KeyCommitted.TYPE]
        digest = hashlib.sha256(vkey.encode()).hexdigest()
        is_before = bool(made) and made[0].position < rotation.position
        if not is_before or made[0].data.get("next_key_digest") != digest:
            raise _UnprovenError(
                f"the key of position {rotation.position} was not committed in advance"
            )
        return [*shown, made[0]]

    def _revocation(self, rotation: _Read) -> _Read:
        """Step 3.5: return what revoked the key before a rotation, which lets it go unsigned."""
        current = [key.verifier_key for key in self._trusted.keys if key.until_position is None]
        for event in self._events:
            if event.type == KeyRevoked.TYPE and event.data["vkey"] in current:
                return event
        raise _UnprovenError(
            f"no trusted key has signed a tree with the rotation at position {rotation.position}"
        )

    def _anchor(self, position: int, below: int | None = None) -> Steps[TreeHead | None]:
        """Step 3.4: return a tree with a position that a trusted key has signed, or None.

        It is proven to be part of the tree at hand, and smaller than `below`, if that is given.
        """
        size_max = self._here.size if below is None else min(self._here.size, below - 1)
        if size_max == self._here.size and _signs(
            self._trusted, self._stated.note, self._here.size
        ):
            return self._here
        candidates = [self._trusted.note] if self._trusted.note else []
        page = yield calls.list_checkpoints(position - 1, 1).first
        candidates += [checkpoint.note for checkpoint in page.items]
        for note in candidates:
            claim = claim_of(note)
            if position <= claim.size <= size_max and _signs(self._trusted, note, claim.size):
                tree = head_of(claim)
                yield from self._join(tree, self._here)
                return tree
        return None

    def _join(self, old: TreeHead, new: TreeHead) -> Steps[None]:
        """Prove that one tree extends another; ProofError if the ledger cannot."""
        hashes: tuple[bytes, ...] = ()
        if old.size != new.size:
            hashes = (yield calls.prove_consistency(old.size, new.size)).hashes
        comparison = compare(old, new, hashes)
        if not comparison.is_extended:
            raise ProofError(comparison.why)

    def _include(self, event: _Read, tree: TreeHead) -> Steps[None]:
        """Prove that an event is in a tree, by the hash that was computed here."""
        proof = yield calls.prove_inclusion(event.position, tree.size)
        check_inclusion(
            index=event.position - 1,
            size=tree.size,
            leaf=event.hash,
            root=tree.root,
            proof=proof.hashes,
        )

    def _learn_revocations(self) -> Steps[None]:
        """Step 3.6: note every revocation of a trusted key that is in the tree at hand."""
        for event in self._events:
            if event.type != KeyRevoked.TYPE:
                continue
            known = {key.verifier_key: key.revoked_from for key in self._trusted.keys}
            revoked = known.get(event.data["vkey"], 0)
            if revoked is None or event.data["from_position"] < revoked:
                yield from self._include(event, self._here)
                self._revoke(event)

    def _revoke(self, event: _Read) -> None:
        data = KeyRevoked.from_data(event.data)
        keys = tuple(
            replace(key, revoked_from=data.from_position) if key.verifier_key == data.vkey else key
            for key in self._trusted.keys
        )
        self._trusted = replace(self._trusted, keys=keys)


def signers(trusted: TrustedLedger, note: str, size: int) -> list[str]:
    """Return the trusted keys that count at a size and have signed a note; NoteError if forged."""
    keys = [VerifierKey.parse(key.verifier_key) for key in keys_at(trusted, size)]
    try:
        opened = checkpoints.open_checkpoint(note.encode(), origin=trusted.origin, keys=keys)
    except UnverifiedNoteError:
        return []
    ids = {signature.key_id for signature in opened.note.verified}
    return [str(key) for key in keys if key.key_id in ids]


def _signs(trusted: TrustedLedger, note: str, size: int) -> bool:
    try:
        return bool(signers(trusted, note, size))
    except NoteError:
        return False
