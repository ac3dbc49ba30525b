"""The environment that a training script runs in, collected in one call for the ledger's record.

    from ledger.environment import environment_record, snapshot

    report["environment"] = environment_record(
        data=[snapshot("train", "train.csv", rows=len(rows))], seed=7, shuffle=order,
        schema="3", features="12", architecture="gbdt-200",
    )

Only the standard library is needed, and nothing of a server. Code is known by its commit, where
`git` says one, and by the digest of its files in any case; a step of a worker runs in a copy of
them, and is told both by the worker.
"""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

STEP_VARIABLE: Final = "DECISION_LEDGER_STEP"
REPORT_VARIABLE: Final = "DECISION_LEDGER_REPORT"
REPORT_BYTES_MAX: Final = 1024 * 1024
IMAGE_VARIABLE: Final = "DECISION_LEDGER_IMAGE"
"""Names the container image by its digest, where a step runs in one."""
_LEFT_OUT: Final = frozenset({".git", "__pycache__"})
_PART_BYTES: Final = 1024 * 1024
CHARS_MAX: Final = 128
"""The characters of a text in the record; what is longer is cut."""


def environment_record(  # noqa: PLR0913 - one keyword for each thing that is stated
    *,
    data: Iterable[dict[str, Any]] = (),
    seed: int | None = None,
    shuffle: Iterable[int] | None = None,
    schema: str = "",
    features: str = "",
    architecture: str = "",
    image: str | None = None,
    code: str | os.PathLike[str] = ".",
) -> dict[str, Any]:
    """Return the record of this process's environment, as JSON has it.

    `data` are snapshots; `shuffle` is the order in which rows were taken, by their numbers. `code`
    is the folder of the program: of a step of a worker it is what the worker copied.
    """
    order = None if shuffle is None else hashlib.sha256()
    for place, number in enumerate(shuffle or ()):
        assert order is not None, "there is an order"
        order.update(f"{',' if place else ''}{int(number)}".encode())
    return {
        **(_told_code() or code_record(Path(code))),
        "image": image or os.environ.get(IMAGE_VARIABLE) or None,
        **interpreter_record(),
        "snapshots": sorted(data, key=lambda one: str(one["name"])),
        "schema_version": schema,
        "features_version": features,
        "architecture": architecture,
        "seed": None if seed is None else str(seed),
        "shuffle_sha256": None if order is None else order.hexdigest(),
    }


def snapshot(name: str, place: str | os.PathLike[str], rows: int) -> dict[str, Any]:
    """Return the record of data that were read from a file or a folder of files."""
    return {"name": name, "sha256": digest_of(Path(place)), "rows": rows}


def digest_of(place: Path) -> str:
    """Return the SHA-256 of a file, or of a folder: of its files' names and digests, in order."""
    if not place.is_dir():
        digest = hashlib.sha256()
        with place.open("rb") as file:
            while part := file.read(_PART_BYTES):
                digest.update(part)
        return digest.hexdigest()
    lines = []
    for path in sorted(place.rglob("*")):
        within = path.relative_to(place)
        if _LEFT_OUT.isdisjoint(within.parts) and path.is_file():
            lines.append(f"{digest_of(path)}  {within.as_posix()}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def code_record(folder: Path) -> dict[str, Any]:
    """Return what is known of the code in a folder: its commit, whether it differs, its digest."""
    commit = _git(folder, "rev-parse", "HEAD")
    changed = bool(commit) and bool(_git(folder, "status", "--porcelain", "--", "."))
    return {
        "code_commit": commit or None,
        "code_changed": changed,
        "code_sha256": digest_of(folder),
    }


def interpreter_record() -> dict[str, Any]:
    """Return the interpreter of this process, its platform, and the digest of its packages."""
    packages = installed_packages()
    return {
        "interpreter": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform()[:CHARS_MAX],
        "packages": len(packages),
        "packages_sha256": hashlib.sha256("".join(packages).encode()).hexdigest(),
    }


def installed_packages() -> Sequence[str]:
    """Return the installed packages as lines of `name==version`, in order."""
    found = {
        f"{str(one.metadata['Name']).lower().replace('_', '-')}=={one.version}\n"
        for one in metadata.distributions()
    }
    return sorted(found)


def _told_code() -> dict[str, Any] | None:
    """Return what a worker told its step of the code; None outside of a worker's step."""
    place = os.environ.get(STEP_VARIABLE)
    if not place:
        return None
    told: dict[str, Any] | None = json.loads(Path(place).read_text("utf-8")).get("code")
    return told


def _git(folder: Path, *words: str) -> str:
    """Return what git says of a folder; empty where there is no git, or it knows no commit."""
    try:
        ran = subprocess.run(  # noqa: S603 - fixed words, no shell
            ["git", "-C", str(folder), *words],  # noqa: S607 - the git that the user has
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return ""
    return ran.stdout.strip() if ran.returncode == 0 else ""
