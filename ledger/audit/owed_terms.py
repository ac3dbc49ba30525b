"""The terms that run in governance, each until its end is on record or it is missed.

An escalation goes on to its next tier, a task is overdue, an emergency ends unless it is ratified,
a version comes into force at its time, its review is due, a shadow ends, a lease runs out, an
observation is over, a job lapses, a plan is due by a schedule. The governor of a service records
each, and the service's account says by which time, and as of which position, nothing was left. A
term that is open then is missed; without such an account it is a gap.
"""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final, NamedTuple

from ledger.audit.event import AuditedEvent
from ledger.audit.gaps import GAPS_MAX
from ledger.audit.job_lapses import is_unclear, lapse_again
from ledger.audit.jobs import due_of
from ledger.audit.ledger_state import LedgerState
from ledger.audit.pinned_meanings import outdated
from ledger.events.cases import CASE_TYPES, GOVERNOR
from ledger.events.jobs import JOB_TYPES
from ledger.events.models import DESCRIBING, ModelDeployed, ModelRetired
from ledger.events.policies import ACTIVATED_TYPES, DRAFTED_TYPES
from ledger.events.proving import ServiceAccountedV3
from ledger.events.shadows import SHADOW_TYPES
from ledger.events.values import SECOND, format_time, parse_time
from ledger.governance.activations import activation_fault
from ledger.governance.cases import next_tier
from ledger.governance.followers import restored
from ledger.governance.lifecycle import LIFECYCLE_TYPES, ActivationFact
from ledger.governance.reviews import due_at
from ledger.governance.shadows import came_into_force
from ledger.governance.steps import StepTimes, scope_part
from ledger.jobs.plan_schedules import SCHEDULE_TYPES
from ledger.limits import CLOCK_STEP_SECONDS_MIN

CASES: Final = "cases.time"
POLICIES: Final = "policies.terms"
REVIEWS: Final = "reviews.due"
SHADOWS: Final = "shadows.ended"
JOBS: Final = "jobs.time"
PLANS: Final = "plans.due"
"""The rules under which a term is missed."""
_LATE: Final = 300 * SECOND
"""How long after a term's end another event may take its place unremarked."""


class Term(NamedTuple):
    """Something that time brings, and the position since which it is known."""

    position: int
    due_at: int
    what: str
    since: int
    rule: str


