"""Answers about reviews, audits, limits and exports."""

from ledger.compliance import policies as policy_folds
from ledger.compliance.cases import outcomes_of, recorded_cases, tasks_table
from ledger.compliance.conduct import conduct_of
from ledger.compliance.decisions import plan_rows_table
from ledger.compliance.drills import drills_table
from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.inquiry import Answer, Inquiry, need_model
from ledger.compliance.reviews import overdue, reviews_table
from ledger.compliance.rules import rules_table
from ledger.compliance.tables import Cell
from ledger.events.drills import DrillRecorded
from ledger.events.facts import readable
from ledger.events.notation import counted
from ledger.events.signals import DEFINED_TYPES


def reviewed(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:  # noqa: ARG001 - of all
    """Say when each policy was last reviewed, drafted or activated, and whose review is overdue."""
    policies = policy_folds.folded(source)
    last: dict[str, list[Cell]] = {}
    for version in policies.versions.values():
        row = last.setdefault(version.policy, [0, None, "", None, ""])
        row[:3] = [version.version, version.recorded_at, version.author]
    for active in policies.activations:
        if active.policy in last:
            last[active.policy][3:] = [active.since, active.actor]
    table, late = reviews_table(source, FactFilter()), overdue(source)
    at = [column.name for column in table.columns].index("event")
    signed = sum(row[at] == "signed" for row in table.rows)
    answer.say(
        f"Policies: {len(last)}; {counted(signed, 'review')} signed. "
        + (f"Overdue: {'; '.join(late)}." if late else "No review is overdue.")
    )
    answer.tables.append(table)
    answer.how = ["decision-ledger policy review POLICY", "decision-ledger policy status POLICY"]
    answer.show(
        "changes",
        "Newest changes of policies",
        (
            ("policy", "text", "which policy"),
            ("newest_version", "integer", "its newest version"),
            ("drafted_at", "time", "when that was written"),
            ("author", "text", "by whom"),
            ("activated_at", "time", "last activation of any version"),
            ("activated_by", "text", "by whom"),
        ),
        tuple((policy, *row) for policy, row in sorted(last.items())),
    )


def audits(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:  # noqa: ARG001 - of all
    """List audits with their findings, and drills with what came of them."""
    table = conduct_of(source, "audit completed", "audits", "Audits")
    drills = drills_table(source, FactFilter())
    held = [data for _, data in readable(source.facts((DrillRecorded.TYPE,)))]
    missed = sum(data["detected"] is False for data in held)
    answer.say(
        f"On record: {counted(len(table.rows), 'audit')} and {counted(len(held), 'drill')}; "
        f"what was tried was not detected in {missed} of the drills."
    )
    answer.tables += [table, drills]
    answer.how = ["decision-ledger audit run --record", "decision-ledger drill list"]


def limits(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:  # noqa: ARG001 - of all
    """Return what the ledger itself says of its methods: meanings and rationales."""
    signals = {data["signal"]: data for _, data in readable(source.facts(DEFINED_TYPES))}
    policies = policy_folds.folded(source)
    rationales: list[tuple[Cell, ...]] = []
    for version in policies.versions.values():
        name, number, document = version.policy, version.version, version.document
        rationales.append((name, number, "the whole", document["rationale"]))
        rationales += [
            (name, number, f"{what} of signal {rule['signal']}", why)
            for rule in document["scoring"]["signals"]
            for what, why in policy_folds.reasons(rule).items()
        ]
        rationales += [
            (name, number, f"rule {rule['id']}", rule["rationale"])
            for rule in document["decision"]["rules"]
        ]
    answer.say(
        "The limits that users are told are in ledger/docs/limits.md; the ledger holds "
        "how each signal is collected and the rationale of every weight, threshold and rule."
    )
    answer.show(
        "signals",
        "Signals and how they are collected",
        (
            ("signal", "text", "which signal"),
            ("kind", "text", "what kind of degradation it shows"),
            ("unit", "text", "its unit"),
            ("meaning", "text", "what it means"),
            ("collection", "text", "how it is collected"),
        ),
        (signals[name] for name in sorted(signals)),
    )
    answer.show(
        "rationales",
        "Rationales of policies",
        (
            ("policy", "text", "which policy"),
            ("version", "integer", "which version"),
            ("of", "text", "of what"),
            ("rationale", "prose", "the reason given"),
        ),
        tuple(rationales),
    )


def everything(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """Say what an export of the model holds and how to make and verify it."""
    model = need_model(inquiry)
    stream = f"models/{model}"
    counts: dict[str, int] = {}
    for fact in source.facts():
        if fact.stream == stream:
            counts[fact.type] = counts.get(fact.type, 0) + 1
    places = plan_rows_table(source, FactFilter(model=model))
    answer.say(
        f"The stream {stream} holds {counted(sum(counts.values()), 'event')}; plans name "
        f"the model {counted(len(places.rows), 'time')}."
    )
    answer.show(
        "events",
        "Events of the model",
        (("type", "text", "type of event"), ("events", "integer", "how many")),
        tuple(sorted(counts.items())),
    )
    answer.how = [
        f"decision-ledger export create --stream {stream} FOLDER",
        "python3 verify_bundle.py FOLDER --vkey KEY",
    ]


def say_false_alarms(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """Say how closed tasks ended, and how often each rule was a false alarm."""
    scope = FactFilter(model=inquiry.model)
    closed = [one for one in recorded_cases(source).tasks if one.concerns(scope) and one.outcome]
    counts = outcomes_of(closed)
    answer.say(
        f"{counted(len(closed), 'task')} closed with an outcome on record; false alarms among "
        f"them: {counts.get('false_alarm', 0)}."
    )
    answer.tables += [rules_table(source, scope), tasks_table(source, scope)]
    answer.how = ["decision-ledger task list"]
