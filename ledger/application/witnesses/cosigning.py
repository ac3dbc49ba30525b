"""One witness of one ledger: sends it each new checkpoint and keeps its cosignatures.

An answer of the witness counts only if its key has signed it. It remembers its own last size; ours
is only a guess, which its refusals correct.
"""

import re
import threading
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import structlog

from ledger.application.signing.checkpoints import Checkpoints
from ledger.application.signing.prover import Prover
from ledger.application.witnesses.calls import TIMEOUT_SECONDS, WitnessCallError, WitnessCalls
from ledger.application.witnesses.consistency import ConsistencyChecker, HeadConflict
from ledger.application.workers import Task, TaskInterval, Workers
from ledger.chain.checkpoint import claim_of
from ledger.chain.cosignature import parse_signature_lines, timestamp_of, utc
from ledger.chain.note import Signature
from ledger.chain.note import parse as parse_note
from ledger.chain.policy import PolicyWitness
from ledger.chain.witness import encode_request
from ledger.chain.witness_times import TimeBounds
from ledger.clock import Clock
from ledger.errors import LedgerError, is_outage
from ledger.events.values import SECOND
from ledger.storage.records import KeptCheckpoint
from ledger.storage.store import Store

_ROUNDS: Final = 3  # a witness may say once that it knows another size, and once that it moved on
_BACKOFF_SECONDS_MAX: Final = 300.0
_FAILURES_MAX: Final = 16
_IDLE_SECONDS: Final = 5.0  # how late the checkpoint of another server is sent on
_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,17})\n", re.ASCII)
_log: Final = structlog.get_logger("ledger.witnesses")


@dataclass(frozen=True, slots=True)
class CosigningSetup:
    """The parts of one ledger that its witnesses are asked about, and how they are asked."""

    store: Store
    origin: str
    checkpoints: Checkpoints
    prover: Prover
    consistency: ConsistencyChecker
    clock: Clock
    timeout_seconds: float = TIMEOUT_SECONDS
    pace_seconds: float = 1.0
    """Between two checkpoints that are sent to one witness."""
    backoff_seconds: float = 1.0
    """After a first failure; doubled for each one after it."""


