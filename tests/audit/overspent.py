"""Forgeries of budgets: money that is not there, or paid twice, too soon, or past its job."""

from collections.abc import Callable
from typing import Any, Final

from ledger.events.jobs import JOB_TYPES
from ledger.events.recipe_document import GatePart
from ledger.events.values import DAY, format_time, parse_time
from ledger.jobs.forecast import forecast
from ledger.jobs.machine import Jobs
from ledger.jobs.policy_terms import PlannerGate, gates_under
from tests.audit.paper import Paper

SET: Final = "budget.set.v1"
RESERVED: Final = "budget.reserved.v1"
SPENT: Final = "budget.spent.v1"
PROPOSED: Final = "job.proposed.v1"
RELEASED: Final = "budget.released.v1"
APPROVED: Final = "budget.overspend_approved.v1"
STREAM: Final = "budgets/main"
_GATE: Final = PlannerGate("loss", 100_000)
"""Of the planner of the policy `reusing`."""


def newest(paper: Paper, type_: str, **members: object) -> dict[str, Any]:
    """Return the data of the newest event of a type, as of the newest event of the budget."""
    last = max(place for kind in (SET, RESERVED, SPENT, RELEASED, APPROVED)
               for place in paper.find(kind, budget="main"))  # fmt: skip
    now = paper.at(last).data
    found = paper.at(paper.find(type_, **members)[-1]).data
    return found | {"at": now["at"], "balances": dict(now["balances"])}


def set_a_second_budget_for_all(paper: Paper) -> int:
    data = newest(paper, SET) | {"budget": "other", "opening": {"jobs": "0", "tests": "0"}}
    data["at"] = format_time(paper.events[-1].recorded_at)
    return paper.append("budgets/other", SET, data | {"balances": {"jobs": "0", "tests": "0"}})


def open_a_budget_again(paper: Paper) -> int:
    data = newest(paper, SET)
    return paper.append(STREAM, SET, data | {"opening": data["balances"]})


def turn_money_into_hours(paper: Paper) -> int:
    return paper.append(STREAM, SET, newest(paper, SET) | {"unit": "GPU hours"})


def set_what_was_never_opened(paper: Paper) -> int:
    data = newest(paper, SET) | {"budget": "new", "opening": None}
    data["scope"] = {"kind": "team", "labels": {}, "team": "new"}
    return paper.append("budgets/new", SET, data)


def add_to_another_reservation(paper: Paper) -> int:
    found = paper.find(RESERVED, job="job-1")[1]
    paper.at(found).data["adds_to"] -= 1
    return found


def release_a_reservation_again(paper: Paper) -> int:
    return paper.append(STREAM, RELEASED, newest(paper, RELEASED))


def spend_twice(paper: Paper) -> int:
    return paper.append(STREAM, SPENT, newest(paper, SPENT))


def cite_another_reservation(paper: Paper) -> int:
    found = paper.find(RELEASED, job="job-2")[0]
    paper.at(found).data["reservation"] -= 1
    return found


def approve_by_machine(paper: Paper) -> int:
    data = newest(paper, APPROVED) | {"job": "job-3"}
    held = paper.find(RESERVED, job="job-3")[0]
    by = "services/scheduler"
    return paper.append(STREAM, APPROVED, data, actor=by, causation_position=held)


def approve_for_a_job_that_ended(paper: Paper) -> int:
    return paper.append(STREAM, APPROVED, newest(paper, APPROVED) | {"job": "job-2"})


def approve_nothing(paper: Paper) -> int:
    data = newest(paper, APPROVED) | {"job": "job-3", "amount_micros": "0"}
    held = paper.find(RESERVED, job="job-3")[0]
    return paper.append(STREAM, APPROVED, data, causation_position=held)


def spend_what_is_not_there(paper: Paper) -> int:
    """Take back most of what a person approved for a job that cost more than there was."""
    paper.at(paper.find(APPROVED, job="job-1")[0]).data["amount_micros"] = "1000000"
    return paper.find(SPENT, job="job-1")[0]


def reserve_the_reserve(paper: Paper) -> int:
    paper.at(paper.find(APPROVED, job="job-4")[0]).data["amount_micros"] = "2000000"
    return paper.find(RESERVED, job="job-4")[0]


def keep_more_than_is_left(paper: Paper) -> int:
    found = paper.find(RESERVED, job="job-3")[0]
    paper.at(found).data["balances"]["jobs"] = "15000001"
    return found


