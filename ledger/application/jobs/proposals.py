"""Proposals of jobs: a model is to be retrained by an approved recipe.

A plan that admitted the model is the ground, or a person with a reason. The budget that covers the
model reserves the cost that the recipe expects, in the same append. The gates and limits of the
recipe are copied into the proposal, with what the policy in force adds to them, so that no later
version of either changes what the job must pass.
"""

from dataclasses import dataclass, replace
from typing import Final

from ledger.application.appender import Addition, Proposal
from ledger.application.authority.authority import unchanged
from ledger.application.budgets.budgets import Budgets
from ledger.application.commands import (
    Caller,
    decided_before,
    fields_named,
    none_after,
    plan_stream,
)
from ledger.application.fleet.commands import FleetCommands
from ledger.application.fleet.history import HistoryReader
from ledger.application.fleet.intake import name_fault
from ledger.application.jobs.basis import JobBasis
from ledger.application.jobs.commands import JobCommands
from ledger.application.jobs.payments import paid_as_asked, paying, reservations
from ledger.application.jobs.refusals import job_refused
from ledger.application.planning.commands import PlanCommands
from ledger.application.recipes.benchmarks import BenchmarkModels
from ledger.application.recipes.shelf import ApprovedRecipe, Recipes
from ledger.errors import invalid_field
from ledger.events.decisions import DECISION_TYPES
from ledger.events.job_parts import ForecastPart
from ledger.events.jobs import JobClosed, JobProposed
from ledger.events.models import DESCRIBING, ModelDeployed, ModelRetired
from ledger.events.plans import PLAN_TYPES, PlanScheduled
from ledger.events.policies import ACTIVATED_TYPES
from ledger.events.policy_document import JobsPart
from ledger.events.recipe_document import ExpectedPart, GatePart
from ledger.events.recipes import BENCHMARK_TYPES, RECIPE_TYPES
from ledger.jobs.forecast import forecast, margin_fault, margin_verdict
from ledger.jobs.grounds import PlanGround
from ledger.jobs.holdouts import HOLDOUT_TYPES
from ledger.jobs.machine import Job, proposed_job
from ledger.jobs.plan_schedules import (
    PlanSchedule,
    by_schedule_fault,
    is_job_of_plan,
    job_of_plan,
    recipe_due,
)
from ledger.jobs.policy_terms import (
    PlannerGate,
    PolicyTermsError,
    gates_under,
    jobs_part,
    planner_gate,
)
from ledger.jobs.steps import job_fault
from ledger.storage.records import AppendResult, Guard, Head

APPROVALS_OF_A_PERSON_S_JOB: Final = 1


_UNNAMED: Final = "Leave it empty to be given an id."


@dataclass(frozen=True, slots=True)
class JobSpec:
    """The statement of a caller about a job; without a plan, a person proposes it."""

    model: str
    recipe: str
    recipe_version: int
    reason: str
    job: str = ""
    plan: str = ""