class OwedTerms:
    """The terms as of the events applied so far; told of each event after the fold."""

    def __init__(self, fold: LedgerState) -> None:
        self._fold = fold
        self._open: dict[str, set[Term]] = {}
        """By whose they are: those of a model's cases, of policies, of shadows."""
        self._alarms: list[tuple[int, int, str, Term]] = []
        self._numbers = count()
        self._fallen: dict[Term, int] = {}
        """Those whose time has come by the record, and what time it was when that was seen."""
        self._activated: dict[int, int] = {}
        """Where the version of a shadow came into force for its scope, by the shadow's position."""
        self._missing: dict[Term, str] = {}
        self._passed: list[str] = []

    def apply(self, event: AuditedEvent) -> None:
        """Take in an event that the fold has taken in."""
        self._follow_all(event)
        now = self._now
        while self._alarms and self._alarms[0][0] <= now:
            _, _, whose, term = heappop(self._alarms)
            if term in self._open.get(whose, ()):
                self._fallen[term] = now
        if event.type == ServiceAccountedV3.TYPE and event.data is not None:
            self._account(event.data)

    def missed(self, rule: str) -> Iterator[tuple[int, str]]:
        """Yield each term that is missed under a rule, by the position that set it."""
        for term, why in self._missing.items():
            if term.rule == rule:
                yield term.position, f"{term.what}; {why}"

    def remarks(self) -> Iterator[str]:
        """Yield a sentence for each term without an end that no service had to record."""
        said = list(self._passed)
        left = (term for term in self._fallen if term not in self._missing)
        said += (self._gap(term, self._fold.position, "is not on record by") for term in left)
        yield from said[:GAPS_MAX]
        if len(said) > GAPS_MAX:
            yield f"Gap: likewise for {len(said) - GAPS_MAX} more terms."

    # ---- following -------------------------------------------------------------------------------

    @property
    def _now(self) -> int:
        fold = self._fold
        return fold.recorded_at if fold.clock == "wall" else fold.newest_observed_at

    def _follow_all(self, event: AuditedEvent) -> None:
        """Take in the terms that an event may begin or end."""
        fold = self._fold
        if event.type in JOB_TYPES:
            self._follow(event, f"jobs/{event.name}", self._of_job(event.name))
        elif event.type in CASE_TYPES or event.type == ModelRetired.TYPE:
            self._follow(event, f"cases/{event.name}", self._of_cases(event.name))
        elif event.type in LIFECYCLE_TYPES:
            self._follow(event, "policies", self._of_policies())
        elif event.type in SCHEDULE_TYPES:
            self._follow(event, "plans", self._of_plans())
        if event.type in {ModelDeployed.TYPE, ModelRetired.TYPE}:
            job = fold.jobs.known.open_of(event.name)
            if job is not None:
                self._follow(event, f"jobs/{job.name}", self._of_job(job.name))
        if event.type in ACTIVATED_TYPES and event.data is not None:
            for one in fold.shadows.running.running.values():
                if came_into_force(one, event.data):
                    self._activated.setdefault(one.position, event.position)
        if event.type in SHADOW_TYPES or event.type in ACTIVATED_TYPES:
            self._follow(event, "shadows", self._of_shadows())

    def _follow(self, event: AuditedEvent, whose: str, terms: Iterable[Term]) -> None:
        """Take in the terms that are open after an event."""
        before, after = self._open.get(whose, set()), set(terms)
        for term in sorted(after - before):
            heappush(self._alarms, (term.due_at, next(self._numbers), whose, term))
        for term in sorted(before - after):
            fell_at = self._fallen.pop(term, None)
            is_late = fell_at is not None and self._now > fell_at + _LATE
            is_its = event.raw is None or event.actor == GOVERNOR
            if is_late and not is_its and term not in self._missing:
                self._passed.append(self._gap(term, event.position, "was not recorded before"))
        self._open[whose] = after

    def _account(self, data: dict[str, Any]) -> None:
        """Miss what is open that an account says nothing was left of."""
        if data["governed_at"] is None:
            return
        fold, by = self._fold, parse_time(data["governed_at"])
        if fold.clock == "wall":  # it may have been set back by so much while it governed
            by -= max(fold.skew_micros, CLOCK_STEP_SECONDS_MIN * SECOND)
        for term in self._fallen:
            if term in self._missing or term.due_at > by or term.since > data["governed_through"]:
                continue
            if not self._why_not(term):
                self._missing[term] = (
                    f"that is not on record, while account {data['number']} of service "
                    f"{data['service']} says that nothing was left that time brings by "
                    f"{data['governed_at']}"
                )

    # ---- terms -----------------------------------------------------------------------------------

    def _of_cases(self, model: str) -> Iterator[Term]:
        known, document = self._fold.cases.of(model), self._fold.cases.document(model)
        if self._fold.cases.blind_at(model):
            return
        open_, retired = known.escalation, known.retired_at
        if retired:
            found = [] if open_ is None else [("the escalation", open_.position)]
            found += [("a task", task.position) for task in known.tasks.values()]
            for name, place in found:
                what = f"{name} of {model} was to end with the model, retired at {retired}"
                yield Term(place, 0, what, retired, CASES)
            return
        until = None if open_ is None else open_.acknowledge_until
        goes_on = open_ is not None and document is not None and next_tier(open_, document)
        if open_ is not None and until is not None and goes_on and not open_.acknowledged_by:
            at, place = format_time(until), open_.position
            what = f"the escalation of {model} was to go on from {open_.tier} at {at}"
            yield Term(place, until, what, place, CASES)
        for task in known.tasks.values():
            if not task.is_overdue:
                what = f"a task of {model} was overdue from {format_time(task.due_at)} on"
                yield Term(task.position, task.due_at, what, task.position, CASES)

    def _of_job(self, name: str) -> Iterator[Term]:
        job = self._fold.jobs.known.jobs.get(name)
        if job is None:
            return
        if (lapse := lapse_again(self._fold, job, self._fold.position)) is not None:
            if not is_unclear(self._fold, job):
                place = lapse["ended_by"]
                yield Term(place, 0, f"job {name} was to lapse: nothing is left of it", place, JOBS)
            return
        due = due_of(job)
        if due is None:
            return
        what = f"the observation of job {name} was to be judged at {format_time(due)}"
        if job.lease is not None:
            what = f"the lease of job {name} with token {job.token} ran out at {format_time(due)}"
        elif job.is_rolling_back:
            what = f"the return of job {name} was to be taken up until {format_time(due)}"
        yield Term(job.changed_at, due, what, job.changed_at, JOBS)

    def _of_policies(self) -> Iterator[Term]:
        for one in self._fold.lifecycle.waiting():
            until = format_time(one.ratify_until)
            what = f"an emergency was to be ratified by {until}, or to end"
            yield Term(one.position, one.ratify_until, what, one.position, POLICIES)
        for schedule in self._fold.lifecycle.schedules.values():
            at, place = schedule.effective_at, schedule.position
            what = f"a version was to come into force at {format_time(at)}, or to be withdrawn"
            yield Term(place, at, what, place, POLICIES)

        for turn in self._fold.lifecycle.turns.values():
            due, place = due_at(self._fold.lifecycle, turn), turn.review or turn.activation.position
            if due and not turn.due:
                what = f"the review of {turn.activation} was due at {format_time(due)}"
                yield Term(place, due, what, place, REVIEWS)

    def _of_plans(self) -> Iterator[Term]:
        for one in self._fold.planning.schedules.running.values():
            what = f"a plan by {one.policy} was due at {format_time(one.due_at)}"
            yield Term(one.position, one.due_at, what, one.position, PLANS)

    def _of_shadows(self) -> Iterator[Term]:
        if self._fold.shadows.blind_at:
            return
        for position, one in self._fold.shadows.running.running.items():
            activated, until = self._activated.get(position), format_time(one.until)
            if activated is None:
                what = f"a shadow was to end at {until}"
                yield Term(position, one.until, what, position, SHADOWS)
            else:
                what = f"a shadow was to end: position {activated} brought its version into force"
                yield Term(position, 0, what, activated, SHADOWS)

    def _why_not(self, term: Term) -> str:
        """Return why the end of a term cannot be recorded, or is unknown; empty where neither."""
        fold = self._fold
        if term.rule == SHADOWS:
            return "a body is not there" if fold.shadows.blind_at else ""
        if term.rule in {CASES, JOBS}:
            return ""
        if term.rule == PLANS:
            return self._why_not_planned(term)
        if fold.gone.lacks(LIFECYCLE_TYPES):
            return "a body is not there that may say otherwise"
        waiting = {one.position: one for one in fold.lifecycle.waiting()}.get(term.position)
        return "" if waiting is None else self._why_not_reverted(waiting)

    def _why_not_planned(self, term: Term) -> str:
        """Return why no plan can be made by a schedule."""
        fold = self._fold
        if fold.gone.lacks((*ACTIVATED_TYPES, *DRAFTED_TYPES)):
            return "a body is not there that may say otherwise"
        running = fold.planning.schedules.running.values()
        policy = next((one.policy for one in running if one.position == term.position), "")
        own = [one for _, one in fold.in_force(fold.position) if one["policy"] == policy]
        if not own:
            return f"no version of {policy} is in force"
        newest = fold.parameters(policy, own[-1]["version"], own[-1]["digest"])
        if newest is None or newest.planner is None:
            return f"the version of {policy} in force has no planning part"
        return ""

    def _why_not_reverted(self, waiting: ActivationFact) -> str:
        """Return why what was before an emergency cannot be in force again."""
        fold, model = self._fold, waiting.scope.model
        after, facts = restored(fold.lifecycle, waiting), fold.models.get(f"models/{model}")
        if facts is not None and facts.newest_gone(DESCRIBING, fold.position):
            return "a body is not there that may say what was in force before it"
        if after is None:
            return "no version is known that could be in force there again"
        if why := outdated(fold, *after.named, after.digest):
            return why
        moment = StepTimes(fold.recorded_at, fold.recorded_at, fold.recorded_at)
        data = {
            "policy": after.policy, "version": after.version, "digest": after.digest,
            "scope": scope_part(waiting.scope).model_dump(), "basis": "reverted", "approvals": [],
            "replaces": waiting.position, "scheduled": None, "ratify_until": None,
        }  # fmt: skip
        return activation_fault(fold.lifecycle, fold.authority.state, GOVERNOR, data, moment)

    def _gap(self, term: Term, last: int, how: str) -> str:
        why = self._why_not(term)
        because = f"it cannot be: {why}" if why else "no service that governs accounts for it"
        where = f"positions {term.position} to {last}"
        return f"Gap: {where}: {term.what}; that {how} the last, and {because}."
