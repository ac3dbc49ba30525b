"""One ledger's use cases behind one door: what the API, the demo and the tests call.

Holds no state of its own beyond the fold of the fleet; everything else is read from the store.
"""

from collections.abc import Collection, Sequence

from eventsourcing.persistence import AggregateRecorder

from ledger.application.appender import Appender
from ledger.application.attestation import Attestation, AttestationOptions
from ledger.application.clocks import Clocks
from ledger.application.commands import Caller, Written, ledger_time, model_stream
from ledger.application.decisions.decisions import Decisions
from ledger.application.decisions.replay import Replayer
from ledger.application.erasure import Erased, Erasure
from ledger.application.erasures import PositionRange
from ledger.application.evaluation.evaluator import Evaluator
from ledger.application.fleet.commands import FleetCommands
from ledger.application.fleet.duplicates import likely_duplicates
from ledger.application.fleet.fleet import Fleet
from ledger.application.fleet.history import Historian
from ledger.application.fleet.intake import Intake, ObservationRow, Submission
from ledger.application.fleet.repository import Aggregates
from ledger.application.planning.commands import PlanCommands
from ledger.application.planning.plans import Planning
from ledger.application.policies.compiled import PolicyCache
from ledger.application.signing.key_commands import OVERLAP_DEFAULT
from ledger.application.signing.proofs import (
    Consistency,
    Inclusion,
    Keys,
    KeyWritten,
    Seal,
    SignedCheckpoint,
    WitnessState,
)
from ledger.clock import Clock
from ledger.errors import LedgerError
from ledger.events.envelope import RecordedEvent
from ledger.events.proving import AuditCompleted
from ledger.storage.store import Head, LedgerInfo, Store


