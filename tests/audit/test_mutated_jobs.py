"""A log with one member changed anywhere is audited to its end, and the change is found.

What the auditor folds out of forged events is no state that a service ever had, so that nothing may
be taken for granted of it. Method: over an honest ledger with jobs, each member of each event of a
job is changed in turn, in the middle of the job, and each such event is left out.
"""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.audit.mutations import Mutation, changed, mutations, removals
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of

FREE: Final = (
    r"data\.(reason|note) ",
    r"data\.environment\.",
    r"data\.(artifacts|links|log_sha256)",
    r"job\.(proposed|approved|cancelled|denied|leased)\.v1 .*: actor",
    r"(gate\.reported|job\.given_up)\.v1 .*: data\.cost_micros (more|zero)",
    r"job\.leased\.v1 .*: data\.expires_at earlier",
)
"""What people and executors say as they like, and nothing else on record contradicts."""
LEFT_OUT: Final = (
    r"job\.environment_recorded\.v1",
    r"(job\.lease_expired|job\.lapsed|gate\.judged)\.v1",
)
"""What need not be there: a gate but the training asks for no environment, and what the governor
records is missed only where it is on record that it went on."""
CRUCIAL: Final = (
    r"job\.leased\.v1 .*left out",
    r"gate\.(judged|reported)\.v1 at 1\d\d: all left out",
    r"is_passed flipped",
    r"data\.gates without",
    r"data\.gate (another|the last other)",
    r"data\.(token|attempt) ",
    r"data\.gates\.\*\.(window_seconds|signals)",
)
CHUNKS: Final = 8


def all_changes(paper: Paper) -> list[Mutation]:
    return [*removals(paper), *mutations(paper)]


def is_free(one: Mutation) -> bool:
    """Whether a change may go unnoticed."""
    free = FREE if one.way else LEFT_OUT
    return not one.type.startswith(("job.", "gate.")) or any(re.search(x, str(one)) for x in free)


def unnoticed(paper: Paper, folder: Path, changes: list[Mutation]) -> list[str]:
    """Return the changes that an audit does not find, though it should."""
    return [
        str(one)
        for one in changes
        if audit_of(changed(paper, one), folder, cores=1).passed and not is_free(one)
    ]


def test_changes_in_the_middle_of_a_job_are_found_and_stop_no_audit(
    lived_on_paper: Paper, tmp_path: Path
) -> None:
    every = all_changes(lived_on_paper)
    crucial = {str(one) for one in every if any(re.search(x, str(one)) for x in CRUCIAL)}
    assert len(crucial) > 2 * len(CRUCIAL)
    chosen = [one for one in every if str(one) in crucial][::2] + every[:: len(every) // 20]
    assert unnoticed(lived_on_paper, tmp_path, chosen) == []


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_change_in_the_middle_of_a_job_is_found_and_stops_no_audit(
    lived_on_paper: Paper, tmp_path: Path, chunk: int
) -> None:
    assert unnoticed(lived_on_paper, tmp_path, all_changes(lived_on_paper)[chunk::CHUNKS]) == []
