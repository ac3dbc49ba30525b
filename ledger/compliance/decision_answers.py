"""Answers about one decision."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ledger.compliance import policies as policy_folds
from ledger.compliance.decisions import overrides_table, reason_text
from ledger.compliance.facts import FactFilter, FactSource, unit_of_cost
from ledger.compliance.governance_answers import (
    activation_answer,
    approvals_of,
    withdrawn_approvals,
)
from ledger.compliance.inquiry import Answer, Inquiry, QuestionError, need_model
from ledger.compliance.policies import Policies, reasons
from ledger.compliance.tables import Table, table_of
from ledger.events import notation
from ledger.events.decisions import DECISION_TYPES, OVERRIDDEN_TYPES, ScoreComputed
from ledger.events.facts import Fact, readable
from ledger.events.notation import counted
from ledger.events.plans import PLAN_TYPES
from ledger.events.signals import OBSERVED_TYPES
from ledger.events.values import parse_time
from ledger.governance.answers import told, told_basis

_NEIGHBOURS: Final = 3
_OBSERVATIONS_SHOWN: Final = 200
_NO_RULE: Final = dict.fromkeys(
    (
        "weight_ppm", "window_seconds", "baseline", "critical", "breach_ppm",
        "weight_because", "thresholds_because",
    )
)  # fmt: skip
"""The caveat for a signal whose policy version is not readable."""

_HISTORICAL: Final = (
    "It is historical: evaluated as of an earlier time, it changed nothing in force."
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The decision asked about, and what else the question gives."""

    source: FactSource
    inquiry: Inquiry
    fact: Fact
    data: dict[str, Any]


def decision_at(source: FactSource, inquiry: Inquiry) -> tuple[Fact, dict[str, Any]]:
    """Return the decision asked about: at a position, or in force for a model at a time."""
    found = None
    model = inquiry.model
    for fact, data in readable(source.facts(DECISION_TYPES)):
        if inquiry.position is not None:
            if fact.position == inquiry.position:
                return fact, data
        elif data["model"] == model and not data["historical"]:
            if inquiry.at is not None and parse_time(data["evaluated_at"]) > inquiry.at:
                continue
            found = fact, data
    if found is not None:
        return found
    if inquiry.position is not None:
        raise QuestionError(f"At position {inquiry.position} there is no readable decision.")
    need_model(inquiry)
    when = "" if inquiry.at is None else f" at {notation.time(inquiry.at)} or before"
    raise QuestionError(
        f"No decision about {model} was recorded{when}: nothing has ever called for an action, or "
        "the model is not known here."
    )