class Ledger:
    """The use cases of one ledger. Safe between threads."""

    def __init__(
        self,
        store: Store,
        info: LedgerInfo,
        recorder: AggregateRecorder,
        clock: Clock,
        *,
        erasure_actors: Collection[str] = (),
        attestation: AttestationOptions | None = None,
    ) -> None:
        self.info = info
        self._store = store
        self._clock = clock
        policies = PolicyCache()
        self._historian = Historian(store, info.origin, policies)
        planning = Planning(store, info.origin, self._historian)
        self.erasures = self._historian.erasures
        self.fleet = Fleet(store, info.origin, on_erasure=policies.clear)
        aggregates = Aggregates(recorder, Appender(store, info.origin))
        self.commands = FleetCommands(store, info, self.fleet, aggregates, self._historian)
        self.plans = PlanCommands(store, info, self.fleet, self._historian, planning, clock)
        self.replayer = Replayer(store, info.origin, self._historian, planning)
        self.decisions = Decisions(store, info, self._historian, self.replayer, clock)
        self._intake = Intake(store, info, self.fleet)
        self.attestation = Attestation(store, info, clock, attestation or AttestationOptions())
        self._clocks = Clocks(store, info)
        self.erasure = Erasure(store, info, self.fleet, erasure_actors)

    def evaluator(self) -> Evaluator:
        """Return a fresh evaluator that follows from the present head on."""
        position = self.head().position
        return Evaluator(self._store, self.info, self._historian, self._clock, position)

    # ---- observations ----------------------------------------------------------------------------

    def submit(
        self,
        caller: Caller,
        rows: Sequence[ObservationRow],
        method: str = "SubmitSignals",
        *,
        leave_out_duplicates: bool = False,
    ) -> Submission:
        """Validate a batch now and append it soon: the submission answers once it is durable."""
        return self._intake.submit(caller, method, rows, leave_out_duplicates=leave_out_duplicates)

    def likely_duplicates(self, model: str, at_or_before: int) -> dict[str, int]:
        """Return by signal how many of a model's newest observations repeat another one."""
        stream = model_stream(model)
        return likely_duplicates(self._store, self.info.origin, stream, at_or_before=at_or_before)

    def unstated_time(self) -> int | None:
        """Return the time of an observation that states none: now, or None where data tell it."""
        return self._clock.now_micros() if self.info.clock == "wall" else None

    # ---- erasure ---------------------------------------------------------------------------------

    def erase_bodies(
        self, caller: Caller, ranges: Sequence[PositionRange], ground: str, authority: str
    ) -> Erased:
        """Remove bodies under a legal ground; answers once no copy of the service's is left."""
        return self.erasure.erase_bodies(caller, ranges, ground, authority)

    # ---- time ------------------------------------------------------------------------------------

    def confirm_clock(self, caller: Caller, reason: str) -> Written:
        """Record that the machine's clock is right, although it was expected elsewhere."""
        return self._clocks.confirm(caller, reason)

    # ---- the log ---------------------------------------------------------------------------------

    def head(self) -> Head:
        """Return the newest durable head."""
        return self._store.head(self.info.origin)

    def time_of(self, head: Head) -> int:
        """Return the ledger's time at a head: the clock's, or `data`: the newest observed."""
        return ledger_time(self.info, self._store, head)

    def event(self, position: int) -> RecordedEvent | None:
        """Return the event at a position, or None."""
        return self._store.event(self.info.origin, position)

    def events(
        self,
        *,
        after: int = 0,
        until: int | None = None,
        limit: int = 1000,
        types: Collection[str] | None = None,
        streams: Collection[str] | None = None,
    ) -> list[RecordedEvent]:
        """Return events with after < position <= until, in order."""
        return self._store.read(
            self.info.origin, after=after, until=until, limit=limit, types=types, streams=streams
        )

    def position_at(self, micros: int) -> int:
        """Return the newest position recorded at or before a time, 0 if there is none."""
        return self._store.position_at(self.info.origin, micros)

    @property
    def heard(self) -> int:
        """The newest position heard of: never beyond the head, and not behind it for long."""
        return self._store.heard(self.info.origin)

    def wait_for(self, position: int, timeout_seconds: float) -> bool:
        """Wait until the head has reached a position."""
        return self._store.wait_for(self.info.origin, position, timeout_seconds)

    # ---- proving it to others --------------------------------------------------------------------

    def checkpoint(self) -> SignedCheckpoint:
        """Return a signed checkpoint of the head; SIGNING_STOPPED where something contradicts."""
        return self.attestation.checkpoints.sign()

    def newest_checkpoint(self) -> SignedCheckpoint | None:
        """Return the newest checkpoint that is kept, or None; signs nothing."""
        return self.attestation.checkpoints.newest()

    def checkpoint_of(self, size: int) -> SignedCheckpoint:
        """Return the kept checkpoint of a size; CHECKPOINT_UNKNOWN if none was signed."""
        return self.attestation.checkpoints.of_size(size)

    def checkpoints(self, *, after_size: int = 0, limit: int = 1000) -> list[SignedCheckpoint]:
        """Return kept checkpoints larger than a size, smallest first."""
        return self.attestation.checkpoints.after(after_size, limit)

    def prove_inclusion(self, position: int, size: int = 0) -> Inclusion:
        """Prove that an event is in a signed tree; size 0 for the newest one that covers it."""
        return self.attestation.prover.inclusion(position, size)

    def prove_consistency(self, from_size: int, to_size: int = 0) -> Consistency:
        """Prove that a signed tree begins with an earlier one; size 0 for one signed now."""
        return self.attestation.prover.consistency(from_size, to_size)

    def wait_for_checkpoint(self, position: int, timeout_seconds: float) -> Inclusion:
        """Return the proof of an event once a checkpoint covers it, as signing goes by the clock.

        DEADLINE_EXCEEDED when time is up: the event is on record all the same.
        """
        self.attestation.checkpoints.wait(position, timeout_seconds)
        return self.attestation.prover.inclusion(position)

    def add_cosignature(self, size: int, line: str) -> SignedCheckpoint:
        """Add a witness's signature line to a checkpoint; COSIGNATURE_INVALID if it is not good."""
        return self.attestation.collector.add(size, line)

    def keys(self) -> Keys:
        """Return the keys that sign, or have signed, and the digest of the next."""
        return self.attestation.keys.keys()

    def rotate_key(self, caller: Caller, overlap: int = OVERLAP_DEFAULT) -> KeyWritten:
        """Let the committed key take over; both keys sign the next `overlap` sizes."""
        return self.attestation.keys.rotate(caller, overlap)

    def revoke_key(self, caller: Caller, vkey: str, from_position: int, reason: str) -> KeyWritten:
        """Declare that what a key signed counts for nothing from a size on."""
        return self.attestation.keys.revoke(caller, vkey, from_position, reason)

    def seal_streams(self, caller: Caller) -> Seal:
        """Record how far every stream has come, unless the newest seal says it already."""
        return self.attestation.seals.seal(caller)

    def record_audit(self, caller: Caller, audit: AuditCompleted) -> Written:
        """Record that an audit of this very ledger was completed."""
        return self.attestation.audits.record(caller, audit)

    @property
    def signing_failure(self) -> LedgerError | None:
        """Why nothing is signed any more, or None."""
        return self.attestation.checkpoints.failure

    def witnesses(self) -> list[WitnessState]:
        """Return how far each configured witness has come."""
        return self.attestation.collector.states()


__all__ = ["Caller", "Ledger", "ObservationRow", "Written"]
