"""One step that runs: its folder, its environment, its keeper, and how it ended."""

import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledger.environment import REPORT_VARIABLE, STEP_VARIABLE
from ledger.events.recipe_document import RecipeDocument
from ledger.private import make_folder
from ledger.secrecy import child_environment, without_tokens
from ledger.worker.state import WorkerError
from ledger.worker.steps import sha256_of

LOG_BYTES_MAX: Final = 64 * 1024 * 1024
"""A step that writes more to its log is ended."""
GRACE_SECONDS: Final = 5.0
"""Between SIGTERM and SIGKILL."""
_TAIL_BYTES: Final = 4_096
_TAIL_LINES: Final = 12
_KEEPER: Final = Path(__file__).with_name("keeper.py")


@dataclass(frozen=True, slots=True)
class StepPlace:
    """The files of one task in one attempt at a job; the step works in `files`."""

    attempt: Path
    task: str

    @property
    def files(self) -> Path:
        """The folder that a step works in, which the steps of an attempt share."""
        return self.attempt / "files"

    @property
    def told(self) -> Path:
        """The file that says what to do."""
        return self.attempt / f"{self.task}.step.json"

    @property
    def report(self) -> Path:
        """The file that the step answers in."""
        return self.attempt / f"{self.task}.report.json"

    @property
    def log(self) -> Path:
        """All that the step printed."""
        return self.attempt / f"{self.task}.log"

    @property
    def done(self) -> Path:
        """The file that is there once the task was done in this folder."""
        return self.attempt / f"{self.task}.done"

    def prepare(self, recipe_folder: Path) -> None:
        """Make the folder as a copy of the recipe's, unless it is there."""
        make_folder(self.attempt)
        self.report.unlink(missing_ok=True)
        if self.files.is_dir():
            return
        partial = self.attempt / "files.partial"
        if partial.exists():
            shutil.rmtree(partial)
        ignored = shutil.ignore_patterns(".git", "__pycache__")
        shutil.copytree(recipe_folder, partial, symlinks=True, ignore=ignored)
        partial.rename(self.files)

    def log_sha256(self) -> str:
        """Return the digest of the log."""
        with self.log.open("rb") as file:
            return sha256_of(file)

    def last_lines(self) -> list[str]:
        """Return the last lines of the log, for a person; tokens among them are not shown."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
                text = file.read(_TAIL_BYTES).decode("utf-8", errors="replace")
        except OSError:
            return []
        return [without_tokens(line) for line in text.splitlines()[-_TAIL_LINES:]]


def lacking_variables(recipe: RecipeDocument) -> list[str]:
    """Return the variables that a recipe asks for and cannot have here.

    They are not set, or belong to the worker: no recipe is given its credentials.
    """
    given = child_environment()
    return [name for name in recipe.environment if name not in given]


def environment_of(recipe: RecipeDocument, place: StepPlace) -> dict[str, str]:
    """Return what a step sees of the environment: what its recipe names, and what a program needs.

    `python` is the worker's own interpreter, and sets are iterated in the same order in every run.
    """
    own = str(Path(sys.executable).parent)
    given = child_environment()
    allowed = {name: given[name] for name in recipe.environment if name in given}
    return {
        "PATH": os.pathsep.join([own, os.environ.get("PATH", os.defpath)]),
        "HOME": str(place.files),
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        **allowed,
        STEP_VARIABLE: str(place.told),
        REPORT_VARIABLE: str(place.report),
    }


@dataclass(frozen=True, slots=True)
class StepEnd:
    """How a step ended."""

    code: int | None
    signal: int | None
    why: str
    """`time`, `stopped` or `unstartable` where it did not end by itself."""
    text: str
    peak_kib: int

    @property
    def fault(self) -> str:
        """Return why it has no result, as a sentence; empty where it has ended well."""
        if self.why == "time":
            return "It took longer than its recipe allows and was ended."
        if self.why == "unstartable":
            return f"Its program cannot be started: {self.text}."
        if self.why == "keeper":
            return "The process that kept it within its limits was ended from outside."
        if self.signal is not None:
            return f"It was ended by signal {self.signal}."
        return "" if self.code == 0 else f"It ended with exit code {self.code}."


class RunningStep:
    """A step that runs, below its keeper."""

    def __init__(self, recipe: RecipeDocument, place: StepPlace, seconds: float) -> None:
        """Start it; WorkerError where this machine cannot even run the keeper."""
        self.place = place
        order: Mapping[str, Any] = {
            "argv": recipe.run.argv,
            "environment": environment_of(recipe, place),
            "folder": str(place.files),
            "log": str(place.log),
            "lock": str(place.attempt / "keeper.lock"),
            "memory_mib": recipe.limits.memory_mib,
            "seconds": seconds,
            "grace_seconds": GRACE_SECONDS,
        }
        try:
            self._keeper = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-I", "-S", str(_KEEPER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", os.defpath)},
                start_new_session=True,  # an interrupt of the terminal is the worker's to hear
            )
        except OSError as error:
            why = f"No process can be started: {error.strerror}."
            raise WorkerError(why, "Look at the limits of this machine.") from None
        assert self._keeper.stdin is not None, "it is a pipe"
        with suppress(BrokenPipeError):
            self._keeper.stdin.write(json.dumps(order).encode() + b"\n")
            self._keeper.stdin.flush()

    def fileno(self) -> int:
        """Return what can be read from once it has ended."""
        assert self._keeper.stdout is not None, "it is a pipe"
        return self._keeper.stdout.fileno()

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return bool(select.select([self.fileno()], [], [], 0.0)[0])

    @property
    def log_is_too_long(self) -> bool:
        """Whether it has printed more than is kept."""
        try:
            return self.place.log.stat().st_size > LOG_BYTES_MAX
        except OSError:
            return False

    def stop(self) -> StepEnd:
        """End it, and wait for that."""
        assert self._keeper.stdin is not None, "it is a pipe"
        with suppress(BrokenPipeError):
            self._keeper.stdin.close()
        return self.end()

    def end(self) -> StepEnd:
        """Wait for its end, and return it."""
        assert self._keeper.stdout is not None, "it is a pipe"
        assert self._keeper.stdin is not None, "it is a pipe"
        with self._keeper.stdout as answers:
            line = answers.readline()
        with suppress(BrokenPipeError):
            self._keeper.stdin.close()
        self._keeper.wait()
        if not line:
            return StepEnd(None, None, "keeper", "", 0)
        said = json.loads(line)
        return StepEnd(
            said["exit"], said["signal"], said["why"], said["text"], said.get("peak_kib", 0)
        )
