"""Events about the ledger itself."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from ledger.events.base import EventData, Hex32, Origin, Text, Time, UnitOfCost
from ledger.limits import LEAP_SECONDS_MAX, SKEW_SECONDS_MAX


class LedgerCreated(EventData):
    """The ledger began: its origin, format and first verifier key. Always at position 1."""

    TYPE: ClassVar[str] = "ledger.created.v1"
    STREAM: ClassVar[str] = "ledger"
    CAUSE: ClassVar[str] = "the caller of CreateLedger"
    METHOD: ClassVar[str] = "CreateLedger"
    KEEPS_BODY: ClassVar[bool] = True

    created_at: Time
    format: Literal["decision-ledger/1"]
    origin: Origin
    vkey: str = Field(min_length=1, max_length=1_000)


class LedgerConfigured(EventData):
    """How this ledger tells time. Written until the next key's digest joined it."""

    TYPE: ClassVar[str] = "ledger.configured.v1"
    STREAM: ClassVar[str] = "ledger"
    CAUSE: ClassVar[str] = "the caller of CreateLedger"
    METHOD: ClassVar[str] = "CreateLedger"
    KEEPS_BODY: ClassVar[bool] = True

    clock: Literal["wall", "data"]
    skew_seconds: int = Field(ge=0, le=SKEW_SECONDS_MAX)


class LedgerConfiguredV2(EventData):
    """How this ledger tells time, how far ahead sources may be, and which key will sign next.

    Written until the unit of cost and the bound on leaps of time joined it.
    """

    TYPE: ClassVar[str] = "ledger.configured.v2"
    STREAM: ClassVar[str] = "ledger"
    CAUSE: ClassVar[str] = "the caller of CreateLedger"
    METHOD: ClassVar[str] = "CreateLedger"
    KEEPS_BODY: ClassVar[bool] = True

    clock: Literal["wall", "data"]
    skew_seconds: int = Field(ge=0, le=SKEW_SECONDS_MAX)
    next_key_digest: Hex32
    """SHA-256 of the text of the verifier key that will sign next."""


class LedgerConfiguredV3(EventData):
    """How this ledger tells time, in which unit it counts cost, and which key will sign next."""

    TYPE: ClassVar[str] = "ledger.configured.v3"
    STREAM: ClassVar[str] = "ledger"
    CAUSE: ClassVar[str] = "the caller of CreateLedger"
    METHOD: ClassVar[str] = "CreateLedger"
    KEEPS_BODY: ClassVar[bool] = True

    clock: Literal["wall", "data"]
    leap_seconds: int = Field(ge=0, le=LEAP_SECONDS_MAX)
    """How far a stated time may lie ahead of the newest one; 0 for no bound."""
    next_key_digest: Hex32
    """SHA-256 of the text of the verifier key that will sign next."""
    skew_seconds: int = Field(ge=0, le=SKEW_SECONDS_MAX)
    unit_of_cost: UnitOfCost | None
    """The unit of cost and value, such as EUR; null if none was given."""


class ClockStepped(EventData):
    """An operator confirmed the server's clock, although it was not where it was expected.

    Events recorded from here on are dated by it.
    """

    TYPE: ClassVar[str] = "clock.stepped.v1"
    STREAM: ClassVar[str] = "ledger"
    CAUSE: ClassVar[str] = "an actor whom the operator has named, by ConfirmClock"
    METHOD: ClassVar[str] = "ConfirmClock"

    clock_at: Time
    """The time of the clock."""
    expected_at: Time | None
    """The expected time, by the time passed since the clock was last believed; null where
    the server had not recorded anything yet."""
    head_at: Time
    """When the event before was recorded."""
    reason: Annotated[Text, Field(min_length=1)]


COMMITTING: Final = (LedgerConfiguredV2.TYPE, LedgerConfiguredV3.TYPE)
"""Types of the configuration that name the key that signs next."""
CONFIGURED: Final = (LedgerConfigured.TYPE, *COMMITTING)
"""Every type of a ledger's configuration, the event at position 2."""
