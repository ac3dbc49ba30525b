"""The environment of a step that states none: so much of it as its worker knows by itself."""

import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ledger.environment import CHARS_MAX, interpreter_record
from ledger.events.environment import EnvironmentPart

_ELSEWHERE: Final = "ledger.worker.pipeline"
_STATED_BY_STEPS: Final[Mapping[str, Any]] = {
    "image": None,
    "snapshots": [],
    "schema_version": "",
    "features_version": "",
    "architecture": "",
    "seed": None,
    "shuffle_sha256": None,
}


def known_environment(
    argv: Sequence[str], path: str, code: Mapping[str, Any]
) -> EnvironmentPart | None:
    """Return the code, program and platform of a step; None where its work is done elsewhere.

    Its interpreter and packages are known where `argv` names the worker's own interpreter on
    `path`; else its program alone. Data, seed and versions are for the step to state.
    """
    if _ELSEWHERE in argv:
        return None
    found = shutil.which(argv[0], path=path)
    if found is not None and _is_own(Path(found)):
        surroundings = interpreter_record()
    else:
        surroundings = {
            "interpreter": Path(argv[0]).name[:CHARS_MAX],
            "platform": platform.platform()[:CHARS_MAX],
            "packages": 0,
            "packages_sha256": None,
        }
    return EnvironmentPart.model_validate({**_STATED_BY_STEPS, **code, **surroundings})


def _is_own(program: Path) -> bool:
    """Whether a program is the worker's own interpreter: another environment has other packages."""
    own = Path(sys.executable)
    return program.parent == own.parent and program.resolve() == own.resolve()
