"""The events of a run in words: a sentence each, for people.

Numbers are in the notation of people. Texts of writers are repeated as they are: readers make them
harmless where they show it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from ledger.events.budgets import (
    BudgetOverspendingApproved,
    BudgetReleased,
    BudgetReserved,
    BudgetSpent,
)
from ledger.events.cases import CASE_TYPES
from ledger.events.decisions import DECISION_TYPES, OVERRIDDEN_TYPES, ScoreComputed
from ledger.events.envelope import RecordedEvent
from ledger.events.jobs import (
    GateJudged,
    GateReported,
    JobApproved,
    JobCancelled,
    JobClosed,
    JobDenied,
    JobDeployed,
    JobEnvironmentRecorded,
    JobGivenUp,
    JobLapsed,
    JobLeased,
    JobLeaseExpired,
    JobLeaseExtended,
    JobProposed,
    JobReturnOverdue,
    JobRolledBack,
)
from ledger.events.models import DeploymentExplained, ModelDeployed
from ledger.events.notation import budget_name, counted, money, percent, shown_time
from ledger.events.plans import PLAN_TYPES
from ledger.events.reuse import ReuseProposed, RollBackAsked
from ledger.events.signals import OBSERVED_TYPES
from ledger.governance.case_words import told_case
from ledger.jobs.changes import why_lapsed
from ledger.jobs.environments import DIGEST_DIGITS, environment_words
from ledger.jobs.forecast_words import error_words, forecast_words
from ledger.jobs.machine import Job

Data = Mapping[str, Any]


class Told(NamedTuple):
    """An event with what is known of its run: the model, and the job as it was before."""

    event: RecordedEvent
    data: Data
    model: str
    job: Job | None

    @property
    def actor(self) -> str:
        """The actor that caused it."""
        return self.event.body.actor

    def money(self, micros: str) -> str:
        """Return an amount in the unit of the job's recipe."""
        return money(int(micros), "" if self.job is None else self.job.proposed["expected"]["unit"])


def sentence(told: Told) -> str:
    """Return an event of a run as a sentence; of a type that is not known here, its name."""
    if told.event.type in CASE_TYPES:
        return told_case(told.event)
    say = _SENTENCES.get(told.event.type)
    if say is None:
        noun = told.event.type.rpartition(".v")[0]
        return f"{noun.replace('.', ' ').replace('_', ' ').capitalize()}, by {told.actor}."
    return f"{say(told).rstrip('.')}."


# ---- what led to it ------------------------------------------------------------------------------


def _observed(told: Told) -> str:
    data = told.data
    return (
        f"{data['signal']} was {data['value']} for {data['model_version']}, observed "
        f"{shown_time(data['observed_at'])} on {counted(data['sample_size'], 'sample')}"
    )


def _scored(told: Told) -> str:
    data = told.data
    return (
        f"Scored {percent(data['priority'])} under {data['policy']} version "
        f"{data['policy_version']}, of {counted(len(data['signals']), 'signal')} up to position "
        f"{data['as_of']}: degradation {percent(data['degradation'])}, coverage "
        f"{percent(data['coverage'])}"
    )


def _decided(told: Told) -> str:
    data = told.data
    if data["overridden"] is not None:
        why = f"by the override at position {data['overridden']['position']}"
    elif data["rule"]:
        why = f"by rule {data['rule']}"
    else:
        why = "as no rule matched" if data["reason"] == "OTHERWISE" else "as a rule failed"
    held = ", held back by the cool-down" if data["held_back"] else ""
    tier = f" at tier {data['tier']}" if data["tier"] else ""
    return f"Decided {data['action']}{tier}, {why}{held}"


def _overridden(told: Told) -> str:
    data = told.data
    role = f" as {data['role']}" if data.get("role") else ""
    return (
        f"{told.actor} set{role} {data['action']} until {shown_time(data['effective_until'])}: "
        f"{data['rationale']}"
    )


def _planned(told: Told) -> str:
    data = told.data
    row = next((one for one in data["backlog"] if one["model"] == told.model), None)
    if row is None:
        return f"Plan {data['plan']} has no row for it"
    outcome, why = budget_name(row["outcome"]).replace("_", " "), budget_name(row["reason"])
    return f"Plan {data['plan']}, {outcome}: {why.removeprefix('Admitted: ')}"


