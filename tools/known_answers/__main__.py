"""Writes `tests/vectors` again: `python -m tools.known_answers [FOLDER]`.

The same bytes every time: keys are fixed and signatures deterministic. Each file has the name and
the format of the file of another project's known answers beside which it is.
"""

import json
import sys
from pathlib import Path

from tools.known_answers import (
    canonical,
    decisions,
    logs,
    mldsa_notes,
    notes,
    plan_steps,
    rankings,
    scores,
    transcripts,
    trees,
)

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "vectors"
FILES = {
    **trees.FILES,
    **notes.FILES,
    **mldsa_notes.FILES,
    **logs.FILES,
    **canonical.FILES,
    **decisions.FILES,
    **scores.FILES,
    **rankings.FILES,
    **plan_steps.FILES,
    **transcripts.FILES,
}


def contents() -> dict[str, str]:
    """Return every file's text by its name."""
    return {
        name: json.dumps(make(), ensure_ascii=True, indent=0, sort_keys=True) + "\n"
        for name, make in FILES.items()
    }


def main(arguments: list[str]) -> int:
    """Write the files."""
    folder = Path(arguments[0]) if arguments else FOLDER
    for name, text in contents().items():
        (folder / name).write_text(text, encoding="utf-8")
    print(f"wrote {len(FILES)} files to {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