class JobProposals:
    """Proposes the jobs of one ledger."""

    def __init__(
        self,
        jobs: JobCommands,
        fleet: FleetCommands,
        histories: HistoryReader,
        plans: PlanCommands,
        recipes: Recipes,
        budgets: Budgets,
        benchmarks: BenchmarkModels,
    ) -> None:
        self._jobs = jobs
        self._fleet = fleet
        self._histories = histories
        self._plans = plans
        self._recipes = recipes
        self._budgets = budgets
        self._benchmarks = benchmarks

    def propose(self, caller: Caller, spec: JobSpec) -> tuple[AppendResult, Job]:
        """Record a job, and the reservation of its expected cost in the budget that pays for it.

        JOB_REFUSED where the model has a job, or the plan did not admit it; BUDGET_EXHAUSTED or
        BUDGET_REFUSED where the budget of the model cannot pay.
        """
        name = spec.job or self._jobs.new_id()
        if fault := name_fault(name):
            raise invalid_field("job", fault, remedy=_UNNAMED)
        if is_job_of_plan(name):
            fault = "has the form of the ids of jobs that are proposed by a schedule"
            raise invalid_field("job", fault, remedy=_UNNAMED)
        if not spec.plan and not spec.reason.strip():
            raise invalid_field("reason", "is required where no plan is the ground")
        run_id = f"runs/{self._jobs.new_id()}"

        def decide(basis: JobBasis) -> Proposal:
            return _checked(self._proposal(basis, spec, name, run_id), basis, name)

        written = self._jobs.append(caller, JobProposed.METHOD, decide)
        if written.repeated:  # the first time it was given another id
            event = self._jobs.appender.event(written.first_position)
            name = event.stream.partition("/")[2]
        return written, self._jobs.job(name)

    def propose_by(self, caller: Caller, schedule: PlanSchedule, model: str) -> AppendResult:
        """Record the job of a model by the newest plan of a schedule, as that says; as `propose`.

        RECIPE_REFUSED or RECIPE_UNKNOWN where no version of the recipe is approved.
        """
        name = job_of_plan(schedule.newest_plan_at, model)
        run_id = f"runs/{self._jobs.new_id()}"

        def decide(basis: JobBasis) -> Proposal:
            described = self._fleet.live_model(model).described
            due = recipe_due(self._recipes.shelf(), schedule, described.recipe if described else "")
            spec = JobSpec(model, due[0], due[1], "", name, schedule.newest_plan)
            made = self._proposal(basis, spec, name, run_id)
            made = _checked(made, basis, name, (schedule, due))
            stream, at = f"plan_schedules/{schedule.policy}", basis.head.position
            still = none_after(schedule.position, stream, PlanScheduled.TYPE)
            return replace(made, guards=[*made.guards, still, none_after(at, None, *RECIPE_TYPES)])

        return self._jobs.append(caller, JobProposed.METHOD, decide)

    def _proposal(self, basis: JobBasis, spec: JobSpec, name: str, run_id: str) -> Proposal:
        model = self._fleet.live_model(spec.model)
        recipe, kept = self._recipes.approved(spec.recipe, spec.recipe_version)
        document = recipe.document
        ground, benefit = self._admitting(name, spec, basis.head) if spec.plan else (None, None)
        plan = None if ground is None else ground.position
        run, decision = self._fleet.run_in_force(spec.model)
        serving = model.in_service
        book = self._budgets.book()
        budget = paying(book, spec.model, document.expected)
        policy = self._histories.policy_for(spec.model, basis.head.position)
        asked = jobs_part(None if policy is None else policy.document)
        paid_as_asked(asked, spec.model, budget)
        planned = planner_gate(None if policy is None else policy.document.planning)
        gates, made = self._terms(basis, name, spec, recipe, (asked, planned), benefit)
        with fields_named():
            data = JobProposed(
                job=name,
                model=spec.model,
                recipe=spec.recipe,
                recipe_version=recipe.version,
                recipe_digest=recipe.digest,
                plan=plan,
                decision=decision,
                serving=None if serving is None else serving.model_version,
                budget=budget,
                reserved_micros="0" if budget is None else document.expected.cost_micros,
                policy=None if policy is None else policy.policy,
                policy_version=None if policy is None else policy.version,
                expected=document.expected,
                forecast=made,
                margin=margin_verdict(made, None if asked is None else asked.margin_ppm),
                unit_value_micros=self._unit_value(spec.model, document.expected),
                limits=document.limits,
                gates=gates,
                approvals=0 if plan else APPROVALS_OF_A_PERSON_S_JOB,
                roles=[] if asked is None else asked.approvals,
                fall_back=self._benchmarks.registered().fall_back(spec.model),
                reason=spec.reason,
            )
        now = self._jobs.time_of_plans(basis.head)
        moment = basis.moment._replace(ground=ground, decided_at=now)
        if fault := job_fault(basis.jobs, name, data.TYPE, data.to_data(), moment):
            raise job_refused(name, "proposed", fault, _remedy(ground))
        is_top_tier = budget is not None and self._fleet.is_at_top_tier(spec.model)
        proposed = proposed_job(name, basis.head.position + 1, moment.actor, data.to_data())
        reserved = reservations(book, proposed, is_top_tier=is_top_tier)
        additions = [Addition.of(data, run_id=run or run_id, cause=plan or decision)]
        additions += [Addition.of(one, run_id=run or run_id, follows=0) for one in reserved]
        guards = [*kept, *book.guards, *_guards(basis, spec.model, ground)]
        if any(one.holdout is not None for one in gates):
            guards.append(none_after(basis.head.position, None, *HOLDOUT_TYPES))
        return Proposal(additions, guards)

    def _terms(
        self,
        basis: JobBasis,
        name: str,
        spec: JobSpec,
        recipe: ApprovedRecipe,
        terms: tuple[JobsPart | None, PlannerGate | None],
        benefit: int | None,
    ) -> tuple[list[GatePart], ForecastPart]:
        """Return the gates and the forecast of a job; JOB_REFUSED where the policy forbids it.

        `terms`: those of the policy for jobs, and the gate of its planner.
        """
        asked, planned = terms
        try:
            gates = gates_under(recipe.document.gates, asked, planned, is_of_plan=bool(spec.plan))
        except PolicyTermsError as error:
            remedy = f"Draft a version that fits: `decision-ledger recipe show {spec.recipe}`."
            raise job_refused(name, "proposed", str(error), remedy) from error
        expected = recipe.document.expected
        made = forecast(
            basis.jobs.worked(),
            spec.model,
            int(expected.cost_micros),
            benefit if expected.unit == self._jobs.unit_of_cost else None,
        )
        if fault := margin_fault(made, None if asked is None else asked.margin_ppm):
            remedy = "See the policy in force for it: `decision-ledger policy list`."
            raise job_refused(name, "proposed", fault, remedy)
        return gates, made

    def _unit_value(self, model: str, expected: ExpectedPart) -> str | None:
        """Return the value of a unit of a model's loss; None where costs have another unit."""
        if expected.unit != self._jobs.unit_of_cost:
            return None
        described = self._fleet.live_model(model).described
        assert described is not None, "a model without a description takes no job"
        return described.unit_value_micros

    def _admitting(self, name: str, spec: JobSpec, head: Head) -> tuple[PlanGround, int]:
        """Return a plan as a ground, and the benefit for which it admitted the model.

        JOB_REFUSED where it did not.
        """
        ground, row = self._plans.ground(spec.plan, spec.model, head)
        if row is None or row.outcome != "admitted":
            why = "it has no row for the model" if row is None else row.reason.rstrip(".")
            raise job_refused(
                name,
                "proposed",
                f"{plan_stream(spec.plan)} did not admit {spec.model}: {why}",
                f"See its backlog: `decision-ledger plan show {spec.plan}`.",
            )
        return ground, int(row.benefit_micros)


