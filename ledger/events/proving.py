"""Events about proving the ledger to others: seals, exports, audits, erasures, refusals."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from ledger.events.base import (
    Actor,
    Count,
    EventData,
    Hex32,
    Part,
    Position,
    Segment,
    ShortText,
    Text,
    Time,
)

Range = Annotated[list[Position], Field(min_length=2, max_length=2)]
"""First and last position, both included."""

Ranges = Annotated[list[Range], Field(min_length=1, max_length=10_000)]


class StreamsSealed(EventData):
    """How far every stream had come at a position, as one RFC 6962 root over a record of each."""

    TYPE: ClassVar[str] = "streams.sealed.v1"
    STREAM: ClassVar[str] = "ledger"
    CAUSE: ClassVar[str] = "the service on its schedule, or a caller of SealStreams"
    METHOD: ClassVar[str] = "SealStreams"
    KEEPS_BODY: ClassVar[bool] = True
    IS_HOUSEKEEPING: ClassVar[bool] = True

    as_of: Position
    root: Hex32
    streams: Count


class BodyErased(EventData):
    """Body and salt of these events were removed; their headers, hashes and proofs stay."""

    TYPE: ClassVar[str] = "body.erased.v1"
    STREAM: ClassVar[str] = "ledger"
    CAUSE: ClassVar[str] = "an actor whom the operator has authorised, by EraseBodies"
    METHOD: ClassVar[str] = "EraseBodies"
    KEEPS_BODY: ClassVar[bool] = True

    authority: Annotated[Text, Field(min_length=1)]
    """In whose name: office or role, never a person's data."""
    ground: Annotated[Text, Field(min_length=1)]
    """The legal ground, such as `GDPR Art. 17(1)(a)`."""
    positions: Ranges


class AuditCheckPart(Part):
    """One rule of an audit: how often it was applied, how often it failed or could not be."""

    rule: ShortText
    checked: Count
    failed: Count
    unchecked: Count


class AuditFindingPart(Part):
    """One finding of an audit; position 0 where it is not about one event."""

    rule: ShortText
    position: Count
    what: Text


class AuditCompleted(EventData):
    """An audit of this ledger was completed: what it covered, what it found."""

    TYPE: ClassVar[str] = "audit.completed"
    STREAM: ClassVar[str] = "ledger"
    CAUSE: ClassVar[str] = "the auditor, by RecordAudit"
    METHOD: ClassVar[str] = "RecordAudit"
    IS_HOUSEKEEPING: ClassVar[bool] = True

    program: ShortText
    """Name and version of what audited."""
    source: Literal["server", "database", "bundle", "tiles"]
    size: Position
    """The audited tree: its size and its root."""
    root: Hex32
    passed: bool
    checks: Annotated[list[AuditCheckPart], Field(max_length=1_000)]
    findings: Annotated[list[AuditFindingPart], Field(max_length=100)]
    """The first of them, by position."""


class AuditCompletedV1(AuditCompleted):
    """An audit of this ledger was completed: what it covered, what it found."""

    TYPE: ClassVar[str] = "audit.completed.v1"


class TranscriptPart(Part):
    """One part of what an audit has read and found, with its digest."""

    name: ShortText
    digest: Hex32


class AuditCompletedV2(AuditCompleted):
    """An audit of this ledger was completed: what it covered, what it found, and its transcript."""

    TYPE: ClassVar[str] = "audit.completed.v2"

    transcript: Hex32
    """One root over all that was read and every verdict: two auditors compare it."""
    transcript_parts: Annotated[list[TranscriptPart], Field(min_length=1, max_length=100)]
    """The parts that it is over, by name ascending: where two differ, these say in what."""


AUDITED: Final = (AuditCompletedV1.TYPE, AuditCompletedV2.TYPE)


class ExportIssued(EventData):
    """A bundle was handed out: what it covers and by which digest it is known again."""

    TYPE: ClassVar[str] = "export.issued.v1"
    STREAM: ClassVar[str] = "ledger"
    CAUSE: ClassVar[str] = "the caller of CreateExport"
    METHOD: ClassVar[str] = "CreateExport"
    IS_HOUSEKEEPING: ClassVar[bool] = True

    export: Segment
    kind: Literal["full", "range", "stream"]
    first_position: Position
    last_position: Position
    stream: str | None
    events: Count
    withheld: Count
    """How many of the events' bodies were withheld."""
    checkpoint_size: Position
    manifest_digest: Hex32
    """SHA-256 of the bundle's `manifest-sha256.txt`."""
    requested_by: Actor
    purpose: Text


class RefusalPart(Part):
    """How often one caller's calls of one method were refused for one reason."""

    actor: ShortText
    method: ShortText
    reason: ShortText
    count: Count
    first_at: Time
    last_at: Time