def keep(
    setup: CosigningSetup, kept: KeptCheckpoint, witness: PolicyWitness, signature: Signature
) -> None:
    """Keep a cosignature; ValueError if it is not genuine, or states a time in the future.

    A checkpoint has one line of each witness: one that no reader counts must not take its place.
    """
    text = parse_note(kept.note.encode()).text
    key = witness.key
    if (signature.name, signature.key_id) != (key.name, key.key_id):
        raise ValueError(f"the line is by {signature.name}, not by {key.name}")
    if not key.verifies(text, signature.signature):
        raise ValueError("the signature is not genuine, or over another checkpoint")
    seconds = timestamp_of(signature.signature)  # ValueError for none: no policy would count it
    if fault := TimeBounds(setup.clock.now_micros() // SECOND).fault(seconds):
        raise ValueError(f"the clock of {key.name} says {utc(seconds)}, {fault}")
    setup.store.proofs.add_cosignature(
        setup.origin, kept.size, key.name, key.key_id, signature.line()
    )


class Cosigner:
    """One witness of one ledger, with what is remembered about it."""

    def __init__(self, setup: CosigningSetup, witness: PolicyWitness) -> None:
        """Take a witness that has a URL."""
        self._setup = setup
        self._store = setup.store
        self._origin = setup.origin
        self._witness = witness
        assert witness.url is not None
        self._calls = WitnessCalls(witness.url, setup.timeout_seconds)
        self.size = 0
        """Of the checkpoint that it cosigned last, as far as we know."""
        self._line_of = 0
        """The size whose line of it is known to be kept."""
        self.problem = ""
        """Why it is held up, if it is."""
        self._is_compared = False
        self._failures = 0
        self._stopping = threading.Event()
        self._task: Task | None = None

    def start(self, workers: Workers) -> None:
        """Begin, on the one thread that all ledgers have for this witness."""
        name = f"witness {self._witness.name}"
        self._task = workers.of(name).recur(f"{name} {self._origin}", self._turn)

    def wake(self) -> None:
        """Look for a new checkpoint."""
        if self._task is not None:
            self._task.wake()

    def tell_to_stop(self) -> None:
        """Break off what is under way."""
        self._stopping.set()
        self._calls.abort()

    def join(self) -> None:
        """Wait until nothing of it is under way."""
        if self._task is not None:
            self._task.stop()

    def _turn(self) -> TaskInterval:
        try:
            self._step()
        except Exception as error:  # noqa: BLE001 - a defect must not end what recurs
            self.note(error)
            delay = min(
                self._setup.backoff_seconds * 2 ** (self._failures - 1), _BACKOFF_SECONDS_MAX
            )
            return TaskInterval(delay, delay)
        if self.problem:
            _log.info("witness.recovered", ledger=self._origin, witness=self._witness.name)
        self.problem, self._failures = "", 0
        return TaskInterval(self._setup.pace_seconds, self._setup.pace_seconds + _IDLE_SECONDS)

    def note(self, error: Exception) -> None:
        """Remember a failure, and report it once for as long as it stays the same."""
        if self._stopping.is_set():
            return
        known = isinstance(error, (WitnessCallError, LedgerError, ValueError))
        why = str(error) if known else f"{type(error).__name__}: {error}"
        self._failures = min(self._failures + 1, _FAILURES_MAX)
        if isinstance(error, LedgerError) and is_outage(error):
            return  # no fault of the witness; the store tells of it
        if why != self.problem:
            _log.warning("witness.failed", ledger=self._origin, witness=self._witness.name, why=why)
        self.problem = why

    def compare(self, timeout_seconds: float | None = None) -> HeadConflict | None:
        """Compare the checkpoint that it cosigned last with this ledger.

        WitnessCallError where it cannot be asked, NoteError where what it shows was signed by
        no key that we know.
        """
        note = self._calls.newest(self._origin, timeout_seconds)
        difference = None
        if note is not None:
            source = f"The witness {self._witness.name}"
            difference = self._setup.consistency.compare(note, source, [self._witness.key])
            if difference is None:
                self.size = claim_of(note).size
        self._is_compared = True
        return difference

    def _step(self) -> None:
        """Have the newest checkpoint cosigned, unless it was."""
        if not self._is_compared:
            self._compare_and_stop()
        for _ in range(_ROUNDS):
            kept = self._store.proofs.checkpoint(self._origin)
            if kept is None or kept.size < self.size or self._has_line(kept.size):
                return
            if self._submit(kept):
                return
        raise WitnessCallError("it names another size each time it is asked")

    def _has_line(self, size: int) -> bool:
        """Return whether its line of a size is kept: it may know one whose line was lost."""
        if size == self.size and self._line_of != size:
            key = self._witness.key
            lines = self._store.proofs.cosignatures(self._origin, size)
            if any((line.name, line.key_id) == (key.name, key.key_id) for line in lines):
                self._line_of = size
        return self._line_of == size

    def _submit(self, kept: KeptCheckpoint) -> bool:
        """Send a checkpoint; return False where the witness knows another size than we thought."""
        proof = self._setup.prover.hashes_between(self.size, kept.size)
        answer = self._calls.add_checkpoint(encode_request(self.size, proof, kept.note.encode()))
        if answer.status == HTTPStatus.OK:
            self._take(kept, answer.body)
            return True
        if answer.status == HTTPStatus.CONFLICT:
            self._learn(answer.body)
            return False
        if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY:
            self._compare_and_stop()  # it may have cosigned another history
        said = answer.body[:200].decode(errors="replace").strip()
        raise WitnessCallError(f"it refused with status {answer.status}: {said}")

    def _take(self, kept: KeptCheckpoint, body: bytes) -> None:
        """Keep its line out of the lines that it answered."""
        key = self._witness.key
        ours = [
            line
            for line in parse_signature_lines(body)
            if (line.name, line.key_id) == (key.name, key.key_id)
        ]
        if not ours:
            raise WitnessCallError("it answered with the line of another")
        keep(self._setup, kept, self._witness, ours[0])
        self.size = self._line_of = kept.size

    def _learn(self, body: bytes) -> None:
        """Take up the size that it says it knows, if we ever signed as much."""
        match = _SIZE.fullmatch(body)
        if match is None:
            raise WitnessCallError("it answered a conflict without a size")
        size = int(match[1])
        # Read after the answer: each checkpoint was kept before it was sent.
        newest = self._store.proofs.checkpoint(self._origin)
        if newest is None or size > newest.size:
            self._compare_and_stop()
            raise WitnessCallError(
                f"it says that it knows {size} events, more than were signed, and does not show it"
            )
        self.size = size

    def _compare_and_stop(self) -> None:
        """Stop signing where its newest checkpoint contradicts this ledger."""
        difference = self.compare()
        if difference is not None:
            raise self._setup.checkpoints.stop(difference.found.why, difference.found)