def _reuse(told: Told) -> str:
    return f"{told.data['put_back']} is to serve again: {told.data['reason']}"


def _asked_back(told: Told) -> str:
    data = told.data
    if data["put_back"] is None:
        return f"{told.actor} withdrew what was asked to serve again: {data['reason']}"
    what = f"{data['put_back']} serves again in the place of {data['in_service']}"
    return f"{told.actor} asked that {what}: {data['reason']}"


# ---- the job -------------------------------------------------------------------------------------


def _proposed(told: Told) -> str:
    data = told.data
    why = f": {data['reason']}" if data["reason"] else ""
    under = f" under {data['policy']} version {data['policy_version']}" if data["policy"] else ""
    made = forecast_words(data["forecast"], data["expected"]["unit"])
    return (
        f"{told.actor} proposed job {data['job']} by {data['recipe']} version "
        f"{data['recipe_version']}{under}, forecast at {made}{why}"
    )


def _approved(told: Told) -> str:
    data = told.data
    what = "that it begins" if data["stage"] == "start" else "that its version is deployed"
    role = f" as {data['role']}" if data["role"] else ""
    note = f": {data['note']}" if data["note"] else ""
    return f"{told.actor} approved{role} {what}{note}"


def _denied(told: Told) -> str:
    return f"{told.actor} denied it: {told.data['reason']}"


def _cancelled(told: Told) -> str:
    return f"{told.actor} cancelled it: {told.data['reason']}"


def _leased(told: Told) -> str:
    until = shown_time(told.data["expires_at"])
    return f"Attempt {told.data['attempt']}: {told.actor} took it until {until}"


def _extended(told: Told) -> str:
    return f"{told.actor} kept it until {shown_time(told.data['expires_at'])}"


def _expired(told: Told) -> str:
    lease = None if told.job is None else told.job.lease
    return f"The lease {'' if lease is None else f'of {lease.executor} '}ran out"


def _ran_in(told: Told) -> str:
    data = told.data
    return f"The step of {_gate(data)} ran in {environment_words(data['environment'])}"


def _given_up(told: Told) -> str:
    return f"{told.actor} gave it up: {told.data['reason']}"


def _reported(told: Told) -> str:
    data = told.data
    gate = None if told.job is None else told.job.gate_of(data["gate"])
    units = {one["name"]: one["unit"] for one in ([] if gate is None else gate["metrics"])}
    said = []
    for whose in ("metrics", "champion", "candidate"):
        whom = "" if whose == "metrics" else f" of the {whose}"
        said += [
            f"{name}{whom} {value} {units.get(name, '')}".rstrip()
            for name, value in sorted(data[whose].items())
        ]
    said += [f"{name} {value}" for name, value in sorted(data["samples"].items())]
    said += [f"{one['name']} sha256:{one['sha256'][:DIGEST_DIGITS]}" for one in data["artifacts"]]
    if data["log_sha256"]:
        said.append(f"log sha256:{data['log_sha256'][:DIGEST_DIGITS]}")
    said.append(f"cost so far {told.money(data['cost_micros'])}")
    return f"Evidence for {_gate(data)}: {', '.join(said)}"


def _judged(told: Told) -> str:
    data = told.data
    said = " ".join(one["sentence"] for one in data["criteria"])
    verdict = "is passed" if data["is_passed"] else "is not passed"
    return f"The gate {_gate(data)} {verdict}{_rests_on(told)}{': ' + said if said else ''}"


def _rests_on(told: Told) -> str:
    """Return on what a verdict without a report rests; empty for one on a report."""
    data = told.data
    if data["report"] is not None:
        return ""
    if any(int(one["rows"]) for one in data["observed"]):
        return ", judged on the ledger's own observations"
    gate = None if told.job is None else told.job.gate_of(data["gate"])
    is_timed = gate is not None and gate["evidence_after_ppm"] is not None
    return f", as no evidence{' that counts' if is_timed else ''} came"


def _gate(data: Data) -> str:
    return str(data["gate"]).replace("_", " ")


def _in_service(told: Told) -> str:
    data = told.data
    before = f" in the place of {data['replaces']}" if data["replaces"] else ""
    how = "trained" if data["kind"] == "trained" else "which served before"
    return (
        f"{data['model_version']}, {how}, serves since {shown_time(data['in_service_at'])}{before}"
    )


