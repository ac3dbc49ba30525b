"""Forgeries about planner `excess/2`: versions that are put back, plans that are made again."""

from collections.abc import Callable
from typing import Any, Final

from ledger.events.plans import PlanBudgetPart
from ledger.events.values import DAY, format_time
from tests.audit.paper import Paper

PROPOSED: Final = "reuse.proposed.v1"
EXPLAINED: Final = "deployment.explained.v1"
ASKED: Final = "roll_back.asked.v1"


def improve_an_advantage(paper: Paper) -> int:
    found = paper.find(PROPOSED)[0]
    paper.at(found).data["compared"][0]["adv"] += "0"
    return found


def leave_a_proposal_out(paper: Paper) -> int:
    """Take out the one that a plan came with: the plan is where it was then."""
    found = paper.find(PROPOSED)[1]
    paper.remove(found)
    return found


def deploy_past_the_gates(paper: Paper) -> int:
    """Take out what said why a version serves that no job deployed."""
    found = paper.find(EXPLAINED)[0]
    paper.remove(found)
    return found - 1


def claim_to_carry_a_proposal_out(paper: Paper) -> int:
    """Have a version that was put back cite the proposal to put another one back."""
    found = paper.find(EXPLAINED)[0]
    paper.at(found).data["proposal"] -= 1
    return found


def say_why(paper: Paper, **changes: object) -> int:
    """Have a person say why the version serves, rather than that it was proposed."""
    found = paper.find(EXPLAINED)[0]
    said = {"basis": "roll_back", "proposal": None, "reason": "It did better."}
    paper.at(found).data.update(said | changes)
    return found


def roll_back_without_a_reason(paper: Paper) -> int:
    return say_why(paper, reason=" ")


def roll_back_citing_a_proposal(paper: Paper) -> int:
    return say_why(paper, proposal=paper.find(PROPOSED)[0])


def roll_back_to_another_version(paper: Paper) -> int:
    return say_why(paper, model_version="v2")


def explain_twice(paper: Paper) -> int:
    """Say once more, behind it, why a version serves."""
    data = paper.at(paper.find(EXPLAINED)[0]).data
    return paper.append("models/zed", EXPLAINED, dict(data), causation_position=len(paper.events))


def put_back_what_was_put_back(paper: Paper) -> int:
    """Carry a proposal out a second time, once another version serves."""
    served = paper.find("model.deployed.v1", model="zed")
    there, back = (dict(paper.at(one).data) for one in served[-2:])
    at = paper.events[-1].recorded_at - 1
    data = dict(paper.at(paper.find(EXPLAINED)[0]).data)
    away = {"basis": "roll_back", "proposal": None, "reason": "It did better then."}
    for deployed, said in (
        (there | {"kind": "reinstated", "replaces": "v1"}, away),
        (back, {}),
    ):
        paper.append(
            "models/zed", "model.deployed.v1", deployed | {"in_service_at": format_time(at)}
        )
        version = {name: deployed[name] for name in ("model_version", "replaces")}
        served_at = len(paper.events)
        paper.append("models/zed", EXPLAINED, data | version | said, causation_position=served_at)
        at += 1
    return len(paper.events)


def propose(paper: Paper, **changes: object) -> int:
    """Append a proposal as of the end; without changes it would be in order."""
    data: dict[str, Any] = paper.at(paper.find(PROPOSED)[1]).data
    changed = data | {"as_of": len(paper.events)} | changes
    return paper.append(f"reuse/{changed['model']}", PROPOSED, changed)


def put_back_what_never_served(paper: Paper) -> int:
    return propose(paper, put_back="v9")


def put_back_without_the_margin(paper: Paper) -> int:
    """Propose the version that did worse in the place of the one that did better."""
    return propose(paper, in_service="v2", put_back="v1")


def put_back_for_a_model_that_is_not_the_policy_s(paper: Paper) -> int:
    return propose(paper, model="kay")


def ask_as_a_program(paper: Paper) -> int:
    found = paper.find(ASKED)[0]
    body = paper.at(found).body
    assert isinstance(body, dict)
    body["actor"] = "services/nightly"
    return found


def ask(paper: Paper, **changes: object) -> int:
    """Have a person ask for something else; v1 serves, and v2 served before it."""
    found = paper.find(ASKED)[0]
    paper.at(found).data.update(changes)
    return found


def ask_for_what_never_served(paper: Paper) -> int:
    return ask(paper, put_back="v9")


def ask_for_what_serves(paper: Paper) -> int:
    return ask(paper, put_back="v1")


def ask_in_the_place_of_another(paper: Paper) -> int:
    return ask(paper, in_service="v2", put_back="v1")


