"""Reviews of policies: those that were due, and those that people signed."""

from typing import Any, Final

from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.policies import scope_text
from ledger.compliance.tables import Table, table_of
from ledger.events.facts import readable
from ledger.events.policies import ACTIVATED_TYPES
from ledger.events.reviews import PolicyReviewDue, PolicyReviewed

_TYPES: Final = (PolicyReviewDue.TYPE, PolicyReviewed.TYPE)
_UNSIGNED: Final = dict.fromkeys(("as_of", "pack", "role", "meaning", "outcome", "reason"))


def reviews_table(source: FactSource, scope: FactFilter) -> Table:
    """Return each review that was due in the period, each reminder of it, and each signature."""
    records: list[dict[str, Any]] = []
    for fact, data in readable(source.facts(_TYPES)):
        if not scope.takes(fact):
            continue
        is_signed = fact.type == PolicyReviewed.TYPE
        draft = data.get("follow_up")
        records.append(
            {"due_at": None, **_UNSIGNED}
            | fact.record
            | {
                "event": "signed" if is_signed else "reminder" if data["reminder"] else "due",
                "scope": scope_text(data["scope"]),
                "outcome": str(data.get("outcome", "")).replace("_", " "),
                "follow_up": f"{draft['policy']} version {draft['version']}" if draft else "",
            }
        )
    return table_of(
        "reviews",
        "Reviews of policies",
        (
            ("position", "integer", "where it is recorded"),
            ("recorded_at", "time", "when, by the ledger's clock"),
            ("event", "text", "due, a reminder that it is, or signed"),
            ("policy", "text", "which policy"),
            ("version", "integer", "which version"),
            ("scope", "text", "for which models it is in force"),
            ("due_at", "time", "when the review was due"),
            ("actor", "text", "who signed it; else the service"),
            ("role", "text", "in which role"),
            ("meaning", "text", "what the signature means"),
            ("outcome", "text", "kept, or followed up"),
            ("follow_up", "text", "the draft that follows"),
            ("reason", "prose", "the findings"),
            ("as_of", "integer", "the last position of the pack"),
            ("pack", "text", "SHA-256 of the pack"),
        ),
        records,
        "Reviews are of policies, not of a model." if scope.model else "",
        page=(
            ("Recorded", ("recorded_at", "position")),
            ("Policy", ("policy", "version", "scope")),
            ("Event", ("event", "due_at")),
            ("By", ("actor", "role", "meaning")),
            ("Outcome", ("outcome", "follow_up", "reason")),
            ("Pack", ("pack", "as_of")),
        ),
    )


def overdue(source: FactSource) -> list[str]:
    """Return the policies, with their scopes, whose review is due and not signed since."""
    open_: dict[str, str] = {}
    for fact, data in readable(source.facts((*_TYPES, *ACTIVATED_TYPES))):
        scope = scope_text(data["scope"])
        if fact.type == PolicyReviewDue.TYPE:
            open_[scope] = f"{data['policy']} version {data['version']} for {scope}"
        else:
            open_.pop(scope, None)  # it was signed, or another version is in force there
    return list(open_.values())
