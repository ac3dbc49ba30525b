"""`python -m tools.bench`: what the ledger promises about speed and memory, measured here and now.

    python3 tools/dev.py bench                     everything, about ten minutes on two cores
    python3 tools/dev.py bench --only replay       one section (again for more)
    python3 tools/dev.py bench --scale 0.1         smaller counts: quicker, and less to rely on
    python3 tools/dev.py bench --plan 10000x52       plans of a larger fleet, in half an hour more
    python3 tools/dev.py bench --json FILE         the result as JSON too; `-` for only that

Exits with 0 whether or not the targets are met: a figure is a finding, not a failure.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tools.bench import (
    audits,
    exports,
    ingest,
    jobs,
    overload,
    planning,
    proofs,
    replay,
    scoring,
    secure,
    signing,
    start,
    unary,
    verification,
)
from tools.bench.machine import machine
from tools.bench.report import document, show
from tools.bench.rows import Row
from tools.bench.run import PLANNED, Run, fresh, say

SECTIONS = {
    "ingest": ingest.measure,
    "signing": signing.measure,
    "unary": unary.measure,
    "secure": secure.measure,
    "overload": overload.measure,
    "scoring": scoring.measure,
    "planning": planning.measure,
    "jobs": jobs.measure,
    "replay": replay.measure,
    "verification": verification.measure,
    "audit": audits.measure,
    "proofs": proofs.measure,
    "exports": exports.measure,
    "start": start.measure,
}


def main(arguments: Sequence[str]) -> int:
    """Run the sections asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="tools/dev.py bench", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", action="append", choices=SECTIONS, metavar="SECTION")
    parser.add_argument("--scale", type=_scale, default=1.0)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--folder", type=Path, help="where to write, instead of the system's place")
    parser.add_argument(
        "--plan", type=_fleet, default=PLANNED, metavar="MODELSxPERIODS",
        help="the fleet of which a ledger makes plans, instead of 2000x10",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    chosen = [name for name in SECTIONS if not options.only or name in options.only]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="ledger-bench-", dir=options.folder) as folder:
        run = Run(Path(folder), options.scale, options.plan)
        found = machine(run.folder)
        for name in chosen:
            say(f"{name} …")
            rows += fresh(SECTIONS[name], run)
    if options.json != "-":
        show(Console(width=None if sys.stdout.isatty() else 160), found, options.scale, rows)
    if options.json == "-":
        sys.stdout.write(document(found, options.scale, rows))
    elif options.json:
        Path(options.json).write_text(document(found, options.scale, rows), encoding="utf-8")
    return 0


def _fleet(text: str) -> tuple[int, int]:
    models, _, periods = text.partition("x")
    found = int(models), int(periods)
    if min(found) < 1:
        raise argparse.ArgumentTypeError("is MODELSxPERIODS, such as 10000x52")
    return found


def _scale(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError("is a share of the full counts, above 0 and up to 1")
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
