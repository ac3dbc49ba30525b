"""Whether a plan still counts as the ground of a job.

A plan bounds what is retrained by what it knew: which models rest, how many jobs are under way, how
much money there is. It is a ground as long as that is still so: until another plan by its policy,
a policy that comes into force, a job of the model that it did not see, a version trained since, or
another description. Where the policy in force for the model bounds jobs by steps around its own
planner, only its plans are a ground. A plan counts for one period of its policy at most, and never
for more jobs at once than that allows. Times are microseconds since the epoch.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ledger.events.notation import money, time
from ledger.jobs.machine import Jobs


class Counted(NamedTuple):
    """The money that a plan counted on for the job of a model that it admitted."""

    budget: str | None
    """The budget that was to pay; None where none was asked."""
    cost_micros: int
    """Without the test: out of the envelope for jobs."""
    test_micros: int
    """For the test of its candidate, out of the envelope for tests."""

    @classmethod
    def of(cls, row: Mapping[str, Any], *, is_bounded: bool) -> "Counted":
        """Return what a row of a plan counts on; `is_bounded`: its policy has a step `budgets`."""
        budget = row.get("budget") if is_bounded else None
        return cls(budget, int(row["cost_micros"]), int(row.get("test_micros", 0)))


def is_paid(counted: tuple[int, int], expected: tuple[int, int], *, is_split: bool) -> bool:
    """Whether what plans count for a job and for its test pays what a recipe expects of each.

    In sum, or where an envelope pays for each (`is_split`) by itself.
    """
    if is_split:
        return expected[0] <= counted[0] and expected[1] <= counted[1]
    return expected[0] + expected[1] <= counted[0] + counted[1]


def expected_parts(expected: Mapping[str, Any]) -> tuple[int, int]:
    """Return what a recipe expects a job to cost, and its test, which is a part of the whole."""
    test = int(expected["test_micros"])
    return int(expected["cost_micros"]) - test, test


class PlanGround(NamedTuple):
    """A plan, and what came behind it up to the job that is proposed by it."""

    position: int
    as_of: int
    made_at: int
    policy: str
    counts_for: int
    """The span of a period of its policy."""
    concurrency: int | None
    """How many jobs its policy allows at once; None for no such bound."""
    models: frozenset[str]
    """Those of its backlog."""
    newest: int
    """The position of the newest plan by its policy."""
    activated: int
    """That at which a policy came into force last; 0 for never."""
    trained: int
    """That of the newest deployment of a version of the model that was trained; 0 for none."""
    described: int
    """That of the newest description of the model."""
    bounded_by: str
    """The policy in force for the model, where it has steps around its planner; "" without."""
    lacks_decision: bool
    """Whether the plan takes only models whose retraining is decided, and that is not in force."""
    counted: Counted | None
    """The money that it counted on for the model; None where it has no row of it."""
    unit: str
    """Of that money: the ledger's; "" where the ledger names none."""

    @property
    def ends_at(self) -> int:
        """The time from which on it counts no more."""
        return self.made_at + self.counts_for


def ground_fault(ground: PlanGround, jobs: Jobs, model: str, now: int) -> str:
    """Return why a plan does not count for a job of a model any more; empty where it does."""
    return next(_faults(ground, jobs, model, now), "") or _concurrency_fault(ground, jobs)


def _faults(ground: PlanGround, jobs: Jobs, model: str, now: int) -> Iterator[str]:
    """Yield what a plan does not know, or is not for."""
    plan, policy = f"the plan at position {ground.position}", ground.policy
    if ground.newest != ground.position:
        yield f"{plan} was followed by one at position {ground.newest} by policy {policy}"
    if now >= ground.ends_at:
        yield f"{plan} counted until {time(ground.ends_at)}, for one period of its policy"
    if ground.activated > ground.as_of:
        yield f"{plan} does not know the policy that came into force at {ground.activated}"
    if ground.trained > ground.as_of:
        yield f"{plan} does not know the version trained since, deployed at {ground.trained}"
    if ground.described > ground.as_of:
        yield f"{plan} does not know the description of {model} at {ground.described}"
    if (other := ground.bounded_by) not in {"", policy}:
        yield f"{plan} is by policy {policy}, and policy {other} bounds the jobs of {model}"
    if ground.lacks_decision:
        yield f"{plan} takes what is decided, and no retraining of {model} is in force any more"
    for job in jobs.of_model(model):
        if job.position > ground.as_of:
            yield f"{plan} does not know job {job.name} of model {model}, proposed since"
        if job.is_over and job.changed_at > ground.as_of:
            yield f"{plan} does not know that job {job.name} of model {model} is over"


def _concurrency_fault(ground: PlanGround, jobs: Jobs) -> str:
    if ground.concurrency is None:
        return ""
    open_ = (job for job in jobs.jobs.values() if not job.is_over)
    count = sum(
        job.model in ground.models or job.proposed["policy"] == ground.policy for job in open_
    )
    if count < ground.concurrency:
        return ""
    return f"{count} jobs are under way, and policy {ground.policy} allows {ground.concurrency}"


def money_fault(ground: PlanGround, data: Mapping[str, Any]) -> str:
    """Return why a job that is proposed takes other money than its plan counted on; empty if not.

    What a plan admits, its money can pay: a job by it may be expected to cost only so much.
    """
    counted, unit = ground.counted, data["expected"]["unit"]
    if counted is None or (not ground.unit and counted.budget is None):
        return ""
    plan = f"the plan at position {ground.position}"
    if ground.unit not in {"", unit}:  # a budget in that unit bounds it
        said = f"{plan} counts in {ground.unit}, its recipe in {unit}, and no budget pays for it"
        return said if data["budget"] is None else ""
    if counted.budget is not None and data["budget"] != counted.budget:
        return f"{plan} counted on budget {counted.budget}, and {data['budget'] or 'none'} pays now"
    most, wanted = (counted.cost_micros, counted.test_micros), expected_parts(data["expected"])
    if is_paid(most, wanted, is_split=counted.budget is not None):
        return ""
    return (
        f"{plan} counted on {money(most[0], unit)} for it and {money(most[1], unit)} for its test, "
        f"and its recipe expects {money(wanted[0], unit)} and {money(wanted[1], unit)}"
    )
