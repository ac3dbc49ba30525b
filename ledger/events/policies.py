"""Events in a policy's life. A policy changes only by a new version; a version never changes."""

from typing import ClassVar, Final, Literal

from pydantic import Field

from ledger.events.base import EventData, Hex32, Labels, Part, Position, Segment, Text, Time
from ledger.events.policy_document import (
    PolicyDocument,
    PolicyDocumentV1,
    PolicyDocumentV2,
    PolicyDocumentV3,
)
from ledger.limits import APPROVALS_CITED_MAX

PolicyVersion = int
Basis = Literal["approved", "roll_back", "emergency", "reverted", "scheduled"]


class PolicyDrafted(EventData):
    """A new version of a policy was written down, complete, with its digest."""

    TYPE: ClassVar[str] = "policy.drafted"
    STREAM: ClassVar[str] = "policies/{policy}"
    CAUSE: ClassVar[str] = "the caller of DraftPolicy, or of DefineSignal with it: its author"
    METHOD: ClassVar[str] = "DraftPolicy"
    IS_OF_AGGREGATE: ClassVar[bool] = True
    ONCE_ERASED: ClassVar[str] = "their versions cannot be used any more"

    policy: Segment
    version: int = Field(ge=1, le=1_000_000)
    digest: Hex32
    """SHA-256 of the document's canonical JSON."""
    document: PolicyDocument
    rationale: Text


class PolicyDraftedV1(PolicyDrafted):
    """A new version of a policy was written down, complete, with its digest."""

    TYPE: ClassVar[str] = "policy.drafted.v1"

    document: PolicyDocumentV1


class PolicyDraftedV2(PolicyDrafted):
    """A new version of a policy that decides by `rules/2` was written down, with its digest."""

    TYPE: ClassVar[str] = "policy.drafted.v2"

    document: PolicyDocumentV2


class PolicyDraftedV3(PolicyDrafted):
    """A new version of a policy with its governance was written down, with its digest."""

    TYPE: ClassVar[str] = "policy.drafted.v3"

    document: PolicyDocumentV3


DRAFTED: Final[dict[type[PolicyDocument], type[PolicyDrafted]]] = {
    PolicyDocumentV1: PolicyDraftedV1,
    PolicyDocumentV2: PolicyDraftedV2,
    PolicyDocumentV3: PolicyDraftedV3,
}
"""The event that records a draft, by the stored form of its document."""
DRAFTED_TYPES: Final = tuple(cls.TYPE for cls in DRAFTED.values())


class ScopePart(Part):
    """Which models an activation is for: one, those with all these labels, or all."""

    kind: Literal["model", "labels", "ledger"]
    model: Segment | None
    labels: Labels


class PolicyActivated(EventData):
    """A version came into force for a scope, and replaces what was in force for that very scope."""

    TYPE: ClassVar[str] = "policy.activated"
    STREAM: ClassVar[str] = "policies/{policy}"
    CAUSE: ClassVar[str] = "the caller of ActivatePolicy, or of DefineSignal with a replacement"
    METHOD: ClassVar[str] = "ActivatePolicy"
    IS_OF_AGGREGATE: ClassVar[bool] = True
    ONCE_ERASED: ClassVar[str] = (
        "they are not in force any more: activate again what still applies; refused once a version "
        "was drafted that asks for approvals"
    )

    policy: Segment
    version: int = Field(ge=1, le=1_000_000)
    digest: Hex32
    scope: ScopePart
    rationale: Text


class PolicyActivatedV1(PolicyActivated):
    """A version came into force for a scope, and replaces what was in force for that very scope."""

    TYPE: ClassVar[str] = "policy.activated.v1"


class PolicyActivatedV2(PolicyActivated):
    """A version came into force for a scope under governance: by approvals, or instead of them."""

    TYPE: ClassVar[str] = "policy.activated.v2"
    CAUSE: ClassVar[str] = (
        "the caller of ActivatePolicy, ActivateInEmergency or RollBackPolicy; the service, when "
        "the time of an activation has come, or that of an emergency is over"
    )

    basis: Basis
    approvals: list[Position] = Field(max_length=APPROVALS_CITED_MAX)
    """The approvals that it rests on, by position."""
    replaces: Position | None
    """The activation that was in force for that very scope; null where none was."""
    scheduled: Position | None
    """The event that set its time; null unless its basis is `scheduled`."""
    ratify_until: Time | None
    """Until when it must be ratified; null unless its basis is `emergency`."""


