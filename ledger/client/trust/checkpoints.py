"""Taking in a checkpoint: steps 1 to 7 of the package, each a function that names its step."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NoReturn, TypeAlias

from ledger.chain import note as notes
from ledger.chain.checkpoint import CheckpointBody as Claim
from ledger.chain.heads import Relation, compare, head_of
from ledger.chain.keys import KeyFormatError, VerifierKey
from ledger.chain.note import NoteError
from ledger.client.call import Steps
from ledger.client.errors import (
    BusyError,
    DeadlineError,
    ForkError,
    LedgerRefusedError,
    ProofRefusedError,
    QuorumMissingError,
    RollbackError,
)
from ledger.client.options import ClientOptions
from ledger.client.records import Checkpoint
from ledger.client.trust import calls
from ledger.client.trust.keys import follow_keys, keys_at, signers
from ledger.client.trust.quorum import Quorum, quorum_of
from ledger.client.trust.results import TrustBasis, VerifiedCheckpoint
from ledger.client.trust.store import (
    Disagreement,
    FirstUseWarning,
    TrustedKey,
    TrustedLedger,
    claim_of,
)
from ledger.events.values import format_time

Floor: TypeAlias = Mapping[str, int]
"""By origin, the size that a ledger's newest checkpoint must have at least."""

_NO_FLOOR: Final[Floor] = {}
_KINDS: Final[dict[type[ProofRefusedError], str]] = {
    ForkError: "fork",
    RollbackError: "rollback",
    ProofRefusedError: "refused",
}


