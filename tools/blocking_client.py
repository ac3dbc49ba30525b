"""Generates the blocking client from the asyncio one, word by word; `tools.proto` calls it.

Connection, batch and stream differ in more than words (threads and conditions here, tasks there)
and are written by hand in both. All else is the same once the words of asyncio are gone.
"""

import re
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCES: Final = Path("ledger", "client", "aio")
PACKAGE: Final = Path("ledger", "client", "blocking")
BY_HAND: Final = {"__init__.py", "connection.py", "batch.py", "stream.py"}
FIRST_LINE: Final = "# Generated from {source} by `tools/dev.py proto`; do not edit.\n"
WORDS: Final = (
    (r"\basync (?=def\b)", ""),
    (r"\bawait ", ""),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\b__a(?=(?:enter|exit)__)", "__"),
    (r"\bledger\.client\.aio\b", "ledger.client.blocking"),
    (r"\bfor asyncio\b", "for threads"),
    (r"\ban asynchronous\b", "a"),
    (
        r"To be made and used within one event loop\.",
        "Safe to use from several threads; not to be carried over a fork.",
    ),
)
LEFT: Final = re.compile(r"async|await|\baio\b|event loop")


class UntranslatedError(ValueError):
    """A source holds a word of asyncio that has no translation here."""


def translated(text: str, source: str) -> str:
    """Return what a module of the asyncio client is in the blocking one, before formatting."""
    for pattern, word in WORDS:
        text = re.sub(pattern, word, text)
    for number, line in enumerate(text.splitlines(), start=1):
        if left := LEFT.search(line):
            message = (
                f"{source}:{number}: {left[0]!r} has no translation. Move what only asyncio does "
                "to connection, batch or stream, or add a pair to WORDS."
            )
            raise UntranslatedError(message)
    return FIRST_LINE.format(source=source) + text


def formatted(text: str, path: str) -> str:
    """Return a module with sorted imports and our layout, which shorter lines have changed."""
    for arguments in (("check", "--select=I", "--fix-only", "--quiet"), ("format",)):
        text = subprocess.run(
            ["ruff", *arguments, f"--stdin-filename={path}", "-"],
            cwd=ROOT,
            input=text,
            capture_output=True,
            check=True,
            text=True,
        ).stdout
    return text


def generated() -> dict[str, bytes]:
    """Return every generated file of the blocking client by name."""
    made = {}
    for path in sorted((ROOT / SOURCES).glob("*.py")):
        if path.name not in BY_HAND:
            text = translated(path.read_text("utf-8"), (SOURCES / path.name).as_posix())
            made[path.name] = formatted(text, (PACKAGE / path.name).as_posix()).encode()
    return made


def committed() -> dict[str, bytes]:
    """Return every file of the blocking client by name that is not written by hand."""
    return {
        path.name: path.read_bytes()
        for path in sorted((ROOT / PACKAGE).glob("*.py"))
        if path.name not in BY_HAND
    }
