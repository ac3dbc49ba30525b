"""`report.html`: what a bundle holds, for people. One file without scripts or outside resources.

It repeats what the events say and proves nothing by itself; it says how to check what it repeats.
Every text in it may come from the writer of an event, so the template escapes everything.

It is made of the other files of its bundle and of nothing else, but for what the issuer states:
that is in its head as JSON. So a verifier renders it again and compares the bytes. A head names
the program too: another one may render otherwise.
"""

import hashlib
import html
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

from pydantic import ValidationError

from ledger import __version__, pages
from ledger.authority.believed import BelievedCallers
from ledger.chain.note import parse as parse_note
from ledger.events.base import EventData
from ledger.events.canonical import decode
from ledger.events.decisions import DECISION_TYPES, DecisionMade, DecisionOverridden
from ledger.events.notation import percent, rounded_money
from ledger.events.plans import PlanMade
from ledger.events.policies import PolicyActivated
from ledger.events.registry import BY_TYPE
from ledger.export.callers import callers_in_words
from ledger.export.facts import ReportFacts, ReportSubject
from ledger.export.scope import ERASED, ERASED_LATER
from ledger.export.standalone import NAME as VERIFIER

OUTCOMES: Final = frozenset({"IDENTICAL", "DIVERGENT", "NOT_REPLAYABLE"})
_HEAD: Final = re.compile(
    rb'<meta name="generator" content="([^"]*)">\n<meta name="stated" content="([^"]*)">\n'
)
_SOURCES: Final = ("application/decisions", "authority", "events", "export", "pages", "rules")
"""The folders of this package that a report is made by."""
_SIGNALS_SHOWN: Final = 3
_PLAN_ROWS_SHOWN: Final = 50
_TITLES: Final = {
    "full": "The whole ledger",
    "range": "A part of the ledger",
    "stream": "The whole story of one stream",
}


@dataclass(frozen=True, slots=True)
class Replay:
    """The result of computing a recorded decision or plan again, or why it could not be."""

    outcome: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class ReportEntry:
    """An event that the report tells; `data` is None where this release cannot read it."""

    position: int
    recorded_at: str
    actor: str
    data: EventData | None


