"""Forgeries of overrides: bounds that are not kept, roles that are not held, an end that never is.

An override is appended as the newest event of a model, as honest as can be but for one thing.
"""

from collections.abc import Callable
from typing import Any, Final

from ledger.events.values import DAY, SECOND, format_time, parse_time
from tests.audit.paper import Paper
from tests.audit.unauthorised import ANA, EVE, begin, grant
from tests.audit.unauthorised import AUTHORITY as AUTHORITY_STREAM

OVERRIDDEN: Final = "decision.overridden.v2"
EARLIER: Final = "decision.overridden.v1"
"""An override of a release that recorded no roles."""
DECISION: Final = "decision.made.v2"
MODEL: Final = "beta"
Forge = Callable[[Paper], int]
_AS_UNDER_IT: Final = (
    "action", "held_back", "overridden", "reason", "rule", "since", "tier",
)  # fmt: skip


def newest(paper: Paper, model: str = "") -> int:
    """Return the newest time observed, of a model or of all of them."""
    return max(
        parse_time(event.data["observed_at"])
        for event in paper.events
        if event.type == "signal.observed.v1" and model in {"", event.stream.partition("/")[2]}
    )


def overrule(paper: Paper, *, actor: str = ANA, type_: str = OVERRIDDEN, **changes: object) -> int:
    """Override what is in force for beta, for an hour."""
    decided = paper.find(DECISION, model=MODEL)[-1]
    body = paper.at(decided).body
    assert isinstance(body, dict)
    is_action = paper.at(decided).data["action"] != "NO_ACTION"
    data: dict[str, Any] = {
        "model": MODEL, "action": "INVESTIGATE", "tier": "ds", "rationale": "It knows better.",
        "effective_from": format_time(newest(paper, MODEL)),
        "effective_until": format_time(newest(paper) + 3_600 * SECOND), "role": None,
    } | changes  # fmt: skip
    if type_ != OVERRIDDEN:
        del data["role"]
    return paper.append(
        f"models/{MODEL}", type_, data, actor=actor,
        causation_position=decided, run_id=body["run_id"] if is_action else None,
    )  # fmt: skip


# ---- bounds --------------------------------------------------------------------------------------


def give_no_reason(paper: Paper) -> int:
    return overrule(paper, rationale="   ")


def as_an_earlier_release(paper: Paper) -> None:
    """Have every override stated without its role, as before there was one to state."""
    for position in paper.find(OVERRIDDEN):
        event = paper.at(position)
        event.type = EARLIER
        del event.data["role"]


def give_no_reason_as_an_earlier_release(paper: Paper) -> int:
    as_an_earlier_release(paper)
    return overrule(paper, type_=EARLIER, rationale="")


def name_a_tier_that_is_none(paper: Paper) -> int:
    return overrule(paper, tier="nobody")


def last_for_a_quarter_and_a_second(paper: Paper) -> int:
    return overrule(paper, effective_until=format_time(newest(paper) + 90 * DAY + SECOND))


def end_as_it_begins(paper: Paper) -> int:
    return overrule(paper, effective_until=format_time(newest(paper, MODEL)))


def begin_in_time_to_come(paper: Paper) -> int:
    return overrule(paper, effective_from=format_time(newest(paper) + 1))


def begin_before_anything(paper: Paper) -> int:
    return overrule(paper, effective_from="2026-01-01T00:00:00.000000Z")


def override_by_machine(paper: Paper) -> int:
    return overrule(paper, actor="services/robot")


BOUNDS: Final[dict[str, Forge]] = {
    "no reason": give_no_reason,
    "no reason, by the first version": give_no_reason_as_an_earlier_release,
    "no such tier": name_a_tier_that_is_none,
    "longer than 90 days": last_for_a_quarter_and_a_second,
    "over as it begins": end_as_it_begins,
    "not begun yet": begin_in_time_to_come,
    "begun before anything was observed": begin_before_anything,
    "no person": override_by_machine,
}
"""Each breaks one bound, which the rule `overrides` alone refuses."""


