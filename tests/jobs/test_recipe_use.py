"""Whether a job may be made by a version of a recipe.

Method: a shelf made by hand of one version, asked about it in each state.
"""

import pytest

from ledger.jobs.recipes import RecipeShelf, RecipeState, ShelvedRecipe, use_fault

DIGEST = "ab" * 32


def shelf(state: RecipeState) -> RecipeShelf:
    one = ShelvedRecipe("weekly", 1, 5, DIGEST, "users/ana", state, 7)
    return RecipeShelf({("weekly", 1): one}, {"weekly": 1})


def test_a_job_may_be_made_by_an_approved_version_under_its_digest_alone() -> None:
    approved = shelf("approved")
    assert use_fault(approved, "weekly", 1, DIGEST) == ""
    assert use_fault(approved, "weekly", 2, DIGEST) == "weekly has no version 2"
    assert "has the digest" in use_fault(approved, "weekly", 1, "cd" * 32)


@pytest.mark.parametrize(
    ("state", "says"),
    [("draft", "not approved"), ("rejected", "was rejected at position 7"), ("retired", "retired")],
)
def test_no_job_may_be_made_by_a_version_in_another_state(state: RecipeState, says: str) -> None:
    assert says in use_fault(shelf(state), "weekly", 1, DIGEST)
