"""The closed list of event types. A type that is not here is refused at read and never imported."""

from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from ledger.errors import LedgerError, Reason, event_unreadable
from ledger.events.access import AccessRecorded, ReadsCounted
from ledger.events.authority import AUTHORITY_CLASSES, CallRepresented, CredentialUsed
from ledger.events.base import EventData
from ledger.events.budgets import BUDGET_CLASSES
from ledger.events.cases import CASE_CLASSES, LAPSED_CLASSES
from ledger.events.decisions import (
    DecisionMadeV1,
    DecisionMadeV2,
    DecisionOverriddenV1,
    DecisionOverriddenV2,
    ScoreComputed,
)
from ledger.events.drills import DrillRecorded
from ledger.events.envelope import RecordedEvent
from ledger.events.jobs import JOB_CLASSES
from ledger.events.keys import KeyCommitted, KeyRevoked, KeyRotated
from ledger.events.models import (
    DeploymentExplained,
    ModelDeployed,
    ModelRegistered,
    ModelRetired,
    ModelUpdated,
)
from ledger.events.plans import PlanMadeV1, PlanMadeV2, PlanScheduled
from ledger.events.policies import (
    STEP_CLASSES,
    PolicyActivatedV1,
    PolicyActivatedV2,
    PolicyDraftedV1,
    PolicyDraftedV2,
    PolicyDraftedV3,
)
from ledger.events.proving import (
    AuditCompletedV1,
    AuditCompletedV2,
    BodyErased,
    ExportIssued,
    RequestsRefused,
    RequestsRefusedV2,
    ServiceAccountedV1,
    ServiceAccountedV2,
    ServiceAccountedV3,
    StreamsSealed,
)
from ledger.events.recipes import RECIPE_CLASSES
from ledger.events.recorder import RecorderEvent
from ledger.events.reuse import ReuseProposed, RollBackAsked
from ledger.events.reviews import REVIEW_CLASSES
from ledger.events.shadows import SHADOW_CLASSES, ShadowPlanned
from ledger.events.signals import (
    SignalDefined,
    SignalDefinedV2,
    SignalObserved,
    SignalObservedV2,
)
from ledger.events.system import (
    ClockStepped,
    LedgerConfigured,
    LedgerConfiguredV2,
    LedgerConfiguredV3,
    LedgerCreated,
)

T = TypeVar("T", bound=EventData)

EVENT_CLASSES: Final[tuple[type[EventData], ...]] = (
    LedgerCreated,
    LedgerConfigured,
    SignalDefined,
    SignalObserved,
    ModelRegistered,
    ModelUpdated,
    ModelDeployed,
    ModelRetired,
    ScoreComputed,
    DecisionMadeV1,
    DecisionOverriddenV1,
    PolicyDraftedV1,
    PolicyActivatedV1,
    PlanMadeV1,
    RecorderEvent,
    LedgerConfiguredV2,
    KeyRotated,
    KeyCommitted,
    KeyRevoked,
    StreamsSealed,
    BodyErased,
    AuditCompletedV1,
    ExportIssued,
    RequestsRefused,
    LedgerConfiguredV3,
    PolicyDraftedV2,
    DecisionMadeV2,
    ClockStepped,
    ServiceAccountedV1,
    AuditCompletedV2,
    *AUTHORITY_CLASSES,
    CredentialUsed,
    ReadsCounted,
    AccessRecorded,
    ServiceAccountedV2,
    CallRepresented,
    SignalDefinedV2,
    PolicyDraftedV3,
    RequestsRefusedV2,
    *CASE_CLASSES,
    DrillRecorded,
    SignalObservedV2,
    PolicyActivatedV2,
    *STEP_CLASSES,
    *SHADOW_CLASSES,
    *REVIEW_CLASSES,
    ShadowPlanned,
    *BUDGET_CLASSES,
    ServiceAccountedV3,
    *RECIPE_CLASSES,
    *LAPSED_CLASSES,
    *JOB_CLASSES,
    DecisionOverriddenV2,
    PlanMadeV2,
    ReuseProposed,
    PlanScheduled,
    DeploymentExplained,
    RollBackAsked,
)

BY_TYPE: Final[dict[str, type[EventData]]] = {cls.TYPE: cls for cls in EVENT_CLASSES}
assert len(BY_TYPE) == len(EVENT_CLASSES), "two classes claim one type name"
_NAMES: Final = frozenset(type_.rpartition(".")[0] for type_ in BY_TYPE)

HOUSEKEEPING_TYPES: Final = frozenset(cls.TYPE for cls in EVENT_CLASSES if cls.IS_HOUSEKEEPING)
KEPT_NAMES: Final = frozenset(
    cls.TYPE.rpartition(".")[0] for cls in EVENT_CLASSES if cls.KEEPS_BODY
)
"""Names, without a version, of the types whose bodies can be neither erased nor withheld."""


def is_newer(type_: str) -> bool:
    """Whether a type is another version of one that this release knows: of a later release."""
    return type_ not in BY_TYPE and type_.rpartition(".")[0] in _NAMES


def keeps_body(type_: str) -> bool:
    """Return whether bodies of a type, in any version, can be neither erased nor withheld."""
    return type_.rpartition(".")[0] in KEPT_NAMES


def aggregate_types(kind: str) -> frozenset[str]:
    """Return the types whose events change the aggregates in streams of a kind, such as models."""
    return frozenset(
        cls.TYPE
        for cls in EVENT_CLASSES
        if cls.IS_OF_AGGREGATE and cls.STREAM.partition("/")[0] == kind
    )


def typed(event: RecordedEvent, expected: type[T]) -> T:
    """Return the event's data as an `expected`; EVENT_UNREADABLE where it is none.

    BODY_ERASED where its body is gone.
    """
    data = decode_data(event)
    if not isinstance(data, expected):
        raise event_unreadable(event.position, f"its type is {event.type}, not {expected.TYPE}")
    return data


def decode_data(event: RecordedEvent) -> EventData:
    """Return the event's data by the registry; EVENT_UNREADABLE for unknown types or shapes.

    BODY_ERASED where its body is gone.
    """
    cls = BY_TYPE.get(event.type)
    if cls is None:
        raise event_unreadable(event.position, f"this release knows no type {event.type}")
    try:
        return cls.from_data(event.data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise event_unreadable(
            event.position, f"its data does not fit {event.type}: {where}: {first['msg']}"
        ) from error


def known_data(event: RecordedEvent) -> dict[str, Any] | None:
    """Return the event's members; None where its body is gone, or is none that can be read."""
    if event.body_bytes is None:
        return None
    try:
        return decode_data(event).to_data()
    except LedgerError as error:
        if error.reason is not Reason.EVENT_UNREADABLE:
            raise
        return None


@dataclass(frozen=True, slots=True)
class ErasedData:
    """Takes the place of data whose body was erased: the header says the type, and no more."""

    TYPE: str


def data_or_erased(event: RecordedEvent) -> EventData | ErasedData:
    """Return the event's data, or that it is gone; EVENT_UNREADABLE as `decode_data`."""
    return ErasedData(event.type) if event.body_bytes is None else decode_data(event)