def _of_a_decision(
    tell: Callable[[_Asked, Answer], None],
) -> Callable[[FactSource, Inquiry, Answer], None]:
    """Tell of the decision asked about; a historical one is said to be one."""

    def told(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
        fact, data = decision_at(source, inquiry)
        tell(_Asked(source, inquiry, fact, data), answer)
        if data["historical"]:
            answer.said.insert(1, _HISTORICAL)

    return told


@_of_a_decision
def why(asked: _Asked, answer: Answer) -> None:
    """Say which action was in force, which rule gave it, on which signals, and the plan's view."""
    source, inquiry, fact, data = asked.source, asked.inquiry, asked.fact, asked.data
    policies = policy_folds.folded(source)
    environment = data["environment"]
    until = f" at {notation.time(inquiry.at)}" if inquiry.at is not None else ""
    standing = "In force" if inquiry.position is None else "Decided"  # others may have followed
    answer.say(
        f"{standing} for {data['model']}{until}: {data['action']}, since "
        f"{notation.shown_time(data['since'])}, by the decision at position "
        f"{fact.position} (evaluated at {notation.shown_time(data['evaluated_at'])}).",
        reason_text(data, policies),
        f"{_shares(environment)}; policy {data['policy']} version {data['policy_version']}.",
    )
    answer.tables.append(_signals_table(data, policies))
    answer.how = [f"decision-ledger decision explain {data['model']}/{fact.position}"]
    plan = _plan_of(source, data["model"], inquiry.at)
    if plan is None:
        answer.say("No plan ranked it, so no budget decided.")
    else:
        made, row = plan
        answer.say(
            f"Plan {made['plan']} ({notation.shown_time(made['made_at'])}): "
            f"{notation.budget_name(row['outcome'])}. {row['reason']} Left of the budget: "
            f"{notation.money(int(made['purse_left_micros']), unit_of_cost(source))}."
        )


def _shares(environment: dict[str, Any]) -> str:
    """Return the shares that a decision's rules saw, as a list."""
    names = ("priority", "degradation", "coverage", "impact", "risk")
    text = ", ".join(f"{name} {notation.percent(environment[name])}" for name in names)
    return text.capitalize()


def _signals_table(data: dict[str, Any], policies: Policies) -> Table:
    """Return what each signal contributed, with its window, weight and threshold."""
    version = policies.versions.get((data["policy"], data["policy_version"]))
    rules = {}
    if version is not None:
        rules = {
            rule["signal"]: rule | {f"{what}_because": why for what, why in reasons(rule).items()}
            for rule in version.document["scoring"]["signals"]
        }
    records = (
        {**_NO_RULE, **rules.get(signal, {}), **seen, "signal": signal}
        for signal, seen in sorted(data["environment"]["signals"].items())
    )
    return table_of(
        "signals",
        "Signals behind it",
        (
            ("signal", "text", "which signal"),
            ("present", "boolean", "whether anything in its window spoke for it"),
            ("observations", "integer", "how many in the window"),
            ("magnitude_ppm", "share", "how far from baseline to critical"),
            ("persistence_ppm", "share", "how lasting"),
            ("effective_ppm", "share", "what it contributed with"),
            ("share_ppm", "share", "its share of the degradation"),
            ("sustained", "boolean", "whether the breach lasted as the policy asks"),
            ("trend_ppm", "share", "direction; above 0 is worsening"),
            ("weight_ppm", "share", "its weight in the policy"),
            ("window_seconds", "span", "its window"),
            ("baseline", "decimal", "value that counts as no degradation"),
            ("critical", "decimal", "value that counts as full degradation"),
            ("breach_ppm", "share", "magnitude from which it breaches"),
            ("weight_because", "prose", "the policy's reason for the weight"),
            (
                "thresholds_because",
                "prose",
                "the policy's reason for baseline, critical and breach",
            ),
        ),
        records,
    )


def _plan_of(
    source: FactSource, model: str, at: int | None
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the newest plan up to a time that ranked the model, and its row."""
    found = None
    for _, data in readable(source.facts(PLAN_TYPES)):
        if at is not None and parse_time(data["made_at"]) > at:
            continue
        for row in data["backlog"]:
            if row["model"] == model:
                found = data, row
    return found


@_of_a_decision
def compute_again(asked: _Asked, answer: Answer) -> None:
    """Replay the decision on the server, and name kernel, procedure and digest."""
    inquiry, fact, data = asked.inquiry, asked.fact, asked.data
    answer.say(
        f"The decision at position {fact.position} names kernel {data['kernel']}, procedure "
        f"{data['procedure']}, policy {data['policy']} version {data['policy_version']} with "
        f"digest {data['policy_digest']}, and reads up to position {data['as_of']}."
    )
    answer.how = [
        f"decision-ledger decision replay {data['model']}/{fact.position}",
        "decision-ledger audit run BUNDLE --vkey KEY",
    ]
    if inquiry.live is None:
        answer.missing = "No server could be asked; an audit of a bundle replays offline."
    else:
        answer.say(*inquiry.live.replayed(data["model"], fact.position))


@_of_a_decision
def knew(asked: _Asked, answer: Answer) -> None:
    """List what was observed before the moment of a decision and recorded after it."""
    source, fact, data = asked.source, asked.fact, asked.data
    stream, at = f"models/{data['model']}", parse_time(data["evaluated_at"])
    known = 0
    later: list[dict[str, Any]] = []
    for seen, observed in readable(source.facts(OBSERVED_TYPES)):
        if seen.stream != stream or parse_time(observed["observed_at"]) > at:
            continue
        if seen.position <= data["as_of"]:
            known += 1
            continue
        later.append(seen.record)
    shown = later[:_OBSERVATIONS_SHOWN]
    answer.say(
        f"The decision at position {fact.position} could know the ledger up to position "
        f"{data['as_of']}: {counted(known, 'observation')} of {data['model']} from its "
        f"time or before.",
        f"Recorded only later, of that time or before: {counted(len(later), 'observation')}.",
    )
    answer.show(
        "learned_later",
        "Observed before, recorded after",
        (
            ("position", "integer", "where it is recorded"),
            ("recorded_at", "time", "when it was recorded"),
            ("observed_at", "time", "the time it is about"),
            ("signal", "text", "which signal"),
            ("value", "decimal", "its value"),
            ("sample_size", "integer", "of how many rows"),
            ("actor", "text", "who reported it"),
        ),
        shown,
        f"The first {len(shown)} of {len(later)}." if len(later) > len(shown) else "",
    )


@_of_a_decision
def neighbours(asked: _Asked, answer: Answer) -> None:
    """Rank the models by the newest score each had at that moment; show the neighbours."""
    source, inquiry, fact, data = asked.source, asked.inquiry, asked.fact, asked.data
    newest: dict[str, dict[str, Any]] = {}
    for seen, score in readable(source.facts((ScoreComputed.TYPE,))):
        if seen.position <= fact.position and not score["historical"]:
            newest[score["model"]] = score
    queue = sorted(newest.values(), key=lambda one: (-one["priority"], one["model"]))
    models = [one["model"] for one in queue]
    if data["model"] not in models:
        place, where = 0, f"{data['model']} had no place among the {len(queue)} scored models at"
    else:
        place = models.index(data["model"])
        where = f"{data['model']} was number {place + 1} of {len(queue)} scored models at"
    shown = queue[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS + 1]
    plan = _plan_of(source, data["model"], inquiry.at)
    planned = {
        row["model"]: {
            "plan_outcome": notation.budget_name(row["outcome"]),
            "plan_reason": row["reason"],
        }
        for row in ([] if plan is None else plan[0]["backlog"])
    }
    unplanned = {"plan_outcome": None, "plan_reason": None}
    records = (
        one | {"place": queue.index(one) + 1} | planned.get(one["model"], unplanned)
        for one in shown
    )
    answer.say(f"{where} position {fact.position}.")
    answer.show(
        "queue",
        "Its neighbours in the queue",
        (
            ("place", "integer", "place by priority"),
            ("model", "text", "which model"),
            ("priority_ppm", "share", "priority, parts per million"),
            ("degradation_ppm", "share", "degradation before impact and risk"),
            ("plan_outcome", "text", "what the newest plan made of it"),
            ("plan_reason", "text", "and why"),
        ),
        records,
    )
    answer.how = [f"decision-ledger priorities --as-of {fact.position}"]


@_of_a_decision
def counterfactual(asked: _Asked, answer: Answer) -> None:
    """Ask the server which smallest change would have changed the decision."""
    inquiry, fact, data = asked.inquiry, asked.fact, asked.data
    answer.how = [f"decision-ledger decision explain {data['model']}/{fact.position}"]
    if inquiry.live is None:
        answer.missing = "Only a server looks for it."
    else:
        answer.say(*inquiry.live.counterfactuals(data["model"], fact.position))


@_of_a_decision
def which_rule(asked: _Asked, answer: Answer) -> None:
    """Name the rule's version, its author, its activation and the reasons given."""
    source, data = asked.source, asked.data
    policies = policy_folds.folded(source)
    version = policies.versions.get((data["policy"], data["policy_version"]))
    active = policies.activation_of(data["policy"], data["policy_version"], data["as_of"])
    answer.say(reason_text(data, policies))
    if version is None:
        answer.say("The body of that policy version was erased or withheld.")
    else:
        answer.say(
            f"Policy {version.policy} version {version.version} was written by {version.author} "
            f"{notation.moment(version.recorded_at)} (position {version.position}), digest "
            f"{version.digest}: {version.rationale}"
        )
    if active is not None:
        answer.say(
            f"It came into force for {active.where} {notation.moment(active.since)} by "
            f"{active.actor} (position {active.position}), {told_basis(active.basis)}: "
            f"{active.rationale}"
        )
    found = None if active is None else activation_answer(source, active.position)
    if found is None:
        answer.missing = "The activation by which that version was in force is not readable here."
    else:
        answer.say(*told(found))
        if found.is_unasked:
            answer.missing = "No policy asked for its approval: its activation is all there is."
    approved = approvals_of(source, data["policy"], data["policy_version"])
    answer.say(*withdrawn_approvals(approved))
    answer.tables += [approved] if approved.rows else []
    answer.how = [
        f"decision-ledger policy show {data['policy']} --version {data['policy_version']}"
    ]


def overridden(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """List overrides; say whether one caused the decision asked about, or was set over it."""
    table = overrides_table(source, FactFilter(model=inquiry.model))
    answer.say(f"On record: {counted(len(table.rows), 'override')}.")
    if inquiry.position is not None or inquiry.model:
        try:
            fact, data = decision_at(source, inquiry)
        except QuestionError:
            answer.say("No decision about it is on record.")
        else:
            replaced = data["overridden"]
            answer.say(
                f"The decision at position {fact.position} came from its rules alone."
                if replaced is None
                else f"The decision at position {fact.position} was set by the override at "
                f"position {replaced['position']}; without it: {replaced['action']}."
            )
            for over, said in FactFilter(model=inquiry.model).facts_of_model(
                source, *OVERRIDDEN_TYPES
            ):
                if over.causation_position == fact.position:
                    role = f" as {said['role']}" if said.get("role") else ""
                    until = notation.shown_time(said["effective_until"])
                    answer.say(
                        f"{over.actor}{role} overruled it at position {over.position} with "
                        f"{said['action']}, until {until}: {said['rationale']}"
                    )
            if data["historical"]:
                answer.say(_HISTORICAL)
    answer.tables.append(table)
