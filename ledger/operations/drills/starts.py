"""Attacks that show when a server starts: a backup in the ledger's place, a key that is gone."""

from ledger.operations.drills.detection import Detection
from ledger.operations.drills.scene import Scene, write_something
from ledger.service import Service
from ledger.setting_sections import KeySettings


def restored_backup(scene: Scene) -> Detection:
    """Put a backup back that lacks the newest event of a checkpoint that was published."""
    backup = scene.subject.copied("backup")
    clock = scene.subject.clock(scene.clock)
    with Service(scene.subject.settings(), clock, create=False) as service:
        ledger = service.ledger(scene.subject.origin)
        write_something(ledger)
        signed = ledger.attestation.checkpoints.sign()
    published = backup.database.with_name("published-checkpoint")
    published.write_text(signed.note, encoding="utf-8")
    found = scene.watching()
    found.start(backup.settings(published=published), clock)
    return found


def lost_key(scene: Scene) -> Detection:
    """Take the master key away, and start."""
    subject = scene.subject
    gone = KeySettings(file=str(subject.database.with_name("no.key")))
    found = scene.watching()
    found.start(subject.settings(keys=gone), subject.clock(scene.clock))
    return found
