"""Forgeries of budgets: money that is not there, or paid twice, too soon or by no person."""

from collections.abc import Callable
from typing import Any, Final

from ledger.events.values import DAY, format_time, parse_time
from tests.audit.paper import Paper

SET: Final = "budget.set.v1"
RESERVED: Final = "budget.reserved.v1"
SPENT: Final = "budget.spent.v1"
RELEASED: Final = "budget.released.v1"
APPROVED: Final = "budget.overspend_approved.v1"
STREAM: Final = "budgets/main"


def newest(paper: Paper, type_: str, **members: object) -> dict[str, Any]:
    """Return the data of the newest event of a type, as of the newest event of the budget."""
    last = max(place for kind in (SET, RESERVED, SPENT, RELEASED, APPROVED)
               for place in paper.find(kind, budget="main"))  # fmt: skip
    now = paper.at(last).data
    found = paper.at(paper.find(type_, **members)[-1]).data
    return found | {"at": now["at"], "balances": dict(now["balances"])}


def set_a_second_budget_for_all(paper: Paper) -> int:
    data = newest(paper, SET) | {"budget": "other", "opening": {"jobs": "0", "tests": "0"}}
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


def reserve_for_a_job_again(paper: Paper) -> int:
    data = newest(paper, RESERVED) | {"job": "job-1", "amount_micros": "0"}
    return paper.append(STREAM, RESERVED, data)


def release_a_reservation_again(paper: Paper) -> int:
    return paper.append(STREAM, RELEASED, newest(paper, RELEASED))


def cite_another_reservation(paper: Paper) -> int:
    place = paper.find(RESERVED, job="job-3")[0]
    data = newest(paper, RELEASED) | {"job": "job-3", "reservation": place - 1}
    return paper.append(STREAM, RELEASED, data)


def pay_for_a_ghost(paper: Paper) -> int:
    data = newest(paper, RESERVED) | {"job": "job-9", "amount_micros": "0", "model": "ghost"}
    return paper.append(STREAM, RESERVED, data)


def approve_by_machine(paper: Paper) -> int:
    data = newest(paper, APPROVED) | {"job": "job-3"}
    return paper.append(STREAM, APPROVED, data, actor="services/scheduler")


def approve_for_a_job_that_ended(paper: Paper) -> int:
    return paper.append(STREAM, APPROVED, newest(paper, APPROVED) | {"job": "job-2"})


def approve_nothing(paper: Paper) -> int:
    data = newest(paper, APPROVED) | {"job": "job-3", "amount_micros": "0"}
    return paper.append(STREAM, APPROVED, data)


def spend_what_is_not_there(paper: Paper) -> int:
    place = paper.find(RESERVED, job="job-3")[0]
    data = newest(paper, SPENT, envelope="jobs") | {"job": "job-3", "reservation": place}
    data["balances"] = data["balances"] | {"jobs": "10"}
    return paper.append(STREAM, SPENT, data | {"spent_micros": "1000"})


def reserve_the_reserve(paper: Paper) -> int:
    data = newest(paper, RESERVED) | {"job": "job-9"}
    free = int(data["balances"]["jobs"])
    data["balances"] = data["balances"] | {"jobs": "0"}
    return paper.append(STREAM, RESERVED, data | {"amount_micros": str(free)})


def keep_more_than_is_left(paper: Paper) -> int:
    data = newest(paper, RESERVED) | {"job": "job-9", "amount_micros": "0"}
    data["balances"] = data["balances"] | {"jobs": "399"}
    return paper.append(STREAM, RESERVED, data)


def refill_before_the_time(paper: Paper) -> int:
    data = newest(paper, RESERVED) | {"job": "job-9", "amount_micros": "0"}
    data["at"] = format_time(parse_time(data["at"]) + 30 * DAY)
    return paper.append(STREAM, RESERVED, data | {"balances": {"jobs": "400", "tests": "20"}})


def go_back_in_time(paper: Paper) -> int:
    data = newest(paper, RESERVED) | {"job": "job-9", "amount_micros": "0"}
    data["at"] = format_time(parse_time(data["at"]) - DAY)
    return paper.append(STREAM, RESERVED, data)


OVERSPENT: Final[dict[str, Callable[[Paper], int]]] = {
    "budgets.set": set_a_second_budget_for_all,
    "budgets.jobs": reserve_for_a_job_again,
    "budgets.overspending": approve_by_machine,
    "budgets.envelope": spend_what_is_not_there,
    "budgets.time": refill_before_the_time,
}
MORE_MONEY: Final[dict[str, tuple[str, Callable[[Paper], int]]]] = {
    "opened again": ("budgets.set", open_a_budget_again),
    "another unit": ("budgets.set", turn_money_into_hours),
    "never opened": ("budgets.set", set_what_was_never_opened),
    "released again": ("budgets.jobs", release_a_reservation_again),
    "another reservation": ("budgets.jobs", cite_another_reservation),
    "a ghost": ("budgets.jobs", pay_for_a_ghost),
    "ended before": ("budgets.overspending", approve_for_a_job_that_ended),
    "nothing approved": ("budgets.overspending", approve_nothing),
    "into the reserve": ("budgets.envelope", reserve_the_reserve),
    "a balance too high": ("budgets.envelope", keep_more_than_is_left),
    "back in time": ("budgets.time", go_back_in_time),
}
