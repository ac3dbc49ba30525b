"""A ledger of the release before: goal: it is signed on, and its next key gets committed, once.

Method: the file that the release before wrote is opened by a service, rotated, and opened again.
"""

import gzip
from contextlib import closing
from pathlib import Path

import pytest

from ledger.chain.key_history import vkey_digest
from ledger.clock import SystemClock
from ledger.errors import LedgerError
from ledger.service import Service
from ledger.storage import Store, open_store
from tests.support.attested import ADA, checked
from tests.support.stores import ORIGIN
from tools.quiet import quiet

STORED = Path(__file__).parents[1] / "storage" / "version_1.db.gz"
SIZE = 302
COMMITTED = "key.committed.v1"


def test_the_first_start_commits_the_next_key_and_later_ones_do_not(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(gzip.decompress(STORED.read_bytes()))

    def service() -> Service:
        return Service(
            quiet(str(path), service__evaluate=False, service__project=False), SystemClock()
        )

    with pytest.raises(LedgerError, match="has no seal"), service():
        pass
    # No audit would pass its bodies, so its heads are adopted without one.
    with closing(open_store(str(path), SystemClock())) as opened:
        for info in opened.ledgers.all():
            opened.keys.adopt(info.origin, opened.events.head(info.origin))
    with service() as served:
        ledger = served.ledger(ORIGIN)
        store: Store = served.store
        assert ledger.log.head().position == SIZE + 1
        event = ledger.log.event(SIZE + 1)
        assert event is not None
        assert (event.type, event.body.actor) == (COMMITTED, "system/keys")
        assert ledger.attestation.checkpoints.sign().size == SIZE + 1
        proof = ledger.attestation.prover.consistency(252)
        assert proof.checkpoint.size == SIZE + 1
    with service() as served:
        ledger, store = served.ledger(ORIGIN), served.store
        assert ledger.log.head().position == SIZE + 1
        committed = ledger.attestation.keys.keys().next_key_digest.hex()
        assert vkey_digest(ledger.attestation.keys.rotate(ADA, 0).key.span.vkey) == committed
        ledger.attestation.checkpoints.sign()
        assert checked(store) == [252, SIZE + 1, SIZE + 3]
