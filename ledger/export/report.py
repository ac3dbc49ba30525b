"""`report.html`: what a bundle holds, for people. One file without scripts or outside resources.

It repeats what the events say and proves nothing by itself; it says how to check what it repeats.
Every text in it may come from the writer of an event, so the template escapes everything.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from ledger import __version__, pages
from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.note import parse as parse_note
from ledger.events.base import EventData
from ledger.events.canonical import decode
from ledger.events.decisions import DECISION_TYPES, DecisionMade, DecisionOverridden
from ledger.events.notation import percent, rounded_money
from ledger.events.plans import PlanMade
from ledger.events.policies import PolicyActivated
from ledger.events.registry import BY_TYPE
from ledger.export.scope import ERASED, ERASED_LATER, BundlePlan
from ledger.export.tally import BundleTally

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
class ReportExtras:
    """The ledger's additions to the events of a bundle: replays and reasons by position."""

    replays: Mapping[int, Replay] = field(default_factory=dict)
    reasons: Mapping[int, str] = field(default_factory=dict)
    """Why a decision came out as it did, as `decision explain` says."""
    unit_of_cost: str = ""


def render(
    plan: BundlePlan,
    tally: BundleTally,
    checkpoint: CheckpointBody,
    note: bytes,
    extras: ReportExtras,
) -> Iterator[str]:
    """Yield the pieces of the report; equal arguments give equal text."""
    scope, replays = tally.scope(), extras.replays
    erased = {ERASED, ERASED_LATER}
    decisions = _entries(tally, DecisionMade.TYPE)
    pieces: Iterator[str] = _template().generate(
        {
            "title": _TITLES[plan.kind],
            "plan": plan,
            "tally": tally,
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
            "erased_proven": tally.proven_erased(),
            "erased_stated": sum(
                ranges.count() for reason, ranges in scope.withheld if reason in erased
            ),
            "decisions": decisions,
            "decisions_total": sum(tally.counts[type_] for type_ in DECISION_TYPES),
            "overrides": _entries(tally, DecisionOverridden.TYPE),
            "policies": _entries(tally, PolicyActivated.TYPE),
            "plans": _entries(tally, PlanMade.TYPE),
            "plan_rows_shown": _PLAN_ROWS_SHOWN,
            "replays": replays,
            "reasons": extras.reasons,
            "unit": extras.unit_of_cost,
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


def _entries(tally: BundleTally, kind: str) -> list[ReportEntry]:
    """Return the events that were kept under a type, newest first."""
    found = []
    for position, recorded_at, type_, body in reversed(tally.newest[kind]):
        value = decode(body)
        try:
            data = BY_TYPE[type_].from_data(value["data"])
        except ValidationError:
            data = None
        found.append(ReportEntry(position, recorded_at, value["actor"], data))
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
