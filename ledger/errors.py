"""Every way the ledger refuses, and what the caller should do about it.

Domain code raises LedgerError with a Reason; only the API turns it into a gRPC status, in
`ledger.api.errors`. The message says what happened and why, the remedy says what to do next, and
what varies in either is in the metadata too, so that a program need not parse prose.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

DATABASE_ERROR: Final = "database_error"
"""The metadata of STORE_UNAVAILABLE that holds the database's own code for what went wrong."""


class Reason(StrEnum):
    """Stable reason codes, each with the gRPC status that it travels under.

    The names equal those of `ledger.v1.ErrorReason` without its prefix.
    """

    _value_: str
    status: str

    def __new__(cls, name: str, status: str) -> Self:
        """Return a member whose text is its name."""
        member = str.__new__(cls, name)
        member._value_, member.status = name, status
        return member

    FIELD_INVALID = "FIELD_INVALID", "INVALID_ARGUMENT"
    PAGE_TOKEN_INVALID = "PAGE_TOKEN_INVALID", "INVALID_ARGUMENT"
    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE", "RESOURCE_EXHAUSTED"
    LEDGER_UNKNOWN = "LEDGER_UNKNOWN", "NOT_FOUND"
    MODEL_UNKNOWN = "MODEL_UNKNOWN", "NOT_FOUND"
    SIGNAL_UNKNOWN = "SIGNAL_UNKNOWN", "NOT_FOUND"
    POLICY_UNKNOWN = "POLICY_UNKNOWN", "NOT_FOUND"
    DECISION_UNKNOWN = "DECISION_UNKNOWN", "NOT_FOUND"
    PLAN_UNKNOWN = "PLAN_UNKNOWN", "NOT_FOUND"
    PROJECTION_UNKNOWN = "PROJECTION_UNKNOWN", "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS", "ALREADY_EXISTS"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED", "ALREADY_EXISTS"
    VERSION_CONFLICT = "VERSION_CONFLICT", "ABORTED"
    MODEL_RETIRED = "MODEL_RETIRED", "FAILED_PRECONDITION"
    MODEL_NOT_DEPLOYED = "MODEL_NOT_DEPLOYED", "FAILED_PRECONDITION"
    POLICY_INVALID = "POLICY_INVALID", "INVALID_ARGUMENT"
    POLICY_NOT_IN_FORCE = "POLICY_NOT_IN_FORCE", "FAILED_PRECONDITION"
    CLOCK_AHEAD = "CLOCK_AHEAD", "INVALID_ARGUMENT"
    POSITION_BEYOND_HEAD = "POSITION_BEYOND_HEAD", "OUT_OF_RANGE"
    LIMIT_REACHED = "LIMIT_REACHED", "RESOURCE_EXHAUSTED"
    PROJECTION_BEHIND = "PROJECTION_BEHIND", "UNAVAILABLE"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE", "UNAVAILABLE"
    DRAINING = "DRAINING", "UNAVAILABLE"
    DEADLINE_MISSING = "DEADLINE_MISSING", "INVALID_ARGUMENT"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"
    CHAIN_BROKEN = "CHAIN_BROKEN", "DATA_LOSS"
    EVENT_UNREADABLE = "EVENT_UNREADABLE", "DATA_LOSS"
    INTERNAL = "INTERNAL", "INTERNAL"
    KEY_UNKNOWN = "KEY_UNKNOWN", "NOT_FOUND"
    CHECKPOINT_UNKNOWN = "CHECKPOINT_UNKNOWN", "NOT_FOUND"
    EXPORT_UNKNOWN = "EXPORT_UNKNOWN", "NOT_FOUND"
    EXPORT_NOT_READY = "EXPORT_NOT_READY", "FAILED_PRECONDITION"
    COSIGNATURE_INVALID = "COSIGNATURE_INVALID", "INVALID_ARGUMENT"
    BODY_PERMANENT = "BODY_PERMANENT", "FAILED_PRECONDITION"
    BODY_ERASED = "BODY_ERASED", "FAILED_PRECONDITION"
    ACTOR_NOT_AUTHORISED = "ACTOR_NOT_AUTHORISED", "PERMISSION_DENIED"
    SIGNING_STOPPED = "SIGNING_STOPPED", "FAILED_PRECONDITION"
    LEDGER_BEHIND = "LEDGER_BEHIND", "DATA_LOSS"
    MEANING_PINNED = "MEANING_PINNED", "FAILED_PRECONDITION"
    UNAUTHENTICATED = "UNAUTHENTICATED", "UNAUTHENTICATED"
    CREDENTIAL_INVALID = "CREDENTIAL_INVALID", "UNAUTHENTICATED"
    CREDENTIAL_EXPIRED = "CREDENTIAL_EXPIRED", "UNAUTHENTICATED"
    CREDENTIAL_REVOKED = "CREDENTIAL_REVOKED", "UNAUTHENTICATED"
    TOKEN_AUDIENCE_WRONG = "TOKEN_AUDIENCE_WRONG", "UNAUTHENTICATED"
    TOKEN_ISSUER_WRONG = "TOKEN_ISSUER_WRONG", "UNAUTHENTICATED"
    TOKEN_KEY_UNKNOWN = "TOKEN_KEY_UNKNOWN", "UNAUTHENTICATED"
    TOKEN_ALGORITHM_REFUSED = "TOKEN_ALGORITHM_REFUSED", "UNAUTHENTICATED"
    TOKEN_OF_OTHER_LEDGER = "TOKEN_OF_OTHER_LEDGER", "UNAUTHENTICATED"
    TOKEN_TOO_LARGE = "TOKEN_TOO_LARGE", "UNAUTHENTICATED"
    IDENTITY_UNBOUND = "IDENTITY_UNBOUND", "UNAUTHENTICATED"
    AUTHORITY_REFUSED = "AUTHORITY_REFUSED", "FAILED_PRECONDITION"
    SUBSCRIBER_UNKNOWN = "SUBSCRIBER_UNKNOWN", "NOT_FOUND"
    CASE_NOT_OPEN = "CASE_NOT_OPEN", "FAILED_PRECONDITION"
    APPROVAL_MISSING = "APPROVAL_MISSING", "FAILED_PRECONDITION"
    GOVERNANCE_REFUSED = "GOVERNANCE_REFUSED", "FAILED_PRECONDITION"
    SHADOW_REFUSED = "SHADOW_REFUSED", "FAILED_PRECONDITION"
    JOB_UNKNOWN = "JOB_UNKNOWN", "NOT_FOUND"
    JOB_REFUSED = "JOB_REFUSED", "FAILED_PRECONDITION"
    LEASE_LOST = "LEASE_LOST", "FAILED_PRECONDITION"
    DEPLOYMENT_REFUSED = "DEPLOYMENT_REFUSED", "FAILED_PRECONDITION"
    RUN_UNKNOWN = "RUN_UNKNOWN", "NOT_FOUND"
    RECIPE_INVALID = "RECIPE_INVALID", "INVALID_ARGUMENT"
    RECIPE_UNKNOWN = "RECIPE_UNKNOWN", "NOT_FOUND"
    RECIPE_REFUSED = "RECIPE_REFUSED", "FAILED_PRECONDITION"
    BENCHMARK_REFUSED = "BENCHMARK_REFUSED", "FAILED_PRECONDITION"
    BUDGET_UNKNOWN = "BUDGET_UNKNOWN", "NOT_FOUND"
    BUDGET_REQUIRED = "BUDGET_REQUIRED", "FAILED_PRECONDITION"
    BUDGET_REFUSED = "BUDGET_REFUSED", "FAILED_PRECONDITION"
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED", "FAILED_PRECONDITION"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field that was refused: its path in the request, and what is wrong with it."""

    field: str
    description: str