class CheckpointVerifier:
    """Takes the checkpoints of one client's ledger, or refuses them and keeps the evidence."""

    def __init__(self, settings: ClientOptions) -> None:
        self._ledger = settings.ledger
        self._target = settings.target
        self._store = settings.trust
        self._policy = settings.witness_policy
        self._settings = settings
        self._clock = settings.clock

    @property
    def origin(self) -> str:
        """The origin that must be answered for; "" if any will do, which is at first use only."""
        return self._ledger or self._store.served_by(self._target)

    def floor(self) -> Floor:
        """Return the sizes for step 4, before the newest checkpoint is asked for.

        What another thread has learnt while the answer was under way does not make it a rollback.
        """
        return {
            origin: claim_of(known.note).size
            for origin, known in self._store.all().items()
            if known.note
        }

    def accept(self, stated: Checkpoint, *, floor: Floor = _NO_FLOOR) -> Steps[VerifiedCheckpoint]:
        """Take steps 1 to 7, with the quorum that the witnesses have reached by now.

        `floor`: for one that is stated to be the newest, what `floor()` said before it was asked.
        """
        verified = yield from self.join(stated, floor=floor)
        if self._policy is None:
            return verified
        quorum = self.quorum(verified.origin, verified.note)
        if quorum.why:
            raise self.lacking(verified, quorum)
        return verified.witnessed(quorum.cosigned)

    def join(self, stated: Checkpoint, *, floor: Floor = _NO_FLOOR) -> Steps[VerifiedCheckpoint]:
        """Take steps 1 to 6: verify signature and history, and remember what is the newest."""
        claim = self._claim(stated)
        while True:
            known = self._store.known(claim.origin)
            trusted = self._trusted(known, stated, claim)
            trusted = yield from self._with_keys(trusted, stated, claim)
            self._not_rolled_back(claim, floor, stated)
            after = yield from self._extended(trusted, stated, claim)
            if self._remembered(known, after, stated, claim):
                break
        basis = TrustBasis.PINNED if after.is_pinned else TrustBasis.REMEMBERED
        if basis is TrustBasis.REMEMBERED and known is None:
            basis = TrustBasis.FIRST_USE
            _say_first_use(claim.origin, self._signers(after, stated)[-1])
        return VerifiedCheckpoint(
            claim.origin,
            claim.size,
            claim.root,
            stated.note,
            self._signers(after, stated)[-1],
            (),
            basis,
            claim_of(known.note).size if known is not None and known.note else 0,
        )

    def quorum(self, origin: str, note: str) -> Quorum:
        """Step 7: return the witnesses that cosigned a note, and whether they are enough."""
        assert self._policy is not None
        try:
            return quorum_of(self._policy.within(self._settings.times()), note)
        except NoteError as error:
            self.refuse(origin, str(error), note)

    def lacking(self, verified: VerifiedCheckpoint, quorum: Quorum) -> QuorumMissingError:
        """Return the refusal of a checkpoint that too few have cosigned."""
        return QuorumMissingError(
            verified.origin, quorum.why, missing=quorum.missing, received=verified.note
        )

    def refuse(
        self,
        origin: str,
        why: str,
        received: str = "",
        *,
        error: type[ProofRefusedError] = ProofRefusedError,
        proof: tuple[bytes, ...] = (),
        details: dict[str, str] | None = None,
    ) -> NoReturn:
        """Keep what was remembered and what was received, and raise."""
        known = self._store.known(origin) if origin else None
        remembered = known.note if known is not None else ""
        evidence = self._store.keep(
            Disagreement(
                _KINDS[error],
                origin,
                why,
                remembered,
                received,
                proof,
                {"server": self._target, **(details or {})},
            ),
            format_time(self._clock.now_micros()),
        )
        raise error(origin, why, remembered=remembered, received=received, evidence=evidence)

    # ---- one checkpoint --------------------------------------------------------------------------

    def _claim(self, stated: Checkpoint) -> Claim:
        """Step 1: return what the note states, if the answer states it too."""
        try:
            claim = claim_of(stated.note)
        except NoteError as error:
            self.refuse(self.origin, str(error), stated.note)
        why = ""
        if self.origin and claim.origin != self.origin:
            why = f"it answered with a checkpoint of {claim.origin!r}"
        elif (claim.origin, claim.size, claim.root) != (stated.origin, stated.size, stated.root):
            why = "origin, size and root of the answer are not those of its signed note"
        elif claim.size == 0:
            why = "its tree is empty"
        if why:
            self.refuse(self.origin or claim.origin, why, stated.note)
        return claim

    def _trusted(
        self, known: TrustedLedger | None, stated: Checkpoint, claim: Claim
    ) -> TrustedLedger:
        """Step 2: return what is trusted of a ledger before this checkpoint."""
        origin = claim.origin
        if self._policy is not None:
            listed = [str(log.key) for log in self._policy.logs if log.key.name == origin]
            if not listed:
                self.refuse(origin, "the policy lists no key of this ledger", stated.note)
            if known is None or not known.is_pinned:
                keys = tuple(TrustedKey(key) for key in listed)
                return TrustedLedger(origin, keys, known.note if known else "", is_pinned=True)
            if not set(listed) & {key.verifier_key for key in known.keys}:
                why = "the policy lists other keys than those that are pinned"
                self.refuse(origin, why, stated.note)
        if known is not None:
            return known
        try:
            name = VerifierKey.parse(stated.verifier_key).name
        except KeyFormatError as error:
            self.refuse(origin, str(error), stated.note)
        if name != origin:
            self.refuse(origin, f"the key that it names is of {name!r}", stated.note)
        return TrustedLedger(origin, (TrustedKey(stated.verifier_key),))

    def _with_keys(
        self, trusted: TrustedLedger, stated: Checkpoint, claim: Claim
    ) -> Steps[TrustedLedger]:
        """Step 3: return what is trusted, with the keys that have followed, if any has signed.

        The ledger is asked for other keys only where those that are expected to sign are not just
        those that have.
        """
        expected = {key.verifier_key for key in keys_at(trusted, claim.size)}
        lines = notes.parse(stated.note.encode()).signatures
        ids = {line.key_id for line in lines if line.name == claim.origin}
        signed = self._signers(trusted, stated)
        if signed and set(signed) == expected and len(ids) == len(signed):
            return trusted
        followed, why = yield from follow_keys(trusted, stated, claim)
        if self._signers(followed, stated):
            return followed
        self.refuse(
            claim.origin,
            f"no trusted key that counts at size {claim.size} has signed its checkpoint"
            + (f", and no other is proven to have followed: {why}" if why else ""),
            stated.note,
        )

    def _signers(self, trusted: TrustedLedger, stated: Checkpoint) -> list[str]:
        """Return the trusted keys that count at its size and have signed a checkpoint."""
        try:
            return signers(trusted, stated.note, stated.size)
        except NoteError as error:
            self.refuse(trusted.origin, str(error), stated.note)

    def _not_rolled_back(self, claim: Claim, floor: Floor, stated: Checkpoint) -> None:
        """Step 4: refuse a newest checkpoint that is smaller than one verified before."""
        if claim.size < floor.get(claim.origin, 0):
            self.refuse(
                claim.origin,
                f"its newest checkpoint covers {claim.size} events, and one over "
                f"{floor[claim.origin]} was verified before",
                stated.note,
                error=RollbackError,
            )

    def _extended(
        self, trusted: TrustedLedger, stated: Checkpoint, claim: Claim
    ) -> Steps[TrustedLedger]:
        """Step 5: join it to the one remembered; return what is to be remembered after it."""
        if not trusted.note:
            return replace(trusted, note=stated.note)
        remembered = claim_of(trusted.note)
        hashes: tuple[bytes, ...] | None = None
        withheld = ""
        if claim.size != remembered.size:
            sizes = sorted((remembered.size, claim.size))
            try:
                hashes = (yield calls.prove_consistency(*sizes)).hashes
            except (BusyError, DeadlineError):
                raise
            except LedgerRefusedError as error:
                withheld = f"the ledger gives no proof: {error.message}"
        comparison = compare(head_of(remembered), head_of(claim), hashes)
        if comparison.relation in (Relation.FORK, Relation.UNPROVEN):
            self.refuse(
                claim.origin,
                f"its checkpoint over {claim.size} events and the one over {remembered.size} that "
                f"was verified before cannot be joined: {withheld or comparison.why}",
                stated.note,
                error=ForkError,
                proof=hashes or (),
            )
        is_newer = comparison.relation is Relation.NEWER
        return replace(trusted, note=stated.note) if is_newer else trusted

    def _remembered(
        self, known: TrustedLedger | None, after: TrustedLedger, stated: Checkpoint, claim: Claim
    ) -> bool:
        """Step 6: remember, with the size at which keys were first seen to sign.

        False if something else than `known` is remembered by now.
        """
        signers = self._signers(after, stated)
        keys = tuple(
            replace(key, seen_at=claim.size)
            if key.seen_at is None and key.verifier_key in signers
            else key
            for key in after.keys
        )
        if not self._store.advance(known, replace(after, keys=keys)):
            return False
        if not self._ledger:
            self._store.bind(self._target, claim.origin)
        return True


def _say_first_use(origin: str, key: str) -> None:
    warnings.warn(
        f"{origin} was taken at its own word, at first use: no key was pinned. Compare "
        f"its key with one obtained elsewhere: {key}",
        FirstUseWarning,
        stacklevel=2,
    )
