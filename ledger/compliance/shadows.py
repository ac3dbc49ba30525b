"""Policies in shadow as auditors ask for them: since when, how they ended, what came of them."""

from typing import Any, Final

from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.policies import scope_text
from ledger.compliance.tables import Table, table_of
from ledger.events.facts import Fact
from ledger.events.policies import ACTIVATED_TYPES, PolicySubmitted
from ledger.events.shadows import (
    SHADOW_DECISION_TYPES,
    PolicyShadowed,
    ShadowEnded,
    ShadowPlanned,
    ShadowScored,
)

_COUNTED: Final = {
    ShadowScored.TYPE: "scores",
    ShadowPlanned.TYPE: "plans",
    **dict.fromkeys(SHADOW_DECISION_TYPES, "decisions"),
}
_STEPS: Final = {
    PolicySubmitted.TYPE: "submitted_at",
    **dict.fromkeys(ACTIVATED_TYPES, "promoted_at"),
}
_READ: Final = (PolicyShadowed.TYPE, ShadowEnded.TYPE, *_COUNTED, *_STEPS)


_COLUMNS: Final = (
    ("position", "integer", "where it began: the name of the shadow"),
    ("policy", "text", "the policy that ran in shadow"),
    ("version", "integer", "its version"),
    ("scope", "text", "the models that it ran for"),
    ("begun_at", "time", "when it began"),
    ("until", "time", "when it was to end by itself"),
    ("actor", "text", "who began it"),
    ("rationale", "prose", "why"),
    ("ended_at", "time", "when it ended; empty while it runs"),
    ("ground", "text", "asked, time, or activated"),
    ("ended_by", "text", "who ended it"),
    ("ended_because", "prose", "why it ended"),
    ("scores", "integer", "how often it scored a model"),
    ("decisions", "integer", "its decisions"),
    ("retrainings", "integer", "those of them that ask for a retraining"),
    ("plans", "integer", "its plans"),
    ("submitted_at", "integer", "the newest submission that cites it, by position"),
    ("promoted_at", "integer", "the newest activation that cites it, by position"),
)
_PAGE: Final = (
    ("Shadow", ("position", "policy", "version", "scope")),
    ("Begun", ("begun_at", "until", "actor", "rationale")),
    ("Ended", ("ended_at", "ground", "ended_by", "ended_because")),
    ("Came of it", ("scores", "decisions", "retrainings", "plans")),
    ("Promoted", ("promoted_at", "submitted_at")),
)
_LATER: Final = ("ended_at", "ground", "ended_by", "ended_because", "submitted_at", "promoted_at")
_COUNTS: Final = ("scores", "decisions", "retrainings", "plans")


def shadows_table(source: FactSource, scope: FactFilter) -> Table:
    """Return the shadows that began in the period, oldest first, with all that came of each."""
    found: dict[int, dict[str, Any]] = {}
    erased = 0
    for fact in source.facts(_READ):
        if fact.type == PolicyShadowed.TYPE:
            if fact.data is None:
                erased += scope.has_time(fact)
            elif scope.takes(fact) and scope.has_model(fact.data["scope"]["model"] or scope.model):
                found[fact.position] = _begun(fact, fact.data)
        elif fact.type in _STEPS:
            if (row := found.get(fact.causation_position or 0)) is not None:
                row[_STEPS[fact.type]] = fact.position
        elif fact.type == ShadowEnded.TYPE:
            _end(found, fact)
        elif fact.data is not None and (row := found.get(fact.data["shadow"])) is not None:
            row[_COUNTED[fact.type]] += 1
            row["retrainings"] += fact.data.get("action") == "SCHEDULE_RETRAINING"
    note = f"Shadows without a readable body: {erased}." if erased else ""
    return table_of("shadows", "Policies in shadow", _COLUMNS, found.values(), note, page=_PAGE)


def _begun(fact: Fact, data: dict[str, Any]) -> dict[str, Any]:
    return fact.record | {
        "begun_at": fact.recorded_at,
        "scope": scope_text(data["scope"]),
        **dict.fromkeys(_LATER),
        **dict.fromkeys(_COUNTS, 0),
    }


def _end(found: dict[int, dict[str, Any]], fact: Fact) -> None:
    """Note the end of a shadow; of all of the policy where the body that names it was erased."""
    policy = fact.stream.partition("/")[2]
    for row in found.values():
        if fact.data is None:
            if row["policy"] == policy and row["ended_at"] is None:
                row["ended_at"] = fact.recorded_at
        elif row["position"] == fact.data["shadow"]:
            row |= {
                "ended_at": fact.recorded_at, "ground": fact.data["ground"],
                "ended_by": fact.actor, "ended_because": fact.data["reason"],
            }  # fmt: skip
