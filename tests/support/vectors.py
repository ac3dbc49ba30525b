"""Finds the test vectors that this project shares with others, and turns them into test cases.

They live beside the repository, in `../shared/vectors`, or wherever LEDGER_VECTORS says. A missing
file is an error and never a skipped test: what was not checked must not look checked.
"""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

_BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "vectors"


class VectorsMissingError(Exception):
    """The vectors are not where they should be."""


def vector_path(file_name: str) -> Path:
    """Return the path of a vector file, or say how to provide it."""
    folder = Path(os.environ.get("LEDGER_VECTORS") or _BESIDE)
    path = folder / file_name
    if not path.is_file():
        raise VectorsMissingError(
            f"{path} does not exist. Set LEDGER_VECTORS to the folder that holds {file_name}."
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
