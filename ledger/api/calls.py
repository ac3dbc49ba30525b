"""Calls: their methods, who makes one, how long they wait, what lets its request in.

`ServedCall` takes the place of gRPC's own context, which the servicers' generated signatures name,
and has no more of it than they need: only the front end answers or ends a call. `Admission` ends
none either. A fault is raised as LedgerError, and a request that does not parse is one of
them: a parser that raised within gRPC would leave the call's memory behind for good.

A caller shows who it is by a credential, which is verified before anything of its request is read.
Which actor that is, and whether it may do this, is for the gate. `system/` is not for callers: it
names the server's own parts, and only their events carry it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import grpc
import structlog
from google.protobuf import descriptor_pool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from ledger.api import errors
from ledger.api.authentication.authenticator import ANONYMOUS
from ledger.api.authentication.call_facts import ACTOR_KEY, CallFacts, facts_of
from ledger.api.authentication.credential import Credential, address_of
from ledger.api.call_limits import CallLimits
from ledger.api.gate import Gate
from ledger.application.refusals import RefusedCall
from ledger.clock import Clock
from ledger.errors import FieldViolation, LedgerError, Reason
from ledger.limits import MESSAGE_BYTES_MAX, PURPOSE_CHARS_MAX, READ_WAIT_SECONDS_MAX
from ledger.secrecy import without_tokens
from ledger.storage.records import Guard

PURPOSE_KEY: Final = "ledger-purpose"

_OURS: Final = "/ledger.v1."
_FOREVER_SECONDS: Final = 10 * 365 * 86_400.0  # what gRPC reports without a deadline is above

# Of what is left until the deadline, so that the reason still reaches the caller.
_WAITING_SHARE: Final = 0.75
_UNKNOWN: Final = "unknown"
"""The actor, for counts, of a call without a credential that counts."""

CountRefusal: TypeAlias = Callable[[str, RefusedCall], None]
"""Counts a refusal on the ledger that was named, "" for the first one."""

Parse: TypeAlias = Callable[[bytes], Message]

Authenticate: TypeAlias = Callable[[CallFacts], Credential]
"""Verifies what a call presents; raises why it is no proof."""


@dataclass(frozen=True, slots=True)
class ServedMethod:
    """One method: its full name, what it does, and how its messages are read and written."""

    name: str
    """Such as `/ledger.v1.ModelService/GetModel`."""
    behaviour: Callable[..., Any]
    parse: Parse
    serialize: Callable[[Any], bytes]
    takes_many: bool
    answers_many: bool


def methods_of(service: str, servicer: object) -> Iterator[ServedMethod]:
    """Yield the methods of a service by its full name, each with what the servicer does for it."""
    for method in descriptor_pool.Default().FindServiceByName(service).methods:
        yield ServedMethod(
            f"/{service}/{method.name}",
            getattr(servicer, method.name),
            GetMessageClass(method.input_type).FromString,
            GetMessageClass(method.output_type).SerializeToString,
            method.client_streaming,
            method.server_streaming,
        )


class ServedCall:
    """One call. Its members are read on any thread; the event loop alone says that it is over."""

    __slots__ = (
        "_context", "_facts", "actor", "credential", "guards", "is_over", "is_patient", "ledger",
        "method", "on_behalf_of", "peer", "place", "request", "sender", "wait_until",
    )  # fmt: skip

    def __init__(self, method: str, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
        self._context = context
        # Copied here: once the client is gone, gRPC's call is too, and a thread that asked it for
        # these would end the whole process.
        self._facts = facts_of(context, is_patient=True)
        self.method = method
        """Its full name, such as `/ledger.v1.ModelService/GetModel`."""
        self.peer = self._facts.peer
        """The connection: address and port of its other end."""
        self.ledger = ""
        """The ledger that its request names, once there is one."""
        self.actor = ""
        """The actor that calls, once the gate has let it in."""
        self.credential: Credential
        """The proof of who calls, once it was verified."""
        self.on_behalf_of: str | None = None
        """The actor for whom it says that it calls, once the gate has let it in."""
        self.guards: tuple[Guard, ...] = ()
        """Conditions under which the call was let in, for what it appends."""
        self.sender: tuple[str, str] | None = None
        """The ledger and the actor whose limits it counts against, once it does."""
        self.place: tuple[str, str, str] | None = None
        """Its place among what that actor has open, if it stays open."""
        self.request: Message | None = None
        """The request of a call with one, once it was let in."""
        self.is_over = False
        self.wait_until: float | None = None
        """On the event loop's clock, when it has waited long enough; None before it ever did."""
        self.is_patient = True
        """Whether it may go on waiting for what it reads."""

    @property
    def method_name(self) -> str:
        """The method without its service."""
        return self.method.rpartition("/")[2]

    def facts(self) -> CallFacts:
        """Return what is known of the call before its message is read."""
        return replace(self._facts, is_patient=self.is_patient)

    @property
    def claimed_actor(self) -> str | None:
        """The actor that the caller names, if it does; FIELD_INVALID where it can be none."""
        return self._facts.claimed_actor()

    @property
    def address(self) -> str:
        """The host that it comes from."""
        return address_of(self.peer)

    @property
    def shown_actor(self) -> str:
        """The actor for counts: the one that was let in, else as given."""
        if self.actor:
            return self.actor
        claims = self._facts.texts_of(ACTOR_KEY)
        return without_tokens(claims[0]) if claims else ANONYMOUS

    @property
    def stated_purpose(self) -> str:
        """The purpose that the caller states; what is beyond its bound is cut off."""
        text = next(iter(self._facts.texts_of(PURPOSE_KEY)), "")
        return without_tokens("".join(filter(str.isprintable, text)))[:PURPOSE_CHARS_MAX]

    @property
    def seconds_left(self) -> float | None:
        """How long the caller still waits; None for no limit."""
        remaining: float | None = self._context.time_remaining()
        return remaining if remaining is not None and remaining < _FOREVER_SECONDS else None

    @property
    def wait_seconds(self) -> float:
        """How long a read may wait for its position: bounded, and with time left to answer."""
        left = self.seconds_left
        if left is None:
            return READ_WAIT_SECONDS_MAX
        return min(left * _WAITING_SHARE, READ_WAIT_SECONDS_MAX)


