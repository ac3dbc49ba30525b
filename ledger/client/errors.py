"""Errors of calls: refusals that mirror the contract's reasons, and a server that is not there.

Catch LedgerRefusedError for any refusal, a subclass for a family of reasons, UnreachableError where
no server answered, ClientError for both. Every error here says what happened and what to do.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

import grpc
from google.rpc import error_details_pb2, status_pb2

from ledger.client.decode import prefix_of
from ledger.errors import FieldViolation, Reason, is_of_own_clock
from ledger.v1 import errors_pb2, signal_service_pb2

_DETAILS_KEY: Final = "grpc-status-details-bin"
_NANOS: Final = 1_000_000_000
# As gRPC's library says it, of a server's certificate and of a server without one.
_OF_THE_CERTIFICATE: Final = (
    "CERTIFICATE_VERIFY_FAILED",
    "Verification Check failed",
    "WRONG_VERSION_NUMBER",
)


class ClientError(Exception):
    """A call that did not succeed."""


class UnreachableError(ClientError):
    """No server answered at the target, for as long as the client was told to try."""

    def __init__(self, target: str, why: str, request_id: str = "") -> None:
        super().__init__(target, why, request_id)
        self.target = target
        self.why = why
        self.request_id = request_id

    @property
    def is_lasting(self) -> bool:
        """Whether the server's certificate is the cause, or that it has none: so it stays."""
        return any(words in self.why for words in _OF_THE_CERTIFICATE)

    def __str__(self) -> str:
        """Return what happened and what to do, in one line."""
        again = (
            f" The request may be on record: repeat it with request id {self.request_id}."
            if self.request_id
            else ""
        )
        return (
            f"No ledger answers at {self.target}: {self.why}. Check the address, and that "
            f"`decision-ledger serve` runs there.{again}"
        )


class TransportError(UnreachableError):
    """A server is there, and the two do not come to terms about TLS: certificate, name or CA.

    Nothing was sent to it but the handshake.
    """

    def __init__(self, target: str, why: str, remedy: str) -> None:
        super().__init__(target, why)
        self.remedy = remedy

    def __str__(self) -> str:
        """Return what does not fit and what to do, in one line."""
        return f"{self.why}. {self.remedy}"


class LedgerRefusedError(ClientError):
    """The ledger refused: nothing of the request was written, unless `reason` says otherwise.

    `violations` names the refused fields, `retry_after_seconds` is set where waiting helps, and
    `metadata` repeats every value of the message for programs.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        remedy: str = "",
        violations: Iterable[FieldViolation] = (),
        retry_after_seconds: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message
        self.remedy = remedy
        self.violations = tuple(violations)
        self.retry_after_seconds = retry_after_seconds
        self.metadata = dict(metadata or {})

    def __str__(self) -> str:
        """Return the message, the remedy and the reason code in one line."""
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"{self.message}{remedy} [{self.reason.value}]"


class InvalidRequestError(LedgerRefusedError):
    """Something in the request is wrong; sent again unchanged, it is refused again."""


class UnknownNameError(LedgerRefusedError):
    """The request names something that does not exist."""


class ConflictError(LedgerRefusedError):
    """The thing to be made exists already, or has changed since it was read."""


class WrongStateError(LedgerRefusedError):
    """The request is in order, but not in the state things are in."""


class IdentityError(LedgerRefusedError):
    """The ledger does not know who calls: no credential, or one that does not count."""


class NotAuthorisedError(WrongStateError):
    """The ledger knows who calls, and that caller may not do this."""


class BusyError(LedgerRefusedError):
    """Too much at once, or not yet; `retry_after_seconds` says when to try again."""


class DeadlineError(LedgerRefusedError):
    """The deadline passed. An append may be on record: repeat it with the same request id."""


class IntegrityError(LedgerRefusedError):
    """The stored events are damaged. Stop, keep the database as evidence, call an operator."""


class ServerFaultError(LedgerRefusedError):
    """A fault of the server, logged there under the `error_id` in the metadata."""


class TrustFileError(ClientError):
    """The file in which verified checkpoints are remembered cannot be used."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(path, why)
        self.path = path
        self.why = why

    def __str__(self) -> str:
        """Return what happened and what to do, in one line."""
        return (
            f"{self.path} cannot be used: {self.why}. Nothing was trusted. Restore that file from "
            "a copy; to trust again, move it away and pin the ledger's key."
        )