def refill_before_the_time(paper: Paper) -> int:
    data = newest(paper, SET)
    data["at"] = format_time(parse_time(data["at"]) + 30 * DAY)
    return paper.append(STREAM, SET, data | {"balances": {"jobs": "40000000", "tests": "10000000"}})


def go_back_in_time(paper: Paper) -> int:
    data = newest(paper, SET)
    data["at"] = format_time(parse_time(data["at"]) - DAY)
    return paper.append(STREAM, SET, data)


# ---- of jobs -------------------------------------------------------------------------------------


def open_a_year_ago(paper: Paper) -> int:
    """Open a budget without money, as of a time since which it was refilled."""
    nothing = {"jobs": "0", "tests": "0"}
    data = newest(paper, SET) | {"budget": "new", "opening": nothing, "balances": nothing}
    data["scope"] = {"kind": "team", "labels": {}, "team": "new"}
    data["at"] = format_time(paper.events[-1].recorded_at - 365 * DAY)
    return paper.append("budgets/new", SET, data)


def set_because_of_something(paper: Paper) -> int:
    return _last_set(paper, causation_position=1)


def set_in_a_run(paper: Paper) -> int:
    return _last_set(paper, run_id="runs/spare")


def _last_set(paper: Paper, **members: object) -> int:
    found = paper.find(SET, budget="main")[-1]
    body = paper.at(found).body
    assert isinstance(body, dict)
    body.update(members)
    return found


def approve_for_nothing_reserved(paper: Paper) -> int:
    """Cite a reservation by what approves more for a job before it is proposed."""
    found = paper.find(APPROVED, job="job-4")[0]
    body = paper.at(found).body
    assert isinstance(body, dict)
    body["causation_position"] = paper.find(RESERVED)[0]
    return found


def propose(paper: Paper, model: str = "jay", **changes: object) -> int:
    """Propose a job of a model whose other jobs are over."""
    data = paper.at(paper.find(PROPOSED, job="good")[0]).data
    jobs = Jobs()
    for position, event in enumerate(paper.events, 1):
        if event.type in JOB_TYPES:
            jobs.apply(
                *(position, event.stream, event.type, "", event.data), recorded_at=event.recorded_at
            )
    expected = int(data["expected"]["cost_micros"])
    made = forecast(jobs.worked(), model, expected, None).model_dump()
    served = paper.find("model.deployed.v1", model=model)
    newest_ = max(served, key=lambda place: (paper.at(place).data["in_service_at"], place))
    serving = paper.at(newest_).data["model_version"]
    said = {"job": "late", "model": model, "serving": serving, "forecast": made}
    changed = data | said | changes
    return paper.append("jobs/late", PROPOSED, changed, run_id="runs/late")


def propose_past_the_budget(paper: Paper) -> int:
    return propose(paper)


def propose_without_a_reservation(paper: Paper) -> int:
    return propose(paper, budget="main", reserved_micros="5000000")


def propose_by_a_budget_that_is_none(paper: Paper) -> int:
    return propose(paper, budget="gold", reserved_micros="5000000")


def propose_without_a_budget(paper: Paper) -> int:
    """Have the only budget pay for other models, and propose a job whose policy wants one."""
    terms = newest(paper, SET) | {"opening": None}
    terms["scope"] = {"kind": "team", "labels": {}, "team": "others"}
    paper.append(STREAM, SET, terms)
    gates = paper.at(paper.find(PROPOSED, job="good")[0]).data["gates"]
    asked = gates_under(
        [GatePart.model_validate(one) for one in gates], None, _GATE, is_of_plan=False
    )
    return propose(
        paper, model="zed", policy="reusing", policy_version=1,
        gates=[one.model_dump(mode="json") for one in asked],
    )  # fmt: skip


def reserve_for_no_job(paper: Paper) -> int:
    data = newest(paper, RESERVED) | {"job": "job-9", "amount_micros": "0", "adds_to": None}
    return paper.append(STREAM, RESERVED, data)


def spend_less_than_was_reported(paper: Paper) -> int:
    found = paper.find(SPENT, job="job-1")[0]
    paper.at(found).data["spent_micros"] = "24000000"  # what was approved gives less
    return found


def spend_less_on_a_test(paper: Paper) -> int:
    return _spend_on_a_test(paper, 900_000)


def leave_out_of_a_test_what_was_given_up(paper: Paper) -> int:
    """Pay for tests only what the attempt has cost that reported its test."""
    return _spend_on_a_test(paper, 700_000)


