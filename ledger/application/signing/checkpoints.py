"""Signed checkpoints: a tree head is signed once everything about it has been checked.

Before a signature: the events since the last signed head are hashed again from what is stored and
must lead to the stored tree; that tree must contain the last signed one; and of those who sign at
once one wins, since a note is kept only on top of the note it was checked against. Where anything
contradicts what was signed, nothing is signed from then on, while appends go on.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from ledger.application.signing.evidence import LOG_ONLY, Contradiction, Evidence
from ledger.application.signing.keyring import Keyring, known_keys
from ledger.chain.checkpoint import CheckpointBody, open_checkpoint, parse, sign
from ledger.chain.cosignature import add_cosignatures
from ledger.chain.heads import TreeHead, compare
from ledger.chain.key_history import KeyHistory
from ledger.chain.link import GENESIS
from ledger.chain.merkle import CompactRange, ProofError, prove_consistency
from ledger.chain.note import parse as parse_note
from ledger.chain.tiles import TileError, hash_reader, tree_at
from ledger.errors import LedgerError, Reason, chain_broken
from ledger.events.horizons import DERIVED_TYPES
from ledger.events.system import LedgerCreated
from ledger.storage.records import Head, KeptCheckpoint, LedgerInfo
from ledger.storage.rehash import Rehash, Rehashed, check_horizons, refuse_misplaced
from ledger.storage.store import Store, StoreMoment

_ATTEMPTS: Final = 20  # another signer was quicker, and yet has not covered what is wanted
_log: Final = structlog.get_logger("ledger.signing")


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A tree head that was signed and kept.

    `note` ends with the cosignatures that have come in, `witnesses` are their names. `vkey` is the
    newest of the ledger's keys that have signed the note.
    """

    size: int
    root: bytes
    note: str
    vkey: str
    witnesses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Basis:
    """The last signed head, which the next one must contain."""

    note: str
    event_hash: bytes
    tree: CompactRange


