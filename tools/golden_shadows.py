"""The golden instances of a policy in shadow: begun, scored and decided once by each, and ended."""

from typing import Any, Final

from ledger.events.base import EventData
from ledger.events.decisions import DecisionMadeV1, DecisionMadeV2, ScoreComputed
from ledger.events.plans import PlanMadeV1
from ledger.events.policies import PolicyDraftedV2, ScopePart
from ledger.events.shadows import (
    SHADOW_DECIDED,
    PolicyShadowed,
    ShadowEnded,
    ShadowPlanned,
    ShadowScored,
)
from tools.golden_planning import with_steps
from tools.golden_proving import Appender

_EVALUATOR: Final = "system/evaluator"
_NAMED: Final = {"policy": "policy", "version": "policy_version", "digest": "policy_digest"}


def run(ledger: Appender) -> None:
    """Run a version in shadow, which gives what was recorded before, and end it."""
    minutes = iter(range(60))

    def note(data: EventData, actor: str) -> int:
        at = f"2026-09-01T10:{next(minutes):02d}:00.000000Z"
        return ledger.append(data, data.stream_name, at, actor=actor)

    def newest(type_: str) -> dict[str, Any]:
        return [one for one in ledger.events if one.type == type_][-1].data

    drafted = newest(PolicyDraftedV2.TYPE)
    shadow = note(
        PolicyShadowed(
            policy=drafted["policy"],
            version=drafted["version"],
            digest=drafted["digest"],
            scope=ScopePart(kind="ledger", model=None, labels={}),
            until="2026-10-01T00:00:00.000000Z",
            rationale="Seen for a month before it is in force.",
        ),
        "users/ada",
    )
    scored = note(
        ShadowScored.from_data(newest(ScoreComputed.TYPE) | {"shadow": shadow}), _EVALUATOR
    )
    for type_ in (DecisionMadeV1.TYPE, DecisionMadeV2.TYPE):
        data = newest(type_) | {"shadow": shadow, "score_position": scored, "overridden": None}
        note(SHADOW_DECIDED[data["procedure"]].from_data(data), _EVALUATOR)
    note(
        ShadowEnded(
            policy=drafted["policy"], shadow=shadow, ground="asked", reason="It was compared."
        ),
        "users/ada",
    )


def plan(ledger: Appender) -> None:
    """Plan in shadow what was planned before."""
    [begun] = [one for one in ledger.events if one.type == PolicyShadowed.TYPE]
    [made] = [one.data for one in ledger.events if one.type == PlanMadeV1.TYPE]
    planned_for = {name: made[member] for name, member in _NAMED.items()}
    more = {"shadow": begun.position, "planned_for": planned_for}
    data = ShadowPlanned.from_data(with_steps(made) | more)
    ledger.append(data, data.stream_name, "2026-11-04T10:30:00.000000Z", actor="users/ada")