def _spend_on_a_test(paper: Paper, micros: int) -> int:
    """State a lower cost of a test, and in each balance since that more is free for tests."""
    found = paper.find(SPENT, job="job-5", envelope="tests")[0]
    more = int(paper.at(found).data["spent_micros"]) - micros
    paper.at(found).data["spent_micros"] = str(micros)
    for place in range(found, len(paper.events) + 1):
        if paper.at(place).stream == STREAM:
            balances = paper.at(place).data["balances"]
            balances["tests"] = str(int(balances["tests"]) + more)
    return found


def reserve_for_another_model(paper: Paper) -> int:
    found = paper.find(RESERVED, job="job-3")[0]
    paper.at(found).data["model"] = "pam"
    return found


def claim_the_top_tier(paper: Paper) -> int:
    found = paper.find(RESERVED, job="job-3")[0]
    paper.at(found).data["is_top_tier"] = True
    return found


def leave_the_end_of_the_money_out(paper: Paper) -> int:
    leave_out(paper, paper.find(RELEASED, job="job-2")[0], "jobs", -5_000_000)
    return paper.find("job.closed.v1", job="job-2")[0]


def leave_the_money_of_a_test_out(paper: Paper) -> int:
    leave_out(paper, paper.find(RESERVED, job="job-5", envelope="tests")[0], "tests", 2_000_000)
    return paper.find(PROPOSED, job="job-5")[0]


def leave_out(paper: Paper, found: int, envelope: str, more: int) -> None:
    """Put another event in the place of one, so that all others keep their positions.

    Each balance since is said to be so much more.
    """
    defined = paper.at(paper.find("signal.defined.v1", signal="drift")[0])
    event = paper.at(found)
    event.stream, event.type = "signals/spare", defined.type
    event.body = {
        "actor": "users/ana", "causation_position": None, "request_id": None, "run_id": None,
        "data": defined.data | {"signal": "spare"},
    }  # fmt: skip
    for place in range(found + 1, len(paper.events) + 1):
        if paper.at(place).stream == STREAM:
            balances = paper.at(place).data["balances"]
            balances[envelope] = str(int(balances[envelope]) + more)


OVERSPENT: Final[dict[str, Callable[[Paper], int]]] = {
    "budgets.set": set_a_second_budget_for_all,
    "budgets.named": propose_past_the_budget,
    "budgets.moved": propose_without_a_reservation,
    "jobs.paid": propose_without_a_budget,
    "budgets.jobs": add_to_another_reservation,
    "budgets.overspending": approve_by_machine,
    "budgets.envelope": spend_what_is_not_there,
    "budgets.time": refill_before_the_time,
}
MORE_MONEY: Final[dict[str, tuple[tuple[str, ...], Callable[[Paper], int]]]] = {
    "opened again": (("budgets.set",), open_a_budget_again),
    "another unit": (("budgets.set",), turn_money_into_hours),
    "never opened": (("budgets.set",), set_what_was_never_opened),
    "no such budget": (("budgets.moved", "budgets.named"), propose_by_a_budget_that_is_none),
    "no job": (("budgets.moved",), reserve_for_no_job),
    "another cost": (("budgets.moved",), spend_less_than_was_reported),
    "another cost of a test": (("budgets.moved",), spend_less_on_a_test),
    "a test that was given up": (("budgets.moved",), leave_out_of_a_test_what_was_given_up),
    "another model": (("budgets.moved",), reserve_for_another_model),
    "a higher tier": (("budgets.moved",), claim_the_top_tier),
    "released again": (("budgets.jobs", "budgets.moved"), release_a_reservation_again),
    "spent twice": (("budgets.jobs", "budgets.moved"), spend_twice),
    "another reservation": (("budgets.jobs",), cite_another_reservation),
    "ended before": (("budgets.overspending",), approve_for_a_job_that_ended),
    "nothing approved": (("budgets.overspending",), approve_nothing),
    "into the reserve": (("budgets.envelope",), reserve_the_reserve),
    "a balance too high": (("budgets.envelope",), keep_more_than_is_left),
    "back in time": (("budgets.time",), go_back_in_time),
    "opened a year ago": (("budgets.time",), open_a_year_ago),
    "set because of something": (("jobs.origins",), set_because_of_something),
    "set in a run": (("jobs.origins",), set_in_a_run),
    "approved for nothing reserved": (("jobs.origins",), approve_for_nothing_reserved),
}
"""Each names the rules that object, all at one position."""
