"""Events in a policy's life. A policy changes only by a new version; a version never changes."""

from typing import ClassVar, Final, Literal

from pydantic import Field

from ledger.events.base import EventData, Hex32, Labels, Part, Segment, Text
from ledger.events.policy_document import (
    PolicyDocument,
    PolicyDocumentV1,
    PolicyDocumentV2,
    PolicyDocumentV3,
)

PolicyVersion = int


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

    TYPE: ClassVar[str] = "policy.activated.v1"
    STREAM: ClassVar[str] = "policies/{policy}"
    CAUSE: ClassVar[str] = "the caller of ActivatePolicy, or of DefineSignal with a replacement"
    METHOD: ClassVar[str] = "ActivatePolicy"
    IS_OF_AGGREGATE: ClassVar[bool] = True
    ONCE_ERASED: ClassVar[str] = "they are not in force any more: activate again what still applies"

    policy: Segment
    version: int = Field(ge=1, le=1_000_000)
    digest: Hex32
    scope: ScopePart
    rationale: Text
