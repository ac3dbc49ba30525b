"""Answers about what people did: approvals beside their drafts, corrected observations.

Method: small lists of facts made by hand, as a ledger records them.
"""

from typing import Any

from ledger.compliance.governance_answers import approvals_of
from ledger.compliance.inquiry import Inquiry
from ledger.compliance.questions import answer
from ledger.compliance.tables import as_records
from ledger.events.facts import Fact
from ledger.events.values import parse_time
from tests.support.facts import FactList

AT = "2026-03-01T00:00:00.000000Z"
START = parse_time(AT)


def ledger_of(*told: tuple[str, str, str, dict[str, Any]]) -> FactList:
    """Return facts of (stream, type, actor, data), in order of position."""
    return FactList(
        "o",
        tuple(
            Fact(position, stream, type_, START + position, actor, data)
            for position, (stream, type_, actor, data) in enumerate(told, 1)
        ),
    )


def registered(actor: str, person: str) -> tuple[str, str, str, dict[str, Any]]:
    data = {"actor": actor, "person": person}
    return "authority/changes", "actor.registered.v1", "users/root", data


def approved(actor: str, digest: str = "aa") -> tuple[str, str, str, dict[str, Any]]:
    data = {
        "policy": "main", "version": 2, "digest": digest, "role": "policy-approver",
        "meaning": "reviewed_and_approved", "expires_at": AT,
    }  # fmt: skip
    return "policies/main", "policy.approved.v1", actor, data


DRAFTED = (
    "policies/main", "policy.drafted.v3", "users/ada",
    {"policy": "main", "version": 2, "digest": "aa"},
)  # fmt: skip


def test_an_approval_is_told_beside_its_draft_author_and_use() -> None:
    ledger = ledger_of(
        registered("users/ada", "staff-1"),
        registered("users/ada-too", "staff-1"),
        registered("users/pat", "staff-2"),
        DRAFTED,
        approved("users/pat"),
        approved("users/ada-too"),
        approved("users/unknown", digest="bb"),
        ("policies/main", "policy.activated.v2", "users/pat", {"approvals": [5]}),
        ("policies/main", "policy.activated.v2", "users/pat", {"approvals": [5]}),
        ("policies/main", "policy.approval_withdrawn.v1", "users/ada-too", {"approval": 6}),
    )
    given = answer("approval", ledger, Inquiry())
    [table] = [one for one in given.tables if one.name == "approvals"]
    rows = as_records(table)
    told = ("actor", "person", "is_other_person", "is_same_digest", "used_at", "withdrawn_at")
    assert [tuple(row[name] for name in told) for row in rows] == [
        ("users/pat", "staff-2", True, True, 8, None),
        ("users/ada-too", "staff-1", False, True, None, 10),
        ("users/unknown", "", None, False, None, None),
    ]
    assert given.said[-1] == (
        "On record: 3 approvals of policies; 2 by the digest of the very document that was "
        "drafted, 1 by another person than its author."
    )
    assert len(approvals_of(ledger, "main", 2).rows) == 3
    assert approvals_of(ledger, "main", 1).rows == ()


def test_a_correction_names_the_decisions_that_came_before_it() -> None:
    def observed(*, corrects: int | None, estimated: bool) -> tuple[str, str, str, dict[str, Any]]:
        chain = {"position": corrects, "first": corrects} if corrects else None
        data = {
            "signal": "loss", "observed_at": AT, "estimated": estimated, "corrects": chain,
        }  # fmt: skip
        return "models/m1", "signal.observed.v2", "services/monitor", data

    decided = ("models/m1", "decision.made.v2", "system/evaluator", {"model": "m1"})
    other = ("models/m2", "decision.made.v2", "system/evaluator", {"model": "m2"})
    ledger = ledger_of(
        decided,
        observed(corrects=None, estimated=True),
        decided,
        other,
        observed(corrects=2, estimated=False),
        observed(corrects=None, estimated=False),
        decided,
    )
    given = answer("estimates", ledger, Inquiry())
    rows = as_records(given.tables[0])
    told = ("position", "estimated", "corrects_position", "decisions_before")
    assert [tuple(row[name] for name in told) for row in rows] == [
        (2, True, None, ""),
        (5, False, 2, "3"),
    ]
    assert given.said[0].startswith("On record: 1 estimated value and 1 correction; 1 of the")
