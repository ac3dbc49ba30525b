"""Reads the pages for users, and carries out what they show.

A page is a story in one folder. A block whose word is a file's name is written there; the commands
of a `console` block run one after the other in one shell; a `python` block is a program that runs
once they have, against the server that the page started. Ports and the folder are the test's.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "ledger" / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
BLOCK = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "@@@@"
_SECONDS = 500
_SERVES = re.compile(r"Serving on (?:ledgers://)?(127\.0\.0\.1:\d+)")


def files_of_project() -> list[Path]:
    """Return every file that is, or with `git add` would be, part of the project.

    What others put beside it (an environment, packages for a test) is not part of it.
    """
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()]


@dataclass(frozen=True)
class Step:
    """One command of a page, what the page shows for it, and what it printed."""

    command: str
    shown: str
    printed: str


@cache
def blocks(page: Path) -> tuple[tuple[str, str], ...]:
    """Return (word, content) of each code block of a page, in order."""
    return tuple(BLOCK.findall(page.read_text("utf-8")))


def block(page: Path, word: str) -> str:
    """Return the content of the one block of a page that has this word."""
    (found,) = [content for each, content in blocks(page) if each == word]
    return found


def commands(console: str) -> list[tuple[str, str]]:
    """Return (command, what the page shows) for each command of a block."""
    parts = re.split(r"^\$ ", console.replace("\\\n", ""), flags=re.MULTILINE)[1:]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


def masked(text: str) -> str:
    """Return a text without what differs from run to run: hashes, keys, ports and seconds."""
    text = re.sub(r"\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{40,}", "+KEY", text)
    text = re.sub(r"\b[0-9a-f]{16,}(…|\b)", "HASH", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", text)
    text = re.sub(r"seconds: [\d.]+", "seconds: SOME", text)
    text = re.sub(r"\b[\d.]+ s in all", "SECONDS in all", text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def is_shown(shown: str, printed: str) -> bool:
    """Return whether a page shows what was printed; a line of … is for lines left out."""
    parts = f"\n{masked(shown)}\n".split("\n…\n")
    form = r"\n(?:.*\n)?".join(re.escape(part) for part in parts)
    return re.fullmatch(form, f"\n{masked(printed)}\n", re.DOTALL) is not None


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a page's commands, none of it the tester's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")}
    return kept | {
        "COLUMNS": "100",
        "HOME": str(folder),
        # A count of refusals would move the positions of a page that takes longer than a minute.
        "LEDGER_REFUSALS__SECONDS": "3600",
        "NO_COLOR": "1",
        "PATH": f"{folder / 'bin'}{os.pathsep}{kept['PATH']}",
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),
    }


class Story:
    """A shell in a folder that carries out the commands of one page."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.first = ""
        """The address of the page's first server: programs call that."""
        (folder / "tools").symlink_to(ROOT / "tools")
        (folder / "bin").mkdir()
        self._program("decision-ledger", f'exec "{sys.executable}" -m ledger "$@"')
        self._program(
            "python3",
            f'[ "$1 $2" != "tools/dev.py demo" ] || {{ shift 2; set -- -m tools.demo "$@"; }}\n'
            f'exec "{sys.executable}" "$@"',
        )
        self._shell = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._ask("set -o pipefail")

    def _program(self, name: str, script: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/usr/bin/env bash\n{script}\n")
        path.chmod(0o755)

    def tell(self, page: Path) -> list[Step]:
        """Carry out a page; a command that fails is an AssertionError with what it printed."""
        for word, content in blocks(page):
            if "." in word:
                (self.folder / word).write_text(content)
        steps = [
            Step(command, shown, self.run(command))
            for word, content in blocks(page)
            if word == "console"
            for command, shown in commands(content)
        ]
        for word, content in blocks(page):
            if word == "python":
                (self.folder / "program.py").write_text(
                    content.replace("localhost:50051", self.first)
                )
                self.run("python3 program.py")
        return steps

    def run(self, command: str) -> str:
        """Return what a command printed; one that ends in & is a server, and runs on."""
        if command.endswith("&"):
            return self._serve(command.removesuffix("&").strip())
        printed, code = self._ask(command)
        assert code == 0, f"{command}\n{printed}"
        return printed

    def _ask(self, command: str) -> tuple[str, int]:
        stdin, stdout = self._shell.stdin, self._shell.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{command}\necho {_MARK}$?\n")
        stdin.flush()
        printed = []
        for line in stdout:
            text, mark, code = line.partition(_MARK)
            printed.append(text)
            if mark:
                return "".join(printed), int(code)
        raise AssertionError(f"the shell ended at: {command}\n{''.join(printed)}")

    def _serve(self, command: str) -> str:
        log = self.folder / "served"
        self._ask(f"{command} --listen 127.0.0.1:0 > '{log}' 2>&1 &")
        waiting = f"for _ in $(seq {_SECONDS * 10}); do grep -q 'Serving on' '{log}' && break;"
        self._ask(f"{waiting} kill -0 $! 2> /dev/null || break; sleep 0.1; done")
        printed = log.read_text()
        found = _SERVES.search(printed)
        assert found, f"{command}\n{printed}"
        self.first = self.first or found[1]
        self._ask(f"export LEDGER_SERVER__ADDRESS={found[1]}")
        return printed[: found.end()]

    def end(self) -> None:
        """Stop the server that the page started, then the shell."""
        self._shell.communicate("kill $(jobs -p) 2> /dev/null; wait\nexit\n", timeout=_SECONDS)


@contextmanager
def story(folder: Path) -> Iterator[Story]:
    """Yield a shell for one page; its server ends with it."""
    begun = Story(folder)
    try:
        yield begun
    finally:
        begun.end()
