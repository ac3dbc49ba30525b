"""Collecting the cosignatures of witnesses, in the background.

Each witness has a thread, which all ledgers share: one that is slow, silent or mad holds up nothing
but itself, neither the other witnesses nor signing nor appends.
"""

import threading
from typing import Final

from ledger.application.signing.checkpoints import SignedCheckpoint
from ledger.application.witnesses.calls import WitnessCallError
from ledger.application.witnesses.consistency import HeadConflict
from ledger.application.witnesses.cosigning import Cosigner, CosigningSetup, keep
from ledger.application.workers import Workers
from ledger.chain.cosignature import parse_signature_lines
from ledger.chain.note import Signature
from ledger.chain.policy import PolicyWitness, WitnessPolicy
from ledger.errors import LedgerError, Reason

_START_SECONDS: Final = 3.0  # how long a start waits for a witness that does not answer


class CosignatureCollector:
    """Asks every witness of the policy that has a URL to cosign one ledger's checkpoints."""

    def __init__(self, setup: CosigningSetup, policy: WitnessPolicy) -> None:
        self._setup = setup
        self._store = setup.store
        self._origin = setup.origin
        self._checkpoints = setup.checkpoints
        self._policy = policy
        self.cosigners = [Cosigner(setup, each) for each in policy.witnesses if each.url]
        setup.checkpoints.on_signed(self._hint)

    def start(self, workers: Workers) -> None:
        """Begin to ask."""
        for cosigner in self.cosigners:
            cosigner.start(workers)

    def stop(self) -> None:
        """Ask no more; calls under way are broken off."""
        for cosigner in self.cosigners:
            cosigner.tell_to_stop()
        for cosigner in self.cosigners:
            cosigner.join()

    def differences(self) -> list[HeadConflict]:
        """Ask all witnesses at once for the checkpoint they cosigned last; return what contradicts.

        One that cannot be reached is asked again later, by its thread.
        """
        found: list[HeadConflict] = []

        def ask(cosigner: Cosigner) -> None:
            try:
                difference = cosigner.compare(_START_SECONDS)
            except (WitnessCallError, ValueError, LedgerError) as error:
                cosigner.note(error)
            else:
                found.extend([difference] if difference is not None else [])

        threads = [threading.Thread(target=ask, args=(cosigner,)) for cosigner in self.cosigners]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    def add(self, size: int, line: str) -> SignedCheckpoint:
        """Add a witness's line to a checkpoint; a repeat changes nothing.

        COSIGNATURE_INVALID unless a witness of the policy made it for this very checkpoint,
        CHECKPOINT_UNKNOWN where none of that size was signed.
        """
        kept = self._store.proofs.checkpoint(self._origin, size=size)
        if kept is None:
            return self._checkpoints.of_size(size)  # refuses
        try:
            (signature,) = parse_signature_lines(f"{line}\n".encode())
            witness = self._witness_of(signature)
            keep(self._setup, kept, witness, signature)
        except ValueError as error:
            raise LedgerError(
                Reason.COSIGNATURE_INVALID,
                f"The line is not a cosignature of the checkpoint of {size} events: {error}.",
                remedy="Send the line as the witness answered it, for a witness of the policy.",
                metadata={"size": str(size)},
            ) from error
        return self._checkpoints.of_size(size)

    def _witness_of(self, signature: Signature) -> PolicyWitness:
        for witness in self._policy.witnesses:
            if (witness.key.name, witness.key.key_id) == (signature.name, signature.key_id):
                return witness
        raise ValueError("it is not by a witness of the policy")

    def _hint(self, _size: int) -> None:
        for cosigner in self.cosigners:
            cosigner.wake()
