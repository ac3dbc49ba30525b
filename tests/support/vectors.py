"""Finds files of known answers, and turns them into test cases.

Those of the project's own making are part of it, in `tests/vectors`. Those of other projects
lie beside the repository, in `../shared/vectors`, or in the folder that LEDGER_VECTORS names;
where that is missing, the tests of what it holds are skipped with the reason. A folder that lacks
a file is an error: what was not checked must not look checked.
"""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

OWN = Path(__file__).resolve().parents[1] / "vectors"
_BESIDE = OWN.parents[1].parent / "shared" / "vectors"


class VectorsMissingError(Exception):
    """The vectors are not where they should be."""


def foreign_folder() -> Path:
    """Return the folder of other projects' known answers, or skip what needs it."""
    folder = Path(os.environ.get("LEDGER_VECTORS") or _BESIDE)
    if not folder.is_dir():
        pytest.skip(
            f"known answers of other projects are not at hand: {folder} does not exist "
            "(LEDGER_VECTORS may name another folder)",
            allow_module_level=True,
        )
    return folder


def vector_path(file_name: str) -> Path:
    """Return the path of a vector file, or say how to provide it."""
    if (OWN / file_name).is_file():
        return OWN / file_name
    path = foreign_folder() / file_name
    if not path.is_file():
        raise VectorsMissingError(
            f"{path} does not exist. Set LEDGER_VECTORS to a folder that holds {file_name}."
        )
    return path


@cache
def load_vectors(file_name: str) -> Any:  # noqa: ANN401 - each format is its own
    """Return a vector file's document; callers do not change it."""
    return json.loads(vector_path(file_name).read_text(encoding="utf-8"))


def load_cases(file_name: str) -> dict[str, dict[str, Any]]:
    """Return the cases of a vector file by id."""
    cases = load_vectors(file_name)["cases"]
    by_id = {case["id"]: case for case in cases}
    assert len(by_id) == len(cases) > 0
    return by_id