def _why_in_service(told: Told) -> str:
    data = told.data
    if data["proposal"] is not None:
        how = "proposed" if data["basis"] == "put_back" else "a person asked"
        return f"It serves again as {how} at position {data['proposal']}"
    if data["basis"] == "adopted":
        return "It is the first of its model that is recorded, so no job deployed it"
    what = "an emergency" if data["basis"] == "emergency" else "a roll-back"
    return f"{told.actor} states {what}: {data['reason']}"


def _deployed(told: Told) -> str:
    data = told.data
    until = data["observed_until"]
    watched = f", to be observed until {shown_time(until)}" if until else ""
    return f"The job deployed {data['model_version']}{watched}"


def _rolled_back(told: Told) -> str:
    return f"{told.data['model_version']} serves again in the place of {told.data['replaces']}"


def _lapsed(told: Told) -> str:
    is_deployed = told.job is not None and told.job.deployed is not None
    what = why_lapsed(told.data, is_deployed=is_deployed)
    return f"Nothing is left to do of the job: {what}, at position {told.data['ended_by']}"


def _overdue(told: Told) -> str:
    until = shown_time(told.data["due_at"])
    return f"No executor has taken up the return, which was to be leased until {until}"


def _closed(told: Told) -> str:
    data = told.data
    outcome = data["outcome"].replace("_", " ")
    cost, expected = told.money(data["cost_micros"]), told.money(data["expected_micros"])
    return (
        f"The job ended, {outcome}, at {cost} of {expected} expected{_off(told)}: {data['reason']}"
    )


def _off(told: Told) -> str:
    """Return how far the cost is from its forecast; empty where that says nothing."""
    if told.job is None or told.data["forecast_error_micros"] is None:
        return ""
    unit, error = told.job.proposed["expected"]["unit"], int(told.data["forecast_error_micros"])
    words = error_words(error, unit, is_within=told.data["is_within_forecast"])
    return f", {words}"


# ---- its budget ----------------------------------------------------------------------------------


def _envelope(data: Data) -> str:
    return f"budget {data['budget']}, for {data['envelope']}"


def _reserved(told: Told) -> str:
    more = "" if told.data["adds_to"] is None else " more"
    return f"{told.money(told.data['amount_micros'])}{more} are reserved in {_envelope(told.data)}"


def _spent(told: Told) -> str:
    return f"{told.money(told.data['spent_micros'])} are spent of {_envelope(told.data)}"


def _released(told: Told) -> str:
    return f"The reservation in {_envelope(told.data)}, is free again: {told.data['reason']}"


def _overspent(told: Told) -> str:
    data = told.data
    return (
        f"{told.actor} approved {told.money(data['amount_micros'])} more of {_envelope(data)}: "
        f"{data['reason']}"
    )


_SENTENCES: Final[dict[str, Callable[[Told], str]]] = {
    **dict.fromkeys(OBSERVED_TYPES, _observed),
    ScoreComputed.TYPE: _scored,
    **dict.fromkeys(DECISION_TYPES, _decided),
    **dict.fromkeys(OVERRIDDEN_TYPES, _overridden),
    **dict.fromkeys(PLAN_TYPES, _planned),
    ReuseProposed.TYPE: _reuse,
    RollBackAsked.TYPE: _asked_back,
    JobProposed.TYPE: _proposed,
    JobApproved.TYPE: _approved,
    JobDenied.TYPE: _denied,
    JobCancelled.TYPE: _cancelled,
    JobLeased.TYPE: _leased,
    JobLeaseExtended.TYPE: _extended,
    JobLeaseExpired.TYPE: _expired,
    JobEnvironmentRecorded.TYPE: _ran_in,
    JobGivenUp.TYPE: _given_up,
    GateReported.TYPE: _reported,
    GateJudged.TYPE: _judged,
    ModelDeployed.TYPE: _in_service,
    DeploymentExplained.TYPE: _why_in_service,
    JobDeployed.TYPE: _deployed,
    JobRolledBack.TYPE: _rolled_back,
    JobLapsed.TYPE: _lapsed,
    JobReturnOverdue.TYPE: _overdue,
    JobClosed.TYPE: _closed,
    BudgetReserved.TYPE: _reserved,
    BudgetSpent.TYPE: _spent,
    BudgetReleased.TYPE: _released,
    BudgetOverspendingApproved.TYPE: _overspent,
}
