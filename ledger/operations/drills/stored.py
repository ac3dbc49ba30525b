"""Attacks on what is stored: a changed row, an event that is forged, a right that is forged."""

from sqlite3 import Connection

from ledger.application.commands import Caller
from ledger.application.ledger import LedgerApplication
from ledger.events.authority import (
    OPERATOR,
    STREAM,
    AdministratorNamed,
    GrantScopePart,
    RoleGranted,
)
from ledger.events.envelope import encode_body
from ledger.events.policies import (
    DRAFTED_TYPES,
    PolicyApproved,
    PolicyDrafted,
    PolicySubmitted,
    ScopePart,
)
from ledger.events.registry import typed
from ledger.events.values import TIME_LIMIT, format_time
from ledger.operations.drills.detection import Detection
from ledger.operations.drills.rows import append, newest, owned
from ledger.operations.drills.scene import Scene
from ledger.service import Service

_MALLORY = "users/mallory"
_DRAFTS_MAX = 1_000


def tampered_row(scene: Scene) -> Detection:
    """Change a digit of the newest stored body: it stays what an event's body can be."""
    with owned(scene.subject.database) as rows:
        ledger_id, position, _, _, body = newest(rows, scene.subject.origin)
        rows.execute(
            "UPDATE events SET body = ? WHERE ledger_id = ? AND position = ?",
            (_changed(body), ledger_id, position),
        )
    return scene.watched()


def forged_append(scene: Scene) -> Detection:
    """Append the newest event again behind the head, with every hash right and no key."""
    with owned(scene.subject.database) as rows:
        _, _, stream, type_, body = newest(rows, scene.subject.origin)
        append(rows, scene.subject.origin, stream, type_, body)
    return scene.watched()


def forged_approval(scene: Scene) -> Detection:
    """Have a person without a role grant themselves the right to approve, and approve a policy."""
    subject = scene.subject
    with Service(subject.settings(), subject.clock(scene.clock), create=False) as service:
        ledger = service.ledger(subject.origin)
        if not ledger.authority.is_in_force:
            named = AdministratorNamed(
                actor="users/drill", person="drill", identities=[], reason="A drill begins."
            )
            ledger.authority_changes.record(Caller(OPERATOR), named.METHOD, named)
        draft = _newest_draft(ledger)
    grant = RoleGranted(
        actor=_MALLORY,
        role="policy-approver",
        scope=GrantScopePart(labels={}, models=[], signals=[]),
        expires_at=None,
        reason="Approved.",
        proposal=None,
    )
    with owned(subject.database) as rows:
        body = encode_body(actor=_MALLORY, data=grant.to_data())
        append(rows, subject.origin, STREAM, grant.TYPE, body)
        if draft is not None:
            _approve(rows, subject.origin, draft)
    return scene.watched()


def _newest_draft(ledger: LedgerApplication) -> PolicyDrafted | None:
    """Return the newest policy version that can be read."""
    for event in reversed(ledger.log.events(types=DRAFTED_TYPES, limit=_DRAFTS_MAX)):
        if event.body_bytes is not None:
            return typed(event, PolicyDrafted)
    return None


def _approve(rows: Connection, origin: str, draft: PolicyDrafted) -> None:
    """Append a submission of a draft, and an approval of it, by who may do neither."""
    scope = ScopePart(kind="ledger", model=None, labels={})
    submitted = PolicySubmitted(
        policy=draft.policy,
        version=draft.version,
        digest=draft.digest,
        scope=scope,
        rationale="Forged by a drill.",
    )
    body = encode_body(actor=_MALLORY, data=submitted.to_data())
    submission = append(rows, origin, submitted.stream_name, submitted.TYPE, body)
    approved = PolicyApproved(
        policy=draft.policy,
        version=draft.version,
        digest=draft.digest,
        submission=submission,
        role="policy-approver",
        meaning="reviewed_and_approved",
        expires_at=format_time(TIME_LIMIT - 1),
        comment="",
    )
    body = encode_body(actor=_MALLORY, data=approved.to_data())
    append(rows, origin, approved.stream_name, approved.TYPE, body)


def _changed(body: bytes) -> bytes:
    """Return a body whose last digit is another one; where it has none, with a space more."""
    for at in reversed(range(len(body))):
        if body[at : at + 1].isdigit():
            return body[:at] + (b"3" if body[at] != ord("3") else b"4") + body[at + 1 :]
    return body + b" "