class LedgerError(Exception):
    """A refusal: a reason code, a message for a person, a remedy and details for a program."""

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        remedy: str = "",
        violations: Sequence[FieldViolation] = (),
        retry_after_seconds: float | None = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        super().__init__(reason, message)  # both, so that it passes between processes
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


def is_outage(error: LedgerError) -> bool:
    """Return whether the database did not answer; the store says so itself, once, to the log."""
    return error.reason is Reason.STORE_UNAVAILABLE and DATABASE_ERROR in error.metadata


def is_of_own_clock(reason: Reason, metadata: Mapping[str, str]) -> bool:
    """Whether a refusal is about the server's own clock: CLOCK_AHEAD with what that clock says."""
    return reason is Reason.CLOCK_AHEAD and "clock_at" in metadata


def invalid_field(
    field: str,
    description: str,
    *,
    remedy: str = "Correct the field and send the request again.",
    **metadata: str,
) -> LedgerError:
    """Return a FIELD_INVALID refusal of one field, named by its path: `observations[3].value`."""
    return LedgerError(
        Reason.FIELD_INVALID,
        f"{field}: {description}.",
        remedy=remedy,
        violations=(FieldViolation(field, description),),
        metadata={"field": field, **metadata},
    )


def request_id_reused(request_id: str, actor: str, method: str, **metadata: str) -> LedgerError:
    """Return the refusal of a request id that was used for another content."""
    return LedgerError(
        Reason.REQUEST_ID_REUSED,
        f"Request id {request_id!r} was used before for another {method} request of {actor}.",
        remedy="Use a fresh request id for every new request, the same one only to retry.",
        metadata={"request_id": request_id, **metadata},
    )


def chain_broken(position: int, why: str) -> LedgerError:
    """Return the integrity failure that blames one position."""
    return LedgerError(
        Reason.CHAIN_BROKEN,
        f"The chain is broken at position {position}: {why}.",
        remedy="Stop writing, keep this file as evidence, and restore from a copy that verifies.",
        metadata={"position": str(position), "why": why},
    )


def event_unreadable(position: int, why: str) -> LedgerError:
    """Return the refusal to read an event whose bytes this release cannot decode."""
    return LedgerError(
        Reason.EVENT_UNREADABLE,
        f"The event at position {position} cannot be read: {why}.",
        remedy=(
            "Read it with the release that wrote it, or check the ledger with "
            "`decision-ledger verify`."
        ),
        metadata={"position": str(position), "why": why},
    )


def body_erased(position: int, erased_by: int | None = None) -> LedgerError:
    """Return the refusal of what rests on an erased body; `erased_by` is where the erasure is.

    None where the reader of the event does not know it.
    """
    by = "" if erased_by is None else f" by the event at position {erased_by}"
    return LedgerError(
        Reason.BODY_ERASED,
        f"The body at position {position} was erased{by}.",
        remedy=(
            "It cannot be brought back. The `body.erased` event says on which ground it was "
            "erased; record again what is still needed of it."
        ),
        metadata={
            "position": str(position),
            "erased_by": "" if erased_by is None else str(erased_by),
        },
    )


MISREAD: Final = (AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""Errors that reading rows may end in, if this product did not write them."""


def misread(error: Exception) -> LedgerError:
    """Return EVENT_UNREADABLE for a ledger that cannot be opened as it is."""
    return LedgerError(
        Reason.EVENT_UNREADABLE,
        f"The ledger cannot be read as it is: {type(error).__name__}: {error}.",
        remedy="Run `decision-ledger verify DATABASE`. If it finds no damage, this is a "
        "defect: please report it.",
    )