class ProofRefusedError(ClientError):
    """A statement of the ledger about itself does not hold, so it is not believed.

    `remembered` and `received` are both signed notes, as far as there were any; `evidence` is the
    file that keeps them, None where the client was given no file to remember in.
    """

    REMEDY: ClassVar[str] = (
        "Believe nothing that this server says. Keep the evidence, compare with other readers of "
        "the ledger, and call its operator."
    )

    def __init__(
        self,
        origin: str,
        why: str,
        *,
        remembered: str = "",
        received: str = "",
        evidence: Path | None = None,
    ) -> None:
        super().__init__(origin, why)
        self.origin = origin
        self.why = why
        self.remembered = remembered
        self.received = received
        self.evidence = evidence
        self.on_record = 0
        """Position of the batch that was submitted, by the server's word; 0 if none was."""

    @property
    def message(self) -> str:
        """The fault, in a sentence."""
        said = f"{self.origin or 'The ledger'}: {self.why}."
        if self.on_record:
            said += f" The server says that the batch is on record at position {self.on_record}."
        return said

    @property
    def remedy(self) -> str:
        """The remedy, and the place of the evidence."""
        return f"{self.REMEDY} Evidence: {self.evidence}" if self.evidence else self.REMEDY

    def __str__(self) -> str:
        """Return both in one line."""
        return f"{self.message} {self.remedy}"


class ForkError(ProofRefusedError):
    """Two signed checkpoints that no proof can join: the ledger shows different histories."""


class RollbackError(ProofRefusedError):
    """The ledger is smaller than it was: events that were signed for are gone."""


class QuorumMissingError(ProofRefusedError):
    """A checkpoint that too few witnesses have cosigned; `missing` names those that still could."""

    REMEDY: ClassVar[str] = "Wait for the witnesses and ask again; if it stays, ask them."

    def __init__(self, origin: str, why: str, *, missing: tuple[str, ...], received: str) -> None:
        super().__init__(origin, why, received=received)
        self.missing = missing


_FAMILIES: Final[dict[str, type[LedgerRefusedError]]] = {
    "INVALID_ARGUMENT": InvalidRequestError,
    "RESOURCE_EXHAUSTED": BusyError,
    "NOT_FOUND": UnknownNameError,
    "ALREADY_EXISTS": ConflictError,
    "ABORTED": ConflictError,
    "FAILED_PRECONDITION": WrongStateError,
    "OUT_OF_RANGE": WrongStateError,
    "UNAVAILABLE": BusyError,
    "DEADLINE_EXCEEDED": DeadlineError,
    "DATA_LOSS": IntegrityError,
    "INTERNAL": ServerFaultError,
    "PERMISSION_DENIED": NotAuthorisedError,
    "UNAUTHENTICATED": IdentityError,
}
"""By the status that a reason travels under."""
FAMILY: Final[dict[Reason, type[LedgerRefusedError]]] = {
    **{reason: _FAMILIES[reason.status] for reason in Reason},
    Reason.MESSAGE_TOO_LARGE: InvalidRequestError,
    Reason.SIGNING_STOPPED: IntegrityError,
}


def refused(reason: Reason, message: str, **details: Any) -> LedgerRefusedError:  # noqa: ANN401
    """Return the refusal of the family that a reason belongs to.

    Where the clock that is ahead is the server's own, the request may be repeated.
    """
    is_busy = is_of_own_clock(reason, details.get("metadata") or {})
    family = BusyError if is_busy else FAMILY[reason]
    return family(reason, message, **details)


def invalid(field: str, description: str, remedy: str = "") -> LedgerRefusedError:
    """Return the refusal of a field that cannot even be sent."""
    return refused(
        Reason.FIELD_INVALID,
        f"{field}: {description}.",
        remedy=remedy,
        violations=[FieldViolation(field, description)],
        metadata={"field": field},
    )


