"""The questions that auditors ask of a retraining service, and what an answer to one is.

The list is that of common audit programmes: completeness and integrity, one decision, gates and
deployment, policy and fleet, management. A question is answered from events alone. Where the events
of this release cannot answer one, or only in part, the answer says so and names what is missing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from ledger.compliance.facts import Source
from ledger.compliance.tables import Table

State = Literal["answered", "partly", "not yet"]

QUESTIONS: Final[dict[int, str]] = {
    1: "Is the history whole? Was anything changed, inserted, or cut since checkpoint X?",
    2: "Who can write; which identity wrote event N; which key signed it, was the key valid then?",
    3: "Which requests were refused and why? Which sources went silent, since when?",
    4: "Which clock gave the times; how far was it off; which signals came late?",
    5: "What is retained how long; what was erased, and does the chain still verify?",
    6: "Why was model M retrained, or not, on day D?",
    7: "Compute that decision again, bit for bit. With which code and policy digest?",
    8: "What did the service know at that moment, and what did it learn only later?",
    9: "What stood above and below it in the queue, and why was another model left out?",
    10: "What would have changed the decision?",
    11: "Which rule version applied, who wrote it, who approved it, since when, for which reason?",
    12: "Was it an override? By whom, under which authority, for which reason, reviewed by whom?",
    13: "Which data, schema, features, code, environment and seed produced the candidate?",
    14: "Did the integrity and representativeness gates pass, on thresholds fixed before the run?",
    15: "Was the holdout untouched by training and by earlier candidates?",
    16: "Candidate against champion: metric, confidence, slices; who accepted the residual risk?",
    17: "Did the approver see exactly this evidence? Are proposer and approver different people?",
    18: "What was deployed where and when; is it the approved artefact?",
    19: "Can it be rolled back, to what, when was that last exercised?",
    20: "Did the retraining deliver what was forecast?",
    21: "All policy versions with differences, effective periods and the decisions under each.",
    22: "Show the simulation that justified the last policy change; run it again.",
    23: "How sensitive are retrainings and losses to each weight and threshold?",
    24: "Which models exceeded a threshold without action, for how long, by whose decision?",
    25: "Which alerts were false; how many retrainings were wasted; at what cost?",
    26: "Was any budget exceeded, by whom raised; were loop limits ever hit?",
    27: "Does the ranking treat groups of models or business units unevenly?",
    28: "Which retrainings were inside the pre-determined change envelope?",
    29: "Which incidents followed a deployment within N days, with lineage back to the signal?",
    30: "Which decisions used estimated performance, or labels that were corrected later?",
    31: "When were weights, thresholds and authorities last reviewed; which actions are open?",
    32: "Drills, red-team runs and audits: scope, findings, closure.",
    33: "Limits of the method as told to users.",
    34: "Export everything on model M, readable and verifiable without this software.",
    35: "Map of these answers to the control catalogue in force.",
}


class QuestionError(ValueError):
    """A question that cannot be put like that; says what is missing."""


class Live(Protocol):
    """What only a server can do: prove, replay, look for what would have changed a decision."""

    def prove_since(self, note: bytes) -> list[str]:
        """Return what comparing a checkpoint kept from earlier with the ledger shows."""
        ...

    def replayed(self, model: str, position: int) -> list[str]:
        """Return what replaying a decision gives."""
        ...

    def flips(self, model: str, position: int) -> list[str]:
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
    live: Live | None = None


@dataclass(slots=True)
class Answer:
    """What the events say: sentences first, then tables; and what they do not say."""

    said: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    missing: str = ""
    """What this release records no events of; empty if the answer is whole."""
    how: list[str] = field(default_factory=list)
    """Commands that show more, or prove it."""
    is_answered: bool = True

    @property
    def state(self) -> State:
        """Whether the question is answered, partly answered, or waits for events."""
        if not self.is_answered:
            return "not yet"
        return "partly" if self.missing else "answered"


Answering = Callable[[Source, Inquiry], Answer]

_REGISTRY: Final[dict[int, Answering]] = {}


def answers(number: int) -> Callable[[Answering], Answering]:
    """Register the function that answers a question."""

    def _register(function: Answering) -> Answering:
        assert number in QUESTIONS
        assert number not in _REGISTRY
        _REGISTRY[number] = function
        return function

    return _register


def answer(number: int, source: Source, inquiry: Inquiry) -> Answer:
    """Return the answer to a question; QuestionError for no such number or missing particulars."""
    if number not in QUESTIONS:
        raise QuestionError(f"There are questions 1 to {max(QUESTIONS)}; {number} is none of them.")
    return _REGISTRY[number](source, inquiry)


def registered() -> Sequence[int]:
    """Return the numbers that have an answer of any state."""
    return sorted(_REGISTRY)


def need_model(inquiry: Inquiry) -> str:
    """Return the model asked about, or say that one is needed."""
    if not inquiry.model:
        raise QuestionError("This question is about one model: name it with --model.")
    return inquiry.model
