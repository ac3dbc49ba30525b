"""Stories of jobs in memory: the pure fold and its judges, without a ledger and without a clock.

A `Story` does what the service does: it asks the judge, takes the event in, and records right
behind it what must follow.
"""

from typing import Any, Final

from ledger.authority.state import WHOLE, AuthorityState, Grant
from ledger.events.base import EventData
from ledger.events.cases import GOVERNOR
from ledger.events.jobs import (
    GateReported,
    JobApproved,
    JobCancelled,
    JobDenied,
    JobDeployed,
    JobGivenUp,
    JobLapsed,
    JobLeased,
    JobLeaseExpired,
    JobLeaseExtended,
    JobProposed,
    JobReturnOverdue,
    JobRolledBack,
)
from ledger.events.values import DAY, SECOND, format_time
from ledger.jobs.conclusions import closing, owed_types, verdict
from ledger.jobs.forecast import forecast
from ledger.jobs.grounds import PlanGround
from ledger.jobs.machine import Job, Jobs
from ledger.jobs.moment import JobMoment
from ledger.jobs.steps import job_fault
from ledger.jobs.windows import window_share

ANA, BOB, EVE = "users/ana", "users/bob", "users/eve"
ONE, TWO = "services/worker-1", "services/worker-2"
LEASE_SECONDS: Final = 60
WINDOW_SECONDS: Final = 3_600
NOW: Final = 1_772_323_200 * SECOND


