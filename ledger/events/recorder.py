"""The envelope for events of applications that use the ledger as their `eventsourcing` store."""

from typing import ClassVar

from pydantic import Field

from ledger.events.base import EventData, SafeInt


class RecorderEvent(EventData):
    """A foreign event as the plain recorder interface received it: opaque bytes in base64."""

    TYPE: ClassVar[str] = "recorder.event.v1"
    STREAM: ClassVar[str] = "recorder/{sha256 of originator_id}"
    CAUSE: ClassVar[str] = "the application that uses the recorder"

    originator_id: str = Field(max_length=1_000)
    originator_version: SafeInt
    state_base64: str
    topic: str = Field(max_length=1_000)
