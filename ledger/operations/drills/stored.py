"""Attacks on what is stored: a changed row, an event that is forged, a right that is forged."""

from ledger.application.commands import Caller
from ledger.events.authority import (
    OPERATOR,
    STREAM,
    AdministratorNamed,
    GrantScopePart,
    RoleGranted,
)
from ledger.events.envelope import encode_body
from ledger.operations.drills.detection import Detection
from ledger.operations.drills.rows import append, newest, owned
from ledger.operations.drills.scene import Scene
from ledger.service import Service

_MALLORY = "users/mallory"


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
    """Have a person without a role grant the right to approve to themselves."""
    subject = scene.subject
    with Service(subject.settings(), subject.clock(scene.clock), create=False) as service:
        ledger = service.ledger(subject.origin)
        if not ledger.authority.is_in_force:
            named = AdministratorNamed(
                actor="users/drill", person="drill", identities=[], reason="A drill begins."
            )
            ledger.authority_changes.record(Caller(OPERATOR), named.METHOD, named)
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
    return scene.watched()


def _changed(body: bytes) -> bytes:
    """Return a body whose last digit is another one; where it has none, with a space more."""
    for at in reversed(range(len(body))):
        if body[at : at + 1].isdigit():
            return body[:at] + (b"3" if body[at] != ord("3") else b"4") + body[at + 1 :]
    return body + b" "
