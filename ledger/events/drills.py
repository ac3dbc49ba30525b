"""Events about drills: what was tried against the ledger or its people, and what came of it."""

from typing import Annotated, ClassVar, Final, Literal, Self, TypeAlias, get_args

from pydantic import Field, model_validator

from ledger.events.base import Count, EventData, Part, Segment, ShortText, Text, Time
from ledger.limits import DRILL_ITEMS_MAX

DrillKind: TypeAlias = Literal["built_in", "red_team", "tabletop"]
DRILL_KINDS: Final[tuple[DrillKind, ...]] = get_args(DrillKind)

_Named = Annotated[ShortText, Field(min_length=1)]
_Stated = Annotated[Text, Field(min_length=1)]


class FollowUpPart(Part):
    """Something to be done because of a drill."""

    what: _Stated
    owner: _Named
    """The actor or the pseudonym of who does it."""
    due_at: Time


class DrillRecorded(EventData):
    """A drill was held: what was tried, by whom, whether it was detected, and what follows.

    A later drill under the same name repeats it, and shows whether its follow-ups were of use.
    """

    TYPE: ClassVar[str] = "drill.recorded.v1"
    STREAM: ClassVar[str] = "ledger"
    CAUSE: ClassVar[str] = "the caller of RecordDrill"
    METHOD: ClassVar[str] = "RecordDrill"
    IS_HOUSEKEEPING: ClassVar[bool] = True

    drill: Segment
    """The name of the scenario, such as `tampered-row`."""
    kind: DrillKind
    """`built_in` was carried out by the program, on a copy."""
    scenario: _Stated
    held_at: Time
    """When it was held, by the clock of who held it."""
    participants: Annotated[list[_Named], Field(max_length=DRILL_ITEMS_MAX)]
    """Actors or pseudonyms; a drill that is built in needs none."""
    program: ShortText
    """Name and version of the program that carried it out; empty where people did."""
    detected: bool | None
    """Whether what was tried was detected; null where there was nothing to detect."""
    detected_by: Annotated[list[_Named], Field(max_length=DRILL_ITEMS_MAX)]
    """The checks, reasons or people by which, in no particular order."""
    micros_to_detect: Count | None
    """How long it took; null where it was not detected, or not measured."""
    findings: Annotated[list[_Stated], Field(max_length=DRILL_ITEMS_MAX)]
    follow_ups: Annotated[list[FollowUpPart], Field(max_length=DRILL_ITEMS_MAX)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.detected is True) != bool(self.detected_by):
            raise ValueError("detected_by: says by what it was detected, and only then")
        if self.micros_to_detect is not None and self.detected is not True:
            raise ValueError("micros_to_detect: it was not detected")
        if self.kind == "built_in" and (self.detected is None or not self.program):
            raise ValueError("kind: a built-in drill says what carried it out, and what came of it")
        if self.kind != "built_in" and not self.participants:
            raise ValueError("participants: a drill of people has some")
        if any(one.due_at < self.held_at for one in self.follow_ups):
            raise ValueError("follow_ups: one is due before the drill was held")
        return self
