"""The README does what it says: its client, its walk and, in the slow run, its demo are executed.

Method: take the blocks out of the page, run them in an empty folder against a server of their own,
and compare with what the page shows. Only what must differ from run to run is masked: hashes, ports
and seconds.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ledger.errors import Reason
from ledger.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
_START_SECONDS = 300


def block(name: str) -> str:
    found = re.search(rf"^```{re.escape(name)}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert found, f"README.md has no block {name}"
    return found[1]


def masked(text: str) -> str:
    text = re.sub(r"\b[0-9a-f]{16,}(…|\b)", "HASH", text)
    text = re.sub(r"\b[\d.]+ s in all", "SECONDS in all", text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")}
    return kept | {
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "PYTHONPATH": str(ROOT),
        "LEDGER_SERVER__ADDRESS": (folder / "address").read_text()
        if (folder / "address").exists()
        else "127.0.0.1:0",
    }


@contextmanager
def serving(folder: Path, words: list[str]) -> Iterator[str]:
    """Start the README's server on a free port and yield its address."""
    command = [sys.executable, "-m", "ledger", "serve", *words]
    server = subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0"],
        cwd=folder,
        env=_environment(folder) | {"LEDGER_SERVICE__EVALUATE": "false"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert server.stdout is not None
        for line in server.stdout:
            found = re.search(r"Serving on (127\.0\.0\.1:\d+)", line)
            if found:
                (folder / "address").write_text(found[1])
                yield found[1]
                return
        raise AssertionError("the server did not say where it serves")
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=_START_SECONDS)


def run(folder: Path, command: str) -> str:
    words = command.replace("decision-ledger", f"{sys.executable} -m ledger", 1)
    done = subprocess.run(
        ["bash", "-c", words],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        timeout=_START_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout + done.stderr


def walk() -> list[tuple[str, str]]:
    """Return (command, what the page shows) for each command after the server's."""
    steps: list[tuple[str, str]] = []
    for part in re.split(r"^\$ ", block("walk"), flags=re.MULTILINE)[1:]:
        command, _, shown = part.replace("\\\n", "").partition("\n")
        steps.append((command, shown))
    return steps


def walked(folder: Path) -> list[tuple[str, str, str]]:
    """Run the walk and return (command, what the page shows, what was printed)."""
    for name in ("policy.yaml", "march.csv"):
        (folder / name).write_text(block(name))
    first, *steps = walk()
    with serving(folder, first[0].removesuffix("&").split("serve ")[1].split()):
        return [(command, shown, run(folder, command)) for command, shown in steps]


def test_the_walk_prints_what_the_page_shows(tmp_path: Path) -> None:
    for command, shown, printed in walked(tmp_path):
        assert masked(printed) == masked(shown), command


def test_the_client_in_three_lines_submits_an_observation(tmp_path: Path) -> None:
    steps = [command for command, _ in walk()[1:]]
    needed = [line for line in steps if re.search(r"signal define|model (register|deploy)", line)]
    with serving(tmp_path, ["--create", "example.com/three-lines", "--clock", "data"]) as address:
        for command in needed:
            run(tmp_path, command)
        program = block("python").replace("localhost:50051", address)
        (tmp_path / "three.py").write_text(program)
        run(tmp_path, f"{sys.executable} three.py")
        assert "signal.observed.v1" in run(tmp_path, "decision-ledger log tail")


def test_every_setting_and_every_reason_is_on_the_page() -> None:
    for section, part in Settings.model_fields.items():
        assert part.annotation is not None
        for name in part.annotation.model_fields:
            assert f"`LEDGER_{section.upper()}__{name.upper()}`" in README
    for reason in Reason:
        assert f"`{reason.value}`" in README, reason


def test_every_test_that_the_page_names_exists() -> None:
    for path in set(re.findall(r"`(tests/[\w/]+(?:\.py)?)/?`", README)):
        assert (ROOT / path).exists(), path


@pytest.mark.slow
def test_the_demo_prints_what_the_page_shows(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.demo"],
        cwd=ROOT,
        env=_environment(tmp_path) | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert masked(block("demo")) in masked(done.stdout)
