"""An honest ledger before anybody forged it, and what outsiders know of it.

An auditor who was there before remembers it, somebody kept its checkpoints, and a witness cosigned
them.
"""

import shutil
from pathlib import Path
from typing import Any

from ledger.audit.audit import Audit
from ledger.audit.database import DatabaseSource
from ledger.audit.report import Report
from ledger.audit.state_file import AuditStateFile
from ledger.chain.heads import TreeHead
from ledger.chain.keys import SecretKey
from ledger.chain.merkle import CompactRange
from ledger.chain.policy import parse_policy
from tests.support.clocks import ManualClock
from tests.support.forger import Forger, Row, drop_triggers
from tests.support.stores import ORIGIN, START, WITNESS, asking, begun, cosigned, note

QUICK, EACH = 12, 40
"""Forgeries of a kind: usually, and in the slow run."""
EVENTS = 272  # a full tile, its parent, and a partial one
CHECKPOINTS = (40, 120, 200, 256, 272)
REMEMBERED = 200
TYPE = "note.taken.v1"


def grow(url: str) -> SecretKey:
    """Write the honest ledger; return its key."""
    clock = ManualClock(START)
    store = begun(url, clock)
    signing, _ = store.keys.opened(ORIGIN).values()
    signed = 0
    while (position := store.events.head(ORIGIN).position) < EVENTS:
        clock.advance(1_000)
        name = f"r-{position}"
        new = note(f"models/m{position % 7}", f"n{position}", type_=TYPE, request_id=name)
        store.requests.append(asking(new, new, request_id=name, digest=b"d"))
        if position + 2 in CHECKPOINTS:
            signed = cosigned(store).size
    store.close()
    assert signed == EVENTS
    return signing


class Honest:
    """The ledger before anybody touched it, and what outsiders know of it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.db"
        self.key = grow(str(self.path))
        drop_triggers(self.path)
        forger = Forger(self.path)
        self.rows = {row.position: tuple(vars(row).values()) for row in forger.rows}
        self.leaves = [row.event_hash for row in forger.rows]
        self.sizes = forger.sizes()
        forger.close()
        self.policy = parse_policy(
            f"log {self.key.verifier_key}\nwitness w {WITNESS.cosigner_key}\nquorum w\n".encode()
        )
        self.state = folder / "state"
        self._remember(folder)

    def _remember(self, folder: Path) -> None:
        """Audit the ledger as it was at an earlier size, as an auditor did then."""
        path = folder / "earlier.db"
        shutil.copy(self.path, path)
        forger = Forger(path)
        forger.rows = forger.rows[:REMEMBERED]
        forger.store_all()
        forger.sign_again(self.key, EVENTS + 1)
        forger.close()
        report = self.audit(path, memory=AuditStateFile(self.state))
        assert report.passed, report.text()

    def audit(self, path: Path, **options: Any) -> Report:  # noqa: ANN401 - as Audit
        source = DatabaseSource(str(path))
        try:
            vkeys = [str(self.key.verifier_key)]
            return Audit(source, "test", vkeys=vkeys, cores=1, **options).run()
        finally:
            source.close()

    def head(self, size: int) -> TreeHead:
        """Return a checkpoint as somebody kept it."""
        tree = CompactRange()
        for leaf in self.leaves[:size]:
            tree.append(leaf)
        return TreeHead(size, tree.root())

    def first_difference(self, rows: list[Row]) -> int:
        """Return the first position whose row is not what it was; 0 if there is none."""
        now = {row.position: tuple(vars(row).values()) for row in rows}
        for position in range(1, max(len(self.rows), *now) + 1):
            if now.get(position) != self.rows.get(position):
                return position
        return 0

    def after_last_good(self, position: int) -> int:
        """Return the first event after the newest checkpoint below a position."""
        return max((size for size in self.sizes if size < position), default=0) + 1
