"""Answers about what people did: approvals of policies, corrected observations."""

from dataclasses import replace
from typing import Any, Final

from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.inquiry import Answer, Inquiry
from ledger.compliance.job_approvals import PERSONS
from ledger.compliance.tables import Table, as_records, table_of
from ledger.events.decisions import DECISION_TYPES
from ledger.events.facts import Fact, readable
from ledger.events.notation import counted
from ledger.events.policies import (
    ACTIVATED_TYPES,
    DRAFTED_TYPES,
    PolicyApprovalWithdrawn,
    PolicyApproved,
)
from ledger.events.signals import SignalObservedV2
from ledger.events.values import parse_time
from ledger.governance.answers import ActivationAnswer, answer_for
from ledger.governance.lifecycle import LIFECYCLE_TYPES, LifecycleState

_OF_APPROVALS: Final = (
    *PERSONS,
    *DRAFTED_TYPES,
    PolicyApproved.TYPE,
    PolicyApprovalWithdrawn.TYPE,
    *ACTIVATED_TYPES,
)


def approvals_table(source: FactSource, scope: FactFilter) -> Table:
    """Return the approvals of policy versions in the period, beside draft and author."""
    persons: dict[str, str] = {}
    drafts: dict[tuple[str, int], tuple[str, str]] = {}
    used: dict[int, int] = {}
    withdrawn: dict[int, int] = {}
    records: list[dict[str, Any]] = []
    for fact, data in readable(source.facts(_OF_APPROVALS)):
        if fact.type in PERSONS:
            persons[data["actor"]] = data["person"]
        elif fact.type in DRAFTED_TYPES:
            drafts[data["policy"], data["version"]] = fact.actor, data["digest"]
        elif fact.type in ACTIVATED_TYPES:
            used |= {at: used.get(at, fact.position) for at in data.get("approvals", ())}
        elif fact.type == PolicyApprovalWithdrawn.TYPE:
            withdrawn[data["approval"]] = fact.position
        elif scope.takes(fact):
            author, digest = drafts.get((data["policy"], data["version"]), ("", ""))
            records.append(fact.record | _compared(fact, data, author, digest, persons))
    for record in records:
        record["used_at"] = used.get(record["position"])
        record["withdrawn_at"] = withdrawn.get(record["position"])
    return table_of(
        "approvals",
        "Approvals of policies",
        (
            ("position", "integer", "where it is recorded"),
            ("recorded_at", "time", "when, by the ledger's clock"),
            ("policy", "text", "which policy"),
            ("version", "integer", "which version"),
            ("actor", "text", "who approved it"),
            ("person", "text", "the person behind the approver, by the pseudonym on record"),
            ("role", "text", "in which role"),
            ("meaning", "text", "what the signature means"),
            ("author", "text", "who wrote the version"),
            ("is_other_person", "boolean", "whether that is another person; empty if not known"),
            ("is_same_digest", "boolean", "whether the document is the one that was drafted"),
            ("expires_at", "time", "until when it counts"),
            ("used_at", "integer", "the first activation that rests on it"),
            ("withdrawn_at", "integer", "where it was withdrawn; empty if it was not"),
        ),
        records,
        "Approvals are of policies, not of a model." if scope.model else "",
        page=(
            ("Recorded", ("recorded_at", "position")),
            ("Policy", ("policy", "version", "author")),
            ("By", ("actor", "person", "role")),
            ("Meaning", ("meaning", "expires_at")),
            ("Checks", ("is_other_person", "is_same_digest", "used_at", "withdrawn_at")),
        ),
    )


def approvals_of(source: FactSource, policy: str, version: int) -> Table:
    """Return the approvals of one version."""
    table = approvals_table(source, FactFilter())
    at = {column.name: number for number, column in enumerate(table.columns)}
    key = (policy, version)
    kept = tuple(row for row in table.rows if (row[at["policy"]], row[at["version"]]) == key)
    return replace(table, rows=kept)


def withdrawn_approvals(approvals: Table) -> list[str]:
    """Return a sentence on each approval of a table that its person took back."""
    return [
        f"The approval of {one['actor']} at position {one['position']} was withdrawn at position "
        f"{one['withdrawn_at']}."
        for one in as_records(approvals)
        if one["withdrawn_at"]
    ]


def activation_answer(source: FactSource, activation: int) -> ActivationAnswer | None:
    """Return who answers by now for what came into force at a position."""
    state = LifecycleState()
    for fact in source.facts(sorted(LIFECYCLE_TYPES)):
        state.apply(fact.position, fact.stream, fact.type, fact.actor, fact.data, fact.recorded_at)
    found = state.activations.get(activation)
    return None if found is None else answer_for(state, found)


def _compared(
    fact: Fact, data: dict[str, Any], author: str, digest: str, persons: dict[str, str]
) -> dict[str, Any]:
    """Return what an approval is beside the draft that it is of."""
    person, writer = persons.get(fact.actor, ""), persons.get(author, "")
    is_known = bool(person and writer)
    return {
        "person": person,
        "meaning": data["meaning"].replace("_", " "),
        "author": author,
        "is_other_person": person != writer if is_known else None,
        "is_same_digest": data["digest"] == digest if digest else None,
    }


def say_approvals(source: FactSource, answer: Answer) -> None:
    """Say of each approval of a policy what was approved, and whether another person wrote it."""
    table = approvals_table(source, FactFilter())
    at = {column.name: number for number, column in enumerate(table.columns)}
    others = sum(row[at["is_other_person"]] is True for row in table.rows)
    same = sum(row[at["is_same_digest"]] is True for row in table.rows)
    answer.say(
        f"On record: {counted(len(table.rows), 'approval')} of policies; {same} by the digest of "
        f"the very document that was drafted, {others} by another person than its author."
    )
    answer.tables.append(table)
    answer.how = ["decision-ledger policy status POLICY", "decision-ledger audit run"]


def estimates(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """List observations that were estimated or corrected, and the decisions between."""
    decisions: dict[str, list[int]] = {}
    records: list[dict[str, Any]] = []
    for fact, data in readable(source.facts((SignalObservedV2.TYPE, *DECISION_TYPES))):
        model = fact.stream.partition("/")[2]
        if inquiry.model and model != inquiry.model:
            continue
        if fact.type in DECISION_TYPES:
            decisions.setdefault(model, []).append(fact.position)
        elif data["estimated"] or data["corrects"]:
            corrected = (data["corrects"] or {}).get("position")
            after = [at for at in decisions.get(model, ()) if corrected and at > corrected]
            records.append(
                fact.record
                | {
                    "model": model,
                    "observed_at": parse_time(data["observed_at"]),
                    "corrects_position": corrected,
                    "decisions_before": ", ".join(map(str, after)),
                }
            )
    estimated = sum(bool(one["estimated"]) for one in records)
    late = sum(bool(one["decisions_before"]) for one in records)
    answer.say(
        f"On record: {counted(estimated, 'estimated value')} and "
        f"{counted(len([one for one in records if one['corrects_position']]), 'correction')}; "
        f"{late} of the corrections came after a decision that may have used the value before."
    )
    answer.show(
        "estimates",
        "Estimated and corrected observations",
        (
            ("position", "integer", "where it is recorded"),
            ("model", "text", "of which model"),
            ("signal", "text", "which signal"),
            ("observed_at", "time", "the time that it is about"),
            ("estimated", "boolean", "whether its value is an estimate"),
            ("corrects_position", "integer", "the observation that it takes the place of"),
            ("decisions_before", "prose", "decisions of the model between the two, by position"),
        ),
        records,
    )