ACTIVATED_TYPES: Final = (PolicyActivatedV1.TYPE, PolicyActivatedV2.TYPE)


class PolicyStep(EventData):
    """A step of people in the life of a version; a later activation is judged by it."""

    STREAM: ClassVar[str] = "policies/{policy}"
    IS_OF_AGGREGATE: ClassVar[bool] = True
    KEEPS_BODY: ClassVar[bool] = True

    policy: Segment
    version: int = Field(ge=1, le=1_000_000)


class PolicySubmitted(PolicyStep):
    """A version was submitted for approval, for a scope. Approvals of it begin again."""

    TYPE: ClassVar[str] = "policy.submitted.v1"
    CAUSE: ClassVar[str] = "the caller of SubmitPolicy"
    METHOD: ClassVar[str] = "SubmitPolicy"

    digest: Hex32
    scope: ScopePart
    rationale: Text


class PolicyApproved(PolicyStep):
    """A person approved a version as it was submitted, in a role and for a time."""

    TYPE: ClassVar[str] = "policy.approved.v1"
    CAUSE: ClassVar[str] = "the caller of ApprovePolicy"
    METHOD: ClassVar[str] = "ApprovePolicy"

    digest: Hex32
    submission: Position
    """The submission that it approves, or the activation in an emergency that is one."""
    role: Segment
    meaning: Literal["reviewed_and_approved"]
    """The meaning of the signature: 21 CFR 11.50."""
    expires_at: Time
    """Until when it counts, by the policies then in force."""
    comment: Text


class PolicyApprovalWithdrawn(PolicyStep):
    """A person took back an approval, before anything came into force by it."""

    TYPE: ClassVar[str] = "policy.approval_withdrawn.v1"
    CAUSE: ClassVar[str] = "the caller of WithdrawApproval: the person who gave it"
    METHOD: ClassVar[str] = "WithdrawApproval"

    approval: Position
    reason: Text


class PolicyRejected(PolicyStep):
    """A version was rejected: its approvals count no more until it is submitted again."""

    TYPE: ClassVar[str] = "policy.rejected.v1"
    CAUSE: ClassVar[str] = "the caller of RejectPolicy"
    METHOD: ClassVar[str] = "RejectPolicy"

    submission: Position
    reason: Text


class PolicyRetired(PolicyStep):
    """A version was retired: it cannot come into force any more."""

    TYPE: ClassVar[str] = "policy.retired.v1"
    CAUSE: ClassVar[str] = "the caller of RetirePolicy"
    METHOD: ClassVar[str] = "RetirePolicy"

    reason: Text


class PolicyRatified(PolicyStep):
    """An activation in an emergency was ratified by the approvals that it lacked: it stays."""

    TYPE: ClassVar[str] = "policy.ratified.v1"
    CAUSE: ClassVar[str] = "the caller of RatifyPolicy"
    METHOD: ClassVar[str] = "RatifyPolicy"

    activation: Position
    approvals: list[Position] = Field(max_length=APPROVALS_CITED_MAX)


class PolicyScheduled(PolicyStep):
    """A version is to come into force for a scope at a stated time, if it still may by then."""

    TYPE: ClassVar[str] = "policy.scheduled.v1"
    CAUSE: ClassVar[str] = "the caller of ActivatePolicy with a time"
    METHOD: ClassVar[str] = "ActivatePolicy"

    digest: Hex32
    scope: ScopePart
    rationale: Text
    effective_time: Time
    approvals: list[Position] = Field(max_length=APPROVALS_CITED_MAX)


class PolicyScheduleWithdrawn(PolicyStep):
    """A version does not come into force at the time that was set."""

    TYPE: ClassVar[str] = "policy.schedule_withdrawn.v1"
    CAUSE: ClassVar[str] = (
        "the caller of WithdrawSchedule; the service, when its time has come and it may not be"
    )
    METHOD: ClassVar[str] = "WithdrawSchedule"

    schedule: Position
    reason: Text


STEP_CLASSES: Final[tuple[type[PolicyStep], ...]] = (
    PolicySubmitted,
    PolicyApproved,
    PolicyApprovalWithdrawn,
    PolicyRejected,
    PolicyRetired,
    PolicyRatified,
    PolicyScheduled,
    PolicyScheduleWithdrawn,
)
