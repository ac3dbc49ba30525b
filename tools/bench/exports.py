"""How fast the whole ledger leaves as a bundle, and how fast two programs verify that bundle.

The bench times the job as a caller sees it, from CreateExport's use case until the export is
ready: rows read, every event hashed again, lines, digests, Merkle root, report with replays, all on
disk. The stand-alone verifier is timed as a stranger would run it: the copy that came with the
bundle, by a Python of its own that sees nothing of this project.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from ledger.application.commands import Caller
from ledger.application.exports.jobs import ExportRequest
from ledger.chain.keys import VerifierKey
from ledger.export.verify import verify_bundle
from tools.bench import fleet, ledgers, replay
from tools.bench.rows import Peer, Row, at_least, load_average
from tools.bench.run import Progress, Run, fresh, say

_ASKING: Final = Caller("users/auditor")
_POLL_SECONDS: Final = 0.05
_PROMISED_ALONE: Final = 40_000


def measure(run: Run) -> list[Row]:
    """Return the rows of this section."""
    size = run.count(replay.LONG, multiple=fleet.BATCH)
    fresh(ledgers.written, run.path(f"ledger-{size}.sqlite"), size)
    plain, _ = fresh(_plain, run, size)
    written, load = fresh(_written, run, size)
    verified, load_verifying = fresh(_verified, run, size)
    cores = len(os.sched_getaffinity(0))
    alone, load_alone = _stand_alone(run, size, 1)
    together, load_together = _stand_alone(run, size, cores)
    peer = Peer("rows to JSON lines, unchecked", plain)
    note = f"{size:,} observations: read, hashed again, written, digests and root; one core"
    return [
        Row("exports", "full export", written, "events/s", at_least(100_000), peer, note, load),
        Row(
            "exports",
            "the product's verifier, strict",
            verified,
            "events/s",
            None,
            peer,
            "one core; every line is its own canonical JSON, every hash, link and seal",
            load_verifying,
        ),
        Row(
            "exports",
            "the stand-alone verifier, one core",
            alone,
            "events/s",
            at_least(_PROMISED_ALONE),
            Peer("the product's verifier", verified),
            "strict, standard library only, its start included",
            load_alone,
        ),
        Row(
            "exports",
            "the stand-alone verifier, every core, for each",
            together / cores,
            "events/s",
            at_least(_PROMISED_ALONE),
            Peer("one core alone", alone),
            f"{together:,.0f} in all on {cores}, what one process does alone included",
            load_together,
        ),
    ]


def _folder(run: Run) -> Path:
    return run.made("exports")


def _written(run: Run, size: int) -> tuple[float, float]:
    """Return events a second of a full export, and the load meanwhile."""
    with fleet.still(str(run.path(f"ledger-{size}.sqlite"))) as service:
        # A server signs on its schedule, not for an export.
        service.ledger().attestation.checkpoints.sign()
        exports = service.exports()
        progress = Progress("exporting", size)
        started = time.perf_counter()
        job = exports.create(_ASKING, ExportRequest())
        while job.state == "writing":
            time.sleep(_POLL_SECONDS)
            job = exports.get(job.export)
            progress.reach(job.events_done)
        seconds = time.perf_counter() - started
        assert job.state == "ready", job.failure
        shutil.copytree(exports.folder_of(job.export), _folder(run) / "bundle")
        return job.events_done / seconds, load_average()


def _verified(run: Run, size: int) -> tuple[float, float]:
    """Return events a second of the product's verifier, and the load meanwhile."""
    with fleet.still(str(run.path(f"ledger-{size}.sqlite"))) as service:
        key = VerifierKey.parse(service.ledger().attestation.checkpoints.sign().vkey)
    progress = Progress("verifying the bundle", size)
    started = time.perf_counter()
    found = verify_bundle(
        _folder(run) / "bundle", [key], advance=lambda done, _: progress.reach(done)
    )
    return found.events / (time.perf_counter() - started), load_average()


def _stand_alone(run: Run, size: int, jobs: int) -> tuple[float, float]:
    """Return events a second of the verifier in the bundle, and the load meanwhile."""
    with fleet.still(str(run.path(f"ledger-{size}.sqlite"))) as service:
        key = service.ledger().attestation.checkpoints.sign().vkey
    say(f"verifying the bundle with the stand-alone verifier, {jobs} at once")
    bundle = _folder(run) / "bundle"
    program = [sys.executable, "-I", "-S", str(bundle / "data" / "verify_bundle.py")]
    flags = ["--vkey", key, "--jobs", str(jobs), "--json"]
    started = time.perf_counter()
    done = subprocess.run([*program, str(bundle), *flags], capture_output=True, check=True)
    seconds = time.perf_counter() - started
    events: int = json.loads(done.stdout)["events"]
    return events / seconds, load_average()


def _plain(run: Run, size: int) -> tuple[float, float]:
    """Return rows a second of a dump that anyone would write: no hash, no check, no proof."""
    path = _folder(run) / "plain.jsonl"
    with fleet.still(str(run.path(f"ledger-{size}.sqlite"))) as service, path.open("w") as file:
        started, count = time.perf_counter(), 0
        for page in service.store.events.rows_raw(fleet.ORIGIN):
            for row in page:
                shown = [one.hex() if isinstance(one, bytes) else one for one in row]
                file.write(json.dumps(shown) + "\n")
            count += len(page)
        return count / (time.perf_counter() - started), load_average()
