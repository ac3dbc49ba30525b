"""From a refusal to what travels: `google.rpc.Status` with reason, fields and when to retry.

Servicers raise LedgerError; the front end makes a status of it (`handlers`), and nothing else in
the server ends a call with an error. Any other error is a fault of ours: the client gets
an error id and nothing of its text.
"""

from typing import Final

import structlog
from google.rpc import code_pb2, error_details_pb2, status_pb2

from ledger.clock import Clock, uuid7
from ledger.errors import FieldViolation, LedgerError, Reason, is_of_own_clock
from ledger.secrecy import without_tokens

DOMAIN: Final = "ledger.v1"

# Refusals that pass by themselves carry a pause even where none was stated: a client that
# repeats at once only adds to the load.
_PAUSE_SECONDS: Final[dict[Reason, float]] = {
    Reason.LIMIT_REACHED: 0.2,
    Reason.PROJECTION_BEHIND: 0.2,
    Reason.STORE_UNAVAILABLE: 1.0,
    Reason.DRAINING: 1.0,
}
_METADATA_CHARS_MAX: Final = 512  # error details travel as HTTP/2 headers, which are bounded
_VIOLATIONS_MAX: Final = 20
_MESSAGE_CHARS_MAX: Final = 1_000
_DESCRIPTION_CHARS_MAX: Final = 300
_NANO: Final = 1_000_000_000
_GRAVE: Final = frozenset(
    {
        Reason.CHAIN_BROKEN,
        Reason.EVENT_UNREADABLE,
        Reason.INTERNAL,
        Reason.LEDGER_BEHIND,
        Reason.SIGNING_STOPPED,
    }
)
_log: Final = structlog.get_logger("ledger.api")


def grpc_code(reason: Reason) -> int:
    """Return the number of the gRPC status that a reason travels under."""
    code: int = code_pb2.Code.Value(reason.status)
    return code


def code_of(error: LedgerError) -> int:
    """Return the number of the gRPC status that a refusal travels under.

    Where the clock that is wrong is the server's own, the request is as good as it was.
    """
    if is_of_own_clock(error.reason, error.metadata):
        return grpc_code(Reason.STORE_UNAVAILABLE)
    return grpc_code(error.reason)


def retry_seconds(error: LedgerError) -> float | None:
    """Return how long the caller should pause, or None where repeating does not help."""
    if error.retry_after_seconds is not None:
        return error.retry_after_seconds
    return _PAUSE_SECONDS.get(error.reason)


def remedy_of(error: LedgerError) -> str:
    """Return what to do: as stated, or what is always right for a refused field."""
    if error.remedy or error.reason is not Reason.FIELD_INVALID:
        return error.remedy
    return "Correct the field and send the request again."


def metadata_of(error: LedgerError) -> dict[str, str]:
    """Return the error's metadata with the remedy in it, each value cut to a bounded length."""
    metadata = dict(error.metadata)
    if remedy := remedy_of(error):
        metadata["remedy"] = remedy
    return {key: value[:_METADATA_CHARS_MAX] for key, value in metadata.items()}


def text_of(error: LedgerError) -> str:
    """Return what a person reads: what happened, then what to do."""
    remedy = remedy_of(error)
    text = f"{error.message} {remedy}" if remedy else error.message
    return text[:_MESSAGE_CHARS_MAX]


def to_status(error: LedgerError) -> status_pb2.Status:
    """Return the rich status of a refusal: ErrorInfo always, BadRequest and RetryInfo where due."""
    status = status_pb2.Status(code=code_of(error), message=text_of(error))
    status.details.add().Pack(
        error_details_pb2.ErrorInfo(
            reason=error.reason.value, domain=DOMAIN, metadata=metadata_of(error)
        )
    )
    if error.violations:
        bad = error_details_pb2.BadRequest()
        for violation in error.violations[:_VIOLATIONS_MAX]:
            bad.field_violations.add(
                field=violation.field, description=violation.description[:_DESCRIPTION_CHARS_MAX]
            )
        status.details.add().Pack(bad)
    seconds = retry_seconds(error)
    if seconds is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(round(seconds * _NANO))
        status.details.add().Pack(retry)
    return status


def refusal_of(error: Exception, clock: Clock) -> LedgerError:
    """Return what a client may learn of an error, and log what an operator should.

    Of a fault of ours that is the id under which it was logged, and nothing of its text.
    """
    if isinstance(error, LedgerError):
        error = _without_tokens(error)
        if error.reason in _GRAVE:
            _log.error("call.failed", reason=error.reason.value, **error.metadata)
        return error
    error_id = uuid7(clock)
    _log.error("call.failed", error_id=error_id, exc_info=error)
    return LedgerError(
        Reason.INTERNAL,
        f"The server failed; the fault is logged under {error_id}.",
        remedy="Report that id to the server's operator.",
        metadata={"error_id": error_id},
    )


def _without_tokens(error: LedgerError) -> LedgerError:
    """Return a refusal that repeats no bearer token which the caller has put into another field."""
    metadata = {name: without_tokens(text) for name, text in error.metadata.items()}
    violations = [
        FieldViolation(one.field, without_tokens(one.description)) for one in error.violations
    ]
    message, remedy = without_tokens(error.message), without_tokens(error.remedy)
    said = (message, remedy, metadata, tuple(violations))
    if said == (error.message, error.remedy, error.metadata, error.violations):
        return error
    return LedgerError(
        error.reason,
        message,
        remedy=remedy,
        violations=violations,
        retry_after_seconds=error.retry_after_seconds,
        metadata=metadata,
    )
