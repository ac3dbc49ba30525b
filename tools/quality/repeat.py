"""Repeat the decision-quality benchmark: the ledger beside what teams do without it.

    python3 tools/dev.py quality FOLDER                    all fleets of the benchmark's folder
    python3 tools/dev.py quality FOLDER --sets flights     one of them; --quick: one budget

The benchmark's own `run.py` simulates, scores and knows the other policies; the ledger decides as
its external program, `python -m tools.quality`. Fleets run at once, each with a server of its own.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Final
from venv import EnvBuilder

from rich.console import Console
from rich.table import Table

from tools.quality import say

ROOT: Final = Path(__file__).resolve().parents[2]
POLICIES: Final = {
    "round_robin": "round robin",
    "worst_error": "worst error first",
    "adwin": "ADWIN alarms",
    "cara_cumulative": "Cara-style cumulative cost",
    "cara_cumulative+reuse": "the same, with earlier versions put back",
    "external": "the ledger, by planner excess/2",
}
"""The benchmark's names of the policies that are shown, each with a person's."""
_SEASONS: Final = ("cta=13",)

Cell = Mapping[str, Any]


def environment(folder: Path) -> Path:
    """Return the Python that has what the benchmark asks for, in an environment of its own."""
    asked = folder / "requirements.txt"
    made = Path(sys.prefix) / "quality"
    python, stamp = made / "bin" / "python", made / "installed.txt"
    if not stamp.exists() or stamp.read_bytes() != asked.read_bytes():
        say(f"setting up what the benchmark asks for, once, in {made}")
        EnvBuilder(clear=True, with_pip=True).create(made)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
        subprocess.run([*pip, "--only-binary", ":all:", "-r", str(asked)], check=True)
        stamp.write_bytes(asked.read_bytes())
    return python


def external(folder: Path, seasons: Sequence[str]) -> str:
    """Return the shell command by which the benchmark asks the ledger."""
    words = [sys.executable, "-m", "tools.quality", "--data", str(folder)]
    words += [word for one in seasons for word in ("--season", one)]
    return f"cd {shlex.quote(str(ROOT))} && exec {shlex.join(words)}"


def table(cells: Sequence[Cell]) -> Table:
    """Return the capture of each policy, by fleet in the mean and in the worst cell."""
    fleets = list(dict.fromkeys(str(one["set"]) for one in cells))
    shown = Table(title="Capture, the share of a clairvoyant gain")
    shown.add_column("policy")
    for fleet in fleets:
        shown.add_column(f"{fleet}, mean", justify="right")
        shown.add_column("worst", justify="right")
    for name, said in POLICIES.items():
        row = [said]
        for fleet in fleets:
            found = captures(cells, fleet, name)
            row += [f"{fmean(found):.3f}", f"{min(found):.3f}"]
        shown.add_row(*row)
    return shown


def captures(cells: Sequence[Cell], fleet: str, policy: str) -> list[float]:
    """Return what a policy captured in each cell of a fleet, in order."""
    return [float(one["policies"][policy]["capture"]) for one in cells if one["set"] == fleet]


def details(cells: Sequence[Cell]) -> Table:
    """Return what the ledger did in each cell."""
    shown = Table(title="The ledger, cell by cell")
    for name in ("fleet", "jobs a period", "costs", "capture", "jobs", "tests", "put back", "took"):
        shown.add_column(name, justify="left" if name in {"fleet", "costs"} else "right")
    for one in cells:
        did = one["policies"]["external"]
        shown.add_row(
            one["set"],
            f"{one['budget']:g}",
            one["costs"],
            f"{did['capture']:.3f}",
            str(did["jobs"]),
            str(did["probes"]),
            str(did["switches"]),
            f"{did['seconds']:.0f} s",
        )
    return shown


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="tools/dev.py quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="the benchmark: run.py with its fleets")
    parser.add_argument("--sets", default="", help="fleets, comma between; all of the folder")
    parser.add_argument("--quick", action="store_true", help="the middle budget only")
    parser.add_argument(
        "--season", action="append", metavar="FLEET=PERIODS", help="a year in periods (cta=13)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the cells as JSON too")
    options = parser.parse_args(arguments)
    folder = options.folder.absolute()
    if not (folder / "run.py").exists():
        say(f"{folder} has no run.py: name the folder of the decision-quality benchmark.")
        return 2
    fleets = (
        options.sets.split(",") if options.sets else sorted(x.stem for x in folder.glob("*.npz"))
    )
    python = environment(folder)
    started = time.monotonic()
    command = [str(python), "run.py", ".", *(["--quick"] if options.quick else [])]
    command += ["--external", external(folder, options.season or _SEASONS)]
    cells = _measured(folder, command, fleets)
    if cells is None:
        say("The benchmark ended with an error, see above.")
        return 1
    console = Console()
    console.print(details(cells))
    console.print(table(cells))
    say(f"{len(cells)} cells in {(time.monotonic() - started) / 60:.1f} minutes")
    if options.json:
        options.json.write_text(json.dumps(cells, indent=1) + "\n")
    return 0


def _measured(folder: Path, command: Sequence[str], fleets: Sequence[str]) -> list[Cell] | None:
    """Return the cells of all fleets, which run at once; None where one of them failed."""
    with tempfile.TemporaryDirectory() as kept:
        found = {fleet: Path(kept) / f"{fleet}.json" for fleet in fleets}
        running = [
            subprocess.Popen(
                [*command, "--sets", fleet, "--json", str(path)],
                cwd=folder,
                stdout=subprocess.DEVNULL,
            )
            for fleet, path in found.items()
        ]
        try:
            codes = [one.wait() for one in running]
        finally:
            for one in running:
                one.terminate()
        if any(codes):
            return None
        return [cell for path in found.values() for cell in json.loads(path.read_text())]


if __name__ == "__main__":
    sys.exit(main())
