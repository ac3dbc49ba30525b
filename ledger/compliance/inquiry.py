"""The questions of auditors, and the form of an answer.

A question is answered from events alone. Where they tell nothing, or only a part, the answer says
what is not on record.
"""

from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, get_args

from ledger.compliance.facts import FactFilter
from ledger.compliance.tables import Described, Records, Table, table_of

State = Literal["answered", "partly", "not answered"]
STATES: Final[tuple[State, ...]] = get_args(State)


class QuestionError(ValueError):
    """A question that cannot be put like that; says what is missing."""


class LiveQueries(Protocol):
    """Services that need a server: prove, replay, look for what would have changed a decision."""

    def prove_since(self, note: bytes) -> list[str]:
        """Return what comparing a checkpoint kept from earlier with the ledger shows."""
        ...

    def replayed(self, model: str, position: int) -> list[str]:
        """Return what replaying a decision gives."""
        ...

    def counterfactuals(self, model: str, position: int) -> list[str]:
        """Return the smallest changes that would have changed a decision."""
        ...


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question's particulars; which are needed depends on the question."""

    model: str = ""
    at: int | None = None
    """A time, micros: the moment or day asked about."""
    position: int | None = None
    """An event, or a decision."""
    days: int = 14
    checkpoint: bytes = b""
    """A signed note kept from earlier."""
    live: LiveQueries | None = None

    @property
    def scope(self) -> FactFilter:
        """The facts that are asked about: of the model, up to the time."""
        return FactFilter(model=self.model, until=self.at)


@dataclass(slots=True)
class Answer:
    """The answer from the events: sentences first, then tables; and what they do not say."""

    said: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    missing: str = ""
    """Facts missing from the events; empty if the answer is whole."""
    how: list[str] = field(default_factory=list)
    """Commands that show more, or prove it."""
    callers: list[str] = field(default_factory=list)
    """Sentences about callers that were believed."""

    def say(self, *sentences: str) -> None:
        """Add sentences."""
        self.said += sentences

    def show(
        self, name: str, title: str, columns: Described, records: Records, note: str = ""
    ) -> None:
        """Add a table, as `table_of` makes it."""
        self.tables.append(table_of(name, title, columns, records, note))

    @property
    def state(self) -> State:
        """Whether the question is answered, partly answered, or not answered."""
        if not (self.said or self.tables):
            return "not answered"
        return "partly" if self.missing else "answered"


def need_model(inquiry: Inquiry) -> str:
    """Return the model asked about, or say that one is needed."""
    if not inquiry.model:
        raise QuestionError("This question is about one model: name it with --model.")
    return inquiry.model