# ---- roles ---------------------------------------------------------------------------------------


def own(paper: Paper, **changes: Any) -> None:  # noqa: ANN401 - as `grant`
    """Have eve be a model's owner too."""
    begin(paper)
    grant(paper, EVE, "model-owner", **changes)


def define_role(paper: Paper, role: str, *actions: str) -> None:
    data = {
        "role": role, "actions": sorted(actions), "meaning": "It oversees.",
        "proposal": None,
    }  # fmt: skip
    paper.append(AUTHORITY_STREAM, "role.defined.v1", data, actor=ANA)


def scope(*models: str) -> dict[str, Any]:
    return {"labels": {}, "models": list(models), "signals": []}


def overrule_in_a_role_that_may_not(paper: Paper) -> int:
    own(paper)
    return overrule(paper, actor=EVE, role="viewer")


def overrule_in_no_role(paper: Paper) -> int:
    own(paper)
    return overrule(paper, actor=EVE)


def overrule_in_a_role_that_is_none(paper: Paper) -> int:
    own(paper)
    return overrule(paper, actor=EVE, role="emperor")


def overrule_in_a_role_of_others(paper: Paper) -> int:
    own(paper)
    define_role(paper, "overseer", "decisions.override")
    return overrule(paper, actor=EVE, role="overseer")


def overrule_in_a_role_for_another_model(paper: Paper) -> int:
    own(paper, scope=scope("alpha"))
    define_role(paper, "overseer", "decisions.override")
    grant(paper, EVE, "overseer", scope=scope(MODEL))
    return overrule(paper, actor=EVE, role="model-owner")


def overrule_in_a_role_that_was_withdrawn(paper: Paper) -> int:
    own(paper)
    granted = len(paper.events)
    define_role(paper, "overseer", "decisions.override")
    grant(paper, EVE, "overseer")
    data = {"grant": granted, "reason": "She left.", "proposal": None}
    paper.append(AUTHORITY_STREAM, "grant.withdrawn.v1", data, actor=ANA)
    return overrule(paper, actor=EVE, role="model-owner")


def overrule_in_a_role_before_there_are_any(paper: Paper) -> int:
    return overrule(paper, role="model-owner")


def leave_the_role_out(paper: Paper) -> int:
    own(paper)
    return overrule(paper, actor=EVE, type_=EARLIER)


ROLES: Final[dict[str, Forge]] = {
    "left out, as by an earlier release": leave_the_role_out,
    "one that may not": overrule_in_a_role_that_may_not,
    "none": overrule_in_no_role,
    "one that is not there": overrule_in_a_role_that_is_none,
    "one that others hold": overrule_in_a_role_of_others,
    "one for another model": overrule_in_a_role_for_another_model,
    "one that was withdrawn": overrule_in_a_role_that_was_withdrawn,
    "one before there are any": overrule_in_a_role_before_there_are_any,
}
"""Each states a role that was not so, which the rule `overrides.role` alone refuses."""


# ---- what follows --------------------------------------------------------------------------------


def apply_what_is_over(paper: Paper) -> int:
    """Decide once more as under beta's override, when that was over for days."""
    under, after = paper.find(DECISION, model=MODEL)[:2]
    del paper.events[after:]
    paper.checkpoint_sizes = [len(paper.events)]
    paper.at(after).data.update({name: paper.at(under).data[name] for name in _AS_UNDER_IT})
    return after


def override_what_was_over(paper: Paper) -> int:
    found = paper.find(OVERRIDDEN)[0]
    body = paper.at(found).body
    assert isinstance(body, dict)
    body["causation_position"] = paper.find(DECISION, model="alpha")[0]
    return found


OVERRULED: Final[dict[str, Forge]] = {
    "overrides": last_for_a_quarter_and_a_second,
    "overrides.follow": override_what_was_over,
    "overrides.role": overrule_in_a_role_that_may_not,
    "overrides.over": apply_what_is_over,
}
