"""Checks files of known answers: `python -m tools.vectors PATH...`.

A file's format is told by its content. One line per file says how many cases pass; on failure, the
first failing case and what differed. Exit code 0: all pass; 1: a case fails; 2: a file cannot be
read or has none of the formats.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tools import vectors_kernel, vectors_ledger, vectors_steps

PASS: Final = 0
FAIL: Final = 1
UNREADABLE: Final = 2

Document = dict[str, Any]
# Yields each case's id with what is wrong with it, or None.
Checker = Callable[[Document], Iterable[tuple[str, str | None]]]

# Format name → the key that gives it away, and the checker. A new format is one more line.
FORMATS: Final[dict[str, tuple[str, Checker]]] = {
    "ledger_format_v1": ("events", vectors_ledger.check_ledger_format),
    "kernel_v1 and kernel_v2": ("kernel", vectors_kernel.check_kernel),
    "planner_v1 and planner_v2": ("planner", vectors_kernel.check_planner),
    "ranking_priority and ranking_benefit_per_cost": ("ranking", vectors_kernel.check_ranking),
    "plan_steps": ("plan_steps", vectors_steps.check_plan_steps),
}


class UnreadableError(Exception):
    """A file that holds no vectors we know; the text says why and what would help."""


def read(path: Path) -> tuple[str, Document]:
    """Return a vector file's format and document, or raise UnreadableError."""
    try:
        document = json.loads(path.read_bytes(), object_pairs_hook=_refuse_duplicates)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"is not JSON: {error}") from error
    if isinstance(document, dict):
        for name, (key, _) in FORMATS.items():
            if key in document:
                return name, document
    known = ", ".join(f"{name} (has the key {key!r})" for name, (key, _) in FORMATS.items())
    raise UnreadableError(f"has none of the formats: {known}")


def failures(name: str, document: Document) -> Iterator[tuple[int, str, str | None]]:
    """Yield every case's number, id and problem; a case that cannot be read is the last."""
    number = 0
    try:
        for number, (case, problem) in enumerate(FORMATS[name][1](document), 1):
            yield number, case, problem
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        yield number + 1, f"number {number + 1}", f"it cannot be read: {error!r}"


def check(paths: Sequence[Path]) -> int:
    """Check files, print a line for each, and return the worst exit code."""
    worst = PASS
    for path in paths:
        try:
            name, document = read(path)
        except UnreadableError as error:
            print(f"{path}: {error}")
            worst = max(worst, UNREADABLE)
            continue
        worst = max(worst, _check_document(path, name, document))
    return worst


def _check_document(path: Path, name: str, document: Document) -> int:
    """Check one document up to its first failing case, print the line, and return the exit code."""
    passed = 0
    for number, case, problem in failures(name, document):
        if problem is not None:
            print(f"{path}: case {case} of {name} FAILS: {problem}")
            return FAIL
        passed = number
    if passed == 0:  # nothing checked must not look like all well
        print(f"{path}: holds no cases of {name}")
        return UNREADABLE
    print(f"{path}: {passed} cases of {name} pass")
    return PASS


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> Document:
    """Refuse an object that says two things under one key."""
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("an object has a key twice")
    return document


def main(arguments: Sequence[str]) -> int:
    """Run the command, and return its exit code."""
    if not arguments or any(argument in ("-h", "--help") for argument in arguments):
        print(__doc__)
        print(f"Formats: {', '.join(FORMATS)}")
        return PASS if arguments else UNREADABLE
    return check([Path(argument) for argument in arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