def gate(name: str, when: str = "", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - parts
    """Return a gate that asks for the number `loss`, with a criterion where one is given."""
    empty: dict[str, Any] = {
        "holdout": None,
        "approvals": [],
        "signals": [],
        "window_seconds": None,
        "evidence_after_ppm": None,
    }
    metric = {"name": "loss", "unit": "nano", "meaning": "x", "of": "run"}
    criteria = [{"name": "good", "when": when, "rationale": "x"}] if when else []
    asked = [] if name == "approval" else [metric]
    return {"gate": name, "metrics": asked, "samples": [], "criteria": criteria} | empty | more


GOOD: Final = 'metrics["loss"] < 100'
GATES: Final = (
    gate("data_integrity"),
    gate("candidate", GOOD),
    gate("holdout", GOOD, holdout={"name": "march", "max_uses": 2}),
    gate("approval", approvals=[{"role": "model-owner", "count": 1}]),
    gate("deployment"),
    gate("observation", GOOD, window_seconds=WINDOW_SECONDS),
)


def proposal(job: str = "j1", model: str = "fares", **changes: Any) -> JobProposed:  # noqa: ANN401
    """Return the proposal of a job by a person."""
    return JobProposed.from_data(
        {
            "job": job,
            "model": model,
            "recipe": "monthly",
            "recipe_version": 1,
            "recipe_digest": "ab" * 32,
            "plan": None,
            "decision": None,
            "serving": "v1",
            "budget": None,
            "reserved_micros": "0",
            "expected": {
                "cost_micros": "5000000",
                "test_micros": "0",
                "unit": "EUR",
                "duration_seconds": 600,
            },
            "limits": {
                "time_seconds": 600,
                "memory_mib": 512,
                "attempts": 2,
                "lease_seconds": LEASE_SECONDS,
                "heartbeat_seconds": 20,
            },
            "gates": list(GATES),
            "approvals": 1,
            "roles": [],
            "fall_back": [],
            "unit_value_micros": "2000000",
            "policy": None,
            "policy_version": None,
            "forecast": forecast([], model, 5_000_000, None).model_dump(),
            "margin": "none",
            "reason": "x",
        }
        | changes
    )


def staffed() -> AuthorityState:
    """Return an authority under which Bob and Eve own models, and Eve's second account too."""
    state = AuthorityState(began_at=1)
    for number, (actor, person) in enumerate(
        ((ANA, "ana"), (BOB, "bob"), (EVE, "eve"), ("users/eve-2", "eve"), ("users/ana-2", "ana"))
    ):
        state.persons[actor] = person
        if person != "ana":
            grant = Grant(number + 2, actor, "model-owner", WHOLE, None, ANA)
            state.grants[grant.position] = grant
            state.grants_of[actor] = (grant,)
    return state


class Story:
    """Jobs and what came of them; `now` is the ledger's time."""

    def __init__(self) -> None:
        self.jobs = Jobs()
        self.authority = staffed()
        self.position = 100
        self.now = NOW
        self.events: list[tuple[str, str, EventData]] = []
        self.ground: PlanGround | None = None
        """The plan by which jobs are proposed."""

    def job(self, name: str = "j1") -> Job:
        return self.jobs.jobs[name]

    def plan(self, **changes: Any) -> int:  # noqa: ANN401 - members
        """Have a plan by which jobs may be proposed, and return its position."""
        self.position += 1
        usual = PlanGround(
            position=self.position, as_of=self.position - 1, made_at=self.now, policy="core",
            counts_for=7 * DAY, concurrency=None, models=frozenset({"fares", "tips"}),
            newest=self.position, activated=1, trained=1, described=1, bounded_by="",
            lacks_decision=False, counted=None, unit="",
        )  # fmt: skip
        self.ground = usual._replace(**changes)
        return self.position

    # ---- what may be done: each returns the fault, empty where it was done -----------------------

    def add(self, actor: str, *events: Any) -> str:  # noqa: ANN401 - of jobs
        """Take in events of one append, and what they ask for, unless the first may not be."""
        first = events[0]
        fault = self.fault(actor, first)
        if fault:
            return fault
        for data in events:
            assert not self.fault(actor, data), self.fault(actor, data)
            self._take(actor, data)
            while owed := [
                one for one in owed_types(self.job(data.job)) if "judged" in one or "closed" in one
            ]:
                job = self.job(data.job)
                follows = verdict(job) if "judged" in owed[0] else closing(job)
                assert not self.fault(actor, follows), self.fault(actor, follows)
                self._take(actor, follows)
            if self.job(data.job).is_over:
                break
        return ""

    def fault(self, actor: str, data: Any) -> str:  # noqa: ANN401
        moment = JobMoment(actor, self.now, self.now, self.now, self.authority, ground=self.ground)
        return job_fault(self.jobs, data.job, data.TYPE, data.to_data(), moment)

    def _take(self, actor: str, data: Any) -> None:  # noqa: ANN401
        self.position += 1
        self.events.append((data.job, actor, data))
        told = self.position, data.stream_name, data.TYPE, actor, data.to_data()
        self.jobs.apply(*told, recorded_at=self.now)

    def propose(self, actor: str = ANA, **changes: Any) -> str:  # noqa: ANN401
        return self.add(actor, proposal(**changes))

    def approve(
        self, actor: str, stage: Any = "start", role: str = "", job: str = "j1",  # noqa: ANN401
        seen: int | None = None,
    ) -> str:  # fmt: skip
        known = self.jobs.jobs.get(job)
        newest = 1 if known is None else known.evidence_at
        given = JobApproved(job=job, stage=stage, role=role, seen_position=seen or newest, note="")
        return self.add(actor, given)

    def deny(self, actor: str, stage: Any = "start", job: str = "j1") -> str:  # noqa: ANN401
        return self.add(actor, JobDenied(job=job, stage=stage, reason="no"))

    def cancel(self, actor: str = ANA, job: str = "j1") -> str:
        return self.add(actor, JobCancelled(job=job, reason="no"))

    def lease(
        self, actor: str = ONE, job: str = "j1", *, token: int | None = None,
        seconds: int = LEASE_SECONDS,
    ) -> str:  # fmt: skip
        known = self.jobs.jobs.get(job)
        number = token or (known.token + 1 if known else 1)
        until = format_time(self.now + seconds * SECOND)
        attempt = known.attempt if known else 1
        return self.add(actor, JobLeased(job=job, attempt=attempt, token=number, expires_at=until))

    def extend(self, actor: str, token: int, job: str = "j1") -> str:
        until = format_time(self.now + LEASE_SECONDS * SECOND)
        return self.add(actor, JobLeaseExtended(job=job, token=token, expires_at=until))

    def expire(self, token: int, job: str = "j1", actor: str = GOVERNOR) -> str:
        return self.add(actor, JobLeaseExpired(job=job, token=token))

    def give_up(self, actor: str, token: int, job: str = "j1", *, cost: int | None = None) -> str:
        known = self.jobs.jobs.get(job)
        so_far = 0 if known is None else known.cost_micros
        given = JobGivenUp(
            job=job, token=token, reason="The disk is full.",
            cost_micros=str(so_far if cost is None else cost),
        )  # fmt: skip
        return self.add(actor, given)

    def report(
        self, actor: str, name: Any, loss: int = 1, *, token: int | None = None, job: str = "j1",  # noqa: ANN401
        cost: int | None = None,
    ) -> str:  # fmt: skip
        return self.add(actor, self.reported(name, loss, token=token, job=job, cost=cost))

    def reported(
        self, name: Any, loss: int = 1, *, token: int | None = None, job: str = "j1",  # noqa: ANN401
        cost: int | None = None,
    ) -> GateReported:  # fmt: skip
        known = self.job(job)
        return GateReported.from_data(
            {
                "job": job,
                "attempt": known.attempt,
                "token": token or max(1, known.token),
                "gate": name,
                "metrics": {"loss": loss},
                "samples": {},
                "champion": {},
                "candidate": {},
                "cost_micros": str(known.cost_micros if cost is None else cost),
                "artifacts": [],
                "links": [],
                "log_sha256": None,
                "window_ppm": window_share(known, self.now),
            }
        )

    def deploy(self, actor: str = ONE, version: str = "v2", *, token: int | None = None) -> str:
        known = self.job()
        begun = self.now if known.lease is None else max(self.now, known.lease.since)
        at = format_time(begun)
        until = format_time(begun + WINDOW_SECONDS * SECOND)
        return self.add(
            actor,
            self.reported("deployment", token=token),
            JobDeployed(
                job="j1", token=token or max(1, known.token), model_version=version, replaces="v1",
                in_service_at=at,
                observed_until=until,
            ),
        )  # fmt: skip

    def observe(self, actor: str = GOVERNOR) -> str:
        """Have the governor judge what was observed."""
        return self.add(actor, verdict(self.job()))

    def take_back(self, actor: str = ONE, version: str = "v1") -> str:
        token = max(1, self.job().token)
        returned = JobRolledBack(job="j1", token=token, model_version=version, replaces="v2")
        return self.add(actor, returned)

    def lapse(
        self,
        version: str | None = "v3",
        actor: str = GOVERNOR,
        job: str = "j1",
        against: str | None = None,
    ) -> str:
        """Have the governor say that another version serves, or that the model was retired."""
        lapsed = JobLapsed(
            job=job, ended_by=7, by=EVE, model_version=version, tested_against=against
        )
        return self.add(actor, lapsed)

    def call_overdue(self, actor: str = GOVERNOR, late: int = 0) -> str:
        """Have the governor say that nobody has taken the return up; by a time that is too late."""
        due_at = self.job().return_due_at or self.now
        text = format_time(due_at + late * SECOND)
        return self.add(actor, JobReturnOverdue(job="j1", due_at=text))

    # ---- up to a state ---------------------------------------------------------------------------

    def ready(self, **proposed: Any) -> "Story":  # noqa: ANN401
        assert not self.propose(**proposed)
        assert not self.approve(BOB)
        return self

    def leased(self, **proposed: Any) -> "Story":  # noqa: ANN401
        self.ready(**proposed)
        assert not self.lease()
        return self

    def awaiting(self, **proposed: Any) -> "Story":  # noqa: ANN401
        self.leased(**proposed)
        for name in ("data_integrity", "candidate", "holdout"):
            assert not self.report(ONE, name)
        return self

    def observing(self, **proposed: Any) -> "Story":  # noqa: ANN401
        self.awaiting(**proposed)
        assert not self.approve(BOB, "deployment", "model-owner")
        assert not self.lease()
        assert not self.deploy()
        return self