def call_of(context: grpc.ServicerContext) -> ServedCall:
    """Return the call that a context of the generated signatures is."""
    call: object = context
    assert isinstance(call, ServedCall), "the front end makes every call"
    return call


class MalformedError(LedgerError):
    """Bytes that are no message: FIELD_INVALID like any other wrong field."""

    def __init__(self, size: int) -> None:
        fault = f"its {size} bytes are no message of this method"
        super().__init__(
            Reason.FIELD_INVALID,
            f"message: {fault}.",
            remedy="Send it with the stubs that are made from the ledger's .proto files.",
            violations=(FieldViolation("message", fault),),
            metadata={"field": "message"},
        )


class Admission:
    """Lets calls in, and says why not; counts what was refused."""

    def __init__(
        self,
        clock: Clock,
        count: CountRefusal,
        authenticate: Authenticate,
        gate: Gate,
        limits: CallLimits,
    ) -> None:
        self._clock = clock
        self._count = count
        self._authenticate = authenticate
        self._gate = gate
        self._limits = limits

    def request(self, call: ServedCall, data: bytes, parse: Parse) -> Message:
        """Return the request of a call with one; raises LedgerError where it is not let in."""
        structlog.contextvars.clear_contextvars()  # the thread served another call before
        structlog.contextvars.bind_contextvars(method=call.method)
        self.authenticate(call)
        request = parsed(data, parse)
        call.ledger = _ledger_of(request)
        if call.method.startswith(_OURS):
            try:
                self._gate.admit(call, request)
            finally:
                if call.actor and call.sender is None:  # once, let in or not
                    self._limits.charge(call, call.ledger, request, len(data))
            call.request = request
        is_write = "request_id" in request.DESCRIPTOR.fields_by_name
        if is_write and call.seconds_left is None:
            raise LedgerError(
                Reason.DEADLINE_MISSING,
                "A write needs a deadline, and this call has none.",
                remedy="Set one on the call, such as timeout=10 in Python.",
            )
        return request

    def authenticate(self, call: ServedCall) -> None:
        """Settle a call's credential, or raise why it has none; health and reflection need none."""
        if call.method.startswith(_OURS):
            call.credential = self._authenticate(call.facts())

    def check_again(self, call: ServedCall) -> None:
        """Raise why a call that was let in may not go on: its credential or a grant is over."""
        if call.request is not None:
            self._gate.check_again(call, call.request)

    def refusal(self, call: ServedCall, error: Exception) -> LedgerError:
        """Return what a caller may learn of an error, and count it.

        Of the request only its ledger, its method and its sender are noted.
        """
        refusal = errors.refusal_of(error, self._clock)
        ledger = call.ledger or refusal.metadata.get("ledger", "")  # of a stream, which has batches
        is_unknown = refusal.reason.status == "UNAUTHENTICATED"
        actor = _UNKNOWN if is_unknown else call.shown_actor
        refused = RefusedCall(actor, call.method_name, refusal.reason, call.address)
        self._count(ledger, refused)
        return refusal


def parsed(data: bytes, parse: Parse) -> Message:
    """Return a message; MESSAGE_TOO_LARGE, unread, over 4 MiB, FIELD_INVALID where it is malformed.

    gRPC's own limit is set higher for this: it would cut the call off with no reason at all.
    """
    if len(data) > MESSAGE_BYTES_MAX:
        raise LedgerError(
            Reason.MESSAGE_TOO_LARGE,
            f"The request has {len(data)} bytes; at most {MESSAGE_BYTES_MAX} (4 MiB) are taken.",
            remedy="Send it in smaller parts: 500 observations a batch are enough for full speed.",
            metadata={"bytes": str(len(data)), "bytes_max": str(MESSAGE_BYTES_MAX)},
        )
    try:
        return parse(data)
    except DecodeError as error:
        raise MalformedError(len(data)) from error


def _ledger_of(request: Message) -> str:
    """Return the ledger that a request names; "" where it names none."""
    named = getattr(request, "ledger", "") or getattr(request, "origin", "")
    return named if isinstance(named, str) else ""
