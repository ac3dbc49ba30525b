"""Forgeries that leave out what was due: a decision, scores, or records of a service itself."""

from collections.abc import Callable
from typing import Any, Final

from ledger.events.values import format_time
from tests.audit.paper import Paper

SCORE: Final = "score.computed.v1"
DECISION: Final = "decision.made.v2"


def leave_a_decision_out(paper: Paper) -> int:
    found = paper.find(DECISION, model="gamma")[-1]
    paper.remove(found)
    return found - 1


def pass_a_model_over(paper: Paper) -> int:
    """Take out the scores of beta's first days, in which alpha was scored again and again."""
    paper.remove(*paper.find(SCORE, model="beta", historical=False)[:4])
    return paper.find("signal.observed.v1")[0]


def account(
    paper: Paper, number: int = 1, type_: str = "service.accounted.v1", **counts: object
) -> int:
    """Append a service's account of all that is there."""
    data = {
        "service": "s1", "number": number, "is_last": False, "program": "x", "after": 2,
        "at": format_time(paper.events[-1].recorded_at), "evaluated_through": 0, "scores": 0,
        "decisions": 0, "seals": 0, "refused": 0, "ran_seconds": 0, "seal_seconds": 0,
    }  # fmt: skip
    return paper.append("ledger", type_, data | counts, actor="system/service")


def say_that_all_was_governed(paper: Paper, **changes: object) -> int:
    """Append an account, by a service that governs, that nothing is left that time brings."""
    at = format_time(paper.events[-1].recorded_at)
    said: dict[str, Any] = {
        "governed_through": len(paper.events), "governed_at": at,
        "reads": 0, "reads_seconds": 3_600, "accesses": 0, "accesses_recorded": [],
    } | changes  # fmt: skip
    return account(paper, type_="service.accounted.v3", **said)


def leave_an_account_out(paper: Paper) -> int:
    return account(paper, 2)


def leave_a_seal_out(paper: Paper) -> int:
    return account(paper, seals=1)


def leave_a_count_of_refusals_out(paper: Paper) -> int:
    return account(paper, refused=4)


def leave_an_access_out(paper: Paper) -> int:
    """Append an account, by a service that counts reads, of an access that is not there."""
    return account(
        paper, type_="service.accounted.v2",
        reads=0, reads_seconds=3_600, accesses=1, accesses_recorded=["exports"],
    )  # fmt: skip


LEFT_OUT: Final[dict[str, Callable[[Paper], int]]] = {
    "decisions.due": leave_a_decision_out,
    "scores.due": pass_a_model_over,
    "accounts": leave_an_account_out,
    "seals.due": leave_a_seal_out,
    "refusals.due": leave_a_count_of_refusals_out,
    "accesses.due": leave_an_access_out,
}
