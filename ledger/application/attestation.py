"""Everything by which one ledger proves itself: keys, checkpoints, witnesses, seals, audits.

The parts are built and, where they run by the clock, started and stopped here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller
from ledger.application.periodic_task import PeriodicTask
from ledger.application.signing.checkpoints import Checkpoints
from ledger.application.signing.evidence import Evidence
from ledger.application.signing.key_commands import KeyCommands
from ledger.application.signing.keyring import Keyring
from ledger.application.signing.prover import Prover
from ledger.application.signing.published_checkpoints import FoundCheckpoint
from ledger.application.signing.schedule import Sealer, Signer
from ledger.application.signing.seals import Seals
from ledger.application.witnesses.consistency import ConsistencyChecker, behind, unknown_signer
from ledger.application.witnesses.cosigning import CosigningSetup
from ledger.application.witnesses.witnesses import CosignatureCollector
from ledger.application.workers import Workers
from ledger.chain.note import NoteError
from ledger.chain.policy import WitnessPolicy
from ledger.chain.transcript import transcript_fault
from ledger.clock import Clock
from ledger.errors import invalid_field
from ledger.events.proving import AuditCompleted, AuditCompletedV2
from ledger.setting_sections import CheckpointSettings, SealSettings
from ledger.storage.records import AppendResult, LedgerInfo
from ledger.storage.rehash import RehashProcess, rehasher
from ledger.storage.store import Store

_ON_DEMAND: Final = CheckpointSettings(seconds=0)
_NEVER: Final = SealSettings(seconds=0)


@dataclass(frozen=True, slots=True)
class AttestationOptions:
    """The work done by the clock, by default none, and the services asked outside.

    `evidence`: the folder for contradictions; None has them in the log only. `process`: who hashes
    large batches again; None does it here.
    """

    checkpoints: CheckpointSettings = _ON_DEMAND
    seals: SealSettings = _NEVER
    policy: WitnessPolicy = field(default_factory=WitnessPolicy)
    evidence: Path | None = None
    process: RehashProcess | None = None


class Attestation:
    """The parts for one ledger. Safe between threads."""

    def __init__(
        self, store: Store, info: LedgerInfo, clock: Clock, options: AttestationOptions
    ) -> None:
        self._store = store
        self._origin = info.origin
        self._appender = Appender(store, info.origin)
        self.evidence = Evidence(options.evidence)
        self.keyring = Keyring(store, info)
        self.checkpoints = Checkpoints(
            store,
            info,
            self.keyring,
            rehash=rehasher(store.events, options.process),
            evidence=self.evidence,
        )
        self.prover = Prover(store, info, self.checkpoints)
        self.keys = KeyCommands(store, info, self.keyring, self.checkpoints)
        self.seals = Seals(store, info)
        self.consistency = ConsistencyChecker(
            store, info, self.keyring, self.checkpoints, self.prover
        )
        setup = CosigningSetup(
            store, info.origin, self.checkpoints, self.prover, self.consistency, clock
        )
        self.collector = CosignatureCollector(setup, options.policy)
        self._has_key = bool(info.vkey)  # a bare recorder's ledger has none, and is not signed
        self._rounds: list[PeriodicTask] = []
        if self._has_key and (seconds := options.checkpoints.seconds):
            self.checkpoints.is_scheduled = True
            self._rounds.append(Signer(store, info, self.checkpoints, clock, seconds))
        if self._has_key and (seconds := options.seals.seconds):
            self._rounds.append(Sealer(info, self.seals, clock, seconds))

    def refuse_if_contradicted(self, published: Sequence[FoundCheckpoint]) -> None:
        """Raise where a published checkpoint of this ledger, or a witness, contradicts it.

        LEDGER_BEHIND, CHAIN_BROKEN, or SIGNING_STOPPED where a published note cannot be judged. A
        witness that cannot be reached refuses nothing: it is asked again once the ledger is served.
        CHAIN_BROKEN too where something unsigned cannot have been appended.
        """
        if self._has_key:
            self.checkpoints.refuse_unsigned()
        else:
            self.checkpoints.refuse_keyless()
        for one in published:
            if one.origin != self._origin:
                continue
            try:
                difference = self.consistency.compare(one.note, f"The published file {one.path}")
            except NoteError as error:
                raise unknown_signer(self._origin, str(one.path), one.size, error) from error
            if difference is not None:
                raise behind(difference)
        for difference in self.collector.differences():
            raise behind(difference)

    def start(self, workers: Workers) -> None:
        """Commit the next key where none is yet, and begin what runs by the clock."""
        if not self._has_key:
            return
        self.keys.commit_first()
        for each in self._rounds:
            each.start(workers)
        self.collector.start(workers)

    def stop(self) -> None:
        """End what runs by the clock."""
        self.collector.stop()
        for each in self._rounds:
            each.stop()

    def record_audit(self, caller: Caller, audit: AuditCompleted) -> AppendResult:
        """Append that an audit was completed: what it found is the auditor's word.

        FIELD_INVALID where its size and root are not those of this ledger, or its transcript is not
        one of this audit. That holds for an audit that failed too: it is about this ledger or
        belongs elsewhere.
        """

        def decide() -> Proposal:
            head = self._store.events.head(self._origin).position
            if audit.size > head:
                raise invalid_field("report.size", f"lies beyond the head, {head}", head=str(head))
            if self.prover.root_at(audit.size).hex() != audit.root:
                fault = f"is not this ledger's root at {audit.size} events"
                raise invalid_field("report.root", fault)
            if isinstance(audit, AuditCompletedV2):
                lie = transcript_fault(self._origin, audit.to_data())
                if lie is not None:
                    raise invalid_field("report.transcript", lie)
            return Proposal([Addition.of(audit)])

        return self._appender.append(caller, AuditCompleted.METHOD, decide)