class RequestsRefused(EventData):
    """Refused requests in a span of time, counted: nothing else of them is recorded."""

    TYPE: ClassVar[str] = "requests.refused.v1"
    STREAM: ClassVar[str] = "ledger"
    CAUSE: ClassVar[str] = "the service, once a minute if anything was refused"
    IS_HOUSEKEEPING: ClassVar[bool] = True

    since: Time
    until: Time
    total: Count
    refusals: Annotated[list[RefusalPart], Field(min_length=1, max_length=1_000)]
    """By actor, method and reason; beyond 1,000 rows the rest is in `total` only."""


class RefusalPartV2(RefusalPart):
    """How often one caller's calls of one method from one host were refused for one reason."""

    address: ShortText
    """The host that they came from, without a port; `others` for those beyond the first 20 of
    the same actor, method and reason."""


class RequestsRefusedV2(EventData):
    """Refused requests in a span of time, counted with the hosts that they came from."""

    TYPE: ClassVar[str] = "requests.refused.v2"
    STREAM: ClassVar[str] = "ledger"
    CAUSE: ClassVar[str] = "the service, once a minute if anything was refused"
    IS_HOUSEKEEPING: ClassVar[bool] = True

    since: Time
    until: Time
    total: Count
    refusals: Annotated[list[RefusalPartV2], Field(min_length=1, max_length=1_000)]
    """By actor, method, reason and address, ascending; the actor is `unknown` where it showed no
    credential that counts. Beyond 1,000 rows the rest is in `total` only."""


REFUSED: Final = (RequestsRefused.TYPE, RequestsRefusedV2.TYPE)
OTHER_ADDRESSES: Final = "others"
"""The address of refusals from hosts beyond those that are told apart."""


class ServiceAccounted(EventData):
    """A service's account of what it recorded unasked, counted since it began on this ledger.

    An event that it counted or that was due by then, and that is not there, is missing. A span
    that no account covers is a gap: no service ran, or none did this by itself.
    """

    TYPE: ClassVar[str] = "service.accounted"
    STREAM: ClassVar[str] = "ledger"
    CAUSE: ClassVar[str] = "the service, now and then if anything was recorded, and when it ends"
    IS_HOUSEKEEPING: ClassVar[bool] = True

    service: Segment
    """The name of this run of the service; each start has another."""
    number: Position
    """Its accounts are numbered from 1."""
    is_last: bool
    """Whether it ended in order with this one."""
    program: ShortText
    """Name and version."""
    at: Time
    """The time of its machine's clock."""
    ran_seconds: Count
    """For how long it had run, without the time that its machine slept."""
    after: Position
    """The last event when it began: the counts are of later ones."""
    evaluated_through: Count
    """The position as of which no model was left that was due for a score; 0 where this service
    does not evaluate, or has not yet."""
    scores: Count
    decisions: Count
    """Scores and decisions that its evaluator recorded."""
    seals: Count
    """Seals that it made on schedule."""
    seal_seconds: Count
    """How often it seals, rounded up; 0 for on demand only."""
    refused: Count
    """Refused requests that it recorded as counts."""


class ServiceAccountedV1(ServiceAccounted):
    """A service's account of what it recorded unasked, counted since it began on this ledger.

    An event that it counted or that was due by then, and that is not there, is missing. A span
    that no account covers is a gap: no service ran, or none did this by itself.
    """

    TYPE: ClassVar[str] = "service.accounted.v1"


class ServiceAccountedV2(ServiceAccounted):
    """A service's account of what it recorded unasked, that others have read included.

    As in the first version, an event that it counted or that was due by then, and that is not
    there, is missing, and a span that no account covers is a gap.
    """

    TYPE: ClassVar[str] = "service.accounted.v2"

    reads: Count
    """Reads that it recorded as counts."""
    reads_seconds: Count
    """How often it records them, rounded up; 0 for never."""
    accesses: Count
    """Mass reads that it recorded one by one."""
    accesses_recorded: Annotated[list[ShortText], Field(max_length=100)]
    """The kinds of mass reads that it records, by name ascending; none if empty."""


class ServiceAccountedV3(ServiceAccountedV2):
    """A service's account of what it recorded unasked, with how far it has governed.

    As in the versions before, an event that it counted or that was due by then, and that is not
    there, is missing, and a span that no account covers is a gap.
    """

    TYPE: ClassVar[str] = "service.accounted.v3"

    governed_through: Count
    """The position as of which nothing was left to record that time brings to escalations, tasks,
    policies and shadows; 0 as long as there is none."""
    governed_at: Time | None
    """The ledger's time by which that was so; null exactly where `governed_through` is 0."""


ACCOUNTED_READS: Final = (ServiceAccountedV2.TYPE, ServiceAccountedV3.TYPE)
"""Accounts that say what was read."""
ACCOUNTED: Final = (ServiceAccountedV1.TYPE, *ACCOUNTED_READS)