def ask_without_a_reason(paper: Paper) -> int:
    return ask(paper, reason=" ")


def ask_for_a_retired_model(paper: Paper) -> int:
    data = dict(paper.at(paper.find(ASKED)[0]).data)
    paper.append(
        "models/zed", "model.retired.v1", {"model": "zed", "reason": "x"}, actor="users/ana"
    )
    return paper.append("roll_backs/zed", ASKED, data, actor="users/ana")


def withdraw_what_nobody_asked(paper: Paper) -> int:
    return ask(paper, in_service=None, put_back=None)


def call_a_plan_a_second_one(paper: Paper) -> int:
    """Have a plan claim the tests of a plan of another period."""
    first, found = paper.find("plan.made.v2")
    paper.at(found).data["second_to"] = first
    return found


def follow_no_plan(paper: Paper) -> int:
    found = paper.find("plan.made.v2")[1]
    paper.at(found).data["second_to"] = 1
    return found


def claim_a_change(paper: Paper) -> int:
    """Have a step around the planner say that it left a model out."""
    found = paper.find("plan.made.v2")[0]
    change = {"model": "zed", "before": "admitted", "after": "at_concurrency"}
    paper.at(found).data["steps"][0]["changed"].append(change)
    return found


def raise_a_priority(paper: Paper) -> int:
    """Have a plan say that a model scored more than it did."""
    found = paper.find("plan.made.v2")[0]
    paper.at(found).data["backlog"][0]["priority"] = 999_999
    return found


def rank_by_another(paper: Paper) -> int:
    """Have a plan say that it took models in by something else than its policy says."""
    found = paper.find("plan.made.v2")[0]
    paper.at(found).data["ranking"] = "benefit_per_cost"
    return found


def claim_a_budget(paper: Paper) -> int:
    """Have a plan say that a budget had something for its models."""
    found = paper.find("plan.made.v2")[0]
    members = set(PlanBudgetPart.model_fields) - {"budget"}
    budget = {"budget": "another"} | dict.fromkeys(sorted(members), "1")
    paper.at(found).data["budgets"].append(budget)
    return found


def schedule_from_a_time_to_come(paper: Paper) -> int:
    """Have plans made from a day on that has not come."""
    later = format_time(paper.events[-1].recorded_at + DAY)
    data = {
        "policy": "default", "since": later, "every_seconds": 86_400, "purse_micros": "1",
        "purse_cap_micros": "1", "recipe": None, "reason": "",
    }  # fmt: skip
    return paper.append("plan_schedules/default", "plan.scheduled.v1", data)


def plan_without_a_schedule(paper: Paper) -> int:
    """Have the governor make a plan that no schedule asks for."""
    found = paper.find("plan.made.v2")[0]
    body = paper.at(found).body
    assert isinstance(body, dict)
    body["actor"] = "system/governor"
    return found


PUT_BACK: Final[dict[str, Callable[[Paper], int]]] = {
    "deployments.gated": deploy_past_the_gates,
    "deployments.explained": claim_to_carry_a_proposal_out,
    "roll_backs.asked": ask_as_a_program,
    "reuse.replays": improve_an_advantage,
    "reuse.due": leave_a_proposal_out,
    "plans.second": call_a_plan_a_second_one,
    "plans.steps": claim_a_change,
    "plans.budgets": claim_a_budget,
    "plans.due": schedule_from_a_time_to_come,
    "plans.scheduled": plan_without_a_schedule,
}
_EXPLAINED: Final[tuple[Callable[[Paper], int], ...]] = (
    roll_back_without_a_reason,
    roll_back_citing_a_proposal,
    roll_back_to_another_version,
    explain_twice,
    put_back_what_was_put_back,
)
_ASKED: Final[tuple[Callable[[Paper], int], ...]] = (
    ask_for_what_never_served,
    ask_for_what_serves,
    ask_in_the_place_of_another,
    ask_without_a_reason,
    ask_for_a_retired_model,
    withdraw_what_nobody_asked,
)
MORE_PUT_BACK: Final[dict[str, tuple[str, Callable[[Paper], int]]]] = {
    one.__name__: (name, one)
    for name, one in (
        *(("deployments.explained", one) for one in _EXPLAINED),
        *(("roll_backs.asked", one) for one in _ASKED),
        ("reuse.replays", put_back_what_never_served),
        ("reuse.replays", put_back_without_the_margin),
        ("reuse.replays", put_back_for_a_model_that_is_not_the_policy_s),
        ("plans.second", follow_no_plan),
        ("plans.steps", raise_a_priority),
        ("plans.steps", rank_by_another),
    )
}