def _guards(basis: JobBasis, model: str, ground: PlanGround | None) -> list[Guard]:
    """Return the guards of all that a proposal rests on but its recipe and its budget.

    No plan follows that which is the ground, and its time is not over.
    """
    at = basis.head.position
    of_plan = [none_after(at, None, *PLAN_TYPES), decided_before(ground.ends_at)] if ground else []
    return [
        *of_plan,
        unchanged(basis.moment.authority),
        none_after(at, None, JobProposed.TYPE, JobClosed.TYPE, *ACTIVATED_TYPES),
        none_after(at, f"models/{model}", *DECISION_TYPES),
        none_after(at, f"benchmarks/{model}", *BENCHMARK_TYPES),
        none_after(at, f"models/{model}", *DESCRIBING, ModelDeployed.TYPE, ModelRetired.TYPE),
    ]


def _checked(
    made: Proposal,
    basis: JobBasis,
    name: str,
    by: tuple[PlanSchedule | None, tuple[str, int]] = (None, ("", 0)),
) -> Proposal:
    """Return a proposal that may be by its actor: `by` is a schedule, with the recipe that is due.

    JOB_REFUSED where it may not.
    """
    data = made.additions[0].data
    assert isinstance(data, JobProposed), "the job comes first"
    if fault := by_schedule_fault(by[0], basis.moment.actor, data.to_data(), by[1]):
        raise job_refused(name, "proposed", fault)
    return made


def _remedy(ground: PlanGround | None) -> str:
    """Return what to do where a job may not be proposed."""
    listed = "List the jobs: `decision-ledger job list`."
    if ground is None:
        return listed
    return (
        f"{listed} Where the plan is out of date, make another: `decision-ledger plan make`; where "
        "it counted on less than the recipe expects, choose one that costs less, or correct the "
        "cost of the model before: `decision-ledger model update`."
    )
