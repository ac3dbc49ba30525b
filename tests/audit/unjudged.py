"""Forgeries of jobs: of their grounds, leases, gates, deployments and ends."""

from collections.abc import Callable
from typing import Any, Final

from tests.audit.left_out import say_that_all_was_governed
from tests.audit.paper import Paper

DEPLOYED: Final = "job.deployed.v1"
GIVEN_UP: Final = "job.given_up.v1"
JUDGED: Final = "gate.judged.v1"
LEASED: Final = "job.leased.v1"
REPORTED: Final = "gate.reported.v1"
ONE, TWO = "services/worker-1", "services/worker-2"


def allow_an_attempt_more(paper: Paper) -> int:
    found = paper.find("job.proposed.v1", job="open")[0]
    paper.at(found).data["limits"]["attempts"] += 1
    return found


def foretell_less(paper: Paper) -> int:
    """State a lower forecast than the jobs before it give, and the error that follows from it."""
    found = paper.find("job.proposed.v1", job="open")[0]
    paper.at(found).data["forecast"]["cost_micros"] = "1"
    return found


def approve_ones_own(paper: Paper) -> int:
    found = paper.find("job.approved.v1", job="open")[0]
    body_of(paper, found)["actor"] = "users/ana"
    return found


def lease_twice(paper: Paper) -> int:
    newest = paper.find(LEASED, job="open")[-1]
    data = paper.at(newest).data
    return follow(paper, LEASED, data | {"token": data["token"] + 1}, actor=TWO)


def name_no_interpreter(paper: Paper) -> int:
    found = paper.find("job.environment_recorded.v1", job="open")[0]
    paper.at(found).data["environment"]["interpreter"] = ""
    return found


def report_under_a_stale_token(paper: Paper) -> int:
    """Report and judge a gate as an executor whose lease is another one's by now."""
    alike = paper.find(REPORTED, job="good", gate="candidate")[0]
    data = paper.at(alike).data | {"job": "open", "token": 7}
    reported = follow(paper, REPORTED, data, actor=ONE)
    judged = paper.at(paper.find(JUDGED, job="good", gate="candidate")[0]).data
    data = judged | {"job": "open", "report": reported}
    follow(paper, JUDGED, data, actor=ONE, cause=reported)
    return reported


def worsen_the_evidence(paper: Paper) -> int:
    found = paper.find(REPORTED, job="open")[-1]
    paper.at(found).data["metrics"] = {"missing": 50}
    return paper.find(JUDGED, job="open")[-1]


def choose_what_was_observed(paper: Paper) -> int:
    """Say that a verdict rests on other observations than those of its window."""
    found = paper.find(JUDGED, job="of-wye", gate="observation")[0]
    seen = paper.at(found).data["observed"][0]
    seen["rests_on_sha256"] = "00" * 32
    return found


def fall_back_to_what_is_not_registered(paper: Paper) -> int:
    found = paper.find("job.proposed.v1", job="open")[0]
    paper.at(found).data["fall_back"] = ["v0"]
    return found


def leave_a_verdict_out(paper: Paper) -> int:
    paper.remove(paper.find(JUDGED, job="open")[-1])
    return paper.find(REPORTED, job="open")[-1]


def replace_another_version(paper: Paper) -> int:
    found = paper.find(DEPLOYED, job="good")[0]
    paper.at(found).data["replaces"] = "v9"
    return found


def leave_an_expiry_out(paper: Paper) -> int:
    """Put another event in the place of a lease's end, so that all others keep their positions."""
    found = paper.find("job.lease_expired.v1", job="lost")[0]
    defined = paper.at(paper.find("signal.defined.v1", signal="drift")[0])
    event = paper.at(found)
    event.stream, event.type = "signals/spare", defined.type
    event.body = {
        "actor": "users/ana", "causation_position": None, "request_id": None, "run_id": None,
        "data": defined.data | {"signal": "spare"},
    }  # fmt: skip
    say_that_all_was_governed(paper)
    return paper.find(LEASED, job="lost")[0]


def lapse_by_another_person(paper: Paper) -> int:
    """Say that another person deployed the version that serves instead, in all that follows."""
    found = paper.find("job.lapsed.v1", job="gone")[0]
    data = paper.at(found).data
    closed = paper.at(paper.find("job.closed.v1", job="gone")[0]).data
    closed["reason"] = closed["reason"].replace(data["by"], "users/eve")
    data["by"] = "users/eve"
    return found


def follow_from_a_day_before(paper: Paper) -> int:
    """Have an end cite another event than the verdict by which its job ended."""
    found = paper.find("job.closed.v1", job="good")[0]
    body_of(paper, found)["causation_position"] -= 1
    return found


def serve_what_served_before(paper: Paper) -> int:
    """Have a job say that a version is in service that another one replaced."""
    found = paper.find("job.proposed.v1", job="bad")[0]
    paper.at(found).data["serving"] = "v1"
    return found


def train_again_what_served(paper: Paper) -> int:
    """Have a version that goes back into service be trained otherwise than it was."""
    found = paper.find("job.rolled_back.v1", job="bad")[0]
    paper.at(found - 1).data["trained_through"] = "2026-03-30T00:30:00.000000Z"
    return found


def body_of(paper: Paper, position: int) -> dict[str, Any]:
    body = paper.at(position).body
    assert isinstance(body, dict)
    return body


def follow(
    paper: Paper, type_: str, data: dict[str, Any], *, actor: str, cause: int | None = None
) -> int:
    """Append an event of a job behind its newest one."""
    stream = f"jobs/{data['job']}"
    newest = [at for at, one in enumerate(paper.events, 1) if one.stream == stream][-1]
    run_id = body_of(paper, newest)["run_id"]
    return paper.append(
        stream, type_, data, actor=actor, causation_position=cause or newest, run_id=run_id
    )


UNJUDGED: Final[dict[str, Callable[[Paper], int]]] = {
    "jobs.origins": follow_from_a_day_before,
    "jobs.serving": serve_what_served_before,
    "jobs.replaced": train_again_what_served,
    "jobs.proposed": allow_an_attempt_more,
    "jobs.forecast": foretell_less,
    "jobs.steps": approve_ones_own,
    "jobs.leases": lease_twice,
    "jobs.environments": name_no_interpreter,
    "gates.reported": report_under_a_stale_token,
    "gates.judged": worsen_the_evidence,
    "gates.observed": choose_what_was_observed,
    "jobs.due": leave_a_verdict_out,
    "jobs.fall_back": fall_back_to_what_is_not_registered,
    "jobs.deployed": replace_another_version,
    "jobs.lapsed": lapse_by_another_person,
    "jobs.time": leave_an_expiry_out,
}