class Checkpoints:
    """Signs, keeps and returns the tree heads of one ledger. Safe between threads."""

    def __init__(
        self,
        store: Store,
        info: LedgerInfo,
        keyring: Keyring,
        *,
        rehash: Rehash,
        evidence: Evidence,
    ) -> None:
        self._store = store
        self._origin = info.origin
        self._keyring = keyring
        self._rehash = rehash
        self._evidence = evidence
        self._signing = threading.Lock()
        self._stopping = threading.Lock()
        self._basis: _Basis | None = None
        self._history: KeyHistory | None = None
        self._failure: LedgerError | None = None
        self._on_signed: list[Callable[[int], None]] = []
        self._on_failure: list[Callable[[], None]] = []
        self.is_scheduled = False
        """Whether a server signs by the clock, so that a waiting call need not sign."""
        if (found := evidence.about(self._origin)) is not None:
            self._fail(f"the evidence in {found[0]} says: {found[1]}")

    # ---- signing -----------------------------------------------------------------------------

    @property
    def failure(self) -> LedgerError | None:
        """Why nothing is signed any more, or None."""
        return self._failure

    def on_signed(self, callback: Callable[[int], None]) -> None:
        """Call back with its size when this process has signed a checkpoint."""
        self._on_signed.append(callback)

    def on_failure(self, callback: Callable[[], None]) -> None:
        """Call back, on any thread, when signing stops; at once if it has stopped."""
        self._on_failure.append(callback)
        if self._failure is not None:
            callback()

    def sign(self) -> SignedCheckpoint:
        """Return a checkpoint over all that is recorded, signed now unless it was signed before.

        SIGNING_STOPPED where the ledger contradicts itself or what was signed, now or earlier in
        the life of this process; KEY_UNKNOWN for a ledger without keys.
        """
        with self._signing:
            wanted = self._store.events.head(self._origin).position
            for _ in range(_ATTEMPTS):
                self.refuse_if_stopped()
                try:
                    signed = self._attempt(wanted)
                except LedgerError as error:
                    if error.reason is not Reason.CHAIN_BROKEN:
                        raise
                    raise self.stop(error.message) from error
                if signed is not None:
                    return signed
        raise LedgerError(
            Reason.STORE_UNAVAILABLE,
            f"Others signed {_ATTEMPTS} times while this checkpoint was being made.",
            remedy="Ask again.",
            retry_after_seconds=1.0,
        )

    def _attempt(self, wanted: int) -> SignedCheckpoint | None:
        """Check and sign the head, unless what is kept covers what is wanted.

        None if another server has signed meanwhile.
        """
        with self._store.snapshot() as view:
            kept = view.proofs.checkpoint(self._origin)
            head = view.events.head(self._origin)
            self._store.keys.check_head(self._origin, head)
            history = self._history = self._keyring.history(view.events, until=head.position)
            basis = self._last_signed(view, kept, head, history)
            refuse_misplaced(view.events, self._origin, head)
            tree = _tree_of(head)
            self._check_extends(view, basis.tree, tree)
            if kept is not None and kept.size >= wanted:
                self._basis = basis
                return self.present(view, kept)
            keys = self._keyring.signers(history, head.position)
        # The rows are there for good, so they are read outside: the snapshot is not held for long.
        again = self._rehash(
            self._origin, basis.tree.size + 1, head.position, basis.event_hash, basis.tree
        )
        _check_rehashed(again, head)
        note = sign(CheckpointBody(self._origin, tree.size, tree.root()), keys).decode()
        self.refuse_if_stopped()
        # The point of no return: from here on the note is known, and every later one contains it.
        if not self._store.proofs.save_checkpoint(
            self._origin, tree.size, note, after=basis.tree.size
        ):
            return None
        self._basis = _Basis(note, head.event_hash, tree)
        for callback in self._on_signed:
            callback(tree.size)
        newest = str(keys[-1].verifier_key)
        return SignedCheckpoint(tree.size, tree.root(), note, newest)

    def _last_signed(
        self, view: StoreMoment, kept: KeptCheckpoint | None, head: Head, history: KeyHistory
    ) -> _Basis:
        """Return the last signed head with its tree, from memory or from notes and tiles.

        A head that this process has signed or seen binds it, even if the database changed since.
        """
        known = self._basis
        if known is not None and (kept is None or kept.size < known.tree.size):
            raise chain_broken(
                head.position,
                f"a checkpoint of {known.tree.size} events was signed; it is not kept any more",
            )
        if kept is None:
            return _Basis("", GENESIS, CompactRange())
        if kept.size > head.position:
            raise chain_broken(
                head.position,
                f"a checkpoint of {kept.size} events was signed; some of them are gone",
            )
        if known is not None and known.note == kept.note:
            return known
        try:
            keys = known_keys(history)
            opened = open_checkpoint(kept.note.encode(), origin=self._origin, keys=keys).checkpoint
            tree = tree_at(kept.size, lambda wanted: view.proofs.tiles(self._origin, wanted))
        except (ValueError, TileError) as error:
            raise chain_broken(kept.size, f"the checkpoint kept for it fails: {error}") from error
        event = view.events.event(self._origin, kept.size)
        if event is None or (opened.size, opened.root) != (kept.size, tree.root()):
            raise chain_broken(kept.size, "a checkpoint of this size was signed with another root")
        if known is not None:
            self._check_extends(view, known.tree, tree)
        return _Basis(kept.note, event.event_hash, tree)

    def _check_extends(self, view: StoreMoment, signed: CompactRange, tree: CompactRange) -> None:
        """Refuse unless the stored tiles prove that the tree begins with the signed one."""
        if signed.size == 0:
            return
        try:
            read = hash_reader(tree.size, lambda wanted: view.proofs.tiles(self._origin, wanted))
            proof = prove_consistency(signed.size, tree.size, read)
        except (ProofError, TileError) as error:
            raise _not_contained(signed.size, tree.size, str(error)) from error
        known, offered = (TreeHead(one.size, one.root()) for one in (signed, tree))
        comparison = compare(known, offered, proof)
        if not comparison.is_extended:
            raise _not_contained(signed.size, tree.size, comparison.why)

    def refuse_unsigned(self) -> None:
        """Raise CHAIN_BROKEN where what no genuine checkpoint covers cannot have been appended.

        It has a broken horizon, or lies behind the head. The signer finds it too: here it is found
        before anything is served.
        """
        with self._store.snapshot() as view:
            kept = view.proofs.checkpoint(self._origin)
            head = view.events.head(self._origin)
            refuse_misplaced(view.events, self._origin, head)
            try:
                history = self._keyring.history(view.events, until=head.position)
                signed = self._last_signed(view, kept, head, history).tree.size
            except LedgerError:  # the signer will say what is wrong with it
                signed = 0
        check_horizons(self._store.events, self._origin, signed, head.position)

    def refuse_keyless(self) -> None:
        """Raise CHAIN_BROKEN where a ledger without a key holds what only one with a key does."""
        found = self._store.events.of_types(
            self._origin, (LedgerCreated.TYPE, *DERIVED_TYPES), limit=1
        )
        for event in found:
            raise chain_broken(event.position, f"a ledger without a key holds no {event.type}")

    # ---- stopping ----------------------------------------------------------------------------

    def refuse_if_stopped(self) -> None:
        """Raise SIGNING_STOPPED if signing has stopped."""
        if (failure := self._failure) is not None:
            raise _stopped(failure.metadata["why"])

    def stop(self, why: str, found: Contradiction | None = None) -> LedgerError:
        """Sign nothing any more, keep the evidence, and return the refusal."""
        if found is not None:
            where = self._evidence.keep(found)
            _log.error(
                "signing.contradicted", ledger=self._origin, kept=where, source=found.source,
                ours=found.ours, theirs=found.theirs,
            )  # fmt: skip
            if where != LOG_ONLY:
                why = f"{why} The notes are kept in {where}."
        return self._fail(why)

    def _fail(self, why: str) -> LedgerError:
        with self._stopping:
            is_first, self._failure = self._failure is None, self._failure or _stopped(why)
        if is_first:
            _log.error("signing.stopped", ledger=self._origin, why=why)
            for callback in self._on_failure:
                callback()
        return _stopped(why)

    # ---- reading -----------------------------------------------------------------------------

    def of_size(self, size: int) -> SignedCheckpoint:
        """Return the checkpoint of a size with its cosignatures; CHECKPOINT_UNKNOWN if none was."""
        with self._store.snapshot() as view:
            return self.present(view, self.kept(view, size))

    def newest(self) -> SignedCheckpoint | None:
        """Return the newest checkpoint kept, or None; signs nothing."""
        with self._store.snapshot() as view:
            kept = view.proofs.checkpoint(self._origin)
            return None if kept is None else self.present(view, kept)

    def after(self, size: int, limit: int) -> list[SignedCheckpoint]:
        """Return the checkpoints larger than a size, smallest first."""
        with self._store.snapshot() as view:
            found = view.proofs.checkpoints(self._origin, after_size=size, limit=limit)
            return [self.present(view, kept) for kept in found]

    def kept(self, view: StoreMoment, size: int) -> KeptCheckpoint:
        """Return the note kept for a size as a view has it; CHECKPOINT_UNKNOWN if there is none."""
        kept = view.proofs.checkpoint(self._origin, size=size)
        if kept is None:
            raise LedgerError(
                Reason.CHECKPOINT_UNKNOWN,
                f"No checkpoint of {size} events was signed.",
                remedy="List the checkpoints, or ask for one over all that is recorded.",
                metadata={"size": str(size)},
            )
        return kept

    def present(self, view: StoreMoment, kept: KeptCheckpoint) -> SignedCheckpoint:
        """Return a kept checkpoint with its cosignatures, named by the newest key that signed."""
        parsed = parse_note(kept.note.encode())
        made = {(line.name, line.key_id) for line in parsed.signatures}
        signers = _signers_of(made, self._history)
        if not signers:  # signed by another server, perhaps, with a key that we have not read of
            self._history = self._keyring.history(view.events)
            signers = _signers_of(made, self._history)
        lines = view.proofs.cosignatures(self._origin, kept.size)
        note = kept.note
        if lines:
            note = add_cosignatures(note.encode(), [each.line for each in lines]).decode()
        names = tuple(dict.fromkeys(each.name for each in lines))
        return SignedCheckpoint(
            kept.size, parse(parsed.text).root, note, signers[-1] if signers else "", names
        )

    def is_settled(self, position: int) -> bool:
        """Return whether nothing is to be waited for, as far as this process knows unasked."""
        basis = self._basis
        covers = basis is not None and basis.tree.size >= position
        return covers or not self.is_scheduled or self._failure is not None

    def is_covered(self, position: int) -> bool:
        """Return whether a kept checkpoint covers a position, whichever server has signed it."""
        return self._store.proofs.covering(self._origin, position) is not None

    def refuse_uncovered(self, position: int) -> None:
        """Raise DEADLINE_EXCEEDED where a server signs by the clock and has not come so far.

        SIGNING_STOPPED where none will.
        """
        if not self.is_scheduled or self.is_covered(position):
            return
        self.refuse_if_stopped()
        raise LedgerError(
            Reason.DEADLINE_EXCEEDED,
            f"No checkpoint covered position {position} in time; it is on record.",
            remedy="Ask for its inclusion proof later.",
            metadata={"position": str(position)},
        )


