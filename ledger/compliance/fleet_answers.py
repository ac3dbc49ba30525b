"""Answers about versions of models, policies and the fleet."""

from typing import Any, Final

from ledger.compliance import policies as policy_folds
from ledger.compliance.deployments import deployments_table
from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.inquiry import Answer, Inquiry, need_model
from ledger.compliance.job_answers import say_made
from ledger.compliance.policies import changes_table
from ledger.events import notation
from ledger.events.decisions import DECISION_TYPES, ScoreComputed
from ledger.events.facts import Fact, readable
from ledger.events.jobs import JobProposed
from ledger.events.models import ModelDeployed, ModelRegistered, ModelRetired, ModelUpdated
from ledger.events.notation import counted
from ledger.events.plans import PLAN_TYPES
from ledger.events.values import SECOND, parse_time

_ALL: Final = FactFilter()
_MODELS_SHOWN: Final = 10


def provenance(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """Say what is recorded of how a model's versions came about."""
    model = need_model(inquiry)
    described = None
    for fact, data in readable(source.facts((ModelRegistered.TYPE, ModelUpdated.TYPE))):
        if data["model"] == model:
            described = fact, data
    if described is None:
        answer.say("The model's description is erased, withheld or was never recorded.")
    else:
        fact, data = described
        parts = {
            "recipe": "recipe",
            "schema": "schema_version",
            "features": "features_version",
            "architecture": "architecture",
        }
        stated = [f"{name} {data[part] or 'not stated'}" for name, part in parts.items()]
        answer.say(f"As described at position {fact.position}: {', '.join(stated)}.")
    table = deployments_table(source, FactFilter(model=model))
    answer.tables.append(table)
    say_made(source, inquiry, table, answer)


def deployed(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """List deployments."""
    table = deployments_table(source, FactFilter(model=inquiry.model, until=inquiry.at))
    answer.say(f"On record: {counted(len(table.rows), 'deployment')}.")
    answer.tables.append(table)
    say_made(source, inquiry, table, answer)


def policy_history(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:  # noqa: ARG001 - of all
    """List versions with differences, when they were in force, and how much was decided by them."""
    policies = policy_folds.folded(source)
    decided: dict[tuple[str, int, str], int] = {}
    for _, data in readable(source.facts(DECISION_TYPES)):
        key = data["policy"], data["policy_version"], data["action"]
        decided[key] = decided.get(key, 0) + 1
    periods = tuple(
        (one.policy, one.version, one.where, one.since, one.until, one.actor, one.rationale)
        for one in policies.activations
    )
    answer.say(
        f"On record: {counted(len(policies.versions), 'version')} drafted, "
        f"{counted(len(periods), 'activation')}."
    )
    answer.tables.append(changes_table(source, _ALL))
    answer.show(
        "periods",
        "When each version was in force",
        (
            ("policy", "text", "which policy"),
            ("version", "integer", "which version"),
            ("scope", "text", "for which models"),
            ("since", "time", "from when"),
            ("until", "time", "until when; empty if still in force"),
            ("actor", "text", "who activated it"),
            ("rationale", "prose", "the reason given"),
        ),
        periods,
    )
    answer.show(
        "decided",
        "Decisions under each version",
        (
            ("policy", "text", "which policy"),
            ("version", "integer", "which version"),
            ("action", "text", "what was decided"),
            ("decisions", "integer", "how often"),
        ),
        tuple((*key, count) for key, count in sorted(decided.items())),
    )


def without_action(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """List models whose decision calls for work that nothing recorded has done."""
    in_force: dict[str, tuple[Fact, dict[str, Any]]] = {}
    deployed_at: dict[str, int] = {}
    outcome: dict[str, tuple[str, str]] = {}
    retired: set[str] = set()
    now = 0
    types = (*DECISION_TYPES, ModelDeployed.TYPE, *PLAN_TYPES, ModelRetired.TYPE)
    for fact, data in readable(source.facts((*types, ScoreComputed.TYPE))):
        if inquiry.at is not None and fact.recorded_at > inquiry.at:
            break
        now = fact.recorded_at
        if fact.type in DECISION_TYPES and not data["historical"]:
            in_force[data["model"]] = fact, data
        elif fact.type == ModelDeployed.TYPE:
            deployed_at[data["model"]] = fact.position
        elif fact.type == ModelRetired.TYPE:
            retired.add(data["model"])
        elif fact.type in PLAN_TYPES:
            outcome |= {
                row["model"]: (notation.budget_name(row["outcome"]), row["reason"])
                for row in data["backlog"]
            }
    records: list[dict[str, Any]] = []
    for model, (fact, data) in sorted(in_force.items()):
        is_open = data["action"] != "NO_ACTION" and model not in retired
        if not is_open or deployed_at.get(model, 0) > fact.position:
            continue
        plan_outcome, plan_reason = outcome.get(model, (None, None))
        records.append(
            data
            | {
                "seconds": (now - parse_time(data["since"])) // SECOND,
                "priority": data["environment"]["priority"],
                "plan_outcome": plan_outcome,
                "plan_reason": plan_reason,
                "override_position": (data["overridden"] or {}).get("position"),
            }
        )
    models = counted(len(records), "model")
    answer.say(f"An action in force that nothing recorded has answered: {models}.")
    answer.show(
        "without_action",
        "Called for, not yet done",
        (
            ("model", "text", "which model"),
            ("action", "text", "what is called for"),
            ("since", "time", "since when"),
            ("seconds", "span", "for how long"),
            ("priority_ppm", "share", "its priority then"),
            ("plan_outcome", "text", "what the newest plan made of it"),
            ("plan_reason", "text", "and why"),
            ("override_position", "integer", "the override behind it, if any"),
        ),
        records,
    )


def plan_budgets(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """Show what each plan could spend and what its admitted jobs need."""
    records: list[dict[str, Any]] = []
    for fact, data in readable(source.facts(PLAN_TYPES)):
        if inquiry.at is not None and fact.recorded_at > inquiry.at:
            break
        budget = int(data["purse_micros"])
        spent = budget - int(data["purse_left_micros"])
        short = sum(row["outcome"] == "over_purse" for row in data["backlog"])
        found = {"budget_micros": str(budget), "admitted_micros": str(spent), "left_out": short}
        records.append(fact.record | found | {"is_over": spent > budget})
    over = len([one for one in records if one["is_over"]])
    short = sum(one["left_out"] > 0 for one in records)
    answer.say(
        f"More than the budget was admitted by {over} of {counted(len(records), 'plan')}; "
        f"{short} left out models for want of money."
    )
    answer.show(
        "budgets",
        "Budgets of plans",
        (
            ("position", "integer", "where the plan is recorded"),
            ("made_at", "time", "the time that it is about"),
            ("plan", "text", "which plan"),
            ("budget_micros", "money", "what it could spend"),
            ("admitted_micros", "money", "what its admitted jobs need"),
            ("demand_micros", "money", "what all worthwhile jobs would need"),
            ("left_out", "integer", "how many models it left out for want of money"),
            ("is_over", "boolean", "whether it admitted more than it had"),
            ("actor", "text", "who stated the budget"),
        ),
        records,
    )


def plan_bounds(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """Show which steps bounded each plan: the models that each left out, and the plan's jobs."""
    jobs: dict[int, list[str]] = {}
    for fact, data in readable(source.facts((JobProposed.TYPE,))):
        if data["plan"] is not None and (inquiry.at is None or fact.recorded_at <= inquiry.at):
            jobs.setdefault(data["plan"], []).append(data["job"])
    records: list[dict[str, Any]] = []
    for fact, data in readable(source.facts(PLAN_TYPES)):
        if inquiry.at is not None and fact.recorded_at > inquiry.at:
            break
        for step in data.get("steps", ()):
            left_out = [one["model"] for one in step["changed"] if one["before"] == "admitted"]
            if inquiry.model and inquiry.model not in {one["model"] for one in step["changed"]}:
                continue
            records.append(
                fact.record
                | {
                    "plan": data["plan"],
                    "step": step["step"],
                    "changed": len(step["changed"]),
                    "left_out": len(left_out),
                    "models": ", ".join(left_out[:_MODELS_SHOWN]),
                    "jobs": ", ".join(jobs.get(fact.position, ())),
                }
            )
    hit = [one for one in records if one["left_out"]]
    answer.say(
        f"Steps around planners that left models out of plans that had admitted them: {len(hit)} "
        f"of {len(records)}."
    )
    answer.show(
        "plan_bounds",
        "Bounds of plans",
        (
            ("position", "integer", "where the plan is recorded"),
            ("recorded_at", "time", "when, by the ledger's clock"),
            ("plan", "text", "which plan"),
            ("step", "text", "which step of its policy"),
            ("changed", "integer", "of how many models it changed the outcome"),
            ("left_out", "integer", "how many it left out that were admitted before it"),
            ("models", "text", "the first of those"),
            ("jobs", "text", "the jobs of the plan"),
        ),
        records,
    )


def evenness(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:  # noqa: ARG001 - of all
    """Compare groups of models (owner, tier, labels) in the newest plan and in force."""
    groups: dict[str, list[str]] = {}
    for _, data in readable(source.facts((ModelRegistered.TYPE, ModelUpdated.TYPE))):
        groups[data["model"]] = [
            f"owner={data['owner']}",
            f"tier={data['tier']}",
            *(f"{key}={value}" for key, value in sorted(data["labels"].items())),
        ]
    priority = {
        data["model"]: data["priority"]
        for _, data in readable(source.facts((ScoreComputed.TYPE,)))
        if not data["historical"]
    }
    plans = [data for _, data in readable(source.facts(PLAN_TYPES))]
    admitted = {
        row["model"]: row["outcome"] == "admitted"
        for row in (plans[-1]["backlog"] if plans else ())
    }
    totals: dict[str, list[int]] = {}
    for model, names in groups.items():
        for name in names:
            row = totals.setdefault(name, [0, 0, 0, 0, 0])
            row[0] += 1
            if model in priority:
                row[1] += 1
                row[2] += priority[model]
            if model in admitted:
                row[3] += 1
                row[4] += admitted[model]
    rows = tuple(
        (name, count, total // scored if scored else None, ranked, taken)
        for name, (count, scored, total, ranked, taken) in sorted(totals.items())
    )
    answer.say(
        f"{counted(len(groups), 'model')} in {counted(len(rows), 'group')} by owner, tier "
        f"and label; the newest plan ranked {len(admitted)} of them."
    )
    answer.show(
        "groups",
        "Groups of models",
        (
            ("group", "text", "owner, tier or label"),
            ("models", "integer", "how many models"),
            ("mean_priority_ppm", "share", "mean of their newest priorities"),
            ("ranked", "integer", "how many the newest plan ranked"),
            ("admitted", "integer", "how many it admitted"),
        ),
        rows,
    )