def from_rpc(
    error: grpc.RpcError, *, target: str, deadline_seconds: float | None, request_id: str = ""
) -> ClientError:
    """Return what a failed call means: the server's own words where it sent any."""
    code, text = error.code(), error.details() or ""
    status = _rich_status(error)
    if status is not None:
        return _from_status(status)
    if code is grpc.StatusCode.UNAVAILABLE:
        return UnreachableError(target, text or "the connection failed", request_id)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return _too_late(deadline_seconds, request_id)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED or _is_dropped(code, text):
        return _overloaded(text)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return UnreachableError(target, "what listens there is no decision ledger", request_id)
    return refused(
        Reason.INTERNAL,
        f"The call failed with {code.name}: {text}.",
        remedy="This is not an answer of a decision ledger; check what listens at the target.",
        metadata={"code": code.name},
    )


def from_batch_error(error: signal_service_pb2.BatchError) -> LedgerRefusedError:
    """Return the refusal of one batch of a stream."""
    prefix = prefix_of(errors_pb2.ErrorReason.DESCRIPTOR)
    retry = error.retry_delay
    return refused(
        _reason(errors_pb2.ErrorReason.Name(error.reason).removeprefix(prefix)),
        error.message.removesuffix(f" {error.remedy}"),
        remedy=error.remedy,
        violations=[FieldViolation(v.field, v.description) for v in error.field_violations],
        retry_after_seconds=(
            retry.ToNanoseconds() / _NANOS if error.HasField("retry_delay") else None
        ),
        metadata=error.metadata,
    )


def _rich_status(error: grpc.RpcError) -> status_pb2.Status | None:
    """Return the `google.rpc.Status` of a failed call; None if it carries none of the ledger's."""
    metadata: Any = error.trailing_metadata()
    for key, value in metadata or ():
        if key == _DETAILS_KEY:
            return status_pb2.Status.FromString(value)
    return None


def _from_status(status: status_pb2.Status) -> LedgerRefusedError:
    info = error_details_pb2.ErrorInfo()
    bad = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    retry_after = None
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
        if detail.Unpack(retry):
            retry_after = retry.retry_delay.ToNanoseconds() / _NANOS
    metadata = dict(info.metadata)
    remedy = metadata.get("remedy", "")
    return refused(
        _reason(info.reason),
        status.message.removesuffix(f" {remedy}"),
        remedy=remedy,
        violations=[FieldViolation(v.field, v.description) for v in bad.field_violations],
        retry_after_seconds=retry_after,
        metadata=metadata,
    )


def _reason(name: str) -> Reason:
    """Return the reason of a name; one that a newer server may send counts as INTERNAL."""
    return Reason.__members__.get(name, Reason.INTERNAL)


def _is_dropped(code: grpc.StatusCode, text: str) -> bool:
    """Return whether gRPC's server let a call go unseen: too many came at once, or it stops.

    What is cancelled on this side says so.
    """
    return code is grpc.StatusCode.CANCELLED and text in {"", "CANCELLED"}


def _overloaded(text: str) -> LedgerRefusedError:
    """Return what it means that gRPC itself, and not the ledger behind it, has had enough."""
    if "larger than max" in text:
        return refused(
            Reason.MESSAGE_TOO_LARGE,
            f"The message is too large for the connection: {text}.",
            remedy="Send it in smaller parts.",
        )
    if "metadata size exceeds" in text:
        return refused(
            Reason.TOKEN_TOO_LARGE,
            "The server takes no metadata as large as that of the call; the token is in it.",
            remedy="Use a token with fewer claims, such as without groups.",
        )
    return refused(
        Reason.LIMIT_REACHED,
        "The server took no more calls: too many at once, or it is stopping "
        f"({text or 'it gave no details'}).",
        remedy="Try again later, with the same request id.",
    )


def _too_late(deadline_seconds: float | None, request_id: str) -> LedgerRefusedError:
    shown = f" within {deadline_seconds:g} s" if deadline_seconds is not None else " in time"
    return refused(
        Reason.DEADLINE_EXCEEDED,
        f"No answer came{shown}.",
        remedy=(
            f"It may be on record all the same: repeat it with request id {request_id}."
            if request_id
            else "Try again with more time."
        ),
        metadata={"request_id": request_id} if request_id else {},
    )
