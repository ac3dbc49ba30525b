"""The witness itself: what it answers to a request, however it arrives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from ledger.chain.cosignature import SECONDS_MAX, SECONDS_MIN, CosigningKey, utc
from ledger.chain.heads import TreeHead
from ledger.chain.keys import VerifierKey
from ledger.chain.note import Note
from ledger.chain.witness import (
    CONFLICT,
    UNABLE,
    AddCheckpoint,
    WitnessRefusalError,
    advance,
    open_request,
)
from ledger.clock import Clock
from ledger.witness.store import CosignedHead, WitnessStore

OK: Final = 200
TEXT: Final = "text/plain; charset=utf-8"
SIZE: Final = "text/x.tlog.size"

_MICROS_PER_SECOND: Final = 1_000_000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer over HTTP."""

    status: int
    body: bytes
    content_type: str = TEXT


class Witness:
    """Cosigns checkpoints of known logs, each consistent with all that it cosigned before."""

    def __init__(
        self,
        store: WitnessStore,
        key: CosigningKey,
        logs: Mapping[str, Sequence[VerifierKey]],
        clock: Clock,
    ) -> None:
        """Take the logs by origin; for each, a signature by one of its keys is enough."""
        self._store = store
        self._key = key
        self._logs = logs
        self._clock = clock

    def add_checkpoint(self, body: bytes) -> HttpResponse:
        """Cosign the checkpoint in a request, or say why not.

        A checkpoint answered with 200 is on disk before this returns.
        """
        origin = None
        try:
            request = AddCheckpoint.parse(body)
            origin = request.claimed.origin
            signed = open_request(request, self._logs)

            def step(row: CosignedHead | None) -> CosignedHead:
                known = TreeHead() if row is None else row.head
                head = advance(known, request, signed.checkpoint)
                now = self._now()
                # A clock that was set back must not make a later head look earlier.
                seconds = now if row is None else max(now, row.seconds)
                line = self._key.cosign(signed.note.text, seconds)
                note = Note(signed.note.text, (*signed.note.verified, line))
                return CosignedHead(head, seconds, note.encode())

            row = self._store.advance(origin, step)
        except WitnessRefusalError as refusal:
            _log.info("refused", origin=origin, status=refusal.status, why=refusal.why)
            return _refusal(refusal)
        _log.info("cosigned", origin=origin, size=row.head.size)
        return HttpResponse(OK, row.note.rstrip(b"\n").rpartition(b"\n")[2] + b"\n")

    def _now(self) -> int:
        """Return the time to cosign at; WitnessRefusalError where no reader would believe it."""
        seconds = self._clock.now_micros() // _MICROS_PER_SECOND
        if SECONDS_MIN <= seconds <= SECONDS_MAX:
            return seconds
        why = f"the witness's clock says {utc(seconds)}: nothing is cosigned until it is set right"
        raise WitnessRefusalError(UNABLE, why)

    def latest(self, hash_: str) -> HttpResponse | None:
        """Return the latest cosigned checkpoint of the log whose origin has this hash, or None."""
        note = self._store.latest(hash_)
        return None if note is None else HttpResponse(OK, note)


def _refusal(refusal: WitnessRefusalError) -> HttpResponse:
    """Return the answer to a request that was refused."""
    if refusal.status == CONFLICT:
        return HttpResponse(CONFLICT, f"{refusal.known_size}\n".encode(), SIZE)
    return HttpResponse(refusal.status, f"{refusal.why}\n".encode())
