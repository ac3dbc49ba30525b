"""The context of every call: the ledger it is about, the caller, how long the caller waits."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import grpc
from google.protobuf.message import Message

from ledger.api.call_limits import CallLimits
from ledger.api.calls import ServedCall, call_of
from ledger.api.checks import Checks
from ledger.api.gate import Gate
from ledger.api.steps import NotYetError
from ledger.application.commands import Caller
from ledger.application.exports.exports import Exports
from ledger.application.ledger import LedgerApplication
from ledger.application.operators import NamedActors
from ledger.application.reads import Reading
from ledger.application.refusals import RefusedCall
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason
from ledger.events import values
from ledger.events.authority import AdministratorNamed
from ledger.limit_settings import LimitSettings
from ledger.limits import ActorLimits
from ledger.notifications.outbox import LedgerNotifications, Outbox
from ledger.storage.records import Guard, LedgerInfo
from projections.host import ProjectionHost

# Fields that may differ between a request and its repeat: whether the ledger was named or
# understood, how much is to be answered; or that a leap of time is meant.
_FREE_FIELDS: Final = ("request_id", "ledger", "wait_for_checkpoint", "allow_leap")


class Append(Protocol):
    """A request that appends; generated messages are such."""

    request_id: str


class LedgerAppend(Append, Protocol):
    """One that names the ledger to append to."""

    ledger: str


class Read(Protocol):
    """A request that reads what a ledger holds from a position on."""

    ledger: str
    min_position: int


class Backend(Protocol):
    """The served ledger: `ledger.service.Service`, or an object with its methods."""

    clock: Clock
    operators: NamedActors
    limit_settings: LimitSettings
    outbox: Outbox

    def origin_of(self, named: str) -> str:
        """Return the served ledger of a name: the first one where none has it."""

    def limits_of(self, origin: str, actor: str) -> ActorLimits | None:
        """Return the limits that a served ledger states for an actor; None where it states none."""

    def ledgers(self) -> list[LedgerInfo]:
        """Return every ledger."""

    def ledger(self, origin: str = "") -> LedgerApplication:
        """Return one ledger, the first one for an empty origin."""

    @property
    def append_failure(self) -> LedgerError | None:
        """Why nothing can be appended at the moment, or any more; None while all is well."""

    def on_append_change(self, callback: Callable[[], None]) -> None:
        """Call back, on any thread, whenever `append_failure` comes or goes."""

    def on_news(self, callback: Callable[[], None]) -> None:
        """Call back, on any thread, when something moved that a call may wait for."""

    def exports(self, origin: str = "") -> Exports:
        """Return a ledger's exports."""

    def notifications(self, origin: str = "") -> LedgerNotifications:
        """Return a ledger's subscribers."""

    def on_signing_failure(self, callback: Callable[[], None]) -> None:
        """Call back, on any thread, when a ledger's checkpoints are not signed any more."""

    def count_refusal(self, origin: str, call: RefusedCall) -> None:
        """Count that a request was refused; "" is the first ledger."""

    def note_read(self, origin: str, reading: Reading) -> None:
        """Note what a call was answered; "" is the first ledger."""

    def projections(self, origin: str = "") -> ProjectionHost:
        """Return a ledger's read models."""

    def create_ledger(  # noqa: PLR0913 - one keyword for each field of a request
        self,
        origin: str,
        *,
        clock: str,
        skew_seconds: int,
        unit_of_cost: str,
        leap_seconds: int | None,
        actor: str,
        request_id: str | None,
        digest: bytes,
        administrator: AdministratorNamed | None,
        guards: Sequence[Guard] | None,
    ) -> LedgerInfo:
        """Begin a ledger."""


