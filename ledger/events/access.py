"""Events about reading the ledger: ordinary reads as counts, mass reads one by one."""

from typing import Annotated, ClassVar, Final, Literal, TypeAlias, get_args

from pydantic import Field

from ledger.events.base import Actor, Count, EventData, Part, Segment, ShortText, Time
from ledger.limits import PURPOSE_CHARS_MAX

AccessKind: TypeAlias = Literal["events", "exports", "purposes", "replays"]
"""The kinds that are recorded one by one; `purposes` is each of the others with a purpose."""
ACCESS_KINDS: Final[tuple[AccessKind, ...]] = get_args(AccessKind)

Purpose = Annotated[str, Field(max_length=PURPOSE_CHARS_MAX)]


class ReadPart(Part):
    """How often one actor's calls of one method were answered on one UTC day."""

    actor: Actor
    method: ShortText
    count: Count
    first_at: Time
    last_at: Time
    """On the same day as the first, by the clock of the server's machine."""


class ReadsCounted(EventData):
    """Reads that were answered, counted; of what was read nothing is recorded."""

    TYPE: ClassVar[str] = "reads.counted.v1"
    STREAM: ClassVar[str] = "ledger"
    CAUSE: ClassVar[str] = "the service, once an hour if anything was read, and when it ends"
    IS_HOUSEKEEPING: ClassVar[bool] = True

    since: Time
    """When the first of them was answered, by the clock of the server's machine."""
    until: Time
    """When the last of them was."""
    total: Count
    reads: Annotated[list[ReadPart], Field(max_length=1_000)]
    """By day, actor and method; beyond 1,000 rows the rest is in `total` only."""
    unlisted: Count
    """Mass reads that no event lists: more were waiting to be recorded than are kept."""


class AccessRecorded(EventData):
    """A mass read, once it was over: who read how much, from where, when and for which purpose."""

    TYPE: ClassVar[str] = "access.recorded.v1"
    STREAM: ClassVar[str] = "ledger"
    CAUSE: ClassVar[str] = "the service, once an export, a replay or a mass read of events is over"
    IS_HOUSEKEEPING: ClassVar[bool] = True

    access: Segment
    actor: Actor
    method: ShortText
    address: ShortText
    """The host that it came from, without a port."""
    purpose: Purpose
    """As the caller stated it; empty where it stated none."""
    export: Segment | None
    """The export that was read; null for other reads."""
    first_position: Count
    last_position: Count
    """The first and last event that was handed out, or the span that was replayed; 0 for none."""
    events: Count
    """How many events were handed out or replayed, repeats included, but for those about reads."""
    archive_bytes: Count
    """How much of the export's archive was handed out, repeats included."""
    started_at: Time
    ended_at: Time
    """When the first and the last of it was handed out, by the clock of the server's machine."""


ACCESS_TYPES: Final = frozenset({ReadsCounted.TYPE, AccessRecorded.TYPE})