def _stopped(why: str) -> LedgerError:
    return LedgerError(
        Reason.SIGNING_STOPPED,
        f"Nothing is signed any more: {why}",
        remedy=(
            "Keep database and notes as evidence and find out which statement is true; "
            "nothing is signed before the contradiction is gone and the server was started again."
        ),
        metadata={"why": why},
    )


def _signers_of(made: set[tuple[str, bytes]], history: KeyHistory | None) -> list[str]:
    """Return which of the ledger's keys are named in a note's signatures, the newest last."""
    known = known_keys(history) if history is not None else []
    return [str(key) for key in known if (key.name, key.key_id) in made]


def _tree_of(head: Head) -> CompactRange:
    """Return the tree at a head; CHAIN_BROKEN unless it is whole and has a leaf for each event."""
    try:
        tree = CompactRange.from_bytes(head.tree)
    except ValueError as error:
        raise chain_broken(head.position, f"its tree cannot be read: {error}") from error
    if tree.size != head.position:
        raise chain_broken(head.position, f"the tree has {tree.size} leaves")
    return tree


def _check_rehashed(again: Rehashed, head: Head) -> None:
    """Refuse a head that is not what the stored events hash to."""
    if again.tree.to_bytes() != head.tree or again.event_hash != head.event_hash:
        raise chain_broken(head.position, "the stored head is not what the stored events lead to")


def _not_contained(signed: int, size: int, why: str) -> LedgerError:
    return chain_broken(size, f"it does not contain the checkpoint of {signed} events: {why}")