class ServerContext:
    """The context of all servicers: the served ledger, and whether the server is shutting down."""

    def __init__(self, backend: Backend, limits: CallLimits, gate: Gate) -> None:
        self.backend = backend
        self.limits = limits
        self.gate = gate
        self.clock = backend.clock
        self._draining = threading.Event()

    def drain(self) -> None:
        """Let every watch and stream end soon."""
        self._draining.set()

    @property
    def is_draining(self) -> bool:
        """Whether the server is shutting down."""
        return self._draining.is_set()

    def check_draining(self) -> None:
        """Raise DRAINING if the server is shutting down."""
        if self.is_draining:
            raise LedgerError(
                Reason.DRAINING,
                "The server is shutting down.",
                remedy="Go on with another server, or with this one once it is back.",
            )

    # ---- appends ---------------------------------------------------------------------------------

    def append(
        self, request: LedgerAppend, context: grpc.ServicerContext, checks: Checks | None = None
    ) -> tuple[LedgerApplication, Caller]:
        """Return the ledger that a request appends to, and its caller, once `checks` are done."""
        if checks is not None:
            checks.done()
        return self.backend.ledger(request.ledger), self.caller(request, context)

    def caller(self, request: Append, context: grpc.ServicerContext) -> Caller:
        """Return who writes, with the digest by which a repeat of the request is recognised.

        Clears the free fields of the request. FIELD_INVALID for a malformed request id.
        """
        call = call_of(context)
        left = call.seconds_left
        until = None if left is None else self.clock.monotonic_seconds() + left
        return self.caller_for(request, call.method_name, call, until)

    def caller_for(
        self, request: Append, method: str, call: ServedCall, deadline_monotonic: float | None
    ) -> Caller:
        """Return the same for a method and a deadline that are known already."""
        may_leap = bool(getattr(request, "allow_leap", False))
        request_id = request.request_id
        if not request_id:
            return Caller(call.actor, None, b"", deadline_monotonic, may_leap, call.guards)
        if values.REQUEST_ID.fullmatch(request_id) is None:
            checks = Checks()
            checks.refuse("request_id", "must be 1 to 128 of A-Z, a-z, 0-9, '.', '_', ':' and '-'")
            checks.done()
        digest = hashlib.sha256(method.encode() + b"\x00" + _content_of(request)).digest()
        return Caller(call.actor, request_id, digest, deadline_monotonic, may_leap, call.guards)

    # ---- reads -----------------------------------------------------------------------------------

    def read(
        self, request: Read, context: grpc.ServicerContext, checks: Checks | None = None
    ) -> LedgerApplication:
        """Return the ledger that a request reads, once it has reached its `min_position`.

        FIELD_INVALID for what `checks` found, POSITION_BEYOND_HEAD when time is up.
        """
        checks = checks or Checks()
        checks.position("min_position", request.min_position)
        checks.done()
        return self.ledger_at(request.ledger, request.min_position, context)

    def ledger_at(
        self,
        origin: str,
        min_position: int,
        context: grpc.ServicerContext,
        field: str = "min_position",
    ) -> LedgerApplication:
        """Return a ledger once it has reached a position; POSITION_BEYOND_HEAD when time is up.

        The refusal names the field that stated the position.
        """
        ledger = self.backend.ledger(origin)
        if min_position <= 0:
            return ledger
        head = ledger.log.head().position
        if head < min_position:
            _wait(context, lambda: ledger.log.heard >= min_position)
            raise beyond_head(field, min_position, head)
        return ledger

    def await_projection(
        self, host: ProjectionHost, name: str, position: int, context: grpc.ServicerContext
    ) -> None:
        """Return once a read model includes a position; PROJECTION_BEHIND when time is up."""
        if not host.is_settled(name, position):
            host.hurry()
            _wait(context, lambda: host.is_settled(name, position))
        host.check(name, position)


class Servicer:
    """The base of a service of the contract, with the context that all of them share."""

    def __init__(self, server: ServerContext) -> None:
        self._server = server


def await_checkpoint(
    ledger: LedgerApplication, position: int, context: grpc.ServicerContext
) -> None:
    """Return once a checkpoint covers a position, or when time is up."""
    checkpoints = ledger.attestation.checkpoints
    if not (checkpoints.is_settled(position) or checkpoints.is_covered(position)):
        _wait(context, lambda: checkpoints.is_settled(position))


def _wait(context: grpc.ServicerContext, is_over: Callable[[], bool]) -> None:
    """Have the call made again once something is so; return if its caller has waited enough."""
    if call_of(context).is_patient:
        raise NotYetError(is_over)


def _content_of(request: Append) -> bytes:
    """Return the deterministic bytes of what a request asks for, clearing what may differ."""
    assert isinstance(request, Message)
    for name in _FREE_FIELDS:
        if name in request.DESCRIPTOR.fields_by_name:
            request.ClearField(name)
    return request.SerializeToString(deterministic=True)


def beyond_head(field: str, position: int, head: int) -> LedgerError:
    """Return the refusal of a position that does not exist."""
    return LedgerError(
        Reason.POSITION_BEYOND_HEAD,
        f"{field}: position {position} lies beyond the head, {head}.",
        remedy="Wait for the head, or ask for an earlier position.",
        metadata={"field": field, "position": str(position), "head": str(head)},
    )
