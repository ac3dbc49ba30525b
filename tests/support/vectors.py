"""Finds files of known answers, and turns them into test cases.

Those of the project's own making are part of it, in `tests/vectors`. Those of other projects lie
beside the repository, in `../shared/vectors`, or in the folder that LEDGER_VECTORS names. Where a
format has both, one file of ours has the name of theirs, and every test runs over the cases of
both. Where the folder is missing, ours are all there is, and one skipped test says so. A folder
that lacks a file is an error: what was not checked must not look checked.
"""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.made_elsewhere import missing

OWN = Path(__file__).resolve().parents[1] / "vectors"
_BESIDE = OWN.parents[1].parent / "shared" / "vectors"
_OURS_ALONE = {
    "ledger_format_v1.json",
    "kernel_v1.json",
    "kernel_v2.json",
    "planner_v1.json",
    "planner_v2.json",
    "ranking_priority.json",
    "ranking_benefit_per_cost.json",
    "plan_steps.json",
    "decision_v1.json",
    "decision_v2.json",
    "transcript_v1.json",
}


class VectorsMissingError(Exception):
    """The vectors are not where they should be."""


def foreign_folder() -> Path:
    """Return the folder of other projects' known answers, whether it is there or not."""
    return Path(os.environ.get("LEDGER_VECTORS") or _BESIDE)


def require_foreign() -> Path:
    """Return that folder, or skip the test that calls this and say why."""
    folder = foreign_folder()
    if not folder.is_dir():
        missing(
            f"known answers of other projects are not checked: {folder} does not exist "
            "(LEDGER_VECTORS may name another folder)"
        )
    return folder


def vector_paths(file_name: str) -> list[Path]:
    """Return our file of a name, and the other projects' if their folder is there."""
    paths = [OWN / file_name]
    if file_name not in _OURS_ALONE and foreign_folder().is_dir():
        paths.append(foreign_folder() / file_name)
    for path in paths:
        if not path.is_file():
            message = f"{path} does not exist."
            if path.parent != OWN:
                message += f" Set LEDGER_VECTORS to a folder that holds {file_name}."
            raise VectorsMissingError(message)
    return paths


@cache
def _document(path: Path) -> Any:  # noqa: ANN401 - each format is its own
    return json.loads(path.read_text(encoding="utf-8"))


def load_documents(file_name: str) -> list[Any]:
    """Return the documents of a name, ours first; callers do not change them."""
    return [_document(path) for path in vector_paths(file_name)]


def load_vectors(file_name: str) -> Any:  # noqa: ANN401 - each format is its own
    """Return the document of a format that is ours alone; callers do not change it."""
    assert file_name in _OURS_ALONE
    return _document(OWN / file_name)


def load_cases(file_name: str) -> dict[str, dict[str, Any]]:
    """Return the cases of all documents of a name by id, or by name where a format has names."""
    cases = [case for document in load_documents(file_name) for case in document["cases"]]
    by_id = {case.get("id") or case["name"]: case for case in cases}
    assert len(by_id) == len(cases) > 0
    return by_id