@dataclass(frozen=True, slots=True)
class IssuerStatements:
    """The issuer's own words in a report: nothing in the bundle shows that they are true."""

    purpose: str = ""
    replays: Mapping[int, Replay] = field(default_factory=dict)
    """By position, how decisions and plans came out that were computed again."""
    callers: BelievedCallers | None = None
    """Up to where callers were believed, where the events of the bundle do not show it."""

    def encode(self) -> str:
        """Return them as JSON in ASCII."""
        replays = [[at, one.outcome, one.why] for at, one in sorted(self.replays.items())]
        callers = {} if self.callers is None else {"callers": list(self.callers)}
        return json.dumps({"purpose": self.purpose, "replays": replays, **callers})

    @classmethod
    def parse(cls, text: str) -> "IssuerStatements":
        """Return what `encode` wrote; ValueError for anything else."""
        try:
            value = json.loads(text)
            replays = {at: Replay(outcome, why) for at, outcome, why in value["replays"]}
            callers = BelievedCallers(*value["callers"]) if "callers" in value else None
            found = cls(value["purpose"], replays, callers)
            is_same = (
                found.encode() == text
                and all(
                    type(at) is int and one.outcome in OUTCOMES and type(one.why) is str
                    for at, one in replays.items()
                )
                and all(type(at) is int and at >= 0 for at in callers or ())
            )
        except (TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError(str(error)) from error
        if not is_same or type(found.purpose) is not str:
            raise ValueError("not as it would be written")
        return found


def stated_in(report: bytes) -> tuple[str, IssuerStatements] | None:
    """Return a report's program and its issuer's statements, by how it begins; None if unsaid."""
    match = _HEAD.search(report)
    if match is None:
        return None
    program, stated = (html.unescape(one.decode(errors="replace")) for one in match.groups())
    try:
        return program, IssuerStatements.parse(stated)
    except ValueError:
        return None


@cache
def program() -> str:
    """Return the name of what renders reports here: another one may render otherwise.

    Its digest is over the code, the templates, and the libraries that have a say in the text.
    """
    digest = hashlib.sha256()
    for folder in _SOURCES:
        for path, content in sorted(_sources(files("ledger") / folder, folder)):
            digest.update(f"{path}\n".encode() + hashlib.sha256(content).digest())
    libraries = (version("jinja2"), version("cel-expr-python"), unicodedata.unidata_version)
    digest.update(" ".join(libraries).encode())
    return f"decision-ledger {__version__}, report {digest.hexdigest()[:16]}"


def _sources(folder: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    for one in folder.iterdir():
        is_source = one.name.endswith((".py", ".jinja", ".css"))
        if one.is_file() and is_source and one.name != VERIFIER:  # a wheel alone has that there
            yield f"{name}/{one.name}", one.read_bytes()


def render(
    subject: ReportSubject, stated: IssuerStatements, reasons: Mapping[int, str]
) -> Iterator[str]:
    """Yield the pieces of the report; equal arguments give equal text.

    `reasons` say of decisions, by position, why they came out so, as `decision explain` does.
    """
    scope, facts, note = subject.scope, subject.facts, subject.note
    checkpoint, replays = subject.checkpoint, stated.replays
    erased = {ERASED, ERASED_LATER}
    decisions = _entries(facts, DecisionMade.TYPE)
    pieces: Iterator[str] = _template().generate(
        {
            "title": _TITLES[scope.kind],
            "program": program(),
            "stated": stated.encode(),
            "purpose": stated.purpose,
            "facts": facts,
            "callers": list(callers_in_words(scope, facts, stated.callers)),
            "scope": scope,
            "checkpoint": checkpoint,
            "root": checkpoint.root.hex(),
            "signatures": [line.name for line in parse_note(note).signatures],
            "note": note.decode(),
            "withheld": [
                (reason, ranges.count())
                for reason, ranges in scope.withheld
                if reason not in erased
            ],
            "erased_proven": subject.erased_proven,
            "reach": subject.reach,
            "erased_stated": sum(
                ranges.count() for reason, ranges in scope.withheld if reason in erased
            ),
            "decisions": decisions,
            "decisions_total": sum(facts.counts[type_] for type_ in DECISION_TYPES),
            "overrides": _entries(facts, DecisionOverridden.TYPE),
            "policies": _entries(facts, PolicyActivated.TYPE),
            "plans": _entries(facts, PlanMade.TYPE),
            "plan_rows_shown": _PLAN_ROWS_SHOWN,
            "replays": replays,
            "reasons": reasons,
            "unit": facts.unit_of_cost,
            "replayed": Counter(replay.outcome for replay in replays.values()),
            "version": __version__,
        }
    )
    return pieces


def _template() -> Any:  # noqa: ANN401 - jinja2 exports the type under a name of its own
    environment = pages.environment("ledger.export", "")
    environment.filters |= {
        "because": because,
        "strongest": strongest,
        "money": lambda micros, unit: rounded_money(int(micros), unit),
        "replay_in_words": replay_in_words,
    }
    return environment.get_template("report.html.jinja")


def _entries(facts: ReportFacts, kind: str) -> list[ReportEntry]:
    """Return the events that were kept under a type, newest first."""
    found = []
    for kept in reversed(facts.newest[kind]):
        value = decode(kept.body)
        try:
            data = BY_TYPE[kept.type].from_data(value["data"])
        except ValidationError:
            data = None
        found.append(ReportEntry(kept.position, kept.recorded_at, value["actor"], data))
    return found


# ---- words ---------------------------------------------------------------------------------------


def because(made: DecisionMade) -> str:
    """Return why a decision came out as it did, in sentences."""
    policy = f"policy {made.policy} version {made.policy_version}"
    said = {
        "RULE": f"Rule {made.rule} of {policy} matched.",
        "OTHERWISE": f"No rule of {policy} matched.",
        "RULE_ERROR": f"Rule {made.rule} of {policy} could not be evaluated.",
    }[made.reason]
    if made.held_back is not None:
        said += " It was held back by the cool-down."
    if made.overridden is not None:
        at, action = made.overridden.position, made.overridden.action
        said += f" The override at position {at} takes its place; the rules alone gave {action}."
    return said


def strongest(made: DecisionMade) -> str:
    """Return the signals that weighed most, with their shares."""
    signals = made.environment.signals
    names = sorted(
        (name for name, signal in signals.items() if signal.present and signal.share),
        key=lambda name: (-signals[name].share, name),
    )
    shown = [f"{name} {percent(signals[name].share)}" for name in names[:_SIGNALS_SHOWN]]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


def replay_in_words(replay: Replay) -> str:
    """Return how a replay came out, in words."""
    return replay.outcome.lower().replace("_", " ")
